//! What stands beside cases and people: forms, brands, ratings, booked times, histories, notes (Kayako reference, sections 6, 8,
//! 13 and 16).

use serde_json::{Value, json};

use super::answer::Denied;
use super::include::reference;
use super::routes::{Answer, Call};
use super::setup::{Ink, time};
use crate::world::{
    Author, Beside, Conversation, FORMS, PastEvent, Rating, Role, SECOND_BRAND, StandingNote,
    notes_on_company, notes_on_person,
};

/// Numbers of what is made beside are apart from those of other things.
const APART: u64 = 5_000_000_000;

/// Forms beside the usual one.
pub(super) fn more_forms() -> Vec<Value> {
    let more = FORMS.iter().skip(1);
    more.map(|(id, title)| {
        json!({
            "id": id, "title": title, "is_visible_to_customers": false, "customer_titles": [], "descriptions": [], "is_enabled": true,
            "is_default": false, "is_deleted": false, "sort_order": id, "fields": [], "brand": reference("brand", 1),
        })
    })
    .collect()
}

/// The brand beside the first one.
pub(super) fn second_brand() -> Value {
    let (id, name) = SECOND_BRAND;
    json!({
        "id": id, "name": name, "sub_domain": "outlet", "domain": null, "alias": null,
        "locale": {"id": 2, "resource_type": "locale"}, "is_ssl_enabled": true, "is_default": false, "is_enabled": true,
        "resource_type": "brand",
    })
}

impl Call<'_> {
    /// Times that agents spent, by case.
    pub(super) fn time_logs(&self) -> Answer {
        if self.shared.options.role == Role::Customer {
            return Err(Denied::Permissions);
        }
        let times = self.shared.desk.times();
        self.list("timetracking_log", times, |(case, time)| {
            json!({
                "id": APART + time.id, "time_tracking_log_id": APART + time.id, "case": reference("case", *case),
                "agent": reference("user", time.agent), "creator": reference("user", time.agent),
                "log_type": if time.work { "WORKED" } else { "VIEWED" },
                // A number as text, as PHP likes to send it.
                "time_spent": time.seconds.to_string(), "resource_type": "timetracking_log",
            })
        })
    }

    /// Ratings of a case: an older one without words, and the one that counts.
    pub(super) fn ratings(&self, case: &Conversation) -> Answer {
        let beside = self.shared.desk.world.beside(case);
        let rows: Vec<Value> = match (beside, case.rating) {
            (Some(beside), Some(rating)) => {
                let row = |id: u64, comment: Value, at: String| {
                    json!({
                        "id": id, "score": match rating { Rating::Good => "GOOD", Rating::Bad => "BAD" }, "comment": comment,
                        "case": reference("case", case.id), "creator": reference("user", case.requester),
                        "created_at": at, "updated_at": at, "resource_type": "rating",
                    })
                };
                let older = row(case.id * 2, json!("At first"), time(case.created));
                let said = beside.said.map_or(Value::Null, Value::from);
                vec![row(case.id * 2 + 1, said, time(beside.rated)), older]
            }
            _ => Vec::new(),
        };
        self.list("rating", &rows, Clone::clone)
    }

    /// Notes on a person, or on a company.
    pub(super) fn notes_on(&self, ink: &Ink<'_>, path: &str, id: u64) -> Answer {
        let Some(seed) = self.shared.desk.world.beside_seed() else {
            return self.list("note", &[], Clone::clone);
        };
        let notes = match path {
            "users" => notes_on_person(seed, id),
            _ => notes_on_company(seed, id),
        };
        let mut rows: Vec<Value> = notes
            .iter()
            .map(|note| ink.standing(path, id, note))
            .collect();
        // Notes of a person's company are shown with the person's.
        let person = (path == "users").then(|| self.shared.desk.world.person(id));
        if let Some(company) = person.flatten().and_then(|person| person.company) {
            let notes = notes_on_company(seed, company);
            rows.extend(
                notes
                    .iter()
                    .map(|note| ink.standing("organizations", company, note)),
            );
        }
        self.list("note", &rows, Clone::clone)
    }
}

impl Ink<'_> {
    fn standing(&self, path: &str, on: u64, note: &StandingNote) -> Value {
        let of = match path {
            "users" => ("user", 0),
            _ => ("organization", APART),
        };
        let id = APART + of.1 + note.id;
        self.include.nest("note", id, || {
            json!({
                "id": id, "body_text": note.text, "body_html": null, "is_pinned": false, "pinned_by": null,
                "user": self.user_minimal(note.by), "creator": self.user_minimal(note.by), "parent": reference(of.0, on),
                "attachments": [], "download_all": null, "created_at": time(note.at), "updated_at": time(note.at),
                "resource_type": "note", "resource_url": format!("{}/api/v1/{path}/{on}/notes/{id}", self.base),
            })
        })
    }

    /// What was done to a case, and what the platform tells of it besides.
    pub(super) fn past(&self, case: &Conversation, beside: &Beside) -> Vec<Value> {
        let mut rows: Vec<Value> = beside
            .events
            .iter()
            .map(|event| self.past_event(event))
            .collect();
        // Who looks and who writes is told as well.
        let mut look = self.past_row(APART + case.id * 16 + 15, "VIEW", Author::Person(1));
        look["created_at"] = time(case.updated).into();
        rows.push(look);
        rows
    }

    fn past_event(&self, event: &PastEvent) -> Value {
        let (field, was, is) = &event.change;
        let mut row = self.past_row(APART + event.id, "UPDATE", event.by);
        row["activity"] = "update_case".into();
        row["actions"] = json!([{
            "action": "UPDATED", "field": field, "old_value": (!was.is_empty()).then_some(was), "new_value": is,
            "old_object": null, "new_object": null,
        }]);
        row["created_at"] = time(event.at).into();
        row
    }

    fn past_row(&self, id: u64, verb: &str, by: Author) -> Value {
        let actor = match by {
            Author::Person(id) => {
                let name = self
                    .world
                    .person(id)
                    .map_or("", |person| person.name.as_str());
                json!({"name": "user", "title": name, "full_title": name, "original": self.user_minimal(id)})
            }
            Author::Trigger(id) => {
                json!({"name": "trigger", "title": "", "full_title": "", "original": reference("trigger", id)})
            }
            Author::Monitor(_) | Author::Nobody => Value::Null,
        };
        json!({
            "id": id, "activity": "", "actor": actor, "verb": verb, "summary": "", "actions": [], "object": null,
            "object_actor": null, "target": null, "result": null, "place": null, "location": null, "participant": null,
            "in_reply_to": null, "portal": "AGENT", "weight": 0.6, "ip_address": null, "resource_type": "activity",
        })
    }
}
