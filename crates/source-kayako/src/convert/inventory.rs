//! What people set up and build again in the target: told as it is, without secrets (Kayako reference, section 14).

use std::collections::{BTreeMap, BTreeSet};

use deskferry_core::model::{InventoryItem, InventoryKind, InventoryPart, Meta, Named};
use deskferry_core::{RecordKind, Tenant};
use serde_json::{Value, json};
use url::Url;

use crate::client::FieldOwner;
use crate::wire::{Defect, Field, lenient};

/// Stands in place of what nobody may read.
const HIDDEN: &str = "…";

/// An item, and how many of its conditions and targets came as bare references.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) record: InventoryItem,
    pub(crate) bare: usize,
}

/// What numbers in conditions and actions stand for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(BTreeMap<(&'static str, String), String>);

impl Names {
    /// Takes note of a row; `of` is its type on the wire.
    pub(crate) fn learn(&mut self, of: &'static str, row: &Value) {
        let name = ["label", "title", "name"].iter();
        let name = name.clone().find_map(|name| said(row.get(*name)?));
        if let (Some(id), Some(name)) = (id_of(row), name) {
            self.0.insert((of, id), name);
        }
    }

    /// Takes note of a user.
    pub(crate) fn learn_user(&mut self, id: u64, name: &str) {
        if !name.trim().is_empty() {
            self.0
                .insert(("user", id.to_string()), name.trim().to_owned());
        }
    }

    /// Takes note of a custom field and its options: rules name fields by number or key, and options by number.
    pub(crate) fn learn_field(&mut self, field: &Field, option: impl Fn(u64) -> Option<String>) {
        for name in [field.id.to_string(), field.key.to_lowercase()] {
            if !name.is_empty() {
                self.0.insert(("custom", name), field.title.clone());
            }
        }
        for one in &field.options {
            if let Some(text) = option(one.id) {
                self.0.insert(("option", one.id.to_string()), text);
            }
        }
    }

    /// The custom field that a rule's word means: `cases.customfield.colour`, `casecustomfields.12`.
    fn custom_field(&self, about: &str) -> Option<&String> {
        let (before, last) = about.rsplit_once(['.', '_', '-'])?;
        before
            .to_ascii_lowercase()
            .contains("field")
            .then_some(())?;
        // A key may have dots of its own.
        self.get("custom", &last.to_lowercase())
            .or_else(|| self.custom_key(about))
    }

    fn custom_key(&self, about: &str) -> Option<&String> {
        let about = about.to_lowercase();
        let mut fields = self.0.iter().filter(|((of, _), _)| *of == "custom");
        let ends = |key: &String| {
            about
                .strip_suffix(key.as_str())
                .is_some_and(|rest| rest.ends_with('.'))
        };
        fields
            .find(|((_, key), _)| ends(key))
            .map(|(_, title)| title)
    }

    fn get(&self, of: &str, id: &str) -> Option<&String> {
        let mut known = self.0.iter();
        known
            .find(|((sort, known), _)| *sort == of && known == id)
            .map(|(_, name)| name)
    }

    /// A row with names beside its numbers: those of things that it refers to, and those in conditions and actions.
    fn told(&self, value: &Value) -> Value {
        match value {
            Value::Array(all) => all.iter().map(|one| self.told(one)).collect(),
            Value::Object(object) => {
                let members = object.iter();
                let mut told: serde_json::Map<String, Value> = members
                    .map(|(name, value)| (name.clone(), self.told(value)))
                    .collect();
                let text = |name: &str| object.get(name).and_then(said);
                if let (Some(of), Some(id)) = (text("resource_type"), text("id"))
                    && let Some(name) = self.get(&of, &id)
                {
                    told.entry("label").or_insert_with(|| name.as_str().into());
                }
                let about = text("field").or_else(|| text("name"));
                if let (Some(field), Some(title)) = (
                    text("field"),
                    about.as_deref().and_then(|about| self.custom_field(about)),
                ) {
                    told.insert("field".to_owned(), format!("{field} ({title})").into());
                    if let Some(value) = text("value") {
                        told.insert("value".to_owned(), self.named("option", &value).into());
                    }
                    return Value::Object(told);
                }
                if let (Some(of), Some(value)) =
                    (about.and_then(|about| meant(&about)), text("value"))
                {
                    told.insert("value".to_owned(), self.named(of, &value).into());
                }
                Value::Object(told)
            }
            other => other.clone(),
        }
    }

