//! What the org knows: its objects, their fields, and which of them a client may see and write.

mod custom;
mod describe;
mod described;
mod features;
pub(super) mod table;

use std::collections::HashMap;

use self::custom::{custom_field, custom_object};
pub(crate) use self::describe::{describe, global_row};
pub(crate) use self::features::OF_PERSON;
use super::formula::Formula;
use super::options::OrgSettings;
use super::record_types::{BusinessProcess, RecordType};

/// Every object of the org, by name without regard to case.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) objects: Vec<Object>,
    /// In the order of their ids.
    pub(crate) record_types: Vec<RecordType>,
    pub(crate) business_processes: Vec<BusinessProcess>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<String, usize>,
}

#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) plural: String,
    pub(crate) prefix: String,
    pub(crate) createable: bool,
    pub(crate) updateable: bool,
    pub(crate) deletable: bool,
    pub(crate) queryable: bool,
    /// Known to the Tooling API only.
    pub(crate) tooling: bool,
    /// Users, queues and the like, which never share a transaction with data.
    pub(crate) setup: bool,
    pub(crate) takes_custom_fields: bool,
    pub(crate) custom: bool,
    /// The org that this one looks like has no such object: every row of it is refused.
    pub(crate) absent: bool,
    /// The validation rules that can be evaluated.
    pub(crate) rules: Vec<Rule>,
    pub(crate) fields: Vec<Field>,
    /// The object whose rows it shows, where it has none of its own.
    pub(crate) view_of: Option<String>,
    by_name: HashMap<String, usize>,
}

/// A validation rule whose formula can be evaluated.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) formula: Formula,
    pub(crate) message: String,
    pub(crate) field: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    String,
    TextArea,
    RichText,
    Email,
    Phone,
    Url,
    Picklist,
    MultiPicklist,
    Combobox,
    Boolean,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    /// A time of day.
    Time,
    Reference,
    Address,
    Base64,
    /// A list of ids that exists in JSON only.
    Junction,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) kind: Kind,
    pub(crate) length: usize,
    /// A limit in bytes that is tighter than three per character.
    pub(crate) byte_limit: Option<usize>,
    pub(crate) precision: u32,
    pub(crate) scale: u32,
    pub(crate) digits: u32,
    pub(crate) createable: bool,
    pub(crate) updateable: bool,
    pub(crate) defaulted: bool,
    pub(crate) nillable: bool,
    pub(crate) id_lookup: bool,
    pub(crate) external_id: bool,
    pub(crate) unique: bool,
    pub(crate) case_sensitive: bool,
    pub(crate) filterable: bool,
    pub(crate) sortable: bool,
    pub(crate) permissionable: bool,
    pub(crate) restricted: bool,
    pub(crate) name_field: bool,
    pub(crate) custom: bool,
    /// Exists, but the user's permissions hide it: as good as absent.
    pub(crate) hidden: bool,
    pub(crate) compound: Option<String>,
    pub(crate) reference_to: Vec<String>,
    pub(crate) relationship: Option<String>,
    /// How the parent calls the rows that point at it with this field.
    pub(crate) child_relationship: Option<String>,
    /// Whether a row goes with the row it points at.
    pub(crate) cascade: bool,
    /// The format of a number that the org itself gives.
    pub(crate) auto_number: Option<String>,
    pub(crate) default: Option<String>,
    pub(crate) values: Vec<PickValue>,
}

#[derive(Clone, Debug)]
pub(crate) struct PickValue {
    pub(crate) value: String,
    pub(crate) label: String,
    /// Only for the status of a Case or Task.
    pub(crate) closed: bool,
}

impl Schema {
    /// The built-in objects with what this org's settings add.
    ///
    /// # Errors
    /// A sentence about the first custom field or picklist value that the platform would refuse.
    pub(crate) fn build(settings: &OrgSettings) -> Result<Self, String> {
        let mut objects = table::builtin(settings.audit_fields);
        let customs = settings.custom_objects.iter().enumerate();
        for (number, custom) in customs.filter(|(_, custom)| !custom.deleted) {
            let object = custom_object(custom, number, settings.audit_fields)?;
            if objects
                .iter()
                .any(|known| known.name.eq_ignore_ascii_case(&object.name))
            {
                return Err(format!("the org has an object {} already", object.name));
            }
            objects.push(object);
        }
        if let Some(knowledge) = &settings.knowledge {
            super::knowledge::add(&mut objects, knowledge);
        }
        super::entitlements::add_to(&mut objects, settings)?;
        features::add(&mut objects, settings)?;
        // Before what is installed in addition: a field that the other org has already is as it has it.
        if let Some(picture) = &settings.picture {
            described::apply(&mut objects, picture);
        }
        let pictured = settings.picture.is_some();
        let mut schema = Self::of(objects);
        for addition in &settings.picklist_values {
            let object = schema.named(&addition.object)?;
            let field = schema.objects[object].position(&addition.field);
            let field = field
                .ok_or_else(|| format!("{} has no field {}", addition.object, addition.field))?;
            let field = &mut schema.objects[object].fields[field];
            if field.kind != Kind::Picklist {
                return Err(format!(
                    "{}.{} is no picklist",
                    addition.object, addition.field
                ));
            }
            field
                .values
                .retain(|known| !known.value.eq_ignore_ascii_case(&addition.value));
            let (value, label) = (addition.value.clone(), addition.value.clone());
            field.values.push(PickValue {
                value,
                label,
                closed: addition.closed,
            });
        }
        for custom in &settings.custom_fields {
            // A feature that the other org does not have: its fields cannot be installed there.
            if pictured && schema.named(&custom.object).is_err() {
                continue;
            }
            let object = schema.named(&custom.object)?;
            let object = &mut schema.objects[object];
            let field = custom_field(custom, object.takes_custom_fields)?;
            if pictured && object.field(&field.name).is_some() {
                continue;
            }
            object
                .add(field)
                .map_err(|name| format!("{} has a field {name} already", custom.object))?;
        }
        if settings.person_accounts {
            features::people(&mut schema.objects)?;
        }
        schema.record_types.clone_from(&settings.record_types);
        schema
            .business_processes
            .clone_from(&settings.business_processes);
        for custom in &settings.custom_fields {
            if let Some(to) = &custom.reference_to {
                let known = schema.named(to)?;
                if schema.objects[known].name != *to {
                    return Err(format!("{}.{} points at {to}", custom.object, custom.name));
                }
            }
        }
        schema.take_rules(settings);
        Ok(schema)
    }

