//! The plan on a web page of this machine: each line of the mapping with samples, proposals to take over, and the confirmation.
//!
//! It listens on loopback alone. Whoever wants to see it must know its token, which stands in its address; requests under
//! another host name, or from another page, are refused. The page has no script, and its content policy forbids any.

use std::collections::BTreeMap;
use std::io::Read;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use deskferry_core::mapped::{Change, MappedLine, Preview};
use deskferry_core::migration::Workspace;
use deskferry_core::model::Record;
use deskferry_core::owners::Undecided;
use deskferry_core::proposing::{Place, Proposed};
use deskferry_core::report::Discovery;
use deskferry_core::{Context, Error, ErrorKind, Result};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::App;
use super::choices::Choices;
use super::exit::Done;
use super::plan::{self, How};
use super::proposals::{self, Looked};
use super::verbs::Ends;

const TEMPLATE: &str = include_str!("pages/review.html");
const STYLE: &str = include_str!("pages/style.css");
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How many samples a line shows.
const SHOWN: usize = 3;

/// What the page is about.
pub(super) struct Review<'a> {
    pub(super) app: &'a App,
    pub(super) choices: &'a Choices,
    pub(super) ends: Ends,
    pub(super) found: &'a Discovery,
    pub(super) workspace: &'a Workspace,
    pub(super) undecided: Undecided,
    pub(super) how: &'a How,
}

/// What a browser asks for.
enum Asked {
    Page,
    Save(Vec<(String, String)>),
    Confirm(Vec<(String, String)>),
}

type Request = (Asked, oneshot::Sender<String>);

#[derive(Clone)]
struct Door {
    token: String,
    host: String,
    to: mpsc::Sender<Request>,
}

impl Review<'_> {
    /// Serves the page until the mapping is confirmed, or somebody stops it.
    #[expect(clippy::print_stdout, reason = "this is the program's own voice")]
    pub(super) async fn serve(mut self) -> Result<Done> {
        let failed = |e| Error::storage("show the plan", e);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(failed)?;
        let host = listener.local_addr().map_err(failed)?.to_string();
        let token = token()?;
        let (to, mut asked) = mpsc::channel::<Request>(4);
        println!(
            "\nreview: http://{host}/{token}/\nonly this machine can open it; Ctrl-C ends it without confirming"
        );
        let routes = Router::new()
            .route("/{token}/", get(page))
            .route("/{token}/style.css", get(style))
            .route("/{token}/save", post(save))
            .route("/{token}/confirm", post(confirm))
            .with_state(Door { token, host, to });
        let server = tokio::spawn(async move { axum::serve(listener, routes).await });
        let mut done = Done::Blocked(ErrorKind::Interactive);
        loop {
            let request = tokio::select! {
                request = asked.recv() => request,
                _ = tokio::signal::ctrl_c() => None,
            };
            let Some((asked, answer)) = request else {
                break;
            };
            let confirmed = matches!(asked, Asked::Confirm(_));
            let shown = match self.answer(asked).await {
                Ok((html, ends)) => (html, ends && confirmed),
                Err(error) => (self.page(&error.to_string(), true).await?, false),
            };
            // A browser that has gone gets nothing.
            let _ = answer.send(shown.0);
            if shown.1 {
                done = Done::Well;
                // The answer is on its way before the server ends.
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                break;
            }
        }
        server.abort();
        Ok(done)
    }

    async fn answer(&mut self, asked: Asked) -> Result<(String, bool)> {
        match asked {
            Asked::Page => Ok((self.page("", false).await?, false)),
            Asked::Save(form) => {
                let changes = self.save(&form).await?;
                let said = format!("Saved: {changes} changes. Look at them below, then confirm.");
                Ok((self.page(&said, false).await?, false))
            }
            Asked::Confirm(form) => {
                let name = form.iter().find(|(key, _)| key == "name");
                let name = name.map_or("", |(_, name)| name.trim());
                if name.is_empty() {
                    let said = "nobody said who confirms";
                    return Err(Error::new(ErrorKind::Config, "confirm the mapping", said));
                }
                super::confirm::keep(&Context::new(), self.workspace, name)?;
                let said =
                    format!("Confirmed by {name}. This page is closed; go on in the terminal.");
                Ok((self.page(&said, false).await?, true))
            }
        }
    }

    async fn looked(&self) -> Result<Looked> {
        let mapped = self.ends.sink.as_mapped();
        let (app, choices) = (self.app, self.choices);
        let cx = Context::new();
        proposals::look(
            &cx,
            app,
            choices,
            mapped,
            self.found,
            self.workspace,
            self.how,
        )
        .await
    }

    /// Writes what was ticked into the mapping, and makes the plan again. The mapping stays as it was when that fails.
    async fn save(&mut self, form: &[(String, String)]) -> Result<usize> {
        let looked = self.looked().await?;
        let Some(mapped) = self.ends.sink.as_mapped() else {
            return Ok(0);
        };
        let changes = changes(form, &looked, &mapped.lines())?;
        let path = self.workspace.mapping();
        let before = proposals::read(&path)?;
        let after = mapped.edited(&before, &changes)?;
        proposals::write(&path, &after)?;
        let folder = self.workspace.folder().to_owned();
        if let Err(error) = self.ends.renew(self.app, self.choices, &folder) {
            proposals::write(&path, &before)?;
            return Err(error);
        }
        let (app, choices, ends) = (self.app, self.choices, &self.ends);
        plan::make(
            app,
            choices,
            ends,
            self.found,
            self.workspace,
            self.undecided,
            self.how,
        )
        .await?;
        Ok(changes.len())
    }

    async fn page(&self, said: &str, is_error: bool) -> Result<String> {
        let looked = self.looked().await?;
        let cx = Context::new();
        let fits = match self.ends.sink.check(&cx).await {
            Ok(info) => format!("The mapping fits {} ({}).", info.name, info.id),
            Err(error) => error.to_string(),
        };
        let (previews, lines) = match self.ends.sink.as_mapped() {
            Some(mapped) => {
                let (before, after): (Vec<Record>, Vec<Record>) =
                    looked.samples.records.iter().cloned().unzip();
                let read = mapped.preview(&cx, &before).await?;
                let left = mapped.preview(&cx, &after).await?;
                (joined(read, left), mapped.lines())
            }
            None => (Vec::new(), Vec::new()),
        };
        super::page::render(
            "review.html",
            TEMPLATE,
            Page::of(
                self.found, &looked, &lines, &previews, said, is_error, &fits,
            ),
        )
    }
}

