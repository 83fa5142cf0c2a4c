//! What the org may use up, and what is left of it (Salesforce transport reference, section 3.4).

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::engine::Ctx;
use super::options::OrgSettings;

/// One of the org's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The allocation.
    pub max: u64,
    /// What is left of it when the org starts.
    pub remaining: u64,
}

/// The allocations of an org that was told nothing else.
const USUAL: [(&str, u64); 11] = [
    ("DailyBulkApiBatches", 15_000),
    ("DailyBulkV2QueryJobs", 10_000),
    ("DailyBulkV2QueryFileStorageMB", 976_562),
    ("DataStorageMB", 10_240),
    ("FileStorageMB", 112_640),
    ("SingleEmail", 5_000),
    ("MassEmail", 5_000),
    ("DailyWorkflowEmails", 100_000),
    ("DailyAsyncApexExecutions", 250_000),
    ("HourlyPublishedPlatformEvents", 250_000),
    ("HourlyTimeBasedWorkflow", 1_000),
];

impl OrgSettings {
    pub(crate) fn limit(&self, name: &str) -> Limit {
        let usual = || {
            let max = USUAL.iter().find(|(known, _)| *known == name);
            let max = max.map_or(u64::MAX, |(_, max)| *max);
            Limit {
                max,
                remaining: max,
            }
        };
        self.limits.get(name).copied().unwrap_or_else(usual)
    }
}

/// The body of `GET limits`.
pub(crate) fn shown(ctx: &Ctx<'_>) -> Value {
    let (settings, engine) = (ctx.settings(), ctx.engine);
    let mut all = Map::new();
    let max = settings.daily_api_requests;
    let used = engine.api_calls.load(Ordering::Relaxed);
    all.insert(
        "DailyApiRequests".into(),
        pair(max, max.saturating_sub(used)),
    );
    let known = USUAL.iter().map(|(name, _)| *name);
    for name in known.chain(settings.limits.keys().map(String::as_str)) {
        let limit = settings.limit(name);
        let used = match name {
            "DailyBulkApiBatches" => engine.bulk.batches.load(Ordering::Relaxed),
            "DailyBulkV2QueryJobs" => engine.bulk.query_jobs.load(Ordering::Relaxed),
            _ => 0,
        };
        all.insert(
            name.to_owned(),
            pair(limit.max, limit.remaining.saturating_sub(used)),
        );
    }
    let custom = pair(1_000, 1_000);
    all.insert(
        "PermissionSets".into(),
        json!({"Max": 1_500, "Remaining": 1_499, "CreateCustom": custom}),
    );
    Value::Object(all)
}

fn pair(max: u64, remaining: u64) -> Value {
    json!({"Max": max, "Remaining": remaining})
}
