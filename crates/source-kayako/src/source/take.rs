//! Rows of lists of cases as records: whose they are, which are left out, and the shard that reads their posts.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deskferry_core::model::Record;
use deskferry_core::source::{Next, Page, Skip};
use deskferry_core::{Context, ErrorKind, RecordKey, RecordKind, Result, Tenant};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::people::Resolved;
use super::posts::{self, Scoped};
use super::{Kayako, id_of, watermark};
use crate::config::Take;
use crate::convert::{self, CasePeople};
use crate::wire::{self, Case, Raw, SetAside};

/// Histories of merged cases that are asked for at once.
const HISTORIES_AT_ONCE: usize = 4;

/// What a page of cases brought.
pub(super) struct Taken {
    pub(super) page: Page,
    /// How many of its rows nobody had seen before.
    pub(super) fresh: u64,
    /// The highest number among its rows.
    pub(super) highest: u64,
    /// When the rows were changed last, in their order, for those that could be read.
    pub(super) changed: Vec<Option<DateTime<Utc>>>,
}

/// Which rows of a page are taken.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// Those that were never seen.
    Fresh,
    /// Those that changed since.
    ChangedSince(DateTime<Utc>),
}

impl Kayako {
    pub(super) fn takes(&self, set_aside: SetAside) -> Take {
        match set_aside {
            SetAside::Trash => self.config.trashed(),
            SetAside::Suspended => self.config.suspended(),
        }
    }

