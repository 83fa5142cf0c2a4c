//! The tables that are read, what their rows belong to, and which statement of a row is the latest.
//!
//! Keys are the documented ones without the parts that name the tenant: one tree belongs to one tenant, and the rows of
//! several tables do not have those columns (ASAPP reference, sections 3.3 and 7.1).

use deskferry_core::RecordKind;

/// The two worlds of data: ids of one mean nothing in the other (ASAPP reference, section 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// Digital Agent Desk: conversations are issues.
    Messaging,
    /// AI services: conversations have ids of letters and digits.
    Services,
}

/// What a row belongs to: rows of one thing lie together once they are reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Of {
    /// A dictionary that every part of the read looks into.
    Dictionary,
    /// An agent.
    Agent,
    /// A customer.
    Customer,
    /// A conversation.
    Conversation,
}

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    /// As ASAPP names it.
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    /// Its mark in keys: never reused.
    pub(crate) tag: u8,
    pub(crate) of: Of,
    /// The columns that name what a row belongs to; the first that has a value counts.
    pub(crate) owner: &'static [&'static str],
    /// What tells rows of one owner apart.
    pub(crate) key: &'static [&'static str],
    /// A newer column that replaces the key where it has a value.
    pub(crate) unique: Option<&'static str>,
    /// The column of the logical time.
    pub(crate) logical: Option<&'static str>,
    /// A column whose value never changes: two values are two claims to one id.
    pub(crate) constant: Option<&'static str>,
    /// What its rows become.
    pub(crate) kind: RecordKind,
}

/// Marks of tables, as far as a conversion asks for one.
pub(crate) mod tag {
    pub(crate) const METADATA: u8 = 1;
    pub(crate) const METADATA_ENDED: u8 = 2;
    pub(crate) const METRICS: u8 = 3;
    pub(crate) const METRICS_ENDED: u8 = 4;
    pub(crate) const INTENTS_OF: u8 = 5;
    pub(crate) const INTENTS_OF_ENDED: u8 = 6;
    pub(crate) const SUMMARY_TAGS: u8 = 7;
    pub(crate) const UTTERANCE: u8 = 8;
    pub(crate) const FEEDBACK: u8 = 9;
    pub(crate) const PARAM_OF_ISSUE: u8 = 10;
    pub(crate) const REP_CONVO: u8 = 11;
    pub(crate) const DISPOSITION: u8 = 12;
    pub(crate) const QUEUE_VISIT: u8 = 13;
    pub(crate) const TRANSFER: u8 = 14;
    pub(crate) const OPPORTUNITY: u8 = 15;
    pub(crate) const VOICE_INTENT: u8 = 16;
    pub(crate) const ISSUE_TYPE: u8 = 17;
    pub(crate) const ENTRY: u8 = 18;
    pub(crate) const OMNICHANNEL: u8 = 19;
    pub(crate) const SESSION_MERGE: u8 = 20;
    pub(crate) const SENTIMENT: u8 = 21;
    pub(crate) const GENAGENT: u8 = 22;
    /// Archived real-time events, flattened.
    pub(crate) const EVENT: u8 = 29;
    /// Made by us: the row of another issue says that it took this one over.
    pub(crate) const MERGED: u8 = 30;

    pub(crate) const STATE: u8 = 40;
    pub(crate) const UTTERANCE_STATE: u8 = 41;
    pub(crate) const UTTERANCE_TEXT: u8 = 42;
    pub(crate) const SUMMARY: u8 = 43;
    pub(crate) const SUMMARY_FEEDBACK: u8 = 44;
    pub(crate) const STRUCTURED: u8 = 45;
    pub(crate) const CONTACT_AGENT: u8 = 46;
    /// Answers of the APIs: that a conversation was asked about, its messages, its intent.
    pub(crate) const ASKED: u8 = 47;
    pub(crate) const ASKED_MESSAGE: u8 = 48;
    pub(crate) const ASKED_INTENT: u8 = 49;

    pub(crate) const REP: u8 = 60;
    pub(crate) const REP_ATTRIBUTE: u8 = 61;
    pub(crate) const REP_SUPERIOR: u8 = 62;
    /// Made by us: a conversation names this agent.
    pub(crate) const REP_NAMED: u8 = 63;
    pub(crate) const REP_ACTIVITY: u8 = 64;
    /// Made by us: how long an agent had a conversation.
    pub(crate) const REP_HANDLED: u8 = 65;
    /// Made by us: the Conversation API names this agent.
    pub(crate) const REP_TOLD: u8 = 66;

    pub(crate) const PARAM: u8 = 70;
    /// Made by us: a conversation names this customer.
    pub(crate) const CUSTOMER_NAMED: u8 = 71;
    /// Made by us: the Conversation API names this customer.
    pub(crate) const CUSTOMER_TOLD: u8 = 72;

