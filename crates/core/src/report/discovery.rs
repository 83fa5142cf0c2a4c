//! What a source holds, counted from what was read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};

use crate::key::{RecordKey, RecordKind};
use crate::model::{Conversation, CustomValue, FieldDefinition, Meta, Record, StatusState};
use crate::preflight::Feature;

/// Words of each sort that are counted.
const WORDS: usize = 200;
/// How many shapes of a field's values are shown, and how many records of an oddity.
const SHOWN: usize = 3;
/// How many of the largest files are shown.
const LARGEST: usize = 10;

/// What a source holds. Serialised as `scope.json`. It holds shapes of values, never values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Discovery {
    /// The version of this form.
    pub format: u32,
    /// Whose records: `platform:tenant`.
    pub source: String,
    /// When it was counted.
    pub made_at: DateTime<Utc>,
    /// Whether everything was read.
    pub complete: bool,
    /// Records per kind.
    pub kinds: Vec<KindFound>,
    /// Custom fields, those in use first.
    pub fields: Vec<FieldFound>,
    /// Conversations per channel.
    pub channels: BTreeMap<String, u64>,
    /// Conversations per status, by the source's own word.
    pub statuses: BTreeMap<String, u64>,
    /// Conversations per word that the source sorts them by: under `type`, `form`, `segment`. At most 200 words of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, BTreeMap<String, u64>>,
    /// Conversations per team (a queue, where the source has queues), by its name; by its key where nothing tells the name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<String, u64>,
    /// Conversations per year in which they began, and channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub years: BTreeMap<i32, BTreeMap<String, u64>>,
    /// Configuration that cannot migrate, by the source's word for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inventory: BTreeMap<String, u64>,
    /// Bytes of all files, by what the source says of them.
    pub file_bytes: u64,
    /// Files by their size, small ones first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_sizes: Vec<SizeBand>,
    /// The largest files, largest first.
    pub largest_files: Vec<FileFound>,
    /// What is odd, by a stable name.
    pub oddities: BTreeMap<String, Oddity>,
    /// What no channel of the source covers, per kind of thing: what, and for which times. As the source tells.
    #[serde(default)]
    pub uncovered: BTreeMap<String, Vec<String>>,
    /// Features of the target that these records need, as far as one was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// What the read found out that people should know: lists that moved, periods that nothing covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the source said of itself when it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    #[serde(skip)]
    pub(crate) found: BTreeMap<(RecordKind, String), FieldFound>,
    /// Teams by their keys: the name, once it was told, and how many conversations there are.
    #[serde(skip)]
    pub(crate) of_teams: BTreeMap<RecordKey, (String, u64)>,
}

/// What a source said of itself: product, version, limits, what its account may not see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// What answered, with its version, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Its limits and how they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// What people should know before the read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Files of about one size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeBand {
    /// The largest that counts here, in bytes; none for the last band.
    pub up_to: Option<u64>,
    /// Files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// The bands of sizes end at so many bytes.
const BANDS: [u64; 6] = [
    100_000,
    1_000_000,
    10_000_000,
    35_000_000,
    100_000_000,
    2_000_000_000,
];

/// How many records of a kind there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindFound {
    /// The kind.
    pub kind: RecordKind,
    /// Records.
    pub read: u64,
    /// Rows that could not become records.
    pub rejected: u64,
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldFound {
    /// What carries it.
    pub of: RecordKind,
    /// Its stable key, as in `custom.<key>` of a mapping.
    pub field: String,
    /// What people see; empty when the source defines no such field.
    pub title: String,
    /// The source's word for its type.
    pub holds: String,
    /// Records with a value.
    pub used: u64,
    /// Shapes of values: `a` for letters, `9` for digits.
    pub shapes: BTreeSet<String>,
}

/// A large file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFound {
    /// Its record.
    pub key: RecordKey,
    /// Its size, as the source says.
    pub bytes: u64,
}

/// Something that people may want to look at before they migrate it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oddity {
    /// How many records.
    pub count: u64,
    /// The first few.
    pub examples: Vec<RecordKey>,
}

