//! What was read before and is gone: asked for by name at the end of a read of changes, where that is wanted.
//!
//! No list tells what left it (Kayako reference, section 4). A part that sweeps is read as usual first; then whatever of its
//! kind was read before, and not met again by this read, is asked for: only who answers that there is none is gone.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use deskferry_core::source::{Cursor, Next, Page, Shard, Skip, Watermark};
use deskferry_core::{Context, ErrorKind, RecordKey, RecordKind, Result, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::take::Wanted;
use super::{Kayako, VERSION, cursor, id_of, read_place, sees_too_little, watermark};
use crate::client::{List, PAGE};
use crate::wire::Raw;

/// Why a record that is gone is not loaded.
const GONE: &str = "gone";

/// How far a part with a sweep was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sweeping {
    /// When this read began, by our own clock: what was read since was met.
    began: DateTime<Utc>,
    /// The place of the usual read, while it goes on.
    #[serde(default)]
    inner: Option<Value>,
    /// Where the next delta starts, once the usual read is over.
    #[serde(default)]
    end: Option<Value>,
    /// The last record that was looked at.
    #[serde(default)]
    after: Option<RecordKey>,
}

/// What a part's records are, if it is one that can be swept. Agents are not: whoever had a case stays its owner.
fn swept_kind(shard: &str) -> Option<RecordKind> {
    match shard {
        "cases" => Some(RecordKind::Conversation),
        "people" => Some(RecordKind::Contact),
        "organizations" => Some(RecordKind::Account),
        "help-centre" => Some(RecordKind::Article),
        _ => None,
    }
}

/// Whether a part is read with a sweep at its end.
pub(super) fn is_swept(shard: &Shard) -> bool {
    shard.scope.get("sweep").and_then(Value::as_bool) == Some(true)
        && swept_kind(&shard.id).is_some()
}

/// The part with a sweep at its end.
pub(super) fn swept(shard: Shard) -> Shard {
    if swept_kind(&shard.id).is_none() {
        return shard;
    }
    let mut scope = shard.scope.clone();
    match scope.as_object_mut() {
        Some(members) => {
            members.insert("sweep".to_owned(), true.into());
        }
        None => scope = serde_json::json!({ "sweep": true }),
    }
    shard.scoped(scope)
}

