//! Help centres: the tree in all languages, then the articles, each with all its texts.

use std::collections::BTreeMap;
use std::sync::Arc;

use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page};
use deskferry_core::{Context, RecordKey, RecordKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::inventory::is_closed;
use super::setup::Setup;
use super::{Trengo, cursor, fingerprint, needed, read_place, stuck, watermark};
use crate::client::PAGE;
use crate::convert::{self, ArticleText, CategoryNames};
use crate::wire::{Defect, Row};

/// The language of a help centre that names none.
const MAIN: &str = "en";

/// The help centres of a workspace.
#[derive(Debug, Default)]
pub(super) struct Centres {
    pub(super) all: Vec<Centre>,
    /// They may not be read.
    closed: bool,
}

/// A help centre with its languages, main one first.
#[derive(Debug)]
pub(super) struct Centre {
    pub(super) id: u64,
    pub(super) locales: Vec<String>,
    row: Value,
}

impl Centre {
    fn of(row: Value) -> Result<Self, (Defect, Value)> {
        let one = Row(&row);
        let id = match one.id() {
            Ok(id) => id,
            Err(defect) => return Err((defect, row)),
        };
        let code = |value: &Value| {
            crate::wire::text(value)
                .or_else(|| Row(value).first_text(&["code", "localeCode", "locale", "name"]))
        };
        let main = one.first_text(&["default_locale", "defaultLocale", "locale"]);
        let mut locales: Vec<String> = main.into_iter().collect();
        for name in ["locales", "languages"] {
            for locale in one.list(name).into_iter().filter_map(code) {
                if !locales.contains(&locale) {
                    locales.push(locale);
                }
            }
        }
        if locales.is_empty() {
            locales.push(MAIN.to_owned());
        }
        Ok(Self { id, locales, row })
    }

    fn main(&self) -> &str {
        self.locales.first().map_or(MAIN, String::as_str)
    }
}

/// How far the help centres were read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reading {
    /// The help centre, by its place.
    centre: usize,
    /// Its tree was read.
    tree: bool,
    /// The language whose list is read, by its place.
    locale: usize,
    /// How many pages of that list were read.
    read: u64,
    last: String,
}

impl Trengo {
    /// The help centres; read once per process.
    pub(super) async fn centres(&self, cx: &Context) -> Result<Arc<Centres>> {
        let mut kept = self.centres.lock().await;
        if let Some(centres) = kept.as_ref() {
            return Ok(Arc::clone(centres));
        }
        let mut centres = Centres::default();
        needed(cx, "help centres", 1, 1);
        match self.client.help_centres(cx).await {
            Err(error) if is_closed(error.kind()) => centres.closed = true,
            rows => {
                // One without a number cannot be asked for anything.
                centres.all = rows?
                    .into_iter()
                    .filter_map(|row| Centre::of(row).ok())
                    .collect();
            }
        }
        let centres = Arc::new(centres);
        *kept = Some(Arc::clone(&centres));
        Ok(centres)
    }

    pub(super) async fn knowledge_page(&self, cx: &Context, after: Option<Cursor>) -> Result<Page> {
        let setup = self.setup(cx).await?;
        let centres = self.centres(cx).await?;
        let mut reading: Reading = read_place(after).unwrap_or_default();
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        if centres.closed {
            page.notes.push(
                "help centres cannot be read: the account has none, or the token's user lacks the right"
                    .to_owned(),
            );
        }
        let Some(centre) = centres.all.get(reading.centre) else {
            return Ok(page);
        };
        if reading.tree {
            self.articles(cx, &setup, centre, &mut reading, &mut page)
                .await?;
        } else {
            self.tree(cx, &setup, centre, &mut page).await?;
            reading.tree = true;
        }
        if reading.centre < centres.all.len() {
            page.next = Next::More(cursor(&reading)?);
        }
        Ok(page)
    }

