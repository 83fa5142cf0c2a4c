//! Users, Accounts and Contacts.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::seen::Seen;
use super::want::{Row, Sheet, Want, field};
use super::words::{clean, collapsed, email, names};
use super::{Findings, OracleOptions, Platform, Table};
use crate::world::{Company, CustomValue, Handle, Person};

/// A user of the org whom a member of staff was found to be.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) active: bool,
    /// The row's own address, in small letters.
    pub(super) email: String,
}

/// Users by member of staff.
pub(super) struct Users {
    by_person: HashMap<u64, User>,
}

impl Users {
    pub(super) fn load(world: &Seen<'_>, options: &OracleOptions, rows: Vec<Row>) -> Self {
        let mut by_address: HashMap<String, Vec<User>> = HashMap::new();
        for row in rows
            .iter()
            .filter(|row| matches!(field(row, "UserType"), "" | "Standard"))
        {
            let email = field(row, "Email").to_lowercase();
            let bare = if options.sandbox {
                email.strip_suffix(".invalid").unwrap_or(&email)
            } else {
                &email
            };
            let active = row
                .get("IsActive")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            by_address.entry(bare.to_owned()).or_default().push(User {
                id: field(row, "Id").to_owned(),
                active,
                email: email.clone(),
            });
        }
        let find = |person: &Person| {
            let all: Vec<&User> = person
                .emails
                .iter()
                .filter_map(|address| by_address.get(&address.to_lowercase()))
                .flatten()
                .collect();
            let only = |active: bool| {
                let some: Vec<_> = all.iter().filter(|user| user.active == active).collect();
                (some.len() == 1).then(|| (*some[0]).clone())
            };
            only(true).or_else(|| only(false))
        };
        let staff = world
            .lists()
            .people
            .iter()
            .filter(|person| person.role.is_staff());
        Self {
            by_person: staff
                .filter_map(|person| Some((person.id, find(person)?)))
                .collect(),
        }
    }

    pub(super) fn of(&self, person: u64) -> Option<&User> {
        self.by_person.get(&person)
    }

    pub(super) fn active(&self, person: u64) -> Option<&User> {
        self.of(person).filter(|user| user.active)
    }

    pub(super) fn by_email(&self, address: &str) -> Option<&User> {
        let address = address.to_lowercase();
        self.by_person.values().find(|user| user.email == address)
    }
}

/// Values of custom fields that have a field of their own in the target; all others are kept as JSON.
pub(super) fn custom(world: &Seen<'_>, sheet: &mut Sheet, values: &[CustomValue]) {
    for value in values {
        let definition = world.field(value.field);
        let kept = world.platform.value(definition, &value.value);
        let text = kept.as_str().unwrap_or("").to_owned();
        let line = definition.filter(|field| world.platform.has_line(field));
        match line.map_or("", |definition| definition.key.as_str()) {
            "product_area" => sheet.text("Product_Area__c", &text, 255),
            "serial_number" => sheet.text("Serial_Number__c", &text, 255),
            "affected_parts" => sheet.set("Affected_Parts__c", set(&kept)),
            // Why a ticket was closed, which reads like a field.
            "results" => sheet.set("Ticket_Results__c", set(&kept)),
            "purchase_date" => sheet.set("Purchase_Date__c", Want::Text(text)),
            "under_warranty" => sheet.set("Under_Warranty__c", Want::Bool(kept == json!(true))),
            "repair_cost" => sheet.set(
                "Repair_Cost__c",
                Want::Number((kept.as_f64().unwrap_or(0.0) * 100.0).round() / 100.0),
            ),
            "customer_since" => sheet.set("Customer_Since__c", Want::Text(text)),
            "vip" => sheet.set("Vip__c", Want::Bool(kept == json!(true))),
            "tier" => sheet.text("Tier__c", &text, 80),
            // Structured data of ASAPP.
            "q_issue_resolved" => sheet.text("Issue_Resolved__c", &text, 255),
            "e_amount" => sheet.set("Amount__c", Want::Number(kept.as_f64().unwrap_or(0.0))),
            "e_due" => sheet.set("Due__c", Want::Text(text)),
            _ => {
                let key = match definition {
                    Some(field) => world.platform.field_key(field),
                    None => world.platform.lost_field_key(value.field),
                };
                sheet.keep(format!("custom.{key}"), kept);
            }
        }
    }
}

