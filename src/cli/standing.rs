//! Whether a load may begin for a target, and what is written down of it.

use std::path::PathBuf;

use deskferry_core::audit::Trail;
use deskferry_core::consent::{self, Plan, SignOff, Told};
use deskferry_core::migration::{self, Workspace};
use deskferry_core::owners::Undecided;
use deskferry_core::report::{Report, UndoReport};
use deskferry_core::sink::TargetInfo;
use deskferry_core::{Context, Error, ErrorKind, Result, Source};
use serde_json::{Value, json};

use super::choices::Choices;
use super::verbs::Ends;

/// A target, with what a load of it would be made of now.
pub(super) struct Standing {
    pub(super) info: TargetInfo,
    pub(super) folder: PathBuf,
    pub(super) now: Plan,
    workspace: PathBuf,
    who: String,
    exempt: Option<&'static str>,
    quiet: bool,
}

/// Why nobody needs to confirm anything for the org at this address.
pub(super) fn exempt(choices: &Choices, address: Option<&str>) -> Result<Option<&'static str>> {
    if !choices.local_org {
        return Ok(None);
    }
    let address = address.unwrap_or_default();
    if is_loopback(address) {
        return Ok(Some(
            "the org is said to be a local one, and is on this machine",
        ));
    }
    Err(Error::new(
        ErrorKind::Config,
        "find the org",
        format!("it is said to be a local one, and {address} is not this machine"),
    )
    .advise("Take --local-org (or `org_is`) away, and confirm the mapping for that org"))
}

fn is_loopback(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if let Some(inner) = host.strip_prefix('[') {
        return inner.split(']').next() == Some("::1");
    }
    let host = host.split(':').next().unwrap_or_default();
    let by_number = host.parse::<std::net::Ipv4Addr>();
    host.eq_ignore_ascii_case("localhost") || by_number.is_ok_and(|ip| ip.is_loopback())
}

/// What a plan is made of, for a target as it is now.
pub(super) async fn plan_of(
    choices: &Choices,
    info: &TargetInfo,
    workspace: &Workspace,
    source: &str,
    undecided: Undecided,
) -> Result<Plan> {
    let path = workspace.mapping();
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Error::storage("read the mapping", e).with("file", path.display()))?;
    let mut inputs = Told::default();
    inputs.add("undecided", undecided.name());
    for (name, said) in &choices.privacy.said {
        inputs.add(name, said);
    }
    for (name, said) in info.shape.iter() {
        inputs.add(format!("target {name}"), said);
    }
    for (name, said) in migration::fields_read(&Context::new(), workspace).await? {
        inputs.add(format!("source field {name}"), said);
    }
    Ok(Plan {
        target_id: info.id.clone(),
        target: info.name.clone(),
        source: source.to_owned(),
        mapping: Told::of_toml(&text).map_err(|e| e.with("file", path.display()))?,
        inputs,
    })
}

impl Standing {
    /// Asks the target who it is, and makes its folder.
    pub(super) async fn of(
        cx: &Context,
        choices: &Choices,
        ends: &Ends,
        workspace: &Workspace,
        undecided: Undecided,
    ) -> Result<Self> {
        let mut info = ends.sink.check(cx).await?;
        if let Some(name) = &choices.target_name {
            info.name.clone_from(name);
        }
        // The workspace's own stage knows the source; a run refuses another one by itself.
        let now = plan_of(choices, &info, workspace, "", undecided).await?;
        let folder = workspace.make_place_of(&info)?;
        Ok(Self {
            folder,
            now,
            workspace: workspace.folder().to_owned(),
            who: choices.who.name.clone(),
            exempt: ends.exempt,
            quiet: choices.quiet,
            info,
        })
    }

    /// Whether people work there: nobody knows it for a copy or a rehearsal.
    pub(super) fn is_live(&self) -> bool {
        self.exempt.is_none() && self.info.sandbox != Some(true)
    }

    pub(super) fn trail(&self) -> Trail {
        Trail::of(&self.folder)
    }

    /// Before a load that people confirmed: whether the source has custom fields that nobody has looked at.
    async fn look_at_fields(
        &self,
        cx: &Context,
        source: &dyn Source,
        workspace: &Workspace,
    ) -> Result<()> {
        if self.exempt.is_some() {
            return Ok(());
        }
        let now = migration::fields_now(cx, source, workspace).await?;
        if now.is_as_read() {
            return Ok(());
        }
        let lines: Vec<String> = now.new.into_iter().chain(now.other).collect();
        Err(Error::new(
            ErrorKind::Interactive,
            "load",
            format!(
                "the source has custom fields that nobody has looked at, since they were made or changed after it was read:\n  {}\n",
                lines.join("\n  ")
            ),
        )
        .advise("`discover` reads them, and nothing else again; then `plan` shows what becomes of them, and `confirm --as NAME` says that you looked"))
    }

