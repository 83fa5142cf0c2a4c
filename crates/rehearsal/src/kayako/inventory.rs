//! What people set up: rules, agreements on times, macros, forms, ways in and out (Kayako reference, sections 6 and 14).

use serde_json::{Value, json};

use super::answer::Denied;
use super::include::{Include, reference};
use super::routes::Call;
use crate::world::Role;

/// Lists that a reader of everything asks for, beside those of mailboxes and views: each fits a page.
pub(super) const LISTS: [&str; 9] = [
    "triggers",
    "monitors",
    "slas",
    "businesshours",
    "cases/macros",
    "cases/forms",
    "twitter/accounts",
    "facebook/pages",
    "endpoints",
];

impl Call<'_> {
    /// The type of the items of a list of configuration, and the items.
    pub(super) fn configuration(
        &self,
        path: &str,
        include: &Include,
    ) -> Result<(&'static str, Vec<Value>), Denied> {
        let is_admin = matches!(self.shared.options.role, Role::Owner | Role::Admin);
        let is_agent = is_admin || self.shared.options.role == Role::Agent;
        let (kind, rows, allowed) = match path {
            "triggers" => ("trigger", triggers(include), is_admin),
            "monitors" => ("monitor", monitors(include), is_admin),
            "slas" => ("sla", slas(include), is_admin),
            "businesshours" => ("business_hour", business_hours(), is_admin),
            "cases/macros" => ("macro", macros(), is_agent),
            "cases/forms" => {
                let mut rows = forms();
                if self.shared.desk.world.beside_seed().is_some() {
                    rows.extend(super::beside::more_forms());
                }
                ("case_form", rows, true)
            }
            "twitter/accounts" => ("twitter_account", twitter_accounts(), is_admin),
            "facebook/pages" => ("facebook_page", facebook_pages(), is_admin),
            "endpoints" => ("endpoint", endpoints(), is_admin),
            _ => return Err(Denied::NotFound),
        };
        if !allowed {
            return Err(Denied::Permissions);
        }
        let dated = rows.into_iter().map(|mut row| {
            row["resource_type"] = kind.into();
            row["created_at"] = "2020-01-01T00:00:00+00:00".into();
            row["updated_at"] = "2020-01-02T00:00:00+00:00".into();
            row
        });
        Ok((kind, dated.collect()))
    }
}

/// A set of conditions, each written out where it was asked for.
fn conditions(include: &Include, kind: &str, id: u64, all: &[(&str, &str, &str)]) -> Value {
    let all = all.iter().zip(id * 10..).map(|((field, operator, value), id)| {
        include.nest(kind, id, || {
            json!({"id": id, "field": field, "operator": operator, "value": value, "resource_type": kind})
        })
    });
    json!({"id": id, "propositions": all.collect::<Vec<_>>(), "resource_type": "predicate_collection"})
}

fn triggers(include: &Include) -> Vec<Value> {
    vec![
        json!({
            "id": 1, "title": "Thank for the first mail", "channel": "MAIL", "event": "CONVERSATION_CREATED", "execution_order": 1,
            "predicate_collections": [conditions(include, "predicate_proposition", 1, &[("cases.subject", "string_contains", "order")])],
            "actions": [
                {"name": "sendemailtouser", "option": "SEND", "value": "We have got your mail.", "attributes": {}},
                {"name": "assignedteam", "option": "CHANGE", "value": "1", "attributes": {}},
            ],
            "is_enabled": true, "last_triggered_at": null,
        }),
        json!({
            "id": 2, "title": "Tell the shop", "channel": "SYSTEM", "event": "CONVERSATION_UPDATED", "execution_order": 2,
            "predicate_collections": [
                conditions(include, "predicate_proposition", 2, &[("cases.casestatusid", "comparison_equalto", "4")]),
                conditions(include, "predicate_proposition", 3, &[("cases.casestatusid", "comparison_equalto", "5")]),
            ],
            "actions": [{
                "name": "endpointnotification", "option": "SEND", "value": "1",
                "attributes": [{"name": "Authorization", "value": "Bearer bearer-of-the-trigger"}],
            }],
            "is_enabled": false, "last_triggered_at": null,
        }),
        json!({
            "id": 3, "title": "Whose machines these are", "channel": "SYSTEM", "event": "CONVERSATION_CREATED", "execution_order": 3,
            "predicate_collections": [conditions(
                include,
                "predicate_proposition",
                6,
                &[("cases.customfield.product_area", "comparison_equalto", "101"), ("cases.assignedagentid", "comparison_not_equalto", "4")],
            )],
            "actions": [{"name": "assignedagent", "option": "CHANGE", "value": "3", "attributes": {}}],
            "is_enabled": true, "last_triggered_at": null,
        }),
    ]
}

