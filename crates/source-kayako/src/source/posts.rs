//! The posts of a page of cases, case by case, newest first (Kayako reference, sections 4 and 8).

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page, Reject, Shard, Skip};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, RecordKind, Result, Tenant};
use serde::{Deserialize, Serialize};

use super::{Kayako, cursor, id_of, read_place, watermark};
use crate::client::{Listed, PAGE, Place};
use crate::convert::{self, Converted, Threading};
use crate::wire::{self, Post, Raw};

/// How names of these shards begin.
pub(super) const PREFIX: &str = "posts/";

/// So many cases in a row whose posts are refused are no exception: the account lacks the right.
const DENIALS: u32 = 20;

/// A case whose posts are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scoped {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) merged: bool,
}

/// The shard that reads the posts of these cases. `stamp` tells a later reading of the same cases from the first one.
pub(super) fn shard(cases: &[Scoped], stamp: Option<DateTime<Utc>>) -> Result<Option<Shard>> {
    let Some(first) = cases.first() else {
        return Ok(None);
    };
    let name = match stamp {
        None => format!("{PREFIX}{}", first.id),
        // Two later readings may begin with the same case in the same second: the others tell them apart.
        Some(stamp) => {
            let ids: Vec<String> = cases.iter().map(|case| case.id.to_string()).collect();
            format!("{PREFIX}{}@{}", ids.join("+"), stamp.timestamp())
        }
    };
    let scope = serde_json::to_value(cases)
        .map_err(|error| Error::bug("write down a shard", error.to_string()))?;
    // Agents and contacts only where a post names one that no list had.
    let yields = [
        RecordKind::Message,
        RecordKind::Attachment,
        RecordKind::Agent,
        RecordKind::Contact,
    ];
    Ok(Some(
        Shard::new(name, yields)
            .needing([RecordKind::Agent, RecordKind::Contact])
            .scoped(scope),
    ))
}

/// How far the posts were read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reading {
    /// The case that is being read, by its place in the shard.
    index: usize,
    /// The last post of the page before: the next page is what is older.
    after: Option<String>,
    /// How many posts of the case were received.
    read: u64,
}

