//! Files: versions, the documents they make, and links (Salesforce object reference, section 5).

use std::fs;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::given::Given;
use super::{Call, Upload, email};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::Object;
use crate::org::store::{self, Fields};

/// Extensions that an org can refuse.
const HTML_LIKE: [&str; 10] = [
    "html", "htm", "htt", "htx", "mhtm", "mhtml", "shtm", "shtml", "acgi", "svg",
];

/// Settles where the bytes are and refuses what cannot be a file.
pub(super) fn before_insert(ctx: &Ctx<'_>, call: &Call, given: &mut Given) -> Result<(), Refusal> {
    let required = |name: &str| {
        Refusal::new(
            "REQUIRED_FIELD_MISSING",
            format!("Required fields are missing: [{name}]"),
        )
        .on(name)
    };
    let path = given
        .text("PathOnClient")
        .ok_or_else(|| required("PathOnClient"))?
        .to_owned();
    let extension = extension(&path);
    if ctx.settings().refuse_html_uploads && HTML_LIKE.contains(&extension.to_lowercase().as_str())
    {
        let message = "The settings of this organization do not permit files of this type";
        return Err(Refusal::new("HTML_FILE_UPLOAD_NOT_ALLOWED", message).on("VersionData"));
    }
    let upload = match (&call.upload, given.blob.take()) {
        (Some(upload), _) => upload.clone(),
        (None, Some(base64)) => decoded(ctx, &base64)?,
        (None, None) => return Err(required("VersionData")),
    };
    if upload.size == 0 {
        return Err(required("VersionData"));
    }
    given.values.insert("Checksum".into(), json!(upload.md5));
    given
        .values
        .insert("ContentSize".into(), json!(upload.size));
    given
        .values
        .insert("FileType".into(), json!(file_type(&extension)));
    given.values.insert(
        "FileExtension".into(),
        if extension.is_empty() {
            Value::Null
        } else {
            json!(extension)
        },
    );
    if given.text("Title").is_none() {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(&path);
        let stem = name.strip_suffix(&format!(".{extension}")).unwrap_or(name);
        given.values.insert("Title".into(), json!(stem));
    }
    // The bytes travel to `complete` under a name that no field has.
    given.blob = Some(upload.path.to_string_lossy().into_owned());
    Ok(())
}

/// Takes the bytes in and makes the document, unless this is a new version of one.
pub(super) fn complete(ctx: &Ctx<'_>, number: i64, given: &mut Given) -> Result<(), Refusal> {
    let upload = given
        .blob
        .take()
        .ok_or_else(|| Refusal::broken("a version without bytes"))?;
    let blob = ctx.engine.blob(number);
    if let Some(folder) = blob.parent() {
        fs::create_dir_all(folder)?;
    }
    // Before the transaction ends: bytes without a row do no harm, a row without bytes would.
    fs::rename(upload, blob)?;
    let version = ctx.id(ctx.object("ContentVersion")?, number);
    let earlier = given.text("ContentDocumentId").map(str::to_owned);
    let (document, count) = match earlier {
        Some(document) => {
            let versions = ctx.pointing("ContentVersion", "ContentDocumentId", &document)?;
            (document, versions.len())
        }
        None => (new_document(ctx, &version, given)?, 0),
    };
    let set =
        |given: &mut Given, name: &str, value: Value| given.values.insert(name.to_owned(), value);
    set(given, "ContentDocumentId", json!(document));
    set(given, "VersionNumber", json!((count + 1).to_string()));
    set(given, "IsLatest", json!(true));
    set(given, "IsMajorVersion", json!(true));
    set(given, "PublishStatus", json!("P"));
    let modified = given.values.get("LastModifiedDate").cloned();
    set(
        given,
        "ContentModifiedDate",
        modified.unwrap_or_else(|| json!(crate::org::values::date_time_text(ctx.now))),
    );
    set(
        given,
        "ContentModifiedById",
        json!(ctx.engine.user_id(ctx.user)),
    );
    Ok(())
}

pub(super) fn after_insert(
    ctx: &Ctx<'_>,
    object: &Object,
    number: i64,
    id: &str,
    fields: &Fields,
) -> Result<(), Refusal> {
    let document = fields
        .get("ContentDocumentId")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    for older in ctx.pointing("ContentVersion", "ContentDocumentId", &document)? {
        if older == number {
            continue;
        }
        if let Some(row) = store::get(ctx.db, object, older)? {
            let mut fields = row.fields.clone();
            fields.insert("IsLatest".into(), json!(false));
            store::update(ctx.db, object, &row, &fields)?;
        }
    }
    if let Some((of, row)) = ctx.row(&document)? {
        let mut latest = row.fields.clone();
        for name in [
            "Title",
            "FileType",
            "FileExtension",
            "ContentSize",
            "ContentModifiedDate",
        ] {
            if let Some(value) = fields.get(name) {
                latest.insert(name.to_owned(), value.clone());
            }
        }
        latest.insert("LatestPublishedVersionId".into(), json!(id));
        store::update(ctx.db, of, &row, &latest)?;
    }
    match fields.get("FirstPublishLocationId").and_then(Value::as_str) {
        Some(place) => link(ctx, &document, place),
        None => Ok(()),
    }
}

