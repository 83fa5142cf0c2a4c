//! What ASAPP can hold of a world: chats and calls of one customer each, in plain text, with the facts that its tables have columns
//! for (ASAPP reference, sections 3.4 and 9). Everything else is taken out here, in one place.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::world::{
    Author, Channel, Conversation, ConversationState, CustomValue, FieldDefinition, FieldKind,
    FieldOwner, FieldValue, Lists, Message, MessageKind, NoteOn, Person, Status, StatusKind, World,
};

/// Columns that arrive as values of their own, with the ids of their fields.
pub(super) const DEVICE: (u64, &str) = (801, "device_type");
pub(super) const ESCALATED: (u64, &str) = (802, "escalated_to_chat");
pub(super) const FIRST_REP: (u64, &str) = (803, "first_rep_id");
pub(super) const TERMINATED: (u64, &str) = (804, "termination_event_type");
pub(super) const SUBDIVISION: (u64, &str) = (805, "company_subdivision");
pub(crate) const IN_QUEUE: (u64, &str) = (806, "time_in_queue");
pub(crate) const HANDLE: (u64, &str) = (807, "total_handle_time");
pub(crate) const WRAP_UP: (u64, &str) = (808, "total_wrap_up_time");
pub(super) const INTENT: (u64, &str) = (809, "final_intent_code");
pub(super) const SUMMARY: (u64, &str) = (810, "auto_summary_txt");
pub(super) const PLATFORM: (u64, &str) = (811, "platform");
pub(crate) const FIRST_RESPONSE: (u64, &str) = (812, "total_seconds_to_first_rep_response");
const FIELDS: [(u64, &str); 12] = [
    DEVICE,
    ESCALATED,
    FIRST_REP,
    TERMINATED,
    SUBDIVISION,
    IN_QUEUE,
    HANDLE,
    WRAP_UP,
    INTENT,
    SUMMARY,
    PLATFORM,
    FIRST_RESPONSE,
];

/// Words for how a conversation ended, by the id of the status; the first is one that goes on.
pub(super) const OUTCOMES: [&str; 4] = ["open", "resolved", "unresolved", "timeout"];

/// Lists as ASAPP has them: customers are people with an id, companies exist because somebody belongs to them.
pub(crate) fn lists(lists: &Lists) -> Cow<'_, Lists> {
    let mut held = lists.clone();
    held.statuses = OUTCOMES
        .iter()
        .zip(1..)
        .map(|(label, id)| Status {
            id,
            label: (*label).to_owned(),
            kind: if id == 1 {
                StatusKind::Open
            } else {
                StatusKind::Closed
            },
            deleted: false,
        })
        .collect();
    held.fields = FIELDS
        .iter()
        .map(|(id, key)| FieldDefinition {
            id: *id,
            owner: FieldOwner::Conversation,
            key: (*key).to_owned(),
            title: (*key).to_owned(),
            kind: FieldKind::Text,
            options: Vec::new(),
        })
        .collect();
    for person in &mut held.people {
        person.twitter.clear();
        person.facebook.clear();
        person.custom.clear();
    }
    let peopled: BTreeSet<u64> = held
        .people
        .iter()
        .filter(|person| !person.role.is_staff())
        .filter_map(|person| person.company)
        .collect();
    held.companies
        .retain(|company| peopled.contains(&company.id));
    for company in &mut held.companies {
        company.domains.clear();
        company.websites.clear();
        company.phones.clear();
        company.addresses.clear();
        company.custom.clear();
    }
    Cow::Owned(held)
}

