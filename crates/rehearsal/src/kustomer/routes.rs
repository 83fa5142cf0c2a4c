//! From a request to an answer.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::desk::Context;
use super::ids::{Of, number};
use super::search::{self, Index};
use super::{Shared, fields, render, roles};
use crate::serve::RouteLabel;
use crate::tamper::tamper;
use crate::world::{Conversation, FieldOwner, Message, MessageKind, Role, StatusKind};

/// No search is larger.
const LARGEST_BODY: usize = 256 * 1024;
/// Stands for the message of a picture that stands in no message.
const NO_MESSAGE: u64 = 0;
/// How long a link to bytes lives.
const LINK_SECONDS: i64 = 600;

/// Why a read has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    NotFound,
    /// An argument, by name.
    Bad(String),
    Forbidden,
}

impl Denied {
    pub(super) fn bad(name: &str) -> Self {
        Self::Bad(name.to_owned())
    }

    /// Both shapes of errors occur (Kustomer reference, section 1.4).
    fn response(&self) -> Response {
        match self {
            Self::NotFound => error(
                404,
                json!({"status": 404, "source": {"parameter": "id"}, "code": "notfound", "title": "Not Found"}),
            ),
            Self::Bad(name) => error(
                400,
                json!({"status": "400", "source": {"parameters": name}, "code": "badparam", "title": format!("Parameter {name} is not allowed")}),
            ),
            Self::Forbidden => error(
                403,
                json!({"code": "forbidden", "message": "The API key lacks a role for this resource.", "meta": {}}),
            ),
        }
    }
}

fn error(status: u16, one: Value) -> Response {
    let mut response = json_response(&json!({"errors": [one]}));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response
}

fn json_response(body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    set(
        &mut response,
        "content-type",
        "application/json; charset=utf-8",
    );
    set(&mut response, "x-kustomer-pod", "prod1");
    response
}

fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}

pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes())
            .into_owned()
            .collect();
    let (label, mut response) = if let Some(rest) = path.strip_prefix("/v1/") {
        let body = axum::body::to_bytes(body, LARGEST_BODY)
            .await
            .unwrap_or_default();
        let call = Call {
            shared: &shared,
            method: &head.method,
            headers: &head.headers,
            query: &query,
            path: rest,
        };
        (label(rest), call.answer(&body))
    } else if let Some(file) = path.strip_prefix("/bucket/") {
        let response = bytes(&shared, file, &query, &head.headers);
        ("/bucket/{id}".to_owned(), response)
    } else {
        (
            "-".to_owned(),
            (StatusCode::NOT_FOUND, "Not found").into_response(),
        )
    };
    response.extensions_mut().insert(RouteLabel(label));
    response
}

/// The path with its ids taken out.
fn label(path: &str) -> String {
    let pieces = path.split('/').map(|piece| {
        let is_id = piece.len() >= 24 && piece.bytes().all(|b| b.is_ascii_hexdigit() || b == b',');
        if is_id { "{id}" } else { piece }
    });
    format!("/v1/{}", pieces.collect::<Vec<_>>().join("/"))
}

/// A link to bytes: signed, and dead after ten minutes.
pub(super) fn link(shared: &Shared, message: u64, file: u64) -> String {
    let base = shared.url.get().cloned().unwrap_or_default();
    let now = shared.now();
    format!(
        "{base}/bucket/{message}-{file}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={}&X-Amz-Expires={LINK_SECONDS}&X-Amz-Signature={:016x}",
        now.timestamp(),
        shared.links()
    )
}

