//! What a mail has besides its words (Trengo reference, section 3.3). The names are not recorded anywhere, so all that are
//! likely are tried.

use deskferry_core::model::{Direction, EmailAddress, EmailHeaders};
use serde_json::Value;

use super::Place;
use crate::wire::Row;

/// A mail as its row in the list shows it, and in full where that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mail<'a> {
    pub(super) row: Row<'a>,
    pub(super) full: Option<Row<'a>>,
}

impl<'a> Mail<'a> {
    fn first<T>(self, read: impl Fn(Row<'a>) -> Option<T>) -> Option<T> {
        self.full.and_then(&read).or_else(|| read(self.row))
    }

    pub(super) fn subject(self) -> Option<String> {
        self.first(|row| row.text("subject"))
    }

    /// Its HTML and its text, where it was read in full.
    pub(super) fn bodies(self) -> (Option<String>, Option<String>) {
        let Some(full) = self.full else {
            return (None, None);
        };
        let html = full.first_text(&["html", "body_html", "html_body"]);
        let text = full.first_text(&["text", "body_text", "plain", "text_body"]);
        match (html, text) {
            // One body without saying which.
            (None, None) => match full.first_text(&["body", "content", "message"]) {
                Some(body) if super::html::is_html(&body) => (Some(body), None),
                body => (None, body),
            },
            both => both,
        }
    }

    /// Who wrote to whom.
    pub(super) fn headers(
        self,
        place: &Place<'_>,
        direction: Direction,
        contact: Option<Row<'_>>,
        agent: Option<&str>,
    ) -> EmailHeaders {
        let from = self.first(|row| {
            let mut found = ["from", "sender"]
                .into_iter()
                .flat_map(|name| addresses(row.get(name)));
            found.next().or_else(|| {
                Some(EmailAddress {
                    address: row.text("from_email")?,
                    name: row.text("from_name").unwrap_or_default(),
                })
            })
        });
        let list = |names: &[&str]| {
            self.first(|row| {
                let found: Vec<EmailAddress> = names
                    .iter()
                    .flat_map(|name| addresses(row.get(name)))
                    .collect();
                (!found.is_empty()).then_some(found)
            })
            .unwrap_or_default()
        };
        let customer = || {
            let address = contact?.text("email")?;
            let name = contact.and_then(|row| row.first_text(&["full_name", "name"]));
            Some(EmailAddress {
                address,
                name: name.unwrap_or_default(),
            })
        };
        let ours = |name: &str| {
            Some(EmailAddress {
                address: place.channel.address.clone().filter(|a| a.contains('@'))?,
                name: name.to_owned(),
            })
        };
        let incoming = direction == Direction::In;
        let mut to = list(&["to", "recipients"]);
        if to.is_empty() {
            to.extend(if incoming { ours("") } else { customer() });
        }
        let id = |name: &str| self.first(|row| bracketed(&row.text(name)?).into_iter().next());
        EmailHeaders {
            from: from.or_else(|| match incoming {
                true => customer(),
                false => ours(agent.unwrap_or_default()),
            }),
            to,
            cc: list(&["cc"]),
            bcc: list(&["bcc"]),
            message_id: id("message_id").or_else(|| id("internet_message_id")),
            in_reply_to: id("in_reply_to"),
            references: self
                .first(|row| {
                    Some(bracketed(&row.text("references")?)).filter(|ids| !ids.is_empty())
                })
                .unwrap_or_default(),
            raw: self.first(|row| row.text("headers")),
        }
    }
}

/// Message ids with their brackets. A number is no such id.
fn bracketed(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|id| id.trim_matches(['<', '>', ',']))
        .filter(|id| id.contains('@'))
        .map(|id| format!("<{id}>"))
        .collect()
}

/// Addresses in any shape: a text, a list in a text, a list of texts, a list of objects, one object.
fn addresses(value: Option<&Value>) -> Vec<EmailAddress> {
    match value {
        Some(Value::String(text)) => text
            .split([',', ';'])
            .filter(|one| one.contains('@'))
            .map(written)
            .collect(),
        Some(Value::Array(items)) => items
            .iter()
            .flat_map(|item| addresses(Some(item)))
            .collect(),
        Some(object @ Value::Object(_)) => {
            let row = Row(object);
            let address = row.first_text(&["email", "address", "mail"]);
            address
                .map(|address| EmailAddress {
                    address,
                    name: row.first_text(&["name", "full_name"]).unwrap_or_default(),
                })
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

/// `Ann <ann@example.org>` or the address alone.
fn written(text: &str) -> EmailAddress {
    let text = text.trim();
    match text.rsplit_once('<') {
        Some((name, address)) => EmailAddress {
            address: address.trim_end_matches('>').trim().to_owned(),
            name: name.trim().trim_matches('"').to_owned(),
        },
        None => EmailAddress {
            address: text.to_owned(),
            name: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn recipients_are_read_in_every_shape() {
        let ann = EmailAddress {
            address: "ann@example.org".to_owned(),
            name: "Ann".to_owned(),
        };
        let bare = EmailAddress {
            address: "bob@example.org".to_owned(),
            name: String::new(),
        };
        for value in [
            json!("Ann <ann@example.org>, bob@example.org"),
            json!(["\"Ann\" <ann@example.org>", "bob@example.org"]),
            json!([{"email": "ann@example.org", "name": "Ann"}, {"address": "bob@example.org", "name": null}]),
            json!({"0": 1, "email": "ann@example.org", "full_name": "Ann"}),
        ] {
            let found = addresses(Some(&value));
            assert_eq!(found[0], ann, "{value}");
            assert!(found.get(1).is_none_or(|other| *other == bare), "{value}");
        }
        for value in [json!(null), json!(""), json!([]), json!("nobody"), json!(7)] {
            assert!(addresses(Some(&value)).is_empty(), "{value}");
        }
    }

    #[test]
    fn a_number_is_no_message_id() {
        assert!(bracketed("3900000003").is_empty());
        assert_eq!(bracketed("<a@b> c@d"), ["<a@b>", "<c@d>"]);
    }
}
