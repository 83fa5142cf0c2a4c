//! What stands beside cases, people and organisations: forms and brands by name, and by choice what was said of ratings, booked
//! times, the history of cases, and notes on people (Kayako reference, sections 6, 8, 10, 13 and 16).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use deskferry_core::model::{CustomValue, Record};
use deskferry_core::source::Page;
use deskferry_core::{Context, ErrorKind, RecordKey, RecordKind, Result, Tenant};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::Kayako;
use super::inventory::is_closed;
use crate::client::{Configuration, PAGE, Place, needed};
use crate::config::Take;
use crate::convert::{self, Event, Note};
use crate::wire::{self, Case, Named, Raw, TimeLog};

/// Requests of one sort that go out together.
const TOGETHER: usize = 4;
/// Names and brands of this many rows are no help centre any more; a list that never ends is not followed.
const MOST_LOGS: usize = 20_000_000;

/// Forms and brands by number.
#[derive(Debug, Default)]
pub(super) struct Labels {
    forms: BTreeMap<u64, String>,
    brands: BTreeMap<u64, String>,
}

/// Seconds that people worked, by case.
#[derive(Debug, Default)]
pub(super) struct Booked {
    seconds: HashMap<u64, u64>,
    notes: Vec<String>,
}

impl Kayako {
    /// Names of forms and brands; read once per process, when a case needs them.
    async fn labels(&self, cx: &Context) -> Result<Arc<Labels>> {
        let mut kept = self.labels.lock().await;
        if let Some(labels) = kept.as_ref() {
            return Ok(Arc::clone(labels));
        }
        let labels = Arc::new(Labels {
            forms: self.names_of(cx, Configuration::Forms).await?,
            brands: self.names_of(cx, Configuration::Brands).await?,
        });
        *kept = Some(Arc::clone(&labels));
        Ok(labels)
    }

    /// Nothing where the account may not list them: the inventory says so.
    async fn names_of(&self, cx: &Context, list: Configuration) -> Result<BTreeMap<u64, String>> {
        let rows = match self.configured(cx, list).await {
            Err(error) if is_closed(error.kind()) => return Ok(BTreeMap::new()),
            rows => rows?,
        };
        let rows = rows
            .iter()
            .filter_map(|row| wire::decode::<Named>(row).ok());
        Ok(rows.map(|row| (row.id, row.name())).collect())
    }

    /// Adds to conversations of a page what stands beside their cases.
    pub(super) async fn add_beside(
        &self,
        cx: &Context,
        tenant: &Tenant,
        rows: &[(Case, &Raw)],
        page: &mut Page,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let labels = self.labels(cx).await?;
        let booked = match self.config.time_tracking() {
            Take::Include => Some(self.booked(cx).await?),
            Take::Skip => None,
        };
        let ratings = self.said_of_ratings(cx, tenant, rows).await?;
        let by_key: HashMap<_, _> = rows
            .iter()
            .map(|(case, _)| (tenant.key(RecordKind::Conversation, case.id), case))
            .collect();
        for record in &mut page.records {
            let Record::Conversation(conversation) = record else {
                continue;
            };
            let Some(case) = by_key.get(&conversation.meta.key) else {
                continue;
            };
            let custom = &mut conversation.meta.custom;
            let named = |reference: &Option<wire::Ref>, names: &BTreeMap<u64, String>| {
                let reference = reference.as_ref()?;
                let name = names.get(&reference.number()?).cloned();
                name.or_else(|| reference.title.clone())
            };
            if let Some(form) = named(&case.form, &labels.forms) {
                custom.insert("form".to_owned(), CustomValue::Choice(form));
            }
            // One brand tells nothing.
            if labels.brands.len() > 1
                && let Some(brand) = named(&case.brand, &labels.brands)
            {
                custom.insert("brand".to_owned(), CustomValue::Choice(brand));
            }
            if let Some(seconds) = booked.as_ref().and_then(|all| all.seconds.get(&case.id)) {
                let seconds = CustomValue::Number(seconds.to_string());
                custom.insert("seconds_worked".to_owned(), seconds);
            }
            if let (Some(said), Some(satisfaction)) =
                (ratings.get(&case.id), conversation.satisfaction.as_mut())
            {
                satisfaction.at = said.created_at;
                satisfaction.comment.clone_from(&said.comment);
            }
        }
        if let Some(booked) = &booked {
            page.notes.extend(booked.notes.iter().cloned());
        }
        Ok(())
    }

    /// All booked times, summed up; read once per process, since no list names those of a case.
    async fn booked(&self, cx: &Context) -> Result<Arc<Booked>> {
        let mut kept = self.booked.lock().await;
        if let Some(booked) = kept.as_ref() {
            return Ok(Arc::clone(booked));
        }
        let mut booked = Booked::default();
        let (mut place, mut read, mut met) = (Place::default(), 0, HashSet::new());
        loop {
            let listed = match self.client.time_logs(cx, &place).await {
                Err(error) if is_closed(error.kind()) => {
                    booked.notes.push(
                        "list booked times: the account may not, or the instance has none"
                            .to_owned(),
                    );
                    break;
                }
                listed => listed?,
            };
            needed(cx, "timetracking", listed.rows.len() as f64 / PAGE as f64);
            for row in &listed.rows {
                let Ok(log) = wire::decode::<TimeLog>(row) else {
                    continue;
                };
                // The list moves while it is read: an entry that shows up again counts once.
                if met.insert(log.id) && log.is_work() {
                    *booked.seconds.entry(log.case).or_default() += log.seconds;
                }
            }
            read += listed.rows.len();
            let more = match (&listed.next, listed.total) {
                (Some(_), _) => !listed.rows.is_empty(),
                (None, Some(total)) => !listed.rows.is_empty() && (read as u64) < total,
                (None, None) => !listed.is_short(PAGE),
            };
            if !more || read >= MOST_LOGS {
                break;
            }
            place = match listed.next {
                Some(next @ Place::After(_)) => next,
                _ => Place::Offset(read as u64),
            };
        }
        let booked = Arc::new(booked);
        *kept = Some(Arc::clone(&booked));
        Ok(booked)
    }

