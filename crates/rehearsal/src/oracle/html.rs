//! HTML compared as a tree, and turned into text. Uses another parser than the connectors do.

use std::fmt::Write;

use scraper::{ElementRef, Html, Node};

/// The tree written out flat: tags with sorted attributes, text with blanks collapsed. Addresses of pictures go through
/// `address`, which names what they show.
pub(super) fn tree(html: &str, address: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    walk(Html::parse_document(html).root_element(), address, &mut out);
    out
}

fn walk(element: ElementRef<'_>, address: &dyn Fn(&str) -> String, out: &mut String) {
    let name = element.value().name();
    let _never_fails = write!(out, "<{name}");
    let mut attributes: Vec<_> = element.value().attrs().collect();
    attributes.sort_unstable();
    for (attribute, value) in attributes {
        let value = if attribute == "src" {
            address(value)
        } else {
            value.to_owned()
        };
        let _never_fails = write!(out, " {attribute}={value:?}");
    }
    out.push('>');
    for child in element.children() {
        match child.value() {
            Node::Text(text) => {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                out.push_str(&text);
            }
            Node::Comment(comment) => {
                let _never_fails = write!(out, "<!--{}-->", comment.trim());
            }
            _ => {
                if let Some(child) = ElementRef::wrap(child) {
                    walk(child, address, out);
                }
            }
        }
    }
    let _never_fails = write!(out, "</{name}>");
}

/// The text that people read; with `links`, the address of a link stands behind it in brackets.
pub(super) fn text(html: &str, links: bool) -> String {
    let mut out = String::new();
    read(Html::parse_document(html).root_element(), links, &mut out);
    out
}

fn read(element: ElementRef<'_>, links: bool, out: &mut String) {
    if matches!(
        element.value().name(),
        "script" | "style" | "head" | "title" | "template" | "iframe"
    ) {
        return;
    }
    let begin = out.len();
    for child in element.children() {
        if let Some(text) = child.value().as_text() {
            out.push_str(text);
        } else if let Some(child) = ElementRef::wrap(child) {
            read(child, links, out);
        }
    }
    if let Some(href) = element.value().attr("href")
        && links
        && element.value().name() == "a"
        && !href.starts_with('#')
        && out[begin..].trim() != href
    {
        let _never_fails = write!(out, " ({href})");
    }
    if !matches!(
        element.value().name(),
        "a" | "b" | "i" | "em" | "strong" | "span" | "font" | "u"
    ) {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_differ_where_pages_do_and_only_there() {
        let same = |a: &str, b: &str| tree(a, &str::to_owned) == tree(b, &str::to_owned);
        assert!(same("<p b='2' a=\"1\">x  y</p>", "<P a=1 b=2>x\ny</p>"));
        assert!(same("a &amp; b", "a & b"));
        assert!(!same("<p>x</p>", "<p>y</p>"));
        assert!(!same("<p>x</p>", "<div>x</div>"));
        assert!(!same("<p a=1>x</p>", "<p a=2>x</p>"));
        assert!(!same("<img src=a>", "<img src=b>"));
        assert_eq!(
            tree("<img src=a>", &|_| "1".into()),
            tree("<img src=b>", &|_| "1".into())
        );
    }

    #[test]
    fn text_has_links_when_asked() {
        let html = "<style>p{}</style><p>see <a href='http://x.example/'>this</a> &amp; that</p>";
        assert_eq!(
            text(html, true).trim(),
            "see this (http://x.example/) & that"
        );
        assert_eq!(text(html, false).trim(), "see this & that");
    }
}
