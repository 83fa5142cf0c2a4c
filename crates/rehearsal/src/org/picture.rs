//! An org that looks like another one: read from a folder that holds what that one answered.
//!
//! The folder is made of the platform's own answers, each as it came, so that a person can read it and nothing is lost in
//! translation: `describe/{Object}.json` (`null` where the org has no such object), `query/{name}.json` (`{"soql", "records"}`), `rules/{name}.json`
//! (a validation rule with its metadata) and `limits.json`. What is absent is taken as not known.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::automation::{Automation, AutomationKind};
use super::formula::Formula;
use super::knowledge::KnowledgeSettings;
use super::options::{NewQueue, NewUser, OrgSettings, ValidationRule};
use super::record_types::RecordType;

/// The objects of another org.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Picture {
    /// Describe answers, of each object the parts that the local org imitates.
    pub described: Vec<Value>,
    /// Objects that the other org does not have, or hides: every row of them is refused.
    pub absent: BTreeSet<String>,
    /// Values of a Case's Status that mean closed.
    pub closed: Vec<String>,
}

/// A rule of the other org that judges no row here, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// `validation rule`, `Apex trigger`, `flow`, `duplicate rule` or `assignment rule`.
    pub kind: String,
    /// Its API name.
    pub name: String,
    /// API name of the object whose rows it sees, where that is known.
    pub object: Option<String>,
    /// Why it cannot be judged.
    pub why: String,
}

impl OrgSettings {
    /// Settings of an org that looks like the one whose answers are in this folder, and the rules that it has but that judge no
    /// row here: what runs code, and formulas that ask for more than the row.
    ///
    /// # Errors
    /// When the folder cannot be read or a file is no answer of an org.
    pub fn pictured(folder: impl AsRef<Path>) -> io::Result<(Self, Vec<Unjudged>)> {
        let folder = folder.as_ref();
        let mut settings = Self::default();
        let mut unjudged = Vec::new();
        let mut picture = Picture::default();
        for (name, answer) in answers(&folder.join("describe"))? {
            if answer.is_null() {
                picture.absent.insert(name);
            } else {
                settings.record_types.extend(record_types(&name, &answer));
                picture.described.push(shortened(answer));
            }
        }
        settings.knowledge = knowledge(&picture);
        let rows = |name: &str| records(&folder.join("query"), name);
        if let Some(org) = rows("Organization")?.first() {
            settings.name = text(org, "Name").unwrap_or_default();
            settings.is_sandbox = org["IsSandbox"] == true;
        }
        let closed = rows("CaseStatus")?;
        let closed = closed.iter().filter(|row| row["IsClosed"] == true);
        picture.closed = closed.filter_map(|row| text(row, "ApiName")).collect();
        settings.users = users(&rows("User")?, settings.is_sandbox);
        settings.queues = queues(&rows("QueueSobject")?);
        rights(&mut settings, &rows("PermissionSet")?);
        settings.audit_fields = picture
            .described
            .iter()
            .any(|d| d["name"] == "Case" && field(d, "CreatedDate")["createable"] == true);
        for (_, rule) in answers(&folder.join("rules"))? {
            if let Some(rule) = rule_of(&rule) {
                unjudged.extend(not_judged(&rule, &picture.described));
                settings.validation_rules.push(rule);
            }
        }
        declared(&mut settings, &mut unjudged, &rows, &picture.described)?;
        settings.picture = Some(picture);
        Ok((settings, unjudged))
    }
}

/// The kinds of an object's rows, as its describe tells them; which values each has it does not tell.
fn record_types<'d>(object: &'d str, describe: &'d Value) -> impl Iterator<Item = RecordType> + 'd {
    let infos = describe["recordTypeInfos"].as_array().into_iter().flatten();
    infos
        .filter(|info| info["master"] != true)
        .filter_map(move |info| {
            let name = text(info, "developerName").filter(|name| !name.is_empty())?;
            Some(RecordType {
                label: text(info, "name").unwrap_or_default(),
                inactive: info["active"] == false,
                hidden: info["available"] == false,
                is_person: object == "Account" && name == "PersonAccount",
                ..RecordType::new(object, &name)
            })
        })
}