    pub(crate) const QUEUE: u8 = 80;
    pub(crate) const INTENT: u8 = 81;
    /// Made by us: the definition of a structured-data field as rows tell it.
    pub(crate) const FIELD: u8 = 82;
    /// Made by us: values of a structured-data field look like this.
    pub(crate) const FIELD_SEEN: u8 = 83;
}

const fn conversation(
    name: &'static str,
    family: Family,
    tag: u8,
    key: &'static [&'static str],
    logical: Option<&'static str>,
) -> Table {
    Table {
        name,
        family,
        tag,
        of: Of::Conversation,
        owner: match family {
            // The deprecated twin stands in where the column is missing (ASAPP reference, section 3.4).
            Family::Messaging => &["issue_id", "conversation_id"],
            Family::Services => &["conversation_id"],
        },
        key,
        unique: None,
        logical,
        constant: None,
        kind: RecordKind::Conversation,
    }
}

const fn agent(
    name: &'static str,
    tag: u8,
    owner: &'static [&'static str],
    key: &'static [&'static str],
    logical: Option<&'static str>,
) -> Table {
    Table {
        of: Of::Agent,
        owner,
        kind: RecordKind::Agent,
        ..conversation(name, Family::Messaging, tag, key, logical)
    }
}

const fn dictionary(
    name: &'static str,
    tag: u8,
    key: &'static [&'static str],
    kind: RecordKind,
) -> Table {
    Table {
        of: Of::Dictionary,
        owner: &[],
        kind,
        ..conversation(name, Family::Messaging, tag, key, None)
    }
}

use Family::{Messaging, Services};

const WINDOW: Option<&str> = Some("instance_ts");

/// Archived real-time events: of each type the latest counts, and each carries what was known by then (ASAPP reference, section 5).
pub(crate) static EVENTS: Table = conversation(
    "real-time events",
    Messaging,
    tag::EVENT,
    &["event_type"],
    Some("event_time"),
);

/// What the APIs answered about conversations of AI services, and about issues, in the form of rows (ASAPP reference, sections 4.1 and 4.2). In
/// the order of [`Answer`].
pub(crate) static ASKED: [[Table; 5]; 2] = [asked(Services), asked(Messaging)];

/// What an answer is about: its place in [`ASKED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    Conversation,
    Message,
    Summary,
    Structured,
    Intent,
}

const fn asked(family: Family) -> [Table; 5] {
    [
        conversation("conversation API", family, tag::ASKED, &[], None),
        Table {
            kind: RecordKind::Message,
            ..conversation(
                "messages by API",
                family,
                tag::ASKED_MESSAGE,
                &["message_id"],
                None,
            )
        },
        conversation(
            "autosummary_free_text",
            family,
            tag::SUMMARY,
            &["summary_id"],
            Some("autosummary_free_text_ts"),
        ),
        conversation(
            "autosummary_structured_data",
            family,
            tag::STRUCTURED,
            &["agent_id", "structured_data_field_id"],
            Some("structured_data_ts"),
        ),
        conversation("intents by API", family, tag::ASKED_INTENT, &[], None),
    ]
}

