//! Knowledge: articles in versions and languages, from draft to publication, and the categories they stand in
//! (Salesforce object reference, section 6). An org has it by choice; without it none of its objects is there.

mod actions;
mod categories;
mod manage;
mod write;

use serde::{Deserialize, Serialize};

pub(super) use self::actions::action;
pub(super) use self::categories::replace;
pub(super) use self::manage::manage;
pub(super) use self::write::{
    after_selection, before_delete, before_insert, before_selection, before_update, complete,
    deleted, shares_address,
};
use super::schema::{Object, table};

/// Articles, as versions in languages.
pub(super) const VERSION: &str = "Knowledge__kav";
/// What the versions of an article share.
pub(super) const ARTICLE: &str = "Knowledge__ka";
/// Which categories a version stands in.
pub(super) const SELECTION: &str = "Knowledge__DataCategorySelection";

/// What an org with Knowledge begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeSettings {
    /// Its active languages by code, such as `en_US`, the default one first.
    pub languages: Vec<String>,
    /// Its groups of categories.
    #[serde(default)]
    pub groups: Vec<CategoryGroup>,
}

impl KnowledgeSettings {
    /// Knowledge in these languages, the default one first, without categories.
    pub fn new<L: Into<String>>(languages: impl IntoIterator<Item = L>) -> Self {
        Self {
            languages: languages.into_iter().map(Into::into).collect(),
            groups: Vec::new(),
        }
    }

    /// The same with one more group of categories.
    #[must_use]
    pub fn group(mut self, group: CategoryGroup) -> Self {
        self.groups.push(group);
        self
    }
}

/// A group of data categories.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryGroup {
    /// Its API name.
    pub name: String,
    /// What people see.
    pub label: String,
    /// Whether articles may use it.
    pub active: bool,
    /// Its categories; a category comes after its parent.
    pub categories: Vec<DataCategory>,
}

/// A data category.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataCategory {
    /// Its API name, unique within its group.
    pub name: String,
    /// What people see.
    pub label: String,
    /// The API name of the category it stands in.
    pub parent: Option<String>,
}

impl CategoryGroup {
    /// Whether one of two categories stands in the other, or both are one.
    fn related(&self, one: &str, other: &str) -> bool {
        self.stands_in(one, other) || self.stands_in(other, one)
    }

    fn stands_in(&self, inner: &str, outer: &str) -> bool {
        let mut at = Some(inner);
        while let Some(name) = at {
            if name.eq_ignore_ascii_case(outer) {
                return true;
            }
            let known = self
                .categories
                .iter()
                .find(|c| c.name.eq_ignore_ascii_case(name));
            at = known.and_then(|category| category.parent.as_deref());
        }
        false
    }
}

/// The objects of Knowledge, as the table of built-in ones has them; the languages stand for `{languages}`.
const OBJECTS: &str = "\
= Knowledge__ka | kA0 | Knowledge Article | Knowledge Articles | Q | full fixed
ArticleNumber | string 80 | pN
MasterLanguage | picklist 40 | pR | values={languages}
FirstPublishedDate | datetime | np
LastPublishedDate | datetime | np
CaseAssociationCount | int 9 | dp

= Knowledge__kav | ka0 | Knowledge | Knowledge | CUDQ | full
KnowledgeArticleId | reference 18 | dp | label=Knowledge Article ID | to=Knowledge__ka | rel=KnowledgeArticle
MasterVersionId | reference 18 | np | label=Master Version ID | to=Knowledge__kav | rel=MasterVersion | children=Translations
OwnerId | reference 18 | CUdp | label=Owner ID | to=Group,User | rel=Owner
Title | string 255 | CUpN
UrlName | string 255 | CUpq | label=URL Name
Summary | textarea 1000 | CUn
Language | picklist 40 | CdpR | default={default} | values={languages}
PublishStatus | picklist 40 | dpR | label=Publication Status | values=Archived;Draft;Online:Published
VersionNumber | int 9 | dp
ArticleNumber | string 80 | dp
IsLatestVersion | boolean | dp
IsMasterLanguage | boolean | dp
IsVisibleInApp | boolean | CUd | label=Visible In Internal App
IsVisibleInPkb | boolean | CUd | label=Visible In Public Knowledge Base
IsVisibleInCsp | boolean | CUd | label=Visible to Customer
IsVisibleInPrm | boolean | CUd | label=Visible to Partner
ValidationStatus | picklist 40 | CUn | values=Not Validated;Validated
SourceId | reference 18 | Cnp | label=Source ID | to=Case | rel=Source | children=SourceArticles
FirstPublishedDate | datetime | np
LastPublishedDate | datetime | np
ArchivedDate | datetime | np
ArticleCreatedDate | datetime | dp

