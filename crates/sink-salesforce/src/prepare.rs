//! `impl Prepare`: what an org gets before a load, once people agreed.

use std::time::Duration;

use async_trait::async_trait;
use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::model::Category;
use deskferry_core::prepare::{Back, Change, Changes, Doing, Prepare, Prepared};
use serde_json::{Value, json};

use crate::client::collections::{CallAnswer, RowAnswer};
use crate::mapping::Mapping;
use crate::metadata::deploy;
use crate::metadata::diff::{self, Standing};
use crate::metadata::{Contents, PERMISSION_SET};
use crate::sink::Salesforce;

const DOING: &str = "prepare the org";
/// How often the org is asked whether it shows what was made: what it caches of its schema lags behind by a minute at most.
const LOOKS: u32 = 30;
const LOOK_EVERY: Duration = Duration::from_secs(3);

#[async_trait]
impl Prepare for Salesforce {
    async fn changes(&self, cx: &Context, categories: &[Category]) -> Result<Changes> {
        let standing = self.what_stands(cx).await?;
        let group = self.mapping().articles().and_then(|how| how.group.clone());
        let group = group.filter(|_| !categories.is_empty());
        let (lines, _) = diff::between(self.mapping(), &standing, group.as_deref());
        let identity = crate::org::identity(cx, self.api()).await?;
        let organizations = "SELECT Name, IsSandbox FROM Organization";
        let organizations = self.api().query(cx, organizations).await?;
        let organization = organizations.first().cloned().unwrap_or_default();
        let name = organization["Name"].as_str().unwrap_or("unnamed org");
        let sandbox = organization["IsSandbox"] == true;
        Ok(Changes {
            target: identity.org,
            name: match sandbox {
                true => format!("{name} (sandbox)"),
                false => name.to_owned(),
            },
            lines,
        })
    }

    async fn begin(&self, cx: &Context, changes: &Changes, trial: bool) -> Result<String> {
        let standing = self.what_stands(cx).await?;
        let (lines, contents) = diff::between(self.mapping(), &standing, None);
        let made = |lines: &[Change]| -> Vec<Change> {
            let made = lines.iter();
            let made = made.filter(|line| matches!(line.doing, Doing::New | Doing::Extended));
            made.cloned().collect()
        };
        if made(&lines) != made(&changes.lines) {
            return Err(Error::new(
                ErrorKind::Conflict,
                DOING,
                "the org is another than when the changes were shown",
            )
            .advise("Look at them again, then agree"));
        }
        deploy::begin(cx, self.api(), &contents.files(), trial).await
    }

    async fn follow(&self, cx: &Context, ticket: &str) -> Result<Prepared> {
        deploy::follow(cx, self.api(), ticket).await
    }

    async fn grant(&self, cx: &Context, _changes: &Changes) -> Result<Vec<String>> {
        let mut done = Vec::new();
        let me = crate::org::identity(cx, self.api()).await?.user;
        let set = self.permission_set(cx).await?.ok_or_else(|| {
            let said = format!("the org has no permission set {PERMISSION_SET}");
            Error::new(ErrorKind::NotFound, DOING, said).advise("Deploy it, or install the package")
        })?;
        if self.assign(cx, &me, &set).await? {
            done.push(format!(
                "{PERMISSION_SET} is assigned to the migration user"
            ));
        } else {
            done.push(format!("the migration user has {PERMISSION_SET}"));
        }
        // A session keeps the rights that it was opened with.
        self.api().fresh_session(cx).await?;
        self.forget_org().await;
        self.wait_until_seen(cx).await?;
        done.push("the migration user sees everything that the mapping names".to_owned());
        Ok(done)
    }

    async fn withdraw(&self, cx: &Context, made: &[Change], trial: bool) -> Result<String> {
        let files = Contents::withdrawn(made, &self.mapping().required_record_types());
        if !trial && made.iter().any(|line| line.name == PERMISSION_SET) {
            self.take_away(cx).await?;
        }
        deploy::begin(cx, self.api(), &files, trial).await
    }
}

impl Salesforce {
    /// What the org has of what the mapping may need.
    async fn what_stands(&self, cx: &Context) -> Result<Standing> {
        let api = self.api();
        api.check_version(cx).await?;
        let mut standing = Standing::default();
        for object in self.mapping().objects() {
            let describe = api.describe(cx, object).await?.unwrap_or_default();
            standing.describes.insert(object.to_owned(), describe);
        }
        let statuses = "SELECT ApiName, IsClosed FROM CaseStatus";
        standing.statuses = api.query(cx, statuses).await?;
        standing.set = self.permission_set(cx).await?.is_some();
        Ok(standing)
    }

