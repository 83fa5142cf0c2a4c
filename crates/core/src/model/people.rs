//! Companies, people, teams, labels.

use serde::{Deserialize, Serialize};

use super::Meta;
use crate::key::RecordKey;

/// A company.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Key, times, custom values.
    pub meta: Meta,
    /// Its name; not unique.
    pub name: String,
    /// Mail domains, in the source's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Addresses on the web, primary first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub websites: Vec<String>,
    /// Telephone numbers, primary first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<String>,
    /// Postal addresses, primary first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// The company it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RecordKey>,
    /// Labels, in the source's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A postal address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Street lines.
    pub street: Vec<String>,
    /// Town.
    pub city: String,
    /// State, county or region, as written.
    pub state: String,
    /// Postal code.
    pub postal_code: String,
    /// Country, as written.
    pub country: String,
}

/// A person who writes to the helpdesk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    /// Key, times, custom values.
    pub meta: Meta,
    /// The whole name, as the source has it.
    pub name: String,
    /// Mail addresses, primary first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Email>,
    /// Telephone numbers, primary first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<String>,
    /// Accounts on other networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<Handle>,
    /// The companies they belong to, primary first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<RecordKey>,
    /// What the source calls this sort of person: customer, prospect, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Groups of people that they are in, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Postal addresses, primary first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// Job title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Language, as the source names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Time zone, as the source names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Labels, in the source's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A mail address of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// As the source has it.
    pub address: String,
    /// Whether the person proved that it is theirs; unknown where the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// A person's name on another network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    /// `twitter`, `facebook`, …
    pub network: String,
    /// What people type to reach them, else the network's id.
    pub name: String,
    /// The network's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A person who works in the helpdesk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Key, times, custom values.
    pub meta: Meta,
    /// The whole name, as the source has it.
    pub name: String,
    /// Mail addresses, primary first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Email>,
    /// Whether they still work there.
    pub active: bool,
    /// What they may do, in the source's word.
    pub role: String,
    /// The teams they are in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<RecordKey>,
}

/// A group of agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Team {
    /// Key, times, custom values.
    pub meta: Meta,
    /// Its name.
    pub name: String,
}

/// A label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// Key, times, custom values.
    pub meta: Meta,
    /// Its text, verbatim.
    pub name: String,
}
