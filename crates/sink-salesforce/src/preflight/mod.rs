//! What is asked and said before anything is written.

use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::sink::TargetInfo;

use crate::mapping::Mapping;
use crate::org::Org;

/// Who the org is, and what people should know.
///
/// # Errors
/// `Config` when the mapping does not fit the org: every line that does not, at once.
pub(crate) fn target(org: &Org, mapping: &Mapping) -> Result<TargetInfo> {
    let problems = mapping.check(&org.schema);
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let said = format!(
            "the mapping does not fit the org {}:\n  {}\n",
            org.name,
            lines.join("\n  ")
        );
        return Err(Error::new(ErrorKind::Config, "check the mapping", said)
            .advise("Add the fields to the org and let the migration user see them, or change those lines"));
    }
    let mut info = TargetInfo::new(&org.id, name(org));
    info.mapping = mapping.version_hash();
    info.warnings = warnings(org, mapping);
    Ok(info)
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
