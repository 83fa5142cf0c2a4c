//! One ticket with its messages, read as a whole: what is counted and computed of them goes into its first record.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deskferry_core::model::{Figures, InventoryItem, Record};
use deskferry_core::source::{Reject, Skip};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, RecordKind, Result};
use serde_json::Value;

use super::setup::Setup;
use super::{Trengo, needed};
use crate::client::MESSAGES;
use crate::config::Take;
use crate::convert::{self, Ground, Joined, Kind, Outline, Place, Talk};
use crate::wire::{Defect, Moment, Row};

/// A ticket has no more pages of messages than this.
const MOST_PAGES: u64 = 100_000;

/// What became of a ticket of the list.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) records: Vec<Record>,
    pub(super) rejects: Vec<Reject>,
    pub(super) skips: Vec<Skip>,
    pub(super) notes: Vec<String>,
    pub(super) complete: Option<RecordKey>,
    /// It was gone when it was asked for.
    pub(super) vanished: Option<u64>,
    /// How many requests it took.
    pub(super) requests: u64,
    /// People whom no list may have: by key, with what a row says of them.
    pub(super) contacts: BTreeMap<RecordKey, Value>,
    pub(super) agents: BTreeMap<u64, Option<Value>>,
    pub(super) teams: BTreeMap<u64, Option<Value>>,
    /// Rules that its audits name.
    pub(super) rules: Vec<InventoryItem>,
}

/// What all tickets of a page share.
pub(super) struct Desk<'a> {
    pub(super) setup: &'a Setup,
    pub(super) joined: &'a Joined,
}

impl Trengo {
    /// Reads a ticket that a list showed. `alone` says that `row` is the ticket itself already.
    pub(super) async fn read_ticket(
        &self,
        cx: &Context,
        desk: &Desk<'_>,
        row: &Value,
        alone: bool,
    ) -> Result<Read> {
        let ground = &desk.setup.ground;
        let mut read = Read::default();
        let outline = match Outline::of(ground, Row(row)) {
            Ok(outline) => outline,
            Err(defect) => {
                let reject = convert::reject(RecordKind::Conversation, defect, row);
                read.rejects.push(reject);
                return Ok(read);
            }
        };
        let key = ground.key(RecordKind::Conversation, outline.id);
        let spam = outline.is_spam() && self.config.spam() == Take::Skip;
        let mut detail = alone.then(|| row.clone());
        if !spam && !alone && convert::asks_for_detail(ground, Row(row)).is_some() {
            detail = self.client.ticket(cx, outline.id, key.clone()).await?;
            needed(cx, "ticket", 1, 1);
            read.requests += 1;
            if detail.is_none() {
                return Ok(self.vanished(desk, &outline, Row(row)));
            }
        }
        let messages = match spam {
            true => Vec::new(),
            false => match self.messages(cx, outline.id, &key).await? {
                Some(messages) => {
                    read.requests += messages.len().div_ceil(MESSAGES).max(1) as u64;
                    messages
                }
                None => return Ok(self.vanished(desk, &outline, Row(row))),
            },
        };
        let first = self
            .add_messages(
                cx,
                desk,
                &outline,
                Row(row),
                detail.as_ref(),
                messages,
                &mut read,
            )
            .await?;
        let requester = self.requester(desk, Row(row), detail.as_ref().map(Row), &mut read);
        let (talk, first) = first;
        let best = detail.as_ref().map(Row);
        let made = convert::conversation(ground, Row(row), best, requester, talk, first);
        match made {
            Ok(conversation) => {
                let mut record = Record::from(conversation);
                self.keep_raw(&mut record, detail.as_ref().unwrap_or(row));
                read.records.push(record);
                if spam {
                    read.skips.push(Skip {
                        key: key.clone(),
                        reason: "spam".to_owned(),
                    });
                }
                read.complete = Some(key);
            }
            Err(defect) => {
                // Without its ticket nothing of it has a place.
                let reject = convert::reject(RecordKind::Conversation, defect, row);
                let mut bare = Read::default();
                bare.rejects.push(reject);
                return Ok(bare);
            }
        }
        self.strangers(desk, Row(row), detail.as_ref().map(Row), &mut read);
        if let Some(detail) = &detail {
            read.rules = convert::rules(ground, Row(detail));
        }
        Ok(read)
    }

