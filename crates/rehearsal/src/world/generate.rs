//! The cast of a generated world, from which each conversation is made when it is asked for.

use super::dice::Dice;
use super::model::{Company, Mailbox, Person};
use super::people::{FIRST_CUSTOMER, customer};

/// Everybody who can take part, borrowed from the world.
#[derive(Debug)]
pub(crate) struct Cast<'a> {
    pub(crate) seed: u64,
    pub(crate) conversations: u64,
    pub(crate) hostile: bool,
    pub(crate) people: &'a [Person],
    pub(crate) companies: &'a [Company],
    pub(crate) mailboxes: &'a [Mailbox],
}

impl<'a> Cast<'a> {
    /// A person by id; the first one, if there is none of this id.
    pub(crate) fn person(&self, id: u64) -> &'a Person {
        let place = self
            .people
            .binary_search_by_key(&id, |person| person.id)
            .unwrap_or(0);
        &self.people[place]
    }

    /// A customer by place.
    pub(crate) fn customer(&self, place: u64) -> &'a Person {
        self.person(FIRST_CUSTOMER + place)
    }

    /// A customer with nothing special.
    pub(crate) fn usual_customer(&self, dice: &mut Dice) -> &'a Person {
        let last = self
            .people
            .last()
            .map_or(FIRST_CUSTOMER, |person| person.id);
        let usual = (last + 1)
            .saturating_sub(FIRST_CUSTOMER + customer::SPECIAL)
            .max(1);
        self.customer(customer::SPECIAL + dice.below(usual))
    }

    pub(crate) fn mailbox(&self, index: u64) -> &'a Mailbox {
        &self.mailboxes[usize::try_from(index % self.mailboxes.len() as u64).unwrap_or(0)]
    }
}
