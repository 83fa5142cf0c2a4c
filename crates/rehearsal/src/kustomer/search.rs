//! Search and the archive search (Kustomer reference, sections 2.2 to 2.4).

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::desk::{Context, Entry};
use super::routes::{Call, Denied};
use super::{KustomerOptions, render};

/// Greater page sizes are silently cut to this.
const LARGEST_PAGE: u64 = 500;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    /// What changed within the last two years.
    Young,
    /// What did not.
    Archive,
}

/// One condition on an entry.
struct Criterion {
    attribute: Attribute,
    operator: Operator,
    value: i64,
}

#[derive(Clone, Copy)]
enum Attribute {
    Created,
    Updated,
    Files,
    Number,
    /// The last change of the conversation that a message or note stands in.
    Conversation,
}

#[derive(Clone, Copy)]
enum Operator {
    Equals,
    Gt,
    Gte,
    Lt,
    Lte,
}

impl Criterion {
    fn holds(&self, entry: &Entry, conversations: &HashMap<u64, i64>) -> bool {
        let found = match self.attribute {
            Attribute::Conversation => match conversations.get(&entry.conversation) {
                Some(updated) => *updated,
                None => return false,
            },
            Attribute::Created => entry.created,
            Attribute::Updated => entry.updated,
            Attribute::Files => i64::from(entry.files),
            Attribute::Number => i64::try_from(entry.number).unwrap_or(i64::MAX),
        };
        match self.operator {
            Operator::Equals => found == self.value,
            Operator::Gt => found > self.value,
            Operator::Gte => found >= self.value,
            Operator::Lt => found < self.value,
            Operator::Lte => found <= self.value,
        }
    }
}

/// A search as it was asked.
struct Asked {
    context: Context,
    all: Vec<Criterion>,
    deleted: bool,
    sort: Option<(Attribute, bool)>,
    page: u64,
    size: u64,
}

const KEYS: [&str; 11] = [
    "queryContext",
    "and",
    "or",
    "not",
    "sort",
    "timeZone",
    "includeDeleted",
    "fields",
    "aggs",
    "searchHash",
    "trackTotalHits",
];

pub(super) fn answer(call: &Call<'_>, index: Index, body: &[u8]) -> Result<Value, Denied> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| Denied::bad("body"))?;
    let asked = read(call, index, &body)?;
    let desk = &call.shared.desk;
    let options = &call.shared.options;
    let horizon = options.horizon().timestamp_millis();
    let in_index = |entry: &Entry| match index {
        Index::Young => entry.updated >= horizon,
        Index::Archive => options.archive_holds_all || entry.updated < horizon,
    };
    let mut asked = asked;
    let of_conversations = |one: &Criterion| matches!(one.attribute, Attribute::Conversation);
    let mut conversations = HashMap::new();
    if asked.all.iter().any(of_conversations) {
        if call.shared.faults.take("not-joined", asked.context.name()) {
            asked.all.retain(|one| !of_conversations(one));
        }
        conversations = desk.entries(Context::Conversation, |all| {
            all.iter()
                .map(|entry| (entry.number, entry.updated))
                .collect()
        });
    }
    let mut hits: Vec<Entry> = desk.entries(asked.context, |entries| {
        let kept = entries.iter().filter(|entry| {
            in_index(entry)
                && (asked.deleted || !entry.deleted)
                && asked.all.iter().all(|one| one.holds(entry, &conversations))
        });
        kept.copied().collect()
    });
    let name = asked.context.name();
    sort(&mut hits, &asked, call.shared.faults.take("unsorted", name));
    let total = hits.len() as u64;
    let from = (asked.page - 1) * asked.size;
    capped(options, &asked, from)?;
    let mut shown: Vec<Value> = hits
        .iter()
        .skip(usize::try_from(from).unwrap_or(usize::MAX))
        .take(usize::try_from(asked.size).unwrap_or(0))
        .filter_map(|entry| render::entry(desk, asked.context, entry))
        .collect();
    let timed_out = call.shared.faults.take("timed-out", name);
    if timed_out {
        shown.truncate(shown.len() / 2);
    }
    Ok(envelope(call.path, &asked, total, timed_out, shown))
}

fn envelope(path: &str, asked: &Asked, total: u64, timed_out: bool, data: Vec<Value>) -> Value {
    let address = |page: u64| format!("/v1/{path}?page={page}&pageSize={}", asked.size);
    let pages = total.div_ceil(asked.size);
    json!({
        "meta": {"page": asked.page, "pageSize": asked.size, "total": total, "totalPages": pages, "aggregations": {}, "timed_out": timed_out},
        "links": {
            "self": address(asked.page), "first": address(1), "prev": (asked.page > 1).then(|| address(asked.page - 1)),
            "next": (asked.page < pages).then(|| address(asked.page + 1)), "last": address(pages.max(1)),
        },
        "data": data,
    })
}

