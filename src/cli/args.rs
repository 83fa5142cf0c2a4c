//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use deskferry_core::migration::{Migration, OnChange, OnGone};

/// Moves a helpdesk into Salesforce Service Cloud.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(super) struct Args {
    /// What to do; `run` when nothing is said.
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,

    /// A configuration file, see deskferry.example.toml; also by DESKFERRY_CONFIG. Variables win over it, and options over both.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// The folder that holds the whole state of the migration; also by DESKFERRY_WORKSPACE. A fresh temporary one for `run` when
    /// nothing is said.
    #[arg(long, global = true)]
    pub(super) workspace: Option<PathBuf>,

    /// A name of your own for the target org.
    #[arg(long, global = true)]
    pub(super) target_name: Option<String>,

    /// The share of a phase's records that may fail or be held before the run stops, in percent. Default 5.
    #[arg(long, global = true)]
    pub(super) gate: Option<f64>,

    /// What becomes of open cases whose agent has nobody in the org: `hold` the cases until a person decided in
    /// reconcile/agents.csv, give them to the `legacy` owner, or set no owner (`name-only`). Default `hold`, or `legacy` when
    /// both ends are local.
    #[arg(long, global = true, value_enum)]
    pub(super) undecided: Option<UndecidedArg>,

    /// Fill the local helpdesk with the mails of this folder (RFC 822 files) instead of a made-up world.
    #[cfg(feature = "rehearsal")]
    #[arg(long, global = true)]
    pub(super) mail_dir: Option<PathBuf>,

    /// How many conversations the made-up world of the local helpdesk has. Default 300.
    #[cfg(feature = "rehearsal")]
    #[arg(long, global = true)]
    pub(super) conversations: Option<u64>,

    /// The number that decides what is in the made-up world. Default 1.
    #[cfg(feature = "rehearsal")]
    #[arg(long, global = true)]
    pub(super) seed: Option<u64>,

    /// Who does it, for the audit trail; `confirm` and `sign-off` ask for it. Default the account of this machine.
    #[arg(long = "as", global = true, value_name = "NAME")]
    pub(super) who: Option<String>,

    /// The org that SALESFORCE_URL names is a local one of this machine: a rehearsal, which needs neither a confirmed mapping nor a
    /// sign-off.
    #[arg(long, global = true)]
    pub(super) local_org: bool,

    /// Load an org that people work in although nobody signed for this mapping: the reason stands in the audit trail.
    #[arg(long, global = true, value_name = "REASON")]
    pub(super) without_sign_off: Option<String>,

    /// Say nothing of the progress.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,

    /// Say more (twice: each request).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

/// The words of `--undecided`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum UndecidedArg {
    Hold,
    Legacy,
    NameOnly,
}

