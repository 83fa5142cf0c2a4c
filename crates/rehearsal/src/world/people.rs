//! Companies, staff and customers of a generated world.

use chrono::{DateTime, Duration, NaiveDate, Utc};

use super::dice::Dice;
use super::model::{
    Company, CustomValue, FieldValue, Handle, Mailbox, Person, PostalAddress, Role, Team,
};
use super::setup::{CUSTOMER_SINCE, TIER, VIP};
use super::words::{COMPANIES, FORMS, LANGUAGES, TEAMS};

/// The staff, by name, role, whether still there, and local part of the address.
const STAFF: [(&str, Role, bool, &str); 10] = [
    ("Olga Owner", Role::Owner, true, "olga"),
    ("Adam Admin", Role::Admin, true, "adam"),
    ("Agnes Agentsen", Role::Agent, true, "agnes"),
    ("Álvaro Núñez", Role::Agent, true, "alvaro"),
    ("李静", Role::Agent, true, "lijing"),
    ("Lena Left", Role::Agent, false, "lena"),
    ("Leo Gone-Long-Ago", Role::Agent, false, "leo"),
    ("Nora Nouser", Role::Agent, true, "nora"),
    ("Cora Collaborator", Role::Collaborator, true, "cora"),
    ("Rita Requester", Role::Agent, true, "rita"),
];

/// Staff members by their role in scenarios; ids count from 1 in the order of the list above.
pub(crate) mod staff {
    pub(crate) const ACTIVE: [u64; 5] = [1, 2, 3, 4, 5];
    pub(crate) const LEFT: [u64; 2] = [6, 7];
    pub(crate) const WITHOUT_USER: u64 = 8;
    pub(crate) const COLLABORATOR: u64 = 9;
    pub(crate) const REQUESTER: u64 = 10;
    /// A member of staff whom the helpdesk no longer lists.
    pub(crate) const DELETED: u64 = 90;
}

/// The first customer's id.
pub(crate) const FIRST_CUSTOMER: u64 = 1_001;

/// Customers with something special, by their place in the list; the rest are usual.
pub(crate) mod customer {
    pub(crate) const NO_EMAIL: u64 = 0;
    pub(crate) const MANY_EMAILS: u64 = 1;
    pub(crate) const TWIN_A: u64 = 2;
    pub(crate) const TWIN_B: u64 = 3;
    pub(crate) const TWITTER_ONLY: u64 = 4;
    pub(crate) const FACEBOOK_ONLY: u64 = 5;
    pub(crate) const LAST_FIRST: u64 = 6;
    pub(crate) const ONE_TOKEN: u64 = 7;
    pub(crate) const LONG_NAME: u64 = 8;
    pub(crate) const LONG_ADDRESS: u64 = 9;
    pub(crate) const UNICODE_ADDRESS: u64 = 10;
    pub(crate) const NAMELESS: u64 = 11;
    pub(crate) const NOTHING: u64 = 12;
    pub(crate) const CAPITALS: u64 = 13;
    /// How many places are special.
    pub(crate) const SPECIAL: u64 = 14;
}

pub(crate) fn epoch() -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(2021, 3, 1)
        .and_then(|day| day.and_hms_opt(8, 0, 0))
        .map(|at| at.and_utc())
        .unwrap_or_default()
}

pub(crate) fn teams() -> Vec<Team> {
    TEAMS
        .iter()
        .zip(1..)
        .map(|(name, id)| Team {
            id,
            name: (*name).to_owned(),
        })
        .collect()
}

pub(crate) fn mailboxes() -> Vec<Mailbox> {
    vec![
        Mailbox {
            id: 1,
            address: "help@acme.example".to_owned(),
        },
        Mailbox {
            id: 2,
            address: "repairs@acme.example".to_owned(),
        },
    ]
}

pub(crate) fn companies(seed: u64, count: u64) -> Vec<Company> {
    (0..count).map(|index| company(seed, index)).collect()
}