    /// A ticket that was listed, and gone when it was asked for: its row is all that is left, and no target shall load it.
    fn vanished(&self, desk: &Desk<'_>, outline: &Outline, row: Row<'_>) -> Read {
        let ground = &desk.setup.ground;
        let mut read = Read {
            vanished: Some(outline.id),
            requests: 1,
            ..Read::default()
        };
        read.notes.push(format!(
            "ticket {} was listed, and gone when it was asked for: deleted, or merged into another one that has its messages",
            outline.id
        ));
        let requester = self.requester(desk, row, None, &mut read);
        match convert::conversation(ground, row, None, requester, Talk::default(), None) {
            Ok(mut conversation) => {
                // Nothing of it was counted.
                conversation.figures = Figures::default();
                let key = conversation.meta.key.clone();
                read.skips.push(Skip {
                    key: key.clone(),
                    reason: "vanished".to_owned(),
                });
                read.complete = Some(key);
                read.records.push(Record::from(conversation));
            }
            Err(defect) => {
                let reject = convert::reject(RecordKind::Conversation, defect, row.0);
                read.rejects.push(reject);
            }
        }
        read
    }

    /// All messages of a ticket, each once. None when it is gone.
    async fn messages(
        &self,
        cx: &Context,
        ticket: u64,
        key: &RecordKey,
    ) -> Result<Option<Vec<Value>>> {
        const LIST: &str = "list messages";
        let mut found: BTreeMap<u64, Value> = BTreeMap::new();
        let mut broken = Vec::new();
        for number in 1..=MOST_PAGES {
            let page = self
                .client
                .messages(cx, ticket, number, key.clone())
                .await?;
            let Some(page) = page else {
                return Ok(None);
            };
            let before = found.len() + broken.len();
            let rows = page.rows.len();
            for row in page.rows {
                match Row(&row).id() {
                    Ok(id) => {
                        found.insert(id, row);
                    }
                    Err(_) if !broken.contains(&row) => broken.push(row),
                    Err(_) => {}
                }
            }
            if !page.more {
                broken.extend(found.into_values());
                needed(cx, "messages", broken.len().div_ceil(MESSAGES).max(1), 1);
                return Ok(Some(broken));
            }
            if rows > 0 && found.len() + broken.len() == before {
                break;
            }
        }
        Err(
            Error::new(ErrorKind::Protocol, LIST, "a page of messages came twice")
                .of(key.clone())
                .advise("Reading on would never end; run `resume` to read on from this ticket"),
        )
    }

