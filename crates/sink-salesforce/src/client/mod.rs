//! The org's REST API: one function per end point, nothing but request and decoded answer.

mod actions;
mod codes;
pub(crate) mod collections;
pub(crate) mod error;
mod gauge;
pub(crate) mod query;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Client, Request, Response, Session, StreamResponse};
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use crate::auth::{self, Audience, Login};
use crate::bulk::job::read_whole;
use crate::config::{API_VERSION, SalesforceConfig};
use error::{Class, error_of, refusal_of};
use gauge::Gauge;

/// How often the org's limits are looked at beside what each answer tells; they are up to five minutes behind.
const LOOK_EVERY: TimeDelta = TimeDelta::minutes(15);

/// The org, with a session that renews itself.
#[derive(Debug)]
pub(crate) struct Api {
    config: SalesforceConfig,
    home: Client,
    session: Session<Login>,
    audience: Audience,
    gauge: Gauge,
    /// The version that both sides know, once that was asked.
    version: OnceLock<String>,
    /// When the org's limits were last asked for.
    looked: Mutex<Option<DateTime<Utc>>>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

impl Api {
    pub(crate) fn new(config: SalesforceConfig) -> Result<Self> {
        let home = auth::client_at(&config, &config.url)?;
        let gauge = Gauge::stopping_at(config.daily_share);
        Ok(Self {
            config,
            home,
            session: Session::new(),
            audience: Audience::default(),
            gauge,
            version: OnceLock::new(),
            looked: Mutex::new(None),
        })
    }

    pub(crate) fn config(&self) -> &SalesforceConfig {
        &self.config
    }

    /// The session, opened if it is not.
    pub(crate) async fn login(&self, cx: &Context) -> Result<Arc<Login>> {
        self.session
            .get(|| async {
                let login = auth::login(cx, &self.config, &self.home, &self.audience).await?;
                if self.config.client_id.is_some() {
                    needed(cx, "token", 0.0);
                }
                Ok(login)
            })
            .await
    }

    /// The address of a resource of the versioned API.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("services/data/v{}/{rest}", self.version())
    }

    /// The version that is spoken.
    pub(crate) fn version(&self) -> &str {
        self.version.get().unwrap_or(&self.config.api_version)
    }

    /// Sends with a session. One that ended is renewed and the request sent once more, never twice
    /// (Salesforce APIs, section 2.6). Any other answer is handed back.
    pub(crate) async fn send(&self, cx: &Context, request: Request) -> Result<Response> {
        let login = self.login(cx).await?;
        self.room(cx, &login).await?;
        let first = self.send_as(cx, &login, request.clone()).await?;
        if !session_ended(&first) {
            return Ok(first);
        }
        let login = self.renewed(cx, &login, &first).await?;
        let second = self.send_as(cx, &login, request).await?;
        if session_ended(&second) {
            return Err(auth::session_refused(
                refusal_of(&second).as_ref(),
                "use the session".into(),
                false,
            ));
        }
        Ok(second)
    }

    /// The same for an answer that is read as it arrives.
    pub(crate) async fn stream(&self, cx: &Context, request: Request) -> Result<StreamResponse> {
        let login = self.login(cx).await?;
        self.room(cx, &login).await?;
        let first = self.stream_as(cx, &login, request.clone()).await?;
        if !matches!(first.status, 401 | 403) {
            return Ok(first);
        }
        let first = read_whole(first).await;
        if !session_ended(&first) {
            return Err(error_of(&first, "read an answer"));
        }
        let login = self.renewed(cx, &login, &first).await?;
        let second = self.stream_as(cx, &login, request).await?;
        if second.status == 401 {
            let refusal = refusal_of(&read_whole(second).await);
            return Err(auth::session_refused(
                refusal.as_ref(),
                "use the session".into(),
                false,
            ));
        }
        Ok(second)
    }

    /// Whether the org has room for one more request. Its limits are asked for now and then: they count what carries no header.
    ///
    /// # Errors
    /// `Quota`, saying when to go on.
    async fn room(&self, cx: &Context, login: &Login) -> Result<()> {
        if self.is_time_to_look(cx.now()) {
            self.look_at_limits(cx, login).await;
        }
        self.gauge.check()
    }

