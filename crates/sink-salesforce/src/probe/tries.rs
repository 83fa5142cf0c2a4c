//! What is tried, row by row.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use deskferry_core::blob::{BlobInfo, Blobs};
use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::probing::{Did, Point};
use deskferry_core::source::ByteStream;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::KEY;
use super::notes::Notes;
use crate::client::Api;
use crate::client::collections::{CallAnswer, RowAnswer};
use crate::client::error::Refusal;
use crate::files::Content;
use crate::mapping::SOURCE_KEY;
use crate::org::Org;
use crate::schema::FieldKind;
use crate::verify::rules::same;

const DOING: &str = "try the org out";
/// A comment of so many `&`: within the limit as characters, beyond it as the platform encodes them (contract: limits).
const AMPERSANDS: usize = 900;
/// Blanks at the ends, and two in the middle.
const BLANKS: &str = "  blanks  everywhere ";
/// The most characters of a value that are kept.
const SHOWN: usize = 120;

type Fields = Map<String, Value>;

pub(super) struct Tries<'a> {
    cx: &'a Context,
    api: &'a Api,
    org: &'a Org,
    mark: String,
    notes: Notes,
    rows: u32,
    points: Vec<Point>,
}

/// Rows that later ones hang on.
struct Ground {
    case: Option<String>,
    contact: Option<String>,
}

impl<'a> Tries<'a> {
    pub(super) fn new(
        cx: &'a Context,
        api: &'a Api,
        org: &'a Org,
        mark: String,
        notes: Notes,
    ) -> Self {
        Self {
            cx,
            api,
            org,
            mark,
            notes,
            rows: 0,
            points: Vec::new(),
        }
    }

    pub(super) fn found(self) -> (Vec<Point>, Notes) {
        (self.points, self.notes)
    }

    /// Everything, in the order in which rows need each other.
    pub(super) async fn all(&mut self) -> Result<()> {
        let account = self.account().await?;
        let contact = self.contact(account.as_deref()).await?;
        let case = self.case(account.as_deref(), contact.as_deref()).await?;
        self.future_case().await?;
        self.case_of_somebody_who_left().await?;
        let ground = Ground { case, contact };
        let file = self.file(&ground).await?;
        self.mail(&ground, file.as_ref()).await?;
        self.comments(&ground).await?;
        self.untouched(&ground).await
    }

    async fn account(&mut self) -> Result<Option<String>> {
        let fields = json!({"Name": "Probe of Deskferry & <sons>", "Description": "caf\u{e9} \u{1f600} \u{1d518}"});
        let Some((id, row)) = self.kept("Account", fields).await? else {
            return Ok(None);
        };
        self.field(
            "ampersand",
            "Account",
            "Name",
            "Probe of Deskferry & <sons>",
            &row,
        );
        let four = "caf\u{e9} \u{1f600} \u{1d518}";
        self.field("four-bytes", "Account", "Description", four, &row);
        Ok(Some(id))
    }

    async fn contact(&mut self, account: Option<&str>) -> Result<Option<String>> {
        let email = format!("Probe.{}@Example.ORG", self.mark);
        let fields = json!({"LastName": "Probe", "FirstName": " Blank ", "Email": email, "AccountId": account});
        let Some((id, row)) = self.kept("Contact", fields).await? else {
            return Ok(None);
        };
        self.field("mail-case", "Contact", "Email", &email, &row);
        self.field("blanks", "Contact", "FirstName", " Blank ", &row);
        Ok(Some(id))
    }

