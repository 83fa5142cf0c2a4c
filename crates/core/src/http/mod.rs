//! The one place that speaks HTTP for all connectors: limits, retries, redaction, counting.
//!
//! A connector builds one [`Client`] per platform and describes each call as a [`Request`]; the client waits for the
//! rate limit, sends, repeats what may be repeated, and returns an answer or an [`Error`](crate::Error) for people.
//!
//! * What is repeated: a request that is idempotent, after 429, 5xx and broken connections, until the
//!   [`RetryPolicy`] ends. Any other request only where the platform cannot have acted on it: no connection, 429, and
//!   503 with `Retry-After`. A [`Judgement`] refines this per platform.
//! * A request that is not idempotent and whose answer was lost is an error for which [`answer_lost`] is true: the
//!   caller must look whether it took effect.
//! * A link that came from data, an attachment's address or a redirect, gets no credentials on another host, and does not
//!   lead to private addresses unless [`ClientBuilder::allow_private_hosts`] says so.
//! * Every other answer, 401, 403 and 404 among them, is returned: the connector knows the platform's codes.
//!
//! ```no_run
//! use deskferry_core::http::{Client, Limit, Request, SecretString};
//! use deskferry_core::{Context, Result};
//!
//! # async fn example() -> Result<()> {
//! let client = Client::builder("example", "https://desk.example.org/api/v1")
//!     .limit(Limit::per_minute(60))
//!     .build()?;
//! let request = Request::get("cases", "cases.json")
//!     .operation("list cases")
//!     .query("limit", 100)
//!     .secret_header("Authorization", SecretString::new("Bearer …"));
//! let response = client.send(&Context::new(), request).await?;
//! let cases: serde_json::Value = response.json("list cases")?;
//! # Ok(())
//! # }
//! ```

mod body;
mod builder;
mod call;
mod client;
mod delay;
mod exchange;
mod failure;
mod limit;
mod meter;
mod multipart;
mod pager;
mod reach;
mod redact;
mod request;
mod response;
mod retry;
mod retry_after;
mod secret;
mod session;
mod target;
mod transport;
mod wire;

#[cfg(test)]
mod tests;

pub use body::{OpenBody, Part, PartBody};
pub use builder::ClientBuilder;
pub use client::Client;
pub use failure::answer_lost;
pub use limit::{Limit, LimitHeaders, Reset};
pub use meter::{Meter, MeterRow, Outlook};
pub use pager::Pager;
pub use request::{Method, Request};
pub use response::{Headers, Response, StreamResponse};
pub use retry::{Judge, Judgement, RetryPolicy};
pub use secret::SecretString;
pub use session::Session;
pub use target::path_segment;
