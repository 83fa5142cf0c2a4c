//! What was read once is loaded again from the stage, and a stage takes what any source brings.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deskferry_core::migration::{self, Migration, Silent, Workspace};
use deskferry_core::pipeline::Pipeline;
use deskferry_core::source::{Reject, Scope, Shard, Skip};
use deskferry_core::staged::{StageSink, StageSource};
use deskferry_core::{Context, ErrorKind, RecordKind, Source};
use futures::TryStreamExt;
use support::{Lists, Maps, Org, SAMPLE, contact, key, mail, page, sample, tenant};

async fn extract(folder: &Path, source: Lists) -> deskferry_core::Result<()> {
    let workspace = Workspace::open(folder).unwrap();
    migration::extract(
        &Context::new(),
        &workspace,
        Arc::new(source),
        Arc::new(Silent),
    )
    .await
}

fn load(from: StageSource, workspace: &Path, org: &Arc<Org>) -> Migration {
    let workspace = Workspace::open(workspace).unwrap();
    Migration::new(workspace, Arc::new(from), Arc::new(Maps::new("00D1", org)))
}

/// Rows and what stands in them, without the order of their arrival.
fn shown(org: &Org) -> Vec<(String, Option<String>, String)> {
    let rows = org.rows.lock().unwrap();
    rows.iter()
        .map(|(id, row)| (id.clone(), row.parent.clone(), row.text.clone()))
        .collect()
}

