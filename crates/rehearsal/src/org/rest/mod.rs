//! The REST resources: from a request that is read to an answer that is not yet sent. No network here, so that the
//! parts of a composite request are answered by the same code as a request of their own.

mod changes;
mod collections;
mod composite;
mod meta;
mod records;
mod search;
mod tooling;
mod tree;

use std::ops::Range;
use std::path::PathBuf;

use axum::http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::bulk;
use super::engine::Ctx;
use super::error::Refusal;
use super::knowledge;
use super::metadata;
use super::soql;
use super::write::{Call, Upload};

pub(crate) use self::meta::{VERSIONS, versions};

/// One request, its body read.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// What follows the version, as sent: `sobjects/Case/Source_Key__c/a%2Fb`.
    pub(crate) resource: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The file of a multipart request.
    pub(crate) upload: Option<Upload>,
    /// The address absolute URLs begin with.
    pub(crate) base: String,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The route without ids and values, for the log.
    pub(crate) route: String,
}

#[derive(Debug)]
pub(crate) enum Body {
    None,
    Json(Value),
    File(PathBuf),
    /// A text, followed by some bytes of a file.
    Part {
        head: String,
        file: PathBuf,
        bytes: Range<u64>,
    },
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Body::Json(body),
            headers: Vec::new(),
            route: String::new(),
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            body: Body::None,
            headers: Vec::new(),
            route: String::new(),
        }
    }

    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self::json(refusal.status, Value::Array(vec![refusal.as_rest()]))
    }
}

impl Request {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.parameter(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body).map_err(|e| {
            Refusal::new(
                "JSON_PARSER_ERROR",
                format!("{e} at [line:{}, column:{}]", e.line(), e.column()),
            )
        })
    }

    /// What the headers say about a write.
    pub(crate) fn call(&self, all_or_none: bool) -> Call {
        let off = self
            .header("sforce-auto-assign")
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        let duplicates = self
            .header("sforce-duplicate-rule-header")
            .unwrap_or_default();
        let allow = duplicates
            .split(';')
            .any(|option| option.trim().eq_ignore_ascii_case("allowSave=true"));
        Call {
            all_or_none,
            allow_duplicates: allow,
            auto_assign: !off,
            upload: self.upload.clone(),
        }
    }

    fn batch(&self) -> Option<usize> {
        let options = self.header("sforce-query-options")?;
        options.split([',', ';']).find_map(|option| {
            option
                .trim()
                .strip_prefix("batchSize=")?
                .trim()
                .parse()
                .ok()
        })
    }
}

/// Answers a request below `/services/data/vXX.0`.
pub(crate) fn dispatch(ctx: &Ctx<'_>, request: &Request) -> Reply {
    let segments: Vec<&str> = request
        .resource
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let route = route(&segments);
    let mut reply = match resource(ctx, request, &segments) {
        Ok(reply) => reply,
        Err(refusal) => Reply::refused(&refusal),
    };
    reply.route = route;
    reply
}

