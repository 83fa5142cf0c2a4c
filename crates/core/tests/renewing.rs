//! What a later pass does with loaded conversations that changed at the source, or are gone from it.

mod support;

use std::sync::Arc;

use deskferry_core::migration::{Migration, OnChange, OnGone, Workspace};
use deskferry_core::model::RelationDefinition;
use deskferry_core::model::{Meta, ObjectDefinition, RelationKind};
use deskferry_core::report::Report;
use deskferry_core::source::{Shard, Skip};
use deskferry_core::{Context, Record, RecordKind, Source};
use support::{Lists, Maps, Org, SAMPLE, key, mail, page, sample};

struct Scene {
    folder: tempfile::TempDir,
    org: Arc<Org>,
    sink: Arc<Maps>,
}

impl Scene {
    /// Everything of a source is loaded.
    async fn loaded(source: Lists) -> Self {
        let org = Arc::new(Org::default());
        let scene = Self {
            folder: tempfile::tempdir().unwrap(),
            sink: Arc::new(Maps::new("00D1", &org)),
            org,
        };
        scene.migration(source).run(&Context::new()).await.unwrap();
        scene
    }

    fn migration(&self, source: impl Source + 'static) -> Migration {
        Migration::new(
            Workspace::open(self.folder.path()).unwrap(),
            Arc::new(source),
            Arc::clone(&self.sink) as _,
        )
    }

    /// What stands in the row of a message, and the number of the pass that made it.
    fn message(&self, id: u64) -> Option<(String, String)> {
        let id = format!("{}#0", key(RecordKind::Message, id));
        let rows = self.org.rows.lock().unwrap();
        let row = rows.get(&id)?;
        let (_, pass) = row.mark.rsplit_once('-').unwrap();
        Some((row.text.clone(), pass.to_owned()))
    }

    fn rows(&self) -> usize {
        self.org.rows.lock().unwrap().len()
    }
}

fn now(text: &str, pass: &str) -> Option<(String, String)> {
    Some((text.into(), pass.into()))
}

/// The sample, with a list of what changed: one message says something else.
fn with_another_word_in(message: u64) -> Lists {
    let mut source = sample();
    let case = message / 100;
    let Record::Message(mut changed) = mail(message, case, None) else {
        unreachable!("a mail is a message");
    };
    changed.body.text = Some("another word".into());
    let mut found = page(vec![Record::Message(changed)]);
    found.complete.push(key(RecordKind::Conversation, case));
    let shard = Shard::new("changes", [RecordKind::Message]).needing([RecordKind::Contact]);
    source.shards.push((shard, vec![found]));
    source
}

/// The sample, in which a list of what is gone names a conversation and what is in it.
fn without(case: u64) -> Lists {
    let mut source = sample();
    let mut found = page(Vec::new());
    let gone = |kind, id| Skip {
        key: key(kind, id),
        reason: "deleted".into(),
    };
    found.skips.push(gone(RecordKind::Conversation, case));
    found
        .skips
        .push(gone(RecordKind::Attachment, case * 100 + 1));
    for n in 1..=3 {
        found.skips.push(gone(RecordKind::Message, case * 100 + n));
    }
    let kinds = [
        RecordKind::Conversation,
        RecordKind::Message,
        RecordKind::Attachment,
    ];
    let shard = Shard::new("gone", kinds).needing([RecordKind::Contact]);
    source.shards.push((shard, vec![found]));
    source
}

fn note<'a>(report: &'a Report, words: &str) -> &'a str {
    let mut notes = report.notes.iter();
    notes
        .find(|note| note.contains(words))
        .unwrap_or_else(|| panic!("no note says `{words}`: {:?}", report.notes))
}

#[tokio::test]
async fn what_changed_stays_unless_told_otherwise() {
    let scene = Scene::loaded(sample()).await;
    let changed = with_another_word_in(102);
    let report = scene
        .migration(changed)
        .delta(&Context::new())
        .await
        .unwrap();
    assert_eq!(scene.message(102), now("Text 102", "0"));
    assert_eq!(report.changed.len(), 1);
}