/// Every table that is read.
pub(crate) static TABLES: &[Table] = &[
    Table {
        constant: Some("issue_created_ts"),
        ..conversation(
            "convos_metadata",
            Messaging,
            tag::METADATA,
            &[],
            Some("last_event_ts"),
        )
    },
    conversation(
        "convos_metadata_ended",
        Messaging,
        tag::METADATA_ENDED,
        &[],
        Some("last_event_ts"),
    ),
    conversation("convos_metrics", Messaging, tag::METRICS, &[], None),
    conversation(
        "convos_metrics_ended",
        Messaging,
        tag::METRICS_ENDED,
        &[],
        None,
    ),
    conversation("convos_intents", Messaging, tag::INTENTS_OF, &[], None),
    conversation(
        "convos_intents_ended",
        Messaging,
        tag::INTENTS_OF_ENDED,
        &[],
        None,
    ),
    conversation(
        "convos_summary_tags",
        Messaging,
        tag::SUMMARY_TAGS,
        &["summary_tag_presented"],
        WINDOW,
    ),
    Table {
        unique: Some("event_uuid"),
        kind: RecordKind::Message,
        ..conversation(
            "utterances",
            Messaging,
            tag::UTTERANCE,
            &["created_ts", "sender_id"],
            WINDOW,
        )
    },
    conversation(
        "customer_feedback",
        Messaging,
        tag::FEEDBACK,
        &["question", "ordering"],
        WINDOW,
    ),
    conversation(
        "rep_convos",
        Messaging,
        tag::REP_CONVO,
        &["rep_id", "issue_assigned_ts"],
        WINDOW,
    ),
    conversation(
        "rep_assignment_disposition",
        Messaging,
        tag::DISPOSITION,
        &["rep_id", "rep_assigned_ts"],
        None,
    ),
    conversation(
        "issue_queues",
        Messaging,
        tag::QUEUE_VISIT,
        &["queue_id", "enter_queue_ts"],
        WINDOW,
    ),
    conversation(
        "transfers",
        Messaging,
        tag::TRANSFER,
        &["rep_id", "timestamp_req"],
        WINDOW,
    ),
    conversation(
        "live_agent_opportunities",
        Messaging,
        tag::OPPORTUNITY,
        &["customer_id", "opportunity_ts"],
        WINDOW,
    ),
    conversation("voice_intents", Messaging, tag::VOICE_INTENT, &[], WINDOW),
    conversation(
        "issue_type",
        Messaging,
        tag::ISSUE_TYPE,
        &["customer_id"],
        WINDOW,
    ),
    conversation("issue_entry", Messaging, tag::ENTRY, &[], WINDOW),
    conversation(
        "issue_omnichannel",
        Messaging,
        tag::OMNICHANNEL,
        &[],
        WINDOW,
    ),
    conversation(
        "issue_session_merge",
        Messaging,
        tag::SESSION_MERGE,
        &[],
        WINDOW,
    ),
    conversation("issue_sentiment", Messaging, tag::SENTIMENT, &[], WINDOW),
    conversation(
        "issue_entity_genagent",
        Messaging,
        tag::GENAGENT,
        &[],
        WINDOW,
    ),
    Table {
        of: Of::Customer,
        owner: &["customer_id"],
        kind: RecordKind::Contact,
        ..conversation(
            "customer_params",
            Messaging,
            tag::PARAM,
            &["param_key"],
            Some("event_ts"),
        )
    },
    Table {
        of: Of::Customer,
        owner: &["customer_id"],
        kind: RecordKind::Contact,
        ..conversation(
            "customer_params_hourly",
            Messaging,
            tag::PARAM,
            &["param_key"],
            Some("event_ts"),
        )
    },
    agent("reps", tag::REP, &["rep_id"], &[], None),
    agent(
        "rep_attributes",
        tag::REP_ATTRIBUTE,
        &["rep_id"],
        &["attribute_name"],
        None,
    ),
    agent(
        "rep_hierarchy",
        tag::REP_SUPERIOR,
        &["subordinate_rep_id"],
        &["superior_rep_id"],
        None,
    ),
    agent(
        "rep_activity",
        tag::REP_ACTIVITY,
        &["rep_id"],
        &["instance_ts", "status_id", "in_status_starting_ts"],
        Some("export_ts"),
    ),
    dictionary("dim_queues", tag::QUEUE, &["queue_id"], RecordKind::Team),
    dictionary(
        "intents",
        tag::INTENT,
        &["code"],
        RecordKind::FieldDefinition,
    ),
    conversation(
        "staging_conversation_state",
        Services,
        tag::STATE,
        &["dt", "hr"],
        WINDOW,
    ),
    Table {
        kind: RecordKind::Message,
        ..conversation(
            "staging_utterance_state",
            Services,
            tag::UTTERANCE_STATE,
            &["message_id"],
            WINDOW,
        )
    },
    Table {
        kind: RecordKind::Message,
        ..conversation(
            "utterances",
            Services,
            tag::UTTERANCE_TEXT,
            &["message_id"],
            Some("chat_message_event_ts"),
        )
    },
    conversation(
        "autosummary_free_text",
        Services,
        tag::SUMMARY,
        &["summary_id"],
        Some("autosummary_free_text_ts"),
    ),
    conversation(
        "autosummary_feedback",
        Services,
        tag::SUMMARY_FEEDBACK,
        &["summary_id"],
        Some("autosummary_feedback_ts"),
    ),
    conversation(
        "autosummary_structured_data",
        Services,
        tag::STRUCTURED,
        // Per agent and field the newest run counts (ASAPP reference, section 2.1).
        &["agent_id", "structured_data_field_id"],
        Some("structured_data_ts"),
    ),
    conversation(
        "contact_entity_generative_agent",
        Services,
        tag::CONTACT_AGENT,
        &["contact_id"],
        WINDOW,
    ),
];

/// The table of that name.
pub(crate) fn table(family: Family, name: &str) -> Option<&'static Table> {
    // The file exporter's page names this feed in two ways (ASAPP reference, section 2.1).
    let name = match name {
        "generativeagent" => "contact_entity_generative_agent",
        name => name,
    };
    TABLES
        .iter()
        .find(|table| table.family == family && table.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_unique_but_for_the_two_tables_of_the_same_parameters() {
        let mut seen = std::collections::BTreeMap::new();
        for table in TABLES {
            if let Some(other) = seen.insert(table.tag, table.name) {
                assert_eq!(
                    (other, table.name),
                    ("customer_params", "customer_params_hourly")
                );
            }
        }
    }

    #[test]
    fn one_name_is_two_tables_in_the_two_families() {
        let tag_in = |family| table(family, "utterances").map(|table| table.tag);
        assert_eq!(tag_in(Messaging), Some(tag::UTTERANCE));
        assert_eq!(tag_in(Services), Some(tag::UTTERANCE_TEXT));
        assert!(table(Services, "generativeagent").is_some());
        assert!(table(Messaging, "knowledge_base").is_none());
    }
}
