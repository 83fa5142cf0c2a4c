//! Queries: whole results, lists of values in pieces that fit into an address.

use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::http::{Pager, Request};
use serde::Deserialize;
use serde_json::Value;

use super::error::error_of;
use super::{Api, needed};

/// The most characters of one query once it stands in the address: address and headers together may have 16,384
/// (Salesforce APIs, section 3.4), and a token may take 2,000 of them.
const ADDRESS_ROOM: usize = 12_000;

/// The most ids that one retrieve takes (section 6).
pub(crate) const RETRIEVED: usize = 2_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    done: bool,
    #[serde(default)]
    next_records_url: Option<String>,
    #[serde(default)]
    records: Vec<Value>,
}

impl Api {
    /// All rows of a query.
    pub(crate) async fn query(&self, cx: &Context, soql: &str) -> Result<Vec<Value>> {
        let rows = self.pages(cx, "query", soql).await?;
        needed(cx, "queries", 1.0);
        Ok(rows)
    }

    /// The same, rows that the platform archived or deleted included.
    pub(crate) async fn query_all(&self, cx: &Context, soql: &str) -> Result<Vec<Value>> {
        let rows = self.pages(cx, "queryAll", soql).await?;
        needed(cx, "queries", 1.0);
        Ok(rows)
    }

    async fn pages(&self, cx: &Context, resource: &str, soql: &str) -> Result<Vec<Value>> {
        const DOING: &str = "query the org";
        let mut request = Request::get("query", self.path(resource)).query("q", soql);
        let mut rows = Vec::new();
        let mut pager = Pager::new(DOING);
        loop {
            let response = self.send(cx, request.operation(DOING)).await?;
            if !response.is_success() {
                return Err(error_of(&response, DOING).with("query", shortened(soql)));
            }
            let page: Page = response.json(DOING)?;
            let next = if page.done {
                None
            } else {
                page.next_records_url
            };
            pager.accept(
                page.records.iter().filter_map(|r| r["Id"].as_str()),
                next.as_deref(),
            )?;
            rows.extend(page.records);
            match next {
                Some(next) => {
                    request = Request::get("query", next.trim_start_matches('/').to_owned())
                }
                None => return Ok(rows),
            }
        }
    }

    /// All rows whose field is one of these values, in as few queries as fit: `select` is everything before the list,
    /// such as `SELECT Id FROM Case WHERE Source_Key__c IN`.
    pub(crate) async fn query_in(
        &self,
        cx: &Context,
        select: &str,
        values: &[String],
    ) -> Result<Vec<Value>> {
        self.query_in_by(cx, "query", select, values).await
    }

    /// The same, rows that the platform archived or deleted included.
    pub(crate) async fn query_all_in(
        &self,
        cx: &Context,
        select: &str,
        values: &[String],
    ) -> Result<Vec<Value>> {
        self.query_in_by(cx, "queryAll", select, values).await
    }

    async fn query_in_by(
        &self,
        cx: &Context,
        resource: &str,
        select: &str,
        values: &[String],
    ) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for soql in in_pieces(select, values, ",", literal) {
            rows.extend(self.pages(cx, resource, &soql).await?);
            needed(cx, select.to_owned(), filled(&soql));
        }
        Ok(rows)
    }

    /// All rows of which one of these texts is a part: `field LIKE '%text%'`, or-ed, in as few queries as fit.
    pub(crate) async fn query_containing(
        &self,
        cx: &Context,
        select: &str,
        field: &str,
        texts: &[String],
    ) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let like = |text: &str| {
            format!(
                "{field} LIKE '%{}%'",
                escaped(text).replace('%', "\\%").replace('_', "\\_")
            )
        };
        for soql in in_pieces(select, texts, " OR ", like) {
            rows.extend(self.pages(cx, "query", &soql).await?);
            needed(cx, select.to_owned(), filled(&soql));
        }
        Ok(rows)
    }

    /// The rows with these ids, in any number, so many at once; `None` where there is none (any more).
    pub(crate) async fn retrieve(
        &self,
        cx: &Context,
        object: &str,
        ids: &[String],
        fields: &[&str],
        at_once: usize,
    ) -> Result<Vec<Option<Value>>> {
        const DOING: &str = "read rows back";
        let mut rows = Vec::with_capacity(ids.len());
        let at_once = at_once.clamp(1, RETRIEVED);
        for ids in ids.chunks(at_once) {
            let path = self.path(&format!("composite/sobjects/{object}"));
            let body = serde_json::json!({"ids": ids, "fields": fields});
            // It reads, though it is a POST.
            let request = Request::post("retrieve", path)
                .json(&body)
                .idempotent(true)
                .operation(DOING);
            let response = self.send(cx, request).await?;
            if !response.is_success() {
                return Err(error_of(&response, DOING).with("object", object));
            }
            let answer: Vec<Value> = response.json(DOING)?;
            needed(
                cx,
                format!("read {object} back"),
                ids.len() as f64 / at_once as f64,
            );
            rows.extend(
                answer
                    .into_iter()
                    .map(|row| (!row.is_null()).then_some(row)),
            );
        }
        Ok(rows)
    }
}

