//! Duplicate rules (Salesforce object reference, section 2.4).

use serde_json::{Value, json};

use super::Call;
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::options::DuplicateRule;
use crate::org::read;
use crate::org::schema::Object;
use crate::org::store::{self, Fields};

/// Refuses a row that a rule finds elsewhere, unless the rule only alerts and the client wants to save it all the same.
pub(super) fn check(
    ctx: &Ctx<'_>,
    call: &Call,
    object: &Object,
    values: &Fields,
    own: Option<i64>,
) -> Result<(), Refusal> {
    let rules = ctx.settings().duplicate_rules.iter();
    for rule in
        rules.filter(|rule| rule.object == object.name && (rule.block || !call.allow_duplicates))
    {
        let Some(field) = object.field(&rule.field).filter(|field| field.is_indexed()) else {
            continue;
        };
        let Some(key) = values
            .get(&field.name)
            .and_then(|value| store::index_key(field, value))
        else {
            continue;
        };
        let mut found = store::find(ctx.db, object, field, &key)?;
        found.retain(|number| Some(*number) != own);
        if !found.is_empty() {
            return Err(detected(ctx, object, rule, &found));
        }
    }
    Ok(())
}

fn detected(ctx: &Ctx<'_>, object: &Object, rule: &DuplicateRule, found: &[i64]) -> Refusal {
    let message = "Use one of these records?";
    let record = |number: &i64| {
        let attributes = read::attributes(ctx, object, *number);
        json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0,
            "record": {"attributes": attributes, "Id": ctx.id(object, *number)}})
    };
    let records: Vec<Value> = found.iter().map(record).collect();
    let mut refusal = Refusal::new("DUPLICATES_DETECTED", message);
    refusal.duplicates = Some(json!({
        "allowSave": !rule.block, "duplicateRule": rule.name, "duplicateRuleEntityType": object.name,
        "errorMessage": message,
        "matchResults": [{"entityType": object.name, "errors": [], "matchEngine": "ExactMatchEngine",
            "matchRecords": records, "rule": rule.name, "size": found.len(), "success": true}],
    }));
    refusal
}