    /// `4,5` as `4 (Completed), 5 (Closed)`; what is no number known here stays as it is.
    fn named(&self, of: &str, value: &str) -> String {
        let one = |id: &str| match self.get(of, id.trim()) {
            Some(name) => format!("{} ({name})", id.trim()),
            None => id.to_owned(),
        };
        let all: Vec<String> = value.split(',').map(one).collect();
        all.join(if all.len() > 1 { ", " } else { "" })
    }
}

/// What the value of this field or action is a number of.
fn meant(about: &str) -> Option<&'static str> {
    let about = about.to_ascii_lowercase();
    let words = [
        ("status", "case_status"),
        ("priorit", "case_priority"),
        ("casetype", "case_type"),
        ("typeid", "case_type"),
        ("team", "team"),
        ("brand", "brand"),
        ("agent", "user"),
        ("assignee", "user"),
        ("requester", "user"),
        ("creator", "user"),
    ];
    let found = words.iter().find(|(word, _)| about.contains(word));
    let whole = (about == "type").then_some("case_type");
    found.map(|(_, of)| *of).or(whole)
}

/// Users whom conditions, actions and references of a row name by number.
pub(crate) fn users_in(row: &Value) -> BTreeSet<u64> {
    let mut users = BTreeSet::new();
    collect_users(row, &mut users);
    users
}

fn collect_users(value: &Value, users: &mut BTreeSet<u64>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect_users(one, users)),
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(said);
            let is_user = text("resource_type").is_some_and(|of| of == "user");
            if is_user && text("full_name").is_none() {
                users.extend(text("id").and_then(|id| id.parse::<u64>().ok()));
            }
            let about = text("field").or_else(|| text("name"));
            if about.as_deref().and_then(meant) == Some("user")
                && let Some(value) = text("value")
            {
                users.extend(
                    value
                        .split(',')
                        .filter_map(|id| id.trim().parse::<u64>().ok()),
                );
            }
            object
                .values()
                .for_each(|member| collect_users(member, users));
        }
        _ => {}
    }
}

/// An item of a list: `sort` is the platform's word for it, and stands in its key.
pub(crate) fn item(
    tenant: &Tenant,
    kind: InventoryKind,
    sort: &str,
    row: &Value,
    names: &Names,
) -> Result<Item, Defect> {
    let id = id_of(row).ok_or_else(|| Defect {
        path: "id".to_owned(),
        reason: "there is none".to_owned(),
    })?;
    let definition = redacted(row, kind == InventoryKind::Webhook);
    let mut meta = Meta::new(tenant.key(RecordKind::InventoryItem, format!("{sort}-{id}")));
    let time = |name: &str| row.get(name)?.as_str().and_then(lenient::parse_time);
    meta.created_at = time("created_at");
    meta.updated_at = time("updated_at");
    let (parts, bare) = parts(&names.told(&definition));
    let name = ["title", "name", "address", "screen_name", "label"]
        .iter()
        .find_map(|name| said(definition.get(*name)?));
    let record = InventoryItem {
        meta,
        kind: Named::new(kind, sort),
        name: name.unwrap_or(id),
        active: active(row),
        parts,
        definition,
    };
    Ok(Item { record, bare })
}

/// A custom field that the usual types of a target hold only in part.
pub(crate) fn odd_field(
    tenant: &Tenant,
    owner: FieldOwner,
    field: &Field,
) -> Option<InventoryItem> {
    let why = match field.kind.to_ascii_uppercase().as_str() {
        "CASCADINGSELECT" => {
            "a tree of choices: becomes one text with its steps, or dependent picklists built by hand"
        }
        "REGEX" => "a text that must match a pattern: build a validation rule by hand",
        "FILE" => "a field that holds a file: its values are kept as they are, without the file",
        "TEXT" | "TEXTAREA" | "NUMERIC" | "DECIMAL" | "YESNO" | "DATE" | "RADIO" | "SELECT"
        | "CHECKBOX" => return None,
        _ => "a type that nobody documents: its values are kept as texts",
    };
    let on = match owner {
        FieldOwner::Case => "case",
        FieldOwner::User => "user",
        FieldOwner::Organization => "organization",
    };
    let key = tenant.key(
        RecordKind::InventoryItem,
        format!("field-{on}-{}", field.id),
    );
    let mut meta = Meta::new(key);
    meta.created_at = field.created_at;
    meta.updated_at = field.updated_at;
    Some(InventoryItem {
        meta,
        kind: Named::new(InventoryKind::Field, field.kind.clone()),
        name: format!("{on}: {}", field.title),
        active: field.is_enabled,
        parts: vec![InventoryPart {
            title: "fields".to_owned(),
            lines: vec![why.to_owned()],
        }],
        definition: json!({ "id": field.id, "title": field.title, "key": field.key, "type": field.kind }),
    })
}