impl Discovery {
    /// Counts a record.
    pub fn see(&mut self, record: &Record) {
        for what in oddities(record) {
            self.odd(&what, record.meta());
        }
        match record {
            Record::FieldDefinition(definition) => self.see_definition(definition),
            Record::Account(account) => self.see_values(RecordKind::Account, &account.meta),
            Record::Contact(contact) => self.see_values(RecordKind::Contact, &contact.meta),
            Record::Conversation(one) => {
                self.see_values(RecordKind::Conversation, &one.meta);
                let channel = one.channel.is.name();
                *self.channels.entry(channel.to_owned()).or_default() += 1;
                if let Some(began) = one.meta.created_at {
                    let year = self.years.entry(began.year()).or_default();
                    *year.entry(channel.to_owned()).or_default() += 1;
                }
                let status = one.status.raw.clone();
                *self.statuses.entry(status).or_default() += 1;
                self.see_words(one);
                if let Some(team) = &one.team {
                    self.of_teams.entry(team.clone()).or_default().1 += 1;
                }
            }
            Record::Team(team) => {
                let known = self.of_teams.entry(team.meta.key.clone()).or_default();
                known.0.clone_from(&team.name);
            }
            Record::ObjectRecord(own) => self.see_values(RecordKind::ObjectRecord, &own.meta),
            Record::Attachment(file) => self.see_file(&file.meta, file.size),
            // The source's word for items that say what of a kind it can show by no channel.
            Record::InventoryItem(item) if item.kind.raw == "coverage" => {
                let lines = item.parts.last().map(|part| part.lines.clone());
                self.uncovered
                    .insert(item.name.clone(), lines.unwrap_or_default());
            }
            Record::InventoryItem(item) => {
                *self.inventory.entry(item.kind.raw.clone()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// What the source sorts conversations by.
    fn see_words(&mut self, one: &Conversation) {
        let form = one.meta.custom.get("form").and_then(|form| match form {
            CustomValue::Text(word) | CustomValue::Choice(word) => Some(word),
            _ => None,
        });
        for (by, word) in [
            ("type", one.kind.as_ref()),
            ("form", form),
            ("segment", one.segment.as_ref()),
        ] {
            let Some(word) = word.filter(|word| !word.trim().is_empty()) else {
                continue;
            };
            let words = self.words.entry(by.to_owned()).or_default();
            // More are no sorting.
            if words.len() < WORDS || words.contains_key(word.trim()) {
                *words.entry(word.trim().to_owned()).or_default() += 1;
            }
        }
    }

    fn see_definition(&mut self, definition: &FieldDefinition) {
        let field = self.field(definition.of, &definition.field);
        field.title.clone_from(&definition.title);
        field.holds.clone_from(&definition.raw_type);
    }

    fn see_values(&mut self, of: RecordKind, meta: &Meta) {
        for (name, value) in &meta.custom {
            let field = self.field(of, name);
            field.used += 1;
            if field.shapes.len() < SHOWN {
                field.shapes.insert(shape(value));
            }
        }
    }

    fn see_file(&mut self, meta: &Meta, size: Option<u64>) {
        let Some(bytes) = size else { return };
        self.file_bytes += bytes;
        let place = BANDS.iter().position(|most| bytes <= *most);
        if self.file_sizes.is_empty() {
            let ends = BANDS.into_iter().map(Some).chain([None]);
            self.file_sizes = ends
                .map(|up_to| SizeBand {
                    up_to,
                    files: 0,
                    bytes: 0,
                })
                .collect();
        }
        if let Some(band) = self.file_sizes.get_mut(place.unwrap_or(BANDS.len())) {
            band.files += 1;
            band.bytes += bytes;
        }
        let key = meta.key.clone();
        self.largest_files.push(FileFound { key, bytes });
        self.largest_files
            .sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.key.cmp(&b.key)));
        self.largest_files.truncate(LARGEST);
    }

    fn field(&mut self, of: RecordKind, name: &str) -> &mut FieldFound {
        self.found
            .entry((of, name.to_owned()))
            .or_insert_with(|| FieldFound {
                of,
                field: name.to_owned(),
                title: String::new(),
                holds: String::new(),
                used: 0,
                shapes: BTreeSet::new(),
            })
    }

    fn odd(&mut self, what: &str, meta: &Meta) {
        let oddity = self.oddities.entry(what.to_owned()).or_default();
        oddity.count += 1;
        if oddity.examples.len() < SHOWN {
            oddity.examples.push(meta.key.clone());
        }
    }

    /// To be called when everything was seen.
    pub(crate) fn finish(&mut self) {
        for (key, (name, count)) in std::mem::take(&mut self.of_teams) {
            let name = match name.trim() {
                "" => key.to_string(),
                name => name.to_owned(),
            };
            *self.teams.entry(name).or_default() += count;
        }
        self.fields = std::mem::take(&mut self.found).into_values().collect();
        self.fields
            .sort_by(|a, b| (b.used, a.of, &a.field).cmp(&(a.used, b.of, &b.field)));
    }

    /// The same as tables for a terminal.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut out = format!(
            "{}\n\n{:<20}{:>10}{:>10}\n",
            self.source, "kind", "read", "rejected"
        );
        // Writing to a string cannot fail.
        for kind in &self.kinds {
            let name = kind.kind.name();
            let _ = writeln!(out, "{name:<20}{:>10}{:>10}", kind.read, kind.rejected);
        }
        let _ = writeln!(
            out,
            "\n{:<42}{:>10}  {:<16}such as",
            "custom field", "used", "type"
        );
        for field in &self.fields {
            let name = format!("{} {}", field.of.name(), field.field);
            let shapes: Vec<&str> = field.shapes.iter().map(String::as_str).collect();
            let (holds, shapes) = (&field.holds, shapes.join(" | "));
            let _ = writeln!(out, "{name:<42}{:>10}  {holds:<16}{shapes}", field.used);
        }
        for (title, counts) in [("channels", &self.channels), ("statuses", &self.statuses)] {
            let counts: Vec<String> = counts.iter().map(|(n, c)| format!("{n} {c}")).collect();
            let _ = writeln!(out, "\n{title}: {}", counts.join(", "));
        }
        let largest = self.largest_files.first();
        let largest = largest.map_or(String::new(), |f| {
            format!(", the largest {:.1} MB ({})", f.bytes as f64 / 1e6, f.key)
        });
        let _ = writeln!(
            out,
            "\nfiles: {:.1} MB{largest}",
            self.file_bytes as f64 / 1e6
        );
        for (what, oddity) in &self.oddities {
            let example = oddity.examples.first();
            let example = example.map_or(String::new(), |key| format!(", such as {key}"));
            let _ = writeln!(out, "{what}: {}{example}", oddity.count);
        }
        for feature in self.features.iter().filter(|f| f.there != Some(true)) {
            let there = match feature.there {
                Some(_) => "is not there",
                None => "may not be there",
            };
            let _ = writeln!(out, "{} {there}: {}", feature.name, feature.lost);
        }
        for (kind, lines) in &self.uncovered {
            let _ = writeln!(out, "not covered, {kind}: {}", lines.join("; "));
        }
        if !self.complete {
            let _ = writeln!(out, "not everything was read yet");
        }
        out
    }
}

