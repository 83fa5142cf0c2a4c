//! Every write goes through here: single records, collections, composite, bulk jobs and multipart share one pipeline.
//!
//! A row is read against the schema ([`given`]), checked, completed by what the platform adds ([`objects`]), stored,
//! and followed by its side effects. A row that fails leaves nothing behind; with `allOrNone` no row does.

pub(crate) mod delete;
mod duplicates;
mod email;
mod feed;
pub(crate) mod file;
mod given;
pub(crate) mod merge;
mod notes;
mod objects;
mod people;
mod persons;
mod places;
mod record_type;
mod references;
mod rules;

use std::cell::RefCell;
use std::path::PathBuf;

use serde_json::{Value, json};

pub(crate) use self::given::Given;
use super::engine::Ctx;
use super::entitlements;
use super::error::Refusal;
use super::schema::{Field, Object};
use super::store::{self, Fields, Row};
use super::values::date_time_text;

/// What holds for all rows of a call.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) all_or_none: bool,
    /// `Sforce-Auto-Assign`, true when the header is absent.
    pub(crate) auto_assign: bool,
    /// `Sforce-Duplicate-Rule-Header: allowSave=true`.
    pub(crate) allow_duplicates: bool,
    /// The bytes of a multipart call.
    pub(crate) upload: Option<Upload>,
}

/// Bytes that have arrived and wait for their row.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    /// MD5 in hexadecimal.
    pub(crate) md5: String,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation<'o> {
    Insert,
    Update,
    Upsert {
        /// The external id field.
        field: &'o str,
        /// Refuses a row that does not exist yet.
        update_only: bool,
    },
    Delete,
}

/// What became of one row.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) id: Option<String>,
    /// Only told by upserts.
    pub(crate) created: Option<bool>,
    pub(crate) error: Option<Refusal>,
}

impl Outcome {
    fn of(result: Result<(String, Option<bool>), Refusal>) -> Self {
        match result {
            Ok((id, created)) => Self {
                id: Some(id),
                created,
                error: None,
            },
            Err(error) => Self {
                id: None,
                created: None,
                error: Some(error),
            },
        }
    }

    /// As an element of a collection's answer.
    pub(crate) fn as_row(&self) -> Value {
        let mut row = json!({"success": self.error.is_none(), "errors": []});
        if let Some(id) = &self.id {
            row["id"] = json!(id);
        }
        if let Some(created) = self.created {
            row["created"] = json!(created);
        }
        if let Some(error) = &self.error {
            row["errors"] = json!([error.as_row()]);
        }
        row
    }
}

/// One row of a call: its object and, but for a deletion, its values; or its id.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) object: String,
    pub(crate) id: Option<String>,
    pub(crate) values: Fields,
    /// The values of an insert, where they were read against the schema already; then there are no others.
    pub(crate) read: RefCell<Option<Given>>,
}

/// Writes the rows in order.
///
/// # Errors
/// Only when the org itself fails; what the platform would refuse is in the outcomes.
pub(crate) fn write(
    ctx: &Ctx<'_>,
    call: &Call,
    operation: Operation<'_>,
    items: &[Item],
) -> Result<Vec<Outcome>, Refusal> {
    let doubles = match operation {
        Operation::Upsert { field, .. } => doubled_keys(items, field),
        _ => Vec::new(),
    };
    let first_is_setup = items
        .first()
        .and_then(|item| ctx.schema().object(&item.object))
        .map(|o| o.setup);
    let mut outcomes = Vec::with_capacity(items.len());
    if call.all_or_none {
        ctx.db.execute_batch("SAVEPOINT call")?;
    }
    for (n, item) in items.iter().enumerate() {
        let result = if let Some(Some(double)) = doubles.get(n) {
            Err(Refusal::new(
                "DUPLICATE_VALUE",
                format!("Duplicate external id specified: {double}"),
            ))
        } else if let Err(mixed) = not_mixed(ctx, item, first_is_setup) {
            Err(mixed)
        } else {
            alone(ctx, call, operation, item)?
        };
        if let Err(error) = &result
            && error.status >= 500
        {
            return Err(error.clone());
        }
        outcomes.push(Outcome::of(result));
    }
    if call.all_or_none && outcomes.iter().any(|outcome| outcome.error.is_some()) {
        ctx.db.execute_batch("ROLLBACK TO call")?;
        for outcome in outcomes
            .iter_mut()
            .filter(|outcome| outcome.error.is_none())
        {
            let message = "Record rolled back because not all records were valid and the request was using AllOrNone header";
            *outcome = Outcome::of(Err(Refusal::new(
                "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                message,
            )));
        }
    }
    if call.all_or_none {
        ctx.db.execute_batch("RELEASE call")?;
    }
    Ok(outcomes)
}

