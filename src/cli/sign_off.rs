//! Cases side by side, and the signature of whoever looked at them.

use std::path::{Path, PathBuf};

use deskferry_core::audit::{self, Trail};
use deskferry_core::consent::{Counted, SignOff, Verified};
use deskferry_core::looking::{self, DrawnCase};
use deskferry_core::migration::Workspace;
use deskferry_core::model::{Direction, Message};
use deskferry_core::owners::Undecided;
use deskferry_core::report::Report;
use deskferry_core::shown::ShownConversation;
use deskferry_core::{Context, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::choices::Choices;
use super::exit::Done;
use super::standing::Standing;
use super::verbs::Ends;

const TEMPLATE: &str = include_str!("pages/cases.html");
const DOING: &str = "sign off";
/// So wide that nothing is wrapped but what the markup breaks itself.
const UNWRAPPED: usize = 100_000;

/// How cases are drawn, and how somebody signs.
#[derive(Debug, Default)]
pub(super) struct How {
    pub(super) role: Option<String>,
    pub(super) accept: Vec<String>,
    pub(super) draw: Option<u64>,
    pub(super) cases: u64,
}

/// What was drawn, beside the page.
#[derive(Debug, Serialize, Deserialize)]
struct Drawn {
    format: u32,
    seed: u64,
    mapping: String,
    cases: Vec<String>,
}

pub(super) async fn perform(
    choices: &Choices,
    ends: &Ends,
    workspace: &Workspace,
    undecided: Undecided,
    how: &How,
) -> Result<Done> {
    let cx = Context::new();
    let standing = Standing::of(&cx, choices, ends, workspace, undecided).await?;
    if !standing.folder.join("ledger.sqlite").exists() {
        return Err(Error::new(
            ErrorKind::NotFound,
            DOING,
            "nothing was loaded into this target yet",
        )
        .advise("`run` loads it; then look at cases with `sign-off`"));
    }
    match &how.role {
        None => look(&cx, ends, workspace, &standing, how).await,
        Some(role) => sign(&cx, choices, workspace, &standing, role, how),
    }
}

/// Draws cases and makes the page.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
async fn look(
    cx: &Context,
    ends: &Ends,
    workspace: &Workspace,
    standing: &Standing,
    how: &How,
) -> Result<Done> {
    let shown = ends.sink.as_shown().ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            DOING,
            "this target cannot show what stands in it",
        )
    })?;
    let seed = how
        .draw
        .unwrap_or_else(|| cx.now().timestamp().unsigned_abs() % 1_000_000);
    let cases = usize::try_from(how.cases).unwrap_or(40);
    let drawn = looking::draw(cx, workspace, &standing.folder, seed, cases).await?;
    let ids: Vec<String> = drawn.iter().map(|case| case.id.clone()).collect();
    let stored = shown.conversations(cx, &ids).await?;
    let page = Page::of(standing, seed, &drawn, &stored);
    let html = super::page::render("cases.html", TEMPLATE, &page)?;
    let folder = standing.folder.join("sign-off");
    write(&folder.join("cases.html"), html.as_bytes())?;
    let kept = Drawn {
        format: 1,
        seed,
        mapping: standing.now.mapping_hash(),
        cases: drawn
            .iter()
            .map(|c| c.conversation.meta.key.to_string())
            .collect(),
    };
    let text = serde_json::to_vec_pretty(&kept).map_err(|e| Error::bug(DOING, e.to_string()))?;
    write(&folder.join("cases.json"), &text)?;
    let what = serde_json::json!({"cases": drawn.len(), "seed": seed, "mapping": kept.mapping});
    standing.add(cx, "sign-off", "drawn", what)?;
    println!(
        "drawn with {seed}: {} cases (--draw {seed} draws them again)",
        drawn.len()
    );
    println!("look at them:    {}", folder.join("cases.html").display());
    println!("then sign:       sign-off --as NAME --role ROLE");
    Ok(Done::Well)
}

