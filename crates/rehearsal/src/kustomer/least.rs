//! The least possible number of requests for a full read: conversation by conversation, and with searches for what was said.

use super::desk::{Context, Desk, Entry};
use super::{KustomerOptions, view};
use crate::world::{ConversationState, Message, MessageKind, TextState};

/// Hits that one page of a search shows.
const SEARCH_PAGE: u64 = 500;
/// Rows that one page of a list shows.
const LIST_PAGE: u64 = 100;

/// The least possible number of requests, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeastRequests {
    /// The org and the key's roles: one each.
    pub setup: u64,
    /// Users (four passes), teams, tags (two passes), sub-statuses, metadata of four kinds of things;
    /// klasses (three passes) and the metadata of each; twelve lists of configuration; the knowledge base, its articles in each
    /// language, the versions of each text that was never published.
    pub lists: u64,
    /// Notes, customers, companies, conversations and each custom object: one search per started five hundred in each index, at least one; what an index
    /// holds must be asked even if it holds nothing.
    pub searches: u64,
    /// Messages: one per started hundred of a conversation that has any.
    pub messages: u64,
    /// Notes: likewise.
    pub notes: u64,
    /// The record behind a mail: one each.
    pub mails: u64,
    /// Links to bytes: one per file that is not empty, and per picture of an article.
    pub links: u64,
    /// The bytes: likewise. The platform does not count these.
    pub bytes: u64,
}

impl LeastRequests {
    /// All of them.
    pub fn total(&self) -> u64 {
        let rows = self.searches + self.messages + self.notes + self.mails;
        self.setup + self.lists + rows + self.links + self.bytes
    }
}

/// What a search finds of what was said: it knows neither files nor what is old.
#[derive(Default)]
struct Said {
    messages: usize,
    messages_with_files: usize,
    notes: usize,
    notes_with_files: usize,
}

impl Said {
    fn searches(&self) -> u64 {
        let lots = [
            self.messages,
            self.messages_with_files,
            self.notes,
            self.notes_with_files,
        ];
        lots.iter().map(|lot| pages(*lot, SEARCH_PAGE)).sum()
    }

    /// Takes rows, of which some have files; whether no list is needed for them.
    fn takes(&mut self, rows: &[&Message], are_notes: bool, horizon: i64) -> bool {
        let young = rows
            .iter()
            .filter(|row| row.sent.timestamp_millis() >= horizon);
        let (count, with_files) = young.fold((0, 0), |(count, with_files), row| {
            (count + 1, with_files + usize::from(!row.files.is_empty()))
        });
        let (all, filed) = match are_notes {
            true => (&mut self.notes, &mut self.notes_with_files),
            false => (&mut self.messages, &mut self.messages_with_files),
        };
        *all += count;
        *filed += with_files;
        with_files == 0 && count == rows.len()
    }
}

/// The formula. It belongs to the stand-in, so that the connector cannot set its own bar. `searched`: what was said in
/// conversations that changed within two years is searched for, and read by conversation only where it has files or is older.
pub(super) fn count(desk: &Desk, options: &KustomerOptions, searched: bool) -> LeastRequests {
    let mut least = LeastRequests {
        setup: 2,
        lists: 4 + 1 + 2 + 1 + 4 + 3 + desk.world.object_classes().len() as u64 + aside(desk),
        ..LeastRequests::default()
    };
    let horizon = options.horizon().timestamp_millis();
    let classes = desk.world.object_classes().into_iter();
    let objects = classes.map(|class| Context::Object(u8::try_from(class.id).unwrap_or(0)));
    let own = [Context::Customer, Context::Company, Context::Conversation];
    for context in own.into_iter().chain(objects) {
        let (young, old): (Vec<Entry>, Vec<Entry>) = desk.entries(context, |all| {
            all.iter().partition(|entry| entry.updated >= horizon)
        });
        for part in [young, old] {
            least.searches += pages(part.len(), SEARCH_PAGE).max(1);
        }
    }
    // The archive knows no notes.
    let notes = desk.entries(Context::Note, |all| {
        all.iter().filter(|entry| entry.updated >= horizon).count()
    });
    least.searches += pages(notes, SEARCH_PAGE).max(1);
    let young: std::collections::BTreeSet<u64> = desk.entries(Context::Conversation, |all| {
        let young = all.iter().filter(|entry| entry.updated >= horizon);
        young.map(|entry| entry.number).collect()
    });
    let mut said = Said::default();
    for raw in desk.world.conversations() {
        if raw.state != ConversationState::Active {
            continue;
        }
        let seen = view::conversation(&desk.lists, raw.into_owned());
        let is_note = |kind: &MessageKind| matches!(kind, MessageKind::Note { .. });
        let (notes, messages): (Vec<&Message>, Vec<&Message>) =
            seen.messages.iter().partition(|m| is_note(&m.kind));
        let searched = searched && young.contains(&seen.id);
        if !(searched && said.takes(&messages, false, horizon)) {
            least.messages += pages(messages.len(), LIST_PAGE);
        }
        if !(searched && said.takes(&notes, true, horizon)) {
            least.notes += pages(notes.len(), LIST_PAGE);
        }
        least.mails += seen.messages.iter().filter(|m| m.mail.is_some()).count() as u64;
        let files = seen.messages.iter().flat_map(|m| &m.files);
        least.links += files.filter(|file| !file.content.is_empty()).count() as u64;
    }
    let articles = &desk.lists.knowledge.articles;
    least.links += articles
        .iter()
        .map(|one| one.images.len() as u64)
        .sum::<u64>();
    least.searches += said.searches();
    least.bytes = least.links;
    least
}

/// Lists of configuration, the categories of the knowledge base, its articles in each language, at least one, and the versions of
/// each text that was never published.
fn aside(desk: &Desk) -> u64 {
    let knowledge = &desk.lists.knowledge;
    let languages = knowledge.categories.iter().flat_map(|one| one.names.keys());
    let languages: std::collections::BTreeSet<_> = languages.collect();
    let texts = knowledge.articles.iter().flat_map(|one| &one.texts);
    let drafts = texts.filter(|text| text.state == TextState::Draft).count() as u64;
    12 + drafts
        + pages(knowledge.categories.len(), 200).max(1)
        + (languages.len() as u64).max(1) * pages(knowledge.articles.len(), 200).max(1)
}

fn pages(rows: usize, size: u64) -> u64 {
    (rows as u64).div_ceil(size)
}
