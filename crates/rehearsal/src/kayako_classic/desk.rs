//! The helpdesk behind the wire: the world, what has changed since, and where both are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::{ClassicOptions, held};
use crate::world::{Content, Conversation, ConversationState, Lists, Message, Person, World};

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

/// A ticket's place in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: u64,
    pub(super) active: DateTime<Utc>,
    pub(super) department: u64,
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) world: World,
    pub(super) lists: Lists,
    folder: Option<PathBuf>,
    changes: Mutex<Changes>,
    /// Tickets by number.
    places: Mutex<BTreeMap<u64, Place>>,
}

impl Desk {
    /// Opens the state folder if there is one with a helpdesk in it, else makes one of the options.
    pub(super) fn open(options: &ClassicOptions) -> io::Result<Self> {
        let kept = match &options.folder {
            Some(folder) => kept(folder, options)?,
            None => fresh(options),
        };
        let changes = match &options.folder {
            Some(folder) => read_json(&folder.join("changes.json"))?,
            None => None,
        };
        let world = kept.content.world()?;
        let desk = Self {
            lists: held::lists(world.lists()),
            world,
            folder: options.folder.clone(),
            changes: Mutex::new(changes.unwrap_or_default()),
            places: Mutex::new(BTreeMap::new()),
        };
        let all: Vec<Place> = desk
            .world
            .conversations()
            .filter_map(|talk| desk.place(talk.into_owned()))
            .collect();
        *lock(&desk.places) = all.into_iter().map(|place| (place.id, place)).collect();
        Ok(desk)
    }

    fn place(&self, talk: Conversation) -> Option<Place> {
        let talk = self.changed(talk)?;
        Some(Place {
            id: talk.id,
            active: talk.updated,
            department: talk.team.unwrap_or_default(),
        })
    }

    /// A conversation as its ticket with what happened since; none for one that is gone.
    fn changed(&self, talk: Conversation) -> Option<Conversation> {
        let changes = lock(&self.changes);
        if !exists(&talk) || changes.deleted.contains(&talk.id) {
            return None;
        }
        let mut talk = talk;
        let added = changes.added.get(&talk.id);
        talk.messages.extend(added.into_iter().flatten().cloned());
        if let Some(at) = changes.touched.get(&talk.id) {
            talk.updated = *at;
        }
        Some(held::conversation(&self.lists, talk))
    }

    pub(super) fn ticket(&self, id: u64) -> Option<Conversation> {
        self.changed(self.world.conversation_by_id(id)?.into_owned())
    }

    /// Tickets by number, lowest first.
    pub(super) fn places(&self) -> Vec<Place> {
        lock(&self.places).values().copied().collect()
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &Person> {
        let people = self.lists.people.iter();
        people.filter(|person| !person.role.is_staff())
    }

    pub(super) fn staff(&self) -> impl Iterator<Item = &Person> {
        let people = self.lists.people.iter();
        people.filter(|person| person.role.is_staff())
    }

    pub(super) fn person(&self, id: u64) -> Option<&Person> {
        held::find(&self.lists, id)
    }

    pub(super) fn touch(&self, ticket: u64, at: DateTime<Utc>) -> io::Result<()> {
        self.change(ticket, |changes| {
            changes.touched.insert(ticket, at.trunc_subsecs(0));
        })
    }

    pub(super) fn delete(&self, ticket: u64) -> io::Result<()> {
        self.change(ticket, |changes| {
            changes.deleted.insert(ticket);
        })
    }

    pub(super) fn add(&self, ticket: u64, message: Message) -> io::Result<()> {
        self.change(ticket, |changes| {
            changes.touched.insert(ticket, message.sent);
            changes.added.entry(ticket).or_default().push(message);
        })
    }

    fn change(&self, ticket: u64, make: impl FnOnce(&mut Changes)) -> io::Result<()> {
        let mut changes = lock(&self.changes);
        make(&mut changes);
        if let Some(folder) = &self.folder {
            write_json(&folder.join("changes.json"), &*changes)?;
        }
        drop(changes);
        let talk = self.world.conversation_by_id(ticket);
        let place = talk.and_then(|talk| self.place(talk.into_owned()));
        let mut places = lock(&self.places);
        match place {
            Some(place) => places.insert(ticket, place),
            None => places.remove(&ticket),
        };
        Ok(())
    }
}

/// What was thrown away, held back as spam or merged is not there.
fn exists(talk: &Conversation) -> bool {
    talk.state == ConversationState::Active && talk.merged_into.is_none()
}

fn fresh(options: &ClassicOptions) -> Kept {
    Kept {
        format: 1,
        content: options.content.clone(),
    }
}

fn kept(folder: &Path, options: &ClassicOptions) -> io::Result<Kept> {
    let path = folder.join("kayako-classic.json");
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
