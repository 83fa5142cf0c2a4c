//! Who owns what agents had: counted, decided by rule or by a person, and remembered for the target.
//!
//! Until the phase of the cases opens a decision can be changed in the file; what counts then is kept in the ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::walk::Walk;
use super::workspace::{make_private, write_whole};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordId, RecordKey, RecordKind};
use crate::ledger::Ledger;
use crate::model::{Agent, Record};
use crate::owners::{
    ALLOWED, By, Case, Count, Decision, FORMAT, Given, Line, Owners, Problem, Proposal, Row, State,
    Tally, Trouble, Undecided, by_rule, read, write,
};
use crate::report::OwnerWait;
use crate::sink::{Phase, Sink};
use crate::stage::index::Place;

/// Where the file stands in a target's folder.
pub(super) const FILE: &str = "reconcile/agents.csv";
/// The name of what the ledger keeps.
const KEPT: &str = "owners";
/// How many records are looked at together.
const TOGETHER: usize = 500;
/// How many problems an error names.
const SHOWN: usize = 20;
/// How often a file that somebody else writes is read again.
const TRIES: usize = 3;
const READING: &str = "read who owns what";

/// What is remembered in the ledger.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    format: u32,
    /// Set when cases were first loaded: what stands here counts then.
    settled: bool,
    /// How many messages had been read when those of agents were counted.
    messages: u64,
    tally: Tally,
    agents: BTreeMap<RecordKey, KeptAgent>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeptAgent {
    name: String,
    decision: Decision,
}

impl KeptAgent {
    fn of(line: &Line) -> (RecordKey, Self) {
        let agent = Self {
            name: line.name.clone(),
            decision: line.decision.clone(),
        };
        (line.agent.clone(), agent)
    }
}

impl Kept {
    async fn of(ledger: &dyn Ledger) -> Result<Self> {
        let value = ledger.get(KEPT).await?.unwrap_or_default();
        if value.is_null() {
            return Ok(Self::default());
        }
        let kept: Self = serde_json::from_value(value)
            .map_err(|e| Error::new(ErrorKind::Mismatch, "read who owns what", e.to_string()))?;
        if kept.format > FORMAT {
            return Err(Error::new(
                ErrorKind::Mismatch,
                "read who owns what",
                format!("the ledger's note of owners has version {}, this Deskferry knows up to {FORMAT}", kept.format),
            )
            .advise("Use the Deskferry that wrote it, or a newer one"));
        }
        Ok(kept)
    }

    async fn put(&mut self, ledger: &dyn Ledger) -> Result<()> {
        self.format = FORMAT;
        let value = serde_json::to_value(&*self)
            .map_err(|e| Error::bug("remember who owns what", e.to_string()))?;
        ledger.put(KEPT, &value).await
    }

    fn decisions(&self) -> HashMap<RecordKey, Decision> {
        let all = self.agents.iter();
        all.map(|(key, agent)| (key.clone(), agent.decision.clone()))
            .collect()
    }

    /// Agents whose open cases wait, most cases first.
    fn waiting(&self) -> Vec<OwnerWait> {
        let mut waiting: Vec<OwnerWait> = self
            .agents
            .iter()
            .filter(|(_, agent)| agent.decision == Decision::Undecided)
            .map(|(key, agent)| OwnerWait {
                agent: key.to_string(),
                name: agent.name.clone(),
                open_cases: self.tally.of(key).open,
            })
            .collect();
        waiting.sort_by_key(|w| std::cmp::Reverse(w.open_cases));
        waiting
    }
}