    async fn case(
        &mut self,
        account: Option<&str>,
        contact: Option<&str>,
    ) -> Result<Option<String>> {
        let (created, changed) = past();
        let precise = "2015-03-04T05:06:07.890Z";
        let mut fields = json!({
            "Subject": BLANKS, "SuppliedName": "two  blanks", "Description": "one\r\ntwo",
            "AccountId": account, "ContactId": contact, "CreatedDate": created, "LastModifiedDate": changed,
            "Original_Created_Date__c": precise,
        });
        let lists = self.multi_select();
        if let Some((field, value)) = &lists {
            fields[field] = json!(value);
        }
        if let Some(closed) = self.org.a_closed_status() {
            fields["Status"] = json!(closed);
            fields["ClosedDate"] = json!(changed);
        }
        let Some((id, row)) = self.kept("Case", fields.clone()).await? else {
            return Ok(None);
        };
        let subject = row["Subject"].as_str().unwrap_or_default().to_owned();
        let did = |same: bool| if same { Did::Kept } else { Did::Changed };
        let ends = subject.starts_with("  ") && subject.ends_with(' ');
        self.point("blanks", "Case.Subject", did(ends), BLANKS, &subject);
        let inside = subject.trim() == BLANKS.trim();
        self.point(
            "blanks-inside",
            "Case.Subject",
            did(inside),
            BLANKS,
            &subject,
        );
        for (point, field) in [
            ("blanks-inside", "SuppliedName"),
            ("line-ends", "Description"),
            ("audit-dates", "CreatedDate"),
            ("audit-dates", "LastModifiedDate"),
            ("closed-date", "ClosedDate"),
        ] {
            self.sent("Case", point, field, &fields, &row);
        }
        match row["Original_Created_Date__c"].as_str() {
            Some(stands) => {
                let did = match stands.contains(".890") {
                    true => Did::Kept,
                    false => Did::Changed,
                };
                self.point(
                    "milliseconds",
                    "Case.Original_Created_Date__c",
                    did,
                    precise,
                    stands,
                );
            }
            None => self.untried("milliseconds", "Case.Original_Created_Date__c"),
        }
        match lists {
            Some((field, value)) => self.field("multi-select-order", "Case", &field, &value, &row),
            None => self.untried("multi-select-order", "Case"),
        }
        Ok(Some(id))
    }

    /// A list of several values of a Case, and two of its values the wrong way round, one of them twice.
    fn multi_select(&self) -> Option<(String, String)> {
        let case = self.org.schema.object("Case")?;
        let mut lists = case.fields().filter(|field| {
            field.holds == FieldKind::Multipicklist && field.createable && field.values.len() > 1
        });
        let field = lists.next()?;
        let (first, second) = (&field.values[0], &field.values[1]);
        Some((field.name.clone(), format!("{second};{first};{second}")))
    }

    async fn future_case(&mut self) -> Result<()> {
        if !self.takes("Case", "CreatedDate") {
            self.untried("future-date", "Case.CreatedDate");
            return Ok(());
        }
        let date = shown_time(self.cx.now() + Duration::days(1));
        let fields = json!({"Subject": "Probe", "CreatedDate": date, "LastModifiedDate": date});
        match self.insert("Case", fields).await? {
            Err(refusal) => self.refused("future-date", "Case.CreatedDate", &date, &refusal),
            Ok((_, row)) => self.field("future-date", "Case", "CreatedDate", &date, &row),
        }
        Ok(())
    }

    async fn case_of_somebody_who_left(&mut self) -> Result<()> {
        let soql = "SELECT Id FROM User WHERE IsActive = false AND UserType = 'Standard' LIMIT 1";
        let users = self.api.query(self.cx, soql).await?;
        let Some(user) = users.first().and_then(|user| user["Id"].as_str()) else {
            self.untried("inactive-owner", "Case.OwnerId");
            return Ok(());
        };
        match self
            .insert("Case", json!({"Subject": "Probe", "OwnerId": user}))
            .await?
        {
            Err(refusal) => self.refused("inactive-owner", "Case.OwnerId", user, &refusal),
            Ok((_, row)) => self.field("inactive-owner", "Case", "OwnerId", user, &row),
        }
        Ok(())
    }

    /// Answers version and document.
    async fn file(&mut self, ground: &Ground) -> Result<Option<(String, String)>> {
        let Some(case) = ground.case.as_deref() else {
            self.untried("file", "ContentVersion");
            return Ok(None);
        };
        // One pixel.
        let bytes = Bytes::from_static(
            b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;",
        );
        let md5: String = Md5::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let fields =
            json!({"PathOnClient": "probe.gif", "Title": "probe", "FirstPublishLocationId": case});
        let fields = self.own("ContentVersion", fields);
        let content = Content::Made {
            bytes,
            md5: md5.clone(),
        };
        let blobs: Arc<dyn Blobs> = Arc::new(NoBlobs);
        let answer = self.api.upload(self.cx, &fields, &content, &blobs).await?;
        let id = match self.landed("ContentVersion", &fields, answer).await? {
            Ok(id) => id,
            Err(refusal) => {
                self.refused("file", "ContentVersion", "one pixel", &refusal);
                return Ok(None);
            }
        };
        let row = self
            .row("ContentVersion", &id, &["Checksum", "ContentDocumentId"])
            .await?;
        let sum = row["Checksum"].as_str().unwrap_or_default().to_owned();
        let did = match sum.eq_ignore_ascii_case(&md5) {
            true => Did::Kept,
            false => Did::Changed,
        };
        self.point("file", "ContentVersion", did, &md5, &sum);
        let document = row["ContentDocumentId"].as_str().map(str::to_owned);
        Ok(document.map(|document| (id, document)))
    }

