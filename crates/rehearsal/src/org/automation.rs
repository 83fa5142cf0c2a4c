//! What runs by itself in an org when rows are written, as far as a client can ask for it. The local org only declares
//! it; nothing of it runs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::engine::Ctx;
use super::error::Refusal;
use super::founding::add;

/// Something that an admin of the org has set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Automation {
    /// What it is.
    pub kind: AutomationKind,
    /// API name of the object whose rows start it.
    pub object: String,
    /// Its API name.
    pub name: String,
    /// Whether it runs.
    pub active: bool,
}

/// Where a client finds an [`Automation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutomationKind {
    /// A row of `ApexTrigger`, before and after insert and update.
    ApexTrigger,
    /// A row of `FlowDefinitionView`, after a row was saved.
    Flow,
    /// A row of `ValidationRule`, by the Tooling API only.
    ValidationRule,
    /// A row of `AssignmentRule`.
    AssignmentRule,
}

/// Fills the objects that clients ask for automation.
pub(crate) fn declare(ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let mut entities = Vec::new();
    for object in ctx.schema().objects.iter().filter(|object| !object.tooling) {
        let row = json!({
            "QualifiedApiName": object.name, "DeveloperName": object.name, "Label": object.label,
            "KeyPrefix": object.prefix,
        });
        entities.push((object.name.as_str(), add(ctx, "EntityDefinition", row)?));
    }
    for automation in &ctx.settings().automations {
        let entity = entities
            .iter()
            .find(|(name, _)| *name == automation.object)
            .map(|(_, id)| id.as_str());
        let (object, row) = row(automation, entity);
        add(ctx, object, row)?;
    }
    for rule in &ctx.settings().validation_rules {
        let entity = entities.iter().find(|(name, _)| *name == rule.object);
        let row = json!({
            "ValidationName": rule.name, "Active": rule.active, "ErrorMessage": rule.message,
            "EntityDefinitionId": entity.map(|(_, id)| id.as_str()),
            "FullName": format!("{}.{}", rule.object, rule.name),
            "Metadata": {
                "active": rule.active, "description": null, "errorConditionFormula": rule.formula,
                "errorDisplayField": rule.field, "errorMessage": rule.message, "shouldEvaluateOnClient": null, "urls": null,
            },
        });
        add(ctx, "ValidationRule", row)?;
    }
    Ok(())
}

fn row(automation: &Automation, entity: Option<&str>) -> (&'static str, Value) {
    let Automation {
        kind,
        object,
        name,
        active,
    } = automation;
    match kind {
        AutomationKind::ApexTrigger => {
            let status = if *active { "Active" } else { "Inactive" };
            let row = json!({
                "Name": name, "TableEnumOrId": object, "Status": status, "IsValid": true, "UsageBeforeInsert": true,
                "UsageAfterInsert": true, "UsageBeforeUpdate": true, "UsageAfterUpdate": true,
            });
            ("ApexTrigger", row)
        }
        AutomationKind::Flow => {
            // A flow runs when it has an active version, whatever its newest one is.
            let version = active.then_some("301000000000001AAA");
            let row = json!({
                "ApiName": name, "Label": name, "ProcessType": "AutoLaunchedFlow", "TriggerType": "RecordAfterSave",
                "RecordTriggerType": "CreateAndUpdate", "TriggerObjectOrEventId": object,
                "TriggerObjectOrEventLabel": object, "ActiveVersionId": version, "IsActive": active, "VersionNumber": 1,
            });
            ("FlowDefinitionView", row)
        }
        AutomationKind::ValidationRule => {
            let message = format!("refused by {name}");
            let row = json!({
                "ValidationName": name, "Active": active, "ErrorMessage": message, "EntityDefinitionId": entity,
            });
            ("ValidationRule", row)
        }
        AutomationKind::AssignmentRule => {
            let row = json!({"Name": name, "SobjectType": object, "Active": active});
            ("AssignmentRule", row)
        }
    }
}
