//! Entitlement Management: what customers may expect, by when (Salesforce object reference, section 8).
//!
//! Business hours and holidays are in every org; the rest is there once the feature is on, by option or by deploying
//! `EntitlementSettings`. Processes come by metadata only and are never taken away. A case that gets an entitlement whose
//! process is active gets its milestones at once, each due so many minutes of business hours behind the process's start
//! field; hours are counted as if every time zone were GMT, and holidays are not taken out.

use chrono::{DateTime, Datelike, Duration, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::engine::Ctx;
use super::error::Refusal;
use super::founding::{add, put};
use super::options::OrgSettings;
use super::schema::{Object, table};
use super::store::{self, Fields, Row};
use super::values::{date_time_text, day, moment};

const OBJECTS: &str = include_str!("schema/entitlements.txt");
/// What cases have with the feature.
const OF_CASE: [&str; 7] = [
    "BusinessHoursId | reference 18 | CUdp | label=Business Hours ID | to=BusinessHours | rel=BusinessHours",
    "EntitlementId | reference 18 | CUn | label=Entitlement ID | to=Entitlement | rel=Entitlement",
    "SlaStartDate | datetime | CUn | label=Entitlement Process Start Time",
    "SlaExitDate | datetime | np | label=Entitlement Process End Time",
    "IsStopped | boolean | CUdp | label=Stopped",
    "StopStartDate | datetime | np | label=Stopped Since",
    "MilestoneStatus | string 30 | np",
];
/// Fields of a case from which a process may count, beside its own dates.
const STARTS: [&str; 5] = [
    "SlaStartDate",
    "CreatedDate",
    "ClosedDate",
    "LastModifiedDate",
    "StopStartDate",
];
const WEEK: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// Days after which a target counts as never: business hours that are hardly ever open.
const MOST_DAYS: i64 = 4_000;

/// A process that cases of an entitlement go through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntitlementProcess {
    /// API name.
    pub name: String,
    /// What people see; the API name when empty.
    pub label: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether cases may begin it.
    pub active: bool,
    /// Name of its business hours; the org's default ones when not given.
    pub business_hours: Option<String>,
    /// The field of Case from which milestones count.
    pub start_field: String,
    /// What is due when.
    pub milestones: Vec<Milestone>,
}

/// A milestone of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Milestone {
    /// Name of the MilestoneType.
    pub name: String,
    /// Minutes of business hours from the start of the process.
    pub minutes: u32,
    /// Name of business hours of its own.
    pub business_hours: Option<String>,
}

/// Adds what the feature has.
pub(super) fn add_to(objects: &mut Vec<Object>, settings: &OrgSettings) -> Result<(), String> {
    if !settings.entitlements {
        return Ok(());
    }
    objects.extend(table::objects(OBJECTS, settings.audit_fields));
    if let Some(case) = objects.iter_mut().find(|object| object.name == "Case") {
        for line in OF_CASE {
            case.add_line(line)?;
        }
    }
    Ok(())
}

/// The business hours that every org begins with: always.
pub(super) fn found(ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let mut row =
        json!({"Name": "Default", "IsActive": true, "IsDefault": true, "TimeZoneSidKey": "GMT"});
    for day in WEEK {
        row[format!("{day}StartTime")] = json!("00:00:00.000Z");
        row[format!("{day}EndTime")] = json!("00:00:00.000Z");
    }
    add(ctx, "BusinessHours", row)?;
    processes(ctx, ctx.settings())
}

/// Brings the rows of processes to what the settings say. A place in the settings is a row.
pub(super) fn processes(ctx: &Ctx<'_>, settings: &OrgSettings) -> Result<(), Refusal> {
    if ctx.schema().object("SlaProcess").is_none() {
        return Ok(());
    }
    for (number, process) in (1..).zip(&settings.entitlement_processes) {
        let hours = process.business_hours.as_deref();
        let hours = hours.map(|name| named(ctx, "BusinessHours", name));
        let row = json!({
            "Name": process.shown(), "NameNorm": process.shown().to_lowercase(), "Description": process.description,
            "IsActive": process.active, "IsVersionDefault": true, "VersionNumber": 1, "SobjectType": "Case",
            "StartDateField": process.start_field,
            "BusinessHoursId": hours.transpose()?.flatten().map(|(id, _)| id),
        });
        put(ctx, "SlaProcess", number, row)?;
    }
    Ok(())
}

