//! The lines of a preflight: pure judgements of what an org answered.

use std::collections::{BTreeMap, BTreeSet};

use deskferry_core::preflight::{Finding, Level};
use serde_json::Value;

use super::picklists;
use crate::mapping::facts::CALLS;
use crate::mapping::{ARTICLES, FieldLine, Mapping, ObjectMapping};
use crate::schema::Schema;

/// How many names a line shows.
const SHOWN: usize = 10;

pub(super) fn org(organization: &Value) -> Finding {
    let text = |key: &str| organization[key].as_str().unwrap_or("unknown");
    let said = format!(
        "{}, {}, instance {}",
        text("Name"),
        text("OrganizationType"),
        text("InstanceName")
    );
    if organization["IsSandbox"] == true {
        Finding::fine("org", format!("{said}, a sandbox"))
    } else {
        Finding::of(
            Level::Warning,
            "org",
            format!("{said}: production"),
            "Load a sandbox first, or run `rehearse`, which writes nothing to it",
        )
    }
}

/// A right, how much its absence matters, and what becomes of the load without it.
const RIGHTS: [(&str, &str, Level, &str); 6] = [
    (
        "ApiEnabled",
        "API Enabled",
        Level::Blocking,
        "nothing can be written",
    ),
    (
        "ModifyAllData",
        "Modify All Data",
        Level::Warning,
        "rows of others cannot be matched or pointed at, and audit fields may be refused",
    ),
    (
        "CreateAuditFields",
        "Set Audit Fields upon Record Creation",
        Level::Warning,
        "rows get the date of the load and the migration user as their author",
    ),
    (
        "UpdateWithInactiveOwner",
        "Update Records with Inactive Owners",
        Level::Warning,
        "nothing can be given to people who left: it goes to the legacy owner",
    ),
    (
        "CanUpdateEmailMessage",
        "Update Email Messages",
        Level::Warning,
        "senders and recipients who are known can be tied to a mail at insert only",
    ),
    (
        "QueryAllFiles",
        "Query All Files",
        Level::Warning,
        "files of others cannot be found again",
    ),
];
/// Rights that matter only where the mapping writes articles.
const KNOWLEDGE: [(&str, &str, Level, &str); 2] = [
    (
        "EditKnowledge",
        "Manage Salesforce Knowledge",
        Level::Blocking,
        "articles cannot be written",
    ),
    (
        "PublishArticles",
        "Publish Articles",
        Level::Warning,
        "articles stay drafts",
    ),
];

/// `describes` as far as the org has the objects: articles are skipped where it has no Knowledge, or hides it.
pub(super) fn rights(
    sets: Option<&[Value]>,
    mapping: &Mapping,
    describes: &BTreeMap<String, Value>,
) -> Vec<Finding> {
    // Hidden rights have a line of their own.
    let Some(sets) = sets else {
        return Vec::new();
    };
    let articles = mapping.objects().any(|object| object == ARTICLES);
    let wanted = RIGHTS.iter().chain(KNOWLEDGE.iter().filter(|_| articles));
    let skipped = articles && describes.get(ARTICLES).is_none_or(Value::is_null);
    let finding = |(right, label, level, without): &(&str, &str, Level, &str)| {
        let of_articles = KNOWLEDGE.iter().any(|(known, ..)| known == right);
        let (level, without) = match of_articles && skipped {
            true => (
                &Level::Warning,
                &"the org has no Knowledge, or hides it: articles are skipped (no-knowledge)",
            ),
            false => (level, without),
        };
        let about = format!("right: {label}");
        let column = format!("Permissions{right}");
        if sets.iter().any(|set| set[&column] == true) {
            return Finding::fine(about, "the migration user has it");
        }
        let known = sets.iter().any(|set| set.get(&column).is_some());
        if known {
            let said = format!("the migration user does not have it: {without}");
            Finding::of(
                *level,
                about,
                said,
                format!("Give it \"{label}\" by a permission set"),
            )
        } else {
            let said = format!("the org does not offer it: {without}");
            let how = match *right {
                "CreateAuditFields" | "UpdateWithInactiveOwner" => {
                    "Switch it on in Setup, User Interface, then give it to the migration user"
                }
                _ => "Its feature or licence is off: switch that on, or go without",
            };
            Finding::of(*level, about, said, how)
        }
    };
    wanted.map(finding).collect()
}

