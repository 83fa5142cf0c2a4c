//! A row from a mapping, an object's description and what a record says. Pure: the load writes it, the verification
//! builds it again.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, DurationRound, Utc};
use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::facts::Facts;
use super::value::{Fact, Fitted, fit};
use super::{BATCH_MARK, FieldLine, Mapping, ObjectMapping, text};
use crate::schema::{Field, FieldKind, Object};

/// The fields of one row, by API name.
pub(crate) type Fields = Map<String, Value>;

/// What is kept of a record beside its fields, by name.
pub(crate) type Leftovers = BTreeMap<String, Value>;

/// Fields that the platform refuses in the future.
const NEVER_IN_THE_FUTURE: [&str; 4] = [
    "CreatedDate",
    "LastModifiedDate",
    "ClosedDate",
    "ContentModifiedDate",
];

/// Builds the row of a record. `leftovers` are kept with what no field could hold.
pub(crate) fn row(
    mapping: &ObjectMapping,
    object: &Object,
    facts: &dyn Facts,
    mut leftovers: Leftovers,
    now: DateTime<Utc>,
) -> Fields {
    let mut fields = Fields::new();
    let mut keeper = None;
    let mut landed: Vec<&str> = Vec::new();
    for line in &mapping.lines {
        let Some(field) = object
            .field(&line.field)
            .filter(|f| f.createable)
            .or_else(|| id_list(&line.field))
        else {
            continue;
        };
        if line.from == "leftovers" {
            keeper = Some(field);
            continue;
        }
        match value(line, field, facts, now) {
            Fitted::Nothing => {}
            Fitted::Value(value) => {
                fields.insert(line.field.clone(), value);
            }
            Fitted::Cut { value, whole } => {
                fields.insert(line.field.clone(), value.into());
                leftovers.insert(format!("cut.{}", line.field), whole.into());
            }
            Fitted::Unfit(whole) => {
                leftovers.insert(format!("unfit.{}", line.field), whole.into());
            }
        }
        landed.extend(line.custom());
    }
    for (key, value) in facts.custom() {
        if !landed.contains(&key.as_str()) {
            leftovers.insert(format!("custom.{key}"), value.to_json());
        }
    }
    if let Some(field) = keeper
        && let Some(json) = leftovers_json(leftovers, field.length)
    {
        fields.insert(field.name.clone(), json.into());
    }
    fields
}

/// The fields that hold lists of ids: some orgs' describes leave them out, and every insert takes them
/// (Salesforce objects, section 4.2).
fn id_list(name: &str) -> Option<&'static Field> {
    static LISTS: std::sync::LazyLock<[Field; 4]> = std::sync::LazyLock::new(|| {
        ["ToIds", "CcIds", "BccIds", "ContentDocumentIds"].map(|name| Field {
            name: name.to_owned(),
            holds: FieldKind::Other,
            length: 0,
            precision: 0,
            scale: 0,
            createable: true,
            updateable: false,
            required: false,
            external_id: false,
            unique: false,
            case_sensitive: false,
            values: Vec::new(),
            default: None,
            reference_to: Vec::new(),
        })
    });
    LISTS.iter().find(|field| field.name == name)
}

/// Whether a field holds a list of ids.
pub(crate) fn is_id_list(name: &str) -> bool {
    id_list(name).is_some()
}

fn value(line: &FieldLine, field: &Field, facts: &dyn Facts, now: DateTime<Utc>) -> Fitted {
    let fact = match line.custom() {
        Some(key) => facts.custom().get(key).map_or(Fact::Nothing, Fact::custom),
        None => facts.fact(&line.from),
    };
    if !line.values.is_empty() {
        return chosen(line, field, &fact);
    }
    match fact {
        Fact::Time(time) if NEVER_IN_THE_FUTURE.contains(&line.field.as_str()) => {
            fit(&Fact::Time(time.min(just_now(now))), field)
        }
        fact => fit(&fact, field),
    }
}

