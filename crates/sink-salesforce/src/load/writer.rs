//! The write protocol (contract, "One write protocol"): an intent is durable before a row is sent, what became of it
//! after; a row whose answer was lost is looked for before it is sent again.

mod bulk;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::journal::{Effect, EffectState, Intent, Journal, Operation};
use deskferry_core::key::RecordId;

use super::find::{Identity, ROWS as ROWS_SPACE, find};
use crate::client::Api;
use crate::client::collections::{BYTES, CallAnswer, ROWS, RowAnswer, whole_call_error};
use crate::client::error::{Class, Refusal};
use crate::files::Content;
use crate::mapping::SOURCE_KEY;
use crate::mapping::build::Fields;

/// How often a row is sent that somebody else keeps locked, and a call whose answer gets lost.
const MOST_ATTEMPTS: u32 = 8;
/// How many calls of one large batch travel at once. Smaller batches travel side by side themselves.
const SIDE_BY_SIDE: usize = 4;

/// A row on its way.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) record: RecordId,
    pub(crate) row: u32,
    pub(crate) object: &'static str,
    pub(crate) fields: Fields,
    pub(crate) hash: [u8; 16],
    /// When it was sent before without an answer that we know of.
    pub(crate) sent_before: Option<DateTime<Utc>>,
    /// The bulk job that carried it then, if one did.
    pub(crate) job: Option<String>,
    /// For files: their bytes.
    pub(crate) content: Option<Content>,
}

impl Outgoing {
    pub(crate) fn key(&self) -> Option<&str> {
        self.fields.get(SOURCE_KEY).and_then(|key| key.as_str())
    }

    pub(crate) fn effect(&self, operation: Operation, state: EffectState) -> Effect {
        Effect {
            record: self.record,
            row: self.row,
            object: self.object.to_owned(),
            operation,
            state,
            hash: self.hash,
        }
    }
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Landed {
    /// It stands; `ours` when this pass made it.
    Stands { id: String, ours: bool },
    /// It was refused for good.
    Refused { code: String, message: String },
}

/// How rows travel.
#[async_trait]
pub(crate) trait Transport: Send + Sync {
    /// The most rows of one call.
    fn most_rows(&self) -> usize;
    /// Sends rows of one object.
    async fn send(&self, cx: &Context, rows: &[&Outgoing]) -> Result<CallAnswer>;
    /// Whether many of its rows may go by a bulk job instead.
    fn may_go_in_bulk(&self) -> bool {
        false
    }
}

/// By collections.
pub(crate) struct Collections<'a>(pub(crate) &'a Api);

#[async_trait]
impl Transport for Collections<'_> {
    fn most_rows(&self) -> usize {
        ROWS
    }

    async fn send(&self, cx: &Context, rows: &[&Outgoing]) -> Result<CallAnswer> {
        let fields: Vec<&Fields> = rows.iter().map(|row| &row.fields).collect();
        self.0.insert(cx, rows[0].object, &fields).await
    }

    fn may_go_in_bulk(&self) -> bool {
        true
    }
}

/// Writes rows of one object.
pub(crate) struct Writer<'a> {
    pub(crate) api: &'a Api,
    pub(crate) cx: &'a Context,
    pub(crate) journal: &'a dyn Journal,
    pub(crate) transport: &'a dyn Transport,
    pub(crate) identity: Identity,
    /// Ids of rows that are known to belong to others.
    pub(crate) known: HashSet<String>,
}

/// Rows that travel together.
struct Call {
    rows: Vec<usize>,
    attempt: u32,
}

/// What became of the rows of one insert so far.
struct Progress {
    landed: Vec<Option<Landed>>,
    queue: VecDeque<Call>,
    /// Somebody else held rows that a job carried: what is left travels one call after the other.
    contended: bool,
}

