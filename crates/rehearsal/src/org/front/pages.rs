//! Pages for people: what the org is, its objects, their records, a case with its timeline and files. Plain HTML, no script;
//! texts of records are always escaped, and rich text lies in a frame that may do nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Front;
use crate::org::engine::{Ctx, INTEGRATION_USER};
use crate::org::error::Refusal;
use crate::org::read;
use crate::org::schema::{Field, Kind, Object};
use crate::org::store::{self, Row};
use crate::org::xml::escaped;
use crate::serve::Entry;

/// Records per page of a list, and rows of one kind below a record.
const PER_PAGE: usize = 50;
const PER_KIND: usize = 500;
/// Requests on the first page.
const REQUESTS: usize = 25;
/// Characters of a value in a list.
const SHORT: usize = 80;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24}\
    table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top;\
    border-bottom:1px solid #e4e7eb}th{color:#57606a;font-weight:600}a{color:#0550ae}h1{font-size:1.5rem}h2{font-size:1.15rem;\
    margin-top:2rem}.entry{border:1px solid #d0d7de;border-radius:6px;padding:.6rem .9rem;margin:.6rem 0}.entry header{color:#57606a;\
    font-size:.9rem}.entry.mail{background:#f6f8fa}.entry.note{background:#fff8e5}pre{white-space:pre-wrap;margin:.4rem 0;\
    font:inherit}iframe{width:100%;height:14rem;border:1px solid #e4e7eb;background:#fff}.files{margin:.4rem 0 0}code{font-size:.9em}";

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>{} · local org</title><style>{STYLE}</style>\
         <nav><a href=\"/\">Local org</a></nav>{body}</html>\n",
        escaped(title)
    );
    ([(header::CONTENT_TYPE, "text/html;charset=UTF-8")], html).into_response()
}

fn missing(what: &str) -> Response {
    let body = format!("<h1>Not here</h1><p>{}</p>", escaped(what));
    (StatusCode::NOT_FOUND, page("Not here", &body)).into_response()
}