/// What is odd about a record, so that people may want to look at it before they migrate it.
pub(crate) fn oddities(record: &Record) -> Vec<String> {
    let mut found = Vec::new();
    let mut odd = |is: bool, what: &str| {
        if is {
            found.push(what.to_owned());
        }
    };
    match record {
        Record::Contact(person) => {
            odd(person.emails.is_empty(), "people without an e-mail address");
        }
        Record::Conversation(one) => {
            odd(one.requester.is_none(), "conversations without a requester");
            odd(
                one.subject.trim().is_empty(),
                "conversations without a subject",
            );
            let unclear = format!(
                "conversations with the status `{}`, whose meaning the source does not say; the mapping can name it as `label:`",
                one.status.raw
            );
            odd(one.status.is == StatusState::Other, &unclear);
        }
        Record::Message(message) => {
            let blank =
                |text: &Option<String>| text.as_ref().is_none_or(|text| text.trim().is_empty());
            let empty =
                blank(&message.body.html) && blank(&message.body.text) && message.files.is_empty();
            odd(empty, "messages without text or files");
        }
        Record::Attachment(file) => odd(file.size.is_none(), "files of unknown size"),
        _ => {}
    }
    found
}

/// What a value looks like, without what it says.
fn shape(value: &CustomValue) -> String {
    let text = match value {
        CustomValue::Bool(_) => return "yes/no".to_owned(),
        CustomValue::Date(_) => return "a day".to_owned(),
        CustomValue::DateTime(_) => return "a moment".to_owned(),
        CustomValue::Choice(_) => return "an option".to_owned(),
        CustomValue::Choices(_) => return "several options".to_owned(),
        CustomValue::Json(_) => return "JSON".to_owned(),
        CustomValue::Text(text) | CustomValue::Number(text) => text,
    };
    let mut shape: String = text
        .chars()
        .take(24)
        .map(|c| match c {
            c if c.is_numeric() => '9',
            c if c.is_alphabetic() => 'a',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    if text.chars().count() > 24 {
        shape.push('…');
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_shows_no_value() {
        for (value, expected) in [
            (CustomValue::Text("AB-1234 é".into()), "aa-9999 a"),
            (CustomValue::Number("-12.50".into()), "-99.99"),
            (CustomValue::Bool(true), "yes/no"),
            (CustomValue::Choice("Secret".into()), "an option"),
            (
                CustomValue::Text("x".repeat(30)),
                "aaaaaaaaaaaaaaaaaaaaaaaa…",
            ),
        ] {
            assert_eq!(shape(&value), expected);
        }
    }
}
