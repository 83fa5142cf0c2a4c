//! What a row must hold, and how a found row is held against it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::words::{clean, is_cut};
use super::{Difference, Findings, OracleOptions};

/// A row as it was dumped; null fields may be missing.
pub(super) type Row = Map<String, Value>;

/// What one field must hold.
pub(super) enum Want {
    /// Nothing, or false.
    Nothing,
    Anything,
    Something,
    Bool(bool),
    Number(f64),
    /// Already cleaned; empty means nothing.
    Text(String),
    /// The beginning of a text that is too long for its field.
    Cut(String, usize),
    Time(DateTime<Utc>),
    Id(String),
    /// A set of values joined with semicolons.
    Set(BTreeSet<String>),
    /// What a test says; with words for what was expected.
    Test(String, Box<dyn Fn(&str) -> bool>),
    Either(Box<Want>, Box<Want>),
}

impl Want {
    pub(super) fn test(words: impl Into<String>, test: impl Fn(&str) -> bool + 'static) -> Self {
        Self::Test(words.into(), Box::new(test))
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self::Either(Box::new(self), Box::new(other))
    }

    /// An id, if there is one to point at.
    pub(super) fn id(id: Option<&String>) -> Self {
        id.map_or(Self::Nothing, |id| Self::Id(id.clone()))
    }

    fn holds(&self, found: Option<&Value>) -> bool {
        let empty = found.is_none_or(is_nothing);
        let text = found.and_then(Value::as_str).unwrap_or("");
        match self {
            Self::Nothing => empty,
            Self::Anything => true,
            Self::Something => !empty,
            Self::Bool(wanted) => found.and_then(Value::as_bool).unwrap_or(false) == *wanted,
            Self::Number(wanted) => found
                .and_then(Value::as_f64)
                .is_some_and(|found| (found - wanted).abs() < 1e-9),
            Self::Text(wanted) if wanted.is_empty() => empty,
            Self::Text(wanted) => text == wanted,
            Self::Cut(whole, limit) => is_cut(whole, text, *limit),
            Self::Time(wanted) => moment(text) == Some(*wanted),
            Self::Id(wanted) => same_id(wanted, text),
            Self::Set(wanted) => {
                text.split(';')
                    .filter(|value| !value.is_empty())
                    .map(str::to_owned)
                    .collect::<BTreeSet<_>>()
                    == *wanted
            }
            Self::Test(_, test) => test(text),
            Self::Either(one, other) => one.holds(found) || other.holds(found),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Anything => "anything".to_owned(),
            Self::Something => "something".to_owned(),
            Self::Bool(wanted) => wanted.to_string(),
            Self::Number(wanted) => wanted.to_string(),
            Self::Text(wanted) => format!("{wanted:?}"),
            Self::Cut(whole, limit) => format!("the first {limit} characters of {whole:?}"),
            Self::Time(wanted) => wanted.to_rfc3339(),
            Self::Id(wanted) => wanted.clone(),
            Self::Set(wanted) => format!("{wanted:?}"),
            Self::Test(words, _) => words.clone(),
            Self::Either(one, other) => format!("{} or {}", one.words(), other.words()),
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        _ => false,
    }
}

/// Ids have 15 characters that matter.
pub(super) fn same_id(a: &str, b: &str) -> bool {
    short(a) == short(b) && !a.is_empty()
}

pub(super) fn short(id: &str) -> &str {
    id.get(..15).unwrap_or(id)
}

pub(super) fn field<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or("")
}

/// A time in any of the platform's spellings.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    parsed.ok().map(|at| at.with_timezone(&Utc))
}

