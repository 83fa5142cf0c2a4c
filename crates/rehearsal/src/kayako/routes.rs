//! From a request to an answer.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::Utc;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{
    Denied, Place, address, all, error, json_response, one, page, place, refused, set,
};
use super::auth::Pass;
use super::case::message_of_original;
use super::include::{Fields, Include, reference};
use super::setup::{Ink, role_row, status_type};
use crate::fault::Action;
use crate::serve::RouteLabel;
use crate::world::{Conversation, FieldOwner, Message, MessageKind, Role};

/// Files leave in pieces of this size, without a length ahead.
const PIECE: usize = 64 * 1024;

pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let path = head.uri.path().to_owned();
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes())
            .into_owned()
            .collect();
    let base = shared.base(&head.headers);
    let (label, response) = if !shared.options.exists {
        ("no-such-instance".to_owned(), no_such_instance())
    } else if let Some(token) = path
        .strip_prefix("/media/url/")
        .or_else(|| path.strip_prefix("/base/media/url/"))
    {
        ("/media/url/{token}".to_owned(), media(&shared, token))
    } else if let Some(rest) = path.strip_prefix("/api/v1/") {
        let call = Call {
            shared: &shared,
            method: &head.method,
            headers: &head.headers,
            query: &query,
            base: &base,
            path: rest,
        };
        (label(rest), call.answer())
    } else if let Some(rest) = path.strip_prefix("/rehearsal/") {
        ("/rehearsal".to_owned(), hook(&shared, &head.method, rest))
    } else {
        (
            "-".to_owned(),
            (StatusCode::NOT_FOUND, "Not found").into_response(),
        )
    };
    let mut response = response;
    response.extensions_mut().insert(RouteLabel(label));
    response
}

/// The path with its numbers taken out.
fn label(path: &str) -> String {
    let pieces = path.trim_end_matches(".json").split('/').map(|piece| {
        if piece.bytes().all(|byte| byte.is_ascii_digit()) {
            "{id}"
        } else {
            piece
        }
    });
    format!("/api/v1/{}", pieces.collect::<Vec<_>>().join("/"))
}

