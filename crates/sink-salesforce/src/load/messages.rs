//! Messages: mails as EmailMessage, everything else as the mapping's policy has it.

use std::collections::HashMap;

use deskferry_core::error::Result;
use deskferry_core::journal::Known;
use deskferry_core::key::{RecordId, RecordKey};
use deskferry_core::model::{EmailHeaders, Message, MessageFile, Record};
use deskferry_core::sink::{Loaded, Outcome, Verdict};

use super::files::{DOCUMENT, OBJECT as VERSION, case_of};
use super::people::People;
use super::{
    Collections, Identity, Landed, Lookup, Outgoing, Run, agents, calls, comments, mails, outcome,
    rows, strange, verdict,
};
use crate::mapping::Route;
use crate::mapping::facts::file_name;

/// What the messages of a batch refer to.
pub(crate) struct Surroundings {
    cases: Lookup,
    files: Lookup,
    authors: Lookup,
    pub(crate) people: People,
    answered: HashMap<RecordId, Known>,
    /// The contacts of the cases that have calls.
    called: HashMap<String, String>,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownFile {
    pub(crate) name: String,
    pub(crate) state: ShownState,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ShownState {
    /// It stands: version, document.
    Stands(String, Option<String>),
    /// It could not come: `empty` or `unavailable`.
    Missing(&'static str),
}

impl Surroundings {
    pub(crate) async fn of(run: &Run<'_>) -> Result<Self> {
        let messages: Vec<&Message> = run
            .batch
            .records
            .iter()
            .map(message)
            .collect::<Result<_>>()?;
        let cases = run.look(messages.iter().map(|m| &m.conversation)).await?;
        let files = run
            .look(messages.iter().flat_map(|m| &m.files).map(|f| &f.key))
            .await?;
        let authors = run
            .look(messages.iter().filter_map(|m| m.author.key.as_ref()))
            .await?;
        let mails = messages
            .iter()
            .filter(|m| run.mapping.route(m) == Route::Mail)
            .filter_map(|m| m.email.as_ref());
        let people = People::of(run, mails.flat_map(addresses)).await?;
        let parents: Vec<RecordId> = run
            .batch
            .records
            .iter()
            .filter_map(|loaded| loaded.parent)
            .collect();
        let answered = parents
            .iter()
            .copied()
            .zip(run.journal().rows(&parents).await?)
            .collect();
        let mut around = Self {
            cases,
            files,
            authors,
            people,
            answered,
            called: HashMap::new(),
        };
        around.called = calls::contacts(run, &around).await?;
        Ok(around)
    }

    /// The contact of a case that has calls.
    pub(super) fn contact_of(&self, case: &str) -> Option<&str> {
        self.called.get(case).map(String::as_str)
    }

    pub(crate) fn case(&self, message: &Message) -> Result<String, Verdict> {
        case_of(&self.cases, &message.conversation)
    }

    /// The author's user, if the author is one.
    pub(crate) fn author(&self, message: &Message) -> Option<&str> {
        message
            .author
            .key
            .as_ref()
            .and_then(|key| agents::identity(self.authors.get(key)))
    }

    /// The author's contact, if the author is one.
    pub(crate) fn contact(&self, message: &Message) -> Option<&str> {
        let key = message.author.key.as_ref()?;
        self.authors.get(key).id_of("Contact")
    }

    /// The row of a mail's sender, if the address is that row's.
    pub(crate) fn sender(&self, message: &Message) -> Option<&str> {
        let author = self.authors.get(message.author.key.as_ref()?);
        let from = message.email.as_ref()?.from.as_ref()?;
        self.people.sender(&from.address, author)
    }

    /// What is known of the message that this one answers.
    pub(crate) fn answered(&self, loaded: &Loaded) -> Option<&Known> {
        loaded.parent.and_then(|parent| self.answered.get(&parent))
    }

    /// The files of a message, each with what became of it; a verdict when one is still under way.
    pub(crate) fn files(&self, message: &Message) -> Result<Vec<ShownFile>, Verdict> {
        message.files.iter().map(|file| self.file(file)).collect()
    }

    fn file(&self, file: &MessageFile) -> Result<ShownFile, Verdict> {
        shown_file(&self.files, file)
    }
}

/// What became of a file; a verdict when it is still under way.
pub(super) fn shown_file(files: &Lookup, file: &MessageFile) -> Result<ShownFile, Verdict> {
    let known = files.get(&file.key);
    let state = match (known.id_of(VERSION), known) {
        (Some(version), _) => {
            ShownState::Stands(version.to_owned(), known.id_of(DOCUMENT).map(str::to_owned))
        }
        (None, Known::Pending { .. }) => return Err(Verdict::Held("file-pending".into())),
        (
            None,
            Known::Settled {
                verdict: Verdict::Skipped(why),
                ..
            },
        ) if why == "empty-file" => ShownState::Missing("empty"),
        (None, _) => ShownState::Missing("unavailable"),
    };
    Ok(ShownFile {
        name: file_name(&file.name, None, file.key.id()),
        state,
    })
}

fn addresses(mail: &EmailHeaders) -> impl Iterator<Item = &str> {
    let all = mail
        .from
        .iter()
        .chain(&mail.to)
        .chain(&mail.cc)
        .chain(&mail.bcc);
    all.map(|address| address.address.as_str())
}

pub(crate) fn message(loaded: &Loaded) -> Result<&Message> {
    match &loaded.record {
        Record::Message(message) => Ok(message),
        _ => Err(strange(loaded, "messages")),
    }
}

pub(crate) async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let around = Surroundings::of(run).await?;
    let mut verdicts: HashMap<(RecordId, u32), Verdict> = HashMap::new();
    let overflows = mails::write_overflows(run, &around, &mut verdicts).await?;
    let (mut mail_rows, mut comment_rows, mut other_rows) = (Vec::new(), Vec::new(), Vec::new());
    let (mut call_rows, mut post_rows) = (Vec::new(), Vec::new());
    for loaded in &run.batch.records {
        if verdicts.contains_key(&(loaded.id, loaded.part)) {
            continue;
        }
        let message = message(loaded)?;
        let planned = match run.mapping.route(message) {
            Route::Mail => {
                let document = overflows.get(&(loaded.id, loaded.part)).map(String::as_str);
                mails::row(run, &around, loaded, message, document)?.map(|row| mail_rows.push(row))
            }
            Route::Row => rows::row(run, &around, loaded, message)?.map(|row| other_rows.push(row)),
            Route::Task => {
                calls::row(run, &around, loaded, message)?.map(|row| call_rows.push(row))
            }
            Route::Comment => comments::rows(run, &around, loaded, message, comments::OBJECT)?
                .map(|rows| comment_rows.extend(rows)),
            Route::Post => comments::rows(run, &around, loaded, message, comments::POST)?
                .map(|rows| post_rows.extend(rows)),
        };
        if let Err(verdict) = planned {
            verdicts.insert((loaded.id, loaded.part), verdict);
        }
    }
    let mut landed = write_rows(run, mail_rows, Identity::Key).await?;
    landed.extend(write_rows(run, other_rows, Identity::Key).await?);
    landed.extend(write_rows(run, call_rows, Identity::Task).await?);
    landed.extend(write_rows(run, comment_rows, Identity::Comment).await?);
    landed.extend(write_rows(run, post_rows, Identity::Comment).await?);
    let outcomes = run.batch.records.iter().map(|loaded| {
        let place = (loaded.id, loaded.part);
        let verdict = verdicts
            .remove(&place)
            .unwrap_or_else(|| verdict(landed.remove(&place).into_iter().flatten()));
        outcome(loaded, verdict)
    });
    Ok(outcomes.collect())
}

/// Writes rows and gathers what became of them by record and part.
async fn write_rows(
    run: &Run<'_>,
    rows: Vec<Outgoing>,
    identity: Identity,
) -> Result<HashMap<(RecordId, u32), Vec<Landed>>> {
    let places: Vec<(RecordId, u32)> = rows.iter().map(|row| (row.record, row.row >> 8)).collect();
    let mut landed: HashMap<(RecordId, u32), Vec<Landed>> = HashMap::new();
    for (place, row) in places
        .into_iter()
        .zip(run.write(rows, &Collections(run.api), identity).await?)
    {
        landed.entry(place).or_default().push(row);
    }
    Ok(landed)
}

/// The key of a message's row, for files that belong to it alone.
pub(crate) fn key_of(message: &Message, loaded: &Loaded) -> RecordKey {
    let key = message.meta.key.row(loaded.part);
    RecordKey::parse(&key).unwrap_or_else(|_| message.meta.key.clone())
}
