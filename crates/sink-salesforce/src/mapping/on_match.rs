//! What becomes of people and companies that are in the org already.

use serde::{Deserialize, Serialize};

/// What becomes of a row that a record was found to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnMatch {
    /// It is linked and left as it is.
    #[default]
    Link,
    /// Its empty fields get what the record says.
    Fill,
    /// These fields get what the record says, whatever stands there.
    Overwrite(Vec<String>),
}

impl OnMatch {
    pub(crate) fn is_link(&self) -> bool {
        *self == Self::Link
    }
}
