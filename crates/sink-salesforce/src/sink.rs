//! `impl Sink`.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use deskferry_core::amend::Amend;
use deskferry_core::context::Context;
use deskferry_core::error::{Error, Result};
use deskferry_core::forecast::Forecast;
use deskferry_core::mapped::Mapped;
use deskferry_core::model::InventoryKind;
use deskferry_core::owners::Owners;
use deskferry_core::preflight::Preflight;
use deskferry_core::prepare::Prepare;
use deskferry_core::probing::Probing;
use deskferry_core::report::Allowance;
use deskferry_core::shown::Shown;
use deskferry_core::sink::{Batch, Counterpart, Outcome, Phase, Sink, TargetInfo};
use deskferry_core::undo::Undo;
use deskferry_core::verify::{Checked, Verify};
use futures::future::FutureExt;
use futures::lock::Mutex;

use crate::client::Api;
use crate::config::SalesforceConfig;
use crate::estimate::Ways;
use crate::load::{self, Run};
use crate::mapping::{Mapping, OnMatch};
use crate::org::Org;
use crate::probe::Learned;
use crate::undo::Relations;
use crate::{amend, handoff, preflight, verify};

/// A Salesforce org as a sink.
#[derive(Debug)]
pub struct Salesforce {
    api: Api,
    mapping: Mapping,
    org: Mutex<Option<Arc<Org>>>,
    /// Records of custom objects that wait for others of theirs, batch by batch.
    waiting: Mutex<Vec<Batch>>,
    /// Articles that link to others which are still to come, and a batch of theirs without its records.
    unpublished: Mutex<Option<(Batch, Vec<load::articles::Waiting>)>>,
    /// Whether a mapping that does not fit is told instead of refused.
    lenient: bool,
    pub(crate) relations: Relations,
    /// What a probe found of this org.
    pub(crate) learned: std::sync::Mutex<Learned>,
}

impl Salesforce {
    /// A sink that writes to this org by this mapping. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config` when the configuration cannot work.
    pub fn new(config: SalesforceConfig, mapping: Mapping) -> Result<Self> {
        Ok(Self {
            api: Api::new(config.validated()?)?,
            mapping,
            org: Mutex::new(None),
            waiting: Mutex::new(Vec::new()),
            unpublished: Mutex::new(None),
            lenient: false,
            relations: Relations::default(),
            learned: std::sync::Mutex::default(),
        })
    }

    /// The same for a rehearsal: lines of the mapping that do not fit the org are told as warnings instead of refused, so that what the org
    /// makes of the rows can be seen.
    #[must_use]
    pub fn rehearsing(mut self) -> Self {
        self.lenient = true;
        self
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// How rows travel.
    pub(crate) fn ways(&self) -> Ways {
        Ways {
            bulk_from: self.api.config().bulk_from as u64,
        }
    }

    pub(crate) const fn api(&self) -> &Api {
        &self.api
    }

    /// What is known of the org, asked once.
    pub(crate) async fn org(&self, cx: &Context) -> Result<Arc<Org>> {
        let mut known = self.org.lock().await;
        if let Some(org) = &*known {
            return Ok(Arc::clone(org));
        }
        let org = Arc::new(Org::ask(cx, &self.api, &self.mapping).await?);
        *known = Some(Arc::clone(&org));
        Ok(org)
    }

    /// Fills or overwrites rows of others that the batch was found to be, where the mapping says so.
    async fn amend_found(
        &self,
        run: &Run<'_>,
        object: &str,
        outcomes: Vec<Outcome>,
    ) -> Result<Vec<Outcome>> {
        if run.lines(object)?.on_match == OnMatch::Link {
            return Ok(outcomes);
        }
        // With the rows that were found just now.
        let run = Run::open(run.cx, &self.api, run.org, &self.mapping, run.batch).await?;
        // Boxed: what it waits for is nested too deep for the compiler to look through.
        amend::matched(&run, outcomes).boxed().await
    }

    /// What was asked of the org is asked anew.
    pub(crate) async fn forget_org(&self) {
        *self.org.lock().await = None;
    }

    /// The same, with the queues and rights that the decisions of a batch speak of.
    pub(crate) async fn org_for(&self, cx: &Context, batch: &Batch) -> Result<Arc<Org>> {
        let org = self.org(cx).await?;
        let decisions = batch
            .records
            .iter()
            .filter_map(|loaded| loaded.owner.as_ref());
        org.ask_for(cx, &self.api, decisions).await?;
        Ok(org)
    }
}

#[async_trait]
impl Sink for Salesforce {
    async fn check(&self, cx: &Context) -> Result<TargetInfo> {
        preflight::target(&*self.org(cx).await?, &self.mapping, self.lenient)
    }

