//! The configuration file: sections of keys, in TOML.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::near::nearest;
use super::value::Raw;
use super::{Holds, READ, Section, Setting, Told, wrong};
use crate::error::{Error, ErrorKind, Result};

/// A configuration file whose sections, keys and values were checked. Its `Debug` shows no value.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    sections: BTreeMap<String, BTreeMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    line: usize,
    raw: Raw,
}

impl SettingsFile {
    /// Reads a file that may have these sections, and checks all of it: also what no program of this pair uses.
    ///
    /// # Errors
    /// `Config`: the file cannot be read or is no TOML, a section or key is unknown, a secret stands in it, a value is of the wrong
    /// type or out of its bounds. Names file, line and the known names; never shows a value.
    pub fn read(path: &Path, known: &[&'static Section]) -> Result<Self> {
        let unreadable = |why: String| {
            Error::new(
                ErrorKind::Config,
                READ,
                format!("the file cannot be read: {why}"),
            )
            .with("file", path.display())
        };
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable("it is no UTF-8".to_owned()))?;
        Self::parse(&text, path, known)
    }

    /// The same from a text; `path` is what errors call it, and relative paths start at its folder.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str, path: &Path, known: &[&'static Section]) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let page = Page { text, path, known };
        let document = DeTable::parse(text).map_err(|error| page.not_toml(&error))?;
        let mut sections = BTreeMap::new();
        for (name, value) in document.get_ref() {
            let section = page.section(name.get_ref(), &name.span())?;
            let DeValue::Table(table) = value.get_ref() else {
                return Err(page.wrong(
                    &name.span(),
                    &format!(
                        "`{}` is a section: write [{}] on a line of its own",
                        section.name, section.name
                    ),
                ));
            };
            sections.insert(section.name.to_owned(), page.entries(section, table)?);
        }
        Ok(Self {
            path: path.to_owned(),
            sections,
        })
    }

    /// What stands for a setting.
    pub(super) fn told(&self, section: &str, setting: &Setting) -> Option<Told> {
        let entry = self.sections.get(section)?.get(&setting.written())?;
        let place = format!(
            "{}, line {}: `{}`",
            self.path.display(),
            entry.line,
            setting.written()
        );
        let from_here = |name: &str| self.path.parent().unwrap_or(Path::new("")).join(name);
        let mut told = Told {
            place,
            raw: entry.raw.clone(),
            from_file: None,
        };
        if let Raw::Text(name) = &entry.raw {
            if setting.in_a_file() {
                told.from_file = Some(from_here(name));
            } else if setting.holds == Holds::Path {
                told.raw = Raw::Path(from_here(name));
            }
        }
        Some(told)
    }
}

/// A file that is being checked.
struct Page<'a> {
    text: &'a str,
    path: &'a Path,
    known: &'a [&'static Section],
}

