//! What is read where: one arm per address, lists by offset, posts by cursor.

use std::collections::HashSet;

use axum::http::Method;
use chrono::Utc;
use serde_json::{Value, json};

use super::CaseAccess;
use super::answer::{Denied, Place, address, all, one, page, place};
use super::auth::Pass;
use super::beside;
use super::desk::Desk;
use super::include::{Fields, Include, reference};
use super::knowledge;
use super::routes::{Answer, Call};
use super::setup::{Ink, role_row, status_type};
use crate::world::{Conversation, FieldOwner, Message, MessageKind, Role};

impl Call<'_> {
    pub(super) fn read(&self, pieces: &[&str], pass: &Pass) -> Answer {
        let include = Include::parse(self.query.get("include").map(String::as_str));
        let fields = Fields::parse(self.query.get("fields").map(String::as_str));
        let desk = &self.shared.desk;
        let ink = Ink {
            world: &desk.world,
            include: &include,
            identities: &desk.identities,
            base: self.base,
        };
        let lists = desk.world.lists();
        let number = |text: &str| text.parse::<u64>().map_err(|_| Denied::NotFound);
        match pieces {
            ["session"] => Ok(self.session(pass)),
            ["me"] => self.me(&ink),
            ["settings"] => self.for_admins().map(|()| all("setting", self.settings())),
            ["locales"] => Ok(all("locale", locales())),
            ["brands"] => self
                .for_admins()
                .and_then(|()| self.list("brand", &self.brands(), Clone::clone)),
            ["mailboxes"] => self.for_admins().and_then(|()| {
                self.list("mailbox", &lists.mailboxes, |mailbox| ink.mailbox(mailbox))
            }),
            ["roles"] => self.list("role", &ROLES, |role| ink.role(*role)),
            ["teams"] => self.list("team", &lists.teams, |team| ink.team(team)),
            ["organizations"] => self.list("organization", &desk.companies(), |company| {
                ink.organization(company)
            }),
            ["organizations", "fields"] => Ok(all(
                "organization_field",
                field_list(&ink, desk, FieldOwner::Company),
            )),
            ["organizations", id] => {
                let id = number(id)?;
                let all = desk.companies();
                let company = all.iter().find(|one| one.id == id);
                let company = company.ok_or(Denied::NotFound)?;
                Ok(one("organization", ink.organization(company)))
            }
            ["users"] => self.list("user", &desk.people(), |person| {
                fields.apply(ink.user(person))
            }),
            ["users", "fields"] => Ok(all(
                "user_field",
                field_list(&ink, desk, FieldOwner::Person),
            )),
            ["users", id] => {
                let id = number(id)?;
                let all = desk.people();
                let person = all.iter().find(|one| one.id == id);
                Ok(one("user", ink.user(person.ok_or(Denied::NotFound)?)))
            }
            ["cases", "fields"] => {
                let mut rows = ink.system_fields();
                rows.extend(field_list(&ink, desk, FieldOwner::Conversation));
                Ok(all("case_field", rows))
            }
            ["cases", "statuses"] => {
                self.list("case_status", &lists.statuses, |status| ink.status(status))
            }
            ["cases", "priorities"] => self.list("case_priority", &lists.priorities, |priority| {
                ink.priority(priority)
            }),
            ["cases", "types"] => self.list("case_type", &lists.case_types, |case_type| {
                ink.case_type(case_type)
            }),
            ["cases", "forms" | "macros"] => self.configured(&include),
            ["cases"] => self.cases(&ink, &fields),
            ["cases", "posts", id] => {
                let (case, message) = desk.message(number(id)?).ok_or(Denied::NotFound)?;
                Ok(one("post", ink.post(&case, &message)))
            }
            ["cases", "posts", id, "email_original"] => {
                let (_, message) = desk.message(number(id)?).ok_or(Denied::NotFound)?;
                ink.email_original(&message)
                    .map(|original| one("email_original", original))
                    .ok_or(Denied::NotFound)
            }
            ["cases", id] => {
                let (case, updated) = desk.case(number(id)?).ok_or(Denied::NotFound)?;
                Ok(one("case", ink.case(&case, updated, &fields)))
            }
            ["cases", id, "activities"] => {
                let (case, _) = desk.case(number(id)?).ok_or(Denied::NotFound)?;
                self.activities(&ink, &case)
            }
            ["categories"] => self.list("category", &knowledge::categories(&desk.world), |one| {
                ink.category(one)
            }),
            ["sections"] => self.list("section", &knowledge::sections(&desk.world), |one| {
                ink.section(one)
            }),
            ["articles"] => {
                let hides = self.shared.options.hides_drafts;
                let shown: Vec<_> = desk.articles();
                let shown: Vec<_> = shown
                    .into_iter()
                    .filter(|one| !hides || knowledge::is_published(one))
                    .collect();
                self.list("article", &shown, |one| ink.article(one))
            }
            ["articles", "count"] => {
                let count = desk.articles().len();
                Ok(json!({"status": 200, "data": [], "resource": "article", "total_count": count}))
            }
            ["articles", "list"] => {
                self.list("article", &desk.articles(), |article| ink.article(article))
            }
            ["articles", id] => {
                let id = number(id)?;
                let all = desk.articles();
                let article = all.iter().find(|one| one.id == id);
                Ok(one(
                    "article",
                    ink.article(article.ok_or(Denied::NotFound)?),
                ))
            }
            ["timetracking"] => self.time_logs(),
            ["conversations", id, "ratings"] => {
                let (case, _) = desk.case(number(id)?).ok_or(Denied::NotFound)?;
                self.ratings(&case)
            }
            [path @ ("users" | "organizations"), id, "notes"] => {
                self.notes_on(&ink, path, number(id)?)
            }
            ["views"] => self.list("view", &self.views(), Clone::clone),
            ["views", id, "cases"] => self.cases_of_view(&ink, &fields, number(id)?),
            ["cases", id, "posts"] => {
                let (case, _) = desk.case(number(id)?).ok_or(Denied::NotFound)?;
                self.posts(&ink, &case)
            }
            _ => self.configured(&include),
        }
    }

    fn configured(&self, include: &Include) -> Answer {
        let path = self.path.trim_end_matches(".json");
        let (kind, rows) = self.configuration(path, include)?;
        self.list(kind, &rows, Clone::clone)
    }

    pub(super) fn here(&self) -> String {
        format!("{}/api/v1/{}", self.base, self.path)
    }

    pub(super) fn list<T>(&self, kind: &str, rows: &[T], render: impl Fn(&T) -> Value) -> Answer {
        let place = self.repeated(place(self.query)?);
        let items = rows
            .iter()
            .skip(place.1)
            .take(place.0.limit)
            .map(render)
            .collect();
        Ok(page(
            kind,
            items,
            rows.len(),
            &place.0,
            &self.here(),
            self.query,
        ))
    }

    /// The place asked for, and the one that is answered: a fault named `repeat-page` answers the page before.
    pub(super) fn repeated(&self, place: Place) -> (Place, usize) {
        let again = place.offset > 0
            && self.shared.faults.take(
                "repeat-page",
                &format!("{}?offset={}", self.path, place.offset),
            );
        let begin = if again {
            place.offset.saturating_sub(place.limit)
        } else {
            place.offset
        };
        (place, begin)
    }

    fn cases(&self, ink: &Ink<'_>, fields: &Fields) -> Answer {
        let desk = &self.shared.desk;
        let (place, begin) = self.repeated(place(self.query)?);
        let (shown, total) = match self.chosen()? {
            None => desk.listed_part(begin, place.limit),
            Some(ids) => (
                ids.iter().skip(begin).take(place.limit).copied().collect(),
                ids.len(),
            ),
        };
        let cases = shown.iter().filter_map(|id| desk.case(*id));
        let items = cases.map(|(case, updated)| ink.case(&case, updated, fields));
        Ok(page(
            "case",
            items.collect(),
            total,
            &place,
            &self.here(),
            self.query,
        ))
    }

    /// The cases that the arguments choose, if they choose.
    fn chosen(&self) -> Result<Option<Vec<u64>>, Denied> {
        let desk = &self.shared.desk;
        if !self.query.contains_key("ids") && !self.query.contains_key("status") {
            return Ok(None);
        }
        let mut ids = desk.listed();
        if let Some(wanted) = self.query.get("ids") {
            let wanted = wanted.split(',').map(|id| id.trim().parse());
            let wanted: HashSet<u64> = wanted
                .collect::<Result<_, _>>()
                .map_err(|_| Denied::field("ids"))?;
            ids.retain(|id| wanted.contains(id));
        } else if let Some(wanted) = self.query.get("status") {
            let wanted: Vec<&str> = wanted.split(',').collect();
            let kind = |id: u64| {
                let (case, _) = desk.case(id)?;
                desk.world
                    .status(case.status)
                    .map(|status| status_type(status.kind))
            };
            ids.retain(|id| kind(*id).is_some_and(|kind| wanted.contains(&kind)));
        }
        Ok(Some(ids))
    }

    /// Newest first; `after_id` walks to older ones, `before_id` to newer ones.
    fn posts(&self, ink: &Ink<'_>, case: &Conversation) -> Answer {
        let limit = place(self.query)?.limit;
        let wanted = self.query.get("filters").map_or("ALL", String::as_str);
        let mut posts: Vec<&Message> = case
            .messages
            .iter()
            .filter(|message| is_wanted(message, wanted))
            .collect();
        posts.sort_by_key(|message| std::cmp::Reverse((message.sent, message.id)));
        let find = |name: &str, id: &str| {
            let id: u64 = id.parse().map_err(|_| Denied::field(name))?;
            posts
                .iter()
                .position(|message| message.id == id)
                .ok_or_else(|| Denied::field(name))
        };
        let (begin, end) = match (
            self.query.get("after_id"),
            self.query.get("before_id").map(String::as_str),
        ) {
            (Some(_), Some(_)) => return Err(Denied::field("before_id")),
            (Some(id), None) => {
                let again = self
                    .shared
                    .faults
                    .take("repeat-page", &format!("{}?after_id={id}", self.path));
                let begin = find("after_id", id)? + 1;
                let begin = if again {
                    begin.saturating_sub(limit)
                } else {
                    begin
                };
                (begin, posts.len().min(begin + limit))
            }
            (None, Some("0")) => (posts.len().saturating_sub(limit), posts.len()),
            (None, Some(id)) => {
                let end = find("before_id", id)?;
                (end.saturating_sub(limit), end)
            }
            (None, None) => (0, posts.len().min(limit)),
        };
        let items: Vec<_> = posts[begin..end]
            .iter()
            .map(|message| ink.post(case, message))
            .collect();
        let mut body = json!({"status": 200, "data": items, "resource": "post", "limit": limit, "total_count": posts.len()});
        if end < posts.len()
            && let Some(last) = posts[begin..end].last()
        {
            body["next_url"] = address(
                &self.here(),
                self.query,
                &[
                    ("after_id", &last.id.to_string()),
                    ("limit", &limit.to_string()),
                ],
            )
            .into();
        }
        Ok(body)
    }

    fn session(&self, pass: &Pass) -> Value {
        if *self.method == Method::DELETE {
            self.shared.guard().end(&pass.session);
            return json!({"status": 200});
        }
        let now = super::setup::time(Utc::now());
        one(
            "session",
            json!({
                "id": pass.session, "ip_address": "127.0.0.1", "user_agent": "", "portal": "API", "status": "ONLINE",
                "user": reference("user", self.account()), "instance_name": self.shared.desk.instance,
                "created_at": now, "last_activity_at": now, "resource_type": "session",
            }),
        )
    }

    /// The account that logs in is the first member of staff, in the role that the options give.
    fn account(&self) -> u64 {
        self.shared
            .desk
            .world
            .lists()
            .people
            .first()
            .map_or(1, |person| person.id)
    }

    fn me(&self, ink: &Ink<'_>) -> Answer {
        let person = self
            .shared
            .desk
            .world
            .person(self.account())
            .ok_or(Denied::NotFound)?;
        let mut me = ink.user(person);
        let (id, _, _) = role_row(self.shared.options.role);
        me["role"] = if ink.include.has("role") {
            ink.role(self.shared.options.role)
        } else {
            reference("role", id)
        };
        let own = match self.shared.options.access() {
            CaseAccess::All => "INHERIT-FROM-ROLE",
            CaseAccess::Teams => "TEAMS",
            CaseAccess::Own => "SELF",
        };
        me["agent_case_access"] = own.into();
        Ok(one("user", me))
    }

    fn for_admins(&self) -> Result<(), Denied> {
        match self.shared.options.role {
            Role::Owner | Role::Admin => Ok(()),
            _ => Err(Denied::Permissions),
        }
    }

    fn brands(&self) -> Vec<Value> {
        let second = self.shared.desk.world.beside_seed();
        let second = second.map(|_| beside::second_brand());
        std::iter::once(self.brand()).chain(second).collect()
    }

    fn brand(&self) -> Value {
        json!({
            "id": 1, "name": self.shared.desk.instance, "sub_domain": self.shared.desk.instance, "domain": null, "alias": null,
            "locale": {"id": 2, "resource_type": "locale"}, "is_ssl_enabled": true, "is_default": true, "is_enabled": true, "resource_type": "brand",
        })
    }

    /// Among them one that nobody should log.
    fn settings(&self) -> Vec<Value> {
        let rows = [
            ("account", "default_language", "en-us", false),
            ("account", "timezone", "Europe/Vienna", false),
            ("agent", "session_expiry", "16", false),
            ("email", "smtp_password", "hunter2-of-the-mail-server", true),
        ];
        let wanted = self.query.get("category");
        let shown = rows
            .iter()
            .zip(1..)
            .filter(|((category, ..), _)| wanted.is_none_or(|wanted| wanted == category));
        shown
            .map(|((category, name, value, protected), id)| {
                json!({"id": id, "category": category, "name": name, "is_protected": protected, "value": value, "resource_type": "setting"})
            })
            .collect()
    }
}

const ROLES: [Role; 5] = [
    Role::Admin,
    Role::Agent,
    Role::Collaborator,
    Role::Customer,
    Role::Owner,
];

fn field_list(ink: &Ink<'_>, desk: &Desk, owner: FieldOwner) -> Vec<Value> {
    let fields = desk.fields(owner);
    fields.iter().map(|field| ink.field(field)).collect()
}

fn locales() -> Vec<Value> {
    [(1, "de", "German"), (2, "en-us", "English")]
        .iter()
        .map(|(id, locale, name)| json!({"id": id, "locale": locale, "name": name, "native_name": name, "direction": "LTR", "is_public": true, "resource_type": "locale"}))
        .collect()
}

fn is_wanted(message: &Message, filters: &str) -> bool {
    let own = match message.kind {
        MessageKind::Mail | MessageKind::HelpCentre => "MESSAGES",
        MessageKind::Note { .. } => "NOTES",
        MessageKind::Chat => "CHAT_MESSAGES",
        MessageKind::Tweet => "TWEETS",
        MessageKind::Facebook => "FACEBOOK_MESSAGES",
        MessageKind::Other { .. } => "",
    };
    filters
        .split(',')
        .any(|filter| filter == "ALL" || filter == own)
}
