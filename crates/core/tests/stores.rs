//! What every store must do, whatever it is made of: one suite for the index, one for the ledger.

mod support;

use std::sync::Arc;

use deskferry_core::amend::Merged;
use deskferry_core::blob::BlobInfo;
use deskferry_core::journal::{Effect, EffectState, Image, Intent, Operation};
use deskferry_core::ledger::{Final, Ledger, LedgerOwner, SqliteLedger};
use deskferry_core::model::{Facts, Meta};
use deskferry_core::sink::{FileState, Verdict};
use deskferry_core::source::{Cursor, Next, Reject, Shard, Skip, Watermark};
use deskferry_core::stage::SqliteIndex;
use deskferry_core::stage::index::{Address, FOR_NOW, Index, NewPage, NewRow, Segment};
use deskferry_core::{ErrorKind, Record, RecordId, RecordKind};
use serde_json::{Value, json};
use support::{account, at, contact, conversation, file, key, mail, tenant};

// ── The index ───────────────────────────────────────────────────────────────────────────────────────────────────────

fn row(record: &Record, line: u32) -> NewRow {
    let mut hash = [0; 16];
    hash[..4].copy_from_slice(&line.to_le_bytes());
    NewRow {
        key: record.key().clone(),
        kind: record.kind(),
        address: Address {
            segment: 1,
            offset: 0,
            length: 10,
            line,
        },
        bytes: 100,
        hash,
        revision: record.meta().revision,
        facts: Facts::of(record),
    }
}

fn new_page(shard: &str, records: &[Record]) -> NewPage {
    NewPage {
        shard: shard.into(),
        rows: records
            .iter()
            .zip(1..)
            .map(|(record, line)| row(record, line))
            .collect(),
        skips: Vec::new(),
        rejects: Vec::new(),
        complete: Vec::new(),
        spawn: Vec::new(),
        notes: Vec::new(),
        next: end(),
        read_at: at(0),
    }
}

fn end() -> Next {
    Next::End(Watermark {
        version: 1,
        place: Value::Null,
    })
}

fn segment(end: u64) -> Segment {
    Segment {
        id: 1,
        kind: RecordKind::Account,
        file: "account-000001.jsonl.zst".into(),
        end,
    }
}

async fn fresh(index: &dyn Index) {
    index.set_tenant(&tenant()).await.unwrap();
    let shard = |id: &str| Shard::new(id, [RecordKind::Account]);
    index
        .add_shards(&[shard("one"), shard("two")])
        .await
        .unwrap();
}