/// A conversation as ASAPP has it; `lists` are those of [`lists`].
pub(crate) fn conversation(lists: &Lists, mut talk: Conversation) -> Conversation {
    let staff = |id: u64| is_staff(&lists.people, id);
    if staff(talk.requester) {
        let customers = lists.people.iter().filter(|person| !person.role.is_staff());
        talk.requester = customers
            .map(|person| person.id)
            .next()
            .unwrap_or(talk.requester);
    }
    talk.channel = match &talk.channel {
        Channel::Other(raw) if raw == "VOICE" || raw == "WHATSAPP" => talk.channel,
        _ => Channel::Messenger,
    };
    let owner = talk.assignee;
    let requester = talk.requester;
    talk.messages = talk
        .messages
        .into_iter()
        .filter(|message| !message.is_elsewhere())
        .filter_map(|message| said(message, requester, owner, &staff))
        .collect();
    let intent = talk
        .case_type
        .and_then(|id| lists.case_types.iter().find(|kind| kind.id == id));
    talk.subject = match intent {
        Some(intent) => intent.label.clone(),
        None => first_words(&talk, &staff),
    };
    talk.status = match talk.closed {
        None => 1,
        Some(_) => 2 + talk.id % 3,
    };
    talk.company = None;
    talk.priority = None;
    talk.state = ConversationState::Active;
    let mut tags: Vec<_> = talk
        .tags
        .into_iter()
        .map(|mut tag| {
            tag.name = tag.name.trim().to_owned();
            tag
        })
        .filter(|tag| !tag.name.is_empty())
        .collect();
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    tags.dedup_by(|a, b| a.name == b.name);
    talk.tags = tags;
    talk.custom = custom(&talk, intent.map(|intent| intent.kind.as_str()));
    talk.case_type = None;
    talk
}

fn is_staff(people: &[Person], id: u64) -> bool {
    // Whoever no list has any more has an id of staff.
    people
        .iter()
        .find(|person| person.id == id)
        .is_none_or(|person| person.role.is_staff())
}

/// A message as a row of `utterances` holds it: plain text, by the customer, an agent or a bot.
fn said(
    mut message: Message,
    requester: u64,
    owner: Option<u64>,
    staff: &dyn Fn(u64) -> bool,
) -> Option<Message> {
    /// Characters that a column holds.
    const LONGEST: usize = 20_000;
    let plain = message
        .text
        .as_deref()
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned);
    let text = plain.or_else(|| message.html.as_deref().map(without_tags))?;
    let text: String = text
        .trim()
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .take(LONGEST)
        .collect();
    if text.trim().is_empty() {
        return None;
    }
    let is_note = matches!(message.kind, MessageKind::Note { .. });
    message.author = match message.author {
        Author::Person(id) if staff(id) => Author::Person(id),
        _ if is_note => Author::Person(owner.unwrap_or(1)),
        // One issue has one customer.
        Author::Person(_) => Author::Person(requester),
        _ => Author::Nobody,
    };
    message.kind = match is_note {
        true => MessageKind::Note {
            on: NoteOn::Conversation,
            pinned: false,
        },
        false => MessageKind::Chat,
    };
    message.text = Some(text.trim().to_owned());
    message.html = None;
    message.subject = None;
    message.mail = None;
    message.files.clear();
    message.images.clear();
    Some(message)
}

fn without_tags(html: &str) -> String {
    let (mut text, mut inside) = (String::new(), false);
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                text.push(' ');
            }
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    text.replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// The customer's first message as `first_utterance_text` has it, on one line.
fn first_words(talk: &Conversation, staff: &dyn Fn(u64) -> bool) -> String {
    let of_customer =
        |message: &&Message| matches!(message.author, Author::Person(id) if !staff(id));
    let first = talk
        .messages
        .iter()
        .filter(of_customer)
        .min_by_key(|message| (message.sent, message.id));
    first_text(
        first
            .and_then(|message| message.text.as_deref())
            .unwrap_or(""),
    )
    .split_whitespace()
    .collect::<Vec<_>>()
    .join(" ")
}

/// The column is cut after 255 characters.
pub(super) fn first_text(text: &str) -> String {
    text.chars().take(255).collect()
}

