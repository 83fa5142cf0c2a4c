use std::borrow::Cow;

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
    /// Names of the further agents and teams that have it; the key of one that has no name.
    pub(crate) also_assigned: Vec<String>,
    pub(crate) also_teams: Vec<String>,
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

impl CaseFacts<'_> {
    /// What is known of how long things took.
    fn figure(&self, name: &str) -> Option<Fact<'_>> {
        let f = &self.conversation.figures;
        Some(match name {
            "first-response.at" => Fact::maybe_time(f.first_response_at),
            "first-response.seconds" => Fact::maybe_count(f.first_response_seconds),
            "resolved" => Fact::maybe_time(f.resolved_at),
            "due" => Fact::maybe_time(f.due_at),
            "breached" => f.breached.map_or(Fact::Nothing, Fact::Bool),
            "sla" => Fact::maybe_text(f.sla.as_deref()),
            "last-activity" => {
                Fact::maybe_time(f.last_activity_at.or(self.conversation.meta.updated_at))
            }
            "messages" => Fact::maybe_count(f.messages),
            "reopened" => Fact::maybe_count(f.reopened),
            "wait.seconds" => Fact::maybe_count(f.wait_seconds),
            "handle.seconds" => Fact::maybe_count(f.handle_seconds),
            "wrap-up.seconds" => Fact::maybe_count(f.wrap_up_seconds),
            _ => return None,
        })
    }
}

/// One a line.
fn lines(texts: &[String]) -> Fact<'static> {
    Fact::Text(Cow::Owned(texts.join("\n")))
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
            "tags.list" => Fact::Tags(&c.tags),
            "satisfaction" => Fact::maybe_text(c.satisfaction.as_ref().map(|s| s.raw.as_str())),
            "satisfaction.comment" => {
                Fact::maybe_text(c.satisfaction.as_ref().and_then(|s| s.comment.as_deref()))
            }
            "satisfaction.score" => {
                match c.satisfaction.as_ref().and_then(|s| s.score.as_deref()) {
                    Some(score) => Fact::Number(score),
                    None => Fact::Nothing,
                }
            }
            "satisfaction.at" => Fact::maybe_time(c.satisfaction.as_ref().and_then(|s| s.at)),
            "segment" => Fact::maybe_text(c.segment.as_deref()),
            "also-assigned" => lines(&l.also_assigned),
            "also-teams" => lines(&l.also_teams),
            _ => self.figure(name).unwrap_or_else(|| self.common.fact(name)),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.conversation.meta.custom
    }
}
