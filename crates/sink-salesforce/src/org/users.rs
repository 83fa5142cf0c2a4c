//! The standard users of an org.

use std::collections::{BTreeSet, HashMap};

use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::model::Agent;
use serde_json::Value;

use crate::mapping::people::same_address;

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

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: String,
    /// The login name, which no other user of any org has.
    pub(crate) username: String,
    pub(crate) active: bool,
    /// As it stands in the org.
    address: String,
}

/// The standard users of an org.
#[derive(Debug, Default)]
pub(crate) struct Users {
    all: Vec<User>,
    /// By the address as in production.
    by_address: HashMap<String, Vec<usize>>,
    by_local_part: HashMap<String, Vec<usize>>,
    by_full_name: HashMap<String, Vec<usize>>,
    by_federation: HashMap<String, Vec<usize>>,
    by_username: HashMap<String, usize>,
    /// By the first 15 characters, which both forms of an id share.
    by_id: HashMap<String, usize>,
}

impl Users {
    pub(super) fn of(rows: &[Value], sandbox: bool) -> Self {
        let mut users = Self::default();
        for row in rows {
            let text = |name: &str| row[name].as_str().unwrap_or_default();
            let id = text("Id");
            if id.is_empty() {
                continue;
            }
            let n = users.all.len();
            let address = same_address(text("Email"));
            // A refresh of a sandbox appends `.invalid` to every address.
            let plain = address
                .strip_suffix(".invalid")
                .filter(|_| sandbox)
                .unwrap_or(&address);
            let local = plain.split('@').next().unwrap_or_default();
            for (index, key) in [
                (&mut users.by_address, plain.to_owned()),
                (&mut users.by_local_part, local.to_owned()),
                (&mut users.by_full_name, same_name(text("Name"))),
                (
                    &mut users.by_federation,
                    text("FederationIdentifier").to_owned(),
                ),
            ] {
                if !key.is_empty() {
                    index.entry(key).or_default().push(n);
                }
            }
            let username = text("Username");
            if !username.is_empty() {
                users.by_username.insert(username.to_lowercase(), n);
            }
            users.by_id.insert(short(id).to_owned(), n);
            users.all.push(User {
                id: id.to_owned(),
                username: username.to_owned(),
                active: row["IsActive"].as_bool().unwrap_or_default(),
                address,
            });
        }
        users
    }

