//! Salesforce Service Cloud as a Deskferry sink.

pub mod mapping;
pub mod schema;

pub use mapping::{FieldSpec, Mapping, Problem};
