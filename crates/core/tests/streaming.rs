//! Files and messages behind the read, late people, parts, and what a gate keeps back.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use deskferry_core::migration::{Gate, Migration, Progress, Step, Workspace};
use deskferry_core::model::Attachment;
use deskferry_core::sink::{Batch, Outcome, Phase, TargetInfo, Verdict, Volume};
use deskferry_core::source::{
    ByteStream, Capability, Cursor, Next, Page, Readiness, Scope, Shard, Watermark,
};
use deskferry_core::stage::Stage;
use deskferry_core::transform::{Transform, Transformed};
use deskferry_core::{Context, Error, ErrorKind, Record, RecordKind, Result, Sink, Source, Tenant};
use support::{Lists, Maps, Org, SAMPLE, at, contact, conversation, file, key, mail, page, sample};
use tokio::sync::Semaphore;

/// A source that keeps the last page of a shard back until it is let go.
struct Blocked {
    lists: Lists,
    shard: &'static str,
    go: Arc<Semaphore>,
}

#[async_trait]
impl Source for Blocked {
    fn capability(&self) -> Capability {
        self.lists.capability()
    }
    async fn check(&self, cx: &Context) -> Result<Readiness> {
        self.lists.check(cx).await
    }
    async fn shards(&self, cx: &Context, scope: &Scope) -> Result<Vec<Shard>> {
        self.lists.shards(cx, scope).await
    }
    async fn page(&self, cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        if shard.id == self.shard {
            let let_go = tokio::time::timeout(Duration::from_secs(60), self.go.acquire()).await;
            let_go
                .map_err(|_| Error::new(ErrorKind::Unavailable, "list", "nobody let it go"))?
                .unwrap()
                .forget();
            self.go.add_permits(1);
        }
        self.lists.page(cx, shard, after).await
    }
    async fn open(&self, cx: &Context, file: &Attachment, from: u64) -> Result<ByteStream> {
        self.lists.open(cx, file, from).await
    }
}

/// Lets go when a step is made.
struct When<F>(F, Arc<Semaphore>);

impl<F: Fn(&Step<'_>) -> bool + Send + Sync> Progress for When<F> {
    fn report(&self, step: Step<'_>) {
        if (self.0)(&step) {
            self.1.add_permits(1);
        }
    }
}

/// A sink that holds cases of people who have no outcome, and answers when it is asked to finish.
struct Slow {
    maps: Maps,
    answers: Mutex<Vec<Outcome>>,
    flushed: AtomicUsize,
}