/// What the records said, with what the rows get after the transforms.
fn joined(read: Vec<Preview>, left: Vec<Preview>) -> Vec<Preview> {
    let place = |p: &Preview| (p.object.clone(), p.field.clone(), p.key.clone());
    let mut left: BTreeMap<_, Preview> = left.into_iter().map(|p| (place(&p), p)).collect();
    let mut out = Vec::with_capacity(read.len());
    for mut preview in read {
        match left.remove(&place(&preview)) {
            Some(after) => {
                preview.after = after.after;
                preview.note = after.note;
            }
            None => {
                preview.after = String::new();
                preview.note = "left out".to_owned();
            }
        }
        out.push(preview);
    }
    out
}

/// The changes that a form asks for: proposals that are ticked, under the names that stand there, and lines to be taken out.
fn changes(
    form: &[(String, String)],
    looked: &Looked,
    lines: &[MappedLine],
) -> Result<Vec<Change>> {
    let said = |key: String| form.iter().find(|(k, _)| *k == key).map(|(_, v)| v.trim());
    let mut wanted = Proposed::default();
    for (n, proposal) in looked.proposed.fields.iter().enumerate() {
        if said(format!("take-{n}")).is_none() {
            continue;
        }
        let mut proposal = proposal.clone();
        if let Some(name) = said(format!("name-{n}")).filter(|name| !name.is_empty()) {
            proposal.place = renamed(&proposal.place, name, looked, &proposal.object);
        }
        wanted.fields.push(proposal);
    }
    for (n, value) in looked.proposed.values.iter().enumerate() {
        if said(format!("take-value-{n}")).is_none() {
            continue;
        }
        let mut value = value.clone();
        if let Some(becomes) = said(format!("value-{n}")) {
            becomes.clone_into(&mut value.becomes);
        }
        wanted.values.push(value);
    }
    let (wanted, impossible) = wanted.checked(&looked.question);
    if impossible > 0 {
        return Err(Error::new(
            ErrorKind::Config,
            "change the mapping",
            format!(
                "{impossible} of the ticked lines cannot be: the target has no such field free, or no such value"
            ),
        ));
    }
    let mut changes = wanted.changes(0);
    for line in lines {
        if said(format!("remove-{}.{}", line.object, line.field)).is_some() {
            changes.push(Change::Remove {
                object: line.object.clone(),
                field: line.field.clone(),
            });
        }
    }
    Ok(changes)
}

/// The same proposal under the name that a person gave it.
fn renamed(place: &Place, name: &str, looked: &Looked, object: &str) -> Place {
    let there = looked
        .question
        .offers
        .iter()
        .find(|o| o.object == object && o.field.eq_ignore_ascii_case(name));
    match (there, place) {
        (Some(offer), _) => Place::Field(offer.field.clone()),
        (None, Place::New { field, .. }) => Place::New {
            name: name.to_owned(),
            field: field.clone(),
        },
        (None, _) => Place::Field(name.to_owned()),
    }
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    source: &'a str,
    proposer: &'a str,
    said: &'a str,
    is_error: bool,
    fits: &'a str,
    lines: Vec<ShownLine<'a>>,
    proposals: Vec<ShownProposal<'a>>,
    values: &'a [deskferry_core::proposing::ValueProposal],
    unfilled: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ShownLine<'a> {
    object: &'a str,
    field: &'a str,
    from: &'a str,
    samples: Vec<&'a Preview>,
}