/// Decisions that were changed after the cases had been loaded under others: a sentence each. A file that cannot be read is
/// spoken of elsewhere.
pub(super) async fn too_late(folder: &Path, ledger: &dyn Ledger) -> Result<Vec<String>> {
    let kept = Kept::of(ledger).await?;
    let bytes = std::fs::read(folder.join(FILE)).unwrap_or_default();
    let Ok(given) = read(&bytes) else {
        return Ok(Vec::new());
    };
    let late = given.rows.iter().filter_map(|(key, row)| {
        let agent = kept.agents.get(key).filter(|_| kept.settled)?;
        (row.by_person && row.decision != agent.decision).then(|| {
            format!(
                "{FILE}, line {}: `{}` came too late for {key} and has no effect: cases were loaded under `{}` already. Change their owner in the target",
                row.line, row.decision, agent.decision
            )
        })
    });
    Ok(late.collect())
}

/// What people decided of agents, in the file of a target's folder; nothing where there is no such file.
///
/// # Errors
/// `Config` when the file makes no sense; `Storage`.
pub fn decided_by_people(folder: &Path) -> Result<BTreeMap<RecordKey, Decision>> {
    let path = folder.join(FILE);
    let Some(bytes) = standing(&path)? else {
        return Ok(BTreeMap::new());
    };
    let given = read(&bytes).map_err(|trouble| refused(trouble, &path))?;
    let rows = given.rows.into_iter().filter(|(_, row)| row.by_person);
    Ok(rows.map(|(key, row)| (key, row.decision)).collect())
}

/// Agents whose open cases would wait for a decision if all that was read were loaded into a new target now.
pub(super) async fn foretell(
    cx: &Context,
    walk: &Walk,
    owners: &dyn Owners,
    undecided: Undecided,
) -> Result<Vec<OwnerWait>> {
    let tally = count_cases(cx, walk, &Tally::default()).await?;
    let lines = propose(cx, walk, owners, &tally).await?;
    let agents = lines.into_iter().map(|(mut line, proposal)| {
        line.decision = ruled(&line, &proposal, undecided).0;
        KeptAgent::of(&line)
    });
    let kept = Kept {
        agents: agents.collect(),
        tally,
        ..Kept::default()
    };
    Ok(kept.waiting())
}

fn ruled(line: &Line, proposal: &Proposal, undecided: Undecided) -> (Decision, &'static str) {
    let case = Case {
        state: line.state,
        open: line.open,
        proposal,
    };
    by_rule(case, undecided)
}

/// Agents whose open cases wait for a decision, from a ledger.
pub(super) async fn waiting(ledger: &dyn Ledger) -> Result<Vec<OwnerWait>> {
    Ok(Kept::of(ledger).await?.waiting())
}

/// The decisions under which a target was loaded.
pub(super) async fn decided(sink: &dyn Sink, ledger: &dyn Ledger) -> Result<Decided> {
    let decided = Decided::default();
    if sink.as_owners().is_some() {
        decided.set(Kept::of(ledger).await?.decisions());
    }
    Ok(decided)
}

/// The decisions that count, for those who hand records to a sink.
#[derive(Debug, Clone, Default)]
pub(super) struct Decided(Arc<Mutex<Option<HashMap<RecordKey, Decision>>>>);

impl Decided {
    fn all(&self) -> MutexGuard<'_, Option<HashMap<RecordKey, Decision>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, decisions: HashMap<RecordKey, Decision>) {
        *self.all() = Some(decisions);
    }

    fn is_set(&self) -> bool {
        self.all().is_some()
    }

    /// What was decided of an agent, or of the agent who has a conversation; nothing where the target takes no decisions.
    pub(super) fn of(&self, record: &Record) -> Option<Decision> {
        let agent = match record {
            Record::Agent(agent) => &agent.meta.key,
            Record::Conversation(conversation) => conversation.assignee.as_ref()?,
            _ => return None,
        };
        self.all().as_ref()?.get(agent).cloned()
    }
}

/// Brings what was found, what rules say and what people decided together, for one target.
pub(super) struct Owning {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) ledger: Arc<dyn Ledger>,
    /// The target's folder.
    pub(super) folder: PathBuf,
    pub(super) undecided: Undecided,
    pub(super) decided: Decided,
}