/// Lines that do not fit, required fields without a source, targets that cannot be written.
pub(super) fn mapping(mapping: &Mapping, schema: &Schema) -> Vec<Finding> {
    let problems = mapping.check(schema);
    if problems.is_empty() {
        return vec![Finding::fine("mapping", "every line of it fits the org")];
    }
    let finding = |problem: crate::mapping::Problem| {
        let advice = if problem.text.contains("does not exist") {
            "Install the package that `plan` writes and give the migration user its permission set, or take the line out"
        } else if problem.text.contains("is required and no line fills it") {
            "Add a line for it to the mapping, or let the administrator give it a default"
        } else {
            "Correct the line of the mapping, or what it names in the org"
        };
        Finding::of(Level::Blocking, "mapping", problem.to_string(), advice)
    };
    problems.into_iter().map(finding).collect()
}

/// Per object whether dates and authors can be kept.
pub(super) fn audit(mapping: &Mapping, schema: &Schema) -> Vec<Finding> {
    let mut found = Vec::new();
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for object in mapping.objects() {
        // Some have no author at all.
        match schema.object(object).and_then(|o| o.field("CreatedDate")) {
            Some(field) if field.createable => kept.push(object),
            Some(_) => lost.push(object),
            None => {}
        }
    }
    if !kept.is_empty() {
        found.push(Finding::fine(
            "dates",
            format!("dates and authors are kept on {}", kept.join(", ")),
        ));
    }
    if !lost.is_empty() {
        found.push(Finding::of(
            Level::Warning,
            "dates",
            format!("rows of {} get the date of the load", lost.join(", ")),
            "Give the migration user \"Set Audit Fields upon Record Creation\"; the source's dates are kept in fields of their own either way",
        ));
    }
    let case = schema.object("Case");
    if let Some(field) = case.and_then(|case| case.field("ClosedDate")) {
        found.push(if field.createable {
            Finding::fine(
                "closed dates",
                "a case keeps the date on which it was closed",
            )
        } else {
            Finding::of(
                Level::Warning,
                "closed dates",
                "closed cases get the date of the load as ClosedDate",
                "Build reports on Original_Closed_Date__c",
            )
        });
    }
    found
}

/// What the org has that a load behaves differently by.
pub(super) fn features(mapping: &Mapping, describes: &BTreeMap<String, Value>) -> Vec<Finding> {
    let field = |object: &str, name: &str| field(describes, object, name);
    let mut found = Vec::new();
    if field("Account", "IsPersonAccount").is_some() {
        found.push(Finding::of(
            Level::Warning,
            "person accounts",
            "the org has person accounts; contacts are made as contacts of business accounts",
            "Agree with the administrator that people without a company are contacts without an account",
        ));
    }
    if field("Case", "CurrencyIsoCode").is_some() {
        found.push(Finding::of(
            Level::Warning,
            "currencies",
            "the org has several currencies: amounts without one get the user's own",
            "Add a line for CurrencyIsoCode where amounts are in another currency",
        ));
    }
    if mapping.object(CALLS).is_some() {
        found.push(Finding::of(
            Level::Warning,
            "calls",
            "calls become closed tasks: the platform archives those of more than 365 days ago soon after the load, and they then show neither in \
             reports nor in list views nor in queries, only in \"View All\" of their case and in `queryAll`",
            "Ask the platform's support for a longer period, or send calls to Conversation_Message__c (`calls = \"conversation-message\"`)",
        ));
    }
    let states = ["Billing", "Shipping", "Mailing"].iter().any(|kind| {
        ["Account", "Contact"]
            .iter()
            .any(|object| field(object, &format!("{kind}CountryCode")).is_some())
    });
    let filled = |object: &ObjectMapping| {
        object
            .lines
            .iter()
            .any(|line| line.field.ends_with("Country") || line.field.ends_with("State"))
    };
    if states
        && mapping
            .objects()
            .filter_map(|o| mapping.object(o))
            .any(filled)
    {
        found.push(Finding::of(
            Level::Warning,
            "states and countries",
            "they are picklists in the org: a row with a name that the org does not know is refused",
            "`rehearse` names the rows; map the names to those of the org",
        ));
    }
    if let Some(names) = mapping.record_types().filter(|names| !names.is_empty()) {
        let names: Vec<&str> = names.into_iter().collect();
        found.push(Finding::fine(
            "record types",
            format!(
                "cases get {} by what the source calls them",
                names.join(", ")
            ),
        ));
    }
    for (object, describe) in describes {
        let infos = describe["recordTypeInfos"].as_array().into_iter().flatten();
        let default = infos
            .filter(|info| info["defaultRecordTypeMapping"] == true && info["master"] != true)
            .find_map(|info| info["name"].as_str());
        let line = mapping
            .object(object)
            .is_some_and(|o| fills(o, "RecordTypeId"))
            || (object == "Case" && mapping.record_types().is_some_and(|all| !all.is_empty()));
        if let (Some(name), false) = (default, line) {
            found.push(Finding::of(
                Level::Warning,
                "record type",
                format!(
                    "rows of {object} get the record type {name}, the default of the migration user"
                ),
                "Make another one the default of its profile, or add a line for RecordTypeId",
            ));
        }
    }
    found
}

