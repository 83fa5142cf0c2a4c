//! What a load takes, told from its batches alone. Pure: nothing here asks the org.

use std::collections::BTreeSet;

use deskferry_core::forecast::{Effort, Forecast, Way};
use deskferry_core::key::RecordKind;
use deskferry_core::model::{Article, Message, Record};
use deskferry_core::report::Span;
use deskferry_core::sink::{FileState, Loaded};

use crate::client::collections::{BYTES, ROWS};
use crate::client::query::{RETRIEVED, address_length, literal, pieces_of};
use crate::mapping::facts::{comment_text, contact_email, file_key};
use crate::mapping::people::host;
use crate::mapping::text;
use crate::mapping::{Mapping, Route};
use crate::sink::Salesforce;

/// What a row takes of the org's data storage, whatever it holds; mails may take more (Salesforce objects, section 10.5).
const ROW_BYTES: u64 = 2_048;
/// What a version of an article takes of it.
const ARTICLE_BYTES: u64 = 4_096;
/// The most rows of one bulk job, and the most of one page of a query job.
const JOB_ROWS: u64 = 100_000;
const PAGE_ROWS: u64 = 50_000;
/// How many mails are read back in one request.
const MAILS_AT_ONCE: u64 = 200;
/// A mail body that is longer becomes a file.
const BODY: usize = 131_072;

/// How long one request takes, in milliseconds: what orgs without much automation need, and what busy ones do.
const QUERY: Span = Span::new(100, 600);
const CALL_OF_200: Span = Span::new(1_000, 8_000);
const FILE: Span = Span::new(300, 1_500);
/// How long a bulk job takes: to begin with, and for a thousand rows.
const JOB: Span = Span::new(10_000, 60_000);
const JOB_PER_1000: Span = Span::new(500, 4_000);

/// What decides how rows travel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways {
    /// From how many rows of one object in a batch on a bulk job carries them; 0 for never.
    pub(crate) bulk_from: u64,
}

impl Forecast for Salesforce {
    fn begin(&self) -> Effort {
        // Log-in, versions; who the org is, its users, its statuses, our rights and its queues (two each); one describe
        // per object.
        let objects = self.mapping().objects().count() as u64;
        queries(9 + objects)
    }

    fn write(&self, phase: &str, records: &[Loaded]) -> Effort {
        self.ways().write(self.mapping(), phase, records)
    }

    fn verify(&self, phase: &str, records: &[Loaded]) -> Effort {
        self.ways().verify(self.mapping(), phase, records)
    }

    fn ways(&self, phase: &str, records: &[Loaded]) -> Vec<Way> {
        if phase != "messages" {
            return Vec::new();
        }
        let messages = records.iter().filter_map(message_of);
        messages.flat_map(|m| ways_of(self.mapping(), m)).collect()
    }

    fn by_way(&self, way: &str, rows: u64, bytes: u64) -> (Effort, &'static str) {
        match Route::named(way) {
            // Posts do not go by jobs.
            Some(route @ Route::Post) => (self.ways().inserts(0, rows, bytes), lost(route)),
            Some(route) => (self.ways().inserts(rows, 0, bytes), lost(route)),
            None => (Effort::default(), ""),
        }
    }

    fn assumptions(&self) -> Vec<String> {
        let ways = match self.ways().bulk_from {
            0 => "rows travel by collections of up to 200 or 40 MB; Bulk API 2.0 is not used"
                .to_owned(),
            from => format!(
                "rows travel by collections of up to 200 or 40 MB, and by Bulk API 2.0 from {from} rows of one object in a batch on"
            ),
        };
        vec![
            "an empty target: nothing is matched, nothing is refused, no answer is lost".to_owned(),
            ways,
            format!(
                "a collection of 200 rows takes {} to {} s, a file {} to {} s and what its bytes need at 1 to 20 MB/s, a bulk job {} s to some minutes: automation of the org adds to all of it",
                CALL_OF_200.least / 1_000,
                CALL_OF_200.most / 1_000,
                FILE.least as f64 / 1_000.0,
                FILE.most as f64 / 1_000.0,
                JOB.least / 1_000
            ),
            "each row takes 2 KB of data storage, a mail what its texts need if that is more"
                .to_owned(),
        ]
    }
}

