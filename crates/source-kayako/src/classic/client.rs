//! Classic's REST interface: one function per endpoint (Kayako reference, section 19).

use std::fmt;

use chrono::{DateTime, Utc};
use deskferry_core::http::{self, Limit, Request, Response, RetryPolicy, StreamResponse};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, Result};
use futures::StreamExt as _;

use super::PLATFORM;
use super::sign::Signer;
use super::xml::{Document, ticket_ids};
use crate::config::{ClassicConfig, Rate};
use crate::wire::Defect;

/// The pace begins here: Classic runs on whatever machine its owner has.
const FIRST_RATE: u32 = 60;
/// Tickets per page of their list.
pub(crate) const TICKETS: u64 = 250;
/// Users per page of theirs: what Classic gives by itself.
pub(crate) const USERS: u64 = 1_000;
/// A ticket comes with all its posts at once.
const LARGEST: usize = 256 * 1024 * 1024;
/// Clocks may differ so much before it is worth a word.
const CLOCKS_AGREE: i64 = 120;

const PROBE: &str = "find out what answers at this address";

/// Lists that are read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    Departments,
    Staff,
    StaffGroups,
    UserGroups,
    Organizations,
    Statuses,
    Priorities,
    Types,
    Fields,
    Categories,
    Articles,
}

impl Whole {
    /// Its address, its rows, and what is being done.
    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Departments => ("/Base/Department", "department", "list departments"),
            Self::Staff => ("/Base/Staff", "staff", "list staff"),
            Self::StaffGroups => ("/Base/StaffGroup", "staffgroup", "list groups of staff"),
            Self::UserGroups => ("/Base/UserGroup", "usergroup", "list groups of users"),
            Self::Organizations => (
                "/Base/UserOrganization",
                "userorganization",
                "list organizations",
            ),
            Self::Statuses => ("/Tickets/TicketStatus", "ticketstatus", "list statuses"),
            Self::Priorities => (
                "/Tickets/TicketPriority",
                "ticketpriority",
                "list priorities",
            ),
            Self::Types => ("/Tickets/TicketType", "tickettype", "list types"),
            Self::Fields => ("/Base/CustomField", "customfield", "list custom fields"),
            Self::Categories => (
                "/Knowledgebase/Category",
                "kbcategory",
                "list categories of the knowledge base",
            ),
            Self::Articles => (
                "/Knowledgebase/Article",
                "kbarticle",
                "list articles of the knowledge base",
            ),
        }
    }

    /// The name of its rows.
    pub(crate) fn row(self) -> &'static str {
        self.parts().1
    }

    /// What reading it is called.
    pub(crate) fn operation(self) -> &'static str {
        self.parts().2
    }
}

/// A whole answer and the server's clock.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) document: Document,
    pub(crate) at: Option<DateTime<Utc>>,
}

/// A page of the list of tickets: only their numbers and when each was last active.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    pub(crate) rows: Vec<(u64, Option<DateTime<Utc>>)>,
    pub(crate) at: Option<DateTime<Utc>>,
    /// What was wrong with the page, where only the numbers could be read.
    pub(crate) broken: Option<String>,
}

/// In which order tickets are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By number, lowest first.
    Number,
    /// By their last activity, latest first.
    Activity,
}

pub(crate) struct Client {
    http: http::Client,
    root: String,
    signer: Signer,
}

impl Client {
    pub(crate) fn new(config: &ClassicConfig, retry: RetryPolicy) -> Result<Self> {
        let limit = match config.rate() {
            Rate::Adaptive => Limit::adaptive(FIRST_RATE),
            Rate::AtMost(requests) => Limit::per_minute(requests),
        }
        .concurrent(config.parallel().saturating_mul(2));
        let mut builder = http::Client::builder(PLATFORM, &format!("{}/api", config.url()))
            .allow_plain_http(config.allow_plain_http())
            .limit(limit)
            .max_body(LARGEST)
            .retry(retry);
        if let Some(pem) = config.root_certificate() {
            builder = builder.root_certificate(pem);
        }
        let (key, secret) = config.keys();
        Ok(Self {
            http: builder.build()?,
            root: config.url().to_owned(),
            signer: Signer::new(key, secret),
        })
    }

