//! The files' texts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::config::API_VERSION;
use crate::mapping::facts::CALLS;
use crate::mapping::{FieldSpec, ObjectSpec, RecordTypeSpec};

use super::{Contents, PERMISSION_SET};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const SPACE: &str = "xmlns=\"http://soap.sforce.com/2006/04/metadata\"";

/// Objects whose rights a permission set can give; the others follow from these or from nothing.
const GRANTABLE: [&str; 5] = ["Account", "Case", "Contact", "Knowledge__kav", "Lead"];

/// The type of a field that points at the row without which its own cannot be.
const MASTER: &str = "MasterDetail";

/// Nested elements, by indent. Writing to a string cannot fail.
pub(super) struct Xml(String);

impl Xml {
    pub(super) fn new(root: &str) -> Self {
        Self(format!("{HEAD}<{root} {SPACE}>\n"))
    }

    pub(super) fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.0, "{:1$}{text}", "", depth * 4);
    }

    pub(super) fn value(&mut self, depth: usize, name: &str, value: impl ToString) {
        let value = escaped(&value.to_string());
        self.line(depth, &format!("<{name}>{value}</{name}>"));
    }

    pub(super) fn end(mut self, root: &str) -> String {
        self.line(0, &format!("</{root}>"));
        self.0
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // XML 1.0 has no other control characters.
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {}
            c => out.push(c),
        }
    }
    out
}

pub(super) fn manifest(contents: &Contents) -> String {
    let mut members: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut add = |kind, name: String| _ = members.entry(kind).or_default().insert(name);
    for field in &contents.fields {
        add("CustomField", full_name(field));
    }
    for object in &contents.objects {
        add("CustomObject", object.name.clone());
    }
    for known in &contents.types {
        add(
            "BusinessProcess",
            format!("{}.{}", known.object, known.business_process),
        );
        add("RecordType", format!("{}.{}", known.object, known.name));
    }
    for (kind, name, _) in &contents.others {
        add(kind, name.clone());
    }
    add("PermissionSet", PERMISSION_SET.to_owned());
    let mut xml = Xml::new("Package");
    for (name, members) in members {
        xml.line(1, "<types>");
        for member in members {
            xml.value(2, "members", member);
        }
        xml.value(2, "name", name);
        xml.line(1, "</types>");
    }
    xml.value(1, "version", API_VERSION);
    xml.end("Package")
}

/// A file that names some fields of an object changes these only.
/// One of our own is described whole.
pub(super) fn object(
    fields: &[&FieldSpec],
    made: Option<&ObjectSpec>,
    types: &[&RecordTypeSpec],
    shown: &BTreeMap<String, Vec<String>>,
) -> String {
    let mut xml = Xml::new("CustomObject");
    processes(&mut xml, types);
    if made.is_some() {
        xml.value(1, "deploymentStatus", "Deployed");
    }
    for field in fields {
        xml.line(1, "<fields>");
        one_field(&mut xml, field);
        xml.line(1, "</fields>");
    }
    if let Some(made) = made {
        xml.value(1, "label", label(&made.label));
        xml.line(1, "<nameField>");
        if let Some(format) = &made.auto_number {
            xml.value(2, "displayFormat", format);
        }
        xml.value(2, "label", label(&format!("{} Name", made.label)));
        let kind = if made.auto_number.is_some() {
            "AutoNumber"
        } else {
            "Text"
        };
        xml.value(2, "type", kind);
        xml.line(1, "</nameField>");
        xml.value(1, "pluralLabel", label(&made.plural_label));
        record_types(&mut xml, types, shown);
        // Rows of a detail are seen by whoever sees their master.
        let detail = fields.iter().any(|field| field.kind == MASTER);
        let sharing = if detail {
            "ControlledByParent"
        } else {
            "ReadWrite"
        };
        xml.value(1, "sharingModel", sharing);
    } else {
        record_types(&mut xml, types, shown);
    }
    xml.end("CustomObject")
}