    async fn permission_set(&self, cx: &Context) -> Result<Option<String>> {
        let soql = format!("SELECT Id FROM PermissionSet WHERE Name = '{PERMISSION_SET}'");
        let rows = self.api().query(cx, &soql).await?;
        Ok(rows
            .iter()
            .find_map(|row| row["Id"].as_str().map(str::to_owned)))
    }

    async fn assignments(&self, cx: &Context, filter: &str) -> Result<Vec<String>> {
        let soql = format!("SELECT Id FROM PermissionSetAssignment WHERE {filter}");
        let rows = self.api().query(cx, &soql).await?;
        let ids = rows.iter().filter_map(|row| row["Id"].as_str());
        Ok(ids.map(str::to_owned).collect())
    }

    /// Gives somebody a permission set. Answers whether that was to be done.
    async fn assign(&self, cx: &Context, user: &str, set: &str) -> Result<bool> {
        let filter = format!("AssigneeId = '{user}' AND PermissionSetId = '{set}'");
        if !self.assignments(cx, &filter).await?.is_empty() {
            return Ok(false);
        }
        let row = json!({"AssigneeId": user, "PermissionSetId": set});
        let Value::Object(row) = row else {
            return Err(Error::bug(DOING, "a row is an object"));
        };
        let refused = |code: &str, message: &str| {
            Error::new(ErrorKind::Refused, DOING, format!("{code}: {message}"))
                .with("permission set", PERMISSION_SET)
                .advise("Give the migration user \"Assign Permission Sets\", or assign it in Setup, Permission Sets, Manage Assignments")
        };
        match self
            .api()
            .insert(cx, "PermissionSetAssignment", &[&row])
            .await?
        {
            CallAnswer::Rows(rows) => match rows.into_iter().next() {
                Some(RowAnswer::Refused(refusal)) if refusal.code != "DUPLICATE_VALUE" => {
                    Err(refused(&refusal.code, &refusal.message))
                }
                _ => Ok(true),
            },
            CallAnswer::Refused(_, refusal) => Err(refused(&refusal.code, &refusal.message)),
            // Whether it was taken is seen when we look.
            CallAnswer::Lost => Ok(true),
        }
    }

    /// Takes the permission set from everybody: one that somebody has cannot be removed.
    async fn take_away(&self, cx: &Context) -> Result<()> {
        let Some(set) = self.permission_set(cx).await? else {
            return Ok(());
        };
        let ids = self
            .assignments(cx, &format!("PermissionSetId = '{set}'"))
            .await?;
        for some in ids.chunks(200) {
            if let CallAnswer::Refused(_, refusal) = self.api().delete(cx, some).await? {
                let said = format!("{}: {}", refusal.code, refusal.message);
                return Err(Error::new(ErrorKind::Refused, DOING, said));
            }
        }
        Ok(())
    }

    async fn wait_until_seen(&self, cx: &Context) -> Result<()> {
        let mut lacking = Vec::new();
        for look in 0..LOOKS {
            if look > 0 {
                cx.sleep(LOOK_EVERY, DOING).await?;
            }
            let standing = self.what_stands(cx).await?;
            lacking = unseen(self.mapping(), &standing);
            if lacking.is_empty() {
                return Ok(());
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            DOING,
            format!("the migration user does not see {} yet", lacking.join(", ")),
        )
        .advise("Wait some minutes, then run `deploy` again: it goes on here"))
    }
}

/// What of the mapping the migration user does not see, and was not left to people.
fn unseen(mapping: &Mapping, standing: &Standing) -> Vec<String> {
    let (lines, _) = diff::between(mapping, standing, None);
    let open = lines.into_iter().filter(|line| {
        matches!(line.kind.as_str(), "field" | "object" | "record type")
            && matches!(line.doing, Doing::New | Doing::Extended)
    });
    open.map(|line| line.name).collect()
}

/// Whether something of this kind can be removed, or only switched off.
#[must_use]
pub(crate) fn is_removed(line: &Change) -> bool {
    line.doing == Doing::New && line.back == Back::Removed
}