impl Ways {
    fn write(self, mapping: &Mapping, phase: &str, records: &[Loaded]) -> Effort {
        let n = records.len() as u64;
        match phase {
            "accounts" => {
                let domains = records.iter().filter_map(|loaded| match &loaded.record {
                    Record::Account(account) => account.domains.first().and_then(|d| host(d)),
                    _ => None,
                });
                let like = |host: &str| format!("Website LIKE '%{host}%' OR ");
                queries(asked(domains, like)).plus(self.inserts(n, 0, n * ROW_BYTES))
            }
            "contacts" => {
                let emails: BTreeSet<Option<String>> = records
                    .iter()
                    .map(|loaded| match &loaded.record {
                        Record::Contact(contact) => contact_email(contact),
                        _ => None,
                    })
                    .collect();
                let without = records.iter().filter(|loaded| match &loaded.record {
                    Record::Contact(contact) => contact_email(contact).is_none(),
                    _ => true,
                });
                let rows = without.count() as u64 + emails.iter().flatten().count() as u64;
                let in_list = |email: &str| format!("{},", literal(email));
                queries(asked(emails.into_iter().flatten(), in_list)).plus(self.inserts(
                    rows,
                    0,
                    rows * ROW_BYTES,
                ))
            }
            "cases" | "statistics" => self.inserts(n, 0, n * ROW_BYTES),
            "files" => files(mapping, records),
            "messages" => self.messages(mapping, records),
            "articles" => articles(mapping, records),
            "objects" => {
                let rows = objects(mapping, records);
                self.inserts(rows, 0, rows * ROW_BYTES)
            }
            // Agents are matched and values kept as text: neither asks the org.
            _ => Effort::default(),
        }
    }

    fn messages(self, mapping: &Mapping, records: &[Loaded]) -> Effort {
        let (mut mails, mut with_lists, mut with_people, mut bytes) = (0, 0, 0, 0);
        let mut stored = 0;
        let (mut comments, mut comment_bytes, mut overflows, mut overflow_bytes) = (0, 0, 0, 0);
        let (mut rows, mut row_bytes) = (0, 0);
        let (mut calls, mut call_bytes, mut posts, mut post_bytes) = (0, 0, 0, 0);
        let mut called = BTreeSet::new();
        for message in records.iter().filter_map(message_of) {
            match mapping.route(message) {
                Route::Mail => {}
                Route::Comment => {
                    let (rows, length) = comments_of(message, text::COMMENT_BUDGET);
                    comments += rows;
                    comment_bytes += length;
                    continue;
                }
                Route::Row => {
                    rows += 1;
                    row_bytes += size_of(message);
                    continue;
                }
                Route::Task => {
                    calls += 1;
                    call_bytes += size_of(message);
                    called.insert(&message.conversation);
                    continue;
                }
                Route::Post => {
                    let (rows, length) = comments_of(message, text::POST_BUDGET);
                    posts += rows;
                    post_bytes += length;
                    continue;
                }
            }
            mails += 1;
            bytes += size_of(message);
            let texts: usize = bodies(message).map(|text| text.len().min(BODY)).sum();
            stored += ROW_BYTES.max(texts as u64);
            with_lists += u64::from(!message.files.is_empty());
            with_people += u64::from(message.files.is_empty() && names_people(message));
            if longest_body(message) > BODY {
                overflows += 1;
                overflow_bytes += longest_body(message) as u64;
            }
        }
        // Whether a recipient is known decides how a mail travels; that stands in the org.
        let all_known = self.inserts(
            mails - with_lists - with_people,
            with_lists + with_people,
            bytes,
        );
        let none_known = self.inserts(mails - with_lists, with_lists, bytes);
        let uploads = uploads(overflows, overflow_bytes);
        let mut mails = either(all_known, none_known);
        mails.data_bytes = stored;
        mails
            .plus(self.inserts(comments, 0, comment_bytes))
            .plus(self.inserts(rows, 0, row_bytes))
            .plus(self.inserts(calls, 0, call_bytes))
            .plus(queries(pieces_of_ids(called.len() as u64)))
            .plus(self.inserts(0, posts, post_bytes))
            .plus(uploads)
    }

