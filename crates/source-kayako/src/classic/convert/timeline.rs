//! Posts and notes: what they say, who says it and to whom.

use deskferry_core::model::{
    Attachment, Author, AuthorRole, Body, ChannelKind, Direction, EmailAddress, EmailHeaders,
    Message, MessageFile, Meta, Named,
};
use deskferry_core::{RecordKey, RecordKind, Tenant};
use serde_json::json;

use super::ticket::channel;
use super::{Desk, meta};
use crate::classic::xml::Row;
use crate::convert::shown_cids;
use crate::wire::Defect;

/// Where a post or note stands.
pub(crate) struct Place<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) desk: &'a Desk,
    pub(crate) ticket: Row<'a>,
    pub(crate) id: u64,
    pub(crate) files: &'a [File],
}

impl Place<'_> {
    fn conversation(&self) -> RecordKey {
        self.tenant.key(RecordKind::Conversation, self.id)
    }
}

/// A file as its list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    id: u64,
    post: Option<u64>,
    name: String,
    media_type: Option<String>,
    size: Option<u64>,
    made: Option<chrono::DateTime<chrono::Utc>>,
}

impl File {
    pub(crate) fn read(row: Row<'_>) -> Result<Self, Defect> {
        Ok(Self {
            id: row.id(&["id"])?,
            post: row.reference("ticketpostid"),
            name: row.verbatim("filename").trim().to_owned(),
            media_type: row.text("filetype").map(str::to_owned),
            // Some servers write sizes for people: `88.42 KB`.
            size: row.number("filesize"),
            made: row.time("dateline"),
        })
    }

    /// Whether a text that names this content id means this file: Classic tells no content ids, but programs that write mails make them
    /// of the file's name.
    pub(crate) fn answers_to(&self, cid: &str) -> bool {
        let local = cid.split('@').next().unwrap_or(cid);
        let stem = self.name.rsplit_once('.').map_or("", |(stem, _)| stem);
        !local.is_empty() && (local == self.name || local == stem)
    }

    fn key(&self, tenant: &Tenant) -> RecordKey {
        tenant.key(RecordKind::Attachment, self.id)
    }

    /// The file of a ticket as a record.
    pub(crate) fn record(&self, tenant: &Tenant, ticket: u64, inline: bool) -> Attachment {
        let conversation = tenant.key(RecordKind::Conversation, ticket);
        let place = format!("/Tickets/TicketAttachment/{ticket}/{}", self.id);
        self.made_of(self.key(tenant), conversation, &place, inline)
    }

    /// The file of an article as a record; its numbers are counted apart from those of tickets.
    pub(crate) fn article_record(&self, tenant: &Tenant, article: u64, inline: bool) -> Attachment {
        let key = tenant.key(RecordKind::Attachment, format!("kb-{}", self.id));
        let of = tenant.key(RecordKind::Article, article);
        let place = format!("/Knowledgebase/Attachment/{article}/{}", self.id);
        self.made_of(key, of, &place, inline)
    }

    fn made_of(&self, key: RecordKey, of: RecordKey, place: &str, inline: bool) -> Attachment {
        let mut meta = Meta::new(key);
        meta.created_at = self.made;
        Attachment {
            meta,
            conversation: of,
            name: self.name.clone(),
            media_type: self.media_type.clone(),
            size: self.size,
            inline,
            locator: json!({ "classic": place }),
        }
    }
}

/// A post as a message with its files.
pub(crate) fn post(
    place: &Place<'_>,
    row: Row<'_>,
    customer: Option<RecordKey>,
) -> Result<(Message, Vec<Attachment>), Defect> {
    let id = row.id(&["id", "ticketpostid"])?;
    let sent_at = row.moment("dateline")?;
    let mut meta = meta(place.tenant, RecordKind::Message, id);
    meta.created_at = Some(sent_at);
    let (author, outward) = author(place, row, customer);
    let private = row.flag("isprivate") == Some(true);
    let direction = if private {
        Direction::Internal
    } else {
        outward
    };
    let channel = post_channel(place, row, private);
    let content = row.verbatim("contents").to_owned();
    let is_html = row.flag("ishtml") == Some(true);
    let body = Body {
        html: is_html.then(|| content.clone()),
        text: (!is_html).then_some(content),
    };
    let mine = place.files.iter().filter(|file| file.post == Some(id));
    let shown = shown_cids(body.html.as_deref().unwrap_or_default());
    let (mut records, mut files) = (Vec::new(), Vec::new());
    for file in mine {
        let sources = shown.iter().filter(|(_, cid)| file.answers_to(cid));
        let sources: Vec<&str> = sources.map(|(src, _)| *src).collect();
        records.push(file.record(place.tenant, place.id, !sources.is_empty()));
        let shown_as = |src: Option<&str>| MessageFile {
            key: file.key(place.tenant),
            name: file.name.clone(),
            shown_as: src.map(str::to_owned),
        };
        match sources.is_empty() {
            true => files.push(shown_as(None)),
            false => files.extend(sources.into_iter().map(|src| shown_as(Some(src)))),
        }
    }
    let is_mail = channel.is == ChannelKind::Email && direction != Direction::Internal;
    let message = Message {
        conversation: place.conversation(),
        direction,
        channel,
        sent_at,
        sequence: i64::try_from(id).unwrap_or(i64::MAX),
        // A mail carries its ticket's subject: it has none of its own here.
        subject: is_mail
            .then(|| place.ticket.verbatim("subject").trim().to_owned())
            .filter(|subject| !subject.is_empty()),
        body,
        email: is_mail.then(|| email(row)),
        call: None,
        reply_to: None,
        files,
        author,
        meta,
    };
    Ok((message, records))
}

