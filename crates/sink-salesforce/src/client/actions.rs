//! Actions of the platform, and rows that may be sent again: what they say makes them the same (Salesforce objects, section 6).

use std::time::Duration;

use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::http::Request;
use serde_json::{Map, Value, json};

use super::collections::{CallAnswer, Judged, ROWS, RowAnswer, judged, whole_call_error};
use super::error::{Class, Refusal};
use super::{Api, needed, writing};

/// How often rows are sent that somebody else holds, or whose answer was lost.
const TRIES: u32 = 6;

impl Api {
    /// Runs an action. Answers one value per input; nothing where the answer was lost.
    ///
    /// # Errors
    /// What ends the run: no session, no allowance left, an action that the org does not know.
    pub(crate) async fn act(
        &self,
        cx: &Context,
        action: &str,
        inputs: &[Value],
    ) -> Result<Option<Vec<Value>>> {
        let operation = format!("run the action {action}");
        let request = Request::post("actions", self.path(&format!("actions/standard/{action}")))
            .json(&json!({"inputs": inputs}))
            .operation(operation.clone());
        let response = self.send(cx, writing(request)).await;
        // Where every input failed the answer has the status of a refusal, and says of each why.
        if let Ok(response) = &response
            && let Ok(Value::Array(answers)) = serde_json::from_slice(&response.body)
            && answers
                .iter()
                .any(|answer| answer.get("actionName").is_some())
        {
            needed(
                cx,
                format!("action {action}"),
                inputs.len() as f64 / ROWS as f64,
            );
            return Ok(Some(answers));
        }
        match judged(response, operation.clone())? {
            Judged::Success(_) | Judged::Lost => Ok(None),
            Judged::Refused(status, refusal) => Err(whole_call_error(status, &refusal, operation)),
        }
    }

    /// Inserts rows of which each is known by what it says, or changes rows that name their id: sending them twice does no
    /// harm. Answers in order what was refused; a row that is there already is not.
    ///
    /// # Errors
    /// What ends the run.
    pub(crate) async fn put(
        &self,
        cx: &Context,
        object: &'static str,
        rows: Vec<Map<String, Value>>,
        change: bool,
    ) -> Result<Vec<Option<Refusal>>> {
        let mut refused: Vec<Option<Refusal>> = vec![None; rows.len()];
        let mut open: Vec<usize> = (0..rows.len()).collect();
        for attempt in 1..=TRIES {
            if open.is_empty() {
                break;
            }
            if attempt > 1 {
                let wait = Duration::from_millis(250 << attempt);
                cx.sleep(wait, "wait before rows are sent again").await?;
            }
            let mut again = Vec::new();
            for some in calls(&rows, &open) {
                let sent: Vec<&Map<String, Value>> = some.iter().map(|i| &rows[*i]).collect();
                let answer = match change {
                    true => self.update(cx, object, &sent).await?,
                    false => self.insert(cx, object, &sent).await?,
                };
                take(answer, &some, attempt == TRIES, &mut refused, &mut again)?;
            }
            open = again;
        }
        Ok(refused)
    }
}

/// Rows in calls: at most so many, at most so many bytes.
fn calls(rows: &[Map<String, Value>], open: &[usize]) -> Vec<Vec<usize>> {
    let mut calls: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for i in open.iter().copied() {
        let size: usize = rows[i]
            .values()
            .map(|value| value.to_string().len() + 40)
            .sum();
        match calls.last_mut() {
            Some(call) if call.len() < ROWS && bytes + size <= super::collections::BYTES => {
                call.push(i);
                bytes += size;
            }
            _ => {
                calls.push(vec![i]);
                bytes = size;
            }
        }
    }
    calls
}

fn take(
    answer: CallAnswer,
    call: &[usize],
    last: bool,
    refused: &mut [Option<Refusal>],
    again: &mut Vec<usize>,
) -> Result<()> {
    let passes = |refusal: &Refusal| {
        matches!(
            refusal.class(),
            Class::Locked | Class::Transient | Class::Derived | Class::Busy
        )
    };
    match answer {
        CallAnswer::Rows(answers) => {
            for (i, answer) in call.iter().copied().zip(answers) {
                match answer {
                    RowAnswer::Stands(_) => {}
                    RowAnswer::Refused(refusal)
                        if refusal.code == "DUPLICATE_VALUE"
                            && !refusal.message.contains("UrlName") => {}
                    RowAnswer::Refused(refusal) if passes(&refusal) && !last => again.push(i),
                    RowAnswer::Refused(refusal) => refused[i] = Some(refusal),
                }
            }
            Ok(())
        }
        CallAnswer::Lost if last => {
            let lost = || Refusal {
                code: "ANSWER_LOST".into(),
                message: "the org did not answer; run `resume`".into(),
                fields: Vec::new(),
            };
            call.iter().for_each(|i| refused[*i] = Some(lost()));
            Ok(())
        }
        CallAnswer::Lost => {
            again.extend(call);
            Ok(())
        }
        CallAnswer::Refused(_, refusal) if passes(&refusal) && !last => {
            again.extend(call);
            Ok(())
        }
        CallAnswer::Refused(status, refusal) => {
            Err(whole_call_error(status, &refusal, "write rows"))
        }
    }
}
