//! What the command line, the environment and the configuration file say together: each wins over the next.

use std::path::PathBuf;
use std::sync::Arc;

use deskferry_core::migration::Migration;
use deskferry_core::owners::Undecided;
use deskferry_core::settings::{Holds, Section, Setting, Settings, SettingsFile};
use deskferry_core::transforms::{Exclude, Redact};
use deskferry_core::{Error, ErrorKind, Result, Transform};

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
            "field_prefix",
            Holds::Text,
            "",
            "a prefix for the names of the fields that the mapping makes on objects of the org's own; counts when mapping.toml is first written, not for an embedded org",
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
        Setting::new(
            "who",
            Holds::Text,
            "the account of this machine",
            "who does it, for the audit trail (`--as`)",
        ),
        Setting::new(
            "org_is",
            Holds::OneOf(&["real", "local"]),
            "real",
            "whether the org that is named is a local one of this machine: a rehearsal, which needs neither a confirmed mapping nor a sign-off (`--local-org`)",
        ),
        Setting::new(
            "proposer_sees",
            Holds::OneOf(&["shapes", "values"]),
            "shapes",
            "what a proposer that asks somebody else (a language model) is shown of records: shapes of values, or values too",
        ),
    ],
);

/// `[privacy]`: what no target shall get.
pub(super) static PRIVACY: Section = Section::new(
    "privacy",
    "PRIVACY",
    &[
        Setting::new(
            "redact",
            Holds::Text,
            "",
            "what is taken out of what people wrote, with commas: mails, phones, cards",
        ),
        Setting::new(
            "redact_shapes",
            Holds::Text,
            "",
            "shapes that are taken out too, with commas: `a` is any letter, `9` any digit, everything else itself",
        ),
        Setting::new(
            "exclude",
            Holds::Text,
            "",
            "fields that are left out, with commas: contact.phones, conversation.custom.iban",
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
    /// A prefix for the names of fields that the mapping makes.
    pub(super) field_prefix: Option<String>,
    /// In percent.
    pub(super) gate: f64,
    pub(super) undecided: Option<Undecided>,
    #[cfg(feature = "rehearsal")]
    pub(super) world: World,
    pub(super) quiet: bool,
    /// Who does it, and whether they said so themselves.
    pub(super) who: Who,
    /// Whether the org that is named is said to be a local one.
    pub(super) local_org: bool,
    /// Whether a proposer elsewhere may see values of records.
    pub(super) values_are_shown: bool,
    pub(super) without_sign_off: Option<String>,
    pub(super) privacy: Privacy,
    file: Option<SettingsFile>,
}

/// Who runs a verb.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) said: bool,
}

impl Who {
    fn of(said: Option<&str>) -> Self {
        let said = said.map(str::trim).filter(|name| !name.is_empty());
        let account = || {
            ["USER", "LOGNAME", "USERNAME"]
                .iter()
                .find_map(|name| variable(name))
        };
        Self {
            name: said
                .map(str::to_owned)
                .or_else(account)
                .unwrap_or_else(by_number),
            said: said.is_some(),
        }
    }

    /// The name of somebody who said it.
    pub(super) fn named(&self, doing: &'static str) -> Result<&str> {
        if self.said {
            return Ok(&self.name);
        }
        let said = "nobody said who does it";
        Err(Error::new(ErrorKind::Config, doing, said).advise("Say it with --as NAME"))
    }
}

/// The number of the account, where the environment does not name it.
fn by_number() -> String {
    use std::os::unix::fs::MetadataExt;
    let own = std::fs::metadata("/proc/self");
    own.map_or_else(
        |_| "unknown".to_owned(),
        |own| format!("account {}", own.uid()),
    )
}

/// What no target shall get.
#[derive(Debug, Default)]
pub(super) struct Privacy {
    pub(super) redact: Redact,
    pub(super) exclude: Exclude,
    /// As it was said, for people and for what they confirm.
    pub(super) said: Vec<(String, String)>,
}

impl Privacy {
    fn of(told: &Settings) -> Result<Self> {
        let text = |key: &str| told.text(key).unwrap_or_default();
        let said = ["redact", "redact_shapes", "exclude"]
            .into_iter()
            .filter(|key| !text(key).trim().is_empty())
            .map(|key| (format!("privacy.{key}"), text(key).trim().to_owned()));
        Ok(Self {
            redact: Redact::parse(text("redact"), text("redact_shapes"))?,
            exclude: Exclude::parse(text("exclude"))?,
            said: said.collect(),
        })
    }

    /// Its transforms, in their order.
    pub(super) fn transforms(&self) -> Vec<Arc<dyn Transform>> {
        let mut transforms: Vec<Arc<dyn Transform>> = Vec::new();
        if !self.exclude.is_empty() {
            transforms.push(Arc::new(self.exclude.clone()));
        }
        if !self.redact.is_empty() {
            transforms.push(Arc::new(self.redact.clone()));
        }
        transforms
    }

    /// The migration with its transforms.
    pub(super) fn of_migration(&self, migration: Migration) -> Migration {
        let migration = match self.exclude.is_empty() {
            true => migration,
            false => migration.transform(self.exclude.clone()),
        };
        match self.redact.is_empty() {
            true => migration,
            false => migration.transform(self.redact.clone()),
        }
    }
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
            field_prefix: told.text("field_prefix").map(str::to_owned),
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
            who: Who::of(args.who.as_deref().or(told.text("who"))),
            local_org: args.local_org || told.text("org_is") == Some("local"),
            values_are_shown: told.text("proposer_sees") == Some("values"),
            without_sign_off: args.without_sign_off.clone(),
            privacy: Privacy::of(&PRIVACY.read(&variable, file.as_ref())?)?,
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
