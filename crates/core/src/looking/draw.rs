//! Some cases of all, drawn with a number, so that every channel, age and size is among them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::context::Context;
use crate::error::Result;
use crate::key::{RecordId, RecordKey, RecordKind};
use crate::ledger::{Ledger, SqliteLedger};
use crate::migration::Workspace;
use crate::model::{Conversation, Message, Record};
use crate::sink::Verdict;
use crate::stage::Stage;

/// How many conversations are looked at together.
const TOGETHER: usize = 500;

/// A case that was drawn.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DrawnCase {
    /// What it stands for: its channel, its age and its size.
    pub stratum: String,
    /// The conversation as it was read.
    pub conversation: Conversation,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
    /// The id of its row in the target.
    pub id: String,
}

#[derive(Debug, Clone)]
struct Candidate {
    id: RecordId,
    key: RecordKey,
    channel: &'static str,
    created: i64,
    messages: u64,
}

/// Draws `cases` of the conversations that stand in the target whose folder this is: from each mix of channel, age and size
/// in turn, the rarest first. The same number draws the same cases, as long as the same stand there.
///
/// # Errors
/// `Storage`.
pub async fn draw(
    cx: &Context,
    workspace: &Workspace,
    target: &Path,
    seed: u64,
    cases: usize,
) -> Result<Vec<DrawnCase>> {
    let stage = Stage::open(&workspace.stage()).await?;
    let ledger = SqliteLedger::open(&target.join("ledger.sqlite"))?;
    let candidates = candidates(cx, &stage, &ledger).await?;
    let mut drawn = Vec::new();
    for (stratum, candidate) in choose(candidates, seed, cases) {
        let rows = stage.index().rows(&[candidate.id]).await?;
        let Some(row) = rows.first() else { continue };
        let Some(Record::Conversation(conversation)) = stage.records(&rows).await?.pop() else {
            continue;
        };
        let said = stage
            .index()
            .group_rows(&[row.group], &[RecordKind::Message])
            .await?;
        let mut messages: Vec<Message> = Vec::new();
        for record in stage.records(&said).await? {
            if let Record::Message(message) = record {
                messages.push(*message);
            }
        }
        messages.sort_by_key(|m| (m.sent_at, m.sequence));
        let effects = ledger.effects(&[candidate.id]).await?;
        let Some(id) = effects.iter().find_map(|effect| effect.id()) else {
            continue;
        };
        drawn.push(DrawnCase {
            stratum,
            conversation: *conversation,
            messages,
            id: id.to_owned(),
        });
    }
    Ok(drawn)
}

async fn candidates(cx: &Context, stage: &Stage, ledger: &SqliteLedger) -> Result<Vec<Candidate>> {
    let index = stage.index();
    let (mut found, mut place) = (Vec::new(), None);
    loop {
        cx.check("draw cases")?;
        let rows = index
            .scan(&[RecordKind::Conversation], place.as_ref(), TOGETHER)
            .await?;
        let Some(last) = rows.last() else {
            return Ok(found);
        };
        place = Some(last.place());
        let ids: Vec<RecordId> = rows.iter().map(|row| row.id).collect();
        let outcomes = ledger.outcomes(&ids).await?;
        let groups: Vec<i64> = rows.iter().map(|row| row.group).collect();
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        for row in index.group_rows(&groups, &[RecordKind::Message]).await? {
            *counts.entry(row.group).or_default() += 1;
        }
        let records = stage.records(&rows).await?;
        for ((row, record), outcome) in rows.iter().zip(records).zip(outcomes) {
            let stands = outcome.as_ref().is_some_and(Verdict::stands_in_target);
            if let (true, Record::Conversation(conversation)) = (stands, record) {
                found.push(Candidate {
                    id: row.id,
                    key: conversation.meta.key.clone(),
                    channel: conversation.channel.is.name(),
                    created: row.at,
                    messages: counts.get(&row.group).copied().unwrap_or(0),
                });
            }
        }
    }
}

/// Candidates, each with what it drew.
type Lots = Vec<([u8; 32], Candidate)>;

/// Which third of all values one is in.
fn third(sorted: &[i64], value: i64, names: [&'static str; 3]) -> &'static str {
    let below = sorted.partition_point(|other| *other < value);
    names[(below * 3 / sorted.len().max(1)).min(2)]
}

fn choose(candidates: Vec<Candidate>, seed: u64, cases: usize) -> Vec<(String, Candidate)> {
    let sorted = |of: fn(&Candidate) -> i64| {
        let mut all: Vec<i64> = candidates.iter().map(of).collect();
        all.sort_unstable();
        all
    };
    let (ages, sizes) = (sorted(|c| c.created), sorted(|c| c.messages as i64));
    let mut strata: BTreeMap<String, Lots> = BTreeMap::new();
    for candidate in candidates {
        let age = third(&ages, candidate.created, ["old", "middle-aged", "young"]);
        let size = third(
            &sizes,
            candidate.messages as i64,
            ["short", "middling", "long"],
        );
        let stratum = format!("{}, {age}, {size}", candidate.channel);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(candidate.key.as_str().as_bytes());
        let lot = *hasher.finalize().as_bytes();
        strata.entry(stratum).or_default().push((lot, candidate));
    }
    let mut strata: Vec<(String, Lots)> = strata.into_iter().collect();
    for (_, candidates) in &mut strata {
        // The last is taken first.
        candidates.sort_by_key(|(lot, _)| std::cmp::Reverse(*lot));
    }
    strata.sort_by_key(|(_, candidates)| candidates.len());
    let mut chosen = Vec::new();
    while chosen.len() < cases && strata.iter().any(|(_, left)| !left.is_empty()) {
        for (stratum, left) in &mut strata {
            if chosen.len() < cases
                && let Some((_, candidate)) = left.pop()
            {
                chosen.push((stratum.clone(), candidate));
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Tenant;

    fn world() -> Vec<Candidate> {
        let tenant = Tenant::new("desk", "acme");
        (0..300)
            .map(|n| Candidate {
                id: RecordId(n),
                key: tenant.key(RecordKind::Conversation, n),
                channel: match n {
                    7 => "voice",
                    n if n % 10 == 0 => "chat",
                    _ => "email",
                },
                created: n * 1_000,
                messages: (n % 30) as u64,
            })
            .collect()
    }

    #[test]
    fn a_number_draws_the_same_cases_and_every_stratum_is_among_them() {
        let ids = |seed| -> Vec<i64> {
            let chosen = choose(world(), seed, 40);
            chosen.iter().map(|(_, c)| c.id.0).collect()
        };
        assert_eq!(ids(5), ids(5));
        assert_ne!(ids(5), ids(6));
        let all: std::collections::BTreeSet<String> = choose(world(), 1, 1_000)
            .into_iter()
            .map(|(s, _)| s)
            .collect();
        let drawn: std::collections::BTreeSet<String> =
            choose(world(), 1, 40).into_iter().map(|(s, _)| s).collect();
        assert_eq!(drawn, all);
        assert!(drawn.iter().any(|s| s.starts_with("voice, ")), "{drawn:?}");
        assert_eq!(choose(world(), 1, 1_000).len(), 300);
        assert!(choose(Vec::new(), 1, 40).is_empty());
    }
}
