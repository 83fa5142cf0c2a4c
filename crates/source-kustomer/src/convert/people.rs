//! Users, teams, tags, companies and customers (Kustomer reference, sections 3.1 and 3.6 to 3.8).

use deskferry_core::model::{Account, Address, Agent, Contact, Email, Handle, Meta, Tag, Team};
use deskferry_core::{RecordKey, RecordKind, Tenant};
use serde_json::Value;

use super::{Ground, keep};
use crate::wire::{Defect, Row, text_of};

pub(crate) fn team(ground: &Ground<'_>, row: &Row) -> Result<Team, Defect> {
    let mut meta = ground.meta(RecordKind::Team, row, "team")?;
    keep(&mut meta.custom, row, &["deleted"]);
    Ok(Team {
        meta,
        name: row.text("name").unwrap_or_default().to_owned(),
    })
}

pub(crate) fn tag(ground: &Ground<'_>, row: &Row) -> Result<Tag, Defect> {
    let mut meta = ground.meta(RecordKind::Tag, row, "tag")?;
    keep(&mut meta.custom, row, &["color", "deleted"]);
    Ok(Tag {
        meta,
        name: row.text("name").unwrap_or_default().to_owned(),
    })
}

/// A user, with the teams that name them.
pub(crate) fn agent(
    ground: &Ground<'_>,
    row: &Row,
    teams: Vec<RecordKey>,
) -> Result<Agent, Defect> {
    let mut meta = ground.meta(RecordKind::Agent, row, "user")?;
    keep(&mut meta.custom, row, &["mobile", "roleGroups"]);
    let name = row.text("name").or_else(|| row.text("displayName"));
    let sort = row.text("userType").unwrap_or("user");
    let roles: Vec<&str> = row.texts("roles").collect();
    Ok(Agent {
        meta,
        name: name.unwrap_or_default().to_owned(),
        emails: row
            .text("email")
            .map(|address| Email {
                address: address.to_owned(),
                verified: row.value("emailVerifiedAt").map(|_| true),
            })
            .into_iter()
            .collect(),
        active: !row.flag("deleted") && row.value("deletedAt").is_none(),
        role: match (sort, roles.is_empty()) {
            ("user", false) => roles.join(" "),
            (sort, _) => sort.to_owned(),
        },
        teams,
    })
}

/// Somebody whom rows name and no list has.
pub(crate) fn departed(tenant: &Tenant, id: &str) -> Agent {
    Agent {
        meta: Meta::new(tenant.key(RecordKind::Agent, id)),
        name: format!("Unknown user {id}"),
        emails: Vec::new(),
        active: false,
        role: "unknown".to_owned(),
        teams: Vec::new(),
    }
}

pub(crate) fn account(ground: &Ground<'_>, row: &Row) -> Result<Account, Defect> {
    let mut meta = ground.meta(RecordKind::Account, row, "company")?;
    keep(
        &mut meta.custom,
        row,
        &[
            "externalId",
            "employeeCount",
            "emails",
            "whatsapps",
            "socials",
            "deleted",
        ],
    );
    // Objects or plain texts: both were seen.
    let domains = row.list("domains").iter().filter_map(|one| match one {
        Value::Object(domain) => text_of(domain.get("domain")?),
        text => text_of(text),
    });
    Ok(Account {
        meta,
        name: row.text("name").unwrap_or_default().to_owned(),
        domains: domains.map(str::to_owned).collect(),
        websites: members(row, "urls", "url"),
        phones: members(row, "phones", "phone"),
        addresses: addresses(row),
        parent: row
            .related("parent")
            .map(|id| ground.key(RecordKind::Account, id)),
        tags: ground.names.tags(row.texts("tags")),
    })
}

