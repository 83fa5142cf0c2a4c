//! Users, teams, labels, contacts and profiles (Trengo reference, sections 3.5, 3.6 and 3.8).

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deskferry_core::model::{Account, Agent, Contact, CustomValue, Email, Handle, Tag, Team};
use deskferry_core::{RecordKey, RecordKind};
use serde_json::{Value, json};

use super::{Fields, Ground, Owner, keep};
use crate::config::Profiles;
use crate::wire::{Defect, Moment, Row};

/// Which contacts belong to which profile.
///
/// A person's record has the number of their lowest contact: it stays the same when a contact gets a profile later, or a
/// profile another contact.
#[derive(Debug, Clone, Default)]
pub(crate) struct Joined {
    /// By contact: the person's number, or the profile's where profiles are companies.
    by_contact: HashMap<u64, u64>,
}

impl Joined {
    /// Learns a profile: its number, and its contacts. A contact that is in several profiles stays with the first.
    pub(crate) fn learn(&mut self, profiles: Profiles, profile: u64, contacts: &[u64]) {
        let owner = match profiles {
            Profiles::Person => contacts.iter().min().copied(),
            Profiles::Company => Some(profile),
            Profiles::Ignore => None,
        };
        for contact in contacts {
            if let Some(owner) = owner {
                self.by_contact.entry(*contact).or_insert(owner);
            }
        }
    }

    /// The number that a contact's person has.
    pub(crate) fn person(&self, profiles: Profiles, contact: u64) -> u64 {
        match profiles {
            Profiles::Person => self.by_contact.get(&contact).copied().unwrap_or(contact),
            Profiles::Company | Profiles::Ignore => contact,
        }
    }

    /// Whether a contact is a part of a person whom a profile names.
    pub(crate) fn is_part(&self, profiles: Profiles, contact: u64) -> bool {
        profiles == Profiles::Person && self.by_contact.contains_key(&contact)
    }

    /// The company that a contact belongs to.
    fn company(&self, profiles: Profiles, contact: u64) -> Option<u64> {
        (profiles == Profiles::Company)
            .then(|| self.by_contact.get(&contact).copied())
            .flatten()
    }
}

fn plain(moment: Option<Moment>) -> Option<DateTime<Utc>> {
    moment.map(Moment::plain)
}

/// A user.
pub(crate) fn agent(ground: &Ground, row: Row<'_>, teams: &[u64]) -> Result<Agent, Defect> {
    let id = row.id()?;
    let created = row.time("created_at", ground.zone)?;
    let mut meta = ground.meta(
        ground.key(RecordKind::Agent, id),
        &format!("api/v2/users/{id}"),
        plain(created),
        None,
    );
    keep(
        &mut meta,
        row,
        &["phone", "locale_code", "timezone", "authorization"],
    );
    let status = row.text("status").unwrap_or_default();
    Ok(Agent {
        meta,
        name: name(row),
        emails: row.text("email").map(email).into_iter().collect(),
        // Words other than these are not known; who is listed works here unless it is said otherwise.
        active: !matches!(
            status.to_ascii_uppercase().as_str(),
            "INACTIVE" | "DISABLED" | "DEACTIVATED" | "DELETED" | "BLOCKED" | "SUSPENDED"
        ),
        role: row
            .object("role")
            .and_then(|role| role.text("name"))
            .or_else(|| row.text("role"))
            .or_else(|| row.text("authorization"))
            .unwrap_or_default(),
        teams: teams
            .iter()
            .map(|team| ground.key(RecordKind::Team, *team))
            .collect(),
    })
}

/// A user whom no list has any more, as far as a row that still names them tells.
pub(crate) fn departed(ground: &Ground, id: u64, row: Option<Row<'_>>) -> Agent {
    let named = row.map(name).filter(|name| !name.trim().is_empty());
    Agent {
        meta: ground.meta(
            ground.key(RecordKind::Agent, id),
            &format!("api/v2/users/{id}"),
            None,
            None,
        ),
        name: named.unwrap_or_else(|| format!("Unknown user {id}")),
        emails: row
            .and_then(|row| row.text("email"))
            .map(email)
            .into_iter()
            .collect(),
        active: false,
        role: String::new(),
        teams: Vec::new(),
    }
}

