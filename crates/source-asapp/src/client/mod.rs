//! ASAPP's API: credentials, pace, and what its refusals mean (ASAPP reference, section 1).

mod configuration;
mod conversations;
mod day;

use std::path::PathBuf;
use std::time::Duration;

use deskferry_core::http::{
    Client, Limit, Request, Response, RetryPolicy, SecretString, StreamResponse,
};
use deskferry_core::{Context, Error, ErrorKind, Result};
use serde_json::Value;

pub(crate) use configuration::Configuration;
pub(crate) use conversations::About;
use day::Day;

/// How to reach it.
pub(crate) struct Reach {
    pub(crate) url: String,
    pub(crate) api_id: String,
    pub(crate) api_secret: SecretString,
    pub(crate) per_second: u32,
    pub(crate) per_day: u64,
    pub(crate) allow_plain_http: bool,
    pub(crate) allow_private_hosts: bool,
    /// Where the requests of a day are counted.
    pub(crate) work: PathBuf,
}

/// The API with one key.
pub(crate) struct Api {
    client: Client,
    reach: Reach,
    day: Day,
}

/// Endpoints that the limits count; files lie elsewhere.
const COUNTED: &[&str] = &[
    "health",
    "listfeeds",
    "listfeedversions",
    "listfeedformats",
    "listfeeddates",
    "listfeedintervals",
    "listfeedfiles",
    "getfeedfile",
    "segments",
    "structured-data-fields",
    "redaction-entities",
    "custom-vocabularies",
    "conversation",
    "conversation-messages",
    "free-text-summaries",
    "structured-data",
    "intent",
];

impl Api {
    pub(crate) fn new(reach: Reach) -> Result<Self> {
        let second = Duration::from_secs(1);
        // Three repeats, and then it is over: hammering on 429 ends in a revoked token (ASAPP reference, section 1.3).
        let retry = RetryPolicy::default()
            .max_attempts(4)
            .delays(second, second * 4);
        let client = Client::builder(crate::PLATFORM, &reach.url)
            .allow_plain_http(reach.allow_plain_http)
            .allow_private_hosts(reach.allow_private_hosts)
            .limit(
                Limit::per_second(reach.per_second)
                    .concurrent(usize::try_from(day::AT_ONCE).unwrap_or(1))
                    .per_day(reach.per_day)
                    .only(COUNTED),
            )
            .retry(retry)
            .build()?;
        Ok(Self {
            client,
            day: Day::new(&reach.work, reach.per_day),
            reach,
        })
    }

    /// Asks whether the API works and takes the key. The body says it, not only the status (ASAPP reference, section 1.4).
    pub(crate) async fn health(&self, cx: &Context) -> Result<()> {
        const ASK: &str = "ask ASAPP whether it works";
        let answer = self
            .answered(cx, Request::get("health", "v1/health"), ASK)
            .await?;
        match answer.get("healthCheck").and_then(Value::as_str) {
            Some("SUCCESS") => Ok(()),
            other => Err(Error::new(
                ErrorKind::Unavailable,
                ASK,
                format!("it says {}", other.unwrap_or("nothing")),
            )
            .advise("Look at https://status.asapp.com, and try again later")),
        }
    }

    /// Requests a second.
    pub(crate) fn pace(&self) -> u64 {
        u64::from(self.reach.per_second.max(1))
    }

    /// How many requests may be on their way at once.
    pub(crate) fn at_once() -> usize {
        usize::try_from(day::AT_ONCE).unwrap_or(1)
    }

    /// What asking about conversations takes, against what is left of this day.
    pub(crate) fn takes(&self, cx: &Context, requests: u64) -> String {
        let left = self
            .reach
            .per_day
            .saturating_sub(self.day.used(cx, sent(cx)));
        match requests
            .saturating_sub(left)
            .div_ceil(self.reach.per_day.max(1))
        {
            0 => format!("about {requests} requests, which fit into today"),
            more => format!(
                "about {requests} requests, which take {} days (UTC), with a stop at the end of each that `resume` goes on from",
                more + 1
            ),
        }
    }

    /// What people should know of its limits before anything is read: what a read takes at least, against what a day and a second may see.
    pub(crate) fn told(&self, cx: &Context, least: u64) -> Vec<String> {
        let (per_second, per_day) = (self.reach.per_second, self.reach.per_day);
        let used = self.day.used(cx, sent(cx));
        let left = per_day.saturating_sub(used);
        let seconds = least.div_ceil(self.pace());
        let days = 1 + least.saturating_sub(left).div_ceil(per_day.max(1));
        let plan = match days {
            1 => "fits into today".to_owned(),
            days => format!(
                "takes {days} days (UTC), with a stop at the end of each that `resume` goes on from"
            ),
        };
        vec![
            format!(
                "API: at most {per_second} requests a second (spike arrest is at 100) and {per_day} a day, as configured; ASAPP tells neither. Of today's {used} are used"
            ),
            format!(
                "API: reading everything takes about {least} requests by the newest day of each feed, {seconds} seconds at that pace, and {plan}"
            ),
        ]
    }

    /// The JSON of an answer.
    ///
    /// # Errors
    /// `Quota` where the day is used up; what the API refused; it cannot be reached.
    pub(crate) async fn answered(
        &self,
        cx: &Context,
        request: Request,
        operation: &'static str,
    ) -> Result<Value> {
        self.day.take(cx, sent(cx))?;
        let request = request
            .operation(operation)
            .secret_header("asapp-api-id", SecretString::new(self.reach.api_id.clone()))
            .secret_header("asapp-api-secret", self.reach.api_secret.clone());
        let response = self.client.send(cx, request).await?;
        if response.is_success() {
            return response.json(operation);
        }
        Err(refused(&response, operation))
    }

    /// Bytes of another host: it gets no credentials, and no limit counts it.
    ///
    /// # Errors
    /// It cannot be reached.
    pub(crate) async fn elsewhere(&self, cx: &Context, request: Request) -> Result<StreamResponse> {
        self.client.stream(cx, request).await
    }
}

/// Requests of this process that the limits count, repeats included.
fn sent(cx: &Context) -> u64 {
    let rows = cx.meter().snapshot();
    let ours = rows
        .iter()
        .filter(|row| row.platform == crate::PLATFORM && COUNTED.contains(&row.endpoint.as_str()));
    ours.map(|row| row.requests).sum()
}

/// An answer that is none. Subcodes have no documented meaning, the number of the request has (ASAPP reference, section 1.2).
fn refused(response: &Response, operation: &'static str) -> Error {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |name: &str| {
        body.pointer(&format!("/error/{name}"))
            .and_then(Value::as_str)
    };
    let (kind, advice) = match response.status {
        401 => (
            ErrorKind::Credentials,
            "Check `api_id` and `api_secret`; if they worked before, ASAPP may have revoked the key: ask its service desk before trying again",
        ),
        403 => (
            ErrorKind::Forbidden,
            "ASAPP's products are off by default: ask it to enable this one for this key",
        ),
        404 => (
            ErrorKind::NotFound,
            "Run `resume`: lists are asked for anew",
        ),
        _ => (
            ErrorKind::Refused,
            "Give ASAPP's support the number of the request",
        ),
    };
    let message = text("message").map_or_else(|| response.text_snippet(), str::to_owned);
    let error = Error::new(kind, operation, message).with("status", response.status);
    match text("requestId") {
        Some(id) => error.with("request", id.to_owned()),
        None => error,
    }
    .advise(advice)
}
