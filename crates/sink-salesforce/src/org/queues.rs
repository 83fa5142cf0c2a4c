//! The queues of an org.

use std::collections::{HashMap, HashSet};

use deskferry_core::context::Context;
use deskferry_core::error::Result;
use serde_json::Value;

use crate::client::Api;

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queue {
    pub(super) id: String,
    /// Whether it was set up for cases: others cannot own them (Salesforce object reference, section 7).
    pub(super) cases: bool,
}

/// The queues of an org, by developer name.
#[derive(Debug, Default)]
pub(super) struct Queues(HashMap<String, Queue>);

impl Queues {
    pub(super) async fn ask(cx: &Context, api: &Api) -> Result<Self> {
        let queues = "SELECT Id, DeveloperName FROM Group WHERE Type = 'Queue'";
        let owners = "SELECT QueueId FROM QueueSobject WHERE SobjectType = 'Case'";
        Ok(Self::of(
            &api.query(cx, queues).await?,
            &api.query(cx, owners).await?,
        ))
    }

    fn of(queues: &[Value], owners: &[Value]) -> Self {
        let owners: HashSet<&str> = owners
            .iter()
            .filter_map(|o| o["QueueId"].as_str())
            .collect();
        let queue = |row: &Value| {
            let id = row["Id"].as_str()?;
            let queue = Queue {
                id: id.to_owned(),
                cases: owners.contains(id),
            };
            Some((row["DeveloperName"].as_str()?.to_lowercase(), queue))
        };
        Self(queues.iter().filter_map(queue).collect())
    }

    /// Developer names are unique, in any case.
    pub(super) fn named(&self, name: &str) -> Option<&Queue> {
        self.0.get(&name.to_lowercase())
    }
}