async fn direct(source: Lists) -> Arc<Org> {
    let (folder, org) = (tempfile::tempdir().unwrap(), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let workspace = Workspace::open(folder.path()).unwrap();
    let migration = Migration::new(workspace, Arc::new(source), sink);
    migration.run(&Context::new()).await.unwrap();
    org
}

#[tokio::test]
async fn a_target_loaded_from_a_stage_holds_what_one_loaded_from_its_source_holds() {
    let (read, workspace) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    extract(read.path(), sample()).await.unwrap();
    let source = StageSource::open(read.path()).await.unwrap();
    let ready = source.check(&Context::new()).await.unwrap();
    assert_eq!(ready.tenant, tenant());
    let org = Arc::new(Org::default());
    let migration = load(source, workspace.path(), &org);
    let report = migration.run(&Context::new()).await.unwrap();
    assert!(report.complete);
    assert_eq!(report.total(|p| p.created), SAMPLE as u64);
    assert_eq!(shown(&org), shown(direct(sample()).await.as_ref()));
}

/// A conversation of more records than a page holds, a skipped person, a rejected row, a note, a file that is gone.
fn awkward() -> Lists {
    let mut source = sample();
    let posts = |case: u64, count: u64| -> Vec<_> {
        (1..=count)
            .map(|n| mail(case * 10_000 + n, case, None))
            .collect()
    };
    let mut long = page([posts(1, 1_100), posts(2, 3)].concat());
    long.complete = vec![
        key(RecordKind::Conversation, 1),
        key(RecordKind::Conversation, 2),
    ];
    source.shards.push((
        Shard::new("more", [RecordKind::Message]).needing([RecordKind::Conversation]),
        vec![long],
    ));
    let people = &mut source.shards[1].1[0];
    people.skips = vec![Skip {
        key: key(RecordKind::Contact, 2),
        reason: "test".into(),
    }];
    people.rejects = vec![Reject {
        kind: RecordKind::Contact,
        id: Some("77".into()),
        path: "name".into(),
        reason: "not a text".into(),
        raw: "{}".into(),
    }];
    people.notes = vec!["the list moved".into()];
    source.files.remove(&301);
    source
}

#[tokio::test]
async fn skips_rejects_notes_lost_files_and_long_conversations_come_along() {
    let (read, workspace) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    extract(read.path(), awkward()).await.unwrap();
    let source = StageSource::open(read.path()).await.unwrap();
    let org = Arc::new(Org::default());
    let report = load(source, workspace.path(), &org)
        .run(&Context::new())
        .await
        .unwrap();
    assert_eq!(shown(&org), shown(direct(awkward()).await.as_ref()));
    assert!(report.complete);
    let line = |name: &str| report.phases.iter().find(|p| p.phase == name).unwrap();
    assert_eq!(
        (line("contacts").skipped, line("contacts").rejected),
        (1, 1)
    );
    assert_eq!((line("files").failed, line("files").created), (1, 11));
    assert_eq!(line("messages").created, 36 + 1_103);
    assert_eq!(report.rejects[0].id.as_deref(), Some("77"));
    assert_eq!(report.notes, ["the list moved"]);
}

#[tokio::test]
async fn its_pages_can_be_asked_for_again_from_every_cursor() {
    let read = tempfile::tempdir().unwrap();
    extract(read.path(), awkward()).await.unwrap();
    let source = StageSource::open(read.path()).await.unwrap();
    let cx = Context::new();
    let (mut records, mut complete, mut pages) = (Vec::new(), Vec::new(), 0);
    for shard in source.shards(&cx, &Scope::default()).await.unwrap() {
        let mut cursor = None;
        loop {
            let page = source.page(&cx, &shard, cursor.clone()).await.unwrap();
            let again = source.page(&cx, &shard, cursor).await.unwrap();
            assert_eq!(page, again);
            pages += 1;
            records.extend(page.records.iter().map(|r| r.key().clone()));
            complete.extend(page.complete);
            cursor = match page.next {
                deskferry_core::source::Next::More(cursor) => Some(cursor),
                deskferry_core::source::Next::End(_) => break,
            };
        }
    }
    let all = records.len();
    records.sort();
    records.dedup();
    assert_eq!((records.len(), all), (SAMPLE + 1_103, SAMPLE + 1_103));
    assert_eq!(complete.len(), 12, "each conversation once: {complete:?}");
    assert_eq!(pages, 13 + 4 + 2, "kinds, conversations, remarks");
}

#[tokio::test]
async fn a_read_that_is_not_at_its_end_is_no_source_yet() {
    let read = tempfile::tempdir().unwrap();
    let broken = sample();
    broken.fail_call.store(4, Ordering::SeqCst);
    extract(read.path(), broken).await.unwrap_err();
    let error = StageSource::open(read.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("not read to its end"), "{error}");
    extract(read.path(), sample()).await.unwrap();
    StageSource::open(read.path()).await.unwrap();

    let nothing = tempfile::tempdir().unwrap();
    let error = StageSource::open(nothing.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    drop(Workspace::open(nothing.path()).unwrap());
    let error = StageSource::open(nothing.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn readers_share_a_workspace_and_a_run_of_it_waits() {
    let read = tempfile::tempdir().unwrap();
    extract(read.path(), sample()).await.unwrap();
    let one = StageSource::open(read.path()).await.unwrap();
    let two = StageSource::open(read.path()).await.unwrap();
    let error = Workspace::open(read.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    drop((one, two));
    let run = Workspace::open(read.path()).unwrap();
    let error = StageSource::open(read.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    drop(run);
}

/// Every file and folder below one, and itself.
fn everything(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn reading_from_a_workspace_changes_nothing_in_it() {
    let read = tempfile::tempdir().unwrap();
    extract(read.path(), sample()).await.unwrap();
    let state = || -> Vec<_> {
        let files = everything(read.path()).into_iter().filter(|p| p.is_file());
        files
            .filter(|path| !path.to_string_lossy().ends_with("-shm"))
            .map(|path| (std::fs::read(&path).unwrap(), path))
            .filter(|(bytes, path)| !(bytes.is_empty() && path.to_string_lossy().ends_with("-wal")))
            .collect()
    };
    let before = state();
    let source = StageSource::open(read.path()).await.unwrap();
    let cx = Context::new();
    for shard in source.shards(&cx, &Scope::default()).await.unwrap() {
        source.page(&cx, &shard, None).await.unwrap();
    }
    drop(source);
    assert!(before == state(), "a file was changed");
}

#[tokio::test]
async fn a_file_of_the_stage_is_opened_from_an_offset() {
    let read = tempfile::tempdir().unwrap();
    extract(read.path(), sample()).await.unwrap();
    let source = StageSource::open(read.path()).await.unwrap();
    let deskferry_core::Record::Attachment(file) = support::file(101, 1, 3) else {
        unreachable!()
    };
    let bytes = source.open(&Context::new(), &file, 1).await.unwrap();
    let bytes: Vec<bytes::Bytes> = bytes.try_collect().await.unwrap();
    assert_eq!(bytes.concat(), b"01");
}

#[tokio::test]
async fn a_pipeline_fills_a_stage_from_which_a_target_is_loaded() {
    let (written, workspace) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cx = Context::new();
    let sink = StageSink::open(Workspace::open(written.path()).unwrap(), &tenant())
        .await
        .unwrap();
    let sink = Arc::new(sink);
    let moved = Pipeline::new(Arc::new(sample()), Arc::clone(&sink) as _)
        .run(&cx)
        .await
        .unwrap();
    assert_eq!((moved.created, moved.other.len()), (SAMPLE as u64, 0));
    drop(sink);
    let error = StageSource::open(written.path()).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Conflict,
        "before it is finished: {error}"
    );

    let sink = StageSink::open(Workspace::open(written.path()).unwrap(), &tenant())
        .await
        .unwrap();
    sink.finish(&cx).await.unwrap();
    drop(sink);
    let source = StageSource::open(written.path()).await.unwrap();
    let org = Arc::new(Org::default());
    load(source, workspace.path(), &org).run(&cx).await.unwrap();
    assert_eq!(shown(&org), shown(direct(sample()).await.as_ref()));
}

#[tokio::test]
async fn a_migration_fills_a_stage_too_and_a_second_writing_updates() {
    let (between, written) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cx = Context::new();
    for pass in ["created", "updated"] {
        let between = between.path().join(pass);
        let sink = StageSink::open(Workspace::open(written.path()).unwrap(), &tenant())
            .await
            .unwrap();
        let workspace = Workspace::open(&between).unwrap();
        let report = Migration::new(workspace, Arc::new(sample()), Arc::new(sink))
            .run(&cx)
            .await
            .unwrap();
        let counts = (report.total(|p| p.created), report.total(|p| p.updated));
        let all = SAMPLE as u64;
        let expected = if pass == "created" {
            (all, 0)
        } else {
            (0, all)
        };
        assert_eq!(counts, expected, "{pass}");
    }
}

#[tokio::test]
async fn a_stage_takes_no_records_of_another_tenant() {
    let written = tempfile::tempdir().unwrap();
    let other = deskferry_core::Tenant::new("lists", "other");
    let sink = StageSink::open(Workspace::open(written.path()).unwrap(), &other)
        .await
        .unwrap();
    let people = Lists {
        shards: vec![(
            Shard::new("people", [RecordKind::Contact]),
            vec![page(vec![contact(1)])],
        )],
        ..Lists::default()
    };
    let moved = Pipeline::new(Arc::new(people), Arc::new(sink))
        .run(&Context::new())
        .await
        .unwrap();
    assert_eq!(moved.created, 0);
    assert_eq!(moved.other[0].1.reason(), Some("OTHER_TENANT"));
}
