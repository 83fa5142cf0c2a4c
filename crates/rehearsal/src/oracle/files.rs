//! Files: ContentVersion, its bytes, and its links.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use md5::{Digest, Md5};

use super::want::{Row, Sheet, Want, field, short};
use super::words::file_name;
use super::{Difference, Findings, Ground, OrgDump, Table};
use crate::world::{Conversation, FileContent};

/// MD5 as the platform writes it.
pub(super) fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A file that a conversation must have, once for all who carry its bytes.
pub(super) struct Kept {
    /// Order among those that carry the same bytes: the first gives the name and the time.
    first: (DateTime<Utc>, String),
    name: Name,
    md5: String,
    size: u64,
    /// A body that became a file may as well carry the key of its message.
    also: Option<String>,
    /// Ids of rows beside the Case that must be linked to it.
    pub(super) on: BTreeSet<String>,
}

/// What the file may be called.
enum Name {
    /// By its name at the source.
    Given(String, String),
    /// A picture without a name: only the ending is sure.
    Picture(String),
}

/// Files of one conversation by key.
pub(super) type Files = BTreeMap<String, Kept>;

/// Every file and picture of the conversation's own messages that can be carried.
pub(super) fn expected(ground: &Ground<'_>, conversation: &Conversation) -> Files {
    let mut files = Files::new();
    for message in conversation
        .messages
        .iter()
        .filter(|message| !message.is_elsewhere())
    {
        for file in message.files.iter().filter(|file| is_whole(file)) {
            let file_id = ground.options.platform.file_id(message.id, file.id);
            let order = (message.sent, ground.key_by("attachment", &file_id));
            let name = file
                .name
                .as_deref()
                .map(file_name)
                .filter(|name| !name.is_empty());
            let name = Name::Given(
                name.unwrap_or_else(|| format!("file-{file_id}")),
                file.media_type.clone(),
            );
            add(
                ground,
                conversation,
                &mut files,
                order,
                name,
                &file.content.bytes(),
            );
        }
        for image in message
            .images
            .iter()
            .filter(|image| !image.lost && !image.content.is_empty())
        {
            let order = (
                message.sent,
                ground.key_by(
                    "attachment",
                    &ground
                        .options
                        .platform
                        .picture_id(conversation.id, &image.token),
                ),
            );
            add(
                ground,
                conversation,
                &mut files,
                order,
                Name::Picture(image.media_type.clone()),
                &image.content.bytes(),
            );
        }
    }
    files
}

fn is_whole(file: &crate::world::File) -> bool {
    unavailable(file).is_none()
}

/// Why a file cannot come, if it cannot.
pub(super) fn unavailable(file: &crate::world::File) -> Option<&'static str> {
    if file.lost {
        return Some("unavailable");
    }
    file.content.is_empty().then_some("empty")
}

/// A body that became a file. Answers its key.
pub(super) fn add_body(
    ground: &Ground<'_>,
    conversation: &Conversation,
    files: &mut Files,
    message: u64,
    ending: &str,
    body: &str,
    sent: DateTime<Utc>,
) -> String {
    let name = Name::Given(
        format!("message-{}.{ending}", ground.id("message", message)),
        String::new(),
    );
    // Sorts behind attachments of the same moment, which carry other bytes anyway.
    let order = (sent, format!("~{message}"));
    let key = add(ground, conversation, files, order, name, body.as_bytes());
    if let Some(kept) = files.get_mut(&key) {
        kept.also = Some(ground.key("message", message));
    }
    key
}

fn add(
    ground: &Ground<'_>,
    conversation: &Conversation,
    files: &mut Files,
    order: (DateTime<Utc>, String),
    name: Name,
    bytes: &[u8],
) -> String {
    let key = file_key(ground, conversation, bytes);
    match files.get_mut(&key) {
        Some(kept) if kept.first <= order => {}
        Some(kept) => {
            kept.first = order;
            kept.name = name;
        }
        None => {
            let kept = Kept {
                first: order,
                name,
                md5: md5(bytes),
                size: bytes.len() as u64,
                also: None,
                on: BTreeSet::new(),
            };
            files.insert(key.clone(), kept);
        }
    }
    key
}

