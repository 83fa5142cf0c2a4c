//! What a Trengo workspace can hold of a world: facts that it has no place for are gone before anything is served.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::clock;
use crate::world::{
    Author, Channel, Conversation, ConversationState, CustomValue, FieldDefinition, FieldKind,
    FieldOption, FieldOwner, FieldValue, Handle, Lists, Message, MessageKind, Person, Role, Status,
    StatusKind,
};

/// Ids of statuses.
pub(crate) mod status {
    pub(crate) const OPEN: u64 = 1;
    pub(crate) const ASSIGNED: u64 = 2;
    pub(crate) const CLOSED: u64 = 3;
    pub(crate) const INVALID: u64 = 4;
}

/// The field that stands for why a ticket was closed.
pub(crate) const RESULTS: u64 = 900;
/// Options of that field begin here: the case types of the world.
const FIRST_RESULT: u64 = 9_000;
/// A member of staff who asks something is a contact like any other.
const STAFF_AS_CONTACTS: u64 = 500_000_000;
/// The member of staff who does so in made-up worlds.
const ASKING_STAFF: u64 = 10;
/// How far apart the contacts of one person are numbered.
const NEXT_CONTACT: u64 = 1_000_000_000;
/// Mails with more text than this are shown shortened by lists.
const LONGEST_SHOWN: usize = 1_500;

/// One way by which a person is reached: a contact of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Mail(String),
    Phone(String),
    Twitter(Handle),
    Facebook(Handle),
    /// A visitor of the chat who gave no address.
    Nothing,
}

/// The contacts of a person with their numbers; the first one has the person's own. Several are tied together by a
/// profile of that number.
pub(crate) fn contacts(person: &Person) -> Vec<(u64, Way)> {
    let mut ways: Vec<Way> = Vec::new();
    ways.extend(person.emails.iter().cloned().map(Way::Mail));
    ways.extend(person.phones.iter().cloned().map(Way::Phone));
    ways.extend(person.twitter.iter().cloned().map(Way::Twitter));
    ways.extend(person.facebook.iter().cloned().map(Way::Facebook));
    if ways.is_empty() {
        ways.push(Way::Nothing);
    }
    let numbers = (0_u64..).map(|place| person.id + place * NEXT_CONTACT);
    numbers.zip(ways).collect()
}

/// The person whose contact this is.
pub(crate) fn person_of(contact: u64) -> u64 {
    contact % NEXT_CONTACT
}

/// The lists of a workspace.
pub(crate) fn lists(world: &Lists) -> Lists {
    let mut people: Vec<Person> = world.people.iter().map(person).collect();
    people.extend(
        world
            .people
            .iter()
            .filter(|person| person.id == ASKING_STAFF && person.role.is_staff())
            .map(as_contact),
    );
    Lists {
        companies: Vec::new(),
        people,
        teams: world.teams.clone(),
        mailboxes: world.mailboxes.clone(),
        statuses: statuses(),
        priorities: Vec::new(),
        case_types: Vec::new(),
        fields: fields(world),
        conversations: Vec::new(),
        knowledge: world.knowledge.clone(),
    }
}

fn person(person: &Person) -> Person {
    if person.role.is_staff() {
        return person.clone();
    }
    Person {
        title: None,
        company: None,
        enabled: true,
        ..person.clone()
    }
}

fn as_contact(staff: &Person) -> Person {
    Person {
        id: STAFF_AS_CONTACTS + staff.id,
        role: Role::Customer,
        teams: Vec::new(),
        ..person(&Person {
            role: Role::Customer,
            ..staff.clone()
        })
    }
}

fn statuses() -> Vec<Status> {
    [
        (status::OPEN, "OPEN", StatusKind::Open),
        (status::ASSIGNED, "ASSIGNED", StatusKind::Open),
        (status::CLOSED, "CLOSED", StatusKind::Closed),
        // Spam is over.
        (status::INVALID, "INVALID", StatusKind::Closed),
    ]
    .into_iter()
    .map(|(id, label, kind)| Status {
        id,
        label: label.to_owned(),
        kind,
        deleted: false,
    })
    .collect()
}

/// Companies have no fields here; why a ticket was closed is a list of its own that reads like a field.
fn fields(world: &Lists) -> Vec<FieldDefinition> {
    let mut fields: Vec<FieldDefinition> = world
        .fields
        .iter()
        .filter(|field| field.owner != FieldOwner::Company)
        .cloned()
        .collect();
    fields.push(FieldDefinition {
        id: RESULTS,
        owner: FieldOwner::Conversation,
        key: "results".to_owned(),
        title: "Results".to_owned(),
        kind: FieldKind::Checkbox,
        options: world
            .case_types
            .iter()
            .map(|kind| FieldOption {
                id: FIRST_RESULT + kind.id,
                label: kind.label.clone(),
                german: None,
            })
            .collect(),
    });
    fields
}

