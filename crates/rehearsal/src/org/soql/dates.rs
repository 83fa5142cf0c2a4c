//! Days by name: `TODAY`, `LAST_MONTH`, `LAST_N_DAYS:30`. Weeks begin on Sunday, fiscal years on the first of January, and
//! the day is that of Greenwich, as the org's users are all set to.

use chrono::{Datelike, Days, Months, NaiveDate};

/// The first day that a name means, and the first one behind it; none if it is no such name.
pub(super) fn named(word: &str, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let word = word.to_ascii_uppercase().replace("FISCAL_", "");
    let (name, count) = match word.split_once(':') {
        Some((name, count)) => (name, Some(count.parse::<u32>().ok()?)),
        None => (word.as_str(), None),
    };
    let plain = |from: i64, to: i64| Some((shifted(today, from)?, shifted(today, to)?));
    match (name, count) {
        ("TODAY", None) => return plain(0, 1),
        ("YESTERDAY", None) => return plain(-1, 0),
        ("TOMORROW", None) => return plain(1, 2),
        ("LAST_90_DAYS", None) => return plain(-90, 1),
        ("NEXT_90_DAYS", None) => return plain(1, 91),
        ("LAST_N_DAYS", Some(n)) => return plain(-i64::from(n), 1),
        ("NEXT_N_DAYS", Some(n)) => return plain(1, i64::from(n) + 1),
        ("N_DAYS_AGO", Some(n)) => return plain(-i64::from(n), 1 - i64::from(n)),
        _ => {}
    }
    let units: [(&str, Unit); 4] = [
        ("WEEK", Unit::Week),
        ("MONTH", Unit::Month),
        ("QUARTER", Unit::Quarter),
        ("YEAR", Unit::Year),
    ];
    let (unit_name, unit) = units.into_iter().find(|(unit, _)| name.contains(unit))?;
    let span = |from: i64, to: i64| Some((unit.start(today, from)?, unit.start(today, to)?));
    let plural = format!("{unit_name}S");
    match (name, count) {
        (_, None) if name == format!("THIS_{unit_name}") => span(0, 1),
        (_, None) if name == format!("LAST_{unit_name}") => span(-1, 0),
        (_, None) if name == format!("NEXT_{unit_name}") => span(1, 2),
        (_, Some(n)) if name == format!("LAST_N_{plural}") => span(-i64::from(n), 0),
        (_, Some(n)) if name == format!("NEXT_N_{plural}") => span(1, i64::from(n) + 1),
        (_, Some(n)) if name == format!("N_{plural}_AGO") => span(-i64::from(n), 1 - i64::from(n)),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Unit {
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// The first day of the unit that lies `away` from the one of `today`.
    fn start(self, today: NaiveDate, away: i64) -> Option<NaiveDate> {
        let first = today.with_day(1)?;
        match self {
            Self::Week => {
                let sunday = i64::from(today.weekday().num_days_from_sunday());
                shifted(today, away.checked_mul(7)? - sunday)
            }
            Self::Month => months(first, away),
            Self::Quarter => months(first, away.checked_mul(3)? - i64::from(first.month0() % 3)),
            Self::Year => months(first.with_month(1)?, away.checked_mul(12)?),
        }
    }
}

fn shifted(day: NaiveDate, by: i64) -> Option<NaiveDate> {
    let days = Days::new(by.unsigned_abs());
    if by < 0 {
        day.checked_sub_days(days)
    } else {
        day.checked_add_days(days)
    }
}

fn months(day: NaiveDate, by: i64) -> Option<NaiveDate> {
    let months = Months::new(u32::try_from(by.unsigned_abs()).ok()?);
    if by < 0 {
        day.checked_sub_months(months)
    } else {
        day.checked_add_months(months)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_days_means_its_days() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        // A Wednesday.
        let today = day("2026-05-13");
        for (name, from, to) in [
            ("TODAY", "2026-05-13", "2026-05-14"),
            ("yesterday", "2026-05-12", "2026-05-13"),
            ("TOMORROW", "2026-05-14", "2026-05-15"),
            ("THIS_WEEK", "2026-05-10", "2026-05-17"),
            ("LAST_WEEK", "2026-05-03", "2026-05-10"),
            ("THIS_MONTH", "2026-05-01", "2026-06-01"),
            ("LAST_MONTH", "2026-04-01", "2026-05-01"),
            ("THIS_QUARTER", "2026-04-01", "2026-07-01"),
            ("LAST_QUARTER", "2026-01-01", "2026-04-01"),
            ("THIS_YEAR", "2026-01-01", "2027-01-01"),
            ("NEXT_FISCAL_YEAR", "2027-01-01", "2028-01-01"),
            ("LAST_N_DAYS:30", "2026-04-13", "2026-05-14"),
            ("NEXT_N_DAYS:2", "2026-05-14", "2026-05-16"),
            ("N_DAYS_AGO:3", "2026-05-10", "2026-05-11"),
            ("LAST_N_MONTHS:2", "2026-03-01", "2026-05-01"),
            ("NEXT_N_WEEKS:1", "2026-05-17", "2026-05-24"),
            ("N_YEARS_AGO:1", "2025-01-01", "2026-01-01"),
            ("LAST_90_DAYS", "2026-02-12", "2026-05-14"),
        ] {
            assert_eq!(named(name, today), Some((day(from), day(to))), "{name}");
        }
        for name in [
            "SOMEDAY",
            "LAST_N_DAYS",
            "TODAY:3",
            "LAST_N_DAYS:x",
            "WEEK",
            "N_YEARS_AGO:999999999",
        ] {
            assert_eq!(named(name, today), None, "{name}");
        }
    }
}
