//! Mails: complete at their one insert, frozen after it.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::key::RecordId;
use deskferry_core::model::Message;
use deskferry_core::sink::{Loaded, Verdict};
use md5::{Digest, Md5};
use serde_json::json;

use super::files::{OBJECT as VERSION, ask_documents, upload};
use super::messages::{ShownFile, ShownState, Surroundings, key_of, message};
use super::{Landed, Outgoing, Run};
use crate::files::Content;
use crate::mapping::Route;
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{Bodies, Common, FileFacts, MailFacts, MailLinks};

pub(crate) const OBJECT: &str = "EmailMessage";
/// The row of the file that a body became, and that of its document.
pub(crate) const OVERFLOW: u32 = 1;
pub(crate) const OVERFLOW_DOCUMENT: u32 = 2;

/// Uploads the bodies that are too long for their fields. Answers the documents by record and part: each part of a split
/// mail has a body of its own.
pub(super) async fn write_overflows(
    run: &Run<'_>,
    around: &Surroundings,
    verdicts: &mut HashMap<(RecordId, u32), Verdict>,
) -> Result<HashMap<(RecordId, u32), String>> {
    let mut documents = HashMap::new();
    let mut asked = Vec::new();
    for loaded in &run.batch.records {
        let mail = message(loaded)?;
        if let Some(document) = run.standing(loaded, OVERFLOW_DOCUMENT) {
            documents.insert((loaded.id, loaded.part), document.to_owned());
            continue;
        }
        // What keeps the mail back is said when its own row is planned.
        let is_mail = run.mapping.route(mail) == Route::Mail;
        let (true, Ok(files), Ok(case)) = (is_mail, around.files(mail), around.case(mail)) else {
            continue;
        };
        let Some(row) = overflow(run, loaded, mail, &bodies(run, mail, &files), &case)? else {
            continue;
        };
        for (_, landed) in upload(run, vec![row]).await? {
            match landed {
                Landed::Stands { id, .. } => {
                    asked.push((loaded.id, loaded.row(OVERFLOW_DOCUMENT), id))
                }
                Landed::Refused { code, message } => {
                    verdicts.insert((loaded.id, loaded.part), Verdict::Failed { code, message });
                }
            }
        }
    }
    let asked = ask_documents(run, asked).await?;
    // The part stands in a row's number (`Loaded::row`).
    documents.extend(
        asked
            .into_iter()
            .map(|(record, row, id)| ((record, row >> 8), id)),
    );
    Ok(documents)
}

/// The file that a mail's body becomes, if it is too long.
pub(crate) fn overflow(
    run: &Run<'_>,
    loaded: &Loaded,
    mail: &Message,
    bodies: &Bodies,
    case: &str,
) -> Result<Option<Outgoing>> {
    let Some(overflow) = &bodies.overflow else {
        return Ok(None);
    };
    let key = key_of(mail, loaded);
    let common = Common {
        meta: &mail.meta,
        key: key.as_str(),
        mark: run.journal().mark(),
    };
    let facts = FileFacts {
        common,
        meta: &mail.meta,
        path: overflow.name.clone(),
        case: Some(case),
    };
    let fields = build::row(
        run.lines(VERSION)?,
        run.org.object(VERSION)?,
        &facts,
        Leftovers::new(),
        run.cx.now(),
    );
    let bytes = Bytes::from(overflow.content.clone());
    let md5 = Md5::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Some(Outgoing {
        content: Some(Content::Made { bytes, md5 }),
        ..run.outgoing(loaded, OVERFLOW, VERSION, fields)
    }))
}

/// The row of a mail, or why it has none. `overflow` is the document that its body became.
pub(super) fn row(
    run: &Run<'_>,
    around: &Surroundings,
    loaded: &Loaded,
    mail: &Message,
    overflow: Option<&str>,
) -> Result<Result<Outgoing, Verdict>> {
    let fields = fields(run, around, loaded, mail, overflow, run.cx.now())?;
    Ok(fields.map(|fields| run.outgoing(loaded, 0, OBJECT, fields)))
}

/// The fields of a mail, or why it has no row.
pub(crate) fn fields(
    run: &Run<'_>,
    around: &Surroundings,
    loaded: &Loaded,
    mail: &Message,
    overflow: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Result<Fields, Verdict>> {
    let (case, files) = match (around.case(mail), around.files(mail)) {
        (Ok(case), Ok(files)) => (case, files),
        (Err(verdict), _) | (_, Err(verdict)) => return Ok(Err(verdict)),
    };
    let bodies = bodies(run, mail, &files);
    let links = links(around, loaded, mail, case, &files, overflow);
    let key = mail.meta.key.row(loaded.part);
    let common = Common {
        meta: &mail.meta,
        key: &key,
        mark: run.journal().mark(),
    };
    let facts = MailFacts {
        common,
        message: mail,
        links: &links,
        bodies: &bodies,
    };
    let fields = build::row(
        run.lines(OBJECT)?,
        run.org.object(OBJECT)?,
        &facts,
        missing(&files),
        now,
    );
    Ok(Ok(fields))
}

/// A mail's words, its images at their new addresses.
pub(crate) fn bodies(run: &Run<'_>, mail: &Message, files: &[ShownFile]) -> Bodies {
    Bodies::of(mail, &images(run, mail, files))
}

/// The new addresses of a message's images, by the old ones.
pub(super) fn images<'a>(
    run: &Run<'_>,
    mail: &'a Message,
    files: &[ShownFile],
) -> HashMap<&'a str, String> {
    let base = run.api.config().image_base.trim_end_matches('/');
    let images = mail.files.iter().zip(files).filter_map(|(file, shown)| {
        match (&file.shown_as, &shown.state) {
            (Some(shown_as), ShownState::Stands(version, _)) => Some((
                shown_as.as_str(),
                format!("{base}/sfc/servlet.shepherd/version/download/{version}"),
            )),
            _ => None,
        }
    });
    images.collect()
}

fn links(
    around: &Surroundings,
    loaded: &Loaded,
    mail: &Message,
    case: String,
    files: &[ShownFile],
    overflow: Option<&str>,
) -> MailLinks {
    let mut links = MailLinks {
        case,
        ..MailLinks::default()
    };
    links.from_person = around.sender(mail).map(str::to_owned);
    if let Some(headers) = &mail.email {
        let people = &around.people;
        links.to = people.recipients(&headers.to);
        links.cc = people.recipients(&headers.cc);
        links.bcc = people.recipients(&headers.bcc);
    }
    links.reply_to = around
        .answered(loaded)
        .and_then(|known| known.id_of(OBJECT))
        .map(str::to_owned);
    let of_files = files.iter().filter_map(|file| match &file.state {
        ShownState::Stands(_, document) => document.as_deref(),
        ShownState::Missing(_) => None,
    });
    for document in of_files.chain(overflow) {
        if !links.documents.iter().any(|known| known == document) {
            links.documents.push(document.to_owned());
        }
    }
    links
}

/// The files that could not come, named on their mail.
fn missing(files: &[ShownFile]) -> Leftovers {
    let named: Vec<_> = files
        .iter()
        .filter_map(|file| match file.state {
            ShownState::Missing(reason) => Some(json!({"name": file.name, "reason": reason})),
            ShownState::Stands(..) => None,
        })
        .collect();
    if named.is_empty() {
        Leftovers::new()
    } else {
        Leftovers::from([("files".to_owned(), named.into())])
    }
}
