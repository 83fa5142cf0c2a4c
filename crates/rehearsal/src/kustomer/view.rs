//! A world as Kustomer can hold it. What has no place there is taken out here, once, for the stand-in and for the oracle.
//!
//! * A conversation belongs to a customer: what staff asked is asked by a customer of the same name and address.
//! * Conversations have no company and no type of their own; customers have no job title.
//! * Whatever is no mail has one text, of at most 10,240 characters (Kustomer reference, sections 3.3 and 3.4).
//! * A mail's own address list, Message-ID and In-Reply-To are known, its other headers are not.
//! * Files carry no content id, so pictures of a text are files beside it.
//! * An incoming message was written by the conversation's customer: nobody else is named.

use chrono::{DateTime, TimeDelta, Utc};

use crate::oracle::plain_text;
use crate::world::{
    Author, Channel, Conversation, File, Lists, Message, MessageKind, Person, PostalAddress, Role,
};

/// Customers who stand for members of staff are numbered from here.
const SHADOWS: u64 = 10_000_000;
/// Pictures of texts become files, numbered from here.
const PICTURES: u64 = 1 << 56;
const PICTURES_PER_MESSAGE: u64 = 64;
/// The longest text of a message that is no mail, in characters.
pub(crate) const LONGEST_TEXT: usize = 10_240;

/// Staff, customers, and a customer for each member of staff; companies with their main address first.
pub(crate) fn lists(lists: &Lists) -> Lists {
    let mut seen = Lists {
        conversations: Vec::new(),
        ..lists.clone()
    };
    let shadows: Vec<Person> = lists
        .people
        .iter()
        .filter(|person| person.role.is_staff())
        .map(shadow)
        .collect();
    for person in &mut seen.people {
        if !person.role.is_staff() {
            person.title = None;
        }
    }
    seen.people.extend(shadows);
    for company in &mut seen.companies {
        company
            .addresses
            .sort_by_key(|address: &PostalAddress| !address.primary);
    }
    seen
}

fn shadow(staff: &Person) -> Person {
    Person {
        id: SHADOWS + staff.id,
        role: Role::Customer,
        title: None,
        teams: Vec::new(),
        custom: Vec::new(),
        ..staff.clone()
    }
}

/// What Kustomer can hold of a conversation.
pub(crate) fn conversation(lists: &Lists, mut conversation: Conversation) -> Conversation {
    let is_staff = |id: u64| id < SHADOWS && role(lists, id).is_some_and(Role::is_staff);
    if is_staff(conversation.requester) {
        conversation.requester += SHADOWS;
    }
    conversation.company = None;
    conversation.case_type = None;
    conversation
        .messages
        .retain(|message| !message.is_elsewhere());
    let requester = conversation.requester;
    for message in &mut conversation.messages {
        self::message(message, requester);
    }
    if conversation.channel == Channel::Note {
        conversation.channel = conversation
            .messages
            .iter()
            .find_map(|message| channel(&message.kind))
            .unwrap_or_else(|| Channel::Other(String::new()));
    }
    conversation
}

fn role(lists: &Lists, id: u64) -> Option<Role> {
    let place = lists
        .people
        .binary_search_by_key(&id, |person| person.id)
        .ok()?;
    lists.people.get(place).map(|person| person.role)
}

/// The channel of a kind of message; none for notes.
pub(crate) fn channel(kind: &MessageKind) -> Option<Channel> {
    Some(match kind {
        MessageKind::Mail => Channel::Mail,
        MessageKind::HelpCentre => Channel::HelpCentre,
        MessageKind::Note { .. } => return None,
        MessageKind::Chat => Channel::Messenger,
        MessageKind::Tweet => Channel::Twitter,
        MessageKind::Facebook => Channel::Facebook,
        MessageKind::Other { channel, .. } => Channel::Other(channel.clone()),
    })
}

fn message(message: &mut Message, requester: u64) {
    let is_note = matches!(message.kind, MessageKind::Note { .. });
    if message.incoming && !is_note {
        message.author = Author::Person(requester);
    }
    let pictures = std::mem::take(&mut message.images);
    for (n, picture) in (0..PICTURES_PER_MESSAGE).zip(pictures) {
        message.files.push(File {
            id: PICTURES + message.id * PICTURES_PER_MESSAGE + n,
            name: Some(format!("{}.png", picture.token)),
            media_type: picture.media_type,
            content: picture.content,
            content_id: None,
            claimed_size: None,
            lost: picture.lost,
        });
    }
    for file in &mut message.files {
        file.content_id = None;
    }
    message.html = message
        .html
        .take()
        .map(|html| html.replace("\"media:", "\"cid:"));
    let Some(mail) = &mut message.mail else {
        message.subject = None;
        let text = message.text.take().filter(|text| !text.trim().is_empty());
        let text = text.or_else(|| message.html.take().map(|html| plain_text(&html)));
        message.html = None;
        message.text = text.map(|text| text.trim().chars().take(LONGEST_TEXT).collect());
        return;
    };
    mail.headers = None;
    mail.references.clear();
    mail.in_reply_to.truncate(1);
}

/// When the customer first wrote, and when a member of staff first answered.
pub(crate) fn first_answer(talk: &Conversation) -> Option<(DateTime<Utc>, &Message)> {
    let mut said: Vec<&Message> = talk.messages.iter().collect();
    said.retain(|message| !matches!(message.kind, MessageKind::Note { .. }));
    said.sort_by_key(|message| (message.sent, message.id));
    let mut after = said.into_iter().skip_while(|message| !message.incoming);
    let asked = after.next()?.sent;
    let answers =
        |message: &&Message| !message.incoming && matches!(message.author, Author::Person(_));
    Some((asked, after.find(answers)?))
}

/// What was agreed for mails: an answer within this time.
pub(crate) const AGREED: (&str, TimeDelta) = ("Mails within a day", TimeDelta::days(1));
