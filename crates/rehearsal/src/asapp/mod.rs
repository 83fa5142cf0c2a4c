//! What a company's ASAPP would deliver of a [`World`]: a tree of batch files, and the tables that the company itself keeps.
//!
//! Written from the ASAPP reference, sections 3, 6 and 7, and from nothing that the connector contains. ASAPP delivers the
//! same row again whenever something happened, in the partition of that time: each conversation stands in the partition of its
//! begin as it was then, in the one of its end as it is, and in between once more with an older statement that arrives late. Files
//! are plain or gzipped, whole or split, ids are numbers or texts, nothing is null, missing, blank or `NULL`; partitions in
//! progress hold what must not be believed.
//!
//! ```
//! use deskferry_rehearsal::asapp::{AsappOptions, write};
//! use deskferry_rehearsal::world::{World, WorldSpec};
//!
//! let folder = tempfile::tempdir()?;
//! let world = World::generate(WorldSpec::new(1, 12));
//! let exports = write(folder.path(), &world, &AsappOptions::default())?;
//! assert!(exports.tree.join("convos_metadata").is_dir());
//! # Ok::<(), std::io::Error>(())
//! ```

mod configuration;
mod conversations;
mod exporter;
mod holds;
mod rows;
mod services;
mod tree;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::world::World;

pub use self::configuration::Configured;
pub use self::conversations::Told;
pub use self::exporter::{API_ID, API_SECRET, ExporterOptions, FileExporter};
pub(crate) use self::holds::{
    FIRST_RESPONSE, HANDLE, IN_QUEUE, WRAP_UP, conversation as held_conversation,
    lists as held_lists, value as held_value,
};
pub use self::holds::{Handled, HeldCall, calls, handled};
pub(crate) use self::services::{
    Customers, conversation as held_by_services, lists as lists_of_services,
    segment as segment_of_services,
};
pub use self::services::{PRIORITY, conversation_id, message_id, write_services};
use self::tree::Tree;

/// What the delivery is like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AsappOptions {
    /// The company's short name.
    pub company: String,
    /// Adds what must not happen but does: lines that are no rows, a column that changes its type, an issue without its
    /// metadata, two issues of one id.
    pub hostile: bool,
}

impl Default for AsappOptions {
    /// The company `acme`, everything as it should be.
    fn default() -> Self {
        Self {
            company: "acme".to_owned(),
            hostile: false,
        }
    }
}

/// Where a delivery lies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exports {
    /// The tree of batch files.
    pub tree: PathBuf,
    /// The company's own table of customers.
    pub customers: PathBuf,
    /// The company's own table of agents.
    pub agents: PathBuf,
    /// The company's own table of recordings.
    pub recordings: PathBuf,
}

impl Exports {
    /// Where a delivery into this folder lies.
    pub fn at(folder: &Path) -> Self {
        Self {
            tree: folder.join("exports"),
            customers: folder.join("customers.jsonl"),
            agents: folder.join("agents.csv"),
            recordings: folder.join("recordings.csv"),
        }
    }
}

/// The issue of a hostile delivery that has messages and no metadata.
pub const WITHOUT_METADATA: u64 = 900_000_001;
/// The issue of a hostile delivery whose id two conversations claim.
pub const CLAIMED_TWICE: u64 = 900_000_002;

/// Delivers a world into a folder. A folder that has a delivery keeps it.
///
/// # Errors
/// The folder cannot be written.
pub fn write(folder: &Path, world: &World, options: &AsappOptions) -> io::Result<Exports> {
    let exports = Exports::at(folder);
    let done = folder.join("delivered");
    if done.exists() {
        return Ok(exports);
    }
    let lists = holds::lists(world.lists());
    let mut tree = Tree::default();
    rows::dictionaries(&mut tree, &lists, options);
    let mut recordings = csv::Writer::from_path(&exports.recordings)?;
    recordings.write_record(["issue_id", "url"])?;
    for conversation in world.conversations() {
        let conversation = holds::conversation(&lists, conversation.into_owned());
        let recording = holds::call(&conversation).and_then(|call| call.recording);
        if let Some(url) = recording {
            recordings.write_record([conversation.id.to_string(), url])?;
        }
        rows::conversation(&mut tree, &lists, &conversation, options);
    }
    if options.hostile {
        rows::hostile(&mut tree, options);
    }
    recordings.flush()?;
    tree.write(&exports.tree)?;
    let customers: Vec<String> = lists
        .people
        .iter()
        .filter(|person| !person.role.is_staff())
        .map(|person| {
            let company = person
                .company
                .and_then(|id| lists.companies.iter().find(|company| company.id == id));
            json!({
                "customer_id": person.id,
                "name": person.name,
                "email": person.emails.join(";"),
                "phone": person.phones.join(";"),
                "company": company.map(|company| &company.name),
                "company_id": company.map(|company| company.id),
                "title": person.title,
                "created": person.created.to_rfc3339(),
                "updated": person.updated.to_rfc3339(),
            })
            .to_string()
        })
        .collect();
    std::fs::write(&exports.customers, customers.join("\n") + "\n")?;
    let mut agents = csv::Writer::from_path(&exports.agents)?;
    agents.write_record(["rep_id", "email"])?;
    for person in lists.people.iter().filter(|person| person.role.is_staff()) {
        agents.write_record([person.id.to_string(), person.emails.join(";")])?;
    }
    agents.flush()?;
    std::fs::write(done, "")?;
    Ok(exports)
}

#[cfg(test)]
mod tests;
