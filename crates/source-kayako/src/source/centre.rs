//! The help centre: categories and sections, then the articles, a page at a time.

use std::sync::Arc;

use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page};
use deskferry_core::{Context, RecordKind, Result};
use serde::{Deserialize, Serialize};

use super::inventory::is_closed;
use super::walk::{Step, Walk};
use super::{Kayako, cursor, id_of, read_place, watermark};
use crate::client::{Configuration, PAGE, needed};
use crate::convert::{self, Centre, Readers};
use crate::wire::{self, Article, Category, Raw};

const ARTICLES: &str = "list articles";

/// Categories and sections, and who may read what stands in those.
#[derive(Debug, Default)]
pub(super) struct Tree {
    categories: Vec<Raw>,
    sections: Vec<Raw>,
    readers: Readers,
    notes: Vec<String>,
}

/// How far the help centre was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reading {
    #[serde(flatten)]
    walk: Walk,
    /// The tree was read.
    tree: bool,
    /// How many walks are over.
    round: u32,
    /// While drafts are looked for that the list hides: how many articles the list with drafts has shown.
    drafts: Option<u64>,
}

impl Kayako {
    /// The tree; read once per process.
    async fn tree(&self, cx: &Context) -> Result<Arc<Tree>> {
        let mut kept = self.centre.lock().await;
        if let Some(tree) = kept.as_ref() {
            return Ok(Arc::clone(tree));
        }
        let mut tree = Tree::default();
        tree.categories = self
            .listed_if_open(cx, Configuration::Categories, &mut tree.notes)
            .await?;
        tree.sections = self
            .listed_if_open(cx, Configuration::Sections, &mut tree.notes)
            .await?;
        let sections = tree.sections.iter();
        tree.readers = sections
            .filter_map(|raw| wire::decode::<Category>(raw).ok())
            .map(|section| (section.id, section.visibility))
            .collect();
        let tree = Arc::new(tree);
        *kept = Some(Arc::clone(&tree));
        Ok(tree)
    }

    async fn listed_if_open(
        &self,
        cx: &Context,
        list: Configuration,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Raw>> {
        match self.client.configuration(cx, list).await {
            Err(error) if is_closed(error.kind()) => {
                notes.push(closed(list.operation()));
                Ok(Vec::new())
            }
            rows => rows,
        }
    }

    pub(super) async fn centre_page(&self, cx: &Context, after: Option<Cursor>) -> Result<Page> {
        let tenant = self.client.tenant(cx).await?;
        let tree = self.tree(cx).await?;
        let definitions = self.definitions(cx).await?;
        let centre = Centre {
            tenant: &tenant,
            root: self.client.root(),
            language: definitions.language(),
            readers: &tree.readers,
        };
        let reading: Reading = read_place(after).unwrap_or_default();
        if let Some(shown) = reading.drafts {
            return self.drafts(cx, &centre, shown).await;
        }
        if reading.tree {
            return self.articles(cx, &centre, reading).await;
        }
        let next = Reading {
            tree: true,
            ..Reading::default()
        };
        let mut page = Page::new(Vec::new(), Next::More(cursor(&next)?));
        page.notes.clone_from(&tree.notes);
        for (rows, is_section) in [(&tree.categories, false), (&tree.sections, true)] {
            for raw in rows {
                match wire::decode::<Category>(raw) {
                    Ok(row) => {
                        let made = match is_section {
                            true => centre.section(&row),
                            false => centre.category(&row),
                        };
                        let mut record = Record::from(made);
                        self.keep_raw(&mut record, raw);
                        page.records.push(record);
                    }
                    Err(defect) => page.rejects.push(convert::reject(
                        RecordKind::Category,
                        id_of(raw),
                        defect,
                        raw,
                    )),
                }
            }
        }
        Ok(page)
    }

    async fn articles(&self, cx: &Context, centre: &Centre<'_>, reading: Reading) -> Result<Page> {
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let listed = match self.client.articles(cx, &reading.walk.place).await {
            Err(error) if is_closed(error.kind()) => {
                page.notes.push(closed(ARTICLES));
                return Ok(page);
            }
            listed => listed?,
        };
        needed(cx, "articles", listed.rows.len() as f64 / PAGE as f64);
        for raw in &listed.rows {
            self.article(centre, raw, &mut page);
        }
        let ids = listed.rows.iter().map(|raw| id_of(raw).unwrap_or_default());
        let ids: Vec<String> = ids.collect();
        let Reading { walk, round, .. } = reading;
        let next = match walk.advance(&ids, &listed, ARTICLES)? {
            Step::More(walk) => Reading {
                walk,
                tree: true,
                round,
                drafts: None,
            },
            Step::Done(walk) if !walk.moved && walk.missing() == 0 => {
                page.next = match self.client.article_count(cx).await? {
                    // The list hides some: drafts, usually.
                    Some(all) if all > walk.distinct => Next::More(cursor(&Reading {
                        drafts: Some(0),
                        ..Reading::default()
                    })?),
                    _ => Next::End(watermark(walk.start.unwrap_or_else(|| cx.now()))),
                };
                return Ok(page);
            }
            Step::Done(walk) => {
                page.notes.push(format!(
                    "{ARTICLES}: articles left the list or were not shown while it was read; {} of {} were counted",
                    walk.distinct,
                    walk.total.unwrap_or_default()
                ));
                if round > 0 {
                    return Ok(page);
                }
                Reading {
                    tree: true,
                    round: round + 1,
                    ..Reading::default()
                }
            }
        };
        page.next = Next::More(cursor(&next)?);
        Ok(page)
    }
}

impl Kayako {
    fn article(&self, centre: &Centre<'_>, raw: &Raw, page: &mut Page) {
        match wire::decode(raw).and_then(|row| centre.article(&row)) {
            Ok(made) => {
                let files = made.attachments.into_iter();
                page.records.extend(files.map(Record::from));
                page.rejects.extend(made.rejects);
                let mut record = Record::from(made.article);
                self.keep_raw(&mut record, raw);
                page.records.push(record);
            }
            Err(defect) => page.rejects.push(convert::reject(
                RecordKind::Article,
                id_of(raw),
                defect,
                raw,
            )),
        }
    }