impl Owning {
    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Before anything is read or written: a file that is there must make sense.
    pub(super) async fn begin(&self, cx: &Context, walk: &Walk) -> Result<()> {
        let Some(owners) = self.sink.as_owners() else {
            return Ok(());
        };
        let kept = Kept::of(self.ledger.as_ref()).await?;
        let bytes = standing(&self.path())?;
        self.checked(cx, walk, owners, &kept.tally, &bytes).await?;
        if kept.settled {
            self.decided.set(kept.decisions());
        }
        Ok(())
    }

    /// Whether agents must be looked at before this phase may be called done.
    pub(super) fn decides(&self, phase: &Phase) -> bool {
        phase.kinds.contains(&RecordKind::Agent)
            && self.sink.as_owners().is_some()
            && !self.decided.is_set()
    }

    /// Counts, decides and writes the file, before agents are handed to the sink.
    pub(super) async fn prepare(&self, cx: &Context, walk: &Walk) -> Result<()> {
        let Some(owners) = self.sink.as_owners() else {
            return Ok(());
        };
        let before = Kept::of(self.ledger.as_ref()).await?;
        let mut kept = before.clone();
        kept.tally = count_cases(cx, walk, &before.tally).await?;
        let lines = self
            .bring_up_to_date(cx, walk, owners, &before, &kept.tally)
            .await?;
        let decided = lines.iter().map(KeptAgent::of).collect();
        // What the cases were loaded under stays.
        let old = std::mem::replace(&mut kept.agents, decided);
        if kept.settled {
            kept.agents.extend(old);
        }
        forget_changed(walk, &before, &kept).await?;
        kept.put(self.ledger.as_ref()).await?;
        self.decided.set(kept.decisions());
        Ok(())
    }

    /// From here on cases are loaded: the decisions stand.
    pub(super) async fn settle(&self, phase: &Phase) -> Result<()> {
        if !phase.kinds.contains(&RecordKind::Conversation) || self.sink.as_owners().is_none() {
            return Ok(());
        }
        let mut kept = Kept::of(self.ledger.as_ref()).await?;
        if kept.settled {
            return Ok(());
        }
        kept.settled = true;
        kept.put(self.ledger.as_ref()).await
    }

    /// When the read is over: counts messages too, and brings the file up to date.
    pub(super) async fn finish(&self, cx: &Context, walk: &Walk) -> Result<()> {
        let Some(owners) = self.sink.as_owners() else {
            return Ok(());
        };
        let messages = read_of(walk, RecordKind::Message).await?;
        let mut kept = Kept::of(self.ledger.as_ref()).await?;
        // Nobody was asked yet, or nothing came since.
        if !self.decided.is_set() || (kept.messages == messages && self.path().exists()) {
            return Ok(());
        }
        kept.tally = count_messages(cx, walk, &kept.tally).await?;
        kept.messages = messages;
        self.bring_up_to_date(cx, walk, owners, &kept, &kept.tally)
            .await?;
        kept.put(self.ledger.as_ref()).await
    }

    /// The error of a phase that waits for people, if it does.
    pub(super) async fn waits(&self) -> Result<Option<Error>> {
        if self.sink.as_owners().is_none() {
            return Ok(None);
        }
        let waiting = waiting(self.ledger.as_ref()).await?;
        if waiting.is_empty() {
            return Ok(None);
        }
        let cases: u64 = waiting.iter().map(|w| w.open_cases).sum();
        let said = format!(
            "open cases have no owner in the target yet (cases: {cases}, agents who have them: {})",
            waiting.len()
        );
        let error = Error::new(ErrorKind::Interactive, "load cases", said)
            .with("file", self.path().display())
            .advise("Fill in the column `decision` of that file (or make the users in the target), then `resume`. Everything before the cases is loaded");
        Ok(Some(error))
    }

