//! What a Kayako Classic can hold of a world: facts that it has no place for are gone before anything is served.

use std::collections::HashSet;

use crate::oracle::plain_text;
use crate::world::{
    Author, Channel, Company, Conversation, CustomValue, FieldDefinition, FieldKind, FieldOption,
    FieldOwner, FieldValue, File, Lists, Mail, MailAddress, Message, MessageKind, Person, Role,
    Status, StatusKind, Tag, Team,
};

/// A member of staff who asks something is a user like any other.
const STAFF_AS_USERS: u64 = 500_000_000;
/// The member of staff who does so in made-up worlds.
const ASKING_STAFF: u64 = 10;
/// A status that tickets name and no list has.
pub(crate) const UNLISTED_STATUS: u64 = 66;
/// Options of fields that were a switch.
const YES: u64 = 900_001;
const NO: u64 = 900_002;
/// Numbers of files that were pictures in the text: a message has fewer files than this.
const PICTURES: u64 = 8;
const FILES_PER_MESSAGE: u64 = 16;

/// The lists of a helpdesk.
pub(crate) fn lists(world: &Lists) -> Lists {
    let mut people: Vec<Person> = world.people.iter().map(person).collect();
    let asking = world
        .people
        .iter()
        .filter(|person| person.id == ASKING_STAFF && person.role.is_staff());
    people.extend(asking.map(|staff| {
        person(&Person {
            id: STAFF_AS_USERS + staff.id,
            role: Role::Customer,
            ..staff.clone()
        })
    }));
    let mut statuses = world.statuses.clone();
    statuses.push(Status {
        id: UNLISTED_STATUS,
        label: UNLISTED_STATUS.to_string(),
        kind: StatusKind::Custom,
        deleted: true,
    });
    let mut teams = world.teams.clone();
    if teams.is_empty() {
        teams.push(Team {
            id: 1,
            name: "General".to_owned(),
        });
    }
    Lists {
        companies: world.companies.iter().map(company).collect(),
        people,
        teams,
        mailboxes: Vec::new(),
        statuses,
        priorities: world.priorities.clone(),
        case_types: world.case_types.clone(),
        fields: world.fields.iter().filter_map(field).collect(),
        conversations: Vec::new(),
        knowledge: world.knowledge.clone(),
    }
}

/// One address, one telephone number, one site; whose mails belong to it is not told.
fn company(company: &Company) -> Company {
    let main = company
        .addresses
        .iter()
        .find(|address| address.primary)
        .or(company.addresses.first());
    Company {
        domains: Vec::new(),
        websites: company.websites.iter().take(1).cloned().collect(),
        phones: company.phones.iter().take(1).cloned().collect(),
        addresses: main.cloned().into_iter().collect(),
        custom: Vec::new(),
        ..company.clone()
    }
}

fn person(person: &Person) -> Person {
    let staff = person.role.is_staff();
    let one = |all: &[String]| all.iter().take(1).cloned().collect();
    Person {
        emails: match staff {
            true => one(&person.emails),
            false => person.emails.clone(),
        },
        phones: one(&person.phones),
        twitter: Vec::new(),
        facebook: Vec::new(),
        custom: Vec::new(),
        teams: Vec::new(),
        company: person.company.filter(|_| !staff),
        updated: person.created,
        ..person.clone()
    }
}

/// Only fields of tickets have values that can be read. Numbers are text, a switch is a choice.
fn field(field: &FieldDefinition) -> Option<FieldDefinition> {
    if field.owner != FieldOwner::Conversation {
        return None;
    }
    let mut field = field.clone();
    match field.kind {
        FieldKind::Numeric | FieldKind::Decimal => field.kind = FieldKind::Text,
        FieldKind::YesNo => {
            field.kind = FieldKind::Select;
            field.options = [(YES, "Yes"), (NO, "No")]
                .map(|(id, label)| FieldOption {
                    id,
                    label: label.to_owned(),
                    german: None,
                })
                .to_vec();
        }
        _ => {}
    }
    Some(field)
}

/// A conversation as its ticket; `lists` are those of [`lists`].
pub(crate) fn conversation(lists: &Lists, mut talk: Conversation) -> Conversation {
    let status = lists.statuses.iter().find(|s| s.id == talk.status);
    let over = status.map(|s| matches!(s.kind, StatusKind::Completed | StatusKind::Closed));
    // When it was closed is kept nowhere; it rests since it was last active.
    talk.closed = Some(talk.updated).filter(|_| over == Some(true));
    if find(lists, talk.requester).is_some_and(|person| person.role.is_staff()) {
        talk.requester += STAFF_AS_USERS;
    }
    let of_requester = find(lists, talk.requester).and_then(|person| person.company);
    talk.company = talk.company.or(of_requester);
    talk.team = talk.team.or(lists.teams.first().map(|team| team.id));
    talk.channel = match talk.channel {
        Channel::Twitter | Channel::Facebook | Channel::Other(_) => {
            Channel::Other("api".to_owned())
        }
        known => known,
    };
    talk.tags = tags(&talk.tags);
    talk.rating = None;
    talk.custom = talk
        .custom
        .iter()
        .filter_map(|value| custom(lists, value))
        .collect();
    let messages = std::mem::take(&mut talk.messages).into_iter();
    talk.messages = messages
        .map(|message| held_message(lists, message))
        .collect();
    talk
}

