//! What a component does to the org.

use serde_json::{Value, json};

use super::component::{Change, Component};
use crate::org::engine::Ctx;
use crate::org::founding::{self, add};
use crate::org::grants::{self, Grant};
use crate::org::options::{CustomField, CustomObject, FieldType, OrgSettings, PicklistValue};
use crate::org::record_types::{BusinessProcess, RecordType};
use crate::org::schema::Schema;
use crate::org::store;

/// The org's objects as they will be, while components are taken one by one.
pub(super) struct Draft<'c> {
    ctx: &'c Ctx<'c>,
    settings: OrgSettings,
    changed: bool,
}

/// What became of one component.
pub(super) struct Done {
    pub(super) created: bool,
    /// What to know about a component that was taken.
    pub(super) note: Option<&'static str>,
}

const NOT_IMITATED: &str = "taken without effect: the local org does not imitate this";

impl<'c> Draft<'c> {
    pub(super) fn new(ctx: &'c Ctx<'c>) -> Self {
        let settings = ctx.shape.settings.clone();
        Self {
            ctx,
            settings,
            changed: false,
        }
    }

    /// Takes a component.
    ///
    /// # Errors
    /// The sentence of the platform's that says why not.
    pub(super) fn take(&mut self, component: &Component) -> Result<Done, String> {
        let created = match &component.change {
            Change::Wrong(problem) => return Err(problem.clone()),
            Change::Object(object) => self.object(object)?,
            Change::Field(field) => self.field(field)?,
            Change::Values { places, values } => {
                self.values(places, values)?;
                false
            }
            Change::PermissionSet {
                label,
                fields,
                permissions,
                record_types,
            } => {
                let grant = Grant {
                    name: component.name.clone(),
                    fields: fields.clone(),
                    record_types: record_types.clone(),
                };
                self.permission_set(grant, label, permissions)?
            }
            Change::Queue { label, objects } => self.queue(&component.name, label, objects)?,
            Change::RecordType(record_type) => self.record_type(record_type)?,
            Change::BusinessProcess(process) => self.business_process(process)?,
            Change::Categories(group) => {
                let mut settings = self.settings.clone();
                let knowledge = settings.knowledge.as_mut();
                let knowledge = knowledge.ok_or("Knowledge is not enabled in this organization")?;
                let created = crate::org::knowledge::replace(self.ctx, knowledge, group)?;
                self.tried(settings)?;
                created
            }
            Change::Ignored => {
                let note = (!matches!(component.kind.as_str(), "CustomObject" | "Package"))
                    .then_some(NOT_IMITATED);
                return Ok(Done {
                    created: false,
                    note,
                });
            }
        };
        Ok(Done {
            created,
            note: None,
        })
    }

    /// Takes a component away.
    pub(super) fn drop(&mut self, kind: &str, name: &str) -> Result<(), String> {
        let absent = || format!("No {kind} named: {name} found");
        match kind {
            "CustomField" => {
                let (object, field) = name.split_once('.').ok_or_else(absent)?;
                let before = self.settings.custom_fields.len();
                self.settings.custom_fields.retain(|known| {
                    !(known.object.eq_ignore_ascii_case(object)
                        && known.name.eq_ignore_ascii_case(field))
                });
                if self.settings.custom_fields.len() == before {
                    return Err(absent());
                }
            }
            "CustomObject" => {
                let known = self
                    .settings
                    .custom_objects
                    .iter_mut()
                    .find(|known| !known.deleted && known.name.eq_ignore_ascii_case(name))
                    .ok_or_else(absent)?;
                known.deleted = true;
                self.settings.custom_fields.retain(|field| {
                    !field.object.eq_ignore_ascii_case(name)
                        && !field
                            .reference_to
                            .as_deref()
                            .is_some_and(|to| to.eq_ignore_ascii_case(name))
                });
            }
            _ => return Err(format!("the local org cannot delete a {kind}")),
        }
        self.changed = true;
        Ok(())
    }

    /// Makes the draft what holds.
    pub(super) fn finish(self) -> Result<(), String> {
        if self.changed {
            self.ctx.reshape(self.settings)?;
        }
        Ok(())
    }

    /// Keeps the settings if the platform would.
    fn tried(&mut self, settings: OrgSettings) -> Result<(), String> {
        Schema::build(&settings)?;
        self.settings = settings;
        self.changed = true;
        Ok(())
    }

    fn object(&mut self, object: &CustomObject) -> Result<bool, String> {
        let mut settings = self.settings.clone();
        let known = settings
            .custom_objects
            .iter_mut()
            .find(|known| known.name.eq_ignore_ascii_case(&object.name));
        let created = known.as_ref().is_none_or(|known| known.deleted);
        match known {
            Some(known) => known.clone_from(object),
            None => settings.custom_objects.push(object.clone()),
        }
        self.tried(settings)?;
        Ok(created)
    }

