//! Objects as another org describes them: what it says of each field holds instead of what this one begins with.

use serde_json::Value;

use super::{Field, Kind, Object, PickValue};
use crate::org::picture::Picture;

/// Fields that every row has here, whether or not the other org shows them.
const OWN: [&str; 3] = ["Id", "IsDeleted", "SystemModstamp"];

/// Makes the objects what the picture says.
pub(super) fn apply(objects: &mut Vec<Object>, picture: &Picture) {
    for describe in &picture.described {
        let Some(name) = describe["name"].as_str() else {
            continue;
        };
        match objects
            .iter_mut()
            .find(|known| known.name.eq_ignore_ascii_case(name))
        {
            // Users, queues and rules are the local org's own, in its own form.
            Some(known) if known.setup => {}
            Some(known) => reshape(known, describe, picture),
            None => objects.extend(new_object(describe)),
        }
    }
    for object in objects {
        object.absent = picture.absent.contains(&object.name);
    }
}

fn reshape(object: &mut Object, describe: &Value, picture: &Picture) {
    let is = |key: &str| describe[key] == true;
    object.createable = is("createable");
    object.updateable = is("updateable");
    if let Some(label) = describe["label"].as_str() {
        label.clone_into(&mut object.label);
    }
    let told: Vec<&Value> = describe["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    for field in &mut object.fields {
        let same = |told: &&&Value| told["name"] == field.name.as_str();
        match told.iter().find(same) {
            Some(told) => overlay(field, told),
            // Lists of ids are told among the relationships.
            None if OWN.contains(&field.name.as_str()) || field.kind == Kind::Junction => {}
            None => {
                field.hidden = true;
                field.nillable = true;
            }
        }
    }
    for told in told {
        let name = told["name"].as_str().unwrap_or_default();
        if object.position(name).is_none()
            && let Some(field) = new_field(told)
        {
            // No two of them have one name: an answer lists each field once.
            let _known = object.add(field);
        }
    }
    if object.name == "Case"
        && let Some(at) = object.position("Status")
    {
        for value in &mut object.fields[at].values {
            value.closed = picture.closed.contains(&value.value);
        }
    }
}

fn new_object(describe: &Value) -> Option<Object> {
    let text = |key: &str| describe[key].as_str().map(str::to_owned);
    let is = |key: &str| describe[key] == true;
    let prefix = text("keyPrefix").filter(|prefix| prefix.len() == 3)?;
    let name = text("name").filter(|name| is_plain(name))?;
    let mut object = Object {
        label: text("label").unwrap_or_else(|| name.clone()),
        plural: text("labelPlural").unwrap_or_else(|| name.clone()),
        custom: is("custom"),
        name,
        prefix,
        createable: is("createable"),
        updateable: is("updateable"),
        deletable: is("deletable"),
        queryable: is("queryable"),
        tooling: false,
        setup: false,
        takes_custom_fields: true,
        view_of: None,
        absent: false,
        rules: Vec::new(),
        fields: Vec::new(),
        by_name: std::collections::HashMap::new(),
    };
    for told in describe["fields"].as_array()? {
        if let Some(field) = new_field(told) {
            let _known = object.add(field);
        }
    }
    // Without these a row cannot be kept.
    OWN.iter()
        .all(|own| object.position(own).is_some())
        .then_some(object)
}

/// Names become names of tables.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

