//! What the APIs are asked about single conversations, once all files are reduced: texts that were purged from the files, names, and by choice
//! summaries, structured data and intents where there are none (ASAPP reference, sections 4.1 and 4.2).
//!
//! Answers become rows of a run like any other: whoever comes back goes on behind the last conversation that was answered.

use std::collections::{BTreeMap, HashMap, HashSet};

use deskferry_core::{Context, Error, ErrorKind, Result};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::collect::{Whence, Work};
use super::records::{hex, unhex};
use super::{Asapp, blocking};
use crate::channels::{Entry, Piece};
use crate::client::{About, Api};
use crate::config::Asking;
use crate::reduce::{Group, Input, Start, scan};
use crate::tables::{ASKED, Answer, Family, tag};
use crate::wire::Row;

/// Conversations of one run.
const BATCH: usize = 100;
/// Conversations that are looked at at once.
const LOOKED: usize = 500;

/// What is to be asked about a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    key: Vec<u8>,
    family: Family,
    id: String,
    conversation: bool,
    makes: Vec<(&'static str, Answer)>,
}

impl Wish {
    /// The most requests that it takes.
    fn requests(&self) -> u64 {
        (2 * usize::from(self.conversation) + self.makes.len()) as u64
    }
}

/// The two products, each of which has to be enabled for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Product {
    Conversations,
    Summaries,
}

/// What a conversation lacks that the APIs may have. One that was asked about waits until files say something new of it.
fn wish(asking: Asking, group: &Group) -> Option<Wish> {
    let of_answers = |mark| matches!(mark, tag::ASKED | tag::ASKED_MESSAGE | tag::ASKED_INTENT);
    let generations = |answers: bool| {
        let rows = group.rows.iter();
        let those = rows.filter(move |row| of_answers(row.tag) == answers);
        those.map(|row| row.origin.generation).max()
    };
    if generations(true) >= generations(false) {
        return None;
    }
    let has = |mark| group.of(mark).next().is_some();
    let states: Vec<Row> = group
        .of(tag::STATE)
        .filter_map(|row| Row::parse(&row.line).ok())
        .collect();
    let counted = |column| states.iter().any(|row| row.number(column) > Some(0.0));
    let counts = counted("customer_utterance_ct") || counted("agent_utterance_ct");
    let talks =
        counts || has(tag::UTTERANCE) || has(tag::UTTERANCE_STATE) || has(tag::UTTERANCE_TEXT);
    let conversation = group.family == Family::Services
        && match asking.conversations {
            Some(true) => true,
            Some(false) => lacks_texts(group) || (counts && !has(tag::UTTERANCE_TEXT)),
            None => false,
        };
    let knows_intent = || {
        let columns = ["single_intent_intent_code", "first_intent_intent_code"];
        has(tag::INTENTS_OF)
            || has(tag::INTENTS_OF_ENDED)
            || has(tag::VOICE_INTENT)
            || states.iter().any(|row| row.first(&columns).is_some())
    };
    let summed_up = || {
        let in_state = states
            .iter()
            .any(|row| row.text("autosummary_text").is_some());
        let of_assignment = |row: &crate::reduce::Reduced| {
            Row::parse(&row.line).is_ok_and(|row| row.text("auto_summary_txt").is_some())
        };
        let of_assignments = group.of(tag::DISPOSITION).any(of_assignment);
        has(tag::SUMMARY) || has(tag::SUMMARY_FEEDBACK) || in_state || of_assignments
    };
    let mut makes = Vec::new();
    if asking.summary && talks && !summed_up() {
        makes.push(("free-text-summaries", Answer::Summary));
    }
    if asking.structured && talks && !has(tag::STRUCTURED) {
        makes.push(("structured-data", Answer::Structured));
    }
    if asking.intent && talks && !knows_intent() {
        makes.push(("intent", Answer::Intent));
    }
    (conversation || !makes.is_empty()).then(|| Wish {
        key: group.key.clone(),
        family: group.family,
        id: group.id.clone(),
        conversation,
        makes,
    })
}

/// Whether a message is told without its text.
fn lacks_texts(group: &Group) -> bool {
    let ids = |mark| {
        let rows = group.of(mark).filter_map(|row| Row::parse(&row.line).ok());
        rows.filter_map(|row| row.text("message_id"))
    };
    let texts: HashSet<String> = ids(tag::UTTERANCE_TEXT).collect();
    ids(tag::UTTERANCE_STATE).any(|id| !texts.contains(&id))
}

