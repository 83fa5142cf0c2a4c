//! A report as one page: no script, nothing fetched, text from outside always escaped.

mod charts;
mod view;

use super::{Report, page};
use crate::error::Result;

const TEMPLATE: &str = include_str!("report.html");

impl Report {
    /// The report as one self-contained page in HTML. Its content policy forbids scripts and any request.
    ///
    /// # Errors
    /// `Bug` when the page cannot be made.
    pub fn html(&self) -> Result<String> {
        page::fill(TEMPLATE, &view::Page::of(self), "make the report's page")
    }
}

#[cfg(test)]
mod tests;
