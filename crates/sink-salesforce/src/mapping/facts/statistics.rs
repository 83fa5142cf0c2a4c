use deskferry_core::model::{AgentStatistics, CustomValues};

use super::{Common, Facts};
use crate::mapping::value::Fact;

/// Figures of an agent over a time.
pub(crate) struct StatisticsFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) statistics: &'a AgentStatistics,
    /// The agent's User.
    pub(crate) user: Option<&'a str>,
    /// What the agent is called.
    pub(crate) name: Option<&'a str>,
}

impl Facts for StatisticsFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        match name {
            "agent" => Fact::maybe_id(self.user),
            // One without a name can still be told from others.
            "agent.name" => Fact::text(self.name.unwrap_or(self.statistics.agent.as_str())),
            "from" => Fact::maybe_time(self.statistics.from),
            "until" => Fact::maybe_time(self.statistics.until),
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.statistics.meta.custom
    }
}