pub(crate) fn contact(
    ground: &Ground<'_>,
    row: &Row,
    kind_attribute: Option<&str>,
) -> Result<Contact, Defect> {
    let mut meta = ground.meta(RecordKind::Contact, row, "customer")?;
    keep(
        &mut meta.custom,
        row,
        &[
            "externalId",
            "externalIds",
            "sharedExternalIds",
            "username",
            "gender",
            "birthdayAt",
            "signedUpAt",
            "deleted",
        ],
    );
    let parts = [row.text("firstName"), row.text("lastName")];
    let name = row.text("name").map(str::to_owned).or_else(|| {
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    });
    if name.is_none() {
        // Often a made-up nickname: kept, and no name.
        keep(&mut meta.custom, row, &["displayName"]);
    }
    let company = row
        .related("company")
        .or_else(|| row.text("company"))
        .or_else(|| row.text("companyId"));
    let kind = kind_attribute.and_then(|name| row.custom()?.get(name).and_then(text_of));
    Ok(Contact {
        meta,
        name: name.unwrap_or_default(),
        emails: emails(row),
        phones: [
            members(row, "phones", "phone"),
            members(row, "sharedPhones", "phone"),
        ]
        .concat(),
        handles: handles(row),
        accounts: company
            .map(|id| ground.key(RecordKind::Account, id))
            .into_iter()
            .collect(),
        title: None,
        kind: kind.map(str::to_owned),
        groups: Vec::new(),
        addresses: addresses(row),
        locale: row
            .text("locale")
            .or_else(|| row.text("defaultLang"))
            .map(str::to_owned),
        time_zone: row.text("timeZone").map(str::to_owned),
        tags: ground.names.tags(row.texts("tags")),
    })
}

/// The first verified address is the main one, else the first. Shared ones belong to several people and come last.
fn emails(row: &Row) -> Vec<Email> {
    let read = |name: &'static str| {
        row.list(name).iter().filter_map(|one| {
            let address = text_of(one.get("email").unwrap_or(one))?;
            let verified = one.get("verified").and_then(Value::as_bool);
            Some(Email {
                address: address.to_owned(),
                verified,
            })
        })
    };
    let mut own: Vec<Email> = read("emails").collect();
    if let Some(first) = own.iter().position(|one| one.verified == Some(true)) {
        own[..=first].rotate_right(1);
    }
    own.extend(read("sharedEmails"));
    own
}

/// One member of each entry of a list.
fn members(row: &Row, list: &str, member: &str) -> Vec<String> {
    let texts = row
        .list(list)
        .iter()
        .filter_map(|one| text_of(one.get(member).unwrap_or(one)));
    texts.map(str::to_owned).collect()
}

fn handles(row: &Row) -> Vec<Handle> {
    let text = |one: &Value, name: &str| one.get(name).and_then(text_of).map(str::to_owned);
    let social = |one: &Value| {
        let id = text(one, "userid");
        Some(Handle {
            network: text(one, "type")?,
            name: text(one, "username").or_else(|| id.clone())?,
            id,
        })
    };
    let all = ["socials", "sharedSocials"].map(|name| row.list(name).iter().filter_map(social));
    let numbers = ["whatsapps", "sharedWhatsapps"]
        .map(|name| members(row, name, "phone"))
        .concat();
    let whatsapp = numbers.into_iter().map(|name| Handle {
        network: "whatsapp".to_owned(),
        name,
        id: None,
    });
    all.into_iter().flatten().chain(whatsapp).collect()
}

/// Entries that are nothing but a type are no addresses.
fn addresses(row: &Row) -> Vec<Address> {
    let read = |one: &Value| {
        let text = |name: &str| {
            one.get(name)
                .and_then(text_of)
                .unwrap_or_default()
                .to_owned()
        };
        let street = ["address", "address2", "address3"].map(text);
        let first = |names: [&str; 2]| names.map(text).into_iter().find(|t| !t.is_empty());
        let address = Address {
            street: street.into_iter().filter(|line| !line.is_empty()).collect(),
            city: text("cityName"),
            state: first(["regionName", "regionCode"]).unwrap_or_default(),
            postal_code: text("zipCode"),
            country: first(["countryName", "countryCode"]).unwrap_or_default(),
        };
        (address != Address::default()).then_some(address)
    };
    row.list("locations").iter().filter_map(read).collect()
}
