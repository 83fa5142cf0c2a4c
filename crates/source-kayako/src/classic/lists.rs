//! Departments, staff, organisations, users and definitions.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page, Reject};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, RecordKind, Result};
use serde::{Deserialize, Serialize};

use super::client::{Answer, USERS, Whole, is_absent, needed};
use super::convert::{self, Definitions, Desk};
use super::xml::Row;
use super::{Classic, cursor, read_place, watermark};
use crate::wire::Defect;

/// What is read once per process, since everything else refers to it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) desk: Desk,
    pub(super) values: Definitions,
    departments: Answer,
    staff: Answer,
    /// Titles of groups of users.
    user_groups: BTreeMap<u64, String>,
    rejects: Vec<Reject>,
    notes: Vec<String>,
}

/// Users and organisations that this process has read. A process that goes on where another one ended asks the stage.
#[derive(Debug, Default)]
pub(super) struct Met(Mutex<HashSet<(RecordKind, u64)>>);

impl Met {
    fn note(&self, kind: RecordKind, id: u64) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        met.insert((kind, id));
    }

    fn knows(&self, kind: RecordKind, id: u64) -> bool {
        let met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        met.contains(&(kind, id))
    }
}

/// How far users were read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reading {
    /// The last user of the page before; the next page begins there.
    from: u64,
    /// When the walk began, by the server's clock.
    start: Option<chrono::DateTime<chrono::Utc>>,
}

