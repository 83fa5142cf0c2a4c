//! What reading takes, before anything is read.

use deskferry_core::report::{Estimate, EstimateStep, Span};
use deskferry_core::{Context, Result};

use super::Asapp;
use super::collect::{mark, purge_warning};
use crate::channels::days;
use crate::reduce::Manifest;

/// Lists of the Configuration API, a page each at the least.
const CONFIGURATION: u64 = 4;

impl Asapp {
    /// Requests of the API against the day and the second, by the newest day of each feed; nothing where only files are read: they cost none.
    pub(super) async fn estimated(&self, cx: &Context) -> Result<Option<Estimate>> {
        let Some(api) = &self.api else {
            return Ok(None);
        };
        let (_, configuration) = self.config.asks();
        let mut estimate = Estimate::of(crate::PLATFORM);
        let manifest = match Manifest::is_in(self.config.work()) {
            true => Some(self.manifest()?),
            false => None,
        };
        if configuration {
            let pages = Span::new(CONFIGURATION, 2 * CONFIGURATION);
            estimate
                .steps
                .push(EstimateStep::new("configuration", 0, 0, pages));
        }
        if let Some(exporter) = &self.exporter {
            let (days, _) = days(cx, exporter.as_ref()).await?;
            let least = exporter.least_requests(cx, &days).await?;
            // A twentieth more for links that expire and downloads that break.
            let requests = Span::new(least, least + least / 20);
            estimate
                .steps
                .push(EstimateStep::new("exported files", 0, 0, requests));
            let read = |day: &crate::channels::Day| {
                let mark = mark(exporter.as_ref(), day);
                manifest
                    .as_ref()
                    .is_some_and(|manifest| manifest.day(&mark).is_some())
            };
            let today = cx.now().date_naive();
            let warning = purge_warning(today, exporter.as_ref(), &days, read);
            estimate.assumptions.extend(warning);
            estimate.assumptions.push(
                "each day of a feed has as many intervals and files as its newest one".to_owned(),
            );
        }
        let (pace, needed) = (api.pace(), estimate.requests());
        for step in &mut estimate.steps {
            let seconds = |requests: u64| requests.div_ceil(pace);
            step.seconds = Span::new(seconds(step.requests.least), seconds(step.requests.most));
        }
        estimate.assumptions.extend(self.asks());
        estimate.assumptions.extend(api.told(cx, needed.least));
        Ok(Some(estimate))
    }
}
