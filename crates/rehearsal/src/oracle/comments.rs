//! CaseComments: they have no key, so they are found by what they say.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Duration, Utc};

use super::files::unavailable;
use super::html;
use super::want::{Row, field, moment, same_id, short};
use super::words::{bare, clean, collapsed, encoded, file_name};
use super::{Difference, Findings, Ground, calls};
use crate::world::{Author, Conversation, Message, MessageKind};

const OBJECT: &str = "CaseComment";
/// What the platform takes, in bytes once encoded.
const LARGEST: usize = 4_000;
/// The same of a post.
const LARGEST_POST: usize = 10_000;

/// Comments by Case.
pub(super) struct Comments {
    by_case: HashMap<String, Vec<Row>>,
}

impl Comments {
    pub(super) fn load(rows: Vec<Row>) -> Self {
        let mut by_case: HashMap<String, Vec<Row>> = HashMap::new();
        for row in rows {
            by_case
                .entry(short(field(&row, "ParentId")).to_owned())
                .or_default()
                .push(row);
        }
        Self { by_case }
    }

    /// Posts that people wrote, read as comments.
    pub(super) fn of_posts(rows: Vec<Row>) -> Self {
        let mut posts = Vec::new();
        for mut row in rows {
            if !matches!(field(&row, "Type"), "" | "TextPost") {
                continue;
            }
            let seen = field(&row, "Visibility") == "AllUsers";
            let body = row.remove("Body").unwrap_or_default();
            row.insert("CommentBody".to_owned(), body);
            row.insert("IsPublished".to_owned(), seen.into());
            posts.push(row);
        }
        Self::load(posts)
    }

    /// Comments on migrated Cases that nothing expected.
    pub(super) fn rest_is_extra(self, migrated: &BTreeSet<&str>, out: &mut Findings) {
        let mut rest: Vec<_> = self
            .by_case
            .into_iter()
            .filter(|(case, _)| migrated.contains(case.as_str()))
            .collect();
        rest.sort_by(|a, b| a.0.cmp(&b.0));
        for row in rest.into_iter().flat_map(|(_, rows)| rows) {
            out.add(Difference::new(
                OBJECT,
                field(&row, "ParentId"),
                "row",
                "none",
                field(&row, "CommentBody"),
            ));
        }
    }
}