    fn verify(self, mapping: &Mapping, phase: &str, records: &[Loaded]) -> Effort {
        let n = records.len() as u64;
        match phase {
            "accounts" | "contacts" | "cases" | "statistics" => self.reads(n, RETRIEVED as u64),
            "files" => self.reads(distinct(mapping, records).0, RETRIEVED as u64),
            "articles" => {
                let texts = texts_of(mapping, records);
                self.reads(texts, MAILS_AT_ONCE)
                    .plus(queries(4 * pieces_of_ids(texts)))
            }
            "objects" => self.reads(objects(mapping, records), RETRIEVED as u64),
            "messages" => {
                let messages = || records.iter().filter_map(message_of);
                let count = |route| messages().filter(|m| mapping.route(m) == route).count() as u64;
                let (mails, rows) = (count(Route::Mail), count(Route::Row));
                let spoken = |route, budget| {
                    let spoken = messages().filter(move |m| mapping.route(m) == route);
                    spoken.map(move |m| comments_of(m, budget).0).sum()
                };
                let comments = spoken(Route::Comment, text::COMMENT_BUDGET);
                let posts = spoken(Route::Post, text::POST_BUDGET);
                let calls = || messages().filter(|m| mapping.route(m) == Route::Task);
                let called: BTreeSet<_> = calls().map(|m| &m.conversation).collect();
                let called = queries(pieces_of_ids(called.len() as u64))
                    .plus(queries(pieces_of_ids(calls().count() as u64)));
                // People and documents of mails stand in rows of their own.
                let lists = queries(2 * pieces_of_ids(mails));
                self.reads(mails, MAILS_AT_ONCE)
                    .plus(lists)
                    .plus(self.reads(comments, RETRIEVED as u64))
                    .plus(self.reads(rows, MAILS_AT_ONCE))
                    .plus(self.reads(posts, RETRIEVED as u64))
                    .plus(called)
            }
            _ => Effort::default(),
        }
    }

    /// Rows of one object: those that a job may carry, those that it may not, and the bytes of all of them.
    fn inserts(self, fit: u64, other: u64, bytes: u64) -> Effort {
        let rows = fit + other;
        let (jobs, single) = if self.bulk_from > 0 && fit >= self.bulk_from {
            (fit.div_ceil(JOB_ROWS), other)
        } else {
            (0, rows)
        };
        let by_bytes = if jobs == 0 {
            bytes.div_ceil(BYTES as u64)
        } else {
            0
        };
        let calls = if single == 0 {
            0
        } else {
            single.div_ceil(ROWS as u64).max(by_bytes)
        };
        // Opened, filled, handed over, asked for, three results read, deleted.
        let requests = Span::new(calls + jobs * 8, calls + jobs * 14);
        let carried = rows - single;
        let part = |whole: Span, rows: u64, of: u64| {
            Span::new(whole.least * rows / of, whole.most * rows / of)
        };
        let mut effort = Effort::default();
        effort.rows = rows;
        effort.requests = requests;
        effort.millis = times(QUERY, calls)
            .plus(part(CALL_OF_200, single, ROWS as u64))
            .plus(times(JOB, jobs))
            .plus(part(JOB_PER_1000, carried, 1_000));
        effort.data_bytes = rows * ROW_BYTES;
        effort
    }

    /// Rows of one object that are read back by id, so many at once.
    fn reads(self, rows: u64, at_once: u64) -> Effort {
        let mut effort = if self.bulk_from > 0 && rows >= self.bulk_from {
            let pages = rows.div_ceil(PAGE_ROWS);
            let mut effort = Effort::default();
            // Opened, asked for, deleted, and its pages.
            effort.requests = Span::new(3 + pages, 8 + pages);
            effort.millis = JOB.plus(times(QUERY, pages));
            effort
        } else {
            queries(rows.div_ceil(at_once))
        };
        effort.rows = rows;
        effort
    }
}

/// What is lost by a way.
const fn lost(route: Route) -> &'static str {
    match route {
        Route::Mail => {
            "who wrote it but for the name, what a call has besides; reports on mails count it"
        }
        Route::Comment => {
            "HTML, customers as authors, order within a second, what a call has besides"
        }
        Route::Post => "as comments; author and time where we may not set them",
        Route::Row => "nothing",
        Route::Task => "nothing; archived by the platform when over a year old",
    }
}

/// The ways that a message could go, where there is a choice.
fn ways_of(mapping: &Mapping, message: &Message) -> Vec<Way> {
    let Some((of, offered)) = mapping.offered(message) else {
        return Vec::new();
    };
    let chosen = mapping.route(message);
    let way = |route: &Route| {
        let (rows, bytes, data, file) = weight(*route, message);
        Way {
            of: of.clone(),
            way: route.name(),
            chosen: *route == chosen,
            records: 1,
            rows,
            bytes,
            data_bytes: data,
            file_bytes: file,
        }
    };
    offered.iter().map(way).collect()
}

