//! What a mapping needs beside what an org has: the change set, and the package of what is new. Pure.

use std::collections::{BTreeMap, BTreeSet};

use deskferry_core::prepare::{Back, Change, Doing};
use serde_json::Value;

use super::{Contents, PERMISSION_SET, PackageFile, values};
use crate::mapping::{FieldSpec, Mapping, TYPED_LISTS};

/// What an org has of what a mapping may need.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// By object; null where the org has none, or hides it.
    pub(crate) describes: BTreeMap<String, Value>,
    /// Rows of CaseStatus.
    pub(crate) statuses: Vec<Value>,
    /// Whether our permission set is there.
    pub(crate) set: bool,
}

impl Standing {
    fn describe(&self, object: &str) -> Option<&Value> {
        self.describes
            .get(object)
            .filter(|describe| !describe.is_null())
    }

    fn field(&self, object: &str, field: &str) -> Option<&Value> {
        let fields = self.describe(object)?["fields"].as_array()?;
        let same = |known: &&Value| {
            known["name"]
                .as_str()
                .is_some_and(|name| name.eq_ignore_ascii_case(field))
        };
        fields.iter().find(same)
    }

    /// Active values of a picklist.
    fn values(&self, object: &str, field: &str) -> Vec<String> {
        let listed = self.field(object, field);
        let listed = listed.and_then(|f| f["picklistValues"].as_array());
        let listed = listed.into_iter().flatten();
        listed
            .filter(|value| value["active"] == true)
            .filter_map(|value| value["value"].as_str().map(str::to_owned))
            .collect()
    }

    fn record_type(&self, object: &str, name: &str) -> Option<&Value> {
        let infos = self.describe(object)?["recordTypeInfos"].as_array()?;
        let same = |info: &&Value| {
            let known = info["developerName"].as_str();
            known.is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        infos.iter().find(same)
    }
}

/// The change set, what people settle first, and the package of what is new.
pub(crate) fn between(
    mapping: &Mapping,
    standing: &Standing,
    group: Option<&str>,
) -> (Vec<Change>, Contents) {
    let mut diff = Diff {
        mapping,
        standing,
        lines: Vec::new(),
        contents: Contents {
            writes: mapping
                .objects()
                .filter(|object| standing.describe(object).is_some())
                .collect(),
            ..Contents::default()
        },
    };
    diff.objects();
    diff.fields();
    diff.values();
    diff.record_types();
    if let Some(group) = group {
        diff.line(
            Doing::ByHand,
            "data category group",
            group,
            "it is in the package that `plan` writes, whole: one of its name that is in the org is replaced. Compare, then install it",
            Back::Stays,
        );
    }
    let (doing, back) = match standing.set {
        true => (Doing::There, Back::Stays),
        false => (Doing::New, Back::Removed),
    };
    diff.line(doing, "permission set", PERMISSION_SET, "", back);
    diff.lines
        .sort_by(|a, b| (a.doing, &a.kind, &a.name).cmp(&(b.doing, &b.kind, &b.name)));
    (diff.lines, diff.contents)
}

struct Diff<'a> {
    mapping: &'a Mapping,
    standing: &'a Standing,
    lines: Vec<Change>,
    contents: Contents,
}