/// Facts that only a platform for messages and calls has, out of the conversation's own number.
fn custom(talk: &Conversation, intent: Option<&str>) -> Vec<CustomValue> {
    let n = talk.id;
    let text = |(field, _): (u64, &str), text: String| CustomValue {
        field,
        value: FieldValue::Text(text),
    };
    let number = |(field, _): (u64, &str), number: u64| CustomValue {
        field,
        value: FieldValue::Number(number.to_string()),
    };
    let platform = match &talk.channel {
        Channel::Other(raw) if raw == "VOICE" => ["voice", "VOICE"][(n % 2) as usize],
        Channel::Other(_) => "WAB",
        _ => ["web", "ios", "Android", "WEB"][(n % 4) as usize],
    };
    let mut values = vec![
        text(PLATFORM, platform.to_owned()),
        text(
            DEVICE,
            ["mobile", "tablet", "desktop"][(n % 3) as usize].to_owned(),
        ),
        number(ESCALATED, n % 2),
        text(SUBDIVISION, format!("ACME{}", n % 4)),
        number(IN_QUEUE, n * 7 % 600),
        number(HANDLE, 60 + n * 13 % 900),
        number(WRAP_UP, n % 40),
    ];
    if let Some(rep) = talk.assignee {
        values.push(text(FIRST_REP, rep.to_string()));
    }
    if talk.assignee.is_some() {
        values.push(number(FIRST_RESPONSE, n * 3 % 240));
    }
    if talk.closed.is_some() {
        values.push(text(
            TERMINATED,
            ["customer", "agent", "autoend"][(n % 3) as usize].to_owned(),
        ));
    }
    if let Some(intent) = intent {
        values.push(text(INTENT, intent.to_owned()));
    }
    if n.is_multiple_of(5) && talk.assignee.is_some() {
        values.push(text(
            SUMMARY,
            format!("The customer asked for help with matter {n}. It was dealt with."),
        ));
    }
    values
}

/// Whether a conversation was held by telephone.
pub(super) fn is_call(talk: &Conversation) -> bool {
    matches!(&talk.channel, Channel::Other(raw) if raw == "VOICE")
}

/// A telephone call, as the assignments of a world say it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldCall {
    /// The conversation.
    pub conversation: u64,
    /// The agent who had it.
    pub agent: u64,
    /// The customer.
    pub customer: u64,
    /// When it began.
    pub at: chrono::DateTime<chrono::Utc>,
    /// How long they spoke.
    pub seconds: u64,
    /// Where it can be heard, in the company's own table.
    pub recording: Option<String>,
}

/// The calls of a world: one for each conversation by telephone that an agent had.
pub fn calls(world: &World) -> Vec<HeldCall> {
    let held = lists(world.lists());
    let talks = world.conversations();
    talks
        .filter_map(|talk| call(&conversation(&held, talk.into_owned())))
        .collect()
}

/// The call of a conversation as ASAPP has it.
pub(super) fn call(talk: &Conversation) -> Option<HeldCall> {
    let agent = talk.assignee.filter(|_| is_call(talk))?;
    let seconds = |field| value(talk, field)?.parse::<u64>().ok();
    // After the last word the agent writes things down.
    let spoken = seconds(HANDLE)? - seconds(WRAP_UP)?;
    let recorded = talk.id.is_multiple_of(2);
    Some(HeldCall {
        conversation: talk.id,
        agent,
        customer: talk.requester,
        at: talk.created,
        seconds: spoken,
        recording: recorded.then(|| format!("https://recordings.example.org/{}.wav", talk.id)),
    })
}

/// What an agent did, as the assignments of a world say it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Handled {
    /// Conversations that ended with the agent.
    pub assignments: u64,
    /// Those of them that were calls.
    pub calls: u64,
    /// Seconds over all of them.
    pub handle_seconds: u64,
    /// Seconds after the last word.
    pub wrap_up_seconds: u64,
    /// Seconds until the first answer.
    pub first_response_seconds: u64,
}

/// What each agent of a world did, by id: what figures of agents must come to.
pub fn handled(world: &World) -> BTreeMap<u64, Handled> {
    let held = lists(world.lists());
    let mut all: BTreeMap<u64, Handled> = BTreeMap::new();
    for talk in world.conversations() {
        let talk = conversation(&held, talk.into_owned());
        let Some(rep) = talk.assignee else { continue };
        let seconds = |field| {
            value(&talk, field)
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let found = all.entry(rep).or_default();
        found.assignments += 1;
        found.calls += u64::from(is_call(&talk));
        found.handle_seconds += seconds(HANDLE);
        found.wrap_up_seconds += seconds(WRAP_UP);
        found.first_response_seconds += seconds(FIRST_RESPONSE);
    }
    all
}

/// A value of [`custom`].
pub(crate) fn value(talk: &Conversation, (field, _): (u64, &str)) -> Option<String> {
    let found = talk.custom.iter().find(|value| value.field == field)?;
    match &found.value {
        FieldValue::Text(text) | FieldValue::Number(text) => Some(text.clone()),
        _ => None,
    }
}
