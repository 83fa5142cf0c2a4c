//! XML, as little of it as SOAP and metadata need: texts of elements on the way in, JSON as elements on the way out.

use roxmltree::Node;
use serde_json::Value;

/// The first child element of this name, in whatever namespace.
pub(crate) fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    children(node).find(|child| child.tag_name().name() == name)
}

pub(crate) fn children<'a, 'd>(node: Node<'a, 'd>) -> impl Iterator<Item = Node<'a, 'd>> {
    node.children().filter(Node::is_element)
}

/// The text of a child element, without blanks around it; none when it is absent or empty.
pub(crate) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)
        .and_then(|child| child.text())
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// Every text of the child elements of this name.
pub(crate) fn texts<'a>(node: Node<'a, '_>, name: &'a str) -> impl Iterator<Item = &'a str> {
    children(node)
        .filter(move |child| child.tag_name().name() == name)
        .filter_map(|child| child.text())
        .map(str::trim)
}

pub(crate) fn flag(node: Node<'_, '_>, name: &str) -> bool {
    text(node, name).is_some_and(|text| text.eq_ignore_ascii_case("true") || text == "1")
}

pub(crate) fn number(node: Node<'_, '_>, name: &str) -> Option<u32> {
    text(node, name).and_then(|text| text.parse().ok())
}

pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// An element of this name with a JSON value in it: lists are repeated elements, null is left out.
pub(crate) fn element(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(|item| element(name, item)).collect(),
        Value::Object(entries) => {
            let inner: String = entries
                .iter()
                .map(|(name, value)| element(name, value))
                .collect();
            format!("<{name}>{inner}</{name}>")
        }
        Value::String(text) => format!("<{name}>{}</{name}>", escaped(text)),
        other => format!("<{name}>{other}</{name}>"),
    }
}
