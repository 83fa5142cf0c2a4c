//! What the helpdesk holds: the world as Kustomer can show it, and an index by time of everything that search finds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::view;
use super::{Content, KustomerOptions};
use crate::world::{
    Author, Conversation, ConversationState, Lists, Message, MessageKind, NoteOn, World,
};

/// What a search can return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Context {
    /// Customers.
    Customer,
    /// Companies.
    Company,
    /// Conversations.
    Conversation,
    /// Messages.
    Message,
    /// Notes.
    Note,
    /// Records of a custom object, by its number.
    Object(u8),
}

impl Context {
    /// All of them but custom objects.
    pub const ALL: [Self; 5] = [
        Self::Customer,
        Self::Company,
        Self::Conversation,
        Self::Message,
        Self::Note,
    ];

    /// How the names of its attributes begin.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Object(_) => "kobject",
            other => other.name(),
        }
    }

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Object(class) => usize::from(class)
                .checked_sub(1)
                .and_then(|place| OBJECTS.get(place))
                .copied()
                .unwrap_or("kobject"),
            Self::Customer => "customer",
            Self::Company => "company",
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::Note => "note",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        let objects = (1..).zip(OBJECTS).map(|(class, _)| Self::Object(class));
        let mut all = Self::ALL.into_iter().chain(objects);
        all.find(|one| one.name() == name)
    }
}

impl From<Context> for String {
    fn from(context: Context) -> Self {
        context.name().to_owned()
    }
}

impl TryFrom<String> for Context {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        Self::from_name(&name).ok_or_else(|| format!("nothing is called {name}"))
    }
}

/// Words for the world's custom objects.
const OBJECTS: [&str; 3] = ["kobject_order", "kobject_order-line", "kobject_warranty"];

/// A row of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Milliseconds since 1970.
    pub(super) updated: i64,
    pub(super) number: u64,
    pub(super) created: i64,
    /// The conversation of a message or note.
    pub(super) conversation: u64,
    /// Files of a message.
    pub(super) files: u32,
    pub(super) deleted: bool,
    pub(super) rev: u32,
}

/// What happened after the world was made; kept in the state folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Changes {
    /// Time of the last change, in milliseconds, by context and number.
    stamped: BTreeMap<Context, BTreeMap<u64, i64>>,
    /// Conversations that are gone.
    deleted: BTreeSet<u64>,
    /// Customers that are gone.
    #[serde(default)]
    gone: BTreeSet<u64>,
    /// Customers that were merged, and into whom.
    #[serde(default)]
    merged: BTreeMap<u64, u64>,
}

impl Changes {
    /// Who stands for a customer now.
    fn now(&self, customer: u64) -> u64 {
        let mut at = customer;
        // Merges of merged ones; a circle cannot be made.
        while let Some(next) = self.merged.get(&at) {
            at = *next;
        }
        at
    }
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) world: World,
    pub(super) lists: Lists,
    pub(super) org: String,
    folder: Option<PathBuf>,
    changes: Mutex<Changes>,
    index: Mutex<HashMap<Context, Index>>,
}

/// Entries of one context by time of change, and where each number stands.
#[derive(Debug, Default)]
struct Index {
    entries: Vec<Entry>,
    /// Found out when somebody asks: most contexts are never asked by number.
    places: Option<HashMap<u64, usize>>,
}

impl Index {
    fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        Self {
            entries,
            places: None,
        }
    }

    fn find(&mut self, number: u64) -> Option<Entry> {
        let entries = &self.entries;
        let places = self.places.get_or_insert_with(|| {
            let places = entries.iter().enumerate();
            places.map(|(place, entry)| (entry.number, place)).collect()
        });
        entries.get(*places.get(&number)?).copied()
    }

    /// Changes some, and puts all in order again.
    fn edit(&mut self, change: impl FnMut(&mut Entry)) {
        self.entries.iter_mut().for_each(change);
        *self = Self::of(std::mem::take(&mut self.entries));
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    org: String,
    content: Content,
}

impl Desk {
    pub(super) fn open(options: &KustomerOptions) -> io::Result<Self> {
        let kept = kept(options)?;
        let changes = match &options.folder {
            Some(folder) => read_json(&folder.join("changes.json"))?.unwrap_or_default(),
            None => Changes::default(),
        };
        let world = kept.content.world()?;
        let desk = Self {
            lists: view::lists(world.lists()),
            world,
            org: kept.org,
            folder: options.folder.clone(),
            changes: Mutex::new(changes),
            index: Mutex::new(HashMap::new()),
        };
        desk.build();
        Ok(desk)
    }

