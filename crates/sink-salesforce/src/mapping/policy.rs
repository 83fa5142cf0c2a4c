//! Where messages go that are no mails, by the mapping's `[policy]`.

use std::collections::BTreeMap;

use deskferry_core::model::{ChannelKind, Direction, Message};
use serde::Serialize;

/// What a message becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Route {
    /// An EmailMessage.
    Mail,
    /// CaseComments.
    Comment,
    /// A row of the custom object for messages.
    Row,
    /// A task of the sort `Call`.
    Task,
    /// A post on the case.
    Post,
}

impl Route {
    /// The route of that name, written with hyphens or underscores.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.replace('_', "-").as_str() {
            "email-message" => Some(Self::Mail),
            "case-comment" => Some(Self::Comment),
            "conversation-message" => Some(Self::Row),
            "task" => Some(Self::Task),
            "feed-item" => Some(Self::Post),
            _ => None,
        }
    }

    /// Its name in mapping files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mail => "email-message",
            Self::Comment => "case-comment",
            Self::Row => "conversation-message",
            Self::Task => "task",
            Self::Post => "feed-item",
        }
    }
}

/// The ways that are offered to messages of channels, to notes, and to calls.
pub(super) const CHATS: [Route; 4] = [Route::Comment, Route::Row, Route::Mail, Route::Post];
pub(super) const NOTES: [Route; 3] = [Route::Comment, Route::Row, Route::Post];
pub(super) const CALLS: [Route; 5] = [
    Route::Task,
    Route::Row,
    Route::Comment,
    Route::Mail,
    Route::Post,
];

/// What a message is by which people choose its way, and the ways that are offered. Nothing for mails, which are mails.
pub(super) fn offered(message: &Message) -> Option<(String, &'static [Route])> {
    if message.call.is_some() {
        return Some(("calls".to_owned(), &CALLS));
    }
    if message.direction == Direction::Internal {
        return Some(("notes".to_owned(), &NOTES));
    }
    match message.channel.is {
        ChannelKind::Email => None,
        ChannelKind::Other => Some((message.channel.raw.trim().to_owned(), &CHATS)),
        known => Some((known.name().to_owned(), &CHATS)),
    }
}

/// What the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Routes {
    /// Messages of channels about which nothing is said.
    pub(super) chat: Route,
    /// Internal notes, whatever their channel.
    pub(super) notes: Route,
    /// By the meaning of a channel, or by `label:` and the source's word for it.
    pub(super) channels: BTreeMap<String, Route>,
    /// Telephone calls, where something else is said of them than of their channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) calls: Option<Route>,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            chat: Route::Comment,
            notes: Route::Comment,
            channels: BTreeMap::new(),
            calls: None,
        }
    }
}

impl Routes {
    /// What a message becomes. Mails are mails, and calls are calls, whatever is said of other channels.
    pub(crate) fn of(&self, message: &Message) -> Route {
        if let (Some(route), Some(_)) = (self.calls, &message.call) {
            return route;
        }
        if message.direction == Direction::Internal {
            return self.notes;
        }
        if message.channel.is == ChannelKind::Email {
            return Route::Mail;
        }
        let by_label = self.channels.iter().find(|(name, _)| {
            name.strip_prefix("label:").is_some_and(|label| {
                label.trim().to_lowercase() == message.channel.raw.trim().to_lowercase()
            })
        });
        by_label
            .map(|(_, route)| *route)
            .or_else(|| self.channels.get(message.channel.is.name()).copied())
            .unwrap_or(self.chat)
    }

    /// Whether anything may go this way.
    pub(super) fn uses(&self, route: Route) -> bool {
        self.chat == route
            || self.notes == route
            || self.calls == Some(route)
            || self.channels.values().any(|known| *known == route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::facts::comment::tests::message;
    use deskferry_core::model::Named;

    #[test]
    fn each_message_goes_the_way_that_its_channel_was_given() {
        let routes = Routes {
            chat: Route::Row,
            notes: Route::Comment,
            channels: BTreeMap::from([
                ("whatsapp".to_owned(), Route::Mail),
                ("label:Line of business".to_owned(), Route::Comment),
            ]),
            calls: Some(Route::Task),
        };
        for (channel, raw, direction, route) in [
            (ChannelKind::Email, "MAIL", Direction::In, Route::Mail),
            (
                ChannelKind::Email,
                "MAIL",
                Direction::Internal,
                Route::Comment,
            ),
            (ChannelKind::Whatsapp, "WA", Direction::Out, Route::Mail),
            (
                ChannelKind::Whatsapp,
                "WA",
                Direction::Internal,
                Route::Comment,
            ),
            (ChannelKind::Chat, "CHAT", Direction::In, Route::Row),
            (
                ChannelKind::Other,
                "line of Business",
                Direction::In,
                Route::Comment,
            ),
        ] {
            let mut message = message("Ann");
            message.channel = Named::new(channel, raw);
            message.direction = direction;
            assert_eq!(routes.of(&message), route, "{channel:?} {direction:?}");
        }
        assert!(routes.uses(Route::Row) && !Routes::default().uses(Route::Row));
        let mut call = message("Ann");
        call.channel = Named::new(ChannelKind::Whatsapp, "WA");
        call.call = Some(deskferry_core::model::Call::default());
        assert_eq!(routes.of(&call), Route::Task);
        let routes = Routes {
            calls: None,
            ..routes
        };
        assert_eq!(routes.of(&call), Route::Mail, "as its channel");
    }

    #[test]
    fn ways_are_found_again_by_their_names() {
        for route in [
            Route::Mail,
            Route::Comment,
            Route::Row,
            Route::Task,
            Route::Post,
        ] {
            assert_eq!(Route::named(route.name()), Some(route));
            assert_eq!(Route::named(&route.name().replace('-', "_")), Some(route));
        }
    }
}
