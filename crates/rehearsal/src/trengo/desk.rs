//! The workspace behind the wire: the world, what has changed since, and where both are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::{TrengoOptions, held, setup};
use crate::world::Content;
use crate::world::{Conversation, ConversationState, Lists, Message, Person, World};

/// What stands in the state folder beside the changes.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    content: Content,
}

/// What happened after the world was made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Changes {
    touched: BTreeMap<u64, DateTime<Utc>>,
    deleted: BTreeSet<u64>,
    added: BTreeMap<u64, Vec<Message>>,
}

/// A ticket's place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// When something was last said, or done after the world was made.
    active: DateTime<Utc>,
    id: u64,
    status: u64,
    channel: u64,
    updated: DateTime<Utc>,
    created: DateTime<Utc>,
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) world: World,
    pub(super) lists: Lists,
    /// Labels by number.
    pub(super) labels: BTreeMap<u64, String>,
    folder: Option<PathBuf>,
    hidden: Vec<u64>,
    changes: Mutex<Changes>,
    /// Tickets, last active first.
    order: Mutex<Vec<Place>>,
}

/// Which tickets a list shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// By status; spam is shown only where it is asked for.
    pub(super) status: Option<u64>,
    pub(super) channels: Vec<u64>,
    pub(super) updated_after: Option<DateTime<Utc>>,
}

impl Desk {
    /// Opens the state folder if there is one with a workspace in it, else makes one of the options.
    pub(super) fn open(options: &TrengoOptions) -> io::Result<Self> {
        let kept = match &options.folder {
            Some(folder) => kept(folder, options)?,
            None => fresh(options),
        };
        let changes = options
            .folder
            .as_deref()
            .map(|folder| read_json(&folder.join("changes.json")))
            .transpose()?
            .flatten();
        let world = match kept.content {
            Content::Made(spec) => World::generate(spec),
            Content::MailDir(path) => World::from_mail_dir(&path)?,
            Content::Given(lists) => World::given(*lists),
        };
        let lists = held::lists(world.lists());
        let mut desk = Self {
            lists,
            world,
            labels: BTreeMap::new(),
            folder: options.folder.clone(),
            hidden: options.hidden_channels.clone(),
            changes: Mutex::new(changes.unwrap_or_default()),
            order: Mutex::new(Vec::new()),
        };
        let mut order = Vec::new();
        for talk in desk.world.conversations() {
            for tag in &talk.tags {
                desk.labels.insert(tag.id, tag.name.clone());
            }
            order.extend(desk.place(talk.into_owned()));
        }
        order.sort_unstable_by(|a, b| b.cmp(a));
        *lock(&desk.order) = order;
        Ok(desk)
    }

    /// Whether the workspace has such a ticket at all, and where it stands in the list.
    fn place(&self, talk: Conversation) -> Option<Place> {
        let (id, created) = (talk.id, talk.created);
        if !exists(&talk) {
            return None;
        }
        let (talk, updated) = self.changed(held::conversation(&self.lists, talk))?;
        let channel = setup::channel_of(&self.lists, &talk);
        if self.hidden.contains(&channel) {
            return None;
        }
        let said = talk.messages.iter().map(|message| message.sent).max();
        let touched = lock(&self.changes).touched.get(&id).copied();
        let active = touched.max(Some(said.unwrap_or(talk.created)))?;
        Some(Place {
            active,
            id,
            status: talk.status,
            channel,
            updated,
            created,
        })
    }

    fn changed(&self, mut talk: Conversation) -> Option<(Conversation, DateTime<Utc>)> {
        let changes = lock(&self.changes);
        if changes.deleted.contains(&talk.id) {
            return None;
        }
        talk.messages
            .extend(changes.added.get(&talk.id).cloned().into_iter().flatten());
        let updated = changes.touched.get(&talk.id).copied();
        let updated = updated.unwrap_or(talk.updated);
        Some((talk, updated))
    }

    /// Ids of the tickets that a list shows, last active first: a part, and whether more follow.
    pub(super) fn listed(&self, filter: &Filter, begin: usize, size: usize) -> (Vec<u64>, bool) {
        let order = lock(&self.order);
        let mut shown = order
            .iter()
            .filter(|place| match filter.status {
                Some(status) => place.status == status,
                None => place.status != held::status::INVALID,
            })
            .filter(|place| filter.channels.is_empty() || filter.channels.contains(&place.channel))
            .filter(|place| {
                filter
                    .updated_after
                    .is_none_or(|after| place.updated > after)
            })
            .map(|place| place.id)
            .skip(begin);
        let part: Vec<u64> = shown.by_ref().take(size).collect();
        (part, shown.next().is_some())
    }

