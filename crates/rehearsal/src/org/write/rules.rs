//! Validation rules, as far as their formulas can be evaluated.

use serde_json::Value;

use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::formula::Seen;
use crate::org::schema::Object;
use crate::org::store::{Fields, Row};

/// Refuses a row of which a rule's formula is true. `before` is the row of an update.
pub(super) fn check(
    ctx: &Ctx<'_>,
    object: &Object,
    values: &Fields,
    before: Option<&Row>,
) -> Result<(), Refusal> {
    if object.rules.is_empty() {
        return Ok(());
    }
    let spelt = |name: &str| {
        let field = object
            .fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name));
        field.map_or_else(String::new, |field| field.name.clone())
    };
    let had = |name: &str| {
        let stored = before.and_then(|row| row.fields.get(&spelt(name)));
        stored.cloned().unwrap_or(Value::Null)
    };
    let has = |name: &str| {
        let given = values.get(&spelt(name)).cloned();
        given.unwrap_or_else(|| had(name))
    };
    let seen = Seen {
        value: &has,
        before: before.is_some().then_some(&had as &dyn Fn(&str) -> Value),
        now: ctx.now,
    };
    let Some(rule) = object.rules.iter().find(|rule| rule.formula.is_true(&seen)) else {
        return Ok(());
    };
    let refusal = Refusal::new("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message.clone());
    Err(match &rule.field {
        Some(field) => refusal.on(field),
        None => refusal,
    })
}
