//! What is known of the org, asked once: who we are, its objects, its users, which statuses are closed.

use std::collections::{HashMap, HashSet};

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::model::Agent;
use serde_json::Value;

use crate::auth::Identity;
use crate::client::Api;
use crate::mapping::Mapping;
use crate::mapping::people::same_address;
use crate::schema::{Object, Schema};

/// The org as it is seen by the migration user.
#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) sandbox: bool,
    pub(crate) schema: Schema,
    pub(crate) legacy_owner: String,
    closed_statuses: HashSet<String>,
    users: Users,
}

impl Org {
    pub(crate) async fn ask(cx: &Context, api: &Api, mapping: &Mapping) -> Result<Self> {
        api.check_version(cx).await?;
        let identity = identity(cx, api).await?;
        let organization = api
            .query(cx, "SELECT Id, Name, IsSandbox FROM Organization")
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
                "SELECT Id, Email, Username, IsActive FROM User WHERE UserType = 'Standard'",
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
        let legacy_owner = match &api.config().legacy_owner {
            Some(wanted) => users.named(wanted)?,
            None => identity.user.clone(),
        };
        Ok(Self {
            id: identity.org,
            name: organization["Name"]
                .as_str()
                .unwrap_or("unnamed org")
                .to_owned(),
            sandbox,
            schema,
            legacy_owner,
            closed_statuses: closed.map(str::to_lowercase).collect(),
            users,
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

    pub(crate) fn is_closed(&self, status: &str) -> bool {
        self.closed_statuses.contains(&status.to_lowercase())
    }

    pub(crate) fn is_active(&self, user: &str) -> bool {
        self.users.active.contains(user)
    }

    pub(crate) fn user_of(&self, agent: &Agent) -> UserMatch {
        self.users.of_agent(agent)
    }
}

async fn identity(cx: &Context, api: &Api) -> Result<Identity> {
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

/// What matching an agent by address gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UserMatch {
    /// One user, with the address that the org has of it.
    One { id: String, address: String },
    /// Several that fit equally well.
    Several,
    /// None.
    Nobody,
}

#[derive(Debug)]
struct User {
    id: String,
    active: bool,
    /// As it stands in the org.
    address: String,
}

/// The standard users of an org.
#[derive(Debug, Default)]
struct Users {
    /// By the address as in production.
    by_address: HashMap<String, Vec<User>>,
    by_name: HashMap<String, String>,
    active: HashSet<String>,
}

impl Users {
    fn of(rows: &[Value], sandbox: bool) -> Self {
        let mut users = Self::default();
        for row in rows {
            let Some(id) = row["Id"].as_str() else {
                continue;
            };
            let active = row["IsActive"].as_bool().unwrap_or_default();
            if active {
                users.active.insert(id.to_owned());
            }
            let address = same_address(row["Email"].as_str().unwrap_or_default());
            // A refresh of a sandbox appends `.invalid` to every address.
            let plain = address
                .strip_suffix(".invalid")
                .filter(|_| sandbox)
                .unwrap_or(&address);
            if !plain.is_empty() {
                users
                    .by_address
                    .entry(plain.to_owned())
                    .or_default()
                    .push(User {
                        id: id.to_owned(),
                        active,
                        address: address.clone(),
                    });
            }
            if let Some(name) = row["Username"].as_str() {
                users.by_name.insert(name.to_lowercase(), id.to_owned());
            }
        }
        users
    }

    /// A user by username or id.
    fn named(&self, wanted: &str) -> Result<String> {
        let by_name = self.by_name.get(&wanted.to_lowercase());
        let by_id = || {
            self.by_name
                .values()
                .find(|id| id.get(..15) == wanted.get(..15))
        };
        let found = by_name.or_else(|| {
            if wanted.starts_with("005") {
                by_id()
            } else {
                None
            }
        });
        found.cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "find the legacy owner",
                format!("the org has no standard user `{wanted}`"),
            )
            .advise("Set legacy_owner to a username or a user's id of this org")
        })
    }

    /// A unique active user before a unique inactive one, address by address.
    fn of_agent(&self, agent: &Agent) -> UserMatch {
        let mut several = false;
        for email in &agent.emails {
            let address = same_address(&email.address);
            let Some(found) = self.by_address.get(&address) else {
                continue;
            };
            let of = |wanted: bool| {
                found
                    .iter()
                    .filter(|user| user.active == wanted)
                    .collect::<Vec<_>>()
            };
            match (of(true).as_slice(), of(false).as_slice()) {
                ([user], _) | ([], [user]) => {
                    return UserMatch::One {
                        id: user.id.clone(),
                        address: user.address.clone(),
                    };
                }
                _ => several = true,
            }
        }
        if several {
            UserMatch::Several
        } else {
            UserMatch::Nobody
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::key::{RecordKind, Tenant};
    use deskferry_core::model::{Email, Meta};
    use serde_json::json;

    fn agent(addresses: &[&str]) -> Agent {
        Agent {
            meta: Meta::new(Tenant::new("kayako", "acme").key(RecordKind::Agent, 1)),
            name: "Ben".into(),
            emails: addresses
                .iter()
                .map(|a| Email {
                    address: (*a).into(),
                    verified: None,
                })
                .collect(),
            active: true,
            role: "agent".into(),
            teams: Vec::new(),
        }
    }

    fn user(id: &str, email: &str, active: bool) -> Value {
        json!({"Id": id, "Email": email, "Username": format!("{id}@example.org"), "IsActive": active})
    }

    #[test]
    fn agents_are_matched_by_address() {
        let rows = [
            user("1", "Ben@example.org", true),
            user("2", "two@example.org", true),
            user("3", "two@example.org", false),
            user("4", "gone@example.org", false),
            user("5", "same@example.org", true),
            user("6", "same@example.org", true),
            user("7", "box@example.org.invalid", true),
        ];
        let production = Users::of(&rows, false);
        let one = |id: &str, address: &str| UserMatch::One {
            id: id.into(),
            address: address.into(),
        };
        for (addresses, expected) in [
            (&["ben@EXAMPLE.org"][..], one("1", "ben@example.org")),
            (&["two@example.org"][..], one("2", "two@example.org")),
            (&["gone@example.org"][..], one("4", "gone@example.org")),
            (&["same@example.org"][..], UserMatch::Several),
            (
                &["same@example.org", "ben@example.org"][..],
                one("1", "ben@example.org"),
            ),
            (&["box@example.org"][..], UserMatch::Nobody),
            (&[][..], UserMatch::Nobody),
        ] {
            assert_eq!(
                production.of_agent(&agent(addresses)),
                expected,
                "{addresses:?}"
            );
        }
        let sandbox = Users::of(&rows, true);
        assert_eq!(
            sandbox.of_agent(&agent(&["box@example.org"])),
            one("7", "box@example.org.invalid")
        );
    }

    #[test]
    fn the_legacy_owner_is_found_by_username_or_refused() {
        let users = Users::of(&[user("005000000000001AAA", "a@example.org", true)], false);
        assert_eq!(
            users.named("005000000000001AAA@EXAMPLE.org").unwrap(),
            "005000000000001AAA"
        );
        assert_eq!(
            users.named("005000000000001").unwrap(),
            "005000000000001AAA"
        );
        assert_eq!(users.named("nobody").unwrap_err().kind(), ErrorKind::Config);
    }
}
