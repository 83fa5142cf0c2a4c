//! Attachments, and images that only a text names (Kayako reference, section 9).

use chrono::{DateTime, Utc};
use deskferry_core::model::{Attachment, MessageFile, Meta};
use deskferry_core::source::Reject;
use deskferry_core::{RecordKey, RecordKind, Tenant};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::Url;

use super::html::{addresses, unescape};
use super::post::Place;
use super::reject;
use crate::wire::{self, Raw, Stub};

const MEDIA: &str = "/media/url/";

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Located {
    /// A file of a message, by its path on our own host.
    Attachment(String),
    /// An image of a text, by its path on our own host.
    Media(String),
    /// An address of another host, which gets no credentials.
    Elsewhere(String),
}

impl Located {
    fn to_locator(&self) -> Value {
        match self {
            Self::Attachment(path) => json!({ "attachment": path }),
            Self::Media(path) => json!({ "media": path }),
            Self::Elsewhere(url) => json!({ "elsewhere": url }),
        }
    }
}

/// Reads back what stands in a record.
pub(crate) fn locate(locator: &Value) -> Option<Located> {
    let text = |name: &str| locator.get(name).and_then(Value::as_str).map(str::to_owned);
    text("attachment")
        .map(Located::Attachment)
        .or_else(|| text("media").map(Located::Media))
        .or_else(|| text("elsewhere").map(Located::Elsewhere))
}

/// What a message brings along.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) records: Vec<Attachment>,
    pub(super) shown: Vec<MessageFile>,
    pub(super) rejects: Vec<Reject>,
}

/// The files of a post: what is attached, and what its HTML shows.
pub(super) fn files(
    place: &Place<'_>,
    post: u64,
    sent: DateTime<Utc>,
    attached: &[Raw],
    html: Option<&str>,
) -> Files {
    let shown = shown(html.unwrap_or_default());
    let mut files = Files::default();
    for raw in attached {
        match wire::decode::<wire::Attachment>(raw) {
            Ok(row) => attach(&mut files, place, post, sent, &row, &shown),
            Err(defect) => {
                let id = wire::decode::<Stub>(raw)
                    .ok()
                    .and_then(|stub| stub.id)
                    .map(|id| format!("{post}-{id}"));
                files
                    .rejects
                    .push(reject(RecordKind::Attachment, id, defect, raw));
            }
        }
    }
    for image in &shown {
        if let Is::Media { token, path } = &image.is {
            show(&mut files, place, sent, image.src, token, path);
        }
    }
    files
}

