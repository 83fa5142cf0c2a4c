//! Teams, organisations, users (Kayako reference, sections 10 and 11).

use deskferry_core::model::{Account, Address, Agent, Contact, Email, Handle, Meta, Record, Team};
use deskferry_core::{RecordKey, RecordKind, Tenant};

use super::{Definitions, Frame};
use crate::client::FieldOwner;
use crate::wire;

/// What a user turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Person {
    /// Works in the helpdesk.
    Agent,
    /// Writes to it.
    Contact,
    /// Is gone.
    Unknown,
}

impl Person {
    /// What a role makes of its user. The type decides; a word that is not known is judged by its company: whoever is in a
    /// team works here.
    pub(crate) fn of_role(kind: &str, in_teams: bool) -> Self {
        match kind.to_ascii_uppercase().as_str() {
            "OWNER" | "ADMIN" | "AGENT" | "COLLABORATOR" => Self::Agent,
            "CUSTOMER" => Self::Contact,
            _ if in_teams => Self::Agent,
            _ => Self::Contact,
        }
    }

    /// The key of a user who is this.
    pub(crate) fn key(self, tenant: &Tenant, id: u64) -> Option<RecordKey> {
        match self {
            Self::Agent => Some(tenant.key(RecordKind::Agent, id)),
            Self::Contact => Some(tenant.key(RecordKind::Contact, id)),
            Self::Unknown => None,
        }
    }
}

/// A team.
pub(crate) fn team(tenant: &Tenant, team: wire::Team) -> Team {
    let frame = Frame {
        key: tenant.key(RecordKind::Team, team.id),
        url: team.resource_url.as_deref(),
        created_at: team.created_at,
        updated_at: team.updated_at,
        legacy_id: team.legacy_id.as_deref(),
    };
    Team {
        meta: frame.meta(),
        name: team.title,
    }
}

/// An organisation.
pub(crate) fn account(tenant: &Tenant, defs: &Definitions, row: &wire::Organization) -> Account {
    let frame = Frame {
        key: tenant.key(RecordKind::Account, row.id),
        url: row.resource_url.as_deref(),
        created_at: row.created_at,
        updated_at: row.updated_at,
        legacy_id: row.legacy_id.as_deref(),
    };
    let mut meta = frame.meta();
    meta.custom
        .extend(defs.values(FieldOwner::Organization, &row.custom_fields));
    let mut addresses: Vec<&wire::PostalAddress> = row.addresses.iter().collect();
    addresses.sort_by_key(|address| address.is_primary != Some(true));
    Account {
        parent: None,
        meta,
        name: row.name.clone(),
        domains: primary_first(&row.domains, |identity| identity.domain.clone()),
        websites: primary_first(&row.websites, |identity| identity.url.clone()),
        phones: primary_first(
            if row.phone.is_empty() {
                &row.phones
            } else {
                &row.phone
            },
            |identity| identity.number.clone(),
        ),
        addresses: addresses.into_iter().map(address).collect(),
        tags: Vec::new(),
    }
}

fn address(row: &wire::PostalAddress) -> Address {
    let street = [&row.address1, &row.address2]
        .into_iter()
        .filter(|line| !line.trim().is_empty());
    Address {
        street: street.cloned().collect(),
        city: row.city.clone(),
        state: row.state.clone(),
        postal_code: row.postal_code.clone(),
        country: row.country.clone(),
    }
}

/// A user as the record that their role makes of them.
pub(crate) fn person(tenant: &Tenant, defs: &Definitions, row: &wire::User, is: Person) -> Record {
    let key = match is {
        Person::Agent => tenant.key(RecordKind::Agent, row.id),
        Person::Contact | Person::Unknown => tenant.key(RecordKind::Contact, row.id),
    };
    let frame = Frame {
        key,
        url: row.resource_url.as_deref(),
        created_at: row.created_at,
        updated_at: row.updated_at,
        legacy_id: row.legacy_id.as_deref(),
    };
    let mut meta = frame.meta();
    meta.custom
        .extend(defs.values(FieldOwner::User, &row.custom_fields));
    let emails = primary_first(&row.emails, |identity| {
        let address = identity.email.clone()?;
        Some(Email {
            address,
            verified: identity.is_validated,
        })
    });
    match is {
        Person::Agent => Record::from(Agent {
            meta,
            name: row.full_name.clone(),
            emails,
            active: row.is_enabled != Some(false),
            role: row
                .role
                .as_ref()
                .map(|role| role.kind.clone())
                .unwrap_or_default(),
            teams: row
                .teams
                .iter()
                .filter_map(|team| Some(tenant.key(RecordKind::Team, team.number()?)))
                .collect(),
        }),
        Person::Contact | Person::Unknown => Record::from(Contact {
            addresses: Vec::new(),
            groups: Vec::new(),
            kind: None,
            meta,
            name: row.full_name.clone(),
            emails,
            phones: primary_first(&row.phones, |identity| identity.number.clone()),
            handles: handles(row),
            accounts: row
                .organization
                .iter()
                .filter_map(|organization| {
                    Some(tenant.key(RecordKind::Account, organization.number()?))
                })
                .collect(),
            title: row.designation.clone(),
            locale: row.locale.clone(),
            time_zone: row.time_zone.clone(),
            tags: Vec::new(),
        }),
    }
}

/// An agent of whom only the number is left.
pub(crate) fn departed(tenant: &Tenant, id: u64) -> Agent {
    Agent {
        meta: Meta::new(tenant.key(RecordKind::Agent, id)),
        name: format!("Unknown user {id}"),
        emails: Vec::new(),
        active: false,
        role: String::new(),
        teams: Vec::new(),
    }
}

fn handles(row: &wire::User) -> Vec<Handle> {
    let handle = |network: &str, name: &Option<String>, id: &Option<String>| {
        let name = name.clone().or_else(|| id.clone())?;
        Some(Handle {
            network: network.to_owned(),
            name,
            id: id.clone(),
        })
    };
    let mut all = primary_first(&row.twitter, |i| {
        handle("twitter", &i.screen_name, &i.twitter_id)
    });
    all.extend(primary_first(&row.facebook, |i| {
        handle("facebook", &i.user_name, &i.facebook_id)
    }));
    all
}

/// How many identities of a user came as bare references: their values would be lost, which must be said.
pub(crate) fn unexpanded(row: &wire::User) -> usize {
    let bare = |all: &[wire::Identity], has: fn(&wire::Identity) -> bool| {
        all.iter().filter(|i| !has(i)).count()
    };
    bare(&row.emails, |i| i.email.is_some())
        + bare(&row.phones, |i| i.number.is_some())
        + bare(&row.twitter, |i| {
            i.screen_name.is_some() || i.twitter_id.is_some()
        })
        + bare(&row.facebook, |i| {
            i.user_name.is_some() || i.facebook_id.is_some()
        })
}

fn primary_first<T>(
    identities: &[wire::Identity],
    value: impl Fn(&wire::Identity) -> Option<T>,
) -> Vec<T> {
    let mut sorted: Vec<&wire::Identity> = identities.iter().collect();
    sorted.sort_by_key(|identity| identity.is_primary != Some(true));
    sorted.into_iter().filter_map(value).collect()
}