/// Signs.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
fn sign(
    cx: &Context,
    choices: &Choices,
    workspace: &Workspace,
    standing: &Standing,
    role: &str,
    how: &How,
) -> Result<Done> {
    let by = choices.who.named(DOING)?;
    let drawn: Drawn = read(&standing.folder.join("sign-off/cases.json"))?.ok_or_else(|| {
        refused(
            "no cases were looked at yet",
            "`sign-off` without --role draws some",
        )
    })?;
    let mapping = standing.now.mapping_hash();
    if drawn.mapping != mapping {
        let said = "the cases were drawn from a load with another mapping";
        return Err(refused(said, "Draw them again with `sign-off`"));
    }
    let report: Report = read(&standing.folder.join("report.json"))?
        .ok_or_else(|| refused("there is no report of this target", "`verify` makes one"))?;
    let trail = Trail::of(&standing.folder).check()?;
    if let Some((n, why)) = &trail.broken {
        let said = format!("the audit trail is broken at line {n}: {why}");
        return Err(Error::new(ErrorKind::Mismatch, DOING, said));
    }
    let loaded_by = trail.entries.iter().rev().find(|e| e.event == "ended");
    let verified = |e: &audit::Entry| !e.what["verify"].is_null() && e.what["mapping"] == mapping;
    if !loaded_by.is_some_and(verified) {
        let said = "what stands there was not verified with this mapping";
        return Err(refused(
            said,
            "`verify` (or a run with this mapping), then look at cases again",
        ));
    }
    let accepted: Vec<String> = how
        .accept
        .iter()
        .map(|text| text.trim().to_owned())
        .collect();
    let accepted: Vec<String> = accepted
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let open = open(&report);
    if !open.is_empty() && accepted.is_empty() {
        let said = format!("{} must be mended or accepted", open.join(", "));
        return Err(refused(
            &said,
            "See report.html, and say --accept \"in your own words\" for what may stay",
        ));
    }
    let signed = SignOff {
        format: 1,
        by: by.to_owned(),
        role: role.trim().to_owned(),
        at: cx.now(),
        source: report.source.clone(),
        target: standing.info.name.clone(),
        target_id: standing.info.id.clone(),
        live: standing.is_live(),
        mapping,
        plan: standing.now.inputs_hash(),
        counts: Counted::of(&report),
        verify: Verified::of(&report),
        accepted,
        seed: Some(drawn.seed),
        cases: drawn.cases,
        trail: trail.head,
    };
    let path = signed.keep(workspace.folder())?;
    let what = serde_json::to_value(&signed).map_err(|e| Error::bug(DOING, e.to_string()))?;
    Trail::of(&standing.folder).add(cx.now(), by, "sign-off", "recorded", what)?;
    println!(
        "signed by {by} ({}) for mapping {}",
        signed.role,
        &signed.mapping[..16]
    );
    println!("kept in {}", path.display());
    Ok(Done::Well)
}

/// What is not as it should be.
fn open(report: &Report) -> Vec<String> {
    let verify = Verified::of(report);
    let mut open = Vec::new();
    for (count, what) in [
        (verify.different, "differences"),
        (report.total(|p| p.held), "held records"),
        (report.total(|p| p.failed), "failed records"),
    ] {
        if count > 0 {
            open.push(format!("{count} {what}"));
        }
    }
    if !report.complete {
        open.push("a load that is not complete".to_owned());
    }
    open
}

fn refused(said: &str, advice: &str) -> Error {
    Error::new(ErrorKind::Interactive, DOING, said).advise(advice.to_owned())
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::storage(DOING, e).with("file", path.display())),
    };
    let read = serde_json::from_slice(&text).map_err(|e| {
        Error::new(ErrorKind::Mismatch, DOING, e.to_string()).with("file", path.display())
    })?;
    Ok(Some(read))
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    std::fs::create_dir_all(&parent)
        .and_then(|()| std::fs::write(path, bytes))
        .map_err(|e| Error::storage("write a page", e).with("file", path.display()))
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    source: String,
    target: &'a str,
    target_id: &'a str,
    mapping: String,
    seed: u64,
    cases: Vec<Case<'a>>,
}

#[derive(Debug, Serialize)]
struct Case<'a> {
    key: &'a str,
    subject: &'a str,
    stratum: &'a str,
    url: &'a str,
    facts: Vec<(&'static str, String)>,
    said: Vec<Entry>,
    stored: Option<Stored<'a>>,
}

