//! The least possible number of requests for a full read of a workspace.

use std::collections::BTreeSet;

use super::answer::{MESSAGES, PAGE, REPORTED};
use super::desk::Desk;
use super::held::{self, contacts};
use super::{knowledge, people, setup, tickets};
use crate::world::{ConversationState, FieldOwner, Readers};

/// What a full read wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeastOptions {
    /// Bytes of attachments and pictures.
    pub files: bool,
    /// Messages and files of spam too.
    pub spam: bool,
    /// Whether the ids of all tickets are asked for at the end.
    pub completeness: bool,
    /// For how many months figures are asked.
    pub report_months: u64,
}

impl Default for LeastOptions {
    fn default() -> Self {
        Self {
            files: true,
            spam: false,
            completeness: true,
            report_months: 12,
        }
    }
}

/// The least possible number of requests, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeastRequests {
    /// Users, teams, channels, labels, custom fields and results: one per started page.
    pub setup: u64,
    /// Profiles and contacts: one per started page.
    pub people: u64,
    /// Tickets: one per started page, spam likewise; one each whether tickets of the other three states are left out, and one for
    /// what changed meanwhile.
    pub lists: u64,
    /// Tickets of which something stands nowhere else: why they were closed, or fields that share a title.
    pub tickets: u64,
    /// Messages: one per started page of a ticket, at least one.
    pub messages: u64,
    /// Mails that lists show shortened: one each.
    pub mails: u64,
    /// Attachments that are not empty, and pictures: one each, a picture once per ticket.
    pub files: u64,
    /// Ids of all tickets: one per started page, and an empty page at the end.
    pub completeness: u64,
    /// Help centres: their list, and of each the categories and the list of articles in each language, one per started page, and
    /// each article in each language.
    pub knowledge: u64,
    /// Quick replies of two types, webhooks, templates, and the blocks of each help centre: one each.
    pub inventory: u64,
    /// Figures of agents and of the workspace: one each a month.
    pub reports: u64,
}

impl LeastRequests {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Self {
            setup,
            people,
            lists,
            tickets,
            messages,
            mails,
            files,
            completeness,
            knowledge,
            inventory,
            reports,
        } = self;
        setup
            + people
            + lists
            + tickets
            + messages
            + mails
            + files
            + completeness
            + knowledge
            + inventory
            + reports
    }
}

/// The formula. It belongs to the stand-in, so that the connector cannot set its own bar.
pub(super) fn count(desk: &Desk, options: LeastOptions) -> LeastRequests {
    let mut least = LeastRequests {
        setup: [
            desk.staff().count(),
            setup::teams(desk).len(),
            setup::channels(desk).len(),
            setup::labels(desk).len(),
            setup::custom_fields(desk).len(),
            setup::results(desk).len(),
        ]
        .into_iter()
        .map(|rows| pages(rows, PAGE))
        .sum(),
        people: pages(
            desk.customers().filter(|p| people::is_joined(p)).count(),
            PAGE,
        ) + pages(
            desk.customers().map(|person| contacts(person).len()).sum(),
            PAGE,
        ),
        ..LeastRequests::default()
    };
    let titles = setup::repeated_titles(desk, FieldOwner::Conversation);
    let results = setup::has_results(desk);
    let (mut usual, mut spam) = (0, 0);
    for talk in desk.world.conversations() {
        let Some((talk, _)) = desk.ticket(talk.id) else {
            continue;
        };
        let is_spam = talk.state == ConversationState::Suspended;
        *(if is_spam { &mut spam } else { &mut usual }) += 1;
        if is_spam && !options.spam {
            continue;
        }
        let shares_a_title = setup::own_fields(desk)
            .filter(|field| titles.contains(&field.title.as_str()))
            .any(|field| talk.custom.iter().any(|value| value.field == field.id));
        let of_nobody = talk.assignee.is_some_and(|id| desk.person(id).is_none());
        let alone = (results && tickets::was_closed(&talk)) || shares_a_title || of_nobody;
        least.tickets += u64::from(alone);
        least.messages += pages(talk.messages.len(), MESSAGES);
        least.mails += talk
            .messages
            .iter()
            .filter(|m| held::is_collapsed(m))
            .count() as u64;
        if options.files {
            let mut images = BTreeSet::new();
            for message in &talk.messages {
                let whole = message.files.iter().filter(|file| file_has_bytes(file));
                least.files += whole.count() as u64;
                images.extend(message.images.iter().map(|image| &image.token));
            }
            least.files += images.len() as u64;
        }
    }
    let held = &desk.lists.knowledge;
    least.knowledge = 1;
    least.inventory = 4 + held.centres.len() as u64;
    for centre in &held.centres {
        for locale in &centre.locales {
            least.knowledge += pages(knowledge::categories(desk, centre.id, locale).len(), PAGE);
            least.knowledge += pages(knowledge::listed(desk, centre.id, locale, None).len(), PAGE);
        }
        let articles = held.articles.iter();
        let shown =
            articles.filter(|one| one.centre == centre.id && one.readers == Readers::Everybody);
        for article in shown {
            least.knowledge += centre.locales.len() as u64;
            least.files += if options.files {
                article.images.len() as u64
            } else {
                0
            };
        }
    }
    let agents = pages(desk.staff().count(), PAGE);
    least.reports = options.report_months * (agents + 1);
    least.lists = pages(usual, PAGE) + pages(spam, PAGE) + 3 + 1;
    if options.completeness {
        least.completeness = (usual + spam).div_ceil(REPORTED) as u64 + 1;
    }
    least
}

fn file_has_bytes(file: &crate::world::File) -> bool {
    file.claimed_size.unwrap_or_else(|| file.content.len()) > 0
}

/// Requests for a list of so many rows.
fn pages(rows: usize, size: usize) -> u64 {
    rows.div_ceil(size).max(1) as u64
}
