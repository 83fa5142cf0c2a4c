//! `deploy`: what the target must have before a load, shown, checked by the target, and made once somebody says so.

use std::path::{Path, PathBuf};

use deskferry_core::audit::Trail;
use deskferry_core::migration::{self, Workspace};
use deskferry_core::prepare::{Back, Change, Changes, Doing, Prepare, Prepared};
use deskferry_core::sink::TargetInfo;
use deskferry_core::{Context, Error, ErrorKind, Result, Sink};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::choices::Choices;
use super::exit::Done;

const DOING: &str = "prepare the target";
/// What stands in the target's folder: what was made here, and what is under way.
pub(super) const FILE: &str = "schema.json";
/// How many names a line of a summary shows.
const SHOWN: usize = 4;

/// What is kept of a target's schema.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The version of this form.
    format: u32,
    /// What was made here and is there still.
    made: Vec<Change>,
    /// What was handed over and has not ended as far as we know: the target's word for it, and what it makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<Open>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Open {
    ticket: String,
    makes: Vec<Change>,
    withdraws: bool,
}

/// What a `deploy` was told.
pub(super) struct How {
    pub(super) yes: bool,
    pub(super) withdraw: bool,
}

struct Deploy<'a> {
    cx: Context,
    prepare: &'a dyn Prepare,
    choices: &'a Choices,
    place: PathBuf,
    kept: Kept,
}

/// Shows what the target would get, has it checked, and makes it.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn deploy(
    choices: &Choices,
    sink: &dyn Sink,
    workspace: &Workspace,
    how: &How,
) -> Result<Done> {
    let prepare = sink.as_prepare().ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            DOING,
            "this kind of target cannot be prepared from here",
        )
    })?;
    let cx = Context::new();
    let interrupted = super::verbs::stop_on_interrupt(&cx);
    let categories = categories(&cx, workspace).await?;
    let mut changes = prepare.changes(&cx, &categories).await?;
    let place = workspace.make_place_of(&TargetInfo::new(
        changes.target.clone(),
        changes.name.clone(),
    ))?;
    let kept = read(&place)?;
    let mut deploy = Deploy {
        cx,
        prepare,
        choices,
        place,
        kept,
    };
    if deploy.goes_on(&changes.name).await? {
        changes = prepare.changes(&deploy.cx, &categories).await?;
    }
    let done = if how.withdraw {
        deploy.withdraw(&changes, how.yes).await
    } else {
        println!("{}", text(&changes));
        deploy.make(&changes, how.yes).await
    };
    interrupted.abort();
    done
}

/// As part of a plan: what is new or left to people.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn of_plan(sink: &dyn Sink, workspace: &Workspace) -> Result<()> {
    let Some(prepare) = sink.as_prepare() else {
        return Ok(());
    };
    let cx = Context::new();
    let categories = categories(&cx, workspace).await?;
    match prepare.changes(&cx, &categories).await {
        Ok(changes) => println!("\n{}", text(&changes)),
        Err(error) => println!("\nwhat the target would get: {error}"),
    }
    Ok(())
}

async fn categories(
    cx: &Context,
    workspace: &Workspace,
) -> Result<Vec<deskferry_core::model::Category>> {
    if !workspace.stage().exists() {
        return Ok(Vec::new());
    }
    Ok(migration::definitions(cx, workspace).await?.categories)
}

