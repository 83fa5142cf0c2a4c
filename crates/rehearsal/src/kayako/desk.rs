//! The helpdesk behind the wire: the world, what has changed since, and where both are kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::setup::identities;
use super::{CaseAccess, Content, KayakoOptions};
use crate::world::{Conversation, ConversationState, Message, World};

/// The member of staff as whom a restricted account sees things.
const RESTRICTED_TO: u64 = 3;

/// What stands in the state folder beside the changes.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    instance: String,
    content: Content,
}

/// What happened after the world was made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Changes {
    touched: BTreeMap<u64, DateTime<Utc>>,
    vanished: BTreeSet<u64>,
    added: BTreeMap<u64, Vec<Message>>,
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) world: World,
    pub(super) instance: String,
    pub(super) identities: HashMap<String, u64>,
    folder: Option<PathBuf>,
    access: CaseAccess,
    /// Teams of the member of staff as whom a restricted account sees things.
    teams: Vec<u64>,
    changes: Mutex<Changes>,
    /// Cases that lists show, last changed first.
    order: Mutex<Vec<(DateTime<Utc>, u64)>>,
}

impl Desk {
    /// Opens the state folder if there is one with a helpdesk in it, else makes one of the options.
    pub(super) fn open(options: &KayakoOptions) -> io::Result<Self> {
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
        let world = kept.content.world()?;
        let teams = world
            .person(RESTRICTED_TO)
            .map_or_else(Vec::new, |person| person.teams.clone());
        let desk = Self {
            identities: identities(&world),
            teams,
            world,
            instance: kept.instance,
            folder: options.folder.clone(),
            access: options.access(),
            changes: Mutex::new(changes.unwrap_or_default()),
            order: Mutex::new(Vec::new()),
        };
        desk.sort();
        Ok(desk)
    }

    fn sort(&self) {
        let changes = lock(&self.changes).clone();
        *lock(&self.order) = self.in_order(ConversationState::Active, &changes);
    }

    /// Cases of a state that the account sees, last changed first.
    fn in_order(&self, state: ConversationState, changes: &Changes) -> Vec<(DateTime<Utc>, u64)> {
        let shown = |case: &Conversation| {
            case.state == state && !changes.vanished.contains(&case.id) && self.sees(case)
        };
        let rows = self.world.conversations().filter(|case| shown(case));
        let changed = |case: &Conversation| changes.touched.get(&case.id).copied();
        let mut order: Vec<_> = rows
            .map(|case| (changed(&case).unwrap_or(case.updated), case.id))
            .collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        order
    }

    fn sees(&self, case: &Conversation) -> bool {
        match self.access {
            CaseAccess::All => true,
            CaseAccess::Own => case.assignee == Some(RESTRICTED_TO),
            CaseAccess::Teams => case.team.is_some_and(|team| self.teams.contains(&team)),
        }
    }

    /// Ids of the cases of a state that no usual list shows, last changed first.
    pub(super) fn set_aside(&self, state: ConversationState) -> Vec<u64> {
        let order = self.in_order(state, &lock(&self.changes));
        order.into_iter().map(|(_, id)| id).collect()
    }

    /// Ids of the cases that lists show, last changed first.
    pub(super) fn listed(&self) -> Vec<u64> {
        lock(&self.order).iter().map(|(_, id)| *id).collect()
    }

    /// Part of that list, and how long the whole is.
    pub(super) fn listed_part(&self, begin: usize, limit: usize) -> (Vec<u64>, usize) {
        let order = lock(&self.order);
        let part = order.iter().skip(begin).take(limit);
        (part.map(|(_, id)| *id).collect(), order.len())
    }

    /// A case with its messages and the time of its last change.
    pub(super) fn case(&self, id: u64) -> Option<(Conversation, DateTime<Utc>)> {
        let changes = lock(&self.changes);
        if changes.vanished.contains(&id) {
            return None;
        }
        let mut case = self.world.conversation_by_id(id)?.into_owned();
        if !self.sees(&case) {
            return None;
        }
        case.messages
            .extend(changes.added.get(&id).cloned().into_iter().flatten());
        let updated = changes.touched.get(&id).copied().unwrap_or(case.updated);
        Some((case, updated))
    }

    /// The case of a message, with that message.
    pub(super) fn message(&self, id: u64) -> Option<(Conversation, Message)> {
        let added = lock(&self.changes)
            .added
            .iter()
            .find_map(|(case, all)| all.iter().any(|m| m.id == id).then_some(*case));
        let case = added.or_else(|| self.world.conversation_of_message(id).map(|case| case.id))?;
        let (case, _) = self.case(case)?;
        let message = case
            .messages
            .iter()
            .find(|message| message.id == id)?
            .clone();
        Some((case, message))
    }

    pub(super) fn touch(&self, case: u64, at: DateTime<Utc>) -> io::Result<()> {
        self.change(|changes| {
            changes.touched.insert(case, at.trunc_subsecs(0));
        })
    }

    pub(super) fn vanish(&self, case: u64) -> io::Result<()> {
        self.change(|changes| {
            changes.vanished.insert(case);
        })
    }

    pub(super) fn add(&self, case: u64, message: Message) -> io::Result<()> {
        self.change(|changes| {
            changes.touched.insert(case, message.sent);
            changes.added.entry(case).or_default().push(message);
        })
    }

    fn change(&self, make: impl FnOnce(&mut Changes)) -> io::Result<()> {
        let mut changes = lock(&self.changes);
        make(&mut changes);
        if let Some(folder) = &self.folder {
            write_json(&folder.join("changes.json"), &*changes)?;
        }
        drop(changes);
        self.sort();
        Ok(())
    }
}

fn fresh(options: &KayakoOptions) -> Kept {
    Kept {
        format: 1,
        instance: options.instance.clone(),
        content: options.content.clone(),
    }
}

fn kept(folder: &Path, options: &KayakoOptions) -> io::Result<Kept> {
    let path = folder.join("kayako.json");
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