    fn request(&self, endpoint: &'static str, place: &str, about: Option<RecordKey>) -> Request {
        let request = Request::get(endpoint, "index.php").query("e", place);
        match about {
            Some(about) => request.about(about),
            None => request,
        }
    }

    async fn call(
        &self,
        cx: &Context,
        operation: &'static str,
        request: Request,
    ) -> Result<Response> {
        let request = self.signer.sign(request.operation(operation))?;
        let response = self.http.send(cx, request).await?;
        if response.is_success() {
            return Ok(response);
        }
        Err(refusal(cx, operation, &response))
    }

    async fn answer(
        &self,
        cx: &Context,
        operation: &'static str,
        request: Request,
    ) -> Result<Answer> {
        let response = self.call(cx, operation, request).await?;
        let document = Document::parse(&response.body)
            .map_err(|defect| unread(operation, &response, defect))?;
        Ok(Answer {
            document,
            at: clock(&response),
        })
    }

    /// `/Core/TestAPI`: whether a Classic is there, and lets us in.
    pub(crate) async fn probe(&self, cx: &Context) -> Result<Option<DateTime<Utc>>> {
        let request = self
            .signer
            .sign(self.request("test", "/Core/TestAPI", None).operation(PROBE))?;
        let response = self.http.send(cx, request).await?;
        if response.header("x-api-version").is_some() {
            return Err(other_edition(&self.root));
        }
        match response.status {
            200..=299 => {
                needed(cx, "probe", 0.0);
                Ok(clock(&response))
            }
            404 | 410 if self.is_cloud(cx).await => Err(other_edition(&self.root)),
            404 | 410 => Err(Error::new(
                ErrorKind::NoSuchInstance,
                PROBE,
                "something answers, but no Kayako Classic with its REST interface",
            )
            .with("address", &self.root)
            .with("status", response.status)
            .advise("Check the address, with the path below which the helpdesk is installed, and that the REST interface is switched on (Admin Control Panel, REST API)")),
            _ => Err(refusal(cx, PROBE, &response)),
        }
    }

    /// Whether the cloud answers at this address; asked without the key.
    async fn is_cloud(&self, cx: &Context) -> bool {
        let request = Request::get("cloud", format!("{}/api/v1/teams", self.root)).operation(PROBE);
        let answer = self.http.send(cx, request).await;
        answer.is_ok_and(|answer| answer.header("x-api-version").is_some())
    }

    /// A list that is read whole.
    pub(crate) async fn whole(&self, cx: &Context, list: Whole) -> Result<Answer> {
        let (place, row, operation) = list.parts();
        let answer = self
            .answer(cx, operation, self.request(row, place, None))
            .await;
        let answer = match answer {
            // Versions differ in what gives the whole tree.
            Err(error) if list == Whole::Categories && is_absent(&error) => {
                let request = self.request(row, "/Knowledgebase/Category/GetList", None);
                self.answer(cx, operation, request).await?
            }
            answer => answer?,
        };
        needed(cx, row, 0.0);
        Ok(answer)
    }

    /// The texts of a field's options.
    pub(crate) async fn options(&self, cx: &Context, field: u64) -> Result<Answer> {
        let request = self.request(
            "options",
            &format!("/Base/CustomField/ListOptions/{field}"),
            None,
        );
        let answer = self
            .answer(cx, "list the options of a custom field", request)
            .await;
        needed(cx, "options", 1.0);
        answer
    }

    /// A page of users from this number on.
    pub(crate) async fn users(&self, cx: &Context, from: u64) -> Result<Answer> {
        let place = format!("/Base/User/Filter/{from}/{USERS}");
        self.answer(cx, "list users", self.request("users", &place, None))
            .await
    }