impl Front {
    /// Makes a page out of what the org holds.
    async fn made(
        &self,
        make: impl FnOnce(&Ctx<'_>) -> Result<Response, Refusal> + Send + 'static,
    ) -> Response {
        let made = self.transaction(INTEGRATION_USER, make).await;
        made.unwrap_or_else(|refusal| {
            let body = format!("<h1>It failed</h1><p>{}</p>", escaped(&refusal.message));
            (StatusCode::INTERNAL_SERVER_ERROR, page("It failed", &body)).into_response()
        })
    }

    /// The first page.
    pub(super) async fn page(&self) -> Response {
        let log = self.log.snapshot();
        let engine = Arc::clone(&self.engine);
        let counts = tokio::task::spawn_blocking(move || engine.counts()).await;
        let counts = counts.ok().and_then(Result::ok).unwrap_or_default();
        let mut body = format!(
            "<h1>A local Salesforce org</h1><p>It stands in for a Service Cloud org in rehearsals and tests. It is not Salesforce, and what \
             it holds is nowhere else. Org id <code>{}</code>.</p>\
             <p><b>It imitates</b> login by OAuth and SOAP, REST with collections, composite, graph and tree, SOQL and SOSL, Bulk API 2.0 and \
             1.0, files, describe, limits, and deployments of objects, fields, record types, permission sets, queues and picklist values.</p>\
             <p><b>It does not imitate</b> Apex, flows and triggers, sharing, Lightning, Connect and metadata of other kinds. What it \
             does not know it refuses, and says so.</p><h2>Objects</h2><table><tr><th>Object<th>Records</tr>",
            self.engine.org_id()
        );
        for (name, count) in &counts {
            let _ = write!(
                body,
                "<tr><td><a href=\"/rehearsal/records/{name}\">{name}</a><td>{count}</tr>"
            );
        }
        let _ = write!(
            body,
            "</table><h2>Last requests</h2><p>{} so far; <a href=\"/rehearsal/requests\">all counts</a>, \
             <a href=\"/rehearsal/faults\">fault script</a>.</p><table><tr><th>#<th>Request<th>Status<th>ms</tr>",
            log.total
        );
        for entry in log.recent.iter().rev().take(REQUESTS) {
            body.push_str(&request_row(entry));
        }
        body.push_str("</table>");
        page("Overview", &body)
    }

    /// The records of an object, behind a number.
    pub(super) async fn records(&self, object: &str, query: &str) -> Response {
        let name = object.to_owned();
        let after = query.strip_prefix("after=").and_then(|n| n.parse().ok());
        self.made(move |ctx| records(ctx, &name, after.unwrap_or(0)))
            .await
    }

    /// One record, with what hangs on it.
    pub(super) async fn record(&self, id: &str) -> Response {
        let id = id.to_owned();
        self.made(move |ctx| record(ctx, &id)).await
    }
}

fn request_row(entry: &Entry) -> String {
    let path: String = entry.path.chars().take(140).collect();
    format!(
        "<tr><td>{}<td><code>{} {}</code><td>{}<td>{}</tr>",
        entry.n,
        escaped(&entry.method),
        escaped(&path),
        entry.status,
        entry.millis
    )
}

fn records(ctx: &Ctx<'_>, name: &str, after: i64) -> Result<Response, Refusal> {
    let Some(object) = ctx.schema().object(name) else {
        return Ok(missing(&format!("This org has no object {name}.")));
    };
    let rows = store::page(ctx.db, object, after, PER_PAGE + 1)?;
    let columns: Vec<&Field> = columns(object);
    let mut body = format!("<h1>{}</h1><table><tr><th>Id", escaped(&object.plural));
    for column in &columns {
        let _ = write!(body, "<th>{}", escaped(&column.label));
    }
    body.push_str("</tr>");
    for row in rows.iter().take(PER_PAGE).filter(|row| !row.deleted) {
        let id = ctx.id(object, row.number);
        let _ = write!(body, "<tr><td><a href=\"/rehearsal/record/{id}\">{id}</a>");
        for column in &columns {
            let _ = write!(
                body,
                "<td>{}",
                shown(ctx, &read::value(ctx, object, row, column)?, column, SHORT)?
            );
        }
        body.push_str("</tr>");
    }
    body.push_str("</table>");
    if rows.len() > PER_PAGE {
        let last = rows[PER_PAGE - 1].number;
        let _ = write!(
            body,
            "<p><a href=\"/rehearsal/records/{name}?after={last}\">More</a></p>"
        );
    }
    Ok(page(&object.plural, &body))
}

/// The few fields that a list shows.
fn columns(object: &Object) -> Vec<&Field> {
    const TELLING: [&str; 14] = [
        "Subject",
        "Name",
        "CaseNumber",
        "LastName",
        "Title",
        "CommentBody",
        "Status",
        "Email",
        "FromAddress",
        "ParentId",
        "LinkedEntityId",
        "ContactId",
        "AccountId",
        "CreatedDate",
    ];
    let named = TELLING.iter().filter_map(|name| object.field(name));
    named.take(6).collect()
}

/// A value as HTML; a reference leads to its record.
fn shown(ctx: &Ctx<'_>, value: &Value, field: &Field, most: usize) -> Result<String, Refusal> {
    let text = match value {
        Value::Null => return Ok(String::new()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if field.kind == Kind::Reference {
        let name = ctx.row(&text)?.map(|(object, row)| name_of(object, &row));
        let name = name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| text.clone());
        return Ok(format!(
            "<a href=\"/rehearsal/record/{}\">{}</a>",
            escaped(&text),
            escaped(&name)
        ));
    }
    let cut: String = text.chars().take(most).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    Ok(format!("{}{more}", escaped(&cut)))
}

fn name_of(object: &Object, row: &Row) -> String {
    let text = |name: &str| row.fields.get(name).and_then(Value::as_str);
    let field = object.fields.iter().find(|field| field.name_field);
    let name = field.and_then(|field| text(&field.name));
    name.or_else(|| text("Subject"))
        .or_else(|| text("Title"))
        .unwrap_or_default()
        .to_owned()
}

fn record(ctx: &Ctx<'_>, id: &str) -> Result<Response, Refusal> {
    let Some((object, row)) = ctx.row(id)? else {
        return Ok(missing(&format!("This org has no record {id}.")));
    };
    let title = match row.fields.get("CaseNumber").and_then(Value::as_str) {
        Some(number) => {
            let subject = row.fields.get("Subject").and_then(Value::as_str);
            format!("Case {number}: {}", subject.unwrap_or("(no subject)"))
        }
        None => format!("{} {}", object.label, name_of(object, &row)),
    };
    let mut body = format!("<h1>{}</h1>", escaped(&title));
    let below = below(ctx, object, &row)?;
    let (files, entries) = sorted(below);
    if object.name == "Case" {
        body.push_str("<h2>Timeline</h2>");
        for below in &entries {
            body.push_str(&entry(ctx, below)?);
        }
        if entries.is_empty() {
            body.push_str("<p>Nothing was said in this case.</p>");
        }
    }
    let own_files = links(ctx, &files)?;
    if !own_files.is_empty() {
        let _ = write!(body, "<h2>Files</h2>{own_files}");
    }
    if object.name == "ContentVersion" {
        let _ = write!(
            body,
            "<p><a href=\"/rehearsal/blob/{id}\">The bytes</a></p>"
        );
    }
    body.push_str("<h2>Fields</h2><table>");
    for field in object.fields.iter().filter(|field| !field.hidden) {
        let value = read::value(ctx, object, &row, field)?;
        if !value.is_null() {
            let value = shown(ctx, &value, field, 4_000)?;
            let _ = write!(body, "<tr><th>{}<td>{value}</tr>", escaped(&field.name));
        }
    }
    body.push_str("</table>");
    if object.name != "Case" && !entries.is_empty() {
        body.push_str("<h2>Related</h2><table>");
        for below in &entries {
            let id = ctx.id(below.object, below.row.number);
            let _ = write!(
                body,
                "<tr><td>{}<td><a href=\"/rehearsal/record/{id}\">{}</a><td>{}</tr>",
                escaped(&below.object.label),
                escaped(
                    &Some(name_of(below.object, &below.row))
                        .filter(|name| !name.is_empty())
                        .unwrap_or(id.clone())
                ),
                escaped(&below.date())
            );
        }
        body.push_str("</table>");
    }
    Ok(page(&title, &body))
}

/// A record that points at the one that is shown.
struct Below<'a> {
    object: &'a Object,
    row: Row,
}

impl Below<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.row.fields.get(name).and_then(Value::as_str)
    }

    fn date(&self) -> String {
        let date = self
            .text("MessageDate")
            .or_else(|| self.text("CreatedDate"));
        date.unwrap_or_default()
            .replace('T', " ")
            .replace(".000+0000", "")
    }
}

