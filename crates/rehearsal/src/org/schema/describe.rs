//! Describe answers, with every member of a recorded one (Salesforce transport reference, section 4).

use serde_json::{Map, Value, json};

use super::{Field, Kind, Object, Schema, child_name};
use crate::org::ids::{Ids, MASTER_RECORD_TYPE};
use crate::org::write::delete::{Deletion, on_delete};

/// One row of the list of objects.
pub(crate) fn global_row(object: &Object, version: u32) -> Value {
    let base = format!("/services/data/v{version}.0/sobjects/{}", object.name);
    json!({
        "activateable": false, "associateEntityType": null, "associateParentEntity": null,
        "createable": object.createable, "custom": object.custom, "customSetting": false, "deepCloneable": false,
        "deletable": object.deletable, "deprecatedAndHidden": false,
        "feedEnabled": matches!(object.name.as_str(), "Account" | "Contact" | "Lead" | "Case"),
        "hasSubtypes": false, "isInterface": false, "isSubtype": false, "keyPrefix": object.prefix,
        "label": object.label, "labelPlural": object.plural, "layoutable": !object.setup,
        "mergeable": matches!(object.name.as_str(), "Account" | "Contact" | "Lead"),
        "mruEnabled": !object.setup, "name": object.name, "queryable": object.queryable,
        "replicateable": true, "retrieveable": true, "searchable": !object.setup, "triggerable": !object.setup,
        "undeletable": object.deletable, "updateable": object.updateable,
        "urls": {
            "compactLayouts": format!("{base}/describe/compactLayouts"),
            "rowTemplate": format!("{base}/{{ID}}"),
            "describe": format!("{base}/describe"),
            "layouts": format!("{base}/describe/layouts"),
            "sobject": base,
        },
    })
}

/// The whole description of an object, without what the user's permissions hide.
pub(crate) fn describe(schema: &Schema, object: &Object, ids: &Ids, version: u32) -> Value {
    let mut answer = global_row(object, version);
    let fields: Vec<Value> = object
        .fields
        .iter()
        .filter(|f| !f.hidden)
        .map(describe_field)
        .collect();
    let more = json!({
        "actionOverrides": [], "childRelationships": child_relationships(schema, object),
        "compactLayoutable": !object.setup, "defaultImplementation": null, "extendedBy": null,
        "extendsInterfaces": null, "fields": fields, "implementedBy": null, "implementsInterfaces": null,
        "listviewable": null, "lookupLayoutable": null, "namedLayoutInfos": [], "networkScopeFieldName": null,
        "recordTypeInfos": record_type_infos(schema, object, ids, version),
        "searchLayoutable": !object.setup, "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": format!("All {}", object.plural.to_lowercase()), "name": "everything"}],
    });
    if let (Value::Object(answer), Value::Object(more)) = (&mut answer, more) {
        answer.extend(more);
    }
    answer
}

/// The kinds of an object's records, and last the one that stands for none.
fn record_type_infos(schema: &Schema, object: &Object, ids: &Ids, version: u32) -> Vec<Value> {
    let row = |id: &str, name: &str, developer_name: &str| {
        let layout = format!(
            "/services/data/v{version}.0/sobjects/{}/describe/layouts/{id}",
            object.name
        );
        json!({
            "active": true, "available": true, "defaultRecordTypeMapping": false, "developerName": developer_name,
            "master": false, "name": name, "recordTypeId": id, "urls": {"layout": layout},
        })
    };
    let usual = schema
        .usual_record_type(&object.name, false)
        .map(|(n, _)| n);
    let mut rows: Vec<Value> = schema
        .record_types_of(&object.name)
        .map(|(number, known)| {
            let mut row = row(&ids.id("012", number), known.shown(), &known.name);
            row["active"] = json!(!known.inactive);
            row["available"] = json!(!known.inactive && !known.hidden);
            row["defaultRecordTypeMapping"] = json!(usual == Some(number));
            row
        })
        .collect();
    let mut master = row(MASTER_RECORD_TYPE, "Master", "Master");
    master["master"] = json!(true);
    master["defaultRecordTypeMapping"] = json!(usual.is_none());
    rows.push(master);
    rows
}

fn child_relationships(schema: &Schema, object: &Object) -> Vec<Value> {
    let visible = schema
        .children(&object.name)
        .filter(|(_, field)| !field.hidden);
    let rows = visible.map(|(child, field)| {
        let deletion = on_delete(&object.name, &child.name, field);
        let name = json!(child_name(child, field));
        json!({
            "cascadeDelete": deletion == Deletion::Cascade, "childSObject": child.name, "deprecatedAndHidden": false,
            "field": field.name, "junctionIdListNames": [], "junctionReferenceTo": [],
            "relationshipName": name, "restrictedDelete": deletion == Deletion::Refuse,
        })
    });
    rows.collect()
}

