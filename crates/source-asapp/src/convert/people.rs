//! Customers, the companies they belong to, and agents.

use deskferry_core::model::{Account, Agent, AgentStatistics, Contact, CustomValue, Email, Meta};
use deskferry_core::{RecordKey, RecordKind, Tenant};

use super::{Ground, keep_rest, person_key, row, rows};
use crate::config::Params;
use crate::reduce::Group;
use crate::side::several;
use crate::tables::{Family, tag};
use crate::wire::{Row, moment};

/// Domains at which private people have their addresses: no company stands behind one.
const FREE_MAIL: &[&str] = &[
    "aol.com",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.com",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "orange.fr",
    "outlook.com",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rocketmail.com",
    "t-online.de",
    "tutanota.com",
    "web.de",
    "yahoo.co.uk",
    "yahoo.com",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
];

fn time(row: Option<&Row>, column: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    row.and_then(|row| row.time(column))
}

fn emails(addresses: Vec<String>) -> Vec<Email> {
    let email = |address| Email {
        address,
        verified: None,
    };
    addresses.into_iter().map(email).collect()
}

/// A customer, and the company that was made for them. What the customer's own file says counts more than what was sent along
/// with a conversation.
pub(crate) fn customer(
    ground: &Ground<'_>,
    params: &Params,
    placeholders: bool,
    group: &Group,
) -> (Contact, Option<Account>) {
    let external =
        rows(group, tag::CUSTOMER_NAMED).find_map(|(row, _)| row.text("external_user_id"));
    let side = match group.family {
        Family::Messaging => ground.customers.row("customer_id", &group.id).or_else(|| {
            ground
                .customers
                .row("external_user_id", external.as_deref()?)
        }),
        // The customer's own id is the only one there is.
        Family::Services => ground.customers.row("external_user_id", &group.id),
    };
    let mut meta = Meta::new(person_key(
        ground.tenant,
        RecordKind::Contact,
        group.family,
        &group.id,
    ));
    meta.created_at = time(side, "created");
    meta.updated_at = time(side, "updated");
    let (mut name, mut email, mut phone, mut company) = (None, Vec::new(), Vec::new(), None);
    let mut said: Vec<(String, String)> = rows(group, tag::PARAM)
        .filter_map(|(row, _)| Some((row.text("param_key")?, row.text("param_value")?)))
        .collect();
    said.sort();
    for (key, value) in said {
        let is = |setting: &Option<String>| setting.as_deref() == Some(key.as_str());
        if is(&params.name) {
            name = Some(value);
        } else if is(&params.email) {
            email = vec![value];
        } else if is(&params.phone) {
            phone = vec![value];
        } else if is(&params.company) {
            company = Some(value);
        } else {
            meta.custom.insert(key, CustomValue::Text(value));
        }
    }
    if let Some(external) = external {
        meta.custom
            .insert("external_user_id".to_owned(), CustomValue::Text(external));
    }
    // The Conversation API is the one place of ASAPP that has names of customers.
    let told = || row(group, &[tag::CUSTOMER_TOLD])?.0.text("name");
    let side_text = |column: &str| side.and_then(|row| row.text(column));
    name = side_text("name").or(name).or_else(told);
    company = side_text("company").or(company);
    let stated = several(side_text("email"));
    email = if stated.is_empty() { email } else { stated };
    let stated = several(side_text("phone"));
    phone = if stated.is_empty() { phone } else { stated };
    let domain = email.first().and_then(|address| domain(address));
    let account = match (company, domain) {
        (Some(company), _) => {
            let id = side_text("company_id").unwrap_or_else(|| company.to_lowercase());
            Some(account(ground.tenant, &id, &company))
        }
        (None, Some(domain)) if placeholders => Some(placeholder(ground.tenant, &domain)),
        _ => None,
    };
    let contact = Contact {
        meta,
        name: name.unwrap_or_default(),
        emails: emails(email),
        phones: phone,
        handles: Vec::new(),
        accounts: account
            .iter()
            .map(|account| account.meta.key.clone())
            .collect(),
        title: side_text("title"),
        kind: None,
        groups: Vec::new(),
        addresses: Vec::new(),
        locale: None,
        time_zone: None,
        tags: Vec::new(),
    };
    (contact, account)
}

/// The domain of an address behind which a company can stand.
fn domain(address: &str) -> Option<String> {
    let (_, domain) = address.rsplit_once('@')?;
    let domain = domain.trim().trim_end_matches('.').to_lowercase();
    let real = domain.contains('.') && !FREE_MAIL.contains(&domain.as_str());
    real.then_some(domain)
}

/// A company by its id and name.
fn account(tenant: &Tenant, id: &str, name: &str) -> Account {
    Account {
        meta: Meta::new(tenant.key(RecordKind::Account, id)),
        name: name.to_owned(),
        domains: Vec::new(),
        websites: Vec::new(),
        phones: Vec::new(),
        addresses: Vec::new(),
        tags: Vec::new(),
        parent: None,
    }
}

