//! The helpdesk behind the wire: the world, what has changed since, and where both are kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::changes::Fates;
use super::setup::identities;
use super::{CaseAccess, Content, KayakoOptions};
use crate::world::{Conversation, ConversationState, Message, SpentTime, World};

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
    #[serde(default)]
    fates: Fates,
}

/// Cases by the time of their last change, the last first.
type Order = Vec<(DateTime<Utc>, u64)>;

/// Cases that lists show, those in the trash, those held back.
#[derive(Debug, Default)]
struct Orders {
    active: Order,
    trash: Order,
    suspended: Order,
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
    order: Mutex<Orders>,
    /// Which case went into which; made once, since a look at all cases is long.
    merges: OnceLock<Vec<(u64, u64)>>,
    times: OnceLock<Vec<(u64, SpentTime)>>,
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
            order: Mutex::default(),
            merges: OnceLock::new(),
            times: OnceLock::new(),
        };
        desk.sort();
        Ok(desk)
    }

    fn sort(&self) {
        let changes = lock(&self.changes).clone();
        *lock(&self.order) = self.in_order(&changes);
    }

    /// Cases that the account sees, last changed first.
    fn in_order(&self, changes: &Changes) -> Orders {
        let mut orders = Orders::default();
        for case in self.world.conversations() {
            if changes.vanished.contains(&case.id) || !self.sees(&case) {
                continue;
            }
            let changed = changes.touched.get(&case.id).copied();
            let lot = match case.state {
                ConversationState::Active => &mut orders.active,
                ConversationState::Trash => &mut orders.trash,
                ConversationState::Suspended => &mut orders.suspended,
            };
            lot.push((changed.unwrap_or(case.updated), case.id));
        }
        for lot in [&mut orders.active, &mut orders.trash, &mut orders.suspended] {
            lot.sort_unstable_by(|a, b| b.cmp(a));
        }
        orders
    }

    /// Which case went into which.
    pub(super) fn merges(&self) -> &[(u64, u64)] {
        self.merges.get_or_init(|| {
            let all = self.world.conversations();
            all.filter_map(|case| Some((case.id, case.merged_into?)))
                .collect()
        })
    }

    /// Times that agents spent, with their cases.
    pub(super) fn times(&self) -> &[(u64, SpentTime)] {
        self.times.get_or_init(|| {
            let mut times = Vec::new();
            for case in self.world.conversations() {
                let beside = self.world.beside(&case);
                let spent = beside.iter().flat_map(|beside| &beside.times);
                times.extend(spent.map(|time| (case.id, *time)));
            }
            times
        })
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
        let orders = lock(&self.order);
        let order = match state {
            ConversationState::Active => &orders.active,
            ConversationState::Trash => &orders.trash,
            ConversationState::Suspended => &orders.suspended,
        };
        order.iter().map(|(_, id)| *id).collect()
    }

    /// Ids of the cases that lists show, last changed first.
    pub(super) fn listed(&self) -> Vec<u64> {
        self.set_aside(ConversationState::Active)
    }

    /// Part of that list, and how long the whole is.
    pub(super) fn listed_part(&self, begin: usize, limit: usize) -> (Vec<u64>, usize) {
        let order = &lock(&self.order).active;
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

    pub(super) fn with_fates<T>(&self, look: impl FnOnce(&Fates) -> T) -> T {
        look(&lock(&self.changes).fates)
    }

    /// A change that leaves the order of cases as it is.
    pub(super) fn change_fates(&self, make: impl FnOnce(&mut Fates)) -> io::Result<()> {
        let mut changes = lock(&self.changes);
        make(&mut changes.fates);
        self.keep(&changes)
    }

    fn keep(&self, changes: &Changes) -> io::Result<()> {
        match &self.folder {
            Some(folder) => write_json(&folder.join("changes.json"), changes),
            None => Ok(()),
        }
    }

    fn change(&self, make: impl FnOnce(&mut Changes)) -> io::Result<()> {
        let mut changes = lock(&self.changes);
        make(&mut changes);
        self.keep(&changes)?;
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
