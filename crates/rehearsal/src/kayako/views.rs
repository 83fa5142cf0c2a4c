//! Views, among them those of what was thrown away or held back, and the history of cases (Kayako reference, sections 6, 8
//! and 14).

use serde_json::{Value, json};

use super::answer::{Denied, page, place};
use super::include::{Fields, reference};
use super::routes::{Answer, Call};
use super::setup::{Ink, time};
use crate::world::{Conversation, ConversationState, Role};

const INBOX: u64 = 11;
const SUSPENDED: u64 = 14;
const TRASH: u64 = 15;

/// Which case went into which.
struct Merge {
    secondary: u64,
    primary: u64,
}

impl Call<'_> {
    /// The views of the account. What was set aside is for administrators.
    pub(super) fn views(&self) -> Vec<Value> {
        let view = |id: u64, title: &str, kind: &str, system: bool| {
            json!({
                "id": id, "title": title, "type": kind, "visibility_type": "ALL", "agent": null, "visibility_to_teams": [],
                "columns": [], "predicate_collections": [], "order_by_column": "updatedat", "order_by": "DESC",
                "sort_order": id, "is_default": id == INBOX, "is_system": system, "is_enabled": true, "resource_type": "view",
                "resource_url": format!("{}/api/v1/views/{id}", self.base),
            })
        };
        let mut views = vec![
            view(INBOX, "Inbox", "INBOX", true),
            view(12, "Trash of the kitchen", "CUSTOM", false),
        ];
        if matches!(self.shared.options.role, Role::Owner | Role::Admin) {
            views.push(view(SUSPENDED, "Suspended", "SUSPENDED", true));
            views.push(view(TRASH, "Trash", "TRASH", true));
        }
        views
    }

    pub(super) fn cases_of_view(&self, ink: &Ink<'_>, fields: &Fields, id: u64) -> Answer {
        if !self.views().iter().any(|view| view["id"] == id) {
            return Err(Denied::NotFound);
        }
        let desk = &self.shared.desk;
        let ids = match id {
            TRASH => desk.set_aside(ConversationState::Trash),
            SUSPENDED => desk.set_aside(ConversationState::Suspended),
            _ => desk.listed(),
        };
        let (place, begin) = self.repeated(place(self.query)?);
        let cases = ids.iter().skip(begin).take(place.limit);
        let cases = cases.filter_map(|id| desk.case(*id));
        let items = cases.map(|(case, updated)| {
            let mut item = ink.case(&case, updated, fields);
            if self.shared.options.sparse_views
                && let Some(item) = item.as_object_mut()
            {
                item.remove("custom_fields");
            }
            item
        });
        let (items, here) = (items.collect(), self.here());
        Ok(page("case", items, ids.len(), &place, &here, self.query))
    }

    /// What happened to a case. Only its creation and merges are told here.
    pub(super) fn activities(&self, ink: &Ink<'_>, case: &Conversation) -> Answer {
        let limit = place(self.query)?.limit;
        let merges = self.shared.desk.merges().iter();
        let merges = merges
            .filter(|(secondary, primary)| *secondary == case.id || *primary == case.id)
            .map(|(secondary, primary)| Merge {
                secondary: *secondary,
                primary: *primary,
            });
        let mut rows: Vec<Value> = merges.map(|merge| merged(ink, case, &merge)).collect();
        rows.insert(0, created(ink, case));
        let beside = self.shared.desk.world.beside(case);
        rows.extend(beside.iter().flat_map(|beside| ink.past(case, beside)));
        if self
            .query
            .get("sort_order")
            .is_none_or(|order| order != "ASC")
        {
            rows.reverse();
        }
        rows.truncate(limit);
        Ok(json!({"status": 200, "data": rows, "resource": "activity", "limit": limit}))
    }
}

/// What an activity says of a case: names, an address, and the case itself.
fn named(ink: &Ink<'_>, id: u64) -> Value {
    json!({
        "name": "conversation", "title": format!("Conversation {id}"), "prefix": "", "full_title": format!("Conversation {id}"),
        "image": null, "preposition": "into", "url": format!("{}/agent/conversations/{id}", ink.base), "original": reference("case", id),
    })
}

fn activity(id: u64, name: &str, verb: &str, case: &Conversation) -> Value {
    json!({
        "id": id, "activity": name, "actor": null, "verb": verb, "summary": "", "actions": [], "object": null, "object_actor": null,
        "target": null, "result": null, "place": null, "location": null, "participant": null, "in_reply_to": null,
        "portal": "AGENT", "weight": 0.6, "ip_address": null, "created_at": time(case.updated), "resource_type": "activity",
    })
}

fn created(ink: &Ink<'_>, case: &Conversation) -> Value {
    let mut row = activity(case.id * 10, "create_case", "CREATE", case);
    row["object"] = named(ink, case.id);
    row["created_at"] = time(case.created).into();
    row
}

/// Both cases are named; the documentation leaves open which member names which, and how the verb is spelled.
fn merged(ink: &Ink<'_>, case: &Conversation, merge: &Merge) -> Value {
    let odd = !merge.secondary.is_multiple_of(2);
    let verb = if odd { "merge" } else { "MERGE" };
    let mut row = activity(merge.secondary * 10 + 1, "merge_case", verb, case);
    let (first, second) = if odd {
        ("object", "target")
    } else {
        ("target", "object")
    };
    row[first] = named(ink, merge.secondary);
    row[second] = named(ink, merge.primary);
    row["summary"] = format!(
        "<@{0}/agent/users/1|Somebody> merged <@{0}/agent/conversations/{1}|#{1}> into <@{0}/agent/conversations/{2}|#{2}>",
        ink.base, merge.secondary, merge.primary
    )
    .into();
    row
}
