//! Names of rules: audits are the only public trace of them (Trengo reference, sections 3.1 and 10).

use deskferry_core::RecordKind;
use deskferry_core::model::{InventoryItem, InventoryKind, InventoryPart, Meta, Named};
use serde_json::{Value, json};

use super::Ground;
use crate::wire::Row;

/// What stands before a rule's name, in the languages in which audits are written.
const BEFORE: [&str; 7] = [
    " by rule ",
    " door regel ",
    " durch regel ",
    " par la règle ",
    " por la regla ",
    " dalla regola ",
    " pela regra ",
];

/// The rules that the audits of a ticket name, each with what it did there.
pub(crate) fn rules(ground: &Ground, detail: Row<'_>) -> Vec<InventoryItem> {
    let mut found: Vec<InventoryItem> = Vec::new();
    for audit in detail.list("audits").into_iter().map(Row) {
        let Some((did, name)) = audit.text("message").and_then(|text| named(&text)) else {
            continue;
        };
        let item = rule(ground, audit, &name, did);
        if !found.iter().any(|known| known.meta.key == item.meta.key) {
            found.push(item);
        }
    }
    found
}

fn rule(ground: &Ground, audit: Row<'_>, name: &str, did: String) -> InventoryItem {
    // No number of a rule is shown anywhere: its name is all there is.
    let id = format!("rule-{}", name.to_lowercase());
    let event = audit.text("audit_type").unwrap_or_default();
    let part = |title: &str, line: String| InventoryPart {
        title: title.to_owned(),
        lines: vec![line],
    };
    let mut parts = vec![part("actions", did)];
    if !event.is_empty() {
        parts.insert(0, part("trigger", format!("seen at {event}")));
    }
    InventoryItem {
        meta: Meta::new(ground.tenant.key(RecordKind::InventoryItem, id)),
        kind: Named::new(InventoryKind::Automation, "rule"),
        name: name.to_owned(),
        active: None,
        parts,
        definition: json!({"name": name, "known_by": "audits", "audit_type": event, "definition": Value::Null}),
    }
}

/// What a rule did, and its name: `Label X added by rule Y at 03-02-2026, 10:40`.
fn named(text: &str) -> Option<(String, String)> {
    let lower = text.to_lowercase();
    let (at, before) = BEFORE
        .iter()
        .find_map(|before| Some((lower.find(before)?, before)))?;
    // Lower case may be longer in some scripts; then the place is not the same, and nothing is read.
    let did = text.get(..at)?.trim();
    let rest = text.get(at + before.len()..)?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let is_day = |word: &&str| {
        word.len() >= 8 && word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('-')
    };
    let end = words.iter().position(is_day).map_or(words.len(), |day| {
        let is_short = |word: &&str| word.chars().count() <= 3;
        day - usize::from(day > 1 && words.get(day - 1).is_some_and(is_short))
    });
    let name = words[..end].join(" ");
    let name = name.trim_matches(['"', '\'', '“', '”', '.', ',']);
    (!name.is_empty()).then(|| (did.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_named_in_any_language_of_audits() {
        for (text, did, name) in [
            (
                "Label Returns added by rule Triage 2 at 03-02-2026, 10:40",
                "Label Returns added",
                "Triage 2",
            ),
            (
                "Label Retour toegevoegd door regel \"Naar retour\" op 03-02-2026, 10:40",
                "Label Retour toegevoegd",
                "Naar retour",
            ),
            ("Zugewiesen durch Regel Nachts", "Zugewiesen", "Nachts"),
        ] {
            assert_eq!(
                named(text),
                Some((did.to_owned(), name.to_owned())),
                "{text}"
            );
        }
        for text in [
            "Label X added by Ann at 03-02-2026",
            "by rule ",
            "",
            "İ by rule X",
        ] {
            let _ = named(text);
        }
        assert_eq!(named("Label X added by Ann at 03-02-2026, 10:40"), None);
    }
}
