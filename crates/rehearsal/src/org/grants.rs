//! What a permission set shows to the people it is assigned to, and no longer once it is taken away from them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::engine::Ctx;
use super::error::Refusal;
use super::options::OrgSettings;
use super::store::{self, Fields};

/// What a deployed permission set shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grant {
    /// API name of the permission set.
    pub name: String,
    /// Fields, such as `Case.Source_Key__c`.
    pub fields: Vec<String>,
    /// Record types, such as `Case.Complaint`.
    pub record_types: Vec<String>,
}

impl Grant {
    /// Shows it, in an org where whoever deploys a permission set has it.
    pub(crate) fn show(&self, settings: &mut OrgSettings) {
        let shown = |names: &[String], full: String| names.iter().any(|name| is(name, &full));
        for field in &mut settings.custom_fields {
            field.hidden &= !shown(&self.fields, full(&field.object, &field.name));
        }
        for known in &mut settings.record_types {
            known.hidden &= !shown(&self.record_types, full(&known.object, &known.name));
        }
    }
}

/// The whole name of a field or record type.
pub(crate) fn full(object: &str, name: &str) -> String {
    format!("{object}.{name}")
}

/// A custom field of tasks and events is one of both's common parent.
fn is(name: &str, full: &str) -> bool {
    match name.strip_prefix("Activity.") {
        Some(field) => full
            .strip_prefix("Task.")
            .is_some_and(|own| own.eq_ignore_ascii_case(field)),
        None => name.eq_ignore_ascii_case(full),
    }
}

/// Shows what the user's permission sets show of all that was deployed hidden, and hides the rest; whether anything changed.
pub(crate) fn judge(ctx: &Ctx<'_>, settings: &mut OrgSettings) -> Result<bool, Refusal> {
    let sets = ctx.object("PermissionSet")?;
    let assignments = ctx.object("PermissionSetAssignment")?;
    let user = ctx.engine.user_id(ctx.user);
    let mut names = Vec::new();
    for number in ctx.pointing("PermissionSetAssignment", "AssigneeId", &user)? {
        let row = store::get(ctx.db, assignments, number)?;
        let set = row.and_then(|row| row.fields.get("PermissionSetId").cloned());
        let place = set
            .as_ref()
            .and_then(Value::as_str)
            .and_then(|id| ctx.locate(id));
        if let Some((_, number)) = place
            && let Some(set) = store::get(ctx.db, sets, number)?
        {
            names.extend(set.fields.get("Name").cloned());
        }
    }
    let held: Vec<Grant> = settings
        .grants
        .iter()
        .filter(|grant| names.contains(&json!(grant.name)))
        .cloned()
        .collect();
    let mut secured = std::mem::take(&mut settings.secured);
    let mut changed = false;
    for field in &mut settings.custom_fields {
        let full = full(&field.object, &field.name);
        if was_secured(&mut secured, &full, field.hidden) {
            let mut shown = held.iter().flat_map(|grant| &grant.fields);
            let hidden = !shown.any(|name| is(name, &full));
            changed |= std::mem::replace(&mut field.hidden, hidden) != hidden;
        }
    }
    for known in &mut settings.record_types {
        let full = full(&known.object, &known.name);
        if was_secured(&mut secured, &full, known.hidden) {
            let mut shown = held.iter().flat_map(|grant| &grant.record_types);
            let hidden = !shown.any(|name| is(name, &full));
            changed |= std::mem::replace(&mut known.hidden, hidden) != hidden;
        }
    }
    settings.secured = secured;
    Ok(changed)
}

/// Whether a field is shown by permission sets alone: what is hidden now is, from now on.
fn was_secured(secured: &mut Vec<String>, full: &str, hidden: bool) -> bool {
    let known = secured.iter().any(|name| is(name, full));
    if hidden && !known {
        secured.push(full.to_owned());
    }
    known || hidden
}

/// After a permission set was assigned to somebody, or an assignment was taken away.
pub(crate) fn assignments_changed(ctx: &Ctx<'_>, assignment: &Fields) -> Result<(), Refusal> {
    let assignee = assignment.get("AssigneeId").and_then(Value::as_str);
    if assignee != Some(&ctx.engine.user_id(ctx.user)) {
        return Ok(());
    }
    let mut settings = ctx.next_settings();
    if judge(ctx, &mut settings)? {
        ctx.reshape(settings).map_err(Refusal::broken)?;
    }
    Ok(())
}
