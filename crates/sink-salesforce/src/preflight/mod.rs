//! What is asked and said before anything is written.

mod features;
mod lines;
mod look;
mod picklists;
#[cfg(test)]
mod tests_of_lines;

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::report::{Allowance, Limits};
use deskferry_core::sink::TargetInfo;
use serde_json::Value;

use crate::client::Api;
use crate::mapping::{ARTICLES, Mapping};
use crate::org::Org;

/// Who the org is, and what people should know. Where one is lenient, lines of the mapping that do not fit are among that.
///
/// # Errors
/// `Config` when the mapping does not fit the org: every line that does not, at once.
pub(crate) fn target(org: &Org, mapping: &Mapping, lenient: bool) -> Result<TargetInfo> {
    let problems = mapping.check(&org.schema);
    if !problems.is_empty() && !lenient {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let said = format!(
            "the mapping does not fit the org {}:\n  {}\n",
            org.name,
            lines.join("\n  ")
        );
        return Err(explained(
            Error::new(ErrorKind::Config, "check the mapping", said),
            &lacking(org, mapping),
            problems.len(),
        ));
    }
    let mut info = TargetInfo::new(&org.id, name(org));
    info.product = Some(org.product.clone());
    info.mapping = mapping.version_hash();
    info.sandbox = Some(org.sandbox);
    info.shape = crate::mapped::shape(mapping, &org.schema);
    info.warnings = warnings(org, mapping);
    let misfits = problems.iter();
    info.warnings
        .extend(misfits.map(|problem| format!("the mapping does not fit: {problem}")));
    Ok(info)
}

/// The custom fields of the mapping that the org has not, or hides from us.
fn lacking(org: &Org, mapping: &Mapping) -> Vec<String> {
    let has = |object: &str, field: &str| {
        let object = org.schema.object(object);
        object.is_some_and(|object| object.field(field).is_some())
    };
    let needed = mapping.required_fields().into_iter();
    let fields = needed
        .filter(|field| !has(&field.object, &field.name))
        .map(|field| format!("{}.{}", field.object, field.name));
    let case = org.schema.object("Case");
    let types = mapping.record_types().unwrap_or_default().into_iter();
    let types = types
        .filter(|name| {
            let known = case.and_then(|case| case.record_type(name));
            known.is_none_or(|known| !known.available)
        })
        .map(|name| format!("record type Case.{name}"));
    fields.chain(types).collect()
}

/// What to do: fields that are missing can be installed, anything else is wrong in the mapping itself.
fn explained(error: Error, lacking: &[String], problems: usize) -> Error {
    if lacking.is_empty() {
        return error.advise("Correct those lines of the mapping");
    }
    let error = error.with("lacks", lacking.join(", "));
    if lacking.len() < problems {
        error.advise("`deploy`, or the package that `plan` writes, brings what is missing; correct the other lines of the mapping")
    } else {
        error.advise("`deploy`, or the package that `plan` writes, brings what is missing; or take those lines out of the mapping")
    }
}

/// What is left of the org's allowances.
pub(crate) async fn allowances(cx: &Context, api: &Api) -> Result<Vec<Allowance>> {
    Ok(allowances_of(&limits(cx, api).await?))
}

/// The org's limits as it tells them.
pub(crate) async fn limits(cx: &Context, api: &Api) -> Result<Value> {
    const DOING: &str = "ask for the org's limits";
    api.get(cx, "limits", api.path("limits"), DOING).await
}

/// The allowances that a migration uses, of those that the org tells (Salesforce APIs, section 3.4).
pub(crate) fn allowances_of(told: &Value) -> Vec<Allowance> {
    [
        (
            "DailyApiRequests",
            "requests of 24 hours",
            "requests",
            Limits::Requests,
        ),
        ("DataStorageMB", "data storage", "MB", Limits::Rows),
        ("FileStorageMB", "file storage", "MB", Limits::Files),
        (
            "DailyBulkApiBatches",
            "bulk batches of 24 hours",
            "batches",
            Limits::Other,
        ),
        (
            "DailyBulkV2QueryJobs",
            "bulk query jobs of 24 hours",
            "jobs",
            Limits::Other,
        ),
    ]
    .into_iter()
    .filter_map(|(name, of, unit, limits)| {
        Some(Allowance {
            of: of.to_owned(),
            left: told[name]["Remaining"].as_u64()?,
            most: told[name]["Max"].as_u64()?,
            unit: unit.to_owned(),
            limits,
        })
    })
    .collect()
}

