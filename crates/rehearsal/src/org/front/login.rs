//! `/services/oauth2` and `/id`: the addresses before and beside the API.

use std::collections::HashMap;

use axum::extract::Request as HttpRequest;
use axum::http::header;
use axum::response::Response;
use serde_json::json;

use super::{Front, header_text, sent, whole};
use crate::org::auth;
use crate::org::engine::INTEGRATION_USER;
use crate::org::error::Refusal;
use crate::org::rest::Reply;

impl Front {
    pub(super) async fn token(&self, request: HttpRequest) -> Response {
        let basic = header_text(&request, header::AUTHORIZATION).map(str::to_owned);
        let base = self.base(&request);
        let form = match form(request).await {
            Ok(form) => form,
            Err(refusal) => return sent(Reply::refused(&refusal)).await,
        };
        let token = move |ctx: &crate::org::engine::Ctx<'_>| {
            Ok(auth::token(ctx, &form, basic.as_deref(), &base))
        };
        sent(match self.transaction(INTEGRATION_USER, token).await {
            Ok(Ok(token)) => Reply::json(200, token),
            Ok(Err(error)) => Reply::json(error.0, error.body()),
            Err(refusal) => Reply::refused(&refusal),
        })
        .await
    }

    pub(super) async fn revoke(&self, request: HttpRequest) -> Response {
        let mut form = match form(request).await {
            Ok(form) => form,
            Err(refusal) => return sent(Reply::refused(&refusal)).await,
        };
        let token = form.remove("token").unwrap_or_default();
        let revoked = self
            .transaction(INTEGRATION_USER, move |ctx| {
                ctx.engine.sessions.revoke(ctx, &token)
            })
            .await;
        sent(match revoked {
            Ok(true) => Reply::empty(200),
            Ok(false) => {
                let description = "this token is not known";
                Reply::json(
                    400,
                    json!({"error": "unsupported_token_type", "error_description": description}),
                )
            }
            Err(refusal) => Reply::refused(&refusal),
        })
        .await
    }

    /// The first step of the web-server flow: back to the client with a code, at once.
    pub(super) async fn authorize(&self, request: HttpRequest) -> Response {
        let query = request.uri().query().unwrap_or_default();
        let query: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        drop(request);
        let sent_to = self
            .transaction(INTEGRATION_USER, move |ctx| {
                Ok(auth::web::authorize(ctx, &query))
            })
            .await;
        sent(match sent_to {
            Ok(Ok(address)) => {
                let mut reply = Reply::empty(302);
                reply.headers.push(("location", address));
                reply
            }
            Ok(Err(error)) => Reply::json(error.0, error.body()),
            Err(refusal) => Reply::refused(&refusal),
        })
        .await
    }

    pub(super) async fn introspect(&self, request: HttpRequest) -> Response {
        let form = match form(request).await {
            Ok(form) => form,
            Err(refusal) => return sent(Reply::refused(&refusal)).await,
        };
        let told = self
            .transaction(INTEGRATION_USER, move |ctx| {
                let token = form.get("token").map_or("", String::as_str);
                Ok(auth::introspected(ctx, token))
            })
            .await;
        sent(told.map_or_else(
            |refusal| Reply::refused(&refusal),
            |told| Reply::json(200, told),
        ))
        .await
    }

    /// `userinfo` and `/id/…`; the token comes in the header or, as some clients do, in the query.
    pub(super) async fn identity(&self, request: HttpRequest) -> Response {
        let base = self.base(&request);
        let query = request.uri().query().unwrap_or_default();
        let query: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let in_header = auth::bearer(header_text(&request, header::AUTHORIZATION)).ok();
        let token = in_header
            .or_else(|| query.get("oauth_token").map(String::as_str))
            .unwrap_or_default();
        let user = self.engine.sessions.user(token, false);
        drop(request);
        let answered = match user {
            Some(user) => {
                self.transaction(user, move |ctx| auth::identity(ctx, &base))
                    .await
            }
            None => Err(auth::expired().with_status(403)),
        };
        sent(answered.map_or_else(
            |refusal| Reply::refused(&refusal),
            |identity| Reply::json(200, identity),
        ))
        .await
    }
}

async fn form(request: HttpRequest) -> Result<HashMap<String, String>, Refusal> {
    let bytes = whole(request.into_body()).await?;
    Ok(url::form_urlencoded::parse(&bytes).into_owned().collect())
}
