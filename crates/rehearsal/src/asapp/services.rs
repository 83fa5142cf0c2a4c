//! What the AI services deliver of a [`World`]: feeds of the File Exporter, and what the Conversation API holds (ASAPP reference, sections 2.1 and 4.1).
//!
//! Conversations have a row for each hour in which something happened, texts come apart from their senders, some were purged before anybody fetched them,
//! structured data was extracted more than once, and summaries were edited.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use chrono::{DateTime, Duration, NaiveDate, Timelike as _, Utc};
use serde_json::{Value, json};

use super::conversations::Told;
use super::holds;
use super::{AsappOptions, Exports};
use crate::world::{
    Author, Channel, Conversation, CustomValue, FieldDefinition, FieldKind, FieldOwner, FieldValue,
    Lists, MessageKind, Status, StatusKind, World,
};

const PLATFORM: (u64, &str) = (821, "platform");
const DEVICE: (u64, &str) = (822, "conversation_metadata_device_type");
const LINE: (u64, &str) = (823, "conversation_metadata_lob_name");
const EXTERNAL: (u64, &str) = (824, "external_conversation_id");
const SUMMARY: (u64, &str) = (825, "autosummary");
const RESOLVED: (u64, &str) = (826, "q_issue_resolved");
const AMOUNT: (u64, &str) = (827, "e_amount");
const DUE: (u64, &str) = (828, "e_due");
const ORDER: (u64, &str) = (829, "e_order_no");
const FIELDS: [(u64, &str); 9] = [
    PLATFORM, DEVICE, LINE, EXTERNAL, SUMMARY, RESOLVED, AMOUNT, DUE, ORDER,
];

/// Segments of the local AI services, as the Configuration API tells them; [`PRIORITY`] says which of several counts.
pub(super) fn segments() -> Vec<Value> {
    let segment = |id: &str, raw: &str| json!({"id": id, "name": id, "query": {"type": "raw", "raw": raw}, "structuredDataFieldIds": ["q_issue_resolved"]});
    vec![
        segment("GLOBAL", "TRUE"),
        segment(
            "RETAIL",
            "lob_name = 'retail' AND NOT device_type = 'DESKTOP'",
        ),
        segment("PHONES", "device_type IN ['phone','tablet']"),
    ]
}

/// The segments that count first, in their order.
pub const PRIORITY: [&str; 2] = ["RETAIL", "PHONES"];

/// The id of a conversation: as long as those of ASAPP, and in their letters.
pub fn conversation_id(id: u64) -> String {
    format!("01HZX{id:021}")
}

/// The id of a message.
pub fn message_id(id: u64) -> String {
    format!("01MSG{id:021}")
}

/// Customers without a conversation: they are in no feed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Customers {
    silent: BTreeSet<u64>,
}

impl Customers {
    /// Those of a world.
    pub(crate) fn of(world: &World) -> Self {
        let lists = lists(world.lists(), None);
        let none = Self::default();
        let talks = world.conversations();
        let talk: BTreeSet<u64> = talks
            .map(|talk| conversation(&lists, talk.into_owned(), &none).requester)
            .collect();
        let customers = lists.people.iter().filter(|person| !person.role.is_staff());
        let silent = customers.map(|person| person.id);
        Self {
            silent: silent.filter(|id| !talk.contains(id)).collect(),
        }
    }
}

/// Lists as AI services have them: no queues, one way to end, and of the customers those that are named.
pub(crate) fn lists<'a>(lists: &'a Lists, customers: Option<&Customers>) -> Cow<'a, Lists> {
    let mut held = lists.clone();
    if let Some(customers) = customers {
        held.people
            .retain(|person| !customers.silent.contains(&person.id));
    }
    let mut held = holds::lists(&held).into_owned();
    held.teams.clear();
    held.statuses = vec![Status {
        id: 1,
        label: "ended".to_owned(),
        kind: StatusKind::Closed,
        deleted: false,
    }];
    let field = |(id, key): (u64, &str)| FieldDefinition {
        id,
        owner: FieldOwner::Conversation,
        key: key.to_owned(),
        title: key.to_owned(),
        kind: FieldKind::Text,
        options: Vec::new(),
    };
    held.fields = FIELDS.map(field).to_vec();
    Cow::Owned(held)
}