fn describe_field(field: &Field) -> Value {
    let kind = field.kind;
    let is_text = field.is_text() || kind == Kind::MultiPicklist;
    let byte_length = match (field.byte_limit, is_text) {
        (Some(limit), _) => limit,
        (None, true) => field.length * 3,
        (None, false) => field.length,
    };
    let default = match (&field.default, kind) {
        (Some(value), _) => json!(value),
        (None, Kind::Boolean) => json!(false),
        _ => Value::Null,
    };
    let polymorphic = field.reference_to.len() > 1;
    let entries = [
        ("aggregatable", json!(field.aggregatable())),
        ("aiPredictionField", json!(false)),
        (
            "autoNumber",
            json!(field.auto_number.is_some() || field.name == "CaseNumber"),
        ),
        ("byteLength", json!(byte_length)),
        ("calculated", json!(false)),
        ("calculatedFormula", Value::Null),
        ("cascadeDelete", json!(field.cascade)),
        ("caseSensitive", json!(field.case_sensitive)),
        ("compoundFieldName", json!(field.compound)),
        ("controllerName", Value::Null),
        ("createable", json!(field.createable)),
        ("custom", json!(field.custom)),
        ("defaultValue", default),
        ("defaultValueFormula", Value::Null),
        ("defaultedOnCreate", json!(field.defaulted)),
        ("dependentPicklist", json!(false)),
        ("deprecatedAndHidden", json!(false)),
        ("digits", json!(field.digits)),
        ("displayLocationInDecimal", json!(false)),
        ("encrypted", json!(false)),
        ("externalId", json!(field.external_id)),
        ("extraTypeInfo", json!(extra_type(field))),
        ("filterable", json!(field.filterable)),
        ("filteredLookupInfo", Value::Null),
        ("formulaTreatNullNumberAsZero", json!(false)),
        ("groupable", json!(field.groupable())),
        ("highScaleNumber", json!(false)),
        ("htmlFormatted", json!(kind == Kind::RichText)),
        ("idLookup", json!(field.id_lookup)),
        ("inlineHelpText", Value::Null),
        ("label", json!(field.label)),
        ("length", json!(field.length)),
        ("mask", Value::Null),
        ("maskType", Value::Null),
        ("name", json!(field.name)),
        ("nameField", json!(field.name_field)),
        ("namePointing", json!(polymorphic)),
        ("nillable", json!(field.nillable)),
        ("permissionable", json!(field.permissionable)),
        ("picklistValues", picklist_values(field)),
        ("polymorphicForeignKey", json!(polymorphic)),
        ("precision", json!(field.precision)),
        ("queryByDistance", json!(kind == Kind::Address)),
        ("referenceTargetField", Value::Null),
        ("referenceTo", json!(field.reference_to)),
        ("relationshipName", json!(field.relationship)),
        ("relationshipOrder", Value::Null),
        ("restrictedDelete", json!(false)),
        ("restrictedPicklist", json!(field.restricted)),
        ("scale", json!(field.scale)),
        ("searchPrefilterable", json!(prefilterable(field))),
        ("soapType", json!(soap_type(kind))),
        ("sortable", json!(field.sortable)),
        ("type", json!(type_name(kind))),
        ("unique", json!(field.unique)),
        ("updateable", json!(field.updateable)),
        ("writeRequiresMasterRead", json!(false)),
    ];
    Value::Object(
        entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>(),
    )
}

fn picklist_values(field: &Field) -> Value {
    let row = |known: &super::PickValue| {
        let default = field.default.as_deref() == Some(known.value.as_str());
        json!({"active": true, "defaultValue": default, "label": known.label, "validFor": null, "value": known.value})
    };
    Value::Array(field.values.iter().map(row).collect())
}

fn extra_type(field: &Field) -> Option<&'static str> {
    match (field.kind, field.compound.as_deref(), field.name.as_str()) {
        (Kind::TextArea, ..) => Some("plaintextarea"),
        (Kind::RichText, ..) => Some("richtextarea"),
        (Kind::String | Kind::Picklist, Some("Name"), name) if name != "Name" => Some("personname"),
        (Kind::Url, _, "PhotoUrl") => Some("imageurl"),
        (Kind::String, Some("Name"), _) => Some("switchablepersonname"),
        // The whole name of a person is as long as its parts.
        (Kind::String, None, "Name") if field.length == 121 => Some("personname"),
        _ => None,
    }
}

/// Whether searches may be narrowed by it: references to who and what a record is about.
fn prefilterable(field: &Field) -> bool {
    let to = |name: &String| matches!(name.as_str(), "Account" | "Contact" | "Case");
    !field.custom && field.name != "MasterRecordId" && field.reference_to.iter().any(to)
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "id",
        Kind::String => "string",
        Kind::TextArea | Kind::RichText => "textarea",
        Kind::Email => "email",
        Kind::Phone => "phone",
        Kind::Url => "url",
        Kind::Picklist => "picklist",
        Kind::MultiPicklist => "multipicklist",
        Kind::Combobox => "combobox",
        Kind::Boolean => "boolean",
        Kind::Int => "int",
        Kind::Double => "double",
        Kind::Currency => "currency",
        Kind::Percent => "percent",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Time => "time",
        Kind::Reference => "reference",
        Kind::Address => "address",
        Kind::Base64 => "base64",
        Kind::Junction => "complexvalue",
    }
}

fn soap_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id | Kind::Reference => "tns:ID",
        Kind::Boolean => "xsd:boolean",
        Kind::Int => "xsd:int",
        Kind::Double | Kind::Currency | Kind::Percent => "xsd:double",
        Kind::Date => "xsd:date",
        Kind::DateTime => "xsd:dateTime",
        Kind::Time => "xsd:time",
        Kind::Address => "urn:address",
        Kind::Base64 => "xsd:base64Binary",
        Kind::Junction => "urn:JunctionIdListNames",
        _ => "xsd:string",
    }
}
