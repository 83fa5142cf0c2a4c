//! What an API key says of itself. It is a signed token whose middle part is JSON; what stands in it is not documented, so
//! whatever is there is a hint, and nothing of it is ever shown but times and names of regions.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

/// A migration with its deltas may take this long.
const SOON: TimeDelta = TimeDelta::days(30);
/// Hosts of regions, and what the platform calls these.
const REGIONS: [(&str, &str); 3] = [
    ("api.kustomerapp.com", "prod1"),
    ("api.prod2.kustomerapp.com", "prod2"),
    ("api.prod4.kustomerapp.com", "prod4"),
];

/// Hints of a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    ends: Option<DateTime<Utc>>,
    region: Option<String>,
}

impl Hints {
    pub(super) fn of(key: &str) -> Self {
        let middle = key.split('.').nth(1).unwrap_or_default();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(middle.trim_end_matches('='));
        let claims: Value = bytes
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let ends = claims.get("exp").and_then(Value::as_i64);
        Self {
            ends: ends.and_then(|at| DateTime::from_timestamp(at, 0)),
            region: claims.get("pod").and_then(Value::as_str).map(str::to_owned),
        }
    }

    /// What people should know before they begin.
    pub(super) fn warnings(&self, now: DateTime<Utc>) -> Option<String> {
        let ends = self.ends.filter(|ends| *ends < now + SOON)?;
        let days = (ends - now).num_days().max(0);
        Some(format!(
            "the API key ends on {} (in {days} days): passes after that need a new one, and a key's life is chosen when it is made",
            ends.format("%Y-%m-%d")
        ))
    }

    /// Where the key belongs, if that is elsewhere than at this address, in a region that answers by this name.
    pub(super) fn elsewhere(&self, address: &str, answered: Option<&str>) -> Option<String> {
        let own = self.region.as_deref()?;
        let host = address.split("://").last().unwrap_or(address);
        let here = REGIONS.iter().find(|(region, _)| *region == host);
        let here = here.map(|(_, name)| *name).or(answered)?;
        let right = REGIONS.iter().find(|(_, name)| *name == own);
        let right = right.map_or("the org's own name", |(host, _)| host);
        (here != own).then(|| format!("the key says that it belongs to the region {own}, and {host} is {here}: use {right}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(claims: &str) -> String {
        format!("head.{}.tail", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_key_may_say_when_it_ends_and_where_it_belongs() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let told = Hints::of(&key(r#"{"exp":1700864000,"pod":"prod2","roles":[]}"#));
        assert!(
            told.warnings(now)
                .unwrap()
                .contains("2023-11-24 (in 10 days)")
        );
        assert_eq!(told.warnings(now - TimeDelta::days(60)), None);
        let wrong = told.elsewhere("https://api.kustomerapp.com", None).unwrap();
        assert!(wrong.contains("use api.prod2.kustomerapp.com"), "{wrong}");
        assert!(
            told.elsewhere("https://acme.api.kustomerapp.com", Some("prod1"))
                .is_some()
        );
        assert_eq!(
            told.elsewhere("https://api.prod2.kustomerapp.com", Some("prod2")),
            None
        );
        for nothing in ["", "plain", "a.b.c", &key("[1]"), &key(r#"{"exp":"soon"}"#)] {
            assert_eq!(Hints::of(nothing), Hints::default(), "{nothing}");
        }
    }
}
