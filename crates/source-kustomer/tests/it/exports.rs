//! Files that the helpdesk gave away, beside what its API shows.

use std::fs;

use deskferry_core::{Record, RecordKind};
use deskferry_rehearsal::kustomer::Kustomer as Desk;
use serde_json::{Value, json};

use crate::harness::{Reader, config, desk, options, read_all, source};

/// Two events on a conversation that the API shows, and what was said in one that it does not.
fn events(desk: &Desk, known: &str) -> String {
    let _ = desk;
    let event = |name: &str, data: Value| {
        json!({"name": format!("kustomer.{name}"), "data": data}).to_string()
    };
    let row = |kind: &str, id: &str, attributes: Value| {
        json!({"type": kind, "id": id, "attributes": attributes, "relationships": {
            "customer": {"data": {"type": "customer", "id": "5f02000000000000000000ff"}},
            "conversation": {"data": {"type": "conversation", "id": "5f07000000000000000000ff"}},
        }})
    };
    let at = |day: u32| format!("2021-03-{day:02}T10:00:00.000Z");
    [
        event("conversation.create", row("conversation", known, json!({"name": "of the archive", "rev": 1, "createdAt": at(1), "updatedAt": at(1)}))),
        event("conversation.create", row("conversation", "5f07000000000000000000ff", json!({"name": "gone", "rev": 1, "createdAt": at(1), "updatedAt": at(2)}))),
        event("message.create", row("message", "5f08000000000000000000f1", json!({"channel": "chat", "preview": "hello", "rev": 1, "sentAt": at(2), "createdAt": at(2)}))),
        event("note.create", row("note", "5f08000000000000000000f2", json!({"body": "a note", "rev": 1, "createdAt": at(3)}))),
        event("message.create", row("message", "5f08000000000000000000f3", json!({"channel": "chat", "preview": "never mind", "rev": 1, "sentAt": at(4), "createdAt": at(4)}))),
        event("message.delete", row("message", "5f08000000000000000000f3", json!({"channel": "chat", "preview": "never mind", "rev": 2, "sentAt": at(4), "createdAt": at(4)}))),
        event("work_item.update", row("work_item", "5f20000000000000000000f1", json!({"createdAt": at(5)}))),
        "{\"name\":\"kustomer.message.create\",\"data\"".to_owned(),
    ]
    .join("\n")
}

fn coverage(reader: &Reader, kind: &str) -> Vec<String> {
    let mut items = reader.records.values().filter_map(|record| match record {
        Record::InventoryItem(item) if item.kind.raw == "coverage" && item.name == kind => {
            Some(item)
        }
        _ => None,
    });
    items.next().unwrap().parts[1].lines.clone()
}

#[tokio::test]
async fn exports_add_what_the_api_has_no_more_and_change_nothing_that_it_has() {
    let desk = desk(options(12)).await;
    let alone = read_all(&source(config(&desk))).await.unwrap();
    let known = alone.conversations().next().unwrap().clone();
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("2021-03.jsonl"),
        events(&desk, known.meta.key.id()),
    )
    .unwrap();
    fs::write(
        folder.path().join("conversations.csv"),
        format!("id,name,createdAt,customerId\n{},of the table,2021-05-01T00:00:00Z,5f02\n5f07000000000000000000fe,old,2021-05-02T00:00:00Z,5f02000000000000000000fe\n", known.meta.key.id()),
    )
    .unwrap();
    let both = read_all(&source(config(&desk).exports(folder.path())))
        .await
        .unwrap();

    for (key, record) in &alone.records {
        if record.kind() != RecordKind::InventoryItem {
            assert_eq!(
                both.records.get(key),
                Some(record),
                "the API's word counts more"
            );
        }
    }
    let new: Vec<&Record> = both
        .records
        .iter()
        .filter(|(key, _)| !alone.records.contains_key(*key))
        .map(|(_, record)| record)
        .collect();
    let count = |kind| new.iter().filter(|record| record.kind() == kind).count();
    assert_eq!(count(RecordKind::Conversation), 2);
    assert_eq!(count(RecordKind::Message), 3);
    let deleted: Vec<_> = both
        .skips
        .iter()
        .filter(|skip| skip.reason == "deleted")
        .collect();
    let expected = alone
        .skips
        .iter()
        .filter(|skip| skip.reason == "deleted")
        .count()
        + 1;
    assert_eq!(deleted.len(), expected, "{deleted:?}");
    assert_eq!(both.rejects.len(), alone.rejects.len() + 1);
    assert_eq!(
        both.rejects
            .iter()
            .filter(|one| one.path == "2021-03.jsonl:8")
            .count(),
        1
    );
    assert!(
        both.notes
            .iter()
            .any(|note| note.contains("1 rows of other kinds")),
        "{:?}",
        both.notes
    );

    let gaps = coverage(&both, "messages");
    assert!(gaps[0].ends_with("before 2021-03-01"), "{gaps:?}");
    assert!(
        gaps.last().unwrap().ends_with("after 2021-03-04"),
        "{gaps:?}"
    );
    assert!(coverage(&alone, "messages")[0].ends_with("at all times"));
    assert!(coverage(&alone, "notes on customers")[0].contains("two years (before 20"));
}
