//! Behaviour of the client, against servers on loopback.
//!
//! Time is a [`JumpClock`]: a wait is over at once and moves the clock, so that nothing sleeps and every wait is seen.

mod bodies;
mod limits;
mod redirects;
mod retries;
mod secrets;
mod server;
mod sessions;
mod tls;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Client, ClientBuilder, MeterRow};
use crate::context::{Clock, Context};
use server::Server;

/// A clock on which waiting takes no time.
pub(super) struct JumpClock(Mutex<(DateTime<Utc>, Vec<Duration>)>);

impl JumpClock {
    fn start() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2024-01-01T00:00:00Z")
            .unwrap()
            .to_utc()
    }

    /// Seconds since the start.
    fn seconds(&self) -> i64 {
        (self.now() - Self::start()).num_seconds()
    }

    /// Every wait so far.
    fn waits(&self) -> Vec<Duration> {
        self.0.lock().unwrap().1.clone()
    }
}

#[async_trait]
impl Clock for JumpClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.lock().unwrap().0
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now() + TimeDelta::from_std(duration).unwrap();
        tokio::task::yield_now().await;
        let mut state = self.0.lock().unwrap();
        state.0 = state.0.max(until);
        state.1.push(duration);
    }
}

fn jumping() -> (Context, Arc<JumpClock>) {
    let clock = Arc::new(JumpClock(Mutex::new((JumpClock::start(), Vec::new()))));
    let shared: Arc<dyn Clock> = Arc::<JumpClock>::clone(&clock);
    (Context::new().with_clock(shared), clock)
}

fn builder(server: &Server) -> ClientBuilder {
    Client::builder("desk", &server.url("/api"))
}

fn client(server: &Server) -> Client {
    builder(server).build().unwrap()
}

/// The only row of the meter.
fn counted(cx: &Context) -> MeterRow {
    let rows = cx.meter().snapshot();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_iter().next().unwrap()
}
