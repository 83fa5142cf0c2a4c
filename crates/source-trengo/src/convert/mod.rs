//! Trengo's JSON to canonical records: pure functions, no I/O.

mod fields;
mod files;
mod html;
mod inventory;
mod knowledge;
mod mail;
mod message;
mod people;
mod reports;
mod rules;
mod survey;
mod ticket;
mod webhooks;

pub(crate) use fields::{Fields, Owner, definitions, results_definition};
pub(crate) use files::{fresh_address, located};
pub(crate) use inventory::{channel_item, item, routing_item, unshown};
pub(crate) use knowledge::{
    ArticleText, Named as CategoryNames, article, category, centre, names_of,
};
pub(crate) use message::{Kind, Place, message};
pub(crate) use people::{
    Joined, account, agent, contact, contacts_of, departed, named, person, person_key, tag, team,
};
pub(crate) use reports::{
    METRICS, Month, figure_fields, figures_object, metrics, performance, ticket_figures,
};
pub(crate) use rules::rules;
pub(crate) use survey::{Survey, survey};
pub(crate) use ticket::{Outline, Talk, asks_for_detail, channel, conversation};
pub(crate) use webhooks::{Archive, archive};

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use deskferry_core::model::{ChannelKind, CustomValue, Meta, Named};
use deskferry_core::source::Reject;
use deskferry_core::{RecordKey, RecordKind, Tenant};
use serde_json::Value;

use crate::wire::{Defect, Row, Zone, is_empty, redacted};

/// What is needed to understand rows: the lists that are short, and how this workspace writes times.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) tenant: Tenant,
    /// Scheme, host and port.
    pub(crate) root: String,
    pub(crate) zone: Zone,
    pub(crate) fields: Fields,
    /// Users and teams that lists show; others are gone.
    pub(crate) users: HashSet<u64>,
    pub(crate) user_names: HashMap<u64, String>,
    pub(crate) teams: HashSet<u64>,
    pub(crate) channels: HashMap<u64, Channel>,
    /// Whether there is a list of reasons for which tickets are closed.
    pub(crate) has_results: bool,
    /// What customers answered when they were asked how they liked it.
    pub(crate) survey: Survey,
}

/// A channel, as far as messages need it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) kind: String,
    pub(crate) title: String,
    /// Its own mail address or number.
    pub(crate) address: Option<String>,
}

impl Channel {
    pub(crate) fn of(row: Row<'_>) -> Self {
        let mail = row.object("emailChannel");
        let own = mail
            .and_then(|mail| mail.text("sender_email"))
            .or_else(|| row.text("username").filter(|name| name.contains('@')))
            .or_else(|| row.text("phone"));
        Self {
            kind: row.text("type").unwrap_or_default(),
            title: row
                .first_text(&["title", "display_name", "text", "name"])
                .unwrap_or_default(),
            address: own,
        }
    }
}

impl Ground {
    pub(crate) fn key(&self, kind: RecordKind, id: u64) -> RecordKey {
        self.tenant.key(kind, id)
    }

    /// The frame of a record: key, address, times.
    fn meta(
        &self,
        key: RecordKey,
        path: &str,
        created: Option<DateTime<Utc>>,
        updated: Option<DateTime<Utc>>,
    ) -> Meta {
        let mut meta = Meta::new(key);
        meta.url = Some(format!("{}/{path}", self.root));
        meta.created_at = created;
        meta.updated_at = updated;
        // Lists move while they are walked: of two readings of one row the one that changed later is right.
        meta.revision = updated.map(|time| time.timestamp());
        meta
    }
}

/// A row that could not become a record, with what it was; without its secrets.
pub(crate) fn reject(kind: RecordKind, defect: Defect, row: &Value) -> Reject {
    Reject {
        kind,
        id: Row(row).number("id").map(|id| id.to_string()),
        path: defect.path,
        reason: defect.reason,
        raw: redacted(row).to_string(),
    }
}

/// Keeps what a row says under names that the model has no place for.
fn keep(meta: &mut Meta, row: Row<'_>, names: &[&str]) {
    for name in names {
        let Some(value) = row.get(name).filter(|value| !is_empty(value)) else {
            continue;
        };
        let value = match value {
            Value::String(text) => CustomValue::Text(text.clone()),
            Value::Bool(flag) => CustomValue::Bool(*flag),
            Value::Number(number) => CustomValue::Number(number.to_string()),
            other => CustomValue::Json(redacted(other)),
        };
        meta.custom.insert((*name).to_owned(), value);
    }
}

/// What a channel's type means (Trengo reference, section 3.7); the list is open.
pub(crate) fn channel_kind(raw: &str) -> Named<ChannelKind> {
    let is = match raw.to_ascii_uppercase().as_str() {
        "EMAIL" => ChannelKind::Email,
        "CHAT" => ChannelKind::Chat,
        "WHATSAPP" | "WA_BUSINESS" => ChannelKind::Whatsapp,
        "FACEBOOK" => ChannelKind::Facebook,
        "TWITTER" => ChannelKind::Twitter,
        "SMS" => ChannelKind::Sms,
        "VOIP" => ChannelKind::Voice,
        "INSTAGRAM" => ChannelKind::Instagram,
        "TELEGRAM" => ChannelKind::Telegram,
        "GBM" => ChannelKind::Google,
        // Filled by a program.
        "CUSTOM" => ChannelKind::Api,
        _ => ChannelKind::Other,
    };
    Named::new(is, raw)
}

#[cfg(test)]
mod tests;
