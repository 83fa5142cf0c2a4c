//! What was said in many conversations at once: searches for a lot of them, instead of lists of each (Kustomer reference,
//! section 6, on budgets).
//!
//! Conversations come in the order of their last change, so a lot of them lies between two moments, and the search takes
//! criteria on the conversations of messages. A search knows neither files, nor what did not change for two years, and lags:
//! so what it shows of each conversation is counted against what the conversation says, and whatever has files or does not
//! add up is read by itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use deskferry_core::source::{Next, Page, Shard};
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result};
use serde::{Deserialize, Serialize};

use super::entries::{self, Scoped};
use super::{Kustomer, watermark};
use crate::client::{Listed, MOST_HITS, SEARCH_PAGE, Said, What};
use crate::config::MessageReads;
use crate::wire::{Raw, Row};

/// How names of these shards begin.
pub(super) const PREFIX: &str = "said/";
/// A lot holds no more messages and notes than this, so that it is a page that fits into memory.
const MOST_ENTRIES: u64 = 1_000;
/// Rows of a list of one conversation.
const LIST_PAGE: u64 = 100;
/// So many lots in a row most of whose conversations do not add up: this org's search does not do what is asked of it.
const DOUBTS: u32 = 3;

/// Conversations next to each other in the order of their last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lot {
    from: i64,
    to: i64,
    conversations: Vec<Scoped>,
}

impl Lot {
    fn count(&self, of: impl Fn(&Scoped) -> Option<u64>) -> u64 {
        self.conversations.iter().filter_map(of).sum()
    }

    /// How many searches find everything that was said, and that which has files.
    fn searches(&self) -> u64 {
        let pages = |count: u64| match count {
            0 => 0,
            count => count.div_ceil(SEARCH_PAGE as u64) + 1,
        };
        pages(self.count(|one| one.messages)) + pages(self.count(|one| one.notes))
    }

    /// How many requests it takes to read each by itself.
    fn alone(&self) -> u64 {
        alone(&self.conversations)
    }
}

fn alone<'a>(conversations: impl IntoIterator<Item = &'a Scoped>) -> u64 {
    let pages = |told: Option<u64>| told.map_or(1, |count| count.div_ceil(LIST_PAGE));
    let each = |one: &Scoped| pages(one.messages) + pages(one.notes);
    conversations.into_iter().map(each).sum()
}

/// What searches showed of a lot.
#[derive(Default)]
struct Shown {
    messages: HashMap<String, Vec<Raw>>,
    notes: HashMap<String, Vec<Raw>>,
    /// Conversations whose messages have files, and those whose notes have.
    filed: BTreeSet<String>,
    filed_notes: BTreeSet<String>,
}

/// Lots that searches may read, and what is read by itself.
fn lots(conversations: Vec<Scoped>) -> (Vec<Lot>, Vec<Scoped>) {
    let (mut lots, mut rest): (Vec<Lot>, Vec<Scoped>) = Default::default();
    let (mut open, mut held) = (false, 0);
    for one in conversations {
        let told = one.messages.zip(one.notes).map(|(a, b)| a + b);
        let Some(told) = told.filter(|told| *told <= MOST_ENTRIES) else {
            // Its messages would stand among the others'.
            open = false;
            rest.push(one);
            continue;
        };
        match lots
            .last_mut()
            .filter(|_| open && held + told <= MOST_ENTRIES)
        {
            Some(lot) => {
                held += told;
                lot.to = one.updated;
                lot.conversations.push(one);
            }
            None => {
                (open, held) = (true, told);
                lots.push(Lot {
                    from: one.updated,
                    to: one.updated,
                    conversations: vec![one],
                });
            }
        }
    }
    (lots, rest)
}

impl Kustomer {
    /// The parts that read what was said in these conversations, which come in the order of their last change. `young`: the
    /// search for what changed lately found them.
    pub(super) fn parts(&self, conversations: Vec<Scoped>, young: bool) -> Result<Vec<Shard>> {
        let searched = young
            && self.config.messages() != MessageReads::Conversation
            && self.doubts.load(Ordering::Relaxed) < DOUBTS;
        let (lots, mut rest) = match searched {
            true => lots(conversations),
            false => (Vec::new(), conversations),
        };
        let mut parts = Vec::new();
        for lot in lots {
            if self.pays(lot.searches(), 0, lot.alone()) {
                parts.push(shard(&lot)?);
            } else {
                rest.extend(lot.conversations);
            }
        }
        for chunk in rest.chunks(entries::CONVERSATIONS) {
            parts.extend(entries::shard(chunk)?);
        }
        Ok(parts)
    }

