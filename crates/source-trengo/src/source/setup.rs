//! The lists that are short: users, teams, channels, labels, custom fields, reasons for closing. Read once per process.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use deskferry_core::http::SecretString;
use deskferry_core::model::Record;
use deskferry_core::source::{Next, Page};
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result, Tenant};
use serde_json::Value;

use super::{Trengo, needed, watermark};
use crate::client::{List, PAGE};
use crate::convert::{self, Channel, Fields, Ground, Survey};
use crate::wire::{Defect, Row};

/// What the short lists say.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) ground: Ground,
    users: Vec<Value>,
    pub(super) teams: Vec<Value>,
    pub(super) channels: Vec<Value>,
    pub(super) results: Vec<Value>,
    labels: Vec<Value>,
    fields: Vec<Value>,
    /// Teams by user.
    members: HashMap<u64, Vec<u64>>,
    pub(super) server_time: Option<DateTime<Utc>>,
    pub(super) notes: Vec<String>,
}

impl Setup {
    fn lists(&self) -> [&[Value]; 6] {
        let Self {
            users,
            teams,
            channels,
            results,
            labels,
            fields,
            ..
        } = self;
        [users, teams, channels, results, labels, fields]
    }

    pub(super) fn agents(&self) -> usize {
        self.users.len()
    }

    /// How many rows all lists have.
    pub(super) fn records(&self) -> u64 {
        self.lists().iter().map(|rows| rows.len() as u64).sum()
    }

    /// How many pages all lists have.
    pub(super) fn pages(&self) -> u64 {
        let pages = |rows: &&[Value]| rows.len().div_ceil(PAGE).max(1) as u64;
        self.lists().iter().map(pages).sum()
    }

    pub(super) fn user(&self, id: u64) -> Option<Row<'_>> {
        let mut rows = self.users.iter().map(Row);
        rows.find(|row| row.id() == Ok(id))
    }
}

impl Trengo {
    /// The short lists, read by whoever needs them first.
    pub(super) async fn setup(&self, cx: &Context) -> Result<Arc<Setup>> {
        let mut kept = self.setup.lock().await;
        if let Some(setup) = kept.as_ref() {
            return Ok(Arc::clone(setup));
        }
        let setup = Arc::new(self.load_setup(cx).await?);
        *kept = Some(Arc::clone(&setup));
        Ok(setup)
    }

    async fn load_setup(&self, cx: &Context) -> Result<Setup> {
        let mut notes = Vec::new();
        let (users, listed) = self.client.all(cx, List::Users).await?;
        needed(cx, List::Users.operation(), users.len(), PAGE);
        let tenant = self.tenant_of(&users)?;
        let mut teams = self.list_or_note(cx, List::Teams, &mut notes).await?;
        self.with_members(cx, &mut teams).await?;
        let channels = self.list_or_note(cx, List::Channels, &mut notes).await?;
        let labels = self.list_or_note(cx, List::Labels, &mut notes).await?;
        let fields = self
            .list_or_note(cx, List::CustomFields, &mut notes)
            .await?;
        let results = self.list_or_note(cx, List::Results, &mut notes).await?;
        let mut known = Fields::default();
        for row in &fields {
            known.learn(Row(row));
        }
        let ids = |rows: &[Value]| rows.iter().filter_map(|row| Row(row).id().ok()).collect();
        let mut members: HashMap<u64, Vec<u64>> = HashMap::new();
        for team in teams.iter().map(Row) {
            let Ok(id) = team.id() else { continue };
            for user in MEMBERS.iter().flat_map(|name| team.list(name)) {
                let user = Row(user).id().ok().or_else(|| user.as_u64());
                let teams = user.map(|user| members.entry(user).or_default());
                if let Some(teams) = teams.filter(|teams| !teams.contains(&id)) {
                    teams.push(id);
                }
            }
        }
        let survey = self.survey(&mut notes)?;
        Ok(Setup {
            ground: Ground {
                tenant,
                root: self.client.root().to_owned(),
                zone: self.config.zone(),
                fields: known,
                users: ids(&users),
                user_names: users
                    .iter()
                    .filter_map(|row| convert::named(Row(row)))
                    .collect(),
                teams: ids(&teams),
                channels: channels
                    .iter()
                    .filter_map(|row| Some((Row(row).id().ok()?, Channel::of(Row(row)))))
                    .collect(),
                has_results: !results.is_empty(),
                survey,
            },
            users,
            teams,
            channels,
            results,
            labels,
            fields,
            members,
            server_time: listed.server_time,
            notes,
        })
    }

    /// What customers answered, if somebody exported it.
    fn survey(&self, notes: &mut Vec<String>) -> Result<Survey> {
        const READ: &str = "read the answers of surveys";
        let Some(path) = self.config.satisfaction() else {
            return Ok(Survey::default());
        };
        let wrong = |why: String| {
            Error::new(ErrorKind::Config, READ, why)
                .with("file", path.display())
                .advise("Export the answers from Trengo as CSV, with the number of the ticket and the score, and name the file as `satisfaction`")
        };
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let survey = convert::survey(&bytes, self.config.zone()).map_err(wrong)?;
        if survey.left_out > 0 {
            notes.push(format!(
                "rows of the survey's table that name no ticket or no score, and were left out: {}",
                survey.left_out
            ));
        }
        Ok(survey)
    }

