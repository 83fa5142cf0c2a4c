//! Trengo's times (Trengo reference, section 1.5): wall clock of Europe/Amsterdam without saying so, UTC with a `Z`, seconds
//! since 1970. One hour a year exists twice on that clock, and one does not exist.

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::Value;

/// Above this a number counts milliseconds, not seconds.
const MILLIS: i64 = 1_000_000_000_000;

/// The clock on whose face times without a zone were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Zone(Tz);

/// A time as a row has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The time; of the two that a wall clock may mean in autumn, the first.
    first: DateTime<Utc>,
    /// The second of those two.
    second: Option<DateTime<Utc>>,
}

impl Moment {
    /// A time that leaves no choice.
    pub(crate) const fn sure(at: DateTime<Utc>) -> Self {
        Self {
            first: at,
            second: None,
        }
    }

    /// The time, where nothing tells the two readings of an hour that exists twice apart: the first.
    pub(crate) const fn plain(self) -> DateTime<Utc> {
        self.first
    }

    /// The reading that does not lie before `floor`, if only the second one does not.
    pub(crate) fn not_before(self, floor: DateTime<Utc>) -> DateTime<Utc> {
        match self.second {
            Some(second) if self.first < floor && second >= floor => second,
            _ => self.first,
        }
    }

    /// Whether it has two readings.
    pub(crate) const fn is_open(self) -> bool {
        self.second.is_some()
    }

    /// Whether `at` is one of its readings.
    pub(crate) fn may_be(self, at: DateTime<Utc>) -> bool {
        self.first == at || self.second == Some(at)
    }
}

impl Zone {
    /// The zone of this name in the IANA database.
    pub(crate) fn named(name: &str) -> Option<Self> {
        name.trim().parse().ok().map(Self)
    }

    /// Its name in the IANA database.
    pub(crate) fn name(self) -> &'static str {
        self.0.name()
    }

    /// What a value says. `None` where it says nothing: null, an empty text, the zero date of MySQL.
    ///
    /// # Errors
    /// It says something that is no time.
    pub(crate) fn read(self, value: &Value) -> Result<Option<Moment>, &'static str> {
        const NOT_A_TIME: &str = "not a time";
        match value {
            Value::Null | Value::Bool(false) => Ok(None),
            Value::String(text) => match text.trim() {
                "" => Ok(None),
                zero if zero.starts_with("0000-00-00") => Ok(None),
                text => self.parse(text).map(Some).ok_or(NOT_A_TIME),
            },
            Value::Number(number) => number
                .as_i64()
                .and_then(epoch)
                .map(|at| Some(Moment::sure(at)))
                .ok_or(NOT_A_TIME),
            _ => Err(NOT_A_TIME),
        }
    }

    fn parse(self, text: &str) -> Option<Moment> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(Moment::sure(at.to_utc()));
        }
        if let Ok(at) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
            return Some(Moment::sure(at.to_utc()));
        }
        let face = [
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M",
        ]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()?
                .and_hms_opt(0, 0, 0)
        })?;
        Some(self.of_face(face))
    }

    /// What the clock meant when it showed this.
    fn of_face(self, face: NaiveDateTime) -> Moment {
        match self.0.from_local_datetime(&face) {
            LocalResult::Single(at) => Moment::sure(at.to_utc()),
            LocalResult::Ambiguous(one, other) => Moment {
                first: one.min(other).to_utc(),
                second: Some(one.max(other).to_utc()),
            },
            // The clock never showed it: go on with the offset from before the jump, which lands behind it.
            LocalResult::None => {
                let before = self.0.offset_from_utc_datetime(&(face - Duration::days(1)));
                Moment::sure((face - before.fix()).and_utc())
            }
        }
    }

    /// A time as the clock shows it, in Trengo's form.
    pub(crate) fn face(self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.0)
            .format("%Y-%m-%d %H:%M:%S")
            .to_string()
    }
}