impl Deploy<'_> {
    /// What was under way when a process ended. Answers whether there was something.
    #[expect(clippy::print_stdout, reason = "this is the program's own voice")]
    async fn goes_on(&mut self, name: &str) -> Result<bool> {
        let Some(open) = self.kept.open.take() else {
            return Ok(false);
        };
        println!("{name} was given {} before: waiting for it", open.ticket);
        match self.prepare.follow(&self.cx, &open.ticket).await {
            Ok(ended) => {
                println!("{}", outcome(&ended));
                self.settle(open, &ended)?;
            }
            // The target has forgotten it: what it made is seen in what is there.
            Err(error) if error.kind() == ErrorKind::NotFound => self.keep()?,
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    #[expect(clippy::print_stdout, reason = "this is the program's own voice")]
    async fn make(&mut self, changes: &Changes, yes: bool) -> Result<Done> {
        if changes.is_something() {
            let ticket = self.prepare.begin(&self.cx, changes, true).await?;
            let checked = self.prepare.follow(&self.cx, &ticket).await?;
            println!("{}", outcome(&checked));
            if !checked.done {
                return Ok(Done::Blocked(ErrorKind::Config));
            }
            if !yes {
                println!("Nothing was changed. `deploy --yes` makes it.");
                return Ok(Done::Well);
            }
            let makes: Vec<Change> = changes
                .lines
                .iter()
                .filter(|line| matches!(line.doing, Doing::New | Doing::Extended))
                .cloned()
                .collect();
            let names: Vec<&str> = makes.iter().map(|line| line.name.as_str()).collect();
            let what = json!({"target": changes.name, "target_id": changes.target, "makes": names});
            self.note("began", what)?;
            let ticket = self.prepare.begin(&self.cx, changes, false).await?;
            let ended = self.follow(ticket, makes, false).await?;
            if !ended.done {
                return Ok(Done::Blocked(ErrorKind::Config));
            }
        } else if !yes {
            println!(
                "Nothing is to be made. `deploy --yes` sees to it that the migration user sees it."
            );
            return Ok(Done::Well);
        }
        let granted = self.prepare.grant(&self.cx, changes).await?;
        for line in &granted {
            println!("{line}");
        }
        self.note("ended", json!({"result": "done", "granted": granted}))?;
        let by_hand = changes.of(Doing::ByHand).count();
        if by_hand > 0 {
            println!("left to people: {by_hand} (above)");
        }
        Ok(Done::Well)
    }

    #[expect(clippy::print_stdout, reason = "this is the program's own voice")]
    async fn withdraw(&mut self, changes: &Changes, yes: bool) -> Result<Done> {
        let made = self.kept.made.clone();
        if made.is_empty() {
            println!("Nothing in {} was made from here.", changes.name);
            return Ok(Done::Well);
        }
        println!("{}", going(&made));
        if !yes {
            println!(
                "Nothing was changed. `deploy --withdraw --yes` takes it away, with all that stands in it."
            );
            return Ok(Done::Well);
        }
        let what =
            json!({"target": changes.name, "target_id": changes.target, "withdraws": made.len()});
        self.note("began", what)?;
        let ticket = self.prepare.withdraw(&self.cx, &made, false).await?;
        let ended = self.follow(ticket, made, true).await?;
        let result = if ended.done { "done" } else { "refused" };
        self.note("ended", json!({"result": result}))?;
        Ok(match ended.done {
            true => Done::Well,
            false => Done::Blocked(ErrorKind::Config),
        })
    }

    #[expect(clippy::print_stdout, reason = "this is the program's own voice")]
    async fn follow(
        &mut self,
        ticket: String,
        makes: Vec<Change>,
        withdraws: bool,
    ) -> Result<Prepared> {
        let open = Open {
            ticket,
            makes,
            withdraws,
        };
        let ticket = open.ticket.clone();
        self.kept.open = Some(open);
        self.keep()?;
        let ended = self.prepare.follow(&self.cx, &ticket).await?;
        println!("{}", outcome(&ended));
        if let Some(open) = self.kept.open.take() {
            self.settle(open, &ended)?;
        }
        Ok(ended)
    }

    fn settle(&mut self, open: Open, ended: &Prepared) -> Result<()> {
        if ended.done && open.withdraws {
            self.kept.made.clear();
        } else if ended.done {
            for line in open.makes {
                self.kept.made.retain(|known| known.name != line.name);
                self.kept.made.push(line);
            }
        }
        self.keep()
    }

    fn note(&self, event: &str, what: serde_json::Value) -> Result<()> {
        let who = &self.choices.who.name;
        Trail::of(&self.place).add(self.cx.now(), who, "deploy", event, what)?;
        Ok(())
    }

    fn keep(&mut self) -> Result<()> {
        self.kept.format = 1;
        let path = self.place.join(FILE);
        let text = serde_json::to_vec_pretty(&self.kept)
            .map_err(|e| Error::bug("keep what was made", e.to_string()))?;
        let half = path.with_extension("new");
        std::fs::write(&half, text)
            .and_then(|()| std::fs::rename(&half, &path))
            .map_err(|e| Error::storage("keep what was made", e).with("file", path.display()))
    }
}

fn read(place: &Path) -> Result<Kept> {
    let path = place.join(FILE);
    let bytes = match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Kept::default()),
        bytes => bytes
            .map_err(|e| Error::storage("read what was made", e).with("file", path.display()))?,
    };
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|e| {
        Error::new(ErrorKind::Mismatch, "read what was made", e.to_string())
            .with("file", path.display())
    })?;
    if kept.format > 1 {
        return Err(Error::new(
            ErrorKind::Mismatch,
            "read what was made",
            "it has a newer format",
        )
        .with("file", path.display())
        .advise("Use the version of Deskferry that wrote it, or a newer one"));
    }
    Ok(kept)
}

