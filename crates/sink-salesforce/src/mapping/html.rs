//! HTML bodies: as text, and with their images' addresses changed.

use std::collections::HashMap;

use html2text::render::TextDecorator;
use lol_html::{RewriteStrSettings, element, rewrite_str};

/// So wide that nothing is wrapped but what the HTML breaks itself.
const UNWRAPPED: usize = 100_000;

/// HTML as plain text, links as `text (url)`. When the HTML cannot be rendered its tags are kept rather than its words lost.
pub(crate) fn to_text(html: &str) -> String {
    let rendered = html2text::config::with_decorator(Links::default())
        .raw_mode(true)
        .no_link_wrapping()
        .string_from_read(html.as_bytes(), UNWRAPPED);
    match rendered {
        Ok(text) => tidy(&text),
        Err(_) => html.to_owned(),
    }
}

/// No blanks at line ends, no more than one empty line in a row, none at the ends.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        out.push_str(line);
    }
    out
}

/// Writes links as `text (url)`, lists with `- `, and no other decoration.
#[derive(Debug, Clone, Default)]
struct Links {
    url: String,
}

impl TextDecorator for Links {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> (String, ()) {
        url.clone_into(&mut self.url);
        (String::new(), ())
    }
    fn decorate_link_end(&mut self) -> String {
        let url = std::mem::take(&mut self.url);
        if url.is_empty() || url.starts_with('#') {
            String::new()
        } else {
            format!(" ({url})")
        }
    }
    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_em_end(&self) -> String {
        String::new()
    }
    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strong_end(&self) -> String {
        String::new()
    }
    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }
    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_code_end(&self) -> String {
        String::new()
    }
    fn decorate_preformat_first(&self) {}
    fn decorate_preformat_cont(&self) {}
    fn decorate_image(&mut self, _src: &str, title: &str) -> (String, ()) {
        (title.to_owned(), ())
    }
    fn header_prefix(&self, _level: usize) -> String {
        String::new()
    }
    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }
    fn unordered_item_prefix(&self) -> String {
        "- ".to_owned()
    }
    fn ordered_item_prefix(&self, i: i64) -> String {
        format!("{i}. ")
    }
    fn make_subblock_decorator(&self) -> Self {
        Self::default()
    }
}

/// The HTML with every `src` that is one of `addresses` replaced by what stands beside it. Untouched when none occurs.
pub(crate) fn replace_images(html: &str, addresses: &HashMap<&str, String>) -> Option<String> {
    if addresses.is_empty() || !mentions_any(html, addresses) {
        return None;
    }
    let images = element!("*[src]", |el| {
        if let Some(new) = el
            .get_attribute("src")
            .and_then(|src| addresses.get(unescaped(&src).as_str()).cloned())
        {
            el.set_attribute("src", &new)?;
        }
        Ok(())
    });
    rewrite_str(
        html,
        RewriteStrSettings::new().append_element_content_handler(images),
    )
    .ok()
}

/// The addresses that links of the HTML lead to, each once.
pub(crate) fn hrefs(html: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if !html.contains("href") && !html.contains("HREF") {
        return found;
    }
    let links = element!("a[href]", |el| {
        let href = el.get_attribute("href").map(|href| unescaped(&href));
        if let Some(href) = href.filter(|href| !found.contains(href)) {
            found.push(href);
        }
        Ok(())
    });
    // HTML that cannot be read has no links that we know.
    let _ = rewrite_str(
        html,
        RewriteStrSettings::new().append_element_content_handler(links),
    );
    found
}

/// The HTML with every link to one of `addresses` leading to what stands beside it. Nothing when none occurs.
pub(crate) fn replace_links(html: &str, addresses: &HashMap<&str, String>) -> Option<String> {
    if addresses.is_empty() || !mentions_any(html, addresses) {
        return None;
    }
    let links = element!("a[href]", |el| {
        let href = el.get_attribute("href").map(|href| unescaped(&href));
        if let Some(new) = href.and_then(|href| addresses.get(href.as_str()).cloned()) {
            el.set_attribute("href", &new)?;
        }
        Ok(())
    });
    rewrite_str(
        html,
        RewriteStrSettings::new().append_element_content_handler(links),
    )
    .ok()
}

/// Cheap look before the HTML is parsed: an address may stand there with `&` encoded.
fn mentions_any(html: &str, addresses: &HashMap<&str, String>) -> bool {
    addresses.keys().any(|address| {
        let bare = address.split('&').next().unwrap_or(address);
        html.contains(bare)
    })
}

/// An attribute's value with the entities that addresses hold decoded.
fn unescaped(value: &str) -> String {
    let value = value.trim();
    if !value.contains('&') {
        return value.to_owned();
    }
    value
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_text_with_its_links() {
        let long = "word ".repeat(200);
        for (html, text) in [
            ("<p>Hello <b>Ann</b></p>", "Hello Ann"),
            ("<p>one</p><p>two</p>", "one\n\ntwo"),
            ("a<br>b", "a\nb"),
            (
                "see <a href=\"https://example.org/x\">the page</a>.",
                "see the page (https://example.org/x).",
            ),
            ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
            ("&lt;tag&gt; &amp; more", "<tag> & more"),
            ("<p>привет</p>", "привет"),
            (
                "<style>p{}</style><script>x()</script><p>shown</p>",
                "shown",
            ),
            (&format!("<p>{long}</p>"), long.trim_end()),
            ("", ""),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    #[test]
    fn links_are_found_once_and_lead_to_their_new_addresses() {
        let html = "<p><a href=\"/article/1?a=1&amp;b=2\">one</a> <a href='/article/1?a=1&b=2'>again</a> \
                    <a name=x>no link</a> <a href=\"https://example.org/\">other</a> /article/1</p>";
        assert_eq!(hrefs(html), ["/article/1?a=1&b=2", "https://example.org/"]);
        let addresses = HashMap::from([("/article/1?a=1&b=2", "/new".to_owned())]);
        let new = "<p><a href=\"/new\">one</a> <a href=\"/new\">again</a> \
                   <a name=x>no link</a> <a href=\"https://example.org/\">other</a> /article/1</p>";
        assert_eq!(replace_links(html, &addresses).as_deref(), Some(new));
        assert_eq!(replace_links("<a href='/other'>x</a>", &addresses), None);
    }

    #[test]
    fn images_get_their_new_addresses_and_nothing_else_changes() {
        let addresses = HashMap::from([
            ("cid:logo@x", "/new/1".to_owned()),
            ("https://desk.example.org/i?a=1&b=2", "/new/2".to_owned()),
        ]);
        for (html, expected) in [
            (
                "<p><img alt=\"l\" src=\"cid:logo@x\"> cid:logo@x</p>",
                Some("<p><img alt=\"l\" src=\"/new/1\"> cid:logo@x</p>"),
            ),
            (
                "<img src='https://desk.example.org/i?a=1&amp;b=2'>",
                Some("<img src=\"/new/2\">"),
            ),
            (
                "<img src=https://desk.example.org/i?a=1&b=2>",
                Some("<img src=\"/new/2\">"),
            ),
            (
                "<IMG SRC=\"cid:logo@x\"/><p>open",
                Some("<IMG SRC=\"/new/1\" /><p>open"),
            ),
            ("<img src=\"cid:other\">", None),
        ] {
            assert_eq!(
                replace_images(html, &addresses).as_deref(),
                expected,
                "{html}"
            );
        }
    }
}
