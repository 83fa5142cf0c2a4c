//! Who owns what agents had: what waits, what the file says, what nobody overwrites.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use deskferry_core::migration::{Gate, Migration, Workspace, status};
use deskferry_core::model::{Agent, Meta, Named, StatusState};
use deskferry_core::owners::{Candidate, Decision, Owners, Proposal};
use deskferry_core::report::Report;
use deskferry_core::sink::{Batch, Outcome, Phase, TargetInfo, Verdict};
use deskferry_core::source::{Shard, Skip};
use deskferry_core::transform::{Transform, Transformed};
use deskferry_core::{Context, ErrorKind, Record, RecordKey, RecordKind, Result, Sink};
use support::{Lists, Maps, Org, conversation, key, page};

fn agent(id: u64) -> RecordKey {
    key(RecordKind::Agent, id)
}

fn person(id: u64, active: bool) -> Record {
    Agent {
        meta: Meta::new(agent(id)),
        name: format!("Agent {id}"),
        emails: Vec::new(),
        active,
        role: "agent".into(),
        teams: Vec::new(),
    }
    .into()
}

fn case(id: u64, assignee: u64, state: StatusState) -> Record {
    let Record::Conversation(mut c) = conversation(id, None) else {
        unreachable!()
    };
    c.assignee = Some(agent(assignee));
    c.status = Named::new(state, "");
    Record::Conversation(c)
}

/// Agent 1 has a user and an open case; 2 left and has a closed one, and an open one that is not to be loaded; 3 was never
/// read and has an open one.
fn source() -> Lists {
    use StatusState::{Closed, Open};
    let mut cases = page(vec![
        case(1, 1, Open),
        case(2, 2, Closed),
        case(3, 3, Open),
        case(4, 2, Open),
    ]);
    cases.skips = vec![Skip {
        key: key(RecordKind::Conversation, 4),
        reason: "trashed".into(),
    }];
    Lists {
        shards: vec![
            (
                Shard::new("agents", [RecordKind::Agent]),
                vec![page(vec![person(1, true), person(2, false)])],
            ),
            (Shard::new("cases", [RecordKind::Conversation]), vec![cases]),
        ],
        ..Lists::default()
    }
}

/// Maps with owners: agent 1 is the user `one`; `no` is nobody.
struct Owned {
    maps: Maps,
    /// A file into which somebody else writes while its decisions are looked at, once.
    edited: Option<(PathBuf, &'static str, &'static str)>,
    examined: AtomicUsize,
}

#[async_trait]
impl Sink for Owned {
    async fn check(&self, cx: &Context) -> Result<TargetInfo> {
        self.maps.check(cx).await
    }
    fn phases(&self) -> Vec<Phase> {
        use RecordKind as K;
        vec![
            Phase::new("agents", &[K::Agent])
                .needing(&[K::Agent, K::Conversation])
                .strictly(),
            Phase::new("cases", &[K::Conversation]),
        ]
    }
    async fn write(&self, cx: &Context, batch: Batch) -> Result<Vec<Outcome>> {
        let decisions: Vec<String> = batch
            .records
            .iter()
            .map(|r| r.owner.as_ref().map_or("?".into(), Decision::to_string))
            .collect();
        let mut outcomes = self.maps.write(cx, batch).await?;
        for (outcome, decision) in outcomes.iter_mut().zip(&decisions) {
            if decision.is_empty() {
                outcome.verdict = Verdict::Held("owner-undecided".into());
            }
        }
        self.maps.hold.lock().unwrap().extend(decisions);
        Ok(outcomes)
    }
    async fn flush(&self, cx: &Context) -> Result<Vec<Outcome>> {
        self.maps.flush(cx).await
    }
    fn as_owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }
}

#[async_trait]
impl Owners for Owned {
    async fn propose(&self, _: &Context, agents: &[Agent]) -> Result<Vec<Proposal>> {
        let one = |agent_: &Agent| Proposal {
            matched: (agent_.meta.key == agent(1)).then(|| Candidate {
                name: "one".into(),
                active: true,
                may_own: true,
            }),
            candidates: Vec::new(),
        };
        Ok(agents.iter().map(one).collect())
    }
    async fn examine(&self, _: &Context, decisions: &[Decision]) -> Result<Vec<Option<String>>> {
        // The first look is that before the run; the second is followed by a write.
        if self.examined.fetch_add(1, Ordering::SeqCst) == 1
            && let Some((file, from, to)) = &self.edited
        {
            let text = std::fs::read_to_string(file).unwrap();
            assert!(text.contains(from), "{text}");
            std::fs::write(file, text.replacen(from, to, 1)).unwrap();
        }
        let no = |d: &Decision| (*d == Decision::User("no".into())).then(|| "nobody".into());
        Ok(decisions.iter().map(no).collect())
    }
}

