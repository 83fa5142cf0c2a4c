//! Which fact of a record lands in which field: the mapping file, and rows built by it.

pub(crate) mod articles;
pub(crate) mod build;
mod check;
pub(crate) mod edit;
pub(crate) mod facts;
mod file;
mod generate;
pub(crate) mod html;
mod leads;
pub(crate) mod people;
mod policy;
mod prefix;
mod record_types;
mod required;
pub(crate) mod text;
pub(crate) mod value;

mod on_match;

use articles::Articles;
pub(crate) use articles::{ARTICLES, Language, category_name};
pub use check::Problem;
pub use generate::{objects_text, queues_text, record_types_text};
pub(crate) use leads::Leads;
pub(crate) use on_match::OnMatch;
pub(crate) use policy::Route;
use policy::Routes;
pub use prefix::prefixed;
pub use record_types::RecordTypeSpec;
use record_types::RecordTypes;
pub use required::{FieldSpec, ObjectSpec};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use deskferry_core::error::Result;
use deskferry_core::model::{Conversation, Message};
use serde::Serialize;
use serde_json::Value;

use required::{Create, CreateObject};

/// The field that carries a row's identity.
pub(crate) const SOURCE_KEY: &str = "Source_Key__c";
/// Whether two marks are of passes over one target: what stands before the number of the pass.
pub(crate) fn of_one_target(one: &str, other: &str) -> bool {
    let target = |mark: &str| mark.rsplit_once('-').map(|(target, _)| target.to_owned());
    one == other || target(one).is_some_and(|of| Some(of) == target(other))
}

/// The platform's own lists of a Case of which each record type shows some values. Those of Status are a process's.
pub(crate) const TYPED_LISTS: [&str; 4] = ["Origin", "Priority", "Reason", "Type"];

/// The field that carries the mark of target and pass.
pub(crate) const BATCH_MARK: &str = "Migration_Batch__c";

/// A mapping file, read and understood.
///
/// ```
/// use deskferry_sink_salesforce::Mapping;
///
/// let mapping = Mapping::parse(Mapping::default_text())?;
/// assert!(mapping.required_fields().iter().any(|f| f.object == "Case" && f.name == "Source_Key__c"));
/// let broken = Mapping::parse("format = 1\n[Case]\nfrom = \"ticket\"\n").unwrap_err();
/// assert!(broken.to_string().contains("line 3"));
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    objects: BTreeMap<&'static str, ObjectMapping>,
    routes: Routes,
    articles: Option<Articles>,
    record_types: Option<RecordTypes>,
    /// Where that is said.
    record_types_line: usize,
    leads: Option<Leads>,
    hash: [u8; 16],
}

/// The lines of one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ObjectMapping {
    pub(crate) object: &'static str,
    /// What its rows are made from: a kind of record, `object:<definition>` or `relation:<definition>.<relation>`.
    pub(crate) from: String,
    pub(crate) lines: Vec<FieldLine>,
    /// What becomes of rows that are in the org already.
    #[serde(skip_serializing_if = "OnMatch::is_link")]
    pub(crate) on_match: OnMatch,
    /// Keys of the source's custom fields that a line names.
    #[serde(skip)]
    pub(crate) named: BTreeSet<String>,
    /// Where the object's table begins.
    #[serde(skip)]
    pub(crate) line: usize,
    /// How the object is made where the org has none.
    #[serde(skip)]
    pub(crate) create: Option<CreateObject>,
}

/// One field's line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FieldLine {
    pub(crate) field: String,
    pub(crate) from: String,
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) optional: bool,
    #[serde(skip)]
    pub(crate) create: Option<Create>,
    #[serde(skip)]
    pub(crate) line: usize,
}

impl FieldLine {
    /// The key of the source's custom field that it takes, if it takes one.
    pub(crate) fn custom(&self) -> Option<&str> {
        self.from.strip_prefix("custom.")
    }
}

/// A name that lives as long as the program: there are as many as objects that mappings name.
pub(crate) fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let lasting: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(lasting);
    lasting
}

