//! Rows to keys and entries.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use deskferry_core::Result;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::entry::{Stamp, head};
use super::keys::owner_key;
use super::run::Input;
use crate::convert::sort_of;
use crate::tables::{Family, Of, Table, tag};
use crate::wire::{Columns, Shape, moment, pick, scalar};

/// Ids of agents and customers that a run remembers to have named already.
const REMEMBERED: usize = 200_000;

/// Takes a key, and an entry in two pieces: what stands before the line, and the line.
pub(super) type Insert<'a> = dyn FnMut(&[u8], &[u8], &[u8]) -> Result<()> + 'a;

/// Rows of one file to entries.
pub(super) struct Mapper<'a> {
    table: &'static Table,
    number: u32,
    stamp: Stamp,
    columns: Columns,
    places: Places,
    key: Vec<u8>,
    named: &'a mut Named,
}

/// Where the columns of a table's key stand among the wanted ones: looked up once, not for each row.
#[derive(Debug, Default)]
struct Places {
    owner: Vec<usize>,
    key: Vec<usize>,
    unique: Option<usize>,
    logical: Option<usize>,
    constant: Option<usize>,
}

impl Places {
    fn new(table: &Table, columns: &Columns) -> Self {
        let all = |names: &[&str]| {
            names
                .iter()
                .filter_map(|name| columns.place(name))
                .collect()
        };
        let one = |name: Option<&str>| columns.place(name?);
        Self {
            owner: all(table.owner),
            key: all(table.key),
            unique: one(table.unique),
            logical: one(table.logical),
            constant: one(table.constant),
        }
    }
}

/// Who was named in this run already, by the mark of the row that says so and the family.
#[derive(Debug, Default)]
pub(super) struct Named {
    ids: HashMap<(u8, Family), HashSet<String>>,
    count: usize,
}

impl Named {
    /// Whether somebody is named for the first time; of very many some are named again.
    fn first(&mut self, mark: u8, family: Family, id: &str) -> bool {
        let ids = self.ids.entry((mark, family)).or_default();
        if ids.contains(id) {
            return false;
        }
        if self.count < REMEMBERED {
            self.count += 1;
            ids.insert(id.to_owned());
        }
        true
    }
}

/// Columns of a table from which we make rows of our own, or nothing.
fn names(mark: u8) -> &'static [&'static str] {
    match mark {
        tag::METADATA | tag::METADATA_ENDED => &[
            "customer_id",
            "external_user_id",
            "first_rep_id",
            "last_rep_id",
        ],
        tag::REP_CONVO => &[
            "rep_id",
            "issue_assigned_ts",
            "client_mode",
            "handle_time_seconds",
            "wrap_up_time_seconds",
            "first_response_seconds",
        ],
        tag::DISPOSITION => &["rep_id"],
        tag::UTTERANCE | tag::UTTERANCE_STATE => &["sender_id", "sender_type"],
        tag::OPPORTUNITY => &["merged_from_issue_id"],
        tag::PARAM => &["issue_id", "param_key"],
        tag::STATE => &["customer_id", "last_agent_id"],
        tag::ASKED => &["customer_id", "customer_name", "agent_id", "agent_name"],
        tag::STRUCTURED => &[
            "structured_data_field_id",
            "structured_data_field_name",
            "structured_data_field_value",
            "structured_data_field_category",
        ],
        _ => &[],
    }
}

type Picked<'de> = Vec<Option<&'de RawValue>>;

impl<'a> Mapper<'a> {
    pub(super) fn new(input: &Input, generation: u32, named: &'a mut Named) -> Self {
        let table = input.piece.table;
        let mut wanted: Vec<&'static str> = Vec::new();
        let own = table.owner.iter().chain(table.key);
        for column in own
            .copied()
            .chain(table.unique)
            .chain(table.logical)
            .chain(table.constant)
        {
            if !wanted.contains(&column) {
                wanted.push(column);
            }
        }
        for column in names(table.tag) {
            if !wanted.contains(column) {
                wanted.push(column);
            }
        }
        let columns = Columns::new(wanted);
        Self {
            table,
            number: input.number,
            stamp: Stamp {
                partition: input.piece.partition,
                generation,
                split: input.piece.split,
                ..Stamp::default()
            },
            places: Places::new(table, &columns),
            columns,
            key: Vec::new(),
            named,
        }
    }

    /// Tells what its columns looked like.
    pub(super) fn tell(&self, shape: &mut Shape) {
        self.columns.tell(shape);
    }

