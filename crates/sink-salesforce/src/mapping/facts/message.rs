use std::borrow::Cow;

use deskferry_core::model::{ChannelKind, CustomValues, Direction, Message};

use super::comment::words;
use super::{Common, Facts};
use crate::mapping::value::Fact;

/// What of other rows a message refers to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct MessageLinks {
    pub(crate) case: String,
    pub(crate) contact: Option<String>,
    pub(crate) user: Option<String>,
    /// Its HTML, images at their new addresses.
    pub(crate) html: Option<String>,
    /// Its files by name, those that could not come with the reason.
    pub(crate) files: Vec<String>,
}

/// A message that is a row of its own.
pub(crate) struct MessageFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) message: &'a Message,
    pub(crate) links: &'a MessageLinks,
}

impl MessageFacts<'_> {
    /// Whether there is anything to say.
    pub(crate) fn says_something(&self) -> bool {
        let m = self.message;
        m.call.is_some() || !self.links.files.is_empty() || !words(m).is_empty()
    }
}

impl Facts for MessageFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        let (m, l) = (self.message, self.links);
        let call = m.call.as_ref();
        match name {
            "case" => Fact::maybe_id(Some(&l.case)),
            "direction" => Fact::Choice {
                is: match m.direction {
                    Direction::In => "in",
                    Direction::Out => "out",
                    Direction::Internal => "internal",
                },
                raw: "",
            },
            "published" => Fact::Bool(m.direction != Direction::Internal),
            "channel" => Fact::Choice {
                is: m.channel.is.name(),
                raw: &m.channel.raw,
            },
            "channel.name" => match m.channel.is {
                ChannelKind::Other => Fact::text(&m.channel.raw),
                known => Fact::text(known.name()),
            },
            "author.name" => Fact::text(&m.author.name),
            "author.role" => Fact::text(m.author.role.name()),
            "author.contact" => Fact::maybe_id(l.contact.as_deref()),
            "author.user" => Fact::maybe_id(l.user.as_deref()),
            "sent" => Fact::Time(m.sent_at),
            "sequence" => Fact::Text(Cow::Owned(m.sequence.to_string())),
            "subject" => Fact::maybe_text(m.subject.as_deref()),
            "text" => Fact::Text(Cow::Owned(words(m))),
            "html" => Fact::maybe_text(l.html.as_deref()),
            "files" => Fact::Text(Cow::Owned(l.files.join("\n"))),
            "call.seconds" => Fact::maybe_count(call.and_then(|c| c.seconds)),
            "call.disposition" => Fact::maybe_text(call.and_then(|c| c.disposition.as_deref())),
            "call.from" => Fact::maybe_text(call.and_then(|c| c.from.as_deref())),
            "call.to" => Fact::maybe_text(call.and_then(|c| c.to.as_deref())),
            "call.recording" => Fact::maybe_text(call.and_then(|c| c.recording.as_deref())),
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.message.meta.custom
    }
}
