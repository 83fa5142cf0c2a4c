//! Merging: up to two records go into a third. What pointed at them points at it, and they stay in the recycle bin with
//! `MasterRecordId`, where `queryAll` sees them.

use serde_json::{Value, json};

use super::{Call, existing, not_supported, update};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::{Field, Kind, Object};
use crate::org::store::{self, Fields, Row};
use crate::org::values::date_time_text;

/// Records that one call merges into its master, at most.
const MOST: usize = 2;
/// What can be merged.
const MERGEABLE: [&str; 4] = ["Account", "Case", "Contact", "Lead"];
/// Rows that say one thing about two records, which is said once.
const PAIRS: [&str; 2] = ["ContentDocumentLink", "TopicAssignment"];

/// What was merged.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) master: String,
    pub(crate) others: Vec<String>,
    /// What points at the master now.
    pub(crate) related: Vec<String>,
}

/// Merges `others` into the record `master`, which gets `values`. The caller takes back what an error leaves.
pub(crate) fn merge(
    ctx: &Ctx<'_>,
    object: &str,
    master: &str,
    values: &Fields,
    others: &[&str],
) -> Result<Merged, Refusal> {
    let object = ctx.object(object)?;
    if !MERGEABLE.contains(&object.name.as_str()) {
        return Err(not_supported(object, "merge"));
    }
    if others.is_empty() || others.len() > MOST {
        let message = format!("one or {MOST} records can be merged into a master");
        return Err(Refusal::new("INVALID_ARGUMENT", message));
    }
    let kept = existing(ctx, object, master)?;
    let master = ctx.id(object, kept.number);
    if !values.is_empty() {
        update(ctx, &Call::default(), &object.name, &master, values)?;
    }
    let mut merged = Merged {
        master: master.clone(),
        others: Vec::new(),
        related: Vec::new(),
    };
    for other in others {
        let row = existing(ctx, object, other)?;
        if row.number == kept.number {
            let message = "a record cannot be merged into itself";
            return Err(Refusal::new("INVALID_CROSS_REFERENCE_KEY", message));
        }
        let other = ctx.id(object, row.number);
        merged.related.extend(moved(ctx, object, &other, &master)?);
        let mut fields = row.fields.clone();
        fields.insert("MasterRecordId".into(), json!(master));
        store::update(ctx.db, object, &row, &fields)?;
        let row = Row { fields, ..row };
        store::delete(ctx.db, object, &row)?;
        store::stamp(ctx.db, object, row.number, &date_time_text(ctx.now))?;
        merged.others.push(other);
    }
    Ok(merged)
}

/// Lets what points at `from` point at `to`.
fn moved(ctx: &Ctx<'_>, of: &Object, from: &str, to: &str) -> Result<Vec<String>, Refusal> {
    let mut related = Vec::new();
    let points = ctx.schema().children(&of.name);
    for (child, field) in points.filter(|(_, field)| field.is_indexed()) {
        for number in store::find(ctx.db, child, field, &from[..15])? {
            let Some(row) = store::get(ctx.db, child, number)? else {
                continue;
            };
            if PAIRS.contains(&child.name.as_str()) && said(ctx, child, field, &row, to)? {
                store::delete(ctx.db, child, &row)?;
                continue;
            }
            let mut fields = row.fields.clone();
            fields.insert(field.name.clone(), json!(to));
            fields.insert("SystemModstamp".into(), json!(date_time_text(ctx.now)));
            store::update(ctx.db, child, &row, &fields)?;
            related.push(ctx.id(child, number));
        }
    }
    Ok(related)
}

/// Whether another row says of `to` what this one says of what `by` points at.
fn said(ctx: &Ctx<'_>, child: &Object, by: &Field, row: &Row, to: &str) -> Result<bool, Refusal> {
    let others: Vec<&Field> = child
        .fields
        .iter()
        .filter(|field| field.kind == Kind::Reference && field.createable && field.name != by.name)
        .collect();
    for number in store::find(ctx.db, child, by, &to[..15])? {
        let known = store::get(ctx.db, child, number)?;
        let same = |field: &&Field| {
            let known = known
                .as_ref()
                .and_then(|known| known.fields.get(&field.name));
            known.and_then(Value::as_str) == row.fields.get(&field.name).and_then(Value::as_str)
        };
        if others.iter().all(same) {
            return Ok(true);
        }
    }
    Ok(false)
}