    /// Inserts what a line says; why it is no row, where it is none.
    pub(super) fn map(
        &mut self,
        line: &[u8],
        number: u32,
        insert: &mut Insert<'_>,
    ) -> Result<std::result::Result<(), String>> {
        let flat;
        let line = match self.table.tag {
            tag::EVENT => match flattened(line) {
                Ok(Some(row)) => {
                    flat = row;
                    flat.as_slice()
                }
                Ok(None) => return Ok(Ok(())),
                Err(reason) => return Ok(Err(reason)),
            },
            _ => line,
        };
        let mut picked = Picked::new();
        if let Err(error) = pick(line, &mut self.columns, &mut picked) {
            return Ok(Err(error.to_string()));
        }
        let at = |place: &usize| scalar(picked.get(*place).copied().flatten()?);
        let owner = match self.table.owner {
            [] => Some(Cow::Borrowed("")),
            _ => self.places.owner.iter().find_map(at),
        };
        let Some(owner) = owner else {
            return Ok(Err(format!(
                "no value in {}",
                self.table.owner.join(" or ")
            )));
        };
        self.stamp.line = number;
        let logical = self.places.logical.as_ref().and_then(at);
        self.stamp.logical = logical
            .and_then(|text| moment(&text))
            .map_or(0, |time| time.timestamp_micros());
        owner_key(&mut self.key, self.table.of, self.table.family, &owner);
        self.key.push(self.table.tag);
        match self.places.unique.as_ref().and_then(at) {
            Some(unique) => self.key.extend_from_slice(unique.as_bytes()),
            None => {
                for (number, place) in self.places.key.iter().enumerate() {
                    if number > 0 {
                        self.key.push(0x1f);
                    }
                    self.key
                        .extend_from_slice(at(place).unwrap_or_default().as_bytes());
                }
            }
        }
        let constant = self.places.constant.as_ref().and_then(at);
        let constant = constant.map_or(0, |text| hash(&text));
        insert(&self.key, &head(self.stamp, constant, self.number), line)?;
        if !names(self.table.tag).is_empty() {
            self.more(&owner, line, &picked, insert)?;
        }
        Ok(Ok(()))
    }

    /// Rows of our own: who and what a row names beside what it belongs to.
    fn more(
        &mut self,
        owner: &str,
        line: &[u8],
        picked: &Picked<'_>,
        insert: &mut Insert<'_>,
    ) -> Result<()> {
        let columns = std::mem::replace(&mut self.columns, Columns::new(Vec::new()));
        let at = |column: &str| value(&columns, picked, column);
        let says = |column: &str, word: &str| {
            at(column).is_some_and(|text| {
                let windows = text.as_bytes().windows(word.len());
                windows
                    .into_iter()
                    .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
            })
        };
        match self.table.tag {
            tag::METADATA | tag::METADATA_ENDED => {
                if let Some(customer) = at("customer_id") {
                    self.name(Of::Customer, &customer, insert)?;
                    if let Some(external) = at("external_user_id") {
                        let row = json!({ "external_user_id": external }).to_string();
                        self.put(
                            Of::Customer,
                            &customer,
                            tag::CUSTOMER_NAMED,
                            "external",
                            row.as_bytes(),
                            insert,
                        )?;
                    }
                }
                for rep in [at("first_rep_id"), at("last_rep_id")]
                    .into_iter()
                    .flatten()
                {
                    self.name(Of::Agent, &rep, insert)?;
                }
            }
            tag::REP_CONVO => {
                if let Some(rep) = at("rep_id") {
                    self.name(Of::Agent, &rep, insert)?;
                    let row = json!({
                        "at": at("issue_assigned_ts"),
                        "mode": at("client_mode"),
                        "handle": at("handle_time_seconds"),
                        "wrap_up": at("wrap_up_time_seconds"),
                        "first": at("first_response_seconds"),
                    });
                    let key = format!(
                        "{owner}\u{1f}{}",
                        at("issue_assigned_ts").unwrap_or_default()
                    );
                    self.put(
                        Of::Agent,
                        &rep,
                        tag::REP_HANDLED,
                        &key,
                        row.to_string().as_bytes(),
                        insert,
                    )?;
                }
            }
            tag::DISPOSITION => {
                if let Some(rep) = at("rep_id") {
                    self.name(Of::Agent, &rep, insert)?;
                }
            }
            tag::UTTERANCE if says("sender_type", "rep") => {
                if let Some(rep) = at("sender_id") {
                    self.name(Of::Agent, &rep, insert)?;
                }
            }
            tag::UTTERANCE_STATE if says("sender_type", "agent") => {
                if let Some(agent) = at("sender_id") {
                    self.name(Of::Agent, &agent, insert)?;
                }
            }
            tag::OPPORTUNITY => {
                if let Some(merged) = at("merged_from_issue_id").filter(|merged| *merged != owner) {
                    let row = json!({ "into": owner }).to_string();
                    self.put(
                        Of::Conversation,
                        &merged,
                        tag::MERGED,
                        "",
                        row.as_bytes(),
                        insert,
                    )?;
                }
            }
            tag::PARAM => {
                self.name(Of::Customer, owner, insert)?;
                if let (Some(issue), Some(key)) = (at("issue_id"), at("param_key")) {
                    self.put(
                        Of::Conversation,
                        &issue,
                        tag::PARAM_OF_ISSUE,
                        &key,
                        line,
                        insert,
                    )?;
                }
            }
            tag::STATE => {
                if let Some(customer) = at("customer_id") {
                    self.name(Of::Customer, &customer, insert)?;
                }
                if let Some(agent) = at("last_agent_id") {
                    self.name(Of::Agent, &agent, insert)?;
                }
            }
            tag::ASKED => {
                for (of, mark, id, name) in [
                    (
                        Of::Customer,
                        tag::CUSTOMER_TOLD,
                        "customer_id",
                        "customer_name",
                    ),
                    (Of::Agent, tag::REP_TOLD, "agent_id", "agent_name"),
                ] {
                    let Some(id) = at(id) else { continue };
                    self.name(of, &id, insert)?;
                    if let Some(name) = at(name) {
                        let row = json!({ "name": name }).to_string();
                        self.put(of, &id, mark, "", row.as_bytes(), insert)?;
                    }
                }
            }
            tag::STRUCTURED => {
                if let Some(field) = at("structured_data_field_id") {
                    let row = json!({
                        "id": field,
                        "name": at("structured_data_field_name"),
                        "category": at("structured_data_field_category"),
                    });
                    self.put(
                        Of::Dictionary,
                        "",
                        tag::FIELD,
                        &field,
                        row.to_string().as_bytes(),
                        insert,
                    )?;
                    if let Some(sort) =
                        at("structured_data_field_value").and_then(|text| sort_of(&text))
                    {
                        let row = json!({ "id": field, "sort": sort }).to_string();
                        let key = format!("{field}\u{1f}{sort}");
                        self.put(
                            Of::Dictionary,
                            "",
                            tag::FIELD_SEEN,
                            &key,
                            row.as_bytes(),
                            insert,
                        )?;
                    }
                }
            }
            _ => {}
        }
        self.columns = columns;
        Ok(())
    }