/// A comment as it must be.
struct Wanted {
    key: String,
    sent: DateTime<Utc>,
    published: bool,
    /// The author's user, if that is an active one.
    author: Option<String>,
    /// Name and word for the author in the first line, where there must be one.
    line: Option<(Option<String>, &'static str)>,
    text: String,
    /// Names of files, `None` for a picture without a name, with what became of those that could not come.
    files: Vec<(Option<String>, Option<&'static str>)>,
}

/// One message as the org holds it: its rows in order, and what they say together.
struct Found {
    rows: Vec<Row>,
    line: Option<String>,
    text: String,
    files: Vec<String>,
}

/// Compares the comments of a Case, and takes them out.
pub(super) fn compare(
    ground: &Ground<'_>,
    conversation: &Conversation,
    case: &str,
    comments: &mut Comments,
    out: &mut Findings,
) {
    let mut found = assembled(
        comments.by_case.remove(short(case)).unwrap_or_default(),
        ground.options.audit_fields,
    );
    let mut unmet = Vec::new();
    for wanted in conversation
        .messages
        .iter()
        .filter_map(|message| wanted(ground, message))
    {
        let says = bare(&wanted.text);
        let same = |found: &&(usize, &Found)| bare(&found.1.text) == says;
        let all: Vec<_> = found
            .iter()
            .enumerate()
            .filter(|found| same(&found))
            .collect();
        let place = all
            .iter()
            .max_by_key(|(place, found)| (likeness(&wanted, found), std::cmp::Reverse(*place)))
            .map(|(place, _)| *place);
        match place {
            Some(place) => details(ground, &wanted, &found.remove(place), out),
            None => unmet.push(wanted),
        }
    }
    for wanted in unmet {
        // A comment of the same moment is probably this one with another text.
        match found.iter().position(|found| {
            found
                .rows
                .first()
                .is_some_and(|row| created(row) == Some(wanted.sent))
        }) {
            Some(place) if ground.options.audit_fields => {
                let found = found.remove(place);
                out.add(Difference::new(
                    OBJECT,
                    &wanted.key,
                    "CommentBody",
                    &wanted.text,
                    &found.text,
                ));
            }
            _ => out.missing(OBJECT, &wanted.key),
        }
    }
    for row in found.into_iter().flat_map(|found| found.rows) {
        out.add(Difference::new(
            OBJECT,
            &ground.key("conversation", conversation.id),
            "row",
            "none",
            field(&row, "CommentBody"),
        ));
    }
}

fn likeness(wanted: &Wanted, found: &Found) -> usize {
    let row = found.rows.first();
    usize::from(row.is_some_and(|row| created(row) == Some(wanted.sent))) * 4
        + usize::from(row.is_some_and(|row| is_published(row) == wanted.published)) * 2
        + usize::from(found.files.len() == wanted.files.len())
}

fn created(row: &Row) -> Option<DateTime<Utc>> {
    moment(field(row, "CreatedDate"))
}

fn is_published(row: &Row) -> bool {
    row.get("IsPublished")
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(false)
}

/// The comment that a message becomes, if it becomes one.
fn wanted(ground: &Ground<'_>, message: &Message) -> Option<Wanted> {
    if message.mail.is_some() || message.is_elsewhere() || calls::is_call(ground, message) {
        return None;
    }
    let text = match message
        .text
        .as_deref()
        .filter(|text| !clean(text).is_empty())
    {
        Some(text) => clean(text),
        None => message
            .html
            .as_deref()
            .map(|page| clean(&html::text(page, true)))
            .unwrap_or_default(),
    };
    let files = message.files.iter().map(|file| {
        let name = file.name.clone().filter(|name| !file_name(name).is_empty());
        (
            Some(name.unwrap_or_else(|| {
                format!(
                    "file-{}",
                    ground.options.platform.file_id(message.id, file.id)
                )
            })),
            unavailable(file),
        )
    });
    let images = message
        .images
        .iter()
        .map(|image| (None, image.lost.then_some("unavailable")));
    let files: Vec<_> = files.chain(images).collect();
    if text.is_empty() && files.is_empty() {
        return None;
    }
    let (author, line) = author(ground, message.author);
    Some(Wanted {
        key: ground.key("message", message.id),
        sent: message.sent,
        published: !matches!(message.kind, MessageKind::Note { .. }),
        author,
        line,
        text,
        files,
    })
}

type Line = (Option<String>, &'static str);

fn author(ground: &Ground<'_>, author: Author) -> (Option<String>, Option<Line>) {
    let Author::Person(id) = author else {
        return (None, Some((None, "system")));
    };
    // Without the right to say who made a row, the author stands in the text.
    if ground.options.audit_fields
        && let Some(user) = ground.users.active(id)
    {
        return (Some(user.id.clone()), None);
    }
    let person = ground.world.person(id);
    let name = person
        .map(|person| collapsed(&person.name))
        .filter(|name| !name.is_empty());
    let word = if person.is_some_and(|person| person.role.is_staff()) {
        "agent"
    } else {
        "customer"
    };
    (None, Some((name, word)))
}

/// Puts the parts of split messages together. A part says which of how many it is.
fn assembled(rows: Vec<Row>, audit: bool) -> Vec<Found> {
    let mut left: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    let mut all = Vec::new();
    for place in 0..left.len() {
        let first = left[place]
            .as_ref()
            .and_then(|row| part(field(row, "CommentBody")));
        let count = match first {
            None => 1,
            Some((1, count)) => count,
            Some(_) => continue,
        };
        let Some(row) = left[place].take() else {
            continue;
        };
        let begun = created(&row);
        let mut rows = vec![row];
        for number in 2..=count {
            let next = left.iter().position(|row| {
                row.as_ref().is_some_and(|row| {
                    let due = begun.map(|begun| {
                        begun + Duration::seconds(i64::try_from(number - 1).unwrap_or(0))
                    });
                    part(field(row, "CommentBody")) == Some((number, count))
                        && (!audit || created(row) == due)
                })
            });
            let Some(next) = next.and_then(|place| left[place].take()) else {
                break;
            };
            rows.push(next);
        }
        all.push(rows);
    }
    // Parts without a beginning stand for themselves, and will be too many.
    all.extend(left.into_iter().flatten().map(|row| vec![row]));
    all.into_iter().map(read).collect()
}

/// `[2/5] ` at the beginning.
fn part(body: &str) -> Option<(usize, usize)> {
    let (inside, _) = body.strip_prefix('[')?.split_once(']')?;
    let (number, count) = inside.split_once('/')?;
    Some((number.parse().ok()?, count.parse().ok()?))
}

fn read(rows: Vec<Row>) -> Found {
    let pieces = rows.iter().map(|row| {
        let body = field(row, "CommentBody");
        match part(body) {
            Some(_) => body
                .split_once(']')
                .map_or(body, |(_, rest)| rest.trim_start()),
            None => body,
        }
    });
    let whole = pieces.collect::<Vec<_>>().join("\n");
    let mut text = whole.as_str();
    let mut line = None;
    let first = text.lines().next().unwrap_or("");
    if first.ends_with(" UTC:")
        && ["(customer)", "(agent)", "(system)"]
            .iter()
            .any(|word| first.contains(word))
    {
        line = Some(first.to_owned());
        text = &text[first.len()..];
    }
    let mut files = Vec::new();
    if let Some((before, list)) = text.rsplit_once("[Files: ")
        && let Some(list) = list.trim_end().strip_suffix(']')
    {
        files = list
            .split("; ")
            .map(|name| name.replace('\n', " "))
            .collect();
        text = before;
    }
    Found {
        line,
        text: text.trim().to_owned(),
        files,
        rows,
    }
}

/// Everything but the text.
fn details(ground: &Ground<'_>, wanted: &Wanted, found: &Found, out: &mut Findings) {
    let mut wrong = |name: &str, expected: &str, found: &str| {
        out.add(Difference::new(OBJECT, &wanted.key, name, expected, found))
    };
    match (&wanted.line, &found.line) {
        (None, None) => {}
        (Some((name, word)), Some(line)) => {
            let ending = format!("({word}), {} UTC:", wanted.sent.format("%Y-%m-%d %H:%M"));
            let good = match name {
                Some(name) => *line == format!("{name} {ending}"),
                None => line.ends_with(&ending),
            };
            if !good {
                wrong(
                    "CommentBody",
                    &format!("{} {ending}", name.as_deref().unwrap_or("…")),
                    line,
                );
            }
        }
        (expected, line) => wrong(
            "CommentBody",
            &format!("first line: {expected:?}"),
            line.as_deref().unwrap_or("none"),
        ),
    }
    if !same_files(&wanted.files, &found.files) {
        wrong(
            "CommentBody",
            &format!("files {:?}", wanted.files),
            &format!("{:?}", found.files),
        );
    }
    for (place, row) in found.rows.iter().enumerate() {
        if is_published(row) != wanted.published {
            wrong(
                "IsPublished",
                &wanted.published.to_string(),
                &is_published(row).to_string(),
            );
        }
        let size = encoded(field(row, "CommentBody"));
        let largest = match ground.options.posts {
            true => LARGEST_POST,
            false => LARGEST,
        };
        if size > largest {
            wrong(
                "CommentBody",
                &format!("at most {largest} bytes"),
                &size.to_string(),
            );
        }
        if !ground.options.audit_fields {
            continue;
        }
        let due = wanted.sent + Duration::seconds(i64::try_from(place).unwrap_or(0));
        // A post keeps the date of its making alone.
        let kept = match ground.options.posts {
            true => &["CreatedDate"][..],
            false => &["CreatedDate", "LastModifiedDate"],
        };
        for name in kept.iter().copied() {
            if moment(field(row, name)) != Some(due) {
                wrong(name, &due.to_rfc3339(), field(row, name));
            }
        }
        if let Some(author) = &wanted.author
            && !same_id(author, field(row, "CreatedById"))
        {
            wrong("CreatedById", author, field(row, "CreatedById"));
        }
    }
}

/// Each name once, in any order; pictures without a name take what is left.
fn same_files(wanted: &[(Option<String>, Option<&str>)], found: &[String]) -> bool {
    let mut found: Vec<String> = found.iter().map(|name| name.to_lowercase()).collect();
    let mut take = |test: &dyn Fn(&str) -> bool| match found.iter().position(|name| test(name)) {
        Some(place) => {
            found.swap_remove(place);
            true
        }
        None => false,
    };
    let named = wanted.iter().filter(|(name, _)| name.is_some());
    let nameless = wanted.iter().filter(|(name, _)| name.is_none());
    let all_there = named.chain(nameless).all(|(name, fate)| {
        let ending = fate.map(|fate| format!(" ({fate})")).unwrap_or_default();
        take(&|found: &str| {
            let Some(bare) = found.strip_suffix(&ending) else {
                return false;
            };
            name.as_ref().is_none_or(|name| {
                let (bare, name) = (file_name(bare), file_name(&name.to_lowercase()));
                // A file without an ending may have got one.
                bare == name || (!name.contains('.') && bare.starts_with(&name))
            })
        })
    });
    all_there && found.is_empty()
}
