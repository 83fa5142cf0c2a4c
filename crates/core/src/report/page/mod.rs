//! Pages: no script, nothing fetched, text from outside always escaped.

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::error::{Error, Result};

/// What all pages look like: templates include it as `base.css`.
const STYLE: &str = include_str!("base.css");
/// Ends in `.html`, by which the template engine knows that it must escape.
const NAME: &str = "page.html";

/// Fills a template; `what` says whose page it is.
pub(super) fn fill(template: &str, view: &impl Serialize, what: &'static str) -> Result<String> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine
        .add_template("base.css", STYLE)
        .and_then(|()| engine.render_named_str(NAME, template, Serde(view)))
        .map_err(|e| Error::bug(what, format!("{e:#}")))
}