    /// Why a case is left out, if it is.
    fn left_out(&self, case: &Case) -> Option<&'static str> {
        let set_aside = case
            .set_aside()
            .filter(|why| self.takes(*why) == Take::Skip);
        match set_aside {
            Some(SetAside::Trash) => Some("trashed"),
            Some(SetAside::Suspended) => Some("suspended"),
            None if case.is_merged() && self.config.merged() == Take::Skip => Some("merged"),
            None => None,
        }
    }

    /// The wanted rows as records, and the shard that reads their posts.
    pub(super) async fn take(
        &self,
        cx: &Context,
        tenant: &Tenant,
        rows: &[Raw],
        wanted: Wanted,
    ) -> Result<Taken> {
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let mut decoded: Vec<(Case, &Raw)> = Vec::with_capacity(rows.len());
        let mut changed = Vec::with_capacity(rows.len());
        for raw in rows {
            match wire::decode::<Case>(raw) {
                Ok(case) => {
                    changed.push(case.updated_at);
                    decoded.push((case, raw));
                }
                Err(defect) => page.rejects.push(convert::reject(
                    RecordKind::Conversation,
                    id_of(raw),
                    defect,
                    raw,
                )),
            }
        }
        let highest = decoded.iter().map(|(case, _)| case.id).max();
        let (decoded, fresh) = self.wanted(cx, tenant, decoded, wanted).await?;
        let (kept, left_out): (Vec<_>, Vec<_>) = decoded
            .into_iter()
            .partition(|(case, _)| self.left_out(case).is_none());
        self.add_kept(cx, tenant, &kept, &mut page).await?;
        self.add_left_out(cx, tenant, &left_out, &mut page).await?;
        let cases: Vec<Scoped> = kept
            .iter()
            .map(|(case, _)| Scoped {
                id: case.id,
                merged: case.is_merged(),
            })
            .collect();
        let stamp = match wanted {
            Wanted::Fresh => None,
            Wanted::ChangedSince(_) => kept.first().and_then(|(case, _)| case.updated_at),
        };
        page.spawn.extend(posts::shard(&cases, stamp)?);
        Ok(Taken {
            page,
            fresh,
            highest: highest.unwrap_or_default(),
            changed,
        })
    }

    async fn add_kept(
        &self,
        cx: &Context,
        tenant: &Tenant,
        rows: &[(Case, &Raw)],
        page: &mut Page,
    ) -> Result<()> {
        let definitions = self.definitions(cx).await?;
        let people: Vec<&wire::Ref> = rows
            .iter()
            .flat_map(|(case, _)| case.requester.iter().chain(assignee(case)))
            .collect();
        let mut found = self.resolve(cx, tenant, &people).await?;
        page.notes.append(&mut found.notes);
        let merges = self.merges(cx, tenant, rows, page).await?;
        let mut placeholders = BTreeSet::new();
        let mut bare = 0;
        for (case, raw) in rows {
            let mut people = people_of(tenant, case, &found);
            people.merged_into = merges.get(&case.id).cloned();
            bare += usize::from(case.has_bare_status());
            if let (Some(id), None) = (
                case.requester.as_ref().and_then(wire::Ref::user),
                &people.requester,
            ) {
                page.notes.push(format!(
                    "case {}: its requester, user {id}, is gone",
                    case.id
                ));
            }
            if let (Some(id), None) = (assignee(case).and_then(wire::Ref::user), &people.assignee) {
                // Whoever had a case was an agent; the number is all that is left of them.
                people.assignee = Some(tenant.key(RecordKind::Agent, id));
                if placeholders.insert(id) {
                    page.records
                        .push(Record::from(convert::departed(tenant, id)));
                }
                page.notes.push(format!(
                    "case {}: its assignee, user {id}, is gone",
                    case.id
                ));
            }
            let mut record = Record::from(convert::conversation(
                tenant,
                &definitions.values,
                case,
                people,
            ));
            self.keep_raw(&mut record, raw);
            page.records.push(record);
        }
        if bare > 0 {
            page.notes.push(format!(
                "{bare} cases came with a bare reference in place of their status: only its number is known"
            ));
        }
        self.add_beside(cx, tenant, rows, page).await?;
        page.records.extend(found.records);
        page.rejects.extend(found.rejects);
        Ok(())
    }

    /// Cases that are named and counted, and nothing more is asked about them.
    async fn add_left_out(
        &self,
        cx: &Context,
        tenant: &Tenant,
        rows: &[(Case, &Raw)],
        page: &mut Page,
    ) -> Result<()> {
        let definitions = self.definitions(cx).await?;
        for (case, raw) in rows {
            let nobody = CasePeople::default();
            let conversation = convert::conversation(tenant, &definitions.values, case, nobody);
            let key = conversation.meta.key.clone();
            let mut record = Record::from(conversation);
            self.keep_raw(&mut record, raw);
            page.records.push(record);
            page.complete.push(key.clone());
            page.skips.push(Skip {
                key,
                reason: self.left_out(case).unwrap_or_default().to_owned(),
            });
        }
        Ok(())
    }

    /// Into which cases the merged ones among these were merged.
    async fn merges(
        &self,
        cx: &Context,
        tenant: &Tenant,
        rows: &[(Case, &Raw)],
        page: &mut Page,
    ) -> Result<HashMap<u64, RecordKey>> {
        let merged: Vec<u64> = rows
            .iter()
            .map(|(case, _)| case)
            .filter(|case| case.is_merged())
            .map(|case| case.id)
            .collect();
        let asked = merged.into_iter().map(|id| async move {
            let about = tenant.key(RecordKind::Conversation, id);
            let history = match self.client.activities(cx, id, about).await {
                Err(error)
                    if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) =>
                {
                    Vec::new()
                }
                history => history?,
            };
            Result::Ok((id, convert::merged_into(id, &history)))
        });
        let found: Vec<(u64, Option<u64>)> = stream::iter(asked)
            .buffered(HISTORIES_AT_ONCE)
            .try_collect()
            .await?;
        let mut merges = HashMap::new();
        for (id, into) in found {
            match into {
                Some(into) => {
                    merges.insert(id, tenant.key(RecordKind::Conversation, into));
                }
                None => page.notes.push(format!(
                    "case {id} was merged, and its history does not say into which other case"
                )),
            }
        }
        Ok(merges)
    }

    /// The wanted rows, each once, and how many of all rows were never seen.
    async fn wanted<'a>(
        &self,
        cx: &Context,
        tenant: &Tenant,
        mut rows: Vec<(Case, &'a Raw)>,
        wanted: Wanted,
    ) -> Result<(Vec<(Case, &'a Raw)>, u64)> {
        let mut met = BTreeSet::new();
        rows.retain(|(case, _)| met.insert(case.id));
        let keys: Vec<_> = rows
            .iter()
            .map(|(case, _)| tenant.key(RecordKind::Conversation, case.id))
            .collect();
        let seen = cx.seen(&keys).await?;
        let fresh = seen.iter().filter(|seen| !**seen).count() as u64;
        let is_wanted = |case: &Case, seen: bool| match wanted {
            Wanted::Fresh => !seen,
            Wanted::ChangedSince(until) => case.updated_at.is_some_and(|changed| changed >= until),
        };
        let rows = rows
            .into_iter()
            .zip(seen)
            .filter(|((case, _), seen)| is_wanted(case, *seen))
            .map(|(row, _)| row)
            .collect();
        Ok((rows, fresh))
    }
}

fn people_of(tenant: &Tenant, case: &Case, found: &Resolved) -> CasePeople {
    let key = |user: Option<&wire::Ref>| {
        let id = user?.user()?;
        found.people.get(&id)?.key(tenant, id)
    };
    CasePeople {
        requester: key(case.requester.as_ref()),
        assignee: key(assignee(case)),
        merged_into: None,
    }
}

fn assignee(case: &Case) -> Option<&wire::Ref> {
    case.assigned_agent.as_ref().or(case.assignee.as_ref())
}