/// The processes of these types, each once; a Case's type has none without (Salesforce objects, section 9.3).
fn processes(xml: &mut Xml, types: &[&RecordTypeSpec]) {
    let mut written = BTreeSet::new();
    for known in types {
        if !written.insert(&known.business_process) {
            continue;
        }
        xml.line(1, "<businessProcesses>");
        xml.value(2, "fullName", &known.business_process);
        xml.value(2, "isActive", true);
        for (n, status) in known.statuses.iter().enumerate() {
            xml.line(2, "<values>");
            xml.value(3, "fullName", name_of_value(status));
            xml.value(3, "default", n == 0);
            xml.line(2, "</values>");
        }
        xml.line(1, "</businessProcesses>");
    }
}

/// Values that a type does not list are hidden from its records' pages.
fn record_types(xml: &mut Xml, types: &[&RecordTypeSpec], shown: &BTreeMap<String, Vec<String>>) {
    for known in types {
        xml.line(1, "<recordTypes>");
        xml.value(2, "fullName", &known.name);
        xml.value(2, "active", true);
        xml.value(2, "businessProcess", &known.business_process);
        xml.value(2, "label", known.label.chars().take(80).collect::<String>());
        for (picklist, values) in shown {
            xml.line(2, "<picklistValues>");
            xml.value(3, "picklist", picklist);
            for value in values {
                xml.line(3, "<values>");
                xml.value(4, "fullName", name_of_value(value));
                xml.value(4, "default", false);
                xml.line(3, "</values>");
            }
            xml.line(2, "</picklistValues>");
        }
        xml.line(1, "</recordTypes>");
    }
}

/// Record types that are made inactive.
pub(super) fn switched_off(types: &[&RecordTypeSpec]) -> String {
    let mut xml = Xml::new("CustomObject");
    for known in types {
        xml.line(1, "<recordTypes>");
        xml.value(2, "fullName", &known.name);
        xml.value(2, "active", false);
        xml.value(2, "businessProcess", &known.business_process);
        xml.value(2, "label", known.label.chars().take(80).collect::<String>());
        xml.line(1, "</recordTypes>");
    }
    xml.end("CustomObject")
}

/// Inside types and processes values are spelt as in an address: `%2D` for a hyphen and the like.
fn name_of_value(value: &str) -> String {
    const KEPT: &AsciiSet = &CONTROLS
        .add(b'%')
        .add(b'/')
        .add(b'-')
        .add(b'(')
        .add(b')')
        .add(b'&')
        .add(b'+')
        .add(b'\'')
        .add(b'"')
        .add(b',')
        .add(b'.')
        .add(b':')
        .add(b';');
    utf8_percent_encode(value, KEPT).to_string()
}

fn one_field(xml: &mut Xml, field: &FieldSpec) {
    xml.value(2, "fullName", &field.name);
    xml.value(2, "label", label(&field.label));
    xml.value(2, "type", &field.kind);
    match field.kind.as_str() {
        "Text" => xml.value(2, "length", field.length.unwrap_or(255).clamp(1, 255)),
        "LongTextArea" | "Html" => {
            xml.value(
                2,
                "length",
                field.length.unwrap_or(32_768).clamp(256, 131_072),
            );
            xml.value(2, "visibleLines", if field.kind == "Html" { 25 } else { 5 });
        }
        "Number" | "Currency" | "Percent" => {
            xml.value(2, "precision", field.precision.unwrap_or(18).clamp(1, 18));
            xml.value(2, "scale", field.scale.unwrap_or(0).min(17));
        }
        "Lookup" => {
            xml.value(2, "deleteConstraint", "SetNull");
            reference(xml, field);
        }
        MASTER => {
            reference(xml, field);
            xml.value(2, "relationshipOrder", 0);
            xml.value(2, "reparentableMasterDetail", false);
            xml.value(2, "writeRequiresMasterRead", false);
        }
        // Neither `required` nor `unique` may be said of it.
        "Checkbox" => xml.value(2, "defaultValue", false),
        "Picklist" | "MultiselectPicklist" => {
            values(xml, &field.values);
            if field.kind == "MultiselectPicklist" {
                xml.value(2, "visibleLines", 4);
            }
        }
        _ => {}
    }
    if field.external_id && matches!(field.kind.as_str(), "Text" | "Number" | "Email") {
        xml.value(2, "externalId", true);
    }
    if field.unique && matches!(field.kind.as_str(), "Text" | "Number" | "Email") {
        xml.value(2, "unique", true);
        if field.kind == "Text" {
            xml.value(2, "caseSensitive", field.case_sensitive);
        }
    }
}

