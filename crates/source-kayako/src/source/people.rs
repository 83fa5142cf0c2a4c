//! Who a user is: agent, contact, or gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use deskferry_core::model::Record;
use deskferry_core::source::Reject;
use deskferry_core::{Context, ErrorKind, RecordKind, Result, Tenant};

use super::Kayako;
use crate::convert::{self, Person};
use crate::wire::{self, Raw, Ref, Role};

/// Users that no list had and that were looked up one by one. Kept with their records: a page that asked for them may be
/// dropped before it is stored, and the next one must bring them again.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<HashMap<u64, Stranger>>);

#[derive(Debug, Clone)]
struct Stranger {
    is: Person,
    record: Option<Record>,
}

/// What was found out about the users of a page.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) people: HashMap<u64, Person>,
    /// Users that no list had: they belong into this page.
    pub(super) records: Vec<Record>,
    pub(super) rejects: Vec<Reject>,
    /// Users who could not be read.
    pub(super) notes: Vec<String>,
}

impl Kayako {
    /// Finds out who these users are: by an expanded role, by what was read before, else by looking each up once.
    pub(super) async fn resolve(
        &self,
        cx: &Context,
        tenant: &Tenant,
        users: &[&Ref],
    ) -> Result<Resolved> {
        let mut found = Resolved::default();
        let mut asked = BTreeSet::new();
        for user in users {
            let Some(id) = user.user() else { continue };
            match user.role.as_ref().filter(|role| !role.kind.is_empty()) {
                Some(role) => {
                    found.people.insert(id, Person::of_role(&role.kind, false));
                }
                None => {
                    asked.insert(id);
                }
            }
        }
        for (id, is) in self.known(cx, tenant, &asked).await? {
            match is {
                Some(is) => {
                    found.people.insert(id, is);
                }
                None => self.look_up(cx, tenant, id, &mut found).await?,
            }
        }
        Ok(found)
    }

    /// What was read of these users already.
    async fn known(
        &self,
        cx: &Context,
        tenant: &Tenant,
        ids: &BTreeSet<u64>,
    ) -> Result<Vec<(u64, Option<Person>)>> {
        let kinds = [RecordKind::Agent, RecordKind::Contact];
        let keys: Vec<_> = ids
            .iter()
            .flat_map(|id| kinds.map(|kind| tenant.key(kind, id)))
            .collect();
        let seen = cx.seen(&keys).await?;
        let person = |pair: &[bool]| match pair {
            [true, _] => Some(Person::Agent),
            [_, true] => Some(Person::Contact),
            _ => None,
        };
        Ok(ids
            .iter()
            .copied()
            .zip(seen.chunks(2).map(person))
            .collect())
    }

    async fn look_up(
        &self,
        cx: &Context,
        tenant: &Tenant,
        id: u64,
        found: &mut Resolved,
    ) -> Result<()> {
        let kept = self
            .strangers
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned();
        let stranger = match kept {
            Some(stranger) => stranger,
            None => match self.ask(cx, tenant, id, found).await? {
                Some(stranger) => stranger,
                None => return Ok(()),
            },
        };
        found.people.insert(id, stranger.is);
        found.records.extend(stranger.record.clone());
        self.strangers
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, stranger);
        Ok(())
    }

    async fn ask(
        &self,
        cx: &Context,
        tenant: &Tenant,
        id: u64,
        found: &mut Resolved,
    ) -> Result<Option<Stranger>> {
        let answer = match self.client.user(cx, id).await {
            Err(error) if error.kind() == ErrorKind::Forbidden => {
                found.notes.push(format!(
                    "the account may not read user {id}, who is named by cases or posts"
                ));
                None
            }
            answer => answer?,
        };
        let Some(raw) = answer else {
            return Ok(Some(Stranger {
                is: Person::Unknown,
                record: None,
            }));
        };
        match self.user(cx, tenant, &raw).await? {
            Ok((is, record, _)) => Ok(Some(Stranger {
                is,
                record: Some(record),
            })),
            Err(reject) => {
                found.people.insert(id, Person::Unknown);
                found.rejects.push(reject);
                Ok(None)
            }
        }
    }

    /// Names of agents who were met.
    pub(super) fn agents(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A row of the users as the record that its role makes of it, and how many of its identities came without values.
    pub(super) async fn user(
        &self,
        cx: &Context,
        tenant: &Tenant,
        raw: &Raw,
    ) -> Result<Result<(Person, Record, usize), Reject>> {
        let row: wire::User = match wire::decode(raw) {
            Ok(row) => row,
            Err(defect) => {
                return Ok(Err(convert::reject(
                    RecordKind::Contact,
                    super::id_of(raw),
                    defect,
                    raw,
                )));
            }
        };
        let definitions = self.definitions(cx).await?;
        let kind = self.role_kind(cx, row.role.as_ref()).await?;
        let is = Person::of_role(&kind, !row.teams.is_empty());
        let mut record = convert::person(tenant, &definitions.values, &row, is);
        if is == Person::Agent {
            // Rules name agents by number.
            self.agents().insert(row.id, row.full_name.clone());
        }
        self.keep_raw(&mut record, raw);
        Ok(Ok((is, record, convert::unexpanded(&row))))
    }

    /// The type of a role. Unknown include names are ignored in silence, so a role may come as a bare reference.
    async fn role_kind(&self, cx: &Context, role: Option<&Role>) -> Result<String> {
        match role {
            None => Ok(String::new()),
            Some(role) if !role.kind.is_empty() => Ok(role.kind.clone()),
            Some(Role { id: None, .. }) => Ok(String::new()),
            Some(Role { id: Some(id), .. }) => {
                let mut roles = self.roles.lock().await;
                if roles.is_none() {
                    let rows = self.client.roles(cx).await?;
                    let rows = rows.iter().filter_map(|row| wire::decode::<Role>(row).ok());
                    *roles = Some(
                        rows.filter_map(|role| Some((role.id?, role.kind)))
                            .collect(),
                    );
                }
                Ok(roles
                    .as_ref()
                    .and_then(|roles| roles.get(id))
                    .cloned()
                    .unwrap_or_default())
            }
        }
    }
}
