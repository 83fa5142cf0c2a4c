//! The load, one file per phase. Each plans rows from records (pure but for look-ups, shared with the verification) and
//! writes them by the one protocol of [`writer`].

pub(crate) mod accounts;
pub(crate) mod agents;
pub(crate) mod articles;
pub(crate) mod calls;
pub(crate) mod cases;
pub(crate) mod comments;
pub(crate) mod contacts;
pub(crate) mod files;
pub(crate) mod find;
pub(crate) mod leads;
pub(crate) mod mails;
pub(crate) mod messages;
pub(crate) mod objects;
pub(crate) mod people;
pub(crate) mod rows;
pub(crate) mod statistics;
mod users;
pub(crate) mod values;
mod writer;

pub(crate) use find::Identity;
pub(crate) use find::moment;
pub(crate) use writer::{Collections, Landed, Outgoing, Transport, Writer};

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use deskferry_core::blob::Blobs;
use deskferry_core::context::Context;
use deskferry_core::error::{Error, Result};
use deskferry_core::journal::{Effect, EffectState, Journal, Known, Operation};
use deskferry_core::key::{RecordId, RecordKey, RecordKind};
use deskferry_core::sink::{Batch, Loaded, Order, Outcome, Phase, Verdict, Volume};

use crate::bulk::REQUEST;
use crate::client::Api;
use crate::mapping::build::{Fields, payload_hash};
use crate::mapping::{Mapping, ObjectMapping};
use crate::org::Org;

/// The most rows of a batch that goes by jobs (the platform's own inner batch), and the most bytes of their staged lines:
/// what fits memory as records, as rows and as what is known of them.
const IN_BULK: (usize, usize) = (10_000, 12 << 20);

/// The steps of a load, in dependency order. Where jobs are used, batches grow once there are records enough for one.
pub(crate) fn phases(bulk_from: usize, mapping: &Mapping) -> Vec<Phase> {
    use RecordKind::{
        Account, Agent, AgentStatistics, Article, Attachment, Category, Contact, Conversation,
        FieldDefinition, Message, ObjectDefinition, ObjectRecord, Tag, Team,
    };
    let sized = |phase: Phase, records: usize, bytes: usize, parallel: usize| {
        let phase = phase.sized(records, bytes, parallel);
        match bulk_from {
            0 => phase,
            from => phase.growing(Volume {
                from,
                records: IN_BULK.0.max(from),
                bytes: IN_BULK.1,
            }),
        }
    };
    // Who owns open cases is asked once all of them are counted; nothing before the cases names an agent.
    let agents = Phase::new("agents", &[Agent])
        .needing(&[Agent, Team, Conversation])
        .strictly();
    // Who asked for something stays a contact: that is known once all conversations were read.
    let contacts = match mapping.leads() {
        None => Phase::new("contacts", &[Contact]).needing(&[Account, Contact]),
        Some(_) => Phase::new("contacts", &[Contact]).needing(&[Account, Contact, Conversation]),
    };
    let cases = Phase::new("cases", &[Conversation])
        .needing(&[Conversation, Agent, Team, Contact, Account])
        .ordered(Order::Waves);
    // Files and messages stream behind the read: their conversations come as they become complete.
    let messages = Phase::new("messages", &[Message])
        .needing(&[Conversation])
        .ordered(Order::Timeline);
    // What they point at stands by then; among each other they wait where they must.
    let objects = Phase::new("objects", &[ObjectRecord]).needing(&[
        ObjectRecord,
        Account,
        Contact,
        Conversation,
        Agent,
    ]);
    let mut phases = vec![
        Phase::new("values", &[FieldDefinition, ObjectDefinition, Team, Tag]),
        sized(Phase::new("accounts", &[Account]), 200, 8 << 20, 1),
        sized(contacts, 200, 8 << 20, 1),
        agents,
        sized(cases, 200, 8 << 20, 4),
        Phase::new("files", &[Attachment])
            .needing(&[Conversation])
            .ordered(Order::Timeline)
            .sized(200, 8 << 20, 4),
        sized(messages, 1_000, 16 << 20, 2),
        sized(objects, 200, 8 << 20, 1),
    ];
    if mapping.object(statistics::OBJECT).is_some() {
        let phase = Phase::new("statistics", &[AgentStatistics]);
        phases.push(phase.needing(&[AgentStatistics, Agent]));
    }
    if mapping.articles().is_some() {
        // Their pictures stand by then.
        let needs = &[Category, Article, Attachment, Agent];
        phases.push(Phase::new("articles", &[Category, Article]).needing(needs));
    }
    phases
}

