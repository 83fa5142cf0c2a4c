//! Kustomer (REST API v1) as a [Deskferry](deskferry_core) source.

mod client;
mod config;
mod convert;
mod settings;
mod source;
mod wire;

pub use config::{KustomerConfig, KustomerConfigBuilder, MailBodies, Take};
pub use settings::SETTINGS;
pub use source::Kustomer;

/// The platform's name, as in keys.
const PLATFORM: &str = "kustomer";