    fn field(&mut self, field: &CustomField) -> Result<bool, String> {
        let mut settings = self.settings.clone();
        let known = settings.custom_fields.iter_mut().find(|known| {
            known.object.eq_ignore_ascii_case(&field.object)
                && known.name.eq_ignore_ascii_case(&field.name)
        });
        let created = known.is_none();
        match known {
            Some(known) => {
                let hidden = known.hidden;
                known.clone_from(field);
                known.hidden = hidden;
            }
            None => {
                let must = field.required || field.field_type == FieldType::MasterDetail;
                let hidden = self.settings.field_security && !must;
                settings.custom_fields.push(CustomField {
                    hidden,
                    ..field.clone()
                });
            }
        }
        self.tried(settings)?;
        Ok(created)
    }

    fn values(&mut self, places: &[(&str, &str)], values: &[(String, bool)]) -> Result<(), String> {
        let mut settings = self.settings.clone();
        for (object, field) in places {
            for (value, closed) in values {
                settings.picklist_values.retain(|known| {
                    !(known.object == *object
                        && known.field == *field
                        && known.value.eq_ignore_ascii_case(value))
                });
                settings.picklist_values.push(PicklistValue {
                    object: (*object).to_owned(),
                    field: (*field).to_owned(),
                    value: value.clone(),
                    closed: *closed,
                });
            }
        }
        self.tried(settings)?;
        if places.contains(&("Case", "Status")) {
            self.case_status(values).map_err(|e| e.message)?;
        }
        Ok(())
    }

    /// The rows by which clients learn what is closed.
    fn case_status(&self, values: &[(String, bool)]) -> Result<(), crate::org::error::Refusal> {
        let object = self.ctx.object("CaseStatus")?;
        let rows = store::page(self.ctx.db, object, 0, 1_000)?;
        for (n, (value, closed)) in values.iter().enumerate() {
            let known = rows.iter().find(|row| {
                row.fields
                    .get("ApiName")
                    .and_then(Value::as_str)
                    .is_some_and(|name| name.eq_ignore_ascii_case(value))
            });
            if let Some(row) = known {
                let mut fields = row.fields.clone();
                fields.insert("IsClosed".into(), json!(closed));
                store::update(self.ctx.db, object, row, &fields)?;
            } else {
                let row = json!({
                    "MasterLabel": value, "ApiName": value, "SortOrder": rows.len() + n + 1, "IsDefault": false,
                    "IsClosed": closed,
                });
                add(self.ctx, "CaseStatus", row)?;
            }
        }
        Ok(())
    }

    fn permission_set(
        &mut self,
        grant: Grant,
        label: &str,
        permissions: &[String],
    ) -> Result<bool, String> {
        self.known_types(&grant.record_types)?;
        for full in &grant.fields {
            let (object, field) = full
                .split_once('.')
                .ok_or_else(|| format!("In field: field - no CustomField named {full} found"))?;
            let schema = Schema::build(&self.settings)?;
            let object = if object == "Activity" { "Task" } else { object };
            let is_there = schema
                .object(object)
                .is_some_and(|object| object.fields.iter().any(|f| f.name == field));
            if !is_there {
                return Err(format!(
                    "In field: field - no CustomField named {full} found"
                ));
            }
        }
        let name = grant.name.clone();
        let mut row = json!({
            "Name": name, "Label": label, "IsCustom": true, "IsOwnedByProfile": false,
        });
        let of = self.ctx.object("PermissionSet").map_err(|e| e.message)?;
        for permission in permissions {
            let column = format!("Permissions{permission}");
            if of.field(&column).is_some() {
                row[column] = json!(true);
            }
        }
        let created = self.row("PermissionSet", "Name", &name, row)?;
        let set = self.number("PermissionSet", "Name", &name);
        let set = set.map_err(|e| e.message)?.unwrap_or_default();
        let assigned = grants::is_assigned(self.ctx, set).map_err(|e| e.message)?;
        // Where the org is not strict, whoever deploys a permission set has it.
        if assigned || !self.settings.field_security {
            grant.show(&mut self.settings);
        }
        self.settings.grants.retain(|known| known.name != name);
        self.settings.grants.push(grant);
        self.changed = true;
        Ok(created)
    }