fn id_of(row: &Value) -> Option<String> {
    ["id", "uuid"].iter().find_map(|name| said(row.get(*name)?))
}

fn active(row: &Value) -> Option<bool> {
    let flag = |name: &str| match row.get(name)? {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => Some(number.as_u64() != Some(0)),
        Value::String(word) => Some(matches!(word.as_str(), "1" | "true")),
        _ => None,
    };
    match flag("is_deleted") {
        Some(true) => Some(false),
        _ => flag("is_enabled"),
    }
}

/// What it does, for people, and how much of that is missing.
fn parts(row: &Value) -> (Vec<InventoryPart>, usize) {
    let mut bare = 0;
    let found = [
        ("trigger", members(row, &["channel", "event"])),
        ("conditions", conditions(row, &mut bare)),
        ("actions", actions(row)),
        ("targets", targets(row, &mut bare)),
        ("hours", hours(row)),
        ("routing", members(row, &["businesshour", "member_count"])),
        (
            "addresses",
            members(row, &["sub_domain", "domain", "alias"]),
        ),
        ("fields", members(row, &["columns", "fields"])),
        (
            "visibility",
            members(
                row,
                &["visibility", "visibility_type", "visibility_to_teams"],
            ),
        ),
    ];
    let parts = found
        .into_iter()
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(title, lines)| InventoryPart {
            title: title.to_owned(),
            lines,
        });
    (parts.collect(), bare)
}

fn members(row: &Value, names: &[&str]) -> Vec<String> {
    let line = |name: &&str| {
        let value = said(row.get(*name)?)?;
        Some(format!("{}: {value}", name.replace('_', " ")))
    };
    names.iter().filter_map(line).collect()
}

fn list<'a>(row: &'a Value, name: &str) -> &'a [Value] {
    row.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// One line per condition; the sets that they stand in are numbered where there are several.
fn conditions(row: &Value, bare: &mut usize) -> Vec<String> {
    let sets = list(row, "predicate_collections");
    let mut lines = Vec::new();
    for (set, number) in sets.iter().zip(1..) {
        let before = match sets.len() {
            1 => String::new(),
            _ => format!("set {number}: "),
        };
        if set.get("propositions").is_none() {
            *bare += 1;
        }
        for one in list(set, "propositions") {
            match joined(one, &["field", "operator", "value"]) {
                Some(line) if one.get("field").is_some() => lines.push(format!("{before}{line}")),
                _ => *bare += 1,
            }
        }
    }
    lines
}

fn actions(row: &Value) -> Vec<String> {
    let one = |action: &Value| joined(action, &["name", "option", "value"]);
    let mut lines: Vec<String> = list(row, "actions").iter().filter_map(one).collect();
    lines.extend(members(
        row,
        &[
            "reply_type",
            "reply_contents",
            "assignee",
            "properties",
            "tags",
        ],
    ));
    lines
}

fn targets(row: &Value, bare: &mut usize) -> Vec<String> {
    let mut lines = Vec::new();
    for target in list(row, "targets") {
        let goal = target.get("goal_in_seconds").and_then(said);
        let what = target.get("type").and_then(said);
        let (Some(what), Some(goal)) = (what, goal) else {
            *bare += 1;
            continue;
        };
        let of = match target.get("priority").and_then(said) {
            Some(priority) => format!(", priority {priority}"),
            None => String::new(),
        };
        let by = match target.get("operational_hours").and_then(said) {
            Some(hours) => format!(", {hours}"),
            None => String::new(),
        };
        lines.push(format!("{what} within {goal} seconds{by}{of}"));
    }
    lines.extend(members(row, &["type", "attributes"]));
    lines
}

fn hours(row: &Value) -> Vec<String> {
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let zones = row.get("zones").unwrap_or(&Value::Null);
    let mut lines = members(zones, &DAYS);
    let holidays = list(row, "holidays").iter();
    lines.extend(
        holidays
            .filter_map(|day| joined(day, &["title", "date", "open_hours"]))
            .map(|day| format!("holiday: {day}")),
    );
    lines
}