impl Slow {
    fn new(org: &Arc<Org>) -> Self {
        Self {
            maps: Maps::new("00D1", org),
            answers: Mutex::default(),
            flushed: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl Sink for Slow {
    async fn check(&self, cx: &Context) -> Result<TargetInfo> {
        self.maps.check(cx).await
    }
    fn phases(&self) -> Vec<Phase> {
        self.maps.phases()
    }
    async fn write(&self, cx: &Context, mut batch: Batch) -> Result<Vec<Outcome>> {
        let mut answers = Vec::new();
        let mut kept = Vec::new();
        for loaded in std::mem::take(&mut batch.records) {
            let person = match &loaded.record {
                Record::Conversation(c) => c.requester.clone(),
                Record::Message(m) => m.author.key.clone(),
                _ => None,
            };
            let waits = match person {
                Some(key) => batch.journal.look(&[key]).await?[0].verdict().is_none(),
                None => false,
            };
            if waits {
                answers.push(Outcome {
                    record: loaded.id,
                    part: loaded.part,
                    verdict: Verdict::Held("parent-pending".into()),
                });
            } else {
                kept.push(loaded);
            }
        }
        batch.records = kept;
        answers.extend(self.maps.write(cx, batch).await?);
        self.answers.lock().unwrap().extend(answers);
        Ok(Vec::new())
    }
    async fn flush(&self, _cx: &Context) -> Result<Vec<Outcome>> {
        self.flushed.fetch_add(1, Ordering::SeqCst);
        Ok(std::mem::take(&mut *self.answers.lock().unwrap()))
    }
}

fn workspace(folder: &tempfile::TempDir) -> Workspace {
    Workspace::open(folder.path()).unwrap()
}

#[tokio::test]
async fn messages_are_written_while_the_source_still_reads() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    lists.spawned[0].1[1]
        .records
        .extend((5_000..5_060).map(|n| mail(n, 1, None)));
    let go = Arc::new(Semaphore::new(0));
    let source = Blocked {
        lists,
        shard: "posts/12",
        go: Arc::clone(&go),
    };
    let org = Arc::new(Org::default());
    let report = Migration::new(
        workspace(&folder),
        Arc::new(source),
        Arc::new(Maps::new("00D1", &org)),
    )
    .progress(When(
        |step: &Step<'_>| matches!(step, Step::Settled { phase, .. } if *phase == "messages"),
        go,
    ))
    .run(&Context::new())
    .await
    .unwrap();
    assert!(report.complete);
    assert_eq!(org.rows.lock().unwrap().len(), SAMPLE + 60);
}

#[tokio::test]
async fn who_is_named_late_stands_before_the_cases_and_messages_that_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    let Record::Conversation(mut case) = conversation(77, None) else {
        unreachable!()
    };
    case.requester = Some(key(RecordKind::Contact, 98));
    let Record::Message(mut said) = mail(1_299, 12, None) else {
        unreachable!()
    };
    said.author.key = Some(key(RecordKind::Contact, 99));
    lists.shards[2].0.yields.push(RecordKind::Contact);
    lists.shards[2].1[1]
        .records
        .extend([Record::Conversation(case), contact(98)]);
    lists.spawned[11].0.yields.push(RecordKind::Contact);
    lists.spawned[11].1[1]
        .records
        .extend([Record::Message(said), contact(99)]);
    let spawn = lists.spawned[11].0.clone();
    *lists.shards[2].1[1].spawn.last_mut().unwrap() = spawn;
    let go = Arc::new(Semaphore::new(0));
    let source = Blocked {
        lists,
        shard: "cases",
        go: Arc::clone(&go),
    };
    let org = Arc::new(Org::default());
    let sink = Arc::new(Slow::new(&org));
    let report = Migration::new(workspace(&folder), Arc::new(source), Arc::clone(&sink) as _)
        .gate(Gate::strict())
        .progress(When(
            |step: &Step<'_>| matches!(step, Step::Closed { phase } if *phase == "contacts"),
            go,
        ))
        .run(&Context::new())
        .await
        .unwrap();
    assert!(report.complete);
    assert_eq!(report.total(|p| p.created), SAMPLE as u64 + 4);
    assert!(sink.flushed.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn parts_of_the_read_that_wait_for_each_other_do_not_pass_for_read() {
    use RecordKind as K;
    let folder = tempfile::tempdir().unwrap();
    let lists = Lists {
        shards: vec![
            (
                Shard::new("one", [K::Account]).needing([K::Contact]),
                vec![page(Vec::new())],
            ),
            (
                Shard::new("two", [K::Contact]).needing([K::Account]),
                vec![page(vec![contact(1)])],
            ),
        ],
        ..Lists::default()
    };
    let org = Arc::new(Org::default());
    let error = Migration::new(
        workspace(&folder),
        Arc::new(lists),
        Arc::new(Maps::new("00D1", &org)),
    )
    .run(&Context::new())
    .await
    .unwrap_err();
    assert!(error.to_string().contains("one, two"), "{error}");
}

/// Splits a message in two, skips the first half of another one, and splits a contact into nothing.
struct Halves;

#[async_trait]
impl Transform for Halves {
    async fn apply(&self, _cx: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        let mut met = 0;
        Ok(batch
            .into_iter()
            .map(|record| match record.key().as_str() {
                "lists:acme:message:101" => Transformed::Split(vec![record.clone(), record]),
                "lists:acme:message:201" if met > 0 => Transformed::Keep(record),
                "lists:acme:message:201" => {
                    met += 1;
                    Transformed::Skip("half".into())
                }
                "lists:acme:contact:4" => Transformed::Split(Vec::new()),
                _ => Transformed::Keep(record),
            })
            .collect())
    }
}

/// Splits one message in two.
struct Doubled;

#[async_trait]
impl Transform for Doubled {
    async fn apply(&self, _cx: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        Ok(batch
            .into_iter()
            .map(|record| match record.key().as_str() {
                "lists:acme:message:201" => Transformed::Split(vec![record.clone(), record]),
                _ => Transformed::Keep(record),
            })
            .collect())
    }
}

#[tokio::test]
async fn parts_have_their_own_numbers_and_their_record_one_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let org = Arc::new(Org::default());
    let report = Migration::new(
        workspace(&folder),
        Arc::new(sample()),
        Arc::new(Slow::new(&org)),
    )
    .transform(Doubled)
    .transform(Halves)
    .transform(Halves)
    .run(&Context::new())
    .await
    .unwrap();
    assert!(report.complete);
    assert_eq!(report.total(|p| p.created), SAMPLE as u64 - 2);
    assert_eq!(report.total(|p| p.skipped), 2);
    let rows = org.rows.lock().unwrap();
    for part in 0..4 {
        assert!(rows.contains_key(&format!("lists:acme:message:101#{part}")));
    }
}

#[tokio::test]
async fn behind_a_shut_gate_no_mail_is_written_without_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    let file = lists.files.remove(&301).unwrap();
    let org = Arc::new(Org::default());
    let sink = Arc::new(Maps::new("00D1", &org));
    let migration = |lists: Lists| {
        Migration::new(workspace(&folder), Arc::new(lists), Arc::clone(&sink) as _)
            .gate(Gate::strict())
    };
    let error = migration(lists).run(&Context::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    let stands = |key: &str| org.rows.lock().unwrap().contains_key(key);
    assert!(!stands("lists:acme:message:301#0") && stands("lists:acme:message:101#0"));

    let mut lists = sample();
    lists.files.insert(301, file);
    let report = migration(lists).resume(&Context::new()).await.unwrap();
    assert!(report.complete);
    assert_eq!(report.total(|p| p.created), SAMPLE as u64);
    assert!(stands("lists:acme:message:301#0"));
}

#[tokio::test]
async fn a_gate_that_is_clearly_shut_stops_the_files_early() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    let mut files = page((2_000..2_300).map(|n| file(n, 1, 3)).collect());
    files.complete = vec![key(RecordKind::Conversation, 1)];
    lists.spawned[0].1.push(files);
    let go = Arc::new(Semaphore::new(0));
    let source = Blocked {
        lists,
        shard: "posts/12",
        go: Arc::clone(&go),
    };
    let org = Arc::new(Org::default());
    let error = Migration::new(
        workspace(&folder),
        Arc::new(source),
        Arc::new(Maps::new("00D1", &org)),
    )
    .progress(When(
        |step: &Step<'_>| matches!(step, Step::Closed { phase } if *phase == "files"),
        go,
    ))
    .run(&Context::new())
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}

fn end() -> Next {
    Next::End(Watermark {
        version: 1,
        place: serde_json::Value::Null,
    })
}

#[tokio::test]
async fn a_conversation_that_grows_waits_until_it_is_whole_again_and_is_looked_at_again() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await.unwrap();
    let index = Arc::clone(stage.index());
    index
        .set_tenant(&Tenant::new("lists", "acme"))
        .await
        .unwrap();
    let shard = Shard::new("posts", [RecordKind::Message]);
    index
        .add_shards(std::slice::from_ref(&shard))
        .await
        .unwrap();
    let add = async |records: Vec<Record>, complete: &[u64]| {
        let mut page = Page::new(records, end());
        page.complete = complete
            .iter()
            .map(|n| key(RecordKind::Conversation, n))
            .collect();
        stage.append(&shard, page, at(0)).await.unwrap();
    };
    add(vec![mail(1, 1, None), mail(2, 2, None)], &[1, 2]).await;
    let ready = index.ready_groups(0, 10).await.unwrap();
    assert_eq!(ready.len(), 2);
    let place = ready[1].0;