fn bytes(
    shared: &Shared,
    file: &str,
    query: &HashMap<String, String>,
    headers: &HeaderMap,
) -> Response {
    let refuse = |status: u16, code: &str| {
        let page = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>"
        );
        let mut response = Response::new(Body::from(page));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
        set(&mut response, "content-type", "application/xml");
        response
    };
    if headers.contains_key(header::AUTHORIZATION) {
        return refuse(400, "InvalidArgument");
    }
    let signed = query.get("X-Amz-Signature").map(String::as_str);
    let age = query
        .get("X-Amz-Date")
        .and_then(|at| at.parse::<i64>().ok())
        .map(|at| shared.now().timestamp() - at);
    if signed != Some(format!("{:016x}", shared.links()).as_str())
        || age.is_none_or(|age| age > LINK_SECONDS)
    {
        return refuse(403, "AccessDenied");
    }
    let found = || {
        let (message, file) = file.split_once('-')?;
        let file: u64 = file.parse().ok()?;
        if message == NO_MESSAGE.to_string() {
            let picture = super::aside::picture(&shared.desk, file)?;
            return (!picture.lost).then(|| (picture.content.bytes(), picture.media_type.clone()));
        }
        let (_, row) = shared.desk.message(message.parse().ok()?)?;
        let file = row.files.into_iter().find(|f| f.id == file && !f.lost)?;
        Some((file.content.bytes(), file.media_type))
    };
    match found() {
        Some((content, media_type)) => {
            let mut response = Response::new(Body::from(content));
            set(&mut response, "content-type", &media_type);
            response
        }
        None => refuse(404, "NoSuchKey"),
    }
}

pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: &'a HashMap<String, String>,
    /// Below `/v1/`.
    pub(super) path: &'a str,
}

type Answer = Result<Value, Denied>;

