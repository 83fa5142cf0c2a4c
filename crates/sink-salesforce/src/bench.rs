//! For benches alone: how fast staged messages become rows, without the requests around them.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deskferry_core::context::Context;
use deskferry_core::error::{Error, Result};
use deskferry_core::key::RecordKind;
use deskferry_core::model::{Message, Record};

use crate::Salesforce;
use crate::bulk::csv;
use crate::load::{comments, mails};
use crate::mapping::Route;
use crate::mapping::build::{self, Fields, Leftovers, payload_hash};
use crate::mapping::facts::{
    Bodies, CommentFacts, CommentLinks, Common, MailFacts, MailLinks, comment_text,
};
use crate::mapping::text;
use crate::org::Org;

const CASE: &str = "500000000000001AAA";
const IMAGE: &str = "/sfc/servlet.shepherd/version/download/068000000000001AAA";

/// Makes rows of staged messages as the load does, each on a case that is assumed to stand.
#[derive(Debug)]
pub struct Mapper<'a> {
    sink: &'a Salesforce,
    org: Arc<Org>,
    now: DateTime<Utc>,
}

impl<'a> Mapper<'a> {
    /// A mapper for the org of a sink.
    ///
    /// # Errors
    /// As [`Sink::check`](deskferry_core::sink::Sink::check).
    pub async fn of(cx: &Context, sink: &'a Salesforce) -> Result<Self> {
        Ok(Self {
            sink,
            org: sink.org(cx).await?,
            now: cx.now(),
        })
    }

    /// Appends the rows of a message, one staged line, to `out` as CSV. Answers the hash of the last one.
    ///
    /// # Errors
    /// `Decode` when the line is no message.
    pub fn message(&self, line: &[u8], out: &mut Vec<u8>) -> Result<[u8; 16]> {
        let record = Record::from_line(RecordKind::Message, line)
            .map_err(|error| Error::decode("read a staged line", "$", error))?;
        let Record::Message(message) = record else {
            return Err(Error::bug("map a message", "another kind of record"));
        };
        let rows = if self.sink.mapping().route(&message) == Route::Mail {
            vec![self.mail(&message)?]
        } else {
            self.comments(&message)?
        };
        let mut hash = [0; 16];
        for row in rows {
            hash = payload_hash(self.sink.mapping(), &row);
            csv::record(out, row.keys().map(String::as_str), &row);
        }
        Ok(hash)
    }

    fn mail(&self, mail: &Message) -> Result<Fields> {
        let images: HashMap<&str, String> = mail
            .files
            .iter()
            .filter_map(|file| Some((file.shown_as.as_deref()?, IMAGE.to_owned())))
            .collect();
        let bodies = Bodies::of(mail, &images);
        let links = MailLinks {
            case: CASE.to_owned(),
            ..MailLinks::default()
        };
        let key = mail.meta.key.row(0);
        let facts = MailFacts {
            common: Common {
                meta: &mail.meta,
                key: &key,
                mark: "bench-0",
            },
            message: mail,
            links: &links,
            bodies: &bodies,
        };
        let lines = self.sink.mapping().object(mails::OBJECT);
        let lines = lines.ok_or_else(|| Error::bug("map a mail", "no mapping for mails"))?;
        let object = self.org.object(mails::OBJECT)?;
        Ok(build::row(
            lines,
            object,
            &facts,
            Leftovers::new(),
            self.now,
        ))
    }

    fn comments(&self, message: &Message) -> Result<Vec<Fields>> {
        let links = CommentLinks {
            case: CASE.to_owned(),
            author: None,
        };
        let lines = self.sink.mapping().object(comments::OBJECT);
        let lines = lines.ok_or_else(|| Error::bug("map a comment", "no mapping for comments"))?;
        let object = self.org.object(comments::OBJECT)?;
        let whole = comment_text(message, true, &[]).unwrap_or_default();
        let row = |part: &String| {
            let facts = CommentFacts {
                message,
                links: &links,
                text: part,
                sent: message.sent_at,
            };
            build::row(lines, object, &facts, Leftovers::new(), self.now)
        };
        Ok(text::split_at(&whole, text::COMMENT_BUDGET)
            .iter()
            .map(row)
            .collect())
    }
}
