//! SOSL in its plain forms: words, with `*` and `?`, joined by AND, OR and NOT, in all fields or in those of names, addresses or
//! phones, of the objects that are asked for.

use serde_json::Value;

use super::check::check;
use super::eval::{matching, shown_of};
use super::parser::parse;
use super::{Query, Select};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::richtext;
use crate::org::schema::{Field, Kind, Object};
use crate::org::store::{self, Row};

/// Rows of one answer.
const MOST: usize = 2_000;

/// What is searched for, and where.
#[derive(Debug)]
pub(crate) struct Search {
    words: Vec<Word>,
    within: Fields,
    /// As queries; every object that can be searched where none is named.
    returning: Vec<String>,
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fields {
    All,
    Name,
    Email,
    Phone,
}

#[derive(Debug, PartialEq)]
enum Word {
    /// Texts of letters and digits that follow each other, such as the parts of an address.
    Term(Vec<String>),
    And,
    Or,
    Not,
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new("MALFORMED_SEARCH", message)
}

impl Search {
    /// `FIND {…} IN … FIELDS RETURNING …`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let rest = strip(text, "FIND").ok_or_else(|| malformed("FIND is expected"))?;
        let rest = rest.trim_start();
        let close = match rest.chars().next() {
            Some('{') => '}',
            Some('\'') => '\'',
            _ => return Err(malformed("a search term in braces is expected")),
        };
        let end = rest[1..]
            .find(close)
            .ok_or_else(|| malformed("the search term is not closed"))?;
        let mut search = Self::of(&rest[1..=end])?;
        let mut rest = rest[end + 2..].trim_start();
        if let Some(behind) = strip(rest, "IN") {
            let (group, behind) = behind.trim_start().split_once(' ').unwrap_or((behind, ""));
            search.within = group_named(group)?;
            rest = strip(behind.trim_start(), "FIELDS")
                .ok_or_else(|| malformed("FIELDS is expected"))?
                .trim_start();
        }
        if let Some(behind) = strip(rest, "RETURNING") {
            let (list, behind) = returning(behind)?;
            search.returning = list;
            rest = behind;
        }
        if let Some(behind) = strip(rest.trim_start(), "LIMIT") {
            let number = behind.trim();
            search.limit = number
                .parse()
                .map_err(|_| malformed(format!("unexpected token: {number}")))?;
            rest = "";
        }
        if !rest.trim().is_empty() {
            return Err(malformed(format!("unexpected token: {}", rest.trim())));
        }
        Ok(search)
    }

    /// A term alone, in all fields of all objects.
    pub(crate) fn of(term: &str) -> Result<Self, Refusal> {
        let words = words(term);
        let letters: usize = words.iter().map(Word::letters).sum();
        if letters < 2 {
            let message = format!("search term must be longer than one character: {term}");
            return Err(malformed(message));
        }
        Ok(Self {
            words,
            within: Fields::All,
            returning: Vec::new(),
            limit: MOST,
        })
    }

    /// `ALL`, `NAME`, `EMAIL` or `PHONE`.
    pub(crate) fn within(mut self, group: &str) -> Result<Self, Refusal> {
        self.within = group_named(group)?;
        Ok(self)
    }

    /// An object whose rows are wanted: its name, and behind it, if anything, fields with a condition in parentheses.
    pub(crate) fn object(&mut self, text: &str) -> Result<(), Refusal> {
        self.returning.push(as_query(text)?);
        Ok(())
    }

    pub(crate) fn limited(mut self, limit: usize) -> Self {
        self.limit = limit.min(MOST);
        self
    }

    /// Whether the words are among these texts; OR binds least, as the platform reads it.
    fn fits(&self, texts: &[Vec<String>]) -> bool {
        self.words.split(|word| *word == Word::Or).any(|together| {
            let mut wanted = true;
            together.iter().all(|word| match word {
                Word::Term(parts) => {
                    let found = texts.iter().any(|text| holds(text, parts));
                    std::mem::replace(&mut wanted, true) == found
                }
                Word::Not => {
                    wanted = false;
                    true
                }
                Word::And | Word::Or => true,
            })
        })
    }
}

impl Word {
    fn letters(&self) -> usize {
        match self {
            Self::Term(parts) => parts
                .iter()
                .map(|part| part.chars().filter(|c| c.is_alphanumeric()).count())
                .sum(),
            _ => 0,
        }
    }
}

