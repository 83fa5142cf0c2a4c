//! The features of an org that a result needs (Salesforce objects, section 10): found by describe, never from a price list.

use std::collections::BTreeMap;

use deskferry_core::context::Context;
use deskferry_core::key::RecordKind;
use deskferry_core::preflight::Feature;
use serde_json::Value;

use crate::client::Api;
use crate::mapping::ARTICLES;

/// A feature, and where its presence shows.
struct Known {
    name: &'static str,
    of: &'static [RecordKind],
    object: &'static str,
    /// The field that an insert can set; any row can be made where none is named.
    field: Option<&'static str>,
    lost: &'static str,
    switch: &'static str,
}

const KNOWN: [Known; 5] = [
    Known {
        name: "Set Audit Fields upon Record Creation",
        of: &[
            RecordKind::Conversation,
            RecordKind::Contact,
            RecordKind::Account,
        ],
        object: "Case",
        field: Some("CreatedDate"),
        lost: "cases, people and companies say that they were made on the day of the load; their own dates stand in fields of the \
               migration alone",
        switch: "Setup, User Interface: \"Enable \u{2018}Set Audit Fields upon Record Creation\u{2019} and \u{2018}Update Records with Inactive \
                 Owners\u{2019} User Permissions\", then both permissions for the migration user",
    },
    Known {
        name: "Email-to-Case (enhanced email)",
        of: &[RecordKind::Message],
        object: "EmailMessage",
        field: Some("ParentId"),
        lost: "mails cannot be mails of a case",
        switch: "Setup, Email-to-Case: enable it",
    },
    Known {
        name: "Knowledge",
        of: &[RecordKind::Article],
        object: ARTICLES,
        field: None,
        lost: "articles stay behind; they are listed in the hand-over",
        switch: "Setup, Knowledge Settings: enable Lightning Knowledge; then \"Knowledge User\" and \"Manage Articles\" for the \
                 migration user, and `articles = \"knowledge\"` in the mapping",
    },
    Known {
        name: "Salesforce Files",
        of: &[RecordKind::Attachment],
        object: "ContentVersion",
        field: Some("VersionData"),
        lost: "attachments cannot be loaded",
        switch: "ask the administrator why the migration user may create no ContentVersion",
    },
    Known {
        name: "Queues of cases",
        of: &[RecordKind::Team],
        object: "QueueSobject",
        field: None,
        lost: "cases of a team cannot wait in its queue: they go to an owner of your choice",
        switch: "the right \"Manage Users\" for whoever makes the queues",
    },
];

/// Each feature, and whether it is there. Where the org stops to answer, the others are not known.
pub(super) async fn found(cx: &Context, api: &Api) -> Vec<Feature> {
    let mut describes: BTreeMap<&str, Option<Value>> = BTreeMap::new();
    for known in &KNOWN {
        if describes.contains_key(known.object) {
            continue;
        }
        match api.describe(cx, known.object).await {
            Ok(describe) => _ = describes.insert(known.object, describe),
            Err(error) => {
                tracing::warn!(%error, "the org does not tell which features it has");
                break;
            }
        }
    }
    KNOWN
        .iter()
        .map(|known| feature(known, &describes))
        .collect()
}

fn feature(known: &Known, describes: &BTreeMap<&str, Option<Value>>) -> Feature {
    Feature {
        name: known.name.to_owned(),
        of: known.of.to_vec(),
        there: describes
            .get(known.object)
            .map(|d| is_there(known, d.as_ref())),
        lost: known.lost.to_owned(),
        switch: known.switch.to_owned(),
    }
}

fn is_there(known: &Known, describe: Option<&Value>) -> bool {
    let Some(describe) = describe else {
        return false;
    };
    let Some(name) = known.field else {
        return true;
    };
    let mut fields = describe["fields"].as_array().into_iter().flatten();
    fields.any(|field| field["name"] == name && field["createable"] == true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_feature_is_there_where_the_org_says_so_and_unknown_where_it_says_nothing() {
        let fields = |createable: bool| json!({"fields": [{"name": "CreatedDate", "createable": createable}]});
        let there = |describes: BTreeMap<&str, Option<Value>>| feature(&KNOWN[0], &describes).there;
        assert_eq!(there([("Case", Some(fields(true)))].into()), Some(true));
        assert_eq!(there([("Case", Some(fields(false)))].into()), Some(false));
        assert_eq!(there([("Case", None)].into()), Some(false));
        assert_eq!(there(BTreeMap::new()), None);
    }
}