/// No page beyond the hundredth, and no hit beyond the ten-thousandth, whatever `meta` says.
fn capped(options: &KustomerOptions, asked: &Asked, from: u64) -> Result<(), Denied> {
    if asked.page > 100 || from + asked.size > options.most_hits {
        return Err(Denied::bad("page"));
    }
    Ok(())
}

fn sort(hits: &mut [Entry], asked: &Asked, ignored: bool) {
    match asked.sort {
        Some((attribute, ascending)) if !ignored => {
            hits.sort_by_key(|entry| match attribute {
                Attribute::Created => entry.created,
                Attribute::Updated => entry.updated,
                Attribute::Files | Attribute::Number | Attribute::Conversation => {
                    i64::try_from(entry.number).unwrap_or(0)
                }
            });
            if !ascending {
                hits.reverse();
            }
        }
        // No order that means anything, but the same each time.
        _ => hits.sort_by_key(|entry| entry.number.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
    }
}

fn read(call: &Call<'_>, index: Index, body: &Map<String, Value>) -> Result<Asked, Denied> {
    if let Some(key) = body.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(Denied::bad(key));
    }
    let archive_has_no = ["searchHash", "aggs", "fields"];
    if index == Index::Archive && body.keys().any(|k| archive_has_no.contains(&k.as_str())) {
        return Err(Denied::bad("body"));
    }
    let context = body.get("queryContext").and_then(Value::as_str);
    let context = context
        .and_then(Context::from_name)
        .filter(|context| index == Index::Young || *context != Context::Note)
        .filter(|context| !call.shared.faults.take("klass-gone", context.name()))
        .ok_or_else(|| Denied::bad("queryContext"))?;
    let criteria = match body.get("and") {
        None => Vec::new(),
        Some(Value::Array(all)) if all.len() <= 20 => all.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        Some(_) => return Err(Denied::bad("and")),
    };
    let mut all = Vec::new();
    for one in criteria {
        for (name, test) in one.as_object().ok_or_else(|| Denied::bad("and"))? {
            let attribute = attribute(context, index, name)?;
            for (operator, value) in test.as_object().ok_or_else(|| Denied::bad(name))? {
                all.push(Criterion {
                    attribute,
                    operator: self::operator(operator).ok_or_else(|| Denied::bad(operator))?,
                    value: number(attribute, value).ok_or_else(|| Denied::bad(name))?,
                });
            }
        }
    }
    let number = |name: &str, usual: u64| match call.query.get(name) {
        None => Ok(usual),
        Some(text) => text
            .parse::<u64>()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| Denied::bad(name)),
    };
    Ok(Asked {
        context,
        all,
        deleted: body.get("includeDeleted").and_then(Value::as_bool) == Some(true),
        sort: sorting(context, index, body.get("sort"))?,
        page: number("page", 1)?,
        size: number("pageSize", 100)?.min(LARGEST_PAGE),
    })
}

fn sorting(
    context: Context,
    index: Index,
    sort: Option<&Value>,
) -> Result<Option<(Attribute, bool)>, Denied> {
    let Some(first) = sort.and_then(Value::as_array).and_then(|all| all.first()) else {
        return Ok(None);
    };
    let (name, way) = first
        .as_object()
        .and_then(|one| one.iter().next())
        .ok_or_else(|| Denied::bad("sort"))?;
    Ok(Some((attribute(context, index, name)?, way == "asc")))
}

fn attribute(context: Context, index: Index, name: &str) -> Result<Attribute, Denied> {
    // Criteria may be on other kinds of things than what is looked for.
    if name == "conversation_updated_at" && matches!(context, Context::Message | Context::Note) {
        return Ok(Attribute::Conversation);
    }
    let own = name
        .strip_prefix(context.prefix())
        .and_then(|rest| rest.strip_prefix('_'));
    match own {
        Some("created_at") => Ok(Attribute::Created),
        Some("updated_at") => Ok(Attribute::Updated),
        Some("attachment_count")
            if index == Index::Young && matches!(context, Context::Message | Context::Note) =>
        {
            Ok(Attribute::Files)
        }
        Some("id") if index == Index::Archive => Ok(Attribute::Number),
        _ => Err(Denied::bad(name)),
    }
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        "equals" => Operator::Equals,
        "gt" => Operator::Gt,
        "gte" => Operator::Gte,
        "lt" => Operator::Lt,
        "lte" => Operator::Lte,
        _ => return None,
    })
}

fn number(attribute: Attribute, value: &Value) -> Option<i64> {
    match attribute {
        Attribute::Created | Attribute::Updated | Attribute::Conversation => {
            let text = value.as_str()?;
            let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
            Some(at.timestamp_millis())
        }
        Attribute::Files | Attribute::Number => value.as_i64(),
    }
}