    /// Whether searches, and other requests that remain beside them, are cheaper than `alone` requests.
    fn pays(&self, searches: u64, beside: u64, alone: u64) -> bool {
        match self.config.messages() {
            MessageReads::Search => true,
            MessageReads::Conversation => false,
            MessageReads::Cheapest => searches * self.config.search_weight() + beside < alone,
        }
    }

    pub(super) async fn said_page(&self, cx: &Context, shard: &Shard) -> Result<Page> {
        let lot: Lot = serde_json::from_value(shard.scope.clone()).map_err(|error| {
            Error::new(
                ErrorKind::Mismatch,
                "read what was said in conversations",
                format!("shard {} names no conversations: {error}", shard.id),
            )
        })?;
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let shown = match self.shown(cx, &lot).await {
            // The search takes no such criterion, or the key may not search: each by itself, then.
            Err(error) if matches!(error.kind(), ErrorKind::Refused | ErrorKind::Forbidden) => {
                self.doubts.store(DOUBTS, Ordering::Relaxed);
                page.notes.push(format!(
                    "what was said is read conversation by conversation: {error}"
                ));
                None
            }
            shown => shown?,
        };
        let rest = match shown {
            Some(shown) => self.settle(cx, &lot, shown, &mut page).await?,
            None => lot.conversations,
        };
        for chunk in rest.chunks(entries::CONVERSATIONS) {
            page.spawn.extend(entries::shard(chunk)?);
        }
        Ok(page)
    }

    /// What the searches show of a lot; none where reading each conversation by itself turns out to be cheaper.
    async fn shown(&self, cx: &Context, lot: &Lot) -> Result<Option<Shown>> {
        let mut shown = Shown::default();
        let own: BTreeSet<&str> = lot
            .conversations
            .iter()
            .map(|one| one.id.as_str())
            .collect();
        if lot.count(|one| one.messages) > 0 {
            let Some(rows) = self.found(cx, lot, What::MessagesWithFiles, &own).await? else {
                return Ok(None);
            };
            shown.filed.extend(rows.into_keys());
            let filed = |one: &&Scoped| shown.filed.contains(&one.id);
            let beside = alone(lot.conversations.iter().filter(filed));
            if !self.pays(lot.searches(), beside, lot.alone()) {
                return Ok(None);
            }
            let Some(rows) = self.found(cx, lot, What::Messages, &own).await? else {
                return Ok(None);
            };
            shown.messages = rows;
        }
        if lot.count(|one| one.notes) > 0 {
            for what in [What::NotesWithFiles, What::Notes] {
                let Some(rows) = self.found(cx, lot, what, &own).await? else {
                    return Ok(None);
                };
                if what == What::Notes {
                    shown.notes = rows;
                } else {
                    shown.filed_notes.extend(rows.into_keys());
                }
            }
        }
        Ok(Some(shown))
    }

    /// Rows by the conversation they stand in, those of other conversations left out; none where there are far too many.
    async fn found(
        &self,
        cx: &Context,
        lot: &Lot,
        what: What,
        own: &BTreeSet<&str>,
    ) -> Result<Option<HashMap<String, Vec<Raw>>>> {
        let told = match what {
            What::Notes | What::NotesWithFiles => lot.count(|one| one.notes),
            What::Messages | What::MessagesWithFiles => lot.count(|one| one.messages),
        };
        let mut rows: HashMap<String, Vec<Raw>> = HashMap::new();
        let (mut met, mut kept, mut seen) = (BTreeSet::new(), 0_usize, 0);
        for page in 1.. {
            let said = Said {
                what,
                from: lot.from,
                to: lot.to,
                page,
            };
            let listed = self.client.said(cx, &said).await?;
            let total = listed.total.unwrap_or_default();
            // Conversations beside the lot that changed at its first or last moment are few, or this is another search than was meant.
            if total > MOST_HITS || total > 2 * told + SEARCH_PAGE as u64 {
                self.doubts.fetch_add(1, Ordering::Relaxed);
                return Ok(None);
            }
            seen += listed.rows.len() as u64;
            let last = listed.rows.len() < SEARCH_PAGE || seen >= total;
            for raw in listed.rows {
                let Ok(row) = Row::read(&raw) else { continue };
                let Some(conversation) = row.related("conversation") else {
                    continue;
                };
                if own.contains(conversation) && met.insert(row.id().to_owned()) {
                    kept += 1;
                    rows.entry(conversation.to_owned()).or_default().push(raw);
                }
            }
            if last {
                break;
            }
        }
        self.client.found(cx, what, kept);
        Ok(Some(rows))
    }