/// A company of which only the domain is known, flagged for whoever merges it later.
fn placeholder(tenant: &Tenant, domain: &str) -> Account {
    let mut account = account(tenant, &format!("domain-{domain}"), domain);
    account.domains = vec![domain.to_owned()];
    account
        .meta
        .custom
        .insert("placeholder".to_owned(), CustomValue::Bool(true));
    account
}

/// An agent. ASAPP has no address of theirs: the customer's file has, or the id of the CRM is one (ASAPP reference, section 9).
pub(crate) fn agent(ground: &Ground<'_>, group: &Group) -> Agent {
    let key: RecordKey = person_key(ground.tenant, RecordKind::Agent, group.family, &group.id);
    let mut meta = Meta::new(key);
    let rep = row(group, &[tag::REP]).map(|(row, _)| row);
    let crm = rep.as_ref().and_then(|row| row.text("crm_rep_id"));
    let attributes: Vec<Row> = rows(group, tag::REP_ATTRIBUTE)
        .map(|(row, _)| row)
        .collect();
    let external = attributes
        .iter()
        .find_map(|row| row.text("external_rep_id"));
    let side = match group.family {
        Family::Messaging => ground
            .agents
            .row("rep_id", &group.id)
            .or_else(|| ground.agents.row("external_rep_id", external.as_deref()?))
            .or_else(|| ground.agents.row("crm_rep_id", crm.as_deref()?)),
        Family::Services => ground
            .agents
            .row("agent_id", &group.id)
            .or_else(|| ground.agents.row("external_rep_id", &group.id)),
    };
    meta.created_at = time(side, "created");
    meta.updated_at = time(side, "updated");
    let mut role = String::new();
    for row in &attributes {
        let (Some(name), Some(value)) = (row.text("attribute_name"), row.text("attribute_value"))
        else {
            continue;
        };
        if name.eq_ignore_ascii_case("role") {
            role = value;
        } else {
            meta.custom.insert(name, CustomValue::Text(value));
        }
    }
    let superiors: Vec<String> = rows(group, tag::REP_SUPERIOR)
        .filter(|(row, _)| {
            row.text("reporting_relationship")
                .is_none_or(|relation| relation == "superior")
        })
        .filter_map(|(row, _)| row.text("superior_rep_id"))
        .collect();
    if !superiors.is_empty() {
        meta.custom.insert(
            "superior_rep_id".to_owned(),
            CustomValue::Choices(superiors),
        );
    }
    if let Some(rep) = &rep {
        keep_rest(
            &mut meta.custom,
            rep,
            &["rep_id", "name", "disabled_time", "created_ts"],
        );
    }
    let mut addresses = several(side.and_then(|row| row.text("email")));
    if addresses.is_empty() {
        addresses.extend(crm.filter(|id| id.contains('@')));
    }
    let left = rep.as_ref().and_then(|row| row.text("disabled_time"));
    let name = side
        .and_then(|row| row.text("name"))
        .or_else(|| rep.as_ref().and_then(|row| row.text("name")))
        .or_else(|| row(group, &[tag::REP_TOLD])?.0.text("name"));
    Agent {
        meta,
        name: name.unwrap_or_else(|| format!("Unknown user {}", group.id)),
        emails: emails(addresses),
        // Whoever is in no snapshot of agents is gone; AI services have no such list.
        active: match group.family {
            Family::Messaging => rep.is_some() && left.and_then(|text| moment(&text)).is_none(),
            Family::Services => true,
        },
        role,
        teams: Vec::new(),
    }
}

/// How an agent did over all that was read: how many conversations and calls, and how long they took on average. Nothing where
/// no assignment was read.
pub(crate) fn statistics(ground: &Ground<'_>, group: &Group) -> Option<AgentStatistics> {
    let handled: Vec<Row> = rows(group, tag::REP_HANDLED).map(|(row, _)| row).collect();
    let times: Vec<_> = handled.iter().filter_map(|row| row.time("at")).collect();
    let (from, until) = (*times.iter().min()?, *times.iter().max()?);
    let agent = person_key(ground.tenant, RecordKind::Agent, group.family, &group.id);
    let mut meta = Meta::new(ground.tenant.key(RecordKind::AgentStatistics, &group.id));
    let number = |value: f64| CustomValue::Number(((value * 100.0).round() / 100.0).to_string());
    let calls = handled.iter().filter(|row| {
        row.text("mode")
            .is_some_and(|mode| mode.eq_ignore_ascii_case("voice"))
    });
    meta.custom
        .insert("assignments".to_owned(), number(handled.len() as f64));
    meta.custom
        .insert("calls".to_owned(), number(calls.count() as f64));
    for (name, column) in [
        ("average_handle_seconds", "handle"),
        ("average_wrap_up_seconds", "wrap_up"),
        ("average_first_response_seconds", "first"),
    ] {
        let values: Vec<f64> = handled
            .iter()
            .filter_map(|row| row.number(column))
            .collect();
        if !values.is_empty() {
            let average = values.iter().sum::<f64>() / values.len() as f64;
            meta.custom.insert(name.to_owned(), number(average));
        }
    }
    Some(AgentStatistics {
        meta,
        agent,
        from: Some(from),
        until: Some(until),
    })
}