/// A team; one that is gone has no row, or only a name.
pub(crate) fn team(ground: &Ground, id: u64, row: Option<Row<'_>>) -> Team {
    let named = row.and_then(|row| row.first_text(&["name", "title"]));
    Team {
        meta: ground.meta(
            ground.key(RecordKind::Team, id),
            &format!("api/v2/teams/{id}"),
            None,
            None,
        ),
        name: named.unwrap_or_else(|| format!("Unknown team {id}")),
    }
}

/// A label.
pub(crate) fn tag(ground: &Ground, row: Row<'_>) -> Result<Tag, Defect> {
    let id = row.id()?;
    let mut meta = ground.meta(
        ground.key(RecordKind::Tag, id),
        &format!("api/v2/labels/{id}"),
        None,
        None,
    );
    keep(&mut meta, row, &["slug", "color", "archived"]);
    Ok(Tag {
        meta,
        name: row.first_text(&["name", "title"]).unwrap_or_default(),
    })
}

/// The number of a user, and what people call them.
pub(crate) fn named(row: Row<'_>) -> Option<(u64, String)> {
    Some((row.id().ok()?, name(row)))
}

fn name(row: Row<'_>) -> String {
    let parts = || {
        let both = [row.text("first_name"), row.text("last_name")];
        let both: Vec<String> = both.into_iter().flatten().collect();
        (!both.is_empty()).then(|| both.join(" "))
    };
    row.first_text(&["full_name", "name"])
        .or_else(parts)
        .unwrap_or_default()
}

fn email(address: String) -> Email {
    Email {
        address,
        verified: None,
    }
}

/// A contact that stands for itself.
pub(crate) fn contact(
    ground: &Ground,
    joined: &Joined,
    profiles: Profiles,
    row: Row<'_>,
) -> Result<Contact, Defect> {
    let id = row.id()?;
    let mut contact = bare(ground, id);
    add(ground, &mut contact, row);
    contact.name = name(row);
    if let Some(company) = joined.company(profiles, id) {
        contact
            .accounts
            .push(ground.key(RecordKind::Account, company));
    }
    Ok(contact)
}

fn bare(ground: &Ground, id: u64) -> Contact {
    Contact {
        // No row of a contact says when it was made or changed.
        meta: ground.meta(
            ground.key(RecordKind::Contact, id),
            &format!("api/v2/contacts/{id}"),
            None,
            None,
        ),
        name: String::new(),
        emails: Vec::new(),
        phones: Vec::new(),
        handles: Vec::new(),
        accounts: Vec::new(),
        title: None,
        locale: None,
        time_zone: None,
        tags: Vec::new(),
        kind: None,
        groups: Vec::new(),
        addresses: Vec::new(),
    }
}

/// Adds what one contact knows of its person.
fn add(ground: &Ground, contact: &mut Contact, row: Row<'_>) {
    let mut reached = false;
    if let Some(address) = row.text("email") {
        reached = true;
        if !contact.emails.iter().any(|known| known.address == address) {
            contact.emails.push(email(address));
        }
    }
    let is_phone = row.flag("is_phone") == Some(true);
    let identifier = row.text("identifier");
    let phone = row
        .text("phone")
        .or_else(|| identifier.clone().filter(|_| is_phone));
    if let Some(number) = phone {
        reached = true;
        if !contact.phones.contains(&number) {
            contact.phones.push(number);
        }
    }
    if !reached && let Some(identifier) = identifier {
        by_identifier(contact, row, identifier);
    }
    let found = ground.fields.values(Owner::Contact, row);
    for (key, value) in found.values {
        contact.meta.custom.entry(key).or_insert(value);
    }
    if let Some(rest) = Fields::by_title_alone(row, &found.open) {
        contact
            .meta
            .custom
            .entry("custom_field_data".to_owned())
            .or_insert(rest);
    }
    for group in row.list("groups") {
        if let Some(name) = Row(group).first_text(&["name", "title"])
            && !contact.groups.contains(&name)
        {
            contact.groups.push(name);
        }
    }
    notes(&mut contact.meta, row);
    if row.flag("is_private") == Some(true) {
        keep(&mut contact.meta, row, &["is_private"]);
    }
}

