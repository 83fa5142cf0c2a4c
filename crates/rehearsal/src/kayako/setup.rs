//! Configuration, companies and people as Kayako writes them (Kayako reference, sections 10 to 13 and 16).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::include::{Include, reference};
use crate::world::{
    CaseType, Company, CustomValue, FieldDefinition, FieldKind, FieldOption, FieldOwner,
    FieldValue, Mailbox, Person, Priority, Role, Status, StatusKind, Team, World,
};

/// A time as Kayako writes it: with an offset, never `Z`.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Everything that rendering needs beside the thing itself.
pub(super) struct Ink<'a> {
    pub(super) world: &'a World,
    pub(super) include: &'a Include,
    /// Identities by address in small letters.
    pub(super) identities: &'a HashMap<String, u64>,
    /// `http://host` without a slash at the end.
    pub(super) base: &'a str,
}

/// Which identity an address is, in small letters.
pub(super) fn identities(world: &World) -> HashMap<String, u64> {
    let mut known = HashMap::new();
    for person in &world.lists().people {
        for (n, address) in person.emails.iter().enumerate() {
            known
                .entry(address.to_lowercase())
                .or_insert_with(|| identity(person.id, n, 0));
        }
    }
    known
}

impl Ink<'_> {
    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.base)
    }

    pub(super) fn team(&self, team: &Team) -> Value {
        json!({
            "id": team.id, "legacy_id": null, "title": team.name, "businesshour": reference("business_hour", 1),
            "member_count": self.world.lists().people.iter().filter(|person| person.teams.contains(&team.id)).count(),
            "created_at": "2020-01-01T00:00:00+00:00", "updated_at": "2020-01-01T00:00:00+00:00",
            "resource_type": "team", "resource_url": self.url(&format!("teams/{}", team.id)),
        })
    }

    pub(super) fn nested_team(&self, id: u64) -> Value {
        self.include.nest("team", id, || {
            self.world
                .team(id)
                .map_or_else(|| reference("team", id), |team| self.team(team))
        })
    }

    pub(super) fn role(&self, role: Role) -> Value {
        let (id, title, kind) = role_row(role);
        json!({
            "id": id, "title": title, "type": kind, "is_system": true,
            "agent_case_access": if role.is_staff() { json!("ALL") } else { Value::Null },
            "resource_type": "role", "resource_url": self.url(&format!("roles/{id}")),
        })
    }

    pub(super) fn user(&self, person: &Person) -> Value {
        let include = self.include;
        let staff = person.role.is_staff();
        let custom = self.custom(FieldOwner::Person, &person.custom);
        json!({
            "id": person.id, "uuid": format!("00000000-0000-4000-8000-{:012}", person.id), "full_name": person.name,
            "legacy_id": null, "designation": person.title, "is_enabled": person.enabled, "is_mfa_enabled": false,
            "role": include.nest("role", role_row(person.role).0, || self.role(person.role)),
            "avatar": format!("{}/avatar/get/{}", self.base, person.id),
            "agent_case_access": if staff { json!("INHERIT-FROM-ROLE") } else { Value::Null },
            "organization_case_access": if staff { Value::Null } else { json!("REQUESTED") },
            "organization": person.company.map(|id| self.nested_organization(id)),
            "teams": person.teams.iter().map(|id| self.nested_team(*id)).collect::<Vec<_>>(),
            "emails": self.emails(person), "phones": self.phones(person), "twitter": self.twitter(person),
            "facebook": self.facebook(person), "external_identifiers": [],
            "custom_fields": custom,
            "locale": {"id": 2, "resource_type": "locale"},
            "time_zone": if staff { json!("Europe/Vienna") } else { Value::Null },
            // Seconds, but a text: the documentation shows both.
            "time_zone_offset": if staff { json!("3600") } else { Value::Null },
            "greeting": null, "signature": if staff { json!("<p>Kind regards</p>") } else { Value::Null }, "status_message": null,
            "pinned_notes_count": 0, "last_seen_user_agent": "Mozilla/5.0", "last_seen_ip": "192.0.2.99",
            "last_seen_at": null, "last_active_at": null, "password_updated_at": null, "avatar_updated_at": null,
            "created_at": time(person.created), "updated_at": time(person.updated),
            "resource_type": "user", "resource_url": self.url(&format!("users/{}", person.id)),
        })
    }

    pub(super) fn nested_user(&self, id: u64) -> Value {
        self.include.nest("user", id, || {
            self.world
                .person(id)
                .map_or_else(|| reference("user", id), |person| self.user(person))
        })
    }

    pub(super) fn user_minimal(&self, id: u64) -> Value {
        self.include.nest("user_minimal", id, || {
            let name = self.world.person(id).map_or("", |person| person.name.as_str());
            json!({"id": id, "full_name": name, "avatar": format!("{}/avatar/get/{id}", self.base), "resource_type": "user_minimal"})
        })
    }

    fn emails(&self, person: &Person) -> Vec<Value> {
        person
            .emails
            .iter()
            .enumerate()
            .map(|(n, address)| self.identity_email(person, n, address))
            .collect()
    }

    fn identity_email(&self, person: &Person, n: usize, address: &str) -> Value {
        let id = identity(person.id, n, 0);
        self.include.nest("identity_email", id, || {
            self.with_identity_frame(id, n == 0, person, json!({"email": address, "is_notification_enabled": false, "resource_type": "identity_email"}))
        })
    }

    fn phones(&self, person: &Person) -> Vec<Value> {
        let phone = |(n, number): (usize, &String)| {
            let id = identity(person.id, n, 20);
            self.include.nest("identity_phone", id, || {
                self.with_identity_frame(
                    id,
                    n == 0,
                    person,
                    json!({"number": number, "resource_type": "identity_phone"}),
                )
            })
        };
        person.phones.iter().enumerate().map(phone).collect()
    }

    fn twitter(&self, person: &Person) -> Vec<Value> {
        let one = |(n, handle): (usize, &crate::world::Handle)| {
            let id = identity(person.id, n, 40);
            self.include.nest("identity_twitter", id, || {
                let own = json!({
                    "twitter_id": handle.network_id, "full_name": person.name, "screen_name": handle.screen_name,
                    "follower_count": 7, "description": null, "url": null, "location": null, "locale": null, "is_verified": false,
                    "resource_type": "identity_twitter",
                });
                self.with_identity_frame(id, n == 0, person, own)
            })
        };
        person.twitter.iter().enumerate().map(one).collect()
    }

    fn facebook(&self, person: &Person) -> Vec<Value> {
        let one = |(n, handle): (usize, &crate::world::Handle)| {
            let id = identity(person.id, n, 60);
            self.include.nest("identity_facebook", id, || {
                let own = json!({
                    "facebook_id": handle.network_id, "user_name": handle.screen_name, "full_name": person.name, "email": null,
                    "bio": null, "birth_date": null, "website": null, "profile_url": null, "locale": null, "is_verified": false,
                    "resource_type": "identity_facebook",
                });
                self.with_identity_frame(id, n == 0, person, own)
            })
        };
        person.facebook.iter().enumerate().map(one).collect()
    }

    fn with_identity_frame(
        &self,
        id: u64,
        primary: bool,
        person: &Person,
        mut own: Value,
    ) -> Value {
        own["id"] = id.into();
        own["is_primary"] = primary.into();
        own["is_validated"] = true.into();
        own["created_at"] = time(person.created).into();
        own["updated_at"] = time(person.updated).into();
        own
    }

    /// The identity by which a person usually writes, if there is any.
    pub(super) fn first_identity(&self, person: &Person) -> Value {
        let all = [
            self.emails(person),
            self.phones(person),
            self.twitter(person),
            self.facebook(person),
        ];
        all.into_iter().flatten().next().unwrap_or(Value::Null)
    }

    /// The identity of one address; of a stranger's, one that belongs to nobody in the list.
    pub(super) fn identity_of(&self, address: &str, stranger: u64) -> Value {
        let known = self.identities.get(&address.to_lowercase()).copied();
        let id = known.unwrap_or(stranger);
        self.include.nest(
            "identity_email",
            id,
            || json!({"id": id, "email": address, "resource_type": "identity_email"}),
        )
    }

    pub(super) fn organization(&self, company: &Company) -> Value {
        let include = self.include;
        let nested = |n: usize, base: u64| company.id * 100 + base + n as u64;
        let domains = company.domains.iter().enumerate().map(|(n, domain)| {
            let id = nested(n, 0);
            include.nest("identity_domain", id, || json!({"id": id, "is_primary": n == 0, "is_validated": true, "domain": domain, "resource_type": "identity_domain"}))
        });
        let phones = company.phones.iter().enumerate().map(|(n, number)| {
            let id = nested(n, 20);
            include.nest("identity_phone", id, || json!({"id": id, "is_primary": n == 0, "number": number, "resource_type": "identity_phone"}))
        });
        let addresses = company.addresses.iter().enumerate().map(|(n, address)| {
            let id = nested(n, 40);
            include.nest("contact_address", id, || {
                json!({
                    "id": id, "address1": address.street1, "address2": address.street2, "city": address.city, "state": address.state,
                    "postal_code": address.postal_code, "country": address.country, "type": "WORK", "is_primary": address.primary,
                    "resource_type": "contact_address",
                })
            })
        });
        let websites = company.websites.iter().enumerate().map(|(n, url)| {
            let id = nested(n, 60);
            include.nest("contact_website", id, || json!({"id": id, "url": url, "is_primary": n == 0, "resource_type": "contact_website"}))
        });
        json!({
            "id": company.id, "name": company.name, "legacy_id": null, "is_shared": false,
            "domains": domains.collect::<Vec<_>>(), "is_validated": true,
            // The key is singular although it is a list.
            "phone": phones.collect::<Vec<_>>(), "addresses": addresses.collect::<Vec<_>>(), "websites": websites.collect::<Vec<_>>(),
            "pinned_notes_count": 0, "custom_fields": self.custom(FieldOwner::Company, &company.custom),
            "created_at": time(company.created), "updated_at": time(company.updated),
            "resource_type": "organization", "resource_url": self.url(&format!("organizations/{}", company.id)),
        })
    }

    pub(super) fn nested_organization(&self, id: u64) -> Value {
        self.include.nest("organization", id, || {
            self.world.company(id).map_or_else(
                || reference("organization", id),
                |company| self.organization(company),
            )
        })
    }

    /// Values of all fields of an owner, unset ones as empty texts, and those of deleted fields.
    pub(super) fn custom(&self, owner: FieldOwner, values: &[CustomValue]) -> Vec<Value> {
        let (field_kind, value_kind) = field_words(owner);
        let row = |field: u64, value: String| {
            let nested = self.include.nest(field_kind, field, || {
                self.world.field(field).map_or_else(
                    || reference(field_kind, field),
                    |definition| self.field(definition),
                )
            });
            json!({"field": nested, "value": value, "resource_type": value_kind})
        };
        let defined = self
            .world
            .lists()
            .fields
            .iter()
            .filter(|field| field.owner == owner)
            .map(|field| {
                let value = values.iter().find(|value| value.field == field.id);
                row(
                    field.id,
                    value.map(|value| wire(&value.value)).unwrap_or_default(),
                )
            });
        let deleted = values
            .iter()
            .filter(|value| self.world.field(value.field).is_none())
            .map(|value| row(value.field, wire(&value.value)));
        defined.chain(deleted).collect()
    }

    pub(super) fn field(&self, field: &FieldDefinition) -> Value {
        let (kind, _) = field_words(field.owner);
        let options = field
            .options
            .iter()
            .zip(1..)
            .map(|(option, order)| self.option(field, option, order));
        let path = match field.owner {
            FieldOwner::Conversation => "cases",
            FieldOwner::Person => "users",
            FieldOwner::Company => "organizations",
        };
        json!({
            "id": field.id, "fielduuid": format!("10000000-0000-4000-8000-{:012}", field.id), "title": field.title,
            "type": field_type(field.kind), "key": field.key, "is_required_for_agents": false, "is_required_on_resolution": false,
            "is_visible_to_customers": true, "customer_titles": [self.locale_field(field.id * 1_000 + 1, "en-us", None)],
            "is_customer_editable": false, "is_required_for_customers": false, "descriptions": [], "regular_expression": null,
            "sort_order": field.id, "is_enabled": true, "is_system": false, "options": options.collect::<Vec<_>>(),
            "created_at": "2020-01-01T00:00:00+00:00", "updated_at": "2020-01-01T00:00:00+00:00",
            "resource_type": kind, "resource_url": self.url(&format!("{path}/fields/{}", field.id)),
        })
    }

    /// The fields that every helpdesk has for conversations; they hold no data of their own.
    pub(super) fn system_fields(&self) -> Vec<Value> {
        ["SUBJECT", "MESSAGE", "PRIORITY", "STATUS", "TYPE", "TEAM", "ASSIGNEE"]
            .iter()
            .zip(1..)
            .map(|(kind, id)| {
                let name = kind.to_lowercase();
                json!({
                    "id": id, "fielduuid": format!("10000000-0000-4000-8000-{id:012}"), "title": name, "type": kind, "key": name,
                    "is_enabled": true, "is_system": true, "sort_order": id, "options": [], "customer_titles": [], "descriptions": [],
                    "resource_type": "case_field", "resource_url": self.url(&format!("cases/fields/{id}")),
                })
            })
            .collect()
    }

    fn option(&self, field: &FieldDefinition, option: &FieldOption, order: u64) -> Value {
        self.include.nest("field_option", option.id, || {
            let german = self.locale_field(option.id * 10 + 2, "de", option.german.as_deref());
            // The default language is not the first one on purpose.
            let values = [german, self.locale_field(option.id * 10 + 1, "en-us", Some(&option.label))];
            json!({
                "id": option.id, "fielduuid": format!("10000000-0000-4000-8000-{:012}", field.id), "values": values, "tag": null,
                "sort_order": order, "resource_type": "field_option",
            })
        })
    }

    pub(super) fn locale_field(&self, id: u64, locale: &str, translation: Option<&str>) -> Value {
        self.include.nest("locale_field", id, || {
            json!({
                "id": id, "locale": locale, "translation": translation, "created_at": "2020-01-01T00:00:00+00:00",
                "updated_at": "2020-01-01T00:00:00+00:00", "resource_type": "locale_field",
            })
        })
    }

    pub(super) fn status(&self, status: &Status) -> Value {
        json!({
            "id": status.id, "label": status.label, "type": status_type(status.kind),
            // A number as text, as PHP likes to send it.
            "sort_order": status.id.to_string(), "is_sla_active": false, "is_deleted": status.deleted,
            "created_at": "2020-01-01T00:00:00+00:00", "updated_at": "2020-01-01T00:00:00+00:00",
            "resource_type": "case_status", "resource_url": self.url(&format!("cases/statuses/{}", status.id)),
        })
    }

    /// A status that no list knows is written out with a type that no documentation knows.
    pub(super) fn nested_status(&self, id: u64) -> Value {
        self.include.nest("case_status", id, || match self.world.status(id) {
            Some(status) => self.status(status),
            None => json!({"id": id, "label": "Limbo", "type": "LIMBO", "sort_order": null, "is_deleted": true, "resource_type": "case_status"}),
        })
    }

    pub(super) fn priority(&self, priority: &Priority) -> Value {
        json!({
            "id": priority.id, "label": priority.label, "level": priority.level, "color": null, "resource_type": "case_priority",
            "resource_url": self.url(&format!("cases/priorities/{}", priority.id)),
        })
    }

    pub(super) fn nested_priority(&self, id: u64) -> Value {
        self.include.nest("case_priority", id, || {
            self.world.priority(id).map_or_else(
                || reference("case_priority", id),
                |priority| self.priority(priority),
            )
        })
    }

    pub(super) fn case_type(&self, case_type: &CaseType) -> Value {
        json!({
            "id": case_type.id, "label": case_type.label, "type": case_type.kind, "resource_type": "case_type",
            "resource_url": self.url(&format!("cases/types/{}", case_type.id)),
        })
    }

    pub(super) fn nested_type(&self, id: u64) -> Value {
        self.include.nest("case_type", id, || {
            self.world.case_type(id).map_or_else(
                || reference("case_type", id),
                |case_type| self.case_type(case_type),
            )
        })
    }

    pub(super) fn mailbox(&self, mailbox: &Mailbox) -> Value {
        json!({
            "id": mailbox.id, "uuid": mailbox_uuid(mailbox.id), "address": mailbox.address, "brand": reference("brand", 1),
            "is_default": mailbox.id == 1, "is_enabled": true, "is_deleted": false, "resource_type": "mailbox",
        })
    }

    pub(super) fn nested_mailbox(&self, id: u64) -> Value {
        self.include.nest("mailbox", id, || {
            self.world
                .mailbox(id)
                .map_or_else(|| reference("mailbox", id), |mailbox| self.mailbox(mailbox))
        })
    }
}