#[tokio::test]
async fn a_changed_conversation_is_made_anew_with_all_that_is_in_it_and_no_other() {
    let scene = Scene::loaded(sample()).await;
    let changed = scene
        .migration(with_another_word_in(202))
        .on_change(OnChange::Recreate);
    let report = changed.delta(&Context::new()).await.unwrap();
    drop(changed);
    assert_eq!(scene.message(202), now("another word", "1"));
    assert_eq!(scene.message(201), now("Text 201", "1"));
    assert_eq!(scene.message(301), now("Text 301", "0"));
    assert_eq!(scene.rows(), SAMPLE);
    assert!(report.complete);
    assert!(report.changed.is_empty());
    note(&report, "1 conversations were taken back");

    let writes = scene.sink.writes.load(std::sync::atomic::Ordering::SeqCst);
    let again = scene
        .migration(with_another_word_in(202))
        .on_change(OnChange::Recreate);
    again.delta(&Context::new()).await.unwrap();
    assert_eq!(
        scene.sink.writes.load(std::sync::atomic::Ordering::SeqCst),
        writes
    );
}

#[tokio::test]
async fn what_somebody_works_with_or_what_others_hang_on_stays_as_it_is() {
    let scene = Scene::loaded(sample()).await;
    let touched = format!("{}#0", key(RecordKind::Message, 203));
    scene.sink.others.lock().unwrap().insert(touched);
    // 10 has 3 below it.
    for (message, reason) in [(202, "others-work"), (1002, "others-hang-below-it")] {
        let changed = with_another_word_in(message);
        let report = scene.migration(changed).on_change(OnChange::Recreate);
        let report = report.delta(&Context::new()).await.unwrap();
        note(&report, reason);
        assert_eq!(scene.message(message), now(&format!("Text {message}"), "0"));
        assert_eq!(scene.rows(), SAMPLE);
    }
}

#[tokio::test]
async fn where_custom_objects_may_point_to_conversations_none_is_made_anew() {
    let pointing = |mut source: Lists| {
        let definition = ObjectDefinition {
            meta: Meta::new(key(RecordKind::ObjectDefinition, "order")),
            name: "order".into(),
            title: "Order".into(),
            plural: None,
            relations: vec![RelationDefinition {
                field: "about".into(),
                title: "About".into(),
                kind: RelationKind::Lookup,
                to: RecordKind::Conversation,
                object: None,
            }],
            active: true,
        };
        let shard = Shard::new("objects", [RecordKind::ObjectDefinition]);
        source
            .shards
            .push((shard, vec![page(vec![definition.into()])]));
        source
    };
    let scene = Scene::loaded(pointing(sample())).await;
    let changed = scene.migration(pointing(with_another_word_in(202)));
    let report = changed
        .on_change(OnChange::Recreate)
        .delta(&Context::new())
        .await
        .unwrap();
    note(&report, "records-may-point-to-it");
    assert_eq!(scene.message(202), now("Text 202", "0"));
}

#[tokio::test]
async fn what_is_gone_is_named_and_goes_when_it_shall() {
    let scene = Scene::loaded(sample()).await;
    let report = scene
        .migration(without(2))
        .delta(&Context::new())
        .await
        .unwrap();
    let gone: u64 = report.gone.iter().map(|one| one.count).sum();
    assert_eq!((gone, scene.rows()), (5, SAMPLE));

    let removing = scene.migration(without(2)).on_gone(OnGone::Remove);
    let report = removing.delta(&Context::new()).await.unwrap();
    drop(removing);
    assert_eq!((report.gone.len(), scene.rows()), (0, SAMPLE - 5));
    assert!(report.complete);
    assert_eq!(report.total(|p| p.skipped), 5);
    let verified = scene
        .migration(without(2))
        .verify(&Context::new())
        .await
        .unwrap();
    assert!(verified.verified());
}

#[tokio::test]
async fn what_is_gone_is_not_made_anew_as_a_change() {
    let scene = Scene::loaded(sample()).await;
    let mut both = without(2);
    both.shards.extend(with_another_word_in(202).shards.pop());
    let report = scene.migration(both).on_change(OnChange::Recreate);
    report.delta(&Context::new()).await.unwrap();
    assert_eq!(scene.message(202), now("Text 202", "0"));
    assert_eq!(scene.rows(), SAMPLE);
}