    /// Takes what adds up; what does not is read by itself.
    async fn settle(
        &self,
        cx: &Context,
        lot: &Lot,
        mut shown: Shown,
        page: &mut Page,
    ) -> Result<Vec<Scoped>> {
        let tenant = self.tenant(cx).await?;
        let (mut rest, mut odd) = (Vec::new(), 0_usize);
        for one in &lot.conversations {
            let key = tenant.key(RecordKind::Conversation, &one.id);
            let messages = shown.messages.remove(&one.id).unwrap_or_default();
            let notes = shown.notes.remove(&one.id).unwrap_or_default();
            let whole = |rows: &[Raw], told| Some(rows.len() as u64) == told && !names_files(rows);
            let filed = [&shown.filed, &shown.filed_notes].map(|all| all.contains(&one.id));
            let mut left = one.clone();
            for ((rows, is_notes), filed) in
                [(messages, false), (notes, true)].into_iter().zip(filed)
            {
                let told = if is_notes { one.notes } else { one.messages };
                if filed {
                    continue;
                }
                if !whole(&rows, told) {
                    odd += 1;
                    continue;
                }
                if !rows.is_empty() {
                    let listed = Listed::of(rows);
                    self.convert(cx, &tenant, &key, is_notes, &listed, page)
                        .await?;
                }
                *(if is_notes {
                    &mut left.notes
                } else {
                    &mut left.messages
                }) = Some(0);
            }
            if left.is_silent() {
                page.complete.push(key);
            } else {
                rest.push(left);
            }
        }
        if odd * 2 > lot.conversations.len() {
            self.doubts.fetch_add(1, Ordering::Relaxed);
        } else {
            self.doubts.store(0, Ordering::Relaxed);
        }
        Ok(rest)
    }
}

/// Whether a row names files, which a search does not bring.
fn names_files(rows: &[Raw]) -> bool {
    let files = |raw: &Raw| {
        let row = Row::read(raw).ok();
        row.is_some_and(|row| !row.all_related("attachments").is_empty())
    };
    rows.iter().any(files)
}

fn shard(lot: &Lot) -> Result<Shard> {
    let first = lot.conversations.first().map_or("", |one| one.id.as_str());
    let name = format!("{PREFIX}{first}@{}+{}", lot.from, lot.conversations.len());
    let scope = serde_json::to_value(lot)
        .map_err(|error| Error::bug("write down a shard", error.to_string()))?;
    let yields = [
        RecordKind::Message,
        RecordKind::Attachment,
        RecordKind::Agent,
    ];
    Ok(Shard::new(name, yields)
        .needing([RecordKind::Agent])
        .scoped(scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scoped(id: u64, messages: Option<u64>, notes: u64) -> Scoped {
        Scoped {
            id: id.to_string(),
            messages,
            notes: Some(notes),
            updated: i64::try_from(id).unwrap() * 10,
        }
    }

    #[test]
    fn lots_hold_what_a_page_can_hold_and_nothing_of_unknown_size() {
        let small = (1..=400).map(|n| scoped(n, Some(4), 1));
        let odd = [
            scoped(401, None, 0),
            scoped(402, Some(5_000), 0),
            scoped(403, Some(2), 0),
        ];
        let (lots, rest) = lots(small.chain(odd).collect());
        let sizes: Vec<usize> = lots.iter().map(|lot| lot.conversations.len()).collect();
        assert_eq!(sizes, [200, 200, 1]);
        assert_eq!((lots[0].from, lots[0].to, lots[1].from), (10, 2_000, 2_010));
        assert_eq!((lots[0].searches(), lots[0].alone()), (5, 400));
        let rest: Vec<&str> = rest.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(rest, ["401", "402"]);
    }
}