impl Diff<'_> {
    fn line(&mut self, doing: Doing, kind: &str, name: &str, said: &str, back: Back) {
        self.lines.push(Change {
            doing,
            kind: kind.to_owned(),
            name: name.to_owned(),
            said: said.to_owned(),
            back,
        });
    }

    fn there(&mut self, kind: &str, name: &str) {
        self.line(Doing::There, kind, name, "", Back::Stays);
    }

    fn objects(&mut self) {
        for object in self.mapping.required_objects() {
            self.contents.own.push(object.name.clone());
            if self.standing.describe(&object.name).is_some() {
                self.there("object", &object.name);
                continue;
            }
            let back = Back::Removed;
            self.line(Doing::New, "object", &object.name, &object.label, back);
            self.contents.objects.push(object);
        }
    }

    fn fields(&mut self) {
        let mut absent = BTreeSet::new();
        for field in self.mapping.required_fields() {
            let full = format!("{}.{}", field.object, field.name);
            let made = |object: &String| *object == field.object;
            let is_own = self.contents.own.iter().any(made);
            if self.standing.describe(&field.object).is_none() && !is_own {
                if absent.insert(field.object.clone()) {
                    let said = "the org has no such object, or hides it: switch its feature on, or take its table out of the mapping";
                    let name = field.object.clone();
                    self.line(Doing::ByHand, "object", &name, said, Back::Stays);
                }
                continue;
            }
            match self.standing.field(&field.object, &field.name) {
                None => {
                    let said = shown(&field);
                    self.line(Doing::New, "field", &full, &said, Back::Removed);
                    self.contents.granted.push(field.clone());
                    self.contents.fields.push(field);
                }
                Some(known) => {
                    // What every row must have may not be named in a permission set.
                    if known["nillable"] != false && known["permissionable"] != false {
                        self.contents.granted.push(field.clone());
                    }
                    self.existing(&field, &full);
                }
            }
        }
    }

    /// A field that is there: it is somebody's, and its definition is not replaced.
    fn existing(&mut self, field: &FieldSpec, full: &str) {
        let lists = matches!(field.kind.as_str(), "Picklist" | "MultiselectPicklist");
        let known = self.standing.values(&field.object, &field.name);
        let mut needed = field.values.clone();
        needed.extend(self.mapping.values_of(&field.object, &field.name));
        let lacking: Vec<String> = match lists {
            true => lacking(&needed, &known),
            false => Vec::new(),
        };
        if lacking.is_empty() {
            return self.there("field", full);
        }
        let said = format!(
            "it has no value {}: add it in Setup; deploying the field anew would replace its definition",
            lacking.join(", ")
        );
        self.line(Doing::ByHand, "field", full, &said, Back::Stays);
    }

    /// Values of the platform's own picklists: read, merged, and handed over whole.
    fn values(&mut self) {
        for (object, field, set) in values::SETS {
            let needed = self.mapping.values_of(object, field);
            let Some(described) = self.standing.field(object, field) else {
                continue;
            };
            let lacking = lacking(&needed, &self.standing.values(object, field));
            if lacking.is_empty() {
                continue;
            }
            let closed = self.mapping.closed_statuses();
            let merged = values::merged(described, &self.standing.statuses, &lacking, &closed, set);
            let said = format!("gets {} beside the values that it has", lacking.join(", "));
            let name = format!("{object}.{field}");
            self.line(Doing::Extended, "values", &name, &said, Back::Deactivated);
            let file = PackageFile {
                path: format!("standardValueSets/{set}.standardValueSet"),
                content: values::file(&merged),
            };
            let set = (*set).to_owned();
            self.contents.others.push(("StandardValueSet", set, file));
        }
    }

    fn record_types(&mut self) {
        let mut shown = self.mapping.case_values();
        let fields = self.standing.describe("Case");
        let fields = fields.and_then(|case| case["fields"].as_array());
        for field in fields.into_iter().flatten() {
            let name = field["name"].as_str().unwrap_or_default();
            let lists = matches!(field["type"].as_str(), Some("picklist" | "multipicklist"));
            let narrowed = TYPED_LISTS.contains(&name) || field["custom"] == true;
            if lists && narrowed {
                add_missing(
                    shown.entry(name.to_owned()).or_default(),
                    self.standing.values("Case", name),
                );
            }
        }
        let mut new = Vec::new();
        for mut needed in self.mapping.required_record_types() {
            let full = format!("{}.{}", needed.object, needed.name);
            self.contents.visible.push(full.clone());
            match self.standing.record_type(&needed.object, &needed.name) {
                Some(known) if known["active"] == false => {
                    let said = "it is inactive: activate it in Setup, or name another one";
                    self.line(Doing::ByHand, "record type", &full, said, Back::Stays);
                }
                Some(known) if known["available"] != true => {
                    let said = "it is there; the permission set lets the migration user give it";
                    self.line(Doing::Extended, "record type", &full, said, Back::Stays);
                }
                Some(_) => self.there("record type", &full),
                None => {
                    add_missing(&mut needed.statuses, self.standing.values("Case", "Status"));
                    let said =
                        format!("{}, with process {}", needed.label, needed.business_process);
                    let back = Back::Deactivated;
                    self.line(Doing::New, "record type", &full, &said, back);
                    new.push(needed);
                }
            }
        }
        if !new.is_empty() {
            self.contents.shown = shown;
        }
        self.contents.types = new;
    }
}

fn add_missing(values: &mut Vec<String>, more: Vec<String>) {
    for value in more {
        if !values
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&value))
        {
            values.push(value);
        }
    }
}

/// Those that are needed and not known, case ignored, each once.
fn lacking(needed: &[String], known: &[String]) -> Vec<String> {
    let mut all = known.to_vec();
    add_missing(&mut all, needed.to_vec());
    all.split_off(known.len())
}