impl Mapping {
    /// The mapping that is shipped: `docs/mapping.md` as data, with comments for people who edit it.
    #[must_use]
    pub fn default_text() -> &'static str {
        include_str!("default.toml")
    }

    /// Reads a mapping file.
    ///
    /// # Errors
    /// `Config`, naming line and column, when the text is no TOML or says something that no mapping can; `Mismatch` when
    /// it has a newer format.
    pub fn parse(text: &str) -> Result<Self> {
        file::parse(text)
    }

    /// What of this mapping does not fit an org, in the file's order. Empty when rows can be built.
    #[must_use]
    pub fn check(&self, schema: &crate::schema::Schema) -> Vec<Problem> {
        check::check(self, schema)
    }

    /// Every custom field that the mapping names, as an org must have it.
    #[must_use]
    pub fn required_fields(&self) -> Vec<FieldSpec> {
        self.objects
            .values()
            .flat_map(required::of_object)
            .collect()
    }

    /// Every custom object that the mapping writes, as an org must have it. Its fields are among the
    /// [required ones](Self::required_fields).
    #[must_use]
    pub fn required_objects(&self) -> Vec<ObjectSpec> {
        self.objects.values().filter_map(required::object).collect()
    }

    /// The hash of what the mapping says (comments and order do not count), 32 hex digits.
    #[must_use]
    pub fn version_hash(&self) -> String {
        self.hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The API names of the objects that it writes.
    pub fn objects(&self) -> impl Iterator<Item = &'static str> {
        self.objects.keys().copied()
    }

    /// The object that holds the records of a custom object of the source.
    pub(crate) fn object_of(&self, definition: &str) -> Option<&ObjectMapping> {
        let from = |o: &&ObjectMapping| o.from.strip_prefix("object:") == Some(definition);
        self.objects.values().find(from)
    }

    /// The object whose rows are the pairs of a relation that is many on both sides.
    pub(crate) fn pairs_of(&self, definition: &str, relation: &str) -> Option<&ObjectMapping> {
        let from = |o: &&ObjectMapping| {
            let pair = o
                .from
                .strip_prefix("relation:")
                .and_then(|f| f.rsplit_once('.'));
            pair == Some((definition, relation))
        };
        self.objects.values().find(from)
    }

    /// Every record type that conversations get, as an org must have it.
    #[must_use]
    pub fn required_record_types(&self) -> Vec<RecordTypeSpec> {
        let Some(types) = &self.record_types else {
            return Vec::new();
        };
        types.required(&self.statuses())
    }

    /// By what conversations get record types (`type`, `form`, `channel`, `segment`), and the type's API name for each word of the
    /// source in lower case, `*` for all others; nothing where that is left to the org.
    #[must_use]
    pub fn record_type_words(&self) -> Option<(&'static str, BTreeMap<String, String>)> {
        self.record_types.as_ref().map(RecordTypes::words)
    }

    /// The values of Status that cases get, the one of new conversations first.
    pub(crate) fn statuses(&self) -> Vec<String> {
        let lines = self.object("Case").into_iter().flat_map(|case| &case.lines);
        let status = lines.filter(|line| line.field == "Status");
        let mut values = Vec::new();
        for (is, becomes) in status.flat_map(|line| &line.values) {
            let Some(value) = becomes.as_str().map(str::to_owned) else {
                continue;
            };
            if is == "new" {
                values.retain(|known| *known != value);
                values.insert(0, value);
            } else if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// The values that cases get in picklists that the mapping chooses for, but for Status, which is a process's.
    pub(crate) fn case_values(&self) -> BTreeMap<String, Vec<String>> {
        let lines = self.object("Case").into_iter().flat_map(|case| &case.lines);
        let mut all = BTreeMap::new();
        // Only lists have values that a type could show.
        let is_list = |line: &&FieldLine| {
            let made = line.create.as_ref().is_some_and(Create::is_list);
            made || TYPED_LISTS.contains(&line.field.as_str())
        };
        for line in lines.filter(is_list).filter(|line| !line.values.is_empty()) {
            let mut values: Vec<String> = Vec::new();
            for value in line.values.values().filter_map(Value::as_str) {
                if !values.iter().any(|known| known == value) {
                    values.push(value.to_owned());
                }
            }
            all.insert(line.field.clone(), values);
        }
        all
    }

    /// What the mapping may write into a field that it chooses values for.
    pub(crate) fn values_of(&self, object: &str, field: &str) -> Vec<String> {
        let lines = self.object(object).into_iter().flat_map(|o| &o.lines);
        let lines = lines.filter(|line| line.field.eq_ignore_ascii_case(field));
        let mut values: Vec<String> = Vec::new();
        for value in lines.flat_map(|line| line.values.values()) {
            if let Some(value) = value.as_str()
                && !values.iter().any(|known| known == value)
            {
                values.push(value.to_owned());
            }
        }
        values
    }

    /// The statuses of conversations that are over, and of no others.
    pub(crate) fn closed_statuses(&self) -> Vec<String> {
        let lines = self.object("Case").into_iter().flat_map(|case| &case.lines);
        let status = lines.filter(|line| line.field == "Status");
        let given: Vec<(&String, &str)> = status
            .flat_map(|line| &line.values)
            .filter_map(|(is, becomes)| Some((is, becomes.as_str()?)))
            .collect();
        let over = |is: &str| matches!(is, "resolved" | "closed");
        let mut closed: Vec<String> = given
            .iter()
            .filter(|(is, _)| over(is))
            .map(|(_, becomes)| (*becomes).to_owned())
            .collect();
        // What open ones get as well is open.
        let open = |status: &str| {
            given
                .iter()
                .any(|(is, becomes)| !over(is) && !is.starts_with("label:") && *becomes == status)
        };
        closed.retain(|status| !open(status));
        closed
    }

    /// The record type that a conversation gets; nothing for one that is left to the org.
    pub(crate) fn record_type(&self, conversation: &Conversation) -> Option<&str> {
        self.record_types.as_ref()?.of(conversation)
    }

    /// Whether the mapping gives record types, and which; nothing where it leaves them to the org.
    pub(crate) fn record_types(&self) -> Option<BTreeSet<&str>> {
        self.record_types.as_ref().map(RecordTypes::names)
    }

    /// Where the mapping says by what record types are given.
    pub(crate) const fn record_types_line(&self) -> usize {
        self.record_types_line
    }

    pub(crate) fn object(&self, name: &str) -> Option<&ObjectMapping> {
        self.objects.get(name)
    }

    /// What a message becomes.
    pub(crate) fn route(&self, message: &Message) -> Route {
        self.routes.of(message)
    }

    /// What a message is by which people choose its way, and the ways that are offered. Nothing for mails.
    pub(crate) fn offered(&self, message: &Message) -> Option<(String, &'static [Route])> {
        policy::offered(message)
    }

    /// Who becomes a Lead, if anybody does.
    pub(crate) fn leads(&self) -> Option<&Leads> {
        self.leads.as_ref()
    }

    /// How articles are loaded, if they are.
    pub(crate) fn articles(&self) -> Option<&Articles> {
        self.articles.as_ref()
    }

    pub(crate) fn hash(&self) -> &[u8; 16] {
        &self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_over_one_target_share_what_stands_before_their_number() {
        assert!(of_one_target("6f2c-0", "6f2c-12"));
        assert!(!of_one_target("6f2c-0", "6f2d-0"));
        assert!(of_one_target("m1", "m1") && !of_one_target("m1", "m2"));
    }
}