    /// Validation rules that are active and can be evaluated: their formulas ask for nothing but fields of the row.
    fn take_rules(&mut self, settings: &OrgSettings) {
        for rule in settings.validation_rules.iter().filter(|rule| rule.active) {
            let (Ok(object), Ok(formula)) =
                (self.named(&rule.object), Formula::read(&rule.formula))
            else {
                continue;
            };
            let object = &mut self.objects[object];
            if formula
                .fields()
                .iter()
                .all(|name| object.field(name).is_some())
            {
                object.rules.push(Rule {
                    formula,
                    message: rule.message.clone(),
                    field: rule.field.clone(),
                });
            }
        }
    }

    fn of(objects: Vec<Object>) -> Self {
        let names = objects.iter().enumerate();
        let by_name = names
            .flat_map(|(n, o)| [(o.name.clone(), n), (o.name.to_ascii_lowercase(), n)])
            .collect();
        // A note is a document under another name: the first of two objects has the prefix.
        let mut by_prefix = HashMap::new();
        for (n, object) in objects.iter().enumerate() {
            if object.view_of.is_none() {
                by_prefix.entry(object.prefix.clone()).or_insert(n);
            }
        }
        Self {
            objects,
            record_types: Vec::new(),
            business_processes: Vec::new(),
            by_name,
            by_prefix,
        }
    }

    /// The record types of an object with their numbers, which are their rows.
    pub(crate) fn record_types_of<'s>(
        &'s self,
        object: &'s str,
    ) -> impl Iterator<Item = (i64, &'s RecordType)> {
        (1..)
            .zip(&self.record_types)
            .filter(move |(_, known)| known.object.eq_ignore_ascii_case(object))
    }

    /// The type that a record gets which names none. Only accounts of an org with Person Accounts have one: there
    /// every account is of some type. Elsewhere the profile of whoever loads decides, and this org's says none.
    pub(crate) fn usual_record_type<'s>(
        &'s self,
        object: &'s str,
        person: bool,
    ) -> Option<(i64, &'s RecordType)> {
        let mut types = self.record_types_of(object);
        if object != "Account" || !self.record_types.iter().any(|known| known.is_person) {
            return None;
        }
        types.find(|(_, known)| known.is_person == person && !known.inactive && !known.hidden)
    }

    fn named(&self, name: &str) -> Result<usize, String> {
        let known = self.by_name.get(&name.to_ascii_lowercase()).copied();
        known.ok_or_else(|| format!("this org has no object {name}"))
    }

    pub(crate) fn object(&self, name: &str) -> Option<&Object> {
        let exact = self.by_name.get(name);
        exact
            .or_else(|| self.by_name.get(&name.to_ascii_lowercase()))
            .map(|n| &self.objects[*n])
    }

    pub(crate) fn by_prefix(&self, prefix: &str) -> Option<&Object> {
        self.by_prefix.get(prefix).map(|n| &self.objects[*n])
    }

    /// Every visible reference field that can point at `parent`, with its object.
    pub(crate) fn children<'s>(
        &'s self,
        parent: &'s str,
    ) -> impl Iterator<Item = (&'s Object, &'s Field)> {
        let own = self
            .objects
            .iter()
            .filter(|object| object.view_of.is_none());
        own.flat_map(move |object| {
            let points = move |f: &&Field| {
                f.kind == Kind::Reference && f.reference_to.iter().any(|to| to == parent)
            };
            object
                .fields
                .iter()
                .filter(points)
                .map(move |field| (object, field))
        })
    }
}

