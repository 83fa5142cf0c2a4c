use chrono::{DateTime, Utc};
use deskferry_core::model::{CustomValues, Direction, Message};

use super::Facts;
use crate::mapping::html::to_text;
use crate::mapping::text;
use crate::mapping::value::Fact;

/// What of other rows a comment refers to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CommentLinks {
    pub(crate) case: String,
    /// The author's User, where the comment can be theirs.
    pub(crate) author: Option<String>,
}

/// One comment: a message or a part of one.
pub(crate) struct CommentFacts<'a> {
    pub(crate) message: &'a Message,
    pub(crate) links: &'a CommentLinks,
    pub(crate) text: &'a str,
    /// The message's time, a second later per part.
    pub(crate) sent: DateTime<Utc>,
}

impl Facts for CommentFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        match name {
            "case" => Fact::maybe_id(Some(&self.links.case)),
            "published" => Fact::Bool(self.message.direction != Direction::Internal),
            "text" => Fact::text(self.text),
            "author" => Fact::maybe_id(self.links.author.as_deref()),
            "sent" => Fact::Time(self.sent),
            _ => Fact::Nothing,
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.message.meta.custom
    }
}

/// The whole text of a message as a comment: who wrote it, where the comment cannot be theirs; its words; its files.
/// `None` when there is nothing to say.
pub(crate) fn comment_text(
    message: &Message,
    name_author: bool,
    files: &[String],
) -> Option<String> {
    let words = words(message);
    if words.is_empty() && files.is_empty() {
        return None;
    }
    let mut lines = Vec::new();
    if name_author {
        lines.push(author_line(message));
    }
    if !words.is_empty() {
        lines.push(words);
    }
    if !files.is_empty() {
        lines.push(format!("[Files: {}]", files.join("; ")));
    }
    Some(lines.join("\n"))
}

/// What a message says, as text.
pub(super) fn words(message: &Message) -> String {
    let filled = |body: &Option<String>| {
        body.as_deref()
            .map(text::clean)
            .map(|t| t.trim().to_owned())
            .filter(|t| !t.is_empty())
    };
    filled(&message.body.text)
        .or_else(|| filled(&message.body.html).map(|html| to_text(&html).trim().to_owned()))
        .unwrap_or_default()
}

fn author_line(message: &Message) -> String {
    let name = text::collapse(&message.author.name);
    let name = if name.is_empty() { "Unknown" } else { &name };
    format!(
        "{name} ({}), {} UTC:",
        message.author.role.name(),
        message.sent_at.format("%Y-%m-%d %H:%M")
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use deskferry_core::key::{RecordKind, Tenant};
    use deskferry_core::model::{Author, AuthorRole, Body, ChannelKind, Meta, Named};

    pub(crate) fn message(author: &str) -> Message {
        let tenant = Tenant::new("kayako", "acme");
        Message {
            call: None,
            meta: Meta::new(tenant.key(RecordKind::Message, 9)),
            conversation: tenant.key(RecordKind::Conversation, 1),
            direction: Direction::In,
            channel: Named::new(ChannelKind::Chat, "MESSENGER"),
            author: Author {
                key: None,
                role: AuthorRole::Customer,
                name: author.into(),
            },
            sent_at: DateTime::parse_from_rfc3339("2021-03-04T05:06:07Z")
                .unwrap()
                .to_utc(),
            sequence: 1,
            subject: None,
            body: Body::default(),
            email: None,
            reply_to: None,
            files: Vec::new(),
        }
    }

    #[test]
    fn a_comment_names_its_author_and_its_files() {
        let files = ["a.png".to_owned(), "b.pdf (empty)".to_owned()];
        let with = |html: Option<&str>, text: Option<&str>, author: &str| {
            let mut message = message(author);
            message.body = Body {
                html: html.map(str::to_owned),
                text: text.map(str::to_owned),
            };
            message
        };
        for (message, named, files, expected) in [
            (
                with(None, Some(" Hello\r\n"), "Ann Lee"),
                true,
                &files[..0],
                Some("Ann Lee (customer), 2021-03-04 05:06 UTC:\nHello"),
            ),
            (
                with(None, Some("Hello"), ""),
                true,
                &files[..0],
                Some("Unknown (customer), 2021-03-04 05:06 UTC:\nHello"),
            ),
            (
                with(None, Some("Hello"), "Ann"),
                false,
                &files[..0],
                Some("Hello"),
            ),
            (
                with(
                    Some("<b>Hi</b> <a href=\"https://example.org\">you</a>"),
                    None,
                    "Ann",
                ),
                false,
                &files[..0],
                Some("Hi you (https://example.org)"),
            ),
            (
                with(None, None, "Ann"),
                false,
                &files[..],
                Some("[Files: a.png; b.pdf (empty)]"),
            ),
            (
                with(Some("<br>"), Some("  "), "Ann"),
                true,
                &files[..0],
                None,
            ),
        ] {
            assert_eq!(comment_text(&message, named, files).as_deref(), expected);
        }
    }
}