fn resource(ctx: &Ctx<'_>, request: &Request, segments: &[&str]) -> Result<Reply, Refusal> {
    // Some proxies let only POST through; the method then stands in the query.
    let method = match request.parameter("_HttpMethod") {
        Some(other) if request.method == "POST" => other,
        _ => request.method.as_str(),
    };
    match (method, segments) {
        ("GET", []) => Ok(meta::root(ctx, &request.base)),
        ("GET", ["limits"]) => Ok(meta::limits(ctx)),
        ("GET", ["limits", "recordCount"]) => meta::record_count(ctx, request),
        ("GET", ["sobjects"]) => Ok(meta::global(ctx, request)),
        ("GET", ["sobjects", object]) => meta::basic(ctx, object),
        ("GET", ["sobjects", object, "describe"]) => meta::describe(ctx, request, object),
        ("POST", ["sobjects", object]) => records::insert(ctx, request, object),
        ("GET", ["sobjects", object, "updated"]) => changes::updated(ctx, request, object),
        ("GET", ["sobjects", object, "deleted"]) => changes::deleted(ctx, request, object),
        (_, ["sobjects", object, id]) => records::by_id(ctx, request, method, object, &decoded(id)),
        ("GET", ["sobjects", object, id, blob]) if is_blob(ctx, object, blob) => {
            records::blob(ctx, object, id)
        }
        (_, ["sobjects", object, field, rest @ ..]) => {
            // A slash inside the value is often sent bare: everything behind the field is the value.
            records::by_external_id(
                ctx,
                request,
                method,
                object,
                field,
                &decoded(&rest.join("/")),
            )
        }
        ("GET", ["query"]) => {
            not_of_tooling(ctx, request).and_then(|()| query(ctx, request, false))
        }
        ("GET", ["tooling", "query"]) => tooling::query(ctx, request, query),
        ("GET", ["queryAll"]) => query(ctx, request, true),
        ("GET", ["query" | "queryAll", locator]) => {
            soql::more(ctx, locator, request.batch()).map(|a| Reply::json(200, a.0))
        }
        ("GET", ["search"]) => search::sosl(ctx, request),
        ("GET", ["parameterizedSearch"]) => search::by_parameters(ctx, request),
        ("POST", ["parameterizedSearch"]) => search::by_body(ctx, request),
        (_, ["jobs", below @ ..]) => bulk::resource(ctx, request, method, below),
        ("POST", ["actions", "standard", name]) => knowledge::action(ctx, request, name),
        (_, ["knowledgeManagement", below @ ..]) => knowledge::manage(ctx, request, method, below),
        (_, ["metadata", below @ ..]) => metadata::resource(ctx, request, method, below),
        ("POST", ["composite", "tree", object]) => tree::tree(ctx, request, object),
        ("POST", ["composite", "graph"]) => composite::graph(ctx, request),
        ("POST", ["composite", "batch"]) => composite::batch(ctx, request),
        (_, ["composite"]) if method == "POST" => composite::composite(ctx, request),
        (_, ["composite", "sobjects", rest @ ..]) => {
            collections::collections(ctx, request, method, rest)
        }
        _ => Err(Refusal::not_found()),
    }
}

/// Some objects are known to the Tooling API only.
fn not_of_tooling(ctx: &Ctx<'_>, request: &Request) -> Result<(), Refusal> {
    let subject = request.parameter("q").and_then(soql::subject);
    let object = subject.and_then(|name| ctx.schema().object(&name));
    match object.filter(|object| object.tooling) {
        Some(object) => {
            let message = format!("sObject type '{}' is not supported.", object.name);
            Err(Refusal::new("INVALID_TYPE", message))
        }
        None => Ok(()),
    }
}

fn query(ctx: &Ctx<'_>, request: &Request, with_deleted: bool) -> Result<Reply, Refusal> {
    let text = request
        .parameter("q")
        .ok_or_else(|| Refusal::new("MALFORMED_QUERY", "unexpected token: <EOF>"))?;
    if request.flag("columns") {
        return soql::columns(ctx, text).map(|columns| Reply::json(200, columns));
    }
    soql::run(ctx, text, with_deleted, request.batch()).map(|answer| Reply::json(200, answer.0))
}

fn is_blob(ctx: &Ctx<'_>, object: &str, field: &str) -> bool {
    let field = ctx
        .schema()
        .object(object)
        .and_then(|object| object.field(field));
    field.is_some_and(|field| field.kind == super::schema::Kind::Base64)
}

pub(crate) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The resource with ids and values replaced, such as `sobjects/Case/{field}/{value}`.
fn route(segments: &[&str]) -> String {
    let shape = match segments {
        [
            "sobjects",
            object,
            last @ ("describe" | "updated" | "deleted"),
        ] => {
            format!("sobjects/{object}/{last}")
        }
        ["sobjects", object, _] => format!("sobjects/{object}/{{id}}"),
        ["sobjects", object, _, "VersionData"] => format!("sobjects/{object}/{{id}}/VersionData"),
        ["sobjects", object, field, ..] if segments.len() > 3 => {
            format!("sobjects/{object}/{field}/{{value}}")
        }
        ["query" | "queryAll", _] => "query/{locator}".to_owned(),
        ["metadata", "deployRequest", _] => "metadata/deployRequest/{id}".to_owned(),
        ["knowledgeManagement", "articleVersions", kind, _] => {
            format!("knowledgeManagement/articleVersions/{kind}/{{id}}")
        }
        ["jobs", kind, _] => format!("jobs/{kind}/{{id}}"),
        ["jobs", kind, _, part] => format!("jobs/{kind}/{{id}}/{part}"),
        other => other.join("/"),
    };
    format!("/services/data/{shape}")
}