    /// Writes the file anew, with what people decided in it. Gives its lines.
    async fn bring_up_to_date(
        &self,
        cx: &Context,
        walk: &Walk,
        owners: &dyn Owners,
        before: &Kept,
        tally: &Tally,
    ) -> Result<Vec<Line>> {
        let path = self.path();
        let proposed = propose(cx, walk, owners, tally).await?;
        for _ in 0..TRIES {
            let bytes = standing(&path)?;
            let given = self.checked(cx, walk, owners, tally, &bytes).await?;
            let lines: Vec<Line> = proposed
                .iter()
                .cloned()
                .map(|(line, proposal)| self.decide(line, &proposal, &given, before))
                .collect();
            let text = write(&lines, &given)?;
            // A person may have saved it in between.
            if standing(&path)? == bytes {
                if bytes.as_ref() != Some(&text) {
                    write_private(&path, &text)?;
                }
                return Ok(lines);
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "write who owns what",
            "somebody else writes the file again and again",
        )
        .with("file", path.display())
        .advise("Save and close it, then `resume`"))
    }

    fn decide(&self, mut line: Line, proposal: &Proposal, given: &Given, before: &Kept) -> Line {
        let of_person = given.rows.get(&line.agent).filter(|row| row.by_person);
        let loaded = before.agents.get(&line.agent).filter(|_| before.settled);
        let (ruled, why) = ruled(&line, proposal, self.undecided);
        (line.decision, line.by) = match (of_person, loaded) {
            (Some(row), _) => (row.decision.clone(), By::Person),
            (None, Some(agent)) if agent.decision != ruled => {
                rule(agent.decision.clone(), "as it was loaded")
            }
            (None, _) => rule(ruled, why),
        };
        line
    }

    /// What the file says, checked against what is known.
    async fn checked(
        &self,
        cx: &Context,
        walk: &Walk,
        owners: &dyn Owners,
        tally: &Tally,
        bytes: &Option<Vec<u8>>,
    ) -> Result<Given> {
        let Some(bytes) = bytes else {
            return Ok(Given::default());
        };
        let given = read(bytes).map_err(|trouble| refused(trouble, &self.path()))?;
        let mut problems = unknown_agents(walk, tally, &given).await?;
        problems.extend(impossible(cx, owners, &given).await?);
        if problems.is_empty() {
            Ok(given)
        } else {
            problems.sort_by_key(|problem| problem.line);
            Err(refused(Trouble::Nonsense(problems), &self.path()))
        }
    }
}

fn refused(trouble: Trouble, path: &Path) -> Error {
    let error = match trouble {
        Trouble::Newer(version) => Error::new(
            ErrorKind::Mismatch,
            READING,
            format!("the file has format {version}, this Deskferry knows up to {FORMAT}"),
        )
        .advise("Use the Deskferry that wrote it, or a newer one"),
        Trouble::Nonsense(problems) => {
            let more = problems.len().saturating_sub(SHOWN);
            let mut lines: Vec<String> = problems
                .iter()
                .take(SHOWN)
                .map(|problem| format!("\n  {problem}"))
                .collect();
            if more > 0 {
                lines.push(format!("\n  and {more} more"));
            }
            Error::new(
                ErrorKind::Config,
                READING,
                format!("the file says what cannot be done:{}\n", lines.concat()),
            )
            .advise("Nothing was written to the target. Correct the file, then `resume`")
        }
    };
    error.with("file", path.display())
}

fn rule(decision: Decision, why: &str) -> (Decision, By) {
    let by = if decision == Decision::Undecided {
        By::Nobody
    } else {
        By::Rule(why.to_owned())
    };
    (decision, by)
}

/// The file as it stands, if it does.
fn standing(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::storage(READING, e).with("file", path.display())),
    }
}

fn write_private(path: &Path, text: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        make_private(folder).map_err(|e| Error::storage("write who owns what", e))?;
    }
    write_whole(path, text)
}

