//! Users: the list in its passes, and those whom only other rows name.

use std::collections::BTreeSet;

use deskferry_core::http::Pager;
use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page};
use deskferry_core::{Context, RecordKey, RecordKind, Result, Tenant};
use futures::lock::Mutex;
use serde::{Deserialize, Serialize};

use super::{Kustomer, cursor, id_of, read_place, watermark};
use crate::client::List;
use crate::convert;
use crate::wire::Row;

/// Filters cannot be combined, so each sort of user is a pass of its own (Kustomer reference, section 3.7).
const PASSES: [Option<(&str, &str)>; 4] = [
    None,
    Some(("deleted", "true")),
    Some(("pending", "true")),
    Some(("userType", "machine")),
];

/// Users that were met in this process, whether a list had them or they were looked up.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    met: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Reading {
    pass: usize,
    next: Option<String>,
}

impl Kustomer {
    pub(super) async fn users_page(&self, cx: &Context, after: Option<Cursor>) -> Result<Page> {
        let tenant = self.tenant(cx).await?;
        let loaded = self.loaded(cx).await?;
        let reading: Reading = read_place(after).unwrap_or_default();
        let list = List::Users(PASSES.get(reading.pass).copied().flatten());
        let listed = self.client.list(cx, list, reading.next.as_deref()).await?;
        let ids: Vec<String> = listed.rows.iter().filter_map(id_of).collect();
        let next = listed.next.clone().filter(|_| !listed.rows.is_empty());
        let mut pager = Pager::new(list.operation());
        if let Some(before) = &reading.next {
            pager.accept([].into_iter(), Some(before))?;
        }
        pager.accept(ids.iter().map(String::as_str), next.as_deref())?;
        let ground = self.ground(&tenant, &loaded);
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        for raw in &listed.rows {
            let agent = Row::read(raw)
                .and_then(|row| convert::agent(&ground, &row, loaded.teams_of(&tenant, row.id())));
            match agent {
                Ok(agent) => {
                    let mut record = Record::from(agent);
                    self.keep_raw(&mut record, raw);
                    page.records.push(record);
                }
                Err(defect) => {
                    page.rejects
                        .push(convert::reject(RecordKind::Agent, id_of(raw), defect, raw))
                }
            }
        }
        self.strangers.met.lock().await.extend(ids);
        let next = match next {
            Some(next) => Reading {
                pass: reading.pass,
                next: Some(next),
            },
            None => Reading {
                pass: reading.pass + 1,
                next: None,
            },
        };
        if next.pass < PASSES.len() {
            page.next = Next::More(cursor(&next)?);
        }
        Ok(page)
    }

    /// Records of users whom rows name and nobody has met: looked up once, or a placeholder. No message is lost for them.
    pub(super) async fn meet(
        &self,
        cx: &Context,
        tenant: &Tenant,
        named: &[RecordKey],
    ) -> Result<Vec<Record>> {
        let mut met = self.strangers.met.lock().await;
        let new: BTreeSet<String> = named
            .iter()
            .filter(|key| key.record_kind() == Some(RecordKind::Agent))
            .map(|key| key.id().to_owned())
            .filter(|id| !met.contains(id))
            .collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let new: Vec<String> = new.into_iter().collect();
        let keys: Vec<RecordKey> = new
            .iter()
            .map(|id| tenant.key(RecordKind::Agent, id))
            .collect();
        let seen = cx.seen(&keys).await?;
        let loaded = self.loaded(cx).await?;
        let ground = self.ground(tenant, &loaded);
        let mut records = Vec::new();
        for (id, seen) in new.into_iter().zip(seen) {
            if !seen {
                let found = self.client.user(cx, &id).await?;
                let agent = found.and_then(|raw| {
                    let row = Row::read(&raw).ok()?;
                    convert::agent(&ground, &row, loaded.teams_of(tenant, &id)).ok()
                });
                records.push(Record::from(
                    agent.unwrap_or_else(|| convert::departed(tenant, &id)),
                ));
            }
            met.insert(id);
        }
        Ok(records)
    }
}
