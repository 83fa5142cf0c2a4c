//! States and countries where they are picklists: a code and a name mean each other, others are refused, and a state
//! needs its country (Salesforce object reference, section 2.3).

use serde_json::{Value, json};

use super::given::Given;
use crate::org::error::Refusal;
use crate::org::schema::{Field, Object};
use crate::org::store::Row;

/// Completes the addresses of a row. `before` is the row of an update.
pub(super) fn complete(
    object: &Object,
    before: Option<&Row>,
    given: &mut Given,
) -> Result<(), Refusal> {
    for code in object
        .fields
        .iter()
        .filter(|field| field.name.ends_with("CountryCode"))
    {
        let prefix = code.name.trim_end_matches("CountryCode");
        pair(object, prefix, "Country", code, given)?;
        let state = format!("{prefix}StateCode");
        let Some(state) = object.fields.iter().find(|field| field.name == state) else {
            continue;
        };
        pair(object, prefix, "State", state, given)?;
        let has = |name: &str| {
            let kept = || before.and_then(|row| row.fields.get(name));
            let value = given.values.get(name).or_else(kept);
            value.is_some_and(|value| !value.is_null())
        };
        if has(&state.name) && !has(&code.name) {
            let message =
                "A country/territory must be specified before specifying a state value for field";
            let label = format!("{prefix}State");
            return Err(
                Refusal::new("FIELD_INTEGRITY_EXCEPTION", format!("{message}: {label}")).on(&label),
            );
        }
    }
    Ok(())
}

/// Makes the code out of the name, or the name out of the code; the code wins where both were sent.
fn pair(
    object: &Object,
    prefix: &str,
    part: &str,
    code: &Field,
    given: &mut Given,
) -> Result<(), Refusal> {
    let name = format!("{prefix}{part}");
    if !object.fields.iter().any(|field| field.name == name) {
        return Ok(());
    }
    let sent = given
        .values
        .get(&code.name)
        .or_else(|| given.values.get(&name));
    let text = match sent {
        None => return Ok(()),
        Some(Value::String(text)) => text.clone(),
        Some(_) => {
            given.values.insert(code.name.clone(), Value::Null);
            given.values.insert(name, Value::Null);
            return Ok(());
        }
    };
    let known = code.values.iter().find(|known| {
        known.value.eq_ignore_ascii_case(&text) || known.label.eq_ignore_ascii_case(&text)
    });
    let Some(known) = known else {
        let kind = if part == "Country" {
            "country"
        } else {
            "state"
        };
        let message = format!(
            "There's a problem with this {kind}, even though it may appear correct. Please select a {kind} from the list of valid ones.: {name}"
        );
        return Err(Refusal::new("FIELD_INTEGRITY_EXCEPTION", message).on(&name));
    };
    given.values.insert(code.name.clone(), json!(known.value));
    given.values.insert(name, json!(known.label));
    Ok(())
}