fn epoch(number: i64) -> Option<DateTime<Utc>> {
    if number.abs() > MILLIS {
        DateTime::from_timestamp_millis(number)
    } else {
        DateTime::from_timestamp(number, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn amsterdam() -> Zone {
        Zone::named("Europe/Amsterdam").unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn every_encoding_gives_the_same_moment() {
        for (value, at) in [
            // Seen beside an epoch value, in winter and in summer.
            (json!("2021-12-08 13:23:26"), "2021-12-08T12:23:26Z"),
            (json!("2023-07-10 09:16:42"), "2023-07-10T07:16:42Z"),
            (json!("2023-10-19T13:32:42.000000Z"), "2023-10-19T13:32:42Z"),
            (json!("2026-09-01T02:00:00+02:00"), "2026-09-01T00:00:00Z"),
            (json!("2026-09-01T02:00:00+0200"), "2026-09-01T00:00:00Z"),
            (json!("2024-02-01T16:00:08"), "2024-02-01T15:00:08Z"),
            (json!(" 2024-02-01 16:00 "), "2024-02-01T15:00:00Z"),
            (json!("2024-02-01"), "2024-01-31T23:00:00Z"),
            (json!(1_638_966_206), "2021-12-08T12:23:26Z"),
            (json!(1_638_966_206_000_i64), "2021-12-08T12:23:26Z"),
        ] {
            let moment = amsterdam().read(&value).unwrap().unwrap();
            assert_eq!(moment, Moment::sure(utc(at)), "{value}");
        }
    }

    #[test]
    fn nothing_is_no_time_and_nonsense_is_an_error() {
        for value in [
            json!(null),
            json!(""),
            json!(" "),
            json!(false),
            json!("0000-00-00 00:00:00"),
        ] {
            assert_eq!(amsterdam().read(&value), Ok(None), "{value}");
        }
        for value in [
            json!("yesterday"),
            json!("2024-02-30 10:00:00"),
            json!({}),
            json!(true),
            json!(1.5),
        ] {
            assert!(amsterdam().read(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn the_hour_that_exists_twice_is_the_first_one_unless_order_says_otherwise() {
        let moment = amsterdam()
            .read(&json!("2024-10-27 02:30:00"))
            .unwrap()
            .unwrap();
        let (first, second) = (utc("2024-10-27T00:30:00Z"), utc("2024-10-27T01:30:00Z"));
        assert!(moment.is_open() && moment.may_be(first) && moment.may_be(second));
        assert_eq!(moment.plain(), first);
        for (floor, at) in [
            ("2024-10-27T00:10:00Z", first),
            ("2024-10-27T00:30:00Z", first),
            // The message before it was said at 02:50, the first time round.
            ("2024-10-27T00:50:00Z", second),
            ("2024-10-27T01:30:00Z", second),
            // Neither fits: ids and times do not go together here.
            ("2024-10-27T01:30:01Z", first),
        ] {
            assert_eq!(moment.not_before(utc(floor)), at, "{floor}");
        }
        for (face, open) in [
            ("2024-10-27 01:59:59", false),
            ("2024-10-27 02:00:00", true),
            ("2024-10-27 02:59:59", true),
            ("2024-10-27 03:00:00", false),
        ] {
            let moment = amsterdam().read(&json!(face)).unwrap().unwrap();
            assert_eq!(moment.is_open(), open, "{face}");
        }
    }

    #[test]
    fn the_hour_that_does_not_exist_is_shifted_forward() {
        for (face, at) in [
            ("2024-03-31 01:59:59", "2024-03-31T00:59:59Z"),
            ("2024-03-31 02:00:00", "2024-03-31T01:00:00Z"),
            ("2024-03-31 02:30:00", "2024-03-31T01:30:00Z"),
            ("2024-03-31 03:00:00", "2024-03-31T01:00:00Z"),
        ] {
            let moment = amsterdam().read(&json!(face)).unwrap().unwrap();
            assert_eq!(moment, Moment::sure(utc(at)), "{face}");
        }
    }

    #[test]
    fn another_zone_can_be_told_and_one_that_is_none_cannot() {
        let zone = Zone::named(" UTC ").unwrap();
        let moment = zone.read(&json!("2024-07-01 10:00:00")).unwrap().unwrap();
        assert_eq!(moment.plain(), utc("2024-07-01T10:00:00Z"));
        assert_eq!(Zone::named("Europe/Amsterdamm"), None);
    }

    proptest! {
        #[test]
        fn what_the_clock_showed_is_read_back_as_one_of_its_meanings(seconds in 0_i64..2_000_000_000) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let moment = amsterdam().read(&json!(amsterdam().face(at))).unwrap().unwrap();
            prop_assert!(moment.may_be(at), "{at} {moment:?}");
            // The clock runs behind by one hour or two, and only one hour a year is open.
            prop_assert!(moment.plain() == at || moment.is_open());
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = amsterdam().read(&json!(text));
        }
    }
}
