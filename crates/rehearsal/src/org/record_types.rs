//! Record types and business processes: which kinds of a record there are, and which values each may have.

use serde::{Deserialize, Serialize};

/// A kind of record of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordType {
    /// API name of the object.
    pub object: String,
    /// API name of the type.
    pub name: String,
    /// What people see; the name when empty.
    pub label: String,
    /// Inactive types exist and cannot be given to new records.
    pub inactive: bool,
    /// The process that says which values of Status a Case or Lead may have; all of them when not given.
    pub business_process: Option<String>,
    /// For each picklist that it narrows: its field and the values that are left.
    pub values: Vec<(String, Vec<String>)>,
    /// Whether records of this type of Account are people.
    pub is_person: bool,
    /// Whether the user's permissions leave it out: it is told to be there, and cannot be given.
    pub hidden: bool,
}

impl RecordType {
    /// An active type without a process.
    pub fn new(object: &str, name: &str) -> Self {
        Self {
            object: object.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// What people see.
    pub(crate) fn shown(&self) -> &str {
        if self.label.is_empty() {
            &self.name
        } else {
            &self.label
        }
    }

    pub(crate) fn is(&self, object: &str, name: &str) -> bool {
        self.object.eq_ignore_ascii_case(object) && self.name.eq_ignore_ascii_case(name)
    }
}

/// Values of Status that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BusinessProcess {
    /// API name of the object: Case or Lead.
    pub object: String,
    /// API name of the process.
    pub name: String,
    /// The values of Status.
    pub values: Vec<String>,
    /// The one that a new record gets.
    pub default: Option<String>,
}

/// The types that an org with Person Accounts begins with.
pub(crate) fn of_person_accounts() -> [RecordType; 2] {
    [
        RecordType {
            label: "Business Account".into(),
            ..RecordType::new("Account", "Business_Account")
        },
        RecordType {
            label: "Person Account".into(),
            is_person: true,
            ..RecordType::new("Account", "PersonAccount")
        },
    ]
}
