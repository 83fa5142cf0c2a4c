//! Limits against a platform that counts, over hours of a paused clock. Each file of the folder is one: the platform's
//! rule, our limit, and what must hold.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{CASES, lock, start};
use crate::context::{Context, RuntimeClock};
use crate::http::limit::{Limit, LimitHeaders, Pacer, Reset, Ticket};
use crate::http::response::Headers;
use crate::http::retry_after::retry_after;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    about: String,
    hours: f64,
    /// Clients with limits of their own on the one platform, and the workers of each.
    clients: usize,
    workers: usize,
    /// From request to answer.
    latency_ms: u64,
    platform: Platform,
    limit: Ours,
    must: Must,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Platform {
    per_minute: u32,
    /// `fixed` minutes that begin `offset_s` after ours, or the last minute `sliding` along.
    counts: Counts,
    #[serde(default)]
    offset_s: i64,
    #[serde(default)]
    retry_after: bool,
    /// Tells `x-limit` and `x-left`, and `x-reset` in this form.
    #[serde(default)]
    tells: bool,
    reset: Option<Form>,
    /// Whether it tells its time.
    #[serde(default)]
    date: bool,
    /// How far its clock is ahead of ours.
    #[serde(default)]
    ahead_s: i64,
    /// What live users take of each minute.
    #[serde(default)]
    live_users: u32,
    #[serde(default)]
    change: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Counts {
    Fixed,
    Sliding,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Form {
    EpochSeconds,
    EpochMillis,
    Seconds,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    at_hours: f64,
    per_minute: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ours {
    kind: Kind,
    start: u32,
    #[serde(default)]
    keep_free: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Adaptive,
    Told,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Must {
    /// Requests before anything is measured.
    #[serde(default)]
    after_requests: usize,
    /// Requests let through, of those that the platform would have allowed.
    share: f64,
    /// At most this part is used.
    #[serde(default = "all")]
    share_at_most: f64,
    /// Requests refused, of all.
    refused: f64,
    /// The part of the busiest client that the idlest one gets.
    #[serde(default)]
    fairness: f64,
}

fn all() -> f64 {
    1.0
}

impl Ours {
    fn limit(&self, platform: &Platform) -> Limit {
        let limit = match self.kind {
            Kind::Adaptive => Limit::adaptive(self.start),
            Kind::Told => {
                let headers = LimitHeaders::new("X-Limit", "X-Left");
                let headers = match platform.reset {
                    Some(Form::EpochSeconds) => headers.reset("X-Reset", Reset::EpochSeconds),
                    Some(Form::EpochMillis) => headers.reset("X-Reset", Reset::Guess),
                    Some(Form::Seconds) => headers.reset("X-Reset", Reset::Seconds),
                    None => headers,
                };
                Limit::told(headers, self.start)
            }
        };
        limit.keep_free(self.keep_free)
    }
}

/// The platform at work.
struct Counting {
    rule: Platform,
    seen: VecDeque<DateTime<Utc>>,
    window: i64,
}

/// What became of one request.
struct Fate {
    at: DateTime<Utc>,
    client: usize,
    refused: bool,
}

impl Counting {
    fn allows(&self, at: DateTime<Utc>) -> u32 {
        let hours = (at - start()).as_seconds_f64() / 3600.0;
        let changed = self.rule.change.iter().rev().find(|c| c.at_hours <= hours);
        changed.map_or(self.rule.per_minute, |change| change.per_minute)
    }

    /// The minute that counts `at`, and when it ends.
    fn minute(&self, at: DateTime<Utc>) -> (i64, DateTime<Utc>) {
        let offset = TimeDelta::seconds(self.rule.offset_s);
        let number = (at - start() - offset)
            .num_milliseconds()
            .div_euclid(60_000);
        (number, start() + offset + TimeDelta::minutes(number + 1))
    }

    fn ask(&mut self, at: DateTime<Utc>) -> (u16, Headers) {
        let allowed = self.allows(at).saturating_sub(self.rule.live_users);
        let (minute, mut ends) = self.minute(at);
        match self.rule.counts {
            Counts::Fixed if minute != self.window => {
                self.seen.clear();
                self.window = minute;
            }
            Counts::Fixed => {}
            Counts::Sliding => {
                while self
                    .seen
                    .front()
                    .is_some_and(|old| at - *old >= TimeDelta::minutes(1))
                {
                    self.seen.pop_front();
                }
                ends = self
                    .seen
                    .front()
                    .map_or(at, |old| *old + TimeDelta::minutes(1));
            }
        }
        let full = self.seen.len() >= allowed as usize;
        if !full {
            self.seen.push_back(at);
        }
        (if full { 429 } else { 200 }, self.headers(at, ends, full))
    }

    fn headers(&self, at: DateTime<Utc>, ends: DateTime<Utc>, full: bool) -> Headers {
        let ahead = TimeDelta::seconds(self.rule.ahead_s);
        let mut pairs = Vec::new();
        if self.rule.tells {
            let limit = self.allows(at);
            let used = self.seen.len() + self.rule.live_users as usize;
            let left = (limit as usize).saturating_sub(used);
            pairs.push(("x-limit", limit.to_string()));
            pairs.push(("x-left", left.to_string()));
        }
        match self.rule.reset {
            Some(Form::EpochSeconds) => {
                pairs.push(("x-reset", (ends + ahead).timestamp().to_string()))
            }
            Some(Form::EpochMillis) => {
                pairs.push(("x-reset", (ends + ahead).timestamp_millis().to_string()));
            }
            Some(Form::Seconds) => pairs.push(("x-reset", (ends - at).num_seconds().to_string())),
            None => {}
        }
        if self.rule.date {
            pairs.push((
                "date",
                (at + ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            ));
        }
        if full && self.rule.retry_after {
            let wait = (ends - at).as_seconds_f64().ceil().max(1.0);
            pairs.push(("retry-after", wait.to_string()));
        }
        Headers::new(pairs)
    }
}

impl Scenario {
    async fn play(&self) -> Vec<Fate> {
        let cx = Context::new().with_clock(Arc::new(RuntimeClock::starting_at(start())));
        let platform = Mutex::new(Counting {
            rule: self.platform.clone(),
            seen: VecDeque::new(),
            window: i64::MIN,
        });
        let fates = Mutex::new(Vec::new());
        let end = start() + TimeDelta::seconds((self.hours * 3600.0) as i64);
        let limit = self.limit.limit(&self.platform);
        let pacers: Vec<Pacer> = (0..self.clients)
            .map(|_| Pacer::new(std::slice::from_ref(&limit)))
            .collect();
        let worker = |client: usize| {
            let (cx, pacers, platform, fates) = (&cx, &pacers, &platform, &fates);
            async move {
                let tally = cx.meter().of("desk", CASES);
                while cx.now() < end {
                    let permit = pacers[client].acquire(cx, CASES, &tally).await.unwrap();
                    let sent = cx.now();
                    let way = Duration::from_millis(self.latency_ms / 2);
                    cx.sleep(way, "go").await.unwrap();
                    let at = cx.now();
                    let (status, headers) = lock(platform).ask(at);
                    cx.sleep(way, "come back").await.unwrap();
                    drop(permit);
                    let refused = status == 429;
                    // What a client does of its own, without a rule of the platform: half a second, and again.
                    let hold = refused.then(|| {
                        retry_after(&headers, cx.now()).unwrap_or(Duration::from_millis(500))
                    });
                    let ticket = Ticket {
                        endpoint: CASES,
                        sent,
                    };
                    pacers[client].on_response(cx.now(), ticket, status, &headers, hold);
                    lock(fates).push(Fate {
                        at,
                        client,
                        refused,
                    });
                }
            }
        };
        let workers = (0..self.clients * self.workers).map(|n| worker(n % self.clients));
        futures::future::join_all(workers).await;
        fates.into_inner().unwrap()
    }

    /// How many requests the platform would have let through from `since` on.
    fn allowed(&self, since: DateTime<Utc>) -> f64 {
        let platform = Counting {
            rule: self.platform.clone(),
            seen: VecDeque::new(),
            window: 0,
        };
        let seconds = (self.hours * 3600.0) as i64;
        (0..seconds)
            .map(|second| start() + TimeDelta::seconds(second))
            .filter(|at| *at >= since)
            .map(|at| f64::from(platform.allows(at)) / 60.0)
            .sum()
    }

    /// What was seen, and whether all of it holds.
    async fn check(&self, name: &str) -> (String, bool) {
        let fates = self.play().await;
        let since = fates[self.must.after_requests].at;
        let measured = &fates[self.must.after_requests..];
        let refused = measured.iter().filter(|fate| fate.refused).count();
        let refused_share = refused as f64 / measured.len() as f64;
        let share = (measured.len() - refused) as f64 / self.allowed(since);
        let of = |client| {
            measured
                .iter()
                .filter(|f| f.client == client && !f.refused)
                .count() as f64
        };
        let most = (0..self.clients).map(of).fold(0.0, f64::max);
        let least = (0..self.clients).map(of).fold(f64::MAX, f64::min);
        let told = format!(
            "{name} ({}): share {share:.4}, refused {refused} of {} ({refused_share:.4}), fairness {:.2}",
            self.about,
            measured.len(),
            least / most
        );
        let must = &self.must;
        let holds = (must.share..=must.share_at_most + 0.005).contains(&share)
            && refused_share <= must.refused
            && least / most >= must.fairness;
        (told, holds)
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what one wants to see")]
fn every_scenario_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/limit/tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    let mut broken = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let scenario: Scenario = toml::from_str(&text).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let (told, holds) = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(scenario.check(&name));
        println!("{told}");
        if !holds {
            broken.push(told);
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
