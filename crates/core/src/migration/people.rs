//! Joining what a source says by a person's key alone: the names of authors, the companies of requesters.

use std::collections::HashMap;

use crate::error::Result;
use crate::key::RecordKey;
use crate::model::Record;
use crate::stage::Stage;

/// What is known of a person.
struct Person {
    name: String,
    account: Option<RecordKey>,
}

/// Fills in authors' names and requesters' companies from the people that were read.
pub(super) async fn join_people(stage: &Stage, records: &mut [Record]) -> Result<()> {
    let mut keys: Vec<RecordKey> = records.iter().filter_map(asks_for).cloned().collect();
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return Ok(());
    }
    let people = people(stage, &keys).await?;
    for record in records {
        let person = asks_for(record).and_then(|key| people.get(key));
        match (record, person) {
            (Record::Message(m), Some(person)) => m.author.name.clone_from(&person.name),
            (Record::Conversation(c), Some(person)) => c.account.clone_from(&person.account),
            _ => {}
        }
    }
    Ok(())
}

/// The person whom a record needs to be joined with.
fn asks_for(record: &Record) -> Option<&RecordKey> {
    match record {
        Record::Message(m) if m.author.name.trim().is_empty() => m.author.key.as_ref(),
        Record::Conversation(c) if c.account.is_none() => c.requester.as_ref(),
        _ => None,
    }
}

async fn people(stage: &Stage, keys: &[RecordKey]) -> Result<HashMap<RecordKey, Person>> {
    let found = stage.index().find(keys).await?;
    let ids: Vec<_> = found.into_iter().flatten().collect();
    let people = stage.records(&stage.index().rows(&ids).await?).await?;
    Ok(people
        .into_iter()
        .filter_map(|person| match person {
            Record::Contact(c) => {
                let account = c.accounts.first().cloned();
                Some((
                    c.meta.key,
                    Person {
                        name: c.name,
                        account,
                    },
                ))
            }
            Record::Agent(a) => Some((
                a.meta.key,
                Person {
                    name: a.name,
                    account: None,
                },
            )),
            _ => None,
        })
        .collect())
}