/// A row as it must be: fields, and what is kept beside them because no field takes it.
#[derive(Default)]
pub(super) struct Sheet {
    fields: BTreeMap<&'static str, Want>,
    kept: BTreeMap<String, Value>,
    /// Keys that may be there, with what they then hold.
    perhaps: BTreeMap<String, String>,
    /// Names and reasons of files that could not come; a name of `None` may be any.
    pub(super) missing_files: Vec<(Option<String>, &'static str)>,
}

impl Sheet {
    pub(super) fn set(&mut self, name: &'static str, want: Want) {
        self.fields.insert(name, want);
    }

    /// A text that is cut where the field ends; the whole is kept.
    pub(super) fn text(&mut self, name: &'static str, text: &str, limit: usize) {
        let text = clean(text);
        if text.chars().count() <= limit {
            self.set(name, Want::Text(text));
        } else {
            self.kept.insert(format!("cut.{name}"), text.clone().into());
            self.set(name, Want::Cut(text, limit));
        }
    }

    pub(super) fn keep(&mut self, key: String, value: Value) {
        self.kept.insert(key, value);
    }

    /// A value that its field may refuse, and that is then kept beside it.
    pub(super) fn perhaps_unfit(&mut self, name: &str, value: &str) {
        self.perhaps.insert(format!("unfit.{name}"), clean(value));
    }

    /// Holds a row against the sheet; fields that neither it nor the platform has must be empty.
    pub(super) fn compare(
        mut self,
        object: &str,
        key: &str,
        row: &Row,
        options: &OracleOptions,
        out: &mut Findings,
    ) {
        self.compare_json(object, key, row, options, out);
        self.fields.insert("Source_Json__c", Want::Anything);
        for (name, want) in &self.fields {
            let found = row.get(*name);
            if !want.holds(found) {
                out.add(Difference::new(
                    object,
                    key,
                    name,
                    &want.words(),
                    &found.map_or_else(|| "nothing".to_owned(), Value::to_string),
                ));
            }
        }
        for (name, value) in row {
            let known = self.fields.contains_key(name.as_str()) || is_platforms(object, name);
            if !known && !is_nothing(value) {
                out.add(Difference::new(
                    object,
                    key,
                    name,
                    "nothing",
                    &value.to_string(),
                ));
            }
        }
    }

    fn compare_json(
        &self,
        object: &str,
        key: &str,
        row: &Row,
        options: &OracleOptions,
        out: &mut Findings,
    ) {
        let found = field(row, "Source_Json__c");
        let wrong = |wanted: &str| Difference::new(object, key, "Source_Json__c", wanted, found);
        let parsed: Value = match found {
            "" => Value::Object(Map::new()),
            text => match serde_json::from_str(text) {
                Ok(parsed) => parsed,
                Err(_) => return out.add(wrong("JSON")),
            },
        };
        let canonical = sorted(&parsed).to_string();
        if !found.is_empty() && canonical.as_str() != found {
            out.add(wrong("sorted keys and no blanks outside of texts"));
        }
        let mut values = BTreeMap::new();
        flatten(&parsed, &mut values);
        let files = values.remove("files");
        if !self.has_files(files.as_ref()) {
            out.add(wrong(&format!(
                "files that could not come: {:?}",
                self.missing_files
            )));
        }
        for (name, wanted) in &self.kept {
            let same = |found: &Value| match (found, wanted) {
                (Value::String(found), Value::String(wanted)) => clean(found) == clean(wanted),
                (Value::Number(found), Value::Number(wanted)) => found.as_f64() == wanted.as_f64(),
                _ => found == wanted,
            };
            if !values.remove(name).as_ref().is_some_and(same) {
                out.add(wrong(&format!("{name} = {wanted}")));
            }
        }
        let is_unfit = |name: &String, value: &Value| {
            self.perhaps
                .get(name)
                .is_some_and(|wanted| value.as_str().is_some_and(|found| clean(found) == *wanted))
        };
        values.retain(|name, value| !options.tolerates(object, name) && !is_unfit(name, value));
        if let Some(name) = values.keys().next() {
            out.add(wrong(&format!("nothing under {name}")));
        }
    }