fn new_field(told: &Value) -> Option<Field> {
    let name = told["name"].as_str().filter(|name| is_plain(name))?;
    let kind = kind(told)?;
    let mut field = Field {
        name: name.to_owned(),
        label: String::new(),
        kind,
        length: 0,
        byte_limit: None,
        precision: 0,
        scale: 0,
        digits: 0,
        createable: false,
        updateable: false,
        defaulted: false,
        nillable: true,
        id_lookup: false,
        external_id: false,
        unique: false,
        case_sensitive: false,
        filterable: told["filterable"] != false,
        sortable: told["sortable"] != false,
        permissionable: told["permissionable"] == true,
        restricted: false,
        name_field: told["nameField"] == true,
        custom: told["custom"] == true,
        hidden: false,
        compound: told["compoundFieldName"].as_str().map(str::to_owned),
        reference_to: names(&told["referenceTo"]),
        relationship: told["relationshipName"].as_str().map(str::to_owned),
        child_relationship: None,
        cascade: told["cascadeDelete"] == true,
        // Its format is told to nobody.
        auto_number: (told["autoNumber"] == true).then(|| "{0000000}".to_owned()),
        default: None,
        values: Vec::new(),
    };
    overlay(&mut field, told);
    Some(field)
}

/// What the other org says of a field that this one knows.
fn overlay(field: &mut Field, told: &Value) {
    let is = |key: &str| told[key] == true;
    let size = |key: &str| told[key].as_u64().unwrap_or(0);
    let small = |key: &str| u32::try_from(size(key)).unwrap_or(u32::MAX);
    field.label = told["label"].as_str().unwrap_or(&field.name).to_owned();
    if field.kind != Kind::Junction {
        field.kind = kind(told).unwrap_or(field.kind);
    }
    field.length = usize::try_from(size("length")).unwrap_or(usize::MAX);
    let bytes = usize::try_from(size("byteLength")).unwrap_or(usize::MAX);
    // Only a comment's limit is known to be told in bytes.
    field.byte_limit = field.byte_limit.map(|_| bytes);
    (field.precision, field.scale, field.digits) =
        (small("precision"), small("scale"), small("digits"));
    (field.createable, field.updateable) = (is("createable"), is("updateable"));
    (field.defaulted, field.nillable) = (is("defaultedOnCreate"), is("nillable"));
    (field.external_id, field.id_lookup) = (is("externalId"), is("idLookup"));
    (field.unique, field.case_sensitive) = (is("unique"), is("caseSensitive"));
    field.restricted = is("restrictedPicklist");
    if matches!(
        field.kind,
        Kind::Picklist | Kind::MultiPicklist | Kind::Combobox
    ) {
        let told = told["picklistValues"].as_array().into_iter().flatten();
        let active: Vec<&Value> = told.filter(|value| value["active"] == true).collect();
        let default = active.iter().find(|value| value["defaultValue"] == true);
        field.default = default.and_then(|value| value["value"].as_str().map(str::to_owned));
        field.values = active.into_iter().filter_map(pick_value).collect();
    }
}

fn pick_value(told: &Value) -> Option<PickValue> {
    let value = told["value"].as_str()?.to_owned();
    let label = told["label"].as_str().unwrap_or(&value).to_owned();
    Some(PickValue {
        value,
        label,
        closed: false,
    })
}

fn names(list: &Value) -> Vec<String> {
    let names = list.as_array().into_iter().flatten();
    names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// What a field of a described type holds; none where that is nothing that rows can carry here.
fn kind(told: &Value) -> Option<Kind> {
    let rich = told["htmlFormatted"] == true;
    Some(match told["type"].as_str()? {
        "id" => Kind::Id,
        "string" | "encryptedstring" => Kind::String,
        "textarea" if rich => Kind::RichText,
        "textarea" => Kind::TextArea,
        "email" => Kind::Email,
        "phone" => Kind::Phone,
        "url" => Kind::Url,
        "picklist" => Kind::Picklist,
        "multipicklist" => Kind::MultiPicklist,
        "combobox" => Kind::Combobox,
        "boolean" => Kind::Boolean,
        "int" | "long" => Kind::Int,
        "double" => Kind::Double,
        "currency" => Kind::Currency,
        "percent" => Kind::Percent,
        "date" => Kind::Date,
        "datetime" => Kind::DateTime,
        "time" => Kind::Time,
        "reference" => Kind::Reference,
        "address" => Kind::Address,
        "base64" => Kind::Base64,
        "complexvalue" => Kind::Junction,
        _ => return None,
    })
}