pub(super) fn new_document(ctx: &Ctx<'_>, version: &str, given: &Given) -> Result<String, Refusal> {
    let object = ctx.object("ContentDocument")?;
    let mut fields = Fields::new();
    let same = [
        "Title",
        "Description",
        "FileType",
        "FileExtension",
        "ContentSize",
        "OwnerId",
    ];
    let dates = [
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
    ];
    for name in same.iter().chain(&dates) {
        if let Some(value) = given.values.get(*name).filter(|value| !value.is_null()) {
            fields.insert((*name).to_owned(), value.clone());
        }
    }
    fields.insert("PublishStatus".into(), json!("P"));
    fields.insert("LatestPublishedVersionId".into(), json!(version));
    let number = ctx.put(object, fields)?;
    Ok(ctx.id(object, number))
}

/// The link the platform makes by itself, if it is not there yet.
pub(super) fn link(ctx: &Ctx<'_>, document: &str, entity: &str) -> Result<(), Refusal> {
    if linked(ctx, document, entity)? {
        return Ok(());
    }
    let fields = Fields::from_iter([
        ("ContentDocumentId".to_owned(), json!(document)),
        ("LinkedEntityId".to_owned(), json!(entity)),
        ("ShareType".to_owned(), json!("V")),
        ("Visibility".to_owned(), json!("InternalUsers")),
    ]);
    ctx.put(ctx.object("ContentDocumentLink")?, fields)
        .map(|_| ())
}

fn linked(ctx: &Ctx<'_>, document: &str, entity: &str) -> Result<bool, Refusal> {
    let object = ctx.object("ContentDocumentLink")?;
    for number in ctx.pointing("ContentDocumentLink", "ContentDocumentId", document)? {
        let row = store::get(ctx.db, object, number)?;
        let other = row
            .as_ref()
            .and_then(|row| row.fields.get("LinkedEntityId"))
            .and_then(Value::as_str);
        if other.and_then(|id| id.get(..15)) == entity.get(..15) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn before_link(ctx: &Ctx<'_>, given: &mut Given) -> Result<(), Refusal> {
    for (name, default) in [("ShareType", "V"), ("Visibility", "InternalUsers")] {
        if given.text(name).is_none() {
            given.values.insert(name.to_owned(), json!(default));
        }
    }
    let (Some(document), Some(entity)) = (
        given.text("ContentDocumentId"),
        given.text("LinkedEntityId"),
    ) else {
        return Ok(());
    };
    if given.text("Visibility") == Some("SharedUsers") && !entity.starts_with("005") {
        let message = "Visibility: SharedUsers is possible for users only";
        return Err(Refusal::new("FIELD_INTEGRITY_EXCEPTION", message).on("Visibility"));
    }
    if linked(ctx, document, entity)? {
        let message =
            "duplicate value found: <unknown> duplicates value on record with id: <unknown>";
        return Err(Refusal::new("DUPLICATE_VALUE", message));
    }
    email::may_change(ctx, Some(entity))
}

fn decoded(ctx: &Ctx<'_>, base64: &str) -> Result<Upload, Refusal> {
    let text: String = base64
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .collect();
    let bytes = BASE64.decode(text).map_err(|_| {
        Refusal::new("INVALID_BASE64", "VersionData: the value is not base64").on("VersionData")
    })?;
    let path = ctx.engine.upload();
    fs::File::create(&path)?.write_all(&bytes)?;
    Ok(Upload {
        path,
        size: bytes.len() as u64,
        md5: hex(&Md5::digest(&bytes)),
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands behind the last point of the last part of a path.
fn extension(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    extension.chars().take(40).collect()
}

fn file_type(extension: &str) -> String {
    let upper = extension.to_uppercase();
    match upper.as_str() {
        "" => "UNKNOWN".into(),
        "DOCX" => "WORD_X".into(),
        "DOC" => "WORD".into(),
        "XLSX" => "EXCEL_X".into(),
        "XLS" => "EXCEL".into(),
        "PPTX" => "POWER_POINT_X".into(),
        "PPT" => "POWER_POINT".into(),
        "TXT" | "LOG" => "TEXT".into(),
        "HTM" => "HTML".into(),
        "JPEG" => "JPG".into(),
        "PDF" | "PNG" | "JPG" | "GIF" | "CSV" | "XML" | "HTML" | "ZIP" | "MP3" | "MP4" | "SVG"
        | "JSON" | "BMP" | "TIFF" => upper,
        _ => "UNKNOWN".into(),
    }
}