/// Longer labels are refused.
fn label(label: &str) -> String {
    label.chars().take(40).collect()
}

fn reference(xml: &mut Xml, field: &FieldSpec) {
    xml.value(
        2,
        "referenceTo",
        field.reference_to.as_deref().unwrap_or_default(),
    );
    if let Some(name) = &field.relationship_name {
        xml.value(2, "relationshipLabel", label(&name.replace('_', " ")));
        xml.value(2, "relationshipName", name);
    }
}

/// Not restricted: a value that the mapping does not name is kept rather than refused.
fn values(xml: &mut Xml, values: &[String]) {
    xml.line(2, "<valueSet>");
    xml.value(3, "restricted", false);
    xml.line(3, "<valueSetDefinition>");
    xml.value(4, "sorted", false);
    for value in values {
        xml.line(4, "<value>");
        xml.value(5, "fullName", value);
        xml.value(5, "default", false);
        xml.value(5, "label", value);
        xml.line(4, "</value>");
    }
    xml.line(3, "</valueSetDefinition>");
    xml.line(2, "</valueSet>");
}

/// Fields that the API makes are invisible to everybody, to their maker too, until somebody is given them
/// (Salesforce reference, section 11.3).
pub(super) fn permission_set(contents: &Contents) -> String {
    let mut xml = Xml::new("PermissionSet");
    xml.value(
        1,
        "description",
        "What Deskferry needs to load: the fields of its mapping, and the objects that carry them. Take it from the user when the migration is over.",
    );
    // What every row must have is seen by everybody, and may not be named.
    let fields = contents.granted.iter();
    let mut fields: Vec<&FieldSpec> = fields.filter(|f| f.kind != MASTER).collect();
    fields.sort_by_key(|f| full_name(f));
    for field in fields {
        xml.line(1, "<fieldPermissions>");
        xml.value(2, "editable", true);
        xml.value(2, "field", full_name(field));
        xml.value(2, "readable", true);
        xml.line(1, "</fieldPermissions>");
    }
    xml.value(1, "hasActivationRequired", false);
    xml.value(1, "label", PERMISSION_SET.replace('_', " "));
    let grantable = GRANTABLE
        .into_iter()
        .filter(|o| contents.writes.contains(o));
    for object in grantable.chain(contents.own.iter().map(String::as_str)) {
        xml.line(1, "<objectPermissions>");
        for (name, granted) in [
            ("allowCreate", true),
            ("allowDelete", false),
            ("allowEdit", true),
            ("allowRead", true),
            ("modifyAllRecords", false),
        ] {
            xml.value(2, name, granted);
        }
        xml.value(2, "object", object);
        xml.value(2, "viewAllRecords", false);
        xml.line(1, "</objectPermissions>");
    }
    for full in &contents.visible {
        xml.line(1, "<recordTypeVisibilities>");
        xml.value(2, "recordType", full);
        xml.value(2, "visible", true);
        xml.line(1, "</recordTypeVisibilities>");
    }
    xml.end("PermissionSet")
}

fn full_name(field: &FieldSpec) -> String {
    format!("{}.{}", place_of(&field.object), field.name)
}

/// Where the fields of an object are defined: tasks and events share theirs (Salesforce objects, section 4.5).
pub(super) fn place_of(object: &str) -> &str {
    match object {
        CALLS => "Activity",
        object => object,
    }
}
