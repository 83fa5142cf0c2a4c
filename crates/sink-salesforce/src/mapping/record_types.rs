//! Which record type a conversation gets, by the mapping's `[policy]`.

use std::collections::{BTreeMap, BTreeSet};

use deskferry_core::model::{Conversation, CustomValue};
use serde::{Deserialize, Serialize};

/// The process that our record types have: one for all, since the mapping gives all conversations the same values of Status.
const PROCESS: &str = "Migrated_Cases";
/// The line that stands for every other word, and for none.
const ANY: &str = "*";
/// The source's own key of the form that a conversation was made with.
const FORM: &str = "form";
/// What a process has where the mapping takes the source's own statuses: the platform's first ones.
const STATUSES: [&str; 4] = ["New", "Working", "Escalated", "Closed"];

/// What of a conversation decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    Type,
    Form,
    Channel,
    Segment,
}

/// Which record type each conversation gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RecordTypes {
    by: By,
    /// API names by the source's words as they are compared.
    of: BTreeMap<String, String>,
    /// What people see of each.
    labels: BTreeMap<String, String>,
}

/// A record type as an org must have it, in the words of the Metadata API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordTypeSpec {
    /// API name of the object.
    pub object: String,
    /// API name of the type.
    pub name: String,
    /// What people see.
    pub label: String,
    /// API name of the process that says which values of Status it has.
    pub business_process: String,
    /// The values of that process; the first is what a new record gets.
    pub statuses: Vec<String>,
}

impl RecordTypes {
    /// What `record_type_by` says with these lines; nothing where types are left to the org.
    pub(super) fn of_policy(
        by: &str,
        lines: impl Iterator<Item = (String, String)>,
    ) -> Result<Option<Self>, String> {
        let by = match by {
            "none" => return Ok(None),
            "type" => By::Type,
            "form" => By::Form,
            "channel" => By::Channel,
            "segment" => By::Segment,
            other => {
                return Err(format!(
                    "`{other}` is not offered; `none`, `type`, `form`, `channel` and `segment` are"
                ));
            }
        };
        let (mut of, mut labels) = (BTreeMap::new(), BTreeMap::new());
        for (word, name) in lines {
            // A type that several words share is called by its own name.
            let shown = match word.as_str() {
                ANY => name.replace('_', " "),
                word => word.trim().to_owned(),
            };
            labels
                .entry(name.clone())
                .and_modify(|label| *label = name.replace('_', " "))
                .or_insert(shown);
            of.insert(compared(&word), name);
        }
        Ok(Some(Self { by, of, labels }))
    }

    /// The API name of the type that a conversation gets; nothing for one that is left to the org.
    pub(crate) fn of(&self, conversation: &Conversation) -> Option<&str> {
        let custom = conversation.meta.custom.get(FORM);
        let words = match self.by {
            By::Type => [conversation.kind.as_deref(), None],
            By::Segment => [conversation.segment.as_deref(), None],
            By::Form => [custom.and_then(text), None],
            // The source's own word before its meaning, as everywhere in a mapping.
            By::Channel => [
                Some(conversation.channel.raw.as_str()),
                Some(conversation.channel.is.name()),
            ],
        };
        let mut words = words.into_iter().flatten();
        let named = words.find_map(|word| self.of.get(&compared(word)));
        named.or_else(|| self.of.get(ANY)).map(String::as_str)
    }

    /// By what, and which type each word gets.
    pub(super) fn words(&self) -> (&'static str, BTreeMap<String, String>) {
        let by = match self.by {
            By::Type => "type",
            By::Form => "form",
            By::Channel => "channel",
            By::Segment => "segment",
        };
        (by, self.of.clone())
    }

    /// The API names of all types.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.of.values().map(String::as_str).collect()
    }

    /// What an org must have, with the statuses that cases get.
    pub(super) fn required(&self, statuses: &[String]) -> Vec<RecordTypeSpec> {
        let statuses = match statuses {
            [] => STATUSES.map(str::to_owned).to_vec(),
            some => some.to_vec(),
        };
        let spec = |(name, label): (&String, &String)| RecordTypeSpec {
            object: "Case".to_owned(),
            name: name.clone(),
            label: label.clone(),
            business_process: PROCESS.to_owned(),
            statuses: statuses.clone(),
        };
        self.labels.iter().map(spec).collect()
    }
}

fn text(value: &CustomValue) -> Option<&str> {
    match value {
        CustomValue::Text(text) | CustomValue::Choice(text) | CustomValue::Number(text) => {
            Some(text)
        }
        _ => None,
    }
}

fn compared(word: &str) -> String {
    word.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use deskferry_core::model::{ChannelKind, Named};

    use super::*;
    use crate::mapping::build::tests::conversation;

    fn types(by: &str, lines: &[(&str, &str)]) -> RecordTypes {
        let lines = lines.iter();
        let lines = lines.map(|(word, name)| ((*word).to_owned(), (*name).to_owned()));
        RecordTypes::of_policy(by, lines).unwrap().unwrap()
    }

    #[test]
    fn each_conversation_gets_the_type_that_its_word_was_given() {
        let lines = [
            ("Question", "A_Question"),
            ("incident", "Trouble"),
            ("WA", "Chat"),
            ("email", "Mail"),
            ("Returns", "Return"),
            ("VIP", "Very_Important"),
        ];
        let mut asked = conversation();
        asked.kind = Some(" question ".into());
        asked.segment = Some("vip".into());
        asked.channel = Named::new(ChannelKind::Email, "MAIL");
        let form = CustomValue::Choice("Returns".into());
        asked.meta.custom.insert("form".into(), form);
        let mut unknown = conversation();
        unknown.kind = Some("Riddle".into());
        unknown.channel = Named::new(ChannelKind::Whatsapp, "WA");
        for (by, of_asked, of_unknown) in [
            ("type", Some("A_Question"), None),
            ("segment", Some("Very_Important"), None),
            ("form", Some("Return"), None),
            ("channel", Some("Mail"), Some("Chat")),
        ] {
            let types = types(by, &lines);
            assert_eq!(types.of(&asked), of_asked, "{by}");
            assert_eq!(types.of(&unknown), of_unknown, "{by}");
        }
        let with_others = types("type", &[("Question", "A_Question"), ("*", "Other")]);
        assert_eq!(with_others.of(&unknown), Some("Other"));
        assert_eq!(with_others.of(&asked), Some("A_Question"));
    }

    #[test]
    fn a_type_is_called_by_its_word_or_by_its_name_where_several_words_share_it() {
        let lines = [
            ("Bug", "Trouble_Ticket"),
            ("Fault", "Trouble_Ticket"),
            ("Wish", "A_Wish"),
        ];
        let specs = types("type", &lines).required(&[]);
        let labels: Vec<&str> = specs.iter().map(|spec| spec.label.as_str()).collect();
        assert_eq!(labels, ["Wish", "Trouble Ticket"]);
        assert_eq!(specs[0].statuses, STATUSES);
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        let none = || std::iter::empty();
        assert_eq!(RecordTypes::of_policy("none", none()), Ok(None));
        let said = RecordTypes::of_policy("mood", none()).unwrap_err();
        assert!(said.contains("`segment` are"), "{said}");
    }
}
