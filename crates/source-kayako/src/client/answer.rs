//! What a list answered, and where it says that it goes on.

use chrono::{DateTime, Utc};
use deskferry_core::http::Response;
use deskferry_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::wire::{Collection, Raw, lenient};

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    /// So many rows from the top.
    Offset(u64),
    /// After the row of this id.
    After(String),
}

impl Default for Place {
    fn default() -> Self {
        Self::Offset(0)
    }
}

/// One page of a list.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Its rows, still raw.
    pub(crate) rows: Vec<Raw>,
    /// How many rows the platform was willing to give: may be less than asked for.
    pub(crate) limit: Option<u64>,
    /// How many rows the whole list has, where the platform tells.
    pub(crate) total: Option<u64>,
    /// Where the next page is, by the platform's own link.
    pub(crate) next: Option<Place>,
    /// The platform's clock.
    pub(crate) server_time: Option<DateTime<Utc>>,
    pub(super) session_id: Option<String>,
}

impl Listed {
    pub(super) fn read(response: &Response, operation: &'static str) -> Result<Self> {
        let collection: Collection = response.json(operation)?;
        let next = collection
            .next_url
            .as_deref()
            .or_else(|| response.header("link").and_then(next_link));
        Ok(Self {
            next: next.and_then(place_in),
            rows: collection.data,
            limit: collection.limit,
            total: collection.total_count,
            server_time: server_time(response),
            session_id: collection.session_id,
        })
    }

    /// Whether a page of this size may have been the last one, as far as its size tells.
    pub(crate) fn is_short(&self, asked: u64) -> bool {
        (self.rows.len() as u64) < self.limit.unwrap_or(asked).min(asked)
    }
}

pub(super) fn server_time(response: &Response) -> Option<DateTime<Utc>> {
    response.header("date-iso").and_then(lenient::parse_time)
}

/// A number of rows, wherever in the answer it stands: the page that should say so does not.
pub(super) fn count(response: &Response) -> Option<u64> {
    let body: serde_json::Value = serde_json::from_slice(&response.body).ok()?;
    let number = |value: &serde_json::Value| {
        let text = || value.as_str()?.trim().parse().ok();
        value.as_u64().or_else(text)
    };
    let places = ["/total_count", "/data/total_count", "/data/count", "/data"];
    places
        .iter()
        .find_map(|place| body.pointer(place).and_then(number))
}

/// The address with `rel="next"` of a `Link` header.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>')?;
        let address = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let attributes = &rest[..rest.find('<').unwrap_or(rest.len())];
        if attributes.contains("rel=\"next\"") || attributes.contains("rel=next") {
            return Some(address);
        }
    }
    None
}

/// The place that an address of a next page names. Only the place is taken: host and arguments stay our own.
fn place_in(address: &str) -> Option<Place> {
    let query = address.split_once('?')?.1.split('#').next()?;
    let mut place = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            // The value may be encoded twice (Kayako reference, section 4).
            "after_id" => {
                let id = percent_encoding::percent_decode_str(&value)
                    .decode_utf8_lossy()
                    .into_owned();
                return (!id.is_empty()).then_some(Place::After(id));
            }
            "offset" => place = value.parse().ok().map(Place::Offset),
            _ => {}
        }
    }
    place
}

/// The one row of an answer.
pub(super) fn single(
    response: &Response,
    operation: &'static str,
) -> Result<(Raw, Option<String>)> {
    let single: crate::wire::Single = response.json(operation)?;
    Ok((single.data, single.session_id))
}

/// The one row of an answer as `T`.
pub(super) fn decoded<T: serde::de::DeserializeOwned>(
    raw: &Raw,
    operation: &'static str,
) -> Result<T> {
    crate::wire::decode(raw)
        .map_err(|d| Error::decode(operation, &format!("data.{}", d.path), d.reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::http::Headers;

    #[test]
    fn the_next_page_is_found_in_the_body_else_in_the_header() {
        let body = |next: &str| {
            format!(r#"{{"status":200,"data":[],"limit":100,"total_count":250{next}}}"#)
        };
        let cases = [
            (
                body(r#","next_url":"https://acme.example/api/v1/users?offset=200&limit=100""#),
                "",
                Some(Place::Offset(200)),
            ),
            (
                body(r#","next_url":"/api/v1/users?limit=100&after_id=77""#),
                "",
                Some(Place::After("77".into())),
            ),
            (
                body(""),
                r#"<https://acme.example/u?offset=0>; rel="first", <https://acme.example/u?offset=100>; rel="next""#,
                Some(Place::Offset(100)),
            ),
            (
                body(""),
                r#"<https://acme.example/u?after_id=a%252Fb>; rel="next""#,
                Some(Place::After("a/b".into())),
            ),
            (
                body(""),
                r#"<https://acme.example/u?offset=0>; rel="previous""#,
                None,
            ),
            (body(r#","next_url":null"#), "", None),
            (body(r#","next_url":"nonsense""#), "", None),
        ];
        for (body, link, place) in cases {
            let response = Response::new(200, Headers::new([("Link", link)]), body.clone());
            assert_eq!(
                Listed::read(&response, "list").unwrap().next,
                place,
                "{body} {link}"
            );
        }
    }

    #[test]
    fn an_answer_without_data_is_no_empty_list() {
        let response = Response::new(200, Headers::default(), r#"{"status":200}"#);
        assert!(
            Listed::read(&response, "list")
                .unwrap_err()
                .to_string()
                .contains("data")
        );
    }
}