impl Kayako {
    /// A page of a part with a sweep: of its usual read first, then of what it did not meet.
    pub(super) async fn swept_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let place: Option<Sweeping> = read_place(after);
        let mut place = place.unwrap_or_else(|| Sweeping {
            began: cx.now(),
            inner: None,
            end: None,
            after: None,
        });
        if let Some(end) = place.end.clone() {
            return self.sweep(cx, shard, place, end).await;
        }
        let inner = place.inner.take().map(|place| Cursor {
            version: VERSION,
            place,
        });
        let mut page = self.usual_page(cx, shard, inner).await?;
        match &page.next {
            Next::More(more) => place.inner = Some(more.place.clone()),
            Next::End(mark) => place.end = Some(mark.place.clone()),
        }
        page.next = Next::More(cursor(&place)?);
        Ok(page)
    }

    async fn sweep(
        &self,
        cx: &Context,
        shard: &Shard,
        mut place: Sweeping,
        end: Value,
    ) -> Result<Page> {
        let tenant = self.client.tenant(cx).await?;
        let mark = Watermark {
            version: VERSION,
            place: end,
        };
        let mut page = Page::new(Vec::new(), Next::End(mark));
        let Some(kind) = swept_kind(&shard.id) else {
            return Ok(page);
        };
        let keys = cx
            .not_read_since(kind, place.began, place.after.as_ref(), PAGE as usize)
            .await?;
        let Some(last) = keys.last().cloned() else {
            return Ok(page);
        };
        if place.after.is_none() && self.is_blind(cx).await? {
            page.notes.push(
                "the account sees only a part of the helpdesk, so what it does not see is not taken for gone"
                    .to_owned(),
            );
            return Ok(page);
        }
        let ids: Vec<(u64, RecordKey)> = keys
            .into_iter()
            .filter_map(|key| Some((key.id().parse().ok()?, key)))
            .collect();
        let next = std::mem::replace(&mut page.next, Next::End(watermark(cx.now())));
        match kind {
            RecordKind::Conversation => self.sweep_cases(cx, &tenant, ids, &mut page).await?,
            _ => self.sweep_list(cx, &tenant, kind, ids, &mut page).await?,
        }
        page.next = next;
        place.after = Some(last);
        page.next = Next::More(cursor(&place)?);
        Ok(page)
    }

    /// Whether the account sees too little to tell what is gone.
    async fn is_blind(&self, cx: &Context) -> Result<bool> {
        let me = self.client.me(cx).await?.user;
        let role = me.role.clone().unwrap_or_default();
        Ok(!sees_too_little(&role, &me.agent_case_access).is_empty())
    }

    /// Cases are asked for together; those that usual lists do not show one by one: they may have been thrown away since.
    async fn sweep_cases(
        &self,
        cx: &Context,
        tenant: &Tenant,
        ids: Vec<(u64, RecordKey)>,
        page: &mut Page,
    ) -> Result<()> {
        let numbers: Vec<u64> = ids.iter().map(|(id, _)| *id).collect();
        let shown = self.client.cases_named(cx, &numbers).await?;
        let shown: BTreeSet<String> = shown.rows.iter().filter_map(id_of).collect();
        let mut there = Vec::new();
        for (id, key) in ids {
            if !shown.contains(&id.to_string()) {
                let answer = self.client.case(cx, id).await;
                self.met(answer, key, &mut there, page)?;
            }
        }
        let everything = Wanted::ChangedSince(DateTime::<Utc>::MIN_UTC);
        let taken = self.take(cx, tenant, &there, everything).await?;
        absorb(page, taken.page);
        Ok(())
    }

    /// What a list that was read whole did not show, one by one.
    async fn sweep_list(
        &self,
        cx: &Context,
        tenant: &Tenant,
        kind: RecordKind,
        ids: Vec<(u64, RecordKey)>,
        page: &mut Page,
    ) -> Result<()> {
        let mut there = Vec::new();
        for (id, key) in ids {
            let answer = match kind {
                RecordKind::Account => self.client.organization(cx, id).await,
                RecordKind::Article => self.client.article(cx, id).await,
                _ => self.client.user(cx, id).await,
            };
            self.met(answer, key, &mut there, page)?;
        }
        let found = match kind {
            RecordKind::Account => self.rows(cx, tenant, List::Organizations, &there).await?,
            RecordKind::Article => self.articles_of(cx, &there).await?,
            _ => self.rows(cx, tenant, List::Users, &there).await?,
        };
        absorb(page, found);
        Ok(())
    }

    /// What was asked for by name is there, gone, or not to be read.
    #[expect(clippy::unused_self, reason = "read beside its callers")]
    fn met(
        &self,
        answer: Result<Option<Raw>>,
        key: RecordKey,
        there: &mut Vec<Raw>,
        page: &mut Page,
    ) -> Result<()> {
        match answer {
            Ok(Some(row)) => there.push(row),
            Ok(None) => page.skips.push(Skip {
                key,
                reason: GONE.to_owned(),
            }),
            Err(error) if error.kind() == ErrorKind::Forbidden => page.notes.push(format!(
                "{} {} is in no list any more, and the account may not read it: it is not taken for gone",
                key.kind(),
                key.id()
            )),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn absorb(page: &mut Page, found: Page) {
    page.records.extend(found.records);
    page.skips.extend(found.skips);
    page.rejects.extend(found.rejects);
    page.complete.extend(found.complete);
    page.spawn.extend(found.spawn);
    page.notes.extend(found.notes);
}