/// A conversation as AI services have it; `lists` are those of [`lists`].
pub(crate) fn conversation(
    lists: &Lists,
    mut talk: Conversation,
    customers: &Customers,
) -> Conversation {
    let mut known = lists.people.iter().filter(|person| !person.role.is_staff());
    let anyone = known.next().map_or(talk.requester, |person| person.id);
    for message in &mut talk.messages {
        // Whoever has no conversation of their own speaks for the one who has it.
        if matches!(message.author, Author::Person(id) if customers.silent.contains(&id)) {
            message.author = Author::Person(anyone);
        }
    }
    let mut talk = holds::conversation(lists, talk);
    let last = talk.messages.iter().map(|message| message.sent).max();
    // Nothing says that a conversation ended but its silence.
    let quiet = last.unwrap_or(talk.created).max(talk.created);
    talk.closed = Some(talk.closed.unwrap_or(quiet));
    talk.updated = talk.closed.map_or(quiet, |end| end.max(quiet));
    talk.status = 1;
    talk.team = None;
    talk.rating = None;
    talk.merged_into = None;
    talk.custom = custom(&talk);
    talk
}

/// What a segment's query makes of a conversation.
pub(crate) fn segment(talk: &Conversation) -> &'static str {
    let is = |field, word: &str| holds::value(talk, field).is_some_and(|found| found == word);
    let desktop = is(DEVICE, "DEVICE_TYPE_DESKTOP");
    match () {
        () if is(LINE, "Retail") && !desktop => "RETAIL",
        () if !desktop => "PHONES",
        () => "GLOBAL",
    }
}

/// Facts that AI services have of a conversation, out of its own number.
fn custom(talk: &Conversation) -> Vec<CustomValue> {
    let n = talk.id;
    let text = |(field, _): (u64, &str), text: String| CustomValue {
        field,
        value: FieldValue::Text(text),
    };
    let platform = match &talk.channel {
        Channel::Other(raw) if raw == "VOICE" => "VOICE_IOS",
        Channel::Other(_) => "WAB",
        _ => ["WEB", "IOS", "ANDROID"][(n % 3) as usize],
    };
    let device = ["PHONE", "DESKTOP", "TABLET"][(n % 3) as usize];
    let mut values = vec![
        text(PLATFORM, platform.to_owned()),
        // Values can carry the name of their column.
        text(DEVICE, format!("DEVICE_TYPE_{device}")),
        text(LINE, ["Retail", "Business"][(n % 2) as usize].to_owned()),
        text(EXTERNAL, format!("conv-{n}")),
        text(
            RESOLVED,
            ["Yes", "No", "Not Found"][(n % 3) as usize].to_owned(),
        ),
    ];
    if n.is_multiple_of(2) {
        values.push(CustomValue {
            field: AMOUNT.0,
            value: FieldValue::Number(format!("{}.5", n * 3)),
        });
    }
    if n.is_multiple_of(3)
        && let Some(day) = NaiveDate::from_ymd_opt(2026, 1 + (n % 12) as u32, 3)
    {
        values.push(CustomValue {
            field: DUE.0,
            value: FieldValue::Day(day),
        });
    }
    if !n.is_multiple_of(4) {
        values.push(text(ORDER, format!("SO-{n:05}")));
    } else {
        values.push(text(
            SUMMARY,
            format!("The customer asked about matter {n}, and was helped."),
        ));
    }
    values
}

