//! What stands beside conversations and people: forms, brands, words of ratings, booked times, histories, notes.

use chrono::{DateTime, Duration, Utc};

use super::World;
use super::dice::Dice;
use super::model::{Author, Conversation};
use super::people::{FIRST_CUSTOMER, epoch, staff};

/// Forms by number, the usual one first.
pub const FORMS: [(u64, &str); 3] = [(1, "Ask us"), (2, "Returns"), (3, "Billing & contracts")];
/// Brands beside the first one, which has the name of the helpdesk.
pub const SECOND_BRAND: (u64, &str) = (2, "Outlet");

/// What stands beside a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Beside {
    /// The form it was made with, by number; the usual one is not named.
    pub form: Option<u64>,
    /// The brand it belongs to, by number.
    pub brand: u64,
    /// What the customer said with the rating, if there is one.
    pub said: Option<String>,
    /// When the rating was given.
    pub rated: DateTime<Utc>,
    /// Times that agents spent on it.
    pub times: Vec<SpentTime>,
    /// What was done to it, in the order of time.
    pub events: Vec<PastEvent>,
}

/// Time that somebody spent on a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpentTime {
    /// Number, unique among all of them.
    pub id: u64,
    /// Who, by number.
    pub agent: u64,
    /// How long, in seconds.
    pub seconds: u64,
    /// Whether it was work; else somebody looked at it.
    pub work: bool,
}

/// Something that was done to a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastEvent {
    /// Number, unique among all of them.
    pub id: u64,
    /// Who did it.
    pub by: Author,
    /// What changed, and from what to what.
    pub change: (&'static str, String, String),
    /// When.
    pub at: DateTime<Utc>,
}

/// A note on a person or a company.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StandingNote {
    /// Number, unique among all of them.
    pub id: u64,
    /// Who wrote it, by number.
    pub by: u64,
    /// What it says.
    pub text: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Beside {
    /// What stands beside a conversation of a world that was made from this number.
    pub fn of(seed: u64, conversation: &Conversation) -> Self {
        let mut dice = Dice::new(seed, "beside", conversation.id);
        let numbered = |n: u64| conversation.id * 16 + n;
        let agent = |dice: &mut Dice| *dice.pick(&staff::ACTIVE);
        let form = match dice.below(4) {
            0 => None,
            n => Some(n),
        };
        let times = (0..dice.below(4)).map(|n| SpentTime {
            id: numbered(n),
            agent: agent(&mut dice),
            seconds: 30 + dice.below(3_600),
            work: !dice.one_in(3),
        });
        let times = times.collect();
        let events = (0..dice.below(3)).map(|n| PastEvent {
            id: numbered(n),
            by: match dice.one_in(4) {
                true => Author::Trigger(1),
                false => Author::Person(agent(&mut dice)),
            },
            change: match dice.one_in(2) {
                true => ("status", "Open".to_owned(), "Pending".to_owned()),
                false => ("priority", String::new(), "High & urgent".to_owned()),
            },
            at: conversation.created + Duration::minutes(i64::try_from(n).unwrap_or(0) + 1),
        });
        let events = events.collect();
        Self {
            form,
            brand: 1 + u64::from(dice.one_in(3)),
            said: (conversation.rating.is_some() && dice.one_in(2))
                .then(|| format!("Thank you — this was number {}", conversation.id)),
            rated: conversation.updated,
            times,
            events,
        }
    }

    /// Seconds that people worked on it.
    pub fn worked(&self) -> u64 {
        let times = self.times.iter().filter(|time| time.work);
        times.map(|time| time.seconds).sum()
    }
}

/// Notes on the customer of this number.
pub fn notes_on_person(seed: u64, person: u64) -> Vec<StandingNote> {
    match person < FIRST_CUSTOMER {
        true => Vec::new(),
        false => notes(seed, "note on person", person),
    }
}

/// Notes on the company of this number.
pub fn notes_on_company(seed: u64, company: u64) -> Vec<StandingNote> {
    notes(seed, "note on company", company)
}

fn notes(seed: u64, word: &str, on: u64) -> Vec<StandingNote> {
    let mut dice = Dice::new(seed, word, on);
    let count = match dice.below(5) {
        0 => 1 + dice.below(2),
        _ => 0,
    };
    (0..count)
        .map(|n| StandingNote {
            id: on * 4 + n,
            by: *dice.pick(&staff::ACTIVE),
            text: format!("Ring before ten, ask for number {}", dice.below(1_000)),
            at: epoch() + Duration::days(i64::try_from(on % 1_000 + n).unwrap_or(0)),
        })
        .collect()
}

impl World {
    /// What stands beside a conversation, in a world that has it.
    pub fn beside(&self, conversation: &Conversation) -> Option<Beside> {
        let spec = self.spec.as_ref().filter(|spec| spec.beside)?;
        Some(Beside::of(spec.seed, conversation))
    }

    /// The number from which notes and the like are made, in a world that has them.
    pub(crate) fn beside_seed(&self) -> Option<u64> {
        let spec = self.spec.as_ref().filter(|spec| spec.beside)?;
        Some(spec.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::WorldSpec;
    use super::*;

    #[test]
    fn what_stands_beside_is_there_only_where_it_is_asked_for_and_has_one_of_everything() {
        let plain = World::generate(WorldSpec::new(5, 60));
        let world = World::generate(WorldSpec::new(5, 60).beside());
        let all: Vec<Beside> = world
            .conversations()
            .filter_map(|one| world.beside(&one))
            .collect();
        assert_eq!(all.len(), 60);
        assert!(
            plain
                .conversations()
                .all(|one| plain.beside(&one).is_none())
        );
        assert!(plain.conversations().eq(world.conversations()));
        for form in [None, Some(1), Some(2), Some(3)] {
            assert!(all.iter().any(|one| one.form == form), "{form:?}");
        }
        assert!((1..=2).all(|brand| all.iter().any(|one| one.brand == brand)));
        assert!(all.iter().any(|one| one.said.is_some()));
        let times = || all.iter().flat_map(|one| &one.times);
        assert!(times().any(|time| time.work) && times().any(|time| !time.work));
        let by_rule = |event: &PastEvent| matches!(event.by, Author::Trigger(_));
        let events = || all.iter().flat_map(|one| &one.events);
        assert!(events().any(by_rule) && !events().all(by_rule));
        assert!((FIRST_CUSTOMER..FIRST_CUSTOMER + 60).any(|id| !notes_on_person(5, id).is_empty()));
        assert!((1..=12).any(|id| !notes_on_company(5, id).is_empty()));
        assert!(notes_on_person(5, 1).is_empty());
    }
}