    fn name(&mut self, of: Of, id: &str, insert: &mut Insert<'_>) -> Result<()> {
        let mark = match of {
            Of::Agent => tag::REP_NAMED,
            _ => tag::CUSTOMER_NAMED,
        };
        if !self.named.first(mark, self.table.family, id) {
            return Ok(());
        }
        self.put(of, id, mark, "", b"{}", insert)
    }

    fn put(
        &mut self,
        of: Of,
        owner: &str,
        tag: u8,
        row: &str,
        line: &[u8],
        insert: &mut Insert<'_>,
    ) -> Result<()> {
        owner_key(&mut self.key, of, self.table.family, owner);
        self.key.push(tag);
        self.key.extend(row.bytes());
        insert(&self.key, &head(self.stamp, 0, self.number), line)
    }
}

fn value<'de>(columns: &Columns, picked: &Picked<'de>, column: &str) -> Option<Cow<'de, str>> {
    scalar(picked.get(columns.place(column)?).copied().flatten()?)
}

/// Never 0, which means none.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    }) | 1
}

/// An event as a row: what stands in its three parts side by side. Nothing for events that are about no issue: the state of agents and
/// queues moves nowhere.
fn flattened(line: &[u8]) -> std::result::Result<Option<Vec<u8>>, String> {
    let mut event: Map<String, Value> = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    let name = event.get("name").and_then(Value::as_str).unwrap_or("");
    if name != "com.asapp.event.journey" {
        return match name {
            "" => Err("there is no `name`: this is no event".to_owned()),
            _ => Ok(None),
        };
    }
    let mut row = Map::new();
    for part in ["details", "data", "meta_data"] {
        if let Some(Value::Object(values)) = event.remove(part) {
            row.extend(values.into_iter().filter(|(_, value)| !value.is_null()));
        }
    }
    for column in ["event_type", "event_id"] {
        if let Some(value) = event.remove(column) {
            row.insert(column.to_owned(), value);
        }
    }
    serde_json::to_vec(&row)
        .map(Some)
        .map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_row_and_one_about_no_issue_is_none() {
        let event = json!({
            "name": "com.asapp.event.journey", "event_type": "ISSUE_ENDED", "event_id": "e-1",
            "meta_data": {"issue_id": "7", "event_time": "2026-02-03T14:00:00.000Z"}, "data": {"customer_id": 9}, "details": {"is_resolved": null},
        });
        let row = flattened(event.to_string().as_bytes()).unwrap().unwrap();
        let row: Value = serde_json::from_slice(&row).unwrap();
        let expected = json!({"issue_id": "7", "event_time": "2026-02-03T14:00:00.000Z", "customer_id": 9, "event_type": "ISSUE_ENDED", "event_id": "e-1"});
        assert_eq!(row, expected);
        assert_eq!(flattened(br#"{"name":"com.asapp.event.queue"}"#), Ok(None));
        assert!(flattened(br#"{"issue_id":7}"#).is_err());
    }
}
