//! From a request to an answer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::{
    Denied, MESSAGES, PAGE, REPORTED, full, html_response, json_response, page_of, set, simple,
};
use super::desk::{Desk, Filter};
use super::held::{contacts, status};
use super::tickets::{Ink, find_contact};
use super::{Counted, Shared, clock, knowledge, people, reports, setup};
use crate::serve::RouteLabel;
use crate::tamper::tamper;
use crate::world::{Conversation, Person};

type Answer = Result<Value, Denied>;

pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let path = head.uri.path().to_owned();
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes())
            .into_owned()
            .collect();
    let (label, mut response) = if let Some(rest) = path.strip_prefix("/api/v2/") {
        let call = Call {
            shared: &shared,
            query: pairs.iter().cloned().collect(),
            pairs,
            path: rest.to_owned(),
        };
        (label(rest), call.answer(&head.method, &head.headers))
    } else if let Some(rest) = path.strip_prefix("/media/") {
        ("/media".to_owned(), media(&shared, rest))
    } else if let Some(rest) = path.strip_prefix("/rehearsal/") {
        ("/rehearsal".to_owned(), hook(&shared, &head.method, rest))
    } else {
        ("-".to_owned(), html_response(404, "Not Found"))
    };
    response.extensions_mut().insert(RouteLabel(label));
    response
}

/// The path with its numbers taken out.
fn label(path: &str) -> String {
    let pieces =
        path.split('/').map(
            |piece| match piece.bytes().all(|byte| byte.is_ascii_digit()) {
                true => "{id}",
                false => piece,
            },
        );
    format!("/api/v2/{}", pieces.collect::<Vec<_>>().join("/"))
}

/// `file/<message>/<file>` and `url/<token>`, for everybody.
fn media(shared: &Shared, rest: &str) -> Response {
    let desk = &shared.desk;
    let pieces: Vec<&str> = rest.split('/').collect();
    let found = match pieces[..] {
        ["file", message, file] => file_of(desk, message, file),
        ["url", token] => desk
            .world
            .image(token)
            .filter(|image| !image.lost)
            .map(|image| (image.content.bytes(), image.media_type)),
        _ => None,
    };
    match found {
        Some((bytes, kind)) => bytes_response(bytes, &kind),
        None => html_response(404, "Not Found"),
    }
}

fn file_of(desk: &Desk, message: &str, file: &str) -> Option<(Bytes, String)> {
    let (message, file): (u64, u64) = (message.parse().ok()?, file.parse().ok()?);
    let talk = desk.world.conversation_of_message(message)?;
    let message = talk.messages.iter().find(|one| one.id == message)?;
    let mut files = message.files.iter().filter(|one| !one.lost);
    let found = files.find(|one| one.id == file)?;
    Some((found.content.bytes(), found.media_type.clone()))
}

fn bytes_response(bytes: Bytes, kind: &str) -> Response {
    let mut response = Response::new(Body::from(bytes));
    set(&mut response, "content-type", kind);
    response
}

/// `POST /rehearsal/touch/{id}`, `/delete/{id}` and `/merge/{id}/{into}`, for a workspace in a process of its own.
fn hook(shared: &Shared, method: &Method, rest: &str) -> Response {
    let pieces: Vec<&str> = rest.split('/').collect();
    let ids: Vec<u64> = pieces
        .iter()
        .skip(1)
        .filter_map(|id| id.parse().ok())
        .collect();
    let desk = &shared.desk;
    let done = match (method, pieces[0], &ids[..]) {
        (&Method::POST, "touch", [id]) => desk.touch(*id, Utc::now()),
        (&Method::POST, "delete", [id]) => desk.delete(*id),
        (&Method::POST, "merge", [id, into]) => desk.merge(*id, *into, Utc::now()),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}

struct Call<'a> {
    shared: &'a Shared,
    query: HashMap<String, String>,
    /// All of them, for lists such as `channels[]`.
    pairs: Vec<(String, String)>,
    /// Below `/api/v2/`.
    path: String,
}