fn no_such_instance() -> Response {
    let page = "<html><body><p>This helpdesk does not exist, or has a temporary problem.</p></body></html>";
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::from_u16(490).unwrap_or(StatusCode::NOT_FOUND);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// Pictures inside HTML need no login.
fn media(shared: &Shared, token: &str) -> Response {
    match shared.desk.world.image(token).filter(|image| !image.lost) {
        Some(image) => bytes_response(image.content.bytes(), &image.media_type, None),
        None => (StatusCode::NOT_FOUND, "Not found").into_response(),
    }
}

/// `POST /rehearsal/touch/{case}` and `POST /rehearsal/vanish/{case}`, for a helpdesk in a process of its own.
fn hook(shared: &Shared, method: &Method, rest: &str) -> Response {
    let (word, id) = rest.split_once('/').unwrap_or((rest, ""));
    let (&Method::POST, Ok(id)) = (method, id.parse()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let done = match word {
        "touch" => shared.desk.touch(id, Utc::now()),
        "vanish" => shared.desk.vanish(id),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}

fn bytes_response(bytes: Bytes, media_type: &str, name: Option<&str>) -> Response {
    let pieces: Vec<Result<Bytes, std::convert::Infallible>> = (0..bytes.len().div_ceil(PIECE))
        .map(|n| Ok(bytes.slice(n * PIECE..bytes.len().min((n + 1) * PIECE))))
        .collect();
    let mut response = Response::new(Body::from_stream(futures::stream::iter(pieces)));
    set(&mut response, "content-type", media_type);
    if let Some(name) = name {
        let plain: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_graphic() && c != '"' && c != '\\' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        set(
            &mut response,
            "content-disposition",
            &format!("attachment; filename=\"{plain}\""),
        );
        set(&mut response, "content-transfer-encoding", "binary");
    }
    response
}

struct Call<'a> {
    shared: &'a Shared,
    method: &'a Method,
    headers: &'a HeaderMap,
    query: &'a HashMap<String, String>,
    base: &'a str,
    /// Below `/api/v1/`.
    path: &'a str,
}

type Answer = Result<Value, Denied>;

impl Call<'_> {
    fn answer(&self) -> Response {
        if let Some(wait) = self.shared.over_limit() {
            let mut response = error(429, "RATE_LIMIT_REACHED", Vec::new());
            if let Some(seconds) = wait {
                set(&mut response, "retry-after", &seconds.to_string());
            }
            return response;
        }
        let accept = self
            .headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("*/*");
        let is_download = self.path.contains("/attachments/");
        if !is_download && !accept.contains("json") && !accept.contains("*/*") {
            return StatusCode::NOT_ACCEPTABLE.into_response();
        }
        let judged = self
            .shared
            .guard()
            .judge(&self.shared.options, self.headers, self.query);
        let pass = match judged {
            Ok(pass) => pass,
            Err(refusal) => return refused(refusal),
        };
        if *self.method != Method::GET
            && !(*self.method == Method::DELETE && self.path == "session")
        {
            return error(405, "METHOD_NOT_SUPPORTED", Vec::new());
        }
        let pieces: Vec<&str> = self.path.trim_end_matches(".json").split('/').collect();
        if let [
            "cases",
            case,
            "messages" | "notes",
            original,
            "attachments",
            file,
            "download" | "url",
        ] = pieces[..]
        {
            return self.download(case, original, file);
        }
        match self.read(&pieces, &pass) {
            Ok(mut body) => {
                self.tamper(&mut body);
                self.signed(body, &pass)
            }
            Err(denied) => denied.response(),
        }
    }

    /// A login is told its session, in the body and beside it.
    fn signed(&self, mut body: Value, pass: &Pass) -> Response {
        if let Some(session) = &pass.new_session {
            body["session_id"] = session.as_str().into();
        }
        let mut response = json_response(200, &body);
        if pass.new_session.is_some()
            && self
                .headers
                .get("x-csrf")
                .is_none_or(|value| value != "false")
        {
            set(&mut response, "x-csrf-token", "csrf-of-this-session");
        }
        response
    }

    fn read(&self, pieces: &[&str], pass: &Pass) -> Answer {
        let include = Include::parse(self.query.get("include").map(String::as_str));
        let fields = Fields::parse(self.query.get("fields").map(String::as_str));
        let desk = &self.shared.desk;
        let ink = Ink {
            world: &desk.world,
            include: &include,
            identities: &desk.identities,
            base: self.base,
        };
        let lists = desk.world.lists();
        let number = |text: &str| text.parse::<u64>().map_err(|_| Denied::NotFound);
        match pieces {
            ["session"] => Ok(self.session(pass)),
            ["me"] => self.me(&ink),
            ["settings"] => self.for_admins().map(|()| all("setting", self.settings())),
            ["locales"] => Ok(all("locale", locales())),
            ["brands"] => self
                .for_admins()
                .and_then(|()| self.list("brand", &[self.brand()], Clone::clone)),
            ["mailboxes"] => self.for_admins().and_then(|()| {
                self.list("mailbox", &lists.mailboxes, |mailbox| ink.mailbox(mailbox))
            }),
            ["roles"] => self.list("role", &ROLES, |role| ink.role(*role)),
            ["teams"] => self.list("team", &lists.teams, |team| ink.team(team)),
            ["organizations"] => {
                let newest_first: Vec<_> = lists.companies.iter().rev().collect();
                self.list("organization", &newest_first, |company| {
                    ink.organization(company)
                })
            }
            ["organizations", "fields"] => Ok(all(
                "organization_field",
                field_list(&ink, FieldOwner::Company),
            )),
            ["organizations", id] => {
                let company = desk.world.company(number(id)?).ok_or(Denied::NotFound)?;
                Ok(one("organization", ink.organization(company)))
            }
            ["users"] => {
                let newest_first: Vec<_> = lists.people.iter().rev().collect();
                self.list("user", &newest_first, |person| {
                    fields.apply(ink.user(person))
                })
            }
            ["users", "fields"] => Ok(all("user_field", field_list(&ink, FieldOwner::Person))),
            ["users", id] => {
                let person = desk.world.person(number(id)?).ok_or(Denied::NotFound)?;
                Ok(one("user", ink.user(person)))
            }
            ["cases", "fields"] => {
                let mut rows = ink.system_fields();
                rows.extend(field_list(&ink, FieldOwner::Conversation));
                Ok(all("case_field", rows))
            }
            ["cases", "statuses"] => {
                self.list("case_status", &lists.statuses, |status| ink.status(status))
            }
            ["cases", "priorities"] => self.list("case_priority", &lists.priorities, |priority| {
                ink.priority(priority)
            }),
            ["cases", "types"] => self.list("case_type", &lists.case_types, |case_type| {
                ink.case_type(case_type)
            }),
            ["cases", "forms"] => self.list("case_form", &[(); 0], |()| Value::Null),
            ["cases"] => self.cases(&ink, &fields),
            ["cases", "posts", id] => {
                let (case, message) = desk.message(number(id)?).ok_or(Denied::NotFound)?;
                Ok(one("post", ink.post(&case, &message)))
            }
            ["cases", "posts", id, "email_original"] => {
                let (_, message) = desk.message(number(id)?).ok_or(Denied::NotFound)?;
                ink.email_original(&message)
                    .map(|original| one("email_original", original))
                    .ok_or(Denied::NotFound)
            }
            ["cases", id] => {
                let (case, updated) = desk.case(number(id)?).ok_or(Denied::NotFound)?;
                Ok(one("case", ink.case(&case, updated, &fields)))
            }
            ["cases", id, "posts"] => {
                let (case, _) = desk.case(number(id)?).ok_or(Denied::NotFound)?;
                self.posts(&ink, &case)
            }
            _ => Err(Denied::NotFound),
        }
    }

    fn here(&self) -> String {
        format!("{}/api/v1/{}", self.base, self.path)
    }

    fn list<T>(&self, kind: &str, rows: &[T], render: impl Fn(&T) -> Value) -> Answer {
        let place = self.repeated(place(self.query)?);
        let items = rows
            .iter()
            .skip(place.1)
            .take(place.0.limit)
            .map(render)
            .collect();
        Ok(page(
            kind,
            items,
            rows.len(),
            &place.0,
            &self.here(),
            self.query,
        ))
    }

    /// The place asked for, and the one that is answered: a fault named `repeat-page` answers the page before.
    fn repeated(&self, place: Place) -> (Place, usize) {
        let again = place.offset > 0
            && self.shared.faults.take(
                "repeat-page",
                &format!("{}?offset={}", self.path, place.offset),
            );
        let begin = if again {
            place.offset.saturating_sub(place.limit)
        } else {
            place.offset
        };
        (place, begin)
    }

    fn cases(&self, ink: &Ink<'_>, fields: &Fields) -> Answer {
        let desk = &self.shared.desk;
        let (place, begin) = self.repeated(place(self.query)?);
        let (shown, total) = match self.chosen()? {
            None => desk.listed_part(begin, place.limit),
            Some(ids) => (
                ids.iter().skip(begin).take(place.limit).copied().collect(),
                ids.len(),
            ),
        };
        let cases = shown.iter().filter_map(|id| desk.case(*id));
        let items = cases.map(|(case, updated)| ink.case(&case, updated, fields));
        Ok(page(
            "case",
            items.collect(),
            total,
            &place,
            &self.here(),
            self.query,
        ))
    }

    /// The cases that the arguments choose, if they choose.
    fn chosen(&self) -> Result<Option<Vec<u64>>, Denied> {
        let desk = &self.shared.desk;
        if !self.query.contains_key("ids") && !self.query.contains_key("status") {
            return Ok(None);
        }
        let mut ids = desk.listed();
        if let Some(wanted) = self.query.get("ids") {
            let wanted = wanted.split(',').map(|id| id.trim().parse());
            let wanted: Vec<u64> = wanted
                .collect::<Result<_, _>>()
                .map_err(|_| Denied::field("ids"))?;
            ids.retain(|id| wanted.contains(id));
        } else if let Some(wanted) = self.query.get("status") {
            let wanted: Vec<&str> = wanted.split(',').collect();
            let kind = |id: u64| {
                let (case, _) = desk.case(id)?;
                desk.world
                    .status(case.status)
                    .map(|status| status_type(status.kind))
            };
            ids.retain(|id| kind(*id).is_some_and(|kind| wanted.contains(&kind)));
        }
        Ok(Some(ids))
    }

    /// Newest first; `after_id` walks to older ones, `before_id` to newer ones.
    fn posts(&self, ink: &Ink<'_>, case: &Conversation) -> Answer {
        let limit = place(self.query)?.limit;
        let wanted = self.query.get("filters").map_or("ALL", String::as_str);
        let mut posts: Vec<&Message> = case
            .messages
            .iter()
            .filter(|message| is_wanted(message, wanted))
            .collect();
        posts.sort_by_key(|message| std::cmp::Reverse((message.sent, message.id)));
        let find = |name: &str, id: &str| {
            let id: u64 = id.parse().map_err(|_| Denied::field(name))?;
            posts
                .iter()
                .position(|message| message.id == id)
                .ok_or_else(|| Denied::field(name))
        };
        let (begin, end) = match (
            self.query.get("after_id"),
            self.query.get("before_id").map(String::as_str),
        ) {
            (Some(_), Some(_)) => return Err(Denied::field("before_id")),
            (Some(id), None) => {
                let again = self
                    .shared
                    .faults
                    .take("repeat-page", &format!("{}?after_id={id}", self.path));
                let begin = find("after_id", id)? + 1;
                let begin = if again {
                    begin.saturating_sub(limit)
                } else {
                    begin
                };
                (begin, posts.len().min(begin + limit))
            }
            (None, Some("0")) => (posts.len().saturating_sub(limit), posts.len()),
            (None, Some(id)) => {
                let end = find("before_id", id)?;
                (end.saturating_sub(limit), end)
            }
            (None, None) => (0, posts.len().min(limit)),
        };
        let items: Vec<_> = posts[begin..end]
            .iter()
            .map(|message| ink.post(case, message))
            .collect();
        let mut body = json!({"status": 200, "data": items, "resource": "post", "limit": limit, "total_count": posts.len()});
        if end < posts.len()
            && let Some(last) = posts[begin..end].last()
        {
            body["next_url"] = address(
                &self.here(),
                self.query,
                &[
                    ("after_id", &last.id.to_string()),
                    ("limit", &limit.to_string()),
                ],
            )
            .into();
        }
        Ok(body)
    }

    fn download(&self, case: &str, original: &str, file: &str) -> Response {
        let found = || {
            let message = message_of_original(original.parse().ok()?)?;
            let (owner, message) = self.shared.desk.message(message)?;
            let id: u64 = file.parse().ok()?;
            let file = message
                .files
                .into_iter()
                .find(|file| file.id == id && !file.lost)?;
            (owner.id.to_string() == case).then_some(file)
        };
        match found() {
            Some(file) => bytes_response(
                file.content.bytes(),
                &file.media_type,
                Some(file.name.as_deref().unwrap_or("")),
            ),
            None => Denied::NotFound.response(),
        }
    }

    fn session(&self, pass: &Pass) -> Value {
        if *self.method == Method::DELETE {
            self.shared.guard().end(&pass.session);
            return json!({"status": 200});
        }
        let now = super::setup::time(Utc::now());
        one(
            "session",
            json!({
                "id": pass.session, "ip_address": "127.0.0.1", "user_agent": "", "portal": "API", "status": "ONLINE",
                "user": reference("user", self.account()), "instance_name": self.shared.desk.instance,
                "created_at": now, "last_activity_at": now, "resource_type": "session",
            }),
        )
    }

    /// The account that logs in is the first member of staff, in the role that the options give.
    fn account(&self) -> u64 {
        self.shared
            .desk
            .world
            .lists()
            .people
            .first()
            .map_or(1, |person| person.id)
    }

    fn me(&self, ink: &Ink<'_>) -> Answer {
        let person = self
            .shared
            .desk
            .world
            .person(self.account())
            .ok_or(Denied::NotFound)?;
        let mut me = ink.user(person);
        let (id, _, _) = role_row(self.shared.options.role);
        me["role"] = if ink.include.has("role") {
            ink.role(self.shared.options.role)
        } else {
            reference("role", id)
        };
        Ok(one("user", me))
    }

    fn for_admins(&self) -> Result<(), Denied> {
        match self.shared.options.role {
            Role::Owner | Role::Admin => Ok(()),
            _ => Err(Denied::Permissions),
        }
    }

    fn brand(&self) -> Value {
        json!({
            "id": 1, "name": self.shared.desk.instance, "sub_domain": self.shared.desk.instance, "domain": null, "alias": null,
            "locale": {"id": 2, "resource_type": "locale"}, "is_ssl_enabled": true, "is_default": true, "is_enabled": true, "resource_type": "brand",
        })
    }

    /// Among them one that nobody should log.
    fn settings(&self) -> Vec<Value> {
        let rows = [
            ("account", "default_language", "en-us", false),
            ("account", "timezone", "Europe/Vienna", false),
            ("agent", "session_expiry", "16", false),
            ("email", "smtp_password", "hunter2-of-the-mail-server", true),
        ];
        let wanted = self.query.get("category");
        let shown = rows
            .iter()
            .zip(1..)
            .filter(|((category, ..), _)| wanted.is_none_or(|wanted| wanted == category));
        shown
            .map(|((category, name, value, protected), id)| {
                json!({"id": id, "category": category, "name": name, "is_protected": protected, "value": value, "resource_type": "setting"})
            })
            .collect()
    }

    /// Faults named `null:<pointer>` and `set:<pointer>=<text>` change items of answers. The key of an item is its type and
    /// id with a semicolon, such as `case:12;`.
    fn tamper(&self, body: &mut Value) {
        let names: Vec<String> = self
            .shared
            .faults
            .rules()
            .into_iter()
            .filter_map(|rule| match rule.action {
                Action::Named { name } if name.starts_with("null:") || name.starts_with("set:") => {
                    Some(name)
                }
                _ => None,
            })
            .collect();
        if names.is_empty() {
            return;
        }
        let items = match &mut body["data"] {
            Value::Array(items) => items.iter_mut().collect(),
            item => vec![item],
        };
        for item in items {
            let key = format!(
                "{}:{};",
                item["resource_type"].as_str().unwrap_or(""),
                item["id"]
            );
            for name in &names {
                let (pointer, value) = match name
                    .strip_prefix("set:")
                    .and_then(|rest| rest.split_once('='))
                {
                    Some((pointer, text)) => (pointer, Value::from(text)),
                    None => (name.trim_start_matches("null:"), Value::Null),
                };
                if let Some(place) = item.pointer_mut(pointer)
                    && self.shared.faults.take(name, &key)
                {
                    *place = value;
                }
            }
        }
    }
}

const ROLES: [Role; 5] = [
    Role::Admin,
    Role::Agent,
    Role::Collaborator,
    Role::Customer,
    Role::Owner,
];

fn field_list(ink: &Ink<'_>, owner: FieldOwner) -> Vec<Value> {
    ink.world
        .lists()
        .fields
        .iter()
        .filter(|field| field.owner == owner)
        .map(|field| ink.field(field))
        .collect()
}

fn locales() -> Vec<Value> {
    [(1, "de", "German"), (2, "en-us", "English")]
        .iter()
        .map(|(id, locale, name)| json!({"id": id, "locale": locale, "name": name, "native_name": name, "direction": "LTR", "is_public": true, "resource_type": "locale"}))
        .collect()
}

fn is_wanted(message: &Message, filters: &str) -> bool {
    let own = match message.kind {
        MessageKind::Mail | MessageKind::HelpCentre => "MESSAGES",
        MessageKind::Note { .. } => "NOTES",
        MessageKind::Chat => "CHAT_MESSAGES",
        MessageKind::Tweet => "TWEETS",
        MessageKind::Facebook => "FACEBOOK_MESSAGES",
        MessageKind::Other { .. } => "",
    };
    filters
        .split(',')
        .any(|filter| filter == "ALL" || filter == own)
}
