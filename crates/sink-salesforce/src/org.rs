//! What is known of the org, asked once: who we are, its objects, its users and queues, which statuses are closed.

mod queues;
mod users;

use std::collections::HashSet;
use std::sync::OnceLock;

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::model::Agent;
use deskferry_core::owners::Decision;
use md5::{Digest, Md5};
use serde_json::Value;

use crate::auth::Identity;
use crate::client::Api;
use crate::mapping::Mapping;
use crate::schema::{Object, Schema};
use queues::Queues;
pub(crate) use users::{User, UserMatch, Users};

/// The org as it is seen by the migration user.
#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Edition, instance and API version.
    pub(crate) product: String,
    pub(crate) sandbox: bool,
    pub(crate) schema: Schema,
    /// Who own what nobody of the org owned: at least one.
    legacy_owners: Vec<String>,
    closed_statuses: HashSet<String>,
    /// One of them, as the org spells it.
    a_closed_status: Option<String>,
    /// The user whom we are.
    me: String,
    users: Users,
    queues: OnceLock<Queues>,
    inactive_may_own: OnceLock<bool>,
}

/// What answers, for people: what the org does not tell is left out.
fn product(organization: &Value, api_version: &str) -> String {
    let told = |name: &str| organization[name].as_str().map(str::to_owned);
    let instance = told("InstanceName").map(|name| format!("instance {name}"));
    let parts = [told("OrganizationType"), instance];
    let mut parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.push(format!("API {api_version}"));
    parts.join(", ")
}

impl Org {
    pub(crate) async fn ask(cx: &Context, api: &Api, mapping: &Mapping) -> Result<Self> {
        api.check_version(cx).await?;
        let identity = identity(cx, api).await?;
        let organization = api
            .query(
                cx,
                "SELECT Id, Name, IsSandbox, OrganizationType, InstanceName FROM Organization",
            )
            .await?;
        let organization = organization.first().cloned().unwrap_or_default();
        let sandbox = organization["IsSandbox"].as_bool().unwrap_or_default();
        let mut schema = Schema::new();
        for object in mapping.objects() {
            if let Some(describe) = api.describe(cx, object).await? {
                schema.add_describe(&describe)?;
            }
        }
        let users = api
            .query(
                cx,
                "SELECT Id, Name, Email, Username, FederationIdentifier, IsActive FROM User WHERE UserType = 'Standard'",
            )
            .await?;
        let users = Users::of(&users, sandbox);
        let statuses = api
            .query(cx, "SELECT ApiName, IsClosed FROM CaseStatus")
            .await?;
        let closed = statuses
            .iter()
            .filter(|s| s["IsClosed"] == true)
            .filter_map(|s| s["ApiName"].as_str());
        let legacy_owners = match &api.config().legacy_owner {
            Some(wanted) => {
                let wanted = wanted.split(',').map(str::trim);
                let wanted = wanted.filter(|name| !name.is_empty());
                wanted
                    .map(|name| users.named(name))
                    .collect::<Result<Vec<_>>>()?
            }
            None => Vec::new(),
        };
        let legacy_owners = match legacy_owners.as_slice() {
            [] => vec![identity.user.clone()],
            _ => legacy_owners,
        };
        Ok(Self {
            id: identity.org,
            name: organization["Name"]
                .as_str()
                .unwrap_or("unnamed org")
                .to_owned(),
            product: product(&organization, api.version()),
            sandbox,
            schema,
            legacy_owners,
            a_closed_status: closed.clone().next().map(str::to_owned),
            closed_statuses: closed.map(str::to_lowercase).collect(),
            me: identity.user,
            users,
            queues: OnceLock::new(),
            inactive_may_own: OnceLock::new(),
        })
    }