impl Call<'_> {
    fn answer(&self, body: &[u8]) -> Response {
        let is_search = matches!(self.path, "customers/search" | "customers/archive/search");
        let used = self.shared.count(is_search);
        let mut response = match (&used, self.credentials()) {
            (Err(_), _) => error(
                429,
                json!({"code": "rate_limited", "message": "Too many requests", "meta": {}}),
            ),
            (_, Some(refused)) => refused,
            _ => match self.read(body) {
                Ok(mut answer) => {
                    tamper(&self.shared.faults, &mut answer, |item| {
                        let text = |name: &str| item[name].as_str().unwrap_or("").to_owned();
                        format!("{} {}:{};", self.path, text("type"), text("id"))
                    });
                    json_response(&answer)
                }
                Err(denied) => denied.response(),
            },
        };
        if let Some(left) = used.unwrap_or_else(Some) {
            set(&mut response, "x-ratelimit-limit", &left.limit.to_string());
            set(
                &mut response,
                "x-ratelimit-remaining",
                &left.remaining.to_string(),
            );
            set(
                &mut response,
                "x-ratelimit-reset",
                &left.reset.timestamp().to_string(),
            );
        }
        response
    }

    fn credentials(&self) -> Option<Response> {
        let options = &self.shared.options;
        let given = self
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        if given != Some(options.key.as_str()) {
            return Some(error(
                401,
                json!({"status": 401, "code": "unauthorized", "title": "Unauthorized"}),
            ));
        }
        options.key_expired.then(|| {
            error(
                401,
                json!({"status": 401, "code": "unauthorized", "title": "Expired token"}),
            )
        })
    }

    fn read(&self, body: &[u8]) -> Answer {
        let pieces: Vec<&str> = self.path.trim_end_matches('/').split('/').collect();
        if !roles::allowed(&self.shared.options.roles, &pieces, self.method) {
            return Err(Denied::Forbidden);
        }
        if *self.method == Method::POST {
            return match pieces[..] {
                ["customers", "search"] => search::answer(self, Index::Young, body),
                ["customers", "archive", "search"] => search::answer(self, Index::Archive, body),
                _ => Err(Denied::NotFound),
            };
        }
        if *self.method != Method::GET {
            return Err(Denied::Forbidden);
        }
        let desk = &self.shared.desk;
        match pieces[..] {
            ["orgs", "current"] => Ok(json!({"data": {
                "type": "org", "id": super::ids::id(Of::Org, 1),
                "attributes": {"name": desk.org, "displayName": desk.org}, "links": {"self": "/v1/orgs/current"},
            }})),
            ["auth", "tokens", "current"] => Ok(json!({"data": {
                "type": "token", "id": super::ids::id(Of::Org, 2),
                "attributes": {"name": "Migration", "roles": self.shared.options.roles, "lastTokenChars": "…key"},
            }})),
            ["users"] => self.users(),
            ["users", "current"] => Ok(json!({"data": {
                "type": "user", "id": super::ids::id(Of::Org, 3),
                "attributes": {"name": "Migration", "userType": "machine", "roles": self.shared.options.roles},
            }})),
            ["teams"] => self.listed(
                desk.lists.teams.iter().map(|team| render::team(desk, team)),
                500,
            ),
            ["tags"] => self.tags(),
            ["sub-statuses"] => {
                let own = desk.lists.statuses.iter();
                let own = own.filter(|status| status.kind == StatusKind::Custom);
                let all = own.map(|s| render::sub_status(s.id, &s.label, s.deleted));
                self.listed(all, 100)
            }
            ["klasses"] => self.klasses(),
            ["kb", "categories"] => {
                let categories = super::aside::categories(desk);
                self.listed(categories.into_iter(), 200)
            }
            ["kb", "articles"] => {
                let language = self.query.get("includeLang").map_or("en", String::as_str);
                let body = self
                    .query
                    .get("includeBody")
                    .is_some_and(|value| value == "true");
                let articles = super::aside::articles(desk, language, body);
                self.listed(articles.into_iter(), 500)
            }
            ["kb", "articles", article, "versions", language] => {
                let article = number(Of::Article, article).ok_or(Denied::NotFound)?;
                let all = super::aside::versions(desk, article, language);
                self.listed(all.ok_or(Denied::NotFound)?.into_iter(), 100)
            }
            ["slas"] => {
                let mut page = self.listed(super::aside::slas().into_iter(), 100)?;
                page["included"] = super::aside::sla_versions();
                Ok(page)
            }
            [..] if super::aside::configuration(desk, self.path).is_some() => {
                let rows = super::aside::configuration(desk, self.path).unwrap_or_default();
                self.listed(rows.into_iter(), 100)
            }
            ["media", id] => self.media(id),
            ["metadata", resource] => self.metadata(resource),
            ["customers"] => self.by_index(Context::Customer),
            ["companies"] => self.by_index(Context::Company),
            ["conversations"] => self.by_index(Context::Conversation),
            ["messages"] => self.by_index(Context::Message),
            ["notes"] => self.by_index(Context::Note),
            ["customers", id, "merges"] => self.merges(id),
            ["customers", id] => self.single(Context::Customer, Of::Customer, id),
            ["companies", id] => self.single(Context::Company, Of::Company, id),
            ["conversations", id] => self.single(Context::Conversation, Of::Conversation, id),
            ["conversations", id, "messages"] => self.messages(id),
            ["conversations", id, "notes"] => self.notes(id),
            ["conversations", id, "attachments"] => self.attachments(id),
            ["messages", message, "attachments", file] => self.attachment(message, file),
            ["postmark", "messages", id] => {
                let (_, row) = self.row(id)?;
                row.mail.as_ref().ok_or(Denied::NotFound)?;
                Ok(json!({"data": render::mail_record(&row)}))
            }
            _ => Err(Denied::NotFound),
        }
    }

    /// One page of a list that knows no totals.
    fn listed(&self, all: impl Iterator<Item = Value>, largest: usize) -> Answer {
        let number = |name: &str, usual: usize| match self.query.get(name) {
            None => Ok(usual),
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| Denied::bad(name)),
        };
        let (page, size) = (number("page", 1)?, number("pageSize", 100)?.min(largest));
        let mut rest = all.skip((page - 1) * size);
        let data: Vec<Value> = rest.by_ref().take(size).collect();
        let more = rest.next().is_some();
        let address = |page: usize| {
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            let mut kept: Vec<_> = self
                .query
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "page" | "pageSize"))
                .collect();
            kept.sort();
            pairs.extend_pairs(kept);
            pairs.append_pair("page", &page.to_string());
            pairs.append_pair("pageSize", &size.to_string());
            format!("/v1/{}?{}", self.path, pairs.finish())
        };
        let next = match self.shared.faults.take("standing-still", self.path) {
            true => Some(address(page)),
            false => more.then(|| address(page + 1)),
        };
        Ok(json!({
            "meta": {"page": page, "pageSize": size},
            "links": {"self": address(page), "first": address(1), "prev": (page > 1).then(|| address(page - 1)), "next": next},
            "data": data,
        }))
    }

    /// Active ones, or those that left.
    fn users(&self) -> Answer {
        let wants = |name: &str| self.query.get(name).is_some_and(|value| value == "true");
        if wants("pending") || self.query.contains_key("userType") {
            return self.listed(std::iter::empty(), 500);
        }
        let deleted = wants("deleted");
        let people = self.shared.desk.lists.people.iter();
        let staff =
            people.filter(|person| person.role != Role::Customer && person.enabled != deleted);
        self.listed(staff.map(render::user), 500)
    }

    fn tags(&self) -> Answer {
        if self
            .query
            .get("deleted")
            .is_some_and(|value| value == "true")
        {
            return self.listed(std::iter::empty(), 100);
        }
        let tags = self.shared.desk.world.tags();
        self.listed(tags.iter().map(render::tag), 100)
    }

    /// Those in use, or those that are not.
    fn klasses(&self) -> Answer {
        let status = self.query.get("status").map_or("enabled", String::as_str);
        let all = self.shared.desk.world.object_classes();
        let shown = all
            .iter()
            .filter(|class| super::klasses::status(class) == status)
            .filter(|class| !self.shared.faults.take("unlisted", class.name));
        self.listed(shown.map(super::klasses::klass), 100)
    }

    fn metadata(&self, resource: &str) -> Answer {
        if let Some(name) = resource.strip_prefix("kobject.") {
            let all = self.shared.desk.world.object_classes();
            let class = all.iter().find(|class| class.name == name);
            let properties = super::klasses::properties(class.ok_or(Denied::NotFound)?);
            return Ok(
                json!({"data": {"type": "metadata", "id": resource, "attributes": {"properties": properties},
                "links": {"self": format!("/v1/metadata/{resource}")}}}),
            );
        }
        let owner = match resource {
            "conversation" => Some(FieldOwner::Conversation),
            "customer" => Some(FieldOwner::Person),
            "company" => Some(FieldOwner::Company),
            "message" => None,
            _ => return Err(Denied::NotFound),
        };
        let world = &self.shared.desk.world;
        let properties = owner.map_or_else(|| json!({}), |owner| fields::properties(world, owner));
        Ok(
            json!({"data": {"type": "metadata", "id": resource, "attributes": {"properties": properties},
            "links": {"self": format!("/v1/metadata/{resource}")}}}),
        )
    }

    fn by_index(&self, context: Context) -> Answer {
        let desk = &self.shared.desk;
        let entries = desk.entries(context, <[_]>::to_vec);
        let shown = entries.iter().filter(|entry| !entry.deleted);
        self.listed(
            shown.filter_map(|entry| render::entry(desk, context, entry)),
            100,
        )
    }

    fn single(&self, context: Context, of: Of, id: &str) -> Answer {
        let desk = &self.shared.desk;
        let entry = number(of, id).and_then(|number| desk.entry(context, number));
        let entry = entry
            .filter(|entry| !entry.deleted)
            .ok_or(Denied::NotFound)?;
        let data = render::entry(desk, context, &entry).ok_or(Denied::NotFound)?;
        Ok(json!({"data": data}))
    }

    /// A picture of an article, with a fresh link to its bytes.
    fn media(&self, id: &str) -> Answer {
        let number = number(Of::Media, id).ok_or(Denied::NotFound)?;
        let picture = super::aside::picture(&self.shared.desk, number).ok_or(Denied::NotFound)?;
        Ok(json!({"data": {
            "type": "media", "id": id, "attributes": {"name": format!("{}.png", picture.token), "contentType": picture.media_type},
            "links": {"self": format!("/v1/media/{id}"), "related": link(self.shared, NO_MESSAGE, number)},
        }}))
    }

    /// The merges of a customer who is gone.
    fn merges(&self, id: &str) -> Answer {
        let desk = &self.shared.desk;
        let customer = number(Of::Customer, id).ok_or(Denied::NotFound)?;
        desk.entry(Context::Customer, customer)
            .ok_or(Denied::NotFound)?;
        let into = desk.merged_into(customer).into_iter();
        self.listed(into.map(|into| render::merge(customer, into)), 100)
    }

    fn conversation(&self, id: &str) -> Result<Conversation, Denied> {
        let desk = &self.shared.desk;
        let number = number(Of::Conversation, id).ok_or(Denied::NotFound)?;
        let entry = desk.entry(Context::Conversation, number);
        entry
            .filter(|entry| !entry.deleted)
            .ok_or(Denied::NotFound)?;
        desk.conversation(number).ok_or(Denied::NotFound)
    }

    fn row(&self, id: &str) -> Result<(Conversation, Message), Denied> {
        let number = number(Of::Message, id).ok_or(Denied::NotFound)?;
        self.shared.desk.message(number).ok_or(Denied::NotFound)
    }

    fn wants_files(&self) -> bool {
        self.query
            .get("include")
            .is_some_and(|value| value == "attachments")
    }

    fn messages(&self, id: &str) -> Answer {
        self.entries_of(id, Context::Message)
    }

    fn notes(&self, id: &str) -> Answer {
        self.entries_of(id, Context::Note)
    }

    /// The messages or notes of a conversation; with `include=attachments`, the files beside them.
    fn entries_of(&self, id: &str, context: Context) -> Answer {
        let conversation = self.conversation(id)?;
        let desk = &self.shared.desk;
        let files = self.wants_files();
        let is_note = |message: &Message| matches!(message.kind, MessageKind::Note { .. });
        let rows: Vec<&Message> = conversation
            .messages
            .iter()
            .filter(|message| is_note(message) == (context == Context::Note))
            .collect();
        let rendered = rows.iter().map(|row| {
            let at = row.sent.timestamp_millis();
            let entry = super::desk::Entry {
                updated: at,
                number: row.id,
                created: at,
                conversation: conversation.id,
                files: 0,
                deleted: false,
                rev: 1,
            };
            match context {
                Context::Note => render::note(
                    Some(&conversation),
                    conversation.requester,
                    row,
                    &entry,
                    files,
                ),
                _ => render::message(desk, &conversation, row, &entry, files),
            }
        });
        let mut page = self.listed(rendered, 100)?;
        if files {
            let shown: Vec<&str> = page["data"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|row| row["id"].as_str())
                .collect();
            let included: Vec<Value> = rows
                .iter()
                .filter(|row| shown.contains(&super::ids::id(Of::Message, row.id).as_str()))
                .flat_map(|row| {
                    row.files
                        .iter()
                        .map(|file| render::attachment(row, file, None))
                })
                .collect();
            page["included"] = included.into();
        }
        Ok(page)
    }

    fn attachments(&self, id: &str) -> Answer {
        let conversation = self.conversation(id)?;
        let all = conversation.messages.iter().flat_map(|row| {
            row.files.iter().map(|file| {
                let bytes = link(self.shared, row.id, file.id);
                render::attachment(row, file, Some(bytes))
            })
        });
        self.listed(all, 100)
    }

    fn attachment(&self, message: &str, file: &str) -> Answer {
        let (_, row) = self.row(message)?;
        let file = number(Of::Attachment, file)
            .and_then(|number| row.files.iter().find(|file| file.id == number))
            .ok_or(Denied::NotFound)?;
        let bytes = link(self.shared, row.id, file.id);
        Ok(json!({"data": render::attachment(&row, file, Some(bytes))}))
    }
}
