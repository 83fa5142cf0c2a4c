//! Workspaces that earlier formats left behind are opened and gone on with.
//!
//! `fixtures/workspace-v1` was written by the last Deskferry of format 1, in the middle of a load, and so on. Databases are kept compressed
//! (`zstd -d`). When a format changes, the fixture of the format before it is written first, by the code that still has it:
//!
//! ```text
//! cargo test -p deskferry-core --test formats -- --ignored
//! ```

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deskferry_core::ledger::{Ledger, SqliteLedger};
use deskferry_core::migration::{Migration, Workspace};
use deskferry_core::source::{Reject, Shard, Skip};
use deskferry_core::stage::SqliteIndex;
use deskferry_core::stage::index::Index;
use deskferry_core::{Context, RecordKind};
use support::{Lists, Maps, Org, account, contact, conversation, file, key, mail, page};

/// The formats that databases have now.
const NOW: &str = "v3";

/// One of each: a record that a target gets, one that is skipped, one that is refused, a rejected row, a note, a file.
fn small() -> Lists {
    use RecordKind as K;
    let mut people = page(vec![contact(1), contact(2)]);
    people.skips = vec![Skip {
        key: key(K::Contact, 2),
        reason: "test".into(),
    }];
    people.rejects = vec![Reject {
        kind: K::Contact,
        id: Some("3".into()),
        path: "name".into(),
        reason: "not a text".into(),
        raw: "{}".into(),
    }];
    people.notes = vec!["the list moved".into()];
    let mut posts = page(vec![
        mail(11, 1, None),
        file(12, 1, 3),
        mail(13, 1, Some(11)),
        mail(21, 2, None),
    ]);
    posts.complete = vec![key(K::Conversation, 1), key(K::Conversation, 2)];
    let cases = page(vec![conversation(1, None), conversation(2, Some(1))]);
    Lists {
        shards: vec![
            (
                Shard::new("accounts", [K::Account]),
                vec![page(vec![account(1)])],
            ),
            (Shard::new("people", [K::Contact]), vec![people]),
            (Shard::new("cases", [K::Conversation]), vec![cases]),
            (
                Shard::new("posts", [K::Message, K::Attachment]),
                vec![posts],
            ),
        ],
        files: [(12, b"f12".to_vec())].into(),
        ..Lists::default()
    }
}

fn migration(folder: &Path, org: &Arc<Org>) -> (Migration, Arc<Maps>) {
    let workspace = Workspace::open(folder).unwrap();
    let sink = Arc::new(Maps::new("00D1", org));
    (
        Migration::new(workspace, Arc::new(small()), Arc::clone(&sink) as _),
        sink,
    )
}

fn fixture(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(format!("workspace-{version}"))
}

/// From the name and bytes of a file to those of its copy.
type Change = dyn Fn(&str, Vec<u8>) -> Option<(String, Vec<u8>)>;

/// Copies a folder; `change` says under which name and with which bytes a file goes on, or that it is left out.
fn copy(from: &Path, to: &Path, change: &Change) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name), change);
        } else if let Some((name, bytes)) = change(name, std::fs::read(&path).unwrap()) {
            std::fs::write(to.join(name), bytes).unwrap();
        }
    }
}

fn unpacked(version: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture(version), folder.path(), &|name, bytes| {
        Some(match name.strip_suffix(".sqlite.zst") {
            Some(stem) => (
                format!("{stem}.sqlite"),
                zstd::decode_all(bytes.as_slice()).unwrap(),
            ),
            None => (name.to_owned(), bytes),
        })
    });
    folder
}

#[tokio::test]
async fn workspaces_of_earlier_formats_are_brought_up_to_date_and_gone_on_with() {
    for version in ["v1", "v2"] {
        is_gone_on_with(version).await;
    }
}

