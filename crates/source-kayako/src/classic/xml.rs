//! Classic's answers: XML behind whatever PHP printed before it (Kayako reference, section 19). No I/O.
//!
//! A tag that nobody closed is closed where the one around it is, and what hangs below is marked as torn: rows that were
//! mended are not trusted, the rows beside them are.

use chrono::{DateTime, Utc};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use crate::wire::Defect;

/// No answer nests deeper.
const DEEPEST: usize = 64;
/// The most text of a row that a reject keeps.
const LONGEST_RAW: usize = 256 * 1024;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Node>,
    text: String,
    /// Where it stands in the answer.
    begin: usize,
    end: usize,
    /// Nobody closed it.
    torn: bool,
}

impl Document {
    /// Reads an answer.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Defect> {
        let text = clean(body);
        let root = tree(&text)?;
        Ok(Self { text, root })
    }

    /// The elements of this name: the root itself, or its children. One or many, it is a list.
    pub(crate) fn rows(&self, name: &str) -> Vec<Row<'_>> {
        let row = |node| Row {
            node,
            text: &self.text,
        };
        if self.root.name.eq_ignore_ascii_case(name) {
            return vec![row(&self.root)];
        }
        row(&self.root).each(name).collect()
    }

    /// The root as a row.
    pub(crate) fn root(&self) -> Row<'_> {
        Row {
            node: &self.root,
            text: &self.text,
        }
    }
}

/// What stands before the XML is gone, and so are characters that XML does not know.
fn clean(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let begin = text.find("<?xml").unwrap_or(0);
    text[begin..]
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'))
        .collect()
}

