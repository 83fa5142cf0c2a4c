//! Trengo's JSON as it comes: rows whose members are asked for by name and read in any of PHP's spellings (Trengo
//! reference, sections 1.4 and 1.6).
//!
//! Rows stay values and are not decoded into types: half of the members have several names or shapes, what is not known
//! must be kept, and only an id may not be missing.

mod page;
mod row;
pub(crate) mod time;

pub(crate) use page::{Envelope, envelope, single};
pub(crate) use row::{Defect, Row, is_empty, redacted, text};
pub(crate) use time::{Moment, Zone};
