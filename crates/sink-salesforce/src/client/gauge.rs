//! How much of the day's requests is used: every answer tells. A share stays for the people who work in the org.

use std::sync::Mutex;
use std::sync::PoisonError;

use chrono::{DateTime, TimeDelta, Utc};
use deskferry_core::error::{Error, ErrorKind, Result};

/// What the platform counts over.
const WINDOW: TimeDelta = TimeDelta::hours(24);

/// Requests used and allowed, as the last answer told, and since when some of them are ours.
#[derive(Debug)]
pub(crate) struct Gauge {
    state: Mutex<State>,
    stop_at: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    used: u64,
    allowed: u64,
    /// Requests of this process that the org counted.
    ours: u64,
    /// When the first of them was.
    since: Option<DateTime<Utc>>,
}

impl Gauge {
    /// Stops when this share (in percent) is used, by whomever; the rest is a reserve for others.
    pub(crate) fn stopping_at(share: u8) -> Self {
        Self {
            state: Mutex::default(),
            stop_at: u64::from(share),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Figures alone: a panic between two of them leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a `Sforce-Limit-Info`: `api-usage=46/101000`, alone or beside other figures.
    pub(crate) fn note(&self, header: Option<&str>, now: DateTime<Utc>) {
        let mut state = self.state();
        state.ours += 1;
        state.since.get_or_insert(now);
        if let Some((used, allowed)) = header.and_then(api_usage) {
            (state.used, state.allowed) = (used, allowed);
        }
    }

    /// Notes what `limits` tells, which also counts what has no header, and may be some minutes behind.
    pub(crate) fn note_limits(&self, allowed: u64, left: u64) {
        let mut state = self.state();
        let used = allowed.saturating_sub(left);
        if allowed != state.allowed || used > state.used {
            (state.used, state.allowed) = (used, allowed);
        }
    }

    /// # Errors
    /// `Quota` once the share is used.
    pub(crate) fn check(&self) -> Result<()> {
        let State { used, allowed, .. } = *self.state();
        if allowed == 0 || used * 100 < allowed * self.stop_at {
            return Ok(());
        }
        let said = format!(
            "{used} of the {allowed} requests of 24 hours are used, {} percent is the configured share",
            self.stop_at
        );
        Err(
            Error::new(ErrorKind::Quota, "write to Salesforce", said).advise(format!(
                "{}; nothing is lost. SALESFORCE_DAILY_SHARE is the share that a load may use up to",
                self.when()
            )),
        )
    }

    /// When to go on. The platform counts over the last 24 hours: what we sent leaves them a day after it was sent.
    pub(crate) fn when(&self) -> String {
        let State { ours, since, .. } = *self.state();
        match since.and_then(|since| since.checked_add_signed(WINDOW)) {
            Some(at) => format!(
                "Run `resume` from {} on, when the first of this run's {ours} requests leave the 24 hours (earlier if others' leave them before)",
                at.format("%Y-%m-%d %H:%M UTC")
            ),
            None => "Run `resume` when older requests have left the 24 hours".to_owned(),
        }
    }
}

fn api_usage(header: &str) -> Option<(u64, u64)> {
    let mut figures = header.split([';', ',']).map(str::trim);
    let usage = figures.find_map(|figure| figure.strip_prefix("api-usage="))?;
    let (used, allowed) = usage.split_once('/')?;
    let digits = |text: &str| {
        text.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .ok()
    };
    Some((digits(used)?, digits(allowed)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_figure_of_the_org_is_found_among_others() {
        for (header, usage) in [
            ("api-usage=46/101000", Some((46, 101_000))),
            (
                "api-usage=46/101000; per-app-api-usage=17/250(appName=acme)",
                Some((46, 101_000)),
            ),
            (
                "per-app-api-usage=17/250(appName=acme); api-usage=1/2",
                Some((1, 2)),
            ),
            ("per-app-api-usage=17/250(appName=acme)", None),
            ("nonsense", None),
        ] {
            assert_eq!(api_usage(header), usage, "{header}");
        }
    }

    #[test]
    fn a_load_stops_before_the_org_is_cut_off_and_says_when_to_go_on() {
        let gauge = Gauge::stopping_at(90);
        assert!(gauge.check().is_ok(), "nothing is known yet");
        gauge.note(Some("api-usage=89/100"), at("2026-03-01T10:30:00Z"));
        assert!(gauge.check().is_ok());
        gauge.note(Some("api-usage=90/100"), at("2026-03-01T11:00:00Z"));
        let error = gauge.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Quota);
        let said = error.to_string();
        assert!(said.contains("from 2026-03-02 10:30 UTC on"), "{said}");
        assert!(said.contains("2 requests"), "{said}");
    }

    #[test]
    fn limits_count_what_carries_no_header_and_never_turn_the_gauge_back() {
        let gauge = Gauge::stopping_at(90);
        gauge.note(Some("api-usage=50/100"), at("2026-03-01T10:30:00Z"));
        gauge.note_limits(100, 60);
        gauge.note(None, at("2026-03-01T10:31:00Z"));
        assert_eq!(gauge.state().used, 50, "limits may be some minutes behind");
        gauge.note_limits(100, 5);
        assert!(gauge.check().is_err());
        gauge.note(Some("api-usage=51/100"), at("2026-03-01T10:32:00Z"));
        assert!(gauge.check().is_ok(), "an answer is newer than limits");
    }
}