    fn queue(&mut self, name: &str, label: &str, objects: &[String]) -> Result<bool, String> {
        for object in objects {
            if self.ctx.schema().object(object).is_none()
                && !self
                    .settings
                    .custom_objects
                    .iter()
                    .any(|o| o.name == *object)
            {
                return Err(format!(
                    "In field: sobjectType - no CustomObject named {object} found"
                ));
            }
        }
        let row = json!({"Name": label, "DeveloperName": name, "Type": "Queue"});
        let created = self.row("Group", "DeveloperName", name, row)?;
        let add_members = || -> Result<(), crate::org::error::Refusal> {
            let group = self.ctx.object("Group")?;
            let number = self
                .number("Group", "DeveloperName", name)?
                .unwrap_or_default();
            let id = self.ctx.id(group, number);
            let sobjects = self.ctx.object("QueueSobject")?;
            let mut known = Vec::new();
            for number in self.ctx.pointing("QueueSobject", "QueueId", &id)? {
                let row = store::get(self.ctx.db, sobjects, number)?;
                known.extend(row.and_then(|row| row.fields.get("SobjectType").cloned()));
            }
            for object in objects.iter().filter(|o| !known.contains(&json!(o))) {
                let row = json!({"QueueId": id, "SobjectType": object});
                add(self.ctx, "QueueSobject", row)?;
            }
            Ok(())
        };
        add_members().map_err(|e| e.message)?;
        Ok(created)
    }

    /// A type is never taken away, so its place in the settings is its row.
    fn record_type(&mut self, record_type: &RecordType) -> Result<bool, String> {
        let object = &record_type.object;
        if let Some(process) = &record_type.business_process
            && !self
                .settings
                .business_processes
                .iter()
                .any(|known| known.object == *object && known.name == *process)
        {
            return Err(format!(
                "In field: businessProcess - no BusinessProcess named {object}.{process} found"
            ));
        }
        let known = self
            .settings
            .record_types
            .iter()
            .position(|known| known.is(object, &record_type.name));
        let mut settings = self.settings.clone();
        let place = known.unwrap_or(settings.record_types.len());
        match settings.record_types.get_mut(place) {
            Some(known) => {
                *known = RecordType {
                    hidden: known.hidden,
                    is_person: known.is_person,
                    ..record_type.clone()
                };
            }
            None => settings.record_types.push(RecordType {
                hidden: self.settings.field_security,
                ..record_type.clone()
            }),
        }
        self.tried(settings)?;
        founding::record_types(self.ctx, &self.settings).map_err(|e| e.message)?;
        Ok(known.is_none())
    }

    fn business_process(&mut self, process: &BusinessProcess) -> Result<bool, String> {
        let mut settings = self.settings.clone();
        let same = |known: &&mut BusinessProcess| {
            known.object == process.object && known.name == process.name
        };
        let known = settings.business_processes.iter_mut().find(same);
        let created = known.is_none();
        match known {
            Some(known) => known.clone_from(process),
            None => settings.business_processes.push(process.clone()),
        }
        self.tried(settings)?;
        founding::record_types(self.ctx, &self.settings).map_err(|e| e.message)?;
        Ok(created)
    }

    fn known_types(&self, names: &[String]) -> Result<(), String> {
        for full in names {
            let absent = || format!("In field: recordType - no RecordType named {full} found");
            let (object, name) = full.split_once('.').ok_or_else(absent)?;
            let mut types = self.settings.record_types.iter();
            types
                .find(|known| known.is(object, name))
                .ok_or_else(absent)?;
        }
        Ok(())
    }

    /// Writes a setup row that is known by one of its values; whether it is new.
    fn row(&self, object: &str, key: &str, value: &str, row: Value) -> Result<bool, String> {
        let write = || -> Result<bool, crate::org::error::Refusal> {
            let of = self.ctx.object(object)?;
            let known = self.number(object, key, value)?;
            let Some(number) = known else {
                add(self.ctx, object, row)?;
                return Ok(true);
            };
            if let (Some(before), Value::Object(new)) = (store::get(self.ctx.db, of, number)?, row)
            {
                let mut fields = before.fields.clone();
                fields.extend(new);
                store::update(self.ctx.db, of, &before, &fields)?;
            }
            Ok(false)
        };
        write().map_err(|e| e.message)
    }

    fn number(
        &self,
        object: &str,
        key: &str,
        value: &str,
    ) -> Result<Option<i64>, crate::org::error::Refusal> {
        let of = self.ctx.object(object)?;
        let mut after = 0;
        loop {
            let rows = store::page(self.ctx.db, of, after, 1_000)?;
            let found = rows
                .iter()
                .find(|row| !row.deleted && row.fields.get(key) == Some(&json!(value)));
            if let Some(row) = found {
                return Ok(Some(row.number));
            }
            match rows.last() {
                Some(last) => after = last.number,
                None => return Ok(None),
            }
        }
    }
}