/// Rows, bytes that travel, bytes of storage for rows and for files.
fn weight(route: Route, message: &Message) -> (u64, u64, u64, u64) {
    let spoken = |budget| {
        let (rows, bytes) = comments_of(message, budget);
        (rows, bytes, rows * ROW_BYTES, 0)
    };
    match route {
        Route::Comment => spoken(text::COMMENT_BUDGET),
        Route::Post => spoken(text::POST_BUDGET),
        Route::Row | Route::Task => (1, size_of(message), ROW_BYTES, 0),
        Route::Mail => {
            let texts: usize = bodies(message).map(|text| text.len().min(BODY)).sum();
            let longest = longest_body(message);
            let file = if longest > BODY { longest as u64 } else { 0 };
            (1, size_of(message), ROW_BYTES.max(texts as u64), file)
        }
    }
}

/// The rows of records of custom objects, pairs included.
fn objects(mapping: &Mapping, records: &[Loaded]) -> u64 {
    let rows = records.iter().map(|loaded| match &loaded.record {
        Record::ObjectRecord(record) => {
            let of = record.object.id();
            let pairs = record.relations.iter();
            let pairs = pairs.filter(|r| mapping.pairs_of(of, &r.field).is_some());
            mapping
                .object_of(of)
                .map_or(0, |_| 1 + pairs.count() as u64)
        }
        _ => 0,
    });
    rows.sum()
}

fn message_of(loaded: &Loaded) -> Option<&Message> {
    match &loaded.record {
        Record::Message(message) => Some(message),
        _ => None,
    }
}

/// The comments that a message becomes, and the bytes of their texts.
fn comments_of(message: &Message, budget: usize) -> (u64, u64) {
    let files: Vec<String> = message.files.iter().map(|file| file.name.clone()).collect();
    match comment_text(message, false, &files) {
        None => (0, 0),
        Some(whole) => (
            text::split_at(&whole, budget).len() as u64,
            whole.len() as u64,
        ),
    }
}

fn names_people(message: &Message) -> bool {
    let headers = message.email.as_ref();
    headers.is_some_and(|h| !(h.to.is_empty() && h.cc.is_empty() && h.bcc.is_empty()))
}

fn bodies(message: &Message) -> impl Iterator<Item = &str> {
    let body = &message.body;
    [&body.html, &body.text]
        .into_iter()
        .flatten()
        .map(String::as_str)
}

fn longest_body(message: &Message) -> usize {
    bodies(message).map(str::len).max().unwrap_or_default()
}

/// About the bytes of a mail's row in a call.
fn size_of(message: &Message) -> u64 {
    let texts: usize = bodies(message)
        .map(|text| text.len().min(BODY) * 5 / 4)
        .sum();
    texts as u64 + ROW_BYTES
}

/// The files of a batch: the same bytes on one conversation are one.
fn distinct(mapping: &Mapping, records: &[Loaded]) -> (u64, u64) {
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    for loaded in records {
        if let (Record::Attachment(file), Some(FileState::Staged(blob))) =
            (&loaded.record, &loaded.file)
            && blob.size > 0
            && (mapping.articles().is_some()
                || file.conversation.record_kind() != Some(RecordKind::Article))
            && seen.insert(file_key(&file.conversation, &blob.blake3))
        {
            bytes += blob.size;
        }
    }
    (seen.len() as u64, bytes)
}

fn files(mapping: &Mapping, records: &[Loaded]) -> Effort {
    let (files, bytes) = distinct(mapping, records);
    uploads(files, bytes)
}

fn articles_of(records: &[Loaded]) -> impl Iterator<Item = &Article> {
    records.iter().filter_map(|loaded| match &loaded.record {
        Record::Article(article) => Some(article.as_ref()),
        _ => None,
    })
}

/// The texts of all articles, where they are loaded.
fn texts_of(mapping: &Mapping, records: &[Loaded]) -> u64 {
    let texts = articles_of(records).map(|article| article.translations.len() as u64);
    mapping.articles().map_or(0, |_| texts.sum())
}

/// Drafts, what they become, and the steps of their publication: each step is a call for up to a hundred, after a look.
fn articles(mapping: &Mapping, records: &[Loaded]) -> Effort {
    let texts = texts_of(mapping, records);
    if texts == 0 {
        return Effort::default();
    }
    let mains = articles_of(records).count() as u64;
    let (files, places) = articles_of(records).fold((0, 0), |(files, places), article| {
        (
            files + article.files.len() as u64,
            places + article.categories.len() as u64,
        )
    });
    let rows = [mains, texts - mains, files, places];
    let calls = rows
        .iter()
        .map(|rows| rows.div_ceil(ROWS as u64))
        .sum::<u64>();
    // Submission, publication of main texts and of others; links cost a look, a read and a change more.
    let steps = 2 * texts.div_ceil(100) + (texts - mains).div_ceil(100);
    let looks = 6 * pieces_of_ids(texts);
    let mut effort = queries(looks);
    effort.requests = effort.requests.plus(Span::new(calls, calls + steps + 3));
    effort.millis = effort.millis.plus(times(CALL_OF_200, calls + steps));
    effort.rows = rows.iter().sum();
    effort.data_bytes = texts * ARTICLE_BYTES;
    effort
}