impl Kayako {
    pub(super) async fn posts_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let cases: Vec<Scoped> = serde_json::from_value(shard.scope.clone()).map_err(|error| {
            Error::new(
                ErrorKind::Mismatch,
                "read the posts of cases",
                format!("shard {} names no cases: {error}", shard.id),
            )
        })?;
        let reading: Reading = read_place(after).unwrap_or_default();
        let Some(case) = cases.get(reading.index).copied() else {
            return Ok(Page::new(Vec::new(), Next::End(watermark(cx.now()))));
        };
        let tenant = self.client.tenant(cx).await?;
        let key = tenant.key(RecordKind::Conversation, case.id);
        let listed = self
            .client
            .posts(cx, case.id, key.clone(), reading.after.as_deref())
            .await;
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let is_there = matches!(listed, Ok(Some(_)));
        let more = match listed {
            Err(error) if is_denied(&error) => {
                if self.denials.fetch_add(1, Ordering::Relaxed) >= DENIALS {
                    return Err(error);
                }
                unread(
                    &mut page,
                    case.id,
                    "forbidden",
                    "the account may not read its posts",
                );
                None
            }
            Err(error) => return Err(error),
            Ok(None) => {
                unread(
                    &mut page,
                    case.id,
                    "vanished",
                    "it was gone when its posts were asked for",
                );
                None
            }
            Ok(Some(listed)) => {
                self.denials.store(0, Ordering::Relaxed);
                self.convert(cx, &tenant, case, &listed.rows, &mut page)
                    .await?;
                further(&reading, &listed, &key)?
            }
        };
        // With its last posts, since there is no other place for it.
        if more.is_none() && is_there {
            self.add_history(cx, &tenant, case.id, &mut page).await?;
        }
        let next = more.unwrap_or_else(|| {
            page.complete.push(key);
            Reading {
                index: reading.index + 1,
                ..Reading::default()
            }
        });
        if next.index < cases.len() {
            page.next = Next::More(cursor(&next)?);
        }
        Ok(page)
    }

    async fn convert(
        &self,
        cx: &Context,
        tenant: &Tenant,
        case: Scoped,
        rows: &[Raw],
        page: &mut Page,
    ) -> Result<()> {
        let mut posts: Vec<(Post, &Raw)> = Vec::with_capacity(rows.len());
        for raw in rows {
            match wire::decode::<Post>(raw) {
                Ok(post) => posts.push((post, raw)),
                Err(defect) => page.rejects.push(convert::reject(
                    RecordKind::Message,
                    id_of(raw),
                    defect,
                    raw,
                )),
            }
        }
        if case.merged {
            self.drop_moved(cx, tenant, case, &mut posts, page).await?;
        }
        // Oldest first, so that an image that is quoted again belongs to the post that brought it.
        posts.sort_by_key(|(post, _)| (post.created_at, post.id));
        let users: Vec<&wire::Ref> = posts
            .iter()
            .filter_map(|(post, _)| convert::users_of(post))
            .collect();
        let found = self.resolve(cx, tenant, &users).await?;
        let mut threads = self.originals(cx, tenant, &posts).await?;
        let place = convert::Place {
            tenant,
            root: self.client.root(),
            case: case.id,
            merged: case.merged,
        };
        for (post, raw) in &posts {
            match convert::message(&place, post, &found.people, threads.remove(&post.id)) {
                Ok(converted) => self.add(converted, raw, page),
                Err(defect) => {
                    page.rejects.push(convert::reject(
                        RecordKind::Message,
                        Some(post.id.to_string()),
                        defect,
                        raw,
                    ));
                }
            }
        }
        page.records.extend(found.records);
        page.rejects.extend(found.rejects);
        page.notes.extend(found.notes);
        Ok(())
    }

    /// Posts of a merged case that were read with the case that goes on. They keep their ids there, as far as is known.
    async fn drop_moved(
        &self,
        cx: &Context,
        tenant: &Tenant,
        case: Scoped,
        posts: &mut Vec<(Post, &Raw)>,
        page: &mut Page,
    ) -> Result<()> {
        let keys: Vec<RecordKey> = posts
            .iter()
            .map(|(post, _)| tenant.key(RecordKind::Message, post.id))
            .collect();
        let mut seen = cx.seen(&keys).await?.into_iter();
        let before = posts.len();
        posts.retain(|_| !seen.next().unwrap_or(false));
        if posts.len() < before {
            page.notes.push(format!(
                "case {} was merged: {} of its posts are kept with the other case",
                case.id,
                before - posts.len()
            ));
        }
        Ok(())
    }

    /// The threading headers of the mails among these posts, if they were asked for.
    async fn originals(
        &self,
        cx: &Context,
        tenant: &Tenant,
        posts: &[(Post, &Raw)],
    ) -> Result<HashMap<u64, Threading>> {
        let mut threads = HashMap::new();
        if !self.config.email_headers() {
            return Ok(threads);
        }
        for (post, _) in posts
            .iter()
            .filter(|(post, _)| convert::wants_original(post))
        {
            let about = tenant.key(RecordKind::Message, post.id);
            let original = self.client.email_original(cx, post.id, about).await?;
            if let Some(source) = original.and_then(|original| original.source_content) {
                threads.insert(post.id, Threading::of(&source));
            }
        }
        Ok(threads)
    }

    fn add(&self, converted: Converted, raw: &Raw, page: &mut Page) {
        if let Some(reason) = converted.skip {
            page.skips.push(Skip {
                key: converted.message.meta.key.clone(),
                reason: reason.to_owned(),
            });
        }
        for attachment in converted.attachments {
            let known = |record: &Record| *record.key() == attachment.meta.key;
            if !page.records.iter().any(known) {
                page.records.push(Record::from(attachment));
            }
        }
        let mut record = Record::from(converted.message);
        self.keep_raw(&mut record, raw);
        page.records.push(record);
        page.rejects.extend(converted.rejects);
    }
}

/// Whether the account may not do this one thing; a licence that has expired ends everything.
fn is_denied(error: &Error) -> bool {
    error.kind() == ErrorKind::Forbidden && error.context("status") == Some("403")
}

/// The case was listed, and its posts cannot be had: its conversation stays as it was listed.
fn unread(page: &mut Page, case: u64, word: &str, why: &str) {
    page.rejects.push(Reject {
        kind: RecordKind::Message,
        id: None,
        path: "posts".to_owned(),
        reason: format!("{word}: case {case} was listed, but {why}"),
        raw: String::new(),
    });
    page.notes
        .push(format!("case {case} was listed, but {why}"));
}

/// The next, older page of the same case, if there is one.
fn further(reading: &Reading, listed: &Listed, case: &RecordKey) -> Result<Option<Reading>> {
    let read = reading.read + listed.rows.len() as u64;
    let Some(last) = listed.rows.last().and_then(id_of) else {
        return Ok(None);
    };
    let more = match (&listed.next, listed.total) {
        (_, Some(total)) if listed.is_short(PAGE) => read < total && listed.next.is_some(),
        (Some(_), _) => true,
        (None, Some(total)) => read < total,
        (None, None) => !listed.is_short(PAGE),
    };
    if !more {
        return Ok(None);
    }
    let after = match &listed.next {
        Some(Place::After(id)) => id.clone(),
        _ => last,
    };
    if reading.after.as_ref() == Some(&after) {
        return Err(Error::new(
            ErrorKind::Protocol,
            "list posts",
            "a page of posts came twice",
        )
        .of(case.clone())
        .advise("Reading on would never end; run `resume` to read on from this page"));
    }
    Ok(Some(Reading {
        index: reading.index,
        after: Some(after),
        read,
    }))
}
