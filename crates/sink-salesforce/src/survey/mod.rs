//! What an org is asked about itself, beyond the objects of a load: its automation, its people, what we may do. Only reads.

mod pull;

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Pager, Request};
use serde_json::Value;

use crate::client::error::error_of;
use crate::client::{Api, needed};

pub use pull::Pulled;

/// One thing to ask (Salesforce objects, section 10.1).
#[derive(Debug)]
pub(crate) struct Question {
    /// The object that is asked; also the name of the file that keeps the answer.
    pub(crate) of: &'static str,
    /// What it holds, for people.
    pub(crate) what: &'static str,
    pub(crate) soql: &'static str,
    /// Whether only the Tooling API answers it.
    pub(crate) tooling: bool,
}

const fn question(of: &'static str, what: &'static str, soql: &'static str) -> Question {
    Question {
        of,
        what,
        soql,
        tooling: false,
    }
}

pub(crate) const TRIGGERS: Question = question(
    "ApexTrigger",
    "active triggers",
    "SELECT Name, TableEnumOrId, Status, UsageBeforeInsert, UsageAfterInsert, UsageBeforeUpdate, UsageAfterUpdate, NamespacePrefix FROM ApexTrigger WHERE Status = 'Active'",
);
/// `IsActive` says only whether the newest version is the active one: whatever has an active version runs.
pub(crate) const FLOWS: Question = question(
    "FlowDefinitionView",
    "active flows",
    "SELECT ApiName, Label, ProcessType, TriggerType, RecordTriggerType, TriggerObjectOrEventId, TriggerObjectOrEventLabel, ActiveVersionId, NamespacePrefix FROM FlowDefinitionView WHERE ActiveVersionId != null",
);
pub(crate) const DUPLICATE_RULES: Question = question(
    "DuplicateRule",
    "duplicate rules",
    "SELECT DeveloperName, MasterLabel, SobjectType, IsActive FROM DuplicateRule WHERE IsActive = true",
);
pub(crate) const ASSIGNMENT_RULES: Question = question(
    "AssignmentRule",
    "assignment rules",
    "SELECT Id, Name, SobjectType, Active FROM AssignmentRule WHERE Active = true",
);
pub(crate) const VALIDATION_RULES: Question = Question {
    of: "ValidationRule",
    what: "validation rules",
    soql: "SELECT Id, ValidationName, Active, ErrorMessage, EntityDefinition.QualifiedApiName FROM ValidationRule WHERE Active = true",
    tooling: true,
};
pub(crate) const WORKFLOW_RULES: Question = Question {
    of: "WorkflowRule",
    what: "workflow rules",
    soql: "SELECT Id, Name, TableEnumOrId FROM WorkflowRule",
    tooling: true,
};

/// What is asked of the org for a picture of it, beside describes, rights and the formulas of rules.
pub(crate) const PICTURED: [Question; 10] = [
    question(
        "Organization",
        "the org",
        "SELECT Id, Name, IsSandbox, OrganizationType, InstanceName FROM Organization",
    ),
    question(
        "CaseStatus",
        "the values of a case's status",
        "SELECT ApiName, MasterLabel, IsClosed, IsDefault, SortOrder FROM CaseStatus",
    ),
    question(
        "RecordType",
        "record types",
        "SELECT Id, Name, DeveloperName, NamespacePrefix, SobjectType, IsActive FROM RecordType",
    ),
    question(
        "User",
        "users",
        "SELECT Id, Username, Email, Name, IsActive, UserType, FederationIdentifier FROM User WHERE UserType = 'Standard'",
    ),
    question(
        "QueueSobject",
        "queues",
        "SELECT Id, Queue.DeveloperName, SobjectType FROM QueueSobject",
    ),
    TRIGGERS,
    FLOWS,
    DUPLICATE_RULES,
    ASSIGNMENT_RULES,
    VALIDATION_RULES,
];

/// Asks; all rows.
pub(crate) async fn ask(cx: &Context, api: &Api, question: &Question) -> Result<Vec<Value>> {
    if question.tooling {
        tooling(cx, api, question.soql).await
    } else {
        api.query(cx, question.soql).await
    }
}