pub(super) fn file_key(ground: &Ground<'_>, conversation: &Conversation, bytes: &[u8]) -> String {
    ground.key_by(
        "file",
        &format!(
            "{}-{}",
            ground.id("conversation", conversation.id),
            blake3::hash(bytes).to_hex()
        ),
    )
}

/// The key under which some content of a conversation is kept.
pub(super) fn key_of(
    ground: &Ground<'_>,
    conversation: &Conversation,
    content: &FileContent,
) -> String {
    file_key(ground, conversation, &content.bytes())
}

/// A picture of an article, linked to the article's main version.
pub(super) fn of_article(
    ground: &Ground<'_>,
    article: &super::platform::SeenArticle,
    image: &crate::world::InlineImage,
    on: Option<&str>,
) -> (String, Kept) {
    let bytes = image.content.bytes();
    let id = format!("{}-{}", article.id, blake3::hash(&bytes).to_hex());
    let kept = Kept {
        first: (article.created, String::new()),
        name: Name::Picture(image.media_type.clone()),
        md5: md5(&bytes),
        size: bytes.len() as u64,
        also: None,
        on: on.map(str::to_owned).into_iter().collect(),
    };
    (ground.key_by("file", &id), kept)
}

/// What each version of the org shows, by the id that stands in addresses.
#[derive(Clone)]
pub(super) struct Shown {
    by_version: HashMap<String, String>,
}

impl Shown {
    pub(super) fn of(versions: &Table) -> Self {
        let all = versions.keyed.values().chain(&versions.loose);
        Self {
            by_version: all
                .map(|row| {
                    (
                        short(field(row, "Id")).to_owned(),
                        field(row, "Checksum").to_owned(),
                    )
                })
                .collect(),
        }
    }

    /// The checksum of what an address of the org shows; other addresses as they are.
    pub(super) fn address(&self, address: &str) -> String {
        const DOWNLOAD: &str = "/sfc/servlet.shepherd/version/download/";
        if let Some((_, id)) = address.split_once(DOWNLOAD) {
            let id = id.split(['?', '/', '#']).next().unwrap_or("");
            return match self.by_version.get(short(id)) {
                Some(checksum) => format!("shows {checksum}"),
                None => format!("shows nothing: {id}"),
            };
        }
        // An address of the source that could not be carried.
        match address.split_once("/media/url/") {
            Some((_, token)) => format!("media:{token}"),
            None => address.to_owned(),
        }
    }
}

/// Links by document.
pub(super) struct Links {
    by_document: HashMap<String, Vec<String>>,
    ours: BTreeSet<String>,
}

impl Links {
    pub(super) fn load(rows: Vec<Row>) -> Self {
        let mut by_document: HashMap<String, Vec<String>> = HashMap::new();
        for row in rows {
            let entity = short(field(&row, "LinkedEntityId")).to_owned();
            // The owner's own link is the platform's affair.
            if !entity.starts_with("005") {
                by_document
                    .entry(short(field(&row, "ContentDocumentId")).to_owned())
                    .or_default()
                    .push(entity);
            }
        }
        Self {
            by_document,
            ours: BTreeSet::new(),
        }
    }

    /// Links of documents that the migration made and nobody expected.
    pub(super) fn rest_is_extra(self, out: &mut Findings) {
        for document in self.ours {
            for entity in self.by_document.get(&document).into_iter().flatten() {
                out.extra("ContentDocumentLink", &format!("{document} on {entity}"));
            }
        }
    }
}

