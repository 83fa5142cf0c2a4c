use deskferry_core::model::{ChannelKind, Conversation, CustomValues};

use super::account::tags;
use super::{Common, Facts};
use crate::mapping::text;
use crate::mapping::value::Fact;

/// What of other records a Case shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CaseLinks {
    pub(crate) owner: Option<String>,
    pub(crate) contact: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) parent: Option<String>,
    /// The key of a parent whose edge could not be kept.
    pub(crate) lost_parent: Option<String>,
    pub(crate) assignee_name: Option<String>,
    pub(crate) team_name: Option<String>,
    /// Name and address of a requester who is no contact.
    pub(crate) requester_name: Option<String>,
    pub(crate) requester_email: Option<String>,
}

/// A conversation.
pub(crate) struct CaseFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) conversation: &'a Conversation,
    pub(crate) links: &'a CaseLinks,
}

impl Facts for CaseFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        let (c, l) = (self.conversation, self.links);
        match name {
            "subject" => Fact::Text(text::one_line(&c.subject)),
            "status" => Fact::Choice {
                is: c.status.is.name(),
                raw: &c.status.raw,
            },
            "status.raw" => Fact::text(&c.status.raw),
            "priority" => match &c.priority {
                Some(priority) => Fact::Choice {
                    is: priority.is.name(),
                    raw: &priority.raw,
                },
                None => Fact::Nothing,
            },
            "priority.raw" => Fact::maybe_text(c.priority.as_ref().map(|p| p.raw.as_str())),
            "channel" => Fact::Choice {
                is: c.channel.is.name(),
                raw: &c.channel.raw,
            },
            "channel.name" => match c.channel.is {
                ChannelKind::Other => Fact::text(&c.channel.raw),
                known => Fact::text(known.name()),
            },
            "owner" => Fact::maybe_id(l.owner.as_deref()),
            "assignee.name" => Fact::maybe_text(l.assignee_name.as_deref()),
            "contact" => Fact::maybe_id(l.contact.as_deref()),
            "account" => Fact::maybe_id(l.account.as_deref()),
            "requester.name" => Fact::maybe_text(l.requester_name.as_deref()),
            "requester.email" => Fact::maybe_text(l.requester_email.as_deref()),
            "parent" => Fact::maybe_id(l.parent.as_deref()),
            "parent.key" => Fact::maybe_text(l.lost_parent.as_deref()),
            "closed" => Fact::maybe_time(c.closed_at),
            "number" => Fact::text(&c.number),
            "type" => Fact::maybe_text(c.kind.as_deref()),
            "team.name" => Fact::maybe_text(l.team_name.as_deref()),
            "tags" => tags(&c.tags),
            "satisfaction" => Fact::maybe_text(c.satisfaction.as_ref().map(|s| s.raw.as_str())),
            "satisfaction.comment" => {
                Fact::maybe_text(c.satisfaction.as_ref().and_then(|s| s.comment.as_deref()))
            }
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.conversation.meta.custom
    }
}