/// The change set, for people.
fn text(changes: &Changes) -> String {
    let mut out = format!("What {} would get:\n", changes.name);
    for (doing, word) in [
        (Doing::ByHand, "by hand"),
        (Doing::New, "new"),
        (Doing::Extended, "more"),
    ] {
        for line in changes.of(doing) {
            let back = match (doing, line.back) {
                (Doing::New | Doing::Extended, Back::Deactivated) => {
                    " (can only be switched off later, never removed)"
                }
                _ => "",
            };
            let Change {
                kind, name, said, ..
            } = line;
            let colon = if said.is_empty() { "" } else { ": " };
            out.push_str(&format!("  {word:<8} {kind} {name}{colon}{said}{back}\n"));
        }
    }
    let there: Vec<&Change> = changes.of(Doing::There).collect();
    if !there.is_empty() {
        let names: Vec<&str> = there.iter().take(SHOWN).map(|l| l.name.as_str()).collect();
        let more = match there.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        out.push_str(&format!(
            "  there    {}{more}: used as they are\n",
            names.join(", ")
        ));
    }
    if !changes.is_something() {
        out.push_str("  nothing new\n");
    }
    out
}

fn going(made: &[Change]) -> String {
    let mut out = "What was made from here:\n".to_owned();
    for line in made {
        let word = match line.back {
            Back::Removed => "removed",
            Back::Deactivated if line.kind == "values" => "stays (switch the values off in Setup)",
            Back::Deactivated => "switched off",
            Back::Stays => "stays",
        };
        out.push_str(&format!("  {} {}: {word}\n", line.kind, line.name));
    }
    out
}

