//! Taking back what was loaded (Salesforce objects, sections 10.3 and 10.4): by id from the ledger, and only what nobody else
//! works with. Deleted rows stand in the org's recycle bin for 15 days.

mod articles;
mod children;
mod files;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::undo::{RestoreBatch, Undo, UndoBatch, Undone};
use serde_json::Value;

pub(crate) use children::Relations;

use crate::Salesforce;
use crate::client::collections::{CallAnswer, RowAnswer, whole_call_error};
use crate::client::error::{Class, Refusal};
use crate::client::query::literal;
use crate::load::files::OBJECT as VERSION;
use crate::load::find::moment;
use crate::mapping::facts::CALLS;
use crate::mapping::{ARTICLES, BATCH_MARK};

/// What must go before what; everything else hangs on these and goes first.
const PARENTS: [&str; 3] = ["Case", "Contact", "Account"];
/// Users cannot be deleted, and documents go with their version.
const NEVER: [&str; 3] = ["User", "Group", crate::load::files::DOCUMENT];
/// How often a row is tried that another transaction holds.
const TRIES: u32 = 5;

const CHANGED: &str = "changed-since";
const OTHERS: &str = "others-work";
const PARENT: &str = "parent-held";
const IN_USE: &str = "in-use";
const UNREADABLE: &str = "not-readable";

#[async_trait]
impl Undo for Salesforce {
    fn order(&self, objects: Vec<String>, trial: bool) -> Vec<String> {
        let mut order: Vec<String> = objects
            .into_iter()
            .filter(|object| !NEVER.contains(&object.as_str()))
            .collect();
        // Mails name their files, so files go after them; both hang on the case.
        let place = |object: &String| {
            let parent = PARENTS.iter().position(|parent| parent == object);
            match parent {
                Some(n) => 2 + n,
                None => usize::from(object == VERSION),
            }
        };
        // A case that stays keeps its mails, its files, its contact and its account.
        order.sort_by_key(|object| match place(object) {
            parent @ 2.. if trial => parent - 2,
            other if trial => other + 3,
            other => other,
        });
        order
    }

    async fn undo(&self, cx: &Context, batch: UndoBatch) -> Result<Vec<Undone>> {
        if batch.object == VERSION {
            return files::undo(self, cx, &batch).await;
        }
        let standing = self.standing(cx, &batch).await?;
        let candidates: Vec<&str> = batch
            .rows
            .iter()
            .filter(|row| matches!(standing.get(row.id.as_str()), Some(None)))
            .map(|row| row.id.as_str())
            .collect();
        let in_use = self.others_below(cx, &batch, &candidates).await?;
        let free: Vec<String> = candidates
            .iter()
            .filter(|id| !in_use.contains_key(**id))
            .map(|id| (*id).to_owned())
            .collect();
        let deleted = if batch.trial {
            free.into_iter().map(|id| (id, Undone::Removed)).collect()
        } else if batch.object == ARTICLES {
            let free = self.archived(cx, free).await?;
            self.delete(cx, &free).await?
        } else {
            self.delete(cx, &free).await?
        };
        let answer = |id: &str| match standing.get(id) {
            None => Undone::Gone,
            Some(Some(why)) => Undone::Held((*why).to_owned()),
            Some(None) => match in_use.get(id) {
                Some(why) => Undone::Held((*why).to_owned()),
                None => deleted.get(id).cloned().unwrap_or(Undone::Gone),
            },
        };
        Ok(batch.rows.iter().map(|row| answer(&row.id)).collect())
    }

    async fn restore(&self, cx: &Context, batch: RestoreBatch) -> Result<Vec<Undone>> {
        self.give_back(cx, &batch).await
    }

    async fn marked(&self, cx: &Context, object: &str, mark: &str) -> Result<Option<Vec<String>>> {
        let org = self.org(cx).await?;
        let carries = self.mapping().objects().any(|name| name == object)
            && org.object(object)?.field(BATCH_MARK).is_some();
        if !carries {
            return Ok(None);
        }
        let which = if object == ARTICLES {
            articles::ANY
        } else {
            ""
        };
        let soql = format!(
            "SELECT Id FROM {object} WHERE {which}{BATCH_MARK} = {}",
            literal(mark)
        );
        let rows = if object == CALLS {
            let soql = format!("{soql} AND IsDeleted = false");
            self.api().query_all(cx, &soql).await?
        } else {
            self.api().query(cx, &soql).await?
        };
        let ids = rows.iter().filter_map(|row| row["Id"].as_str());
        Ok(Some(ids.map(str::to_owned).collect()))
    }
}

