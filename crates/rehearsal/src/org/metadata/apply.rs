//! What a component does to the org.

use serde_json::{Value, json};

use super::component::{Change, Component, Hours};
use super::kept;
use crate::org::engine::{Ctx, Shape};
use crate::org::entitlements::{self, EntitlementProcess};
use crate::org::error::Refusal;
use crate::org::founding::{self, add};
use crate::org::grants::{self, Grant};
use crate::org::options::{CustomField, CustomObject, FieldType, OrgSettings, PicklistValue};
use crate::org::record_types::{BusinessProcess, RecordType};
use crate::org::schema::Schema;
use crate::org::store;
use crate::org::values;
use crate::org::write;

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
            Change::EntitlementProcess(process) => self.entitlement_process(process)?,
            Change::MilestoneType {
                description,
                recurrence,
            } => {
                self.has_entitlements()?;
                let row = json!({"Name": component.name, "Description": description, "RecurrenceType": recurrence});
                self.then(|ctx| entitlements::by_name(ctx, "MilestoneType", row))?
            }
            Change::Entitlements(on) => {
                let mut settings = self.settings.clone();
                settings.entitlements |= on;
                let created = settings.entitlements != self.settings.entitlements;
                self.tried(settings)?;
                created
            }
            Change::BusinessHours { hours, holidays } => self.business_hours(hours, holidays)?,
            Change::Ignored => {
                let (kind, name) = (component.kind.as_str(), component.name.as_str());
                if matches!(kind, "CustomObject" | "Package") {
                    return Ok(Done {
                        created: false,
                        note: None,
                    });
                }
                let schema = Schema::build(&self.settings)?;
                kept::check(&schema, kind, name, &component.body)?;
                let is_first = kind == "Layout" && kept::of_first_layout(&schema, name).is_some();
                let created = kept::keep(self.ctx, kind, name, &component.body);
                return Ok(Done {
                    created: created.map_err(|e| e.message)? && !is_first,
                    note: (!kept::is_shown(kind)).then_some(NOT_IMITATED),
                });
            }
        };
        // What has an effect is read back as it came, but for what the schema itself tells.
        if !matches!(
            component.kind.as_str(),
            "CustomObject" | "CustomField" | "StandardValueSet"
        ) {
            kept::keep(self.ctx, &component.kind, &component.name, &component.body)
                .map_err(|e| e.message)?;
        }
        Ok(Done {
            created,
            note: None,
        })
    }

    /// Does something in the org as it will be.
    fn then<T>(&self, work: impl FnOnce(&Ctx<'_>) -> Result<T, Refusal>) -> Result<T, String> {
        let shape = Shape {
            schema: Schema::build(&self.settings)?,
            settings: self.settings.clone(),
            since: self.ctx.now,
        };
        store::prepare(self.ctx.db, &shape.schema).map_err(|e| e.to_string())?;
        work(&self.ctx.with(&shape)).map_err(|e| e.message)
    }

    fn has_entitlements(&self) -> Result<(), String> {
        if self.settings.entitlements {
            Ok(())
        } else {
            Err("Not available for deploy for this organization".to_owned())
        }
    }

    fn entitlement_process(&mut self, process: &EntitlementProcess) -> Result<bool, String> {
        self.has_entitlements()?;
        let mut known = self.settings.entitlement_processes.iter();
        let place = known.position(|known| known.name.eq_ignore_ascii_case(&process.name));
        self.then(|ctx| {
            process
                .check(ctx)
                .map_err(|problem| Refusal::new("INVALID_INPUT", problem))
        })?;
        let mut settings = self.settings.clone();
        match place {
            Some(place) => {
                let number = i64::try_from(place + 1).unwrap_or(i64::MAX);
                if self.then(|ctx| entitlements::in_use(ctx, number))? {
                    return Err(format!(
                        "The entitlement process {} is in use and cannot be changed",
                        process.name
                    ));
                }
                settings.entitlement_processes[place].clone_from(process);
            }
            None => settings.entitlement_processes.push(process.clone()),
        }
        self.tried(settings)?;
        self.then(|ctx| entitlements::processes(ctx, &self.settings))?;
        Ok(place.is_none())
    }

    fn business_hours(
        &self,
        hours: &[Hours],
        holidays: &[(String, Option<String>)],
    ) -> Result<bool, String> {
        self.then(|ctx| {
            let mut created = false;
            for hours in hours {
                let time = |name: &str| {
                    let mut times = hours.times.iter();
                    let (_, text) = times.find(|(known, _)| known == name)?;
                    values::time(text)
                };
                let mut row =
                    entitlements::hours(&hours.name, hours.active, hours.zone.as_deref(), time);
                row["IsDefault"] = json!(hours.is_default);
                created |= entitlements::by_name(ctx, "BusinessHours", row)?;
            }
            for (name, date) in holidays {
                let row = json!({"Name": name, "ActivityDate": date, "IsAllDay": true, "IsRecurrence": date.is_none()});
                created |= entitlements::by_name(ctx, "Holiday", row)?;
            }
            Ok(created)
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
            "MilestoneType" => {
                let row = self.then(|ctx| {
                    let known = match ctx.schema().object(kind) {
                        Some(_) => entitlements::named(ctx, kind, name)?,
                        None => None,
                    };
                    known
                        .map(|(id, _)| write::delete::delete(ctx, &id))
                        .transpose()
                })?;
                row.ok_or_else(absent)?;
                kept::forget(self.ctx, kind, name).map_err(|e| e.message)?;
            }
            "PermissionSet" => self.drop_permission_set(name)?,
            "Queue" | "RecordType" | "BusinessProcess" | "EntitlementProcess" => {
                return Err(format!("the local org cannot delete a {kind}"));
            }
            _ => {
                if !kept::forget(self.ctx, kind, name).map_err(|e| e.message)? {
                    return Err(absent());
                }
                return Ok(());
            }
        }
        self.changed = true;
        Ok(())
    }

    /// One that somebody has stays.
    fn drop_permission_set(&mut self, name: &str) -> Result<(), String> {
        let find = || -> Result<Option<(i64, bool)>, Refusal> {
            let Some(number) = self.number("PermissionSet", "Name", name)? else {
                return Ok(None);
            };
            let id = self.ctx.id(self.ctx.object("PermissionSet")?, number);
            let assignments = self.ctx.object("PermissionSetAssignment")?;
            for number in self
                .ctx
                .pointing("PermissionSetAssignment", "PermissionSetId", &id)?
            {
                let row = store::get(self.ctx.db, assignments, number)?;
                if row.is_some_and(|row| !row.deleted) {
                    return Ok(Some((number, true)));
                }
            }
            Ok(Some((number, false)))
        };
        match find().map_err(|e| e.message)? {
            None => return Err(format!("No PermissionSet named: {name} found")),
            Some((_, true)) => {
                return Err(format!("Permission set {name} is assigned to users"));
            }
            Some((number, false)) => {
                let set = self.ctx.object("PermissionSet").map_err(|e| e.message)?;
                store::purge(self.ctx.db, set, number).map_err(|e| e.to_string())?;
            }
        }
        self.settings.grants.retain(|known| known.name != name);
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
                if hidden {
                    let full = grants::full(&field.object, &field.name);
                    settings.secured.push(full);
                }
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
        // Where the org is not strict, whoever deploys a permission set has it.
        if !self.settings.field_security {
            grant.show(&mut self.settings);
        }
        self.settings.grants.retain(|known| known.name != name);
        self.settings.grants.push(grant);
        grants::judge(self.ctx, &mut self.settings).map_err(|e| e.message)?;
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
            None => {
                let hidden = self.settings.field_security;
                if hidden {
                    let full = grants::full(object, &record_type.name);
                    settings.secured.push(full);
                }
                settings.record_types.push(RecordType {
                    hidden,
                    ..record_type.clone()
                });
            }
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
