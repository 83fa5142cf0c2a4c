//! Threading headers out of the original of a mail (Kayako reference, section 8): the block comes escaped as HTML, with
//! `<br />` for line ends.

use super::html::unescape;

/// What the headers of a mail say about where it belongs. Ids stand in their brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Threading {
    pub(crate) message_id: Option<String>,
    pub(crate) in_reply_to: Option<String>,
    pub(crate) references: Vec<String>,
    /// The block, line ends as LF.
    pub(crate) raw: String,
}

impl Threading {
    /// From `source_content`.
    pub(crate) fn of(source_content: &str) -> Self {
        let raw = block(source_content);
        let ids = |name: &str| {
            header(&raw, name)
                .map(|value| bracketed(&value))
                .unwrap_or_default()
        };
        Self {
            message_id: header(&raw, "message-id").and_then(|value| one_id(&value)),
            in_reply_to: ids("in-reply-to").into_iter().next(),
            references: ids("references"),
            raw,
        }
    }
}

/// The header block itself: whatever follows an empty line is body.
fn block(source: &str) -> String {
    let lines = unescape(&break_lines(source));
    let lines = lines.trim_start_matches('\n');
    let end = lines.find("\n\n").unwrap_or(lines.len());
    lines[..end].trim_end_matches('\n').to_owned()
}

/// `<br />` in any spelling, with or without a real line end behind it, is one line end.
fn break_lines(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        match after_break(rest) {
            Some(after) => {
                out.push('\n');
                rest = after.strip_prefix('\n').unwrap_or(after);
            }
            None => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn after_break(text: &str) -> Option<&str> {
    let name = text.get(..3)?;
    if !name.eq_ignore_ascii_case("<br") {
        return None;
    }
    text[3..].trim_start_matches([' ', '/']).strip_prefix('>')
}

/// The first header of this name, unfolded.
fn header(block: &str, name: &str) -> Option<String> {
    let is_it = |line: &&str| {
        line.split_once(':')
            .is_some_and(|(found, _)| found.trim_end().eq_ignore_ascii_case(name))
    };
    let mut lines = block.lines().skip_while(|line| !is_it(line));
    let (_, first) = lines.next()?.split_once(':')?;
    let folded = lines.take_while(|line| line.starts_with([' ', '\t']));
    Some(
        folded
            .fold(first.trim().to_owned(), |value, line| {
                format!("{value} {}", line.trim())
            })
            .trim()
            .to_owned(),
    )
}

/// All ids in brackets; phrases and comments between them are not ids.
fn bracketed(value: &str) -> Vec<String> {
    let inside = value
        .split('<')
        .skip(1)
        .filter_map(|piece| Some(piece.split_once('>')?.0.trim()));
    inside
        .filter(|id| !id.is_empty() && !id.contains(char::is_whitespace))
        .map(|id| format!("<{id}>"))
        .collect()
}

/// The one id of a mail; some programs forget the brackets.
fn one_id(value: &str) -> Option<String> {
    bracketed(value).into_iter().next().or_else(|| {
        let bare = value.trim();
        (!bare.is_empty() && !bare.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>')))
            .then(|| format!("<{bare}>"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escaped_folded_headers_give_their_ids() {
        let source = "Received: by mx.example.org<br />\n\tfor &lt;help@acme.example&gt;<br/>message-ID: &lt;3@example.org&gt;<BR>\
            In-Reply-To: Your mail of Monday &lt;2@example.org&gt; &lt;1@example.org&gt;<br />References: &lt;1@example.org&gt;<br />\
            &nbsp;<br />Subject: R&amp;D &lt;x&gt;<br /><br />Message-ID: &lt;in-the-body@example.org&gt;";
        let found = Threading::of(source);
        assert_eq!(found.message_id.as_deref(), Some("<3@example.org>"));
        assert_eq!(found.in_reply_to.as_deref(), Some("<2@example.org>"));
        assert_eq!(found.references, ["<1@example.org>"]);
        assert!(
            found
                .raw
                .starts_with("Received: by mx.example.org\n\tfor <help@acme.example>\n"),
            "{}",
            found.raw
        );
        assert!(found.raw.ends_with("Subject: R&D <x>"), "{}", found.raw);
    }

    #[test]
    fn several_references_are_kept_in_order_over_folded_lines() {
        let found = Threading::of(
            "References: &lt;1@a&gt;<br />  &lt;2@a&gt;<br />\t&lt;3@a&gt;<br />To: x",
        );
        assert_eq!(found.references, ["<1@a>", "<2@a>", "<3@a>"]);
    }

    #[test]
    fn what_is_no_id_is_not_taken_for_one() {
        let cases = [
            ("Message-ID: bare@example.org", Some("<bare@example.org>")),
            ("Message-ID: two words", None),
            ("Message-ID:", None),
            ("Message-ID: &lt;&gt;", None),
            ("X-Message-ID: &lt;no@a&gt;", None),
            ("", None),
        ];
        for (source, expected) in cases {
            assert_eq!(
                Threading::of(source).message_id.as_deref(),
                expected,
                "{source}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_block_is_too_strange(source in "([a-zA-Z:<>&;/ \\r\\n\\t-]|<br />|\\PC){0,200}") {
            let found = Threading::of(&source);
            prop_assert!(!found.raw.contains('\r'));
        }
    }
}