/// Per field of the mapping: length, values, dependencies.
pub(super) fn fields(mapping: &Mapping, describes: &BTreeMap<String, Value>) -> Vec<Finding> {
    let mut found = Vec::new();
    for object in mapping
        .objects()
        .filter_map(|object| mapping.object(object))
    {
        for line in &object.lines {
            let Some(field) = field(describes, object.object, &line.field) else {
                continue;
            };
            let name = format!("{}.{}", object.object, line.field);
            found.extend(shorter(&name, line, field));
            found.extend(restricted(&name, line, field));
            found.extend(dependent(&name, object, field, describes));
        }
    }
    found
}

/// A text that is shorter in the org than the mapping would make it.
fn shorter(name: &str, line: &FieldLine, field: &Value) -> Option<Finding> {
    let wanted = u64::from(line.create.as_ref()?.length?);
    let length = field["length"].as_u64()?;
    (length > 0 && length < wanted).then(|| {
        Finding::of(
            Level::Warning,
            "length",
            format!("{name} takes {length} characters in the org, the mapping expects {wanted}: longer texts are cut there and kept whole elsewhere"),
            "Let the administrator make it longer; `rehearse` shows which rows are cut",
        )
    })
}

/// A list of values that refuses others, filled with what the source says.
fn restricted(name: &str, line: &FieldLine, field: &Value) -> Option<Finding> {
    let free = line.values.is_empty() && line.create.as_ref().is_none_or(|c| c.values.is_empty());
    (field["restrictedPicklist"] == true && free && line.custom().is_some()).then(|| {
        let values: Vec<&str> = picklists::active(field).collect();
        Finding::of(
            Level::Warning,
            "values",
            format!("{name} takes no other values than {}", some(&values)),
            "Map the source's values to these, or let the administrator add those that are missing; `rehearse` names the rows",
        )
    })
}

/// A list of values that depends on another field. The platform does not check pairs that come by API (Salesforce APIs, section 4).
fn dependent(
    name: &str,
    object: &ObjectMapping,
    field: &Value,
    describes: &BTreeMap<String, Value>,
) -> Option<Finding> {
    if field["dependentPicklist"] != true {
        return None;
    }
    let controller = field["controllerName"].as_str()?;
    let about = "dependent values";
    if !fills(object, controller) {
        return Some(Finding::of(
            Level::Warning,
            about,
            format!(
                "{name} depends on {controller}, which no line fills: people could not have chosen any of its values"
            ),
            format!("Add a line for {controller}"),
        ));
    }
    let of = self::field(describes, object.object, controller)?;
    let orphans = picklists::never_valid(field, of);
    if orphans.is_empty() {
        return Some(Finding::of(
            Level::Warning,
            about,
            format!(
                "{name} depends on {controller}; the org does not check pairs that come by API"
            ),
            "Look at the pairs in the rehearsal",
        ));
    }
    Some(Finding::of(
        Level::Warning,
        about,
        format!(
            "{name} depends on {controller}; valid with none of its values: {}",
            some(&orphans)
        ),
        "Let the administrator complete the dependency",
    ))
}

pub(super) fn limits(limits: Option<&Value>) -> Vec<Finding> {
    let allowances = limits.map(super::allowances_of).unwrap_or_default();
    let finding = |allowance: deskferry_core::report::Allowance| {
        let about = format!("room: {}", allowance.of);
        let said = format!(
            "{} of {} {} left",
            allowance.left, allowance.most, allowance.unit
        );
        match allowance.left {
            0 => Finding::of(
                Level::Blocking,
                about,
                said,
                "Make room, or wait until there is some",
            ),
            left if left.saturating_mul(10) < allowance.most => Finding::of(
                Level::Warning,
                about,
                said,
                "`plan` says whether that is enough",
            ),
            _ => Finding::fine(about, said),
        }
    };
    allowances.into_iter().map(finding).collect()
}

