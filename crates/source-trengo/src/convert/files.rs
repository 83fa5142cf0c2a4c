//! Attachments, recordings, and images that only a text names (Trengo reference, section 3.4). No public body shows what an
//! attachment looks like, so every name is tried.

use chrono::{DateTime, Utc};
use deskferry_core::model::{Attachment, MessageFile, Meta};
use deskferry_core::source::Reject;
use deskferry_core::{RecordKey, RecordKind};
use serde_json::{Value, json};
use url::Url;

use super::html::{images, unescape};
use super::{Ground, Place, reject};
use crate::wire::{Defect, Row};

/// Names under which an attachment's address may stand.
const ADDRESS: [&str; 6] = ["full_url", "url", "file_url", "download_url", "src", "link"];
/// Names under which its own name may stand.
const NAME: [&str; 5] = ["client_name", "file_name", "filename", "name", "title"];

/// What a message brings along.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) records: Vec<Attachment>,
    pub(super) shown: Vec<MessageFile>,
    pub(super) rejects: Vec<Reject>,
}

/// How the bytes of a file are found again: its address, and the message that brings a fresh one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) address: String,
    /// None for a file of an article.
    pub(crate) ticket: Option<u64>,
    pub(crate) message: Option<u64>,
    /// Its number or name in the message; none for what a text shows.
    pub(crate) id: Option<String>,
}

impl Located {
    fn to_locator(&self) -> Value {
        json!({"address": self.address, "ticket": self.ticket, "message": self.message, "id": self.id})
    }
}

/// Reads back what stands in a record.
pub(crate) fn located(locator: &Value) -> Option<Located> {
    let row = Row(locator);
    Some(Located {
        address: row.text("address")?,
        ticket: row.reference("ticket"),
        message: row.reference("message"),
        id: row.text("id"),
    })
}

/// The address that a message, read again, gives to a file.
pub(crate) fn fresh_address(message: Row<'_>, id: &str) -> Option<String> {
    let rows = message.list("attachments");
    let row = rows
        .into_iter()
        .map(Row)
        .find(|row| id_of(*row).as_deref() == Some(id));
    match row {
        Some(row) => row.first_text(&ADDRESS),
        None if id == RECORDING => message.text("file_name").filter(|name| is_address(name)),
        None => None,
    }
}

/// The name of a file that stands in the message itself.
const RECORDING: &str = "file";

fn is_address(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://") || text.starts_with("//")
}

/// The number of an attachment; without one, what its address is known by.
fn id_of(row: Row<'_>) -> Option<String> {
    row.first_text(&["id", "uuid"])
        .or_else(|| Some(hash(&row.first_text(&ADDRESS)?)))
}

/// A short name for an address.
fn hash(address: &str) -> String {
    // What is signed anew for each reading is no part of the name.
    let bare = address.split(['?', '#']).next().unwrap_or(address);
    blake3::hash(bare.as_bytes()).to_hex()[..16].to_owned()
}

/// The last part of an address, where that is the name of a file.
fn name_in(address: &str) -> Option<String> {
    let path = address.split(['?', '#']).next()?;
    let last = path.rsplit('/').next()?.to_owned();
    last.contains('.').then_some(last)
}

/// The files of a message: what is attached, what stands in the row itself, and what its HTML shows of ours.
pub(super) fn files(
    place: &Place<'_>,
    message: u64,
    sent: DateTime<Utc>,
    row: Row<'_>,
    html: Option<&str>,
) -> Files {
    let mut files = Files::default();
    let shown = images(html.unwrap_or_default());
    let mut addresses: Vec<String> = Vec::new();
    for value in row.list("attachments") {
        let one = Row(value);
        match attached(place, message, sent, one) {
            Ok((record, address)) => {
                let sources: Vec<&str> = shown
                    .iter()
                    .filter(|src| Some(unescape(src)) == address)
                    .copied()
                    .collect();
                addresses.extend(address);
                add(&mut files, record, &sources);
            }
            Err(defect) => files
                .rejects
                .push(reject(RecordKind::Attachment, defect, value)),
        }
    }
    if let Some(address) = row.text("file_name").filter(|name| is_address(name))
        && !addresses.contains(&address)
    {
        let record = of_row(place, message, sent, &address);
        add(&mut files, record, &[]);
        addresses.push(address);
    }
    for src in shown {
        let address = unescape(src);
        if !addresses.contains(&address) && is_ours(&address, &place.ground.root) {
            show(&mut files, place, message, sent, src, &address);
        }
    }
    files
}