pub(super) fn mailbox_uuid(id: u64) -> String {
    format!("20000000-0000-4000-8000-{id:012}")
}

fn identity(person: u64, n: usize, base: u64) -> u64 {
    person * 100 + base + n as u64
}

/// Id, title and type; the ids are those of a real instance.
pub(super) fn role_row(role: Role) -> (u64, &'static str, &'static str) {
    match role {
        Role::Admin => (1, "Administrator", "ADMIN"),
        Role::Agent => (2, "Agent", "AGENT"),
        Role::Collaborator => (3, "Collaborator", "COLLABORATOR"),
        Role::Customer => (4, "Customer", "CUSTOMER"),
        Role::Owner => (5, "Owner", "OWNER"),
    }
}

fn field_words(owner: FieldOwner) -> (&'static str, &'static str) {
    match owner {
        FieldOwner::Conversation => ("case_field", "case_field_value"),
        FieldOwner::Person => ("user_field", "user_field_value"),
        FieldOwner::Company => ("organization_field", "organization_field_value"),
    }
}

fn field_type(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "TEXT",
        FieldKind::TextArea => "TEXTAREA",
        FieldKind::Numeric => "NUMERIC",
        FieldKind::Decimal => "DECIMAL",
        FieldKind::YesNo => "YESNO",
        FieldKind::Select => "SELECT",
        FieldKind::Checkbox => "CHECKBOX",
        FieldKind::CascadingSelect => "CASCADINGSELECT",
        FieldKind::Date => "DATE",
    }
}

pub(super) fn status_type(kind: StatusKind) -> &'static str {
    match kind {
        StatusKind::New => "NEW",
        StatusKind::Open => "OPEN",
        StatusKind::Pending => "PENDING",
        StatusKind::Completed => "COMPLETED",
        StatusKind::Closed => "CLOSED",
        StatusKind::Custom => "CUSTOM",
    }
}

/// All values are texts on the wire.
fn wire(value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) | FieldValue::Number(text) => text.clone(),
        FieldValue::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        FieldValue::Day(day) => format!("{day}T00:00:00+00:00"),
        FieldValue::Choice(id) => id.to_string(),
        FieldValue::Choices(ids) => ids.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
    }
}
