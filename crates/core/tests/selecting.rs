//! What a load takes and what waits: settled conversations first, samples, the cut-over, and trying again.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use deskferry_core::migration::{Draw, Gate, Migration, Selection, Workspace};
use deskferry_core::model::{Attachment, Named, StatusState};
use deskferry_core::report::Report;
use deskferry_core::source::{ByteStream, Capability, Cursor, Page, Readiness, Scope, Shard};
use deskferry_core::{Context, ErrorKind, Record, RecordKind, Result, Sink, Source};
use support::{Lists, Maps, Org, SAMPLE, contact, key, sample};

struct Scene {
    folder: tempfile::TempDir,
    org: Arc<Org>,
    sink: Arc<Maps>,
}

impl Scene {
    fn new() -> Self {
        let org = Arc::new(Org::default());
        Self {
            folder: tempfile::tempdir().unwrap(),
            sink: Arc::new(Maps::new("00D1", &org)),
            org,
        }
    }

    fn migration(&self, source: impl Source + 'static) -> Migration {
        migration(
            self.folder.path(),
            Arc::new(source),
            Arc::clone(&self.sink) as _,
        )
    }

    /// The ids of what stands in the target, of one kind.
    fn ids(&self, kind: RecordKind) -> BTreeSet<u64> {
        let begin = key(kind, "").to_string();
        let rows = self.org.rows.lock().unwrap();
        rows.keys()
            .filter_map(|row| row.strip_prefix(&begin)?.split('#').next()?.parse().ok())
            .collect()
    }
}

fn migration(folder: &Path, source: Arc<dyn Source>, sink: Arc<dyn Sink>) -> Migration {
    Migration::new(Workspace::open(folder).unwrap(), source, sink)
}

/// The sample, with these conversations closed long ago.
fn closed(cases: &[u64]) -> Lists {
    let mut source = sample();
    let pages = source.shards.iter_mut().flat_map(|(_, pages)| pages);
    for record in pages.flat_map(|page| &mut page.records) {
        if let Record::Conversation(one) = record
            && cases.contains(&one.number.parse().unwrap())
        {
            one.status = Named::new(StatusState::Closed, "Closed");
        }
    }
    source
}

fn held(report: &Report, reason: &str) -> u64 {
    let of = report
        .reasons
        .iter()
        .filter(|r| r.outcome == "held" && r.reason == reason);
    of.map(|r| r.count).sum()
}

#[tokio::test]
async fn what_is_settled_is_loaded_first_and_the_rest_at_the_cut_over_each_once() {
    let scene = Scene::new();
    let cx = Context::new();
    // 3 hangs below 10, 12 below 1, 6 below 7.
    let first = scene
        .migration(closed(&[1, 2, 3, 12]))
        .gate(Gate::strict())
        .select(Selection::Settled { days: 30 })
        .run(&cx)
        .await
        .unwrap();
    let settled = BTreeSet::from([1, 2, 12]);
    assert_eq!(
        scene.ids(RecordKind::Conversation),
        settled,
        "3 waits for 10, which is open"
    );
    assert_eq!(scene.ids(RecordKind::Contact).len(), 9);
    let messages = settled
        .iter()
        .flat_map(|n| (1..=3).map(move |m| n * 100 + m));
    assert_eq!(scene.ids(RecordKind::Message), messages.collect());
    assert_eq!(held(&first, "active"), 9 * 5);
    assert_eq!(first.total(|p| p.read), first.total(|p| p.created + p.held));
    assert!(
        first.waits().iter().all(|wait| wait.who == "the cut-over"),
        "{:?}",
        first.waits()
    );

    // Meanwhile 10 was closed.
    let second = scene
        .migration(closed(&[1, 2, 3, 10, 12]))
        .delta(&cx)
        .await
        .unwrap();
    assert_eq!(
        scene.ids(RecordKind::Conversation),
        BTreeSet::from([1, 2, 3, 10, 12])
    );
    assert_eq!(held(&second, "active"), 7 * 5);

    let last = scene
        .migration(closed(&[1, 2, 3, 10, 12]))
        .cut_over(&cx)
        .await
        .unwrap();
    assert!(last.complete);
    assert_eq!(held(&last, "active"), 0);
    let rows = scene.org.rows.lock().unwrap();
    assert_eq!(rows.len(), SAMPLE);
    for (id, row) in rows.iter() {
        assert!(!row.orphan, "{id}");
    }
}

/// A source that never stands still: each read finds one person more.
struct Busy {
    lists: Lists,
    people: AtomicU64,
}

#[async_trait]
impl Source for Busy {
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
        let first = after.is_none();
        let mut page = self.lists.page(cx, shard, after).await?;
        if shard.id == "contacts" && first {
            let next = self.people.fetch_add(1, Ordering::SeqCst);
            page.records.push(contact(1_000 + next));
        }
        Ok(page)
    }
    async fn open(&self, cx: &Context, file: &Attachment, from: u64) -> Result<ByteStream> {
        self.lists.open(cx, file, from).await
    }
}

#[tokio::test]
async fn a_cut_over_from_a_source_that_still_changes_says_so_and_loses_nothing() {
    let scene = Scene::new();
    let cx = Context::new();
    let busy = || Busy {
        lists: sample(),
        people: AtomicU64::new(scene.ids(RecordKind::Contact).len() as u64),
    };
    scene.migration(busy()).run(&cx).await.unwrap();
    let error = scene.migration(busy()).cut_over(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error.to_string().contains("1 records since the last look"),
        "{error}"
    );
    let still = scene.migration(sample()).cut_over(&cx).await.unwrap();
    assert!(still.complete);
    assert_eq!(scene.ids(RecordKind::Contact).len(), 9 + 3);
}