/// A scalar as text: ids come as numbers, values as either (ASAPP reference, sections 4.1 and 4.2).
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => crate::wire::meant(text).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn of_conversation(found: &Value) -> Value {
    let person = |who: &str, what: &str| text(found.pointer(&format!("/{who}/{what}")));
    json!({
        "found": true,
        "external_conversation_id": text(found.get("externalId")),
        "customer_id": person("customer", "externalId"),
        "customer_name": person("customer", "name"),
        "agent_id": person("agent", "externalId"),
        "agent_name": person("agent", "name"),
        "metadata": found.get("metadata"),
    })
}

fn of_message(message: &Value) -> Value {
    let at = |name| text(message.get(name));
    json!({
        "message_id": at("messageId"),
        "utterance": message.get("text"),
        "role": text(message.pointer("/sender/role")),
        "sender_id": text(message.pointer("/sender/externalId")),
        // When it was sent; the other one is when it came to ASAPP.
        "at": at("clientTimestamp").or_else(|| at("createdTimestamp")),
    })
}

/// Rows of what was made, as the feeds would have them.
fn of_made(answer: Answer, made: &Value, now: &str) -> Vec<Value> {
    match answer {
        Answer::Summary => vec![json!({
            "summary_id": text(made.get("summaryId")),
            "autosummary_free_text": made.get("summaryText"),
            "autosummary_free_text_ts": now,
        })],
        Answer::Structured => {
            let metrics = made.get("structuredDataMetrics").and_then(Value::as_array);
            let field = |metric: &Value| {
                let name = text(metric.get("name"));
                json!({
                    "structured_data_id": text(made.get("id")),
                    "structured_data_ts": now,
                    // Guides leave the id out, and call the value an answer.
                    "structured_data_field_id": text(metric.get("id")).or_else(|| name.clone()),
                    "structured_data_field_name": name,
                    "structured_data_field_value": text(metric.get("value").or_else(|| metric.get("answer"))),
                })
            };
            metrics.into_iter().flatten().map(field).collect()
        }
        _ => {
            let code = text(made.pointer("/intent/code")).filter(|code| code != "NO_INTENT");
            let name = text(made.pointer("/intent/name"));
            let row = code.map(|code| json!({ "intent_code": code, "intent_name": name }));
            row.into_iter().collect()
        }
    }
}

