//! Help centres, and configuration for a hand-over document.

use std::collections::BTreeMap;

use deskferry_core::model::Record;
use deskferry_core::source::{Next, Page, Skip};
use deskferry_core::{Context, RecordKind, Result};
use serde_json::Value;

use super::{Kustomer, watermark};
use crate::client::List;
use crate::convert;
use crate::inventory;
use crate::wire::{Raw, Row};

/// Asked for where no category names a language.
const USUAL_LANGUAGE: &str = "en_us";

impl Kustomer {
    /// Categories, and articles in each language that these name. An article is one row per language, so all are read before one is whole;
    /// drafts come last.
    pub(super) async fn knowledge_page(&self, cx: &Context) -> Result<Page> {
        let tenant = self.tenant(cx).await?;
        let loaded = self.loaded(cx).await?;
        let ground = self.ground(&tenant, &loaded);
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let list = List::KbCategories;
        let raw = self
            .whole(cx, list, "categories of the help centre", &mut page.notes)
            .await?;
        let rows = self.rows_of(RecordKind::Category, &raw, &mut page);
        for (category, row) in convert::categories(&ground, &rows).into_iter().zip(&rows) {
            match category {
                Ok(category) => page.records.push(Record::from(category)),
                Err(defect) => page.notes.push(format!(
                    "category {} could not be read: {} {}",
                    row.id(),
                    defect.path,
                    defect.reason
                )),
            }
        }
        let mut languages = convert::languages(&rows);
        if languages.is_empty() {
            languages.insert(USUAL_LANGUAGE.to_owned());
        }
        let mut articles: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for language in &languages {
            let list = List::KbArticles(language);
            let raw = self.whole(cx, list, "articles", &mut page.notes).await?;
            for row in self.rows_of(RecordKind::Article, &raw, &mut page) {
                articles.entry(row.id().to_owned()).or_default().push(row);
            }
        }
        for rows in articles.values() {
            let all: Vec<&Row> = rows.iter().collect();
            let beside = self.texts_beside(cx, &all, &mut page).await?;
            let article = convert::article(&ground, &all, &beside);
            match article {
                Ok((article, pictures)) => {
                    page.records.extend(pictures.into_iter().map(Record::from));
                    if all.iter().any(|row| row.flag("deleted")) {
                        page.skips.push(Skip {
                            key: article.meta.key.clone(),
                            reason: "deleted".to_owned(),
                        });
                    }
                    page.records.push(Record::from(article));
                }
                Err(defect) => page.notes.push(format!(
                    "an article could not be read: {} {}",
                    defect.path, defect.reason
                )),
            }
        }
        Ok(page)
    }

    /// Texts that an article's rows do not bring: drafts stand among its versions alone, one request for each language.
    async fn texts_beside(
        &self,
        cx: &Context,
        rows: &[&Row],
        page: &mut Page,
    ) -> Result<BTreeMap<String, Value>> {
        let mut found = BTreeMap::new();
        for language in convert::elsewhere(rows) {
            let Some(id) = rows.first().map(|row| row.id()) else {
                break;
            };
            let list = List::KbVersions(id, &language);
            let what = format!("drafts of article {id} in {language}");
            let raw = self.whole(cx, list, &what, &mut page.notes).await?;
            let versions = self.rows_of(RecordKind::Article, &raw, page);
            if let Some(latest) = convert::latest(&versions) {
                found.insert(language, latest);
            }
        }
        Ok(found)
    }

    fn rows_of(&self, kind: RecordKind, raw: &[Raw], page: &mut Page) -> Vec<Row> {
        let mut rows = Vec::with_capacity(raw.len());
        for raw in raw {
            match Row::read(raw) {
                Ok(row) => rows.push(row),
                Err(defect) => page.rejects.push(convert::reject(kind, None, defect, raw)),
            }
        }
        rows
    }

    /// Everything that people build again in the target.
    pub(super) async fn inventory_page(&self, cx: &Context) -> Result<Page> {
        let tenant = self.tenant(cx).await?;
        let loaded = self.loaded(cx).await?;
        let ground = self.ground(&tenant, &loaded);
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        for (path, kind) in inventory::LISTS {
            let list = List::Inventory(path);
            let (rows, beside) = self.whole_with(cx, list, path, &mut page.notes).await?;
            let beside: Vec<Row> = beside
                .iter()
                .filter_map(|raw| Row::read(raw).ok())
                .collect();
            for raw in &rows {
                let row = match Row::lenient(raw) {
                    Ok(row) => row,
                    Err(defect) => {
                        page.rejects.push(convert::reject(
                            RecordKind::InventoryItem,
                            None,
                            defect,
                            raw,
                        ));
                        continue;
                    }
                };
                let own = row.all_related("versions");
                let versions: Vec<&Row> = beside.iter().filter(|v| own.contains(&v.id())).collect();
                let item = inventory::item(&ground, path, kind, &row, &versions);
                page.records.push(Record::from(item));
            }
        }
        for (resource, _, row) in &loaded.attributes {
            let all = row.value("properties").and_then(Value::as_object);
            let odd = all.into_iter().flatten().filter_map(|(name, property)| {
                inventory::odd_attribute(&ground, resource, name, property)
            });
            page.records.extend(odd.map(Record::from));
            let rules = inventory::validations(&ground, resource, row);
            page.records.extend(rules.into_iter().map(Record::from));
        }
        page.records
            .push(Record::from(inventory::business_rules(&ground)));
        Ok(page)
    }
}
