//! Profiles, then contacts: what a profile ties together becomes one person (Trengo reference, section 3.6).

use std::sync::Arc;

use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page};
use deskferry_core::{Context, ErrorKind, RecordKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::setup::Setup;
use super::{Trengo, cursor, fingerprint, needed, read_place, stuck, watermark};
use crate::client::{List, PAGE};
use crate::config::Profiles;
use crate::convert::{self, Joined};
use crate::wire::{Defect, Row};

/// Which contacts belong together, as far as this process has read the profiles.
#[derive(Debug)]
pub(super) struct Joining {
    joined: Arc<Joined>,
    /// The page of profiles that is not read yet.
    next: u64,
    complete: bool,
}

impl Default for Joining {
    fn default() -> Self {
        Self {
            joined: Arc::default(),
            next: 1,
            complete: false,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Part {
    #[default]
    Profiles,
    Contacts,
}

/// How far the people were read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reading {
    part: Part,
    /// How many pages of it were read.
    read: u64,
    /// What the page before is known by.
    last: String,
}

impl Trengo {
    pub(super) async fn people_page(&self, cx: &Context, after: Option<Cursor>) -> Result<Page> {
        let setup = self.setup(cx).await?;
        let mut reading: Reading = read_place(after).unwrap_or_default();
        if reading.part == Part::Profiles && self.config.profiles() == Profiles::Ignore {
            reading.part = Part::Contacts;
        }
        let list = match reading.part {
            Part::Profiles => List::Profiles,
            Part::Contacts => List::Contacts,
        };
        let number = reading.read + 1;
        let listed = match self.client.page(cx, list, number).await {
            Err(error)
                if reading.part == Part::Profiles
                    && matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) =>
            {
                let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
                page.notes.push(
                    "profiles cannot be read: several contacts of one person stay apart".to_owned(),
                );
                self.joining.lock().await.complete = true;
                page.next = Next::More(cursor(&Reading {
                    part: Part::Contacts,
                    ..Reading::default()
                })?);
                return Ok(page);
            }
            listed => listed?,
        };
        let rows = &listed.page.rows;
        needed(cx, list.operation(), rows.len(), PAGE);
        let known_by = fingerprint(rows);
        if !rows.is_empty() && known_by == reading.last {
            return Err(stuck(list.operation(), number));
        }
        let mut page = match reading.part {
            Part::Profiles => {
                self.profiles(cx, &setup, rows, number, listed.page.more)
                    .await?
            }
            Part::Contacts => self.contacts(cx, &setup, rows).await?,
        };
        page.next = match (listed.page.more, reading.part) {
            (true, part) => Next::More(cursor(&Reading {
                part,
                read: number,
                last: known_by,
            })?),
            (false, Part::Profiles) => Next::More(cursor(&Reading {
                part: Part::Contacts,
                ..Reading::default()
            })?),
            (false, Part::Contacts) => {
                Next::End(watermark(listed.server_time.unwrap_or_else(|| cx.now())))
            }
        };
        Ok(page)
    }

    async fn profiles(
        &self,
        cx: &Context,
        setup: &Setup,
        rows: &[Value],
        number: u64,
        more: bool,
    ) -> Result<Page> {
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let mut learned = Vec::with_capacity(rows.len());
        for row in rows {
            let full = self.with_contacts(cx, row).await?;
            match self.profile(cx, setup, &full).await? {
                Ok(Some(mut record)) => {
                    self.keep_raw(&mut record, row);
                    page.records.push(record);
                }
                Ok(None) => {}
                Err(defect) => {
                    let kind = match self.config.profiles() {
                        Profiles::Company => RecordKind::Account,
                        _ => RecordKind::Contact,
                    };
                    page.rejects.push(convert::reject(kind, defect, row));
                    continue;
                }
            }
            learned.push(full);
        }
        let mut joining = self.joining.lock().await;
        if joining.next == number {
            joining.learn(self.config.profiles(), &learned);
            joining.next = number + 1;
            joining.complete = !more;
        }
        Ok(page)
    }

    /// A profile with its contacts, which the list may leave out.
    async fn with_contacts(&self, cx: &Context, row: &Value) -> Result<Value> {
        if Row(row).has("contacts") {
            return Ok(row.clone());
        }
        let Ok(id) = Row(row).id() else {
            return Ok(row.clone());
        };
        Ok(self
            .client
            .profile(cx, id)
            .await?
            .unwrap_or_else(|| row.clone()))
    }

    /// The record that a profile becomes.
    async fn profile(
        &self,
        cx: &Context,
        setup: &Setup,
        row: &Value,
    ) -> Result<Result<Option<Record>, Defect>> {
        let ground = &setup.ground;
        let profile = Row(row);
        if self.config.profiles() == Profiles::Company {
            return Ok(convert::account(ground, profile).map(|account| Some(Record::from(account))));
        }
        let mut contacts: Vec<Value> = Vec::new();
        for contact in profile.list("contacts") {
            let one = Row(contact);
            let tells = ["email", "phone", "identifier"]
                .iter()
                .any(|name| one.has(name));
            let full = match one.id() {
                Ok(id) if !tells || self.config.contact_details() => {
                    self.client.contact(cx, id).await?
                }
                _ => None,
            };
            contacts.push(full.unwrap_or_else(|| contact.clone()));
        }
        let contacts: Vec<Row<'_>> = contacts.iter().map(Row).collect();
        Ok(convert::person(ground, profile, &contacts).map(|person| person.map(Record::from)))
    }

    async fn contacts(&self, cx: &Context, setup: &Setup, rows: &[Value]) -> Result<Page> {
        let joined = self.joined(cx).await?;
        let profiles = self.config.profiles();
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        for row in rows {
            let id = Row(row).id();
            if let Ok(id) = id
                && joined.is_part(profiles, id)
            {
                continue;
            }
            let full = match id {
                Ok(id) if self.config.contact_details() => self.client.contact(cx, id).await?,
                _ => None,
            };
            let best = full.as_ref().unwrap_or(row);
            match convert::contact(&setup.ground, &joined, profiles, Row(best)) {
                Ok(contact) => {
                    let mut record = Record::from(contact);
                    self.keep_raw(&mut record, row);
                    page.records.push(record);
                }
                Err(defect) => {
                    page.rejects
                        .push(convert::reject(RecordKind::Contact, defect, row));
                }
            }
        }
        Ok(page)
    }

    /// Which contacts belong together. A process that began in the middle reads the profiles that it has not read.
    pub(super) async fn joined(&self, cx: &Context) -> Result<Arc<Joined>> {
        let mut joining = self.joining.lock().await;
        let profiles = self.config.profiles();
        if profiles == Profiles::Ignore {
            joining.complete = true;
        }
        let mut last = String::new();
        while !joining.complete {
            let number = joining.next;
            let listed = match self.client.page(cx, List::Profiles, number).await {
                Err(error)
                    if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) =>
                {
                    joining.complete = true;
                    break;
                }
                listed => listed?,
            };
            let known_by = fingerprint(&listed.page.rows);
            if !listed.page.rows.is_empty() && known_by == last {
                return Err(stuck(List::Profiles.operation(), number));
            }
            last = known_by;
            let mut rows = Vec::with_capacity(listed.page.rows.len());
            for row in &listed.page.rows {
                rows.push(self.with_contacts(cx, row).await?);
            }
            joining.learn(profiles, &rows);
            joining.next += 1;
            joining.complete = !listed.page.more;
        }
        Ok(Arc::clone(&joining.joined))
    }
}

impl Joining {
    fn learn(&mut self, profiles: Profiles, rows: &[Value]) {
        let joined = Arc::make_mut(&mut self.joined);
        for row in rows.iter().map(Row) {
            let Ok(id) = row.id() else { continue };
            let contacts: Vec<u64> = convert::contacts_of(row).into_iter().collect();
            joined.learn(profiles, id, &contacts);
        }
    }
}