fn monitors(include: &Include) -> Vec<Value> {
    vec![json!({
        "id": 1, "title": "Close what was completed a week ago", "execution_order": 1,
        "predicate_collections": [conditions(include, "predicate_proposition", 4, &[("cases.completedat", "date_hours_greater", "168")])],
        "actions": [{"name": "status", "option": "CHANGE", "value": "5", "attributes": {}}],
        "is_enabled": true, "last_executed_at": null,
    })]
}

fn slas(include: &Include) -> Vec<Value> {
    let target = |id: u64, kind: &str, goal: u64, hours: &str| {
        include.nest("sla_target", id, || {
            json!({
                "id": id, "priority": reference("case_priority", 1), "type": kind, "goal_in_seconds": goal,
                "operational_hours": hours, "resource_type": "sla_target",
            })
        })
    };
    vec![json!({
        "id": 1, "title": "Usual", "description": "For everybody", "execution_order": 1,
        "predicate_collections": [conditions(include, "sla_proposition", 5, &[("cases.casepriorityid", "comparison_equalto", "1")])],
        "targets": [
            target(1, "FIRST_REPLY_TIME", 14_400, "BUSINESS_HOURS"),
            target(2, "RESOLUTION_TIME", 172_800, "CALENDAR_HOURS"),
        ],
        "is_enabled": true, "is_deleted": false,
    })]
}

fn business_hours() -> Vec<Value> {
    let day: Vec<u64> = (9..17).collect();
    vec![json!({
        "id": 1, "title": "Office", "is_default": true,
        "zones": {"monday": day, "tuesday": day, "wednesday": day, "thursday": day, "friday": day, "saturday": [], "sunday": []},
        "holidays": [{"id": 1, "title": "New Year", "date": "2020-01-01", "open_hours": []}],
    })]
}

fn macros() -> Vec<Value> {
    vec![json!({
        "id": 1, "title": r"Orders \ On its way", "agent": reference("user", 1), "reply_type": "REPLY",
        "reply_contents": "<p>Your parcel is on its way.</p>", "assignee": null, "properties": null,
        "visibility": {"type": "ALL"}, "tags": ["parcel"], "actions": [], "usage_count": 7, "last_used_at": null,
    })]
}

fn forms() -> Vec<Value> {
    vec![json!({
        "id": 1, "title": "Ask us", "is_visible_to_customers": true, "customer_titles": [], "descriptions": [], "is_enabled": true,
        "is_default": true, "is_deleted": false, "sort_order": 1, "fields": [reference("case_field", 1), reference("case_field", 2)],
        "brand": reference("brand", 1),
    })]
}

/// Numbers of this network are texts.
fn twitter_accounts() -> Vec<Value> {
    vec![json!({
        "id": "9000000001", "screen_name": "acme", "is_enabled": true, "oauth_token_secret": "token-of-the-account",
    })]
}

fn facebook_pages() -> Vec<Value> {
    vec![json!({"id": 1, "title": "Acme", "is_enabled": true, "access_token": "token-of-the-page"})]
}

/// The address of a hook is its secret.
fn endpoints() -> Vec<Value> {
    vec![json!({
        "id": 1, "title": "The shop", "type": "HTTP", "is_enabled": true, "last_attempt_result": null,
        "attributes": [
            {"name": "url", "value": "https://shop.acme.example/hooks/secret-of-the-hook"},
            {"name": "header", "value": "X-Shop-Key: key-of-the-shop"},
        ],
    })]
}