/// Objects whose rows are refused, if at all, before anything of them is written.
const REFUSED_FIRST: [&str; 7] = [
    "Account",
    "Case",
    "CaseComment",
    "Contact",
    "EmailMessage",
    "Lead",
    "Task",
];

/// Whether a refused insert of this object leaves nothing behind by itself.
pub(crate) fn refused_first(object: &str) -> bool {
    REFUSED_FIRST.contains(&object) || object.ends_with("__c")
}

/// Writes one row so that a refusal leaves nothing of it.
fn alone(
    ctx: &Ctx<'_>,
    call: &Call,
    operation: Operation<'_>,
    item: &Item,
) -> Result<Result<(String, Option<bool>), Refusal>, Refusal> {
    if matches!(operation, Operation::Insert) && refused_first(&item.object) {
        let before = ctx.db.total_changes();
        let result = one(ctx, call, operation, item);
        if result.is_err() && ctx.db.total_changes() != before {
            return Err(Refusal::broken("a refused row was written in part"));
        }
        return Ok(result);
    }
    ctx.db.prepare_cached("SAVEPOINT one")?.execute([])?;
    let result = one(ctx, call, operation, item);
    if result.is_err() {
        ctx.db.prepare_cached("ROLLBACK TO one")?.execute([])?;
    }
    ctx.db.prepare_cached("RELEASE one")?.execute([])?;
    Ok(result)
}

/// For each row whose key another row of the call has too: that key.
fn doubled_keys(items: &[Item], field: &str) -> Vec<Option<String>> {
    let key = |item: &Item| {
        let value = item
            .values
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(field))
            .map(|(_, value)| value)?;
        Some((
            item.object.to_lowercase(),
            value.as_str()?.trim().to_owned(),
        ))
    };
    let keys: Vec<_> = items.iter().map(key).collect();
    let mut seen = std::collections::HashMap::new();
    for key in keys.iter().flatten() {
        *seen.entry(key).or_insert(0_u32) += 1;
    }
    keys.iter()
        .map(|key| {
            key.as_ref()
                .filter(|key| seen[key] > 1)
                .map(|(_, value)| value.clone())
        })
        .collect()
}

fn not_mixed(ctx: &Ctx<'_>, item: &Item, first_is_setup: Option<bool>) -> Result<(), Refusal> {
    let setup = ctx.schema().object(&item.object).map(|object| object.setup);
    match (setup, first_is_setup) {
        (Some(this), Some(first)) if this != first => {
            let message = "DML operation on setup object is not permitted after you have updated a non-setup object (or vice versa)";
            Err(Refusal::new(
                "MIXED_DML_OPERATION",
                format!("{message}: {}", item.object),
            ))
        }
        _ => Ok(()),
    }
}

fn one(
    ctx: &Ctx<'_>,
    call: &Call,
    operation: Operation<'_>,
    item: &Item,
) -> Result<(String, Option<bool>), Refusal> {
    match operation {
        Operation::Insert => {
            let object = ctx.object(&item.object)?;
            insert(ctx, call, object, &item.values, item.read.take()).map(|id| (id, None))
        }
        Operation::Update => {
            let id = item.id.as_deref().ok_or_else(|| {
                Refusal::new("MISSING_ARGUMENT", "Id not specified in an update call").on("Id")
            })?;
            update(ctx, call, &item.object, id, &item.values).map(|id| (id, None))
        }
        Operation::Upsert { field, update_only } => upsert(ctx, call, item, field, update_only),
        Operation::Delete => {
            let id = item.id.as_deref().unwrap_or_default();
            if let Some(object) = ctx.schema().object(&item.object) {
                existing(ctx, object, id)?;
            }
            delete::delete(ctx, id).map(|id| (id, None))
        }
    }
}

