//! The clock on Trengo's wall: Amsterdam's, by its rule and without a table of zones (Trengo reference, section 1.5).

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Utc};

/// What the clock shows at a time.
pub(super) fn face(at: DateTime<Utc>) -> NaiveDateTime {
    let hours = if is_summer(at) { 2 } else { 1 };
    at.naive_utc() + Duration::hours(hours)
}

/// As rows have it.
pub(super) fn written(at: DateTime<Utc>) -> String {
    face(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Summer time: from the last Sunday of March to that of October, 01:00 UTC each.
fn is_summer(at: DateTime<Utc>) -> bool {
    let turn = |month: u32| last_sunday(at.year(), month).and_then(|day| day.and_hms_opt(1, 0, 0));
    match (turn(3), turn(10)) {
        (Some(begin), Some(end)) => (begin..end).contains(&at.naive_utc()),
        _ => false,
    }
}

fn last_sunday(year: i32, month: u32) -> Option<NaiveDate> {
    let last = NaiveDate::from_ymd_opt(year, month, 31)?;
    Some(last - Duration::days(i64::from(last.weekday().num_days_from_sunday())))
}

/// The same time, where the clock shows it once; where it shows it twice, the first of both. That is all that a reader of the
/// clock can know without more.
pub(super) fn first_reading(at: DateTime<Utc>) -> DateTime<Utc> {
    let before = at - Duration::hours(1);
    if face(before) == face(at) { before } else { at }
}

/// What the clock shows, as a time, the first reading of two: for what callers write without a zone.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    let shown = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    [2, 1]
        .map(|hours| (shown - Duration::hours(hours)).and_utc())
        .into_iter()
        .find(|at| face(*at) == shown)
        .or_else(|| Some((shown - Duration::hours(1)).and_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text)
            .unwrap()
            .with_timezone(&Utc)
    }

    #[test]
    fn the_clock_is_an_hour_ahead_in_winter_and_two_in_summer() {
        for (at, shown) in [
            ("2021-12-08T12:23:26Z", "2021-12-08 13:23:26"),
            ("2023-07-10T07:16:42Z", "2023-07-10 09:16:42"),
            ("2024-03-31T00:59:59Z", "2024-03-31 01:59:59"),
            ("2024-03-31T01:00:00Z", "2024-03-31 03:00:00"),
            ("2024-10-27T00:59:59Z", "2024-10-27 02:59:59"),
            ("2024-10-27T01:00:00Z", "2024-10-27 02:00:00"),
        ] {
            assert_eq!(written(utc(at)), shown);
        }
        assert_eq!(
            first_reading(utc("2024-10-27T01:30:00Z")),
            utc("2024-10-27T00:30:00Z")
        );
        for at in [
            "2024-10-27T00:30:00Z",
            "2024-10-27T02:00:00Z",
            "2024-03-31T01:30:00Z",
        ] {
            assert_eq!(first_reading(utc(at)), utc(at));
            assert_eq!(read(&written(utc(at))), Some(utc(at)));
        }
    }
}
