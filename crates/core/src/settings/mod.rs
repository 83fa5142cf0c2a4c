//! What a platform can be told, from the environment and from a configuration file by the same names.
//!
//! A connector writes down one [`Section`]: its keys, what each holds, and its default. From that follow the variables, the
//! checks, the advice in errors and the pages that list them; the connector's own configuration is read from the result
//! with serde, so nothing is written twice.
//!
//! * A key `rate` of a section with the prefix `DESK` is the variable `DESK_RATE`; the variable wins over the file.
//! * A secret `token` never stands in a file: there it is `token_file`, the name of a file that holds it; in the
//!   environment it is `DESK_TOKEN` or `DESK_TOKEN_FILE`.
//! * Relative paths in a file start at the file's own folder.
//! * No error shows a value.
//!
//! ```
//! use deskferry_core::settings::{Holds, Section, Setting};
//!
//! static DESK: Section = Section::new("desk", "DESK", &[
//!     Setting::new("url", Holds::Text, "", "where the desk is"),
//!     Setting::new("rate", Holds::Number { least: 1, most: 6_000 }, "60", "requests a minute"),
//!     Setting::new("token", Holds::Secret, "", "who asks"),
//! ]);
//!
//! #[derive(serde::Deserialize)]
//! struct Desk { url: String, rate: Option<u32> }
//!
//! let vars = |name: &str| (name == "DESK_RATE").then(|| "90".to_owned());
//! let settings = DESK.read(&vars, None)?;
//! assert!(!settings.is_set("url"));
//! assert_eq!(settings.number("rate"), Some(90));
//! # Ok::<(), deskferry_core::Error>(())
//! ```

mod file;
mod near;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub use file::SettingsFile;

use crate::error::{Error, ErrorKind, Result};
use value::{Raw, Value};

const READ: &str = "read the configuration";

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Holds {
    /// A text of one line.
    Text,
    /// A whole number in these bounds.
    Number {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A whole number in these bounds, or one word instead.
    NumberOr {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
        /// The word.
        word: &'static str,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A share in percent: 0 to 100, with decimals.
    Percent,
    /// `true` or `false`.
    Switch,
    /// A file or folder.
    Path,
    /// A long text that stands in a file of its own: the key has `_file` behind it.
    Contents,
    /// A text that must not be seen; `_file` behind the key names a file that holds it.
    Secret,
}

/// One thing that can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Setting {
    /// Its key in the file and in the connector's configuration.
    pub key: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// What is done without it, for people; empty when it must be given or means nothing.
    pub default: &'static str,
    /// What it is, with its unit.
    pub about: &'static str,
}

impl Setting {
    /// A setting.
    #[must_use]
    pub const fn new(
        key: &'static str,
        holds: Holds,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            key,
            holds,
            default,
            about,
        }
    }

    /// Its key as it stands in a file: with `_file` behind it where another file holds the value.
    #[must_use]
    pub fn written(&self) -> String {
        if self.in_a_file() {
            format!("{}_file", self.key)
        } else {
            self.key.to_owned()
        }
    }

    fn in_a_file(&self) -> bool {
        matches!(self.holds, Holds::Secret | Holds::Contents)
    }
}

/// What one platform, or the program itself, can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Section {
    /// Its name in the file: `[name]`.
    pub name: &'static str,
    /// What its variables begin with, without the `_`.
    pub prefix: &'static str,
    /// Its settings.
    pub settings: &'static [Setting],
}

impl Section {
    /// A section.
    #[must_use]
    pub const fn new(
        name: &'static str,
        prefix: &'static str,
        settings: &'static [Setting],
    ) -> Self {
        Self {
            name,
            prefix,
            settings,
        }
    }

    /// The variable of a key.
    #[must_use]
    pub fn variable(&self, key: &str) -> String {
        format!("{}_{}", self.prefix, key.to_uppercase())
    }

    /// From the process's environment alone.
    ///
    /// # Errors
    /// `Config`: a variable cannot be read; names it, never shows it.
    pub fn from_env(&'static self) -> Result<Settings> {
        self.read(&|name| std::env::var(name).ok(), None)
    }

    /// From variables, and where those are not set from a file. A variable that holds nothing is not set.
    ///
    /// # Errors
    /// `Config`: a value is of the wrong type or out of its bounds, a file that a `_file` names cannot be read. Names the
    /// variable, or the file and the line.
    pub fn read(
        &'static self,
        vars: &dyn Fn(&str) -> Option<String>,
        file: Option<&SettingsFile>,
    ) -> Result<Settings> {
        let mut settings = Settings {
            section: self,
            values: BTreeMap::new(),
            warnings: Vec::new(),
        };
        for setting in self.settings {
            if let Some(told) = self.told_by(setting, vars)? {
                settings.take(setting, told)?;
            } else if let Some(told) = file.and_then(|file| file.told(self.name, setting)) {
                settings.take(setting, told)?;
            }
        }
        Ok(settings)
    }

