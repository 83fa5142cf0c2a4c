//! Numbers nobody can foresee: for names, ids and tokens of a rehearsal, never for a secret of the real world.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Sixty-four bits. The standard library seeds each such hasher from the system's randomness.
pub(crate) fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// That many characters of hexadecimal.
pub(crate) fn text(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&format!("{:016x}", number()));
    }
    text.truncate(length);
    text
}
