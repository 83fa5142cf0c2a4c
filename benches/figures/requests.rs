//! Requests of a full read against the least possible; the formula is the stand-in's.

use std::sync::Arc;

use async_trait::async_trait;
use deskferry::core::http::RetryPolicy;
use deskferry::migration::{Migration, Workspace};
use deskferry::rehearsal::fault::{Action, Rule};
use deskferry::rehearsal::kayako::{Content, LeastOptions};
use deskferry::rehearsal::world::WorldSpec;
use deskferry::sink::{Batch, Outcome, Phase, TargetInfo};
use deskferry::{Context, Result, Sink};

use super::Settings;
use super::child::{patient, source};
use super::scene::{helpdesk, runtime};
use super::table::{Table, Watch, fine, whole};

pub(crate) fn figure(settings: &Settings) {
    let most = settings.number("conversations", 3_000);
    let mut table = Table::new(
        "requests: a full read of a local Kayako, originals of mails and files included",
        &[
            "conversations",
            "faults",
            "least",
            "sent",
            "sent : least",
            "answered 429",
            "5xx",
            "s",
        ],
    );
    let articles = settings.number("articles", 0);
    for conversations in [300, most] {
        for every in [None, Some(100)] {
            let spec = WorldSpec::new(1, conversations);
            let spec = match articles {
                0 => spec,
                articles => spec.light().articles(articles),
            };
            runtime().block_on(read(&mut table, spec, every));
        }
    }
    table.print();
}

/// A target that takes nothing: the read alone is measured.
struct Nowhere;

#[async_trait]
impl Sink for Nowhere {
    async fn check(&self, _cx: &Context) -> Result<TargetInfo> {
        Ok(TargetInfo::new("nowhere", "nowhere"))
    }
    fn phases(&self) -> Vec<Phase> {
        Vec::new()
    }
    async fn write(&self, _cx: &Context, _batch: Batch) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }
    async fn flush(&self, _cx: &Context) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }
}

async fn read(table: &mut Table, spec: WorldSpec, every: Option<u64>) {
    let conversations = spec.conversations;
    let kayako = helpdesk(Content::Made(spec)).await;
    let least = kayako.least_requests(LeastOptions::default()).total();
    if let Some(every) = every {
        for n in 0..(least / every) {
            let code = [429, 503, 502, 500][usize::try_from(n % 4).unwrap_or(0)];
            let rule = Rule::new(Action::status(code)).method("GET");
            kayako
                .faults()
                .push(rule.skip(n * every + every / 2).times(1));
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let retry: RetryPolicy = patient();
    let source = Arc::new(source(&kayako.url(), retry));
    let workspace = Workspace::open(folder.path()).expect("a workspace");
    let watch = Watch::start();
    let report = Migration::new(workspace, source, Arc::new(Nowhere))
        .run(&Context::new())
        .await
        .expect("a whole read");
    let spent = watch.spent();
    let sum = |figure: fn(&deskferry::core::http::MeterRow) -> u64| -> f64 {
        report.meter.iter().map(figure).sum::<u64>() as f64
    };
    let sent = sum(|row| row.requests);
    table.row(&[
        whole(conversations as f64),
        every.map_or("none".to_owned(), |every| format!("1 in {every}")),
        whole(least as f64),
        whole(sent),
        format!("{:.4}", sent / least as f64),
        whole(sum(|row| row.throttled)),
        whole(sum(|row| row.server_errors)),
        fine(spent.wall),
    ]);
    kayako.stop().await;
}
