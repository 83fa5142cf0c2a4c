//! Proposals for a mapping: where the custom fields of a source could land in a target, and which values of a list fit.
//!
//! A [`Proposer`] answers a [`Question`]. [`ByName`] is the one that is used when nobody says otherwise: it knows names, words of
//! several languages, types, sampled values and earlier maps, asks nobody and needs no network. Whoever wants a language
//! model, or a dictionary of their own, implements the trait; what it answers is checked before people see it
//! ([`Proposed::checked`]), and nothing of it counts until a person took it over.

mod by_name;
mod words;

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use by_name::ByName;

use crate::context::Context;
use crate::error::Result;
use crate::key::RecordKind;
use crate::mapped::{Change, MappedLine, NewField, Offer, UnknownValue};
use crate::model::FieldType;

/// Who proposes.
#[async_trait]
pub trait Proposer: Send + Sync {
    /// What people see it called.
    fn name(&self) -> &str;

    /// Whether it sends what it is asked to somewhere else: then it is shown no values of records, unless that is allowed.
    fn is_elsewhere(&self) -> bool {
        true
    }

    /// Proposals for what is asked; not necessarily for all of it.
    async fn propose(&self, cx: &Context, question: &Question) -> Result<Proposed>;
}

/// What a proposer is asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Custom fields of the source that no line takes.
    pub fields: Vec<AskedField>,
    /// What the target has.
    pub offers: Vec<Offer>,
    /// Values of the mapping that the target's lists do not have.
    pub values: Vec<UnknownValue>,
    /// Lines of maps that were confirmed earlier.
    pub earlier: Vec<MappedLine>,
}

/// A custom field of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedField {
    /// What carries it.
    pub of: RecordKind,
    /// Its key, as in `custom.<key>`.
    pub field: String,
    /// What people see of it; empty where the source does not say.
    pub title: String,
    /// What it holds, where the source says.
    pub holds: Option<FieldType>,
    /// The options that the source defines.
    pub options: Vec<String>,
    /// How many records have a value.
    pub used: u64,
    /// Shapes of values: `a` for letters, `9` for digits.
    pub shapes: BTreeSet<String>,
    /// Values of records. Personal data: a proposer elsewhere sees none, unless that is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<String>,
}

impl Question {
    /// The same without anything that stands in a record.
    #[must_use]
    pub fn without_values(mut self) -> Self {
        for field in &mut self.fields {
            field.samples.clear();
        }
        self
    }
}

/// What was proposed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proposed {
    /// For fields, at most one each.
    pub fields: Vec<Proposal>,
    /// For values.
    pub values: Vec<ValueProposal>,
}

/// Where a field of the source could land.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// What carries it.
    pub of: RecordKind,
    /// Its key.
    pub field: String,
    /// The target's object.
    pub object: String,
    /// Where.
    pub place: Place,
    /// 0 to 100.
    pub confidence: u8,
    /// Why, for people.
    pub reason: String,
}

/// A place in the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A field that is there.
    Field(String),
    /// A field that is made.
    New {
        /// Its name.
        name: String,
        /// How it is made.
        #[serde(flatten)]
        field: NewField,
    },
    /// No field of its own: it is kept with the other left-overs.
    Kept,
}

impl Place {
    /// The field's name, if it gets one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Field(name) | Self::New { name, .. } => Some(name),
            Self::Kept => None,
        }
    }
}

/// Which value of a list fits a meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueProposal {
    /// The object.
    pub object: String,
    /// The field.
    pub field: String,
    /// The meaning, as the mapping names it.
    pub meaning: String,
    /// The value.
    pub becomes: String,
    /// 0 to 100.
    pub confidence: u8,
    /// Why, for people.
    pub reason: String,
}

