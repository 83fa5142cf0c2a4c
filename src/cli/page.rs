//! Pages of the program: no script, nothing fetched, text from outside always escaped.

use deskferry_core::{Error, Result};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// What a page on disk may do: nothing but show itself.
const STYLE: &str = include_str!("pages/style.css");

/// Where a template wants it.
const WANTED: &str = "/* style */";

/// The page of a template. Its name ends in `.html`, by which the engine knows that it must escape.
pub(super) fn render(
    name: &'static str,
    template: &'static str,
    shown: impl Serialize + Send + Sync + std::fmt::Debug,
) -> Result<String> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine
        .render_named_str(name, &template.replacen(WANTED, STYLE, 1), Serde(shown))
        .map_err(|e| Error::bug("make a page", format!("{e:#}")))
}