    /// A described object.
    ///
    /// # Errors
    /// `Config` when the org has none; the check names it before.
    pub(crate) fn object(&self, name: &str) -> Result<&Object> {
        self.schema.object(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "build rows",
                format!("the org has no object {name}, or hides it from us"),
            )
        })
    }

    /// Who owns the row of this key, where nobody of the org did: the same at every look, each of several as many as the others
    /// (Salesforce objects, section 10.6).
    pub(crate) fn legacy_owner(&self, key: &str) -> &str {
        let hash = Md5::digest(key);
        let first = u64::from_le_bytes(hash[..8].try_into().unwrap_or_default());
        let share = first % self.legacy_owners.len().max(1) as u64;
        let share = usize::try_from(share).unwrap_or_default();
        self.legacy_owners
            .get(share)
            .map_or(&self.me, |owner| owner)
    }

    pub(crate) fn is_closed(&self, status: &str) -> bool {
        self.closed_statuses.contains(&status.to_lowercase())
    }

    /// A status of cases that are over, if the org has one.
    pub(crate) fn a_closed_status(&self) -> Option<&str> {
        self.a_closed_status.as_deref()
    }

    pub(crate) fn is_active(&self, user: &str) -> bool {
        self.users.by_id(user).is_some_and(|user| user.active)
    }

    pub(crate) fn user_of(&self, agent: &Agent) -> UserMatch {
        self.users.of_agent(agent)
    }

    /// The user whom we are.
    pub(crate) fn me(&self) -> &str {
        &self.me
    }

    pub(crate) const fn users(&self) -> &Users {
        &self.users
    }

    /// Asks for what these decisions name and is not known yet.
    pub(crate) async fn ask_for<'a>(
        &self,
        cx: &Context,
        api: &Api,
        decisions: impl Iterator<Item = &'a Decision>,
    ) -> Result<()> {
        for decision in decisions {
            match decision {
                Decision::Queue(_) if self.queues.get().is_none() => {
                    // Whoever asked at the same time got the same answer.
                    let _ = self.queues.set(Queues::ask(cx, api).await?);
                }
                Decision::User(name) if self.users.is_inactive(name) => {
                    self.ask_for_inactive(cx, api).await?;
                }
                Decision::CreateInactive => {
                    self.ask_for_inactive(cx, api).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether rows can be given to inactive users: "Update Records with Inactive Owners" (Salesforce object reference, section
    /// 1.3). A right that cannot be seen is none.
    pub(crate) async fn ask_for_inactive(&self, cx: &Context, api: &Api) -> Result<bool> {
        if let Some(known) = self.inactive_may_own.get() {
            return Ok(*known);
        }
        let soql = format!(
            "SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{}'",
            self.me
        );
        let sets = seen(api.query(cx, &soql).await)?;
        let sets: Vec<String> = sets
            .iter()
            .filter_map(|row| row["PermissionSetId"].as_str())
            .map(str::to_owned)
            .collect();
        let select = "SELECT Id, PermissionsUpdateWithInactiveOwner FROM PermissionSet WHERE Id IN";
        let sets = seen(api.query_in(cx, select, &sets).await)?;
        let may = sets
            .iter()
            .any(|row| row["PermissionsUpdateWithInactiveOwner"] == true);
        Ok(*self.inactive_may_own.get_or_init(|| may))
    }

    /// Whom a decision gives rows to, or why it cannot; nobody is named for some.
    pub(crate) fn owner_of(&self, decision: &Decision) -> Result<Option<Owner>, String> {
        match decision {
            Decision::User(name) => {
                let user = self.users.one(name)?;
                if !user.active && self.inactive_may_own.get() != Some(&true) {
                    return Err("the user is inactive, and we may not give records to inactive users (\"Update Records with Inactive Owners\")".into());
                }
                Ok(Some(Owner {
                    object: "User",
                    id: user.id.clone(),
                }))
            }
            Decision::Queue(name) => {
                let queue = self.queues.get().and_then(|queues| queues.named(name));
                let queue = queue.ok_or("the org has no queue of this developer name")?;
                if !queue.cases {
                    return Err("the queue cannot own cases. Add the object Case to it".into());
                }
                Ok(Some(Owner {
                    object: "Group",
                    id: queue.id.clone(),
                }))
            }
            Decision::CreateInactive if self.inactive_may_own.get() != Some(&true) => {
                Err("we may not give records to inactive users (\"Update Records with Inactive Owners\")".into())
            }
            _ => Ok(None),
        }
    }
}

/// Who owns rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) object: &'static str,
    pub(crate) id: String,
}

/// Rows that we may not see are none.
fn seen(rows: Result<Vec<Value>>) -> Result<Vec<Value>> {
    match rows {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Refused | ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Config
            ) =>
        {
            tracing::debug!(%error, "the user's rights cannot be seen");
            Ok(Vec::new())
        }
        rows => rows,
    }
}

pub(crate) async fn identity(cx: &Context, api: &Api) -> Result<Identity> {
    if let Some(identity) = &api.login(cx).await?.identity {
        return Ok(identity.clone());
    }
    const DOING: &str = "ask who we are";
    let info = api
        .get(cx, "userinfo", "services/oauth2/userinfo".into(), DOING)
        .await?;
    let text = |name: &str| {
        let missing = || Error::decode(DOING, name, "missing");
        info[name].as_str().map(str::to_owned).ok_or_else(missing)
    };
    Ok(Identity {
        org: text("organization_id")?,
        user: text("user_id")?,
    })
}
