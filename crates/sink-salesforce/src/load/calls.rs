//! Telephone calls that are tasks (Salesforce objects, section 4.5). A closed task of more than a year ago is archived by the platform
//! soon after it was made: it is looked for, read back and taken back by `queryAll`.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::model::{AuthorRole, Message};
use deskferry_core::sink::{Loaded, Verdict};

use super::comments::named;
use super::messages::{Surroundings, message};
use super::{Outgoing, Run};
use crate::mapping::Route;
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{CALLS, CallFacts, CallLinks, Common, call_text};
use crate::mapping::text;

pub(crate) const OBJECT: &str = CALLS;
/// The most characters of a task's description.
const LONGEST: usize = 32_000;

/// The contacts of the cases to which the calls of a batch belong: an agent's call does not say whom it was with.
pub(super) async fn contacts(
    run: &Run<'_>,
    around: &Surroundings,
) -> Result<HashMap<String, String>> {
    let mut cases = BTreeSet::new();
    for loaded in &run.batch.records {
        let message = message(loaded)?;
        if run.mapping.route(message) == Route::Task
            && let Ok(case) = around.case(message)
        {
            cases.insert(case);
        }
    }
    let cases: Vec<String> = cases.into_iter().collect();
    if cases.is_empty() {
        return Ok(HashMap::new());
    }
    let select = "SELECT Id, ContactId FROM Case WHERE Id IN";
    let rows = run.api.query_in(run.cx, select, &cases).await?;
    let pair = |row: &serde_json::Value| {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Some((text("Id")?, text("ContactId")?))
    };
    Ok(rows.iter().filter_map(pair).collect())
}

/// The row of a call, or why it has none.
pub(super) fn row(
    run: &Run<'_>,
    around: &Surroundings,
    loaded: &Loaded,
    message: &Message,
) -> Result<Result<Outgoing, Verdict>> {
    let fields = fields(run, around, loaded, message, run.cx.now())?;
    Ok(fields.map(|fields| run.outgoing(loaded, 0, OBJECT, fields)))
}

/// The fields of a call's task, or why it has none.
pub(crate) fn fields(
    run: &Run<'_>,
    around: &Surroundings,
    loaded: &Loaded,
    message: &Message,
    now: DateTime<Utc>,
) -> Result<Result<Fields, Verdict>> {
    let (case, files) = match (around.case(message), around.files(message)) {
        (Ok(case), Ok(files)) => (case, files),
        (Err(verdict), _) | (_, Err(verdict)) => return Ok(Err(verdict)),
    };
    let (lines, object) = (run.lines(OBJECT)?, run.org.object(OBJECT)?);
    let files: Vec<String> = files.iter().map(named).collect();
    let said = call_text(message, &files, &|key| lines.named.contains(key));
    if text::length(&said) > LONGEST {
        let why = format!(
            "its text has {} characters, a task takes {LONGEST}",
            text::length(&said)
        );
        return Ok(Err(Verdict::failed("TEXT_TOO_LONG", why)));
    }
    let of_customer = message.author.role == AuthorRole::Customer;
    let author = around.contact(message).filter(|_| of_customer);
    let links = CallLinks {
        contact: author
            .or_else(|| around.contact_of(&case))
            .map(str::to_owned),
        owner: around
            .author(message)
            .filter(|user| run.org.is_active(user))
            .map(str::to_owned),
        case,
        text: said,
    };
    let key = message.meta.key.row(loaded.part);
    let common = Common {
        meta: &message.meta,
        key: &key,
        mark: run.journal().mark(),
    };
    let facts = CallFacts {
        common,
        message,
        links: &links,
    };
    Ok(Ok(build::row(lines, object, &facts, Leftovers::new(), now)))
}
