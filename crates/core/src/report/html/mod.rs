//! A report as one page: no script, nothing fetched, text from outside always escaped.

mod charts;
mod view;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use super::Report;
use crate::error::{Error, Result};

/// Ends in `.html`, by which the template engine knows that it must escape.
const NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("report.html");

impl Report {
    /// The report as one self-contained page in HTML. Its content policy forbids scripts and any request.
    ///
    /// # Errors
    /// `Bug` when the page cannot be made.
    pub fn html(&self) -> Result<String> {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine
            .render_named_str(NAME, TEMPLATE, Serde(view::Page::of(self)))
            .map_err(|e| Error::bug("make the report's page", format!("{e:#}")))
    }
}

#[cfg(test)]
mod tests;
