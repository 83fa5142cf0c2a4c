//! Configuration that cannot migrate: channels, routing to teams, quick replies, webhooks, templates, reasons for closing.

use deskferry_core::model::{InventoryItem, InventoryKind, Record};
use deskferry_core::source::{Next, Page};
use deskferry_core::{Context, ErrorKind, RecordKind, Result};
use serde_json::Value;

use super::{Trengo, needed, watermark};
use crate::convert;
use crate::wire::Defect;

/// A list that is read for the inventory alone: its path, an argument, what its items are, and their word in keys.
struct Listed {
    path: &'static str,
    filter: Option<(&'static str, &'static str)>,
    kind: InventoryKind,
    sort: &'static str,
    /// Aspects by title, with the members that tell of them.
    aspects: &'static [(&'static str, &'static [&'static str])],
}

const LISTS: [Listed; 4] = [
    Listed {
        path: "quick_replies",
        filter: Some(("type", "EMAIL")),
        kind: InventoryKind::Macro,
        sort: "quick-reply",
        aspects: &[("actions", &["message"])],
    },
    Listed {
        path: "quick_replies",
        filter: Some(("type", "MESSAGING")),
        kind: InventoryKind::Macro,
        sort: "quick-reply",
        aspects: &[("actions", &["message"])],
    },
    Listed {
        path: "webhooks",
        filter: None,
        kind: InventoryKind::Webhook,
        sort: "webhook",
        aspects: &[("trigger", &["type"]), ("targets", &["url"])],
    },
    Listed {
        path: "wa_templates",
        filter: None,
        kind: InventoryKind::Macro,
        sort: "whatsapp-template",
        aspects: &[("actions", &["message"])],
    },
];

/// How many lists are asked for once, beside those of each help centre.
pub(super) const ASKED_ONCE: u64 = LISTS.len() as u64;

impl Trengo {
    pub(super) async fn inventory_page(&self, cx: &Context) -> Result<Page> {
        let setup = self.setup(cx).await?;
        let ground = &setup.ground;
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let add = |page: &mut Page, made: Result<InventoryItem, Defect>, row: &Value| match made {
            // Lists by type show all of their items where the type is ignored.
            Ok(item)
                if page
                    .records
                    .iter()
                    .any(|known| *known.key() == item.meta.key) => {}
            Ok(item) => page.records.push(Record::from(item)),
            Err(defect) => {
                let reject = convert::reject(RecordKind::InventoryItem, defect, row);
                page.rejects.push(reject);
            }
        };
        for row in &setup.channels {
            add(&mut page, convert::channel_item(ground, row), row);
        }
        for row in &setup.teams {
            add(&mut page, convert::routing_item(ground, row), row);
        }
        for row in &setup.results {
            let made = convert::item(ground, InventoryKind::Other, "ticket-result", row, &[]);
            add(&mut page, made, row);
        }
        for list in &LISTS {
            needed(cx, "inventory", 1, 1);
            let rows = match self.client.set_up(cx, list.path, list.filter).await {
                Err(error) if is_closed(error.kind()) => {
                    page.notes.push(format!(
                        "{} cannot be read, and are not in the inventory",
                        list.path.replace('_', " ")
                    ));
                    continue;
                }
                rows => rows?,
            };
            for row in &rows {
                let made = convert::item(ground, list.kind, list.sort, row, list.aspects);
                add(&mut page, made, row);
            }
        }
        let centres = self.centres(cx).await?;
        for centre in &centres.all {
            needed(cx, "inventory", 1, 1);
            let path = format!("help_center/{}/blocks", centre.id);
            let rows = match self.client.set_up(cx, &path, None).await {
                Err(error) if is_closed(error.kind()) => continue,
                rows => rows?,
            };
            for row in &rows {
                let made = convert::item(ground, InventoryKind::App, "block", row, &[]);
                add(&mut page, made, row);
            }
        }
        page.records
            .extend(convert::unshown(ground).into_iter().map(Record::from));
        Ok(page)
    }
}

/// A list that this account does not have, or whose right the token's user lacks.
pub(super) fn is_closed(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Refused | ErrorKind::Unsupported
    )
}