    fn has_files(&self, found: Option<&Value>) -> bool {
        let empty = Vec::new();
        let found = found.and_then(Value::as_array).unwrap_or(&empty);
        let is = |entry: &Value, (name, reason): &(Option<String>, &str)| {
            let text = |member: &str| {
                entry
                    .get(member)
                    .and_then(Value::as_str)
                    .unwrap_or("")
                    .to_lowercase()
            };
            let named = name.as_ref().is_none_or(|name| {
                super::words::file_name(&text("name"))
                    == super::words::file_name(&name.to_lowercase())
            });
            named && text("reason").contains(reason)
        };
        found.len() == self.missing_files.len()
            && self
                .missing_files
                .iter()
                .all(|wanted| found.iter().any(|entry| is(entry, wanted)))
    }
}

/// `{"custom":{"a":1}}` and `{"custom.a":1}` are the same.
fn flatten(value: &Value, into: &mut BTreeMap<String, Value>) {
    let Some(object) = value.as_object() else {
        return;
    };
    for (name, value) in object {
        match value {
            Value::Object(inner) if matches!(name.as_str(), "custom" | "cut" | "unfit") => {
                into.extend(
                    inner
                        .iter()
                        .map(|(key, value)| (format!("{name}.{key}"), value.clone())),
                );
            }
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let by_name: BTreeMap<_, _> = object.iter().collect();
            Value::Object(
                by_name
                    .into_iter()
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(all) => all.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Fields that the platform fills by itself.
fn is_platforms(object: &str, name: &str) -> bool {
    const EVERYWHERE: [&str; 9] = [
        "Id",
        "attributes",
        "CreatedById",
        "CreatedDate",
        "LastModifiedById",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
        "Migration_Batch__c",
    ];
    let own: &[&str] = match object {
        "Account" => &["OwnerId", "BillingAddress", "ShippingAddress", "PhotoUrl"],
        "Contact" => &[
            "OwnerId",
            "Name",
            "MailingAddress",
            "OtherAddress",
            "PhotoUrl",
        ],
        "Case" => &[
            "CaseNumber",
            "IsClosed",
            "ContactEmail",
            "ContactPhone",
            "ContactMobile",
            "ContactFax",
            "IsClosedOnCreate",
        ],
        "Knowledge__kav" => &[
            "OwnerId",
            "ArticleNumber",
            "VersionNumber",
            "IsLatestVersion",
            "FirstPublishedDate",
            "LastPublishedDate",
            "ArchivedDate",
            "ArticleCreatedDate",
        ],
        "EmailMessage" => &[
            "Name",
            "HasAttachment",
            "ToIds",
            "CcIds",
            "BccIds",
            "ContentDocumentIds",
            "ActivityId",
            "IsExternallyVisible",
            "ThreadIdentifier",
            "IsOpened",
            "IsTracked",
        ],
        "Lead" => &[
            "OwnerId",
            "Name",
            "Address",
            "Status",
            "PhotoUrl",
            "CleanStatus",
            "IsConverted",
            "IsUnreadByOwner",
        ],
        "Task" => &[
            "Priority",
            "IsHighPriority",
            "IsClosed",
            "IsArchived",
            "CompletedDateTime",
            "WhoCount",
            "WhatCount",
            "AccountId",
        ],
        "ContentVersion" => &[
            "ContentDocumentId",
            "ContentUrl",
            "ContentBodyId",
            "VersionNumber",
            "FileType",
            "FileExtension",
            "IsLatest",
            "IsMajorVersion",
            "PublishStatus",
            "ContentModifiedById",
            "OwnerId",
            "Origin",
            "ContentLocation",
            "SharingOption",
            "SharingPrivacy",
            "VersionData",
            "TextPreview",
            "IsAssetEnabled",
            "RatingCount",
        ],
        _ => &[],
    };
    EVERYWHERE.contains(&name) || own.contains(&name)
}