fn shown(field: &FieldSpec) -> String {
    let length = field.length.map(|l| format!(" of {l}"));
    let key = field.external_id.then_some(", external id");
    let unique = field.unique.then_some(", unique");
    let parts = [length.as_deref(), key, unique];
    let more: String = parts.into_iter().flatten().collect();
    format!("{}{more}", field.kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapping(policy: &str) -> Mapping {
        let text =
            Mapping::default_text().replacen("[policy]\n", &format!("[policy]\n{policy}\n"), 1);
        let text = text.replacen("high = \"High\"", "high = \"Hot\"", 1);
        Mapping::parse(&text).unwrap()
    }

    fn list(name: &str, custom: bool, values: &[&str]) -> Value {
        let values: Vec<Value> = values
            .iter()
            .map(|v| json!({"active": true, "value": v, "label": format!("{v}!"), "defaultValue": false}))
            .collect();
        json!({"name": name, "type": "picklist", "custom": custom, "nillable": true, "picklistValues": values})
    }

    /// An org that has a few things already.
    fn standing() -> Standing {
        let mut describes = BTreeMap::new();
        for object in [
            "Account",
            "Contact",
            "ContentVersion",
            "EmailMessage",
            "CaseComment",
        ] {
            describes.insert(object.to_owned(), json!({"name": object, "fields": []}));
        }
        let fields = json!([
            list("Priority", false, &["High", "Medium", "Low"]),
            list("Status", false, &["New", "Working", "Closed", "Escalated"]),
            list("SLA_Breached__c", true, &["Yes"]),
            {"name": "Source_Type__c", "type": "string", "custom": true, "nillable": true},
            {"name": "Source_Team__c", "type": "string", "custom": true, "nillable": false},
        ]);
        let infos = json!([
            {"developerName": "Hidden", "recordTypeId": "012a", "available": false, "active": true, "master": false},
            {"developerName": "Old", "recordTypeId": "012b", "available": false, "active": false, "master": false},
        ]);
        let case = json!({"name": "Case", "fields": fields, "recordTypeInfos": infos});
        describes.insert("Case".to_owned(), case);
        Standing {
            describes,
            statuses: Vec::new(),
            set: false,
        }
    }

    #[test]
    fn what_is_there_is_used_and_only_the_rest_is_made() {
        let types = "record_type_by = \"type\"\nrecord_types = { a = \"Made\", b = \"Hidden\", c = \"Old\" }";
        let (lines, contents) = between(&mapping(types), &standing(), None);
        let doing = |name: &str| {
            let line = lines.iter().find(|line| line.name == name);
            line.map(|line| (line.doing, line.back)).unwrap()
        };
        for (name, expected) in [
            ("Case.Source_Key__c", (Doing::New, Back::Removed)),
            ("Case.Source_Type__c", (Doing::There, Back::Stays)),
            ("Case.SLA_Breached__c", (Doing::ByHand, Back::Stays)),
            ("Case.Priority", (Doing::Extended, Back::Deactivated)),
            ("Case.Made", (Doing::New, Back::Deactivated)),
            ("Case.Hidden", (Doing::Extended, Back::Stays)),
            ("Case.Old", (Doing::ByHand, Back::Stays)),
            (PERMISSION_SET, (Doing::New, Back::Removed)),
        ] {
            assert_eq!(doing(name), expected, "{name}");
        }
        let named = |list: &[FieldSpec], name: &str| {
            list.iter().any(|f| f.object == "Case" && f.name == name)
        };
        assert!(!named(&contents.fields, "Source_Type__c"));
        assert!(named(&contents.granted, "Source_Type__c"));
        assert!(
            !named(&contents.granted, "Source_Team__c"),
            "every row must have it"
        );
        assert_eq!(contents.types.len(), 1);
        assert_eq!(contents.visible, ["Case.Hidden", "Case.Made", "Case.Old"]);
        assert!(contents.types[0].statuses.contains(&"Escalated".to_owned()));
        let (_, _, file) = &contents.others[0];
        let flat: String = file.content.split_whitespace().collect();
        for value in ["High", "Medium", "Low"] {
            let whole = format!(
                "<fullName>{value}</fullName><default>false</default><label>{value}!</label>"
            );
            assert!(flat.contains(&whole), "{value} in {flat}");
        }
        assert!(flat.contains("<fullName>Hot</fullName>"));
    }

    #[test]
    fn an_org_that_has_everything_gets_its_permission_set_alone() {
        let mapping = Mapping::parse(Mapping::default_text()).unwrap();
        let mut standing = standing();
        standing.set = true;
        for field in mapping.required_fields() {
            let of = standing.describes.get_mut(&field.object).unwrap();
            let known = match field.kind.as_str() {
                "Picklist" => list(&field.name, true, &["Yes", "No"]),
                _ => json!({"name": field.name, "type": "string", "nillable": true}),
            };
            let fields = of["fields"].as_array_mut().unwrap();
            fields.retain(|f| f["name"] != field.name.as_str());
            fields.push(known);
        }
        let (lines, contents) = between(&mapping, &standing, None);
        assert!(
            lines.iter().all(|line| line.doing == Doing::There),
            "{lines:#?}"
        );
        let files = contents.files();
        let paths: Vec<&str> = files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "package.xml",
                "permissionsets/Deskferry_Migration.permissionset"
            ]
        );
    }

    #[test]
    fn an_object_that_the_org_lacks_is_said_once_and_left_to_people() {
        let mut standing = standing();
        standing
            .describes
            .insert("EmailMessage".to_owned(), Value::Null);
        let (lines, contents) = between(&mapping(""), &standing, Some("Help_Centre"));
        let by_hand: Vec<&str> = lines
            .iter()
            .filter(|line| line.doing == Doing::ByHand)
            .map(|line| line.name.as_str())
            .collect();
        assert_eq!(
            by_hand,
            ["Help_Centre", "Case.SLA_Breached__c", "EmailMessage"]
        );
        assert!(contents.fields.iter().all(|f| f.object != "EmailMessage"));
    }
}
