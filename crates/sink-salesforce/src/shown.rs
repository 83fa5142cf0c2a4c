//! Cases as the org stores them, for people who look at some of them.
//!
//! The timeline is in the order of the related lists of a Case's page, newest first, by the date that each list shows: the
//! Case feed itself would show the day of the load (Salesforce object reference, section 4.2).

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::shown::{Shown, ShownConversation, ShownEntry};
use serde_json::Value;

use crate::Salesforce;
use crate::mapping::facts::MESSAGES;
use crate::mapping::html;

/// Fields that say nothing to people.
const HIDDEN: [&str; 3] = ["Source_Json__c", "Source_Key__c", "Migration_Batch__c"];

#[async_trait]
impl Shown for Salesforce {
    async fn conversations(&self, cx: &Context, ids: &[String]) -> Result<Vec<ShownConversation>> {
        let rows = self.rows_of_cases(cx, ids).await?;
        let mut timelines = self.timelines(cx, ids).await?;
        let mut by_id: HashMap<&str, &Value> = HashMap::new();
        for row in &rows {
            by_id.extend(row["Id"].as_str().map(|id| (id, row)));
        }
        let base = self.api().config().url.trim_end_matches('/');
        let mut found = Vec::new();
        for id in ids {
            let Some(row) = by_id.get(id.as_str()) else {
                continue;
            };
            let mut timeline = timelines.remove(id).unwrap_or_default();
            timeline.sort_by_key(|entry| std::cmp::Reverse(entry.at));
            found.push(ShownConversation {
                id: id.clone(),
                url: format!("{base}/lightning/r/Case/{id}/view"),
                fields: fields(row),
                timeline,
            });
        }
        Ok(found)
    }
}

impl Salesforce {
    async fn rows_of_cases(&self, cx: &Context, ids: &[String]) -> Result<Vec<Value>> {
        let org = self.org(cx).await?;
        let described = org.object("Case")?;
        let lines = self.mapping().object("Case").map(|o| o.lines.as_slice());
        let mut names = vec!["Id", "CaseNumber"];
        for line in lines.unwrap_or_default() {
            if let Some(field) = described.field(&line.field) {
                names.push(&field.name);
            }
        }
        names.retain(|name| *name == "Id" || described.field(name).is_some());
        names.dedup();
        let select = format!("SELECT {} FROM Case WHERE Id IN", names.join(", "));
        self.api().query_in(cx, &select, ids).await
    }

    async fn timelines(
        &self,
        cx: &Context,
        ids: &[String],
    ) -> Result<HashMap<String, Vec<ShownEntry>>> {
        let mut timelines: HashMap<String, Vec<ShownEntry>> = HashMap::new();
        let mut take = |rows: Vec<Value>, parent: &str, entry: fn(&Value) -> ShownEntry| {
            for row in rows {
                if let Some(parent) = row[parent].as_str() {
                    timelines
                        .entry(parent.to_owned())
                        .or_default()
                        .push(entry(&row));
                }
            }
        };
        let select = "SELECT Id, ParentId, Incoming, FromAddress, FromName, ToAddress, Subject, TextBody, HtmlBody, MessageDate FROM EmailMessage WHERE ParentId IN";
        take(
            self.api().query_in(cx, select, ids).await?,
            "ParentId",
            mail,
        );
        let select = "SELECT Id, ParentId, CommentBody, IsPublished, CreatedDate FROM CaseComment WHERE ParentId IN";
        take(
            self.api().query_in(cx, select, ids).await?,
            "ParentId",
            comment,
        );
        if self.mapping().objects().any(|object| object == MESSAGES) {
            let select = "SELECT Id, Case__c, Author_Name__c, Body__c, Direction__c, Sent_At__c FROM Conversation_Message__c WHERE Case__c IN";
            take(
                self.api().query_in(cx, select, ids).await?,
                "Case__c",
                message,
            );
        }
        Ok(timelines)
    }
}

fn fields(row: &Value) -> Vec<(String, String)> {
    let all = row.as_object().into_iter().flatten();
    all.filter(|(name, _)| *name != "attributes" && !HIDDEN.contains(&name.as_str()))
        .filter_map(|(name, value)| {
            let text = match value {
                Value::Null => return None,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (!text.is_empty()).then(|| (name.clone(), text))
        })
        .collect()
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

/// The platform writes its offset without a colon.
fn time(row: &Value, name: &str) -> Option<DateTime<Utc>> {
    let text = row[name].as_str()?;
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z")
        .map(|at| at.to_utc())
        .ok()
}

fn mail(row: &Value) -> ShownEntry {
    let body = match text(row, "TextBody") {
        body if body.is_empty() => html::to_text(&text(row, "HtmlBody")),
        body => body,
    };
    let from = match text(row, "FromName") {
        name if name.is_empty() => text(row, "FromAddress"),
        name => format!("{name} <{}>", text(row, "FromAddress")),
    };
    let (subject, to) = (text(row, "Subject"), text(row, "ToAddress"));
    let incoming = row["Incoming"].as_bool().unwrap_or_default();
    ShownEntry {
        at: time(row, "MessageDate"),
        is: if incoming { "e-mail in" } else { "e-mail out" }.to_owned(),
        who: format!("{from} to {to}"),
        text: if subject.is_empty() {
            body
        } else {
            format!("{subject}\n{body}")
        },
        public: None,
    }
}

fn comment(row: &Value) -> ShownEntry {
    ShownEntry {
        at: time(row, "CreatedDate"),
        is: "case comment".to_owned(),
        who: String::new(),
        text: text(row, "CommentBody"),
        public: row["IsPublished"].as_bool(),
    }
}

fn message(row: &Value) -> ShownEntry {
    let direction = text(row, "Direction__c");
    ShownEntry {
        at: time(row, "Sent_At__c"),
        is: format!("conversation message, {}", direction.to_lowercase()),
        who: text(row, "Author_Name__c"),
        text: text(row, "Body__c"),
        public: Some(direction != "Internal"),
    }
}