/// A sort of rule: where it is found, what it is, its name, what it does to a load, and what to do.
type Sort = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const SORTS: [Sort; 5] = [
    (
        "ApexTrigger",
        "triggers",
        "Name",
        "run for every row",
        "Ask for a bypass by a custom permission (Migration_Bypass); what is in a package cannot be bypassed",
    ),
    (
        "FlowDefinitionView",
        "flows",
        "ApiName",
        "run for every row",
        "Ask for an entry criterion with NOT($Permission.Migration_Bypass)",
    ),
    (
        "WorkflowRule",
        "workflow rules",
        "Name",
        "may run for every row: the org does not say which are active",
        "Switch them off for the load, or add the bypass",
    ),
    (
        "ValidationRule",
        "validation rules",
        "ValidationName",
        "may refuse rows",
        "`rehearse` evaluates those whose formulas ask for the row alone; add NOT($Permission.Migration_Bypass) to the others",
    ),
    (
        "DuplicateRule",
        "duplicate rules",
        "DeveloperName",
        "may refuse rows; those that only alert are passed",
        "Let the administrator exempt the migration user from those that block",
    ),
];

pub(super) fn automation(
    mapping: &Mapping,
    rows: &BTreeMap<&'static str, Vec<Value>>,
    describes: &BTreeMap<String, Value>,
) -> Vec<Finding> {
    let ours: BTreeSet<&str> = mapping.objects().collect();
    let mut found = Vec::new();
    for (of, what, name, does, advice) in SORTS {
        let Some(rows) = rows.get(of) else {
            continue;
        };
        // What does not name its object may see ours.
        let sees = |row: &&Value| {
            object_of(row, describes).is_none_or(|object| ours.contains(object.as_str()))
        };
        let runs = |row: &&Value| of != "FlowDefinitionView" || is_by_record(row);
        let named: Vec<String> = rows
            .iter()
            .filter(sees)
            .filter(runs)
            .map(|row| shown(row, name, describes))
            .collect();
        let names: Vec<&str> = named.iter().map(String::as_str).collect();
        found.push(if names.is_empty() {
            Finding::fine(what, "none that sees our rows")
        } else {
            let said = format!("{} active, which {does}: {}", names.len(), some(&names));
            Finding::of(Level::Warning, what, said, advice)
        });
    }
    if let Some(rules) = rows.get("AssignmentRule") {
        let names: Vec<&str> = rules
            .iter()
            .filter_map(|row| row["Name"].as_str())
            .collect();
        let said = if names.is_empty() {
            "none is active".to_owned()
        } else {
            format!("every write says that they must not run: {}", some(&names))
        };
        found.push(Finding::fine("assignment rules", said));
    }
    found
}

/// Flows that start when a row is saved or deleted, and processes of the old builder, which name no trigger.
fn is_by_record(row: &Value) -> bool {
    let trigger = row["TriggerType"].as_str().unwrap_or("");
    let process = row["ProcessType"].as_str().unwrap_or("");
    trigger.starts_with("Record")
        || matches!(process, "Workflow" | "CustomEvent" | "InvocableProcess")
}

fn shown(row: &Value, name: &str, describes: &BTreeMap<String, Value>) -> String {
    let name = row[name].as_str().unwrap_or("unnamed");
    let package = match row["NamespacePrefix"].as_str() {
        Some(prefix) => format!(" (package {prefix})"),
        None => String::new(),
    };
    match object_of(row, describes) {
        Some(object) => format!("{object}.{name}{package}"),
        None => format!("{name}{package}"),
    }
}

/// The object whose rows a rule sees, by whichever member tells it: its API name, or what people see.
pub(super) fn object_of(row: &Value, describes: &BTreeMap<String, Value>) -> Option<String> {
    let told = [
        &row["EntityDefinition"]["QualifiedApiName"],
        &row["SobjectType"],
        &row["TableEnumOrId"],
        &row["TriggerObjectOrEventId"],
        &row["TriggerObjectOrEventLabel"],
    ];
    let told: Vec<&str> = told.into_iter().filter_map(Value::as_str).collect();
    let known = told.iter().find_map(|told| {
        let by_label = || describes.iter().find(|(_, d)| d["label"] == *told);
        let known = describes.get_key_value(*told).or_else(by_label);
        known.map(|(name, _)| name.clone())
    });
    known.or_else(|| told.first().map(|told| (*told).to_owned()))
}

fn field<'d>(
    describes: &'d BTreeMap<String, Value>,
    object: &str,
    name: &str,
) -> Option<&'d Value> {
    let fields = describes.get(object)?["fields"].as_array()?;
    fields.iter().find(|field| {
        field["name"]
            .as_str()
            .is_some_and(|known| known.eq_ignore_ascii_case(name))
    })
}

fn fills(object: &ObjectMapping, name: &str) -> bool {
    object
        .lines
        .iter()
        .any(|line| line.field.eq_ignore_ascii_case(name))
}

fn some(names: &[&str]) -> String {
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        Some(more) => format!("{shown} and {more} more"),
        None => shown,
    }
}