fn insert(
    ctx: &Ctx<'_>,
    call: &Call,
    object: &Object,
    values: &Fields,
    read: Option<Given>,
) -> Result<String, Refusal> {
    if object.absent {
        let message = format!("sObject type '{}' is not supported.", object.name);
        return Err(Refusal::new("INVALID_TYPE", message));
    }
    if !object.createable {
        return Err(not_supported(object, "create"));
    }
    let mut given = match read {
        Some(given) => given,
        None => Given::read(ctx, object, values, given::Purpose::Insert)?,
    };
    objects::before_insert(ctx, call, object, &mut given)?;
    record_type::check(ctx, object, None, &mut given)?;
    places::complete(object, None, &mut given)?;
    given.defaults(object);
    given.required(object)?;
    given.audit(ctx)?;
    references::check(ctx, object, &mut given.values)?;
    rules::check(ctx, object, &given.values, None)?;
    given::unique(ctx, object, &given.values, None)?;
    duplicates::check(ctx, call, object, &given.values, None)?;
    lock(ctx, object, None, &given.values)?;
    let number = if object.name == "ContentNote" {
        notes::document(ctx, &mut given)?
    } else {
        store::next_number(ctx.db, object)?
    };
    objects::complete(ctx, object, number, None, &mut given)?;
    given.values.retain(|_, value| !value.is_null());
    ctx.stamp(object, &mut given.values);
    store::insert(ctx.db, object, number, &given.values)?;
    let id = ctx.id(object, number);
    objects::after_insert(ctx, object, number, &id, &given)?;
    Ok(id)
}

fn update(
    ctx: &Ctx<'_>,
    call: &Call,
    object: &str,
    id: &str,
    values: &Fields,
) -> Result<String, Refusal> {
    let object = ctx.object(object)?;
    let row = existing(ctx, object, id)?;
    if !object.updateable {
        return Err(not_supported(object, "update"));
    }
    let mut given = Given::read(ctx, object, values, given::Purpose::Update)?;
    objects::before_update(ctx, call, object, &row, &mut given)?;
    record_type::check(ctx, object, Some(&row), &mut given)?;
    places::complete(object, Some(&row), &mut given)?;
    given.still_required(object)?;
    references::check(ctx, object, &mut given.values)?;
    rules::check(ctx, object, &given.values, Some(&row))?;
    given::unique(ctx, object, &given.values, Some(row.number))?;
    duplicates::check(ctx, call, object, &given.values, Some(row.number))?;
    lock(ctx, object, Some(id), &row.fields)?;
    objects::complete(ctx, object, row.number, Some(&row), &mut given)?;
    let mut fields = row.fields.clone();
    for (name, value) in &given.values {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    let now = json!(date_time_text(ctx.now));
    if fields.contains_key("LastModifiedDate") {
        fields.insert("LastModifiedDate".into(), now.clone());
        fields.insert(
            "LastModifiedById".into(),
            json!(ctx.engine.user_id(ctx.user)),
        );
    }
    fields.insert("SystemModstamp".into(), now);
    store::update(ctx.db, object, &row, &fields)?;
    let id = ctx.id(object, row.number);
    match object.name.as_str() {
        "Account" => persons::after_update(ctx, &fields)?,
        "Case" => entitlements::after_case(ctx, &id, Some(&row.fields), &fields)?,
        _ => {}
    }
    Ok(id)
}

fn upsert(
    ctx: &Ctx<'_>,
    call: &Call,
    item: &Item,
    field: &str,
    update_only: bool,
) -> Result<(String, Option<bool>), Refusal> {
    let object = ctx.object(&item.object)?;
    let field = upsert_field(object, field)?;
    // The platform's pages disagree about audit fields in an upsert; the strict reading refuses them whether or not
    // the row exists, so that nobody comes to depend on the lenient one (contract: write protocol 1).
    given::no_audit_fields(object, &item.values)?;
    let (_, key) = item
        .values
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&field.name))
        .ok_or_else(|| {
            Refusal::new("MISSING_ARGUMENT", format!("{} not specified", field.name))
                .on(&field.name)
        })?;
    match found(ctx, object, field, key)?.as_slice() {
        [] if update_only => Err(Refusal::not_found()),
        [] => {
            let mut values = item.values.clone();
            if field.name == "Id" {
                values.retain(|name, _| !name.eq_ignore_ascii_case("Id"));
            }
            insert(ctx, call, object, &values, None).map(|id| (id, Some(true)))
        }
        [number] => {
            let mut values = item.values.clone();
            values.retain(|name, _| !name.eq_ignore_ascii_case(&field.name));
            let id = ctx.id(object, *number);
            update(ctx, call, &object.name, &id, &values).map(|id| (id, Some(false)))
        }
        several => {
            let ids: Vec<String> = several
                .iter()
                .map(|number| ctx.id(object, *number))
                .collect();
            let message = format!(
                "{}: more than one record found for external id field: [{}]",
                field.name,
                ids.join(", ")
            );
            Err(Refusal::new("DUPLICATE_EXTERNAL_ID", message)
                .with_status(300)
                .on(&field.name))
        }
    }
}