impl Writer<'_> {
    /// Inserts rows of one object and tells of each, in order, what became of it.
    ///
    /// # Errors
    /// What ends the run. Whatever was answered before it is settled in the journal.
    pub(crate) async fn insert(&self, mut rows: Vec<Outgoing>) -> Result<Vec<Landed>> {
        let mut progress = Progress {
            landed: vec![None; rows.len()],
            queue: VecDeque::new(),
            contended: false,
        };
        self.rejoin_jobs(&mut rows, &mut progress).await?;
        let doubtful: Vec<usize> = (0..rows.len())
            .filter(|i| rows[*i].sent_before.is_some() && progress.landed[*i].is_none())
            .collect();
        if !doubtful.is_empty() {
            self.look_for(&rows, &doubtful, &mut progress).await?;
        }
        let open: Vec<usize> = (0..rows.len())
            .filter(|i| progress.landed[*i].is_none())
            .collect();
        let open = self.by_jobs(&rows, open, &mut progress).await?;
        progress
            .queue
            .extend(calls(&rows, &open, self.transport.most_rows()));
        let large = self.transport.may_go_in_bulk()
            && self.identity == Identity::Key
            && open.len() > self.transport.most_rows() * SIDE_BY_SIDE
            && !progress.contended;
        let most = if large { SIDE_BY_SIDE } else { 1 };
        loop {
            let calls = next_calls(&rows, &mut progress.queue, most);
            let Some(first) = calls.first() else { break };
            if first.attempt > 0 {
                self.cx
                    .sleep(
                        delay(first.attempt, &rows[first.rows[0]]),
                        "wait before sending again",
                    )
                    .await?;
            }
            self.send(&mut rows, calls, &mut progress).await?;
        }
        let missing = || Error::bug("write rows", "a row ended without an answer");
        progress
            .landed
            .into_iter()
            .map(|landed| landed.ok_or_else(missing))
            .collect()
    }

    /// Sends calls side by side. What one of them ends with waits until the answers of the others are settled.
    async fn send(
        &self,
        rows: &mut [Outgoing],
        calls: Vec<Call>,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut sent = Vec::with_capacity(calls.len());
        for call in calls {
            let request = request_id(self.cx.now(), rows[call.rows[0]].record);
            let sent_at = self.intend(rows, &call.rows, &request).await?;
            sent.push((call, sent_at));
        }
        let shared: &[Outgoing] = rows;
        let travelling = sent.iter().map(|(call, _)| async move {
            let travelling: Vec<&Outgoing> = call.rows.iter().map(|i| &shared[*i]).collect();
            self.transport.send(self.cx, &travelling).await
        });
        let answers = futures::future::join_all(travelling).await;
        let mut ended = Ok(());
        for ((call, sent_at), answer) in sent.into_iter().zip(answers) {
            let settled = match answer {
                Ok(answer) => self.answered(rows, call, sent_at, answer, progress).await,
                Err(error) => Err(error),
            };
            ended = ended.and(settled);
        }
        ended
    }

    /// What became of a call.
    async fn answered(
        &self,
        rows: &mut [Outgoing],
        call: Call,
        sent_at: DateTime<Utc>,
        answer: CallAnswer,
        progress: &mut Progress,
    ) -> Result<()> {
        match answer {
            CallAnswer::Rows(answers) => self.take(rows, &call, answers, progress).await,
            CallAnswer::Refused(status, refusal) => {
                self.refused(rows, call, status, &refusal, progress).await
            }
            CallAnswer::Lost => {
                tracing::info!(
                    rows = call.rows.len(),
                    "an answer was lost; looking what took effect"
                );
                for i in &call.rows {
                    rows[*i].sent_before = Some(sent_at);
                }
                self.look_for(rows, &call.rows, progress).await?;
                let open: Vec<usize> = call
                    .rows
                    .iter()
                    .copied()
                    .filter(|i| progress.landed[*i].is_none())
                    .collect();
                again(open, call.attempt, progress)
            }
        }
    }

    async fn intend(
        &self,
        rows: &[Outgoing],
        call: &[usize],
        request: &str,
    ) -> Result<DateTime<Utc>> {
        let sent_at = self.cx.now();
        let intents = call.iter().map(|i| &rows[*i]).map(|row| Intent {
            record: row.record,
            row: row.row,
            object: row.object.to_owned(),
            operation: Operation::Insert,
            request: request.to_owned(),
            sent_at,
            hash: row.hash,
            image: None,
        });
        self.journal.intend(intents.collect()).await?;
        Ok(sent_at)
    }

    /// Sorts a call's answers: final ones are settled, the others travel again.
    async fn take(
        &self,
        rows: &[Outgoing],
        call: &Call,
        answers: Vec<RowAnswer>,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut effects = Vec::new();
        let (mut taken, mut later, mut apart) = (Vec::new(), Vec::new(), Vec::new());
        let mut ends_run = None;
        for (i, answer) in call.rows.iter().copied().zip(answers) {
            let refusal = match answer {
                RowAnswer::Stands(id) => {
                    effects.push(
                        rows[i]
                            .effect(Operation::Insert, EffectState::Confirmed { id: id.clone() }),
                    );
                    progress.landed[i] = Some(Landed::Stands { id, ours: true });
                    continue;
                }
                RowAnswer::Refused(refusal) => refusal,
            };
            let last = call.attempt + 1 >= MOST_ATTEMPTS;
            match refusal.class() {
                // An article's address is made of its key.
                Class::Duplicate if refusal.is_our_key() || self.identity == Identity::Article => {
                    taken.push((i, refusal));
                }
                Class::Locked | Class::Transient | Class::Derived | Class::Busy if !last => {
                    later.push(i)
                }
                Class::Automation | Class::Size if call.rows.len() > 1 => apart.push(i),
                Class::Quota | Class::Session => ends_run = Some(refusal),
                _ => fail(rows, i, refusal, &mut effects, progress),
            }
        }
        self.claim_rows(&effects).await?;
        self.settle(effects).await?;
        if let Some(refusal) = ends_run {
            return Err(whole_call_error(200, &refusal, "write rows"));
        }
        self.claim_standing(rows, taken, progress).await?;
        for half in halves(apart) {
            progress.queue.push_front(Call {
                rows: half,
                attempt: 0,
            });
        }
        travel_later(later, call.attempt, progress);
        Ok(())
    }

    /// A call that was refused as a whole: later, in halves, or not at all.
    async fn refused(
        &self,
        rows: &[Outgoing],
        call: Call,
        status: u16,
        refusal: &Refusal,
        progress: &mut Progress,
    ) -> Result<()> {
        match refusal.class() {
            Class::Locked | Class::Transient | Class::Busy if call.attempt + 1 < MOST_ATTEMPTS => {
                travel_later(call.rows, call.attempt, progress);
                Ok(())
            }
            Class::Size | Class::Automation if call.rows.len() > 1 => divide(call.rows, progress),
            // One row that is no JSON to the platform spoils the call.
            Class::Row if refusal.code == "JSON_PARSER_ERROR" && call.rows.len() > 1 => {
                divide(call.rows, progress)
            }
            Class::Size | Class::Automation | Class::Row if call.rows.len() == 1 => {
                let mut effects = Vec::new();
                fail(rows, call.rows[0], refusal.clone(), &mut effects, progress);
                self.settle(effects).await
            }
            _ => Err(whole_call_error(status, refusal, "write rows")
                .with("object", rows[call.rows[0]].object)),
        }
    }

    /// Rows whose key is taken: an answer was lost, or an earlier pass made them.
    async fn claim_standing(
        &self,
        rows: &[Outgoing],
        taken: Vec<(usize, Refusal)>,
        progress: &mut Progress,
    ) -> Result<()> {
        if taken.is_empty() {
            return Ok(());
        }
        let which: Vec<usize> = taken.iter().map(|(i, _)| *i).collect();
        self.look_for(rows, &which, progress).await?;
        let mut effects = Vec::new();
        for (i, refusal) in taken {
            if progress.landed[i].is_none() {
                fail(rows, i, refusal, &mut effects, progress);
            }
        }
        self.settle(effects).await
    }

    async fn settle(&self, effects: Vec<Effect>) -> Result<()> {
        if effects.is_empty() {
            return Ok(());
        }
        self.journal.settle(effects).await
    }

    /// Rows that carry no key are claimed by their ids, before they are settled: when an answer is lost later, a row that
    /// says the same is known to be another record's.
    async fn claim_rows(&self, effects: &[Effect]) -> Result<()> {
        if self.identity != Identity::Comment {
            return Ok(());
        }
        let claims: Vec<(String, RecordId)> = effects
            .iter()
            .filter_map(|effect| Some((effect.id()?.to_owned(), effect.record)))
            .collect();
        if !claims.is_empty() {
            self.journal.claim(ROWS_SPACE, &claims).await?;
        }
        Ok(())
    }

    /// Looks in the org which of these rows stand, and settles those that do.
    async fn look_for(
        &self,
        rows: &[Outgoing],
        which: &[usize],
        progress: &mut Progress,
    ) -> Result<()> {
        let landed = progress
            .landed
            .iter()
            .flatten()
            .filter_map(|landed| match landed {
                Landed::Stands { id, .. } => Some(id.as_str()),
                Landed::Refused { .. } => None,
            });
        let known: HashSet<&str> = landed
            .chain(self.known.iter().map(String::as_str))
            .collect();
        let wanted: Vec<&Outgoing> = which.iter().map(|i| &rows[*i]).collect();
        let found = find(self, &wanted, &known).await?;
        let mut effects = Vec::new();
        for (i, found) in which.iter().copied().zip(found) {
            let Some((id, ours)) = found else { continue };
            let operation = if ours {
                Operation::Insert
            } else {
                Operation::Matched
            };
            effects.push(rows[i].effect(operation, EffectState::Confirmed { id: id.clone() }));
            progress.landed[i] = Some(Landed::Stands { id, ours });
        }
        self.claim_rows(&effects).await?;
        self.settle(effects).await
    }
}

