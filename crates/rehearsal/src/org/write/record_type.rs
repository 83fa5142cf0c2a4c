//! Record types: a record is of a type of its object that the user may give, and has no other values than its type has.
//!
//! Whether the API holds a record to the values of its type where the picklist itself is not restricted is not certain;
//! the strict reading was taken (Salesforce object reference, sections 1.4 and 9.3).

use serde_json::{Value, json};

use super::given::Given;
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::ids::MASTER_RECORD_TYPE;
use crate::org::record_types::RecordType;
use crate::org::schema::{Object, Schema};
use crate::org::store::Row;

/// Before the defaults of an insert, or an update of the row `before`.
pub(super) fn check(
    ctx: &Ctx<'_>,
    object: &Object,
    before: Option<&Row>,
    given: &mut Given,
) -> Result<(), Refusal> {
    if object.field("RecordTypeId").is_none() {
        return Ok(());
    }
    let kept = before
        .and_then(|row| row.fields.get("RecordTypeId"))
        .and_then(Value::as_str);
    let sent = given.text("RecordTypeId");
    if sent.is_some_and(|id| id.get(..15) == MASTER_RECORD_TYPE.get(..15)) {
        given.values.insert("RecordTypeId".into(), Value::Null);
        return Ok(());
    }
    let Some(id) = sent.or(kept) else {
        return Ok(());
    };
    let number = ctx
        .engine
        .ids
        .parse(id)
        .filter(|(prefix, _)| *prefix == "012");
    let known = number.and_then(|(_, number)| {
        let mut types = ctx.schema().record_types_of(&object.name);
        types.find(|(n, _)| *n == number).map(|(_, known)| known)
    });
    let usable = known.filter(|known| sent.is_none() || !(known.inactive || known.hidden));
    let Some(record_type) = usable else {
        let message = format!("Record Type ID: this ID value isn't valid for the user: {id}");
        return Err(Refusal::new("INVALID_CROSS_REFERENCE_KEY", message).on("RecordTypeId"));
    };
    values(ctx.schema(), object, record_type, before, given)
}

/// Holds the picklists to the values of the type, and gives a new record the status that its process begins with.
fn values(
    schema: &Schema,
    object: &Object,
    record_type: &RecordType,
    before: Option<&Row>,
    given: &mut Given,
) -> Result<(), Refusal> {
    let process = record_type.business_process.as_ref().and_then(|name| {
        let mut all = schema.business_processes.iter();
        all.find(|known| {
            known.object.eq_ignore_ascii_case(&object.name) && known.name.eq_ignore_ascii_case(name)
        })
    });
    let status = process.map(|process| ("Status", process.values.as_slice()));
    let narrowed = record_type
        .values
        .iter()
        .map(|(field, values)| (field.as_str(), values.as_slice()));
    for (name, values) in status.into_iter().chain(narrowed) {
        let Some(field) = object.field(name) else {
            continue;
        };
        let Some(text) = given.text(&field.name) else {
            continue;
        };
        let stored = before.and_then(|row| row.fields.get(&field.name));
        let fits = |part: &str| values.iter().any(|known| known.eq_ignore_ascii_case(part));
        if !text.split(';').all(fits) && stored != Some(&json!(text)) {
            let message = format!(
                "{}: bad value for restricted picklist field: {text}",
                field.label
            );
            return Err(
                Refusal::new("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).on(&field.name),
            );
        }
    }
    if before.is_none()
        && given.text("Status").is_none()
        && let Some(first) = process.and_then(|process| process.default.as_ref())
    {
        given.values.insert("Status".into(), json!(first));
    }
    Ok(())
}
