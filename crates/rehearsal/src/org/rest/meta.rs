//! What the org says about itself: versions, limits, objects.

use axum::http::header;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Reply, Request};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::limits;
use crate::org::schema;
use crate::org::store;

/// The versions that are served; older ones are gone (Salesforce transport reference, section 1).
pub(crate) const VERSIONS: std::ops::RangeInclusive<u32> = 31..=68;

/// `GET /services/data`, oldest first.
pub(crate) fn versions() -> Value {
    let row = |version: u32| {
        // Three releases a year; Spring '26 is 66.
        let season = ["Spring", "Summer", "Winter"][(version % 3) as usize];
        // The winter release of a year comes out in the autumn before it.
        let year = version / 3 + 4 + u32::from(season == "Winter");
        json!({"label": format!("{season} '{year}"), "url": format!("/services/data/v{version}.0"), "version": format!("{version}.0")})
    };
    VERSIONS.map(row).collect()
}

pub(super) fn root(ctx: &Ctx<'_>, base: &str) -> Reply {
    let mut resources = Map::new();
    for name in [
        "sobjects",
        "query",
        "queryAll",
        "search",
        "parameterizedSearch",
        "metadata",
        "composite",
        "limits",
        "jobs",
        "tooling",
    ] {
        resources.insert(
            name.to_owned(),
            json!(format!("/services/data/v{}.0/{name}", ctx.version)),
        );
    }
    let user = ctx.engine.user_id(ctx.user);
    resources.insert(
        "identity".to_owned(),
        json!(format!("{base}/id/{}/{user}", ctx.engine.org_id())),
    );
    Reply::json(200, Value::Object(resources))
}

pub(super) fn limits(ctx: &Ctx<'_>) -> Reply {
    Reply::json(200, limits::shown(ctx))
}

pub(super) fn record_count(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let mut rows = Vec::new();
    for name in request.parameter("sObjects").unwrap_or_default().split(',') {
        let Some(object) = ctx.schema().object(name.trim()) else {
            continue;
        };
        let count = store::count(ctx.db, object)?;
        if count > 0 {
            rows.push(json!({"count": count, "name": object.name}));
        }
    }
    Ok(Reply::json(200, json!({"sObjects": rows})))
}

pub(super) fn global(ctx: &Ctx<'_>, request: &Request) -> Reply {
    let rows: Vec<Value> = ctx
        .schema()
        .objects
        .iter()
        .filter(|object| !object.tooling)
        .map(|object| schema::global_row(object, ctx.version))
        .collect();
    since_then(
        ctx,
        request,
        || json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": rows}),
    )
}

/// The answer, unless the client knows what the schema is since it last changed.
fn since_then(ctx: &Ctx<'_>, request: &Request, answer: impl FnOnce() -> Value) -> Reply {
    let since = request
        .headers
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok());
    let since = since
        .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
        .map(|date| date.with_timezone(&Utc));
    let changed = ctx.shape.since;
    let mut reply = if since.is_some_and(|since| since >= changed) {
        Reply::empty(304)
    } else {
        Reply::json(200, answer())
    };
    reply.headers.push((
        "last-modified",
        changed.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    ));
    reply
}

fn known<'a>(ctx: &Ctx<'a>, name: &str) -> Result<&'a schema::Object, Refusal> {
    ctx.schema()
        .object(name)
        .filter(|object| !object.tooling)
        .ok_or_else(Refusal::not_found)
}

pub(super) fn basic(ctx: &Ctx<'_>, name: &str) -> Result<Reply, Refusal> {
    let object = known(ctx, name)?;
    Ok(Reply::json(
        200,
        json!({"objectDescribe": schema::global_row(object, ctx.version), "recentItems": []}),
    ))
}

pub(super) fn describe(ctx: &Ctx<'_>, request: &Request, name: &str) -> Result<Reply, Refusal> {
    let object = known(ctx, name)?;
    Ok(since_then(ctx, request, || {
        schema::describe(ctx.schema(), object, &ctx.engine.ids, ctx.version)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_carry_the_name_of_their_release() {
        let listed = versions();
        let label = |version: &str| {
            let row = listed
                .as_array()
                .unwrap()
                .iter()
                .find(|row| row["version"] == version)
                .unwrap();
            row["label"].as_str().unwrap().to_owned()
        };
        for (version, name) in [
            ("62.0", "Winter '25"),
            ("63.0", "Spring '25"),
            ("64.0", "Summer '25"),
            ("65.0", "Winter '26"),
            ("66.0", "Spring '26"),
            ("67.0", "Summer '26"),
            ("68.0", "Winter '27"),
            ("31.0", "Summer '14"),
        ] {
            assert_eq!(label(version), name);
        }
    }
}