/// Files of their own, and the documents that the org made for them, asked together.
fn uploads(files: u64, bytes: u64) -> Effort {
    let mut effort = queries(pieces_of_ids(files));
    effort.rows = files;
    effort.requests = effort.requests.plus(Span::new(files, files));
    let moving = Span::new(bytes / 20_000, bytes / 1_000);
    effort.millis = effort.millis.plus(times(FILE, files)).plus(moving);
    effort.file_bytes = bytes;
    effort
}

/// In how many queries these texts are asked.
fn asked(texts: impl Iterator<Item = String>, written: impl Fn(&str) -> String) -> u64 {
    let texts: BTreeSet<String> = texts.collect();
    let lengths = texts.iter().map(|text| address_length(&written(text)));
    pieces_of(lengths)
}

/// In how many queries so many ids are asked.
fn pieces_of_ids(ids: u64) -> u64 {
    let id = address_length("'500000000000001AAA',");
    pieces_of((0..ids).map(|_| id))
}

fn queries(count: u64) -> Effort {
    let mut effort = Effort::default();
    effort.requests = Span::new(count, count);
    effort.millis = times(QUERY, count);
    effort
}

const fn times(span: Span, count: u64) -> Span {
    Span::new(span.least * count, span.most * count)
}

/// One of two: at the least what the lesser takes, at the most what the greater does.
fn either(one: Effort, other: Effort) -> Effort {
    let span = |a: Span, b: Span| Span::new(a.least.min(b.least), a.most.max(b.most));
    let mut effort = one;
    effort.requests = span(one.requests, other.requests);
    effort.millis = span(one.millis, other.millis);
    effort
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::facts::comment::tests::message;

    #[test]
    fn rows_go_by_collections_until_there_are_enough_for_a_job() {
        let large = 50 << 20;
        for (bulk_from, fit, other, bytes, requests) in [
            (0, 0, 0, 0, (0, 0)),
            (0, 1, 0, 100, (1, 1)),
            (0, 200, 1, 100, (2, 2)),
            (0, 10, 0, large, (2, 2)),
            (2_000, 1_999, 0, 100, (10, 10)),
            (2_000, 2_000, 0, 100, (8, 14)),
            (2_000, 2_000, 201, 100, (10, 16)),
            (2_000, 100_001, 0, 100, (16, 28)),
        ] {
            let effort = Ways { bulk_from }.inserts(fit, other, bytes);
            let expected = Span::new(requests.0, requests.1);
            assert_eq!(
                effort.requests, expected,
                "{bulk_from} {fit} {other} {bytes}"
            );
            assert_eq!(effort.data_bytes, (fit + other) * ROW_BYTES);
        }
    }

    #[test]
    fn every_way_that_is_offered_is_weighed_and_the_chosen_one_marked() {
        let mapping = Mapping::default_text().replace("# calls = \"task\"", "calls = \"task\"");
        let mapping = Mapping::parse(&mapping).unwrap();
        let mut said = message("Ann");
        said.body.text = Some("a & b ".repeat(1_000));
        let shown = |message: &Message| -> Vec<(String, &'static str, bool, u64)> {
            let ways = ways_of(&mapping, message).into_iter();
            ways.map(|way| (way.of, way.way, way.chosen, way.rows))
                .collect()
        };
        let line = |of: &str, way, chosen, rows| (of.to_owned(), way, chosen, rows);
        assert_eq!(
            shown(&said),
            [
                line("chat", "case-comment", true, 3),
                line("chat", "conversation-message", false, 1),
                line("chat", "email-message", false, 1),
                line("chat", "feed-item", false, 2),
            ]
        );
        said.call = Some(deskferry_core::model::Call::default());
        assert_eq!(shown(&said)[0], line("calls", "task", true, 1));
        said.call = None;
        said.direction = deskferry_core::model::Direction::Internal;
        assert_eq!(shown(&said).len(), 3);
        said.channel.is = deskferry_core::model::ChannelKind::Email;
        said.direction = deskferry_core::model::Direction::In;
        assert!(shown(&said).is_empty(), "mails are mails");
    }

    #[test]
    fn ids_are_asked_in_as_many_queries_as_the_address_has_room_for() {
        assert_eq!([0, 1, 400, 1_000].map(pieces_of_ids), [0, 1, 1, 3]);
    }
}
