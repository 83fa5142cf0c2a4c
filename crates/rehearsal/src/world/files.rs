//! Bytes of files: either given, or made on demand from a number, so that a large world needs no memory for them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::dice::Dice;
use super::model::Conversation;

/// What made-up bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Look {
    /// A valid PNG picture; the size is that of its noise, the file is a little larger.
    Png,
    /// Lines of UTF-8 text.
    Text,
    /// A JSON document.
    Json,
    /// Noise.
    Binary,
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileContent {
    /// These bytes.
    Given(#[serde(serialize_with = "as_base64", deserialize_with = "from_base64")] Bytes),
    /// Bytes made from a number: the same number, look and size give the same bytes.
    Made {
        /// The number.
        seed: u64,
        /// What they look like.
        look: Look,
        /// How many, before the look adds its frame.
        size: u64,
    },
}

/// What is left of a file that is made light, in bytes.
const LIGHT: u64 = 2_000;

/// Makes the files of a conversation small; what they look like stays.
pub(super) fn lighten(conversation: &mut Conversation) {
    let files = conversation.messages.iter_mut().flat_map(|message| {
        let images = message.images.iter_mut().map(|image| &mut image.content);
        images.chain(message.files.iter_mut().map(|file| &mut file.content))
    });
    for content in files {
        if let FileContent::Made { size, .. } = content {
            *size = LIGHT.min(*size);
        }
    }
}

impl FileContent {
    /// The bytes.
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Given(bytes) => bytes.clone(),
            Self::Made { seed, look, size } => {
                make(*seed, *look, usize::try_from(*size).unwrap_or(0)).into()
            }
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        match self {
            Self::Given(bytes) => bytes.len() as u64,
            Self::Made {
                look: Look::Text | Look::Binary,
                size,
                ..
            } => *size,
            Self::Made { .. } => self.bytes().len() as u64,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn make(seed: u64, look: Look, size: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed, "file", size as u64);
    match look {
        Look::Binary => noise(&mut dice, size),
        Look::Text => text(&mut dice, size),
        Look::Json => {
            let note: Cow<'_, [u8]> = text(&mut dice, size).into();
            // Looks like an answer of a helpdesk on purpose: a download must never be read as one.
            serde_json::json!({"status": 200, "data": {"id": seed % 1_000, "note": String::from_utf8_lossy(&note)}, "session_id": null})
                .to_string()
                .into_bytes()
        }
        Look::Png => png(&noise(&mut dice, size)),
    }
}

fn noise(dice: &mut Dice, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&dice.next().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn text(dice: &mut Dice, size: usize) -> Vec<u8> {
    const WORDS: [&str; 8] = [
        "ok",
        "warning",
        "retry",
        "sensor",
        "temperature",
        "volt",
        "cycle",
        "stopped",
    ];
    let mut bytes = Vec::with_capacity(size + 64);
    while bytes.len() < size {
        bytes.extend_from_slice(
            format!(
                "{:08} {} {}\n",
                dice.below(100_000_000),
                dice.pick(&WORDS),
                dice.below(999)
            )
            .as_bytes(),
        );
    }
    bytes.truncate(size);
    bytes
}

/// A PNG of grey pixels, one row per 64 bytes of noise.
fn png(pixels: &[u8]) -> Vec<u8> {
    const WIDTH: usize = 64;
    let rows = pixels.len().div_ceil(WIDTH).max(1);
    let mut raw = Vec::with_capacity(rows * (WIDTH + 1));
    for row in 0..rows {
        raw.push(0);
        let line = pixels.get(row * WIDTH..).unwrap_or(&[]);
        let line = &line[..line.len().min(WIDTH)];
        raw.extend_from_slice(line);
        raw.resize((row + 1) * (WIDTH + 1), 0);
    }
    let mut out = vec![0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
    let height = u32::try_from(rows).unwrap_or(u32::MAX).to_be_bytes();
    let width = u32::try_from(WIDTH).unwrap_or(u32::MAX).to_be_bytes();
    chunk(
        &mut out,
        b"IHDR",
        &[&width[..], &height[..], &[8, 0, 0, 0, 0]].concat(),
    );
    chunk(&mut out, b"IDAT", &zlib_stored(&raw));
    chunk(&mut out, b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    out.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    let begin = out.len();
    out.extend_from_slice(kind);
    out.extend_from_slice(data);
    let mut crc = flate2::Crc::new();
    crc.update(&out[begin..]);
    out.extend_from_slice(&crc.sum().to_be_bytes());
}

/// Stored, not packed: the bytes must not depend on the version of a compressor.
fn zlib_stored(raw: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let blocks = raw.len().div_ceil(0xFFFF).max(1);
    for n in 0..blocks {
        let block = &raw[n * 0xFFFF..raw.len().min((n + 1) * 0xFFFF)];
        let size = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(n + 1 == blocks));
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&(!size).to_le_bytes());
        out.extend_from_slice(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in raw {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend_from_slice(&((b << 16) | a).to_be_bytes());
    out
}

fn as_base64<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(from)?;
    STANDARD
        .decode(text)
        .map(Bytes::from)
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_bytes_are_the_same_each_time_and_as_long_as_they_say() {
        for look in [Look::Png, Look::Text, Look::Json, Look::Binary] {
            for size in [0, 1, 63, 64, 70_000] {
                let made = FileContent::Made {
                    seed: 7,
                    look,
                    size,
                };
                assert_eq!(made.bytes(), made.bytes());
                assert_eq!(made.len(), made.bytes().len() as u64, "{look:?} {size}");
            }
        }
    }

    #[test]
    fn content_survives_json() {
        let given = FileContent::Given(Bytes::from_static(b"\x00\xff{}"));
        let text = serde_json::to_string(&given).unwrap();
        assert_eq!(serde_json::from_str::<FileContent>(&text).unwrap(), given);
    }
}
