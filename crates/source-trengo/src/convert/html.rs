//! As much HTML as is needed to tell it from text, and to find what it shows.

/// Tags by which a mail or a note gives itself away. An address in angle brackets is none.
const TAGS: [&str; 27] = [
    "a",
    "b",
    "blockquote",
    "body",
    "br",
    "center",
    "div",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "hr",
    "html",
    "i",
    "img",
    "li",
    "o:p",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "style",
    "table",
    "u",
    "ul",
];

/// Whether a text is HTML: nothing beside it says so (Trengo reference, section 3.2).
pub(super) fn is_html(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))
            .unwrap_or(rest.len());
        let closes =
            rest[end..].starts_with(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'));
        closes
            && rest[end..].contains('>')
            && TAGS.iter().any(|tag| rest[..end].eq_ignore_ascii_case(tag))
    })
}

/// The values, verbatim, of the attributes by which images are shown, in their order.
pub(super) fn images(html: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = find_image(rest) {
        rest = &rest[start..];
        let end = rest.find('>').unwrap_or(rest.len());
        if let Some(src) = attribute(&rest[..end], "src").filter(|src| !found.contains(src)) {
            found.push(src);
        }
        rest = &rest[end..];
    }
    found
}

/// What follows the next `<img`.
fn find_image(html: &str) -> Option<usize> {
    html.match_indices('<')
        .map(|(at, _)| at + 1)
        .find(|at| {
            let name = html.get(*at..*at + 3);
            name.is_some_and(|name| name.eq_ignore_ascii_case("img"))
                && html[at + 3..].starts_with(|c: char| c.is_ascii_whitespace() || c == '/')
        })
        .map(|at| at + 3)
}

fn attribute<'a>(tag: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = tag;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || c == '=')
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let after = after.trim_start();
        let Some(after) = after.strip_prefix('=') else {
            // A name alone; an empty one cannot move on by itself.
            rest = if end == 0 {
                &rest[rest.chars().next()?.len_utf8()..]
            } else {
                after
            };
            continue;
        };
        let after = after.trim_start();
        let (value, after) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = &after[1..];
                let end = inner.find(quote).unwrap_or(inner.len());
                (&inner[..end], inner.get(end + 1..).unwrap_or(""))
            }
            _ => after.split_at(
                after
                    .find(|c: char| c.is_ascii_whitespace())
                    .unwrap_or(after.len()),
            ),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

/// Entities to characters: those that stand in addresses.
pub(super) fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_html_when_it_has_a_tag_that_mails_have() {
        for (text, html) in [
            ("<p>Hi</p>", true),
            ("Hello<br>there", true),
            ("Hello<BR/>there", true),
            ("<div style='x'>", true),
            ("Bye</div>", true),
            ("Ann <ann@example.org> wrote: a < b and b > c", false),
            ("see <https://example.org/p>", false),
            ("<3 you", false),
            ("if x <b then", false),
            ("SN-00<17>", false),
            ("", false),
        ] {
            assert_eq!(is_html(text), html, "{text}");
        }
    }

    #[test]
    fn images_are_found_once_each_however_their_tag_is_written() {
        let html = r#"<p><img src="https://a.example/1.png?x=1&amp;y=2" width=64></p><IMG alt='>' SRC='b'><img src=c/><imgx src="d">
            <img src="https://a.example/1.png?x=1&amp;y=2"><img alt=x>"#;
        assert_eq!(images(html)[0], "https://a.example/1.png?x=1&amp;y=2");
        assert_eq!(images(html).last(), Some(&"c/"));
        assert_eq!(unescape("x=1&amp;y=2"), "x=1&y=2");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_stand_still(text in "[<>a-z=\"' /!imgsrcé-]{0,80}") {
            let _ = (is_html(&text), images(&text));
        }
    }
}