fn outcome(ended: &Prepared) -> String {
    let mut out = match (ended.done, ended.trial) {
        (true, true) => format!(
            "checked: the target would take all of it (parts: {})",
            ended.parts
        ),
        (true, false) => format!("done (parts: {})", ended.parts),
        (false, _) => "the target refused it; nothing was changed".to_owned(),
    };
    for line in &ended.refused {
        out.push_str(&format!("\n  {line}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use clap::Parser;
    use deskferry_core::model::Category;
    use deskferry_core::sink::{Batch, Outcome, Phase};

    use super::*;
    use crate::cli::args::Args;

    /// A target that notes what it was asked, and whose first answer to a deployment may never come.
    #[derive(Default)]
    struct Fake {
        asked: Mutex<Vec<String>>,
        dies: Mutex<bool>,
    }

    impl Fake {
        fn note(&self, what: impl Into<String>) {
            self.asked.lock().unwrap().push(what.into());
        }

        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut *self.asked.lock().unwrap())
        }
    }

    #[async_trait]
    impl Sink for Fake {
        async fn check(&self, _: &Context) -> Result<TargetInfo> {
            Ok(TargetInfo::new("00D000000000001", "Acme"))
        }
        fn phases(&self) -> Vec<Phase> {
            Vec::new()
        }
        async fn write(&self, _: &Context, _: Batch) -> Result<Vec<Outcome>> {
            Ok(Vec::new())
        }
        async fn flush(&self, _: &Context) -> Result<Vec<Outcome>> {
            Ok(Vec::new())
        }
        fn as_prepare(&self) -> Option<&dyn Prepare> {
            Some(self)
        }
    }

    #[async_trait]
    impl Prepare for Fake {
        async fn changes(&self, _: &Context, _: &[Category]) -> Result<Changes> {
            Ok(acme())
        }
        async fn begin(&self, _: &Context, _: &Changes, trial: bool) -> Result<String> {
            self.note(if trial { "check" } else { "make" });
            Ok(format!("0Af{trial}"))
        }
        async fn follow(&self, _: &Context, ticket: &str) -> Result<Prepared> {
            self.note(format!("follow {ticket}"));
            let trial = ticket == "0Aftrue";
            if !trial && std::mem::take(&mut *self.dies.lock().unwrap()) {
                return Err(Error::new(
                    ErrorKind::Cancelled,
                    "follow",
                    "the process ended",
                ));
            }
            Ok(Prepared {
                done: true,
                trial,
                parts: 2,
                refused: Vec::new(),
            })
        }
        async fn grant(&self, _: &Context, _: &Changes) -> Result<Vec<String>> {
            self.note("grant");
            Ok(Vec::new())
        }
        async fn withdraw(&self, _: &Context, made: &[Change], _: bool) -> Result<String> {
            self.note(format!("withdraw {}", made.len()));
            Ok("0Afgone".to_owned())
        }
    }

    fn acme() -> Changes {
        let line = |doing, name: &str, back| Change {
            doing,
            kind: "field".into(),
            name: name.into(),
            said: String::new(),
            back,
        };
        Changes {
            target: "00D000000000001".into(),
            name: "Acme".into(),
            lines: vec![
                line(Doing::New, "Case.A__c", Back::Removed),
                line(Doing::New, "Case.B", Back::Deactivated),
                line(Doing::There, "Case.C__c", Back::Stays),
            ],
        }
    }

    #[tokio::test]
    async fn nothing_is_made_without_a_yes_and_what_was_under_way_is_not_made_twice() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        let choices = Choices::of(&Args::parse_from(["program", "deploy"])).unwrap();
        let fake = Fake::default();
        let run =
            async |yes, withdraw| deploy(&choices, &fake, &workspace, &How { yes, withdraw }).await;
        let place = workspace.make_place_of(&fake.check(&Context::new()).await.unwrap());
        let place = place.unwrap();

        assert_eq!(run(false, false).await.unwrap(), Done::Well);
        assert_eq!(fake.asked(), ["check", "follow 0Aftrue"]);
        assert!(read(&place).unwrap().made.is_empty());

        *fake.dies.lock().unwrap() = true;
        assert!(run(true, false).await.is_err());
        assert_eq!(fake.asked().last().unwrap(), "follow 0Affalse");
        assert_eq!(read(&place).unwrap().open.unwrap().ticket, "0Affalse");

        // It is waited for, and known as made, before anything else is looked at.
        assert_eq!(run(false, false).await.unwrap(), Done::Well);
        assert_eq!(fake.asked()[0], "follow 0Affalse");
        let kept = read(&place).unwrap();
        assert!(kept.open.is_none());
        let made: Vec<&str> = kept.made.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(made, ["Case.A__c", "Case.B"]);

        assert_eq!(run(false, true).await.unwrap(), Done::Well);
        assert!(fake.asked().is_empty(), "it was shown only");
        assert_eq!(run(true, true).await.unwrap(), Done::Well);
        assert_eq!(fake.asked(), ["withdraw 2", "follow 0Afgone"]);
        assert!(read(&place).unwrap().made.is_empty());
        let trail = Trail::of(&place).check().unwrap();
        assert!(trail.entries.len() >= 3 && trail.broken.is_none());
    }

    #[test]
    fn a_change_set_says_what_cannot_be_taken_back() {
        let changes = acme();
        let shown = text(&changes);
        assert!(shown.contains("new      field Case.A__c\n"), "{shown}");
        assert!(shown.contains("Case.B (can only be switched off later, never removed)"));
        assert!(shown.contains("there    Case.C__c: used as they are"));
        assert!(going(&changes.lines).contains("field Case.C__c: stays"));
    }
}
