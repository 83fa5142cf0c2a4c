//! What the Configuration API tells: segments, structured-data fields, what is redacted, and words that are taught (ASAPP reference, section 4.3).

use std::collections::BTreeMap;
use std::path::Path;

use deskferry_core::http::{Pager, Request};
use deskferry_core::{Context, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Api;

/// The file's name within the work folder.
const NAME: &str = "configuration.json";
const READ: &str = "read ASAPP's configuration";
/// Items of one page, the most that is given.
const PAGE: u32 = 100;
/// The lists, and the names of their items.
const LISTS: [(&str, &str); 4] = [
    ("segments", "segments"),
    ("structured-data-fields", "structuredDataFields"),
    ("redaction-entities", "redactionEntities"),
    ("custom-vocabularies", "customVocabularies"),
];

/// Lists as they were answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Configuration {
    /// The read that asked.
    pub(crate) generation: u32,
    lists: BTreeMap<String, Vec<Value>>,
    /// Why a list is missing.
    missing: Vec<String>,
}

impl Configuration {
    /// For a read that does not ask.
    pub(crate) fn nothing(generation: u32) -> Self {
        Self {
            generation,
            ..Self::default()
        }
    }

    pub(crate) fn segments(&self) -> &[Value] {
        self.list("segments")
    }

    pub(crate) fn fields(&self) -> &[Value] {
        self.list("structuredDataFields")
    }

    pub(crate) fn redactions(&self) -> &[Value] {
        self.list("redactionEntities")
    }

    pub(crate) fn vocabularies(&self) -> &[Value] {
        self.list("customVocabularies")
    }

    fn list(&self, name: &str) -> &[Value] {
        self.lists.get(name).map_or(&[], Vec::as_slice)
    }

    /// What people should know of it.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.missing
            .iter()
            .map(|why| format!("configuration: {why}"))
            .collect()
    }

    /// As it was kept; nothing where it never was.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn kept(work: &Path) -> Result<Option<Self>> {
        let failed = |e| Error::storage(READ, e).with("file", work.join(NAME).display());
        let path = work.join(NAME);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(path).map_err(failed)?;
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| failed(e.into()))
    }

    /// Keeps it beside the reduced exports.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn keep(&self, work: &Path) -> Result<()> {
        let failed = |e| Error::storage("keep ASAPP's configuration", e);
        let text = serde_json::to_vec_pretty(self).map_err(|e| failed(e.into()))?;
        let unfinished = work.join("configuration.unfinished");
        std::fs::write(&unfinished, text)
            .and_then(|()| std::fs::rename(&unfinished, work.join(NAME)))
            .map_err(failed)
    }
}

impl Api {
    /// Asks for all lists. One that the key may not see is missing, with the reason; nothing else of the read hangs on it.
    ///
    /// # Errors
    /// The API cannot be reached, or the key is refused altogether.
    pub(crate) async fn configuration(
        &self,
        cx: &Context,
        generation: u32,
    ) -> Result<Configuration> {
        let mut found = Configuration::nothing(generation);
        for (list, name) in LISTS {
            match self.whole(cx, list, name).await {
                Ok(items) => {
                    found.lists.insert(name.to_owned(), items);
                }
                // Each product has to be enabled for a key (ASAPP reference, section 1.1).
                Err(error)
                    if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) =>
                {
                    found
                        .missing
                        .push(format!("{list} cannot be read: {}", error.message()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// All pages of a list: the end is a cursor that is null or blank.
    async fn whole(&self, cx: &Context, list: &'static str, name: &str) -> Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        let mut pager = Pager::new(READ);
        loop {
            let mut request = Request::get(list, format!("configuration/v1/{list}"))
                .query("limit", PAGE.to_string());
            if !cursor.is_empty() {
                request = request.query("cursor", cursor.clone());
            }
            let answer = self.answered(cx, request, READ).await?;
            let Some(page) = answer.get(name).and_then(Value::as_array) else {
                return Err(Error::decode(READ, name, "there is no list"));
            };
            items.extend(page.iter().cloned());
            let next = answer.get("nextCursor").and_then(Value::as_str);
            let next = next.unwrap_or("");
            let ids = page.iter().filter_map(|item| item.get("id")?.as_str());
            pager.accept(ids, Some(next).filter(|next| !next.is_empty()))?;
            if next.is_empty() {
                return Ok(items);
            }
            next.clone_into(&mut cursor);
        }
    }
}