#[derive(Debug, Serialize)]
struct ShownProposal<'a> {
    of: &'static str,
    field: &'a str,
    title: &'a str,
    used: u64,
    samples: &'a [String],
    object: &'a str,
    name: &'a str,
    new: bool,
    kept: bool,
    confidence: u8,
    reason: &'a str,
}

impl<'a> Page<'a> {
    fn of(
        found: &'a Discovery,
        looked: &'a Looked,
        lines: &'a [MappedLine],
        previews: &'a [Preview],
        said: &'a str,
        is_error: bool,
        fits: &'a str,
    ) -> Self {
        let of_line = |line: &'a MappedLine| {
            let here = |p: &&Preview| p.object == line.object && p.field == line.field;
            let mut samples: Vec<&Preview> = Vec::new();
            for preview in previews.iter().filter(here) {
                let known =
                    |s: &&Preview| (&s.before, &s.after) == (&preview.before, &preview.after);
                if samples.len() < SHOWN && !samples.iter().any(known) {
                    samples.push(preview);
                }
            }
            ShownLine {
                object: &line.object,
                field: &line.field,
                from: &line.from,
                samples,
            }
        };
        let proposals = looked.proposed.fields.iter().map(|p| {
            let asked = looked.question.fields.iter();
            let asked = asked.clone().find(|f| f.of == p.of && f.field == p.field);
            ShownProposal {
                of: p.of.name(),
                field: &p.field,
                title: asked.map_or("", |f| f.title.as_str()),
                used: asked.map_or(0, |f| f.used),
                samples: asked.map_or(&[], |f| f.samples.as_slice()),
                object: &p.object,
                name: p.place.field().unwrap_or_default(),
                new: matches!(p.place, Place::New { .. }),
                kept: p.place == Place::Kept,
                confidence: p.confidence,
                reason: &p.reason,
            }
        });
        let unfilled = looked.unfilled.iter();
        Self {
            source: &found.source,
            proposer: &looked.proposer,
            said,
            is_error,
            fits,
            lines: lines.iter().map(of_line).collect(),
            proposals: proposals.collect(),
            values: &looked.proposed.values,
            unfilled: unfilled
                .map(|o| format!("{}.{}", o.object, o.field))
                .collect(),
        }
    }
}

async fn page(State(door): State<Door>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    through(&door, &token, &headers, Asked::Page).await
}

async fn save(
    State(door): State<Door>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    through(&door, &token, &headers, Asked::Save(form)).await
}

async fn confirm(
    State(door): State<Door>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    through(&door, &token, &headers, Asked::Confirm(form)).await
}

async fn style(
    State(door): State<Door>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !door.lets_in(&token, &headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    guarded("text/css; charset=utf-8", STYLE.to_owned())
}

async fn through(door: &Door, token: &str, headers: &HeaderMap, asked: Asked) -> Response {
    if !door.lets_in(token, headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (answer, answered) = oneshot::channel();
    if door.to.send((asked, answer)).await.is_err() {
        return StatusCode::GONE.into_response();
    }
    match answered.await {
        Ok(html) => guarded("text/html; charset=utf-8", html),
        Err(_) => StatusCode::GONE.into_response(),
    }
}

fn guarded(kind: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

impl Door {
    /// Whether a request knows the token, means this address, and comes from no other page.
    fn lets_in(&self, token: &str, headers: &HeaderMap) -> bool {
        let text = |name: header::HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
        let own = format!("http://{}", self.host);
        same(token, &self.token)
            && text(header::HOST) == Some(&self.host)
            && text(header::ORIGIN).is_none_or(|origin| origin == own)
    }
}

/// In a time that says nothing of where they differ.
fn same(one: &str, other: &str) -> bool {
    let differ = one
        .bytes()
        .zip(other.bytes())
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differ == 0
}

/// 32 hex digits that nobody can guess.
fn token() -> Result<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|e| Error::storage("draw a token", e))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_token_and_means_this_address_comes_in() {
        let (to, _asked) = mpsc::channel(1);
        let door = Door {
            token: "abcd".into(),
            host: "127.0.0.1:8080".into(),
            to,
        };
        for (token, host, origin, comes_in) in [
            ("abcd", "127.0.0.1:8080", None, true),
            (
                "abcd",
                "127.0.0.1:8080",
                Some("http://127.0.0.1:8080"),
                true,
            ),
            ("abce", "127.0.0.1:8080", None, false),
            ("abc", "127.0.0.1:8080", None, false),
            ("abcd", "evil.example:8080", None, false),
            (
                "abcd",
                "127.0.0.1:8080",
                Some("https://evil.example"),
                false,
            ),
            ("abcd", "127.0.0.1:8080", Some("null"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(
                door.lets_in(token, &headers),
                comes_in,
                "{token} {host} {origin:?}"
            );
        }
        let (one, two) = (super::token().unwrap(), super::token().unwrap());
        assert!(one.len() == 32 && one != two);
    }
}