fn set(kept: &Value) -> Want {
    let all = kept.as_array().into_iter().flatten();
    Want::Set(all.filter_map(Value::as_str).map(str::to_owned).collect())
}

/// An address of the source in `Source_Url__c`: which one is the connector's choice, but it names the thing.
pub(super) fn source_url(platform: &dyn Platform, id: &str) -> Want {
    if !platform.has_addresses() {
        return Want::Nothing;
    }
    let ending = format!("/{id}");
    Want::test(format!("an address that ends in {ending}"), move |found| {
        found.starts_with("http") && found.ends_with(&ending)
    })
}

/// Key, times and address, which every record of the source carries.
pub(super) fn frame(
    sheet: &mut Sheet,
    options: &OracleOptions,
    key: &str,
    created: chrono::DateTime<chrono::Utc>,
    updated: chrono::DateTime<chrono::Utc>,
) {
    sheet.set("Source_Key__c", Want::Text(key.to_owned()));
    if options.audit_fields {
        sheet.set("CreatedDate", Want::Time(created));
        sheet.set("LastModifiedDate", Want::Time(updated.max(created)));
    }
}

/// Compares all Accounts; answers the Account of each company, nothing for one that waits for a person.
pub(super) fn accounts(
    world: &Seen<'_>,
    options: &OracleOptions,
    mut table: Table,
    out: &mut Findings,
) -> HashMap<u64, Option<String>> {
    let mut ids = HashMap::new();
    for company in &world.lists().companies {
        let there: Vec<_> = table
            .loose
            .iter()
            .filter(|row| is_site_of(field(row, "Website"), company))
            .map(|row| field(row, "Id").to_owned())
            .collect();
        if there.len() > 1 {
            ids.insert(company.id, None);
            continue;
        }
        if let Some(id) = there.into_iter().next() {
            ids.insert(company.id, Some(id));
            continue;
        }
        let key = options.key("account", company.id);
        if let Some(row) = table.take(&key, out) {
            ids.insert(company.id, Some(field(&row, "Id").to_owned()));
            account(world, options, company, &key).compare("Account", &key, &row, options, out);
        }
    }
    table.rest_is_extra(out);
    ids
}

fn account(world: &Seen<'_>, options: &OracleOptions, company: &Company, key: &str) -> Sheet {
    let mut sheet = Sheet::default();
    frame(&mut sheet, options, key, company.created, company.updated);
    if !options.platform.tells_times("account") {
        sheet.set("CreatedDate", Want::Anything);
        sheet.set("LastModifiedDate", Want::Anything);
    }
    let name = clean(&company.name);
    sheet.text(
        "Name",
        if name.is_empty() {
            format!("Unknown {}", options.platform.id("account", company.id))
        } else {
            name
        }
        .as_str(),
        255,
    );
    sheet.text(
        "Website",
        company
            .websites
            .first()
            .or(company.domains.first())
            .map_or("", String::as_str),
        255,
    );
    sheet.text(
        "Phone",
        company.phones.first().map_or("", String::as_str),
        40,
    );
    if let Some(address) = company
        .addresses
        .iter()
        .find(|address| address.primary)
        .or(company.addresses.first())
    {
        let street: Vec<_> = [&address.street1, &address.street2]
            .into_iter()
            .filter(|line| !line.trim().is_empty())
            .map(String::as_str)
            .collect();
        sheet.text("BillingStreet", &street.join("\n"), 255);
        sheet.text("BillingCity", &address.city, 40);
        sheet.text("BillingState", &address.state, 80);
        sheet.text("BillingPostalCode", &address.postal_code, 20);
        sheet.text("BillingCountry", &address.country, 80);
    }
    sheet.text("Domains__c", &company.domains.join("\n"), 32_768);
    sheet.set(
        "Source_Url__c",
        source_url(
            options.platform.as_ref(),
            &options.platform.id("account", company.id),
        ),
    );
    custom(world, &mut sheet, &company.custom);
    sheet
}