    fn build(&self) {
        let mut all: HashMap<Context, Vec<Entry>> = HashMap::new();
        let people = self.lists.people.iter().filter(|p| !p.role.is_staff());
        let entry = |number, created: DateTime<Utc>, updated: DateTime<Utc>| Entry {
            updated: updated.max(created).timestamp_millis(),
            number,
            created: created.timestamp_millis(),
            conversation: 0,
            files: 0,
            deleted: false,
            rev: 1,
        };
        all.insert(
            Context::Customer,
            people.map(|p| entry(p.id, p.created, p.updated)).collect(),
        );
        let companies = self.lists.companies.iter();
        all.insert(
            Context::Company,
            companies
                .map(|c| entry(c.id, c.created, c.updated))
                .collect(),
        );
        let (mut conversations, mut messages, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for raw in self.world.conversations() {
            for message in raw.messages.iter().filter(|m| on_customer(m)) {
                notes.push(entry(message.id, message.sent, message.sent));
            }
            let seen = view::conversation(&self.lists, raw.into_owned());
            let mut row = entry(seen.id, seen.created, seen.updated);
            row.deleted = seen.state == ConversationState::Trash;
            conversations.push(row);
            for message in &seen.messages {
                let is_note = matches!(message.kind, MessageKind::Note { .. });
                let mut one = entry(message.id, message.sent, message.sent);
                one.conversation = seen.id;
                one.files = u32::try_from(message.files.len()).unwrap_or(u32::MAX);
                one.deleted = row.deleted;
                if is_note { &mut notes } else { &mut messages }.push(one);
            }
        }
        for class in self.world.object_classes() {
            let records = self.world.object_records(class.id);
            let context = Context::Object(u8::try_from(class.id).unwrap_or(0));
            all.insert(
                context,
                records.map(|r| entry(r.id, r.created, r.updated)).collect(),
            );
        }
        all.insert(Context::Conversation, conversations);
        all.insert(Context::Message, messages);
        all.insert(Context::Note, notes);
        let changes = lock(&self.changes).clone();
        for (context, entries) in &mut all {
            let stamped = changes.stamped.get(context);
            for entry in entries.iter_mut() {
                if let Some(at) = stamped.and_then(|stamped| stamped.get(&entry.number)) {
                    entry.updated = *at;
                    entry.rev = 2;
                }
                let gone = match context {
                    Context::Conversation => changes.deleted.contains(&entry.number),
                    Context::Customer => changes.gone.contains(&entry.number),
                    _ => false,
                };
                entry.deleted |= gone;
            }
        }
        let sorted = all
            .into_iter()
            .map(|(context, entries)| (context, Index::of(entries)));
        *lock(&self.index) = sorted.collect();
    }

    /// The index of one context, by time of change.
    pub(super) fn entries<T>(&self, context: Context, read: impl FnOnce(&[Entry]) -> T) -> T {
        read(
            lock(&self.index)
                .get(&context)
                .map_or(&[][..], |index| &index.entries),
        )
    }

    /// The entry of one thing.
    pub(super) fn entry(&self, context: Context, number: u64) -> Option<Entry> {
        lock(&self.index).get_mut(&context)?.find(number)
    }

    pub(super) fn conversation(&self, number: u64) -> Option<Conversation> {
        let raw = self.world.conversation_by_id(number)?;
        Some(self.seen(raw.into_owned()))
    }

    /// As it is shown now: what belonged to a customer who was merged belongs to whom they were merged into.
    fn seen(&self, raw: Conversation) -> Conversation {
        let mut seen = view::conversation(&self.lists, raw);
        let now = lock(&self.changes).now(seen.requester);
        let before = std::mem::replace(&mut seen.requester, now);
        for message in &mut seen.messages {
            if message.author == Author::Person(before) {
                message.author = Author::Person(now);
            }
        }
        seen
    }

    /// A message or note with its conversation; none for notes on customers.
    pub(super) fn message(&self, number: u64) -> Option<(Conversation, Message)> {
        let raw = self.world.conversation_of_message(number)?;
        let seen = self.seen(raw.into_owned());
        let message = seen.messages.iter().find(|m| m.id == number)?.clone();
        Some((seen, message))
    }

    /// A note that stands on a customer.
    pub(super) fn loose_note(&self, number: u64) -> Option<Message> {
        let raw = self.world.conversation_of_message(number)?;
        let mut all = raw.messages.iter().filter(|m| on_customer(m));
        all.find(|m| m.id == number).cloned()
    }

    /// Gives things a new time of change, and their index a new order.
    pub(super) fn stamp(&self, context: Context, numbers: &[u64], at: i64) -> io::Result<()> {
        let mut changes = lock(&self.changes);
        let stamped = changes.stamped.entry(context).or_default();
        stamped.extend(numbers.iter().map(|number| (*number, at)));
        self.keep(&changes)?;
        drop(changes);
        let wanted: BTreeSet<u64> = numbers.iter().copied().collect();
        let mut index = lock(&self.index);
        if let Some(index) = index.get_mut(&context) {
            index.edit(|entry| {
                if wanted.contains(&entry.number) {
                    entry.updated = at;
                    entry.rev += 1;
                }
            });
        }
        Ok(())
    }

    /// Whom a customer was merged into.
    pub(super) fn merged_into(&self, customer: u64) -> Option<u64> {
        lock(&self.changes).merged.get(&customer).copied()
    }

    /// The customer is gone; `into`: merged into this one, who has their conversations from now on.
    pub(super) fn delete_customer(
        &self,
        customer: u64,
        into: Option<u64>,
        at: i64,
    ) -> io::Result<()> {
        let before = self.world.conversations();
        let moved: Vec<u64> = before
            .map(|raw| self.seen(raw.into_owned()))
            .filter(|seen| into.is_some() && seen.requester == customer)
            .map(|seen| seen.id)
            .collect();
        let mut changes = lock(&self.changes);
        changes.gone.insert(customer);
        changes.merged.extend(into.map(|into| (customer, into)));
        drop(changes);
        let touched: Vec<u64> = [customer].into_iter().chain(into).collect();
        self.stamp(Context::Customer, &touched, at)?;
        self.stamp(Context::Conversation, &moved, at)?;
        let mut index = lock(&self.index);
        if let Some(index) = index.get_mut(&Context::Customer) {
            index.edit(|entry| entry.deleted |= entry.number == customer);
        }
        Ok(())
    }

    /// The conversation is deleted: only a search that asks for such ones still shows it.
    pub(super) fn delete(&self, conversation: u64, at: i64) -> io::Result<()> {
        let mut changes = lock(&self.changes);
        changes.deleted.insert(conversation);
        drop(changes);
        self.stamp(Context::Conversation, &[conversation], at)?;
        let mut index = lock(&self.index);
        if let Some(index) = index.get_mut(&Context::Conversation) {
            index.edit(|entry| entry.deleted |= entry.number == conversation);
        }
        Ok(())
    }

    fn keep(&self, changes: &Changes) -> io::Result<()> {
        match &self.folder {
            Some(folder) => write_json(&folder.join("changes.json"), changes),
            None => Ok(()),
        }
    }
}

fn on_customer(message: &Message) -> bool {
    matches!(
        message.kind,
        MessageKind::Note {
            on: NoteOn::Person(_),
            ..
        }
    )
}

fn kept(options: &KustomerOptions) -> io::Result<Kept> {
    let fresh = Kept {
        format: 1,
        org: options.org.clone(),
        content: options.content.clone(),
    };
    let Some(folder) = &options.folder else {
        return Ok(fresh);
    };
    let path = folder.join("kustomer.json");
    match read_json::<Kept>(&path)? {
        Some(kept) if kept.format != 1 => Err(io::Error::other(format!(
            "{} is of format {}; this program knows format 1",
            path.display(),
            kept.format
        ))),
        Some(kept) => Ok(kept),
        None => {
            fs::create_dir_all(folder)?;
            write_json(&path, &fresh)?;
            Ok(fresh)
        }
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|why| io::Error::other(format!("{}: {why}", path.display()))),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// Written beside and renamed, so that a kill leaves the old file or the new one.
fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, serde_json::to_vec(value)?)?;
    fs::rename(beside, path)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere cannot leave these half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
