//! Files (Kustomer reference, section 3.5).

use chrono::{DateTime, Utc};
use deskferry_core::model::{Attachment, Meta};
use deskferry_core::{RecordKey, RecordKind, Tenant};
use serde_json::{Value, json};

use crate::wire::Row;

/// A file of a message. What is kept to find its bytes is the address that gives fresh links, never a link.
pub(crate) fn attachment(
    tenant: &Tenant,
    row: &Row,
    conversation: &RecordKey,
    message: &str,
    sent: Option<DateTime<Utc>>,
) -> Attachment {
    let mut meta = Meta::new(tenant.key(RecordKind::Attachment, row.id()));
    meta.created_at = sent;
    let own = row.link("self").filter(|link| link.starts_with('/'));
    let link = own.map_or_else(
        || format!("/v1/messages/{message}/attachments/{}", row.id()),
        str::to_owned,
    );
    Attachment {
        meta,
        conversation: conversation.clone(),
        name: row.text("name").unwrap_or_default().to_owned(),
        media_type: row.text("contentType").map(str::to_owned),
        size: row.count("contentLength"),
        inline: false,
        locator: json!({ "self": link }),
    }
}

/// A picture of an article. Its address gives fresh links, as that of a file does.
pub(super) fn picture(key: RecordKey, article: &Meta, media: &str, address: &str) -> Attachment {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().filter(|name| name.contains('.'));
    let mut meta = Meta::new(key);
    meta.created_at = article.created_at;
    Attachment {
        meta,
        conversation: article.key.clone(),
        name: name.unwrap_or_default().to_owned(),
        media_type: None,
        size: None,
        inline: true,
        locator: json!({ "self": format!("/v1/media/{media}") }),
    }
}

/// The address that gives fresh links.
pub(crate) fn locate(locator: &Value) -> Option<&str> {
    locator.get("self").and_then(Value::as_str)
}