    /// Writes down that a verb begins; before one that loads what a workspace has of a source, looks whether it may.
    pub(super) async fn begin(
        &self,
        cx: &Context,
        verb: &str,
        loads: Option<(&dyn Source, &Workspace)>,
        choices: &Choices,
    ) -> Result<()> {
        let mut what = self.hashes();
        if let Some((source, workspace)) = loads {
            let consent = match self.consent(choices) {
                Ok(by) => self
                    .look_at_fields(cx, source, workspace)
                    .await
                    .map(|()| by),
                refused => refused,
            };
            match consent {
                Ok(by) => what["consent"] = by,
                Err(error) => {
                    what["because"] = error.message().into();
                    self.add(cx, verb, "refused", what)?;
                    return Err(error);
                }
            }
        }
        self.add(cx, verb, "began", what)
    }

    /// By whose word a load begins.
    #[expect(clippy::print_stderr, reason = "this is the program's own voice")]
    fn consent(&self, choices: &Choices) -> Result<Value> {
        if let Some(why) = self.exempt {
            if !self.quiet {
                eprintln!(
                    "{why}: a rehearsal, which needs neither a confirmed mapping nor a sign-off"
                );
            }
            return Ok(json!({"rehearsal": why}));
        }
        let confirmed = consent::demand(&self.folder, &self.now)?;
        let mut by = json!({"confirmed": {"by": confirmed.by, "at": confirmed.at}});
        if self.info.sandbox == Some(true) {
            return Ok(by);
        }
        let mapping = self.now.mapping_hash();
        let signed = SignOff::all(&self.workspace)?;
        if let Some(signed) = SignOff::for_mapping(&signed, &confirmed.of.source, &mapping) {
            by["signed_off"] = json!({"by": signed.by, "role": signed.role, "at": signed.at, "target": signed.target});
            return Ok(by);
        }
        match choices.without_sign_off.as_deref().map(str::trim) {
            Some(reason) if !reason.is_empty() => {
                by["without_sign_off"] = reason.into();
                Ok(by)
            }
            _ => Err(Error::new(
                ErrorKind::Interactive,
                "load",
                format!(
                    "people work in {} ({}), and nobody signed for this mapping after a load into a sandbox or a rehearsal",
                    self.info.name, self.info.id
                ),
            )
            .advise("Load a sandbox with this mapping and `sign-off` there (its file in sign-offs/ can be copied into this workspace), or say why it goes without: --without-sign-off REASON")),
        }
    }

    /// Writes down how a verb ended.
    pub(super) async fn end(&self, cx: &Context, verb: &str, ended: &Result<Report>) -> Result<()> {
        let mut what = self.hashes();
        match ended {
            Ok(report) => {
                tell(&mut what, report);
                what["result"] = if report.verified() {
                    "verified"
                } else {
                    "done"
                }
                .into();
                let differs = report.verify.iter().any(|f| f.different > 0);
                if differs {
                    what["result"] = "differs".into();
                }
                what["verify"] =
                    serde_json::to_value(consent::Verified::of(report)).unwrap_or_default();
            }
            Err(error) => {
                what["result"] = error.kind().name().into();
                // What stands there nevertheless.
                let so_far = deskferry_core::migration::status(&self.workspace).await;
                let here = so_far.unwrap_or_default().into_iter();
                if let Some(report) = here.into_iter().find(|r| r.target_id == self.info.id) {
                    tell(&mut what, &report);
                }
            }
        }
        self.add(cx, verb, "ended", what)
    }

    /// Writes down what a rollback did.
    pub(super) fn end_of_rollback(&self, cx: &Context, ended: &Result<UndoReport>) -> Result<()> {
        let mut what = self.hashes();
        match ended {
            Ok(report) => {
                let sum = |of: fn(&deskferry_core::report::UndoneObject) -> u64| -> u64 {
                    report.objects.iter().map(of).sum()
                };
                what["removed"] = sum(|o| o.removed).into();
                what["held"] = sum(|o| o.held).into();
                what["failed"] = sum(|o| o.failed).into();
                what["result"] = if report.is_whole() { "done" } else { "held" }.into();
            }
            Err(error) => what["result"] = error.kind().name().into(),
        }
        self.add(cx, "rollback", "ended", what)
    }

    fn hashes(&self) -> Value {
        json!({
            "target": self.info.name,
            "target_id": self.info.id,
            "mapping": self.now.mapping_hash(),
            "plan": self.now.inputs_hash(),
        })
    }

    pub(super) fn add(&self, cx: &Context, verb: &str, event: &str, what: Value) -> Result<()> {
        self.trail().add(cx.now(), &self.who, verb, event, what)?;
        Ok(())
    }
}

fn tell(what: &mut Value, report: &Report) {
    what["complete"] = report.complete.into();
    what["rows"] = report.total(|p| p.created + p.updated).into();
    what["held"] = report.total(|p| p.held).into();
    what["failed"] = report.total(|p| p.failed).into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for (address, local) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost", true),
            ("http://[::1]:8080/", true),
            ("https://acme.my.salesforce.com", false),
            ("https://127.0.0.1.example.org", false),
            ("https://localhost@acme.example", false),
            ("https://localhost.example", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(address), local, "{address}");
        }
    }
}