impl Salesforce {
    /// The rows that stand, each with the reason why it must stay, if there is one already.
    async fn standing(
        &self,
        cx: &Context,
        batch: &UndoBatch,
    ) -> Result<HashMap<String, Option<&'static str>>> {
        let ids: Vec<String> = batch.rows.iter().map(|row| row.id.clone()).collect();
        let org = self.org(cx).await?;
        let object = &batch.object;
        let parent = ["ParentId", "Case__c", "WhatId"]
            .into_iter()
            .filter(|_| !PARENTS.contains(&object.as_str()))
            .find(|field| org.object(object).is_ok_and(|o| o.field(field).is_some()));
        let also = parent.map(|field| format!(", {field}")).unwrap_or_default();
        let by = match org.object(object) {
            // Posts do not say who changed them.
            Ok(object) if object.field("LastModifiedById").is_none() => "",
            _ => ", LastModifiedById",
        };
        let from = format!("SELECT Id, SystemModstamp{by}{also} FROM {object} WHERE");
        let rows = if object == CALLS {
            let select = format!("{from} IsDeleted = false AND Id IN");
            self.api().query_all_in(cx, &select, &ids).await?
        } else {
            let select = format!("{from} Id IN");
            self.api().query_in(cx, &select, &ids).await?
        };
        let times = batch
            .rows
            .iter()
            .filter_map(|row| Some((row.id.as_str(), row.loaded_at?)));
        let times: HashMap<&str, DateTime<Utc>> = times.collect();
        let reason = |row: &Value| {
            let hangs_on = parent.and_then(|field| row[field].as_str());
            if hangs_on.is_some_and(|id| batch.held.contains(id)) {
                return Some(PARENT);
            }
            let loaded = row["Id"].as_str().and_then(|id| times.get(id).copied());
            let until = batch.loaded_until.map(|last| loaded.unwrap_or(last));
            is_changed(row, until, org.me()).then_some(CHANGED)
        };
        Ok(rows
            .iter()
            .filter_map(|row| Some((row["Id"].as_str()?.to_owned(), reason(row))))
            .collect())
    }

    /// Deletes rows; those that another transaction holds again and again, for a while.
    async fn delete(&self, cx: &Context, ids: &[String]) -> Result<HashMap<String, Undone>> {
        let mut answers = HashMap::new();
        let mut open: Vec<String> = ids.to_vec();
        let mut asked_before = false;
        for attempt in 1..=TRIES {
            if open.is_empty() {
                break;
            }
            if attempt > 1 {
                let wait = Duration::from_millis(250 << attempt);
                cx.sleep(wait, "wait before rows are removed again").await?;
            }
            let last = attempt == TRIES;
            let rows = match self.api().delete(cx, &open).await? {
                CallAnswer::Rows(rows) => rows,
                // What it did shows when it is asked again.
                CallAnswer::Lost if !last => {
                    asked_before = true;
                    continue;
                }
                CallAnswer::Lost => {
                    let refusal = Refusal {
                        code: "ANSWER_LOST".into(),
                        message: "the org did not answer; roll back again".into(),
                        fields: Vec::new(),
                    };
                    open.iter()
                        .map(|_| RowAnswer::Refused(refusal.clone()))
                        .collect()
                }
                CallAnswer::Refused(status, refusal) => {
                    return Err(whole_call_error(status, &refusal, "remove rows"));
                }
            };
            let mut again = Vec::new();
            for (id, row) in open.into_iter().zip(rows) {
                match row {
                    RowAnswer::Stands(_) => {
                        answers.insert(id, Undone::Removed);
                    }
                    RowAnswer::Refused(refusal) if passes(&refusal) && !last => again.push(id),
                    RowAnswer::Refused(refusal) => {
                        answers.insert(id, refused(refusal, asked_before));
                    }
                }
            }
            open = again;
        }
        Ok(answers)
    }
}

/// Whether somebody else changed a row after the load.
pub(crate) fn is_changed(row: &Value, loaded_until: Option<DateTime<Utc>>, me: &str) -> bool {
    let Some(until) = loaded_until else {
        return false;
    };
    let later = moment(&row["SystemModstamp"]).is_some_and(|at| at > until);
    later && row["LastModifiedById"].as_str() != Some(me)
}

fn passes(refusal: &Refusal) -> bool {
    matches!(
        refusal.class(),
        Class::Locked | Class::Transient | Class::Derived | Class::Busy
    )
}

fn refused(refusal: Refusal, asked_before: bool) -> Undone {
    match refusal.code.as_str() {
        "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY" if asked_before => Undone::Removed,
        "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY" => Undone::Gone,
        "DELETE_FAILED" | "DEPENDENCY_EXISTS" => Undone::Held(IN_USE.to_owned()),
        _ => Undone::Failed {
            code: refusal.code,
            message: refusal.message,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_others_changed_after_the_load_is_theirs() {
        let until = DateTime::from_timestamp(1_000, 0);
        let row = |second: i64, who: &str| {
            let at = DateTime::from_timestamp(second, 0).unwrap();
            json!({"SystemModstamp": at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string(), "LastModifiedById": who})
        };
        assert!(is_changed(&row(1_001, "005other"), until, "005me"));
        assert!(!is_changed(&row(1_001, "005me"), until, "005me"));
        assert!(!is_changed(&row(999, "005other"), until, "005me"));
        assert!(
            !is_changed(&row(1_001, "005other"), None, "005me"),
            "by force"
        );
    }

    #[test]
    fn what_is_gone_already_is_no_failure() {
        let refusal = |code: &str| Refusal {
            code: code.into(),
            message: "m".into(),
            fields: Vec::new(),
        };
        assert_eq!(refused(refusal("ENTITY_IS_DELETED"), false), Undone::Gone);
        assert_eq!(refused(refusal("ENTITY_IS_DELETED"), true), Undone::Removed);
        assert_eq!(
            refused(refusal("DELETE_FAILED"), false),
            Undone::Held(IN_USE.into())
        );
        let failed = refused(refusal("INSUFFICIENT_ACCESS_OR_READONLY"), false);
        assert!(matches!(failed, Undone::Failed { .. }));
    }
}