/// All rows of a query of the Tooling API.
pub(crate) async fn tooling(cx: &Context, api: &Api, soql: &str) -> Result<Vec<Value>> {
    const DOING: &str = "ask the org about itself";
    let mut request = Request::get("tooling query", api.path("tooling/query")).query("q", soql);
    let mut rows: Vec<Value> = Vec::new();
    let mut pager = Pager::new(DOING);
    loop {
        let response = api.send(cx, request.operation(DOING)).await?;
        if !response.is_success() {
            return Err(error_of(&response, DOING));
        }
        needed(cx, "tooling queries", 1.0);
        let mut page: Value = response.json(DOING)?;
        let next = page["nextRecordsUrl"].as_str().map(str::to_owned);
        let Value::Array(found) = page["records"].take() else {
            return Err(Error::decode(DOING, "records", "missing"));
        };
        let ids = found.iter().filter_map(|row| row["Id"].as_str());
        pager.accept(ids, next.as_deref())?;
        rows.extend(found);
        match next {
            Some(next) => {
                request = Request::get("tooling query", next.trim_start_matches('/').to_owned());
            }
            None => return Ok(rows),
        }
    }
}

/// Why a question has no answer, where that is no reason to stop: the org has no such thing, or hides it.
pub(crate) fn hidden(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Refused | ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Config
    )
}

/// The rights that a migration may use, by their names as columns without `Permissions` (Salesforce objects, section 10.0).
pub(crate) const RIGHTS: [&str; 17] = [
    "ApiEnabled",
    "ModifyAllData",
    "ViewAllData",
    "ViewSetup",
    "CreateAuditFields",
    "UpdateWithInactiveOwner",
    "CanUpdateEmailMessage",
    "QueryAllFiles",
    "CanInsertFeedSystemFields",
    "EditKnowledge",
    "PublishArticles",
    "ManageUsers",
    "AssignPermissionSets",
    "CustomizeApplication",
    "ModifyMetadata",
    "ManageEntitlements",
    "BulkApiHardDelete",
];

/// The permission sets of a user with those of [`RIGHTS`] that the org knows; a column that the org has not is a feature that is
/// off. Profiles are among them, as sets that they own.
pub(crate) async fn rights(cx: &Context, api: &Api, user: &str) -> Result<Vec<Value>> {
    let Some(describe) = api.describe(cx, "PermissionSet").await? else {
        return Err(Error::new(
            ErrorKind::NotFound,
            "ask for our rights",
            "permission sets are hidden from us",
        ));
    };
    let columns = columns(&describe);
    let soql =
        format!("SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{user}'");
    let sets = api.query(cx, &soql).await?;
    let sets: Vec<String> = sets
        .iter()
        .filter_map(|row| row["PermissionSetId"].as_str())
        .map(str::to_owned)
        .collect();
    let select = format!(
        "SELECT Id, {} FROM PermissionSet WHERE Id IN",
        columns
            .iter()
            .map(|(_, column)| column.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    );
    let mut rows = api.query_in(cx, &select, &sets).await?;
    // The right to add to sent mails is documented by its label alone: whatever its column is called, it is kept under one name.
    for (right, column) in &columns {
        for row in &mut rows {
            row[format!("Permissions{right}")] = row[column].clone();
        }
    }
    Ok(rows)
}

/// The rights that the org knows, with the column of each.
fn columns(describe: &Value) -> Vec<(&'static str, String)> {
    let fields: Vec<&Value> = describe["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let by = |key: &str, wanted: &str| {
        let found = fields.iter().find(|field| field[key] == wanted);
        found.and_then(|field| field["name"].as_str().map(str::to_owned))
    };
    let column = |right: &'static str| {
        let named = by("name", &format!("Permissions{right}"));
        match right {
            "CanUpdateEmailMessage" => named.or_else(|| by("label", "Update Email Messages")),
            _ => named,
        }
    };
    RIGHTS
        .into_iter()
        .filter_map(|right| Some((right, column(right)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_right_is_found_by_its_column_or_by_what_people_call_it() {
        let describe = json!({"fields": [
            {"name": "PermissionsApiEnabled", "label": "API Enabled"},
            {"name": "PermissionsSomethingElse", "label": "Update Email Messages"},
        ]});
        assert_eq!(
            columns(&describe),
            [
                ("ApiEnabled", "PermissionsApiEnabled".to_owned()),
                (
                    "CanUpdateEmailMessage",
                    "PermissionsSomethingElse".to_owned()
                )
            ]
        );
    }
}