    /// Ids of all tickets, spam too, ascending, after one of them.
    pub(super) fn ids_after(&self, after: u64, size: usize) -> Vec<u64> {
        let mut ids: Vec<u64> = lock(&self.order).iter().map(|place| place.id).collect();
        ids.sort_unstable();
        ids.into_iter()
            .filter(|id| *id > after)
            .take(size)
            .collect()
    }

    /// Tickets that were made within a time.
    pub(super) fn made_in(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Conversation> {
        let within = |place: &&Place| (from..until).contains(&place.created);
        let order = lock(&self.order);
        let ids: Vec<u64> = order.iter().filter(within).map(|place| place.id).collect();
        drop(order);
        let tickets = ids.into_iter().filter_map(|id| self.ticket(id));
        tickets.map(|(talk, _)| talk).collect()
    }

    /// How many tickets of each status there are.
    pub(super) fn counts(&self) -> BTreeMap<u64, u64> {
        let mut counts = BTreeMap::new();
        for place in lock(&self.order).iter() {
            *counts.entry(place.status).or_default() += 1;
        }
        counts
    }

    /// A ticket with its messages and the time of its last change.
    pub(super) fn ticket(&self, id: u64) -> Option<(Conversation, DateTime<Utc>)> {
        let talk = self.world.conversation_by_id(id)?.into_owned();
        if !exists(&talk) {
            return None;
        }
        let (talk, updated) = self.changed(held::conversation(&self.lists, talk))?;
        let channel = setup::channel_of(&self.lists, &talk);
        (!self.hidden.contains(&channel)).then_some((talk, updated))
    }

    /// Customers by number, ascending.
    pub(super) fn customers(&self) -> impl Iterator<Item = &Person> {
        self.lists
            .people
            .iter()
            .filter(|person| !person.role.is_staff())
    }

    /// Members of staff.
    pub(super) fn staff(&self) -> impl Iterator<Item = &Person> {
        self.lists
            .people
            .iter()
            .filter(|person| person.role.is_staff())
    }

    pub(super) fn person(&self, id: u64) -> Option<&Person> {
        let place = self
            .lists
            .people
            .binary_search_by_key(&id, |person| person.id);
        self.lists.people.get(place.ok()?)
    }

    pub(super) fn touch(&self, ticket: u64, at: DateTime<Utc>) -> io::Result<()> {
        self.change(&[ticket], |changes| {
            changes.touched.insert(ticket, at.trunc_subsecs(0));
        })
    }

    pub(super) fn delete(&self, ticket: u64) -> io::Result<()> {
        self.change(&[ticket], |changes| {
            changes.deleted.insert(ticket);
        })
    }

    pub(super) fn add(&self, ticket: u64, message: Message) -> io::Result<()> {
        self.change(&[ticket], |changes| {
            changes.touched.insert(ticket, message.sent);
            changes.added.entry(ticket).or_default().push(message);
        })
    }

    pub(super) fn merge(&self, ticket: u64, into: u64, at: DateTime<Utc>) -> io::Result<()> {
        let moved = self
            .ticket(ticket)
            .map(|(talk, _)| talk.messages)
            .unwrap_or_default();
        self.change(&[ticket, into], |changes| {
            changes.deleted.insert(ticket);
            changes.touched.insert(into, at.trunc_subsecs(0));
            changes.added.entry(into).or_default().extend(moved);
        })
    }

    fn change(&self, tickets: &[u64], make: impl FnOnce(&mut Changes)) -> io::Result<()> {
        let mut changes = lock(&self.changes);
        make(&mut changes);
        if let Some(folder) = &self.folder {
            write_json(&folder.join("changes.json"), &*changes)?;
        }
        drop(changes);
        let moved: Vec<Place> = tickets
            .iter()
            .filter_map(|id| self.place(self.world.conversation_by_id(*id)?.into_owned()))
            .collect();
        let mut order = lock(&self.order);
        order.retain(|place| !tickets.contains(&place.id));
        order.extend(moved);
        order.sort_unstable_by(|a, b| b.cmp(a));
        Ok(())
    }
}

/// What was thrown away or merged is deleted for good.
fn exists(talk: &Conversation) -> bool {
    talk.state != ConversationState::Trash && talk.merged_into.is_none()
}

fn fresh(options: &TrengoOptions) -> Kept {
    Kept {
        format: 1,
        content: options.content.clone(),
    }
}

fn kept(folder: &Path, options: &TrengoOptions) -> io::Result<Kept> {
    let path = folder.join("trengo.json");
    if let Some(kept) = read_json::<Kept>(&path)? {
        if kept.format != 1 {
            return Err(io::Error::other(format!(
                "{} is of format {}; this program knows format 1",
                path.display(),
                kept.format
            )));
        }
        return Ok(kept);
    }
    fs::create_dir_all(folder)?;
    let kept = fresh(options);
    write_json(&path, &kept)?;
    Ok(kept)
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
