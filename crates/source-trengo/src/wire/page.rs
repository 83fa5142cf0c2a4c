//! The envelopes of lists: with a count and without one, or no envelope at all (Trengo reference, section 1.4).

use serde_json::Value;

use super::row::{Defect, Row};

/// One page of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Envelope {
    /// Its rows.
    pub(crate) rows: Vec<Value>,
    /// Whether another page follows, as far as the envelope tells. An empty page is the end, whatever it says.
    pub(crate) more: bool,
    /// How many pages there are, where it tells.
    pub(crate) last_page: Option<u64>,
    /// How many rows there are, where it tells.
    pub(crate) total: Option<u64>,
}

/// Reads what a list answered to the request for `page`.
///
/// # Errors
/// It is no list.
pub(crate) fn envelope(answer: Value, page: u64) -> Result<Envelope, Defect> {
    if let Value::Array(rows) = answer {
        // Everything at once.
        return Ok(Envelope {
            rows,
            more: false,
            last_page: Some(1),
            total: None,
        });
    }
    let row = Row(&answer);
    let rows = match answer.get("data") {
        Some(Value::Array(rows)) => rows.clone(),
        Some(Value::Object(_)) => row.list("data").into_iter().cloned().collect(),
        Some(Value::Null) => Vec::new(),
        _ => return Err(Defect::new("data", "a list has none of its rows")),
    };
    let count = |row: Option<Row<'_>>, name: &str| {
        u64::try_from(row.and_then(|row| row.number(name))?).ok()
    };
    let meta = row.object("meta");
    let last_page = count(meta, "last_page").or_else(|| count(Some(row), "last_page"));
    let total = count(meta, "total").or_else(|| count(Some(row), "total"));
    let links = row.object("links");
    let next = match links {
        Some(links) if links.has("next") => Some(links.text("next").is_some()),
        _ if row.has("next_page_url") => Some(row.text("next_page_url").is_some()),
        _ => None,
    };
    // Either may end the list; without both, only an empty page does.
    let more = !rows.is_empty() && next.unwrap_or(true) && last_page.is_none_or(|last| page < last);
    Ok(Envelope {
        rows,
        more,
        last_page,
        total,
    })
}

/// Reads what a single resource answered: bare, or wrapped in `data`.
///
/// # Errors
/// It is no object.
pub(crate) fn single(answer: Value) -> Result<Value, Defect> {
    match answer {
        Value::Object(mut members) => match members.remove("data") {
            Some(inner @ Value::Object(_)) if !members.contains_key("id") => Ok(inner),
            Some(other) => {
                members.insert("data".to_owned(), other);
                Ok(Value::Object(members))
            }
            None => Ok(Value::Object(members)),
        },
        _ => Err(Defect::new(".", "not an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_envelope_says_whether_it_goes_on() {
        let simple = |next: Value| {
            json!({"data": [{"id": 1}], "links": {"first": "x", "last": null, "prev": null, "next": next},
            "meta": {"current_page": 1, "from": 1, "per_page": 25, "to": 25}})
        };
        let full = |last: u64| json!({"data": [{"id": 1}], "links": {"next": null, "last": "x"}, "meta": {"current_page": 1, "last_page": last, "total": 30}});
        for (answer, more, total) in [
            (
                simple(json!("https://elsewhere.example/tickets?page=2")),
                true,
                None,
            ),
            (simple(Value::Null), false, None),
            (full(1), false, Some(30)),
            (json!([{"id": 1}]), false, None),
            (json!({"data": [{"id": 1}]}), true, None),
            (json!({"data": []}), false, None),
            (json!({"data": null}), false, None),
            (
                json!({"data": {"0": {"id": 1}}, "next_page_url": null}),
                false,
                None,
            ),
            (
                json!({"data": [{"id": 1}], "links": {"next": "x"}, "meta": {"last_page": 1}}),
                false,
                None,
            ),
        ] {
            let found = envelope(answer.clone(), 1).unwrap();
            assert_eq!((found.more, found.total), (more, total), "{answer}");
        }
        for answer in [
            json!({"message": "no"}),
            json!("text"),
            json!({"data": "text"}),
        ] {
            assert!(envelope(answer.clone(), 1).is_err(), "{answer}");
        }
    }

    #[test]
    fn a_single_resource_is_read_bare_and_wrapped() {
        assert_eq!(single(json!({"id": 1})), Ok(json!({"id": 1})));
        assert_eq!(single(json!({"data": {"id": 1}})), Ok(json!({"id": 1})));
        let with_both = json!({"id": 1, "data": {"x": 2}});
        assert_eq!(single(with_both.clone()), Ok(with_both));
        assert!(single(json!([])).is_err());
    }
}
