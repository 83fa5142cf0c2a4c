//! Salesforce Service Cloud as a Deskferry sink.

mod auth;
mod client;
mod config;
mod files;
mod load;
pub mod mapping;
mod org;
mod preflight;
pub mod schema;
mod sink;
mod verify;

pub use config::{API_VERSION, SalesforceConfig, SalesforceConfigBuilder};
pub use mapping::{FieldSpec, Mapping, Problem};
pub use sink::Salesforce;
