//! Links from one article to another: they lead to the other's address in the org.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::journal::Known;
use deskferry_core::key::RecordKey;
use deskferry_core::model::{Article, Translation};
use serde_json::Value;

use super::OBJECT;
use crate::load::{Lookup, Run, moment};
use crate::mapping::articles::Articles;
use crate::mapping::html::hrefs;

/// A link as the HTML has it, and the article that it leads to.
pub(crate) type Link = (String, RecordKey);

/// The links of a text that lead to articles.
pub(crate) fn linked(how: &Articles, article: &Article, text: &Translation) -> Vec<Link> {
    let found = hrefs(&text.html).into_iter();
    found
        .filter_map(|href| Some((how.linked(article, &href)?, href)))
        .map(|(key, href)| (href, key))
        .collect()
}

/// Whether an article may still get a row.
pub(super) fn may_come(known: &Known) -> bool {
    matches!(known, Known::Pending { .. }) && known.id_of(OBJECT).is_none()
}

/// Where articles are read in the org.
pub(crate) struct Addresses {
    known: Lookup,
    versions: HashMap<String, Version>,
}

/// A version of an article that a link may lead to.
struct Version {
    language: String,
    name: String,
    created: Option<DateTime<Utc>>,
}

impl Addresses {
    /// Those of the articles that these links lead to.
    pub(crate) async fn of<'l>(
        run: &Run<'_>,
        links: impl IntoIterator<Item = &'l Link>,
    ) -> Result<Self> {
        let keys: BTreeSet<&RecordKey> = links.into_iter().map(|(_, key)| key).collect();
        let known = run.look(keys.iter().copied()).await?;
        let ids: Vec<String> = keys
            .iter()
            .flat_map(|key| versions(known.get(key)))
            .map(str::to_owned)
            .collect();
        let select = "SELECT Id, Language, UrlName, CreatedDate FROM Knowledge__kav WHERE Id IN";
        let rows = run.api.query_in(run.cx, select, &ids).await?;
        let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
        let one = |row: &Value| {
            let version = Version {
                language: text(row, "Language")?,
                name: text(row, "UrlName")?,
                created: moment(&row["CreatedDate"]),
            };
            Some((text(row, "Id")?, version))
        };
        let versions = rows.iter().filter_map(one).collect();
        Ok(Self { known, versions })
    }

    /// The address of an article for a reader of this language; its main text's where it has none in it.
    fn address(
        &self,
        how: &Articles,
        key: &RecordKey,
        language: &str,
        until: Option<DateTime<Utc>>,
    ) -> Option<String> {
        let mut versions = versions(self.known.get(key)).filter_map(|id| self.versions.get(id));
        let first = versions.next()?;
        if until.is_some_and(|until| first.created > Some(until)) {
            return None;
        }
        let same = |version: &&Version| version.language == language;
        let version = match first.language == language {
            true => first,
            false => versions.find(same).unwrap_or(first),
        };
        Some(how.address(&version.language, &version.name))
    }

    /// The new addresses of a text's links, by those that it has: of articles that were made until then, if a moment is said.
    pub(crate) fn of_text<'l>(
        &self,
        how: &Articles,
        links: &'l [Link],
        language: &str,
        until: Option<DateTime<Utc>>,
    ) -> HashMap<&'l str, String> {
        let one =
            |(href, key): &'l Link| Some((href.as_str(), self.address(how, key, language, until)?));
        links.iter().filter_map(one).collect()
    }
}

/// When each of these versions got its last words: an article that came later is not linked from it.
pub(crate) async fn finished(
    run: &Run<'_>,
    ids: &[String],
) -> Result<HashMap<String, DateTime<Utc>>> {
    let select = "SELECT Id, LastPublishedDate, LastModifiedDate FROM Knowledge__kav WHERE Id IN";
    let rows = run.api.query_in(run.cx, select, ids).await?;
    let one = |row: &Value| {
        let at = moment(&row["LastPublishedDate"]).or_else(|| moment(&row["LastModifiedDate"]));
        Some((row["Id"].as_str()?.to_owned(), at?))
    };
    Ok(rows.iter().filter_map(one).collect())
}

/// The versions of an article, the main one first.
fn versions(known: &Known) -> impl Iterator<Item = &str> {
    let effects = known.effects().iter();
    effects
        .filter(|effect| effect.object == OBJECT)
        .filter_map(|effect| effect.id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;
    use deskferry_core::journal::{Effect, EffectState, Operation};
    use deskferry_core::key::{RecordId, RecordKind, Tenant};
    use deskferry_core::sink::Verdict;

    fn addresses(key: &RecordKey) -> Addresses {
        let effect = |row: u32, id: &str| Effect {
            record: RecordId(1),
            row,
            object: OBJECT.into(),
            operation: Operation::Insert,
            state: EffectState::Confirmed { id: id.into() },
            hash: [0; 16],
        };
        let known = Known::Settled {
            record: RecordId(1),
            verdict: Verdict::Created,
            effects: vec![effect(0, "ka1"), effect(1, "ka2")],
        };
        let version = |language: &str, name: &str| Version {
            language: language.into(),
            name: name.into(),
            created: DateTime::from_timestamp(100, 0),
        };
        Addresses {
            known: Lookup {
                known: [(key.clone(), known)].into(),
            },
            versions: HashMap::from([
                ("ka1".to_owned(), version("en_US", "a-1")),
                ("ka2".to_owned(), version("de", "b-1-de")),
            ]),
        }
    }

    #[test]
    fn a_link_leads_to_the_text_in_its_readers_language_and_to_nothing_that_came_later() {
        let tenant = Tenant::new("desk", "acme");
        let (key, other) = (
            tenant.key(RecordKind::Article, 1),
            tenant.key(RecordKind::Article, 2),
        );
        let on =
            Mapping::default_text().replace("articles = \"leave\"", "articles = \"knowledge\"");
        let mapping = Mapping::parse(&on).unwrap();
        let how = mapping.articles().unwrap();
        let links = [
            ("/article/1".to_owned(), key.clone()),
            ("/article/2".to_owned(), other),
        ];
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        for (language, until, leads) in [
            ("de", None, Some("/articles/de/Knowledge/b-1-de")),
            ("en_US", at(100), Some("/articles/en_US/Knowledge/a-1")),
            ("nl_NL", at(101), Some("/articles/en_US/Knowledge/a-1")),
            ("en_US", at(99), None),
        ] {
            let addresses = addresses(&key);
            let found = addresses.of_text(how, &links, language, until);
            assert_eq!(
                found.get("/article/1").map(String::as_str),
                leads,
                "{language} {until:?}"
            );
            assert!(!found.contains_key("/article/2"), "nobody knows that one");
        }
    }
}