fn below<'a>(ctx: &Ctx<'a>, object: &'a Object, row: &Row) -> Result<Vec<Below<'a>>, Refusal> {
    let id = ctx.id(object, row.number);
    let mut found: BTreeMap<(String, i64), Below<'a>> = BTreeMap::new();
    for (child, field) in ctx
        .schema()
        .children(&object.name)
        .filter(|(_, field)| field.is_indexed())
    {
        for number in store::find(ctx.db, child, field, &id[..15])?
            .into_iter()
            .take(PER_KIND)
        {
            let Some(row) = store::get(ctx.db, child, number)? else {
                continue;
            };
            let below = Below { object: child, row };
            found.insert((child.name.clone(), number), below);
        }
    }
    Ok(found.into_values().collect())
}

/// Links to files apart; everything else by its date.
fn sorted(below: Vec<Below<'_>>) -> (Vec<Below<'_>>, Vec<Below<'_>>) {
    let (files, mut entries): (Vec<_>, Vec<_>) = below
        .into_iter()
        .partition(|below| below.object.name == "ContentDocumentLink");
    // Files come as links, and who is in a mail stands in the mail.
    let apart = ["EmailMessageRelation", "ContentVersion"];
    entries.retain(|below| !apart.contains(&below.object.name.as_str()));
    entries.sort_by_key(|below| (below.date(), below.row.number));
    (files, entries)
}

