//! What records name by key alone: the names of authors, the companies of requesters, agents and teams of conversations.

use crate::key::RecordKey;
use crate::model::Record;
use crate::sink::Related;

/// The people and teams that a record names.
pub(crate) fn named_by(record: &Record) -> impl Iterator<Item = &RecordKey> {
    let keys = match record {
        Record::Message(m) => [m.author.key.as_ref(), None, None],
        Record::Article(a) => [a.author.as_ref(), None, None],
        Record::AgentStatistics(s) => [Some(&s.agent), None, None],
        Record::Conversation(c) => [c.requester.as_ref(), c.assignee.as_ref(), c.team.as_ref()],
        _ => [None; 3],
    };
    let lists: [&[RecordKey]; 2] = match record {
        Record::Conversation(c) => [&c.also_assigned, &c.also_teams],
        _ => [&[], &[]],
    };
    keys.into_iter()
        .flatten()
        .chain(lists.into_iter().flatten())
}

/// Fills in what the source left to its people: the author's name, the requester's first company.
pub(crate) fn fill(record: &mut Record, related: &Related) {
    match record {
        Record::Message(m) if m.author.name.trim().is_empty() => {
            match m.author.key.as_ref().and_then(|key| related.get(key)) {
                Some(Record::Contact(person)) => m.author.name.clone_from(&person.name),
                Some(Record::Agent(person)) => m.author.name.clone_from(&person.name),
                _ => {}
            }
        }
        Record::Conversation(c) if c.account.is_none() => {
            if let Some(Record::Contact(person)) =
                c.requester.as_ref().and_then(|key| related.get(key))
            {
                c.account = person.accounts.first().cloned();
            }
        }
        _ => {}
    }
}
