//! Changes of records on their way that several programs need.
//!
//! They stand between the stage and the target: the stage keeps what was read as it was read, and a verification that is
//! given the same transforms compares with what they leave.

mod exclude;
mod redact;

pub use exclude::Exclude;
pub use redact::Redact;