    /// A page of the tickets of these departments.
    pub(crate) async fn tickets(
        &self,
        cx: &Context,
        departments: &[u64],
        start: u64,
        order: Order,
    ) -> Result<Tickets> {
        const LIST: &str = "list tickets";
        let departments: Vec<String> = departments.iter().map(u64::to_string).collect();
        let order = match order {
            Order::Number => "ticketid/ASC",
            Order::Activity => "lastactivity/DESC",
        };
        let place = format!(
            "/Tickets/Ticket/ListAll/{}/-1/-1/-1/{TICKETS}/{start}/{order}",
            departments.join(",")
        );
        let response = self
            .call(cx, LIST, self.request("tickets", &place, None))
            .await?;
        let at = clock(&response);
        match Document::parse(&response.body) {
            Ok(document) => {
                let rows = document.rows("ticket").into_iter();
                let rows =
                    rows.filter_map(|row| Some((row.reference("id")?, row.time("lastactivity"))));
                Ok(Tickets {
                    rows: rows.collect(),
                    at,
                    broken: None,
                })
            }
            Err(defect) => {
                let ids = ticket_ids(&response.body);
                if ids.is_empty() {
                    return Err(unread(LIST, &response, defect));
                }
                Ok(Tickets {
                    rows: ids.into_iter().map(|id| (id, None)).collect(),
                    at,
                    broken: Some(format!("{}: {}", defect.path, defect.reason)),
                })
            }
        }
    }

    /// A ticket as it came, with its posts and notes; none when it is gone.
    pub(crate) async fn ticket(
        &self,
        cx: &Context,
        id: u64,
        about: RecordKey,
    ) -> Result<Option<Response>> {
        let request = self.request(
            "ticket",
            &format!("/Tickets/Ticket/{id}/"),
            Some(about.clone()),
        );
        let answer = self.call(cx, "read a ticket", request).await;
        needed(cx, "ticket", 1.0);
        found(answer).map_err(|error| error.of(about))
    }

    /// The posts of a ticket that came without them.
    pub(crate) async fn posts(&self, cx: &Context, id: u64, about: RecordKey) -> Result<Answer> {
        let place = format!("/Tickets/TicketPost/ListAll/{id}");
        let request = self.request("posts", &place, Some(about));
        self.answer(cx, "list the posts of a ticket", request).await
    }

    /// The values of a ticket's custom fields; none where there are none to be had.
    pub(crate) async fn values(
        &self,
        cx: &Context,
        id: u64,
        about: RecordKey,
    ) -> Result<Option<Answer>> {
        let place = format!("/Tickets/TicketCustomField/{id}");
        let request = self.request("values", &place, Some(about));
        let answer = self
            .answer(cx, "read the custom fields of a ticket", request)
            .await;
        needed(cx, "values", 1.0);
        found(answer)
    }

    /// The files of a ticket, without their bytes.
    pub(crate) async fn files(
        &self,
        cx: &Context,
        id: u64,
        about: RecordKey,
    ) -> Result<Option<Answer>> {
        let place = format!("/Tickets/TicketAttachment/ListAll/{id}");
        let request = self.request("files", &place, Some(about));
        let answer = self
            .answer(cx, "list the attachments of a ticket", request)
            .await;
        needed(cx, "files", 1.0);
        found(answer)
    }

    /// The files of an article, without their bytes.
    pub(crate) async fn article_files(
        &self,
        cx: &Context,
        id: u64,
        about: RecordKey,
    ) -> Result<Option<Answer>> {
        let place = format!("/Knowledgebase/Attachment/ListAll/{id}");
        let request = self.request("article-files", &place, Some(about));
        let answer = self
            .answer(cx, "list the attachments of an article", request)
            .await;
        needed(cx, "article-files", 1.0);
        found(answer)
    }

