//! Everything that decides how a load will go, asked and judged line by line (Salesforce objects, section 10). Only reads.

use std::collections::BTreeMap;

use async_trait::async_trait;
use deskferry_core::context::Context;
use deskferry_core::error::{ErrorKind, Result};
use deskferry_core::preflight::{Feature, Finding, Level, Looked, Preflight, Rule};
use serde_json::Value;

use super::lines;
use crate::mapping::Mapping;
use crate::schema::Schema;
use crate::sink::Salesforce;
use crate::survey::{self, Question};

/// What an org answered; what it hides is absent, with the reason among `hidden`.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) organization: Value,
    /// By object; null where the org has none.
    pub(super) describes: BTreeMap<String, Value>,
    pub(super) rights: Option<Vec<Value>>,
    pub(super) limits: Option<Value>,
    /// Rows by the object that was asked.
    pub(super) rows: BTreeMap<&'static str, Vec<Value>>,
    pub(super) hidden: Vec<(&'static str, String)>,
}

const ASKED: [Question; 6] = [
    survey::TRIGGERS,
    survey::FLOWS,
    survey::VALIDATION_RULES,
    survey::WORKFLOW_RULES,
    survey::DUPLICATE_RULES,
    survey::ASSIGNMENT_RULES,
];

#[async_trait]
impl Preflight for Salesforce {
    async fn features(&self, cx: &Context) -> Vec<Feature> {
        super::features::found(cx, self.api()).await
    }

    async fn look(&self, cx: &Context) -> Result<Looked> {
        let api = self.api();
        api.check_version(cx).await?;
        let identity = crate::org::identity(cx, api).await?;
        let mut answers = Answers::default();
        let organizations = survey::ask(cx, api, &survey::PICTURED[0]).await?;
        answers.organization = organizations.into_iter().next().unwrap_or_default();
        for object in self.mapping().objects() {
            let describe = api.describe(cx, object).await?.unwrap_or_default();
            answers.describes.insert(object.to_owned(), describe);
        }
        match survey::rights(cx, api, &identity.user).await {
            Ok(sets) => answers.rights = Some(sets),
            Err(error) if survey::hidden(&error) => {
                answers.hidden.push(("our rights", error.to_string()));
            }
            Err(error) => return Err(error),
        }
        match super::limits(cx, api).await {
            Ok(limits) => answers.limits = Some(limits),
            Err(error) if survey::hidden(&error) => {
                answers.hidden.push(("limits", error.to_string()));
            }
            Err(error) => return Err(error),
        }
        for question in &ASKED {
            match survey::ask(cx, api, question).await {
                Ok(rows) => {
                    answers.rows.insert(question.of, rows);
                }
                // An object that the org does not have is a feature that is off.
                Err(error) if survey::hidden(&error) => {
                    if error.kind() != ErrorKind::NotFound {
                        answers.hidden.push((question.what, error.to_string()));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let name = answers.organization["Name"]
            .as_str()
            .unwrap_or("unnamed org");
        Ok(Looked {
            target: identity.org,
            name: name.to_owned(),
            findings: judged(&answers, self.mapping())?,
            rules: rules(&answers),
        })
    }
}

/// A line for each thing, in the order in which people settle them.
pub(super) fn judged(answers: &Answers, mapping: &Mapping) -> Result<Vec<Finding>> {
    let mut schema = Schema::new();
    for describe in answers.describes.values().filter(|d| !d.is_null()) {
        schema.add_describe(describe)?;
    }
    let mut found = vec![lines::org(&answers.organization)];
    found.extend(lines::rights(
        answers.rights.as_deref(),
        mapping,
        &answers.describes,
    ));
    found.extend(lines::mapping(mapping, &schema));
    found.extend(lines::audit(mapping, &schema));
    found.extend(lines::features(mapping, &answers.describes));
    found.extend(lines::fields(mapping, &answers.describes));
    found.extend(lines::limits(answers.limits.as_ref()));
    found.extend(lines::automation(
        mapping,
        &answers.rows,
        &answers.describes,
    ));
    found.extend(answers.hidden.iter().map(|(what, why)| {
        Finding::of(
            Level::Warning,
            format!("hidden: {what}"),
            format!("{what} cannot be read: {why}"),
            "Give the migration user \"View Setup and Configuration\", or ask the administrator",
        )
    }));
    found.push(Finding::of(
        Level::Warning,
        "mails",
        "e-mail alerts of flows, auto-response and escalation rules, and notifications to owners cannot be read or switched off from outside",
        "Set e-mail deliverability to \"System email only\" for the load",
    ));
    Ok(found)
}

/// The rules that run, to be compared after the load.
fn rules(answers: &Answers) -> Vec<Rule> {
    let text = |row: &Value, key: &str| row[key].as_str().map(str::to_owned);
    let mut rules = Vec::new();
    for (of, kind, name, version) in [
        ("ApexTrigger", "Apex trigger", "Name", "Status"),
        ("FlowDefinitionView", "flow", "ApiName", "ActiveVersionId"),
        (
            "ValidationRule",
            "validation rule",
            "ValidationName",
            "Active",
        ),
        ("WorkflowRule", "workflow rule", "Name", "Id"),
        (
            "DuplicateRule",
            "duplicate rule",
            "DeveloperName",
            "IsActive",
        ),
        ("AssignmentRule", "assignment rule", "Name", "Active"),
    ] {
        for row in answers.rows.get(of).into_iter().flatten() {
            let version = match &row[version] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            rules.push(Rule {
                kind: kind.to_owned(),
                name: text(row, name).unwrap_or_default(),
                object: lines::object_of(row, &answers.describes),
                version,
            });
        }
    }
    rules
}