/// What follows a word, whatever its case.
fn strip<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (head.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

fn group_named(name: &str) -> Result<Fields, Refusal> {
    match name.trim().to_ascii_uppercase().as_str() {
        "ALL" | "SIDEBAR" => Ok(Fields::All),
        "NAME" => Ok(Fields::Name),
        "EMAIL" => Ok(Fields::Email),
        "PHONE" => Ok(Fields::Phone),
        other => Err(malformed(format!("{other} is no group of fields"))),
    }
}

fn words(term: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut push = |text: &str, quoted: bool| match text {
        "AND" if !quoted => words.push(Word::And),
        "OR" if !quoted => words.push(Word::Or),
        "NOT" if !quoted => words.push(Word::Not),
        _ => {
            let parts = pieces(text, true);
            if !parts.is_empty() {
                words.push(Word::Term(parts));
            }
        }
    };
    for (n, part) in term.split('"').enumerate() {
        if n % 2 == 1 {
            push(part, true);
        } else {
            part.split([' ', '\t', '\n', '(', ')'])
                .for_each(|word| push(word, false));
        }
    }
    words
}

/// The words of a text in small letters. In a term, `*` and `?` are parts of words and a backslash takes the next sign as
/// it is.
fn pieces(text: &str, is_term: bool) -> Vec<String> {
    let (mut found, mut piece, mut plain) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        if is_term && c == '\\' && !plain {
            plain = true;
            continue;
        }
        let wild = is_term && !plain && matches!(c, '*' | '?');
        if c.is_alphanumeric() || wild {
            piece.extend(c.to_lowercase());
        } else if !piece.is_empty() {
            found.push(std::mem::take(&mut piece));
        }
        plain = false;
    }
    if !piece.is_empty() {
        found.push(piece);
    }
    found
}

/// Whether the parts of a term follow each other in a text.
fn holds(text: &[String], parts: &[String]) -> bool {
    text.windows(parts.len()).any(|window| {
        window
            .iter()
            .zip(parts)
            .all(|(word, part)| like(word, part))
    })
}

fn like(word: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => word.is_empty(),
        Some('*') => (0..=word.len())
            .filter(|at| word.is_char_boundary(*at))
            .any(|at| like(&word[at..], rest.as_str())),
        Some(sign) => {
            let mut letters = word.chars();
            letters.next().is_some_and(|c| sign == '?' || c == sign)
                && like(letters.as_str(), rest.as_str())
        }
    }
}

