//! Notes, chats and social messages, as comments or as posts: neither carries a key.

use chrono::{DateTime, Duration, Utc};
use deskferry_core::error::Result;
use deskferry_core::model::Message;
use deskferry_core::sink::{Loaded, Verdict};

use super::messages::{ShownFile, ShownState, Surroundings};
use super::{Outgoing, Run};
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{CommentFacts, CommentLinks, POSTS, comment_text};
use crate::mapping::text;

pub(crate) const OBJECT: &str = "CaseComment";
pub(crate) const POST: &str = POSTS;
/// The most comments of one message: rows of a record are numbered up to 255.
const MOST_PARTS: usize = 250;

/// The rows of a message, or why it has none.
pub(super) fn rows(
    run: &Run<'_>,
    around: &Surroundings,
    loaded: &Loaded,
    message: &Message,
    object: &'static str,
) -> Result<Result<Vec<Outgoing>, Verdict>> {
    let fields = fields(run, around, message, object, run.cx.now())?;
    Ok(fields.map(|parts| {
        (0..)
            .zip(parts)
            .map(|(n, fields)| run.outgoing(loaded, n, object, fields))
            .collect()
    }))
}

/// The fields of a message's comments, part by part, or why it has none.
pub(crate) fn fields(
    run: &Run<'_>,
    around: &Surroundings,
    message: &Message,
    of: &str,
    now: DateTime<Utc>,
) -> Result<Result<Vec<Fields>, Verdict>> {
    let (case, files) = match (around.case(message), around.files(message)) {
        (Ok(case), Ok(files)) => (case, files),
        (Err(verdict), _) | (_, Err(verdict)) => return Ok(Err(verdict)),
    };
    let object = run.org.object(of)?;
    let author = around
        .author(message)
        .filter(|user| run.org.is_active(user) && object.takes("CreatedById"));
    let links = CommentLinks {
        case,
        author: author.map(str::to_owned),
    };
    let files: Vec<String> = files.iter().map(named).collect();
    let Some(whole) = comment_text(message, links.author.is_none(), &files) else {
        return Ok(Err(Verdict::Skipped("empty-message".into())));
    };
    let parts = text::split_at(&whole, budget(of));
    if parts.len() > MOST_PARTS {
        let said = format!(
            "its text would be {} rows of {of}, {MOST_PARTS} is the most",
            parts.len()
        );
        return Ok(Err(Verdict::failed("TEXT_TOO_LONG", said)));
    }
    let lines = run.lines(of)?;
    let row = |(i, part): (i64, &String)| {
        let sent = message.sent_at + Duration::seconds(i);
        let facts = CommentFacts {
            message,
            links: &links,
            text: part,
            sent,
        };
        build::row(lines, object, &facts, Leftovers::new(), now)
    };
    Ok(Ok((0..).zip(&parts).map(row).collect()))
}

/// The most encoded bytes of one row.
pub(crate) fn budget(object: &str) -> usize {
    match object {
        POST => text::POST_BUDGET,
        _ => text::COMMENT_BUDGET,
    }
}

/// A file's name, with the reason where it could not come.
pub(super) fn named(file: &ShownFile) -> String {
    match file.state {
        ShownState::Stands(..) => file.name.clone(),
        ShownState::Missing(why) => format!("{} ({why})", file.name),
    }
}
