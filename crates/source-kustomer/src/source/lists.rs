//! Attributes, teams, tags and sub-statuses: short lists that all other rows refer to, read once per process.

use std::collections::HashMap;
use std::sync::Arc;

use deskferry_core::http::Pager;
use deskferry_core::model::Record;
use deskferry_core::source::{Next, Page};
use deskferry_core::{Context, ErrorKind, RecordKey, RecordKind, Result, Tenant};

use super::{Kustomer, id_of, watermark};
use crate::client::List;
use crate::convert::{self, Definitions, Ground, Names, RESOURCES};
use crate::wire::{Defect, Raw, Row};

/// What rows refer to by id.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) names: Names,
    pub(super) definitions: Definitions,
    pub(super) attributes: Vec<(&'static str, RecordKind, Row)>,
    tags: Vec<Raw>,
    teams: Vec<Raw>,
    /// Teams by the id of their member.
    memberships: HashMap<String, Vec<String>>,
    notes: Vec<String>,
}

impl Loaded {
    /// The teams of a user.
    pub(super) fn teams_of(&self, tenant: &Tenant, user: &str) -> Vec<RecordKey> {
        let teams = self.memberships.get(user).map_or(&[][..], Vec::as_slice);
        teams
            .iter()
            .map(|team| tenant.key(RecordKind::Team, team))
            .collect()
    }
}

impl Kustomer {
    /// What rows refer to; fetched once per process, by whoever needs it first.
    pub(super) async fn loaded(&self, cx: &Context) -> Result<Arc<Loaded>> {
        let mut kept = self.loaded.lock().await;
        if let Some(loaded) = kept.as_ref() {
            return Ok(Arc::clone(loaded));
        }
        let loaded = Arc::new(self.load(cx).await?);
        *kept = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    async fn load(&self, cx: &Context) -> Result<Loaded> {
        let mut loaded = Loaded::default();
        for (resource, of) in RESOURCES {
            let found = match self.client.metadata(cx, resource).await {
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    loaded.notes.push(format!(
                        "the key may not read the definitions of custom attributes of a {resource}: their values are taken by their names' suffixes"
                    ));
                    None
                }
                found => found?,
            };
            if let Some(row) = found.and_then(|raw| Row::read(&raw).ok()) {
                loaded.definitions.learn(resource, &row);
                loaded.attributes.push((resource, of, row));
            }
        }
        let lists = [List::Tags { deleted: false }, List::Tags { deleted: true }];
        for list in lists {
            let rows = self
                .whole(cx, list, "names of tags", &mut loaded.notes)
                .await?;
            loaded.tags.extend(rows);
        }
        for row in loaded.tags.iter().filter_map(|raw| Row::read(raw).ok()) {
            let name = row.text("name").unwrap_or_default().to_owned();
            loaded.names.tags.insert(row.id().to_owned(), name);
        }
        let labels = "labels of sub-statuses";
        for raw in self
            .whole(cx, List::SubStatuses, labels, &mut loaded.notes)
            .await?
        {
            if let Ok(row) = Row::read(&raw) {
                let label = row.text("label").unwrap_or_default().to_owned();
                loaded.names.sub_statuses.insert(row.id().to_owned(), label);
            }
        }
        loaded.teams = self
            .whole(cx, List::Teams, "teams", &mut loaded.notes)
            .await?;
        for row in loaded.teams.iter().filter_map(|raw| Row::read(raw).ok()) {
            for member in row.texts("members") {
                let teams = loaded.memberships.entry(member.to_owned()).or_default();
                teams.push(row.id().to_owned());
            }
        }
        Ok(loaded)
    }

    /// All pages of a short list. What the key may not read, or the org does not have, is empty, with a note.
    pub(super) async fn whole(
        &self,
        cx: &Context,
        list: List<'_>,
        what: &str,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Raw>> {
        Ok(self.whole_with(cx, list, what, notes).await?.0)
    }

    /// The same with what came beside the rows.
    pub(super) async fn whole_with(
        &self,
        cx: &Context,
        list: List<'_>,
        what: &str,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<Raw>, Vec<Raw>)> {
        let (mut rows, mut beside) = (Vec::new(), Vec::new());
        let mut pager = Pager::new(list.operation());
        let mut next: Option<String> = None;
        loop {
            let listed = match self.client.list(cx, list, next.as_deref()).await {
                Err(error)
                    if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) =>
                {
                    notes.push(format!("{what} could not be read: {error}"));
                    return Ok((rows, beside));
                }
                listed => listed?,
            };
            let ids: Vec<String> = listed.rows.iter().filter_map(id_of).collect();
            // An empty page ends a list even where it names a next one.
            next = listed.next.filter(|_| !listed.rows.is_empty());
            pager.accept(ids.iter().map(String::as_str), next.as_deref())?;
            rows.extend(listed.rows);
            beside.extend(listed.included.into_iter().flatten());
            if next.is_none() {
                return Ok((rows, beside));
            }
        }
    }

    pub(super) async fn attributes_page(&self, cx: &Context) -> Result<Page> {
        let tenant = self.tenant(cx).await?;
        let loaded = self.loaded(cx).await?;
        let all = loaded.attributes.iter();
        let records = all.flat_map(|(resource, of, row)| {
            convert::definitions(&tenant, resource, *of, row)
                .into_iter()
                .map(Record::from)
        });
        let mut page = Page::new(records.collect(), Next::End(watermark(cx.now())));
        page.notes = loaded.notes.clone();
        Ok(page)
    }

    pub(super) async fn teams_page(&self, cx: &Context) -> Result<Page> {
        let loaded = self.loaded(cx).await?;
        let convert = |ground: &Ground<'_>, row: &Row| convert::team(ground, row).map(Record::from);
        self.kept_page(cx, &loaded, &loaded.teams, RecordKind::Team, convert)
            .await
    }

    pub(super) async fn tags_page(&self, cx: &Context) -> Result<Page> {
        let loaded = self.loaded(cx).await?;
        let convert = |ground: &Ground<'_>, row: &Row| convert::tag(ground, row).map(Record::from);
        self.kept_page(cx, &loaded, &loaded.tags, RecordKind::Tag, convert)
            .await
    }

    async fn kept_page(
        &self,
        cx: &Context,
        loaded: &Loaded,
        rows: &[Raw],
        kind: RecordKind,
        convert: impl Fn(&Ground<'_>, &Row) -> Result<Record, Defect>,
    ) -> Result<Page> {
        let tenant = self.tenant(cx).await?;
        let ground = self.ground(&tenant, loaded);
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        for raw in rows {
            match Row::read(raw).and_then(|row| convert(&ground, &row)) {
                Ok(mut record) => {
                    self.keep_raw(&mut record, raw);
                    page.records.push(record);
                }
                Err(defect) => {
                    page.rejects
                        .push(convert::reject(kind, id_of(raw), defect, raw));
                }
            }
        }
        Ok(page)
    }
}
