//! Articles of help centres: drafts first, whole in the first insert; then what hangs on them; published last
//! (Salesforce objects, section 6).

mod beside;
mod links;
mod publish;
mod translations;

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::key::{RecordId, RecordKey};
use deskferry_core::model::{Article, ArticleState, Named, Record, Translation};
use deskferry_core::sink::{Loaded, Outcome, Verdict};
use serde_json::{Value, json};

use super::messages::{ShownFile, ShownState, shown_file};
use super::{Identity, Landed, Lookup, Outgoing, Run, Transport, outcome, strange};
use crate::client::Api;
use crate::client::collections::CallAnswer;
use crate::client::error::Refusal;
use crate::mapping::articles::{Articles, url_name};
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{ArticleFacts, ArticleLinks, Common};
use crate::mapping::html::{replace_images, replace_links};
use crate::mapping::{ARTICLES, Language, ObjectMapping, category_name};
pub(crate) use links::{Addresses, Link, finished, linked};
pub(crate) use publish::{Waiting, publish};

pub(crate) const OBJECT: &str = ARTICLES;

/// What hangs on an article, by the names under which it is verified.
pub(crate) const FILES: &str = "ContentDocumentIds";
pub(crate) const CATEGORIES: &str = "DataCategories";

/// The most texts of one article: rows of a record are numbered up to 255.
const MOST_TEXTS: usize = 250;

/// One text of an article as a row.
pub(crate) struct Text<'a> {
    /// Its number among the article's rows; the main one is 0.
    pub(crate) n: u32,
    pub(crate) text: &'a Translation,
    pub(crate) language: String,
    pub(crate) fields: Fields,
}

/// An article as it is to stand.
pub(crate) struct Plan<'a> {
    pub(crate) article: &'a Article,
    /// Its texts, the main one first.
    pub(crate) texts: Vec<Text<'a>>,
    /// The documents that hang on it.
    pub(crate) documents: Vec<String>,
    /// The categories that it stands in: group and name.
    pub(crate) categories: Vec<(String, String)>,
}

/// What the articles of a batch refer to.
pub(crate) struct Around {
    files: Lookup,
}

impl Around {
    pub(crate) async fn of(run: &Run<'_>) -> Result<Self> {
        let articles = run.batch.records.iter().filter_map(article);
        let files = articles.flat_map(|article| &article.files);
        Ok(Self {
            files: run.look(files.map(|file| &file.key)).await?,
        })
    }
}

fn article(loaded: &Loaded) -> Option<&Article> {
    match &loaded.record {
        Record::Article(article) => Some(article),
        _ => None,
    }
}

/// Where a text stands once its article is published. Nothing is more open than its main text, and what is no state that
/// we know stays a draft.
pub(crate) fn status(main: &Named<ArticleState>, text: &Named<ArticleState>) -> &'static str {
    match (main.is, text.is) {
        (ArticleState::Published, ArticleState::Published) => "Online",
        (ArticleState::Published | ArticleState::Archived, ArticleState::Archived)
        | (ArticleState::Archived, ArticleState::Published) => "Archived",
        _ => "Draft",
    }
}