async fn is_gone_on_with(version: &str) {
    let folder = unpacked(version);
    let org = Arc::new(Org::default());
    let (migration, _) = migration(folder.path(), &org);
    let report = migration.resume(&Context::new()).await.unwrap();
    assert!(report.complete, "{report:?}");
    let written: Vec<String> = org.rows.lock().unwrap().keys().cloned().collect();
    let sent_without_answer = [
        "lists:acme:attachment:12#0",
        "lists:acme:message:11#0",
        "lists:acme:message:13#0",
        "lists:acme:message:21#0",
    ];
    assert_eq!(written, sent_without_answer, "what was done is done");
    assert_eq!((report.rejects.len(), report.notes.len()), (1, 1));

    let stage = folder.path().join("stage");
    let index = SqliteIndex::open(&stage.join("index.sqlite")).unwrap();
    let ledger = folder.path().join("targets/Org-00D1/ledger.sqlite");
    let owner = SqliteLedger::open(&ledger).unwrap().owner().await.unwrap();
    assert_eq!(owner.unwrap().stage, index.word().await.unwrap());
    let before = if version == "v1" { "v1" } else { "v2" };
    assert!(
        ledger
            .with_file_name(format!("ledger.{before}.backup"))
            .exists()
    );
}

#[tokio::test]
async fn a_copy_before_a_change_of_format_that_was_cut_off_is_made_again() {
    let folder = unpacked("v1");
    let stage = folder.path().join("stage");
    std::fs::write(stage.join("index.v1.unfinished"), b"half of a").unwrap();
    drop(SqliteIndex::open(&stage.join("index.sqlite")).unwrap());
    assert_eq!(version_of(&stage.join("index.v1.backup")), 1);
    assert!(!stage.join("index.v1.unfinished").exists());
}

/// As after a death between the copy and the change.
#[tokio::test]
async fn a_copy_that_is_there_before_a_change_of_format_is_no_obstacle() {
    let folder = unpacked("v1");
    let stage = folder.path().join("stage");
    std::fs::copy(stage.join("index.sqlite"), stage.join("index.v1.backup")).unwrap();
    drop(SqliteIndex::open(&stage.join("index.sqlite")).unwrap());
    assert_eq!(version_of(&stage.join("index.sqlite")), 3);
}

fn version_of(database: &Path) -> i64 {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}

/// Ends the load between sending and settling: intents stand without effects.
#[tokio::test]
#[ignore = "writes a fixture of the formats in use"]
async fn write_the_fixture_of_the_formats_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let org = Arc::new(Org::default());
    {
        let (migration, sink) = migration(folder.path(), &org);
        let refused = key(RecordKind::Contact, 1).to_string();
        sink.refuse.lock().unwrap().insert(refused);
        sink.lose_answer.store(5, Ordering::SeqCst);
        migration.run(&Context::new()).await.unwrap_err();
    }
    close(folder.path());
    let fixture = fixture(NOW);
    assert!(!fixture.exists(), "{} is there", fixture.display());
    copy(folder.path(), &fixture, &|name, bytes| match name {
        "lock" | "report.html" => None,
        name if name.ends_with("-wal") || name.ends_with("-shm") => None,
        name if name.ends_with(".sqlite") => Some((
            format!("{name}.zst"),
            zstd::encode_all(bytes.as_slice(), 19).unwrap(),
        )),
        name => Some((name.to_owned(), bytes)),
    });
}

/// Brings what stands in the logs of the databases into their files.
fn close(folder: &Path) {
    let mut databases = vec![folder.join("stage/index.sqlite")];
    for target in std::fs::read_dir(folder.join("targets")).unwrap() {
        databases.push(target.unwrap().path().join("ledger.sqlite"));
    }
    for database in databases {
        let connection = rusqlite::Connection::open(database).unwrap();
        let settle = "PRAGMA busy_timeout=5000; PRAGMA wal_checkpoint(TRUNCATE);";
        connection.execute_batch(settle).unwrap();
    }
}