fn tree(text: &str) -> Result<Node, Defect> {
    let broken = |at: u64, reason: String| Defect {
        path: format!("byte {at}"),
        reason,
    };
    if !text.trim_start().starts_with('<') {
        return Err(broken(0, "the answer is no XML".to_owned()));
    }
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut open: Vec<Node> = vec![Node::default()];
    loop {
        let begin = usize::try_from(reader.buffer_position()).unwrap_or(0);
        let event = reader
            .read_event()
            .map_err(|error| broken(reader.error_position(), error.to_string()))?;
        let end = usize::try_from(reader.buffer_position()).unwrap_or(0);
        // The outermost element stands for the document and never ends before it.
        let Some(top) = open.last_mut() else { break };
        match event {
            Event::Start(tag) => {
                if open.len() > DEEPEST {
                    return Err(broken(end as u64, "it nests too deep".to_owned()));
                }
                open.push(element(&tag, begin));
            }
            Event::Empty(tag) => {
                let mut node = element(&tag, begin);
                node.end = end;
                top.children.push(node);
            }
            Event::End(tag) => close(&mut open, tag.name().0, end),
            Event::Text(piece) => top.text.push_str(&piece),
            Event::CData(piece) => top.text.push_str(&piece),
            Event::GeneralRef(name) => match name.resolve_char_ref() {
                Ok(Some(c)) if !c.is_control() || matches!(c, '\t' | '\n' | '\r') => {
                    top.text.push(c);
                }
                Ok(Some(_)) => {}
                _ => match resolve_predefined_entity(&name) {
                    Some(value) => top.text.push_str(value),
                    None => {
                        top.text.push('&');
                        top.text.push_str(&name);
                        top.text.push(';');
                    }
                },
            },
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if open.len() > 1 {
        let inner = open.last().map_or("", |node| node.name.as_str()).to_owned();
        return Err(broken(
            text.len() as u64,
            format!("the answer ends inside <{inner}>"),
        ));
    }
    let document = open.pop().unwrap_or_default();
    let mut roots = document.children.into_iter();
    roots
        .next()
        .ok_or_else(|| broken(text.len() as u64, "the answer holds no element".to_owned()))
}

fn element(tag: &BytesStart<'_>, begin: usize) -> Node {
    let mut attributes = tag.html_attributes();
    let attributes = attributes.with_checks(false).flatten().map(|attribute| {
        let value = match quick_xml::escape::unescape(&attribute.value) {
            Ok(value) => value.into_owned(),
            Err(_) => attribute.value.clone().into_owned(),
        };
        (attribute.key.0.to_owned(), value)
    });
    Node {
        attributes: attributes.collect(),
        name: tag.name().0.to_owned(),
        begin,
        ..Node::default()
    }
}

/// Closes the innermost open element of this name; what is open inside was never closed. A closing tag of nothing is none.
fn close(open: &mut Vec<Node>, name: &str, end: usize) {
    let name = name.trim();
    let Some(place) = open.iter().rposition(|node| node.name == name) else {
        return;
    };
    while open.len() > place.max(1) {
        let Some(mut node) = open.pop() else { return };
        node.torn = open.len() > place;
        node.end = end;
        if let Some(parent) = open.last_mut() {
            parent.children.push(node);
        }
    }
}

/// One element of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    node: &'a Node,
    text: &'a str,
}

impl<'a> Row<'a> {
    /// Its children of this name.
    pub(crate) fn each(self, name: &str) -> impl Iterator<Item = Row<'a>> {
        let text = self.text;
        let children = self.node.children.iter();
        children
            .filter(move |child| child.name.eq_ignore_ascii_case(name))
            .map(move |node| Row { node, text })
    }

    pub(crate) fn child(self, name: &str) -> Option<Row<'a>> {
        self.each(name).next()
    }

    /// Its own text as it stands.
    pub(crate) fn content(self) -> &'a str {
        &self.node.text
    }

    /// The text of a child or an attribute, as it stands; empty where there is none.
    pub(crate) fn verbatim(self, name: &str) -> &'a str {
        if let Some(child) = self.child(name) {
            return child.content();
        }
        let attributes = self.node.attributes.iter();
        attributes
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .next()
            .unwrap_or_default()
    }

    /// The same without blanks around it; none when nothing is left.
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        Some(self.verbatim(name).trim()).filter(|text| !text.is_empty())
    }

    /// A number, none where there is none or something else.
    pub(crate) fn number(self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The number of another row; `0` is none.
    pub(crate) fn reference(self, name: &str) -> Option<u64> {
        self.number(name).filter(|id| *id > 0)
    }

    /// `1` or `0`.
    pub(crate) fn flag(self, name: &str) -> Option<bool> {
        match self.text(name)? {
            "1" | "true" | "yes" => Some(true),
            "0" | "false" | "no" => Some(false),
            _ => None,
        }
    }

    /// Seconds since 1970; `0` is none.
    pub(crate) fn time(self, name: &str) -> Option<DateTime<Utc>> {
        let seconds: i64 = self.text(name)?.parse().ok()?;
        (seconds > 0)
            .then(|| DateTime::from_timestamp(seconds, 0))
            .flatten()
    }

    /// Its own number, under the first of these names that it has.
    ///
    /// # Errors
    /// It has none, or something in it was never closed.
    pub(crate) fn id(self, names: &[&str]) -> Result<u64, Defect> {
        self.whole()?;
        self.named(names)
    }

    /// The same, whatever stands in it.
    pub(crate) fn named(self, names: &[&str]) -> Result<u64, Defect> {
        let found = names.iter().find_map(|name| self.reference(name));
        found.ok_or_else(|| Defect {
            path: names.first().copied().unwrap_or("id").to_owned(),
            reason: "a row without a number cannot be named".to_owned(),
        })
    }

    /// A time that must be there.
    pub(crate) fn moment(self, name: &str) -> Result<DateTime<Utc>, Defect> {
        self.time(name).ok_or_else(|| Defect {
            path: name.to_owned(),
            reason: format!("`{}` is no time", self.verbatim(name)),
        })
    }

    /// An error if a tag inside was never closed: what stands behind it may belong elsewhere.
    pub(crate) fn whole(self) -> Result<(), Defect> {
        match torn(self.node) {
            None => Ok(()),
            Some(path) => Err(Defect {
                reason: format!("<{path}> is never closed"),
                path,
            }),
        }
    }

    /// The same of everything but one child, whose rows are looked at on their own.
    pub(crate) fn whole_but(self, name: &str) -> Result<(), Defect> {
        let (text, children) = (self.text, self.node.children.iter());
        children
            .filter(|child| !child.name.eq_ignore_ascii_case(name))
            .try_for_each(|node| Row { node, text }.whole())
    }

    /// What it is called.
    pub(crate) fn name(self) -> &'a str {
        &self.node.name
    }

    /// As it came.
    pub(crate) fn raw(self) -> String {
        let piece = self.text.get(self.node.begin..self.node.end);
        piece
            .unwrap_or_default()
            .chars()
            .take(LONGEST_RAW)
            .collect()
    }
}

fn torn(node: &Node) -> Option<String> {
    if node.torn {
        return Some(node.name.clone());
    }
    let path = node.children.iter().find_map(torn)?;
    Some(match node.name.is_empty() {
        true => path,
        false => format!("{}/{path}", node.name),
    })
}