    async fn mail(&mut self, ground: &Ground, file: Option<&(String, String)>) -> Result<()> {
        let Some(case) = ground.case.as_deref() else {
            self.untried("html", "EmailMessage");
            return Ok(());
        };
        let (created, _) = past();
        let image = file.map_or(String::new(), |(version, _)| {
            format!("<img src=\"/sfc/servlet.shepherd/version/download/{version}\">")
        });
        let html =
            format!("<p onclick=\"x()\">Dear <b>you</b> &amp; all</p>{image}<script>x()</script>");
        let mut fields = json!({
            "ParentId": case, "RelatedToId": case, "Incoming": false, "Status": "3", "Subject": "Probe", "HtmlBody": html,
            "FromAddress": "probe@example.org", "ToAddress": format!("probe.{}@example.org", self.mark),
            "MessageDate": created, "CreatedDate": created, "LastModifiedDate": created,
        });
        if let Some(contact) = &ground.contact {
            fields["ToIds"] = json!([contact]);
        }
        if let Some((_, document)) = file {
            fields["ContentDocumentIds"] = json!([document]);
        }
        let (id, row) = match self.insert("EmailMessage", fields.clone()).await? {
            Ok(made) => made,
            Err(refusal) => {
                self.refused("html", "EmailMessage", &html, &refusal);
                return Ok(());
            }
        };
        self.field("html", "EmailMessage", "HtmlBody", &html, &row);
        self.sent("EmailMessage", "audit-dates", "CreatedDate", &fields, &row);
        self.sent("EmailMessage", "message-date", "MessageDate", &fields, &row);
        let body = row["TextBody"].as_str().unwrap_or_default().to_owned();
        let did = if body.is_empty() {
            Did::Kept
        } else {
            Did::Changed
        };
        self.point("text-from-html", "EmailMessage.TextBody", did, "", &body);
        self.counted(
            "mail-relation",
            "EmailMessageRelation",
            &format!("EmailMessageId = '{id}'"),
            ground.contact.is_some(),
        )
        .await?;
        let by_entity = format!("LinkedEntityId = '{id}'");
        self.counted(
            "mail-file",
            "ContentDocumentLink",
            &by_entity,
            file.is_some(),
        )
        .await?;
        // Some orgs make a task of each mail that goes out.
        let tasks = format!("SELECT Id FROM Task WHERE WhatId = '{case}'");
        let tasks = self.api.query(self.cx, &tasks).await?.len();
        let did = if tasks == 0 { Did::Kept } else { Did::Changed };
        self.point(
            "mail-task",
            "Task",
            did,
            "no task",
            &format!("tasks: {tasks}"),
        );
        self.relation_later(ground, &id).await
    }

    async fn relation_later(&mut self, ground: &Ground, mail: &str) -> Result<()> {
        let Some(contact) = &ground.contact else {
            self.untried("relation-later", "EmailMessageRelation");
            return Ok(());
        };
        let row =
            json!({"EmailMessageId": mail, "RelationId": contact, "RelationType": "CcAddress"});
        match self.plain("EmailMessageRelation", row).await? {
            Ok(_) => self.point("relation-later", "EmailMessageRelation", Did::Kept, "", ""),
            Err(refusal) => self.refused("relation-later", "EmailMessageRelation", "", &refusal),
        }
        Ok(())
    }