/// Knowledge, where the other org has it.
fn knowledge(picture: &Picture) -> Option<KnowledgeSettings> {
    let articles = |describe: &&Value| describe["name"] == "Knowledge__kav";
    let described = picture.described.iter().find(articles)?;
    let values = field(described, "Language")["picklistValues"].as_array();
    let values = values.into_iter().flatten();
    let mut active: Vec<&Value> = values.filter(|value| value["active"] == true).collect();
    active.sort_by_key(|value| value["defaultValue"] != true);
    let mut languages: Vec<String> = active.iter().filter_map(|v| text(v, "value")).collect();
    if languages.is_empty() {
        languages.push("en_US".to_owned());
    }
    Some(KnowledgeSettings::new(languages))
}

/// What is declared but does not run here.
fn declared(
    settings: &mut OrgSettings,
    unjudged: &mut Vec<Unjudged>,
    rows: &impl Fn(&str) -> io::Result<Vec<Value>>,
    described: &[Value],
) -> io::Result<()> {
    let code = "it is code, which does not run here";
    let sorts = [
        (
            "ApexTrigger",
            "Apex trigger",
            AutomationKind::ApexTrigger,
            "Name",
            "TableEnumOrId",
            "TableEnumOrId",
            code,
        ),
        (
            "FlowDefinitionView",
            "flow",
            AutomationKind::Flow,
            "ApiName",
            "TriggerObjectOrEventId",
            "TriggerObjectOrEventLabel",
            code,
        ),
        (
            "AssignmentRule",
            "assignment rule",
            AutomationKind::AssignmentRule,
            "Name",
            "SobjectType",
            "SobjectType",
            "every write says that assignment rules must not run",
        ),
    ];
    for (query, shown, kind, name, by_id, by_label, why) in sorts {
        for row in rows(query)? {
            let Some(name) = text(&row, name) else {
                continue;
            };
            let object = [by_id, by_label]
                .iter()
                .filter_map(|key| text(&row, key))
                .find_map(|told| api_name(&told, described));
            unjudged.push(Unjudged {
                kind: shown.to_owned(),
                name: name.clone(),
                object: object.clone(),
                why: why.to_owned(),
            });
            if let Some(object) = object {
                settings.automations.push(Automation {
                    kind,
                    object,
                    name,
                    active: true,
                });
            }
        }
    }
    for row in rows("DuplicateRule")? {
        let (Some(name), object) = (text(&row, "DeveloperName"), text(&row, "SobjectType")) else {
            continue;
        };
        unjudged.push(Unjudged {
            kind: "duplicate rule".to_owned(),
            name,
            object,
            why: "what it compares is told to nobody, and it compares with rows that are not here"
                .to_owned(),
        });
    }
    Ok(())
}

/// The API name of an object that is named by it, or by what people see.
fn api_name(told: &str, described: &[Value]) -> Option<String> {
    let by = |key: &str| {
        let mut all = described.iter();
        all.find(|d| d[key] == told).and_then(|d| text(d, "name"))
    };
    by("name").or_else(|| by("label"))
}

fn rule_of(row: &Value) -> Option<ValidationRule> {
    let metadata = &row["Metadata"];
    Some(ValidationRule {
        name: text(row, "ValidationName")?,
        object: text(&row["EntityDefinition"], "QualifiedApiName")?,
        formula: text(metadata, "errorConditionFormula").unwrap_or_default(),
        message: text(metadata, "errorMessage")
            .or_else(|| text(row, "ErrorMessage"))
            .unwrap_or_default(),
        field: text(metadata, "errorDisplayField"),
        active: row["Active"] == true,
    })
}

