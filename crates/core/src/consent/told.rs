//! What a text says, name by name, so that two of them can be held against each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Names and what is said of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Told(BTreeMap<String, String>);

impl Told {
    /// These names.
    pub fn new<N: Into<String>, S: Into<String>>(lines: impl IntoIterator<Item = (N, S)>) -> Self {
        let lines = lines.into_iter();
        Self(lines.map(|(n, s)| (n.into(), s.into())).collect())
    }

    /// What a TOML file says: each value by its whole path. Comments, blanks and order do not count.
    ///
    /// # Errors
    /// `Config` when it is no TOML.
    pub fn of_toml(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            Error::new(
                ErrorKind::Config,
                "read the mapping",
                e.message().to_owned(),
            )
        })?;
        let mut told = BTreeMap::new();
        for (name, value) in table {
            flatten(name, value, &mut told);
        }
        Ok(Self(told))
    }

    /// One more name.
    pub fn add(&mut self, name: impl Into<String>, says: impl Into<String>) {
        self.0.insert(name.into(), says.into());
    }

    /// What is said of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All names, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, s)| (n.as_str(), s.as_str()))
    }

    /// 64 hex digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (name, says) in &self.0 {
            for part in [name, says] {
                // With its length, so that no two sets of lines read alike.
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// What another one says otherwise, a line each.
    #[must_use]
    pub fn changes_to(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (name, was) in &self.0 {
            match now.0.get(name) {
                Some(is) if is == was => {}
                Some(is) => changes.push(format!("{name} was {was} and is {is}")),
                None => changes.push(format!("{name} was {was} and is gone")),
            }
        }
        let new = now.0.iter().filter(|(name, _)| !self.0.contains_key(*name));
        changes.extend(new.map(|(name, is)| format!("{name} is new: {is}")));
        changes
    }
}

fn flatten(name: String, value: toml::Value, told: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) if !table.is_empty() => {
            for (inner, value) in table {
                flatten(format!("{name}.{inner}"), value, told);
            }
        }
        value => _ = told.insert(name, value.to_string()),
    }
}
