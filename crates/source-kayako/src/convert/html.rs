//! As much HTML as is needed to find what a text shows: the addresses in its attributes, and entities.

/// The values, verbatim, of the attributes by which a text shows or links to things, in their order. Comments are left
/// out. Nothing is validated: mails hold any HTML.
pub(super) fn addresses(html: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
        } else if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            rest = attributes(rest, &mut found);
        }
    }
    found
}

/// Reads the tag that `rest` begins with; gives what follows it.
fn attributes<'a>(rest: &'a str, found: &mut Vec<&'a str>) -> &'a str {
    let mut rest = after_name(rest);
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return rest;
        }
        if let Some(after) = rest.strip_prefix('>') {
            return after;
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let spaced = after.trim_start_matches(|c: char| c.is_ascii_whitespace());
        match spaced.strip_prefix('=') {
            Some(after) => {
                let (value, after) =
                    value(after.trim_start_matches(|c: char| c.is_ascii_whitespace()));
                if ["src", "href", "background", "poster"]
                    .iter()
                    .any(|wanted| name.eq_ignore_ascii_case(wanted))
                {
                    found.push(value);
                }
                rest = after;
            }
            None if name.is_empty() => rest = skip_one(after),
            None => rest = after,
        }
    }
}

fn after_name(rest: &str) -> &str {
    &rest[rest
        .find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
        .unwrap_or(rest.len())..]
}

fn skip_one(rest: &str) -> &str {
    let mut chars = rest.chars();
    chars.next();
    chars.as_str()
}

/// The value that `rest` begins with, and what follows it.
fn value(rest: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            return match quoted.find(quote) {
                Some(end) => (&quoted[..end], &quoted[end + 1..]),
                None => (quoted, ""),
            };
        }
    }
    rest.split_at(
        rest.find(|c: char| c.is_ascii_whitespace() || c == '>')
            .unwrap_or(rest.len()),
    )
}

/// Entities to characters: the five of XML, the hard blank, and numbers. Others are left as they are.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        // The longest entity that is known here has ten characters.
        let end = rest.bytes().take(12).position(|b| b == b';');
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((character, end)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_found_in_whatever_way_mails_write_them() {
        let cases: [(&str, &[&str]); 8] = [
            (
                r#"<p>a<img src="/media/url/A" alt='x'>b"#,
                &["/media/url/A"],
            ),
            (r"<IMG alt='>' SRC = 'cid:a&amp;b'/>", &["cid:a&amp;b"]),
            ("<img src=cid:x width=1><td background=y>", &["cid:x", "y"]),
            (
                r#"<a href="h"><img data-src="no" src="s"></a>"#,
                &["h", "s"],
            ),
            (r#"<!-- <img src="no"> --><img src="yes">"#, &["yes"]),
            (r#"<img src="never closed"#, &["never closed"]),
            ("a < b and <3 <", &[]),
            ("src=\"text\" is no tag", &[]),
        ];
        for (html, expected) in cases {
            assert_eq!(addresses(html), expected, "{html}");
        }
    }

    #[test]
    fn entities_become_characters_and_stray_ampersands_stay() {
        assert_eq!(
            unescape("&lt;a@b&gt; &amp;lt; &quot;&#039;&#x41;&nbsp;&unknown; R&D &"),
            "<a@b> &lt; \"'A\u{a0}&unknown; R&D &"
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(html in "([<>\"'=/ !a-z&;#-]|\\PC){0,200}") {
            let _ = addresses(&html);
            let _ = unescape(&html);
        }
    }
}
