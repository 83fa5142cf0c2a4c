//! Departments, staff, users, organisations, and the short lists that tickets refer to.

use std::collections::BTreeMap;

use deskferry_core::model::{
    Account, Address, Agent, Contact, CustomValue, Email, Named, PriorityLevel, StatusState, Team,
};
use deskferry_core::{RecordKey, RecordKind, Tenant};

use super::meta;
use crate::classic::xml::Row;
use crate::wire::Defect;

/// What tickets refer to by number.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// Departments for tickets, by number.
    pub(crate) departments: BTreeMap<u64, String>,
    statuses: BTreeMap<u64, (String, bool)>,
    priorities: BTreeMap<u64, String>,
    types: BTreeMap<u64, String>,
    /// Names and addresses of staff.
    staff: BTreeMap<u64, (String, String)>,
}

impl Desk {
    /// Takes note of a department. One for chats has no tickets.
    pub(crate) fn learn_department(&mut self, row: Row<'_>) -> Result<bool, Defect> {
        let id = row.id(&["id", "departmentid"])?;
        let module = row.text("module").or_else(|| row.text("app"));
        let has_tickets = module.is_none_or(|module| module.eq_ignore_ascii_case("tickets"));
        if has_tickets {
            self.departments.insert(id, title(row, id));
        }
        Ok(has_tickets)
    }

    pub(crate) fn learn_status(&mut self, row: Row<'_>) -> Result<(), Defect> {
        let id = row.id(&["id", "ticketstatusid"])?;
        let over = row.flag("markasresolved") == Some(true);
        self.statuses.insert(id, (title(row, id), over));
        Ok(())
    }

    pub(crate) fn learn_priority(&mut self, row: Row<'_>) -> Result<(), Defect> {
        let id = row.id(&["id", "priorityid"])?;
        self.priorities.insert(id, title(row, id));
        Ok(())
    }

    pub(crate) fn learn_type(&mut self, row: Row<'_>) -> Result<(), Defect> {
        let id = row.id(&["id", "tickettypeid"])?;
        self.types.insert(id, title(row, id));
        Ok(())
    }

    pub(crate) fn learn_staff(&mut self, row: Row<'_>) -> Result<(), Defect> {
        let id = row.id(&["id", "staffid"])?;
        let email = row.text("email").unwrap_or_default().to_lowercase();
        self.staff.insert(id, (staff_name(row), email));
        Ok(())
    }

    pub(crate) fn knows_staff(&self, id: u64) -> bool {
        self.staff.contains_key(&id)
    }

    /// The member of staff with this address.
    pub(crate) fn staff_by_email(&self, address: &str) -> Option<u64> {
        let address = address.to_lowercase();
        let mut all = self.staff.iter();
        all.find(|(_, (_, email))| !email.is_empty() && *email == address)
            .map(|(id, _)| *id)
    }

    /// Where a ticket stands. Whether it is over is the status's own mark; the word tells the rest, as far as it is one that
    /// Classic comes with.
    pub(crate) fn status(&self, id: Option<u64>) -> Named<StatusState> {
        let Some(id) = id else {
            return Named::new(StatusState::Other, "");
        };
        let Some((label, over)) = self.statuses.get(&id) else {
            return Named::new(StatusState::Other, id.to_string());
        };
        let is = match label.to_lowercase().as_str() {
            _ if *over => StatusState::Closed,
            "new" => StatusState::New,
            "open" | "in progress" => StatusState::Open,
            "pending" | "on hold" => StatusState::Pending,
            _ => StatusState::Other,
        };
        Named::new(is, label)
    }

    /// How urgent a ticket is: priorities have no levels here, so their words decide.
    pub(crate) fn priority(&self, id: Option<u64>) -> Option<Named<PriorityLevel>> {
        let id = id?;
        let label = self.priorities.get(&id);
        let label = label.cloned().unwrap_or_else(|| id.to_string());
        let is = match label.to_lowercase().as_str() {
            "low" => PriorityLevel::Low,
            "high" => PriorityLevel::High,
            "urgent" | "critical" | "emergency" => PriorityLevel::Urgent,
            _ => PriorityLevel::Normal,
        };
        Some(Named::new(is, label))
    }

    pub(crate) fn ticket_type(&self, id: Option<u64>) -> Option<String> {
        let id = id?;
        let label = self.types.get(&id);
        Some(label.cloned().unwrap_or_else(|| id.to_string()))
    }
}

fn title(row: Row<'_>, id: u64) -> String {
    row.text("title")
        .map_or_else(|| id.to_string(), str::to_owned)
}

/// A department, which is what has tickets.
pub(crate) fn team(tenant: &Tenant, row: Row<'_>) -> Result<Team, Defect> {
    let id = row.id(&["id", "departmentid"])?;
    Ok(Team {
        meta: meta(tenant, RecordKind::Team, id),
        name: title(row, id),
    })
}

