//! What the command line, the environment and the configuration file say together: each wins over the next.

use std::path::PathBuf;

use deskferry_core::owners::Undecided;
use deskferry_core::settings::{Holds, Section, Setting, Settings, SettingsFile};
use deskferry_core::{Error, ErrorKind, Result};

use super::args::Args;

/// `[migration]`: what the program itself can be told.
pub(super) static MIGRATION: Section = Section::new(
    "migration",
    "DESKFERRY",
    &[
        Setting::new(
            "workspace",
            Holds::Path,
            "",
            "the folder that holds the whole state of the migration (`--workspace`)",
        ),
        Setting::new(
            "target_name",
            Holds::Text,
            "the org's own name",
            "a name of your own for the target org (`--target-name`)",
        ),
        Setting::new(
            "gate",
            Holds::Percent,
            "5",
            "the share of a phase's records that may fail or be held before the run stops, in percent (`--gate`)",
        ),
        Setting::new(
            "undecided",
            Holds::OneOf(&["hold", "legacy", "name-only"]),
            "hold; legacy when both ends are local",
            "what becomes of open cases whose agent has nobody in the org: wait for a person, go to the legacy owner, or no owner is set (`--undecided`)",
        ),
    ],
);

/// `[rehearsal]`: what fills the local helpdesk.
#[cfg(feature = "rehearsal")]
pub(super) static REHEARSAL: Section = Section::new(
    "rehearsal",
    "REHEARSAL",
    &[
        Setting::new(
            "mail_dir",
            Holds::Path,
            "",
            "a folder of mails (RFC 822 files) instead of a made-up world (`--mail-dir`)",
        ),
        Setting::new(
            "conversations",
            Holds::Number {
                least: 0,
                most: 100_000_000,
            },
            "300",
            "how many conversations the made-up world has (`--conversations`)",
        ),
        Setting::new(
            "seed",
            Holds::Number {
                least: 0,
                most: u64::MAX,
            },
            "1",
            "the number that decides what is in the made-up world (`--seed`)",
        ),
    ],
);

/// The share that may fail or be held when nobody says one, in percent.
const GATE: f64 = 5.0;

/// What was chosen.
#[derive(Debug)]
pub(super) struct Choices {
    pub(super) workspace: Option<PathBuf>,
    pub(super) target_name: Option<String>,
    /// In percent.
    pub(super) gate: f64,
    pub(super) undecided: Option<Undecided>,
    #[cfg(feature = "rehearsal")]
    pub(super) world: World,
    pub(super) quiet: bool,
    file: Option<SettingsFile>,
}

/// What fills the local helpdesk.
#[cfg(feature = "rehearsal")]
#[derive(Debug)]
pub(super) struct World {
    pub(super) mail_dir: Option<PathBuf>,
    pub(super) conversations: u64,
    pub(super) seed: u64,
}

impl Choices {
    pub(super) fn of(args: &Args) -> Result<Self> {
        let file = match config_file(args) {
            Some(path) => Some(SettingsFile::read(&path, &super::sections())?),
            None => None,
        };
        let told = MIGRATION.read(&variable, file.as_ref())?;
        let gate = args.gate.or(told.percent("gate")).unwrap_or(GATE);
        if !(0.0..=100.0).contains(&gate) {
            return Err(Error::new(
                ErrorKind::Config,
                "read the command line",
                "--gate must be a share in percent, from 0 to 100",
            ));
        }
        let given = |own: &Option<PathBuf>, key: &str| {
            own.clone().or_else(|| told.path(key).map(PathBuf::from))
        };
        Ok(Self {
            workspace: given(&args.workspace, "workspace"),
            target_name: args
                .target_name
                .clone()
                .or_else(|| told.text("target_name").map(str::to_owned)),
            gate,
            undecided: args
                .undecided
                .map(Undecided::from)
                .or_else(|| undecided(told.text("undecided")?)),
            #[cfg(feature = "rehearsal")]
            world: World::of(args, &REHEARSAL.read(&variable, file.as_ref())?),
            quiet: args.quiet,
            file,
        })
    }

    /// What a platform was told. Says on standard error what people should know of it.
    #[expect(clippy::print_stderr, reason = "this is the program's own voice")]
    pub(super) fn platform(&self, section: &'static Section) -> Result<Settings> {
        let told = section.read(&variable, self.file.as_ref())?;
        for warning in told.warnings() {
            eprintln!("warning: {warning}");
        }
        Ok(told)
    }
}

#[cfg(feature = "rehearsal")]
impl World {
    fn of(args: &Args, told: &Settings) -> Self {
        Self {
            mail_dir: args
                .mail_dir
                .clone()
                .or_else(|| told.path("mail_dir").map(PathBuf::from)),
            conversations: args
                .conversations
                .or(told.number("conversations"))
                .unwrap_or(300),
            seed: args.seed.or(told.number("seed")).unwrap_or(1),
        }
    }
}

fn undecided(word: &str) -> Option<Undecided> {
    [Undecided::Hold, Undecided::Legacy, Undecided::NameOnly]
        .into_iter()
        .find(|undecided| undecided.name() == word)
}

fn config_file(args: &Args) -> Option<PathBuf> {
    let by_variable = || variable("DESKFERRY_CONFIG").filter(|path| !path.trim().is_empty());
    args.config
        .clone()
        .or_else(|| by_variable().map(PathBuf::from))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
