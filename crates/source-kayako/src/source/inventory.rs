//! Configuration that cannot migrate: rules, agreements on times, macros, views, ways in, forms, endpoints.

use std::collections::BTreeSet;
use std::sync::Arc;

use deskferry_core::model::{InventoryKind, Record};
use deskferry_core::source::{Cursor, Next, Page};
use deskferry_core::{Context, ErrorKind, RecordKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kayako, cursor, id_of, read_place, watermark};
use crate::client::Configuration;
use crate::convert::{self, Names};
use crate::wire::{self, Raw, User, View};

/// What is listed, what its items are, and their word in keys.
const LISTS: [(Configuration, InventoryKind, &str); 13] = [
    (
        Configuration::Triggers,
        InventoryKind::Automation,
        "trigger",
    ),
    (Configuration::Monitors, InventoryKind::Schedule, "monitor"),
    (Configuration::Slas, InventoryKind::Sla, "sla"),
    (
        Configuration::BusinessHours,
        InventoryKind::BusinessHours,
        "business-hours",
    ),
    (Configuration::Macros, InventoryKind::Macro, "macro"),
    (Configuration::Views, InventoryKind::View, "view"),
    (Configuration::Forms, InventoryKind::Form, "form"),
    (Configuration::Mailboxes, InventoryKind::Channel, "mailbox"),
    (
        Configuration::TwitterAccounts,
        InventoryKind::Channel,
        "twitter-account",
    ),
    (
        Configuration::FacebookPages,
        InventoryKind::Channel,
        "facebook-page",
    ),
    (Configuration::Endpoints, InventoryKind::Webhook, "endpoint"),
    (Configuration::Teams, InventoryKind::Routing, "team"),
    (Configuration::Brands, InventoryKind::Other, "brand"),
];

/// Lists by which numbers are told with names, and the type of their rows on the wire.
const NAMES: [(Configuration, &str); 6] = [
    (Configuration::Statuses, "case_status"),
    (Configuration::Priorities, "case_priority"),
    (Configuration::Types, "case_type"),
    (Configuration::Teams, "team"),
    (Configuration::Brands, "brand"),
    (Configuration::BusinessHours, "business_hour"),
];

/// Names, the lists that they were taken from, and what could not be listed.
#[derive(Debug, Default)]
pub(super) struct Named {
    names: Names,
    rows: Vec<(Configuration, Arc<Vec<Raw>>)>,
    notes: Vec<String>,
}

/// Which list is read next.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Reading {
    list: usize,
}

impl Kayako {
    /// A list of configuration, read once per process: several parts need some of them.
    pub(super) async fn configured(
        &self,
        cx: &Context,
        list: Configuration,
    ) -> Result<Arc<Vec<Raw>>> {
        let mut kept = self.configured.lock().await;
        if let Some((_, rows)) = kept.iter().find(|(known, _)| *known == list) {
            return Ok(Arc::clone(rows));
        }
        let rows = Arc::new(self.client.configuration(cx, list).await?);
        kept.push((list, Arc::clone(&rows)));
        Ok(rows)
    }

    pub(super) async fn views(&self, cx: &Context) -> Result<Vec<View>> {
        let rows = self.configured(cx, Configuration::Views).await?;
        Ok(rows
            .iter()
            .filter_map(|row| wire::decode(row).ok())
            .collect())
    }

    /// Names of what conditions and actions tell by number; read once per process.
    async fn named(&self, cx: &Context) -> Result<Arc<Named>> {
        let mut kept = self.named.lock().await;
        if let Some(named) = kept.as_ref() {
            return Ok(Arc::clone(named));
        }
        let mut named = Named::default();
        for (list, of) in NAMES {
            let rows = match self.configured(cx, list).await {
                Err(error) if is_closed(error.kind()) => {
                    named.notes.push(closed(list));
                    Arc::default()
                }
                rows => rows?,
            };
            for row in rows.iter() {
                if let Ok(row) = wire::decode::<Value>(row) {
                    named.names.learn(of, &row);
                }
            }
            named.rows.push((list, rows));
        }
        let definitions = self.definitions(cx).await?;
        for (_, field) in definitions.own() {
            let text = |option: u64| definitions.values.option_text(option);
            named.names.learn_field(field, text);
        }
        let named = Arc::new(named);
        *kept = Some(Arc::clone(&named));
        Ok(named)
    }

    /// The names with those of users whom rules name: as the list of users told them, else each asked for once.
    async fn with_users(&self, cx: &Context, rows: &[Raw], names: &Names) -> Result<Names> {
        let mut names = names.clone();
        let values = rows
            .iter()
            .filter_map(|row| wire::decode::<Value>(row).ok());
        let users: BTreeSet<u64> = values.flat_map(|row| convert::users_in(&row)).collect();
        for id in users {
            let told = self.agents().get(&id).cloned();
            let name = match told {
                Some(name) => name,
                None => match self.client.user(cx, id).await {
                    Ok(Some(raw)) => wire::decode::<User>(&raw)
                        .map_or_else(|_| String::new(), |user| user.full_name),
                    Ok(None) => String::new(),
                    Err(error) if is_closed(error.kind()) => String::new(),
                    Err(error) => return Err(error),
                },
            };
            self.agents().insert(id, name.clone());
            names.learn_user(id, &name);
        }
        Ok(names)
    }

    /// One list of the inventory; custom fields without a counterpart come with the last one.
    pub(super) async fn inventory_page(&self, cx: &Context, after: Option<Cursor>) -> Result<Page> {
        let tenant = self.client.tenant(cx).await?;
        let reading: Reading = read_place(after).unwrap_or_default();
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let Some((list, kind, sort)) = LISTS.get(reading.list) else {
            return Ok(page);
        };
        let named = self.named(cx).await?;
        if reading.list == 0 {
            page.notes.clone_from(&named.notes);
        }
        let known = named.rows.iter().find(|(known, _)| known == list);
        let rows = match (known, list) {
            (Some((_, rows)), _) => Ok(Arc::clone(rows)),
            (None, list) => self.configured(cx, *list).await,
        };
        let rows = match rows {
            Err(error) if is_closed(error.kind()) => {
                page.notes.push(closed(*list));
                Arc::default()
            }
            rows => rows?,
        };
        let names = self.with_users(cx, &rows, &named.names).await?;
        let mut bare = 0;
        for raw in rows.iter() {
            let made = wire::decode::<Value>(raw)
                .and_then(|row| convert::item(&tenant, *kind, sort, &row, &names));
            match made {
                Ok(item) => {
                    bare += item.bare;
                    page.records.push(Record::from(item.record));
                }
                Err(defect) => page.rejects.push(convert::reject(
                    RecordKind::InventoryItem,
                    id_of(raw),
                    defect,
                    raw,
                )),
            }
        }
        if bare > 0 {
            page.notes.push(format!(
                "{}: {bare} conditions and targets came as bare references and are missing",
                list.operation()
            ));
        }
        let next = Reading {
            list: reading.list + 1,
        };
        if next.list < LISTS.len() {
            page.next = Next::More(cursor(&next)?);
            return Ok(page);
        }
        let definitions = self.definitions(cx).await?;
        let odd = definitions
            .own()
            .filter_map(|(owner, field)| convert::odd_field(&tenant, owner, field));
        page.records.extend(odd.map(Record::from));
        Ok(page)
    }
}

fn closed(list: Configuration) -> String {
    format!(
        "{}: the account may not, or the instance has none; they are not in the inventory",
        list.operation()
    )
}

/// A list that this instance does not have, or whose right the account lacks.
pub(super) fn is_closed(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Refused | ErrorKind::Unsupported
    )
}