#[derive(Debug, Serialize)]
struct Stored<'a> {
    url: &'a str,
    id: &'a str,
    fields: &'a [(String, String)],
    timeline: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    at: String,
    is: String,
    who: String,
    text: String,
    public: &'static str,
}

impl<'a> Page<'a> {
    fn of(
        standing: &'a Standing,
        seed: u64,
        drawn: &'a [DrawnCase],
        stored: &'a [ShownConversation],
    ) -> Self {
        let cases = drawn.iter().map(|case| {
            let c = &case.conversation;
            let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
                at.map_or_else(String::new, |at| {
                    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
                })
            };
            let raw = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let mut facts = vec![
                ("number", c.number.clone()),
                ("status", c.status.raw.clone()),
                ("priority", raw(c.priority.as_ref().map(|p| p.raw.as_str()))),
                ("channel", c.channel.raw.clone()),
                ("requester", raw(c.requester.as_ref().map(|k| k.as_str()))),
                ("assignee", raw(c.assignee.as_ref().map(|k| k.as_str()))),
                ("tags", c.tags.join(", ")),
                ("created", time(c.meta.created_at)),
                ("closed", time(c.closed_at)),
            ];
            facts.retain(|(_, said)| !said.is_empty());
            Case {
                key: c.meta.key.as_str(),
                subject: &c.subject,
                stratum: &case.stratum,
                url: link(c.meta.url.as_deref()),
                facts,
                said: case.messages.iter().map(said).collect(),
                stored: stored.iter().find(|s| s.id == case.id).map(|s| Stored {
                    url: link(Some(&s.url)),
                    id: &s.id,
                    fields: &s.fields,
                    timeline: s
                        .timeline
                        .iter()
                        .map(|e| Entry {
                            at: time(e.at),
                            is: e.is.clone(),
                            who: e.who.clone(),
                            text: e.text.clone(),
                            public: public(e.public),
                        })
                        .collect(),
                }),
            }
        });
        Self {
            source: drawn
                .first()
                .map(|c| c.conversation.meta.key.as_str())
                .map(|key| key.split(':').take(2).collect::<Vec<_>>().join(":"))
                .unwrap_or_default(),
            target: &standing.info.name,
            target_id: &standing.info.id,
            mapping: standing.now.mapping_hash(),
            seed,
            cases: cases.collect(),
        }
    }
}

/// An address that a browser may be led to.
fn link(url: Option<&str>) -> &str {
    let is_web = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
    url.filter(is_web).unwrap_or_default()
}

const fn public(public: Option<bool>) -> &'static str {
    match public {
        Some(true) => "customers see it",
        Some(false) => "internal",
        None => "",
    }
}

fn said(message: &Message) -> Entry {
    let body = &message.body;
    let text = match (&body.text, &body.html) {
        (Some(text), _) if !text.trim().is_empty() => text.clone(),
        (_, Some(html)) => without_tags(html),
        _ => String::new(),
    };
    let files: Vec<&str> = message.files.iter().map(|f| f.name.as_str()).collect();
    let files = match files.is_empty() {
        true => String::new(),
        false => format!("\nfiles: {}", files.join(", ")),
    };
    Entry {
        at: message.sent_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        is: message.channel.raw.clone(),
        who: message.author.name.clone(),
        text: format!("{}{files}", text.trim()),
        public: public(Some(message.direction != Direction::Internal)),
    }
}

/// Enough to be read: the words alone, a line per block. Markup that cannot be read has none.
fn without_tags(html: &str) -> String {
    html2text::config::with_decorator(html2text::render::TrivialDecorator::new())
        .string_from_read(html.as_bytes(), UNWRAPPED)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_read_as_text_and_only_web_addresses_are_links() {
        let html = "<style>p{}</style><p>Hello &amp; <b>you</b></p><script>alert(1)</script>there<br>&lt;x&gt;";
        assert_eq!(without_tags(html), "Hello & you\n\nthere\n<x>");
        assert_eq!(link(Some("javascript:alert(1)")), "");
        assert_eq!(link(Some("https://example.org/1")), "https://example.org/1");
    }
}