/// The objects behind `RETURNING`, as queries, and what follows them.
fn returning(text: &str) -> Result<(Vec<String>, &str), Refusal> {
    let (mut found, mut rest) = (Vec::new(), text.trim_start());
    loop {
        let name = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let (mut depth, mut end) = (0_usize, name);
        if rest[name..].trim_start().starts_with('(') {
            end = rest.len();
            for (at, c) in rest.char_indices().skip(name) {
                match c {
                    '(' => depth += 1,
                    ')' if depth == 1 => {
                        end = at + 1;
                        break;
                    }
                    ')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
        }
        found.push(as_query(&rest[..end])?);
        rest = rest[end..].trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return Ok((found, rest)),
        }
    }
}

/// `Account(Id, Name WHERE … LIMIT 3)` as a query.
fn as_query(text: &str) -> Result<String, Refusal> {
    let (name, inner) = match text.split_once('(') {
        None => (text.trim(), ""),
        Some((name, inner)) => {
            let inner = inner.trim_end().strip_suffix(')');
            (
                name.trim(),
                inner.ok_or_else(|| malformed("a parenthesis is not closed"))?,
            )
        }
    };
    if name.is_empty() {
        return Err(malformed("the name of an object is expected"));
    }
    let upper = inner.to_ascii_uppercase();
    let clause = [" WHERE ", " ORDER ", " LIMIT ", " OFFSET ", " USING "]
        .iter()
        .filter_map(|word| upper.find(word))
        .min()
        .unwrap_or(inner.len());
    let (fields, clauses) = inner.split_at(clause);
    let fields = if fields.trim().is_empty() {
        "Id"
    } else {
        fields
    };
    Ok(format!("SELECT {fields} FROM {name} {clauses}"))
}

/// The rows that are found, each as its object is asked for.
pub(crate) fn search(ctx: &Ctx<'_>, search: &Search) -> Result<Vec<Value>, Refusal> {
    let everywhere: Vec<String> = ctx
        .schema()
        .objects
        .iter()
        .filter(|object| is_searched(object))
        .map(|object| format!("SELECT Id FROM {}", object.name))
        .collect();
    let wanted = if search.returning.is_empty() {
        &everywhere
    } else {
        &search.returning
    };
    let mut found = Vec::new();
    for text in wanted {
        let mut query = parse(text)?;
        if !matches!(query.select, Select::Items(_)) || query.is_aggregate() {
            return Err(malformed("a search returns records"));
        }
        let object = ctx
            .object(&query.from)
            .map_err(|refusal| refusal.with_status(400))?;
        check(ctx, object, &query)?;
        of_object(ctx, search, object, &mut query, &mut found)?;
    }
    Ok(found)
}

fn is_searched(object: &Object) -> bool {
    object.queryable
        && !object.setup
        && !object.tooling
        && object.fields.iter().any(|field| field.name_field)
}

fn of_object(
    ctx: &Ctx<'_>,
    search: &Search,
    object: &Object,
    query: &mut Query,
    found: &mut Vec<Value>,
) -> Result<(), Refusal> {
    // They count what is found, not what is looked through.
    let limit = query.limit.take().unwrap_or(MOST);
    let offset = std::mem::take(&mut query.offset);
    let fields: Vec<&Field> = object
        .fields
        .iter()
        .filter(|field| !field.hidden && is_within(search.within, field))
        .collect();
    let (mut passed, mut taken) = (0, 0);
    for number in matching(ctx, query, false)? {
        if taken >= limit || found.len() >= search.limit {
            break;
        }
        let Some(row) = store::get(ctx.db, object, number)? else {
            continue;
        };
        if !search.fits(&texts(&row, &fields)) {
            continue;
        }
        passed += 1;
        if passed > offset {
            taken += 1;
            found.extend(shown_of(ctx, object, query, number)?);
        }
    }
    Ok(())
}

fn is_within(group: Fields, field: &Field) -> bool {
    match group {
        Fields::All => field.is_text() || field.kind == Kind::MultiPicklist,
        Fields::Name => field.name_field || field.compound.as_deref() == Some("Name"),
        Fields::Email => field.kind == Kind::Email,
        Fields::Phone => field.kind == Kind::Phone,
    }
}

fn texts(row: &Row, fields: &[&Field]) -> Vec<Vec<String>> {
    let texts = fields.iter().filter_map(|field| {
        let text = row.fields.get(&field.name)?.as_str()?;
        Some(match field.kind {
            Kind::RichText => pieces(&richtext::text_of(text), false),
            _ => pieces(text, false),
        })
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_finds_its_words_whatever_stands_around_them() {
        let text = "The broken lamp of ann.lee@example.org (LX-200)";
        for (term, found) in [
            ("lamp", true),
            ("LAMP", true),
            ("lam", false),
            ("lam*", true),
            ("l?mp", true),
            ("ann.lee@example.org", true),
            ("lee.ann", false),
            ("lamp broken", true),
            ("\"broken lamp\"", true),
            ("\"lamp broken\"", false),
            ("lamp AND sofa", false),
            ("lamp OR sofa", true),
            ("lamp AND NOT sofa", true),
            ("lamp AND NOT broken", false),
            ("LX\\-200", true),
        ] {
            let search = Search::of(term).unwrap();
            assert_eq!(search.fits(&[pieces(text, false)]), found, "{term}");
        }
    }

    #[test]
    fn a_search_is_read_or_refused() {
        for good in [
            "FIND {lamp}",
            "find {lamp} in name fields returning Account(Id, Name), Contact LIMIT 5",
            "FIND {lamp} RETURNING Case(Id, Subject WHERE Status IN ('New', 'Closed') ORDER BY Subject LIMIT 2)",
        ] {
            assert!(Search::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "FIND lamp",
            "FIND {lamp",
            "FIND {x}",
            "FIND {lamp} IN SOME FIELDS",
            "FIND {lamp} RETURNING Case(Id",
            "FIND {lamp} RETURNING Case nonsense",
        ] {
            let refused = Search::parse(bad).map(|_| ()).unwrap_err();
            assert_eq!(refused.code, "MALFORMED_SEARCH", "{bad}");
        }
    }
}
