//! Notes: a ContentNote is a document whose one version holds HTML (Salesforce object reference, section 4.7).

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use serde_json::json;

use super::file;
use super::given::Given;
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::richtext;
use crate::org::store::{self, Fields, Row};

/// The largest note, after base64.
const LARGEST: usize = 50_000_000;
/// What may stand between `&` and `;`.
const ENTITIES: [&str; 4] = ["amp", "lt", "gt", "quot"];

/// Takes the text, cleaned as the platform does it.
pub(super) fn before_write(given: &mut Given) -> Result<(), Refusal> {
    let Some(base64) = &given.blob else {
        return Ok(());
    };
    if base64.len() > LARGEST {
        let message = "Content: the note is larger than 50 MB";
        return Err(Refusal::new("FILE_SIZE_LIMIT_EXCEEDED", message).on("Content"));
    }
    let wrong = || Refusal::new("INVALID_BASE64", "Content: the value is not base64").on("Content");
    let bytes = BASE64.decode(base64).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    if !entities_are_known(&text) {
        let message = "Note Can't Be Saved Because It Contains HTML Tags Or Unescaped Characters That Are Not Allowed In A Note.";
        return Err(Refusal::new("FIELD_INTEGRITY_EXCEPTION", message).on("Content"));
    }
    let one_line: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    given.blob = Some(richtext::sanitised(&one_line));
    Ok(())
}

fn entities_are_known(text: &str) -> bool {
    text.split('&').skip(1).all(|rest| {
        let Some((name, _)) = rest.split_once(';') else {
            return false;
        };
        let number = name
            .strip_prefix('#')
            .is_some_and(|digits| digits.bytes().all(|c| c.is_ascii_digit()) && !digits.is_empty());
        number || ENTITIES.contains(&name)
    })
}

/// Makes the document and its version; the document's number is the note's, too.
pub(super) fn document(ctx: &Ctx<'_>, given: &mut Given) -> Result<i64, Refusal> {
    let (version, _) = version(ctx, given, None)?;
    let document = file::new_document(ctx, &version, given)?;
    let number = ctx.locate(&document).map(|(_, number)| number);
    let number = number.ok_or_else(|| Refusal::broken("a document without a number"))?;
    belongs(ctx, &version, &document)?;
    Ok(number)
}

/// A changed text is a further version.
pub(super) fn before_update(ctx: &Ctx<'_>, row: &Row, given: &mut Given) -> Result<(), Refusal> {
    let documents = ctx.object("ContentDocument")?;
    let document = ctx.id(documents, row.number);
    if given.blob.is_some() {
        let (version, size) = version(ctx, given, Some(row))?;
        belongs(ctx, &version, &document)?;
        given
            .values
            .insert("LatestPublishedVersionId".into(), json!(version));
        given.values.insert("ContentSize".into(), json!(size));
    }
    if let Some(of) = store::get(ctx.db, documents, row.number)? {
        let mut fields = of.fields.clone();
        for name in ["Title", "ContentSize", "LatestPublishedVersionId"] {
            if let Some(value) = given.values.get(name) {
                fields.insert(name.to_owned(), value.clone());
            }
        }
        store::update(ctx.db, documents, &of, &fields)?;
    }
    Ok(())
}

fn version(
    ctx: &Ctx<'_>,
    given: &mut Given,
    before: Option<&Row>,
) -> Result<(String, usize), Refusal> {
    let html = given.blob.take().unwrap_or_default();
    let object = ctx.object("ContentVersion")?;
    let kept = before.and_then(|row| row.fields.get("Title"));
    let title = given.values.get("Title").or(kept).cloned();
    let title = title.unwrap_or_else(|| json!("Untitled Note"));
    let size = html.len();
    let preview: String = richtext::text_of(&html).chars().take(255).collect();
    given.values.insert("FileType".into(), json!("SNOTE"));
    given.values.insert("FileExtension".into(), json!("snote"));
    given.values.insert("ContentSize".into(), json!(size));
    given.values.insert("TextPreview".into(), json!(preview));
    let mut fields = Fields::from_iter([
        ("Title".to_owned(), title.clone()),
        (
            "PathOnClient".to_owned(),
            json!(format!("{}.snote", title.as_str().unwrap_or_default())),
        ),
        ("FileType".to_owned(), json!("SNOTE")),
        ("FileExtension".to_owned(), json!("snote")),
        ("ContentSize".to_owned(), json!(size)),
        (
            "Checksum".to_owned(),
            json!(file::hex(&Md5::digest(html.as_bytes()))),
        ),
        ("IsLatest".to_owned(), json!(true)),
        ("IsMajorVersion".to_owned(), json!(true)),
        ("PublishStatus".to_owned(), json!("P")),
        ("Origin".to_owned(), json!("C")),
        ("ContentLocation".to_owned(), json!("S")),
    ]);
    for name in [
        "OwnerId",
        "SharingPrivacy",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
    ] {
        if let Some(value) = given.values.get(name).filter(|value| !value.is_null()) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    let number = store::next_number(ctx.db, object)?;
    let blob = ctx.engine.blob(number);
    if let Some(folder) = blob.parent() {
        fs::create_dir_all(folder)?;
    }
    // Before the transaction ends: bytes without a row do no harm, a row without bytes would.
    fs::write(blob, html)?;
    let number = ctx.put(object, fields)?;
    let id = ctx.id(object, number);
    given
        .values
        .insert("LatestPublishedVersionId".into(), json!(id));
    Ok((id, size))
}

/// Ties a version to its document, and makes it the latest.
fn belongs(ctx: &Ctx<'_>, version: &str, document: &str) -> Result<(), Refusal> {
    let versions = ctx.pointing("ContentVersion", "ContentDocumentId", document)?;
    let object = ctx.object("ContentVersion")?;
    for number in &versions {
        if let Some(row) = store::get(ctx.db, object, *number)? {
            let mut fields = row.fields.clone();
            fields.insert("IsLatest".into(), json!(false));
            store::update(ctx.db, object, &row, &fields)?;
        }
    }
    if let Some((object, row)) = ctx.row(version)? {
        let mut fields = row.fields.clone();
        fields.insert("ContentDocumentId".into(), json!(document));
        fields.insert(
            "VersionNumber".into(),
            json!((versions.len() + 1).to_string()),
        );
        store::update(ctx.db, object, &row, &fields)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_takes_the_five_entities_that_it_needs() {
        for (text, good) in [
            ("a &amp; b &lt;c&gt; &quot;d&quot; &#39;e&#39;", true),
            ("žluťoučký", true),
            ("a & b", false),
            ("&apos;", false),
            ("&eacute;", false),
            ("&#;", false),
        ] {
            assert_eq!(entities_are_known(text), good, "{text}");
        }
    }
}