fn attached(
    place: &Place<'_>,
    message: u64,
    sent: DateTime<Utc>,
    row: Row<'_>,
) -> Result<(Attachment, Option<String>), Defect> {
    let id = id_of(row).ok_or_else(|| Defect::new("id", "an attachment without id and address"))?;
    let address = row.first_text(&ADDRESS);
    let key = place
        .ground
        .tenant
        .key(RecordKind::Attachment, format!("{message}-{id}"));
    let mut meta = Meta::new(key);
    meta.created_at = Some(sent);
    meta.revision = Some(sent.timestamp());
    let name = row
        .first_text(&NAME)
        .or_else(|| name_in(address.as_deref()?))
        .unwrap_or_default();
    let locator = address.as_ref().map_or(Value::Null, |address| {
        Located {
            address: address.clone(),
            ticket: Some(place.ticket),
            message: Some(message),
            id: Some(id),
        }
        .to_locator()
    });
    Ok((
        Attachment {
            meta,
            conversation: place.conversation.clone(),
            name,
            media_type: row.first_text(&["mime_type", "content_type", "mimetype"]),
            size: row.number("size").and_then(|size| u64::try_from(size).ok()),
            inline: false,
            locator,
        },
        address,
    ))
}

/// A recording or picture whose address stands in the message itself.
fn of_row(place: &Place<'_>, message: u64, sent: DateTime<Utc>, address: &str) -> Attachment {
    let key = place
        .ground
        .tenant
        .key(RecordKind::Attachment, format!("{message}-{RECORDING}"));
    let mut meta = Meta::new(key);
    meta.created_at = Some(sent);
    Attachment {
        meta,
        conversation: place.conversation.clone(),
        name: name_in(address).unwrap_or_default(),
        media_type: None,
        size: None,
        inline: false,
        locator: Located {
            address: address.to_owned(),
            ticket: Some(place.ticket),
            message: Some(message),
            id: Some(RECORDING.to_owned()),
        }
        .to_locator(),
    }
}

fn add(files: &mut Files, mut record: Attachment, sources: &[&str]) {
    let file = |shown_as: Option<&str>| MessageFile {
        key: record.meta.key.clone(),
        name: record.name.clone(),
        shown_as: shown_as.map(str::to_owned),
    };
    if sources.is_empty() {
        files.shown.push(file(None));
    }
    files
        .shown
        .extend(sources.iter().map(|src| file(Some(src))));
    record.inline = !sources.is_empty();
    files.records.push(record);
}

/// An image of the text. It is one file of its ticket, however often it is quoted.
fn show(
    files: &mut Files,
    place: &Place<'_>,
    message: u64,
    sent: DateTime<Utc>,
    src: &str,
    address: &str,
) {
    let key = place.ground.tenant.key(
        RecordKind::Attachment,
        format!("{}-image-{}", place.ticket, hash(address)),
    );
    if !files.records.iter().any(|record| record.meta.key == key) {
        let mut meta = Meta::new(key.clone());
        meta.created_at = Some(sent);
        files.records.push(Attachment {
            meta,
            conversation: place.conversation.clone(),
            name: String::new(),
            media_type: None,
            size: None,
            inline: true,
            locator: Located {
                address: address.to_owned(),
                ticket: Some(place.ticket),
                message: Some(message),
                id: None,
            }
            .to_locator(),
        });
    }
    files.shown.push(MessageFile {
        key,
        name: String::new(),
        shown_as: Some(src.to_owned()),
    });
}

