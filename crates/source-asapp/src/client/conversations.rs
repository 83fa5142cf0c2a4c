//! What is asked about one conversation: the Conversation and AutoSummary APIs (ASAPP reference, sections 4.1 and 4.2).

use deskferry_core::http::{Request, path_segment};
use deskferry_core::{Context, Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::Api;
use crate::tables::Family;

const READ: &str = "ask about a conversation";
const MAKE: &str = "have a conversation summarised";

/// A conversation by its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) family: Family,
    pub(crate) id: &'a str,
}

/// A conversation that is not there any more, or never was in this environment, is none: how long they are kept is told nowhere.
fn or_none<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Api {
    /// Whose conversation it is, and what was sent along with it; no times, no state.
    ///
    /// # Errors
    /// As of [`Api::answered`].
    pub(crate) async fn conversation(&self, cx: &Context, id: &str) -> Result<Option<Value>> {
        let path = format!("conversation/v1/conversations/{}", path_segment(id));
        or_none(
            self.answered(cx, Request::get("conversation", path), READ)
                .await,
        )
    }

    /// Its messages, in the order in which they were said.
    ///
    /// # Errors
    /// As of [`Api::answered`]; an answer without a list.
    pub(crate) async fn messages(&self, cx: &Context, id: &str) -> Result<Option<Vec<Value>>> {
        let path = format!(
            "conversation/v1/conversations/{}/messages",
            path_segment(id)
        );
        let request = Request::get("conversation-messages", path);
        let Some(mut answer) = or_none(self.answered(cx, request, READ).await)? else {
            return Ok(None);
        };
        match answer.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(Some(items)),
            _ => Err(Error::decode(READ, "items", "there is no list")),
        }
    }

    /// A summary, an extraction or an intent that is made now: `call` is `free-text-summaries`, `structured-data` or `intent`. Each call makes a
    /// new one.
    ///
    /// # Errors
    /// As of [`Api::answered`].
    pub(crate) async fn made(
        &self,
        cx: &Context,
        call: &'static str,
        about: About<'_>,
    ) -> Result<Option<Value>> {
        let body = match about.family {
            Family::Services => json!({ "conversationId": about.id }),
            Family::Messaging => json!({ "issueId": about.id }),
        };
        let request = Request::post(call, format!("autosummary/v1/{call}")).json(&body);
        or_none(self.answered(cx, request, MAKE).await)
    }
}
