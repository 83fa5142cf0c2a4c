//! What a program needs to know of its platforms: a room for each.

#[cfg(feature = "asapp")]
mod asapp;
#[cfg(feature = "kayako")]
mod kayako;
#[cfg(feature = "kayako")]
mod kayako_classic;
#[cfg(feature = "kustomer")]
mod kustomer;
#[cfg(feature = "salesforce")]
mod salesforce;
#[cfg(feature = "trengo")]
mod trengo;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
#[cfg(feature = "rehearsal")]
use std::path::PathBuf;
use std::sync::Arc;

use deskferry_core::migration::Definitions;
use deskferry_core::settings::{Section, Settings};
use deskferry_core::sink::Counterpart;
use deskferry_core::{RecordKind, Result, Sink, Source};

#[cfg(feature = "asapp")]
pub use self::asapp::asapp;
#[cfg(feature = "kayako")]
pub use self::kayako::kayako;
#[cfg(feature = "kayako")]
pub use self::kayako_classic::kayako_classic;
#[cfg(feature = "kustomer")]
pub use self::kustomer::kustomer;
#[cfg(feature = "salesforce")]
pub use self::salesforce::salesforce;
#[cfg(feature = "trengo")]
pub use self::trengo::trengo;
#[cfg(feature = "rehearsal")]
use super::local::LocalSource;

/// What a target's administrator installs before a run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Package {
    /// Each file: its place in the package, and its text.
    pub files: Vec<(String, String)>,
    /// All of them in one zip file.
    pub zip: Vec<u8>,
}

/// Custom fields of a source by the kind that carries them and their key.
pub type TakenFields = BTreeSet<(RecordKind, String)>;

/// How a source is made.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct SourceKit {
    /// The platform's name.
    pub name: &'static str,
    /// What it can be told, by the environment and by a configuration file.
    pub section: &'static Section,
    /// The setting that names the real platform; a local one is used when it is not set.
    pub address: &'static str,
    /// Makes the source from what was told.
    pub make: fn(&Settings) -> Result<Arc<dyn Source>>,
    /// How it is rehearsed.
    #[cfg(feature = "rehearsal")]
    pub local: LocalSource,
}

/// The mapping's lines for teams without a name, and how many those are, by a mapping file and the teams' conversations.
type UnnamedQueues = fn(&Path, &std::collections::BTreeMap<String, u64>) -> Result<(String, usize)>;

/// How a sink is made.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct SinkKit {
    /// The platform's name.
    pub name: &'static str,
    /// What it can be told, by the environment and by a configuration file.
    pub section: &'static Section,
    /// The setting that names the real platform; a local one is used when it is not set.
    pub address: &'static str,
    /// The text of the mapping file that a new workspace gets.
    pub mapping: fn() -> String,
    /// The text of a mapping file that nobody edited, with a prefix for the names of fields that it makes.
    pub prefixed: fn(&str, &str) -> Result<String>,
    /// Makes the sink from what was told and a mapping file.
    pub make: fn(&Settings, &Path) -> Result<Arc<dyn Sink>>,
    /// What the administrator must install for a mapping file, and for what the source was found to have.
    pub package: fn(&Path, &Definitions) -> Result<Package>,
    /// Begins a login that a person finishes in a browser.
    pub login: super::BeginLogin,
    /// The mapping's tables for the custom objects of a source, as a proposal.
    pub proposed_objects: fn(&Definitions) -> String,
    /// The mapping's lines for kinds of conversations, as a proposal: by the words that the source sorts them by, each with how many.
    pub proposed_types:
        fn(&std::collections::BTreeMap<String, std::collections::BTreeMap<String, u64>>) -> String,
    /// The mapping's lines for teams of the source that a mapping file gives no name of the target to, and how many those are: by teams, each with how
    /// many conversations it has.
    pub unnamed_queues: UnnamedQueues,
    /// What is left to the target's administrator after a load.
    pub clicks: fn() -> Vec<Counterpart>,
    /// The source's custom fields that a mapping file takes.
    pub taken: fn(&Path) -> Result<TakenFields>,
    /// The custom fields that a mapping file needs, as the local org takes them (JSON).
    #[cfg(feature = "rehearsal")]
    pub fields: fn(&Path) -> Result<serde_json::Value>,
    /// The custom objects that a mapping file needs, as the local org takes them (JSON).
    #[cfg(feature = "rehearsal")]
    pub objects: fn(&Path) -> Result<serde_json::Value>,
    /// The record types that a mapping file needs, and their processes, as the local org takes them (JSON).
    #[cfg(feature = "rehearsal")]
    pub record_types: fn(&Path) -> Result<serde_json::Value>,
    /// Pulls a picture of the real org into a folder; only reads.
    #[cfg(feature = "rehearsal")]
    pub pull: fn(&Settings, &Path, PathBuf) -> super::Pulling,
    /// Makes a sink for a local org that looks like the real one: what of the mapping does not fit is told, not refused.
    #[cfg(feature = "rehearsal")]
    pub rehearsing: fn(&str, &Path) -> Result<Arc<dyn Sink>>,
    /// Makes a sink for the local org at this address.
    #[cfg(feature = "rehearsal")]
    pub local: fn(&str, &Path) -> Result<Arc<dyn Sink>>,
}

impl fmt::Debug for SourceKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceKit")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SinkKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkKit")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Every section that a configuration file may have: those of the platforms that are built in, whatever the pair, so that
/// one file serves several programs.
#[must_use]
pub fn sections() -> Vec<&'static Section> {
    vec![
        &super::choices::MIGRATION,
        &super::choices::PRIVACY,
        #[cfg(feature = "rehearsal")]
        &super::choices::REHEARSAL,
        #[cfg(feature = "asapp")]
        &deskferry_source_asapp::SETTINGS,
        #[cfg(feature = "kayako")]
        &deskferry_source_kayako::SETTINGS,
        #[cfg(feature = "kustomer")]
        &deskferry_source_kustomer::SETTINGS,
        #[cfg(feature = "trengo")]
        &deskferry_source_trengo::SETTINGS,
        #[cfg(feature = "salesforce")]
        &deskferry_sink_salesforce::SETTINGS,
    ]
}