impl Call<'_> {
    fn answer(&self, method: &Method, headers: &HeaderMap) -> Response {
        let counted = self.shared.count();
        let mut response = self.judged(&counted, method, headers);
        let date = self.shared.now().to_rfc2822().replace("+0000", "GMT");
        set(&mut response, "date", &date);
        set(
            &mut response,
            "x-ratelimit-limit",
            &counted.limit.to_string(),
        );
        set(
            &mut response,
            "x-ratelimit-remaining",
            &counted.remaining.to_string(),
        );
        if let Some(wait) = counted.refused {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let reset = self.shared.now().timestamp() + i64::try_from(seconds).unwrap_or(60);
            set(&mut response, "x-ratelimit-reset", &reset.to_string());
            if self
                .shared
                .options
                .rate_limit
                .is_some_and(|limit| limit.retry_after)
            {
                set(&mut response, "retry-after", &seconds.to_string());
            }
        }
        response
    }

    fn judged(&self, counted: &Counted, method: &Method, headers: &HeaderMap) -> Response {
        if counted.refused.is_some() {
            let html = self
                .shared
                .options
                .rate_limit
                .is_some_and(|limit| limit.html);
            return match html {
                true => html_response(429, "Too Many Attempts."),
                false => json_response(429, &json!({"message": "Too Many Attempts."})),
            };
        }
        let token = self
            .shared
            .token
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let shown = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        if shown != Some(token.as_str()) {
            return json_response(401, &json!({"message": "Unauthenticated.", "errors": []}));
        }
        let json_wanted = headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|accept| accept.contains("json"));
        if !json_wanted {
            // As the framework does for browsers.
            return html_response(302, "Redirecting to /login");
        }
        if *method != Method::GET {
            return Denied::Method.response();
        }
        let pieces: Vec<&str> = self.path.split('/').collect();
        match self.read(&pieces) {
            Ok(mut body) => {
                tamper(&self.shared.faults, &mut body, |item| {
                    format!("{} id:{};", self.path, item["id"])
                });
                json_response(200, &body)
            }
            Err(denied) => denied.response(),
        }
    }

    fn read(&self, pieces: &[&str]) -> Answer {
        let desk = &self.shared.desk;
        let options = &self.shared.options;
        let ink = self.ink();
        let number = |text: &str| text.parse::<u64>().map_err(|_| Denied::NotFound);
        match pieces {
            ["users"] => {
                let rows = desk
                    .staff()
                    .map(|person| setup::user(person, options.agency));
                Ok(self.full(rows.collect()))
            }
            ["teams"] => Ok(self.full(setup::teams(desk))),
            ["teams", id] => single(setup::teams(desk), number(id)?),
            ["channels"] => {
                let seen = setup::channels(desk).into_iter();
                let hidden = |row: &Value| {
                    options
                        .hidden_channels
                        .iter()
                        .any(|id| row["id"] == json!(id))
                };
                Ok(self.full(seen.filter(|row| !hidden(row)).collect()))
            }
            ["labels"] => Ok(self.full(setup::labels(desk))),
            ["custom_fields"] => Ok(self.full(setup::custom_fields(desk))),
            ["ticket_results"] => Ok(self.full(setup::results(desk))),
            // The one list without an envelope.
            ["contact_groups"] => Ok(json!(setup::groups())),
            ["profiles"] => {
                let joined: Vec<&Person> =
                    desk.customers().filter(|p| people::is_joined(p)).collect();
                let with = !options.sparse_profiles;
                Ok(self.simple(&joined, PAGE, |person| people::profile(desk, person, with)))
            }
            ["profiles", id] => {
                let person = desk.person(number(id)?).filter(|p| people::is_joined(p));
                let person = person.ok_or(Denied::NotFound)?;
                Ok(people::profile(desk, person, true))
            }
            ["contacts"] => {
                let all: Vec<(&Person, u64, super::held::Way)> = desk
                    .customers()
                    .flat_map(|person| {
                        contacts(person)
                            .into_iter()
                            .map(move |(id, way)| (person, id, way))
                    })
                    .collect();
                Ok(self.simple(&all, PAGE, |(person, id, way)| {
                    people::contact(desk, person, *id, way)
                }))
            }
            ["contacts", id] => {
                let id = number(id)?;
                let (person, way) = find_contact(desk, id).ok_or(Denied::NotFound)?;
                Ok(people::contact_in_full(desk, person, id, &way))
            }
            ["tickets"] => self.tickets(&ink),
            ["tickets", id] => {
                let (talk, updated) = desk.ticket(number(id)?).ok_or(Denied::NotFound)?;
                Ok(ink.ticket(&talk, updated))
            }
            ["tickets", id, "messages"] => {
                let (talk, _) = desk.ticket(number(id)?).ok_or(Denied::NotFound)?;
                let mut order: Vec<usize> = (0..talk.messages.len()).collect();
                order.sort_by_key(|place| {
                    let message = &talk.messages[*place];
                    std::cmp::Reverse((message.sent, message.id))
                });
                Ok(self.simple(&order, MESSAGES, |place| {
                    ink.message(&talk, &talk.messages[*place])
                }))
            }
            ["tickets", id, "messages", message] => {
                let (talk, place) = self.message(number(id)?, number(message)?)?;
                Ok(ink.message(&talk, &talk.messages[place]))
            }
            ["tickets", id, "email_messages", message] => {
                let (talk, place) = self.message(number(id)?, number(message)?)?;
                ink.mail(&talk.messages[place]).ok_or(Denied::NotFound)
            }
            ["tickets", _, "notes"] => Err(Denied::Method),
            ["ticket_aggregates"] => {
                let counts = desk.counts();
                let count = |id: u64| counts.get(&id).copied().unwrap_or(0);
                Ok(json!({"all": {
                    "OPEN": count(status::OPEN), "ASSIGNED": count(status::ASSIGNED),
                    "CLOSED": count(status::CLOSED), "INVALID": count(status::INVALID),
                }}))
            }
            ["reporting", "details", "ticket"] => self.reported(),
            ["reporting", "agent_performance"] => {
                let (from, until) = self.span()?;
                Ok(self.full(reports::agents(desk, from, until)))
            }
            ["reporting", "metrics"] => {
                let (from, until) = self.span()?;
                let asked = self.pairs.iter().filter(|(name, _)| name == "metric[]");
                let asked: Vec<&str> = asked.map(|(_, value)| value.as_str()).collect();
                Ok(reports::metrics(desk, from, until, &asked))
            }
            ["help_center", rest @ ..] => self.help_centre(rest),
            ["quick_replies"] => {
                let kind = self.query.get("type").map(String::as_str);
                Ok(full(knowledge::quick_replies(kind), 1, 999, &self.here()))
            }
            ["webhooks"] => Ok(full(knowledge::webhooks(), 1, 999, &self.here())),
            ["wa_templates"] => Ok(self.full(knowledge::templates())),
            _ => Err(Denied::NotFound),
        }
    }

    fn ink(&self) -> Ink<'_> {
        Ink {
            desk: &self.shared.desk,
            base: self.shared.base(),
            agency: self.shared.options.agency,
        }
    }

    fn message(&self, ticket: u64, message: u64) -> Result<(Conversation, usize), Denied> {
        let (talk, _) = self.shared.desk.ticket(ticket).ok_or(Denied::NotFound)?;
        let place = talk.messages.iter().position(|one| one.id == message);
        Ok((talk, place.ok_or(Denied::NotFound)?))
    }

    fn here(&self) -> String {
        // The older host stands in links still.
        format!("https://app.trengo.eu/api/v2/{}", self.path)
    }

    /// The page asked for, and the one that is answered: a fault named `repeat-page` answers the page before.
    fn place(&self) -> (usize, usize) {
        let page = page_of(&self.query);
        let key = format!("{}?page={page}", self.path);
        let again = page > 1 && self.shared.faults.take("repeat-page", &key);
        (page, if again { page - 1 } else { page })
    }

    fn full(&self, rows: Vec<Value>) -> Value {
        full(rows, self.place().1, PAGE, &self.here())
    }

    fn simple<T>(&self, all: &[T], size: usize, write: impl Fn(&T) -> Value) -> Value {
        let (page, shown) = self.place();
        let begin = (shown - 1) * size;
        let rows: Vec<Value> = all.iter().skip(begin).take(size).map(write).collect();
        simple(rows, page, size, begin + size < all.len(), &self.here())
    }

    fn tickets(&self, ink: &Ink<'_>) -> Answer {
        let desk = &self.shared.desk;
        let told = |name: &str| {
            let ignored = self
                .shared
                .options
                .ignored_filters
                .iter()
                .any(|one| one == name);
            self.query.get(name).filter(|_| !ignored)
        };
        let status = match told("status").map(String::as_str) {
            None | Some("") => None,
            Some("OPEN") => Some(status::OPEN),
            Some("ASSIGNED") => Some(status::ASSIGNED),
            Some("CLOSED") => Some(status::CLOSED),
            Some("INVALID") => Some(status::INVALID),
            Some(_) => return Err(Denied::Invalid("status")),
        };
        let channels = self.pairs.iter().filter(|(name, _)| name == "channels[]");
        let filter = Filter {
            status,
            channels: channels.filter_map(|(_, id)| id.parse().ok()).collect(),
            updated_after: told("updated_at_gt").and_then(|text| clock::read(text)),
        };
        let (page, shown) = self.place();
        let (ids, more) = desk.listed(&filter, (shown - 1) * PAGE, PAGE);
        let rows: Vec<Value> = ids
            .iter()
            .filter_map(|id| desk.ticket(*id))
            .map(|(talk, updated)| ink.row(&talk, updated))
            .collect();
        Ok(simple(rows, page, PAGE, more, &self.here()))
    }

    fn help_centre(&self, pieces: &[&str]) -> Answer {
        let desk = &self.shared.desk;
        let number = |text: &str| text.parse::<u64>().map_err(|_| Denied::NotFound);
        let locale = self.query.get("localeCode").map_or("en", String::as_str);
        match pieces {
            [] => Ok(self.simple(&knowledge::centres(desk), PAGE, Value::clone)),
            [id] => single(knowledge::centres(desk), number(id)?),
            [id, "categories"] => {
                let rows = knowledge::categories(desk, number(id)?, locale);
                Ok(self.simple(&rows, PAGE, Value::clone))
            }
            [id, "articles"] => {
                let filter = self.query.get("filter").map(String::as_str);
                let rows = knowledge::listed(desk, number(id)?, locale, filter);
                Ok(self.simple(&rows, PAGE, Value::clone))
            }
            [id, "articles", article] => {
                let (id, article) = (number(id)?, number(article)?);
                knowledge::article(desk, self.shared.base(), id, article, locale)
                    .ok_or(Denied::NotFound)
            }
            [id, "blocks"] => Ok(self.simple(&knowledge::blocks(number(id)?), PAGE, Value::clone)),
            _ => Err(Denied::NotFound),
        }
    }

    fn reported(&self) -> Answer {
        if !self.shared.options.reporting {
            return Err(Denied::Forbidden);
        }
        let after = self.query.get("start_after_ticket_id");
        let after = after.map_or(Ok(0), |id| id.parse());
        let after = after.map_err(|_| Denied::Invalid("start_after_ticket_id"))?;
        let desk = &self.shared.desk;
        let ids = desk.ids_after(after, REPORTED);
        let rows: Vec<Value> = ids.iter().map(|id| reports::ticket(desk, *id)).collect();
        Ok(json!({"data": rows}))
    }

    /// From when until when: a pair, with an offset.
    fn span(&self) -> Result<(DateTime<Utc>, DateTime<Utc>), Denied> {
        if !self.shared.options.reporting {
            return Err(Denied::Forbidden);
        }
        let at = |name: &'static str| {
            let text = self.query.get(name).ok_or(Denied::Invalid(name))?;
            let at = DateTime::parse_from_rfc3339(text).map_err(|_| Denied::Invalid(name))?;
            Ok(at.to_utc())
        };
        Ok((at("start_date")?, at("end_date")?))
    }
}

fn single(rows: Vec<Value>, id: u64) -> Answer {
    let found = rows.into_iter().find(|row| row["id"] == json!(id));
    found.ok_or(Denied::NotFound)
}
