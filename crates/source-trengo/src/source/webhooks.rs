//! A read of changes by what webhooks told, and tickets that are gone (Trengo reference, sections 4 and 5.5).

use std::sync::Arc;

use deskferry_core::source::Page;
use deskferry_core::{Context, Error, ErrorKind, RecordKey, RecordKind, Result};

use super::Trengo;
use super::estimate::is_beyond;
use super::setup::Setup;
use crate::convert::{self, Archive};
use crate::wire::Row;

/// So many tickets that are gone are named; the others are counted.
const NAMED: u64 = 200;
/// So many records are looked at together.
const TOGETHER: usize = 500;

/// What a page of a sweep found.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// The last record that was looked at; none at the end.
    pub(super) after: Option<RecordKey>,
    pub(super) gone: u64,
}

impl Trengo {
    /// The archive of webhooks, what was signed since a second. Nothing where there is none to be trusted.
    pub(super) async fn archive(
        &self,
        cx: &Context,
        since: i64,
        page: &mut Page,
    ) -> Result<Option<Arc<Archive>>> {
        let Some(path) = self.config.webhooks() else {
            return Ok(None);
        };
        let mut kept = self.archive.lock().await;
        if let Some(archive) = kept.as_ref() {
            return Ok(Some(Arc::clone(archive)));
        }
        let text = std::fs::read(path).map_err(|error| {
            Error::new(
                ErrorKind::Config,
                "read the archive of webhooks",
                error.to_string(),
            )
            .with("file", path.display())
            .advise(
                "Name the file as `webhooks`, or leave that out: then a delta lists what changed",
            )
        })?;
        let hooks = match self.client.set_up(cx, "webhooks", None).await {
            Err(error) if is_beyond(error.kind()) => Vec::new(),
            hooks => hooks?,
        };
        let secrets: Vec<String> = hooks
            .iter()
            .filter_map(|hook| Row(hook).text("signing_secret"))
            .collect();
        if secrets.is_empty() {
            page.notes.push(
                "no webhook's secret can be read, so nothing proves who wrote the archive: what changed is listed instead"
                    .to_owned(),
            );
            return Ok(None);
        }
        let archive = convert::archive(&String::from_utf8_lossy(&text), &secrets, since);
        if archive.refused > 0 {
            page.notes.push(format!(
                "lines of the archive of webhooks that none of this workspace's webhooks signed, and were left out: {}",
                archive.refused
            ));
        }
        let archive = Arc::new(archive);
        *kept = Some(Arc::clone(&archive));
        Ok(Some(archive))
    }

    /// Looks at tickets that were read before and not in this read, in the order of their keys: those that the reporting interface
    /// does not know are asked for, and only who answers that there is none is gone.
    pub(super) async fn sweep(
        &self,
        cx: &Context,
        setup: &Setup,
        began: chrono::DateTime<chrono::Utc>,
        after: Option<&RecordKey>,
        page: &mut Page,
    ) -> Result<Swept> {
        let ids = match self.all_ids(cx).await {
            Err(error) if is_beyond(error.kind()) => {
                page.notes.push(format!(
                    "the reporting interface is not to be had ({}), so nothing tells which tickets are gone",
                    error.message()
                ));
                return Ok(Swept::default());
            }
            ids => ids?,
        };
        let kind = RecordKind::Conversation;
        let keys = cx.not_read_since(kind, began, after, TOGETHER).await?;
        let mut swept = Swept {
            after: keys.last().cloned(),
            gone: 0,
        };
        for key in keys {
            let Ok(id) = key.id().parse::<u64>() else {
                continue;
            };
            let known = ids.binary_search(&id).is_ok();
            if known || key != setup.ground.key(kind, id) {
                continue;
            }
            if self.client.ticket(cx, id, key).await?.is_none() {
                swept.gone += 1;
                if swept.gone <= NAMED {
                    page.notes.push(gone(id));
                }
            }
        }
        if swept.after.is_none() {
            *self.ids.lock().await = None;
        }
        Ok(swept)
    }

    /// The ids of all tickets, ascending: eight bytes each.
    async fn all_ids(&self, cx: &Context) -> Result<Arc<Vec<u64>>> {
        let mut kept = self.ids.lock().await;
        if let Some(ids) = kept.as_ref() {
            return Ok(Arc::clone(ids));
        }
        let mut ids: Vec<u64> = Vec::new();
        loop {
            let after = ids.last().copied().unwrap_or(0);
            let rows = self.client.reported(cx, after).await?;
            let mut more: Vec<u64> = rows
                .iter()
                .filter_map(super::tickets::reported_id)
                .filter(|id| *id > after)
                .collect();
            if more.is_empty() {
                break;
            }
            more.sort_unstable();
            ids.append(&mut more);
        }
        let ids = Arc::new(ids);
        *kept = Some(Arc::clone(&ids));
        Ok(ids)
    }
}

/// What is said of a ticket that was read before.
pub(super) fn gone(id: u64) -> String {
    format!(
        "ticket {id} is gone: deleted, or merged into another one that has its messages now; what was loaded of it stays"
    )
}
