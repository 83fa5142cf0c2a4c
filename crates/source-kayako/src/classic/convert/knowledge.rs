//! The knowledge base: a tree of categories, and articles in one language.

use std::collections::BTreeMap;

use deskferry_core::model::{
    Article, ArticleState, Category, CustomValue, Named, Translation, Visibility,
};
use deskferry_core::{RecordKind, Tenant};

use super::{Desk, key_of, meta};
use crate::classic::xml::Row;
use crate::wire::Defect;

/// Who may read what stands in each category. What says nothing, or something unknown, is for staff alone.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    rows: BTreeMap<u64, (Option<u64>, Said)>,
}

#[derive(Debug, Clone, Copy)]
enum Said {
    Is(Visibility),
    AsParent,
}

impl Readers {
    pub(crate) fn learn(&mut self, row: Row<'_>) -> Result<(), Defect> {
        let id = row.id(&["id", "kbcategoryid"])?;
        let limited = row.flag("uservisibilitycustom") == Some(true);
        let said = match row.number("categorytype") {
            _ if row.flag("ispublished") == Some(false) => Said::Is(Visibility::Internal),
            Some(1 | 2) if limited => Said::Is(Visibility::Customers),
            Some(1 | 2) => Said::Is(Visibility::Public),
            Some(4) => Said::AsParent,
            _ => Said::Is(Visibility::Internal),
        };
        self.rows
            .insert(id, (row.reference("parentkbcategoryid"), said));
        Ok(())
    }

    /// Who may read what stands in a category: no more than may read the one around it.
    fn of(&self, id: u64) -> Visibility {
        let mut least = None;
        let mut at = Some(id);
        for _ in 0..=self.rows.len() {
            let Some(here) = at else {
                return least.unwrap_or(Visibility::Internal);
            };
            let Some((parent, said)) = self.rows.get(&here) else {
                return Visibility::Internal;
            };
            if let Said::Is(readers) = said {
                least = Some(least.map_or(*readers, |least: Visibility| least.max(*readers)));
            }
            at = *parent;
        }
        // A tree that bites its tail.
        Visibility::Internal
    }
}

/// A category.
pub(crate) fn category(
    tenant: &Tenant,
    readers: &Readers,
    row: Row<'_>,
) -> Result<Category, Defect> {
    let id = row.id(&["id", "kbcategoryid"])?;
    let raw = row.text("categorytype").unwrap_or_default();
    Ok(Category {
        meta: meta(tenant, RecordKind::Category, id),
        name: row.text("title").unwrap_or_default().to_owned(),
        names: BTreeMap::new(),
        parent: key_of(
            tenant,
            RecordKind::Category,
            row.reference("parentkbcategoryid"),
        ),
        position: row
            .number("displayorder")
            .and_then(|place| i64::try_from(place).ok())
            .unwrap_or_default(),
        visibility: Some(Named::new(readers.of(id), raw)),
    })
}

/// An article. Whoever may read it may read every category that it stands in.
pub(crate) fn article(
    tenant: &Tenant,
    desk: &Desk,
    readers: &Readers,
    locale: &str,
    row: Row<'_>,
) -> Result<Article, Defect> {
    let id = row.id(&["kbarticleid", "id"])?;
    let mut meta = meta(tenant, RecordKind::Article, id);
    meta.created_at = row.time("dateline");
    meta.updated_at = row.time("editeddateline").or(meta.created_at);
    if let Some(views) = row.reference("views") {
        let views = CustomValue::Number(views.to_string());
        meta.custom.insert("views".to_owned(), views);
    }
    let listed = row.child("categories").into_iter();
    let listed = listed.flat_map(|list| list.each("categoryid"));
    let mut categories: Vec<u64> = listed
        .chain(row.each("categoryid"))
        .filter_map(|row| row.content().trim().parse().ok())
        .filter(|id| *id > 0)
        .collect();
    categories.dedup();
    let readers = categories.iter().map(|id| readers.of(*id)).max();
    let state = match row.number("articlestatus") {
        Some(1) => ArticleState::Published,
        _ => ArticleState::Draft,
    };
    let state = Named::new(state, row.text("articlestatus").unwrap_or_default());
    let html = row.text("contents").or_else(|| row.text("contentstext"));
    // Who made it: a number of staff, where the server says that staff did.
    let by_staff = row.number("creator").is_none_or(|creator| creator <= 1);
    let author = row.reference("creatorid").filter(|_| by_staff);
    let author = author.filter(|id| desk.knows_staff(*id));
    Ok(Article {
        categories: categories
            .iter()
            .map(|id| tenant.key(RecordKind::Category, *id))
            .collect(),
        author: key_of(tenant, RecordKind::Agent, author),
        visibility: Named::new(readers.unwrap_or(Visibility::Internal), ""),
        translations: vec![Translation {
            locale: locale.to_owned(),
            title: row.text("subject").unwrap_or_default().to_owned(),
            summary: None,
            html: html.unwrap_or_default().to_owned(),
            published_at: meta
                .created_at
                .filter(|_| state.is == ArticleState::Published),
            state,
            slug: row.text("seosubject").map(str::to_owned),
            url: None,
            updated_at: meta.updated_at,
        }],
        tags: Vec::new(),
        files: Vec::new(),
        meta,
    })
}
