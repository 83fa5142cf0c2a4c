//! Person Accounts: an account that is a person has a contact of its own, and both are one (Salesforce object reference,
//! section 2.6).

use serde_json::{Value, json};

use super::given::Given;
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::{OF_PERSON, Object};
use crate::org::store::{self, Fields, Row};

/// Whether the row of an account is a person.
pub(super) fn is_person(row: &Row) -> bool {
    row.fields.get("IsPersonAccount") == Some(&json!(true))
}

/// The account's name of a field of the contact, if people have it.
fn name_of(contact_field: &str) -> Option<String> {
    let known = OF_PERSON.iter().find(|(_, of)| *of == contact_field);
    match (known, contact_field.strip_suffix("__c")) {
        (Some((name, _)), _) => Some((*name).to_owned()),
        (None, Some(stem)) => Some(format!("{stem}__pc")),
        (None, None) => None,
    }
}

fn of_person(name: &str) -> bool {
    name.ends_with("__pc") || OF_PERSON.iter().any(|(own, _)| *own == name)
}

/// Settles whether an account is a person, and refuses what only the other kind has.
pub(super) fn before_account(
    ctx: &Ctx<'_>,
    object: &Object,
    before: Option<&Row>,
    given: &mut Given,
) -> Result<(), Refusal> {
    if object.field("IsPersonAccount").is_none() {
        return Ok(());
    }
    let sent = given.text("RecordTypeId").and_then(|id| {
        let (_, number) = ctx.engine.ids.parse(id)?;
        let mut types = ctx.schema().record_types_of("Account");
        types.find(|(n, _)| *n == number).map(|(_, known)| known)
    });
    let was = before.map(is_person);
    let person = match (sent, was) {
        (Some(record_type), Some(was)) if record_type.is_person != was => {
            let message = "Invalid Person Account Operation: a business account and a person account do not become each other";
            return Err(
                Refusal::new("INVALID_PERSON_ACCOUNT_OPERATION", message).on("RecordTypeId")
            );
        }
        (Some(record_type), _) => record_type.is_person,
        (None, Some(was)) => was,
        // Who has a last name and is of no type is a person.
        (None, None) => given.text("LastName").is_some() && given.text("Name").is_none(),
    };
    let wrong: Vec<String> = given
        .values
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, _)| name)
        .filter(|name| {
            if person {
                *name == "Name"
            } else {
                of_person(name)
            }
        })
        .cloned()
        .collect();
    if !wrong.is_empty() {
        let message = format!(
            "Account: bad field names on insert/update call: {}",
            wrong.join(", ")
        );
        let mut refusal = Refusal::new("INVALID_FIELD_FOR_INSERT_UPDATE", message);
        refusal.fields = wrong;
        return Err(refusal);
    }
    let needed = if person { "LastName" } else { "Name" };
    let cleared = given.values.get(needed).is_some_and(Value::is_null);
    if cleared || (before.is_none() && given.text(needed).is_none()) {
        let message = format!("Required fields are missing: [{needed}]");
        return Err(Refusal::new("REQUIRED_FIELD_MISSING", message).on(needed));
    }
    if before.is_none() {
        given.values.insert("IsPersonAccount".into(), json!(person));
        if given.text("RecordTypeId").is_none()
            && let Some((number, _)) = ctx.schema().usual_record_type("Account", person)
        {
            let id = ctx.engine.ids.id("012", number);
            given.values.insert("RecordTypeId".into(), json!(id));
        }
    }
    Ok(())
}

/// The contact of a person is changed by the account only.
pub(super) fn before_contact(row: &Row) -> Result<(), Refusal> {
    if !is_person(row) {
        return Ok(());
    }
    let message = "Invalid Person Account Operation: the contact of a person account is changed by its account";
    Err(Refusal::new("INVALID_PERSON_ACCOUNT_OPERATION", message))
}

/// A person is nobody's employer.
pub(super) fn employer(ctx: &Ctx<'_>, given: &Given) -> Result<(), Refusal> {
    let Some(account) = given.text("AccountId") else {
        return Ok(());
    };
    match ctx.row(account)? {
        Some((_, row)) if is_person(&row) => {
            let message = "Account ID: a person account cannot have contacts";
            Err(Refusal::new("INVALID_PERSON_ACCOUNT_OPERATION", message).on("AccountId"))
        }
        _ => Ok(()),
    }
}

/// Makes the contact of a new person, and tells the account of it.
pub(super) fn after_insert(
    ctx: &Ctx<'_>,
    object: &Object,
    number: i64,
    id: &str,
    fields: &Fields,
) -> Result<(), Refusal> {
    if fields.get("IsPersonAccount") != Some(&json!(true)) {
        return Ok(());
    }
    let contacts = ctx.object("Contact")?;
    let mut contact = Fields::from_iter([
        ("AccountId".to_owned(), json!(id)),
        ("IsPersonAccount".to_owned(), json!(true)),
    ]);
    copy(contacts, fields, &mut contact);
    let own = [
        "Name",
        "OwnerId",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
    ];
    for name in own {
        if let Some(value) = fields.get(name) {
            contact.insert(name.to_owned(), value.clone());
        }
    }
    let contact = ctx.id(contacts, ctx.put(contacts, contact)?);
    if let Some(row) = store::get(ctx.db, object, number)? {
        let mut fields = row.fields.clone();
        fields.insert("PersonContactId".into(), json!(contact));
        store::update(ctx.db, object, &row, &fields)?;
    }
    Ok(())
}

/// Changes the contact with its account.
pub(super) fn after_update(ctx: &Ctx<'_>, fields: &Fields) -> Result<(), Refusal> {
    let Some(contact) = fields.get("PersonContactId").and_then(Value::as_str) else {
        return Ok(());
    };
    let Some((object, row)) = ctx.row(contact)? else {
        return Ok(());
    };
    let mut changed = row.fields.clone();
    copy(object, fields, &mut changed);
    for name in [
        "Name",
        "OwnerId",
        "LastModifiedDate",
        "LastModifiedById",
        "SystemModstamp",
    ] {
        if let Some(value) = fields.get(name) {
            changed.insert(name.to_owned(), value.clone());
        }
    }
    store::update(ctx.db, object, &row, &changed)
}

fn copy(contacts: &Object, from: &Fields, into: &mut Fields) {
    for field in &contacts.fields {
        match name_of(&field.name).and_then(|name| from.get(&name)) {
            Some(value) => into.insert(field.name.clone(), value.clone()),
            None if name_of(&field.name).is_some() => into.remove(&field.name),
            None => None,
        };
    }
}

/// The row that goes with a person: the contact of an account, the account of a contact.
pub(super) fn other_half<'a>(
    ctx: &Ctx<'a>,
    object: &Object,
    row: &Row,
) -> Result<Option<(&'a Object, Row)>, Refusal> {
    if !is_person(row) {
        return Ok(None);
    }
    let field = if object.name == "Account" {
        "PersonContactId"
    } else {
        "AccountId"
    };
    match row.fields.get(field).and_then(Value::as_str) {
        Some(id) => ctx.row(id),
        None => Ok(None),
    }
}