fn attach(
    files: &mut Files,
    place: &Place<'_>,
    post: u64,
    sent: DateTime<Utc>,
    row: &wire::Attachment,
    shown: &[Shown<'_>],
) {
    let key = place
        .tenant
        .key(RecordKind::Attachment, format!("{post}-{}", row.id));
    let content_id = row
        .content_id
        .as_deref()
        .map(|id| id.trim().trim_start_matches('<').trim_end_matches('>'));
    let sources: Vec<&str> = shown
        .iter()
        .filter(|image| matches!((&image.is, content_id), (Is::Cid(cid), Some(id)) if cid.eq_ignore_ascii_case(id)))
        .map(|image| image.src)
        .collect();
    let mut meta = Meta::new(key.clone());
    meta.created_at = Some(row.created_at.unwrap_or(sent));
    meta.revision = Some(place.revision(sent));
    let address = row.url_download.as_deref().or(row.url.as_deref());
    files.records.push(Attachment {
        meta,
        conversation: place.conversation(),
        name: row.name.clone(),
        media_type: row.kind.clone(),
        size: row.size,
        inline: !sources.is_empty(),
        locator: address.map_or(Value::Null, |address| {
            located(address, place.root).to_locator()
        }),
    });
    let file = |shown_as: Option<&str>| MessageFile {
        key: key.clone(),
        name: row.name.clone(),
        shown_as: shown_as.map(str::to_owned),
    };
    if sources.is_empty() {
        files.shown.push(file(None));
    }
    files
        .shown
        .extend(sources.into_iter().map(|src| file(Some(src))));
}

/// An image of the text. It is one file of its conversation, however often it is quoted.
fn show(
    files: &mut Files,
    place: &Place<'_>,
    sent: DateTime<Utc>,
    src: &str,
    token: &str,
    path: &str,
) {
    let key: RecordKey = place.tenant.key(
        RecordKind::Attachment,
        format!("{}-media-{token}", place.case),
    );
    if !files.records.iter().any(|record| record.meta.key == key) {
        let mut meta = Meta::new(key.clone());
        meta.created_at = Some(sent);
        files.records.push(Attachment {
            meta,
            conversation: place.conversation(),
            name: String::new(),
            media_type: None,
            size: None,
            inline: true,
            locator: Located::Media(path.to_owned()).to_locator(),
        });
    }
    files.shown.push(MessageFile {
        key,
        name: String::new(),
        shown_as: Some(src.to_owned()),
    });
}

/// The files of an article: what is attached, and what its texts show, each image once.
pub(super) fn of_article(
    tenant: &Tenant,
    root: &str,
    article: &RecordKey,
    made: Option<DateTime<Utc>>,
    attached: &[Raw],
    bodies: &[&str],
) -> Files {
    let mut files = Files::default();
    let key = |id: &str| {
        let id = format!("article-{}-{id}", article.id());
        tenant.key(RecordKind::Attachment, id)
    };
    for raw in attached {
        let row = match wire::decode::<wire::Attachment>(raw) {
            Ok(row) => row,
            Err(defect) => {
                let reject = reject(RecordKind::Attachment, None, defect, raw);
                files.rejects.push(reject);
                continue;
            }
        };
        let mut meta = Meta::new(key(&row.id.to_string()));
        meta.created_at = row.created_at.or(made);
        files.shown.push(MessageFile {
            key: meta.key.clone(),
            name: row.name.clone(),
            shown_as: None,
        });
        let address = row.url_download.as_deref().or(row.url.as_deref());
        files.records.push(Attachment {
            meta,
            conversation: article.clone(),
            locator: address.map_or(Value::Null, |address| located(address, root).to_locator()),
            name: row.name,
            media_type: row.kind,
            size: row.size,
            inline: false,
        });
    }
    for image in bodies.iter().flat_map(|html| shown(html)) {
        let Is::Media { token, path } = &image.is else {
            continue;
        };
        let known = |file: &MessageFile| file.shown_as.as_deref() == Some(image.src);
        if files.shown.iter().any(known) {
            continue;
        }
        let key = key(&format!("media-{token}"));
        if !files.records.iter().any(|record| record.meta.key == key) {
            let mut meta = Meta::new(key.clone());
            meta.created_at = made;
            files.records.push(Attachment {
                meta,
                conversation: article.clone(),
                name: String::new(),
                media_type: None,
                size: None,
                inline: true,
                locator: Located::Media(path.clone()).to_locator(),
            });
        }
        files.shown.push(MessageFile {
            key,
            name: String::new(),
            shown_as: Some(image.src.to_owned()),
        });
    }
    files
}

struct Shown<'a> {
    /// As it stands in the HTML.
    src: &'a str,
    is: Is,
}

enum Is {
    Cid(String),
    Media { token: String, path: String },
}

/// The content ids that the HTML shows, each with its spelling there.
pub(crate) fn shown_cids(html: &str) -> Vec<(&str, String)> {
    let cids = shown(html).into_iter().filter_map(|image| match image.is {
        Is::Cid(id) => Some((image.src, id)),
        Is::Media { .. } => None,
    });
    cids.collect()
}

