//! Articles: a row per language, what hangs on the main one, and who may read them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use super::files::{Links, Shown, of_article};
use super::html::tree;
use super::platform::{SeenArticle, SeenText};
use super::want::{Row, Sheet, Want, field, short};
use super::{Findings, Ground, OracleOptions, OrgDump, Table, rows};
use crate::org::{CategoryGroup, DataCategory};
use crate::world::{Readers, TextState, World};

const KAV: &str = "Knowledge__kav";
const SELECTION: &str = "Knowledge__DataCategorySelection";
/// The group that the mapping names.
const GROUP: &str = "Help_Centre";

impl OracleOptions {
    /// The same where articles are loaded, into an org with these languages.
    #[must_use]
    pub fn knowledge(mut self) -> Self {
        let languages = [
            ("en", "en_US"),
            ("nl", "nl_NL"),
            ("de", "de"),
            ("fr", "fr"),
            ("es", "es"),
        ];
        self.languages = Some(
            languages
                .map(|(is, code)| (is.to_owned(), code.to_owned()))
                .into(),
        );
        self
    }

    /// The group of data categories that an org must have before the articles of a world can stand in it.
    #[must_use]
    pub fn categories(&self, world: &World) -> CategoryGroup {
        let places = self.platform.categories(&world.lists().knowledge);
        let root = || DataCategory {
            name: "All".to_owned(),
            label: "All".to_owned(),
            parent: None,
        };
        let below = places.iter().map(|(id, parent, label)| DataCategory {
            name: category_name(id),
            label: label.clone(),
            parent: Some(
                parent
                    .as_deref()
                    .map_or_else(|| "All".to_owned(), category_name),
            ),
        });
        CategoryGroup {
            name: GROUP.to_owned(),
            label: "Help Centre".to_owned(),
            active: true,
            categories: std::iter::once(root()).chain(below).collect(),
        }
    }
}

/// `section-11` stands as `C_section_11`.
fn category_name(id: &str) -> String {
    let parts = id.split(|c: char| !c.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    format!("C_{}", parts.join("_"))
}

/// Letters and digits in small, a hyphen between them.
fn hyphened(text: &str) -> String {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_alphanumeric());
    parts
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

fn url_name(article: &SeenArticle, text: &SeenText, language: Option<&str>) -> String {
    let name = format!("{}-{}", hyphened(&text.slug), hyphened(&article.id));
    match language {
        Some(language) => format!("{name}-{}", hyphened(language)),
        None => name,
    }
}

/// Where a text must stand: nothing is more open than its main text.
fn status(main: TextState, text: TextState) -> &'static str {
    match (main, text) {
        (TextState::Published, TextState::Published) => "Online",
        (TextState::Draft, _) | (_, TextState::Draft) => "Draft",
        _ => "Archived",
    }
}

/// The articles of a world, and what the comparison of one needs of the others.
struct Centre<'a> {
    articles: Vec<SeenArticle>,
    languages: &'a BTreeMap<String, String>,
}

impl Centre<'_> {
    fn language(&self, text: &SeenText) -> &str {
        self.languages
            .get(&text.world_locale)
            .map_or("", String::as_str)
    }

    /// Where a link to an article leads for readers of this language.
    fn address(&self, number: u64, language: &str) -> Option<String> {
        let article = self
            .articles
            .iter()
            .find(|article| article.number == number)?;
        let same = article
            .texts
            .iter()
            .position(|text| self.language(text) == language);
        let n = same.unwrap_or(0);
        let text = article.texts.get(n)?;
        let code = self.language(text);
        let name = url_name(article, text, (n > 0).then_some(code));
        Some(format!("/articles/{code}/Knowledge/{name}"))
    }
}

/// Holds articles, their files and their categories against the world.
pub(super) fn compare(
    ground: &Ground<'_>,
    dump: &dyn OrgDump,
    shown: &Shown,
    versions: &mut Table,
    links: &mut Links,
    marks: &mut BTreeSet<String>,
    out: &mut Findings,
) -> io::Result<()> {
    let Some(languages) = &ground.options.languages else {
        return Ok(());
    };
    let mut found: HashMap<(String, String), Row> = HashMap::new();
    for row in rows(dump, KAV)? {
        let place = (
            field(&row, "Source_Key__c").to_owned(),
            field(&row, "Language").to_owned(),
        );
        if place.0.is_empty() {
            continue;
        }
        marks.insert(field(&row, "Migration_Batch__c").to_owned());
        let key = format!("{} in {}", place.0, place.1);
        if found.insert(place, row).is_some() {
            out.add(super::Difference::new(
                KAV, &key, "row", "one row", "several",
            ));
        }
    }
    let mut selected: HashMap<String, BTreeSet<String>> = HashMap::new();
    for row in rows(dump, SELECTION)? {
        let name = format!(
            "{}.{}",
            field(&row, "DataCategoryGroupName"),
            field(&row, "DataCategoryName")
        );
        selected
            .entry(short(field(&row, "ParentId")).to_owned())
            .or_default()
            .insert(name);
    }
    let knowledge = &ground.world.lists().knowledge;
    let centre = Centre {
        articles: ground.options.platform.articles(knowledge),
        languages,
    };
    for article in &centre.articles {
        let key = ground.key_by("article", &article.id);
        let mut main = None;
        for (n, text) in article.texts.iter().enumerate() {
            let language = centre.language(text).to_owned();
            let name = format!("{key} in {language}");
            let Some(row) = found.remove(&(key.clone(), language)) else {
                out.missing(KAV, &name);
                continue;
            };
            let main: &Row = main.get_or_insert_with(|| row.clone());
            sheet(ground, &centre, article, n, shown, main).compare(
                KAV,
                &name,
                &row,
                ground.options,
                out,
            );
        }
        let main = main.as_ref().map(|row| short(field(row, "Id")).to_owned());
        for image in &article.images {
            let (file, kept) = of_article(ground, article, image, main.as_deref());
            super::files::compare(
                ground,
                [(file, kept)].into(),
                None,
                versions,
                links,
                dump,
                out,
            );
        }
        let places = std::iter::once(&article.category).chain(&article.further);
        let wanted: BTreeSet<String> = places
            .map(|place| format!("{GROUP}.{}", category_name(place)))
            .collect();
        let stands = main.and_then(|id| selected.remove(&id)).unwrap_or_default();
        if stands != wanted {
            out.add(super::Difference::new(
                SELECTION,
                &key,
                "row",
                &format!("{wanted:?}"),
                &format!("{stands:?}"),
            ));
        }
    }
    for (key, language) in found.into_keys() {
        out.extra(KAV, &format!("{key} in {language}"));
    }
    for parent in selected.into_keys() {
        out.extra(SELECTION, &parent);
    }
    Ok(())
}