/// How an article is to stand, or why it does not.
pub(crate) fn plan<'a>(
    run: &Run<'_>,
    around: &Around,
    loaded: &'a Loaded,
    now: DateTime<Utc>,
) -> Result<Result<Plan<'a>, Verdict>> {
    let Record::Article(article) = &loaded.record else {
        return Err(strange(loaded, "articles"));
    };
    let (Some(how), Ok(object)) = (run.mapping.articles(), run.org.object(OBJECT)) else {
        return Ok(Err(Verdict::Skipped("no-knowledge".into())));
    };
    let active = object.field("Language").map_or(&[][..], |f| &f.values);
    let texts = match languages(how, article, active) {
        Ok(texts) => texts,
        Err(verdict) => return Ok(Err(verdict)),
    };
    let shown = article
        .files
        .iter()
        .map(|file| shown_file(&around.files, file));
    let files: Vec<ShownFile> = match shown.collect() {
        Ok(files) => files,
        Err(verdict) => return Ok(Err(verdict)),
    };
    let images = images(run, article, &files);
    let lines = run.lines(OBJECT)?;
    let room = body(lines)
        .and_then(|name| object.field(name))
        .map_or(0, |f| f.length);
    let mut rows = Vec::with_capacity(texts.len());
    for (n, (text, language)) in (0..).zip(texts) {
        let html = replace_images(&text.html, &images).unwrap_or_else(|| text.html.clone());
        if room > 0 && html.len() > room && html.chars().count() > room {
            let said = format!(
                "its text in {} is longer than the {room} characters that the org takes",
                text.locale
            );
            return Ok(Err(Verdict::failed("STRING_TOO_LONG", said)));
        }
        let links = ArticleLinks {
            url_name: url_name(article, text, (n > 0).then_some(language.as_str())),
            language: language.clone(),
            html,
            author_name: author(run, article),
        };
        let key = article.meta.key.row(loaded.part);
        let common = Common {
            meta: &article.meta,
            key: &key,
            mark: run.journal().mark(),
        };
        let facts = ArticleFacts {
            common,
            article,
            text,
            links: &links,
        };
        let left = match n {
            0 => left_over(how, article, &files),
            _ => Leftovers::new(),
        };
        let fields = build::row(lines, object, &facts, left, now);
        rows.push(Text {
            n,
            text,
            language,
            fields,
        });
    }
    Ok(Ok(Plan {
        article,
        texts: rows,
        documents: documents(&files),
        categories: categories(how, article),
    }))
}

/// Languages that the org lacks and nobody decided about; none where it has no articles at all.
pub(crate) fn lacking(
    mapping: &crate::mapping::Mapping,
    org: &crate::org::Org,
    locales: &[String],
) -> Vec<String> {
    let (Some(how), Ok(object)) = (mapping.articles(), org.object(OBJECT)) else {
        return Vec::new();
    };
    let active = object.field("Language").map_or(&[][..], |f| &f.values);
    let unknown = |locale: &&String| matches!(how.language(locale, active), Language::Unknown);
    locales.iter().filter(unknown).cloned().collect()
}

/// The texts that are loaded, with their languages in the org.
fn languages<'a>(
    how: &Articles,
    article: &'a Article,
    active: &[String],
) -> Result<Vec<(&'a Translation, String)>, Verdict> {
    let mut texts: Vec<(&Translation, String)> = Vec::new();
    for text in &article.translations {
        let code = match how.language(&text.locale, active) {
            Language::Is(code) => code,
            Language::Left => continue,
            Language::Unknown => return Err(Verdict::Held("language-not-in-org".into())),
        };
        if texts.iter().any(|(_, known)| *known == code) {
            return Err(Verdict::Held("two-texts-in-one-language".into()));
        }
        texts.push((text, code));
    }
    match texts.len() {
        0 => Err(Verdict::Skipped("language-left".into())),
        n if n > MOST_TEXTS => Err(Verdict::failed(
            "TOO_MANY_TEXTS",
            format!("it has more than {MOST_TEXTS} texts"),
        )),
        _ => Ok(texts),
    }
}

/// The field that holds a text's HTML.
pub(crate) fn body(lines: &ObjectMapping) -> Option<&str> {
    let line = lines.lines.iter().find(|line| line.from == "html");
    line.map(|line| line.field.as_str())
}

/// A text's HTML with its links leading to these addresses; nothing where none does.
pub(crate) fn with_links(
    run: &Run<'_>,
    text: &Text<'_>,
    addresses: &HashMap<&str, String>,
) -> Result<Option<String>> {
    let html = body(run.lines(OBJECT)?).and_then(|name| text.fields.get(name));
    let html = html.and_then(Value::as_str);
    Ok(html.and_then(|html| replace_links(html, addresses)))
}

fn author(run: &Run<'_>, article: &Article) -> Option<String> {
    match run.batch.related.get(article.author.as_ref()?) {
        Some(Record::Agent(agent)) => Some(agent.name.clone()),
        _ => None,
    }
}

