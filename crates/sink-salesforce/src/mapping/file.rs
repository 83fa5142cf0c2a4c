//! The mapping file's text.

use std::collections::{BTreeMap, BTreeSet};

use deskferry_core::error::{Error, ErrorKind, Result};
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use super::articles::{ARTICLES, Articles, LEFT, plain};
use super::leads::Leads;
use super::on_match::OnMatch;
use super::policy::{CALLS, CHATS, NOTES, Route, Routes};
use super::record_types::RecordTypes;
use super::required::{Create, CreateObject};
use super::{FieldLine, Mapping, ObjectMapping, facts};

/// The format that this version writes and reads.
const FORMAT: i64 = 1;
const READING: &str = "read the mapping";

#[derive(Deserialize)]
struct Head {
    format: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "format")]
    _format: i64,
    #[serde(default)]
    policy: Policy,
    #[serde(rename = "Account")]
    account: Option<Spanned<Table>>,
    #[serde(rename = "Contact")]
    contact: Option<Spanned<Table>>,
    #[serde(rename = "Lead")]
    lead: Option<Spanned<Table>>,
    #[serde(rename = "Case")]
    case: Option<Spanned<Table>>,
    #[serde(rename = "ContentVersion")]
    content_version: Option<Spanned<Table>>,
    #[serde(rename = "EmailMessage")]
    email_message: Option<Spanned<Table>>,
    #[serde(rename = "CaseComment")]
    case_comment: Option<Spanned<Table>>,
    #[serde(rename = "Conversation_Message__c")]
    conversation_message: Option<Spanned<Table>>,
    #[serde(rename = "Task")]
    task: Option<Spanned<Table>>,
    #[serde(rename = "FeedItem")]
    feed_item: Option<Spanned<Table>>,
    #[serde(rename = "Agent_Stats__c")]
    agent_statistics: Option<Spanned<Table>>,
    #[serde(rename = "Knowledge__kav")]
    knowledge: Option<Spanned<Table>>,
    /// Custom objects of the source, by the API name that they get.
    #[serde(default)]
    objects: BTreeMap<Spanned<String>, Spanned<Table>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Policy {
    chat: Option<Spanned<String>>,
    notes: Option<Spanned<String>>,
    calls: Option<Spanned<String>>,
    leads: Option<Spanned<Conditions>>,
    agent_statistics: Option<Spanned<String>>,
    articles: Option<Spanned<String>>,
    article_categories: Option<Spanned<String>>,
    article_address: Option<Spanned<String>>,
    #[serde(default)]
    article_hosts: Vec<String>,
    #[serde(default)]
    languages: BTreeMap<String, String>,
    #[serde(default)]
    channels: BTreeMap<Spanned<String>, Spanned<String>>,
    record_type_by: Option<Spanned<String>>,
    #[serde(default)]
    record_types: BTreeMap<Spanned<String>, Spanned<String>>,
}

/// One condition, or several of which one is enough.
#[derive(Deserialize)]
#[serde(untagged)]
enum Conditions {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    from: Spanned<String>,
    create: Option<Spanned<CreateObject>>,
    on_match: Option<Spanned<OnMatch>>,
    #[serde(default)]
    fields: BTreeMap<Spanned<String>, Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    from: Spanned<String>,
    #[serde(default)]
    values: BTreeMap<String, Written>,
    #[serde(default)]
    optional: bool,
    create: Option<Create>,
}

/// What a value of the source becomes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bool(bool),
    Number(i64),
}

