use std::borrow::Cow;
use std::collections::HashMap;

use deskferry_core::model::{ChannelKind, CustomValues, Direction, EmailHeaders, Message};

use super::{Common, Facts};
use crate::mapping::html::{replace_images, to_text};
use crate::mapping::text;
use crate::mapping::value::Fact;

/// The most encoded bytes of a mail's HtmlBody and TextBody.
const BODY_LIMIT: usize = 131_072;

/// What of other rows a mail refers to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct MailLinks {
    pub(crate) case: String,
    pub(crate) from_person: Option<String>,
    pub(crate) to: Recipients,
    pub(crate) cc: Recipients,
    pub(crate) bcc: Recipients,
    pub(crate) reply_to: Option<String>,
    pub(crate) documents: Vec<String>,
}

/// The people of one header line: those who stand in the org by id, the others by address.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recipients {
    pub(crate) people: Vec<String>,
    pub(crate) addresses: Vec<String>,
}

/// A mail's words in the forms that are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bodies {
    pub(crate) html: Option<String>,
    pub(crate) text: Option<String>,
    /// The whole body as a file, where it is too long for the fields.
    pub(crate) overflow: Option<Overflow>,
}

/// A body that became a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overflow {
    pub(crate) name: String,
    pub(crate) media_type: &'static str,
    pub(crate) content: String,
}

impl Bodies {
    /// The bodies of a message; images shown by one of these addresses get the one beside it.
    pub(crate) fn of(message: &Message, images: &HashMap<&str, String>) -> Self {
        let filled = |body: &Option<String>| {
            body.as_deref()
                .map(text::clean)
                .filter(|t| !t.trim().is_empty())
                .map(Cow::into_owned)
        };
        let (html, plain) = (filled(&message.body.html), filled(&message.body.text));
        let shown = html
            .as_deref()
            .and_then(|html| replace_images(html, images))
            .or_else(|| html.clone());
        let long = |body: &Option<String>| {
            body.as_deref()
                .is_some_and(|b| text::encoded_length(b) > BODY_LIMIT)
        };
        if !long(&shown) && !long(&plain) {
            return Self {
                html: shown,
                text: plain,
                overflow: None,
            };
        }
        Self::overflowing(message, html.is_some(), shown, plain)
    }

    /// The file holds the body as the source has it.
    fn overflowing(
        message: &Message,
        is_html: bool,
        html: Option<String>,
        plain: Option<String>,
    ) -> Self {
        let (extension, media_type) = if is_html {
            ("html", "text/html")
        } else {
            ("txt", "text/plain")
        };
        let name = format!("message-{}.{extension}", message.meta.key.id());
        let words = plain
            .or_else(|| html.as_deref().map(to_text))
            .unwrap_or_default();
        let note = format!("\n[The whole message: {name}]");
        let kept = text::cut_encoded(&words, BODY_LIMIT - text::encoded_length(&note));
        let whole = if is_html {
            &message.body.html
        } else {
            &message.body.text
        };
        let content = whole.clone().unwrap_or_default();
        Self {
            html: None,
            text: Some(format!("{kept}{note}")),
            overflow: Some(Overflow {
                name,
                media_type,
                content,
            }),
        }
    }
}

/// A mail.
pub(crate) struct MailFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) message: &'a Message,
    pub(crate) links: &'a MailLinks,
    pub(crate) bodies: &'a Bodies,
}

impl MailFacts<'_> {
    fn mail(&self) -> Option<&EmailHeaders> {
        self.message.email.as_ref()
    }

    fn sender(&self) -> Fact<'_> {
        let from = self.mail().and_then(|m| m.from.as_ref());
        let name = from
            .map(|f| f.name.as_str())
            .filter(|n| !n.trim().is_empty());
        Fact::text(name.unwrap_or(&self.message.author.name))
    }
}

fn joined(recipients: &Recipients) -> Fact<'_> {
    Fact::Text(Cow::Owned(recipients.addresses.join("; ")))
}

fn people(recipients: &Recipients) -> Fact<'_> {
    Fact::Ids(Cow::Borrowed(&recipients.people))
}

impl Facts for MailFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        let (m, l) = (self.message, self.links);
        match name {
            "case" => Fact::maybe_id(Some(&l.case)),
            "incoming" => Fact::Bool(m.direction == Direction::In),
            "direction" => Fact::Choice {
                is: direction(m.direction),
                raw: "",
            },
            "from.address" => Fact::maybe_text(
                self.mail()
                    .and_then(|m| m.from.as_ref())
                    .map(|f| f.address.as_str()),
            ),
            "from.name" => self.sender(),
            "from.person" => Fact::maybe_id(l.from_person.as_deref()),
            "to.addresses" => joined(&l.to),
            "cc.addresses" => joined(&l.cc),
            "bcc.addresses" => joined(&l.bcc),
            "to.people" => people(&l.to),
            "cc.people" => people(&l.cc),
            "bcc.people" => people(&l.bcc),
            "subject" => match m.subject.as_deref() {
                Some(subject) => Fact::Text(text::one_line(subject)),
                None if m.channel.is == ChannelKind::Email => Fact::Nothing,
                // In a list of mails a chat is told by its channel.
                None => Fact::Text(Cow::Owned(format!("[{}]", m.channel.is.name()))),
            },
            "html" => Fact::maybe_text(self.bodies.html.as_deref()),
            "text" => Fact::maybe_text(self.bodies.text.as_deref()),
            "sent" => Fact::Time(m.sent_at),
            "message-id" => Fact::maybe_text(self.mail().and_then(|m| m.message_id.as_deref())),
            "headers" => Fact::maybe_text(self.mail().and_then(|m| m.raw.as_deref())),
            "reply-to" => Fact::maybe_id(l.reply_to.as_deref()),
            "documents" => Fact::Ids(Cow::Borrowed(&l.documents)),
            "published" => Fact::Bool(m.direction != Direction::Internal),
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.message.meta.custom
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
        Direction::Internal => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::facts::comment::tests::message;
    use deskferry_core::model::Body;

    fn bodies(html: Option<&str>, text: Option<&str>) -> Bodies {
        let mut message = message("Ann");
        message.body = Body {
            html: html.map(str::to_owned),
            text: text.map(str::to_owned),
        };
        Bodies::of(&message, &HashMap::from([("cid:a", "/new".to_owned())]))
    }

    #[test]
    fn bodies_are_sent_in_the_forms_that_the_source_has() {
        let both = bodies(Some("<img src=\"cid:a\">"), Some("a\r\nb"));
        assert_eq!(both.html.as_deref(), Some("<img src=\"/new\">"));
        assert_eq!(both.text.as_deref(), Some("a\nb"));
        assert_eq!(bodies(Some("  "), None), Bodies::default());
    }

    #[test]
    fn a_body_that_is_too_long_becomes_a_file_and_the_text_says_so() {
        let html = format!("<p>{}</p>", "é & ".repeat(20_000));
        let long = bodies(Some(&html), None);
        assert_eq!(long.html, None);
        let text = long.text.unwrap();
        assert!(text::encoded_length(&text) <= BODY_LIMIT && text.starts_with("é & é"));
        assert!(text.ends_with("\n[The whole message: message-9.html]"));
        assert_eq!(long.overflow.unwrap().content, html);
        let plain = bodies(None, Some(&"<".repeat(40_000)));
        assert_eq!(plain.overflow.unwrap().name, "message-9.txt");
    }
}