fn company(seed: u64, index: u64) -> Company {
    let mut dice = Dice::new(seed, "company", index);
    let id = index + 1;
    let created =
        epoch() - Duration::days(300) + Duration::hours(i64::try_from(index).unwrap_or(0));
    let slug = format!("company{id}");
    // The second company has the name of the first.
    let named = if index == 1 { 0 } else { index };
    let part = COMPANIES[usize::try_from(named % COMPANIES.len() as u64).unwrap_or(0)];
    let form = FORMS[usize::try_from(named / 10 % FORMS.len() as u64).unwrap_or(0)];
    let name = if named < 50 {
        format!("{part} {form}")
    } else {
        format!("{part} {form} {named}")
    };
    let domains = match index % 5 {
        0 => vec![
            format!("{slug}.example"),
            format!("mail.{slug}.example"),
            format!("{slug}-old.example"),
        ],
        4 => Vec::new(),
        _ => vec![format!("{slug}.example")],
    };
    let websites = match index % 4 {
        0 => vec![
            format!("https://www.{slug}.example/start?x=1&y=2"),
            format!("https://shop.{slug}.example"),
        ],
        _ => Vec::new(),
    };
    let addresses = match index % 3 {
        0 => vec![
            address(
                &mut dice,
                "Nebengasse 2",
                "",
                "Graz",
                "8010",
                "Österreich",
                false,
            ),
            address(
                &mut dice,
                "Hauptstraße 1",
                "Stiege 3",
                "Wien",
                "1010",
                "Österreich",
                true,
            ),
        ],
        1 => vec![address(
            &mut dice,
            "1 Main Street",
            "",
            "Springfield",
            "01101",
            "USA",
            false,
        )],
        _ => Vec::new(),
    };
    let tier = if index.is_multiple_of(2) {
        vec![CustomValue {
            field: TIER,
            value: FieldValue::Choice(301 + index % 3),
        }]
    } else {
        Vec::new()
    };
    Company {
        id,
        name,
        domains,
        websites,
        phones: if dice.one_in(2) {
            vec![format!("+43 1 555 {:04}", index % 10_000)]
        } else {
            Vec::new()
        },
        addresses,
        custom: tier,
        created,
        updated: created + Duration::days(i64::try_from(dice.below(200)).unwrap_or(0)),
    }
}

fn address(
    dice: &mut Dice,
    street1: &str,
    street2: &str,
    city: &str,
    code: &str,
    country: &str,
    primary: bool,
) -> PostalAddress {
    PostalAddress {
        street1: street1.to_owned(),
        street2: street2.to_owned(),
        city: city.to_owned(),
        state: if dice.one_in(2) {
            "West".to_owned()
        } else {
            String::new()
        },
        postal_code: code.to_owned(),
        country: country.to_owned(),
        primary,
    }
}

/// Staff first, then customers, by id.
pub(crate) fn people(seed: u64, customers: u64, companies: u64) -> Vec<Person> {
    let staff = STAFF
        .iter()
        .zip(1..)
        .map(|(member, id)| staff_member(id, *member));
    let customers = (0..customers).map(|index| customer(seed, index, companies));
    staff.chain(customers).collect()
}

fn staff_member(id: u64, (name, role, enabled, local): (&str, Role, bool, &str)) -> Person {
    let created = epoch() - Duration::days(400) + Duration::days(i64::try_from(id).unwrap_or(0));
    Person {
        id,
        name: name.to_owned(),
        role,
        enabled,
        title: Some("Support".to_owned()),
        emails: vec![format!("{local}@acme.example")],
        phones: Vec::new(),
        twitter: Vec::new(),
        facebook: Vec::new(),
        company: None,
        teams: vec![1 + id % TEAMS.len() as u64],
        custom: Vec::new(),
        created,
        updated: created + Duration::days(30),
    }
}

