//! The verbs of a migration, for programs of one's own.
//!
//! A program that moves one helpdesk into one org is three lines:
//!
//! ```no_run
//! # #[cfg(all(feature = "kayako", feature = "salesforce"))]
//! fn main() -> std::process::ExitCode {
//!     deskferry::cli::App::new(deskferry::cli::kayako(), deskferry::cli::salesforce()).main()
//! }
//! # #[cfg(not(all(feature = "kayako", feature = "salesforce")))]
//! # fn main() {}
//! ```
//!
//! It knows `run` (the default), `resume`, `status`, `verify`, `report`, `doctor`, `discover`, `plan`, `confirm`, `sign-off`, `audit`, `hand-over`, `wipe`, `preflight`, `deploy`, `probe`, `rehearse` and `login`. Addresses and credentials come from the environment
//! and from a configuration file (`--config`); secrets from the environment, or from files of their own.
//! Where neither names a helpdesk, or an org, and the feature `rehearsal` is on, local ones are started as
//! processes of their own and filled with a made-up world, so that the whole can be tried without an account.

mod args;
mod audit;
mod choices;
mod confirm;
mod deploy;
mod doctor;
mod exit;
mod hand_over;
mod hypercare;
mod kits;
#[cfg(feature = "rehearsal")]
mod local;
mod log;
mod login;
mod page;
mod plan;
mod preflight;
mod probe;
mod progress;
mod proposals;
#[cfg(feature = "rehearsal")]
mod rehearse;
mod review;
mod sign_off;
mod standing;
mod verbs;
mod wipe;

use std::process::ExitCode;
use std::sync::Arc;

use deskferry_core::proposing::{ByName, Proposer};

#[cfg(feature = "asapp")]
pub use kits::asapp;
#[cfg(feature = "kustomer")]
pub use kits::kustomer;
#[cfg(feature = "salesforce")]
pub use kits::salesforce;
#[cfg(feature = "trengo")]
pub use kits::trengo;
pub use kits::{Package, SinkKit, SourceKit, TakenFields, sections};
#[cfg(feature = "kayako")]
pub use kits::{kayako, kayako_classic};
#[cfg(feature = "rehearsal")]
pub use local::{LocalSource, Running, Starting};
pub use login::{BeginLogin, Waiting};
#[cfg(feature = "rehearsal")]
pub use rehearse::{Picture, Pulling};

/// The shipped Salesforce mapping with a line for each custom field of the made-up world, under the world's own keys: what
/// the workspace of a rehearsal with a local Kayako gets.
#[cfg(all(feature = "rehearsal", feature = "salesforce"))]
#[must_use]
pub fn rehearsal_mapping() -> String {
    local::mapping_with(
        deskferry_sink_salesforce::Mapping::default_text(),
        &local::WORLD_LINES,
    )
}

/// A program that moves one kind of helpdesk into one kind of target.
pub struct App {
    source: SourceKit,
    sink: SinkKit,
    proposer: Arc<dyn Proposer>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("source", &self.source)
            .field("sink", &self.sink)
            .field("proposer", &self.proposer.name())
            .finish()
    }
}

impl App {
    /// A program for this pair.
    #[must_use]
    pub fn new(source: SourceKit, sink: SinkKit) -> Self {
        Self {
            source,
            sink,
            proposer: Arc::new(ByName),
        }
    }

    /// The same program with another proposer of lines for the mapping than the one that goes by names and asks nobody. One
    /// that asks somebody else is shown shapes of values only, unless the configuration says otherwise.
    #[must_use]
    pub fn proposer(mut self, proposer: impl Proposer + 'static) -> Self {
        self.proposer = Arc::new(proposer);
        self
    }

    /// Reads the command line, does what it says and answers the exit code.
    #[must_use]
    pub fn main(self) -> ExitCode {
        let args = args::Args::read();
        log::to_stderr(args.verbose);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => exit::code(&runtime.block_on(verbs::perform(&self, args))),
            Err(error) => exit::code(&Err(deskferry_core::Error::storage("start", error))),
        }
    }
}
