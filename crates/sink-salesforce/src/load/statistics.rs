//! Figures of agents, each a row of an object of its own.

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::model::{AgentStatistics, Record};
use deskferry_core::sink::{Loaded, Outcome};

use super::{Lookup, Planned, Run, agents, strange};
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{Common, STATISTICS, StatisticsFacts};

pub(crate) const OBJECT: &str = STATISTICS;

pub(crate) async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let around = around(run).await?;
    let mut planned = Vec::with_capacity(run.batch.records.len());
    for loaded in &run.batch.records {
        let fields = fields(run, &around, loaded, run.cx.now())?;
        planned.push(Planned::Rows(vec![run.outgoing(loaded, 0, OBJECT, fields)]));
    }
    run.carry_out(planned).await
}

fn statistics(loaded: &Loaded) -> Result<&AgentStatistics> {
    match &loaded.record {
        Record::AgentStatistics(statistics) => Ok(statistics),
        _ => Err(strange(loaded, "statistics")),
    }
}

/// What is known of the agents whose figures these are.
pub(crate) async fn around(run: &Run<'_>) -> Result<Lookup> {
    let agents = run.batch.records.iter().map(statistics);
    let agents: Vec<&AgentStatistics> = agents.collect::<Result<_>>()?;
    run.look(agents.into_iter().map(|figures| &figures.agent))
        .await
}

/// The fields of an agent's figures. An agent who is nobody of the org stands in them by name.
pub(crate) fn fields(
    run: &Run<'_>,
    around: &Lookup,
    loaded: &Loaded,
    now: DateTime<Utc>,
) -> Result<Fields> {
    let statistics = statistics(loaded)?;
    let name = match run.batch.related.get(&statistics.agent) {
        Some(Record::Agent(agent)) => Some(agent.name.trim()).filter(|name| !name.is_empty()),
        _ => None,
    };
    let key = statistics.meta.key.row(loaded.part);
    let facts = StatisticsFacts {
        common: Common {
            meta: &statistics.meta,
            key: &key,
            mark: run.journal().mark(),
        },
        statistics,
        user: agents::identity(around.get(&statistics.agent)),
        name,
    };
    let (lines, object) = (run.lines(OBJECT)?, run.org.object(OBJECT)?);
    Ok(build::row(lines, object, &facts, Leftovers::new(), now))
}
