//! Collections: up to 200 rows in one call, answered row by row (Salesforce APIs, section 6).

use deskferry_core::context::Context;
use deskferry_core::error::{Error, Result};
use deskferry_core::http::{Request, Response, answer_lost};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::{Class, Refusal, error_of, refusal_of, refusals, refused};
use super::{Api, needed, writing};

/// The most rows of one call.
pub(crate) const ROWS: usize = 200;
/// The most bytes of one call that we send; the platform takes 52,428,800.
pub(crate) const BYTES: usize = 40 << 20;

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowAnswer {
    /// It stands, under this id.
    Stands(String),
    /// It was refused.
    Refused(Refusal),
}

/// What became of a call.
#[derive(Debug)]
pub(crate) enum CallAnswer {
    /// One answer per row, in order.
    Rows(Vec<RowAnswer>),
    /// It may or may not have taken effect.
    Lost,
    /// It was refused as a whole and took no effect.
    Refused(u16, Refusal),
}

#[derive(Deserialize)]
struct WireRow {
    #[serde(default)]
    id: Option<String>,
    success: bool,
    #[serde(default)]
    errors: Value,
}

impl Api {
    /// Inserts rows of one object.
    ///
    /// # Errors
    /// Whatever ends the run: no session, no allowance left, nothing that answers.
    pub(crate) async fn insert(
        &self,
        cx: &Context,
        object: &str,
        rows: &[&Map<String, Value>],
    ) -> Result<CallAnswer> {
        self.write(cx, "insert", object, rows).await
    }

    /// Changes rows of one object; each names its `Id`.
    ///
    /// # Errors
    /// Whatever ends the run: no session, no allowance left, nothing that answers.
    pub(crate) async fn update(
        &self,
        cx: &Context,
        object: &str,
        rows: &[&Map<String, Value>],
    ) -> Result<CallAnswer> {
        self.write(cx, "update", object, rows).await
    }

    async fn write(
        &self,
        cx: &Context,
        what: &str,
        object: &str,
        rows: &[&Map<String, Value>],
    ) -> Result<CallAnswer> {
        let operation = format!("{what} {} {object} rows", rows.len());
        let body = Body {
            all_or_none: false,
            records: rows.iter().map(|fields| Row { object, fields }).collect(),
        };
        let path = self.path("composite/sobjects");
        let request = match what {
            "insert" => Request::post("collections", path),
            _ => Request::patch("collections", path),
        };
        let request = request.json(&body).operation(operation.clone());
        let sent = self.send(cx, writing(request)).await;
        let answer = judged(sent, operation.clone())?;
        Ok(match answer {
            Judged::Success(response) => match row_answers(&response, rows.len()) {
                Some(answers) => {
                    let stand = |answer: &&RowAnswer| matches!(answer, RowAnswer::Stands(_));
                    let stand = answers.iter().filter(stand).count();
                    needed(cx, format!("{what} {object}"), stand as f64 / ROWS as f64);
                    CallAnswer::Rows(answers)
                }
                // A success that cannot be read may have made rows.
                None => CallAnswer::Lost,
            },
            Judged::Lost => CallAnswer::Lost,
            Judged::Refused(status, refusal) => CallAnswer::Refused(status, refusal),
        })
    }
}

impl Api {
    /// Deletes rows of any objects, at most 200.
    ///
    /// # Errors
    /// Whatever ends the run: no session, no allowance left, nothing that answers.
    pub(crate) async fn delete(&self, cx: &Context, ids: &[String]) -> Result<CallAnswer> {
        let operation = format!("delete {} rows", ids.len());
        let request = Request::delete("collections", self.path("composite/sobjects"))
            .query("ids", ids.join(","))
            .query("allOrNone", false)
            .operation(operation.clone());
        let sent = self.send(cx, writing(request)).await;
        Ok(match judged(sent, operation)? {
            Judged::Success(response) => match row_answers(&response, ids.len()) {
                Some(answers) => CallAnswer::Rows(answers),
                None => CallAnswer::Lost,
            },
            Judged::Lost => CallAnswer::Lost,
            Judged::Refused(status, refusal) => CallAnswer::Refused(status, refusal),
        })
    }
}

/// An answer to a write, before it is read.
pub(crate) enum Judged {
    Success(Response),
    Lost,
    Refused(u16, Refusal),
}