fn joined(row: &Value, names: &[&str]) -> Option<String> {
    let words: Vec<String> = names
        .iter()
        .filter_map(|name| said(row.get(*name)?))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A value in words: a thing by its name, else by its number.
fn said(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.trim().to_owned(),
        Value::Array(all) => {
            let all: Vec<String> = all.iter().filter_map(said).collect();
            all.join(", ")
        }
        Value::Object(object) => {
            let name = ["label", "title", "full_name", "name", "type"];
            let name = name.iter().find_map(|name| said(object.get(*name)?));
            match (name, object.get("value").and_then(said)) {
                (Some(name), Some(value)) => format!("{name} {value}"),
                (Some(name), None) => name,
                (None, _) => match object.get("id").and_then(said) {
                    Some(id) => id,
                    None if object.is_empty() => return None,
                    None => value.to_string(),
                },
            }
        }
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// A row without what gives access. `closed`: values of attributes are of no use to anybody but the owner (an address of a
/// hook is a secret as a whole), so no more than the host of an address is kept.
fn redacted(value: &Value, closed: bool) -> Value {
    match value {
        Value::Object(object) => {
            // Headers and attributes are pairs of a name and a value.
            let pair = object.get("name").and_then(Value::as_str);
            let is_pair = pair.is_some() && object.contains_key("value");
            let secret_pair = pair.is_some_and(is_secret);
            let member = |(name, value): (&String, &Value)| {
                let hide = (is_secret(name) || (name == "value" && secret_pair))
                    && !(value.is_null() || value.is_boolean());
                let value = match (hide, value) {
                    (true, _) => Value::from(HIDDEN),
                    (_, value) if closed && is_pair && name == "value" => host_of(value),
                    (_, value) => redacted(value, closed),
                };
                (name.clone(), value)
            };
            Value::Object(object.iter().map(member).collect())
        }
        Value::Array(all) => all.iter().map(|one| redacted(one, closed)).collect(),
        Value::String(text) => Value::from(plain(text)),
        other => other.clone(),
    }
}

/// A text without credentials: those of a header, and those in an address.
fn plain(text: &str) -> String {
    if text.starts_with("Bearer ") || text.starts_with("Basic ") {
        return HIDDEN.to_owned();
    }
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return text.to_owned();
    }
    match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => host(&url),
        Ok(url) if url.query().is_some() => {
            let bare = text.split('?').next().unwrap_or_default();
            format!("{bare}?{HIDDEN}")
        }
        _ => text.to_owned(),
    }
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}/{HIDDEN}", url.scheme())
}