/// The new addresses of images, by those that the HTML has.
fn images<'a>(
    run: &Run<'_>,
    article: &'a Article,
    files: &[ShownFile],
) -> HashMap<&'a str, String> {
    let base = run.api.config().image_base.trim_end_matches('/');
    let images = article.files.iter().zip(files);
    let images = images.filter_map(|(file, shown)| match (&file.shown_as, &shown.state) {
        (Some(shown_as), ShownState::Stands(version, _)) => Some((
            shown_as.as_str(),
            format!("{base}/sfc/servlet.shepherd/version/download/{version}"),
        )),
        _ => None,
    });
    images.collect()
}

fn documents(files: &[ShownFile]) -> Vec<String> {
    let documents = files.iter().filter_map(|file| match &file.state {
        ShownState::Stands(_, document) => document.clone(),
        ShownState::Missing(_) => None,
    });
    documents.collect::<BTreeSet<_>>().into_iter().collect()
}

fn categories(how: &Articles, article: &Article) -> Vec<(String, String)> {
    let Some(group) = &how.group else {
        return Vec::new();
    };
    let mut names: Vec<(String, String)> = Vec::new();
    for category in &article.categories {
        let one = (group.clone(), category_name(category));
        if !names.contains(&one) {
            names.push(one);
        }
    }
    names
}

/// What no field shows: files that could not come, and categories where the org has none.
fn left_over(how: &Articles, article: &Article, files: &[ShownFile]) -> Leftovers {
    let mut left = Leftovers::new();
    let missing: Vec<Value> = files
        .iter()
        .filter_map(|file| match file.state {
            ShownState::Missing(reason) => Some(json!({"name": file.name, "reason": reason})),
            ShownState::Stands(..) => None,
        })
        .collect();
    if !missing.is_empty() {
        left.insert("files".to_owned(), missing.into());
    }
    if how.group.is_none() && !article.categories.is_empty() {
        let keys: Vec<&str> = article.categories.iter().map(RecordKey::as_str).collect();
        left.insert("categories".to_owned(), keys.into());
    }
    left
}

/// Drafts travel by collections alone.
struct Drafts<'a>(&'a Api);

#[async_trait]
impl Transport for Drafts<'_> {
    fn most_rows(&self) -> usize {
        crate::client::collections::ROWS
    }

    async fn send(&self, cx: &Context, rows: &[&Outgoing]) -> Result<CallAnswer> {
        let fields: Vec<&Fields> = rows.iter().map(|row| &row.fields).collect();
        self.0.insert(cx, OBJECT, &fields).await
    }
}

/// An article whose main text stands.
struct Standing<'r> {
    loaded: &'r Loaded,
    plan: Plan<'r>,
    /// The main version.
    master: String,
    /// What its versions share.
    article: String,
    /// Whether nothing of it was published yet.
    draft: bool,
    /// The versions, by the numbers of their texts.
    versions: Vec<Option<String>>,
    /// The first thing of it that was refused.
    refused: Option<Refusal>,
}

impl Standing<'_> {
    fn refuse(&mut self, refusal: Refusal) {
        self.refused.get_or_insert(refusal);
    }
}

/// Writes a batch: what can be published is, and has an outcome; what links to articles that are still to come waits.
pub(crate) async fn write(run: &Run<'_>) -> Result<(Vec<Outcome>, Vec<Waiting>)> {
    let around = Around::of(run).await?;
    let (mut outcomes, mut plans) = (Vec::new(), Vec::new());
    for loaded in &run.batch.records {
        if let Record::Category(_) = &loaded.record {
            outcomes.push(outcome(loaded, category(run)));
            continue;
        }
        match plan(run, &around, loaded, run.cx.now())? {
            Ok(plan) => plans.push((loaded, plan)),
            Err(verdict) => outcomes.push(outcome(loaded, verdict)),
        }
    }
    let (mut standing, refused) = masters(run, plans).await?;
    outcomes.extend(refused);
    translations::make(run, &mut standing).await?;
    beside::select(run, &mut standing).await?;
    beside::link(run, &mut standing).await?;
    let mut waiting = Vec::new();
    for article in standing {
        match article.refused {
            Some(Refusal { code, message, .. }) => {
                let verdict = Verdict::Failed { code, message };
                outcomes.push(outcome(article.loaded, verdict));
            }
            None => waiting.push(Waiting::of(run, &article)),
        }
    }
    let (ready, waiting) = publish::ready(run, waiting).await?;
    outcomes.extend(publish(run, ready).await?);
    Ok((outcomes, waiting))
}