/// The field of an upsert or a read by external id.
pub(crate) fn upsert_field<'o>(object: &'o Object, name: &str) -> Result<&'o Field, Refusal> {
    object
        .field(name)
        .filter(|field| field.id_lookup || field.external_id)
        .ok_or_else(|| {
            let message =
                format!("Provided external ID field does not exist or is not accessible: {name}");
            Refusal::new("NOT_FOUND", message).with_status(404)
        })
}

/// Numbers of the live rows with this key.
pub(crate) fn found(
    ctx: &Ctx<'_>,
    object: &Object,
    field: &Field,
    key: &Value,
) -> Result<Vec<i64>, Refusal> {
    if field.name == "Id" {
        let Some(id) = key.as_str().filter(|id| !id.is_empty()) else {
            return Ok(Vec::new());
        };
        return Ok(vec![existing(ctx, object, id)?.number]);
    }
    let key = match key {
        Value::String(text) => json!(text.trim()),
        other => other.clone(),
    };
    match store::index_key(field, &key).filter(|key| !key.is_empty()) {
        Some(key) => Ok(store::find(ctx.db, object, field, &key)?),
        None => Err(
            Refusal::new("MISSING_ARGUMENT", format!("{} not specified", field.name))
                .on(&field.name),
        ),
    }
}

/// The live row behind an id that must be of this object.
pub(crate) fn existing(ctx: &Ctx<'_>, object: &Object, id: &str) -> Result<Row, Refusal> {
    let missing = || {
        Refusal::new(
            "NOT_FOUND",
            "Provided external ID field does not exist or is not accessible: Id",
        )
        .with_status(404)
    };
    let Some((of, number)) = ctx.locate(id) else {
        return Err(match super::ids::well_formed(id) {
            Some(_) => missing(),
            None => Refusal::new(
                "MALFORMED_ID",
                format!("{} ID: id value of incorrect type: {id}", object.label),
            )
            .on("Id"),
        });
    };
    if of.prefix != object.prefix {
        return Err(Refusal::new(
            "MALFORMED_ID",
            format!("{} ID: id value of incorrect type: {id}", object.label),
        )
        .on("Id"));
    }
    let row = store::get(ctx.db, object, number)?.ok_or_else(missing)?;
    if row.deleted {
        return Err(Refusal::new("ENTITY_IS_DELETED", "entity is deleted").with_status(404));
    }
    Ok(row)
}

pub(crate) fn not_supported(object: &Object, operation: &str) -> Refusal {
    let message = format!("entity type {} does not support {operation}", object.name);
    Refusal::new("INVALID_TYPE_FOR_OPERATION", message)
}

/// The scripted fault `lock-row`: its key is the object's name, the row's own id and every id the row refers to.
fn lock(ctx: &Ctx<'_>, object: &Object, id: Option<&str>, values: &Fields) -> Result<(), Refusal> {
    if ctx.engine.faults.is_empty() {
        return Ok(());
    }
    let mut key = object.name.clone();
    let points = object
        .fields
        .iter()
        .filter(|field| !field.reference_to.is_empty());
    let parents: Vec<&str> = points
        .filter_map(|field| values.get(&field.name).and_then(Value::as_str))
        .collect();
    for id in id.into_iter().chain(parents.iter().copied()) {
        key.push(' ');
        key.push_str(id);
    }
    if !ctx.engine.faults.take("lock-row", &key) {
        return Ok(());
    }
    let shown = id.or_else(|| parents.first().copied()).unwrap_or("");
    let message = format!("unable to obtain exclusive access to this record or 1 records: {shown}");
    Err(Refusal::new("UNABLE_TO_LOCK_ROW", message))
}