/// Compares the files of a conversation.
pub(super) fn compare(
    ground: &Ground<'_>,
    files: Files,
    case: Option<&str>,
    table: &mut Table,
    links: &mut Links,
    dump: &dyn OrgDump,
    out: &mut Findings,
) {
    for (key, kept) in files {
        let other = kept
            .also
            .as_ref()
            .filter(|other| table.keyed.contains_key(*other));
        let key = other.cloned().unwrap_or(key);
        let Some(row) = table.take(&key, out) else {
            continue;
        };
        sheet(ground, &kept, &key, case).compare("ContentVersion", &key, &row, ground.options, out);
        match dump
            .blob(field(&row, "Id"))
            .map(|bytes| md5(&Bytes::from(bytes)))
        {
            Ok(found) if found == kept.md5 => {}
            Ok(found) => out.add(Difference::new(
                "ContentVersion",
                &key,
                "VersionData",
                &kept.md5,
                &found,
            )),
            Err(why) => out.add(Difference::new(
                "ContentVersion",
                &key,
                "VersionData",
                "bytes",
                &why.to_string(),
            )),
        }
        let document = short(field(&row, "ContentDocumentId")).to_owned();
        links.ours.insert(document.clone());
        let found = links.by_document.entry(document.clone()).or_default();
        for entity in case.into_iter().chain(kept.on.iter().map(String::as_str)) {
            match found.iter().position(|found| found == short(entity)) {
                Some(place) => {
                    found.swap_remove(place);
                }
                None => out.missing("ContentDocumentLink", &format!("{key} on {entity}")),
            }
        }
    }
}

fn sheet(ground: &Ground<'_>, kept: &Kept, key: &str, case: Option<&str>) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.set("Source_Key__c", Want::Text(key.to_owned()));
    sheet.set("Checksum", Want::Text(kept.md5.clone()));
    sheet.set("ContentSize", Want::Number(kept.size as f64));
    sheet.set(
        "FirstPublishLocationId",
        case.map_or(Want::Anything, |case| Want::Id(case.to_owned())),
    );
    sheet.set("PathOnClient", name(&kept.name));
    sheet.set("Title", title(&kept.name));
    sheet.set("ContentModifiedDate", Want::Something);
    if ground.options.audit_fields {
        sheet.set("CreatedDate", Want::Time(kept.first.0));
    }
    sheet
}

/// Endings of the media types that worlds hold; another type may get any ending, or none.
fn ending(media_type: &str) -> Option<&'static str> {
    let endings = [
        ("image/png", "png"),
        ("image/jpeg", "jpg"),
        ("image/gif", "gif"),
        ("application/pdf", "pdf"),
        ("text/plain", "txt"),
        ("text/html", "html"),
    ];
    endings
        .iter()
        .find(|(known, _)| *known == media_type)
        .map(|(_, ending)| *ending)
}

fn has_ending(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(stem, ending)| !stem.is_empty() && !ending.is_empty())
}

fn name(name: &Name) -> Want {
    match name {
        Name::Given(name, _) if has_ending(name) => cut(name.clone(), 500),
        Name::Given(name, media_type) => {
            let (name, ending) = (name.clone(), ending(media_type));
            Want::test(format!("{name} with an ending"), move |found| {
                found.strip_prefix(&name).is_some_and(|rest| match ending {
                    Some(ending) => rest == format!(".{ending}"),
                    None => rest.is_empty() || rest.starts_with('.'),
                })
            })
        }
        Name::Picture(media_type) => {
            let ending = ending(media_type).unwrap_or("");
            Want::test(format!("a name that ends in {ending}"), move |found| {
                found.ends_with(ending) && has_ending(found)
            })
        }
    }
}

fn title(name: &Name) -> Want {
    match name {
        Name::Given(name, _) if has_ending(name) => cut(
            name.rsplit_once('.')
                .map_or(name.as_str(), |(stem, _)| stem)
                .trim()
                .to_owned(),
            255,
        ),
        Name::Given(name, _) => cut(name.clone(), 255),
        Name::Picture(_) => Want::Something,
    }
}

fn cut(text: String, limit: usize) -> Want {
    if text.chars().count() > limit {
        Want::Cut(text, limit)
    } else {
        Want::Text(text)
    }
}
