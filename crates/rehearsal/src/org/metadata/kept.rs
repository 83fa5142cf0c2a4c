//! Components that are kept as they came: layouts, list views, tabs and the like, and the texts of those that have an effect
//! beside. They are read, listed, retrieved and deleted again.

use roxmltree::Node;
use rusqlite::{OptionalExtension, params};

use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::{Object, Schema};
use crate::org::xml::{child, children, escaped, text};

/// What an org keeps and shows to people without any effect on rows.
const SHOWN: [&str; 8] = [
    "CompactLayout",
    "CustomApplication",
    "CustomTab",
    "FieldSet",
    "Layout",
    "ListView",
    "Settings",
    "WebLink",
];

/// Whether the platform would do no more with it than show it.
pub(super) fn is_shown(kind: &str) -> bool {
    SHOWN.contains(&kind)
}

/// What stands in an element, its name left out, as it was written.
pub(super) fn inner(node: Node<'_, '_>) -> String {
    let source = node.document().input_text();
    children(node)
        .filter(|part| part.tag_name().name() != "fullName")
        .filter_map(|part| source.get(part.range()))
        .collect()
}

/// Keeps a component; whether it is new.
pub(super) fn keep(ctx: &Ctx<'_>, kind: &str, name: &str, body: &str) -> Result<bool, Refusal> {
    let before = read(ctx, kind, name)?;
    ctx.db
        .prepare_cached("INSERT OR REPLACE INTO metadata(kind, name, body) VALUES(?1, ?2, ?3)")?
        .execute(params![kind, name, body])?;
    Ok(before.is_none())
}

/// Takes a component away; whether it was there.
pub(super) fn forget(ctx: &Ctx<'_>, kind: &str, name: &str) -> Result<bool, Refusal> {
    let taken = ctx
        .db
        .prepare_cached("DELETE FROM metadata WHERE kind = ?1 AND name = ?2")?
        .execute([kind, name])?;
    Ok(taken > 0)
}

/// What stands in a component that was kept.
pub(super) fn read(ctx: &Ctx<'_>, kind: &str, name: &str) -> Result<Option<String>, Refusal> {
    let body = ctx
        .db
        .prepare_cached("SELECT body FROM metadata WHERE kind = ?1 AND name = ?2")?
        .query_row([kind, name], |row| row.get(0))
        .optional()?;
    Ok(body)
}

/// The names of the components of a type that were kept.
pub(super) fn names(ctx: &Ctx<'_>, kind: &str) -> Result<Vec<String>, Refusal> {
    let mut found = ctx
        .db
        .prepare_cached("SELECT name FROM metadata WHERE kind = ?1 ORDER BY name")?;
    let names = found.query_map([kind], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// What the platform would refuse of a component that is only shown, as the schema is by now.
pub(super) fn check(schema: &Schema, kind: &str, name: &str, node: &str) -> Result<(), String> {
    let whole = format!("<c>{node}</c>");
    let document =
        roxmltree::Document::parse(&whole).map_err(|e| format!("Error parsing file: {e}"))?;
    let node = document.root_element();
    let missing = |field: &str| Err(format!("Required field is missing: {field}"));
    match kind {
        "Layout" => {
            let (object, _) = name
                .split_once('-')
                .ok_or_else(|| format!("{name}: a layout is named Object-Layout"))?;
            let object = known(schema, "layout", object)?;
            let items = descendants(node, "layoutItems").filter_map(|item| text(item, "field"));
            fields(object, "field", items)
        }
        "ListView" | "FieldSet" | "CompactLayout" => {
            let object = known(schema, kind, name.split('.').next().unwrap_or(name))?;
            if child(node, "label").is_none() {
                return missing("label");
            }
            if kind == "ListView" && child(node, "filterScope").is_none() {
                return missing("filterScope");
            }
            let columns = descendants(node, "columns").filter_map(|column| column.text());
            fields(object, "columns", columns)?;
            let filters = descendants(node, "filters").filter_map(|filter| text(filter, "field"));
            fields(object, "filters", filters)?;
            let named = children(node).filter(|part| part.tag_name().name() == "fields");
            fields(object, "fields", named.filter_map(|field| field.text()))?;
            let shown = descendants(node, "displayedFields").filter_map(|f| text(f, "field"));
            fields(object, "displayedFields", shown)
        }
        "CustomTab" => {
            if text(node, "customObject") == Some("true") {
                known(schema, "customObject", name)?;
            }
            if child(node, "motif").is_none() {
                return missing("motif");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn descendants<'a, 'd: 'a>(
    node: Node<'a, 'd>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'd>> {
    node.descendants()
        .filter(move |part| part.is_element() && part.tag_name().name() == name)
}

fn known<'s>(schema: &'s Schema, field: &str, name: &str) -> Result<&'s Object, String> {
    let object = schema.object(name).filter(|object| object.name == name);
    object.ok_or_else(|| format!("In field: {field} - no CustomObject named {name} found"))
}

/// Custom fields must be there. Standard ones go by other names on layouts and lists, which are not judged.
fn fields<'t>(
    object: &Object,
    place: &str,
    names: impl Iterator<Item = &'t str>,
) -> Result<(), String> {
    for name in names.map(str::trim).filter(|name| name.ends_with("__c")) {
        if !object.fields.iter().any(|field| field.name == name) {
            return Err(format!(
                "In field: {place} - no CustomField named {}.{name} found",
                object.name
            ));
        }
    }
    Ok(())
}

/// The layout that every object begins with, which nobody deployed: all fields that people can write, one below the other.
pub(super) fn first_layout(object: &Object) -> String {
    let name = format!("{}-{} Layout", object.name, object.label);
    debug_assert!(!name.is_empty());
    let items: String = object
        .fields
        .iter()
        .filter(|field| !field.custom && (field.createable || field.updateable))
        .map(|field| {
            format!(
                "<layoutItems><behavior>{}</behavior><field>{}</field></layoutItems>",
                if field.required() { "Required" } else { "Edit" },
                escaped(&field.name)
            )
        })
        .collect();
    format!(
        "<layoutSections><customLabel>false</customLabel><detailHeading>false</detailHeading><editHeading>true</editHeading>\
         <label>Information</label><layoutColumns>{items}</layoutColumns><style>OneColumn</style></layoutSections>"
    )
}

/// The object whose first layout has this name.
pub(super) fn of_first_layout<'s>(schema: &'s Schema, name: &str) -> Option<&'s Object> {
    let (object, layout) = name.split_once('-')?;
    let object = schema.object(object)?;
    (layout == format!("{} Layout", object.label) && !object.setup).then_some(object)
}
