//! Local platforms for the examples: nothing of it is needed with real ones, which have an address and credentials instead.
#![allow(dead_code, reason = "no example needs all of it")]

use std::path::Path;
use std::sync::Arc;

use deskferry::kayako::{Kayako, KayakoConfig};
use deskferry::rehearsal::kayako::{Content, Kayako as LocalKayako, KayakoOptions};
use deskferry::rehearsal::kustomer::{Kustomer as LocalKustomer, KustomerOptions};
use deskferry::rehearsal::org::{Org, OrgOptions};
use deskferry::rehearsal::world::WorldSpec;
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};

pub(crate) type Ends<T> = Result<T, Box<dyn std::error::Error>>;

/// A local Kayako with so many conversations, and the source that reads it.
pub(crate) async fn kayako(conversations: u64) -> Ends<(LocalKayako, Arc<Kayako>)> {
    let mut options = KayakoOptions::default();
    options.content = Content::Made(WorldSpec::new(1, conversations));
    let (email, password) = (options.email.clone(), options.password.clone());
    let local = LocalKayako::start(options).await?;
    let config = KayakoConfig::builder(local.url(), email, password)
        .requests_per_minute(600_000)
        .build()?;
    Ok((local, Arc::new(Kayako::new(config)?)))
}

/// A local Kustomer with so many conversations, and the source that reads it.
pub(crate) async fn kustomer(
    conversations: u64,
) -> Ends<(LocalKustomer, Arc<deskferry::kustomer::Kustomer>)> {
    let mut options = KustomerOptions::default();
    options.content = Content::Made(WorldSpec::new(2, conversations));
    let key = options.key.clone();
    let local = LocalKustomer::start(options).await?;
    let config = deskferry::kustomer::KustomerConfig::builder(local.url(), key)
        .requests_per_minute(600_000)
        .searches_per_minute(600_000)
        .build()?;
    Ok((local, Arc::new(deskferry::kustomer::Kustomer::new(config)?)))
}

/// A local org with the fields of the shipped mapping, and the sink that writes it.
pub(crate) async fn org(folder: &Path) -> Ends<(Org, Arc<Salesforce>)> {
    let mapping = Mapping::parse(Mapping::default_text())?;
    let fields: Vec<_> = serde_json::from_value(serde_json::to_value(mapping.required_fields())?)?;
    let options = OrgOptions::new(folder.join("org")).audit_fields(true);
    let org = Org::start(options.custom_fields(fields)).await?;
    let settings = org.settings();
    let config = SalesforceConfig::builder(org.url())
        .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
        .build()?;
    Ok((org, Arc::new(Salesforce::new(config, mapping)?)))
}