    async fn lacking_languages(&self, cx: &Context, locales: &[String]) -> Result<Vec<String>> {
        if self.mapping.articles().is_none() {
            return Ok(Vec::new());
        }
        let org = self.org(cx).await?;
        Ok(load::articles::lacking(&self.mapping, &org, locales))
    }

    fn phases(&self) -> Vec<Phase> {
        load::phases(self.api.config().bulk_from, &self.mapping)
    }

    async fn write(&self, cx: &Context, batch: Batch) -> Result<Vec<Outcome>> {
        let org = self.org_for(cx, &batch).await?;
        let run = Run::open(cx, &self.api, &org, &self.mapping, &batch).await?;
        match batch.phase {
            "agents" => load::agents::write(&run).await,
            "values" => Ok(load::values::write(&run)),
            "accounts" => {
                let outcomes = load::accounts::write(&run).await?;
                self.amend_found(&run, load::accounts::OBJECT, outcomes)
                    .await
            }
            "contacts" => {
                let outcomes = load::leads::people(&run).await?;
                self.amend_found(&run, load::contacts::OBJECT, outcomes)
                    .await
            }
            "cases" => load::cases::write(&run).await,
            "statistics" => load::statistics::write(&run).await,
            "files" => load::files::write(&run).await,
            "messages" => load::messages::write(&run).await,
            "objects" => {
                let (outcomes, waiting) = load::objects::write(&run).await?;
                if !waiting.is_empty() {
                    let mut batch = batch.clone();
                    batch.records = waiting;
                    self.waiting.lock().await.push(batch);
                }
                Ok(outcomes)
            }
            "articles" => {
                let (outcomes, waiting) = load::articles::write(&run).await?;
                if !waiting.is_empty() {
                    let mut unpublished = self.unpublished.lock().await;
                    let empty = || Batch {
                        records: Vec::new(),
                        ..batch.clone()
                    };
                    let (_, all) = unpublished.get_or_insert_with(|| (empty(), Vec::new()));
                    all.extend(waiting);
                }
                Ok(outcomes)
            }
            other => Err(Error::bug(
                "write a batch",
                format!("there is no phase `{other}`"),
            )),
        }
    }

    async fn flush(&self, cx: &Context) -> Result<Vec<Outcome>> {
        // Every write answers all of its batch, but for what waits for others.
        let mut outcomes = Vec::new();
        let unpublished = self.unpublished.lock().await.take();
        if let Some((batch, articles)) = unpublished {
            let org = self.org(cx).await?;
            let run = Run::open(cx, &self.api, &org, &self.mapping, &batch).await?;
            outcomes = load::articles::publish(&run, articles).await?;
        }
        let mut waiting = std::mem::take(&mut *self.waiting.lock().await).into_iter();
        let Some(mut batch) = waiting.next() else {
            return Ok(outcomes);
        };
        batch.records.extend(waiting.flat_map(|more| more.records));
        let org = self.org_for(cx, &batch).await?;
        let run = Run::open(cx, &self.api, &org, &self.mapping, &batch).await?;
        outcomes.extend(load::objects::finish(&run).await?);
        Ok(outcomes)
    }

    async fn allowances(&self, cx: &Context) -> Result<Vec<Allowance>> {
        preflight::allowances(cx, &self.api).await
    }

    fn counterpart(&self, kind: InventoryKind, raw: &str) -> Option<Counterpart> {
        handoff::counterpart(kind, raw)
    }

    fn as_verify(&self) -> Option<&dyn Verify> {
        Some(self)
    }

    fn as_amend(&self) -> Option<&dyn Amend> {
        Some(self)
    }

    fn as_undo(&self) -> Option<&dyn Undo> {
        Some(self)
    }

    fn as_forecast(&self) -> Option<&dyn Forecast> {
        Some(self)
    }

    fn as_preflight(&self) -> Option<&dyn Preflight> {
        Some(self)
    }

    fn as_prepare(&self) -> Option<&dyn Prepare> {
        Some(self)
    }

    fn as_probing(&self) -> Option<&dyn Probing> {
        Some(self)
    }

    fn as_owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn as_mapped(&self) -> Option<&dyn Mapped> {
        Some(self)
    }

    fn as_shown(&self) -> Option<&dyn Shown> {
        Some(self)
    }
}

#[async_trait]
impl Verify for Salesforce {
    async fn verify(&self, cx: &Context, batch: Batch) -> Result<Vec<Checked>> {
        let org = self.org_for(cx, &batch).await?;
        let run = Run::open(cx, &self.api, &org, &self.mapping, &batch).await?;
        let learned = *self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        verify::batch(&run, learned).await
    }
}
