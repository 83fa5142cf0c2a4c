use deskferry_core::key::RecordKey;
use deskferry_core::model::{CustomValues, Meta};
use percent_encoding::percent_decode_str;

use super::{Common, Facts};
use crate::mapping::text;
use crate::mapping::value::Fact;

/// A file, by the name it gets.
pub(crate) struct FileFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) meta: &'a Meta,
    /// The name with its extension.
    pub(crate) path: String,
    pub(crate) case: Option<&'a str>,
}

impl Facts for FileFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        match name {
            "path" => Fact::text(&self.path),
            "title" => Fact::text(stem(&self.path)),
            "case" => Fact::maybe_id(self.case),
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.meta.custom
    }
}

fn stem(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => path,
    }
}

/// The identity of a content on a conversation: the same bytes there are one file.
pub(crate) fn file_key(conversation: &RecordKey, blake3: &str) -> RecordKey {
    let plain = |piece: &str| percent_decode_str(piece).decode_utf8_lossy().into_owned();
    let id = format!("{}-{blake3}", plain(conversation.id()));
    RecordKey::new(
        &plain(conversation.platform()),
        &plain(conversation.tenant()),
        "file",
        &id,
    )
}

/// The most characters of PathOnClient, and of the extension that a cut leaves alone.
const PATH_LENGTH: usize = 500;
const EXTENSION_LENGTH: usize = 20;

/// A file's name as the platform takes it: path parts and what no file system takes dropped, never empty, with an extension.
pub(crate) fn file_name(name: &str, media_type: Option<&str>, id: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = name
        .chars()
        .filter(|c| !c.is_control() && !is_direction(*c) && !":*?\"<>|".contains(*c));
    let mut name = kept.collect::<String>().trim().to_owned();
    if name.chars().all(|c| c == '.') {
        name = format!("file-{id}");
    }
    let has_extension =
        matches!(name.rsplit_once('.'), Some((_, extension)) if !extension.is_empty());
    if !has_extension && let Some(extension) = media_type.and_then(extension_of) {
        name = format!("{}.{extension}", name.trim_end_matches('.'));
    }
    shorten(&name)
}

/// Marks that turn the direction of writing: `cod.exe` may look like `exe.doc` with them.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn shorten(name: &str) -> String {
    if text::length(name) <= PATH_LENGTH {
        return name.to_owned();
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) if text::length(extension) <= EXTENSION_LENGTH => {
            let room = PATH_LENGTH - text::length(extension) - 1;
            format!("{}.{extension}", text::cut(stem, room))
        }
        _ => text::cut(name, PATH_LENGTH).to_owned(),
    }
}

fn extension_of(media_type: &str) -> Option<&'static str> {
    let essence = media_type.split(';').next()?.trim().to_ascii_lowercase();
    Some(match essence.as_str() {
        "image/png" => "png",
        "image/jpeg" | "image/jpg" => "jpg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/svg+xml" => "svg",
        "image/bmp" => "bmp",
        "image/tiff" => "tiff",
        "image/heic" => "heic",
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        "application/gzip" => "gz",
        "application/json" => "json",
        "application/xml" | "text/xml" => "xml",
        "application/rtf" => "rtf",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "application/vnd.ms-powerpoint" => "ppt",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => "pptx",
        "text/plain" => "txt",
        "text/html" => "html",
        "text/csv" => "csv",
        "text/calendar" => "ics",
        "message/rfc822" => "eml",
        "audio/mpeg" => "mp3",
        "audio/wav" | "audio/x-wav" => "wav",
        "audio/ogg" => "ogg",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/webm" => "webm",
        "application/octet-stream" => "bin",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_made_fit() {
        for (name, media, expected) in [
            ("report.pdf", None, "report.pdf"),
            ("C:\\temp\\a<b>.png", None, "ab.png"),
            ("../../etc/passwd", None, "passwd"),
            ("", Some("image/png"), "file-7.png"),
            ("  ", None, "file-7"),
            ("photo", Some("image/jpeg; charset=x"), "photo.jpg"),
            ("photo", Some("x/unknown"), "photo"),
            ("a\u{0}b\n.txt", None, "ab.txt"),
            ("отчёт.docx", None, "отчёт.docx"),
            ("name.", Some("text/plain"), "name.txt"),
            ("a/", None, "file-7"),
            ("..", Some("text/plain"), "file-7.txt"),
            ("a\u{202e}gpj.exe", None, "agpj.exe"),
            ("\u{2066}\u{200f}\u{61c}", None, "file-7"),
        ] {
            assert_eq!(file_name(name, media, "7"), expected, "{name}");
        }
        let long = file_name(&format!("{}.tar.gz", "x".repeat(900)), None, "7");
        assert_eq!(long.chars().count(), 500);
        assert!(long.ends_with(".gz"));
    }

    #[test]
    fn the_same_bytes_on_one_conversation_have_one_key() {
        let conversation = RecordKey::new("kayako", "acme:eu", "conversation", "12");
        let key = file_key(&conversation, &"ab".repeat(32));
        assert_eq!(
            key.as_str(),
            format!("kayako:acme%3Aeu:file:12-{}", "ab".repeat(32))
        );
    }
}
