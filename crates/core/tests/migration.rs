//! What a migration promises, held against a source of lists and a sink of maps.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use deskferry_core::migration::{Gate, Migration, Workspace, status};
use deskferry_core::report::Report;
use deskferry_core::source::{Reject, Shard, Skip};
use deskferry_core::transform::{Transform, Transformed};
use deskferry_core::{Context, ErrorKind, Record, RecordKind, Result, Tenant};
use support::{Lists, Maps, Org, SAMPLE, contact, conversation, file, key, mail, page, sample};

fn migration(folder: &Path, source: &Arc<Lists>, sink: &Arc<Maps>) -> Migration {
    Migration::new(
        Workspace::open(folder).unwrap(),
        Arc::clone(source) as _,
        Arc::clone(sink) as _,
    )
}

fn line<'a>(report: &'a Report, phase: &str) -> &'a deskferry_core::report::PhaseReport {
    report
        .phases
        .iter()
        .find(|p| p.phase == phase)
        .unwrap_or_else(|| panic!("no phase {phase}"))
}

fn assert_whole(org: &Org) {
    let rows = org.rows.lock().unwrap();
    assert_eq!(rows.len(), SAMPLE);
    for (id, row) in rows.iter() {
        if let Some(parent) = &row.parent {
            assert!(rows[parent].order < row.order, "{id} came before {parent}");
        }
        assert!(!row.orphan, "{id}");
    }
    assert_eq!(
        rows["lists:acme:message:103#0"].parent.as_deref(),
        Some("lists:acme:message:102#0")
    );
    assert_eq!(
        rows["lists:acme:conversation:3#0"].parent.as_deref(),
        Some("lists:acme:conversation:10#0")
    );
}