fn fail(
    rows: &[Outgoing],
    i: usize,
    refusal: Refusal,
    effects: &mut Vec<Effect>,
    progress: &mut Progress,
) {
    let Refusal { code, message, .. } = refusal;
    effects.push(rows[i].effect(
        Operation::Insert,
        EffectState::Failed {
            code: code.clone(),
            message: message.clone(),
        },
    ));
    progress.landed[i] = Some(Landed::Refused { code, message });
}

/// Sends rows again whose answer was lost and that do not stand.
fn again(rows: Vec<usize>, attempt: u32, progress: &mut Progress) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    if attempt + 1 >= MOST_ATTEMPTS {
        let said = format!("the answer was lost {MOST_ATTEMPTS} times in a row");
        return Err(Error::new(ErrorKind::Unavailable, "write rows", said)
            .advise("Check the way to the org, then run `resume`"));
    }
    progress.queue.push_front(Call {
        rows,
        attempt: attempt + 1,
    });
    Ok(())
}

/// Rows that somebody else holds travel after all others; from the third time on in smaller and smaller calls.
fn travel_later(rows: Vec<usize>, attempt: u32, progress: &mut Progress) {
    let parts = if attempt >= 2 {
        halves(rows)
    } else {
        vec![rows]
    };
    for rows in parts.into_iter().filter(|rows| !rows.is_empty()) {
        progress.queue.push_back(Call {
            rows,
            attempt: attempt + 1,
        });
    }
}