    /// Converts the messages of a ticket; answers what they tell of it, and when the first was said.
    #[expect(
        clippy::too_many_arguments,
        reason = "a ticket is made of these, and they are needed nowhere else together"
    )]
    async fn add_messages(
        &self,
        cx: &Context,
        desk: &Desk<'_>,
        outline: &Outline,
        row: Row<'_>,
        detail: Option<&Value>,
        messages: Vec<Value>,
        read: &mut Read,
    ) -> Result<(Talk, Option<DateTime<Utc>>)> {
        let ground = &desk.setup.ground;
        let channel = convert::channel(ground, row, detail.map(Row));
        let place = Place {
            ground,
            joined: desk.joined,
            profiles: self.config.profiles(),
            ticket: outline.id,
            conversation: ground.key(RecordKind::Conversation, outline.id),
            channel: &channel,
            contact: row.object("contact"),
        };
        let dated = in_order(desk, messages, read);
        let mut talk = Talk::default();
        let first = dated.first().map(|(sent, _)| *sent);
        for (sent, message) in &dated {
            let one = Row(message);
            let kind = Kind::of(one);
            let full = self.full_mail(cx, ground, outline.id, one, read).await?;
            let made = convert::message(&place, one, *sent, full.as_ref().map(Row));
            let converted = match made {
                Ok(converted) => converted,
                Err(defect) => {
                    let reject = convert::reject(RecordKind::Message, defect, message);
                    read.rejects.push(reject);
                    continue;
                }
            };
            if converted.is_event {
                if self.config.events() == Take::Skip {
                    read.skips.push(Skip {
                        key: converted.message.meta.key.clone(),
                        reason: "event".to_owned(),
                    });
                }
            } else {
                let answers = kind == Kind::Out && converted.message.author.key.is_some();
                talk.add(*sent, kind == Kind::In, answers);
            }
            if kind == Kind::In
                && let (Some(key), Some(contact)) =
                    (&converted.message.author.key, one.object("contact"))
            {
                read.contacts
                    .entry(key.clone())
                    .or_insert(contact.0.clone());
            }
            if let Some(agent) = one.object("agent").or_else(|| one.object("user"))
                && let Ok(id) = agent.id()
            {
                note_user(desk, read, id, Some(agent));
            } else if let Some(id) = one.reference("user_id").filter(|_| kind != Kind::In) {
                note_user(desk, read, id, None);
            }
            for attachment in converted.attachments {
                let known = |record: &Record| *record.key() == attachment.meta.key;
                if !read.records.iter().any(known) {
                    read.records.push(Record::from(attachment));
                }
            }
            let mut record = Record::from(converted.message);
            self.keep_raw(&mut record, message);
            read.records.push(record);
            read.rejects.extend(converted.rejects);
        }
        Ok((talk, first))
    }

    /// A mail in full, where the list shows it shortened.
    async fn full_mail(
        &self,
        cx: &Context,
        ground: &Ground,
        ticket: u64,
        row: Row<'_>,
        read: &mut Read,
    ) -> Result<Option<Value>> {
        let collapsed = row
            .object("email_message")
            .is_some_and(|mail| mail.flag("collapsed") == Some(true));
        let (true, true, Ok(id)) = (collapsed, self.config.full_mail(), row.id()) else {
            return Ok(None);
        };
        let about = ground.key(RecordKind::Message, id);
        needed(cx, "mails", 1, 1);
        read.requests += 1;
        match self.client.mail(cx, ticket, id, about.clone()).await {
            Ok(Some(full)) => Ok(Some(full)),
            Ok(None) => {
                read.notes.push(format!(
                    "{about}: its mail cannot be had in full; what the list shows of it is kept"
                ));
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Forbidden => {
                read.notes.push(format!(
                    "{about}: the token's user may not read its mail in full; what the list shows of it is kept"
                ));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Who asked, by the contact of the ticket.
    fn requester(
        &self,
        desk: &Desk<'_>,
        row: Row<'_>,
        detail: Option<Row<'_>>,
        read: &mut Read,
    ) -> Option<RecordKey> {
        let contact = row
            .object("contact")
            .or_else(|| detail.and_then(|detail| detail.object("contact")));
        let id = row
            .reference("contact_id")
            .or_else(|| contact.and_then(|contact| contact.id().ok()))?;
        let key = convert::person_key(&desk.setup.ground, desk.joined, self.config.profiles(), id);
        if let Some(contact) = contact {
            read.contacts
                .entry(key.clone())
                .or_insert(contact.0.clone());
        }
        Some(key)
    }

    /// Users and teams that the ticket names and no list has.
    fn strangers(&self, desk: &Desk<'_>, row: Row<'_>, detail: Option<Row<'_>>, read: &mut Read) {
        let best = detail.unwrap_or(row);
        if let Some(id) = best
            .reference("user_id")
            .or_else(|| row.reference("user_id"))
        {
            let named = best.object("agent").or_else(|| best.object("assignee"));
            let named = named.filter(|agent| agent.id() == Ok(id));
            note_user(desk, read, id, named);
        }
        if let Some(id) = best
            .reference("team_id")
            .or_else(|| row.reference("team_id"))
            && !desk.setup.ground.teams.contains(&id)
        {
            let named = best.object("team").map(|team| team.0.clone());
            read.teams.insert(id, named);
        }
    }
}

fn note_user(desk: &Desk<'_>, read: &mut Read, id: u64, named: Option<Row<'_>>) {
    if desk.setup.ground.users.contains(&id) {
        return;
    }
    let known = read.agents.entry(id).or_default();
    if known.is_none() {
        *known = named.map(|row| row.0.clone());
    }
}

/// Messages by number with their times, oldest first. A message without a time has no place.
///
/// Of the hour that a clock shows twice a message is said in the first one, unless the message before was said later.
fn in_order(desk: &Desk<'_>, messages: Vec<Value>, read: &mut Read) -> Vec<(DateTime<Utc>, Value)> {
    let zone = desk.setup.ground.zone;
    let mut dated: Vec<(DateTime<Utc>, u64, Value)> = Vec::with_capacity(messages.len());
    let mut before: Option<DateTime<Utc>> = None;
    for message in messages {
        let row = Row(&message);
        let moment = row.id().and_then(|id| {
            // Seconds since 1970 leave no choice, where a row has them.
            let epoch = row.time("created_at_time", zone).ok().flatten();
            if let (Some(epoch), Ok(Some(face))) = (epoch, row.time("created_at", zone))
                && !face.may_be(epoch.plain())
            {
                let note = format!(
                    "times without a zone are not those of {}, as a time that leaves no choice shows: set time_zone and read again",
                    zone.name()
                );
                if !read.notes.contains(&note) {
                    read.notes.push(note);
                }
            }
            let moment = match epoch {
                Some(epoch) => Some(epoch),
                None => row.time("created_at", zone)?,
            };
            let missing = || {
                Defect::new(
                    "created_at",
                    "a message without a time has no place in its ticket",
                )
            };
            Ok((id, moment.ok_or_else(missing)?))
        });
        match moment {
            Ok((id, moment)) => {
                let sent = before
                    .map_or_else(|| Moment::plain(moment), |before| moment.not_before(before));
                before = Some(sent);
                dated.push((sent, id, message));
            }
            Err(defect) => {
                let reject = convert::reject(RecordKind::Message, defect, &message);
                read.rejects.push(reject);
            }
        }
    }
    dated.sort_by_key(|(sent, id, _)| (*sent, *id));
    dated
        .into_iter()
        .map(|(sent, _, row)| (sent, row))
        .collect()
}
