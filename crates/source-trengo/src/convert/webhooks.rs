//! Received webhooks that somebody kept: which tickets changed, without asking (Trengo reference, section 4).

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use serde_json::Value;

use crate::wire::Row;

/// What an archive tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Archive {
    /// Tickets of which something was told.
    pub(crate) tickets: BTreeSet<u64>,
    /// Tickets that were merged away, each with the one that has its messages now.
    pub(crate) merged: Vec<(u64, u64)>,
    /// Deliveries whose signature is none of this workspace, and lines that are no delivery.
    pub(crate) refused: u64,
    /// When the latest was signed, in seconds since 1970.
    pub(crate) latest: Option<i64>,
}

/// Reads an archive: a JSON object a line with the header `Trengo-Signature` as `signature` and the raw `body`. What was signed
/// before `since` does not count.
pub(crate) fn archive(text: &str, secrets: &[String], since: i64) -> Archive {
    let keys: Vec<hmac::Key> = secrets
        .iter()
        .map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
        .collect();
    let mut archive = Archive::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some((at, body)) = delivery(line, &keys) else {
            archive.refused += 1;
            continue;
        };
        archive.latest = archive.latest.max(Some(at));
        if at < since {
            continue;
        }
        let told = members(&body);
        let Some(ticket) = Row(&told).reference("ticket_id") else {
            continue;
        };
        archive.tickets.insert(ticket);
        if let Some(gone) = Row(&told).reference("merged_and_deleted_ticket_id") {
            archive.merged.push((gone, ticket));
        }
    }
    for (gone, _) in &archive.merged {
        archive.tickets.remove(gone);
    }
    archive
}

/// When it was signed, and what it says; nothing where nobody with one of the secrets signed it.
fn delivery(line: &str, keys: &[hmac::Key]) -> Option<(i64, String)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let signature =
        Row(&line).first_text(&["signature", "Trengo-Signature", "trengo-signature"])?;
    let body = Row(&line).text("body")?;
    let (at, tag) = signature.split_once(';')?;
    let tag = bytes_of(tag.trim())?;
    let message = format!("{}.{body}", at.trim());
    keys.iter()
        .any(|key| hmac::verify(key, message.as_bytes(), &tag).is_ok())
        .then_some((at.trim().parse().ok()?, body))
}

/// Members of a body: form-encoded as documented, or JSON.
fn members(body: &str) -> Value {
    if let Ok(json @ Value::Object(_)) = serde_json::from_str(body) {
        return json;
    }
    let pairs = url::form_urlencoded::parse(body.as_bytes());
    pairs
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    if !digits.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of an archive, signed as the platform does.
    fn line(secret: &str, at: i64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
        let hex: String = tag
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        serde_json::json!({"signature": format!("{at};{hex}"), "body": body}).to_string()
    }

    #[test]
    fn a_signature_is_that_of_the_published_recipe() {
        // HMAC-SHA256 of `1700000000.ticket_id=7` with the key `secret`, reckoned by another implementation.
        let tag = "d48637b1a70ece8ebe3ea0620994cf55cb4f665322887bbc2ce0d84780e82f71";
        let told = |tag: &str| {
            serde_json::json!({"signature": format!("1700000000;{tag}"), "body": "ticket_id=7"})
                .to_string()
        };
        let secrets = ["secret".to_owned()];
        assert_eq!(archive(&told(tag), &secrets, 0).tickets, [7].into());
        assert_eq!(
            archive(&told(&tag.replace('d', "e")), &secrets, 0).refused,
            1
        );
        let signed = line("secret", 1_700_000_000, "ticket_id=7");
        assert_eq!(archive(&signed, &secrets, 0).tickets, [7].into());
    }

    #[test]
    fn tickets_are_named_by_what_is_signed_and_by_nothing_else() {
        let lines = [
            line("one", 90, "ticket_id=1&message=old"),
            line(
                "one",
                100,
                "ticket_id=2&message_id=3900000003&message=Hi+there",
            ),
            line("two", 130, r#"{"ticket_id":"3"}"#),
            line("two", 120, "ticket_id=4&merged_and_deleted_ticket_id=2"),
            line("three", 140, "ticket_id=5"),
            line("one", 110, "user_id=9"),
            "no delivery".to_owned(),
            line("one", 100, "ticket_id=6").replace("ticket_id=6", "ticket_id=7"),
            serde_json::json!({"signature": "100", "body": "ticket_id=8"}).to_string(),
            serde_json::json!({"signature": "100;zz", "body": "ticket_id=8"}).to_string(),
        ];
        let secrets = ["one".to_owned(), "two".to_owned()];
        let found = archive(&lines.join("\n"), &secrets, 100);
        assert_eq!(found.tickets, [3, 4].into());
        assert_eq!(found.merged, [(2, 4)]);
        assert_eq!((found.refused, found.latest), (5, Some(130)));
    }
}