/// Files of the feeds by feed, day and, where a feed has it, hour.
#[derive(Default)]
struct Feeds(BTreeMap<(&'static str, String), Vec<String>>);

impl Feeds {
    fn daily(&mut self, feed: &'static str, at: DateTime<Utc>, row: &Value) {
        let place = at.format("%Y-%m-%d").to_string();
        self.0
            .entry((feed, place))
            .or_default()
            .push(row.to_string());
    }

    fn hourly(&mut self, feed: &'static str, at: DateTime<Utc>, row: &Value) {
        let place = at.format("%Y-%m-%d/%H/00").to_string();
        self.0
            .entry((feed, place))
            .or_default()
            .push(row.to_string());
    }

    fn write(&self, root: &Path) -> io::Result<()> {
        for ((feed, place), rows) in &self.0 {
            let folder = root.join(feed).join("1/jsonl").join(place);
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(format!("{feed}.jsonl")), rows.join("\n") + "\n")?;
        }
        Ok(())
    }
}

/// A moment in one of the spellings that occur.
fn moment(at: DateTime<Utc>, number: u64) -> String {
    match number % 3 {
        0 => at.format("%Y-%m-%d %H:%M:%S").to_string(),
        1 => at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string(),
        _ => at.format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string(),
    }
}

/// Delivers a world by AI services: feeds into `folder/feeds`, as the File Exporter serves them, and the company's own tables beside them. Answers
/// where they lie, and what the Conversation API holds.
///
/// # Errors
/// The folder cannot be written.
pub fn write_services(
    folder: &Path,
    world: &World,
    options: &AsappOptions,
) -> io::Result<(Exports, Told)> {
    let exports = Exports {
        tree: folder.join("feeds"),
        ..Exports::at(folder)
    };
    let customers = Customers::of(world);
    let lists = lists(world.lists(), Some(&customers));
    let (mut feeds, mut told) = (Feeds::default(), Told::default());
    for talk in world.conversations() {
        let talk = conversation(&lists, talk.into_owned(), &customers);
        states(&mut feeds, &lists, &talk, options);
        messages(&mut feeds, &lists, &talk, options);
        made(&mut feeds, &talk, options);
        tell(&mut told, &lists, &talk);
    }
    feeds.write(&exports.tree)?;
    tables(&exports, &lists)?;
    Ok((exports, told))
}

/// The company's own tables: by its own ids, which are the only ones that AI services know.
fn tables(exports: &Exports, lists: &Lists) -> io::Result<()> {
    let customers = lists.people.iter().filter(|person| !person.role.is_staff());
    let customers: Vec<String> = customers
        .map(|person| {
            let company = person
                .company
                .and_then(|id| lists.companies.iter().find(|company| company.id == id));
            let row = json!({
                "external_user_id": person.id,
                "name": person.name,
                "email": person.emails.join(";"),
                "phone": person.phones.join(";"),
                "company": company.map(|company| &company.name),
                "company_id": company.map(|company| company.id),
                "title": person.title,
                "created": person.created.to_rfc3339(),
                "updated": person.updated.to_rfc3339(),
            });
            row.to_string()
        })
        .collect();
    std::fs::write(&exports.customers, customers.join("\n") + "\n")?;
    let mut agents = csv::Writer::from_path(&exports.agents)?;
    agents.write_record(["agent_id", "email", "name"])?;
    for person in lists.people.iter().filter(|person| person.role.is_staff()) {
        let cells = [
            person.id.to_string(),
            person.emails.join(";"),
            person.name.clone(),
        ];
        agents.write_record(cells)?;
    }
    agents.flush()
}

fn text(talk: &Conversation, field: (u64, &str)) -> Option<String> {
    holds::value(talk, field)
}

fn states(feeds: &mut Feeds, lists: &Lists, talk: &Conversation, options: &AsappOptions) {
    let n = talk.id;
    let intent = talk.subject.clone();
    let has_intent = lists.case_types.iter().any(|kind| kind.label == intent);
    let tags: Vec<&str> = talk.tags.iter().map(|tag| tag.name.as_str()).collect();
    let row = |at: DateTime<Utc>, window: i64| {
        json!({
            "conversation_id": conversation_id(n),
            "external_conversation_id": text(talk, EXTERNAL),
            "customer_id": if n.is_multiple_of(2) { json!(talk.requester) } else { json!(talk.requester.to_string()) },
            "conversation_metadata_device_type": text(talk, DEVICE),
            "conversation_metadata_lob_name": text(talk, LINE),
            "conversation_metadata_platform": text(talk, PLATFORM),
            "autosummary_tags": json!(tags).to_string(),
            "single_intent_intent_name": has_intent.then_some(&intent),
            "customer_utterance_ct": 1,
            "contact_journey_contact_id": null,
            "instance_ts": moment(at - Duration::minutes(at.minute().into()) + Duration::hours(window), n),
            "company_marker": options.company,
            "dt": at.format("%Y-%m-%d").to_string(),
            "hr": at.format("%H").to_string(),
        })
    };
    let (first, last) = (talk.created, talk.updated);
    let mut begun = row(first, 1);
    begun["conversation_start_ts"] = json!(moment(first, n));
    begun["is_autosummary_used"] = Value::Null;
    let mut ended = row(last, 1);
    ended["contact_journey_contact_end_ts"] = json!(talk.closed.map(|at| moment(at, n)));
    ended["agent_last_utterance_ts"] = json!(
        talk.messages
            .iter()
            .map(|m| m.sent)
            .max()
            .map(|at| moment(at, n))
    );
    ended["last_agent_id"] = json!(talk.assignee.map(|agent| agent.to_string()));
    // The hour in which it began and ended is one row.
    let one = begun["dt"] == ended["dt"] && begun["hr"] == ended["hr"];
    if one {
        ended["conversation_start_ts"] = begun["conversation_start_ts"].clone();
    } else {
        // An earlier computation of the same hour, and a later one that comes before it.
        let mut early = row(first, 0);
        early["conversation_metadata_device_type"] = json!("WATCH");
        early["conversation_metadata_lob_name"] = json!("NULL");
        feeds.hourly(
            "staging_conversation_state",
            last + Duration::days(2),
            &early,
        );
        feeds.hourly("staging_conversation_state", first, &begun);
        // On later days the start is told no more.
        ended["conversation_start_ts"] = Value::Null;
    }
    feeds.hourly("staging_conversation_state", last, &ended);
}

fn messages(feeds: &mut Feeds, lists: &Lists, talk: &Conversation, options: &AsappOptions) {
    for message in &talk.messages {
        let (sender, id) = sender(lists, message.author);
        let private = matches!(message.kind, MessageKind::Note { .. });
        let row = json!({
            "conversation_id": conversation_id(talk.id),
            "message_id": message_id(message.id),
            "sender_type": format!("SENDER_{sender}"),
            "sender_id": id,
            "private_message_ct": u8::from(private),
            "tags": "{}",
            "chat_message_event_ts": moment(message.sent, message.id),
            "company_marker": options.company,
        });
        feeds.daily("staging_utterance_state", message.sent, &row);
        if is_purged(message.id) {
            continue;
        }
        let words = |words: &str| {
            json!({
                "conversation_id": conversation_id(talk.id),
                "message_id": message_id(message.id),
                "utterance": words,
                "chat_message_event_ts": moment(message.sent, message.id),
                "company_marker": options.company,
            })
        };
        let last = words(message.text.as_deref().unwrap_or(""));
        if message.id.is_multiple_of(3) {
            feeds.daily("utterances", message.sent, &words("my number is 12345"));
            feeds.daily("utterances", message.sent + Duration::days(1), &last);
        } else {
            feeds.daily("utterances", message.sent, &last);
        }
    }
}

/// Texts that nobody fetched in time.
fn is_purged(message: u64) -> bool {
    message % 4 == 1
}

fn sender(lists: &Lists, author: Author) -> (&'static str, Option<String>) {
    let staff = |id: u64| {
        let person = lists.people.iter().find(|person| person.id == id);
        person.is_none_or(|person| person.role.is_staff())
    };
    match author {
        Author::Person(id) if staff(id) => ("AGENT", Some(id.to_string())),
        Author::Person(id) => ("CUSTOMER", Some(id.to_string())),
        _ => ("BOT", None),
    }
}

/// Summaries and structured data: an earlier run, and the one that counts.
fn made(feeds: &mut Feeds, talk: &Conversation, options: &AsappOptions) {
    let n = talk.id;
    let agent = talk
        .assignee
        .map_or_else(|| "nobody".to_owned(), |agent| agent.to_string());
    for (field, name) in [
        (RESOLVED, "Was it resolved?"),
        (AMOUNT, "Amount"),
        (DUE, "Due"),
        (ORDER, "Order"),
    ] {
        let value = talk.custom.iter().find(|value| value.field == field.0);
        let Some(value) = value.map(|value| match &value.value {
            FieldValue::Day(day) => day.to_string(),
            FieldValue::Text(text) | FieldValue::Number(text) => text.clone(),
            _ => String::new(),
        }) else {
            continue;
        };
        let run = |number: u64, at: DateTime<Utc>, value: &str| {
            json!({
                "conversation_id": conversation_id(n),
                "agent_id": agent,
                "structured_data_id": format!("{number:08x}-0000-4000-8000-{n:012x}"),
                "structured_data_ts": moment(at, n + number),
                "structured_data_field_id": field.1,
                // Names change; ids do not.
                "structured_data_field_name": if number == 0 { format!("{name} (old)") } else { name.to_owned() },
                "structured_data_field_value": value,
                "structured_data_field_category": "Outcome",
                "company_marker": options.company,
            })
        };
        let end = talk.updated + Duration::minutes(1);
        // The run that counts is delivered first.
        feeds.daily("autosummary_structured_data", end, &run(1, end, &value));
        feeds.daily(
            "autosummary_structured_data",
            end + Duration::days(3),
            &run(0, talk.created, "Not Found"),
        );
    }
    let Some(summary) = text(talk, SUMMARY) else {
        return;
    };
    let id = format!("summary-{n}");
    let row = |text: &str| {
        json!({"conversation_id": conversation_id(n), "agent_id": agent, "summary_id": id, "autosummary_free_text": text,
        "autosummary_free_text_ts": moment(talk.updated, n), "company_marker": options.company})
    };
    if n.is_multiple_of(8) {
        // What the agent stood behind.
        feeds.daily(
            "autosummary_free_text",
            talk.updated,
            &row("Something was said."),
        );
        feeds.daily("autosummary_feedback", talk.updated, &json!({"conversation_id": conversation_id(n), "agent_id": agent, "summary_id": id,
            "autosummary_feedback": summary, "autosummary_feedback_ts": moment(talk.updated, n), "company_marker": options.company}));
    } else {
        feeds.daily("autosummary_free_text", talk.updated, &row(&summary));
    }
}

/// What the Conversation API holds of a conversation: every text, and no time of its own.
fn tell(told: &mut Told, lists: &Lists, talk: &Conversation) {
    let name = |id: u64| {
        let person = lists.people.iter().find(|person| person.id == id);
        person.map(|person| person.name.clone())
    };
    let conversation = json!({
        "id": conversation_id(talk.id),
        "externalId": text(talk, EXTERNAL),
        "customer": {"externalId": talk.requester.to_string(), "name": name(talk.requester)},
        "agent": talk.assignee.map(|agent| json!({"externalId": agent, "name": name(agent)})),
        "metadata": {},
    });
    let messages = talk.messages.iter().map(|message| {
        let (sender, id) = sender(lists, message.author);
        let role = match sender {
            "AGENT" => "agent",
            "CUSTOMER" => "customer",
            _ => "system",
        };
        json!({
            "messageId": message_id(message.id),
            "text": message.text,
            "sender": {"role": role, "externalId": id},
            "createdTimestamp": moment(message.sent + Duration::hours(1), 1),
            "clientTimestamp": moment(message.sent, 1),
        })
    });
    told.add(conversation_id(talk.id), conversation, messages.collect());
}