async fn index_suite(index: &dyn Index) {
    fresh(index).await;
    assert_eq!(index.tenant().await.unwrap(), Some(tenant()));

    // A page moves its shard's cursor with its rows, and ends it.
    let mut first = new_page("one", &[account(2), account(1)]);
    first.next = Next::More(Cursor {
        version: 3,
        place: json!({ "page": 2 }),
    });
    first.spawn = vec![Shard::new("three", [RecordKind::Message])];
    index.append(vec![segment(10)], vec![first]).await.unwrap();
    let open = index.open_shards().await.unwrap();
    let names: Vec<&str> = open.iter().map(|s| s.shard.id.as_str()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    assert_eq!(open[0].cursor.as_ref().unwrap().place, json!({ "page": 2 }));
    index
        .append(vec![segment(20)], vec![new_page("one", &[account(3)])])
        .await
        .unwrap();
    assert_eq!(index.open_shards().await.unwrap().len(), 2);
    assert_eq!(index.segments().await.unwrap(), [segment(20)]);
    index
        .add_shards(&[Shard::new("one", [RecordKind::Account])])
        .await
        .unwrap();
    assert_eq!(
        index.open_shards().await.unwrap().len(),
        2,
        "a shard that ended stays ended"
    );

    let among = index.open_among(&["one", "three", "nine"]).await.unwrap();
    let names: Vec<&str> = among.iter().map(|s| s.shard.id.as_str()).collect();
    assert_eq!(names, ["three"], "neither ended nor unknown ones");

    // Keys are found whole; a scan goes by time, then key, and goes on where it was.
    let keys = [
        key(RecordKind::Account, 1),
        key(RecordKind::Account, 9),
        key(RecordKind::Contact, 1),
    ];
    let found = index.find(&keys).await.unwrap();
    assert!(found[0].is_some() && found[1].is_none() && found[2].is_none());
    let scanned = index.scan(&[RecordKind::Account], None, 2).await.unwrap();
    let ids: Vec<&str> = scanned.iter().map(|r| r.source_id.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
    let rest = index
        .scan(&[RecordKind::Account], Some(&scanned[1].place()), 9)
        .await
        .unwrap();
    assert_eq!((rest.len(), rest[0].source_id.as_str()), (1, "3"));

    counts_once(index).await;
    newest_wins(index).await;
    groups_become_ready(index).await;
    what_was_not_read_again(index).await;
}

async fn counts_once(index: &dyn Index) {
    let mut page = new_page("two", &[contact(1)]);
    page.rejects = vec![Reject {
        kind: RecordKind::Contact,
        id: Some("7".into()),
        path: "name".into(),
        reason: "not a text".into(),
        raw: "{}".into(),
    }];
    page.skips = vec![Skip {
        key: key(RecordKind::Contact, 1),
        reason: "test".into(),
    }];
    page.notes = vec!["the list moved".into()];
    page.next = Next::More(Cursor {
        version: 1,
        place: Value::Null,
    });
    index
        .append(vec![], vec![page.clone(), page])
        .await
        .unwrap();
    let counts = index.counts().await.unwrap();
    let contacts = counts
        .iter()
        .find(|(kind, _)| *kind == RecordKind::Contact)
        .unwrap()
        .1;
    assert_eq!(
        (contacts.read, contacts.rejected),
        (1, 1),
        "a page that comes twice counts once"
    );
    assert_eq!(index.rejects(9).await.unwrap().len(), 1);
    assert_eq!(index.notes(9).await.unwrap(), ["the list moved"]);
    let scanned = index.scan(&[RecordKind::Contact], None, 9).await.unwrap();
    assert_eq!(scanned[0].skip.as_deref(), Some("test"));
}

async fn newest_wins(index: &dyn Index) {
    let version = |revision: Option<i64>, line: u32| {
        let Record::Contact(mut c) = contact(5) else {
            unreachable!()
        };
        c.meta = Meta { revision, ..c.meta };
        let record = Record::Contact(c);
        let mut page = new_page("two", &[]);
        page.rows = vec![row(&record, line)];
        page.next = Next::More(Cursor {
            version: 1,
            place: Value::Null,
        });
        page
    };
    let line = |index: Vec<deskferry_core::stage::index::Row>| {
        index
            .iter()
            .find(|r| r.source_id == "5")
            .unwrap()
            .address
            .line
    };
    for (revision, new_line, expected) in [
        (Some(5), 11, 11),
        (Some(4), 12, 11),
        (Some(6), 13, 13),
        (None, 14, 14),
    ] {
        index
            .append(vec![], vec![version(revision, new_line)])
            .await
            .unwrap();
        let scanned = index.scan(&[RecordKind::Contact], None, 9).await.unwrap();
        assert_eq!(line(scanned), expected, "revision {revision:?}");
    }
}

async fn groups_become_ready(index: &dyn Index) {
    let kinds = [RecordKind::Message, RecordKind::Attachment];
    let mut page = new_page(
        "three",
        &[
            conversation(1, None),
            mail(1, 1, None),
            file(1, 1, 3),
            mail(2, 2, None),
        ],
    );
    page.next = Next::More(Cursor {
        version: 1,
        place: Value::Null,
    });
    page.complete = vec![key(RecordKind::Conversation, 1)];
    index.append(vec![], vec![page]).await.unwrap();
    assert!(
        index.ready_groups(0, 9).await.unwrap().is_empty(),
        "its file is not fetched yet"
    );

    let waiting = index.files_to_fetch(RecordId(0), 9).await.unwrap();
    assert_eq!(waiting.len(), 1);
    let staged = FileState::Staged(BlobInfo {
        blake3: "b".repeat(64),
        md5: "m".repeat(32),
        size: 3,
        media_type: Some("image/png".into()),
    });
    index.set_file(waiting[0].id, staged.clone()).await.unwrap();
    let ready = index.ready_groups(0, 9).await.unwrap();
    assert_eq!(ready.len(), 1);
    assert_eq!(index.ready_rows(&kinds, 0).await.unwrap(), 2);
    let rows = index.group_rows(&[ready[0].1], &kinds).await.unwrap();
    assert_eq!(rows.iter().find_map(|r| r.file.clone()), Some(staged));

    // A group that grows is looked at again once it is complete once more.
    let mut more = new_page("three", &[mail(3, 1, Some(1))]);
    more.next = Next::More(Cursor {
        version: 1,
        place: Value::Null,
    });
    index.append(vec![], vec![more.clone()]).await.unwrap();
    more.rows.clear();
    more.complete = vec![key(RecordKind::Conversation, 1)];
    index.append(vec![], vec![more]).await.unwrap();
    assert_eq!(index.ready_rows(&kinds, ready[0].0).await.unwrap(), 3);

    // A file that could not be had may be tried again, and its group waits for it.
    index
        .set_file(waiting[0].id, FileState::Unavailable("404".into()))
        .await
        .unwrap();
    assert_eq!(index.retry_files_for_now().await.unwrap(), 0);
    assert_eq!(index.retry_files().await.unwrap(), 1);
    assert!(index.ready_groups(0, 9).await.unwrap().is_empty());
    index
        .set_file(
            waiting[0].id,
            FileState::Unavailable(format!("{FOR_NOW}503")),
        )
        .await
        .unwrap();
    assert_eq!(index.retry_files_for_now().await.unwrap(), 1);
    assert!(index.ready_groups(0, 9).await.unwrap().is_empty());
    for _ in 0..2 {
        index.note("the same words").await.unwrap();
    }
    assert_eq!(
        index
            .notes(9)
            .await
            .unwrap()
            .iter()
            .filter(|note| *note == "the same words")
            .count(),
        1
    );
    index
        .set_file(waiting[0].id, FileState::Unavailable("404".into()))
        .await
        .unwrap();

    // At the end of the read every group is complete.
    index.complete_all().await.unwrap();
    assert_eq!(index.ready_groups(0, 9).await.unwrap().len(), 2);
}

async fn what_was_not_read_again(index: &dyn Index) {
    let mut again = new_page("two", &[account(2)]);
    again.read_at = at(1_000);
    again.next = Next::More(Cursor {
        version: 1,
        place: Value::Null,
    });
    index.append(vec![], vec![again]).await.unwrap();
    let gone = index
        .not_read_since(RecordKind::Account, at(500), None, 9)
        .await
        .unwrap();
    assert_eq!(
        gone,
        [key(RecordKind::Account, 1), key(RecordKind::Account, 3)]
    );
    let rest = index
        .not_read_since(RecordKind::Account, at(500), Some(&gone[0]), 9)
        .await
        .unwrap();
    assert_eq!(rest, gone[1..]);
}

#[tokio::test]
async fn the_sqlite_index_does_what_every_index_must() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.sqlite");
    index_suite(&SqliteIndex::open(&path).unwrap()).await;
    let reopened = SqliteIndex::open(&path).unwrap();
    assert_eq!(reopened.tenant().await.unwrap(), Some(tenant()));
    assert_eq!(reopened.open_shards().await.unwrap().len(), 2);
}

// ── The ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────

fn image(before: &str, written: &str) -> Image {
    serde_json::from_value(json!({"before": {"Name": before}, "written": {"Name": written}}))
        .unwrap()
}

fn intent(record: i64, row: u32, change: Option<(&str, &str)>) -> Intent {
    Intent {
        record: RecordId(record),
        row,
        object: "Case".into(),
        operation: Operation::Insert,
        request: "r1".into(),
        sent_at: at(5),
        hash: [7; 16],
        image: change.map(|(before, written)| image(before, written)),
    }
}

fn confirmed(record: i64, row: u32, id: &str) -> Effect {
    Effect {
        record: RecordId(record),
        row,
        object: "Case".into(),
        operation: Operation::Insert,
        state: EffectState::Confirmed { id: id.into() },
        hash: [7; 16],
    }
}

async fn ledger_suite(ledger: &dyn Ledger) {
    assert_eq!(ledger.owner().await.unwrap(), None);
    let owner = LedgerOwner {
        target: "00D".into(),
        name: "Org".into(),
        tenant: "lists:acme".into(),
        mark: "m".into(),
        stage: "w".into(),
    };
    ledger.set_owner(&owner).await.unwrap();
    assert_eq!(ledger.owner().await.unwrap(), Some(owner));

    // An intent stands until its effect takes its place; other rows stay.
    ledger
        .intend(vec![
            intent(1, 0, None),
            intent(1, 1, None),
            intent(2, 0, Some(("old", "ours"))),
        ])
        .await
        .unwrap();
    ledger
        .intend(vec![intent(2, 0, Some(("ours", "ours again")))])
        .await
        .unwrap();
    ledger.settle(vec![confirmed(1, 1, "500")]).await.unwrap();
    let effects = ledger.effects(&[RecordId(2), RecordId(1)]).await.unwrap();
    let shape: Vec<_> = effects
        .iter()
        .map(|e| (e.record.0, e.row, e.id()))
        .collect();
    assert_eq!(shape, [(2, 0, None), (1, 0, None), (1, 1, Some("500"))]);
    assert!(
        matches!(&effects[0].state, EffectState::Intended { request, sent_at } if request == "r1" && *sent_at == at(5))
    );
    let images = ledger
        .images(&[(RecordId(2), 0), (RecordId(1), 0)])
        .await
        .unwrap();
    assert_eq!(
        images,
        [Some(image("old", "ours again")), None],
        "what stood there before ours is never overwritten"
    );

    // One outcome per record; a later one replaces it.
    let failed = Verdict::failed("TOO_LONG", "by far");
    let outcomes = vec![
        (RecordId(1), Verdict::Created),
        (RecordId(2), failed.clone()),
        (RecordId(3), Verdict::Held("owner".into())),
        (RecordId(4), Verdict::Unchanged("matched".into())),
    ];
    let outcomes = outcomes.into_iter().map(|(record, verdict)| Final {
        record,
        verdict,
        version: Some(7),
    });
    ledger
        .finish("cases", chrono::Utc::now(), outcomes.collect())
        .await
        .unwrap();
    let read = [
        (RecordId(1), 7),
        (RecordId(4), 8),
        (RecordId(3), 8),
        (RecordId(9), 8),
    ];
    assert_eq!(
        ledger.outdated(&read).await.unwrap(),
        [RecordId(4)],
        "neither the same, nor what does not stand there"
    );
    let found = ledger
        .outcomes(&[RecordId(2), RecordId(9), RecordId(1)])
        .await
        .unwrap();
    assert_eq!(found, [Some(failed), None, Some(Verdict::Created)]);
    assert_eq!(
        ledger.message(RecordId(2)).await.unwrap().as_deref(),
        Some("by far")
    );
    assert_eq!(
        ledger.standing("cases", RecordId(1), 9).await.unwrap(),
        [RecordId(4)]
    );
    let counts = ledger.counts().await.unwrap();
    let shape: Vec<_> = counts
        .iter()
        .map(|c| (c.column.as_str(), c.reason.as_str(), c.count))
        .collect();
    assert_eq!(
        shape,
        [
            ("created", "", 1),
            ("unchanged", "matched", 1),
            ("held", "owner", 1),
            ("failed", "TOO_LONG", 1)
        ]
    );
    let more = (5..=9).rev().map(|n| Final {
        record: RecordId(n),
        verdict: Verdict::Created,
        version: None,
    });
    ledger.finish("mails", at(7), more.collect()).await.unwrap();
    let asked = [RecordId(9), RecordId(99)];
    let times = ledger.finished_at(&asked).await.unwrap();
    assert_eq!(times, [Some(at(7)), None]);
    let counts = ledger.counts().await.unwrap();
    let mails = counts.iter().find(|c| c.phase == "mails").unwrap();
    assert_eq!(
        (mails.count, mails.examples.as_slice()),
        (5, [RecordId(5), RecordId(6), RecordId(7)].as_slice()),
        "the first ones stand as examples"
    );
    assert_eq!(ledger.highest().await.unwrap(), Some(RecordId(9)));
    assert_eq!(
        ledger.reopen("cases").await.unwrap(),
        2,
        "held and failed ones"
    );
    assert_eq!(
        ledger
            .outcomes(&[RecordId(2), RecordId(3), RecordId(4)])
            .await
            .unwrap()
            .iter()
            .flatten()
            .count(),
        1
    );

    // The first claim wins for ever, spaces are apart.
    let claim = |value: &str, record: i64| (value.to_owned(), RecordId(record));
    let winners = ledger
        .claim("mail", &[claim("a", 1), claim("a", 2), claim("b", 2)])
        .await
        .unwrap();
    assert_eq!(winners, [RecordId(1), RecordId(1), RecordId(2)]);
    assert_eq!(
        ledger.claim("mail", &[claim("a", 3)]).await.unwrap(),
        [RecordId(1)]
    );
    assert_eq!(
        ledger.claim("file", &[claim("a", 3)]).await.unwrap(),
        [RecordId(3)]
    );
    let asked = ["b".to_owned(), "c".to_owned()];
    assert_eq!(
        ledger.claimed("mail", &asked).await.unwrap(),
        [Some(RecordId(2)), None]
    );

    // Phases keep their order and can be opened again.
    ledger.open_phase("accounts", at(1)).await.unwrap();
    ledger.open_phase("cases", at(2)).await.unwrap();
    ledger.close_phase("accounts", at(3), true).await.unwrap();
    let phases = ledger.phases().await.unwrap();
    assert_eq!(
        (
            phases[0].phase.as_str(),
            phases[0].closed_at,
            phases[0].passed
        ),
        ("accounts", Some(at(3)), true)
    );
    assert_eq!(
        (phases[1].phase.as_str(), phases[1].closed_at),
        ("cases", None)
    );
    ledger.open_phase("accounts", at(4)).await.unwrap();
    assert_eq!(ledger.phases().await.unwrap()[0].closed_at, None);

    ledger.put("x", &json!([1])).await.unwrap();
    assert_eq!(ledger.get("x").await.unwrap(), Some(json!([1])));
    assert_eq!(ledger.get("y").await.unwrap(), None);
}

#[tokio::test]
async fn the_sqlite_ledger_does_what_every_ledger_must() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    ledger_suite(&SqliteLedger::open(&path).unwrap()).await;
    let reopened: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&path).unwrap());
    assert_eq!(reopened.effects(&[RecordId(1)]).await.unwrap().len(), 2);
}

