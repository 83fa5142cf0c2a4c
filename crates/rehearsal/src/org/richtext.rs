//! Rich text as the platform keeps it, and the text inside HTML.

use scraper::node::Node;
use scraper::{ElementRef, Html};

/// Elements that survive in a rich-text field; of others only the content does.
const KEPT: [&str; 37] = [
    "a",
    "abbr",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "span",
    "strong",
    "sub",
    "sup",
];
const KEPT_TOO: [&str; 9] = [
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
];
/// Elements that go with everything inside.
const DROPPED: [&str; 10] = [
    "script", "style", "head", "title", "iframe", "object", "embed", "noscript", "template", "form",
];
const ATTRIBUTES: [&str; 14] = [
    "href", "src", "alt", "title", "width", "height", "style", "class", "target", "colspan",
    "rowspan", "align", "color", "face",
];
const VOID: [&str; 4] = ["br", "hr", "img", "col"];
/// Elements that begin a line of their own in text.
const BLOCKS: [&str; 17] = [
    "p",
    "div",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "hr",
    "dl",
];

/// The HTML with only what a rich-text field keeps, every special character encoded.
pub(crate) fn sanitised(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    write_children(Html::parse_fragment(html).root_element(), &mut out);
    out.trim().to_owned()
}

/// The HTML with the bytes of its inline images taken out: `keep` takes a media type and base64 and answers with the address
/// that stands in their place (Salesforce object reference, section 5).
pub(crate) fn without_inline_images<E>(
    html: &str,
    mut keep: impl FnMut(&str, &str) -> Result<Option<String>, E>,
) -> Result<String, E> {
    const BEGIN: &str = "src=\"data:image/";
    let (mut out, mut rest) = (String::with_capacity(html.len()), html);
    while let Some(at) = rest.find(BEGIN) {
        let source = at + "src=\"".len();
        let Some(length) = rest[source..].find('"') else {
            break;
        };
        let value = &rest[source..source + length];
        let parts = value
            .strip_prefix("data:")
            .and_then(|value| value.split_once(";base64,"));
        let address = match parts {
            Some((kind, base64)) => keep(kind, base64)?,
            None => None,
        };
        out.push_str(&rest[..source]);
        out.push_str(address.as_deref().unwrap_or(value));
        rest = &rest[source + length..];
    }
    out.push_str(rest);
    Ok(out)
}

fn write_children(element: ElementRef<'_>, out: &mut String) {
    for child in element.children() {
        match child.value() {
            Node::Text(text) => encode(text, out),
            Node::Element(_) => {
                if let Some(child) = ElementRef::wrap(child) {
                    write_element(child, out);
                }
            }
            _ => {}
        }
    }
}

fn write_element(element: ElementRef<'_>, out: &mut String) {
    let name = element.value().name();
    if DROPPED.contains(&name) {
        return;
    }
    if !KEPT.contains(&name) && !KEPT_TOO.contains(&name) {
        write_children(element, out);
        return;
    }
    out.push('<');
    out.push_str(name);
    for (attribute, value) in element.value().attrs() {
        if ATTRIBUTES.contains(&attribute) && !is_active(value) {
            out.push(' ');
            out.push_str(attribute);
            out.push_str("=\"");
            encode(value, out);
            out.push('"');
        }
    }
    out.push('>');
    if !VOID.contains(&name) {
        write_children(element, out);
        out.push_str("</");
        out.push_str(name);
        out.push('>');
    }
}

fn is_active(value: &str) -> bool {
    let value = value.trim_start().to_ascii_lowercase();
    value.starts_with("javascript:") || value.starts_with("vbscript:")
}

fn encode(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

/// The text of an HTML body, a line per block.
pub(crate) fn text_of(html: &str) -> String {
    let mut out = String::new();
    write_text(Html::parse_document(html).root_element(), &mut out);
    let lines: Vec<String> = out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let mut text = String::new();
    for line in lines {
        // One empty line may part two blocks, never two.
        if !(line.is_empty() && (text.is_empty() || text.ends_with("\n\n"))) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.trim().to_owned()
}

fn write_text(element: ElementRef<'_>, out: &mut String) {
    let name = element.value().name();
    if DROPPED[..7].contains(&name) {
        return;
    }
    let block = BLOCKS.contains(&name);
    if block && !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    for child in element.children() {
        match child.value() {
            Node::Text(text) => out.push_str(&text.replace(['\n', '\r', '\t'], " ")),
            Node::Element(_) => {
                if let Some(child) = ElementRef::wrap(child) {
                    write_text(child, out);
                }
            }
            _ => {}
        }
    }
    if name == "br" || (block && !out.is_empty() && !out.ends_with('\n')) {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rich_text_keeps_form_and_loses_what_could_act() {
        let cases = [
            ("<p>a &amp; b</p>", "<p>a &amp; b</p>"),
            ("<p onclick=\"x()\">a</p><script>x()</script>", "<p>a</p>"),
            ("<a href=\"javascript:x()\">a</a>", "<a>a</a>"),
            ("<section>a</section><br/>", "a<br>"),
            ("5 < 6", "5 &lt; 6"),
            (
                "<img src=\"https://files.example.org/a.png\" alt=\"a\">",
                "<img src=\"https://files.example.org/a.png\" alt=\"a\">",
            ),
        ];
        for (sent, kept) in cases {
            let clean = sanitised(sent);
            let same = |name: &str| clean.contains(name) == kept.contains(name);
            assert!(
                clean == kept || (clean.len() == kept.len() && same("src=") && same("alt=")),
                "{sent} became {clean}"
            );
            assert_eq!(sanitised(&clean), clean, "cleaning twice changes nothing");
        }
    }

    #[test]
    fn the_text_of_a_body_has_a_line_per_block() {
        let cases = [
            ("<p>one</p><p>two &amp; three</p>", "one\ntwo & three"),
            ("a<br>b", "a\nb"),
            (
                "<style>p{}</style><div>  much \n space </div>",
                "much space",
            ),
            ("<ul><li>x</li><li>y</li></ul>", "x\ny"),
        ];
        for (html, text) in cases {
            assert_eq!(text_of(html), text, "{html}");
        }
    }
}