    /// The answer that holds a file's bytes.
    pub(crate) async fn file(
        &self,
        cx: &Context,
        place: &str,
        about: RecordKey,
    ) -> Result<StreamResponse> {
        const READ: &str = "download an attachment";
        let request = self.request("file", place, Some(about.clone()));
        let request = self.signer.sign(request.operation(READ))?;
        let answer = self.http.stream(cx, request).await?;
        if answer.is_success() {
            return Ok(answer);
        }
        let (status, headers, mut stream) = (answer.status, answer.headers, answer.body);
        let mut body = Vec::new();
        while let Some(Ok(piece)) = stream.next().await {
            body.extend_from_slice(&piece);
            if body.len() > 64 * 1024 {
                break;
            }
        }
        Err(refusal(cx, READ, &Response::new(status, headers, body)).of(about))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

fn other_edition(root: &str) -> Error {
    Error::new(
        ErrorKind::NoSuchInstance,
        PROBE,
        "Kayako in the cloud answers here, not Kayako Classic",
    )
    .with("address", root)
    .advise("Take the REST key out of the configuration, and give the e-mail address and password of an administrator")
}

/// Work was done that takes this share of a request, at least one for all of its sort.
pub(crate) fn needed(cx: &Context, lot: &'static str, share: f64) {
    cx.meter().needed(PLATFORM, lot, share);
}

/// The server's clock.
fn clock(response: &Response) -> Option<DateTime<Utc>> {
    let told = response.header("date")?;
    Some(DateTime::parse_from_rfc2822(told).ok()?.to_utc())
}

fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a list is not there, or not for us: what else is there can be read all the same.
pub(crate) fn is_absent(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Refused
    )
}

/// The error that an answer means. Classic has no codes, only a status and a sentence.
fn refusal(cx: &Context, operation: &'static str, response: &Response) -> Error {
    let said = String::from_utf8_lossy(&response.body).to_ascii_lowercase();
    let of_the_key = ["signature", "api key", "apikey", "salt"]
        .iter()
        .any(|word| said.contains(word));
    let error = match response.status {
        401 => not_let_in(cx, operation, response),
        400 | 403 if of_the_key => not_let_in(cx, operation, response),
        403 => Error::new(
            ErrorKind::Forbidden,
            operation,
            format!(
                "the REST key may not read this: {}",
                response.text_snippet()
            ),
        ),
        404 | 410 => Error::new(
            ErrorKind::NotFound,
            operation,
            format!("Kayako Classic answered {}", response.status),
        ),
        429 => Error::new(
            ErrorKind::RateLimited,
            operation,
            "Kayako Classic asked to slow down",
        ),
        status @ 500..=599 => Error::new(
            ErrorKind::Unavailable,
            operation,
            format!(
                "Kayako Classic answered {status}: {}",
                response.text_snippet()
            ),
        ),
        status => Error::new(
            ErrorKind::Refused,
            operation,
            format!(
                "Kayako Classic answered {status}: {}",
                response.text_snippet()
            ),
        ),
    };
    error.with("status", response.status)
}

fn not_let_in(cx: &Context, operation: &'static str, response: &Response) -> Error {
    let error = Error::new(
        ErrorKind::Credentials,
        operation,
        format!(
            "Kayako Classic refused the REST key or its signature: {}",
            response.text_snippet()
        ),
    );
    let off = clock(response).map_or(0, |there| (there - cx.now()).num_seconds());
    if off.abs() < CLOCKS_AGREE {
        return error.advise("Compare key and secret with those in the Admin Control Panel under REST API; they change when somebody makes new ones");
    }
    error
        .with("clock", format!("{off} s"))
        .advise(format!(
            "Its clock and that of this machine differ by {} minutes: set both right first. Then compare key and secret with those in the Admin Control Panel under REST API",
            off.abs() / 60
        ))
}

/// What came is no answer.
fn unread(operation: &'static str, response: &Response, defect: Defect) -> Error {
    Error::decode(operation, &defect.path, defect.reason)
        .with("answer", response.text_snippet())
        .advise("Warnings of PHP before an answer are passed over; this answer itself is broken. Look into the helpdesk's error log")
}
