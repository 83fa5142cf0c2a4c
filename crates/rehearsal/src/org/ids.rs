//! Record ids: three characters of object, four of this org, eight of a number; eighteen with the check suffix.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SUFFIX: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The record type that stands for "none"; it is listed in every describe and must not be written.
pub(crate) const MASTER_RECORD_TYPE: &str = "012000000000000AAA";

/// Writes and reads the ids of one org.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    pod: String,
}

impl Ids {
    /// `pod`: the four characters that tell one org's ids from another's.
    pub(crate) fn new(pod: &str) -> Self {
        Self {
            pod: pod.to_owned(),
        }
    }

    /// Four characters made of a number.
    pub(crate) fn pod_of(number: u64) -> String {
        let letters = |n: u64| char::from(DIGITS[(n % 62) as usize]);
        format!(
            "{}{}{}0",
            letters(number),
            letters(number / 62),
            letters(number / 3_844)
        )
    }

    pub(crate) fn id(&self, prefix: &str, number: i64) -> String {
        let mut digits = [b'0'; 8];
        let mut rest = number.unsigned_abs();
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(rest % 62) as usize];
            rest /= 62;
        }
        let mut id = String::with_capacity(18);
        id.push_str(prefix);
        id.push_str(&self.pod);
        id.extend(digits.map(char::from));
        let suffix = suffix(&id);
        id.extend(suffix);
        id
    }

    /// The prefix and the number of a well-formed id of this org; none for an id of another org.
    pub(crate) fn parse<'i>(&self, id: &'i str) -> Option<(&'i str, i64)> {
        let id = well_formed(id)?;
        if &id[3..7] != self.pod.as_str() {
            return None;
        }
        let number = id[7..].bytes().try_fold(0_i64, |sum, c| {
            let digit = match c {
                b'0'..=b'9' => c - b'0',
                b'A'..=b'Z' => c - b'A' + 10,
                b'a'..=b'z' => c - b'a' + 36,
                _ => return None,
            };
            sum.checked_mul(62)?.checked_add(i64::from(digit))
        })?;
        Some((&id[..3], number))
    }
}

/// The first fifteen characters of an id of fifteen, or of eighteen with the right suffix.
pub(crate) fn well_formed(id: &str) -> Option<&str> {
    let alphanumeric = id.bytes().all(|c| c.is_ascii_alphanumeric());
    match id.len() {
        15 if alphanumeric => Some(id),
        18 if alphanumeric
            && (suffix(&id[..15]).iter().zip(id[15..].chars()))
                .all(|(own, sent)| own.eq_ignore_ascii_case(&sent)) =>
        {
            Some(&id[..15])
        }
        _ => None,
    }
}

/// One character per five of the id: which of them are capitals.
fn suffix(id: &str) -> [char; 3] {
    let mut groups = id.as_bytes().chunks(5).map(|group| {
        let capitals = group
            .iter()
            .enumerate()
            .filter(|(_, c)| c.is_ascii_uppercase());
        let bits = capitals.fold(0, |sum, (bit, _)| sum | 1 << bit);
        char::from(SUFFIX[bits & 31])
    });
    [(); 3].map(|()| groups.next().unwrap_or('A'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_follows_the_capitals() {
        let known = [
            ("0Afxx00000000lW", "0Afxx00000000lWCAQ"),
            ("012000000000000", "012000000000000AAA"),
            ("500Qx00000A1b2C", "500Qx00000A1b2CIAR"),
        ];
        for (short, long) in known {
            assert_eq!(suffix(short).iter().collect::<String>(), long[15..]);
            assert_eq!(well_formed(short), Some(short));
            assert_eq!(well_formed(long), Some(short));
        }
    }

    #[test]
    fn an_id_is_read_back_and_anything_else_refused() {
        let ids = Ids::new("Qx00");
        for number in [0, 1, 61, 62, 3_843, 14_776_336] {
            let id = ids.id("500", number);
            assert_eq!(id.len(), 18);
            assert_eq!(ids.parse(&id), Some(("500", number)));
            assert_eq!(ids.parse(&id[..15]), Some(("500", number)));
        }
        assert!(
            ids.id("500", 61) < ids.id("500", 62),
            "ids sort as their numbers"
        );
        for bad in [
            "",
            "500",
            "500Qx00000A1b2CAAA",
            "500Qx00000A1b2C IAR",
            "500Zz00000A1b2C",
            "kayako:acme:case:1",
        ] {
            assert_eq!(ids.parse(bad), None, "{bad}");
        }
    }
}
