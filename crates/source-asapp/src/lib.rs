//! ASAPP as a Deskferry source.

mod channels;
mod config;
mod convert;
mod reduce;
mod settings;
mod side;
mod source;
mod tables;
mod wire;

pub use config::{AsappConfig, AsappConfigBuilder};
pub use settings::SETTINGS;
pub use source::Asapp;

/// The platform's name, as in keys.
const PLATFORM: &str = "asapp";