impl Proposed {
    /// What of it can be done at all: fields that were asked for and that the target has free, each target field once, values of
    /// the list. What cannot is left out; the second number says how many.
    #[must_use]
    pub fn checked(self, question: &Question) -> (Self, usize) {
        let before = self.fields.len() + self.values.len();
        let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
        let mut asked: BTreeSet<(RecordKind, String)> = BTreeSet::new();
        let mut fields = self.fields;
        fields.sort_by_key(|p| std::cmp::Reverse(p.confidence));
        fields.retain(|p| {
            let Some(field) = question.field(p.of, &p.field) else {
                return false;
            };
            let here = |o: &&Offer| o.of == p.of && o.object == p.object;
            let known = question.offers.iter().filter(here);
            let named = |o: &&Offer| {
                let name = p.place.field().unwrap_or_default();
                o.field.eq_ignore_ascii_case(name)
            };
            let right = match &p.place {
                Place::Field(_) => known
                    .clone()
                    .any(|o| named(&o) && !o.taken && fits(field, o)),
                Place::New { name, .. } => {
                    known.clone().next().is_some()
                        && !known.clone().any(|o| named(&o))
                        && is_name_of_own(name)
                }
                Place::Kept => true,
            };
            let once = p
                .place
                .field()
                .is_none_or(|name| taken.insert((p.object.clone(), name.to_ascii_lowercase())));
            right && once && asked.insert((p.of, p.field.clone()))
        });
        let mut values = self.values;
        values.retain(|v| {
            question.values.iter().any(|asked| {
                (&asked.object, &asked.field, &asked.meaning) == (&v.object, &v.field, &v.meaning)
                    && asked.offered.contains(&v.becomes)
            })
        });
        for confidence in fields
            .iter_mut()
            .map(|p| &mut p.confidence)
            .chain(values.iter_mut().map(|v| &mut v.confidence))
        {
            *confidence = (*confidence).min(100);
        }
        let left_out = before - fields.len() - values.len();
        (Self { fields, values }, left_out)
    }

    /// The changes of the mapping file that take it over, as far as it is at least so sure.
    #[must_use]
    pub fn changes(&self, confidence: u8) -> Vec<Change> {
        let sure = |sure: u8| sure >= confidence;
        let fields = self.fields.iter().filter(|p| sure(p.confidence));
        let values = self.values.iter().filter(|v| sure(v.confidence));
        fields
            .filter_map(Proposal::change)
            .chain(values.map(ValueProposal::change))
            .collect()
    }
}

impl Proposal {
    /// The change that takes it over; none where the field gets no place of its own.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        let create = match &self.place {
            Place::New { field, .. } => Some(field.clone()),
            _ => None,
        };
        Some(Change::Add {
            object: self.object.clone(),
            field: self.place.field()?.to_owned(),
            from: format!("custom.{}", self.field),
            create,
        })
    }
}

impl ValueProposal {
    /// The change that takes it over.
    #[must_use]
    pub fn change(&self) -> Change {
        Change::Value {
            object: self.object.clone(),
            field: self.field.clone(),
            meaning: self.meaning.clone(),
            becomes: self.becomes.clone(),
        }
    }
}

impl Question {
    fn field(&self, of: RecordKind, field: &str) -> Option<&AskedField> {
        self.fields.iter().find(|f| f.of == of && f.field == field)
    }
}

/// Whether a name can be given to a field that is made: letters, digits and single underscores, and `__c`.
fn is_name_of_own(name: &str) -> bool {
    let stem = name.strip_suffix("__c").unwrap_or_default();
    stem.starts_with(|c: char| c.is_ascii_alphabetic())
        && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && stem.len() <= 40
        && !stem.contains("__")
        && !stem.ends_with('_')
}

/// Whether values of a field can stand in another at all.
fn fits(field: &AskedField, offer: &Offer) -> bool {
    use FieldType as T;
    match offer.holds {
        T::Text | T::LongText => true,
        T::Choice | T::Choices => !matches!(field.holds, Some(T::Date | T::DateTime | T::Bool)),
        T::Number => matches!(field.holds, Some(T::Number) | None),
        T::Bool => matches!(field.holds, Some(T::Bool) | None),
        T::Date => matches!(field.holds, Some(T::Date | T::DateTime) | None),
        T::DateTime => matches!(field.holds, Some(T::DateTime) | None),
        _ => false,
    }
}