/// Lines about agents whom nobody read and no case names.
async fn unknown_agents(walk: &Walk, tally: &Tally, given: &Given) -> Result<Vec<Problem>> {
    let keys: Vec<RecordKey> = given.rows.keys().cloned().collect();
    let found = walk.stage.index().find(&keys).await?;
    let named: BTreeSet<&RecordKey> = tally.assignees().collect();
    let is_agent = |key: &RecordKey| key.record_kind() == Some(RecordKind::Agent);
    Ok(given
        .rows
        .iter()
        .zip(found)
        .filter(|((key, _), id)| !(is_agent(key) && (id.is_some() || named.contains(key))))
        .map(|((key, row), _)| {
            let said = format!("the source has no agent {key}. Take the line out");
            Problem::agent(row.line, said)
        })
        .collect())
}

/// Lines whose decision the target cannot do.
async fn impossible(cx: &Context, owners: &dyn Owners, given: &Given) -> Result<Vec<Problem>> {
    let asked = |row: &&Row| {
        row.by_person
            && matches!(
                row.decision,
                Decision::User(_) | Decision::Queue(_) | Decision::CreateInactive
            )
    };
    let rows: Vec<&Row> = given.rows.values().filter(asked).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let decisions: Vec<Decision> = rows.iter().map(|row| row.decision.clone()).collect();
    let answers = owners.examine(cx, &decisions).await?;
    Ok(rows
        .into_iter()
        .zip(answers)
        .filter_map(|(row, why)| {
            let said = format!("`{}`: {}. Allowed are {ALLOWED}", row.decision, why?);
            Some(Problem::decision(row.line, said))
        })
        .collect())
}

/// Each agent with whom it may be, who was read or whom cases name.
async fn propose(
    cx: &Context,
    walk: &Walk,
    owners: &dyn Owners,
    tally: &Tally,
) -> Result<Vec<(Line, Proposal)>> {
    let teams = teams(cx, walk).await?;
    let mut unread: BTreeSet<RecordKey> = tally.assignees().cloned().collect();
    let mut lines = Vec::new();
    let mut after = None;
    while let Some(records) = next(cx, walk, RecordKind::Agent, &mut after).await? {
        let agents: Vec<Agent> = records.into_iter().filter_map(agent).collect();
        let proposals = owners.propose(cx, &agents).await?;
        for (agent, proposal) in agents.iter().zip(proposals) {
            unread.remove(&agent.meta.key);
            lines.push((line_of(agent, &teams, &proposal, tally), proposal));
        }
    }
    let unread = unread.into_iter();
    lines.extend(unread.map(|key| (line_of_unread(key, tally), Proposal::default())));
    Ok(lines)
}

fn agent(record: Record) -> Option<Agent> {
    match record {
        Record::Agent(agent) => Some(*agent),
        _ => None,
    }
}

async fn teams(cx: &Context, walk: &Walk) -> Result<HashMap<RecordKey, String>> {
    let mut teams = HashMap::new();
    let mut after = None;
    while let Some(records) = next(cx, walk, RecordKind::Team, &mut after).await? {
        for record in records {
            if let Record::Team(team) = record {
                teams.insert(team.meta.key, team.name);
            }
        }
    }
    Ok(teams)
}

/// The next records of a kind that a target is to load.
async fn next(
    cx: &Context,
    walk: &Walk,
    kind: RecordKind,
    after: &mut Option<Place>,
) -> Result<Option<Vec<Record>>> {
    cx.check("look for owners")?;
    let index = walk.stage.index();
    let rows = index.scan(&[kind], after.as_ref(), TOGETHER).await?;
    let Some(last) = rows.last() else {
        return Ok(None);
    };
    *after = Some(last.place());
    Ok(Some(walk.records_to_load(cx, rows).await?))
}

