//! The configuration that a generated helpdesk has: statuses, priorities, types and custom fields.

use super::model::{
    CaseType, FieldDefinition, FieldKind, FieldOption, FieldOwner, Priority, Status, StatusKind,
};

/// Ids of the custom fields of conversations, in the order of [`fields`].
pub(crate) const PRODUCT_AREA: u64 = 11;
pub(crate) const SERIAL_NUMBER: u64 = 12;
pub(crate) const AFFECTED_PARTS: u64 = 13;
pub(crate) const PURCHASE_DATE: u64 = 14;
pub(crate) const UNDER_WARRANTY: u64 = 15;
pub(crate) const REPAIR_COST: u64 = 16;
pub(crate) const INTERNAL_REMARK: u64 = 17;
pub(crate) const MENU: u64 = 18;
pub(crate) const VISITS: u64 = 19;
/// A field that was deleted; values of it remain.
pub(crate) const DELETED_FIELD: u64 = 77;
/// An option that was deleted; values that name it remain.
pub(crate) const DELETED_OPTION: u64 = 999;
/// Ids of the custom fields of people.
pub(crate) const CUSTOMER_SINCE: u64 = 31;
pub(crate) const VIP: u64 = 32;
/// Id of the custom field of companies.
pub(crate) const TIER: u64 = 41;

/// Ids of statuses that mean something to the scenarios.
pub(crate) mod status {
    pub(crate) const NEW: u64 = 1;
    pub(crate) const OPEN: u64 = 2;
    pub(crate) const PENDING: u64 = 3;
    pub(crate) const COMPLETED: u64 = 4;
    pub(crate) const CLOSED: u64 = 5;
    pub(crate) const WAITING_FOR_PARTS: u64 = 6;
    pub(crate) const DELETED: u64 = 7;
    /// A status that no list knows.
    pub(crate) const UNKNOWN: u64 = 66;
}

pub(crate) fn statuses() -> Vec<Status> {
    let rows = [
        ("New", StatusKind::New, false),
        ("Open", StatusKind::Open, false),
        ("Pending", StatusKind::Pending, false),
        ("Completed", StatusKind::Completed, false),
        ("Closed", StatusKind::Closed, false),
        ("Waiting for parts", StatusKind::Custom, false),
        ("Escalated to maker", StatusKind::Custom, true),
    ];
    rows.into_iter()
        .zip(1..)
        .map(|((label, kind, deleted), id)| Status {
            id,
            label: label.to_owned(),
            kind,
            deleted,
        })
        .collect()
}

pub(crate) fn priorities() -> Vec<Priority> {
    let rows = [
        ("Low", 1),
        ("Normal", 2),
        ("High", 3),
        ("Urgent", 4),
        ("Doomsday", 9),
    ];
    rows.into_iter()
        .zip(1..)
        .map(|((label, level), id)| Priority {
            id,
            label: label.to_owned(),
            level,
        })
        .collect()
}

pub(crate) fn case_types() -> Vec<CaseType> {
    let rows = [
        ("Question", "QUESTION"),
        ("Task", "TASK"),
        ("Problem", "PROBLEM"),
        ("Incident", "INCIDENT"),
        ("Praise", "CUSTOM"),
    ];
    rows.into_iter()
        .zip(1..)
        .map(|((label, kind), id)| CaseType {
            id,
            label: label.to_owned(),
            kind: kind.to_owned(),
        })
        .collect()
}

/// Id, owner, key, title, type, and options with id, label and German label.
type Row = (
    u64,
    FieldOwner,
    &'static str,
    &'static str,
    FieldKind,
    &'static [(u64, &'static str, Option<&'static str>)],
);

pub(crate) fn fields() -> Vec<FieldDefinition> {
    use FieldKind::{
        CascadingSelect, Checkbox, Date, Decimal, Numeric, Select, Text, TextArea, YesNo,
    };
    use FieldOwner::{Company, Conversation, Person};
    let rows: [Row; 12] = [
        (
            PRODUCT_AREA,
            Conversation,
            "product_area",
            "Product",
            Select,
            &[
                (101, "Grinder", Some("Mühle")),
                (102, "Kettle", None),
                (103, "Lamp & shade", Some("Lampe")),
            ],
        ),
        (
            SERIAL_NUMBER,
            Conversation,
            "serial_number",
            "Serial number",
            Text,
            &[],
        ),
        (
            AFFECTED_PARTS,
            Conversation,
            "affected_parts",
            "Affected parts",
            Checkbox,
            &[
                (111, "Motor", Some("Motor")),
                (112, "Cable", Some("Kabel")),
                (113, "Housing", None),
            ],
        ),
        (
            PURCHASE_DATE,
            Conversation,
            "purchase_date",
            "Date",
            Date,
            &[],
        ),
        (
            UNDER_WARRANTY,
            Conversation,
            "under_warranty",
            "Under warranty?",
            YesNo,
            &[],
        ),
        (
            REPAIR_COST,
            Conversation,
            "repair_cost",
            "Repair cost",
            Decimal,
            &[],
        ),
        (
            INTERNAL_REMARK,
            Conversation,
            "internal_remark",
            "Remark",
            TextArea,
            &[],
        ),
        (
            MENU,
            Conversation,
            "menu",
            "Product",
            CascadingSelect,
            &[
                (121, "Hardware::Grinder", None),
                (122, "Hardware::Kettle", None),
                (123, "Software::App::iOS", None),
            ],
        ),
        (VISITS, Conversation, "visits", "Visits", Numeric, &[]),
        (
            CUSTOMER_SINCE,
            Person,
            "customer_since",
            "Customer since",
            Date,
            &[],
        ),
        (VIP, Person, "vip", "VIP", YesNo, &[]),
        (
            TIER,
            Company,
            "tier",
            "Tier",
            Select,
            &[
                (301, "Bronze", None),
                (302, "Silver", Some("Silber")),
                (303, "Gold", Some("Gold")),
            ],
        ),
    ];
    rows.into_iter()
        .map(|(id, owner, key, title, kind, options)| FieldDefinition {
            id,
            owner,
            key: key.to_owned(),
            title: title.to_owned(),
            kind,
            options: options
                .iter()
                .map(|(id, label, german)| FieldOption {
                    id: *id,
                    label: (*label).to_owned(),
                    german: german.map(str::to_owned),
                })
                .collect(),
        })
        .collect()
}