/// A text as it stands in a query.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out
}

fn in_pieces(
    select: &str,
    values: &[String],
    between: &str,
    write: impl Fn(&str) -> String,
) -> Vec<String> {
    let base = address_length(select) + 10;
    let mut queries = Vec::new();
    let (mut list, mut room) = (String::new(), ADDRESS_ROOM.saturating_sub(base));
    for value in values {
        let written = write(value);
        let cost = address_length(&written) + address_length(between);
        if cost > room && !list.is_empty() {
            queries.push(format!("{select} ({list})"));
            list.clear();
            room = ADDRESS_ROOM.saturating_sub(base);
        }
        if !list.is_empty() {
            list.push_str(between);
        }
        list.push_str(&written);
        room = room.saturating_sub(cost);
    }
    if !list.is_empty() {
        queries.push(format!("{select} ({list})"));
    }
    queries
}

/// How much of a query's room it fills.
fn filled(soql: &str) -> f64 {
    address_length(soql) as f64 / ADDRESS_ROOM as f64
}

/// In how many queries values of these lengths fit, each as it stands in an address with what follows it.
pub(crate) fn pieces_of(lengths: impl Iterator<Item = usize>) -> u64 {
    // What stands before the list.
    const LEAD: usize = 180;
    let (mut pieces, mut room) = (0, 0);
    for length in lengths {
        if length > room {
            pieces += 1;
            room = ADDRESS_ROOM - LEAD;
        }
        room = room.saturating_sub(length);
    }
    pieces
}

/// Characters of a text in an address: unreserved ones stay, a blank is one, any other byte three.
pub(crate) fn address_length(text: &str) -> usize {
    let one = |b: u8| b.is_ascii_alphanumeric() || b"-_.* ".contains(&b);
    text.bytes().map(|b| if one(b) { 1 } else { 3 }).sum()
}

/// The beginning of a query, for errors: the values may be people's addresses.
fn shortened(soql: &str) -> &str {
    soql.split_once('(').map_or(soql, |(head, _)| head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        assert_eq!(literal("O'Hara \\ \"x\"\n"), "'O\\'Hara \\\\ \\\"x\\\"\\n'");
    }

    #[test]
    fn long_lists_are_asked_in_pieces_that_fit_and_lose_nothing() {
        let keys: Vec<String> = (0..1_000)
            .map(|n| format!("kayako:acme:message:{n}"))
            .collect();
        let queries = in_pieces(
            "SELECT Id FROM Case WHERE Source_Key__c IN",
            &keys,
            ",",
            literal,
        );
        assert!(queries.len() > 1 && queries.len() < 6);
        assert!(queries.iter().all(|q| address_length(q) <= ADDRESS_ROOM));
        let asked: usize = queries.iter().map(|q| q.matches("kayako:").count()).sum();
        assert_eq!(asked, 1_000);
        assert!(in_pieces("SELECT", &[], ",", literal).is_empty());
    }

    #[test]
    fn errors_show_the_query_without_its_values() {
        assert_eq!(
            shortened("SELECT Id FROM Contact WHERE Email IN ('a@example.org')"),
            "SELECT Id FROM Contact WHERE Email IN "
        );
    }
}