/// Categories have no rows: they come with the metadata.
fn category(run: &Run<'_>) -> Verdict {
    let group = run.mapping.articles().and_then(|how| how.group.as_ref());
    let reason = match (group, run.org.object(OBJECT)) {
        (_, Err(_)) => "no-knowledge",
        (Some(_), Ok(_)) => "in-the-metadata",
        (None, Ok(_)) => "kept-as-text",
    };
    Verdict::Skipped(reason.into())
}

/// Makes the drafts of main texts.
async fn masters<'r>(
    run: &'r Run<'_>,
    plans: Vec<(&'r Loaded, Plan<'r>)>,
) -> Result<(Vec<Standing<'r>>, Vec<Outcome>)> {
    let rows = plans
        .iter()
        .map(|(loaded, plan)| run.outgoing(loaded, 0, OBJECT, plan.texts[0].fields.clone()));
    let landed = run
        .write(rows.collect(), &Drafts(run.api), Identity::Article)
        .await?;
    let ids: Vec<String> = landed
        .iter()
        .filter_map(|landed| match landed {
            Landed::Stands { id, .. } => Some(id.clone()),
            Landed::Refused { .. } => None,
        })
        .collect();
    let select = "SELECT Id, KnowledgeArticleId, PublishStatus FROM Knowledge__kav WHERE Id IN";
    let rows = run.api.query_in(run.cx, select, &ids).await?;
    let known: HashMap<&str, &Value> = rows
        .iter()
        .filter_map(|row| Some((row["Id"].as_str()?, row)))
        .collect();
    let (mut standing, mut outcomes) = (Vec::new(), Vec::new());
    for ((loaded, plan), landed) in plans.into_iter().zip(landed) {
        let master = match landed {
            Landed::Stands { id, .. } => id,
            Landed::Refused { code, message } => {
                outcomes.push(outcome(loaded, Verdict::Failed { code, message }));
                continue;
            }
        };
        let Some(row) = known.get(master.as_str()) else {
            let said = format!("the draft {master} is gone");
            outcomes.push(outcome(loaded, Verdict::failed("ENTITY_IS_DELETED", said)));
            continue;
        };
        let mut versions: Vec<Option<String>> = plan
            .texts
            .iter()
            .map(|text| run.standing(loaded, text.n).map(str::to_owned))
            .collect();
        versions[0] = Some(master.clone());
        standing.push(Standing {
            loaded,
            plan,
            master,
            article: row["KnowledgeArticleId"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            draft: row["PublishStatus"] == "Draft",
            versions,
            refused: None,
        });
    }
    Ok((standing, outcomes))
}

/// By record and part.
type Place = (RecordId, u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_more_open_than_its_main_text() {
        use ArticleState::{Archived, Draft, Other, Published};
        let named = |is| Named::new(is, "");
        for (main, text, expected) in [
            (Published, Published, "Online"),
            (Published, Draft, "Draft"),
            (Published, Archived, "Archived"),
            (Published, Other, "Draft"),
            (Draft, Published, "Draft"),
            (Draft, Archived, "Draft"),
            (Archived, Published, "Archived"),
            (Archived, Archived, "Archived"),
            (Archived, Draft, "Draft"),
            (Other, Published, "Draft"),
        ] {
            assert_eq!(
                status(&named(main), &named(text)),
                expected,
                "{main:?} {text:?}"
            );
        }
    }
}
