//! How much of the day's requests is used: every answer tells.

use std::sync::atomic::{AtomicU64, Ordering};

use deskferry_core::error::{Error, ErrorKind, Result};

/// Requests used and allowed, as the last answer told.
#[derive(Debug)]
pub(crate) struct Gauge {
    used: AtomicU64,
    allowed: AtomicU64,
    stop_at: u64,
}

impl Gauge {
    /// Stops when this share (in percent) is used.
    pub(crate) fn stopping_at(share: u8) -> Self {
        Self {
            used: AtomicU64::new(0),
            allowed: AtomicU64::new(0),
            stop_at: u64::from(share),
        }
    }

    /// Notes a `Sforce-Limit-Info`: `api-usage=46/101000`, alone or beside other figures.
    pub(crate) fn note(&self, header: Option<&str>) {
        if let Some((used, allowed)) = header.and_then(api_usage) {
            self.used.store(used, Ordering::Relaxed);
            self.allowed.store(allowed, Ordering::Relaxed);
        }
    }

    /// # Errors
    /// `Quota` once the share is used.
    pub(crate) fn check(&self) -> Result<()> {
        let (used, allowed) = (
            self.used.load(Ordering::Relaxed),
            self.allowed.load(Ordering::Relaxed),
        );
        if allowed == 0 || used * 100 < allowed * self.stop_at {
            return Ok(());
        }
        let said = format!(
            "{used} of the {allowed} requests of 24 hours are used, {} percent is the configured share",
            self.stop_at
        );
        Err(Error::new(ErrorKind::Quota, "write to Salesforce", said)
            .advise("Run `resume` when older requests have left the 24 hours; nothing is lost"))
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
    fn a_load_stops_before_the_org_is_cut_off() {
        let gauge = Gauge::stopping_at(90);
        assert!(gauge.check().is_ok(), "nothing is known yet");
        gauge.note(Some("api-usage=89/100"));
        assert!(gauge.check().is_ok());
        gauge.note(Some("api-usage=90/100"));
        assert_eq!(gauge.check().unwrap_err().kind(), ErrorKind::Quota);
    }
}