fn owned(org: &Arc<Org>) -> Owned {
    Owned {
        maps: Maps::new("00D1", org),
        edited: None,
        examined: AtomicUsize::new(0),
    }
}

/// The widest gate there is.
fn migration(folder: &Path, sink: &Arc<Owned>) -> Migration {
    let workspace = Workspace::open(folder).unwrap();
    Migration::new(workspace, Arc::new(source()), Arc::clone(sink) as _).gate(Gate {
        share: 1.0,
        always: 1_000,
    })
}

fn file(folder: &Path) -> PathBuf {
    folder.join("targets/Org-00D1/reconcile/agents.csv")
}

fn decide(folder: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file(folder)).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(file(folder), text.replacen(from, to, 1)).unwrap();
}

/// The line of agent 3 as it waits.
const WAITS: &str = "agent:3,,,,not-read,,1,0,0,,,,,1";

fn seen(sink: &Owned, decision: &str) -> bool {
    sink.maps.hold.lock().unwrap().contains(decision)
}

fn assert_done(report: &Report, org: &Org) {
    assert!(report.complete, "{}", report.summary());
    let rows = org.rows.lock().unwrap();
    assert!(rows.contains_key("lists:acme:conversation:3#0"));
}

#[tokio::test]
async fn an_agent_whom_nobody_read_waits_behind_a_gate_that_no_other_loosens() {
    let folder = tempfile::tempdir().unwrap();
    let org = Arc::new(Org::default());
    let sink = Arc::new(owned(&org));
    let cx = Context::new();
    let error = migration(folder.path(), &sink).run(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interactive, "{error}");
    assert!(
        error
            .to_string()
            .contains("(cases: 1, agents who have them: 1)"),
        "{error}"
    );
    let text = std::fs::read_to_string(file(folder.path())).unwrap();
    assert!(text.contains(WAITS), "{text}");
    assert!(
        text.contains("agent:2,Agent 2,,agent,departed,,0,1,0,,,legacy,"),
        "{text}"
    );
    let reports = status(folder.path()).await.unwrap();
    let waits = reports[0].waits();
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert!(
        waits[0].advice.contains("lists:acme:agent:3 (1)"),
        "{waits:?}"
    );
    let loaded: Vec<String> = org.rows.lock().unwrap().keys().cloned().collect();
    assert!(
        !loaded.iter().any(|key| key.contains("conversation")),
        "{loaded:?}"
    );

    decide(
        folder.path(),
        WAITS,
        "agent:3,,,,not-read,,1,0,0,,,queue:Q,,1",
    );
    let report = migration(folder.path(), &sink).resume(&cx).await.unwrap();
    assert_done(&report, &org);
    for decision in ["user:one", "legacy", "queue:Q"] {
        assert!(seen(&sink, decision), "{decision}");
    }
}

#[tokio::test]
async fn what_somebody_saves_while_the_file_is_written_is_kept_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let org = Arc::new(Org::default());
    let cx = Context::new();
    let first = Arc::new(owned(&org));
    migration(folder.path(), &first).run(&cx).await.unwrap_err();
    decide(
        folder.path(),
        WAITS,
        "agent:3,,,,not-read,,1,0,0,,,queue:Q,,1",
    );
    let sink = Arc::new(Owned {
        edited: Some((file(folder.path()), "queue:Q", "queue:Other")),
        ..owned(&org)
    });
    let report = migration(folder.path(), &sink).resume(&cx).await.unwrap();
    assert_done(&report, &org);
    assert!(seen(&sink, "queue:Other") && !seen(&sink, "queue:Q"));
    let text = std::fs::read_to_string(file(folder.path())).unwrap();
    assert!(text.contains(",queue:Other,person,1"), "{text}");
}

/// Gives every case to agent 1.
struct ToOne;

#[async_trait]
impl Transform for ToOne {
    async fn apply(&self, _: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        let one = |record| match record {
            Record::Conversation(mut c) => {
                c.assignee = Some(agent(1));
                Transformed::Keep(Record::Conversation(c))
            }
            other => Transformed::Keep(other),
        };
        Ok(batch.into_iter().map(one).collect())
    }
}

#[tokio::test]
async fn cases_are_counted_as_transforms_leave_them() {
    let folder = tempfile::tempdir().unwrap();
    let org = Arc::new(Org::default());
    let sink = Arc::new(owned(&org));
    let migration = migration(folder.path(), &sink).transform(ToOne);
    let report = migration.run(&Context::new()).await.unwrap();
    assert_done(&report, &org);
    let text = std::fs::read_to_string(file(folder.path())).unwrap();
    assert!(
        text.contains("agent:1,Agent 1,,agent,active,,2,1,0,one,,user:one,"),
        "{text}"
    );
}