#[tokio::test]
async fn a_run_moves_everything_in_order_and_its_books_balance() {
    let folder = tempfile::tempdir().unwrap();
    let (source, org) = (Arc::new(sample()), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let cx = Context::new();
    let report = migration(folder.path(), &source, &sink)
        .run(&cx)
        .await
        .unwrap();
    assert_whole(&org);
    assert!(report.complete);
    for phase in &report.phases {
        assert_eq!(
            (phase.settled(), phase.created),
            (phase.read, phase.read),
            "{phase:?}"
        );
    }
    assert_eq!(report.total(|p| p.read), SAMPLE as u64);

    let verified = migration(folder.path(), &source, &sink)
        .verify(&cx)
        .await
        .unwrap();
    assert!(verified.verified(), "{:?}", verified.differences);
    assert_eq!(verified.verify[0].compared, SAMPLE as u64);

    org.rows
        .lock()
        .unwrap()
        .get_mut("lists:acme:message:102#0")
        .unwrap()
        .text = "changed".into();
    org.rows.lock().unwrap().remove("lists:acme:account:1#0");
    let verified = migration(folder.path(), &source, &sink)
        .verify(&cx)
        .await
        .unwrap();
    let found: Vec<&str> = verified
        .differences
        .iter()
        .map(|d| d.key.as_str())
        .collect();
    assert_eq!(found, ["lists:acme:account:1", "lists:acme:message:102"]);
}

#[tokio::test]
async fn wherever_the_read_breaks_a_resume_brings_everything_once() {
    let pages = {
        let source = sample();
        source
            .shards
            .iter()
            .chain(&source.spawned)
            .map(|(_, pages)| pages.len())
            .sum::<usize>()
    };
    for call in 1..=pages {
        let folder = tempfile::tempdir().unwrap();
        let (source, org) = (Arc::new(sample()), Arc::new(Org::default()));
        source.fail_call.store(call, Ordering::SeqCst);
        let sink = Arc::new(Maps::new("00D1", &org));
        let cx = Context::new();
        let error = migration(folder.path(), &source, &sink)
            .run(&cx)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        migration(folder.path(), &source, &sink)
            .resume(&cx)
            .await
            .unwrap();
        assert_whole(&org);
        let calls = source.calls.load(Ordering::SeqCst);
        assert_eq!(
            calls,
            pages + 1,
            "only the page that broke was asked for again (call {call})"
        );
    }
}

#[tokio::test]
async fn wherever_an_answer_is_lost_a_resume_brings_everything_once() {
    for lost in 1..=14 {
        let folder = tempfile::tempdir().unwrap();
        let (source, org) = (Arc::new(sample()), Arc::new(Org::default()));
        let sink = Arc::new(Maps::new("00D1", &org));
        sink.lose_answer.store(lost, Ordering::SeqCst);
        let cx = Context::new();
        migration(folder.path(), &source, &sink)
            .run(&cx)
            .await
            .unwrap_err();
        let report = migration(folder.path(), &source, &sink)
            .resume(&cx)
            .await
            .unwrap();
        assert_whole(&org);
        assert_eq!(
            report.total(|p| p.created),
            SAMPLE as u64,
            "what landed unheard is ours"
        );
    }
}

#[tokio::test]
async fn one_reading_serves_two_targets() {
    let folder = tempfile::tempdir().unwrap();
    let source = Arc::new(sample());
    let (one, two) = (Arc::new(Org::default()), Arc::new(Org::default()));
    let cx = Context::new();
    migration(folder.path(), &source, &Arc::new(Maps::new("00D1", &one)))
        .run(&cx)
        .await
        .unwrap();
    let calls = source.calls.load(Ordering::SeqCst);
    let mut second = Maps::new("00D2", &two);
    second.name = "Production".into();
    migration(folder.path(), &source, &Arc::new(second))
        .run(&cx)
        .await
        .unwrap();
    assert_eq!(source.calls.load(Ordering::SeqCst), calls);
    assert_whole(&one);
    assert_whole(&two);
    let standing = status(folder.path()).await.unwrap();
    assert!(
        standing.len() == 2 && standing.iter().all(|report| report.complete),
        "{standing:?}"
    );
}

#[tokio::test]
async fn the_wrong_tenant_target_or_verb_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (source, org) = (Arc::new(sample()), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let cx = Context::new();

    let error = migration(folder.path(), &source, &sink)
        .resume(&cx)
        .await
        .unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Mismatch,
        "nothing to resume: {error}"
    );
    migration(folder.path(), &source, &sink)
        .run(&cx)
        .await
        .unwrap();

    let error = migration(folder.path(), &source, &sink)
        .run(&cx)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");

    let refreshed = Arc::new(Maps::new("00D9", &org));
    let error = migration(folder.path(), &source, &refreshed)
        .run(&cx)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    assert!(
        error.to_string().contains("belongs to the org 00D1"),
        "{error}"
    );

    let mut other = sample();
    other.tenant = Some(Tenant::new("lists", "other"));
    let error = migration(folder.path(), &Arc::new(other), &sink)
        .resume(&cx)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it holds lists:acme, the source is lists:other"),
        "{error}"
    );

    let held = Workspace::open(folder.path()).unwrap();
    let error = Workspace::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    drop(held);

    std::fs::write(
        folder.path().join("workspace.json"),
        r#"{"format":99,"written_by":"deskferry 9"}"#,
    )
    .unwrap();
    let error = Workspace::open(folder.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("format 99 (written by deskferry 9)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_gate_stops_a_run_and_a_resume_tries_the_failed_ones_again() {
    let folder = tempfile::tempdir().unwrap();
    let (source, org) = (Arc::new(sample()), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    sink.refuse
        .lock()
        .unwrap()
        .insert("lists:acme:contact:4".into());
    let cx = Context::new();
    let strict = || migration(folder.path(), &source, &sink).gate(Gate::strict());
    let error = strict().run(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(
        !org.rows
            .lock()
            .unwrap()
            .keys()
            .any(|k| k.contains("conversation")),
        "no phase after the gate"
    );
    let text = std::fs::read_to_string(folder.path().join("targets/Org-00D1/report.json")).unwrap();
    assert!(
        text.contains("the org said no") && text.contains("lists:acme:contact:4"),
        "{text}"
    );

    sink.refuse.lock().unwrap().clear();
    let report = strict().resume(&cx).await.unwrap();
    assert_eq!(line(&report, "contacts").created, 9);
    assert_whole(&org);
}

#[tokio::test]
async fn what_arrives_after_its_phase_was_closed_is_loaded_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    // A message page that brings a person whom no list had.
    lists.spawned[11].0.yields.push(RecordKind::Contact);
    lists.spawned[11].1[1].records.push(contact(99));
    let spawn = lists.spawned[11].0.clone();
    *lists.shards[2].1[1].spawn.last_mut().unwrap() = spawn;
    let (source, org) = (Arc::new(lists), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let report = migration(folder.path(), &source, &sink)
        .run(&Context::new())
        .await
        .unwrap();
    assert_eq!(line(&report, "contacts").created, 10);
    assert!(report.complete);
}

#[tokio::test]
async fn rejects_skips_and_kinds_that_nobody_takes_are_all_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    let contacts = &mut lists.shards[1].1[0];
    contacts.skips.push(Skip {
        key: key(RecordKind::Contact, 2),
        reason: "test-person".into(),
    });
    contacts.rejects.push(Reject {
        kind: RecordKind::Contact,
        id: Some("77".into()),
        path: "name".into(),
        reason: "not a text".into(),
        raw: "{}".into(),
    });
    let team = deskferry_core::model::Team {
        meta: deskferry_core::model::Meta::new(key(RecordKind::Team, 1)),
        name: "First line".into(),
    };
    lists.shards.push((
        Shard::new("teams", [RecordKind::Team]),
        vec![page(vec![team.into()])],
    ));
    let (source, org) = (Arc::new(lists), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let report = migration(folder.path(), &source, &sink)
        .run(&Context::new())
        .await
        .unwrap();
    let contacts = line(&report, "contacts");
    assert_eq!(
        (
            contacts.read,
            contacts.created,
            contacts.skipped,
            contacts.rejected
        ),
        (9, 8, 1, 1)
    );
    assert_eq!(line(&report, "unclaimed-teams").skipped, 1);
    let reasons: Vec<_> = report
        .reasons
        .iter()
        .map(|r| (r.reason.as_str(), r.examples[0].key.as_str()))
        .collect();
    assert!(
        reasons.contains(&("test-person", "lists:acme:contact:2")),
        "{reasons:?}"
    );
    assert!(
        reasons.contains(&("no-phase", "lists:acme:team:1")),
        "{reasons:?}"
    );
    assert_eq!(report.rejects[0].reason, "not a text");
}

/// Keeps what is no test to itself, and gives rules another name.
struct Renames;

#[async_trait]
impl Transform for Renames {
    async fn apply(&self, _: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        let verdict = |record| match record {
            Record::InventoryItem(item) if item.name == "test" => {
                Transformed::Skip("test-rule".into())
            }
            Record::InventoryItem(mut item) => {
                item.name = format!("our {}", item.name);
                Transformed::Keep(Record::InventoryItem(item))
            }
            other => Transformed::Keep(other),
        };
        Ok(batch.into_iter().map(verdict).collect())
    }
}

#[tokio::test]
async fn what_people_build_again_is_handed_over_as_the_transforms_leave_it() {
    use deskferry_core::model::{AgentStatistics, InventoryItem, InventoryKind, Meta, Named};
    let rule = |id: u64, name: &str| {
        Record::from(InventoryItem {
            meta: Meta::new(key(RecordKind::InventoryItem, id)),
            kind: Named::new(InventoryKind::Automation, "trigger"),
            name: name.to_owned(),
            active: None,
            parts: Vec::new(),
            definition: serde_json::Value::Null,
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    let mut rules = page(vec![rule(1, "rule"), rule(2, "test"), rule(3, "old")]);
    rules.skips.push(Skip {
        key: key(RecordKind::InventoryItem, 3),
        reason: "deleted".into(),
    });
    let shard = Shard::new("rules", [RecordKind::InventoryItem]);
    lists.shards.push((shard, vec![rules]));
    let figures = AgentStatistics {
        meta: Meta::new(key(RecordKind::AgentStatistics, 1)),
        agent: key(RecordKind::Agent, 404),
        from: None,
        until: None,
    };
    let shard = Shard::new("figures", [RecordKind::AgentStatistics]);
    lists.shards.push((shard, vec![page(vec![figures.into()])]));
    let (source, org) = (Arc::new(lists), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let report = migration(folder.path(), &source, &sink)
        .transform(Renames)
        .run(&Context::new())
        .await
        .unwrap();
    assert!(report.complete);
    let mut reasons: Vec<_> = report
        .reasons
        .iter()
        .filter(|r| r.phase == "unclaimed-inventory")
        .map(|r| (r.reason.as_str(), r.count))
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [("deleted", 1), ("handed-over", 1), ("test-rule", 1)]
    );
    let target = Workspace::look(folder.path()).unwrap().targets().unwrap();
    let page = target[0].join("handoff/inventory.html");
    std::fs::remove_file(&page).unwrap();
    deskferry_core::migration::write_reports(folder.path())
        .await
        .unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("our rule"));
    assert!(!page.contains("our test") && !page.contains("our old"));
    let table = target[0].join("handoff/agent-statistics.csv");
    let table = std::fs::read_to_string(table).unwrap();
    assert_eq!(
        table,
        "\u{feff}agent,name,from,until\r\nlists:acme:agent:404,,,\r\n"
    );
}

#[tokio::test]
async fn a_file_of_another_size_is_kept_and_told_of_and_one_that_is_gone_fails_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    lists.files.remove(&101);
    lists.files.insert(201, b"four".to_vec());
    let (source, org) = (Arc::new(lists), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let report = migration(folder.path(), &source, &sink)
        .run(&Context::new())
        .await
        .unwrap();
    let files = line(&report, "files");
    assert_eq!((files.created, files.failed), (11, 1));
    let reason = report
        .reasons
        .iter()
        .find(|r| r.reason == "UNAVAILABLE")
        .unwrap();
    let messages: String = reason.examples.iter().map(|e| e.message.as_str()).collect();
    assert!(messages.contains("404"), "{messages}");
    let told = |note: &String| note.contains("4 bytes came, the source says 3");
    assert_eq!(
        report.notes.iter().filter(|note| told(note)).count(),
        1,
        "{:?}",
        report.notes
    );
    assert_eq!(line(&report, "messages").created, 36);
}

#[tokio::test]
async fn files_that_cannot_be_had_for_now_are_tried_again_by_resume_though_the_gate_was_passed() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    lists.files.remove(&201);
    lists.trouble.store(true, Ordering::Relaxed);
    let (source, org) = (Arc::new(lists), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let wide = Gate {
        share: 1.0,
        always: 1_000,
    };
    let first = migration(folder.path(), &source, &sink)
        .gate(wide)
        .run(&Context::new())
        .await
        .unwrap();
    let files = line(&first, "files");
    assert!(first.complete && files.failed > 2, "{}", first.summary());
    let failed = files.failed;

    // Another target is loaded from the same stage while the trouble lasts, and a third after it: all have their chance.
    let other = Arc::new(Maps::new("00D2", &Arc::new(Org::default())));
    let second = migration(folder.path(), &source, &other)
        .target_name("Other")
        .gate(wide)
        .run(&Context::new())
        .await
        .unwrap();
    assert_eq!(line(&second, "files").failed, failed);

    source.trouble.store(false, Ordering::Relaxed);
    for (sink, name) in [(&sink, "Org"), (&other, "Other")] {
        let again = migration(folder.path(), &source, sink)
            .target_name(name)
            .gate(wide)
            .resume(&Context::new())
            .await
            .unwrap();
        let files = line(&again, "files");
        // What is gone for good is not asked for again.
        assert_eq!(files.failed, 1, "{}", again.summary());
        assert_eq!(files.created, line(&first, "files").created + failed - 1);
        assert_eq!(
            line(&again, "messages").created,
            line(&first, "messages").created
        );
    }
}

#[tokio::test]
async fn a_cycle_of_parents_is_cut_once_and_nobody_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    lists.spawned.clear();
    lists.shards[2].1 = vec![page(vec![
        conversation(1, Some(3)),
        conversation(2, Some(1)),
        conversation(3, Some(2)),
        conversation(4, Some(77)),
    ])];
    let (source, org) = (Arc::new(lists), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    migration(folder.path(), &source, &sink)
        .run(&Context::new())
        .await
        .unwrap();
    let rows = org.rows.lock().unwrap();
    let shape = |n: u64| {
        let row = &rows[&format!("lists:acme:conversation:{n}#0")];
        (
            row.parent
                .as_deref()
                .map(|p| p.chars().rev().nth(2).unwrap()),
            row.orphan,
        )
    };
    assert_eq!(
        [shape(1), shape(2), shape(3), shape(4)],
        [
            (Some('3'), false),
            (Some('1'), false),
            (None, true),
            (None, true)
        ]
    );
}

#[tokio::test]
async fn records_of_one_conversation_are_never_in_two_batches_at_once_and_replies_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    lists.spawned.clear();
    let mut records: Vec<Record> = (1..=40)
        .map(|n| mail(n, 1, (n > 1).then_some(n - 1)))
        .collect();
    records.extend((101..=140).map(|n| mail(n, 2, None)));
    records.push(file(1, 2, 3));
    let mut whole = page(records);
    whole
        .records
        .extend([conversation(1, None), conversation(2, None)]);
    lists.shards[2].1 = vec![whole];
    let (source, org) = (Arc::new(lists), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let report = migration(folder.path(), &source, &sink)
        .run(&Context::new())
        .await
        .unwrap();
    assert_eq!(line(&report, "messages").created, 80);
    let rows = org.rows.lock().unwrap();
    for n in 2..=40 {
        let row = &rows[&format!("lists:acme:message:{n}#0")];
        assert_eq!(row.parent, Some(format!("lists:acme:message:{}#0", n - 1)));
    }
}

#[tokio::test]
async fn an_author_who_is_named_by_key_alone_gets_the_name_that_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = sample();
    let Record::Message(mut nameless) = mail(9_999, 1, None) else {
        unreachable!()
    };
    nameless.author.name.clear();
    nameless.author.key = Some(key(RecordKind::Contact, 3));
    nameless.body.text = None;
    lists.spawned[0].1[0]
        .records
        .push(Record::Message(nameless));
    let (source, org) = (Arc::new(lists), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    migration(folder.path(), &source, &sink)
        .run(&Context::new())
        .await
        .unwrap();
    assert_eq!(
        org.rows.lock().unwrap()["lists:acme:message:9999#0"].text,
        "by Person 3"
    );
}

struct Edit;

#[async_trait]
impl Transform for Edit {
    async fn apply(&self, _cx: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        Ok(batch
            .into_iter()
            .map(|record| match record {
                Record::Account(a) if a.meta.key.id() == "1" => {
                    Transformed::Skip("not-wanted".into())
                }
                Record::Message(m) if m.meta.key.id() == "101" => {
                    Transformed::Split(vec![Record::Message(m.clone()), Record::Message(m)])
                }
                Record::Contact(mut c) => {
                    c.name.push('!');
                    Transformed::Keep(Record::Contact(c))
                }
                other => Transformed::Keep(other),
            })
            .collect())
    }
}

#[tokio::test]
async fn transforms_keep_skip_and_split_and_the_books_still_balance() {
    let folder = tempfile::tempdir().unwrap();
    let (source, org) = (Arc::new(sample()), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let report = migration(folder.path(), &source, &sink)
        .transform(Edit)
        .run(&Context::new())
        .await
        .unwrap();
    assert_eq!(
        (
            line(&report, "accounts").created,
            line(&report, "accounts").skipped
        ),
        (1, 1)
    );
    assert_eq!(line(&report, "messages").created, 36);
    let rows = org.rows.lock().unwrap();
    assert!(
        rows.contains_key("lists:acme:message:101#0")
            && rows.contains_key("lists:acme:message:101#1")
    );
}

#[tokio::test]
async fn a_cancelled_run_says_so_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let (source, org) = (Arc::new(sample()), Arc::new(Org::default()));
    let sink = Arc::new(Maps::new("00D1", &org));
    let cx = Context::new();
    cx.cancel();
    let error = migration(folder.path(), &source, &sink)
        .run(&cx)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    migration(folder.path(), &source, &sink)
        .resume(&Context::new())
        .await
        .unwrap();
    assert_whole(&org);
}

#[test]
fn the_traits_are_object_safe_and_can_be_shared() {
    fn shared<T: ?Sized + Send + Sync>() {}
    shared::<dyn deskferry_core::Source>();
    shared::<dyn deskferry_core::Sink>();
    shared::<dyn Transform>();
    shared::<dyn deskferry_core::journal::Journal>();
    shared::<dyn deskferry_core::stage::index::Index>();
    shared::<dyn deskferry_core::ledger::Ledger>();
}
