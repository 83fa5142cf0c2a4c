//! Texts as the platform takes them: cleaned, measured, cut and split.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

/// The most encoded bytes of one comment (the platform's limit is 4,000; the rest is margin).
pub(crate) const COMMENT_BUDGET: usize = 3_900;

/// The most encoded bytes of one post (10,000 characters are the platform's limit; strictly read, as it is encoded).
pub(crate) const POST_BUDGET: usize = 9_900;

/// What `[i/n] ` may take.
const PART_PREFIX: usize = 12;

/// Control characters dropped (but tab and line feed), every line end a line feed.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    // Most texts are plain: one look at their bytes tells.
    let plain = |b: u8| (b' '..0x7F).contains(&b) || b == b'\n' || b == b'\t';
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let dirty = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_noncharacter(c);
    if !text.contains(dirty) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            c if dirty(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// U+FFFE and U+FFFF: XML 1.0, and so the platform, has no place for them.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

/// The same on one line: each line break becomes a blank.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let text = clean(text);
    if text.contains('\n') {
        Cow::Owned(text.replace('\n', " "))
    } else {
        text
    }
}

/// Runs of white space as one blank, none at the ends.
pub(crate) fn collapse(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How long the platform finds a text, in UTF-16 units: an emoji counts two (Salesforce APIs, section 14: the strict reading).
pub(crate) fn length(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.encode_utf16().count()
}

/// The longest beginning of at most `limit` UTF-16 units that ends at a grapheme boundary.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit || length(text) <= limit {
        return text;
    }
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += length(grapheme);
        if used > limit {
            return if at > 0 {
                &text[..at]
            } else {
                cut_chars(text, limit)
            };
        }
    }
    text
}

fn cut_chars(text: &str, limit: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.len_utf16();
        if used > limit {
            return &text[..at];
        }
    }
    text
}

/// The bytes of a text once the platform has encoded it (Salesforce objects, section 4.3; deliberately pessimistic).
pub(crate) fn encoded_length(text: &str) -> usize {
    // What is more than one byte long is sent as it is: byte by byte the sum is the same.
    text.bytes()
        .map(|b| encoded(char::from(if b.is_ascii() { b } else { b'x' })))
        .sum()
}

fn encoded(c: char) -> usize {
    match c {
        '&' | '\'' => 5,
        '<' | '>' => 4,
        '"' => 6,
        '\n' => 2,
        c => c.len_utf8(),
    }
}

/// The longest beginning that takes at most `budget` encoded bytes and ends at a grapheme boundary.
pub(crate) fn cut_encoded(text: &str, budget: usize) -> &str {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += encoded_length(grapheme);
        if used > budget {
            return if at > 0 {
                &text[..at]
            } else {
                cut_encoded_chars(text, budget)
            };
        }
    }
    text
}