fn links(ctx: &Ctx<'_>, files: &[Below<'_>]) -> Result<String, Refusal> {
    let mut list = String::new();
    for link in files {
        let document = link.text("ContentDocumentId").unwrap_or_default();
        let Some((_, row)) = ctx.row(document)? else {
            continue;
        };
        let text = |name: &str| {
            row.fields
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let version = text("LatestPublishedVersionId");
        let name = match text("FileExtension") {
            "" => text("Title").to_owned(),
            extension => format!(
                "{}.{extension}",
                text("Title").trim_end_matches(&format!(".{extension}"))
            ),
        };
        let size = row
            .fields
            .get("ContentSize")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let _ = write!(
            list,
            "<li><a href=\"/rehearsal/blob/{version}\" download=\"{0}\">{0}</a> ({size} bytes)</li>",
            escaped(&name)
        );
    }
    Ok(if list.is_empty() {
        list
    } else {
        format!("<ul class=\"files\">{list}</ul>")
    })
}

/// One entry of a timeline.
fn entry(ctx: &Ctx<'_>, below: &Below<'_>) -> Result<String, Refusal> {
    let object = below.object;
    let kind = match object.name.as_str() {
        "EmailMessage" => "mail",
        "CaseComment" if below.row.fields.get("IsPublished") != Some(&Value::Bool(true)) => "note",
        _ => "other",
    };
    let author = match below.text("CreatedById") {
        Some(user) => ctx
            .row(user)?
            .map(|(object, row)| name_of(object, &row))
            .unwrap_or_default(),
        None => String::new(),
    };
    let mut head = format!("{} · {} · {}", below.date(), object.label, author);
    if kind == "mail" {
        let from = below.text("FromAddress").unwrap_or("?");
        head = format!(
            "{head} · {from} → {}",
            below.text("ToAddress").unwrap_or("?")
        );
    }
    if kind == "note" {
        head.push_str(" · internal");
    }
    let id = ctx.id(object, below.row.number);
    let mut html = format!(
        "<div class=\"entry {kind}\"><header>{} · <a href=\"/rehearsal/record/{id}\">{id}</a></header>",
        escaped(&head)
    );
    if let Some(subject) = below.text("Subject") {
        let _ = write!(html, "<b>{}</b>", escaped(subject));
    }
    if let Some(rich) = below.text("HtmlBody") {
        let _ = write!(
            html,
            "<iframe sandbox=\"\" srcdoc=\"{}\"></iframe>",
            escaped(rich)
        );
    } else if let Some(text) = words(below) {
        let _ = write!(html, "<pre>{}</pre>", escaped(text));
    }
    let (files, _) = sorted(self::below(ctx, object, &below.row)?);
    html.push_str(&links(ctx, &files)?);
    html.push_str("</div>");
    Ok(html)
}

/// What a row says: the body of a message or comment, else its longest text.
fn words<'b>(below: &'b Below<'_>) -> Option<&'b str> {
    let usual = ["TextBody", "CommentBody", "Body", "Description"];
    let known = usual.iter().find_map(|name| below.text(name));
    known.or_else(|| {
        let long = below
            .object
            .fields
            .iter()
            .filter(|field| field.custom && field.length > 255);
        long.filter_map(|field| below.text(&field.name))
            .max_by_key(|text| text.len())
    })
}
