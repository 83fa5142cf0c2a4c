//! Figures of the reporting interface, month by month (Trengo reference, section 5.3).

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page};
use deskferry_core::{Context, Error, RecordKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::estimate::is_beyond;
use super::{Trengo, cursor, needed, read_place, watermark};
use crate::client::PAGE;
use crate::convert::{self, Month};

/// How far the months were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    /// The platform's clock when the first was read.
    now: DateTime<Utc>,
    /// Months whose figures of agents were read.
    read: u32,
}

impl Trengo {
    /// The figures of all agents of one month; at last those of the workspace.
    pub(super) async fn reports_page(&self, cx: &Context, after: Option<Cursor>) -> Result<Page> {
        let setup = self.setup(cx).await?;
        let mut reading: Reading = read_place(after).unwrap_or(Reading {
            now: setup.server_time.unwrap_or_else(|| cx.now()),
            read: 0,
        });
        let mut page = Page::new(Vec::new(), Next::End(watermark(reading.now)));
        let months = months(reading.now, self.config.report_months());
        let done = match usize::try_from(reading.read)
            .ok()
            .and_then(|n| months.get(n))
        {
            Some(month) => self.agents_of(cx, *month, &mut page).await,
            None => {
                let workspace = self.workspace_of(cx, &months, &mut page).await;
                return closed(workspace, &mut page).map(|_| page);
            }
        };
        if closed(done, &mut page)? {
            return Ok(page);
        }
        reading.read += 1;
        page.next = Next::More(cursor(&reading)?);
        Ok(page)
    }

    async fn agents_of(&self, cx: &Context, month: Month, page: &mut Page) -> Result<()> {
        let setup = self.setup(cx).await?;
        let rows = self.client.performance(cx, month).await?;
        needed(cx, "reports", rows.len().div_ceil(PAGE).max(1), 1);
        for row in rows {
            match convert::performance(&setup.ground, &row, month) {
                Ok(figures) => page.records.push(Record::from(figures)),
                Err(defect) => {
                    let kind = RecordKind::AgentStatistics;
                    page.rejects.push(convert::reject(kind, defect, &row));
                }
            }
        }
        Ok(())
    }

    async fn workspace_of(&self, cx: &Context, months: &[Month], page: &mut Page) -> Result<()> {
        let setup = self.setup(cx).await?;
        let mut answers: Vec<(Month, Value)> = Vec::with_capacity(months.len());
        for month in months {
            let answer = self.client.metrics(cx, *month).await?;
            needed(cx, "reports", 1, 1);
            answers.push((*month, answer));
        }
        let items = convert::metrics(&setup.ground, &answers);
        page.records.extend(items.into_iter().map(Record::from));
        Ok(())
    }
}

/// Whether the interface is not to be had, which is told and ends the part.
fn closed(done: Result<()>, page: &mut Page) -> Result<bool> {
    match done {
        Ok(()) => Ok(false),
        Err(error) if is_beyond(error.kind()) => {
            page.notes.push(missing(&error));
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

fn missing(error: &Error) -> String {
    format!(
        "figures of agents and of the workspace cannot be read ({}): export them where they are needed",
        error.message()
    )
}

/// The month that goes on, and those before it, latest first.
fn months(now: DateTime<Utc>, count: u32) -> Vec<Month> {
    let day = now.date_naive();
    let first = NaiveDate::from_ymd_opt(day.year(), day.month(), 1).unwrap_or(day);
    let begin = |back: u32| {
        let day = first.checked_sub_months(Months::new(back))?;
        Some(day.and_hms_opt(0, 0, 0)?.and_utc())
    };
    let mut until = now;
    let mut months = Vec::new();
    for back in 0..count {
        let Some(from) = begin(back) else { break };
        months.push(Month { from, until });
        until = from;
    }
    months
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_back_from_now() {
        let now = DateTime::parse_from_rfc3339("2026-03-31T12:00:00Z")
            .unwrap()
            .to_utc();
        let all = months(now, 14);
        assert_eq!(all[0].until, now);
        let names: Vec<String> = all.iter().take(4).map(|month| month.name()).collect();
        assert_eq!(names, ["2026-03", "2026-02", "2026-01", "2025-12"]);
        assert!(all.windows(2).all(|two| two[0].from == two[1].until));
        assert_eq!((all.len(), months(now, 0).len()), (14, 0));
    }
}