/// How a parent calls the rows that point at it; none where it has no name for them.
pub(crate) fn child_name(child: &Object, field: &Field) -> Option<String> {
    if let Some(name) = &field.child_relationship {
        return Some(name.clone());
    }
    let plural = || child.plural.replace(' ', "");
    match (child.name.as_str(), field.name.as_str()) {
        (_, "CreatedById" | "LastModifiedById" | "OwnerId" | "FirstPublishLocationId")
        | ("Contact", "ReportsToId") => None,
        ("Account", "ParentId") => Some("ChildAccounts".into()),
        ("EmailMessage", "RelatedToId") => Some("Emails".into()),
        ("EmailMessage", "ReplyToEmailMessageId") => Some("ReplyEmailMessages".into()),
        ("QueueSobject" | "GroupMember" | "PermissionSetAssignment", _) => Some(plural() + "s"),
        _ if field.custom => Some(plural().trim_end_matches("__c").to_owned() + "__r"),
        _ if child.custom => Some(plural() + "__r"),
        _ => Some(plural()),
    }
}

impl Schema {
    /// The object and reference field behind a parent's name for its children.
    pub(crate) fn by_child_name<'s>(
        &'s self,
        parent: &'s str,
        name: &str,
    ) -> Option<(&'s Object, &'s Field)> {
        self.children(parent)
            .filter(|(_, field)| !field.hidden)
            .find(|(child, field)| {
                child_name(child, field).is_some_and(|known| known.eq_ignore_ascii_case(name))
            })
    }
}

impl Object {
    /// The object whose rows are stored.
    pub(crate) fn table(&self) -> &str {
        self.view_of.as_deref().unwrap_or(&self.name)
    }

    /// Adds a field of the table's form.
    pub(super) fn add_line(&mut self, line: &str) -> Result<(), String> {
        self.add(table::field(line))
            .map_err(|name| format!("{} has a field {name} already", self.name))
    }

    fn add(&mut self, field: Field) -> Result<(), String> {
        let key = field.name.to_ascii_lowercase();
        if self.by_name.contains_key(&key) {
            return Err(field.name);
        }
        // Also as it is spelt, which is how nearly everybody asks for it.
        self.by_name.insert(field.name.clone(), self.fields.len());
        self.by_name.insert(key, self.fields.len());
        self.fields.push(field);
        Ok(())
    }

    fn position(&self, name: &str) -> Option<usize> {
        let exact = self.by_name.get(name);
        exact
            .or_else(|| self.by_name.get(&name.to_ascii_lowercase()))
            .copied()
    }

    /// Whether there is a field of exactly this name, hidden or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// A field the client may know of, by name without regard to case.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.position(name)
            .map(|n| &self.fields[n])
            .filter(|field| !field.hidden)
    }

    /// The reference field behind a relationship name such as `Contact` or `Parent__r`.
    pub(crate) fn by_relationship(&self, name: &str) -> Option<&Field> {
        let wanted = |f: &&Field| {
            !f.hidden
                && f.relationship
                    .as_deref()
                    .is_some_and(|r| r.eq_ignore_ascii_case(name))
        };
        self.fields.iter().find(wanted)
    }

    /// The fields that are stored with an index of their own.
    pub(crate) fn indexed(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.is_indexed())
    }
}

impl Field {
    /// References are followed on delete and by queries, unique and external ids are looked up on every write.
    pub(crate) fn is_indexed(&self) -> bool {
        const TOO_COMMON: [&str; 3] = ["CreatedById", "LastModifiedById", "OwnerId"];
        match self.kind {
            Kind::Id => false,
            Kind::Reference => !TOO_COMMON.contains(&self.name.as_str()),
            _ => self.id_lookup || self.external_id || self.unique,
        }
    }

    pub(crate) fn pick(&self, value: &str) -> Option<&PickValue> {
        let exact = self.values.iter().find(|known| known.value == value);
        exact.or_else(|| {
            self.values
                .iter()
                .find(|known| known.value.to_lowercase() == value.to_lowercase())
        })
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(
            self.kind,
            Kind::Int | Kind::Double | Kind::Currency | Kind::Percent
        )
    }

    pub(crate) fn is_text(&self) -> bool {
        use Kind::{Combobox, Email, Phone, Picklist, RichText, String, TextArea, Url};
        matches!(
            self.kind,
            String | TextArea | RichText | Email | Phone | Url | Picklist | Combobox
        )
    }

    /// Whether queries may group by it.
    pub(crate) fn groupable(&self) -> bool {
        self.filterable
            && self.auto_number.is_none()
            && self.name != "CaseNumber"
            && !matches!(
                self.kind,
                Kind::DateTime
                    | Kind::Time
                    | Kind::Double
                    | Kind::Currency
                    | Kind::Percent
                    | Kind::Address
                    | Kind::MultiPicklist
                    | Kind::Base64
                    | Kind::Junction
            )
    }

    /// Whether queries may count it or take its extremes.
    pub(crate) fn aggregatable(&self) -> bool {
        self.filterable
            && !matches!(
                self.kind,
                Kind::Boolean | Kind::Address | Kind::MultiPicklist | Kind::Base64 | Kind::Junction
            )
    }

    /// Required on insert: the platform's own rule.
    pub(crate) fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted && self.kind != Kind::Boolean
    }
}