    fn told_by(
        &self,
        setting: &Setting,
        vars: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Told>> {
        let of = |name: String| {
            let text = vars(&name).filter(|text| !text.trim().is_empty())?;
            Some((name, text))
        };
        let plain = of(self.variable(setting.key));
        let by_file = if setting.in_a_file() {
            of(format!("{}_FILE", self.variable(setting.key)))
        } else {
            None
        };
        Ok(match (plain, by_file) {
            (Some((one, _)), Some((other, _))) => {
                return Err(
                    wrong(format!("both {one} and {other} are set")).advise("Keep one of the two")
                );
            }
            (Some((place, text)), None) => Some(Told {
                place,
                raw: Raw::Text(text.trim().to_owned()),
                from_file: None,
            }),
            (None, Some((place, name))) => Some(Told {
                place,
                raw: Raw::Text(String::new()),
                from_file: Some(PathBuf::from(name.trim())),
            }),
            (None, None) => None,
        })
    }
}

/// A value as it was told, and where.
#[derive(Debug)]
struct Told {
    place: String,
    raw: Raw,
    /// The file that holds the value.
    from_file: Option<PathBuf>,
}

/// What a section was told.
#[derive(Debug, Clone)]
pub struct Settings {
    section: &'static Section,
    values: BTreeMap<&'static str, Value>,
    warnings: Vec<String>,
}

impl Settings {
    fn take(&mut self, setting: &'static Setting, told: Told) -> Result<()> {
        let value = match &told.from_file {
            Some(path) => {
                let (text, warning) = contents(path, &told.place, setting)?;
                self.warnings.extend(warning);
                Value::of_contents(setting, text)
            }
            None => Value::of(setting, told.raw)
                .map_err(|needed| wrong(format!("{} must be {needed}", told.place)))?,
        };
        self.values.insert(setting.key, value);
        Ok(())
    }

    /// Whether there is a value.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// A text or a word; secrets have none.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key)?.text()
    }

    /// A whole number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.values.get(key)?.number()
    }

    /// A share in percent.
    #[must_use]
    pub fn percent(&self, key: &str) -> Option<f64> {
        self.values.get(key)?.percent()
    }

    /// A file or folder.
    #[must_use]
    pub fn path(&self, key: &str) -> Option<&Path> {
        self.values.get(key)?.path()
    }

    /// What people should know: a file with a secret that others can read.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The same as a configuration of one's own, by serde: each key that has a value.
    ///
    /// # Errors
    /// `Config` when a key is missing. `Bug` when the section and the type do not fit each other.
    pub fn configure<T: DeserializeOwned>(&self) -> Result<T> {
        let object = self
            .values
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.json()))
            .collect();
        serde_path_to_error::deserialize(serde_json::Value::Object(object)).map_err(|error| {
            let said = error.inner().to_string();
            match missing_field(&said)
                .filter(|key| self.section.settings.iter().any(|s| s.key == *key))
            {
                Some(key) => self.missing(key),
                // The text may hold a value: only the place is said.
                None => Error::bug(
                    READ,
                    format!(
                        "[{}] cannot be taken at `{}`",
                        self.section.name,
                        error.path()
                    ),
                ),
            }
        })
    }

    /// The error for a key that is needed and has no value.
    #[must_use]
    pub fn missing(&self, key: &str) -> Error {
        let section = self.section;
        let written = section
            .settings
            .iter()
            .find(|s| s.key == key)
            .map_or_else(|| key.to_owned(), Setting::written);
        wrong(format!("{} is not set", section.variable(key))).advise(format!(
            "Set it, or write `{written} = …` under [{}] of the configuration file",
            section.name
        ))
    }
}

/// The field of serde's "missing field `x`".
fn missing_field(said: &str) -> Option<&str> {
    let rest = said.strip_prefix("missing field `")?;
    rest.split('`').next()
}

/// The text of a file that holds a value, without the ends of its last line, and what is to be said of the file.
fn contents(path: &Path, place: &str, setting: &Setting) -> Result<(String, Option<String>)> {
    let unreadable = |why: String| {
        wrong(format!("{place} names a file that cannot be read: {why}"))
            .with("file", path.display())
            .advise("Name a file that this account can read")
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is no text".to_owned()))?;
    let text = text.trim_end_matches(['\n', '\r']).to_owned();
    if text.trim().is_empty() {
        return Err(unreadable("it is empty".to_owned()));
    }
    let open = setting.holds == Holds::Secret && readable_by_others(path);
    let warning = open.then(|| {
        format!(
            "{} holds a secret and can be read by every account of this machine: `chmod 600` it",
            path.display()
        )
    });
    Ok((text, warning))
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_path: &Path) -> bool {
    false
}

fn wrong(said: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, READ, said)
}
