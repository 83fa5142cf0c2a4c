//! The least possible number of requests for a full read of a world.

use super::{inventory, knowledge};
use crate::world::{ConversationState, World};

const PAGE: usize = 100;
/// Statuses, priorities, types and brands, by which conditions name things; teams are read anyway.
const NAMES: u64 = 4;

/// What a full read wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeastOptions {
    /// The original of each mail, for its threading headers.
    pub email_originals: bool,
    /// Bytes of attachments and pictures.
    pub files: bool,
    /// Posts and files of cases in the trash too.
    pub trashed: bool,
    /// Posts and files of suspended cases too.
    pub suspended: bool,
    /// Merged cases: their posts, and into which other case each was merged.
    pub merged: bool,
    /// The history of each case.
    pub history: bool,
    /// What was said of ratings.
    pub ratings: bool,
    /// Booked times.
    pub time_tracking: bool,
    /// Notes on people and companies.
    pub notes: bool,
}

impl Default for LeastOptions {
    fn default() -> Self {
        Self {
            email_originals: true,
            files: true,
            trashed: false,
            suspended: false,
            merged: true,
            history: false,
            ratings: false,
            time_tracking: false,
            notes: false,
        }
    }
}

/// The least possible number of requests, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeastRequests {
    /// Probe without login, login on `/session`, `/me`, `/settings`: one each.
    pub setup: u64,
    /// Teams, the three lists of custom fields, organizations, users, cases, the views, cases in the trash and suspended
    /// ones, which a read must name even if it leaves them out: one per started hundred, at least one.
    pub lists: u64,
    /// What is set up: one per list, statuses, priorities, types and brands for their names, of mailboxes one per started hundred. Views are among the other lists already.
    pub inventory: u64,
    /// Categories, sections and articles: one per started hundred, at least one; and the number of articles.
    pub help_centre: u64,
    /// What happened to a merged case: one each.
    pub merges: u64,
    /// Posts: one per started hundred of a case, at least one.
    pub posts: u64,
    /// Originals: one per mail.
    pub email_originals: u64,
    /// Attachments that are not empty, and pictures: one each, a picture once per conversation or article.
    pub files: u64,
    /// What stands beside: one per case for its history, one per rated case, one per started hundred of booked times, one per
    /// customer and company.
    pub beside: u64,
}

impl LeastRequests {
    /// All of them.
    pub fn total(&self) -> u64 {
        let once = self.setup + self.lists + self.inventory + self.help_centre;
        once + self.merges + self.posts + self.email_originals + self.files + self.beside
    }
}

/// The formula. It belongs to the stand-in, so that the connector cannot set its own bar.
pub(super) fn count(world: &World, options: LeastOptions) -> LeastRequests {
    let lists = world.lists();
    let mut least = LeastRequests {
        setup: 4,
        inventory: inventory::LISTS.len() as u64 + pages(lists.mailboxes.len()) + NAMES,
        help_centre: pages(knowledge::categories(world).len())
            + pages(knowledge::sections(world).len())
            + pages(knowledge::articles(world).len())
            + 1,
        ..LeastRequests::default()
    };
    if options.files {
        let articles = knowledge::articles(world).iter();
        least.files += articles
            .map(|article| article.images.len() as u64)
            .sum::<u64>();
    }
    if options.notes {
        let customers = lists.people.iter().filter(|person| !person.role.is_staff());
        least.beside += (customers.count() + lists.companies.len()) as u64;
    }
    let (mut cases, mut trashed, mut suspended, mut times) = (0, 0, 0, 0);
    for case in world.conversations() {
        times += world.beside(&case).map_or(0, |beside| beside.times.len());
        let wanted = match case.state {
            ConversationState::Active => {
                cases += 1;
                true
            }
            ConversationState::Trash => {
                trashed += 1;
                options.trashed
            }
            ConversationState::Suspended => {
                suspended += 1;
                options.suspended
            }
        };
        if !wanted || (case.merged_into.is_some() && !options.merged) {
            continue;
        }
        least.merges += u64::from(case.merged_into.is_some());
        least.posts += pages(case.messages.len());
        least.beside += u64::from(options.history);
        least.beside += u64::from(options.ratings && case.rating.is_some());
        if options.email_originals {
            least.email_originals += case
                .messages
                .iter()
                .filter(|message| message.mail.is_some())
                .count() as u64;
        }
        if options.files {
            let mine = || {
                case.messages
                    .iter()
                    .filter(|message| !message.is_elsewhere())
            };
            let files = mine()
                .flat_map(|message| &message.files)
                .filter(|file| !file.content.is_empty())
                .count();
            let mut tokens: Vec<_> = mine()
                .flat_map(|message| &message.images)
                .map(|image| &image.token)
                .collect();
            tokens.sort();
            tokens.dedup();
            least.files += (files + tokens.len()) as u64;
        }
    }
    if options.time_tracking {
        least.beside += pages(times);
    }
    least.lists = 3
        + 1
        + pages(trashed)
        + pages(suspended)
        + pages(lists.teams.len())
        + pages(lists.companies.len())
        + pages(lists.people.len())
        + pages(cases);
    least
}

fn pages(rows: usize) -> u64 {
    rows.div_ceil(PAGE).max(1) as u64
}
