use std::path::Path;
use std::sync::Arc;

use deskferry_core::{RecordKind, Result};
use deskferry_sink_salesforce::{
    Mapping, Salesforce, SalesforceConfig, WebLogin, mapping, metadata,
};
use futures_core::future::BoxFuture;

use super::{Package, SinkKit};
use crate::cli::Waiting;
#[cfg(feature = "rehearsal")]
use crate::cli::{Picture, local};

/// Salesforce Service Cloud: the section `[salesforce]`, the variables `SALESFORCE_…`.
#[must_use]
pub fn salesforce() -> SinkKit {
    SinkKit {
        name: "salesforce",
        section: &deskferry_sink_salesforce::SETTINGS,
        address: "url",
        mapping: || Mapping::default_text().to_owned(),
        prefixed: mapping::prefixed,
        make: |told, mapping| {
            let config = SalesforceConfig::from_settings(told)?;
            Ok(Arc::new(Salesforce::new(config, read_mapping(mapping)?)?))
        },
        login: |told, redirect| {
            let config: SalesforceConfig = told.configure()?;
            Ok(Box::new(Browser(config.web_login(redirect)?)))
        },
        package: |mapping, found| {
            let files = metadata::package_with(&read_mapping(mapping)?, &found.categories)?;
            let zip = metadata::zip(&files);
            let files = files.into_iter().map(|f| (f.path, f.content)).collect();
            Ok(Package { files, zip })
        },
        proposed_objects: |found| mapping::objects_text(&found.objects, &found.fields),
        proposed_types: mapping::record_types_text,
        unnamed_queues: |path, teams| Ok(mapping::queues_text(&read_mapping(path)?, teams)),
        clicks: deskferry_sink_salesforce::clicks,
        taken: |mapping| {
            let taken = metadata::taken_fields(&read_mapping(mapping)?);
            Ok(taken
                .into_iter()
                .filter_map(|(object, name)| Some((carrier(object)?, name)))
                .collect())
        },
        #[cfg(feature = "rehearsal")]
        fields: |mapping| {
            serde_json::to_value(read_mapping(mapping)?.required_fields()).map_err(|e| {
                deskferry_core::Error::bug("describe the mapping's fields", e.to_string())
            })
        },
        #[cfg(feature = "rehearsal")]
        objects: |mapping| {
            serde_json::to_value(read_mapping(mapping)?.required_objects()).map_err(|e| {
                deskferry_core::Error::bug("describe the mapping's objects", e.to_string())
            })
        },
        #[cfg(feature = "rehearsal")]
        record_types: |mapping| Ok(record_types(&read_mapping(mapping)?)),
        #[cfg(feature = "rehearsal")]
        pull: |told, mapping, folder| {
            let sink = SalesforceConfig::from_settings(told)
                .and_then(|config| Salesforce::new(config, read_mapping(mapping)?));
            Box::pin(async move {
                let cx = deskferry_core::Context::new();
                let pulled = sink?.pull(&cx, &folder).await?;
                let mut picture = Picture::new(pulled.name, pulled.org, pulled.begun_at);
                (picture.asked, picture.kept) = (pulled.asked, pulled.kept);
                picture.untold = pulled.untold;
                picture.allowances = pulled.allowances;
                Ok(picture)
            })
        },
        #[cfg(feature = "rehearsal")]
        rehearsing: |url, mapping| Ok(Arc::new(local_sink(url, mapping)?.rehearsing())),
        #[cfg(feature = "rehearsal")]
        local: |url, mapping| Ok(Arc::new(local_sink(url, mapping)?)),
    }
}

/// Record types and their processes, in the local org's words.
#[cfg(feature = "rehearsal")]
fn record_types(mapping: &Mapping) -> serde_json::Value {
    use serde_json::json;
    let needed = mapping.required_record_types();
    let types: Vec<_> = needed
        .iter()
        .map(|t| {
            json!({"object": t.object, "name": t.name, "label": t.label, "business_process": t.business_process})
        })
        .collect();
    // One process serves all.
    let processes: Vec<_> = needed
        .iter()
        .take(1)
        .map(|t| {
            json!({"object": t.object, "name": t.business_process, "values": t.statuses, "default": t.statuses.first()})
        })
        .collect();
    json!({"record_types": types, "business_processes": processes, "given": mapping.record_type_words()})
}

#[cfg(feature = "rehearsal")]
fn local_sink(url: &str, mapping: &Path) -> Result<Salesforce> {
    let config = SalesforceConfig::builder(url)
        .client_credentials(local::CLIENT_ID, local::CLIENT_SECRET)
        .landing_window(std::time::Duration::from_secs(1))
        .build()?;
    Salesforce::new(config, read_mapping(mapping)?)
}

/// A login in a browser, as the verb knows it.
struct Browser(WebLogin);

impl Waiting for Browser {
    fn address(&self) -> String {
        self.0.address()
    }

    fn is_ours(&self, state: &str) -> bool {
        self.0.is_ours(state)
    }

    fn finish(self: Box<Self>, code: String) -> BoxFuture<'static, Result<String>> {
        Box::pin(async move {
            let cx = deskferry_core::Context::new();
            let who = self.0.finish(&cx, &code).await?;
            Ok(format!(
                "Logged in to org {} as user {}; kept in {}",
                who.org,
                who.user,
                who.file.display()
            ))
        })
    }
}

fn read_mapping(path: &Path) -> Result<Mapping> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        deskferry_core::Error::storage("read the mapping", e).with("file", path.display())
    })?;
    Mapping::parse(&text).map_err(|e| e.with("file", path.display()))
}

/// The kind of record from which an object is made and that has custom fields.
fn carrier(object: &str) -> Option<RecordKind> {
    match object {
        "Account" => Some(RecordKind::Account),
        "Contact" => Some(RecordKind::Contact),
        "Case" => Some(RecordKind::Conversation),
        _ => None,
    }
}