fn divide(rows: Vec<usize>, progress: &mut Progress) -> Result<()> {
    for half in halves(rows) {
        progress.queue.push_front(Call {
            rows: half,
            attempt: 0,
        });
    }
    Ok(())
}

fn halves(rows: Vec<usize>) -> Vec<Vec<usize>> {
    let (first, second) = rows.split_at(rows.len() / 2);
    [second, first]
        .into_iter()
        .filter(|half| !half.is_empty())
        .map(<[usize]>::to_vec)
        .collect()
}

/// The calls that travel next: the first one, and others that were not sent before while they share no parent with it.
fn next_calls(rows: &[Outgoing], queue: &mut VecDeque<Call>, most: usize) -> Vec<Call> {
    let parent = |i: Option<&usize>| rows[*i?].fields.get("ParentId")?.as_str();
    let mut calls: Vec<Call> = queue.pop_front().into_iter().collect();
    while calls.len() < most && calls.iter().all(|call| call.attempt == 0) {
        // Rows of one parent are adjacent: two calls meet at their ends alone.
        let last = calls.last().and_then(|call| parent(call.rows.last()));
        let apart = |call: &Call| last.is_none() || last != parent(call.rows.first());
        match queue.front() {
            Some(next) if next.attempt == 0 && apart(next) => calls.extend(queue.pop_front()),
            _ => break,
        }
    }
    calls
}

