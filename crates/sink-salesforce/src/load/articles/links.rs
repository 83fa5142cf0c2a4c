//! Links from one article to another: they lead to the other's address in the org.

use std::collections::{BTreeSet, HashMap};

use deskferry_core::error::Result;
use deskferry_core::journal::Known;
use deskferry_core::key::RecordKey;
use deskferry_core::model::{Article, Translation};
use serde_json::Value;

use super::OBJECT;
use crate::load::{Lookup, Run};
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
    /// Language and name of versions.
    names: HashMap<String, (String, String)>,
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
        let select = "SELECT Id, Language, UrlName FROM Knowledge__kav WHERE Id IN";
        let rows = run.api.query_in(run.cx, select, &ids).await?;
        let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
        let one = |row: &Value| {
            Some((
                text(row, "Id")?,
                (text(row, "Language")?, text(row, "UrlName")?),
            ))
        };
        let names = rows.iter().filter_map(one).collect();
        Ok(Self { known, names })
    }

    /// The address of an article for a reader of this language; its main text's where it has none in it.
    fn address(&self, how: &Articles, key: &RecordKey, language: &str) -> Option<String> {
        let mut versions = versions(self.known.get(key)).filter_map(|id| self.names.get(id));
        let first = versions.next()?;
        let (language, name) = if first.0 == language {
            first
        } else {
            versions
                .find(|(known, _)| known == language)
                .unwrap_or(first)
        };
        Some(how.address(language, name))
    }

    /// The new addresses of a text's links, by those that it has.
    pub(crate) fn of_text<'l>(
        &self,
        how: &Articles,
        links: &'l [Link],
        language: &str,
    ) -> HashMap<&'l str, String> {
        let one = |(href, key): &'l Link| Some((href.as_str(), self.address(how, key, language)?));
        links.iter().filter_map(one).collect()
    }
}

/// The versions of an article, the main one first.
fn versions(known: &Known) -> impl Iterator<Item = &str> {
    let effects = known.effects().iter();
    effects
        .filter(|effect| effect.object == OBJECT)
        .filter_map(|effect| effect.id())
}