fn sheet(
    ground: &Ground<'_>,
    centre: &Centre<'_>,
    article: &SeenArticle,
    n: usize,
    shown: &Shown,
    main: &Row,
) -> Sheet {
    let text = &article.texts[n];
    let state = article.texts[0].state;
    let language = centre.language(text).to_owned();
    let archived = state == TextState::Archived || text.state == TextState::Archived;
    let mut sheet = Sheet::default();
    let mut set = |name, want| sheet.set(name, want);
    set(
        "Source_Key__c",
        Want::Text(ground.key_by("article", &article.id)),
    );
    let url_name = url_name(article, text, (n > 0).then_some(language.as_str()));
    set("UrlName", Want::Text(url_name));
    set(
        "PublishStatus",
        Want::Text(status(state, text.state).to_owned()),
    );
    set("IsMasterLanguage", Want::Bool(n == 0));
    set(
        "MasterVersionId",
        match n {
            0 => Want::Nothing,
            _ => Want::Id(field(main, "Id").to_owned()),
        },
    );
    set(
        "KnowledgeArticleId",
        Want::Id(field(main, "KnowledgeArticleId").to_owned()),
    );
    set("IsVisibleInApp", Want::Bool(true));
    set(
        "IsVisibleInPkb",
        Want::Bool(article.readers == Readers::Everybody && !archived),
    );
    set(
        "IsVisibleInCsp",
        Want::Bool(article.readers != Readers::Staff && !archived),
    );
    set("IsVisibleInPrm", Want::Nothing);
    set("Source_Locale__c", Want::Text(text.locale.clone()));
    set("Source_State__c", Want::Text(text.state_raw.to_owned()));
    set(
        "Source_Visibility__c",
        Want::Text(article.readers_raw.to_owned()),
    );
    set(
        "Source_Tags__c",
        match article.tags.is_empty() {
            true => Want::Nothing,
            false => Want::Text(article.tags.join("; ")),
        },
    );
    let author = article.author.and_then(|id| ground.world.person(id));
    set(
        "Original_Author__c",
        author.map_or(Want::Nothing, |person| Want::Text(person.name.clone())),
    );
    set("Original_Created_Date__c", Want::Time(article.created));
    set("Original_Changed_Date__c", Want::Time(article.updated));
    set(
        "Original_Published_Date__c",
        text.published.map_or(Want::Nothing, Want::Time),
    );
    set(
        "Source_Url__c",
        match text.url_end.clone() {
            None => Want::Nothing,
            Some(end) => Want::test(format!("an address that ends in {end}"), move |found| {
                found.ends_with(&end)
            }),
        },
    );
    set("Body__c", body(ground, centre, article, text, shown));
    set("Language", Want::Text(language));
    sheet.text("Title", &text.title, 255);
    sheet
}

/// The HTML with links to other articles as they must be.
fn with_links(ground: &Ground<'_>, centre: &Centre<'_>, text: &SeenText) -> String {
    let (mut html, mut rest) = (String::with_capacity(text.html.len()), text.html.as_str());
    while let Some(at) = rest.find("article:") {
        let digits = rest[at + 8..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let number = &rest[at + 8..at + 8 + digits];
        let known = number.parse().unwrap_or(0);
        let link = ground.options.platform.article_link(number);
        let new = match link.as_str() {
            // A platform whose links say nothing of their place keeps them.
            same if same == format!("article:{number}") => same.to_owned(),
            _ => centre.address(known, centre.language(text)).unwrap_or(link),
        };
        html.push_str(&rest[..at]);
        html.push_str(&new);
        rest = &rest[at + 8 + digits..];
    }
    html + rest
}

/// The text as a tree: pictures by what they show, links by where they lead.
fn body(
    ground: &Ground<'_>,
    centre: &Centre<'_>,
    article: &SeenArticle,
    text: &SeenText,
    shown: &Shown,
) -> Want {
    let html = with_links(ground, centre, text);
    let pictures: HashMap<String, String> = article
        .images
        .iter()
        .map(|image| {
            let sum = super::files::md5(&image.content.bytes());
            (format!("media:{}", image.token), format!("shows {sum}"))
        })
        .collect();
    let address = |src: &str| pictures.get(src).cloned().unwrap_or_else(|| src.to_owned());
    let wanted = tree(&html, &address);
    let shown = shown.clone();
    Want::test(wanted.clone(), move |found| {
        tree(found, &|src| shown.address(src)) == wanted
    })
}