#[tokio::test]
async fn a_sample_is_loaded_with_what_it_needs_and_the_rest_is_held() {
    let scene = Scene::new();
    let cx = Context::new();
    let chosen = Draw::Chosen(vec!["3".into()]);
    let (drawn, report) = scene
        .migration(sample())
        .gate(Gate::strict())
        .sample(&cx, &chosen)
        .await
        .unwrap();
    assert_eq!(
        scene.ids(RecordKind::Conversation),
        BTreeSet::from([3, 10]),
        "3 hangs below 10"
    );
    assert_eq!(scene.ids(RecordKind::Message).len(), 6);
    assert_eq!(drawn.kinds[&RecordKind::Attachment], 2);
    assert_eq!(drawn.file_bytes, 6);
    assert_eq!(held(&report, "not-in-sample"), (SAMPLE - 2 * 5) as u64);

    let report = scene.migration(sample()).resume(&cx).await.unwrap();
    assert_eq!(
        scene.org.rows.lock().unwrap().len(),
        10,
        "a resume stays with the sample"
    );
    assert!(report.waits()[0].advice.contains("rollback"));
    let again = scene
        .migration(sample())
        .sample(&cx, &chosen)
        .await
        .unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn the_same_seed_draws_the_same_conversations_and_an_unknown_one_is_named() {
    let draw = |seed| async move {
        let scene = Scene::new();
        let how = Draw::Random {
            conversations: 4,
            seed,
        };
        let (drawn, _) = scene
            .migration(sample())
            .sample(&Context::new(), &how)
            .await
            .unwrap();
        assert_eq!(drawn.chosen.len(), 4);
        drawn
            .chosen
            .into_iter()
            .map(|one| one.key)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(draw(7).await, draw(7).await);
    assert_ne!(draw(7).await, draw(8).await);

    let scene = Scene::new();
    let how = Draw::Chosen(vec!["3".into(), "99".into()]);
    let error = scene
        .migration(sample())
        .sample(&Context::new(), &how)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no conversation 99"), "{error}");
    assert!(scene.org.rows.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_sample_of_nothing_is_refused_and_another_can_be_drawn() {
    let scene = Scene::new();
    let cx = Context::new();
    for how in [
        Draw::Random {
            conversations: 0,
            seed: 1,
        },
        Draw::Chosen(Vec::new()),
    ] {
        let error = scene.migration(sample()).sample(&cx, &how).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound, "{how:?}");
    }
    let how = Draw::Chosen(vec!["3".into()]);
    scene.migration(sample()).sample(&cx, &how).await.unwrap();
}

#[tokio::test]
async fn a_covering_sample_has_one_of_everything() {
    let scene = Scene::new();
    let how = Draw::Cover {
        file_bytes: u64::MAX,
    };
    let source = closed(&[5]);
    let (drawn, _) = scene
        .migration(source)
        .sample(&Context::new(), &how)
        .await
        .unwrap();
    let covers: BTreeSet<&str> = drawn
        .chosen
        .iter()
        .flat_map(|one| &one.covers)
        .map(String::as_str)
        .collect();
    for feature in [
        "status: Open",
        "status: Closed",
        "conversation: below another",
        "file: unknown",
    ] {
        assert!(covers.contains(feature), "{feature} is not in {covers:?}");
    }
    assert!(
        scene.ids(RecordKind::Conversation).contains(&5),
        "the only one that is closed"
    );
    assert!(scene.ids(RecordKind::Conversation).len() < 12);
    assert_eq!(drawn.missing, Vec::<String>::new());
}

#[tokio::test]
async fn a_sample_that_was_not_drawn_yet_is_no_reason_to_load_everything() {
    let scene = Scene::new();
    let cx = Context::new();
    let cut = sample();
    cut.fail_call.store(5, Ordering::SeqCst);
    let how = Draw::Random {
        conversations: 1,
        seed: 1,
    };
    let error = scene.migration(cut).sample(&cx, &how).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = scene.migration(sample()).resume(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(scene.org.rows.lock().unwrap().is_empty());
    scene.migration(sample()).sample(&cx, &how).await.unwrap();
    assert!(!scene.ids(RecordKind::Conversation).is_empty());
}

#[tokio::test]
async fn a_retry_tries_what_failed_and_leaves_what_is_held() {
    let scene = Scene::new();
    let cx = Context::new();
    let failed = key(RecordKind::Contact, 2).to_string();
    let held_one = key(RecordKind::Contact, 3).to_string();
    scene.sink.refuse.lock().unwrap().insert(failed);
    scene.sink.hold.lock().unwrap().insert(held_one);
    scene.migration(sample()).run(&cx).await.unwrap();
    scene.sink.refuse.lock().unwrap().clear();
    scene.sink.hold.lock().unwrap().clear();
    let before = scene.sink.writes.load(Ordering::SeqCst);
    let report = scene.migration(sample()).retry(&cx).await.unwrap();
    assert_eq!(scene.sink.writes.load(Ordering::SeqCst) - before, 1);
    assert!(scene.ids(RecordKind::Contact).contains(&2));
    assert_eq!(held(&report, "waits"), 1);
    scene.migration(sample()).resume(&cx).await.unwrap();
    assert!(scene.ids(RecordKind::Contact).contains(&3));
}