    async fn comments(&mut self, ground: &Ground) -> Result<()> {
        let Some(case) = ground.case.as_deref() else {
            self.untried("comment-limit", "CaseComment");
            return Ok(());
        };
        let (created, _) = past();
        let mut fields = json!({"ParentId": case, "CommentBody": "Probe & comment"});
        if self.takes("CaseComment", "CreatedDate") {
            fields["CreatedDate"] = json!(created);
            fields["LastModifiedDate"] = json!(created);
        }
        match self.plain("CaseComment", fields.clone()).await? {
            Err(refusal) => self.refused("audit-dates", "CaseComment", &created, &refusal),
            Ok(id) => {
                let row = self
                    .row("CaseComment", &id, &["CommentBody", "CreatedDate"])
                    .await?;
                self.field(
                    "ampersand",
                    "CaseComment",
                    "CommentBody",
                    "Probe & comment",
                    &row,
                );
                self.sent("CaseComment", "audit-dates", "CreatedDate", &fields, &row);
            }
        }
        let long = "&".repeat(AMPERSANDS);
        let fields = json!({"ParentId": case, "CommentBody": long});
        let sent = format!("{AMPERSANDS} times &");
        match self.plain("CaseComment", fields).await? {
            Ok(_) => self.point("comment-limit", "CaseComment", Did::Kept, &sent, ""),
            Err(refusal) => self.refused("comment-limit", "CaseComment", &sent, &refusal),
        }
        Ok(())
    }

    /// Whether a mail and a comment left the dates of their case alone.
    async fn untouched(&mut self, ground: &Ground) -> Result<()> {
        let Some(case) = ground
            .case
            .as_deref()
            .filter(|_| self.takes("Case", "LastModifiedDate"))
        else {
            self.untried("case-untouched", "Case.LastModifiedDate");
            return Ok(());
        };
        let (_, changed) = past();
        let row = self.row("Case", case, &["LastModifiedDate"]).await?;
        self.field("case-untouched", "Case", "LastModifiedDate", &changed, &row);
        Ok(())
    }

    /// A row that everything else hangs on; what refuses it is a point of its own.
    async fn kept(
        &mut self,
        object: &'static str,
        fields: Value,
    ) -> Result<Option<(String, Value)>> {
        match self.insert(object, fields).await? {
            Ok(made) => Ok(Some(made)),
            Err(refusal) => {
                self.refused("row", object, "", &refusal);
                Ok(None)
            }
        }
    }

