//! What a new org holds before anything is loaded.

use serde_json::{Value, json};

use super::automation;
use super::engine::Ctx;
use super::entitlements;
use super::error::Refusal;
use super::options::{NewUser, OrgSettings};
use super::store::{self, Fields};

/// The login name of the user a migration runs as.
pub(crate) const INTEGRATION_USERNAME: &str = "integration@rehearsal.example.org";

/// Fills a new org: itself, a profile, its users, what they may, and the values of a Case's Status.
pub(crate) fn found(ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let settings = ctx.settings();
    add(
        ctx,
        "Organization",
        json!({
            "Name": settings.name, "InstanceName": "LOCAL", "IsSandbox": settings.is_sandbox, "IsReadOnly": false,
            "OrganizationType": "Enterprise Edition", "DefaultLocaleSidKey": "en_US", "TimeZoneSidKey": "GMT",
            "LanguageLocaleKey": "en_US",
        }),
    )?;
    let profile = add(
        ctx,
        "Profile",
        json!({"Name": "System Administrator", "UserType": "Standard"}),
    )?;
    for name in ["Standard User", "Minimum Access - Salesforce"] {
        add(
            ctx,
            "Profile",
            json!({"Name": name, "UserType": "Standard"}),
        )?;
    }
    let own = |username: &str, name: &str| NewUser {
        email: username.to_owned(),
        username: username.to_owned(),
        name: name.to_owned(),
        active: true,
        user_type: "Standard".to_owned(),
    };
    let integration = add(
        ctx,
        "User",
        user(
            ctx,
            &own(INTEGRATION_USERNAME, "Integration User"),
            &profile,
        ),
    )?;
    add(
        ctx,
        "User",
        user(
            ctx,
            &own("support@rehearsal.example.org", "Default Case Owner"),
            &profile,
        ),
    )?;
    for person in &settings.users {
        add(ctx, "User", user(ctx, person, &profile))?;
    }
    for queue in &settings.queues {
        let name = &queue.developer_name;
        let group = json!({"Name": name.replace('_', " "), "DeveloperName": name, "Type": "Queue"});
        let id = add(ctx, "Group", group)?;
        for object in &queue.objects {
            add(
                ctx,
                "QueueSobject",
                json!({"QueueId": id, "SobjectType": object}),
            )?;
        }
    }
    // Rights that the org does not offer are in no row.
    let knows = settings.knowledge.as_ref().map(|_| true);
    let permissions = add(
        ctx,
        "PermissionSet",
        json!({
            "Name": "Migration", "Label": "Migration", "IsCustom": true, "IsOwnedByProfile": false,
            "PermissionsApiEnabled": true, "PermissionsModifyAllData": true, "PermissionsViewAllData": true,
            "PermissionsViewSetup": true, "PermissionsCreateAuditFields": settings.audit_fields,
            "PermissionsUpdateWithInactiveOwner": settings.inactive_owners,
            "PermissionsCanUpdateEmailMessage": settings.update_email_messages,
            "PermissionsQueryAllFiles": settings.query_all_files,
            "PermissionsBulkApiHardDelete": settings.bulk_hard_delete,
            "PermissionsCanInsertFeedSystemFields": settings.feed_system_fields,
            "PermissionsEditKnowledge": knows, "PermissionsPublishArticles": knows,
            "PermissionsViewDraftArticles": knows,
        }),
    )?;
    add(
        ctx,
        "PermissionSetAssignment",
        json!({"PermissionSetId": permissions, "AssigneeId": integration, "IsActive": true}),
    )?;
    record_types(ctx, settings)?;
    for rule in &settings.duplicate_rules {
        add(
            ctx,
            "DuplicateRule",
            json!({"DeveloperName": rule.name, "MasterLabel": rule.name, "SobjectType": rule.object, "IsActive": true}),
        )?;
    }
    automation::declare(ctx)?;
    entitlements::found(ctx)?;
    case_status(ctx)
}

/// Brings the rows of record types and business processes to what the settings say. A place in the settings is a row.
pub(super) fn record_types(ctx: &Ctx<'_>, settings: &OrgSettings) -> Result<(), Refusal> {
    let processes = ctx.object("BusinessProcess")?;
    for (number, process) in (1..).zip(&settings.business_processes) {
        let row = json!({"Name": process.name, "TableEnumOrId": process.object, "IsActive": true});
        put(ctx, "BusinessProcess", number, row)?;
    }
    for (number, known) in (1..).zip(&settings.record_types) {
        let name = known.business_process.as_ref();
        let process = name.and_then(|name| {
            let mut all = (1..).zip(&settings.business_processes);
            all.find(|(_, process)| process.object == known.object && process.name == *name)
        });
        let row = json!({
            "Name": known.shown(), "DeveloperName": known.name, "SobjectType": known.object,
            "IsActive": !known.inactive, "IsPersonType": known.is_person,
            "BusinessProcessId": process.map(|(number, _)| ctx.id(processes, number)),
        });
        put(ctx, "RecordType", number, row)?;
    }
    Ok(())
}

/// Writes a row with this number, new or not.
pub(super) fn put(ctx: &Ctx<'_>, object: &str, number: i64, row: Value) -> Result<(), Refusal> {
    let of = ctx.object(object)?;
    let (Some(before), Value::Object(new)) = (store::get(ctx.db, of, number)?, &row) else {
        return add(ctx, object, row).map(|_| ());
    };
    let mut fields = before.fields.clone();
    fields.extend(new.clone());
    fields.retain(|_, value| !value.is_null());
    store::update(ctx.db, of, &before, &fields)
}

fn case_status(ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let status = ctx
        .object("Case")?
        .field("Status")
        .ok_or_else(Refusal::not_found)?;
    for (order, known) in status.values.iter().enumerate() {
        add(
            ctx,
            "CaseStatus",
            json!({
                "MasterLabel": known.label, "ApiName": known.value, "SortOrder": order + 1,
                "IsDefault": status.default.as_deref() == Some(known.value.as_str()), "IsClosed": known.closed,
            }),
        )?;
    }
    Ok(())
}

fn user(ctx: &Ctx<'_>, person: &NewUser, profile: &str) -> Value {
    let (first, last) = match person.name.trim().rsplit_once(' ') {
        Some((first, last)) => (json!(first), last),
        None => (Value::Null, person.name.trim()),
    };
    // A sandbox is a copy in which nobody gets mail by accident (Salesforce object reference, section 7).
    let suffix = if ctx.settings().is_sandbox {
        ".invalid"
    } else {
        ""
    };
    let alias: String = last.to_lowercase().chars().take(8).collect();
    json!({
        "Username": person.username.to_lowercase(), "Email": person.email.to_lowercase() + suffix, "FirstName": first,
        "LastName": last, "Name": person.name.trim(), "IsActive": person.active, "UserType": person.user_type,
        "Alias": alias, "CommunityNickname": person.username.to_lowercase(), "TimeZoneSidKey": "GMT",
        "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "ProfileId": profile,
        "UserPermissionsKnowledgeUser": false,
    })
}

pub(super) fn add(ctx: &Ctx<'_>, object: &str, values: Value) -> Result<String, Refusal> {
    let object = ctx.object(object)?;
    let Value::Object(values) = values else {
        return Err(Refusal::broken("a row is an object"));
    };
    let fields: Fields = values
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect();
    Ok(ctx.id(object, ctx.put(object, fields)?))
}