fn not_judged(rule: &ValidationRule, described: &[Value]) -> Option<Unjudged> {
    let why = if rule.formula.is_empty() {
        "its formula could not be read".to_owned()
    } else {
        match Formula::read(&rule.formula) {
            Ok(formula) => {
                let object = described
                    .iter()
                    .find(|d| d["name"] == rule.object.as_str())?;
                let is = |name: &&&str| field(object, name).is_null();
                let fields = formula.fields();
                let hidden = fields.iter().find(is)?;
                format!("it looks at {hidden}, which is hidden from us")
            }
            Err(why) => why,
        }
    };
    Some(Unjudged {
        kind: "validation rule".to_owned(),
        name: rule.name.clone(),
        object: Some(rule.object.clone()),
        why,
    })
}

fn field<'d>(describe: &'d Value, name: &str) -> &'d Value {
    let fields = describe["fields"].as_array();
    let is = |field: &&Value| {
        field["name"]
            .as_str()
            .is_some_and(|known| known.eq_ignore_ascii_case(name))
    };
    fields
        .and_then(|fields| fields.iter().find(is))
        .unwrap_or(&Value::Null)
}

/// Everything that a local org has no use for is left out: describe answers of a large org are megabytes.
fn shortened(mut describe: Value) -> Value {
    if let Value::Object(members) = &mut describe {
        for name in [
            "childRelationships",
            "actionOverrides",
            "namedLayoutInfos",
            "urls",
            "supportedScopes",
        ] {
            members.remove(name);
        }
    }
    describe
}

fn users(rows: &[Value], sandbox: bool) -> Vec<NewUser> {
    let user = |row: &Value| {
        let email = text(row, "Email")?;
        // The org puts it behind again.
        let email = match email.strip_suffix(".invalid") {
            Some(email) if sandbox => email.to_owned(),
            _ => email,
        };
        Some(NewUser {
            email,
            username: text(row, "Username")?,
            name: text(row, "Name")?,
            active: row["IsActive"] == true,
            user_type: text(row, "UserType").unwrap_or_else(|| "Standard".into()),
        })
    };
    rows.iter().filter_map(user).collect()
}

fn queues(rows: &[Value]) -> Vec<NewQueue> {
    let mut queues: Vec<NewQueue> = Vec::new();
    for row in rows {
        let (Some(name), Some(object)) = (
            text(&row["Queue"], "DeveloperName"),
            text(row, "SobjectType"),
        ) else {
            continue;
        };
        match queues.iter_mut().find(|known| known.developer_name == name) {
            Some(known) => known.objects.push(object),
            None => queues.push(NewQueue {
                developer_name: name,
                objects: vec![object],
            }),
        }
    }
    queues
}

fn rights(settings: &mut OrgSettings, sets: &[Value]) {
    let may = |right: &str| {
        sets.iter()
            .any(|set| set[format!("Permissions{right}")] == true)
    };
    settings.inactive_owners = may("UpdateWithInactiveOwner");
    settings.update_email_messages = may("CanUpdateEmailMessage");
    settings.query_all_files = may("QueryAllFiles");
    settings.bulk_hard_delete = may("BulkApiHardDelete");
}

fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(str::to_owned)
}

fn records(folder: &Path, name: &str) -> io::Result<Vec<Value>> {
    let path = folder.join(format!("{name}.json"));
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut answer = read(&path)?;
    match answer["records"].take() {
        Value::Array(records) => Ok(records),
        _ => Err(wrong(&path, "it has no records")),
    }
}

/// Every answer of a folder by its name, in order; none where there is no folder.
fn answers(folder: &Path) -> io::Result<Vec<(String, Value)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut answers = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        if let (Some(name), Some("json")) = (name, path.extension().and_then(|e| e.to_str())) {
            answers.push((name.to_owned(), read(&path)?));
        }
    }
    answers.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(answers)
}

fn read(path: &Path) -> io::Result<Value> {
    serde_json::from_slice(&fs::read(path)?).map_err(|e| wrong(path, &e.to_string()))
}

fn wrong(path: &Path, why: &str) -> io::Error {
    let said = format!("{} is no answer of an org: {why}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, said)
}