/// Tells lost answers, refusals and errors that end the run apart.
pub(crate) fn judged(sent: Result<Response>, operation: String) -> Result<Judged> {
    let response = match sent {
        Err(error) if answer_lost(&error) => return Ok(Judged::Lost),
        Err(error) => return Err(error),
        Ok(response) => response,
    };
    if response.is_success() {
        return Ok(Judged::Success(response));
    }
    let Some(refusal) = refusal_of(&response) else {
        // A page of a front end with a server error: what stands behind it may have acted.
        return if response.status >= 500 {
            Ok(Judged::Lost)
        } else {
            Err(error_of(&response, operation))
        };
    };
    match refusal.class() {
        Class::Quota | Class::Session => Err(refused(response.status, &refusal, operation)),
        // Only this code says that nothing was done.
        _ if response.status >= 500 && refusal.code != "SERVER_UNAVAILABLE" => Ok(Judged::Lost),
        _ => Ok(Judged::Refused(response.status, refusal)),
    }
}

fn row_answers(response: &Response, rows: usize) -> Option<Vec<RowAnswer>> {
    let wire: Vec<WireRow> = serde_json::from_slice(&response.body).ok()?;
    if wire.len() != rows {
        return None;
    }
    wire.into_iter().map(row_answer).collect()
}

fn row_answer(row: WireRow) -> Option<RowAnswer> {
    if row.success {
        return row.id.map(RowAnswer::Stands);
    }
    let unknown = || Refusal {
        code: "UNKNOWN".into(),
        message: "refused without a reason".into(),
        fields: Vec::new(),
    };
    Some(RowAnswer::Refused(
        refusals(row.errors)
            .into_iter()
            .next()
            .unwrap_or_else(unknown),
    ))
}

#[derive(serde::Serialize)]
struct Body<'a> {
    #[serde(rename = "allOrNone")]
    all_or_none: bool,
    records: Vec<Row<'a>>,
}

struct Row<'a> {
    object: &'a str,
    fields: &'a Map<String, Value>,
}

impl serde::Serialize for Row<'_> {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(self.fields.len() + 1))?;
        map.serialize_entry("attributes", &Attributes { kind: self.object })?;
        for (name, value) in self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Attributes<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

/// The error of a call that was refused as a whole and that no smaller call would help.
pub(crate) fn whole_call_error(
    status: u16,
    refusal: &Refusal,
    operation: impl Into<std::borrow::Cow<'static, str>>,
) -> Error {
    refused(status, refusal, operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::http::Headers;
    use serde_json::json;

    fn answer(status: u16, body: &str) -> Response {
        Response::new(
            status,
            Headers::new([("content-type", "application/json")]),
            body.to_owned(),
        )
    }

    #[test]
    fn rows_are_answered_in_order() {
        let body = json!([
            {"id": "500x", "success": true, "errors": []},
            {"success": false, "errors": [{"statusCode": "STRING_TOO_LONG", "message": "m", "fields": ["Subject"]}]},
            {"success": false},
        ]);
        let answers = row_answers(&answer(200, &body.to_string()), 3).unwrap();
        assert_eq!(answers[0], RowAnswer::Stands("500x".into()));
        assert!(
            matches!(&answers[1], RowAnswer::Refused(r) if r.code == "STRING_TOO_LONG" && r.fields == ["Subject"])
        );
        assert!(matches!(&answers[2], RowAnswer::Refused(r) if r.code == "UNKNOWN"));
    }

    #[test]
    fn a_success_that_cannot_be_read_is_no_answer() {
        for body in ["<html>", "[]", "[{\"success\": true}]"] {
            assert_eq!(row_answers(&answer(200, body), 1), None, "{body}");
        }
    }

    #[test]
    fn answers_to_writes_are_told_apart() {
        let refusal = |code: &str| json!([{"errorCode": code, "message": "m"}]).to_string();
        let judge = |status, body: &str| judged(Ok(answer(status, body)), "insert".into());
        assert!(matches!(judge(200, "[]"), Ok(Judged::Success(_))));
        assert!(matches!(
            judge(500, &refusal("UNKNOWN_EXCEPTION")),
            Ok(Judged::Lost)
        ));
        assert!(matches!(
            judge(502, "<html>bad gateway</html>"),
            Ok(Judged::Lost)
        ));
        assert!(matches!(
            judge(503, &refusal("SERVER_UNAVAILABLE")),
            Ok(Judged::Refused(503, _))
        ));
        assert!(matches!(
            judge(400, &refusal("JSON_PARSER_ERROR")),
            Ok(Judged::Refused(400, _))
        ));
        assert!(judge(403, &refusal("REQUEST_LIMIT_EXCEEDED")).is_err());
        assert!(judge(404, "<html>no such page</html>").is_err());
    }
}