/// The images that the texts of an article show, as far as Trengo keeps them.
pub(super) fn of_article(
    ground: &Ground,
    article: &RecordKey,
    made: Option<DateTime<Utc>>,
    texts: &[&str],
) -> (Vec<Attachment>, Vec<MessageFile>) {
    let (mut records, mut shown): (Vec<Attachment>, Vec<MessageFile>) = Default::default();
    for src in texts.iter().flat_map(|html| images(html)) {
        let address = unescape(src);
        if !is_ours(&address, &ground.root)
            || shown.iter().any(|f| f.shown_as.as_deref() == Some(src))
        {
            continue;
        }
        let id = format!("article-{}-image-{}", article.id(), hash(&address));
        let key = ground.tenant.key(RecordKind::Attachment, id);
        if !records.iter().any(|record| record.meta.key == key) {
            let mut meta = Meta::new(key.clone());
            meta.created_at = made;
            records.push(Attachment {
                meta,
                conversation: article.clone(),
                name: name_in(&address).unwrap_or_default(),
                media_type: None,
                size: None,
                inline: true,
                locator: Located {
                    address,
                    ticket: None,
                    message: None,
                    id: None,
                }
                .to_locator(),
            });
        }
        shown.push(MessageFile {
            key,
            name: String::new(),
            shown_as: Some(src.to_owned()),
        });
    }
    (records, shown)
}

/// Whether Trengo keeps what an address shows. Pictures of others stay where they are: many of them only count readers.
fn is_ours(address: &str, root: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    if !matches!(url.scheme(), "http" | "https") {
        return false;
    }
    let host = url.host_str().unwrap_or_default();
    let of = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
    url.origin().ascii_serialization() == root
        || of("trengo.com")
        || of("trengo.eu")
        || (host.starts_with("s3.")
            && host.ends_with(".amazonaws.com")
            && url.path().starts_with("/trengo/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trengo_keeps_is_fetched_with_a_text() {
        let root = "https://app.trengo.com";
        for (address, ours) in [
            ("https://app.trengo.com/img/x.png", true),
            ("https://assets.trengo.com/x.png", true),
            (
                "https://s3.eu-central-1.amazonaws.com/trengo/media/x.png",
                true,
            ),
            (
                "https://s3.eu-central-1.amazonaws.com/other/media/x.png",
                false,
            ),
            ("https://trengo.com.example.org/x.png", false),
            ("https://tracker.example.org/open.gif", false),
            ("cid:part1", false),
            ("data:image/png;base64,AAAA", false),
            ("/img/x.png", false),
        ] {
            assert_eq!(is_ours(address, root), ours, "{address}");
        }
    }

    #[test]
    fn an_attachment_is_found_again_in_a_message_that_was_read_anew() {
        let message = json!({"file_name": "https://voice.example.org/r.mp3", "attachments": [
            {"id": 5, "full_url": "https://assets.trengo.com/a?sig=2"},
            {"url": "https://assets.trengo.com/b.pdf?sig=2"},
        ]});
        let row = Row(&message);
        assert_eq!(
            fresh_address(row, "5").as_deref(),
            Some("https://assets.trengo.com/a?sig=2")
        );
        let unnumbered = hash("https://assets.trengo.com/b.pdf?sig=1");
        assert_eq!(
            fresh_address(row, &unnumbered).as_deref(),
            Some("https://assets.trengo.com/b.pdf?sig=2")
        );
        assert_eq!(
            fresh_address(row, RECORDING).as_deref(),
            Some("https://voice.example.org/r.mp3")
        );
        assert_eq!(fresh_address(row, "6"), None);
    }
}
