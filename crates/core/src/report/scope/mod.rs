//! What a source holds, as a document for the people who decide what to migrate.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Discovery, FieldFound, Oddity, SizeBand, page};
use crate::error::Result;
use crate::preflight::Feature;

const TEMPLATE: &str = include_str!("scope.html");

impl Discovery {
    /// The same as one self-contained page in HTML. Its content policy forbids scripts and any request.
    ///
    /// # Errors
    /// `Bug` when the page cannot be made.
    pub fn html(&self) -> Result<String> {
        page::fill(TEMPLATE, &Page::of(self), "make the scope's page")
    }
}

#[derive(Serialize)]
struct Page<'a> {
    source: &'a str,
    made_at: String,
    complete: bool,
    product: Option<&'a str>,
    said: Vec<&'a str>,
    kinds: Vec<Kind>,
    channels: BTreeSet<&'a str>,
    years: Vec<Year>,
    statuses: Vec<(&'a str, u64)>,
    fields: Vec<Field<'a>>,
    files: String,
    sizes: Vec<Size>,
    largest: Vec<(&'a str, String)>,
    oddities: Vec<Odd<'a>>,
    inventory: Vec<(&'a str, u64)>,
    uncovered: Vec<(&'a str, String)>,
    features: Vec<Needed<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Needed<'a> {
    name: &'a str,
    records: u64,
    there: &'static str,
    missing: bool,
    lost: &'a str,
    switch: &'a str,
}

#[derive(Serialize)]
struct Kind {
    name: &'static str,
    read: u64,
    rejected: u64,
}

#[derive(Serialize)]
struct Year {
    year: i32,
    /// By channel, in the order of the channels; empty for none.
    counts: Vec<Option<u64>>,
    total: u64,
}

#[derive(Serialize)]
struct Field<'a> {
    of: &'static str,
    name: &'a str,
    title: &'a str,
    holds: &'a str,
    used: u64,
    shapes: Vec<&'a str>,
}

#[derive(Serialize)]
struct Size {
    name: String,
    files: u64,
    bytes: String,
}

#[derive(Serialize)]
struct Odd<'a> {
    what: &'a str,
    count: u64,
    example: &'a str,
}

impl<'a> Page<'a> {
    fn of(found: &'a Discovery) -> Self {
        let about = found.about.as_ref();
        let channels: BTreeSet<&str> = found.channels.keys().map(String::as_str).collect();
        let years = found.years.iter().map(|(year, of)| Year {
            year: *year,
            counts: channels.iter().map(|c| of.get(*c).copied()).collect(),
            total: of.values().sum(),
        });
        Self {
            source: &found.source,
            made_at: found.made_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            complete: found.complete,
            product: about.and_then(|a| a.product.as_deref()),
            said: about
                .into_iter()
                .flat_map(|a| a.limits.iter().chain(&a.warnings))
                .map(String::as_str)
                .collect(),
            kinds: found
                .kinds
                .iter()
                .filter(|kind| kind.read + kind.rejected > 0)
                .map(|kind| Kind {
                    name: kind.kind.name(),
                    read: kind.read,
                    rejected: kind.rejected,
                })
                .collect(),
            years: years.collect(),
            channels,
            statuses: counts(&found.statuses),
            fields: found.fields.iter().map(field).collect(),
            files: megabytes(found.file_bytes),
            sizes: found
                .file_sizes
                .iter()
                .filter(|b| b.files > 0)
                .map(size)
                .collect(),
            largest: found
                .largest_files
                .iter()
                .map(|file| (file.key.as_str(), megabytes(file.bytes)))
                .collect(),
            oddities: found.oddities.iter().map(odd).collect(),
            inventory: counts(&found.inventory),
            uncovered: found
                .uncovered
                .iter()
                .map(|(kind, times)| (kind.as_str(), times.join("; ")))
                .collect(),
            features: found.features.iter().map(|f| needed(f, found)).collect(),
            notes: &found.notes,
        }
    }
}

fn needed<'a>(feature: &'a Feature, found: &Discovery) -> Needed<'a> {
    let kinds = found.kinds.iter().filter(|k| feature.of.contains(&k.kind));
    Needed {
        name: &feature.name,
        records: kinds.map(|k| k.read).sum(),
        there: match feature.there {
            Some(true) => "there",
            Some(false) => "missing",
            None => "not known",
        },
        missing: feature.there != Some(true),
        lost: &feature.lost,
        switch: &feature.switch,
    }
}

fn counts(of: &std::collections::BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    of.iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect()
}

fn field(found: &FieldFound) -> Field<'_> {
    Field {
        of: found.of.name(),
        name: &found.field,
        title: &found.title,
        holds: &found.holds,
        used: found.used,
        shapes: found.shapes.iter().map(String::as_str).collect(),
    }
}

fn odd<'a>((what, oddity): (&'a String, &'a Oddity)) -> Odd<'a> {
    Odd {
        what,
        count: oddity.count,
        example: oddity.examples.first().map_or("", |key| key.as_str()),
    }
}

fn size(band: &SizeBand) -> Size {
    Size {
        name: match band.up_to {
            Some(most) => format!("up to {}", megabytes(most)),
            None => "larger".to_owned(),
        },
        files: band.files,
        bytes: megabytes(band.bytes),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests;
