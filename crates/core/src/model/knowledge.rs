//! Help centres.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{MessageFile, Meta, Named};
use crate::key::RecordKey;

/// A place in the tree of a help centre.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Category {
    /// Key, times, custom values.
    pub meta: Meta,
    /// Its name in the help centre's main language.
    pub name: String,
    /// Its names by locale, as the source writes locales.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// The category it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RecordKey>,
    /// Orders categories of one parent.
    #[serde(default)]
    pub position: i64,
    /// Who may read what stands in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Named<Visibility>>,
}

/// A text of a help centre, with its translations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Article {
    /// Key, times, custom values.
    pub meta: Meta,
    /// The categories it stands in, main one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<RecordKey>,
    /// The agent who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<RecordKey>,
    /// Who may read it.
    pub visibility: Named<Visibility>,
    /// Its texts, the one in the main language first.
    pub translations: Vec<Translation>,
    /// Labels, in the source's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Its files, images shown in its texts included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<MessageFile>,
}

/// The text of an article in one language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Translation {
    /// Its locale, as the source writes it.
    pub locale: String,
    /// Its title.
    pub title: String,
    /// A short form of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Its text, as HTML.
    #[serde(default)]
    pub html: String,
    /// Where it stands.
    pub state: Named<ArticleState>,
    /// The last part of its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Where people read it: links in other articles lead there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<DateTime<Utc>>,
}

/// Where a text of an article stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ArticleState {
    /// Not to be read yet.
    Draft,
    /// To be read.
    Published,
    /// No longer to be read.
    Archived,
    /// A state that only this tenant knows: see its raw text.
    Other,
}

/// Who may read something, from many to few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Customers who logged in.
    Customers,
    /// Agents only. Must never become readable by others.
    Internal,
}
