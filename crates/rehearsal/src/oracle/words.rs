//! Small rules of the mapping about text: what is dropped, cut, split and encoded. Written from the mapping, and from
//! nothing that the sink contains.

/// What every text goes through: no control characters but tab and line feed, line ends as line feeds, no blanks at the ends.
pub(super) fn clean(text: &str) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept: String = unix
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\t' | '\n'))
        .collect();
    kept.trim().to_owned()
}

/// The same on one line.
pub(super) fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ").trim().to_owned()
}

/// Blanks collapsed.
pub(super) fn collapsed(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `found` is `whole` cut at `limit` characters: a beginning of it, as long as graphemes allow.
pub(super) fn is_cut(whole: &str, found: &str, limit: usize) -> bool {
    /// The longest grapheme that worlds hold, and a blank that was trimmed after the cut.
    const SLACK: usize = 16;
    let Some(rest) = whole.strip_prefix(found) else {
        return false;
    };
    let length = found.chars().count();
    // Which of the two ways of counting a platform uses is not written anywhere.
    let units = found.encode_utf16().count();
    let breaks_a_grapheme =
        rest.chars().next().is_some_and(continues) || found.ends_with('\u{200D}');
    length <= limit && units + SLACK >= limit && !breaks_a_grapheme
}

/// Marks, joiners, selectors, tags and skin tones belong to the character before them.
fn continues(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036F}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}'
        | '\u{E0020}'..='\u{E007F}' | '\u{20E3}' | '\u{0591}'..='\u{05BD}' | '\u{064B}'..='\u{065F}' | '\u{0E31}' | '\u{0E34}'..='\u{0E3A}')
}

/// How long a text is once it is encoded, counted as the mapping says.
pub(super) fn encoded(text: &str) -> usize {
    let cost = |c: char| match c {
        '&' | '\'' => 5,
        '<' | '>' => 4,
        '"' => 6,
        '\n' => 2,
        c => c.len_utf8(),
    };
    text.chars().map(cost).sum()
}

/// Last name and first name out of a full name; `None` when there is no name. A name with exactly one comma is turned around
/// first, and then split like any other.
pub(super) fn names(full: &str) -> Option<(String, String)> {
    let full = collapsed(full);
    let turned = match full.split(',').map(str::trim).collect::<Vec<_>>()[..] {
        [last, first] if !last.is_empty() && !first.is_empty() => {
            return Some((last.to_owned(), first.to_owned()));
        }
        [last, first] => format!("{first} {last}"),
        _ => full,
    };
    let mut tokens: Vec<&str> = turned
        .split(' ')
        .filter(|token| !token.is_empty())
        .collect();
    let last = tokens.pop()?;
    Some((last.to_owned(), tokens.join(" ")))
}

/// The address in small letters, if the field of a person takes it.
pub(super) fn email(address: &str) -> Option<String> {
    fits(address, 80).then(|| address.trim().to_lowercase())
}

/// Whether a typed field of this length takes the address.
pub(super) fn fits(address: &str, longest: usize) -> bool {
    let address = address.trim();
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    address.len() <= longest
        && address.is_ascii()
        && !address.contains(|c: char| c.is_whitespace() || c.is_control())
        && !local.is_empty()
        && !local.starts_with('.')
        && !domain.contains('@')
        && domain.contains('.')
}

/// One piece of a key.
pub(super) fn piece(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Marks that make a name look like another one by turning the direction of writing.
const DIRECTIONS: [char; 12] = [
    '\u{061C}', '\u{200E}', '\u{200F}', '\u{202A}', '\u{202B}', '\u{202C}', '\u{202D}', '\u{202E}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// The name under which a file is kept: no path, none of the characters that file systems refuse. Empty if nothing is left.
pub(super) fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let kept: String = last
        .chars()
        .filter(|c| !c.is_control() && !r#"/\:*?"<>|"#.contains(*c))
        .filter(|c| !DIRECTIONS.contains(c))
        .collect();
    let kept = kept.trim();
    if kept.trim_matches('.').is_empty() {
        String::new()
    } else {
        kept.to_owned()
    }
}

/// Only what carries meaning, to compare texts that two programs made of the same HTML: no blanks, no bullets, no rules.
pub(super) fn bare(text: &str) -> String {
    let decoration = |c: char| {
        matches!(
            c,
            '*' | '#' | '>' | '|' | '-' | '_' | '+' | '=' | '•' | '◦' | '▪' | '·' | '\u{2500}'
                ..='\u{257F}'
        )
    };
    text.chars()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !decoration(*c))
        .collect()
}

/// Only letters and digits.
pub(super) fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_the_mapping_says() {
        let cases = [
            ("Ada Berg", Some(("Berg", "Ada"))),
            (
                "  Van  der Berg,  Anna Maria ",
                Some(("Van der Berg", "Anna Maria")),
            ),
            ("Madonna", Some(("Madonna", ""))),
            ("Berg, Ada", Some(("Berg", "Ada"))),
            ("Berg,", Some(("Berg", ""))),
            ("a, b, c", Some(("c", "a, b,"))),
            ("", None),
            (" \u{7} ", None),
        ];
        for (full, wanted) in cases {
            let wanted =
                wanted.map(|(last, first): (&str, &str)| (last.to_owned(), first.to_owned()));
            assert_eq!(names(full), wanted, "{full}");
        }
    }

    #[test]
    fn addresses_are_checked_as_the_mapping_says() {
        let long = format!("{}@x.example", "a".repeat(80));
        let cases = [
            ("Ada@Example.org", Some("ada@example.org")),
            ("ada", None),
            ("a@b@c.example", None),
            (".ada@example.org", None),
            ("ada@localhost", None),
            ("jörg@example.org", None),
            ("a b@example.org", None),
            (long.as_str(), None),
        ];
        for (address, wanted) in cases {
            assert_eq!(email(address).as_deref(), wanted, "{address}");
        }
    }

    #[test]
    fn a_cut_keeps_graphemes_whole_and_wastes_nothing() {
        let whole = "abcdefghij klmnopqrstuvwxyz e\u{301}xyz".repeat(2);
        assert!(is_cut(&whole, &whole[..20], 20));
        assert!(!is_cut(&whole, &whole[..21], 20), "too long");
        assert!(!is_cut(&whole, "abc", 20), "too short");
        assert!(!is_cut(&whole, "xyz", 5), "not its beginning");
        let at = whole.find('\u{301}').unwrap();
        assert!(!is_cut(&whole, &whole[..at], at), "an accent is cut off");
    }

    #[test]
    fn pieces_and_file_names() {
        assert_eq!(piece("a b-é_9"), "a%20b-%C3%A9_9");
        assert_eq!(file_name("..\\C:\\temp\\evil?.exe"), "evil.exe");
        assert_eq!(file_name("/etc/pass|wd"), "passwd");
        assert_eq!(file_name("dir/"), "");
        assert_eq!(encoded("&'<>\"\né"), 5 + 5 + 4 + 4 + 6 + 2 + 2);
    }
}
