//! Query jobs (Salesforce APIs, section 10): many rows at once, as CSV in pages.

use std::fs::File;
use std::io::{BufReader, Seek, Write};
use std::time::Duration;

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Method, Pager, Request, path_segment};
use futures::stream::StreamExt;
use serde_json::{Map, Value, json};

use super::job::{Job, State, read_whole};
use super::{disk, needed_jobs, unnamed_file};
use crate::client::Api;
use crate::client::error::error_of;
use crate::schema::{FieldKind, Object};

const DOING: &str = "read rows by a query job";
/// The most rows of a page.
const PAGE: &str = "50000";
const PAGE_ROWS: f64 = 50_000.0;
/// How often a page is read again that breaks off.
const READS: u32 = 4;
const LONGEST_POLL: Duration = Duration::from_secs(30);

impl Api {
    /// The rows of a query over fields of one object. `take` is given each of them once, as a query by REST would tell it; a
    /// page stands on disk while it is read.
    ///
    /// # Errors
    /// What the org refuses, and a job that does not come to its end.
    pub(crate) async fn query_by_job(
        &self,
        cx: &Context,
        object: &Object,
        soql: &str,
        take: &mut (dyn FnMut(Value) + Send),
    ) -> Result<()> {
        let job = self.open_query(cx, soql).await?;
        let taken = self.take_pages(cx, &job, object, take).await;
        self.drop_query(cx, &job).await;
        taken.map_err(|error| error.with("job", job))
    }

    /// A job that is opened twice because an answer was lost does no harm: it only reads.
    async fn open_query(&self, cx: &Context, soql: &str) -> Result<String> {
        let body = json!({
            "operation": "query", "query": soql,
            "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA",
        });
        let request = Request::post("query-job-open", self.path("jobs/query"))
            .json(&body)
            .idempotent(true)
            .operation(DOING);
        let response = self.send(cx, request).await?;
        if !response.is_success() {
            return Err(error_of(&response, DOING));
        }
        Ok(response.json::<Job>(DOING)?.id)
    }