    async fn tree(
        &self,
        cx: &Context,
        setup: &Setup,
        centre: &Centre,
        page: &mut Page,
    ) -> Result<()> {
        let ground = &setup.ground;
        let mut known: BTreeMap<String, CategoryNames> = BTreeMap::new();
        for locale in &centre.locales {
            let rows = self.client.categories(cx, centre.id, locale).await?;
            needed(cx, "categories", rows.len().div_ceil(PAGE).max(1), 1);
            if let Err(defect) = convert::names_of(&rows, centre.id, locale, &mut known) {
                let row = Value::Array(rows);
                page.rejects
                    .push(convert::reject(RecordKind::Category, defect, &row));
            }
        }
        match convert::centre(ground, Row(&centre.row)) {
            Ok(root) => page.records.push(Record::from(root)),
            Err(defect) => {
                page.rejects
                    .push(convert::reject(RecordKind::Category, defect, &centre.row));
            }
        }
        for (id, named) in &known {
            let category = convert::category(ground, id, named, centre.main());
            page.records.push(Record::from(category));
        }
        Ok(())
    }

    /// One page of the articles of a language; those that an earlier language had are read already.
    async fn articles(
        &self,
        cx: &Context,
        setup: &Setup,
        centre: &Centre,
        reading: &mut Reading,
        page: &mut Page,
    ) -> Result<()> {
        let Some(locale) = centre.locales.get(reading.locale) else {
            *reading = Reading {
                centre: reading.centre + 1,
                ..Reading::default()
            };
            return Ok(());
        };
        let number = reading.read + 1;
        let listed = self.client.articles(cx, centre.id, locale, number).await?;
        needed(cx, "articles", 1, 1);
        let rows = listed.page.rows;
        let known_by = fingerprint(&rows);
        if !rows.is_empty() && number > 1 && known_by == reading.last {
            return Err(stuck("list articles", number));
        }
        let ground = &setup.ground;
        let ids: Vec<u64> = rows.iter().filter_map(|row| Row(row).id().ok()).collect();
        for row in rows.iter().filter(|row| Row(row).id().is_err()) {
            let defect = Defect::new("id", "an article without an id");
            page.rejects
                .push(convert::reject(RecordKind::Article, defect, row));
        }
        let keys: Vec<RecordKey> = ids
            .iter()
            .map(|id| ground.key(RecordKind::Article, *id))
            .collect();
        let seen = cx.seen(&keys).await?;
        for (id, _) in ids.into_iter().zip(seen).filter(|(_, seen)| !seen) {
            self.article(cx, setup, centre, id, page).await?;
        }
        *reading = match listed.page.more {
            true => Reading {
                read: number,
                last: known_by,
                ..reading.clone()
            },
            false => Reading {
                locale: reading.locale + 1,
                read: 0,
                last: String::new(),
                ..reading.clone()
            },
        };
        Ok(())
    }

    async fn article(
        &self,
        cx: &Context,
        setup: &Setup,
        centre: &Centre,
        id: u64,
        page: &mut Page,
    ) -> Result<()> {
        let mut texts = Vec::with_capacity(centre.locales.len());
        for locale in &centre.locales {
            needed(cx, "article", 1, 1);
            let Some(row) = self.client.article(cx, centre.id, id, locale).await? else {
                continue;
            };
            // Another language than the one that was asked for is no translation.
            let own = Row(&row).first_text(&["locale", "localeCode", "locale_code"]);
            if own.is_none_or(|own| own.eq_ignore_ascii_case(locale)) {
                texts.push(ArticleText {
                    locale: locale.clone(),
                    row,
                });
            }
        }
        match convert::article(&setup.ground, centre.id, id, &texts) {
            Ok(Some((article, attachments))) => {
                page.records
                    .extend(attachments.into_iter().map(Record::from));
                let mut record = Record::from(article);
                if let Some(first) = texts.first() {
                    self.keep_raw(&mut record, &first.row);
                }
                page.records.push(record);
            }
            Ok(None) => page.notes.push(format!(
                "article {id} was listed, and has a text in no language"
            )),
            Err(defect) => {
                let row = texts
                    .into_iter()
                    .next()
                    .map_or(Value::Null, |text| text.row);
                page.rejects
                    .push(convert::reject(RecordKind::Article, defect, &row));
            }
        }
        Ok(())
    }
}
