//! Keys of reduced rows: `of, bucket, family, owner, 0, table, row`.

use crate::tables::{Family, Of};

/// Conversations are spread over so many buckets, so that parts of a read are of one size.
pub(crate) const BUCKETS: u16 = 256;

/// The first byte.
fn of_byte(of: Of) -> u8 {
    match of {
        Of::Dictionary => b'D',
        Of::Agent => b'E',
        Of::Customer => b'F',
        Of::Conversation => b'G',
    }
}

fn family_byte(family: Family) -> u8 {
    match family {
        Family::Messaging => b'm',
        Family::Services => b's',
    }
}

/// FNV-1a: stable over versions and machines, which the standard hasher is not.
fn bucket(owner: &str) -> u8 {
    let hash = owner.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [.., low] = (hash ^ (hash >> 32)).to_be_bytes();
    low
}

/// Writes the key of what a row belongs to.
pub(crate) fn owner_key(key: &mut Vec<u8>, of: Of, family: Family, owner: &str) {
    key.clear();
    key.push(of_byte(of));
    key.push(if of == Of::Conversation {
        bucket(owner)
    } else {
        0
    });
    key.push(family_byte(family));
    if owner.contains('\0') {
        key.extend(owner.bytes().filter(|byte| *byte != 0));
    } else {
        key.extend_from_slice(owner.as_bytes());
    }
    key.push(0);
}

/// Where the owner's key ends in the key of a row.
pub(crate) fn owner_end(key: &[u8]) -> usize {
    key.iter()
        .skip(3)
        .position(|byte| *byte == 0)
        .map_or(key.len(), |place| place + 4)
}

/// Family and name of an owner.
pub(crate) fn owner(key: &[u8]) -> (Family, String) {
    let family = match key.get(2) {
        Some(b's') => Family::Services,
        _ => Family::Messaging,
    };
    let name = key
        .get(3..owner_end(key).saturating_sub(1))
        .unwrap_or_default();
    (family, String::from_utf8_lossy(name).into_owned())
}

/// The owner's part of the key of a row, where that is a conversation.
pub(crate) fn conversation_of(key: &[u8]) -> Option<&[u8]> {
    (key.first() == Some(&of_byte(Of::Conversation))).then(|| &key[..owner_end(key)])
}

/// The first key of a kind and, for conversations, a bucket; the range ends before the same of the next.
pub(crate) fn start(of: Of, bucket: u16) -> Vec<u8> {
    match u8::try_from(bucket) {
        Ok(bucket) => vec![of_byte(of), bucket],
        Err(_) => vec![of_byte(of) + 1],
    }
}

/// The buckets of a part out of so many.
pub(crate) fn buckets(part: u16, parts: u16) -> std::ops::Range<u16> {
    let at = |part: u16| (u32::from(BUCKETS) * u32::from(part) / u32::from(parts.max(1))) as u16;
    at(part)..at(part + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_back_its_owner() {
        let mut key = Vec::new();
        owner_key(&mut key, Of::Conversation, Family::Services, "01HZX3");
        key.push(45);
        key.extend(b"agent\x1ffield");
        assert_eq!(owner(&key), (Family::Services, "01HZX3".to_owned()));
        assert_eq!(key[owner_end(&key)], 45);
    }

    #[test]
    fn parts_cover_every_bucket_once() {
        for parts in [1, 3, 16, 256] {
            let all: Vec<u16> = (0..parts).flat_map(|part| buckets(part, parts)).collect();
            assert_eq!(all, (0..BUCKETS).collect::<Vec<_>>(), "{parts}");
        }
    }
}