/// One batch on its way into one org.
pub(crate) struct Run<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) api: &'a Api,
    pub(crate) org: &'a Org,
    pub(crate) mapping: &'a Mapping,
    pub(crate) batch: &'a Batch,
    /// What is known of the batch's rows, by record and row.
    prior: HashMap<(RecordId, u32), Effect>,
}

/// What a record asks for.
#[derive(Debug)]
pub(crate) enum Planned {
    /// These rows.
    Rows(Vec<Outgoing>),
    /// No row: this is what became of it.
    Verdict(Verdict),
    /// A row that another record made, or that was in the org before.
    Standing {
        object: &'static str,
        id: String,
        operation: Operation,
        reason: &'static str,
    },
}

impl<'a> Run<'a> {
    pub(crate) async fn open(
        cx: &'a Context,
        api: &'a Api,
        org: &'a Org,
        mapping: &'a Mapping,
        batch: &'a Batch,
    ) -> Result<Self> {
        let mut ids: Vec<RecordId> = batch.records.iter().map(|loaded| loaded.id).collect();
        ids.dedup();
        let effects = batch.journal.effects(&ids).await?;
        let prior = effects
            .into_iter()
            .map(|effect| ((effect.record, effect.row), effect))
            .collect();
        Ok(Self {
            cx,
            api,
            org,
            mapping,
            batch,
            prior,
        })
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        self.batch.journal.as_ref()
    }

    pub(crate) fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.batch.blobs
    }

    /// Settles effects; nothing is asked of the journal when there are none.
    pub(crate) async fn settle(&self, effects: Vec<Effect>) -> Result<()> {
        if effects.is_empty() {
            return Ok(());
        }
        self.journal().settle(effects).await
    }

    /// What is known of a record's row.
    pub(crate) fn prior(&self, loaded: &Loaded, n: u32) -> Option<&Effect> {
        self.prior.get(&(loaded.id, loaded.row(n)))
    }

    /// The id of a record's row that stands.
    pub(crate) fn standing(&self, loaded: &Loaded, n: u32) -> Option<&str> {
        self.prior(loaded, n).and_then(Effect::id)
    }

    /// The lines of an object.
    pub(crate) fn lines(&self, object: &str) -> Result<&'a ObjectMapping> {
        self.mapping
            .object(object)
            .ok_or_else(|| Error::bug("build rows", format!("no mapping for {object}")))
    }

    /// A row on its way.
    pub(crate) fn outgoing(
        &self,
        loaded: &Loaded,
        n: u32,
        object: &'static str,
        fields: Fields,
    ) -> Outgoing {
        let (sent_before, job) = match self.prior(loaded, n).map(|effect| &effect.state) {
            Some(EffectState::Intended { sent_at, request }) => {
                let job = request.strip_prefix(REQUEST).map(str::to_owned);
                (Some(*sent_at), job)
            }
            _ => (None, None),
        };
        let hash = payload_hash(self.mapping, &fields);
        Outgoing {
            record: loaded.id,
            row: loaded.row(n),
            object,
            fields,
            hash,
            sent_before,
            job,
            content: None,
        }
    }

    /// Writes the rows of one object that do not stand yet. Answers one per row, in order.
    pub(crate) async fn write(
        &self,
        rows: Vec<Outgoing>,
        transport: &dyn Transport,
        identity: Identity,
    ) -> Result<Vec<Landed>> {
        let mut landed: Vec<Option<Landed>> =
            rows.iter().map(|row| self.stands_already(row)).collect();
        let known: HashSet<String> = self
            .prior
            .values()
            .filter_map(Effect::id)
            .map(str::to_owned)
            .collect();
        let open: Vec<Outgoing> = rows
            .into_iter()
            .zip(&landed)
            .filter(|(_, landed)| landed.is_none())
            .map(|(row, _)| row)
            .collect();
        let writer = Writer {
            api: self.api,
            cx: self.cx,
            journal: self.journal(),
            transport,
            identity,
            known,
        };
        let mut written = writer.insert(open).await?.into_iter();
        for slot in landed.iter_mut().filter(|slot| slot.is_none()) {
            *slot = written.next();
        }
        Ok(landed.into_iter().flatten().collect())
    }

    fn stands_already(&self, row: &Outgoing) -> Option<Landed> {
        let effect = self.prior.get(&(row.record, row.row))?;
        let id = effect.id()?.to_owned();
        Some(Landed::Stands {
            id,
            ours: effect.operation == Operation::Insert,
        })
    }

    /// Writes what was planned, rows of one object in collections, and answers one outcome per record.
    pub(crate) async fn carry_out(&self, planned: Vec<Planned>) -> Result<Vec<Outcome>> {
        self.carry_out_by(planned, &Collections(self.api), Identity::Key)
            .await
    }

    pub(crate) async fn carry_out_by(
        &self,
        planned: Vec<Planned>,
        transport: &dyn Transport,
        identity: Identity,
    ) -> Result<Vec<Outcome>> {
        self.settle_standing(&planned).await?;
        let mut rows = Vec::new();
        let mut shape = Vec::with_capacity(planned.len());
        for plan in planned {
            shape.push(match plan {
                Planned::Rows(mine) => {
                    let count = mine.len();
                    rows.extend(mine);
                    Ok(count)
                }
                Planned::Verdict(verdict) => Err(verdict),
                Planned::Standing { reason, .. } => Err(Verdict::Unchanged(reason.to_owned())),
            });
        }
        let mut landed = self.write(rows, transport, identity).await?.into_iter();
        let verdicts = shape.into_iter().map(|shape| match shape {
            Ok(count) => verdict(landed.by_ref().take(count)),
            Err(verdict) => verdict,
        });
        Ok(self
            .batch
            .records
            .iter()
            .zip(verdicts)
            .map(|(loaded, verdict)| outcome(loaded, verdict))
            .collect())
    }

    async fn settle_standing(&self, planned: &[Planned]) -> Result<()> {
        let standing =
            self.batch
                .records
                .iter()
                .zip(planned)
                .filter_map(|(loaded, plan)| match plan {
                    Planned::Standing {
                        object,
                        id,
                        operation,
                        ..
                    } => Some(Effect {
                        record: loaded.id,
                        row: loaded.row(0),
                        object: (*object).to_owned(),
                        operation: *operation,
                        state: EffectState::Confirmed { id: id.clone() },
                        hash: [0; 16],
                    }),
                    _ => None,
                });
        self.settle(standing.collect()).await
    }

    /// What is known of other records, asked once per key.
    pub(crate) async fn look(&self, keys: impl IntoIterator<Item = &RecordKey>) -> Result<Lookup> {
        let keys: Vec<RecordKey> = keys
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .cloned()
            .collect();
        let known = self.journal().look(&keys).await?;
        Ok(Lookup {
            known: keys.into_iter().zip(known).collect(),
        })
    }
}