    /// Articles that were asked for one by one.
    pub(super) async fn articles_of(&self, cx: &Context, rows: &[Raw]) -> Result<Page> {
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        if rows.is_empty() {
            return Ok(page);
        }
        let tenant = self.client.tenant(cx).await?;
        let (tree, definitions) = (self.tree(cx).await?, self.definitions(cx).await?);
        let centre = Centre {
            tenant: &tenant,
            root: self.client.root(),
            language: definitions.language(),
            readers: &tree.readers,
        };
        for raw in rows {
            self.article(&centre, raw, &mut page);
        }
        Ok(page)
    }

    /// A page of the list that shows drafts. What is published was read before; a draft may have changed since.
    async fn drafts(&self, cx: &Context, centre: &Centre<'_>, shown: u64) -> Result<Page> {
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let listed = match self.client.all_articles(cx, shown).await {
            Err(error) if is_closed(error.kind()) => {
                page.notes.push("the help centre has articles that its list does not show, drafts probably, and the account may not list them: they are missing".to_owned());
                return Ok(page);
            }
            listed => listed?,
        };
        let ids = listed.rows.iter().map(|raw| id_of(raw).unwrap_or_default());
        let keys: Vec<_> = ids
            .map(|id| centre.tenant.key(RecordKind::Article, id))
            .collect();
        let seen = cx.seen(&keys).await?;
        let is_draft = |raw: &Raw| {
            let article: Option<Article> = wire::decode(raw).ok();
            article.is_some_and(|one| !one.status.eq_ignore_ascii_case("PUBLISHED"))
        };
        for (raw, seen) in listed.rows.iter().zip(seen) {
            if !seen || is_draft(raw) {
                self.article(centre, raw, &mut page);
            }
        }
        let shown = shown + listed.rows.len() as u64;
        let over = listed.rows.is_empty() || listed.total.is_some_and(|all| shown >= all);
        if !over {
            page.next = Next::More(cursor(&Reading {
                drafts: Some(shown),
                ..Reading::default()
            })?);
        }
        Ok(page)
    }
}

fn closed(operation: &str) -> String {
    format!("{operation}: the account may not, or the instance has none")
}
