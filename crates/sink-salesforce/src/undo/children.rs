//! What goes along when a row is deleted, and whose it is (Salesforce objects, section 10.3).

use std::collections::HashMap;
use std::sync::Arc;

use deskferry_core::context::Context;
use deskferry_core::error::{ErrorKind, Result};
use deskferry_core::undo::UndoBatch;
use futures::lock::Mutex;
use serde::Deserialize;
use serde_json::Value;

use super::articles::ANY;
use super::{IN_USE, OTHERS, UNREADABLE};
use crate::Salesforce;
use crate::load::find::moment;
use crate::mapping::ARTICLES;

/// Rows that the platform makes beside others: nobody's work.
const BESIDE: [&str; 6] = [
    "History",
    "Feed",
    "Share",
    "ChangeEvent",
    "Subscription",
    "Audit",
];

/// Views over rows of other objects, which stand in describe answers and cannot be asked for.
const VIEWS: [&str; 7] = [
    "ActivityHistory",
    "AttachedContentDocument",
    "AttachedContentNote",
    "CombinedAttachment",
    "EmailStatus",
    "NoteAndAttachment",
    "OpenActivity",
];

/// What hangs on rows of an object and goes with them, by object; asked once.
pub(crate) type Relations = Mutex<HashMap<String, Arc<Vec<Relation>>>>;

/// Rows of another object that go when the row goes to which a field of theirs points.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Relation {
    #[serde(rename = "childSObject")]
    child: String,
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    cascade_delete: bool,
    #[serde(default)]
    deprecated_and_hidden: bool,
    #[serde(default)]
    restricted_delete: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    #[serde(default)]
    child_relationships: Vec<Relation>,
}

impl Relation {
    fn counts(&self) -> bool {
        let beside = VIEWS.contains(&self.child.as_str())
            || BESIDE.iter().any(|end| self.child.ends_with(end));
        let counts = self.cascade_delete || self.restricted_delete;
        counts && !self.deprecated_and_hidden && !beside && self.field.is_some()
    }

    fn why(&self) -> &'static str {
        if self.cascade_delete { OTHERS } else { IN_USE }
    }

    /// Fields by which a row is known as ours: its id, or what it belongs to.
    fn known_by(&self) -> &'static [&'static str] {
        match self.child.as_str() {
            "ContentDocumentLink" => &["Id", "ContentDocumentId"],
            "EmailMessageRelation" => &["Id", "EmailMessageId"],
            "Task" | "Event" | "FeedItem" | "Knowledge__DataCategorySelection" => {
                &["Id", "CreatedById", "CreatedDate"]
            }
            _ => &["Id"],
        }
    }
}

impl Salesforce {
    async fn relations(&self, cx: &Context, object: &str) -> Result<Arc<Vec<Relation>>> {
        let mut known = self.relations.lock().await;
        if let Some(relations) = known.get(object) {
            return Ok(Arc::clone(relations));
        }
        let described = self.api().describe(cx, object).await?.unwrap_or_default();
        let described = Described::deserialize(&described)
            .map_or_else(|_| Vec::new(), |d| d.child_relationships);
        let relations: Vec<Relation> = described.into_iter().filter(Relation::counts).collect();
        let relations = Arc::new(relations);
        known.insert(object.to_owned(), Arc::clone(&relations));
        Ok(relations)
    }

    /// Of these rows those on which work of others hangs, with the reason.
    pub(super) async fn others_below(
        &self,
        cx: &Context,
        batch: &UndoBatch,
        ids: &[&str],
    ) -> Result<HashMap<String, &'static str>> {
        let mut in_use = HashMap::new();
        // On mails and comments hangs nothing but what came with them.
        if ids.is_empty() || matches!(batch.object.as_str(), "EmailMessage" | "CaseComment") {
            return Ok(in_use);
        }
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        for relation in self.relations(cx, &batch.object).await?.iter() {
            match self.others(cx, batch, relation, &ids).await? {
                Some(parents) => {
                    let why = relation.why();
                    in_use.extend(parents.into_iter().map(|parent| (parent, why)));
                }
                // By force what cannot be seen counts as nobody's.
                None if batch.loaded_until.is_none() => {}
                None => in_use.extend(ids.iter().cloned().map(|id| (id, UNREADABLE))),
            }
        }
        Ok(in_use)
    }

    /// The rows to which rows of others point by this relation; nothing where the org does not show them.
    async fn others(
        &self,
        cx: &Context,
        batch: &UndoBatch,
        relation: &Relation,
        ids: &[String],
    ) -> Result<Option<Vec<String>>> {
        let Some(field) = &relation.field else {
            return Ok(Some(Vec::new()));
        };
        let which = if relation.child == ARTICLES { ANY } else { "" };
        let select = format!(
            "SELECT {}, {field} FROM {} WHERE {which}{field} IN",
            relation.known_by().join(", "),
            relation.child
        );
        let rows = match self.api().query_in(cx, &select, ids).await {
            Ok(rows) => rows,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Refused
                        | ErrorKind::NotFound
                        | ErrorKind::Config
                        | ErrorKind::Forbidden
                ) =>
            {
                tracing::warn!(child = relation.child, %error, "what hangs on rows cannot be seen");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let mut others = rows;
        let ids = relation
            .known_by()
            .iter()
            .filter(|name| !name.starts_with("Created"));
        for name in ids {
            let values: Vec<String> = others.iter().map(|row| text(row, name)).collect();
            let ours = batch.ours.are_ours(&values).await?;
            // What stays of ours is in the way, too.
            let goes = |(id, ours): (&String, bool)| ours && !batch.held.contains(id);
            let mut goes = values.iter().zip(ours).map(goes);
            others.retain(|_| !goes.next().unwrap_or(false));
        }
        let org = self.org(cx).await?;
        // What the platform itself made during the load, as the user who loaded: the task beside a mail.
        others.retain(|row| {
            let mine = row["CreatedById"].as_str() == Some(org.me());
            let then = moment(&row["CreatedDate"]);
            !(mine
                && batch
                    .loaded_until
                    .is_none_or(|until| then.is_some_and(|at| at <= until)))
        });
        Ok(Some(others.iter().map(|row| text(row, field)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_platform_keeps_beside_rows_is_nobodys_work() {
        let described = serde_json::json!({"childRelationships": [
            {"cascadeDelete": true, "childSObject": "CaseComment", "field": "ParentId"},
            {"cascadeDelete": true, "childSObject": "CaseHistory", "field": "CaseId"},
            {"cascadeDelete": true, "childSObject": "OpenActivity", "field": "WhatId"},
            {"cascadeDelete": false, "childSObject": "Case", "field": "ParentId"},
            {"cascadeDelete": true, "childSObject": "Repair__c", "field": "Case__c", "deprecatedAndHidden": true},
        ]});
        let described: Described = serde_json::from_value(described).unwrap();
        let counted: Vec<&str> = described
            .child_relationships
            .iter()
            .filter(|relation| relation.counts())
            .map(|relation| relation.child.as_str())
            .collect();
        assert_eq!(counted, ["CaseComment"]);
    }
}