impl Page<'_> {
    fn section(&self, name: &str, at: &Range<usize>) -> Result<&'static Section> {
        if let Some(section) = self.known.iter().find(|section| section.name == name) {
            return Ok(section);
        }
        let names = || self.known.iter().map(|section| section.name);
        if let Some(owner) = self
            .known
            .iter()
            .find(|s| s.settings.iter().any(|x| x.written() == name))
        {
            return Err(self.wrong(
                at,
                &format!(
                    "`{name}` stands under no section: it belongs under [{}]",
                    owner.name
                ),
            ));
        }
        let meant =
            nearest(name, names()).map_or(String::new(), |n| format!(" Did you mean [{n}]?"));
        let all: Vec<String> = names().map(|name| format!("[{name}]")).collect();
        Err(self.wrong(
            at,
            &format!(
                "`{name}` is no section that this program knows.{meant} It knows {}",
                all.join(", ")
            ),
        ))
    }

    fn entries(&self, section: &Section, table: &DeTable<'_>) -> Result<BTreeMap<String, Entry>> {
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let (name, at) = (key.get_ref().as_ref(), key.span());
            let setting = self.setting(section, name, &at)?;
            let raw = raw(value.get_ref());
            if let Err(needed) = check(setting, &raw) {
                return Err(self.wrong(&at, &format!("`{name}` must be {needed}")));
            }
            let line = self.line(&at);
            entries.insert(name.to_owned(), Entry { line, raw });
        }
        Ok(entries)
    }

    fn setting(
        &self,
        section: &Section,
        name: &str,
        at: &Range<usize>,
    ) -> Result<&'static Setting> {
        let settings: &'static [Setting] = section.settings;
        if let Some(setting) = settings.iter().find(|s| s.written() == name) {
            return Ok(setting);
        }
        if let Some(secret) = settings.iter().find(|s| s.key == name) {
            let variable = section.variable(secret.key);
            return Err(self.wrong(at, &if secret.holds == Holds::Secret {
                format!(
                    "`{name}` must not stand in a configuration file, which is copied and shown. Write `{name}_file = \"…\"`, the name of a file that only you can read, or set {variable}"
                )
            } else {
                format!("`{name}` is a long text: write `{name}_file = \"…\"`, the name of the file that holds it")
            }));
        }
        let known: Vec<String> = settings.iter().map(Setting::written).collect();
        let names = known.iter().map(String::as_str);
        let near = nearest(name, names.chain(settings.iter().map(|s| s.key)));
        // Who meant the key of a secret is told how it is written here.
        let meant = near.map_or(String::new(), |near| {
            let setting = settings.iter().find(|s| s.key == near);
            let near = setting.map_or_else(|| near.to_owned(), Setting::written);
            format!(" Did you mean `{near}`?")
        });
        Err(self.wrong(
            at,
            &format!(
                "`{name}` is no key of [{}].{meant} It knows {}",
                section.name,
                known.join(", ")
            ),
        ))
    }

    /// The parser's own words are kept from the reader: they may quote the line, and the line may hold a secret.
    fn not_toml(&self, error: &toml::de::Error) -> Error {
        let at = error.span().unwrap_or(0..0);
        let said = error.message();
        let known = [
            ("duplicate key", "a key or section stands there twice"),
            (
                "string values must be quoted",
                "a text needs quotes around it",
            ),
            (
                "invalid basic string",
                "a text has no closing quote, or a `\\` that means nothing: write '…' for texts with `\\`",
            ),
            ("invalid literal string", "a text has no closing quote"),
            ("unclosed table", "the name of a section needs `[` and `]`"),
        ];
        let what = known
            .iter()
            .find(|(theirs, _)| said.starts_with(theirs))
            .map_or(
                "this is not TOML: `key = value`, texts in quotes, sections as [name]",
                |(_, ours)| ours,
            );
        self.wrong(&at, what)
    }

    fn line(&self, at: &Range<usize>) -> usize {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    fn wrong(&self, at: &Range<usize>, said: &str) -> Error {
        wrong(format!(
            "{}, line {}: {said}",
            self.path.display(),
            self.line(at)
        ))
    }
}

/// Types and bounds; whether a file is there is asked when it is needed.
fn check(setting: &Setting, raw: &Raw) -> std::result::Result<(), String> {
    match (setting.in_a_file(), raw) {
        (true, Raw::Text(_)) => Ok(()),
        (true, _) => Err("the name of a file in quotes".to_owned()),
        (false, raw) => super::Value::of(setting, raw.clone()).map(|_| ()),
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.trim().to_owned()),
        DeValue::Integer(number) => {
            let digits = number.as_str().trim_start_matches('+');
            u64::from_str_radix(digits, number.radix()).map_or(Raw::Other, Raw::Number)
        }
        DeValue::Float(number) => number.as_str().parse().map_or(Raw::Other, Raw::Decimal),
        DeValue::Boolean(on) => Raw::Switch(*on),
        _ => Raw::Other,
    }
}