/// What is known of other records.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    known: BTreeMap<RecordKey, Known>,
}

/// A row that another record must have before ours can refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Needed {
    /// It stands.
    Stands(String),
    /// There never will be one: the record was skipped, or is not in the stage.
    None,
    /// It may come once somebody acted.
    Waits(Verdict),
}

impl Lookup {
    pub(crate) fn get(&self, key: &RecordKey) -> &Known {
        self.known.get(key).unwrap_or(&Known::Missing)
    }

    pub(crate) fn needed(&self, key: &RecordKey, object: &str) -> Needed {
        needed(self.get(key), object)
    }
}

/// The row of this object that a record has, or why it has none.
pub(crate) fn needed(known: &Known, object: &str) -> Needed {
    if let Some(id) = known.id_of(object) {
        return Needed::Stands(id.to_owned());
    }
    match known {
        Known::Missing => Needed::None,
        Known::Pending { .. } => Needed::Waits(Verdict::Held("parent-pending".into())),
        Known::Settled {
            verdict: Verdict::Failed { .. },
            ..
        } => Needed::Waits(Verdict::Held("parent-failed".into())),
        Known::Settled {
            verdict: Verdict::Held(_),
            ..
        } => Needed::Waits(Verdict::Held("parent-held".into())),
        Known::Settled { .. } => Needed::None,
    }
}

/// What became of a record, from what became of its rows.
fn verdict(rows: impl Iterator<Item = Landed>) -> Verdict {
    let mut all_ours = true;
    let mut refused = None;
    for row in rows {
        match row {
            Landed::Stands { ours, .. } => all_ours &= ours,
            Landed::Refused { code, message } => {
                refused = refused.or(Some(Verdict::Failed { code, message }))
            }
        }
    }
    refused.unwrap_or(if all_ours {
        Verdict::Created
    } else {
        Verdict::Unchanged(String::new())
    })
}

pub(crate) fn outcome(loaded: &Loaded, verdict: Verdict) -> Outcome {
    Outcome {
        record: loaded.id,
        part: loaded.part,
        verdict,
    }
}

/// A record of another kind than its phase takes.
pub(crate) fn strange(loaded: &Loaded, phase: &str) -> Error {
    Error::bug(
        "plan rows",
        format!("the phase `{phase}` takes no {}", loaded.record.kind()),
    )
    .of(loaded.record.key().clone())
}