/// What a line makes of a record, for people: what the record says, what the field gets, and what they should know. Nothing
/// where the record says nothing.
pub(crate) fn shown_value(
    line: &FieldLine,
    field: &Field,
    facts: &dyn Facts,
    now: DateTime<Utc>,
) -> Option<(String, String, &'static str)> {
    let fact = match line.custom() {
        Some(key) => facts.custom().get(key).map_or(Fact::Nothing, Fact::custom),
        None => facts.fact(&line.from),
    };
    let before = fact.shown();
    if before.trim().is_empty() {
        return None;
    }
    Some(match value(line, field, facts, now) {
        Fitted::Nothing => (before, String::new(), "nothing is written"),
        Fitted::Value(Value::String(text)) => (before, text, ""),
        Fitted::Value(value) => (before, value.to_string(), ""),
        Fitted::Cut { value, .. } => (before, value, "cut; the whole is kept beside the fields"),
        Fitted::Unfit(_) => (
            before,
            String::new(),
            "does not fit; kept beside the fields",
        ),
    })
}

/// A second before now: the platform's clock may be behind ours.
fn just_now(now: DateTime<Utc>) -> DateTime<Utc> {
    let second = now.duration_trunc(Duration::seconds(1)).unwrap_or(now);
    second - Duration::seconds(1)
}

/// The value that the mapping gives to a meaning; the source's own word comes first. What the list of the field does
/// not have is not sent: the word stands in a field beside it.
fn chosen(line: &FieldLine, field: &Field, fact: &Fact<'_>) -> Fitted {
    let (is, raw) = match fact {
        Fact::Choice { is, raw } => (*is, *raw),
        Fact::Text(text) => ("", text.as_ref()),
        Fact::Bool(true) => ("true", ""),
        Fact::Bool(false) => ("false", ""),
        _ => return Fitted::Nothing,
    };
    let by_label = line.values.iter().find(|(name, _)| {
        name.strip_prefix("label:")
            .is_some_and(|label| label.trim().to_lowercase() == raw.trim().to_lowercase())
    });
    let becomes = by_label
        .map(|(_, value)| value)
        .or_else(|| line.values.get(is))
        .or_else(|| line.values.get(raw));
    let custom = line.custom().is_some();
    match becomes {
        Some(Value::String(text)) => match fit(&Fact::text(text), field) {
            Fitted::Unfit(_) if !custom => Fitted::Nothing,
            fitted => fitted,
        },
        Some(value) => Fitted::Value(value.clone()),
        None if custom => fit(fact, field),
        None => Fitted::Nothing,
    }
}

/// What is kept, as JSON with sorted keys. Where it is longer than its field, the longest values are left out and named.
fn leftovers_json(mut kept: Leftovers, length: usize) -> Option<String> {
    if kept.is_empty() {
        return None;
    }
    let write = |kept: &Leftovers| serde_json::to_string(kept).unwrap_or_default();
    let mut json = write(&kept);
    let mut left_out: Vec<String> = Vec::new();
    while length > 0 && text::length(&json) > length {
        let Some(longest) = kept
            .iter()
            .filter(|(name, _)| *name != "left_out")
            .max_by_key(|(_, value)| value.to_string().len())
            .map(|(name, _)| name.clone())
        else {
            break;
        };
        kept.remove(&longest);
        left_out.push(longest);
        kept.insert("left_out".into(), left_out.clone().into());
        json = write(&kept);
    }
    Some(json)
}

/// The hash of a row's contents under a mapping. The batch mark does not count: it differs from pass to pass.
pub(crate) fn payload_hash(mapping: &Mapping, fields: &Fields) -> [u8; 16] {
    let mut hash = Md5::new();
    hash.update(mapping.hash());
    for (name, value) in fields.iter().filter(|(name, _)| *name != BATCH_MARK) {
        hash.update(name.as_bytes());
        hash.update(b"=");
        // Writing into a hash cannot fail, nor can a value be no JSON.
        let _ = serde_json::to_writer(Hashing(&mut hash), value);
        hash.update(b"\n");
    }
    hash.finalize().into()
}