/// Blanks part tags, so no tag has one.
fn tags(tags: &[Tag]) -> Vec<Tag> {
    let mut seen = HashSet::new();
    let words = tags.iter().map(|tag| {
        let name: Vec<&str> = tag.name.split_whitespace().collect();
        Tag {
            id: tag.id,
            name: name.join("_"),
        }
    });
    words
        .filter(|tag| !tag.name.is_empty() && seen.insert(tag.name.clone()))
        .collect()
}

/// Values of fields that are gone are not shown.
fn custom(lists: &Lists, value: &CustomValue) -> Option<CustomValue> {
    let known = lists.fields.iter().any(|field| field.id == value.field);
    let held = match &value.value {
        FieldValue::Number(number) => FieldValue::Text(number.clone()),
        FieldValue::Flag(flag) => FieldValue::Choice(if *flag { YES } else { NO }),
        other => other.clone(),
    };
    let says_nothing = match &held {
        FieldValue::Text(text) => text.trim().is_empty(),
        FieldValue::Choices(all) => all.is_empty(),
        _ => false,
    };
    (known && !says_nothing).then_some(CustomValue {
        field: value.field,
        value: held,
    })
}

fn held_message(lists: &Lists, message: Message) -> Message {
    match message.kind {
        MessageKind::Note { .. } => note(message),
        _ => post(lists, message),
    }
}

/// Notes are plain text without files.
fn note(mut message: Message) -> Message {
    if message.text.is_none() {
        message.text = message.html.as_deref().map(plain_text);
    }
    Message {
        html: None,
        subject: None,
        files: Vec::new(),
        images: Vec::new(),
        ..message
    }
}

/// A post has one text, one recipient, and files; pictures in its text are files too.
fn post(lists: &Lists, mut message: Message) -> Message {
    if let Author::Person(id) = message.author
        && message.incoming
        && find(lists, id).is_some_and(|person| person.role.is_staff())
    {
        message.author = Author::Person(STAFF_AS_USERS + id);
    }
    message.subject = None;
    if message.html.is_some() {
        message.text = None;
    }
    for file in &mut message.files {
        let told = file.content_id.take();
        let names_it = |id: &String| {
            let local = id.split('@').next().unwrap_or_default();
            let name = file.name.as_deref().unwrap_or_default();
            let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
            !local.is_empty() && (local == name || local == stem)
        };
        file.content_id = told.filter(names_it);
    }
    for (image, place) in std::mem::take(&mut message.images)
        .into_iter()
        .zip(PICTURES..)
    {
        let shown = format!("media:{}", image.token);
        let by_file = format!("cid:{}", image.token);
        message.html = message.html.map(|html| html.replace(&shown, &by_file));
        message.files.push(File {
            id: message.id * FILES_PER_MESSAGE + place,
            name: Some(format!("{}.png", image.token)),
            media_type: image.media_type,
            content: image.content,
            content_id: Some(image.token),
            claimed_size: None,
            lost: image.lost,
        });
    }
    let mail = message.mail.take();
    message.mail = mail.map(|mail| held_mail(lists, &message, mail));
    message
}

/// No mailbox, no copies, no headers; what staff writes comes from its own address.
fn held_mail(lists: &Lists, message: &Message, mail: Mail) -> Mail {
    let own = match message.author {
        Author::Person(id) if !message.incoming => find(lists, id).map(|staff| MailAddress {
            name: Some(staff.name.clone()),
            address: staff.emails.first().cloned().unwrap_or_default(),
        }),
        _ => None,
    };
    Mail {
        mailbox: 0,
        from: own.unwrap_or(mail.from),
        to: match message.incoming {
            true => Vec::new(),
            false => mail.to.into_iter().take(1).collect(),
        },
        cc: Vec::new(),
        bcc: Vec::new(),
        headers: None,
        message_id: None,
        in_reply_to: Vec::new(),
        references: Vec::new(),
    }
}

/// A person by number.
pub(crate) fn find(lists: &Lists, id: u64) -> Option<&Person> {
    let place = lists.people.binary_search_by_key(&id, |person| person.id);
    lists.people.get(place.ok()?)
}

/// What customers call a ticket.
pub(crate) fn mask(id: u64) -> String {
    format!("ACM-{:03}-{:05}", id % 1_000, 10_000 + id)
}
