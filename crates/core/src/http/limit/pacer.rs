//! The limits of a client, and the queues before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore};

use super::adaptive::Adaptive;
use super::daily::{Daily, used_up};
use super::rules::{Answered, Bucket, Gate, Pace};
use super::told::Advertised;
use super::{Limit, Rate};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::http::meter::Tally;
use crate::http::response::Headers;

const WAIT: &str = "wait for the rate limit";

/// All limits of a client.
pub(in crate::http) struct Pacer {
    gate: Gate,
    /// Narrower ones first: whoever waits for one of those does not stand in the way of others.
    queues: Vec<Queue>,
}

/// One limit, and the queue before it.
struct Queue {
    endpoints: Option<&'static [&'static str]>,
    /// First come, first served; whoever holds it waits for the rule.
    turn: Mutex<()>,
    rule: Option<Box<dyn Pace>>,
    daily: Option<Daily>,
    slots: Option<Arc<Semaphore>>,
    in_flight: Arc<AtomicUsize>,
}

/// Lasts as long as the request runs.
pub(in crate::http) struct Permit {
    _slots: Vec<OwnedSemaphorePermit>,
    flights: Vec<Flight>,
}

impl Permit {
    /// The headers of the answer are here.
    pub(in crate::http) fn landed(mut self) -> Self {
        self.flights.clear();
        self
    }
}

/// A request that waits for its answer.
struct Flight(Arc<AtomicUsize>);

impl Flight {
    fn start(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Which request an answer belongs to.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Ticket {
    pub(in crate::http) endpoint: &'static str,
    /// When it went.
    pub(in crate::http) sent: DateTime<Utc>,
}

impl Pacer {
    pub(in crate::http) fn new(limits: &[Limit]) -> Self {
        let mut queues: Vec<Queue> = limits.iter().map(Queue::new).collect();
        queues.sort_by_key(|queue| queue.endpoints.is_none());
        Self {
            gate: Gate::default(),
            queues,
        }
    }

    /// Waits until a request of `endpoint` may go.
    pub(in crate::http) async fn acquire(
        &self,
        cx: &Context,
        endpoint: &'static str,
        tally: &Tally,
    ) -> Result<Permit> {
        let asked = cx.now();
        let queues: Vec<&Queue> = self.concerned(endpoint).collect();
        let mut slots = Vec::new();
        for queue in &queues {
            slots.extend(queue.slot(cx).await?);
        }
        let mut turns: Vec<MutexGuard<'_, ()>> = Vec::new();
        let mut waited = self.wait(cx, &[], tally).await?;
        for (place, queue) in queues.iter().enumerate() {
            match queue.turn.try_lock() {
                Ok(turn) => turns.push(turn),
                Err(_) => {
                    turns.push(queue.turn.lock().await);
                    waited = true;
                }
            }
            // The narrower ones may have closed while this one was waited for.
            waited |= self.wait(cx, &queues[..=place], tally).await?;
        }
        let now = cx.now();
        self.gate.pass(now);
        for queue in &queues {
            queue.take(now, waited);
        }
        tally.waited((now - asked).to_std().unwrap_or_default());
        Ok(Permit {
            _slots: slots,
            flights: queues
                .iter()
                .map(|queue| Flight::start(&queue.in_flight))
                .collect(),
        })
    }

    /// Returns when the platform and all of these limits are ready at one moment; whether that took time.
    async fn wait(&self, cx: &Context, queues: &[&Queue], tally: &Tally) -> Result<bool> {
        let mut waited = false;
        loop {
            cx.check(WAIT)?;
            let now = cx.now();
            for daily in queues.iter().filter_map(|queue| queue.daily.as_ref()) {
                daily.check(now)?;
            }
            let ready = queues
                .iter()
                .filter_map(|queue| queue.rule.as_ref())
                .map(|rule| rule.ready_at(now))
                .fold(self.gate.ready_at(now), DateTime::max);
            match (ready - now).to_std() {
                Ok(wait) if !wait.is_zero() => {
                    tally.waits(ready);
                    cx.sleep(wait, WAIT).await?;
                }
                _ => return Ok(waited),
            }
            waited = true;
        }
    }

    /// An answer came; `hold` is how long it asks everybody to wait.
    pub(in crate::http) fn on_response(
        &self,
        now: DateTime<Utc>,
        ticket: Ticket,
        status: u16,
        headers: &Headers,
        hold: Option<Duration>,
    ) {
        if let Some(hold) = hold {
            self.gate.close(now, hold);
        }
        for queue in self.concerned(ticket.endpoint) {
            if let Some(rule) = &queue.rule {
                rule.on_response(&Answered {
                    now,
                    sent: ticket.sent,
                    status,
                    headers,
                    in_flight: queue.in_flight.load(Ordering::Acquire),
                });
            }
        }
    }

    /// What it means that a request was given up: where a day has an allowance, 429 to the end says that it is used up.
    pub(in crate::http) fn given_up(&self, endpoint: &'static str, error: Error) -> Error {
        let counts_days = self.concerned(endpoint).any(|queue| queue.daily.is_some());
        if counts_days && error.kind() == ErrorKind::RateLimited {
            used_up(error)
        } else {
            error
        }
    }

    fn concerned(&self, endpoint: &'static str) -> impl Iterator<Item = &Queue> {
        self.queues
            .iter()
            .filter(move |queue| queue.endpoints.is_none_or(|only| only.contains(&endpoint)))
    }
}

impl Queue {
    fn new(limit: &Limit) -> Self {
        let usable = 1.0 - limit.kept_free;
        let rule: Option<Box<dyn Pace>> = match &limit.rate {
            Rate::Free => None,
            Rate::Every(nanos) => {
                let interval = Duration::from_nanos(*nanos).div_f64(usable);
                Some(Box::new(Bucket::new(interval, limit.burst)))
            }
            Rate::Adaptive(start) => Some(Box::new(Adaptive::new(*start, usable))),
            Rate::Told(headers, start) => {
                Some(Box::new(Advertised::new(headers.clone(), *start, usable)))
            }
        };
        Self {
            endpoints: limit.endpoints,
            turn: Mutex::new(()),
            rule,
            daily: limit.per_day.map(|most| Daily::new(part(most, usable))),
            slots: limit
                .concurrent
                .map(|n| Arc::new(Semaphore::new(n.min(Semaphore::MAX_PERMITS)))),
            in_flight: Arc::default(),
        }
    }

    fn take(&self, now: DateTime<Utc>, waited: bool) {
        if let Some(rule) = &self.rule {
            rule.acquire(now, waited);
        }
        if let Some(daily) = &self.daily {
            daily.take(now);
        }
    }

    async fn slot(&self, cx: &Context) -> Result<Option<OwnedSemaphorePermit>> {
        let Some(slots) = &self.slots else {
            return Ok(None);
        };
        tokio::select! {
            slot = Arc::clone(slots).acquire_owned() => {
                slot.map(Some).map_err(|_| Error::bug(WAIT, "the semaphore was closed"))
            }
            () = cx.cancelled() => Err(Error::new(ErrorKind::Cancelled, WAIT, "the run was asked to stop")),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a number of requests, rounded down"
)]
fn part(whole: u64, usable: f64) -> u64 {
    (whole as f64 * usable) as u64
}