/// What the HTML shows of ours, each spelling once.
fn shown(html: &str) -> Vec<Shown<'_>> {
    let mut found: Vec<Shown<'_>> = Vec::new();
    for src in addresses(html) {
        if found.iter().any(|known| known.src == src) {
            continue;
        }
        let plain = unescape(src);
        let plain = plain.trim();
        let is = if let Some(id) = plain
            .get(..4)
            .filter(|scheme| scheme.eq_ignore_ascii_case("cid:"))
            .map(|_| &plain[4..])
        {
            let id = percent_decode_str(id).decode_utf8_lossy();
            Some(Is::Cid(
                id.trim_start_matches('<').trim_end_matches('>').to_owned(),
            ))
        } else {
            media(plain)
        };
        found.extend(is.map(|is| Shown { src, is }));
    }
    found
}

/// An image that Kayako keeps for texts: told by its path, since the host may be a domain of the customer's own.
fn media(address: &str) -> Option<Is> {
    let path = path_of(address)?;
    let (_, rest) = path.split_once(MEDIA)?;
    let token: &str = rest
        .split(['/', '?', '#'])
        .next()
        .filter(|token| !token.is_empty())?;
    Some(Is::Media {
        token: token.to_owned(),
        path: path.clone(),
    })
}

/// Path and query of an address, without scheme and host.
fn path_of(address: &str) -> Option<String> {
    if let Some(rest) = address.strip_prefix("//") {
        return path_of(&format!("https://{rest}"));
    }
    if address.starts_with('/') {
        return Some(address.split('#').next().unwrap_or_default().to_owned());
    }
    let url = Url::parse(address)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    })
}

/// An attachment's address. Paths of the API are taken to our own host: Kayako may name another one of the same desk.
fn located(address: &str, root: &str) -> Located {
    let ours = |path: &str| {
        path.starts_with("/api/") || path.starts_with("/index.php") || path.contains(MEDIA)
    };
    match path_of(address) {
        Some(path)
            if ours(&path)
                || address.starts_with('/')
                || address.starts_with(&format!("{root}/")) =>
        {
            Located::Attachment(path)
        }
        _ => Located::Elsewhere(address.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_are_fetched_from_our_own_host_and_strangers_get_no_credentials() {
        let root = "https://acme.kayako.com";
        let cases = [
            (
                "https://acme.kayako.com/api/v1/cases/1/messages/2/attachments/3/download",
                Located::Attachment("/api/v1/cases/1/messages/2/attachments/3/download".into()),
            ),
            (
                "https://support.example.org/api/v1/a/download?x=1",
                Located::Attachment("/api/v1/a/download?x=1".into()),
            ),
            (
                "/api/v1/a/download",
                Located::Attachment("/api/v1/a/download".into()),
            ),
            (
                "https://storage.example.org/bucket/key?signature=s",
                Located::Elsewhere("https://storage.example.org/bucket/key?signature=s".into()),
            ),
        ];
        for (address, expected) in cases {
            assert_eq!(located(address, root), expected, "{address}");
            assert_eq!(locate(&expected.to_locator()), Some(expected), "{address}");
        }
        assert_eq!(locate(&Value::Null), None);
    }

    #[test]
    fn images_of_texts_are_told_by_their_path_on_any_host() {
        let token = |address: &str| match media(address) {
            Some(Is::Media { token, .. }) => Some(token),
            _ => None,
        };
        for (address, expected) in [
            ("https://acme.kayako.com/media/url/TOKEN1", Some("TOKEN1")),
            (
                "https://help.example.org/base/media/url/T-2_x?size=1",
                Some("T-2_x"),
            ),
            ("/media/url/T3#top", Some("T3")),
            ("//acme.kayako.com/media/url/T4", Some("T4")),
            ("https://acme.kayako.com/media/url/", None),
            ("https://example.org/?u=/media", None),
            ("data:image/png;base64,AAAA", None),
            ("cid:x", None),
        ] {
            assert_eq!(token(address).as_deref(), expected, "{address}");
        }
    }
}