/// What people type to reach somebody who has neither address nor number.
fn by_identifier(contact: &mut Contact, row: Row<'_>, identifier: String) {
    if identifier.contains('@') && !identifier.starts_with('@') {
        return contact.emails.push(email(identifier));
    }
    let kinds = row.list("channels");
    let kind = kinds.iter().find_map(|channel| Row(channel).text("type"));
    let network = match kind.as_deref().map(str::to_ascii_uppercase).as_deref() {
        Some("EMAIL" | "CHAT") | None => "other".to_owned(),
        Some(kind) => kind.to_ascii_lowercase(),
    };
    let handle = Handle {
        network,
        name: identifier,
        id: None,
    };
    if !contact.handles.contains(&handle) {
        contact.handles.push(handle);
    }
}

/// Notes on a contact, where they were read.
fn notes(meta: &mut deskferry_core::model::Meta, row: Row<'_>) {
    let notes: Vec<Value> = row
        .list("notes")
        .into_iter()
        .map(|note| {
            let note = Row(note);
            json!({
                "body": note.first_text(&["body", "note"]),
                "by": note.object("user").map(name),
                "created_at": note.text("created_at"),
            })
        })
        .collect();
    if notes.is_empty() {
        return;
    }
    let kept = meta
        .custom
        .entry("notes".to_owned())
        .or_insert_with(|| CustomValue::Json(Value::Array(Vec::new())));
    if let CustomValue::Json(Value::Array(kept)) = kept {
        kept.extend(notes);
    }
}

/// The contacts of a profile as one person. None where it has no contact.
pub(crate) fn person(
    ground: &Ground,
    profile: Row<'_>,
    contacts: &[Row<'_>],
) -> Result<Option<Contact>, Defect> {
    let mut by_id: Vec<(u64, Row<'_>)> = Vec::with_capacity(contacts.len());
    for row in contacts {
        by_id.push((row.id()?, *row));
    }
    by_id.sort_by_key(|(id, _)| *id);
    let Some((lowest, _)) = by_id.first() else {
        return Ok(None);
    };
    let mut contact = bare(ground, *lowest);
    for (_, row) in &by_id {
        add(ground, &mut contact, *row);
    }
    let of_a_contact = || {
        let mut names = by_id.iter().map(|(_, row)| name(*row));
        // Of somebody who called, the number may stand as name.
        names.find(|name| name.chars().any(char::is_alphabetic))
    };
    contact.name = Some(name(profile))
        .filter(|name| !name.trim().is_empty())
        .or_else(of_a_contact)
        .unwrap_or_default();
    let found = ground.fields.values(Owner::Profile, profile);
    for (key, value) in found.values {
        contact.meta.custom.entry(key).or_insert(value);
    }
    Ok(Some(contact))
}

/// A profile as company.
pub(crate) fn account(ground: &Ground, row: Row<'_>) -> Result<Account, Defect> {
    let id = row.id()?;
    let mut meta = ground.meta(
        ground.key(RecordKind::Account, id),
        &format!("api/v2/profiles/{id}"),
        plain(row.time("created_at", ground.zone)?),
        plain(row.time("updated_at", ground.zone)?),
    );
    let found = ground.fields.values(Owner::Profile, row);
    meta.custom.extend(found.values);
    Ok(Account {
        meta,
        name: name(row),
        domains: Vec::new(),
        websites: Vec::new(),
        phones: Vec::new(),
        addresses: Vec::new(),
        parent: None,
        tags: Vec::new(),
    })
}

/// The numbers of a profile's contacts.
pub(crate) fn contacts_of(profile: Row<'_>) -> BTreeSet<u64> {
    let contacts = profile.list("contacts");
    contacts
        .into_iter()
        .filter_map(|row| Row(row).id().ok())
        .collect()
}

/// The key of the person whose contact this is.
pub(crate) fn person_key(
    ground: &Ground,
    joined: &Joined,
    profiles: Profiles,
    contact: u64,
) -> RecordKey {
    ground.key(RecordKind::Contact, joined.person(profiles, contact))
}