/// Rows in calls: at most so many, at most so many bytes, no key twice.
fn calls(rows: &[Outgoing], open: &[usize], most_rows: usize) -> Vec<Call> {
    let mut calls = Vec::new();
    let (mut together, mut bytes) = (Vec::new(), 0);
    let mut keys = HashSet::new();
    for i in open.iter().copied() {
        let size = size_of(&rows[i].fields);
        let twice = rows[i].key().is_some_and(|key| keys.contains(key));
        if !together.is_empty() && (together.len() == most_rows || bytes + size > BYTES || twice) {
            calls.push(Call {
                rows: std::mem::take(&mut together),
                attempt: 0,
            });
            keys.clear();
            bytes = 0;
        }
        keys.extend(rows[i].key());
        bytes += size;
        together.push(i);
    }
    if !together.is_empty() {
        calls.push(Call {
            rows: together,
            attempt: 0,
        });
    }
    calls
}

/// About the bytes of a row in a call; never less than a third below.
fn size_of(fields: &Fields) -> usize {
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.len() + text.len() / 4,
        serde_json::Value::Array(list) => list.len() * 22,
        _ => 8,
    };
    64 + fields
        .iter()
        .map(|(name, v)| name.len() + value(v) + 6)
        .sum::<usize>()
}

/// Doubling from half a second to 30 s, spread so that workers do not meet again.
fn delay(attempt: u32, row: &Outgoing) -> Duration {
    let full = 500_u64 << attempt.saturating_sub(1).min(6);
    let spread = u64::from_le_bytes(row.hash[..8].try_into().unwrap_or_default())
        .wrapping_add(u64::from(attempt))
        % 1_000;
    Duration::from_millis((full / 2 + full * spread / 2_000).min(30_000))
}

/// A name that no other request has.
fn request_id(sent_at: DateTime<Utc>, record: RecordId) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!(
        "{:x}-{}-{}",
        sent_at.timestamp_micros(),
        record,
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(key: &str, size: usize) -> Outgoing {
        let mut fields = Fields::new();
        fields.insert(SOURCE_KEY.into(), json!(key));
        fields.insert("TextBody".into(), json!("x".repeat(size)));
        Outgoing {
            record: RecordId(1),
            row: 0,
            object: "EmailMessage",
            fields,
            hash: [7; 16],
            sent_before: None,
            job: None,
            content: None,
        }
    }

    #[test]
    fn calls_keep_to_the_limits_in_rows_and_bytes_and_hold_no_key_twice() {
        let sizes = |rows: &[Outgoing]| -> Vec<usize> {
            let open: Vec<usize> = (0..rows.len()).collect();
            calls(rows, &open, ROWS)
                .iter()
                .map(|c| c.rows.len())
                .collect()
        };
        let many: Vec<Outgoing> = (0..450).map(|n| row(&n.to_string(), 10)).collect();
        assert_eq!(sizes(&many), [200, 200, 50]);
        let large: Vec<Outgoing> = (0..5).map(|n| row(&n.to_string(), 12 << 20)).collect();
        assert_eq!(sizes(&large), [2, 2, 1]);
        assert_eq!(sizes(&[row("a", 1), row("b", 1), row("a", 1)]), [2, 1]);
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        let row = row("a", 1);
        let waits: Vec<Duration> = (1..12).map(|n| delay(n, &row)).collect();
        assert!(waits[0] <= Duration::from_millis(500));
        assert!(waits.iter().all(|w| *w <= Duration::from_secs(30)) && waits[10] > waits[0]);
    }
}