= Knowledge__DataCategorySelection | 02o | Data Category Selection | Data Category Selections | CDQ | created fixed
ParentId | reference 18 | Cp | label=Knowledge ID | to=Knowledge__kav | rel=Parent | children=DataCategorySelections
DataCategoryGroupName | string 80 | Cp
DataCategoryName | string 80 | Cp

= CaseArticle | 06P | Article | Articles | CDQ | created fixed
CaseId | reference 18 | Cp | label=Case ID | to=Case | rel=Case
KnowledgeArticleId | reference 18 | Cp | label=Knowledge Article ID | to=Knowledge__ka | rel=KnowledgeArticle
ArticleLanguage | string 40 | np
IsSharedByEmail | boolean | CUd

= KnowledgeArticle | kA0 | Knowledge Article | Knowledge Articles | Q | full fixed
ArticleNumber | string 80 | pN
MasterLanguage | picklist 40 | pR | values={languages}
FirstPublishedDate | datetime | np
LastPublishedDate | datetime | np
CaseAssociationCount | int 9 | dp

= KnowledgeArticleVersion | ka0 | Knowledge Article Version | Knowledge Article Version | Q | full fixed
KnowledgeArticleId | reference 18 | dp | label=Knowledge Article ID | to=KnowledgeArticle | rel=KnowledgeArticle
MasterVersionId | reference 18 | np | label=Master Version ID | to=KnowledgeArticleVersion | rel=MasterVersion
OwnerId | reference 18 | dp | label=Owner ID | to=Group,User | rel=Owner
Title | string 255 | pN
UrlName | string 255 | p | label=URL Name
Summary | textarea 1000 | n
Language | picklist 40 | dpR | values={languages}
PublishStatus | picklist 40 | dpR | label=Publication Status | values=Archived;Draft;Online:Published
VersionNumber | int 9 | dp
ArticleNumber | string 80 | dp
IsLatestVersion | boolean | dp
IsMasterLanguage | boolean | dp
IsVisibleInApp | boolean | d | label=Visible In Internal App
IsVisibleInPkb | boolean | d | label=Visible In Public Knowledge Base
IsVisibleInCsp | boolean | d | label=Visible to Customer
IsVisibleInPrm | boolean | d | label=Visible to Partner
FirstPublishedDate | datetime | np
LastPublishedDate | datetime | np
ArchivedDate | datetime | np
ArticleCreatedDate | datetime | dp
";

/// Adds the objects of Knowledge; files can then hang on articles, too.
pub(super) fn add(objects: &mut Vec<Object>, settings: &KnowledgeSettings) {
    let default = settings.languages.first().map_or("en_US", String::as_str);
    let languages = match settings.languages.is_empty() {
        true => default.to_owned(),
        false => settings.languages.join(";"),
    };
    let text = OBJECTS
        .replace("{languages}", &languages)
        .replace("{default}", default);
    for object in objects.iter_mut() {
        let place = match object.name.as_str() {
            "ContentDocumentLink" => "LinkedEntityId",
            "ContentVersion" => "FirstPublishLocationId",
            _ => continue,
        };
        for field in object.fields.iter_mut().filter(|field| field.name == place) {
            field.reference_to.push(VERSION.to_owned());
        }
    }
    let mut made = table::objects(&text, false);
    for object in &mut made {
        object.view_of = match object.name.as_str() {
            "KnowledgeArticle" => Some(ARTICLE.to_owned()),
            "KnowledgeArticleVersion" => Some(VERSION.to_owned()),
            _ => None,
        };
        for field in object.fields.iter_mut().filter(|f| f.name == "UrlName") {
            field.case_sensitive = true;
        }
    }
    objects.extend(made);
}
