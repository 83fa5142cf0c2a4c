//! Files: base64 inside XML, decoded while it arrives (Kayako reference, section 19).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use deskferry_core::source::ByteStream;
use deskferry_core::{Error, ErrorKind, RecordKey, Result};
use futures::StreamExt as _;

const READ: &str = "download an attachment";
const OPENING: &[u8] = b"<contents";
const CDATA: &[u8] = b"<![CDATA[";
/// What stands before the bytes is small.
const MOST_BEFORE: usize = 1024 * 1024;

/// The bytes in the `contents` of an answer.
pub(crate) fn contents(body: ByteStream, about: RecordKey) -> ByteStream {
    let begin = (body, Decoder::default(), false);
    Box::pin(futures::stream::unfold(begin, move |state| {
        let about = about.clone();
        async move {
            let (mut body, mut decoder, over) = state;
            if over {
                return None;
            }
            loop {
                let step = match body.next().await {
                    Some(Err(error)) => Err(error),
                    Some(Ok(piece)) => decoder.take(&piece),
                    None => match decoder.end() {
                        Ok(()) => return None,
                        Err(error) => Err(error),
                    },
                };
                match step {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Some((Ok(Bytes::from(bytes)), (body, decoder, false))),
                    Err(error) => return Some((Err(error.of(about)), (body, decoder, true))),
                }
            }
        }
    }))
}

/// Where in the answer we are.
#[derive(Debug, Default, PartialEq, Eq)]
enum At {
    /// Before the tag.
    #[default]
    Before,
    /// Behind the tag, where a CDATA section may begin.
    Begin,
    /// Among the bytes.
    Inside,
    /// Behind them.
    Behind,
}

/// Takes pieces of an answer and gives the bytes in them.
#[derive(Debug, Default)]
struct Decoder {
    at: At,
    /// What was received and not used yet.
    kept: Vec<u8>,
}

impl Decoder {
    fn take(&mut self, piece: &[u8]) -> Result<Vec<u8>> {
        if self.at == At::Behind {
            return Ok(Vec::new());
        }
        self.kept.extend_from_slice(piece);
        if self.at == At::Before && !self.find_tag()? {
            return Ok(Vec::new());
        }
        if self.at == At::Begin && !self.open() {
            return Ok(Vec::new());
        }
        self.decode()
    }

    /// Whether the opening tag was found; an empty one is the end.
    fn find_tag(&mut self) -> Result<bool> {
        let tag = find(&self.kept, OPENING);
        let end = tag.and_then(|at| Some(at + find(&self.kept[at..], b">")?));
        match end {
            Some(end) => {
                let empty = self.kept[..end].ends_with(b"/");
                self.kept.drain(..=end);
                self.at = if empty { At::Behind } else { At::Begin };
                Ok(!empty)
            }
            None if self.kept.len() > MOST_BEFORE => {
                Err(broken("the answer holds no `contents`".to_owned()))
            }
            None => Ok(false),
        }
    }

    /// Passes the opening of a CDATA section, if there is one.
    fn open(&mut self) -> bool {
        let blank = self.kept.iter().take_while(|b| b.is_ascii_whitespace());
        let blank = blank.count();
        let rest = &self.kept[blank..];
        if rest.len() < CDATA.len() && CDATA.starts_with(rest) {
            return false;
        }
        let opening = if rest.starts_with(CDATA) {
            CDATA.len()
        } else {
            0
        };
        self.kept.drain(..blank + opening);
        self.at = At::Inside;
        true
    }

    fn decode(&mut self) -> Result<Vec<u8>> {
        let end = self.kept.iter().position(|b| matches!(b, b']' | b'<'));
        let taken: Vec<u8> = self.kept.drain(..end.unwrap_or(self.kept.len())).collect();
        let mut text: Vec<u8> = taken;
        text.retain(|b| !b.is_ascii_whitespace());
        if end.is_some() {
            self.at = At::Behind;
        } else {
            // Only whole groups of four can be decoded; the rest waits.
            let whole = text.len() - text.len() % 4;
            self.kept = text.split_off(whole);
        }
        STANDARD
            .decode(&text)
            .map_err(|error| broken(format!("the contents are no base64: {error}")))
    }

    fn end(&self) -> Result<()> {
        match self.at {
            At::Behind => Ok(()),
            At::Before => Err(broken("the answer holds no `contents`".to_owned())),
            At::Begin | At::Inside => Err(Error::new(
                ErrorKind::Unavailable,
                READ,
                "the answer was cut off inside the file",
            )),
        }
    }
}

fn broken(what: String) -> Error {
    Error::new(ErrorKind::Decode, READ, what)
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bytes of an answer that arrives in pieces of this size.
    fn decoded(answer: &[u8], size: usize) -> Result<Vec<u8>> {
        let mut decoder = Decoder::default();
        let mut bytes = Vec::new();
        for piece in answer.chunks(size) {
            bytes.extend(decoder.take(piece)?);
        }
        decoder.end().map(|()| bytes)
    }

    #[test]
    fn contents_are_found_in_every_way_they_are_written() {
        for (answer, bytes) in [
            ("<a><contents><![CDATA[SGVsbG8=]]></contents></a>", "Hello"),
            (
                "Warning<?xml?><a><contents>\n SGVs\nbG8=\n</contents>",
                "Hello",
            ),
            (r#"<contents encoding="base64">SGk=</contents>"#, "Hi"),
            ("<contents></contents>", ""),
            ("<contents/>", ""),
            ("<contents><![CDATA[]]></contents>", ""),
        ] {
            for size in [1, 2, 7, 1000] {
                let found = decoded(answer.as_bytes(), size).unwrap();
                assert_eq!(found, bytes.as_bytes(), "{answer} by {size}");
            }
        }
    }

    #[test]
    fn what_is_cut_off_or_no_file_is_an_error_never_a_shorter_file() {
        for (answer, kind) in [
            ("<a><contents><![CDATA[SGVsbG8=", ErrorKind::Unavailable),
            ("<a><contents>SGVs", ErrorKind::Unavailable),
            ("<a><conte", ErrorKind::Decode),
            ("<a><filename>x</filename></a>", ErrorKind::Decode),
            ("<contents>S!G</contents>", ErrorKind::Decode),
            ("<contents>SGVsbG8</contents>", ErrorKind::Decode),
        ] {
            assert_eq!(
                decoded(answer.as_bytes(), 3).unwrap_err().kind(),
                kind,
                "{answer}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_arrive_whatever_the_pieces(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1_usize..50, wrap in 4_usize..80) {
            let text = STANDARD.encode(&bytes);
            let lines: Vec<&str> = text.as_bytes().chunks(wrap).map(|c| std::str::from_utf8(c).unwrap()).collect();
            let answer = format!("<x><contents><![CDATA[{}]]></contents></x>", lines.join("\r\n"));
            prop_assert_eq!(decoded(answer.as_bytes(), size).unwrap(), bytes);
        }
    }
}
