//! What every call carries: cancellation, clock, meter, and what the stage has seen.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};
use crate::http::Meter;
use crate::key::{RecordKey, RecordKind};

/// Cheap to clone; all clones share one run.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    cancel: CancellationToken,
    clock: Arc<dyn Clock>,
    meter: Meter,
    seen: Arc<dyn Seen>,
}

impl Context {
    /// A context with the system's clock that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::build(
            CancellationToken::new(),
            Arc::new(SystemClock),
            Meter::new(),
            Arc::new(NothingSeen),
        )
    }

    fn build(
        cancel: CancellationToken,
        clock: Arc<dyn Clock>,
        meter: Meter,
        seen: Arc<dyn Seen>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                cancel,
                clock,
                meter,
                seen,
            }),
        }
    }

    /// The same run with another answer to what was seen.
    #[must_use]
    pub fn seeing(&self, seen: Arc<dyn Seen>) -> Self {
        let i = &self.inner;
        Self::build(
            i.cancel.clone(),
            Arc::clone(&i.clock),
            i.meter.clone(),
            seen,
        )
    }

    /// The same run by another clock.
    #[must_use]
    pub fn with_clock(&self, clock: Arc<dyn Clock>) -> Self {
        let i = &self.inner;
        Self::build(
            i.cancel.clone(),
            clock,
            i.meter.clone(),
            Arc::clone(&i.seen),
        )
    }

    /// Asks everything that shares this run to stop.
    pub fn cancel(&self) {
        self.inner.cancel.cancel();
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.inner.cancel.is_cancelled()
    }

    /// Returns when somebody asks to stop.
    pub async fn cancelled(&self) {
        self.inner.cancel.cancelled().await;
    }

    /// An error of kind `Cancelled` once somebody asked to stop.
    ///
    /// # Errors
    /// `Cancelled`.
    pub fn check(&self, operation: &'static str) -> Result<()> {
        if self.is_cancelled() {
            return Err(cancelled(operation));
        }
        Ok(())
    }

    /// Now, by the run's clock.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    /// Waits, by the run's clock; an error when the run is stopped meanwhile.
    ///
    /// # Errors
    /// `Cancelled`.
    pub async fn sleep(&self, duration: Duration, operation: &'static str) -> Result<()> {
        tokio::select! {
            () = self.inner.clock.sleep(duration) => Ok(()),
            () = self.cancelled() => Err(cancelled(operation)),
        }
    }

    /// What was sent and received so far.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.inner.meter
    }

    /// Which of these records were read already, in order. Sees everything that was yielded before this call.
    ///
    /// # Errors
    /// The stage's index failed.
    pub async fn seen(&self, keys: &[RecordKey]) -> Result<Vec<bool>> {
        self.inner.seen.seen(keys).await
    }

    /// The records of a kind that were last read before `since`, in the order of their keys after `after`, at most `limit`:
    /// what a source asks to find out what vanished.
    ///
    /// # Errors
    /// The stage's index failed.
    pub async fn not_read_since(
        &self,
        kind: RecordKind,
        since: DateTime<Utc>,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<RecordKey>> {
        self.inner
            .seen
            .not_read_since(kind, since, after, limit)
            .await
    }
}

fn cancelled(operation: &'static str) -> Error {
    Error::new(ErrorKind::Cancelled, operation, "the run was asked to stop")
        .advise("Run `resume` to go on where it stopped")
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// Answers which records were read.
#[async_trait]
pub trait Seen: Send + Sync {
    /// One answer per key, in order.
    async fn seen(&self, keys: &[RecordKey]) -> Result<Vec<bool>>;

    /// See [`Context::not_read_since`]. Nothing, where nothing is kept.
    async fn not_read_since(
        &self,
        _kind: RecordKind,
        _since: DateTime<Utc>,
        _after: Option<&RecordKey>,
        _limit: usize,
    ) -> Result<Vec<RecordKey>> {
        Ok(Vec::new())
    }
}

#[derive(Debug)]
struct NothingSeen;

#[async_trait]
impl Seen for NothingSeen {
    async fn seen(&self, keys: &[RecordKey]) -> Result<Vec<bool>> {
        Ok(vec![false; keys.len()])
    }
}

/// A source of time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;
    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A wall clock that starts at a given time and goes on with tokio's: a paused runtime pauses it too.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeClock {
    wall: DateTime<Utc>,
    started: tokio::time::Instant,
}

impl RuntimeClock {
    /// Starts now, showing `wall`.
    #[must_use]
    pub fn starting_at(wall: DateTime<Utc>) -> Self {
        Self {
            wall,
            started: tokio::time::Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for RuntimeClock {
    fn now(&self) -> DateTime<Utc> {
        self.wall + self.started.elapsed()
    }
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