    /// The first look is after a while: what a short run uses, the headers tell.
    fn is_time_to_look(&self, now: DateTime<Utc>) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        match *looked {
            Some(then) if now - then < LOOK_EVERY => false,
            Some(_) => {
                *looked = Some(now);
                true
            }
            None => {
                *looked = Some(now);
                false
            }
        }
    }

    /// Without the right to see limits the headers have to do.
    fn look_at_limits<'a>(&'a self, cx: &'a Context, login: &'a Login) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let request =
                Request::get("limits", self.path("limits")).operation("ask for the org's limits");
            let told: Value = match self.send_as(cx, login, request).await {
                Ok(response) if response.is_success() => {
                    serde_json::from_slice(&response.body).unwrap_or_default()
                }
                _ => return,
            };
            needed(cx, "limits", 1.0);
            let daily = &told["DailyApiRequests"];
            let figures = (daily["Max"].as_u64(), daily["Remaining"].as_u64());
            if let (Some(allowed), Some(left)) = figures {
                self.gauge.note_limits(allowed, left);
            }
        })
    }

    /// Another session than the one that this answer says is over.
    async fn renewed(
        &self,
        cx: &Context,
        login: &Arc<Login>,
        answer: &Response,
    ) -> Result<Arc<Login>> {
        let refusal = refusal_of(answer);
        let given = self.config.client_id.is_none();
        if given || auth::never_heals(refusal.as_ref()) {
            return Err(auth::session_refused(
                refusal.as_ref(),
                "use the session".into(),
                given,
            ));
        }
        tracing::debug!("the session ended; opening another one");
        self.session
            .renew(login, || {
                auth::login(cx, &self.config, &self.home, &self.audience)
            })
            .await
    }

    async fn stream_as(
        &self,
        cx: &Context,
        login: &Login,
        request: Request,
    ) -> Result<StreamResponse> {
        let response = login.client.stream(cx, signed(request, login)).await?;
        self.gauge
            .note(response.header("Sforce-Limit-Info"), cx.now());
        Ok(response)
    }

    async fn send_as(&self, cx: &Context, login: &Login, request: Request) -> Result<Response> {
        let response = login.client.send(cx, signed(request, login)).await?;
        self.gauge
            .note(response.header("Sforce-Limit-Info"), cx.now());
        let refusal = refusal_of(&response).filter(|_| response.status == 403);
        match refusal {
            // The day's requests are used up, by whomever: only time helps.
            Some(refusal)
                if refusal.code == "REQUEST_LIMIT_EXCEEDED" && refusal.class() == Class::Quota =>
            {
                let said = format!("{}: {}", refusal.code, refusal.message);
                Err(Error::new(ErrorKind::Quota, "write to Salesforce", said)
                    .with("status", response.status)
                    .advise(format!("{}; nothing is lost", self.gauge.when())))
            }
            _ => Ok(response),
        }
    }

    /// A GET whose answer must be a success.
    pub(crate) async fn get(
        &self,
        cx: &Context,
        endpoint: &'static str,
        path: String,
        operation: &'static str,
    ) -> Result<Value> {
        let response = self
            .send(cx, Request::get(endpoint, path).operation(operation))
            .await?;
        if !response.is_success() {
            return Err(error_of(&response, operation));
        }
        needed(cx, endpoint, 1.0);
        response.json(operation)
    }

    /// Settles which version is spoken: the configured one, or, where that is the newest that we know and the org is older, the
    /// org's newest. Needs no session.
    pub(crate) async fn check_version(&self, cx: &Context) -> Result<()> {
        const DOING: &str = "ask for the org's API versions";
        let response = self
            .home
            .send(
                cx,
                Request::get("versions", "services/data/").operation(DOING),
            )
            .await?;
        if !response.is_success() {
            return Err(error_of(&response, DOING));
        }
        needed(cx, "versions", 0.0);
        let offered: Vec<Version> = response.json(DOING).map_err(|e| {
            e.kind_is(ErrorKind::NoSuchInstance)
                .advise("Check the org's address: no Salesforce org answers there")
        })?;
        let wanted = &self.config.api_version;
        if let Some(version) = both_know(wanted, &offered) {
            if version != wanted {
                tracing::info!(
                    version,
                    "the org is older than we are: speaking its newest version"
                );
            }
            // Whoever asked at the same time got the same answer.
            let _ = self.version.set(version.to_owned());
            return Ok(());
        }
        let newest = offered
            .iter()
            .max_by_key(|v| number(&v.version))
            .map_or("none", |v| v.version.as_str());
        Err(Error::new(
            ErrorKind::Config,
            DOING,
            format!("the org does not speak {}", self.config.api_version),
        )
        .advise(format!(
            "Set api_version to one that it speaks; its newest is {newest}"
        )))
    }

    /// Opens another session: rights that were given meanwhile count there only. A token that was handed to us stays what it is.
    pub(crate) async fn fresh_session(&self, cx: &Context) -> Result<()> {
        if self.config.client_id.is_none() {
            return Ok(());
        }
        let login = self.login(cx).await?;
        self.session
            .renew(&login, || {
                auth::login(cx, &self.config, &self.home, &self.audience)
            })
            .await?;
        Ok(())
    }

    /// What an object is like; `None` when the org has none of that name or hides it.
    pub(crate) async fn describe(&self, cx: &Context, object: &str) -> Result<Option<Value>> {
        const DOING: &str = "describe an object";
        let path = self.path(&format!("sobjects/{object}/describe"));
        let response = self
            .send(cx, Request::get("describe", path).operation(DOING))
            .await?;
        if response.status == 404 {
            return Ok(None);
        }
        if !response.is_success() {
            return Err(error_of(&response, DOING).with("object", object));
        }
        needed(cx, format!("describe {object}"), 0.0);
        response.json(DOING).map(Some)
    }
}

