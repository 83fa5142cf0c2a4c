//! What webhooks would have told, as somebody who keeps them would have it (Trengo reference, section 4).

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use serde_json::json;
use url::form_urlencoded;

/// The secret with which the one webhook signs.
pub(super) const SECRET: &str = "signing-secret-of-the-webhook";

/// Deliveries so far.
#[derive(Debug, Default)]
pub(super) struct Hooks(Mutex<Vec<String>>);

impl Hooks {
    /// Delivers an event: form-encoded, all values text, signed over time and body.
    pub(super) fn tell(&self, at: DateTime<Utc>, members: &[(&str, String)]) {
        let mut body = form_urlencoded::Serializer::new(String::new());
        for (name, value) in members {
            body.append_pair(name, value);
        }
        let (body, at) = (body.finish(), at.timestamp());
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
        let hex: String = tag
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let line = json!({"signature": format!("{at};{hex}"), "body": body});
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.to_string());
    }

    /// All of them, one a line.
    pub(super) fn archive(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
