//! Two products share the name: which of them is meant.

use std::sync::Arc;

use deskferry_core::settings::Settings;
use deskferry_core::{Result, Source};

use crate::config::{Edition, KayakoConfigBuilder};
use crate::{Classic, ClassicConfig, Kayako, KayakoConfig};

/// The source that these settings mean: Kayako Classic where they hold the key of a REST interface (or `edition` says so), else
/// Kayako in the cloud. [`check`](Source::check) looks at what answers before it asks for anything else: its
/// [`product`](deskferry_core::source::Readiness::product) says which it is, and an address of the other one is an error that
/// names it.
///
/// # Errors
/// `Config`: something is missing, or does not go together.
pub fn source(settings: &Settings) -> Result<Arc<dyn Source>> {
    let builder: KayakoConfigBuilder = settings.configure()?;
    Ok(match builder.edition() {
        Edition::Classic => Arc::new(Classic::new(ClassicConfig::from_settings(settings)?)?),
        _ => Arc::new(Kayako::new(KayakoConfig::from_settings(settings)?)?),
    })
}