fn cut_encoded_chars(text: &str, budget: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += encoded(c);
        if used > budget {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
fn split(text: &str) -> Vec<String> {
    split_at(text, COMMENT_BUDGET)
}

/// A text in rows of at most so many encoded bytes. Several begin with `[i/n] `; without that, one after the other they are
/// the text.
pub(crate) fn split_at(text: &str, budget: usize) -> Vec<String> {
    if encoded_length(text) <= budget {
        return vec![text.to_owned()];
    }
    let pieces = pieces(text, budget - PART_PREFIX);
    let n = pieces.len();
    pieces
        .iter()
        .enumerate()
        .map(|(i, piece)| format!("[{}/{n}] {piece}", i + 1))
        .collect()
}

fn pieces(mut rest: &str, budget: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let window = cut_encoded(rest, budget);
        let at = if window.len() == rest.len() {
            rest.len()
        } else {
            seam(window)
        };
        let (piece, after) = rest.split_at(at);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Where to cut a full window: after its last paragraph, else sentence, else word, else at its end. A seam in the first
/// quarter would make many small comments; then the next finer one is taken.
fn seam(window: &str) -> usize {
    let least = window.len() / 4;
    let after = |marks: &[&str]| {
        marks
            .iter()
            .filter_map(|m| window.rfind(m).map(|at| at + m.len()))
            .max()
            .filter(|at| *at > least)
    };
    after(&["\n\n"])
        .or_else(|| {
            after(&[
                ".\n", "!\n", "?\n", "\n", ". ", "! ", "? ", "。", "！", "？", "؟ ",
            ])
        })
        .or_else(|| after(&[" ", "\t", "\u{a0}", "\u{3000}"]))
        .unwrap_or(window.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_cleaned() {
        for (given, clean_text, line) in [
            ("plain", "plain", "plain"),
            ("a\r\nb\rc", "a\nb\nc", "a b c"),
            ("nul\0 bell\u{7} tab\t", "nul bell tab\t", "nul bell tab\t"),
            ("del\u{7f}nel\u{85}", "delnel", "delnel"),
            ("non\u{ffff}character", "noncharacter", "noncharacter"),
        ] {
            assert_eq!(clean(given), clean_text);
            assert_eq!(one_line(given), line);
        }
    }

    #[test]
    fn texts_are_cut_at_a_grapheme_boundary() {
        let family = "👨‍👩‍👧‍👦";
        for (text, limit, expected) in [
            ("short", 5, "short"),
            ("longer", 5, "longe"),
            ("e\u{301}e\u{301}e\u{301}", 3, "e\u{301}"),
            (&format!("a{family}"), 4, "a"),
            ("цена", 3, "цен"),
        ] {
            assert_eq!(cut(text, limit), expected);
        }
    }

    #[test]
    fn a_grapheme_that_is_longer_than_the_limit_is_cut_rather_than_lost() {
        let zalgo = format!("z{}", "\u{301}".repeat(50));
        assert_eq!(length(cut(&zalgo, 10)), 10);
    }

    #[test]
    fn encoded_length_counts_what_html_encoding_adds() {
        for (text, bytes) in [
            ("a&b", 7),
            ("<>", 8),
            ("\"'", 11),
            ("\n", 2),
            ("é", 2),
            ("日", 3),
            ("😀", 4),
        ] {
            assert_eq!(encoded_length(text), bytes, "{text}");
        }
    }

    #[test]
    fn long_texts_are_split_at_paragraphs_before_sentences_before_words() {
        let paragraph = format!("{}. End.\n\n", "word ".repeat(500));
        let parts = split(&paragraph.repeat(3));
        assert_eq!(parts.len(), 3);
        assert!(parts[0].starts_with("[1/3] word"));
        assert!(parts[0].ends_with("End.\n\n"));
        let parts = split(&format!("{}. {}", "a".repeat(3_000), "b".repeat(3_000)));
        assert_eq!(parts[0], format!("[1/2] {}. ", "a".repeat(3_000)));
        let parts = split(&"x".repeat(5_000));
        assert_eq!(parts.len(), 2);
    }

    proptest! {
        #[test]
        fn parts_never_exceed_the_limit_and_give_the_text_back(
            text in proptest::collection::vec("[a-z&<'\"\n. é日😀\u{301}\u{200d}👩]{0,900}", 0..12)
        ) {
            let text = text.concat();
            let parts = split(&text);
            for part in &parts {
                prop_assert!(encoded_length(part) <= COMMENT_BUDGET);
            }
            let n = parts.len();
            let joined: String = if n == 1 { parts[0].clone() } else {
                parts.iter().enumerate()
                    .map(|(i, part)| part.strip_prefix(&format!("[{}/{n}] ", i + 1)).unwrap())
                    .collect()
            };
            prop_assert_eq!(joined, text);
        }

        #[test]
        fn cutting_keeps_a_beginning_within_the_limit(text in ".{0,300}", limit in 2usize..200) {
            let kept = cut(&text, limit);
            prop_assert!(text.starts_with(kept) && length(kept) <= limit);
            prop_assert!(text.is_empty() || !kept.is_empty());
        }
    }
}