impl Classic {
    pub(super) async fn loaded(&self, cx: &Context) -> Result<Arc<Loaded>> {
        let mut kept = self.loaded.lock().await;
        if let Some(loaded) = kept.as_ref() {
            return Ok(Arc::clone(loaded));
        }
        let loaded = Arc::new(self.load(cx).await?);
        *kept = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    async fn load(&self, cx: &Context) -> Result<Loaded> {
        let (mut desk, mut rejects, mut notes) = (Desk::default(), Vec::new(), Vec::new());
        // Without departments no ticket can be listed, and without staff nobody told from customers: these must be there.
        let departments = self.client.whole(cx, Whole::Departments).await?;
        for row in departments.document.rows(Whole::Departments.row()) {
            if let Err(defect) = desk.learn_department(row) {
                rejects.push(convert::reject(RecordKind::Team, row, None, defect));
            }
        }
        let staff = self.client.whole(cx, Whole::Staff).await?;
        for row in staff.document.rows(Whole::Staff.row()) {
            // A row that is none is rejected where staff are yielded.
            let _ = desk.learn_staff(row);
        }
        type Learn = fn(&mut Desk, Row<'_>) -> Result<(), Defect>;
        let words: [(Whole, Learn); 3] = [
            (Whole::Statuses, Desk::learn_status),
            (Whole::Priorities, Desk::learn_priority),
            (Whole::Types, Desk::learn_type),
        ];
        for (list, learn) in words {
            let Some(answer) = self.if_there(cx, list, &mut notes).await? else {
                continue;
            };
            for row in answer.document.rows(list.row()) {
                if let Err(defect) = learn(&mut desk, row) {
                    notes.push(format!(
                        "{}: {}: {}",
                        list.operation(),
                        defect.path,
                        defect.reason
                    ));
                }
            }
        }
        let values = self.load_definitions(cx, &mut rejects, &mut notes).await?;
        let user_groups = self.groups(cx, Whole::UserGroups, &mut notes).await?;
        Ok(Loaded {
            user_groups,
            desk,
            values,
            departments,
            staff,
            rejects,
            notes,
        })
    }

    async fn load_definitions(
        &self,
        cx: &Context,
        rejects: &mut Vec<Reject>,
        notes: &mut Vec<String>,
    ) -> Result<Definitions> {
        let mut values = Definitions::new(self.config.dates());
        let Some(answer) = self.if_there(cx, Whole::Fields, notes).await? else {
            return Ok(values);
        };
        let mut with_options = Vec::new();
        for row in answer.document.rows(Whole::Fields.row()) {
            match values.learn(row) {
                Ok(field) => with_options.extend(field),
                Err(defect) => rejects.push(convert::reject(
                    RecordKind::FieldDefinition,
                    row,
                    None,
                    defect,
                )),
            }
        }
        for field in with_options {
            match self.client.options(cx, field).await {
                Ok(answer) => values.learn_options(field, &answer.document.rows("option")),
                Err(error) if is_absent(&error) => {
                    notes.push(format!(
                        "the options of custom field {field} cannot be read"
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(values)
    }

    /// A list without which the rest can be read: its absence is a note.
    async fn if_there(
        &self,
        cx: &Context,
        list: Whole,
        notes: &mut Vec<String>,
    ) -> Result<Option<Answer>> {
        match self.client.whole(cx, list).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_absent(&error) => {
                notes.push(format!(
                    "{}: the key may not, or this version has none",
                    list.operation()
                ));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn definitions_page(&self, cx: &Context) -> Result<Page> {
        let loaded = self.loaded(cx).await?;
        let records = loaded.values.records(&self.tenant).into_iter();
        let mut page = self.page_of(cx, records.map(Record::from).collect());
        page.rejects.clone_from(&loaded.rejects);
        page.notes.clone_from(&loaded.notes);
        Ok(page)
    }

    pub(super) async fn departments_page(&self, cx: &Context) -> Result<Page> {
        let loaded = self.loaded(cx).await?;
        let mut page = self.page_of(cx, Vec::new());
        for row in loaded.departments.document.rows(Whole::Departments.row()) {
            // A row that is none was rejected with the definitions.
            if let Ok(team) = convert::team(&self.tenant, row) {
                page.records.push(Record::from(team));
            }
        }
        Ok(page)
    }

    pub(super) async fn staff_page(&self, cx: &Context) -> Result<Page> {
        let loaded = self.loaded(cx).await?;
        let mut page = self.page_of(cx, Vec::new());
        let groups = self.groups(cx, Whole::StaffGroups, &mut page.notes).await?;
        for row in loaded.staff.document.rows(Whole::Staff.row()) {
            match convert::agent(&self.tenant, row, &groups) {
                Ok(agent) => page.records.push(Record::from(agent)),
                Err(defect) => page.rejects.push(rejected(RecordKind::Agent, row, defect)),
            }
        }
        Ok(page)
    }

    pub(super) async fn organizations_page(&self, cx: &Context) -> Result<Page> {
        let answer = self.client.whole(cx, Whole::Organizations).await?;
        let mut page = self.page_of(cx, Vec::new());
        page.next = Next::End(watermark(answer.at.unwrap_or_else(|| cx.now())));
        for row in answer.document.rows(Whole::Organizations.row()) {
            match convert::account(&self.tenant, row) {
                Ok(account) => {
                    if let Some(id) = row.reference("id") {
                        self.met.note(RecordKind::Account, id);
                    }
                    page.records.push(Record::from(account));
                }
                Err(defect) => page
                    .rejects
                    .push(rejected(RecordKind::Account, row, defect)),
            }
        }
        Ok(page)
    }

    /// Titles of groups by number.
    async fn groups(
        &self,
        cx: &Context,
        list: Whole,
        notes: &mut Vec<String>,
    ) -> Result<BTreeMap<u64, String>> {
        let Some(answer) = self.if_there(cx, list, notes).await? else {
            return Ok(BTreeMap::new());
        };
        let rows = answer.document.rows(list.row()).into_iter();
        let rows = rows.filter_map(|row| {
            let id = row.reference("id")?;
            Some((id, row.text("title")?.to_owned()))
        });
        Ok(rows.collect())
    }

    /// A page of users. The next one begins with the last of this one, so that it does not matter whether a page begins at
    /// its mark or behind it.
    pub(super) async fn users_page(&self, cx: &Context, after: Option<Cursor>) -> Result<Page> {
        let reading: Reading = read_place(after).unwrap_or_default();
        let mut page = self.page_of(cx, Vec::new());
        let loaded = self.loaded(cx).await?;
        let groups = &loaded.user_groups;
        let answer = self.client.users(cx, reading.from.max(1)).await?;
        let rows = answer.document.rows("user");
        needed(cx, "users", rows.len() as f64 / USERS as f64);
        let start = reading.start.or(answer.at);
        let mut last = reading.from;
        for row in &rows {
            let organization = row.reference("userorganizationid");
            let known = match organization {
                Some(id) if self.is_there(cx, RecordKind::Account, id).await? => organization,
                _ => None,
            };
            let organization = known.map(|id| self.tenant.key(RecordKind::Account, id));
            if let Some(id) = row.reference("id") {
                last = last.max(id);
                self.met.note(RecordKind::Contact, id);
            }
            match convert::contact(&self.tenant, *row, groups, organization) {
                Ok(contact) => page.records.push(Record::from(contact)),
                Err(defect) => page
                    .rejects
                    .push(rejected(RecordKind::Contact, *row, defect)),
            }
        }
        if (rows.len() as u64) < USERS {
            page.next = Next::End(watermark(start.unwrap_or_else(|| cx.now())));
            return Ok(page);
        }
        if last == reading.from {
            return Err(Error::new(
                ErrorKind::Protocol,
                "list users",
                format!("a full page from user {last} on holds nobody behind them"),
            ));
        }
        page.next = Next::More(cursor(&Reading { from: last, start })?);
        Ok(page)
    }

    /// Whether a list has shown this row, to this process or to one before.
    pub(super) async fn is_there(&self, cx: &Context, kind: RecordKind, id: u64) -> Result<bool> {
        if self.met.knows(kind, id) {
            return Ok(true);
        }
        let key: [RecordKey; 1] = [self.tenant.key(kind, id)];
        Ok(cx.seen(&key).await?.first() == Some(&true))
    }

    pub(super) fn page_of(&self, cx: &Context, records: Vec<Record>) -> Page {
        Page::new(records, Next::End(watermark(cx.now())))
    }
}

pub(super) fn rejected(kind: RecordKind, row: Row<'_>, defect: Defect) -> Reject {
    let id = row.reference("id").map(|id| id.to_string());
    convert::reject(kind, row, id, defect)
}
