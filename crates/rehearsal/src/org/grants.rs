//! What a permission set shows to the people it is assigned to.

use serde::{Deserialize, Serialize};
use serde_json::json;

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
    /// Shows it; whether anything was hidden before.
    pub(crate) fn show(&self, settings: &mut OrgSettings) -> bool {
        let mut changed = false;
        for full in &self.fields {
            let Some((object, name)) = full.split_once('.') else {
                continue;
            };
            // A custom field of tasks and events is one of both's common parent.
            let object = if object == "Activity" { "Task" } else { object };
            for field in &mut settings.custom_fields {
                if field.object == object && field.name == name {
                    changed |= std::mem::take(&mut field.hidden);
                }
            }
        }
        for full in &self.record_types {
            let Some((object, name)) = full.split_once('.') else {
                continue;
            };
            for known in &mut settings.record_types {
                if known.is(object, name) {
                    changed |= std::mem::take(&mut known.hidden);
                }
            }
        }
        changed
    }
}

/// Whether the user has the permission set with this number.
pub(crate) fn is_assigned(ctx: &Ctx<'_>, set: i64) -> Result<bool, Refusal> {
    let id = ctx.id(ctx.object("PermissionSet")?, set);
    let object = ctx.object("PermissionSetAssignment")?;
    let user = json!(ctx.engine.user_id(ctx.user));
    for number in ctx.pointing("PermissionSetAssignment", "PermissionSetId", &id)? {
        let row = store::get(ctx.db, object, number)?;
        if row.is_some_and(|row| row.fields.get("AssigneeId") == Some(&user)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// After a permission set was assigned: the user sees what it shows.
pub(crate) fn assigned(ctx: &Ctx<'_>, assignment: &Fields) -> Result<(), Refusal> {
    let text = |name: &str| assignment.get(name).and_then(serde_json::Value::as_str);
    if text("AssigneeId") != Some(&ctx.engine.user_id(ctx.user)) {
        return Ok(());
    }
    let Some((_, set)) = ctx.row(text("PermissionSetId").unwrap_or_default())? else {
        return Ok(());
    };
    let mut settings = ctx.next_settings();
    let grant = settings
        .grants
        .iter()
        .find(|grant| set.fields.get("Name") == Some(&json!(grant.name)))
        .cloned();
    if grant.is_some_and(|grant| grant.show(&mut settings)) {
        ctx.reshape(settings).map_err(Refusal::broken)?;
    }
    Ok(())
}