impl From<Written> for Value {
    fn from(written: Written) -> Self {
        match written {
            Written::Text(text) => text.into(),
            Written::Bool(value) => value.into(),
            Written::Number(number) => number.into(),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Mapping> {
    let head: Head = read(text)?;
    match &head.format {
        None => return Err(wrong(text, 0, "the line `format = 1` is missing")),
        Some(format) if *format.get_ref() > FORMAT => return Err(newer(*format.get_ref())),
        Some(format) if *format.get_ref() < FORMAT => {
            return Err(wrong(
                text,
                format.span().start,
                "there is no such format; this version knows format 1",
            ));
        }
        Some(_) => {}
    }
    let file: File = read(text)?;
    let routes = read_policy(text, &file.policy)?;
    let statistics = read_statistics(text, &file.policy)?;
    let leads = read_leads(text, &file.policy)?;
    let tables = [
        ("Account", file.account),
        ("Contact", file.contact),
        (facts::LEADS, file.lead),
        ("Case", file.case),
        ("ContentVersion", file.content_version),
        ("EmailMessage", file.email_message),
        ("CaseComment", file.case_comment),
        (facts::MESSAGES, file.conversation_message),
        (facts::CALLS, file.task),
        (facts::POSTS, file.feed_item),
        (facts::STATISTICS, file.agent_statistics),
        (ARTICLES, file.knowledge),
    ];
    let articles = read_articles(text, &file.policy)?;
    // What is written by choice alone: an org that does not need it need not have it.
    let chosen = |object: &str| match object {
        facts::MESSAGES => routes.uses(Route::Row),
        facts::CALLS => routes.uses(Route::Task),
        facts::POSTS => routes.uses(Route::Post),
        facts::STATISTICS => statistics,
        facts::LEADS => leads.is_some(),
        ARTICLES => articles.is_some(),
        _ => true,
    };
    let mut objects = BTreeMap::new();
    let mut missing = None;
    for (object, table) in tables {
        match table {
            table if !chosen(object) => {
                table
                    .map(|table| read_table(text, object, table))
                    .transpose()?;
            }
            Some(table) => _ = objects.insert(object, read_table(text, object, table)?),
            None => missing = missing.or(Some(object)),
        }
    }
    if let Some(object) = missing {
        return Err(wrong(
            text,
            text.len(),
            format!("the table `[{object}]` is missing"),
        ));
    }
    for (name, table) in file.objects {
        let object = own_name(text, &name)?;
        objects.insert(object, read_table(text, object, table)?);
    }
    let record_types = read_record_types(text, &file.policy, &objects)?;
    let hash = hash(
        &objects,
        &routes,
        articles.as_ref(),
        record_types.as_ref(),
        leads.as_ref(),
    );
    let by = file.policy.record_type_by.as_ref();
    Ok(Mapping {
        objects,
        routes,
        articles,
        record_types,
        record_types_line: by.map_or(0, |by| place(text, by.span().start).0),
        leads,
        hash,
    })
}

/// The API name of an object for records of a custom object of the source.
fn own_name(text: &str, name: &Spanned<String>) -> Result<&'static str> {
    let stem = name.get_ref().strip_suffix("__c").unwrap_or_default();
    if is_name(stem) && ![facts::MESSAGES, facts::STATISTICS].contains(&name.get_ref().as_str()) {
        return Ok(super::lasting(name.get_ref()));
    }
    let said = format!(
        "`{}` is no name for an object of one's own: up to 40 letters, digits and single underscores, and `__c`",
        name.get_ref()
    );
    Err(wrong(text, name.span().start, said))
}

fn read_policy(text: &str, policy: &Policy) -> Result<Routes> {
    let mut routes = Routes::default();
    let route = |said: &Spanned<String>, offered: &[Route]| {
        let named = Route::named(said.get_ref()).filter(|route| offered.contains(route));
        named.ok_or_else(|| {
            let names: Vec<String> = offered.iter().map(|r| format!("`{}`", r.name())).collect();
            let said_ = format!(
                "`{}` is not offered; {} are",
                said.get_ref(),
                names.join(", ")
            );
            wrong(text, said.span().start, said_)
        })
    };
    if let Some(said) = &policy.chat {
        routes.chat = route(said, &CHATS)?;
    }
    if let Some(said) = &policy.notes {
        routes.notes = route(said, &NOTES)?;
    }
    if let Some(said) = &policy.calls {
        routes.calls = Some(route(said, &CALLS)?);
    }
    for (channel, said) in &policy.channels {
        let name = channel.get_ref();
        let known = facts::channels().filter(|known| !matches!(*known, "email" | "internal"));
        if !name.starts_with("label:") && !known.clone().any(|known| known == name) {
            let known: Vec<&str> = known.collect();
            let said = format!(
                "`{name}` is no channel that can be chosen for; {} are",
                known.join(", ")
            );
            return Err(wrong(text, channel.span().start, said));
        }
        routes.channels.insert(name.clone(), route(said, &CHATS)?);
    }
    Ok(routes)
}

/// Who becomes a Lead; nothing where nobody does.
fn read_leads(text: &str, policy: &Policy) -> Result<Option<Leads>> {
    let Some(said) = &policy.leads else {
        return Ok(None);
    };
    let conditions = match said.get_ref() {
        Conditions::One(one) if one == "never" => return Ok(None),
        Conditions::One(one) => std::slice::from_ref(one),
        Conditions::Several(several) => several.as_slice(),
    };
    let mut leads = Leads::default();
    for condition in conditions {
        if !leads.or(condition) {
            let said_ = format!(
                "`{condition}` is no condition; `never`, `no-company`, `type:<word>`, `group:<name>` and `tag:<name>` are"
            );
            return Err(wrong(text, said.span().start, said_));
        }
    }
    Ok((leads != Leads::default()).then_some(leads))
}

/// Whether figures of agents become rows.
fn read_statistics(text: &str, policy: &Policy) -> Result<bool> {
    match &policy.agent_statistics {
        None => Ok(false),
        Some(said) => match said.get_ref().as_str() {
            "object" => Ok(true),
            "hand-over" => Ok(false),
            other => {
                let said_ = format!("`{other}` is not offered; `object` and `hand-over` are");
                Err(wrong(text, said.span().start, said_))
            }
        },
    }
}

/// Which record types conversations get; nothing where that is left to the org.
fn read_record_types(
    text: &str,
    policy: &Policy,
    objects: &BTreeMap<&'static str, ObjectMapping>,
) -> Result<Option<RecordTypes>> {
    let Some(by) = &policy.record_type_by else {
        return match policy.record_types.keys().next() {
            None => Ok(None),
            Some(word) => Err(wrong(
                text,
                word.span().start,
                "record types are named, but not by what they are given: `record_type_by` is missing",
            )),
        };
    };
    for name in policy.record_types.values() {
        if !is_name(name.get_ref()) {
            let said = format!(
                "`{}` is no name for a record type: up to 40 letters, digits and single underscores",
                name.get_ref()
            );
            return Err(wrong(text, name.span().start, said));
        }
    }
    let lines = policy.record_types.iter();
    let lines = lines.map(|(word, name)| (word.get_ref().clone(), name.get_ref().clone()));
    let types = RecordTypes::of_policy(by.get_ref(), lines)
        .map_err(|said| wrong(text, by.span().start, said))?;
    let mut filled = objects.get("Case").into_iter().flat_map(|o| &o.lines);
    if types.is_some() && filled.any(|line| line.field.eq_ignore_ascii_case("RecordTypeId")) {
        let said = "a line of Case fills RecordTypeId already: take it out, or say `none`";
        return Err(wrong(text, by.span().start, said));
    }
    Ok(types)
}

/// How articles are loaded; nothing where they are left.
fn read_articles(text: &str, policy: &Policy) -> Result<Option<Articles>> {
    match policy.articles.as_ref().map(Spanned::get_ref) {
        None => return Ok(None),
        Some(said) if said == LEFT => return Ok(None),
        Some(said) if said == "knowledge" => {}
        Some(said) => {
            let at = policy.articles.as_ref().map_or(0, |said| said.span().start);
            let said = format!("`{said}` is not offered; `knowledge` and `{LEFT}` are");
            return Err(wrong(text, at, said));
        }
    }
    let group = match &policy.article_categories {
        Some(said) if said.get_ref() == LEFT => None,
        Some(said) if is_name(said.get_ref()) => Some(said.get_ref().clone()),
        Some(said) => {
            let wrong_name = format!(
                "`{}` is no name for a group of categories: letters, digits and single underscores, or `{LEFT}`",
                said.get_ref()
            );
            return Err(wrong(text, said.span().start, wrong_name));
        }
        None => Some("Help_Centre".to_owned()),
    };
    let address = match &policy.article_address {
        Some(said) if !said.get_ref().contains("{name}") => {
            let said_ = "an article's address must say where its name stands: `{name}`";
            return Err(wrong(text, said.span().start, said_));
        }
        Some(said) => said.get_ref().clone(),
        None => "/articles/{language}/Knowledge/{name}".to_owned(),
    };
    let decided = |code: &String| (code != LEFT).then(|| code.clone());
    let languages = policy.languages.iter();
    Ok(Some(Articles {
        group,
        languages: languages
            .map(|(is, code)| (plain(is), decided(code)))
            .collect(),
        hosts: policy.article_hosts.clone(),
        address,
    }))
}

fn is_name(stem: &str) -> bool {
    stem.starts_with(|c: char| c.is_ascii_alphabetic())
        && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && stem.len() <= 40
        && !stem.contains("__")
        && !stem.ends_with('_')
}

fn read_table(text: &str, object: &'static str, table: Spanned<Table>) -> Result<ObjectMapping> {
    let at = table.span().start;
    let table = table.into_inner();
    let kind = facts::kind_of(object);
    let from = table.from.get_ref().clone();
    if kind == facts::OWN {
        let of = from.strip_prefix("object:").map(|of| !of.is_empty());
        let pairs = from
            .strip_prefix("relation:")
            .and_then(|of| of.rsplit_once('.'));
        if !of.unwrap_or_else(|| pairs.is_some()) {
            let said = format!(
                "{object} is made from `object:<custom object>` or `relation:<custom object>.<relation>`, not from `{from}`"
            );
            return Err(wrong(text, table.from.span().start, said));
        }
    } else if from != kind {
        let said = format!(
            "{object} is made from `{kind}`, not from `{}`",
            table.from.get_ref()
        );
        return Err(wrong(text, table.from.span().start, said));
    }
    if let Some(create) = table.create.as_ref().filter(|_| !object.ends_with("__c")) {
        let said = format!("{object} is the platform's own and is never made");
        return Err(wrong(text, create.span().start, said));
    }
    let on_match = read_on_match(text, object, &table)?;
    let mut lines = table
        .fields
        .into_iter()
        .map(|(field, line)| read_line(text, object, field, line))
        .collect::<Result<Vec<_>>>()?;
    lines.sort_by_key(|line| line.line);
    let named: BTreeSet<String> = lines
        .iter()
        .filter_map(FieldLine::custom)
        .map(str::to_owned)
        .collect();
    Ok(ObjectMapping {
        object,
        from,
        lines,
        on_match,
        named,
        line: place(text, at).0,
        create: object
            .ends_with("__c")
            .then(|| table.create.map(Spanned::into_inner).unwrap_or_default()),
    })
}

/// Only people and companies are looked for in the org, and only what the mapping says can be written.
fn read_on_match(text: &str, object: &str, table: &Table) -> Result<OnMatch> {
    let Some(on_match) = &table.on_match else {
        return Ok(OnMatch::default());
    };
    let at = on_match.span().start;
    if !["Account", "Contact"].contains(&object) {
        let said = format!(
            "rows of {object} are not looked for in the org: `on_match` is for Account and Contact"
        );
        return Err(wrong(text, at, said));
    }
    let on_match = on_match.get_ref().clone();
    if let OnMatch::Overwrite(fields) = &on_match {
        let has_line = |name: &&String| table.fields.keys().any(|field| field.get_ref() == *name);
        if let Some(field) = fields.iter().find(|name| !has_line(name)) {
            let said = format!(
                "`{field}` has no line in [{object}.fields]: nothing could be written over it"
            );
            return Err(wrong(text, at, said));
        }
    }
    Ok(on_match)
}

fn read_line(text: &str, object: &str, field: Spanned<String>, line: Line) -> Result<FieldLine> {
    let from = line.from.get_ref();
    if !from.starts_with("custom.") && !facts::is_fact(object, from) {
        let said = format!(
            "`{from}` is nothing that {object} can take; it knows {}",
            facts::names(object).join(", ")
        );
        return Err(wrong(text, line.from.span().start, said));
    }
    Ok(FieldLine {
        line: place(text, field.span().start).0,
        field: field.into_inner(),
        from: line.from.into_inner(),
        values: line
            .values
            .into_iter()
            .map(|(is, becomes)| (is, becomes.into()))
            .collect(),
        optional: line.optional,
        create: line.create,
    })
}

fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T> {
    toml::from_str(text).map_err(|e| wrong(text, e.span().map_or(0, |s| s.start), e.message()))
}

fn wrong(text: &str, at: usize, said: impl std::fmt::Display) -> Error {
    let (line, column) = place(text, at);
    Error::new(
        ErrorKind::Config,
        READING,
        format!("line {line}, column {column}: {said}"),
    )
    .advise("Correct that line; the shipped mapping shows every form")
}

fn newer(format: i64) -> Error {
    Error::new(
        ErrorKind::Mismatch,
        READING,
        format!("it has format {format}, this version knows format {FORMAT}"),
    )
    .advise("Use the version of Deskferry that wrote it, or a newer one")
}

/// Line and column of a byte, counted from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

fn hash(
    objects: &BTreeMap<&'static str, ObjectMapping>,
    routes: &Routes,
    articles: Option<&Articles>,
    record_types: Option<&RecordTypes>,
    leads: Option<&Leads>,
) -> [u8; 16] {
    let mut sorted = objects.clone();
    for object in sorted.values_mut() {
        object.lines.sort_by(|a, b| a.field.cmp(&b.field));
    }
    // Mappings without articles keep the hash that they had before there were any.
    let text = match (articles, record_types) {
        (None, None) => serde_json::to_vec(&(&sorted, routes)),
        (Some(articles), None) => serde_json::to_vec(&(&sorted, routes, articles)),
        (articles, Some(types)) => serde_json::to_vec(&(&sorted, routes, articles, types)),
    };
    let mut text = text.unwrap_or_default();
    if let Some(leads) = leads {
        text.extend(serde_json::to_vec(leads).unwrap_or_default());
    }
    Md5::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(line: &str, instead_of: &str) -> String {
        assert!(Mapping::default_text().contains(instead_of));
        Mapping::default_text().replace(instead_of, line)
    }

    #[test]
    fn the_shipped_mapping_is_read() {
        let mapping = Mapping::parse(Mapping::default_text()).unwrap();
        assert_eq!(mapping.objects().count(), 6);
        assert_eq!(mapping.version_hash().len(), 32);
    }

    #[test]
    fn errors_name_line_and_column() {
        let line_of = |needle: &str| {
            let text = Mapping::default_text();
            text[..text.find(needle).unwrap()].matches('\n').count() + 1
        };
        let subject = "Subject = { from = \"subject\" }\nStatus";
        for (text, line, said) in [
            (
                with("Subject = { from = \"title\" }\nStatus", subject),
                line_of(subject),
                "`title` is nothing that Case can take",
            ),
            (
                with("Subject = { form = \"subject\" }\nStatus", subject),
                line_of(subject),
                "unknown field `form`",
            ),
            (with("Subject = \nStatus", subject), line_of(subject), ""),
            (
                with("from = \"ticket\"", "from = \"conversation\""),
                line_of("from = \"conversation\""),
                "not from `ticket`",
            ),
            (
                with("chat = \"email\"", "chat = \"case-comment\""),
                line_of("chat = "),
                "`email` is not offered",
            ),
            (
                with("notes = \"email-message\"", "notes = \"case-comment\""),
                line_of("notes = "),
                "`email-message` is not offered",
            ),
            (
                with(
                    "[Account]\nfrom = \"account\"\ncreate = {}",
                    "[Account]\nfrom = \"account\"",
                ),
                line_of("[Account]") + 2,
                "is never made",
            ),
            (
                with(
                    "[policy.channels]\nsmoke = \"case-comment\"\n[Account]",
                    "[Account]",
                ),
                line_of("[Account]") + 1,
                "`smoke` is no channel",
            ),
            (
                with("format = 0", "format = 1"),
                line_of("format = 1"),
                "no such format",
            ),
            (with("", "format = 1"), 1, "`format = 1` is missing"),
        ] {
            let error = Mapping::parse(&text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let shown = error.to_string();
            assert!(shown.contains(said), "{shown}");
            assert!(shown.contains(&format!("line {line},")), "{line}: {shown}");
        }
    }

    #[test]
    fn the_object_for_messages_is_needed_where_something_goes_there_and_nowhere_else() {
        let chosen = with("chat = \"conversation_message\"", "chat = \"case-comment\"");
        let mapping = Mapping::parse(&chosen).unwrap();
        assert!(mapping.objects().any(|object| object == facts::MESSAGES));
        let made = mapping.required_objects();
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].name, facts::MESSAGES);
        let shipped = Mapping::parse(Mapping::default_text()).unwrap();
        assert!(shipped.required_objects().is_empty());
        assert_ne!(mapping.version_hash(), shipped.version_hash());
        let table = chosen.find("[Conversation_Message__c]").unwrap();
        let error = Mapping::parse(&chosen[..table]).unwrap_err().to_string();
        assert!(
            error.contains("`[Conversation_Message__c]` is missing"),
            "{error}"
        );
        assert!(
            Mapping::parse(
                &Mapping::default_text()[..Mapping::default_text()
                    .find("[Conversation_Message__c]")
                    .unwrap()]
            )
            .is_ok()
        );
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let error = Mapping::parse(&with("format = 2\nbrand_new = 1", "format = 1")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        assert!(error.to_string().contains("format 2"));
    }

    #[test]
    fn the_version_changes_with_what_is_said_and_not_with_how() {
        let shipped = Mapping::parse(Mapping::default_text()).unwrap();
        let commented =
            Mapping::parse(&format!("# a comment\n{}", Mapping::default_text())).unwrap();
        let changed = Mapping::parse(&with("urgent = \"Urgent\"", "urgent = \"High\"")).unwrap();
        assert_eq!(shipped.version_hash(), commented.version_hash());
        assert_ne!(shipped.version_hash(), changed.version_hash());
    }
}