fn staff_name(row: Row<'_>) -> String {
    if let Some(name) = row.text("fullname") {
        return name.to_owned();
    }
    let pieces = ["firstname", "lastname"].into_iter();
    let pieces: Vec<&str> = pieces.filter_map(|name| row.text(name)).collect();
    pieces.join(" ")
}

/// A member of staff. `groups` are the groups of staff, by number: what their members may do.
pub(crate) fn agent(
    tenant: &Tenant,
    row: Row<'_>,
    groups: &BTreeMap<u64, String>,
) -> Result<Agent, Defect> {
    let id = row.id(&["id", "staffid"])?;
    let group = row.reference("staffgroupid");
    Ok(Agent {
        meta: meta(tenant, RecordKind::Agent, id),
        name: staff_name(row),
        emails: emails(row),
        active: row.flag("isenabled") != Some(false),
        role: group
            .and_then(|group| groups.get(&group))
            .cloned()
            .unwrap_or_default(),
        teams: Vec::new(),
    })
}

/// A member of staff of whom only tickets still speak.
pub(crate) fn departed(tenant: &Tenant, id: u64, name: Option<&str>) -> Agent {
    Agent {
        meta: meta(tenant, RecordKind::Agent, id),
        name: name.map_or_else(|| format!("Unknown staff {id}"), str::to_owned),
        emails: Vec::new(),
        active: false,
        role: String::new(),
        teams: Vec::new(),
    }
}

fn emails(row: Row<'_>) -> Vec<Email> {
    let mut all: Vec<Email> = Vec::new();
    for address in row.each("email").map(|row| row.content().trim()) {
        if !address.is_empty() && all.iter().all(|known| known.address != address) {
            all.push(Email {
                address: address.to_owned(),
                verified: None,
            });
        }
    }
    all
}

/// A user: somebody who writes in. `groups` are the groups of users, by number.
pub(crate) fn contact(
    tenant: &Tenant,
    row: Row<'_>,
    groups: &BTreeMap<u64, String>,
    organization: Option<RecordKey>,
) -> Result<Contact, Defect> {
    let id = row.id(&["id", "userid"])?;
    let mut meta = meta(tenant, RecordKind::Contact, id);
    meta.created_at = row.time("dateline");
    if row.flag("isenabled") == Some(false) {
        let off = CustomValue::Bool(false);
        meta.custom.insert("isenabled".to_owned(), off);
    }
    if let Some(role) = row.text("userrole").filter(|role| *role != "user") {
        let role = CustomValue::Text(role.to_owned());
        meta.custom.insert("userrole".to_owned(), role);
    }
    let group = row.reference("usergroupid");
    let group = group.and_then(|group| groups.get(&group));
    let salutation = row.text("salutation").map(|s| (s, "salutation"));
    if let Some((value, name)) = salutation {
        let value = CustomValue::Text(value.to_owned());
        meta.custom.insert(name.to_owned(), value);
    }
    Ok(Contact {
        meta,
        name: row.verbatim("fullname").trim().to_owned(),
        emails: emails(row),
        phones: row.text("phone").map(str::to_owned).into_iter().collect(),
        handles: Vec::new(),
        accounts: organization.into_iter().collect(),
        kind: None,
        groups: group.cloned().into_iter().collect(),
        addresses: Vec::new(),
        title: row.text("designation").map(str::to_owned),
        locale: None,
        time_zone: row.text("timezone").map(str::to_owned),
        tags: Vec::new(),
    })
}

/// An organisation.
pub(crate) fn account(tenant: &Tenant, row: Row<'_>) -> Result<Account, Defect> {
    let id = row.id(&["id", "userorganizationid"])?;
    let mut meta = meta(tenant, RecordKind::Account, id);
    meta.created_at = row.time("dateline");
    meta.updated_at = row.time("lastupdate");
    for name in ["fax", "organizationtype"] {
        // Restricted is what an organisation is by itself: its people do not see each other's tickets.
        if let Some(value) = row.text(name).filter(|value| *value != "restricted") {
            let value = CustomValue::Text(value.to_owned());
            meta.custom.insert(name.to_owned(), value);
        }
    }
    let text = |name: &str| row.text(name).unwrap_or_default().to_owned();
    let street = row.verbatim("address").lines().map(str::trim);
    let address = Address {
        street: street
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
        city: text("city"),
        state: text("state"),
        postal_code: text("postalcode"),
        country: text("country"),
    };
    let some = |name: &str| row.text(name).map(str::to_owned).into_iter().collect();
    Ok(Account {
        meta,
        name: text("name"),
        domains: Vec::new(),
        websites: some("website"),
        phones: some("phone"),
        addresses: Some(address)
            .filter(|address| *address != Address::default())
            .into_iter()
            .collect(),
        parent: None,
        tags: Vec::new(),
    })
}
