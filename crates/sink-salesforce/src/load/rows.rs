//! Messages that are rows of an object of their own: nothing of them is lost.

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::model::Message;
use deskferry_core::sink::{Loaded, Verdict};

use super::comments::named;
use super::messages::Surroundings;
use super::{Outgoing, Run, mails};
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{Common, MESSAGES, MessageFacts, MessageLinks};
use crate::mapping::html::replace_images;

pub(crate) const OBJECT: &str = MESSAGES;

/// The row of a message, or why it has none.
pub(super) fn row(
    run: &Run<'_>,
    around: &Surroundings,
    loaded: &Loaded,
    message: &Message,
) -> Result<Result<Outgoing, Verdict>> {
    let fields = fields(run, around, loaded, message, run.cx.now())?;
    Ok(fields.map(|fields| run.outgoing(loaded, 0, OBJECT, fields)))
}

/// The fields of a message's row, or why it has none.
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
    let html = message.body.html.as_deref();
    let shown = html.and_then(|html| replace_images(html, &mails::images(run, message, &files)));
    let contact = around.contact(message);
    let links = MessageLinks {
        case,
        contact: contact.map(str::to_owned),
        user: around
            .author(message)
            .filter(|_| contact.is_none())
            .map(str::to_owned),
        html: shown.or_else(|| html.map(str::to_owned)),
        files: files.iter().map(named).collect(),
    };
    let key = message.meta.key.row(loaded.part);
    let common = Common {
        meta: &message.meta,
        key: &key,
        mark: run.journal().mark(),
    };
    let facts = MessageFacts {
        common,
        message,
        links: &links,
    };
    if !facts.says_something() {
        return Ok(Err(Verdict::Skipped("empty-message".into())));
    }
    let (lines, object) = (run.lines(OBJECT)?, run.org.object(OBJECT)?);
    Ok(Ok(build::row(lines, object, &facts, Leftovers::new(), now)))
}
