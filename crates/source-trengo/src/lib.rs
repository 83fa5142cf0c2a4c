//! Trengo (REST API v2) as a [Deskferry](deskferry_core) source.

mod client;
mod config;
mod convert;
mod settings;
mod source;
mod wire;

pub use config::{Profiles, Take, TrengoConfig, TrengoConfigBuilder};
pub use settings::SETTINGS;
pub use source::Trengo;

/// The platform's name, as in keys.
const PLATFORM: &str = "trengo";