/// The oldest version that has everything a load uses.
const OLDEST: u32 = 50;

/// The version that the org offers and that is configured; the org's newest where it does not know the newest of ours yet.
fn both_know<'v>(wanted: &'v str, offered: &'v [Version]) -> Option<&'v str> {
    if offered.iter().any(|v| v.version == wanted) {
        return Some(wanted);
    }
    if wanted != API_VERSION {
        return None;
    }
    let ours = number(wanted);
    let theirs = offered.iter().map(|v| v.version.as_str());
    let newest = theirs.max_by_key(|version| number(version))?;
    (number(newest) < ours && number(newest) >= Some(OLDEST)).then_some(newest)
}

/// Versions are compared as numbers: 9.0 is older than 10.0.
fn number(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

/// Work was done that takes this share of a request, at least one for all of its sort (Salesforce APIs, sections 4 to 7).
/// What only a lost answer, a locked row or waiting for a job made necessary does not count.
pub(crate) fn needed(cx: &Context, lot: impl Into<Cow<'static, str>>, share: f64) {
    cx.meter().needed(crate::PLATFORM, lot, share);
}

fn signed(request: Request, login: &Login) -> Request {
    request
        .header(
            "Sforce-Call-Options",
            concat!("client=deskferry/", env!("CARGO_PKG_VERSION")),
        )
        .secret_header("Authorization", login.bearer())
}

/// Whether an answer says that the session is over: a 401, or the 403 with which the identity end points say it.
fn session_ended(response: &Response) -> bool {
    match response.status {
        401 => true,
        403 => {
            let by_code =
                refusal_of(response).is_some_and(|refusal| refusal.class() == Class::Session);
            by_code || response.body.starts_with(b"Bad_OAuth_Token")
        }
        _ => false,
    }
}

/// The headers that every write carries: no assignment rule takes the owner away, an alert of a duplicate rule does not
/// stop the row, nobody's list of recent rows changes (Salesforce APIs, section 3.5).
pub(crate) fn writing(request: Request) -> Request {
    request
        .header("Sforce-Auto-Assign", "FALSE")
        .header(
            "Sforce-Duplicate-Rule-Header",
            "allowSave=true; includeRecordDetails=false; runAsCurrentUser=false",
        )
        .header("Sforce-Mru", "updateMru=false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_sides_know_is_spoken() {
        let offered = |versions: &[&str]| -> Vec<Version> {
            let version = |v: &&str| Version {
                version: (*v).to_owned(),
            };
            versions.iter().map(version).collect()
        };
        for (wanted, org, spoken) in [
            (API_VERSION, &["65.0", "66.0", "67.0"][..], Some("66.0")),
            (API_VERSION, &["9.0", "64.0", "65.0"], Some("65.0")),
            (API_VERSION, &["31.0", "49.0"], None),
            (API_VERSION, &["67.0", "68.0"], None),
            ("64.0", &["64.0", "66.0"], Some("64.0")),
            ("99.0", &["65.0", "66.0"], None),
            ("60.0", &["61.0"], None),
            (API_VERSION, &[], None),
        ] {
            assert_eq!(both_know(wanted, &offered(org)), spoken, "{wanted} {org:?}");
        }
    }
}
