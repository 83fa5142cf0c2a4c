//! Session, settings, definitions, teams, organisations, users.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::common::{FieldValue, Identity, Ref, Role, reference};
use super::lenient;

/// `GET /session`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Session {
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) instance_name: Option<String>,
}

/// One row of `GET /settings`. Values may be secrets: only the one that is needed is ever looked at.
#[derive(Debug, Deserialize)]
pub(crate) struct Setting {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "lenient::value")]
    pub(crate) value: String,
}

/// One row of `GET /locales`.
#[derive(Debug, Deserialize)]
pub(crate) struct Locale {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) locale: String,
}

/// A view. What was thrown away or held back is shown by those of type `TRASH` and `SUSPENDED` alone.
#[derive(Debug, Deserialize)]
pub(crate) struct View {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, rename = "type", deserialize_with = "lenient::text")]
    pub(crate) kind: String,
}

/// Something that others name by its number: a form, a brand.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::text")]
    title: String,
    #[serde(default, deserialize_with = "lenient::text")]
    name: String,
}

impl Named {
    /// What people call it; its number where nobody does.
    pub(crate) fn name(&self) -> String {
        let names = [&self.title, &self.name];
        let name = names.into_iter().find(|name| !name.trim().is_empty());
        name.map_or_else(|| self.id.to_string(), |name| name.trim().to_owned())
    }
}

/// One translation of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct LocaleField {
    #[serde(default, deserialize_with = "lenient::language")]
    pub(crate) locale: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) translation: Option<String>,
}

/// The definition of a custom field (Kayako reference, section 12).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Field {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) title: String,
    #[serde(default, rename = "type", deserialize_with = "lenient::text")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) key: String,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub(crate) is_system: Option<bool>,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub(crate) is_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) options: Vec<FieldOption>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

/// One option of a field; its id is unique over all fields.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct FieldOption {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) values: Vec<LocaleField>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) tag: Option<String>,
    #[serde(default, deserialize_with = "lenient::whole")]
    pub(crate) sort_order: Option<i64>,
}

/// A team.
#[derive(Debug, Deserialize)]
pub(crate) struct Team {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) legacy_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) title: String,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) resource_url: Option<String>,
}

/// An organisation. Its phones stand under `phone`, in the singular (Kayako reference, section 11).
#[derive(Debug, Deserialize)]
pub(crate) struct Organization {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) legacy_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) domains: Vec<Identity>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) phone: Vec<Identity>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) phones: Vec<Identity>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) addresses: Vec<PostalAddress>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) websites: Vec<Identity>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) custom_fields: Vec<FieldValue>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) resource_url: Option<String>,
}

/// A postal address of an organisation.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PostalAddress {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) address1: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) address2: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) city: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) state: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) postal_code: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) country: String,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub(crate) is_primary: Option<bool>,
}

/// A user: agents and customers share one list (Kayako reference, section 10).
#[derive(Debug, Deserialize)]
pub(crate) struct User {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) legacy_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) full_name: String,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) designation: Option<String>,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub(crate) is_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) role: Option<Role>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) agent_case_access: String,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) organization: Option<Ref>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) teams: Vec<Ref>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) emails: Vec<Identity>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) phones: Vec<Identity>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) twitter: Vec<Identity>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) facebook: Vec<Identity>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) custom_fields: Vec<FieldValue>,
    #[serde(default, deserialize_with = "lenient::language")]
    pub(crate) locale: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) time_zone: Option<String>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) resource_url: Option<String>,
}