impl EntitlementProcess {
    fn shown(&self) -> &str {
        if self.label.is_empty() {
            &self.name
        } else {
            &self.label
        }
    }

    /// What the platform would refuse of it.
    pub(super) fn check(&self, ctx: &Ctx<'_>) -> Result<(), String> {
        let text = |e: Refusal| e.message;
        let case = ctx.object("Case").map_err(text)?;
        let own = case.field(&self.start_field);
        let dated =
            own.is_some_and(|field| field.custom && field.kind == super::schema::Kind::DateTime);
        if !STARTS.contains(&self.start_field.as_str()) && !dated {
            return Err(format!(
                "In field: entryStartDateField - {} is no date and time of Case",
                self.start_field
            ));
        }
        let own_hours = self.milestones.iter().map(|m| &m.business_hours);
        for name in own_hours.chain([&self.business_hours]).flatten() {
            if named(ctx, "BusinessHours", name).map_err(text)?.is_none() {
                return Err(format!(
                    "In field: businessHours - no BusinessHours named {name} found"
                ));
            }
        }
        for milestone in &self.milestones {
            let known = named(ctx, "MilestoneType", &milestone.name).map_err(text)?;
            if known.is_none() {
                return Err(format!(
                    "In field: milestoneName - no MilestoneType named {} found",
                    milestone.name
                ));
            }
            if milestone.minutes == 0 {
                return Err("Required field is missing: minutesToComplete".to_owned());
            }
        }
        Ok(())
    }
}

/// Whether entitlements use a process; it cannot be replaced then.
pub(super) fn in_use(ctx: &Ctx<'_>, process: i64) -> Result<bool, Refusal> {
    let Some(object) = ctx.schema().object("SlaProcess") else {
        return Ok(false);
    };
    let id = ctx.id(object, process);
    Ok(!ctx.pointing("Entitlement", "SlaProcessId", &id)?.is_empty())
}