    /// The number of the workspace, which every user carries.
    fn tenant_of(&self, users: &[Value]) -> Result<Tenant> {
        if let Some(name) = self.config.workspace() {
            return Ok(Tenant::new(crate::PLATFORM, name));
        }
        let number = users.iter().find_map(|row| Row(row).reference("agency_id"));
        number
            .map(|number| Tenant::new(crate::PLATFORM, number.to_string()))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    "ask Trengo which workspace this is",
                    "its users carry no number of their workspace",
                )
                .advise("Give the workspace a name of your own that never changes: TRENGO_WORKSPACE, or `workspace` under [trengo]")
            })
    }

    /// A list that a role may not see, or that an account does not have, is missed and told.
    async fn list_or_note(
        &self,
        cx: &Context,
        list: List,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Value>> {
        match self.client.all(cx, list).await {
            Ok((rows, _)) => {
                needed(cx, list.operation(), rows.len(), PAGE);
                Ok(rows)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
                notes.push(format!(
                    "{}: the token's user may not read it; use the token of an administrator",
                    list.operation()
                ));
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Who is in a team stands in the team alone, where the list leaves it out.
    async fn with_members(&self, cx: &Context, teams: &mut [Value]) -> Result<()> {
        let told = |row: &Value| MEMBERS.iter().any(|name| Row(row).has(name));
        if teams.is_empty() || teams.iter().any(told) {
            return Ok(());
        }
        for team in teams {
            let Ok(id) = Row(team).id() else { continue };
            if let Some(full) = self.client.team(cx, id).await? {
                *team = full;
            }
        }
        Ok(())
    }

    pub(super) async fn setup_page(&self, cx: &Context) -> Result<Page> {
        let setup = self.setup(cx).await?;
        let ground = &setup.ground;
        let mut page = Page::new(
            Vec::new(),
            Next::End(watermark(setup.server_time.unwrap_or_else(|| cx.now()))),
        );
        page.notes.clone_from(&setup.notes);
        if self.config.ticket_figures() {
            let object = convert::figures_object(ground);
            page.records.push(Record::from(object));
        }
        let mut add = |made: Result<Record, Defect>, kind: RecordKind, row: &Value| match made {
            Ok(mut record) => {
                self.keep_raw(&mut record, row);
                page.records.push(record);
            }
            Err(defect) => page.rejects.push(convert::reject(kind, defect, row)),
        };
        for row in &setup.fields {
            let made = convert::definitions(ground, Row(row)).map(Record::from);
            add(made, RecordKind::FieldDefinition, row);
        }
        if !setup.results.is_empty() {
            let made = convert::results_definition(ground, &setup.results);
            add(
                Ok(Record::from(made)),
                RecordKind::FieldDefinition,
                &Value::Null,
            );
        }
        for row in &setup.teams {
            let made = Row(row)
                .id()
                .map(|id| Record::from(convert::team(ground, id, Some(Row(row)))));
            add(made, RecordKind::Team, row);
        }
        for row in &setup.users {
            let id = Row(row).id().unwrap_or_default();
            let teams = setup.members.get(&id).map_or(&[][..], Vec::as_slice);
            let made = convert::agent(ground, Row(row), teams).map(Record::from);
            add(made, RecordKind::Agent, row);
        }
        for row in &setup.labels {
            let made = convert::tag(ground, Row(row)).map(Record::from);
            add(made, RecordKind::Tag, row);
        }
        Ok(page)
    }
}

/// Names under which the members of a team may stand.
const MEMBERS: [&str; 3] = ["users", "members", "user_ids"];

/// The user whose token this is, where the token says so: nothing else does.
pub(super) fn user_of_token(token: &SecretString) -> Option<u64> {
    let claims = token.expose().split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Row(&claims).reference("sub")
}

/// What people should know of a user who sees only a part: Trengo shows it less without saying so (Trengo reference,
/// section 1.1).
pub(super) fn sees_too_little(me: Option<Row<'_>>) -> Option<String> {
    const USE: &str = "Lists show what it sees and nothing else, without saying so: use the token of an administrator who is in every team and channel, \
        and look at the tickets per channel that the read tells";
    let Some(me) = me else {
        return Some(format!(
            "whose token this is cannot be told, so neither what it sees. {USE}"
        ));
    };
    let role = me
        .object("role")
        .and_then(|role| role.text("name"))
        .or_else(|| me.text("role"))
        .unwrap_or_default();
    let owner = me
        .text("authorization")
        .is_some_and(|word| word.eq_ignore_ascii_case("owner"));
    if owner || role.eq_ignore_ascii_case("administrator") {
        return None;
    }
    let is = if role.is_empty() { "unknown" } else { &role };
    Some(format!("the role of the token's user is {is}. {USE}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_names_its_user_if_it_has_claims_at_all() {
        for (token, user) in [
            ("eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIxIn0.x", Some(1)),
            ("eyJ0eXAiOiJKV1QifQ.eyJzdWIiOjd9.x", Some(7)),
            ("plain-token", None),
            ("a.b.c", None),
            ("", None),
        ] {
            assert_eq!(user_of_token(&SecretString::new(token)), user, "{token}");
        }
    }

    #[test]
    fn only_administrators_and_owners_are_believed_to_see_everything() {
        let warned = |row: Value| sees_too_little(Some(Row(&row))).is_some();
        assert!(!warned(json!({"role": {"id": 1, "name": "administrator"}})));
        assert!(!warned(json!({"authorization": "OWNER"})));
        assert!(warned(json!({"role": {"name": "basic_agent"}})));
        assert!(warned(json!({"full_name": "No role"})));
        assert!(sees_too_little(None).is_some());
    }
}