fn host_of(value: &Value) -> Value {
    let url = value.as_str().and_then(|text| Url::parse(text).ok());
    match url.filter(Url::has_host) {
        Some(url) => Value::from(host(&url)),
        None if value.is_null() || value.is_boolean() => value.clone(),
        None => Value::from(HIDDEN),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words = [
        "token",
        "secret",
        "password",
        "authorization",
        "apikey",
        "api_key",
        "api-key",
        "credential",
        "cookie",
    ];
    words.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(kind: InventoryKind, row: &Value) -> Item {
        let mut names = Names::default();
        names.learn("case_status", &json!({"id": 4, "label": "Completed"}));
        names.learn("case_status", &json!({"id": "5", "label": "Closed"}));
        names.learn("team", &json!({"id": 2, "title": "Sales"}));
        names.learn("business_hour", &json!({"id": 1, "title": "Office"}));
        item(&Tenant::new("kayako", "acme"), kind, "thing", row, &names).unwrap()
    }

    fn lines(item: &Item, title: &str) -> Vec<String> {
        let parts = item.record.parts.iter();
        parts
            .filter(|part| part.title == title)
            .flat_map(|part| part.lines.clone())
            .collect()
    }

    #[test]
    fn what_an_item_does_is_told_in_lines() {
        let trigger = made(
            InventoryKind::Automation,
            &json!({
                "id": 7, "title": "Greet", "channel": "MAIL", "event": "CONVERSATION_CREATED", "is_enabled": true,
                "predicate_collections": [
                    {"id": 1, "propositions": [{"field": "cases.subject", "operator": "string_contains", "value": "hello"}]},
                    {"id": 2, "propositions": [{"id": 9, "resource_type": "proposition"}]},
                ],
                "actions": [{"name": "assignee", "option": "CHANGE", "value": {"id": 3, "title": "Sales"}}],
            }),
        );
        assert_eq!(
            trigger.record.meta.key.to_string(),
            "kayako:acme:inventory-item:thing-7"
        );
        assert_eq!(
            (trigger.record.name.as_str(), trigger.record.active),
            ("Greet", Some(true))
        );
        assert_eq!(
            lines(&trigger, "trigger"),
            ["channel: MAIL", "event: CONVERSATION_CREATED"]
        );
        assert_eq!(
            lines(&trigger, "conditions"),
            ["set 1: cases.subject string_contains hello"]
        );
        assert_eq!(lines(&trigger, "actions"), ["assignee CHANGE Sales"]);
        assert_eq!(trigger.bare, 1);

        let sla = made(
            InventoryKind::Sla,
            &json!({"id": "4", "title": "Gold", "is_enabled": true, "is_deleted": true, "targets": [
                {"priority": {"id": 1, "label": "Urgent"}, "type": "FIRST_REPLY_TIME", "goal_in_seconds": 3600, "operational_hours": "BUSINESS_HOURS"},
                {"id": 5, "resource_type": "sla_target"},
            ]}),
        );
        assert_eq!(
            lines(&sla, "targets"),
            ["FIRST_REPLY_TIME within 3600 seconds, BUSINESS_HOURS, priority Urgent"]
        );
        assert_eq!((sla.record.active, sla.bare), (Some(false), 1));

        let hours = made(
            InventoryKind::BusinessHours,
            &json!({"id": 1, "title": "Office", "zones": {"monday": [9, 10], "sunday": []}, "holidays": [{"title": "New Year", "date": "01/01"}]}),
        );
        assert_eq!(
            lines(&hours, "hours"),
            ["monday: 9, 10", "holiday: New Year 01/01"]
        );
    }

    #[test]
    fn numbers_are_told_with_what_they_stand_for() {
        let trigger = made(
            InventoryKind::Automation,
            &json!({
                "id": 7, "title": "Route",
                "predicate_collections": [{"id": 1, "propositions": [
                    {"field": "cases.casestatusid", "operator": "comparison_equalto", "value": "4,5"},
                    {"field": "cases.casestatusid", "operator": "comparison_equalto", "value": "99"},
                    {"field": "cases.subject", "operator": "string_contains", "value": "4"},
                ]}],
                "actions": [{"name": "assignedteam", "option": "CHANGE", "value": "2"}],
            }),
        );
        assert_eq!(
            lines(&trigger, "conditions"),
            [
                "cases.casestatusid comparison_equalto 4 (Completed), 5 (Closed)",
                "cases.casestatusid comparison_equalto 99",
                "cases.subject string_contains 4",
            ]
        );
        assert_eq!(
            lines(&trigger, "actions"),
            ["assignedteam CHANGE 2 (Sales)"]
        );
        let value = "/actions/0/value";
        let kept = trigger.record.definition.pointer(value);
        assert_eq!(kept, Some(&json!("2")), "the definition stays as it came");
        let team = made(
            InventoryKind::Routing,
            &json!({"id": 2, "title": "Sales", "member_count": 3, "businesshour": {"id": 1, "resource_type": "business_hour"}}),
        );
        assert_eq!(
            lines(&team, "routing"),
            ["businesshour: Office", "member count: 3"]
        );
    }

    #[test]
    fn nothing_that_gives_access_is_kept() {
        let row = json!({
            "id": 1, "title": "Hook", "type": "HTTP", "access_token": "t1",
            "attributes": [
                {"name": "url", "value": "https://hooks.example.org/services/t2"},
                {"name": "header", "value": "X-Key: t3"},
            ],
        });
        let hook = made(InventoryKind::Webhook, &row);
        let trigger = made(
            InventoryKind::Automation,
            &json!({"id": 2, "actions": [
                {"name": "Authorization", "value": "t4"},
                {"name": "url", "value": "https://u:t5@example.org/x"},
                {"name": "url", "value": "https://example.org/x?key=t6"},
                {"name": "header", "value": "Bearer t7"},
            ]}),
        );
        let kept = format!(
            "{} {}",
            serde_json::to_string(&hook.record).unwrap(),
            serde_json::to_string(&trigger.record).unwrap()
        );
        for secret in ["t1", "t2", "t3", "t4", "t5", "t6", "t7"] {
            assert!(!kept.contains(secret), "{secret} in {kept}");
        }
        assert!(kept.contains("https://hooks.example.org/…") && kept.contains("Hook"));
        assert_eq!(
            item(
                &Tenant::new("kayako", "acme"),
                InventoryKind::Other,
                "thing",
                &json!({"title": "x"}),
                &Names::default()
            )
            .unwrap_err()
            .path,
            "id"
        );
    }
}
