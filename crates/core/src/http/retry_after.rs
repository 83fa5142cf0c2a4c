use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::response::Headers;

/// How long `Retry-After` asks to wait: seconds, or a date. A date is compared with the server's own `Date` where it
/// sent one, since its clock may not be ours. What cannot be read asks for nothing.
pub(super) fn retry_after(headers: &Headers, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get("retry-after")?.trim();
    if let Some(seconds) = seconds(value) {
        return Some(seconds);
    }
    let until = http_date(value)?;
    let from = server_time(headers).unwrap_or(now);
    Some((until - from).to_std().unwrap_or(Duration::ZERO))
}

fn seconds(value: &str) -> Option<Duration> {
    let (whole, _) = value.split_once('.').unwrap_or((value, ""));
    let seconds: u64 = whole.parse().ok()?;
    // Some servers send fractions; the next whole second is never too early.
    Some(Duration::from_secs(
        seconds.saturating_add(u64::from(value.contains('.'))),
    ))
}

/// The time by the clock of the server, where it tells.
pub(super) fn server_time(headers: &Headers) -> Option<DateTime<Utc>> {
    headers.get("date").and_then(|date| http_date(date.trim()))
}

/// The three forms of a date in HTTP (RFC 9110, section 5.6.7).
fn http_date(value: &str) -> Option<DateTime<Utc>> {
    if let Ok(date) = DateTime::parse_from_rfc2822(value) {
        return Some(date.to_utc());
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(value, format).ok())
        .map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_nonsense_asks_for_nothing() {
        let now = DateTime::parse_from_rfc3339("1994-11-06T08:49:00Z")
            .unwrap()
            .to_utc();
        let cases = [
            ("59", Some(59)),
            (" 600 ", Some(600)),
            ("0", Some(0)),
            ("1.2", Some(2)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37)),
            ("Sun Nov  6 08:49:37 1994", Some(37)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ];
        for (value, expected) in cases {
            let found = retry_after(&Headers::new([("Retry-After", value)]), now);
            assert_eq!(found, expected.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(retry_after(&Headers::default(), now), None);
    }

    #[test]
    fn a_date_is_measured_by_the_servers_own_clock() {
        let now = DateTime::parse_from_rfc3339("1999-01-01T00:00:00Z")
            .unwrap()
            .to_utc();
        let headers = Headers::new([
            ("date", "Sun, 06 Nov 1994 08:49:00 GMT"),
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(37)));
    }
}