    add(vec![mail(3, 1, Some(1)), file(4, 1, 3)], &[]).await;
    let id = index.find(&[key(RecordKind::Attachment, 4)]).await.unwrap()[0].unwrap();
    let gone = deskferry_core::sink::FileState::Unavailable("gone".into());
    index.set_file(id, gone).await.unwrap();
    assert_eq!(
        index.ready_groups(0, 10).await.unwrap().len(),
        1,
        "not whole"
    );
    assert_eq!(index.unready_groups(i64::MIN, 10).await.unwrap().len(), 1);
    add(Vec::new(), &[1]).await;
    let again = index.ready_groups(place, 10).await.unwrap();
    assert_eq!(again.len(), 1);

    // A message that moves to a conversation that was loaded already.
    let place = again[0].0;
    add(vec![mail(2, 1, None)], &[1]).await;
    assert_eq!(index.ready_groups(place, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_org_that_was_given_another_name_is_the_same_target() {
    let folder = tempfile::tempdir().unwrap();
    let org = Arc::new(Org::default());
    let migration = |name: &str| {
        let mut sink = Maps::new("00D1", &org);
        sink.name = name.into();
        Migration::new(workspace(&folder), Arc::new(sample()), Arc::new(sink))
    };
    let cx = Context::new();
    migration("Acme").run(&cx).await.unwrap();
    let error = migration("Acme Ltd").run(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let report = migration("Acme Ltd").resume(&cx).await.unwrap();
    assert_eq!(report.total(|p| p.created), SAMPLE as u64);
}

#[tokio::test]
async fn segments_without_their_index_are_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let org = Arc::new(Org::default());
    let migration = || {
        Migration::new(
            workspace(&folder),
            Arc::new(sample()),
            Arc::new(Maps::new("00D1", &org)),
        )
    };
    migration().run(&Context::new()).await.unwrap();
    let stage = folder.path().join("stage");
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
        let _ = std::fs::remove_file(stage.join(name));
    }
    let before = std::fs::read_dir(stage.join("segments")).unwrap().count();
    let error = migration().resume(&Context::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
    let after = std::fs::read_dir(stage.join("segments")).unwrap().count();
    assert_eq!(before, after);
}

#[tokio::test]
async fn what_was_held_is_tried_again_by_resume() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    let Record::Message(mut said) = mail(9_000, 12, None) else {
        unreachable!()
    };
    said.author.key = Some(key(RecordKind::Contact, 4));
    lists.spawned[11].1[1].records.push(Record::Message(said));
    let (source, org) = (Arc::new(lists), Arc::new(Org::default()));
    let held = Arc::new(Slow::new(&org));
    held.maps
        .hold
        .lock()
        .unwrap()
        .insert("lists:acme:contact:4".into());
    let run = || {
        Migration::new(
            workspace(&folder),
            Arc::clone(&source) as _,
            Arc::clone(&held) as _,
        )
    };
    let report = run().run(&Context::new()).await.unwrap();
    assert_eq!(report.total(|p| p.held), 1);
    held.maps.hold.lock().unwrap().clear();
    let report = run().resume(&Context::new()).await.unwrap();
    assert_eq!((report.total(|p| p.held), report.complete), (0, true));
}

/// A sink whose batches of messages grow where there are fifty at hand.
struct Growing(Arc<Maps>);

#[async_trait]
impl Sink for Growing {
    async fn check(&self, cx: &Context) -> Result<TargetInfo> {
        self.0.check(cx).await
    }
    fn phases(&self) -> Vec<Phase> {
        let volume = Volume {
            from: 50,
            records: 500,
            bytes: 1 << 20,
        };
        let grows = |phase: Phase| match phase.name {
            "messages" => phase.growing(volume),
            _ => phase,
        };
        self.0.phases().into_iter().map(grows).collect()
    }
    async fn write(&self, cx: &Context, batch: Batch) -> Result<Vec<Outcome>> {
        self.0.write(cx, batch).await
    }
    async fn flush(&self, cx: &Context) -> Result<Vec<Outcome>> {
        self.0.flush(cx).await
    }
}

#[tokio::test]
async fn where_many_messages_are_at_hand_many_conversations_travel_in_one_batch() {
    for (conversations, batches) in [(40, vec![7, 7, 7, 7, 7, 5]), (320, vec![320])] {
        let folder = tempfile::tempdir().unwrap();
        let mut records: Vec<Record> = (1..=conversations).map(|n| conversation(n, None)).collect();
        records.extend((1..=conversations).map(|n| mail(n * 10, n, None)));
        let mut all = page(records);
        all.complete = (1..=conversations)
            .map(|n| key(RecordKind::Conversation, n))
            .collect();
        let kinds = [RecordKind::Conversation, RecordKind::Message];
        let lists = Lists {
            shards: vec![(Shard::new("cases", kinds), vec![all])],
            ..Lists::default()
        };
        let maps = Arc::new(Maps::new("00D1", &Arc::new(Org::default())));
        let sink = Arc::new(Growing(Arc::clone(&maps)));
        let migration = Migration::new(workspace(&folder), Arc::new(lists), sink);
        migration.run(&Context::new()).await.unwrap();
        let written = maps.batches.lock().unwrap();
        let mut sizes: Vec<usize> = written
            .iter()
            .filter(|(phase, _)| *phase == "messages")
            .map(|(_, ids)| ids.len())
            .collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(sizes, batches, "{conversations}");
    }
}