/// The row of this name, and its id. There are few of each, and names have no index.
pub(super) fn named(
    ctx: &Ctx<'_>,
    object: &str,
    name: &str,
) -> Result<Option<(String, Row)>, Refusal> {
    let object = ctx.object(object)?;
    let mut after = 0;
    loop {
        let rows = store::page(ctx.db, object, after, 1_000)?;
        let Some(last) = rows.last().map(|row| row.number) else {
            return Ok(None);
        };
        let same = |row: &Row| {
            let own = row.fields.get("Name").and_then(Value::as_str);
            !row.deleted && own.is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        if let Some(row) = rows.into_iter().find(same) {
            return Ok(Some((ctx.id(object, row.number), row)));
        }
        after = last;
    }
}

/// Writes a row that is known by its name; whether it is new.
pub(super) fn by_name(ctx: &Ctx<'_>, object: &str, row: Value) -> Result<bool, Refusal> {
    let name = row["Name"].as_str().unwrap_or_default().to_owned();
    let Some((_, before)) = named(ctx, object, &name)? else {
        add(ctx, object, row)?;
        return Ok(true);
    };
    put(ctx, object, before.number, row)?;
    Ok(false)
}

/// Business hours as metadata spell them: `mondayStartTime` and its like.
pub(super) fn hours(
    name: &str,
    active: bool,
    zone: Option<&str>,
    time: impl Fn(&str) -> Option<String>,
) -> Value {
    let mut row =
        json!({"Name": name, "IsActive": active, "TimeZoneSidKey": zone.unwrap_or("GMT")});
    for day in WEEK {
        for end in ["StartTime", "EndTime"] {
            row[format!("{day}{end}")] = json!(time(&format!("{}{end}", day.to_lowercase())));
        }
    }
    row
}

/// Completes a case before it is written. `before` is the row of an update.
pub(super) fn case(
    ctx: &Ctx<'_>,
    before: Option<&Row>,
    values: &mut Fields,
) -> Result<(), Refusal> {
    if !ctx.shape.settings.entitlements {
        return Ok(());
    }
    let has = |values: &Fields, name: &str| {
        let kept = || before.and_then(|row| row.fields.get(name));
        values
            .get(name)
            .or_else(kept)
            .is_some_and(|value| !value.is_null())
    };
    if !has(values, "BusinessHoursId")
        && let Some(id) = default_hours(ctx)?
    {
        values.insert("BusinessHoursId".into(), json!(id));
    }
    if has(values, "EntitlementId") && !has(values, "SlaStartDate") {
        values.insert("SlaStartDate".into(), json!(date_time_text(ctx.now)));
    }
    Ok(())
}

fn default_hours(ctx: &Ctx<'_>) -> Result<Option<String>, Refusal> {
    let object = ctx.object("BusinessHours")?;
    let rows = store::page(ctx.db, object, 0, 1_000)?;
    let usual = rows
        .iter()
        .find(|row| row.fields.get("IsDefault") == Some(&json!(true)));
    Ok(usual.map(|row| ctx.id(object, row.number)))
}

/// A case was written: it has the milestones of its entitlement's process, and no others.
pub(super) fn after_case(
    ctx: &Ctx<'_>,
    id: &str,
    before: Option<&Fields>,
    fields: &Fields,
) -> Result<(), Refusal> {
    if !ctx.shape.settings.entitlements
        || before.and_then(|f| f.get("EntitlementId")) == fields.get("EntitlementId")
    {
        return Ok(());
    }
    let object = ctx.object("CaseMilestone")?;
    for number in ctx.pointing("CaseMilestone", "CaseId", id)? {
        if let Some(row) = store::get(ctx.db, object, number)? {
            store::delete(ctx.db, object, &row)?;
        }
    }
    let entitlement = fields.get("EntitlementId").and_then(Value::as_str);
    let Some((_, entitlement)) = entitlement.map(|id| ctx.row(id)).transpose()?.flatten() else {
        return Ok(());
    };
    let process = entitlement
        .fields
        .get("SlaProcessId")
        .and_then(Value::as_str);
    let number = process
        .and_then(|id| ctx.locate(id))
        .map(|(_, number)| number);
    let place = number.and_then(|number| usize::try_from(number - 1).ok());
    let process = place.and_then(|place| ctx.shape.settings.entitlement_processes.get(place));
    let Some(process) = process.filter(|process| process.active) else {
        return Ok(());
    };
    let start = fields.get(&process.start_field).and_then(Value::as_str);
    let Some(start) = start.and_then(moment) else {
        return Ok(());
    };
    for milestone in &process.milestones {
        let names = [&milestone.business_hours, &process.business_hours];
        let hours = match names.into_iter().flatten().next() {
            Some(name) => named(ctx, "BusinessHours", name)?,
            None => None,
        };
        let kind = named(ctx, "MilestoneType", &milestone.name)?;
        let week = hours.as_ref().map(|(_, row)| week(&row.fields));
        let row = json!({
            "CaseId": id, "MilestoneTypeId": kind.map(|(id, _)| id), "BusinessHoursId": hours.map(|(id, _)| id),
            "StartDate": date_time_text(start), "TargetResponseInMins": milestone.minutes,
            "TargetDate": date_time_text(due(start, milestone.minutes, week.as_ref())),
        });
        add(ctx, "CaseMilestone", row)?;
    }
    Ok(())
}

/// What the platform tells of a row beside what is stored.
pub(super) fn derived(ctx: &Ctx<'_>, object: &Object, row: &Row, name: &str) -> Option<Value> {
    let text = |name: &str| row.fields.get(name).and_then(Value::as_str);
    match (object.name.as_str(), name) {
        ("Entitlement", "Status") => {
            let today = ctx.now.date_naive();
            let is_before = |name: &str| text(name).and_then(day).map(|day| day < today);
            let begins = text("StartDate").and_then(day);
            Some(json!(if begins.is_some_and(|day| day > today) {
                "Inactive"
            } else if is_before("EndDate") == Some(true) {
                "Expired"
            } else {
                "Active"
            }))
        }
        ("CaseMilestone", "IsCompleted") => Some(json!(text("CompletionDate").is_some())),
        ("CaseMilestone", "IsViolated") => {
            let done = text("CompletionDate").and_then(moment).unwrap_or(ctx.now);
            Some(json!(
                text("TargetDate")
                    .and_then(moment)
                    .is_some_and(|due| done > due)
            ))
        }
        _ => None,
    }
}

/// Refuses to take away a kind of milestone that a process names.
pub(super) fn before_delete(ctx: &Ctx<'_>, object: &Object, row: &Row) -> Result<(), Refusal> {
    if object.name != "MilestoneType" {
        return Ok(());
    }
    let name = row
        .fields
        .get("Name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut processes = ctx.shape.settings.entitlement_processes.iter();
    let uses = |milestone: &Milestone| milestone.name.eq_ignore_ascii_case(name);
    match processes.find(|process| process.milestones.iter().any(uses)) {
        Some(process) => Err(Refusal::new(
            "DELETE_FAILED",
            format!(
                "Your attempt to delete {name} could not be completed because it is associated with the following entitlement processes.: {}",
                process.shown()
            ),
        )),
        None => Ok(()),
    }
}

/// When each day of the week is open, from Monday on, in minutes of the day.
type Week = [Option<(i64, i64)>; 7];

fn week(fields: &Fields) -> Week {
    let minutes = |name: String| {
        let text = fields.get(&name).and_then(Value::as_str)?;
        let time = NaiveTime::parse_from_str(text.trim_end_matches('Z'), "%H:%M:%S%.f").ok()?;
        Some((time - NaiveTime::MIN).num_minutes())
    };
    WEEK.map(|day| {
        let open = minutes(format!("{day}StartTime"))?;
        let close = minutes(format!("{day}EndTime"))?;
        // From midnight to midnight is the whole day.
        Some((open, if close <= open { 24 * 60 } else { close }))
    })
}

/// The moment so many minutes of business hours later.
fn due(start: DateTime<Utc>, minutes: u32, week: Option<&Week>) -> DateTime<Utc> {
    let plain = start + Duration::minutes(i64::from(minutes));
    let Some(week) = week.filter(|week| week.iter().any(Option::is_some)) else {
        return plain;
    };
    let mut left = Duration::minutes(i64::from(minutes));
    let first = start.date_naive();
    for n in 0..MOST_DAYS {
        let date = first + Duration::days(n);
        let Some((open, close)) = week[date.weekday().num_days_from_monday() as usize] else {
            continue;
        };
        let midnight = date.and_time(NaiveTime::MIN).and_utc();
        let from = (midnight + Duration::minutes(open)).max(start);
        let until = midnight + Duration::minutes(close);
        if until <= from {
            continue;
        }
        if until - from >= left {
            return from + left;
        }
        left -= until - from;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_milestone_is_due_after_so_many_minutes_of_business_hours() {
        let at = |text: &str| moment(text).unwrap();
        let office: Week = [
            Some((540, 1_020)),
            Some((540, 1_020)),
            Some((540, 1_020)),
            Some((540, 1_020)),
            Some((540, 1_020)),
            None,
            None,
        ];
        for (start, minutes, week, expected) in [
            (
                "2026-01-05T10:00:00Z",
                60,
                Some(&office),
                "2026-01-05T11:00:00Z",
            ),
            (
                "2026-01-05T16:30:00Z",
                60,
                Some(&office),
                "2026-01-06T09:30:00Z",
            ),
            (
                "2026-01-09T16:30:00Z",
                60,
                Some(&office),
                "2026-01-12T09:30:00Z",
            ),
            (
                "2026-01-10T08:00:00Z",
                480,
                Some(&office),
                "2026-01-12T17:00:00Z",
            ),
            ("2026-01-10T08:00:00Z", 90, None, "2026-01-10T09:30:00Z"),
            (
                "2026-01-10T08:00:00Z",
                90,
                Some(&[None; 7]),
                "2026-01-10T09:30:00Z",
            ),
        ] {
            assert_eq!(
                due(at(start), minutes, week),
                at(expected),
                "{start} {minutes}"
            );
        }
    }
}