fn customer(seed: u64, index: u64, companies: u64) -> Person {
    let mut dice = Dice::new(seed, "person", index);
    let language = &LANGUAGES[usize::try_from(index % LANGUAGES.len() as u64).unwrap_or(0)];
    let created =
        epoch() - Duration::days(200) + Duration::minutes(i64::try_from(index).unwrap_or(0));
    let mut person = Person {
        id: FIRST_CUSTOMER + index,
        name: format!(
            "{} {}",
            dice.pick(language.first_names),
            dice.pick(language.last_names)
        ),
        role: Role::Customer,
        enabled: !dice.one_in(20),
        title: dice.one_in(4).then(|| "Head of \"Things\"".to_owned()),
        emails: vec![format!("customer{index}@people.example")],
        phones: if dice.one_in(3) {
            vec![format!("+1 202 555 {:04}", index % 10_000)]
        } else {
            Vec::new()
        },
        twitter: Vec::new(),
        facebook: Vec::new(),
        company: (companies > 0 && dice.one_in(2)).then(|| 1 + dice.below(companies.max(1))),
        teams: Vec::new(),
        custom: Vec::new(),
        created,
        updated: created + Duration::hours(i64::try_from(dice.below(4_000)).unwrap_or(0)),
    };
    if dice.one_in(3) {
        let day = NaiveDate::from_ymd_opt(2019, 1, 31).unwrap_or_default()
            + Duration::days(i64::try_from(index % 700).unwrap_or(0));
        person.custom.push(CustomValue {
            field: CUSTOMER_SINCE,
            value: FieldValue::Day(day),
        });
    }
    if dice.one_in(3) {
        person.custom.push(CustomValue {
            field: VIP,
            value: FieldValue::Flag(dice.one_in(2)),
        });
    }
    special(&mut person, index);
    person
}

fn special(person: &mut Person, index: u64) {
    match index {
        customer::NO_EMAIL => {
            person.emails.clear();
            person.phones = vec!["+44 20 7946 0018".to_owned(), "+44 20 7946 0019".to_owned()];
        }
        customer::MANY_EMAILS => {
            person.emails = ["many1", "many2", "many3"]
                .map(|local| format!("{local}@people.example"))
                .to_vec();
        }
        customer::TWIN_A | customer::TWIN_B => {
            person.emails = vec![
                if index == customer::TWIN_A {
                    "twin@people.example"
                } else {
                    "Twin@People.example"
                }
                .to_owned(),
            ];
        }
        customer::TWITTER_ONLY => {
            person.emails.clear();
            person.phones.clear();
            person.twitter = vec![Handle {
                screen_name: "noisy_grinder".to_owned(),
                network_id: "998877665544332211".to_owned(),
            }];
        }
        customer::FACEBOOK_ONLY => {
            person.emails.clear();
            person.phones.clear();
            person.facebook = vec![Handle {
                screen_name: "face.book.only".to_owned(),
                network_id: "100000123456789".to_owned(),
            }];
        }
        customer::LAST_FIRST => person.name = "Van  der Berg,  Anna Maria".to_owned(),
        customer::ONE_TOKEN => person.name = "Madonna".to_owned(),
        customer::LONG_NAME => {
            person.name = format!(
                "{} {}",
                "Wolfeschlegelstein ".repeat(4).trim(),
                "Dorfstad\u{0301}".repeat(12)
            );
        }
        customer::LONG_ADDRESS => {
            person.emails = vec![format!(
                "{}@people.example",
                "very-long-local-part-".repeat(4)
            )]
        }
        customer::UNICODE_ADDRESS => person.emails = vec!["jörg@müller.example".to_owned()],
        customer::NAMELESS => person.name = String::new(),
        customer::NOTHING => {
            person.name = String::new();
            person.emails.clear();
            person.phones.clear();
        }
        customer::CAPITALS => person.emails = vec!["Capital.Letters@People.Example".to_owned()],
        _ => {}
    }
}