impl From<UndecidedArg> for deskferry_core::owners::Undecided {
    fn from(arg: UndecidedArg) -> Self {
        match arg {
            UndecidedArg::Hold => Self::Hold,
            UndecidedArg::Legacy => Self::Legacy,
            UndecidedArg::NameOnly => Self::NameOnly,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Read the helpdesk, load the org, verify.
    Run {
        /// Only conversations that are over and were quiet for so many days. The others wait for `delta` or `cut-over`.
        #[arg(long, value_name = "DAYS")]
        settled_for: Option<u32>,
    },
    /// Read the helpdesk, load a sample of it, verify. `rollback` removes it again.
    Sample(SampleArgs),
    /// Go on where a run stopped, then verify.
    Resume,
    /// Try again what the org refused, and nothing else; then verify.
    Retry,
    /// Read what changed at the source since, load what is new, then verify. What was loaded already and is another now is
    /// told, and left as it was loaded.
    Delta {
        /// Only conversations that are over and were quiet for so many days; otherwise as the pass before.
        #[arg(long, value_name = "DAYS")]
        settled_for: Option<u32>,
        #[command(flatten)]
        policies: Policies,
    },
    /// The last pass, once nobody works in the helpdesk any more: like `delta`, with everything that waited for it; then
    /// look whether the helpdesk stands still.
    CutOver {
        #[command(flatten)]
        policies: Policies,
    },
    /// After the cut-over, daily: load what still came in at the source, and nothing that changed; verify what nobody works with by
    /// now; keep the report of the day in the target's folder hypercare/.
    Hypercare {
        /// Do it again each day, until so many days have their report.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=365))]
        days: Option<u32>,
    },
    /// Show where a migration stands, and what waits for whom; works beside a run.
    Status,
    /// Make report.html and report.json again from what is on disk; works beside a run.
    Report,
    /// Read the helpdesk into the workspace, load nothing, and show what it holds.
    Discover,
    /// After `discover`: propose a line for what the mapping leaves behind, say what a run will take, and write the package that
    /// the org's administrator installs. Writes nothing to a platform.
    Plan {
        /// Take over the proposals that are at least so sure, in percent, into mapping.toml.
        #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
        accept: Option<u8>,
        /// Another workspace, or its mapping file, that was confirmed earlier: its lines are proposed first.
        #[arg(long, value_name = "PATH")]
        earlier: Vec<PathBuf>,
        /// Show it on a web page of this machine, to look at each line with samples, change and confirm it.
        #[arg(long)]
        review: bool,
    },
    /// After `plan`: say that somebody looked at the mapping (--as NAME). `run` begins with nothing else, and with no change since.
    Confirm,
    /// After a run: draw cases and show them side by side, as the source had them and as the org stores them. With --role, sign
    /// for the load (--as NAME).
    SignOff {
        /// The role in which you sign.
        #[arg(long)]
        role: Option<String>,
        /// A difference, or held or failed records, that is accepted: in your own words. May be said several times.
        #[arg(long, value_name = "WORDS")]
        accept: Vec<String>,
        /// The number that the cases are drawn with; another one each time when nothing is said.
        #[arg(long, value_name = "NUMBER")]
        draw: Option<u64>,
        /// How many cases.
        #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=500))]
        cases: u64,
    },
    /// Show who did what when, and whether anybody changed that since.
    Audit,
    /// Put together what the people of the org get: one folder and one page to begin with.
    HandOver,
    /// Remove what the workspace holds of the helpdesk's records. What stands in the org stays there. Asks before, unless --yes.
    Wipe {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Remove mapping.toml, audit trails, confirmations and sign-offs too.
        #[arg(long)]
        all: bool,
    },
    /// Ask both platforms and this machine whether a run could begin, and say what to do. Only reads.
    Doctor,
    /// Read back everything that was loaded and compare it field by field.
    Verify {
        /// Count differences in rows that others changed since they were loaded apart: people work in the org.
        #[arg(long)]
        untouched: bool,
    },
    /// Log in to the org in a browser, once: the login is kept in the file that login_file of [salesforce] names.
    Login {
        /// The port of this machine that the app's callback address names; 0 takes a free one.
        #[arg(long, default_value_t = super::login::PORT)]
        port: u16,
    },
    /// Ask the org everything that decides how a load will go: rights, features, rules, room; a line for each, with what to do.
    /// Only reads.
    Preflight {
        /// After the load: show every rule whose state is another than at the last preflight.
        #[arg(long)]
        compare: bool,
    },
    /// Show what the org must get before a load, and have the org check it; with --yes make it: fields, kinds of cases, values of
    /// lists, a permission set, and wait until the migration user sees them.
    Deploy {
        /// Make it.
        #[arg(long)]
        yes: bool,
        /// Take away what was made from here, with all that stands in it: removed where the org can, switched off where it
        /// cannot. For after `rollback`.
        #[arg(long)]
        withdraw: bool,
    },
    /// Try the org out: with --yes one difficult row per object is made, read back and removed, and what the org did with it kept
    /// in probe.json.
    Probe {
        /// Make the rows.
        #[arg(long)]
        yes: bool,
    },
    /// Pull what the org says of itself into a folder (only reads), load a local org that looks like it, and report every row
    /// that it refuses.
    #[cfg(feature = "rehearsal")]
    Rehearse {
        /// Ask the org anew instead of going on with the picture of it that is there.
        #[arg(long)]
        anew: bool,
    },
    /// Show what taking everything back would do; with --yes do it: what was made is removed, children before parents, and
    /// nothing that somebody else works with.
    Rollback {
        /// Do it.
        #[arg(long)]
        yes: bool,
        /// Only this phase and those after it.
        #[arg(long, value_name = "PHASE")]
        from: Option<String>,
        /// Remove rows that others changed after the load, too. Rows on which work of others hangs stay in any case.
        #[arg(long)]
        force: bool,
    },
    /// Serve a local stand-in until standard input ends.
    #[cfg(feature = "rehearsal")]
    #[command(hide = true, name = "stand-in")]
    StandIn {
        /// What to serve.
        which: String,
        /// Where its state is.
        folder: PathBuf,
        /// How it is filled, as JSON.
        content: String,
    },
}

/// What becomes of what was loaded and is otherwise now.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Policies {
    /// Conversations that were loaded and changed at the source since: `leave` them as they are and name them, `recreate`
    /// them with all that is in them where nobody but us has touched any of it, or `update` them, and people and companies with
    /// them, where they stand: the org's own dates of change are then those of this pass.
    #[arg(long, value_enum, default_value_t)]
    pub(super) changed: ChangedArg,
    /// Conversations that were loaded and are gone from the source: `leave` them, or `remove` them where nobody but us has
    /// touched any of it.
    #[arg(long, value_enum, default_value_t)]
    pub(super) gone: GoneArg,
}

/// The words of `--changed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ChangedArg {
    #[default]
    Leave,
    Recreate,
    Update,
}

/// The words of `--gone`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum GoneArg {
    #[default]
    Leave,
    Remove,
}

impl Policies {
    /// The migration that obeys them.
    pub(super) fn of(self, migration: Migration) -> Migration {
        let on_change = match self.changed {
            ChangedArg::Leave => OnChange::Leave,
            ChangedArg::Recreate => OnChange::Recreate,
            ChangedArg::Update => OnChange::Update,
        };
        let on_gone = match self.gone {
            GoneArg::Leave => OnGone::Leave,
            GoneArg::Remove => OnGone::Remove,
        };
        migration.on_change(on_change).on_gone(on_gone)
    }
}

/// How a sample is drawn.
#[derive(Debug, clap::Args)]
pub(super) struct SampleArgs {
    /// As few as have one of everything: channels, statuses, types, used custom fields, languages, oddities, the longest
    /// text, the largest file. This is what happens when nothing is said.
    #[arg(long, conflicts_with_all = ["random", "conversation"])]
    pub(super) cover: bool,
    /// So many conversations, by chance.
    #[arg(long, value_name = "N")]
    pub(super) random: Option<usize>,
    /// The number that decides which ones.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "random")]
    pub(super) draw: u64,
    /// This conversation, by its id at the helpdesk; may be said several times.
    #[arg(long, value_name = "ID", conflicts_with = "random")]
    pub(super) conversation: Vec<String>,
    /// The most files that a covering sample may have, in MB; by default what the org has left.
    #[arg(long, value_name = "MB", conflicts_with_all = ["random", "conversation"])]
    pub(super) files: Option<u64>,
}

impl Args {
    pub(super) fn read() -> Self {
        Self::parse()
    }
}