/// Whether a website is the company's first domain, without scheme, `www.` and path.
fn is_site_of(website: &str, company: &Company) -> bool {
    let host = website.split_once("://").map_or(website, |(_, rest)| rest);
    let host = host
        .split(['/', '?', '#', ':'])
        .next()
        .unwrap_or("")
        .to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    !host.is_empty()
        && company
            .domains
            .first()
            .is_some_and(|domain| domain.to_lowercase() == host)
}

/// Contacts by person and by address.
#[derive(Default)]
pub(super) struct Contacts {
    pub(super) by_person: HashMap<u64, String>,
    by_email: HashMap<String, String>,
    /// Account of a Contact's row.
    account: HashMap<String, String>,
    /// People who wait for a decision.
    held: HashSet<u64>,
}

impl Contacts {
    pub(super) fn of(&self, person: u64) -> Option<&String> {
        self.by_person.get(&person)
    }

    pub(super) fn by_email(&self, address: &str) -> Option<&String> {
        self.by_email.get(&address.trim().to_lowercase())
    }

    pub(super) fn account(&self, contact: &str) -> Option<&String> {
        self.account.get(contact)
    }

    pub(super) fn is_held(&self, person: u64) -> bool {
        self.held.contains(&person)
    }
}

/// Compares all Contacts; answers the Contact of each customer.
pub(super) fn contacts(
    world: &Seen<'_>,
    options: &OracleOptions,
    accounts: &HashMap<u64, Option<String>>,
    (mut table, mut leads): (Table, Table),
    out: &mut Findings,
) -> Contacts {
    let mut contacts = Contacts::default();
    let mut there: HashMap<String, Vec<&Row>> = HashMap::new();
    let loose = std::mem::take(&mut table.loose);
    for row in &loose {
        there
            .entry(field(row, "Email").to_lowercase())
            .or_default()
            .push(row);
    }
    let mut customers: Vec<_> = world
        .lists()
        .people
        .iter()
        .filter(|person| !person.role.is_staff())
        .collect();
    let dated = options.platform.dates("contact");
    customers.sort_by_key(|person| {
        let created = dated.then_some(person.created);
        (created, options.key("contact", person.id))
    });
    let asked: HashSet<u64> = match options.leads {
        true => world
            .conversations()
            .filter(|conversation| options.takes(conversation))
            .map(|conversation| conversation.requester)
            .collect(),
        false => HashSet::new(),
    };
    let mut lead_addresses = HashSet::new();
    for person in customers {
        if options.leads && person.company.is_none() && !asked.contains(&person.id) {
            lead(world, options, person, &mut lead_addresses, &mut leads, out);
            continue;
        }
        let address = person.emails.first().and_then(|address| email(address));
        if let Some(id) = address
            .as_ref()
            .and_then(|address| contacts.by_email.get(address))
        {
            contacts.by_person.insert(person.id, id.clone());
            continue;
        }
        let matched = address
            .as_ref()
            .and_then(|address| there.get(address))
            .map_or(&[][..], Vec::as_slice);
        let row = match matched {
            [] => {
                let key = options.key("contact", person.id);
                let Some(row) = table.take(&key, out) else {
                    continue;
                };
                contact(world, options, person, &key, accounts)
                    .compare("Contact", &key, &row, options, out);
                row
            }
            [row] => (*row).clone(),
            _ => {
                contacts.held.insert(person.id);
                continue;
            }
        };
        let id = field(&row, "Id").to_owned();
        if let Some(address) = address {
            contacts.by_email.insert(address, id.clone());
        }
        if !field(&row, "AccountId").is_empty() {
            contacts
                .account
                .insert(id.clone(), field(&row, "AccountId").to_owned());
        }
        contacts.by_person.insert(person.id, id);
    }
    table.rest_is_extra(out);
    leads.rest_is_extra(out);
    contacts
}