impl Asapp {
    /// Asks about the next conversations that lack something, and keeps the answers as a run; `false` when none is left.
    ///
    /// # Errors
    /// The day is used up, the key was refused; what was answered before is kept.
    pub(super) async fn next_answers(&self, cx: &Context, work: &mut Work) -> Result<bool> {
        let Some(api) = &self.api else {
            return Ok(false);
        };
        let mut asked_before = work.asked();
        if asked_before.is_none() {
            let (about, requests) = self.wished(cx, work).await?;
            if about == 0 {
                return Ok(false);
            }
            work.note(format!(
                "API: {about} conversations lack what it may have: {}",
                api.takes(cx, requests)
            ));
        }
        loop {
            let after = asked_before.as_deref().map(unhex).unwrap_or_default();
            let (wishes, last) = self.next_wishes(cx, work, after).await?;
            if wishes.is_empty() {
                return Ok(false);
            }
            let mut rows: BTreeMap<(Family, Answer), Vec<u8>> = BTreeMap::new();
            let (mut answered, mut failed) = (0, None);
            {
                let asks: Vec<_> = wishes.iter().map(|wish| answers(api, cx, wish)).collect();
                let mut asks = futures::stream::iter(asks).buffered(Api::at_once());
                while let Some(answer) = asks.next().await {
                    match answer {
                        Ok(found) => {
                            answered += 1;
                            for (answer, row) in found {
                                let family = wishes[answered - 1].family;
                                let lines = rows.entry((family, answer)).or_default();
                                lines.extend(row.to_string().into_bytes());
                                lines.push(b'\n');
                            }
                        }
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
            }
            let key = match &failed {
                None => last,
                // What was answered is kept; the next page meets the error again.
                Some(_) if answered > 0 => wishes[answered - 1].key.clone(),
                Some(_) => Vec::new(),
            };
            match failed {
                // A product that never answered is not enabled; one that did was taken away (ASAPP reference, section 1.3).
                Some((product, error))
                    if answered == 0
                        && error.kind() == ErrorKind::Forbidden
                        && work.asked().is_none() =>
                {
                    work.give_up(product == Product::Summaries, &error);
                    asked_before = None;
                    continue;
                }
                Some((_, error)) if answered == 0 => return Err(error),
                _ => {}
            }
            self.keep_answers(cx, work, rows, answered, hex(&key))
                .await?;
            return Ok(true);
        }
    }

    /// How many conversations are to be asked about, and the most requests that this takes.
    async fn wished(&self, cx: &Context, work: &Work) -> Result<(u64, u64)> {
        let (mut about, mut requests, mut after) = (0, 0, Vec::new());
        loop {
            let (wishes, last) = self.next_wishes(cx, work, after).await?;
            about += wishes.len() as u64;
            requests += wishes.iter().map(Wish::requests).sum::<u64>();
            if wishes.len() < BATCH {
                return Ok((about, requests));
            }
            after = last;
        }
    }

    /// Up to a batch of wishes behind a key, and the key up to which was looked.
    async fn next_wishes(
        &self,
        cx: &Context,
        work: &Work,
        after: Vec<u8>,
    ) -> Result<(Vec<Wish>, Vec<u8>)> {
        let Some(file) = work.to_be_asked() else {
            return Ok((Vec::new(), after));
        };
        let (file, asking) = (self.config.work().join(file), work.asking);
        let (mut wishes, mut last) = (Vec::new(), after);
        loop {
            cx.check("look for what conversations lack")?;
            let (at, file) = (Start::conversations(0..256).after(&last), file.clone());
            let (groups, end) =
                blocking(move || scan(&file, &at, |groups| groups.len() >= LOOKED)).await?;
            for group in &groups {
                wishes.extend(wish(asking, group));
                last.clone_from(&group.key);
                if wishes.len() >= BATCH {
                    return Ok((wishes, last));
                }
            }
            if end {
                return Ok((wishes, last));
            }
        }
    }

    async fn keep_answers(
        &self,
        cx: &Context,
        work: &mut Work,
        rows: BTreeMap<(Family, Answer), Vec<u8>>,
        about: usize,
        until: String,
    ) -> Result<()> {
        let first = work.next_file();
        let (mut inputs, mut bytes) = (Vec::new(), HashMap::new());
        for (number, ((family, answer), lines)) in (first..).zip(rows) {
            let table = &ASKED[usize::from(family == Family::Messaging)][answer as usize];
            let entry = Entry {
                name: format!("{until}.jsonl"),
                size: Some(lines.len() as u64),
                changed: None,
            };
            let piece = Piece {
                folder: vec![table.name.to_owned()],
                entry,
                table,
                partition: 0,
                split: 0,
            };
            inputs.push(Input {
                piece,
                channel: 0,
                number,
            });
            bytes.insert(number, lines);
        }
        let mut run = self
            .run_now(cx, work, inputs, Whence::Memory(bytes))
            .await?;
        run.count = about;
        run.asked = Some(until);
        work.add_run(run)
    }
}

/// What the APIs say to a wish, as rows.
async fn answers(
    api: &Api,
    cx: &Context,
    wish: &Wish,
) -> std::result::Result<Vec<(Answer, Value)>, (Product, Error)> {
    let of_conversations = |error| (Product::Conversations, error);
    let of_summaries = |error| (Product::Summaries, error);
    let mut rows = Vec::new();
    let mut about = json!({ "found": false });
    if wish.conversation
        && let Some(found) = api
            .conversation(cx, &wish.id)
            .await
            .map_err(of_conversations)?
    {
        about = of_conversation(&found);
        let messages = api.messages(cx, &wish.id).await.map_err(of_conversations)?;
        let messages = messages.unwrap_or_default();
        rows.extend(
            messages
                .iter()
                .map(|message| (Answer::Message, of_message(message))),
        );
    }
    let now = cx.now().to_rfc3339();
    for (call, answer) in &wish.makes {
        let id = &wish.id;
        let of = About {
            family: wish.family,
            id,
        };
        if let Some(made) = api.made(cx, call, of).await.map_err(of_summaries)? {
            let made = of_made(*answer, &made, &now);
            rows.extend(made.into_iter().map(|row| (*answer, row)));
        }
    }
    rows.push((Answer::Conversation, about));
    let id = match wish.family {
        Family::Services => "conversation_id",
        Family::Messaging => "issue_id",
    };
    for (_, row) in &mut rows {
        row[id] = json!(wish.id);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::{Origin, Reduced};

    fn row(tag: u8, generation: u32, line: &Value) -> Reduced {
        let origin = Origin {
            generation,
            ..Origin::default()
        };
        Reduced {
            tag,
            origin,
            claimed_twice: false,
            line: line.to_string().into_bytes(),
        }
    }

    fn wished(
        family: Family,
        asking: Asking,
        rows: Vec<Reduced>,
    ) -> Option<(bool, Vec<&'static str>)> {
        let group = Group {
            key: Vec::new(),
            family,
            id: "7".to_owned(),
            rows,
        };
        let calls = |wish: Wish| wish.makes.iter().map(|(call, _)| *call).collect();
        wish(asking, &group).map(|wish| (wish.conversation, calls(wish)))
    }

    #[test]
    fn only_what_a_conversation_lacks_is_asked_for() {
        let missing = Asking {
            conversations: Some(false),
            ..Asking::default()
        };
        let all = Asking {
            conversations: Some(true),
            summary: true,
            structured: true,
            intent: true,
        };
        let sender = || row(tag::UTTERANCE_STATE, 1, &json!({"message_id": "m"}));
        let words = || row(tag::UTTERANCE_TEXT, 1, &json!({"message_id": "m"}));
        let other = || row(tag::UTTERANCE_TEXT, 1, &json!({"message_id": "n"}));
        let state = |n: u32| {
            row(
                tag::STATE,
                1,
                &json!({"customer_utterance_ct": n, "single_intent_intent_code": "PAY"}),
            )
        };
        let asked = |generation| row(tag::ASKED, generation, &json!({}));
        let said = || row(tag::UTTERANCE, 1, &json!({}));
        let services = [
            (missing, vec![sender(), words()], None),
            // As many texts as senders, and yet one is missing.
            (missing, vec![sender(), other()], Some((true, vec![]))),
            (missing, vec![state(0)], None),
            (missing, vec![state(2)], Some((true, vec![]))),
            (missing, vec![sender(), asked(1)], None),
            (all, vec![state(0)], Some((true, vec![]))),
            (
                all,
                vec![state(1), words()],
                Some((true, vec!["free-text-summaries", "structured-data"])),
            ),
            (
                all,
                vec![
                    words(),
                    row(tag::SUMMARY, 1, &json!({})),
                    row(tag::STRUCTURED, 1, &json!({})),
                ],
                Some((true, vec!["intent"])),
            ),
        ];
        for (asking, rows, expected) in services {
            let shown = format!("{rows:?}");
            assert_eq!(wished(Family::Services, asking, rows), expected, "{shown}");
        }
        // What files say later is asked about again.
        let later = vec![
            asked(1),
            row(tag::UTTERANCE_STATE, 2, &json!({"message_id": "m"})),
        ];
        assert_eq!(
            wished(Family::Services, missing, later),
            Some((true, vec![]))
        );
        let of_issue = |rows| wished(Family::Messaging, all, rows);
        assert_eq!(of_issue(vec![row(tag::METADATA, 1, &json!({}))]), None);
        let summary = row(tag::DISPOSITION, 1, &json!({"auto_summary_txt": "Done."}));
        let intent = row(tag::INTENTS_OF, 1, &json!({}));
        assert_eq!(
            of_issue(vec![said(), summary, intent]),
            Some((false, vec!["structured-data"]))
        );
    }

    #[test]
    fn answers_are_taken_in_either_spelling() {
        let made = json!({"id": "run", "structuredDataMetrics": [
            {"id": "q_done", "name": "Done", "value": "Yes"}, {"name": "Amount", "answer": 12.5}]});
        let rows = of_made(Answer::Structured, &made, "now");
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    text(row.get("structured_data_field_id")),
                    text(row.get("structured_data_field_value")),
                )
            })
            .collect();
        let pair = |id: &str, value: &str| (Some(id.to_owned()), Some(value.to_owned()));
        assert_eq!(found, [pair("q_done", "Yes"), pair("Amount", "12.5")]);
        let none = json!({"intent": {"code": "NO_INTENT", "name": "none"}});
        assert!(of_made(Answer::Intent, &none, "now").is_empty());
        let found = of_conversation(
            &json!({"externalId": 77, "customer": {"externalId": 5, "name": "Ann Lee"}}),
        );
        assert_eq!(
            (
                text(found.get("external_conversation_id")),
                text(found.get("customer_id"))
            ),
            (Some("77".to_owned()), Some("5".to_owned()))
        );
        let message = of_message(
            &json!({"messageId": "m", "sender": {"role": "agent", "externalId": null}, "createdTimestamp": "late"}),
        );
        assert_eq!(
            (message["at"].as_str(), message["sender_id"].is_null()),
            (Some("late"), true)
        );
    }
}
