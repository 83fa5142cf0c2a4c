//! What only the Tooling API answers, or answers in its own way.

use serde_json::Value;

use super::{Body, Reply, Request};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;

/// The columns that are made for one row at a time.
const ONE_BY_ONE: [&str; 2] = ["Metadata", "FullName"];

/// A query, with the rule that a component's definition is told for one component only.
pub(super) fn query(
    ctx: &Ctx<'_>,
    request: &Request,
    run: fn(&Ctx<'_>, &Request, bool) -> Result<Reply, Refusal>,
) -> Result<Reply, Refusal> {
    let reply = run(ctx, request, false)?;
    let Body::Json(answer) = &reply.body else {
        return Ok(reply);
    };
    let records = answer["records"].as_array().map_or(&[][..], Vec::as_slice);
    let whole = |record: &Value| ONE_BY_ONE.iter().any(|name| record.get(name).is_some());
    if records.len() > 1 && records.iter().any(whole) {
        let message = format!(
            "When retrieving results with Metadata or FullName fields, the query qualifications must specify no more than one \
             row for retrieval. Result size: {}",
            records.len()
        );
        return Err(Refusal::new("MALFORMED_QUERY", message));
    }
    Ok(reply)
}