    async fn take_pages(
        &self,
        cx: &Context,
        job: &str,
        object: &Object,
        take: &mut (dyn FnMut(Value) + Send),
    ) -> Result<()> {
        self.wait_for_query(cx, job).await?;
        let mut pager = Pager::new(DOING);
        let mut locator: Option<String> = None;
        loop {
            let (page, next) = self.page(cx, job, locator.as_deref()).await?;
            let rows = rows_of(page, object, take)?;
            needed_jobs(cx, "query", &object.name, rows as f64 / PAGE_ROWS);
            let first = (rows > 0).then(|| locator.clone().unwrap_or_default());
            pager.accept(first.iter().map(String::as_str), next.as_deref())?;
            match next {
                Some(next) => locator = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn wait_for_query(&self, cx: &Context, job: &str) -> Result<()> {
        let mut wait = Duration::from_millis(self.config().bulk_poll.max(1)).min(LONGEST_POLL);
        loop {
            let request = Request::get("query-job-info", self.query_path(job, "")).operation(DOING);
            let response = self.send(cx, request).await?;
            if !response.is_success() {
                return Err(error_of(&response, DOING));
            }
            let info: Job = response.json(DOING)?;
            match info.state {
                State::JobComplete => return Ok(()),
                State::Failed | State::Aborted => {
                    let said = info.error.unwrap_or_else(|| format!("{:?}", info.state));
                    return Err(Error::new(ErrorKind::Unavailable, DOING, said));
                }
                _ => cx.sleep(wait, "wait for a query job").await?,
            }
            wait = wait.mul_f64(1.5).min(LONGEST_POLL);
        }
    }

    /// A page in a file, and where the next one begins. One that breaks off is read anew.
    async fn page(
        &self,
        cx: &Context,
        job: &str,
        locator: Option<&str>,
    ) -> Result<(File, Option<String>)> {
        let mut read = 1;
        loop {
            match self.read_page(cx, job, locator).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && read < READS => read += 1,
                read => return read,
            }
        }
    }

    async fn read_page(
        &self,
        cx: &Context,
        job: &str,
        locator: Option<&str>,
    ) -> Result<(File, Option<String>)> {
        let mut request = Request::get("query-job-results", self.query_path(job, "/results"))
            .query("maxRecords", PAGE)
            .header("Accept", "text/csv")
            .operation(DOING);
        if let Some(locator) = locator {
            request = request.query("locator", locator);
        }
        let response = self.stream(cx, request).await?;
        if !response.is_success() {
            return Err(error_of(&read_whole(response).await, DOING));
        }
        // The end is the word `null`, or no such header.
        let next = response.header("Sforce-Locator");
        let next = next.filter(|at| !at.is_empty() && *at != "null");
        let next = next.map(str::to_owned);
        let mut file = unnamed_file(self.config().bulk_folder.as_deref())?;
        let mut body = response.body;
        while let Some(piece) = body.next().await {
            file.write_all(&piece?).map_err(|e| disk(DOING, e))?;
        }
        Ok((file, next))
    }

    /// Removes a job that ended. Whatever goes wrong only leaves it to the platform, which removes it after a week.
    async fn drop_query(&self, cx: &Context, job: &str) {
        let request = Request::new(Method::Delete, "query-job-delete", self.query_path(job, ""))
            .idempotent(true)
            .operation("delete a query job");
        if let Err(error) = self.send(cx, request).await {
            tracing::debug!(job, %error, "a query job stays");
        }
    }

    fn query_path(&self, job: &str, rest: &str) -> String {
        self.path(&format!("jobs/query/{}{rest}", path_segment(job)))
    }
}

/// Hands over the rows of a page; each page has the names of the columns anew. Answers how many there were.
fn rows_of(mut page: File, object: &Object, take: &mut dyn FnMut(Value)) -> Result<usize> {
    page.rewind().map_err(|e| disk(DOING, e))?;
    let mut reader = csv::ReaderBuilder::new().from_reader(BufReader::new(page));
    let names: Vec<String> = reader
        .headers()
        .map_err(unreadable)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_owned())
        .collect();
    let (mut row, mut rows) = (csv::StringRecord::new(), 0);
    while reader.read_record(&mut row).map_err(unreadable)? {
        let cells = names.iter().zip(&row);
        let fields = cells.map(|(name, cell)| (name.clone(), value(object, name, cell)));
        take(Value::Object(fields.collect::<Map<_, _>>()));
        rows += 1;
    }
    Ok(rows)
}

/// A cell as the value that a query by REST would tell. Empty is null.
fn value(object: &Object, name: &str, cell: &str) -> Value {
    if cell.is_empty() {
        return Value::Null;
    }
    let text = || Value::from(cell);
    match object.field(name).map(|field| field.holds) {
        Some(FieldKind::Checkbox) => cell.parse::<bool>().map_or_else(|_| text(), Value::from),
        Some(FieldKind::Number) => {
            let whole = cell.parse::<i64>().ok().map(Value::from);
            whole
                .or_else(|| cell.parse::<f64>().ok().map(Value::from))
                .unwrap_or_else(text)
        }
        // REST writes moments without a Z.
        Some(FieldKind::DateTime) => cell
            .strip_suffix('Z')
            .map_or_else(text, |moment| format!("{moment}+0000").into()),
        _ => text(),
    }
}

fn unreadable(error: csv::Error) -> Error {
    Error::decode(DOING, "CSV", error.to_string())
}

/// Stretches of ids that lie close together, as pairs of first and last. Rows that were made one after the other have ids one
/// after the other; those that lie alone are in none. The ids come sorted.
pub(crate) fn stretches(ids: &[String]) -> Vec<(&str, &str)> {
    /// So many ids of others may lie between two of ours: they are read in vain.
    const GAP: u64 = 5_000;
    /// A shorter stretch is not worth its place in the query.
    const SHORTEST: usize = 100;
    let mut found: Vec<(&str, &str)> = Vec::new();
    let mut begin = 0;
    for n in 1..=ids.len() {
        let near = n < ids.len()
            && matches!((place(&ids[n - 1]), place(&ids[n])), (Some((at, a)), Some((of, b))) if at == of && b - a <= GAP);
        if near {
            continue;
        }
        if n - begin >= SHORTEST {
            found.push((&ids[begin], &ids[n - 1]));
        }
        begin = n;
    }
    found
}

/// An id as a place among its neighbours: the object and the server that it names, then a number to the base of 62.
fn place(id: &str) -> Option<(&str, u64)> {
    const SIGNS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (server, number) = id.get(..15)?.split_at_checked(6)?;
    let digit = |sign: u8| SIGNS.iter().position(|s| *s == sign);
    let number = number.bytes().try_fold(0_u64, |sum, sign| {
        Some(sum * 62 + u64::try_from(digit(sign)?).ok()?)
    })?;
    Some((server, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    #[test]
    fn cells_become_the_values_that_rest_would_tell() {
        let mut schema = Schema::new();
        let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "length": 0, "createable": true, "nillable": true});
        let fields = [
            field("IsPublished", "boolean"),
            field("Count__c", "double"),
            field("Subject", "string"),
            field("CreatedDate", "datetime"),
        ];
        schema
            .add_describe(&json!({"name": "Case", "createable": true, "fields": fields}))
            .unwrap();
        let object = schema.object("Case").unwrap();
        for (name, cell, expected) in [
            ("IsPublished", "true", json!(true)),
            ("IsPublished", "false", json!(false)),
            ("Count__c", "12", json!(12)),
            ("Count__c", "9.5", json!(9.5)),
            ("Count__c", "9.12260031E8", json!(912_260_031.0)),
            ("Subject", "12", json!("12")),
            (
                "CreatedDate",
                "2021-03-04T05:06:07.000Z",
                json!("2021-03-04T05:06:07.000+0000"),
            ),
            ("Subject", "", Value::Null),
            ("Unknown", "x", json!("x")),
        ] {
            assert_eq!(value(object, name, cell), expected, "{name} {cell}");
        }
    }

    #[test]
    fn ids_that_lie_close_together_are_one_stretch_and_lonely_ones_are_none() {
        let id = |n: u64| {
            let signs: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').collect();
            let mut rest = n;
            let mut digits = Vec::new();
            for _ in 0..9 {
                digits.push(signs[usize::try_from(rest % 62).unwrap()]);
                rest /= 62;
            }
            let digits: String = digits.into_iter().rev().collect();
            format!("500Qx0{digits}AAA")
        };
        let mut numbers: Vec<u64> = (0..300).map(|n| n * 2).collect();
        numbers.push(40_000);
        numbers.extend(1_000_000..1_000_150);
        let ids: Vec<String> = numbers.into_iter().map(id).collect();
        let found = stretches(&ids);
        let (first, second) = ((id(0), id(598)), (id(1_000_000), id(1_000_149)));
        assert_eq!(
            found,
            [
                (first.0.as_str(), first.1.as_str()),
                (second.0.as_str(), second.1.as_str())
            ]
        );
        assert!(stretches(&[]).is_empty());
        let mut strange = vec!["short".to_owned(); 200];
        strange.push(String::new());
        assert!(stretches(&strange).is_empty());
    }
}