/// The numbers of the tickets that a list names, read without trusting its form: one broken row must not hide the others.
pub(crate) fn ticket_ids(body: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(body);
    let openings = text.match_indices("<ticket ");
    let ids = openings.filter_map(|(at, opening)| {
        let tag = text[at + opening.len()..].split('>').next()?;
        let (_, value) = tag.split_once("id=")?;
        let digits = value.trim_start_matches(['"', '\'']);
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        digits[..end].parse().ok()
    });
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn warnings_before_the_xml_and_characters_that_it_does_not_know_are_left_out() {
        let document = parsed(
            "<br />\n<b>Warning</b>: mysql_query() in <b>/srv/x.php</b> on line 1<br />\n<?xml version=\"1.0\"?>\n<a><b>x\u{1}y</b></a>",
        );
        assert_eq!(document.root().name(), "a");
        assert_eq!(document.root().text("b"), Some("xy"));
    }

    #[test]
    fn one_row_and_many_are_both_lists() {
        for (text, ids) in [
            ("<department><id>7</id></department>", vec![7]),
            (
                "<departments><department><id>7</id></department></departments>",
                vec![7],
            ),
            (
                "<departments><department><id>7</id></department><department><id><![CDATA[9]]></id></department></departments>",
                vec![7, 9],
            ),
            ("<departments></departments>", vec![]),
            ("<departments/>", vec![]),
        ] {
            let document = parsed(text);
            let rows = document.rows("department").into_iter();
            let found: Vec<u64> = rows.map(|row| row.id(&["id"]).unwrap()).collect();
            assert_eq!(found, ids, "{text}");
        }
    }

    #[test]
    fn text_is_what_the_writer_meant() {
        for (text, means) in [
            (
                "<a>Product &gt; Fusion &amp; &#228;&#x1F527;</a>",
                "Product > Fusion & ä🔧",
            ),
            ("<a><![CDATA[<p>a &amp; b</p>]]></a>", "<p>a &amp; b</p>"),
            ("<a>fish & chips &unknown; </a>", "fish & chips &unknown; "),
            ("<a>one<!-- no -->two</a>", "onetwo"),
        ] {
            assert_eq!(parsed(text).root().content(), means, "{text}");
        }
    }

    #[test]
    fn a_tag_that_is_never_closed_tears_its_own_row_and_no_other() {
        let document = parsed(
            r#"<tickets><ticket id="1"><subject>a</ticket><ticket id="2"><subject>b</subject></ticket></stray></tickets>"#,
        );
        let rows = document.rows("ticket");
        assert_eq!(rows.len(), 2);
        let defect = rows[0].id(&["id"]).unwrap_err();
        assert_eq!(defect.path, "ticket/subject");
        assert_eq!(rows[0].raw(), r#"<ticket id="1"><subject>a</ticket>"#);
        assert_eq!(rows[1].id(&["id"]).unwrap(), 2);
    }

    #[test]
    fn an_answer_that_is_cut_off_or_none_at_all_is_refused() {
        for (text, says) in [
            ("", "no XML"),
            ("Invalid signature", "no XML"),
            ("<?xml version=\"1.0\"?>", "no element"),
            ("<a><b>1</b>", "ends inside <a>"),
            ("<a><b", "byte"),
        ] {
            let defect = Document::parse(text.as_bytes()).unwrap_err();
            let said = format!("{} {}", defect.path, defect.reason);
            assert!(said.contains(says), "{text}: {said}");
        }
        let deep = "<a>".repeat(10_000);
        assert!(Document::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn the_numbers_of_a_broken_list_are_found_all_the_same() {
        let body = br#"junk<tickets><ticket id="12" flagtype="0"><subject>a <b</subject></ticket><ticket flagtype="0" id='13'></tickets>"#;
        assert_eq!(ticket_ids(body), [12, 13]);
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Document::parse(&bytes);
            let _ = ticket_ids(&bytes);
        }

        #[test]
        fn mutilated_answers_are_read_or_refused(cut in 0_usize..200, flip in 0_usize..200, byte in any::<u8>()) {
            let whole = br#"<?xml version="1.0"?><tickets><ticket id="2" flagtype="0"><subject><![CDATA[a]]></subject><note type="ticket" id="1" creationdate="1297842417">x &amp; y</note></ticket></tickets>"#;
            let mut bytes = whole.to_vec();
            if let Some(place) = bytes.get_mut(flip) {
                *place = byte;
            }
            bytes.truncate(whole.len() - cut.min(whole.len()));
            if let Ok(document) = Document::parse(&bytes) {
                for row in document.rows("ticket") {
                    let _ = (row.id(&["id"]).is_ok(), row.raw(), row.text("subject"));
                }
            }
        }
    }
}