/// A person who is a lead; several of one address are one.
fn lead(
    world: &Seen<'_>,
    options: &OracleOptions,
    person: &Person,
    addresses: &mut HashSet<String>,
    table: &mut Table,
    out: &mut Findings,
) {
    let address = person.emails.first().and_then(|address| email(address));
    if address.is_some_and(|address| !addresses.insert(address)) {
        return;
    }
    let key = options.key("contact", person.id);
    if let Some(row) = table.take(&key, out) {
        let mut sheet = contact(world, options, person, &key, &HashMap::new());
        sheet.set("Company", Want::Text("[not provided]".to_owned()));
        sheet.compare("Lead", &key, &row, options, out);
    }
}

fn contact(
    world: &Seen<'_>,
    options: &OracleOptions,
    person: &Person,
    key: &str,
    accounts: &HashMap<u64, Option<String>>,
) -> Sheet {
    let mut sheet = Sheet::default();
    frame(&mut sheet, options, key, person.created, person.updated);
    if !options.platform.dates("contact") {
        // The platform of the target stamps them.
        sheet.set("CreatedDate", Want::Anything);
        sheet.set("LastModifiedDate", Want::Anything);
    }
    let (last, first) =
        names(&person.name).unwrap_or_else(|| (stand_in_name(options, person), String::new()));
    sheet.text("LastName", &last, 80);
    sheet.text("FirstName", &first, 40);
    sheet.text("Source_Full_Name__c", &person.name, 255);
    let address = person.emails.first().map_or("", String::as_str);
    sheet.text("Email", &email(address).unwrap_or_default(), 80);
    sheet.text("Source_Email__c", address, 255);
    let further = person.emails.get(1..).unwrap_or(&[]);
    sheet.text("Other_Emails__c", &further.join("\n"), 32_768);
    sheet.text(
        "Phone",
        person.phones.first().map_or("", String::as_str),
        40,
    );
    sheet.set("Source_Handles__c", handles(person));
    sheet.text("Source_Groups__c", options.platform.group(person), 32_768);
    sheet.text("Title", person.title.as_deref().unwrap_or(""), 128);
    sheet.set(
        "AccountId",
        match person.company.map(|company| accounts.get(&company)) {
            Some(Some(account)) => account
                .as_ref()
                .map_or(Want::Anything, |account| Want::Id(account.clone())),
            _ => Want::Nothing,
        },
    );
    sheet.set(
        "Source_Url__c",
        source_url(
            options.platform.as_ref(),
            &options.platform.id("contact", person.id),
        ),
    );
    custom(world, &mut sheet, &person.custom);
    sheet
}

fn stand_in_name(options: &OracleOptions, person: &Person) -> String {
    let local = person
        .emails
        .first()
        .and_then(|address| address.rsplit_once('@'))
        .map(|(local, _)| collapsed(local));
    let phone = || person.phones.first().map(|number| collapsed(number));
    local
        .filter(|local| !local.is_empty())
        .or_else(phone)
        .unwrap_or_else(|| format!("Unknown {}", options.platform.id("contact", person.id)))
}

/// One a line: what network, and the name or the number there.
fn handles(person: &Person) -> Want {
    let phones = person
        .phones
        .iter()
        .skip(1)
        .map(|number| ("phone", vec![clean(number)]));
    let names = |handle: &Handle| {
        vec![
            handle.screen_name.clone(),
            format!("@{}", handle.screen_name),
            handle.network_id.clone(),
        ]
    };
    let twitter = person
        .twitter
        .iter()
        .map(|handle| ("twitter", names(handle)));
    let facebook = person
        .facebook
        .iter()
        .map(|handle| ("facebook", names(handle)));
    let lines: Vec<_> = phones.chain(twitter).chain(facebook).collect();
    if lines.is_empty() {
        return Want::Nothing;
    }
    Want::test(format!("{lines:?}"), move |found| {
        let found: Vec<_> = found.lines().collect();
        found.len() == lines.len()
            && found.iter().zip(&lines).all(|(found, (network, names))| {
                names
                    .iter()
                    .any(|name| *found == format!("{network}: {name}"))
            })
    })
}
