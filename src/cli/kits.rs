//! What a program needs to know of its platforms.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use deskferry_core::settings::{Section, Settings};
use deskferry_core::{RecordKind, Result, Sink, Source};

/// What a target's administrator installs before a run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Package {
    /// Each file: its place in the package, and its text.
    pub files: Vec<(String, String)>,
    /// All of them in one zip file.
    pub zip: Vec<u8>,
}

/// Custom fields of a source by the kind that carries them and their key.
pub type TakenFields = BTreeSet<(RecordKind, String)>;

/// How a source is made.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct SourceKit {
    /// The platform's name.
    pub name: &'static str,
    /// What it can be told, by the environment and by a configuration file.
    pub section: &'static Section,
    /// The setting that names the real platform; a local one is used when it is not set.
    pub address: &'static str,
    /// Makes the source from what was told.
    pub make: fn(&Settings) -> Result<Arc<dyn Source>>,
    /// Makes a source for a local stand-in at this address.
    #[cfg(feature = "rehearsal")]
    pub local: fn(&str) -> Result<Arc<dyn Source>>,
}

/// How a sink is made.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct SinkKit {
    /// The platform's name.
    pub name: &'static str,
    /// What it can be told, by the environment and by a configuration file.
    pub section: &'static Section,
    /// The setting that names the real platform; a local one is used when it is not set.
    pub address: &'static str,
    /// The text of the mapping file that a new workspace gets.
    pub mapping: fn() -> String,
    /// Makes the sink from what was told and a mapping file.
    pub make: fn(&Settings, &Path) -> Result<Arc<dyn Sink>>,
    /// What the administrator must install for a mapping file.
    pub package: fn(&Path) -> Result<Package>,
    /// The source's custom fields that a mapping file takes.
    pub taken: fn(&Path) -> Result<TakenFields>,
    /// The mapping file of a workspace that rehearses.
    #[cfg(feature = "rehearsal")]
    pub local_mapping: fn() -> String,
    /// The custom fields that a mapping file needs, as the local org takes them (JSON).
    #[cfg(feature = "rehearsal")]
    pub fields: fn(&Path) -> Result<serde_json::Value>,
    /// Makes a sink for the local org at this address.
    #[cfg(feature = "rehearsal")]
    pub local: fn(&str, &Path) -> Result<Arc<dyn Sink>>,
}

impl fmt::Debug for SourceKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceKit")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SinkKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkKit")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Every section that a configuration file may have: those of the platforms that are built in, whatever the pair, so that
/// one file serves several programs.
#[must_use]
pub fn sections() -> Vec<&'static Section> {
    vec![
        &super::choices::MIGRATION,
        #[cfg(feature = "rehearsal")]
        &super::choices::REHEARSAL,
        #[cfg(feature = "kayako")]
        &deskferry_source_kayako::SETTINGS,
        #[cfg(feature = "salesforce")]
        &deskferry_sink_salesforce::SETTINGS,
    ]
}

/// Kayako: the section `[kayako]`, the variables `KAYAKO_…`.
#[cfg(feature = "kayako")]
#[must_use]
pub fn kayako() -> SourceKit {
    use deskferry_source_kayako::{Kayako, KayakoConfig};
    SourceKit {
        name: "kayako",
        section: &deskferry_source_kayako::SETTINGS,
        address: "url",
        make: |told| {
            let config = KayakoConfig::from_settings(told)?;
            Ok(Arc::new(Kayako::new(config)?))
        },
        #[cfg(feature = "rehearsal")]
        local: |url| {
            // The local helpdesk has no limit: start far above the careful default.
            let config = KayakoConfig::builder(url, super::local::EMAIL, super::local::PASSWORD)
                .requests_per_minute(600_000)
                .parallel(4)
                .email_headers(true)
                .build()?;
            Ok(Arc::new(Kayako::new(config)?))
        },
    }
}

/// Salesforce Service Cloud: the section `[salesforce]`, the variables `SALESFORCE_…`.
#[cfg(feature = "salesforce")]
#[must_use]
pub fn salesforce() -> SinkKit {
    use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig, metadata};
    SinkKit {
        name: "salesforce",
        section: &deskferry_sink_salesforce::SETTINGS,
        address: "url",
        mapping: || Mapping::default_text().to_owned(),
        make: |told, mapping| {
            let config = SalesforceConfig::from_settings(told)?;
            Ok(Arc::new(Salesforce::new(config, read_mapping(mapping)?)?))
        },
        package: |mapping| {
            let files = metadata::package(&read_mapping(mapping)?);
            let zip = metadata::zip(&files);
            let files = files.into_iter().map(|f| (f.path, f.content)).collect();
            Ok(Package { files, zip })
        },
        taken: |mapping| {
            let taken = metadata::taken_fields(&read_mapping(mapping)?);
            Ok(taken
                .into_iter()
                .filter_map(|(object, name)| Some((carrier(object)?, name)))
                .collect())
        },
        #[cfg(feature = "rehearsal")]
        local_mapping: super::rehearsal_mapping,
        #[cfg(feature = "rehearsal")]
        fields: |mapping| {
            serde_json::to_value(read_mapping(mapping)?.required_fields()).map_err(|e| {
                deskferry_core::Error::bug("describe the mapping's fields", e.to_string())
            })
        },
        #[cfg(feature = "rehearsal")]
        local: |url, mapping| {
            let config = SalesforceConfig::builder(url)
                .client_credentials(super::local::CLIENT_ID, super::local::CLIENT_SECRET)
                .landing_window(std::time::Duration::from_secs(1))
                .build()?;
            Ok(Arc::new(Salesforce::new(config, read_mapping(mapping)?)?))
        },
    }
}

#[cfg(feature = "salesforce")]
fn read_mapping(path: &Path) -> Result<deskferry_sink_salesforce::Mapping> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        deskferry_core::Error::storage("read the mapping", e).with("file", path.display())
    })?;
    deskferry_sink_salesforce::Mapping::parse(&text).map_err(|e| e.with("file", path.display()))
}

/// The kind of record from which an object is made and that has custom fields.
#[cfg(feature = "salesforce")]
fn carrier(object: &str) -> Option<RecordKind> {
    match object {
        "Account" => Some(RecordKind::Account),
        "Contact" => Some(RecordKind::Contact),
        "Case" => Some(RecordKind::Conversation),
        _ => None,
    }
}