    /// Makes a row with our key and reads it back.
    async fn insert(
        &mut self,
        object: &'static str,
        fields: Value,
    ) -> Result<Result<(String, Value), Refusal>> {
        let fields = self.own(object, fields);
        let mut names: Vec<String> = fields.keys().cloned().collect();
        if object == "EmailMessage" {
            names.push("TextBody".to_owned());
        }
        names.retain(|name| !matches!(name.as_str(), "ToIds" | "ContentDocumentIds"));
        let answer = self.api.insert(self.cx, object, &[&fields]).await?;
        let id = match self.landed(object, &fields, answer).await? {
            Ok(id) => id,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let row = self.row(object, &id, &names).await?;
        Ok(Ok((id, row)))
    }

    /// Makes a row that goes with its parent.
    async fn plain(
        &mut self,
        object: &'static str,
        fields: Value,
    ) -> Result<Result<String, Refusal>> {
        let Value::Object(fields) = fields else {
            return Err(Error::bug(DOING, "a row is an object"));
        };
        match self.api.insert(self.cx, object, &[&fields]).await? {
            CallAnswer::Rows(rows) => Ok(match rows.into_iter().next() {
                Some(RowAnswer::Stands(id)) => Ok(id),
                Some(RowAnswer::Refused(refusal)) => Err(refusal),
                None => return Err(lost(object)),
            }),
            CallAnswer::Refused(_, refusal) => Ok(Err(refusal)),
            CallAnswer::Lost => Err(lost(object)),
        }
    }

    /// Fields with our key, as far as the org lets us set them.
    fn own(&mut self, object: &str, fields: Value) -> Fields {
        self.rows += 1;
        let key = format!("{KEY}{}:{}", self.mark, self.rows);
        let mut own = match fields {
            Value::Object(fields) => fields,
            _ => Fields::new(),
        };
        own.insert(SOURCE_KEY.to_owned(), json!(key));
        own.retain(|name, value| {
            let list = matches!(name.as_str(), "ToIds" | "ContentDocumentIds");
            !value.is_null() && (list || self.takes(object, name))
        });
        own
    }

    /// The id of a row that was sent: its own answer's, or the one under its key where the answer was lost.
    async fn landed(
        &mut self,
        object: &str,
        fields: &Fields,
        answer: CallAnswer,
    ) -> Result<Result<String, Refusal>> {
        let id = match answer {
            CallAnswer::Rows(rows) => match rows.into_iter().next() {
                Some(RowAnswer::Stands(id)) => id,
                Some(RowAnswer::Refused(refusal)) => return Ok(Err(refusal)),
                None => return Err(lost(object)),
            },
            CallAnswer::Refused(_, refusal) => return Ok(Err(refusal)),
            CallAnswer::Lost => {
                let key = fields.get(SOURCE_KEY).and_then(Value::as_str);
                let key = key.ok_or_else(|| lost(object))?;
                let soql = format!("SELECT Id FROM {object} WHERE {SOURCE_KEY} = '{key}'");
                let rows = self.api.query(self.cx, &soql).await?;
                let id = rows.first().and_then(|row| row["Id"].as_str());
                id.map(str::to_owned).ok_or_else(|| lost(object))?
            }
        };
        self.notes.add(object, &id)?;
        Ok(Ok(id))
    }

    async fn row(&self, object: &str, id: &str, names: &[&str]) -> Result<Value> {
        let names = names.join(", ");
        let soql = format!("SELECT Id, {names} FROM {object} WHERE Id = '{id}'");
        let rows = self.api.query(self.cx, &soql).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    async fn counted(
        &mut self,
        point: &str,
        object: &str,
        filter: &str,
        wanted: bool,
    ) -> Result<()> {
        if !wanted {
            self.untried(point, object);
            return Ok(());
        }
        let soql = format!("SELECT Id FROM {object} WHERE {filter}");
        let found = self.api.query(self.cx, &soql).await?.len();
        let did = if found == 0 { Did::Changed } else { Did::Kept };
        self.point(point, object, did, "1", &found.to_string());
        Ok(())
    }

    fn takes(&self, object: &str, field: &str) -> bool {
        let object = self.org.schema.object(object);
        object.is_some_and(|object| object.takes(field))
    }

    /// What became of a field that was sent, if it was.
    fn sent(&mut self, object: &str, point: &str, field: &str, fields: &Value, row: &Value) {
        match fields[field].as_str().filter(|_| self.takes(object, field)) {
            Some(sent) => {
                let sent = sent.to_owned();
                self.field(point, object, field, &sent, row);
            }
            None => self.untried(point, &format!("{object}.{field}")),
        }
    }

    fn field(&mut self, point: &str, object: &str, field: &str, sent: &str, row: &Value) {
        let stands = &row[field];
        let described = self.org.schema.object(object);
        let equal = described
            .and_then(|object| object.field(field))
            .map_or(stands == sent, |field| same(&json!(sent), stands, field));
        let did = if equal { Did::Kept } else { Did::Changed };
        let shown = stands
            .as_str()
            .map_or_else(|| stands.to_string(), str::to_owned);
        self.point(point, &format!("{object}.{field}"), did, sent, &shown);
    }

    fn refused(&mut self, point: &str, of: &str, sent: &str, refusal: &Refusal) {
        let said = format!("{}: {}", refusal.code, refusal.message);
        self.point(point, of, Did::Refused, sent, &said);
    }

    fn untried(&mut self, point: &str, of: &str) {
        self.point(point, of, Did::Untried, "", "");
    }

    fn point(&mut self, point: &str, of: &str, did: Did, sent: &str, found: &str) {
        let short = |text: &str| text.chars().take(SHOWN).collect();
        self.points.push(Point {
            point: point.to_owned(),
            of: of.to_owned(),
            did,
            sent: short(sent),
            found: short(found),
        });
    }
}

/// When a row was made and changed that is said to be old.
fn past() -> (String, String) {
    (
        "2015-03-04T05:06:07.000Z".to_owned(),
        "2015-03-05T05:06:07.000Z".to_owned(),
    )
}

fn shown_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn lost(object: &str) -> Error {
    Error::new(ErrorKind::Unavailable, DOING, "the org gave no answer")
        .with("object", object)
        .advise("Run `probe` again: it removes what is left first")
}

/// A probe's file is made here.
#[derive(Debug)]
struct NoBlobs;

#[async_trait]
impl Blobs for NoBlobs {
    async fn open(&self, _: &BlobInfo) -> Result<ByteStream> {
        Err(Error::bug(DOING, "nothing of a probe is staged"))
    }
}