    /// A user by username or id.
    pub(super) fn named(&self, wanted: &str) -> Result<String> {
        let found = self.by_username_or_id(wanted).map(|user| user.id.clone());
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "find the legacy owner",
                format!("the org has no standard user `{wanted}`"),
            )
            .advise("Set legacy_owner to a username or a user's id of this org")
        })
    }

    fn by_username_or_id(&self, wanted: &str) -> Option<&User> {
        let by_name = self.by_username.get(&wanted.to_lowercase());
        let by_id = || self.by_id.get(short(wanted)).filter(|_| is_id(wanted));
        by_name.or_else(by_id).map(|n| &self.all[*n])
    }

    /// The user whom a person means: by username, record id, federation id, address; or why nobody can be meant.
    pub(super) fn one(&self, wanted: &str) -> Result<&User, String> {
        if let Some(user) = self.by_username_or_id(wanted) {
            return Ok(user);
        }
        let by_federation = self.by_federation.get(wanted);
        let by_address = || self.by_address.get(&same_address(wanted));
        let Some(found) = by_federation.or_else(by_address) else {
            return Err("the org has no standard user of this name".into());
        };
        self.unique(found).ok_or_else(|| {
            let names: Vec<&str> = found
                .iter()
                .map(|n| self.all[*n].username.as_str())
                .collect();
            format!(
                "several users may be meant. Name one of {}",
                names.join(", ")
            )
        })
    }

    /// A unique active user before a unique inactive one.
    fn unique(&self, found: &[usize]) -> Option<&User> {
        let of = |wanted: bool| {
            let users = found.iter().map(|n| &self.all[*n]);
            users
                .filter(move |user| user.active == wanted)
                .collect::<Vec<_>>()
        };
        match (of(true).as_slice(), of(false).as_slice()) {
            ([user], _) | ([], [user]) => Some(user),
            _ => None,
        }
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&User> {
        self.by_id.get(short(id)).map(|n| &self.all[*n])
    }

    pub(super) fn is_inactive(&self, wanted: &str) -> bool {
        self.one(wanted).is_ok_and(|user| !user.active)
    }

    /// A unique active user before a unique inactive one, address by address.
    pub(super) fn of_agent(&self, agent: &Agent) -> UserMatch {
        let mut several = false;
        for email in &agent.emails {
            let Some(found) = self.by_address.get(&same_address(&email.address)) else {
                continue;
            };
            match self.unique(found) {
                Some(user) => {
                    return UserMatch::One {
                        id: user.id.clone(),
                        address: user.address.clone(),
                    };
                }
                None => several = true,
            }
        }
        if several {
            UserMatch::Several
        } else {
            UserMatch::Nobody
        }
    }

    /// Users who may be an agent: of the same address, name, or local part of an address.
    pub(crate) fn like(&self, agent: &Agent) -> Vec<&User> {
        let addresses = agent
            .emails
            .iter()
            .map(|email| same_address(&email.address));
        let mut found: Vec<usize> = Vec::new();
        let mut add = |more: Option<&Vec<usize>>| {
            for n in more.into_iter().flatten() {
                if !found.contains(n) {
                    found.push(*n);
                }
            }
        };
        for address in addresses {
            add(self.by_address.get(&address));
            add(self
                .by_local_part
                .get(address.split('@').next().unwrap_or_default()));
        }
        add(self.by_full_name.get(&same_name(&agent.name)));
        // What repeats in names and addresses of thousands is told once.
        let all: BTreeSet<usize> = found.into_iter().collect();
        all.into_iter().map(|n| &self.all[n]).collect()
    }
}

fn same_name(name: &str) -> String {
    let words: Vec<String> = name.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

fn short(id: &str) -> &str {
    id.get(..15).unwrap_or(id)
}

fn is_id(text: &str) -> bool {
    text.starts_with("005") && matches!(text.len(), 15 | 18)
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
    fn people_name_users_in_four_ways_and_hear_why_nobody_is_meant() {
        let mut rows = [
            user("005000000000001AAA", "ann@example.org", true),
            user("005000000000002AAA", "same@example.org", true),
            user("005000000000003AAA", "same@example.org", true),
            user("005000000000004AAA", "gone@example.org", false),
        ];
        rows[3]["FederationIdentifier"] = json!("F-4");
        let users = Users::of(&rows, false);
        for (wanted, id) in [
            ("005000000000001AAA@example.org", "005000000000001AAA"),
            ("Ann@Example.org", "005000000000001AAA"),
            ("005000000000002", "005000000000002AAA"),
            ("005000000000002AAA", "005000000000002AAA"),
            ("F-4", "005000000000004AAA"),
            ("gone@example.org", "005000000000004AAA"),
        ] {
            assert_eq!(users.one(wanted).map(|u| u.id.as_str()), Ok(id), "{wanted}");
        }
        let why = users.one("same@example.org").unwrap_err();
        assert!(why.contains("005000000000003AAA@example.org"), "{why}");
        for nobody in ["nobody@example.org", "005000000000009", "f-4", "005"] {
            assert!(users.one(nobody).is_err(), "{nobody}");
        }
    }

    #[test]
    fn users_who_may_be_an_agent_share_a_name_or_the_local_part_of_an_address() {
        let mut rows = [
            user("1", "ben@elsewhere.example", true),
            user("2", "two@example.org", false),
            user("3", "three@example.org", true),
        ];
        rows[1]["Name"] = json!(" ben ");
        rows[2]["Name"] = json!("Benno");
        let users = Users::of(&rows, false);
        let found = users.like(&agent(&["ben@example.org"]));
        let found: Vec<&str> = found.iter().map(|user| user.id.as_str()).collect();
        assert_eq!(found, ["1", "2"]);
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