/// Who wrote a post and which way it went (Kayako reference, section 19: 1 staff, 2 user, 3 and 4 copied, 5 a third party).
fn author(place: &Place<'_>, row: Row<'_>, customer: Option<RecordKey>) -> (Author, Direction) {
    let name = row.verbatim("fullname").trim().to_owned();
    let staff = row.reference("staffid");
    let (key, role, direction) = match (row.number("creator"), staff) {
        (Some(1) | None, Some(id)) => {
            let key = place.desk.knows_staff(id);
            let key = key.then(|| place.tenant.key(RecordKind::Agent, id));
            (key, AuthorRole::Agent, Direction::Out)
        }
        (Some(0 | 1), None) => (None, AuthorRole::System, Direction::Out),
        _ => (customer, AuthorRole::Customer, Direction::In),
    };
    (Author { key, role, name }, direction)
}

/// How a post travelled. Classic tells of mails that they were mailed; anything else came the way of its ticket.
fn post_channel(place: &Place<'_>, row: Row<'_>, private: bool) -> Named<ChannelKind> {
    let mailed = row.flag("isemailed") == Some(true) || row.text("emailto").is_some();
    let of_ticket = channel(place.ticket);
    if private {
        return Named::new(ChannelKind::Internal, "private");
    }
    if mailed {
        return Named::new(ChannelKind::Email, "email");
    }
    match of_ticket.is {
        // What was written inside a ticket that came by mail, and was not mailed.
        ChannelKind::Email | ChannelKind::Internal => Named::new(ChannelKind::Web, "post"),
        _ => of_ticket,
    }
}

/// A mail as far as Classic keeps it: its sender and the address it was sent to.
fn email(row: Row<'_>) -> EmailHeaders {
    let from = row.text("email").map(|address| EmailAddress {
        address: address.to_owned(),
        name: row.verbatim("fullname").trim().to_owned(),
    });
    let to = row.verbatim("emailto").split([',', ';']).map(str::trim);
    EmailHeaders {
        from,
        to: to
            .filter(|address| !address.is_empty())
            .map(|address| EmailAddress {
                address: address.to_owned(),
                name: String::new(),
            })
            .collect(),
        ..EmailHeaders::default()
    }
}

/// A note as a message, with the reason why no target shall load it. Notes on people and companies show up in each of their
/// tickets; a time that was booked is one too, by its form.
pub(crate) fn note(
    place: &Place<'_>,
    row: Row<'_>,
) -> Result<(Message, Option<&'static str>), Defect> {
    let id = row.id(&["id"])?;
    let kind = row.text("type").unwrap_or("ticket");
    let is_time = kind.eq_ignore_ascii_case("timetrack")
        || row.name().eq_ignore_ascii_case("timetrack")
        || row.number("timeworked").is_some();
    let (name, skip) = match kind.to_ascii_lowercase().as_str() {
        _ if is_time => ("time", Some("time-tracking")),
        "user" => ("user-note", Some("note-on-person")),
        "userorganization" => ("organization-note", Some("note-on-company")),
        _ => ("note", None),
    };
    let sent_at = row
        .time("creationdate")
        .or_else(|| row.time("workdate"))
        .map_or_else(|| row.moment("creationdate"), Ok)?;
    let key = place
        .tenant
        .key(RecordKind::Message, format!("{name}-{id}"));
    let mut meta = Meta::new(key);
    meta.created_at = Some(sent_at);
    let staff = row
        .reference("creatorstaffid")
        .or_else(|| row.reference("workerstaffid"));
    let known = staff.filter(|id| place.desk.knows_staff(*id));
    let written = row
        .text("creatorstaffname")
        .or_else(|| row.text("workerstaffname"));
    let message = Message {
        conversation: place.conversation(),
        direction: Direction::Internal,
        channel: Named::new(ChannelKind::Internal, name),
        author: Author {
            key: known.map(|id| place.tenant.key(RecordKind::Agent, id)),
            role: if staff.is_some() {
                AuthorRole::Agent
            } else {
                AuthorRole::System
            },
            name: written.unwrap_or_default().to_owned(),
        },
        sent_at,
        sequence: i64::try_from(id).unwrap_or(i64::MAX),
        subject: None,
        body: Body {
            html: None,
            text: Some(row.content().to_owned()),
        },
        email: None,
        call: None,
        reply_to: None,
        files: Vec::new(),
        meta,
    };
    Ok((message, skip))
}