    /// The last rating of each rated case, in words.
    async fn said_of_ratings(
        &self,
        cx: &Context,
        tenant: &Tenant,
        rows: &[(Case, &Raw)],
    ) -> Result<HashMap<u64, wire::Rating>> {
        if self.config.ratings() == Take::Skip {
            return Ok(HashMap::new());
        }
        let rated: Vec<u64> = rows
            .iter()
            .filter(|(case, _)| case.rating.is_some())
            .map(|(case, _)| case.id)
            .collect();
        let asked = rated.into_iter().map(|id| async move {
            let about = tenant.key(RecordKind::Conversation, id);
            let rows = match self.client.ratings(cx, id, about).await {
                Err(error) if is_closed(error.kind()) => Vec::new(),
                rows => rows?,
            };
            let ratings = rows
                .iter()
                .filter_map(|row| wire::decode::<wire::Rating>(row).ok());
            Result::Ok((id, ratings.max_by_key(|rating| rating.created_at)))
        });
        let found: Vec<(u64, Option<wire::Rating>)> =
            stream::iter(asked).buffered(TOGETHER).try_collect().await?;
        Ok(found
            .into_iter()
            .filter_map(|(id, rating)| Some((id, rating?)))
            .collect())
    }

    /// The history of a case as internal messages, where it is wanted.
    pub(super) async fn add_history(
        &self,
        cx: &Context,
        tenant: &Tenant,
        case: u64,
        page: &mut Page,
    ) -> Result<()> {
        if self.config.activities() == Take::Skip {
            return Ok(());
        }
        let about = tenant.key(RecordKind::Conversation, case);
        let (mut events, mut place) = (Vec::new(), Place::default());
        let mut met = BTreeSet::new();
        loop {
            let listed = self.client.history(cx, case, about.clone(), &place).await;
            let listed = match listed {
                Err(error)
                    if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) =>
                {
                    page.notes
                        .push(format!("case {case}: the account may not read its history"));
                    break;
                }
                listed => listed?,
            };
            let before = met.len();
            for raw in listed.rows {
                match wire::decode::<Event>(&raw) {
                    Ok(event) if event.is_told() && met.insert(event.id) => {
                        events.push((event, raw))
                    }
                    Ok(event) => _ = met.insert(event.id),
                    Err(defect) => page.rejects.push(convert::reject(
                        RecordKind::Message,
                        super::id_of(&raw).map(|id| format!("activity-{case}-{id}")),
                        defect,
                        &raw,
                    )),
                }
            }
            match listed.next {
                // A page without a new one would never end.
                Some(next) if next != place && met.len() > before => place = next,
                _ => break,
            }
        }
        let actors: Vec<&wire::Ref> = events.iter().filter_map(|(event, _)| event.by()).collect();
        let found = self.resolve(cx, tenant, &actors).await?;
        for (event, raw) in &events {
            let mut record = Record::from(convert::event(tenant, case, event, &found.people));
            self.keep_raw(&mut record, raw);
            page.records.push(record);
        }
        page.records.extend(found.records);
        page.rejects.extend(found.rejects);
        page.notes.extend(found.notes);
        Ok(())
    }

    async fn notes_of(
        &self,
        cx: &Context,
        path: &'static str,
        key: &RecordKey,
    ) -> Result<(RecordKey, Option<String>)> {
        let rows = match self.client.notes_on(cx, path, key).await {
            Err(error) if is_closed(error.kind()) => return Ok((key.clone(), None)),
            rows => rows?,
        };
        let notes = rows.iter().filter_map(|row| wire::decode::<Note>(row).ok());
        Ok((key.clone(), convert::notes(path, notes.collect())))
    }

    /// Adds to customers and organisations of a page the notes on them, where they are wanted.
    pub(super) async fn add_notes(&self, cx: &Context, page: &mut Page) -> Result<()> {
        if self.config.person_notes() == Take::Skip {
            return Ok(());
        }
        let asked = page.records.iter().filter_map(|record| {
            let path = match record.kind() {
                RecordKind::Contact => "users",
                RecordKind::Account => "organizations",
                _ => return None,
            };
            Some((path, record.key().clone()))
        });
        let asked: Vec<_> = asked.collect();
        let mut found = HashMap::new();
        for some in asked.chunks(TOGETHER) {
            let some = some.iter().map(|(path, key)| self.notes_of(cx, path, key));
            for (key, notes) in futures::future::try_join_all(some).await? {
                found.insert(key, notes);
            }
        }
        for record in &mut page.records {
            if let Some(Some(notes)) = found.get(record.key()) {
                let notes = CustomValue::Text(notes.clone());
                match record {
                    Record::Contact(one) => _ = one.meta.custom.insert("notes".to_owned(), notes),
                    Record::Account(one) => _ = one.meta.custom.insert("notes".to_owned(), notes),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
