//! What hangs on each agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::key::{RecordKey, RecordKind};
use crate::model::{Conversation, Message, StatusState};

/// What hangs on one agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    /// Conversations that they have and that are not over.
    pub(crate) open: u64,
    /// Those that are.
    pub(crate) closed: u64,
    /// Messages that they wrote.
    pub(crate) messages: u64,
}

/// What hangs on all agents. Its size is that of their number, never that of what is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tally(BTreeMap<RecordKey, Count>);

/// A conversation is over when it is closed, or answered and at rest, in the canonical state: whatever a mapping makes of
/// it. A state that only the tenant knows is open: a person should look.
pub(crate) const fn is_open(state: StatusState) -> bool {
    !matches!(state, StatusState::Resolved | StatusState::Closed)
}

impl Tally {
    /// Counts a conversation.
    pub(crate) fn conversation(&mut self, conversation: &Conversation) {
        let Some(agent) = &conversation.assignee else {
            return;
        };
        let count = self.0.entry(agent.clone()).or_default();
        if is_open(conversation.status.is) {
            count.open += 1;
        } else {
            count.closed += 1;
        }
    }

    /// Counts a message, if an agent wrote it.
    pub(crate) fn message(&mut self, message: &Message) {
        let agent = message.author.key.as_ref();
        if let Some(agent) = agent.filter(|key| key.record_kind() == Some(RecordKind::Agent)) {
            self.0.entry(agent.clone()).or_default().messages += 1;
        }
    }

    /// The same before any conversation was counted.
    pub(crate) fn without_cases(&self) -> Self {
        self.with(|count| Count {
            messages: count.messages,
            ..Count::default()
        })
    }

    /// The same before any message was counted.
    pub(crate) fn without_messages(&self) -> Self {
        self.with(|count| Count {
            messages: 0,
            ..*count
        })
    }

    fn with(&self, change: impl Fn(&Count) -> Count) -> Self {
        let all = self.0.iter();
        Self(
            all.map(|(key, count)| (key.clone(), change(count)))
                .collect(),
        )
    }

    /// What hangs on an agent.
    pub(crate) fn of(&self, agent: &RecordKey) -> Count {
        self.0.get(agent).copied().unwrap_or_default()
    }

    /// Agents who have or had conversations, by key.
    pub(crate) fn assignees(&self) -> impl Iterator<Item = &RecordKey> {
        let has = |count: &Count| count.open + count.closed > 0;
        self.0
            .iter()
            .filter(move |(_, count)| has(count))
            .map(|(agent, _)| agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_closed_or_answered_is_over() {
        use StatusState::{Closed, New, Open, Other, Pending, Resolved, Snoozed};
        for (state, open) in [
            (New, true),
            (Open, true),
            (Pending, true),
            (Snoozed, true),
            (Other, true),
            (Resolved, false),
            (Closed, false),
        ] {
            assert_eq!(is_open(state), open, "{state:?}");
        }
    }
}