fn name(org: &Org) -> String {
    if org.sandbox {
        format!("{} (sandbox)", org.name)
    } else {
        org.name.clone()
    }
}

fn warnings(org: &Org, mapping: &Mapping) -> Vec<String> {
    let mut warnings = Vec::new();
    let undated: Vec<&str> = mapping
        .objects()
        .filter(|o| {
            org.schema
                .object(o)
                .is_some_and(|o| !o.takes("CreatedDate"))
        })
        .collect();
    if !undated.is_empty() {
        warnings.push(format!(
            "CreatedDate cannot be set on {}: rows there get the date of the load. Give the migration user \
             \"Set Audit Fields upon Record Creation\" to keep the source's dates",
            undated.join(", ")
        ));
    }
    if mapping.articles().is_some() && org.schema.object(ARTICLES).is_none() {
        warnings.push(
            "the org has no Knowledge, or hides it from us: articles and their files are skipped (no-knowledge). An administrator turns it on \
             (it cannot be turned off again) and gives the migration user the feature licence \"Knowledge User\", \"Manage Articles\", \
             \"Publish Articles\" and \"View Draft Articles\""
                .into(),
        );
    }
    if mapping.record_types().is_some_and(|types| types.is_empty()) {
        warnings.push(
            "record_type_by is said, and no record type is named: all cases get the org's default one. `plan` lists the source's words in \
             record-types.toml; add those that are to have a type to mapping.toml"
                .into(),
        );
    }
    let has = |object: &str, field: &str| org.schema.object(object).is_some_and(|o| o.takes(field));
    if !has("Case", "ClosedDate") {
        warnings.push("Case.ClosedDate cannot be set: closed cases get the date of the load there; theirs is kept in Original_Closed_Date__c".into());
    }
    if !has("CaseComment", "CreatedById") {
        warnings.push("CaseComment.CreatedById cannot be set: every comment names its author in its first line".into());
    }
    warnings.push(
        "The org's flows, triggers and e-mail alerts see every row: set e-mail deliverability to \"System email only\" for the load".into(),
    );
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn allowances_that_the_org_does_not_tell_are_left_out() {
        let told = json!({
            "DailyApiRequests": {"Max": 100_000, "Remaining": 99_000},
            "DataStorageMB": {"Max": 10_240, "Remaining": 6_120},
            "FileStorageMB": {"Max": "many"},
            "SingleEmail": {"Max": 5_000, "Remaining": 5_000}
        });
        let found = allowances_of(&told);
        let shown: Vec<_> = found.iter().map(|a| (a.limits, a.left, a.most)).collect();
        assert_eq!(
            shown,
            [
                (Limits::Requests, 99_000, 100_000),
                (Limits::Rows, 6_120, 10_240)
            ]
        );
    }

    #[test]
    fn what_can_be_installed_is_told_from_what_is_wrong_in_the_mapping() {
        let error = || Error::new(ErrorKind::Config, "check the mapping", "said");
        let fields = ["Case.A__c".to_owned(), "Case.B__c".to_owned()];
        for (lacking, problems, lacks, advice) in [
            (&fields[..0], 1, None, "Correct those lines"),
            (
                &fields[..],
                2,
                Some("Case.A__c, Case.B__c"),
                "or take those lines out",
            ),
            (
                &fields[..1],
                2,
                Some("Case.A__c"),
                "correct the other lines",
            ),
        ] {
            let error = explained(error(), lacking, problems);
            assert_eq!(error.context("lacks"), lacks);
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
