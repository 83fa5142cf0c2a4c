//! The help centre (Kayako reference, section 15).

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::common::{Raw, Ref, Tag, reference};
use super::desk::LocaleField;
use super::lenient;

/// A category.
#[derive(Debug, Deserialize)]
pub(crate) struct Category {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) titles: Vec<LocaleField>,
    #[serde(default, deserialize_with = "lenient::whole")]
    pub(crate) display_order: Option<i64>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) legacy_id: Option<String>,
    /// Of a section: `PUBLIC`, `AUTHORIZED` or `AGENTS`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) visibility: String,
    /// Of a section: where it stands.
    #[serde(default, deserialize_with = "reference")]
    pub(crate) category: Option<Ref>,
}

/// An article with its texts in all languages.
#[derive(Debug, Deserialize)]
pub(crate) struct Article {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) legacy_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) titles: Vec<LocaleField>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) slugs: Vec<LocaleField>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) contents: Vec<LocaleField>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) keywords: Option<String>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) section: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) author: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) creator: Option<Ref>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) attachments: Vec<Raw>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) status: String,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) tags: Vec<Tag>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) helpcenter_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) resource_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) published_at: Option<DateTime<Utc>>,
}