// ── Files of other versions ─────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_store_of_a_newer_version_or_of_something_else_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    drop(SqliteLedger::open(&path).unwrap());
    let error = SqliteIndex::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(error.to_string().contains("something else"), "{error}");

    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    drop(connection);
    let error = SqliteLedger::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(error.to_string().contains("it has format 99"), "{error}");

    std::fs::write(
        folder.path().join("noise"),
        b"this is no database at all, by far not one",
    )
    .unwrap();
    let error = SqliteLedger::open(&folder.path().join("noise")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
}

#[tokio::test]
async fn a_merged_row_stands_in_another_and_what_was_changed_of_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(&folder.path().join("ledger.sqlite")).unwrap();
    ledger
        .intend(vec![intent(1, 255, Some(("old", "ours")))])
        .await
        .unwrap();
    let changed = Effect {
        operation: Operation::Update,
        ..confirmed(1, 255, "500a")
    };
    let made = [confirmed(1, 0, "500a"), changed, confirmed(2, 0, "500b")];
    ledger.settle(made.to_vec()).await.unwrap();
    let merge = |id: &str, into: &str| Merged {
        id: id.into(),
        into: into.into(),
    };
    let merged = [merge("500a", "500b"), merge("500x", "500y")];
    assert_eq!(ledger.follow(&merged).await.unwrap(), 1);
    let effects = ledger.effects(&[RecordId(1)]).await.unwrap();
    let shape: Vec<_> = effects
        .iter()
        .map(|e| (e.row, e.operation, e.id()))
        .collect();
    assert_eq!(
        shape,
        [(0, Operation::Link, Some("500b"))],
        "another row of ours"
    );
    let images = ledger.images(&[(RecordId(1), 255)]).await.unwrap();
    assert_eq!(images, [None]);
    ledger.follow(&[merge("500b", "500z")]).await.unwrap();
    let effects = ledger.effects(&[RecordId(2)]).await.unwrap();
    assert_eq!(effects[0].operation, Operation::Matched, "a row of others");
}