fn line_of(
    agent: &Agent,
    teams: &HashMap<RecordKey, String>,
    proposal: &Proposal,
    tally: &Tally,
) -> Line {
    let joined = |texts: &mut dyn Iterator<Item = String>| texts.collect::<Vec<_>>().join(" | ");
    let team = |key: &RecordKey| teams.get(key).map_or_else(|| key.to_string(), Clone::clone);
    let count = tally.of(&agent.meta.key);
    Line {
        agent: agent.meta.key.clone(),
        name: agent.name.clone(),
        emails: joined(&mut agent.emails.iter().map(|email| email.address.clone())),
        role: agent.role.clone(),
        state: if agent.active {
            State::Active
        } else {
            State::Departed
        },
        teams: joined(&mut agent.teams.iter().map(team)),
        matched: proposal
            .matched
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        candidates: joined(&mut proposal.candidates.iter().map(ToString::to_string)),
        ..empty(agent.meta.key.clone(), count)
    }
}

fn line_of_unread(agent: RecordKey, tally: &Tally) -> Line {
    let count = tally.of(&agent);
    empty(agent, count)
}

fn empty(agent: RecordKey, count: Count) -> Line {
    Line {
        agent,
        name: String::new(),
        emails: String::new(),
        role: String::new(),
        state: State::NotRead,
        teams: String::new(),
        open: count.open,
        closed: count.closed,
        messages: count.messages,
        matched: String::new(),
        candidates: String::new(),
        decision: Decision::Undecided,
        by: By::Nobody,
    }
}

/// The cases of each agent; what was counted of messages stays.
async fn count_cases(cx: &Context, walk: &Walk, before: &Tally) -> Result<Tally> {
    let mut tally = before.without_cases();
    let mut after = None;
    while let Some(records) = next(cx, walk, RecordKind::Conversation, &mut after).await? {
        for record in records {
            if let Record::Conversation(conversation) = record {
                tally.conversation(&conversation);
            }
        }
    }
    Ok(tally)
}

/// The messages of each agent; what was counted of cases stays.
async fn count_messages(cx: &Context, walk: &Walk, before: &Tally) -> Result<Tally> {
    let mut tally = before.without_messages();
    let index = walk.stage.index();
    let (mut ready, mut unready) = (0, i64::MIN);
    loop {
        cx.check("count the messages of agents")?;
        let mut groups = Vec::new();
        for (n, group) in index.ready_groups(ready, TOGETHER).await? {
            ready = n;
            groups.push(group);
        }
        if groups.is_empty() {
            groups = index.unready_groups(unready, TOGETHER).await?;
            unready = groups.last().copied().unwrap_or(unready);
        }
        if groups.is_empty() {
            return Ok(tally);
        }
        let rows = index.group_rows(&groups, &[RecordKind::Message]).await?;
        for rows in rows.chunks(TOGETHER) {
            for record in walk.stage.records(rows).await? {
                if let Record::Message(message) = record {
                    tally.message(&message);
                }
            }
        }
    }
}

async fn read_of(walk: &Walk, kind: RecordKind) -> Result<u64> {
    let counts = walk.stage.index().counts().await?;
    Ok(counts
        .iter()
        .filter(|(of, _)| *of == kind)
        .map(|(_, count)| count.read)
        .sum())
}

/// Agents whose decision is another one now are handed to the sink again, while that can have an effect.
async fn forget_changed(walk: &Walk, before: &Kept, now: &Kept) -> Result<()> {
    let changed = |(key, agent): &(&RecordKey, &KeptAgent)| {
        let before = before.agents.get(*key);
        before.is_some_and(|before| before.decision != agent.decision)
    };
    let keys: Vec<RecordKey> = now
        .agents
        .iter()
        .filter(changed)
        .map(|(key, _)| key.clone())
        .collect();
    let ids: Vec<RecordId> = walk
        .stage
        .index()
        .find(&keys)
        .await?
        .into_iter()
        .flatten()
        .collect();
    walk.ledger.discard(&ids).await
}