/// A conversation as its ticket; `lists` are those of [`lists`].
pub(crate) fn conversation(lists: &Lists, mut talk: Conversation) -> Conversation {
    let was_closed = talk.closed.is_some();
    let spam = talk.state == ConversationState::Suspended;
    talk.status = match (spam, was_closed, talk.assignee) {
        (true, ..) => status::INVALID,
        (_, true, _) => status::CLOSED,
        (_, _, Some(_)) => status::ASSIGNED,
        (_, _, None) => status::OPEN,
    };
    talk.closed = talk.closed.filter(|_| talk.status == status::CLOSED);
    talk.custom = custom(lists, &talk);
    talk.priority = None;
    talk.case_type = None;
    talk.rating = None;
    talk.company = None;
    if talk.channel == Channel::Note {
        talk.channel = Channel::Mail;
    }
    if !matches!(talk.channel, Channel::Mail | Channel::HelpCentre) {
        talk.subject = String::new();
    }
    let asked_by_staff = find(lists, talk.requester).is_some_and(|person| person.role.is_staff());
    if asked_by_staff {
        talk.requester += STAFF_AS_CONTACTS;
    }
    talk.messages = std::mem::take(&mut talk.messages)
        .into_iter()
        .filter(|message| !message.is_elsewhere())
        .map(|message| held_message(message, asked_by_staff))
        .collect();
    as_the_clock_shows(&mut talk);
    talk
}

fn find(lists: &Lists, id: u64) -> Option<&Person> {
    let place = lists
        .people
        .binary_search_by_key(&id, |person| person.id)
        .ok()?;
    lists.people.get(place)
}

fn custom(lists: &Lists, talk: &Conversation) -> Vec<CustomValue> {
    let definitions: HashMap<u64, &FieldDefinition> =
        lists.fields.iter().map(|field| (field.id, field)).collect();
    let known = |value: &CustomValue| {
        let Some(field) = definitions.get(&value.field) else {
            return false;
        };
        let has = |id: &u64| field.options.iter().any(|option| option.id == *id);
        match &value.value {
            FieldValue::Choice(id) => has(id),
            FieldValue::Choices(ids) => ids.iter().all(has),
            _ => true,
        }
    };
    let mut values: Vec<CustomValue> = talk.custom.iter().filter(|v| known(v)).cloned().collect();
    let result = talk.case_type.filter(|_| talk.status == status::CLOSED);
    values.extend(
        result
            .map(|result| CustomValue {
                field: RESULTS,
                value: FieldValue::Choices(vec![FIRST_RESULT + result]),
            })
            .filter(known),
    );
    values
}

fn held_message(mut message: Message, asked_by_staff: bool) -> Message {
    if asked_by_staff
        && message.incoming
        && let Author::Person(id) = message.author
        && message.by_requester
    {
        message.author = Author::Person(STAFF_AS_CONTACTS + id);
    }
    // One text, unless the mail is read in full.
    if !is_collapsed(&message) && message.html.is_some() {
        message.text = None;
    }
    if message.mail.is_none() {
        message.subject = None;
    }
    message
}

/// Whether lists show the mail shortened: it is long, or quotes what was said before.
pub(crate) fn is_collapsed(message: &Message) -> bool {
    let length = message.html.as_ref().or(message.text.as_ref());
    let quotes = message
        .html
        .as_ref()
        .is_some_and(|html| html.contains("<blockquote"));
    message.mail.is_some() && (quotes || length.is_some_and(|text| text.len() > LONGEST_SHOWN))
}

/// Times as a reader of the clock understands them: an hour a year is shown twice, and means the first one unless the message
/// before was later.
fn as_the_clock_shows(talk: &mut Conversation) {
    let mut by_id: Vec<usize> = (0..talk.messages.len()).collect();
    by_id.sort_by_key(|place| talk.messages[*place].id);
    let mut before: Option<DateTime<Utc>> = None;
    for place in by_id {
        let sent = talk.messages[place].sent;
        let first = clock::first_reading(sent);
        let known = match before {
            Some(before) if first < before && sent >= before => sent,
            _ => first,
        };
        talk.messages[place].sent = known;
        before = Some(known);
    }
    talk.created = clock::first_reading(talk.created);
    talk.updated = clock::first_reading(talk.updated);
    talk.closed = talk.closed.map(clock::first_reading);
}

/// Whether a message is said by nobody of the workspace: what agents do not write and customers neither.
pub(crate) fn is_note(message: &Message) -> bool {
    matches!(message.kind, MessageKind::Note { .. })
}
