//! The task that works on jobs as long as the org runs.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::work;
use crate::org::engine::Engine;

/// Works until it is stopped or dropped; what it was at is a whole chunk, so nothing is half done.
#[derive(Debug)]
pub(crate) struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    pub(crate) fn start(engine: Arc<Engine>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(work(engine, stopped));
        Self { stop, task }
    }

    /// Lets the chunk in hand finish.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn work(engine: Arc<Engine>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let at_work = Arc::clone(&engine);
        let round = tokio::task::spawn_blocking(move || work::round(&at_work)).await;
        match round {
            Ok(Ok(true)) => continue,
            Ok(Ok(false)) => {}
            Ok(Err(refusal)) => tracing::warn!(reason = refusal.message, "bulk jobs stand still"),
            Err(_) => return,
        }
        tokio::select! {
            () = engine.bulk.bell.notified() => {}
            _told = stopped.changed() => return,
        }
    }
}