struct Hashing<'a>(&'a mut Md5);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::mapping::facts::{CaseFacts, CaseLinks, Common, ContactFacts};
    use crate::schema::Schema;
    use deskferry_core::key::{RecordKind, Tenant};
    use deskferry_core::model::{
        ChannelKind, Contact, Conversation, CustomValue, Email, Meta, Named, StatusState,
    };
    use serde_json::json;

    fn schema() -> Schema {
        let text = |name: &str, length: usize| json!({"name": name, "type": "string", "length": length, "createable": true, "nillable": true});
        let long = |name: &str| json!({"name": name, "type": "textarea", "length": 131072, "createable": true, "nillable": true});
        let time = |name: &str, createable: bool| json!({"name": name, "type": "datetime", "createable": createable, "nillable": true});
        let list = |name: &str, values: &[&str]| {
            let values: Vec<_> = values
                .iter()
                .map(|v| json!({"active": true, "value": v}))
                .collect();
            json!({"name": name, "type": "picklist", "length": 255, "createable": true, "nillable": true, "picklistValues": values})
        };
        let mut schema = Schema::new();
        schema
            .add_describe(&json!({"name": "Case", "createable": true, "fields": [
                text("Subject", 10), list("Status", &["New", "Working", "Closed", "Escalated"]), list("Origin", &["Email"]),
                text("Source_Status__c", 255), text("Source_Tags__c", 255), long("Source_Json__c"), text("Source_Key__c", 255),
                text("Migration_Batch__c", 40), time("CreatedDate", true), time("LastModifiedDate", true), time("ClosedDate", false),
                list("Product_Area__c", &["Billing"]),
            ]}))
            .unwrap();
        schema
            .add_describe(&json!({"name": "Contact", "createable": true, "fields": [
                text("LastName", 80), text("FirstName", 40), {"name": "Email", "type": "email", "length": 80, "createable": true, "nillable": true},
                text("Source_Email__c", 255), long("Other_Emails__c"), long("Source_Handles__c"), text("Source_Full_Name__c", 255)
            ]}))
            .unwrap();
        schema
    }

    fn mapping() -> Mapping {
        let text = Mapping::default_text()
            .replace(
                "[Case.fields]",
                "[Case.fields]\nProduct_Area__c = { from = \"custom.product_area\" }",
            )
            .replace(
                "values = { new = \"New\"",
                "values = { \"label:Waiting for part\" = \"Escalated\", new = \"New\"",
            );
        Mapping::parse(&text).unwrap()
    }

    pub(crate) fn conversation() -> Conversation {
        let tenant = Tenant::new("kayako", "acme");
        let at = |text: &str| Some(DateTime::parse_from_rfc3339(text).unwrap().to_utc());
        let mut meta = Meta::new(tenant.key(RecordKind::Conversation, 5));
        meta.created_at = at("2021-03-04T05:06:07.900Z");
        meta.updated_at = at("2999-01-01T00:00:00Z");
        Conversation {
            also_assigned: Vec::new(),
            also_teams: Vec::new(),
            figures: deskferry_core::model::Figures::default(),
            segment: None,
            meta,
            number: "5".into(),
            subject: "Broken\nlamp in the hall".into(),
            requester: None,
            account: None,
            assignee: None,
            team: None,
            channel: Named::new(ChannelKind::Chat, "MESSENGER"),
            status: Named::new(StatusState::Other, "Waiting for Part"),
            priority: None,
            kind: None,
            tags: vec!["a b".into(), "c".into()],
            satisfaction: None,
            parent: None,
            merged_into: None,
            closed_at: None,
        }
    }

    fn case_row(conversation: &Conversation) -> Fields {
        let mapping = mapping();
        let schema = schema();
        let links = CaseLinks::default();
        let common = Common {
            meta: &conversation.meta,
            key: conversation.meta.key.as_str(),
            mark: "m1",
        };
        let facts = CaseFacts {
            common,
            conversation,
            links: &links,
        };
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z")
            .unwrap()
            .to_utc();
        row(
            mapping.object("Case").unwrap(),
            schema.object("Case").unwrap(),
            &facts,
            Leftovers::new(),
            now,
        )
    }

    #[test]
    fn a_row_holds_what_the_org_takes_and_keeps_the_rest() {
        let mut conversation = conversation();
        conversation.meta.custom.insert(
            "product_area".into(),
            CustomValue::Choice("Plumbing".into()),
        );
        conversation
            .meta
            .custom
            .insert("size".into(), CustomValue::Number("12.50".into()));
        assert_eq!(
            Value::Object(case_row(&conversation)),
            json!({
                "Subject": "Broken lam", "Status": "Escalated", "Source_Status__c": "Waiting for Part", "Source_Tags__c": "|a b|c|",
                "Source_Key__c": "kayako:acme:conversation:5", "Migration_Batch__c": "m1",
                "CreatedDate": "2021-03-04T05:06:07.000Z", "LastModifiedDate": "2025-12-31T23:59:59.000Z",
                "Source_Json__c": "{\"custom.size\":12.5,\"cut.Subject\":\"Broken lamp in the hall\",\"unfit.Product_Area__c\":\"Plumbing\"}",
            })
        );
    }

    #[test]
    fn statuses_follow_the_label_before_the_meaning_and_unknown_values_are_not_sent() {
        for (state, raw, status) in [
            (StatusState::New, "Brandnew", Some("New")),
            (StatusState::Pending, "WAITING FOR PART", Some("Escalated")),
            (StatusState::Other, "Odd", Some("Working")),
            (StatusState::Resolved, "Done", Some("Closed")),
        ] {
            let mut conversation = conversation();
            conversation.status = Named::new(state, raw);
            assert_eq!(
                case_row(&conversation)
                    .get("Status")
                    .and_then(Value::as_str),
                status,
                "{raw}"
            );
        }
        let mut conversation = conversation();
        conversation.channel = Named::new(ChannelKind::Web, "HELPCENTER");
        assert_eq!(
            case_row(&conversation).get("Origin"),
            None,
            "the org has no such Origin"
        );
    }

    #[test]
    fn leftovers_that_do_not_fit_are_named() {
        let kept = Leftovers::from([
            ("a".into(), json!("x".repeat(500))),
            ("b".into(), json!("short")),
        ]);
        assert_eq!(
            leftovers_json(kept, 60).unwrap(),
            "{\"b\":\"short\",\"left_out\":[\"a\"]}"
        );
        assert_eq!(leftovers_json(Leftovers::new(), 60), None);
    }

    #[test]
    fn a_contact_keeps_an_address_that_the_platform_would_refuse() {
        let tenant = Tenant::new("kayako", "acme");
        let email = |address: &str| Email {
            address: address.into(),
            verified: None,
        };
        let contact = Contact {
            addresses: Vec::new(),
            groups: Vec::new(),
            kind: None,
            meta: Meta::new(tenant.key(RecordKind::Contact, 7)),
            name: "Lee, Ann".into(),
            emails: vec![
                email(".Ann@Example.org"),
                email("b@example.org"),
                email("c@example.org"),
            ],
            phones: vec!["+1".into(), "+2".into()],
            handles: Vec::new(),
            accounts: Vec::new(),
            title: None,
            locale: None,
            time_zone: None,
            tags: Vec::new(),
        };
        let mapping = mapping();
        let schema = schema();
        let common = Common {
            meta: &contact.meta,
            key: contact.meta.key.as_str(),
            mark: "m1",
        };
        let facts = ContactFacts::new(common, &contact, None);
        let fields = row(
            mapping.object("Contact").unwrap(),
            schema.object("Contact").unwrap(),
            &facts,
            Leftovers::new(),
            Utc::now(),
        );
        assert_eq!(
            Value::Object(fields),
            json!({"LastName": "Lee", "FirstName": "Ann", "Source_Full_Name__c": "Lee, Ann", "Source_Email__c": ".Ann@Example.org",
                   "Other_Emails__c": "b@example.org\nc@example.org", "Source_Handles__c": "phone: +2"})
        );
    }

    #[test]
    fn the_payload_hash_covers_row_and_mapping_but_not_the_batch_mark() {
        let mapping = mapping();
        let row = case_row(&conversation());
        let mut next_pass = row.clone();
        next_pass.insert(BATCH_MARK.into(), "m2".into());
        let mut changed = row.clone();
        changed.insert("Subject".into(), "Other".into());
        let shipped = Mapping::parse(Mapping::default_text()).unwrap();
        assert_eq!(
            payload_hash(&mapping, &row),
            payload_hash(&mapping, &next_pass)
        );
        assert_ne!(
            payload_hash(&mapping, &row),
            payload_hash(&mapping, &changed)
        );
        assert_ne!(payload_hash(&mapping, &row), payload_hash(&shipped, &row));
    }
}
