//! Custom objects: klasses, and the records of each as a part of its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page, Reject, Shard, Skip};
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result};
use futures::lock::Mutex;
use serde_json::json;

use super::window::{Reading, Stamp};
use super::{Kustomer, id_of, read_place, streams, watermark};
use crate::client::List;
use crate::convert::{self, Definitions, Ground, Names, Target};
use crate::wire::{Defect, Raw, Row};

/// How names of these shards begin.
pub(super) const PREFIX: &str = "objects/";
/// Klasses are listed by what became of them; records of all three remain.
const STATES: [&str; 3] = ["enabled", "disabled", "existing_only"];

/// What is needed to decode records of a klass.
#[derive(Debug, Default)]
pub(super) struct Klass {
    definitions: Definitions,
    targets: Vec<Target>,
    attributes: Option<Row>,
}

/// Klasses by name, as they were learned.
#[derive(Debug, Default)]
pub(super) struct Klasses {
    known: Mutex<HashMap<String, Arc<Klass>>>,
}

impl Kustomer {
    /// What a klass is made of; asked once per process.
    async fn klass(&self, cx: &Context, name: &str) -> Result<Arc<Klass>> {
        let mut known = self.klasses.known.lock().await;
        if let Some(klass) = known.get(name) {
            return Ok(Arc::clone(klass));
        }
        let resource = format!("kobject.{name}");
        let found = match self.client.metadata(cx, &resource).await {
            Err(error) if error.kind() == ErrorKind::Forbidden => None,
            found => found?,
        };
        let mut klass = Klass {
            attributes: found.and_then(|raw| Row::read(&raw).ok()),
            ..Klass::default()
        };
        if let Some(row) = &klass.attributes {
            klass.definitions.learn(&resource, row);
            klass.targets = Target::all(row);
        }
        let klass = Arc::new(klass);
        known.insert(name.to_owned(), Arc::clone(&klass));
        Ok(klass)
    }

    pub(super) async fn klasses_page(&self, cx: &Context, shard: &Shard) -> Result<Page> {
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let (mut listed, mut named) = (BTreeSet::new(), BTreeSet::new());
        for state in STATES {
            let list = List::Klasses(state);
            for raw in self
                .whole(cx, list, "custom objects", &mut page.notes)
                .await?
            {
                match Row::read(&raw) {
                    Ok(row) => {
                        let name = convert::klass_name(&row).map(str::to_owned);
                        match self
                            .take_klass(cx, shard, &row, &mut named, &mut page)
                            .await?
                        {
                            Ok(()) => listed.extend(name),
                            Err(defect) => page.rejects.push(unread(defect, &raw)),
                        }
                    }
                    Err(defect) => page.rejects.push(unread(defect, &raw)),
                }
            }
        }
        let loaded = self.loaded(cx).await?;
        let attributes = loaded.attributes.iter();
        let targets = attributes.flat_map(|(_, _, row)| Target::all(row));
        named.extend(targets.filter_map(|target| target.klass().map(str::to_owned)));
        // What attributes lead to and no list has is gone; what it held may be there still.
        for name in named.difference(&listed.clone()) {
            let row = json!({"id": name, "attributes": {"name": name, "status": "gone"}});
            let Ok(row) = serde_json::from_value::<Row>(row) else {
                continue;
            };
            page.notes.push(format!(
                "the klass {name} is in no list, and attributes lead to its records: they are read as far as search shows them"
            ));
            if let Err(defect) = self
                .take_klass(cx, shard, &row, &mut BTreeSet::new(), &mut page)
                .await?
            {
                page.notes.push(format!("klass {name}: {}", defect.reason));
            }
        }
        Ok(page)
    }

    /// A klass with its attributes, and the part that reads its records.
    async fn take_klass(
        &self,
        cx: &Context,
        shard: &Shard,
        row: &Row,
        named: &mut BTreeSet<String>,
        page: &mut Page,
    ) -> Result<Result<(), Defect>> {
        let tenant = self.tenant(cx).await?;
        let name = match convert::klass_name(row) {
            Ok(name) => name,
            Err(defect) => return Ok(Err(defect)),
        };
        let klass = self.klass(cx, name).await?;
        let names = Names::default();
        let ground = self.ground_of(&tenant, &names, &klass.definitions);
        let definition = match convert::object_definition(&ground, row, &klass.targets) {
            Ok(definition) => definition,
            Err(defect) => return Ok(Err(defect)),
        };
        let targets = klass.targets.iter();
        named.extend(targets.filter_map(|target| target.klass().map(str::to_owned)));
        let of = RecordKind::ObjectRecord;
        let resource = format!("kobject.{name}");
        let fields = klass
            .attributes
            .iter()
            .flat_map(|row| convert::definitions(&tenant, &resource, of, row));
        let object = definition.meta.key.clone();
        page.records.extend(fields.map(|mut field| {
            field.object = Some(object.clone());
            Record::from(field)
        }));
        page.records.push(Record::from(definition));
        let scope = json!({ "klass": name, "since": shard.scope.get("since") });
        let part = Shard::new(format!("{PREFIX}{name}"), [of]).scoped(scope);
        page.spawn.push(part);
        Ok(Ok(()))
    }

    pub(super) async fn objects_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let tenant = self.tenant(cx).await?;
        let name = shard.id.strip_prefix(PREFIX).unwrap_or_default();
        let klass = self.klass(cx, name).await?;
        let now = cx.now().timestamp_millis();
        let begins = after.is_none();
        let reading: Reading = read_place(after).unwrap_or_else(|| streams::first(shard, now));
        let context = format!("kobject_{name}");
        let query = streams::query(&context, &reading);
        let listed = match self.client.search(cx, &query).await {
            // Its klass went between the list and the search, or is a name alone: the rest is read.
            Err(error)
                if begins && matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound) =>
            {
                return Ok(gone(name, &error, cx));
            }
            listed => listed?,
        };
        let loaded = self.loaded(cx).await?;
        let ground = self.ground_of(&tenant, &loaded.names, &klass.definitions);
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let mut stamps: Vec<Stamp> = Vec::with_capacity(listed.rows.len());
        for raw in &listed.rows {
            let row = Row::read(raw);
            let stamp = row.as_ref().ok().and_then(|row| streams::stamp(row).ok());
            stamps.push(stamp.unwrap_or_else(|| streams::after_last(&stamps, &reading)));
            let record = row.and_then(|row| {
                let record = convert::object_record(&ground, name, &row, &klass.targets)?;
                Ok((record, row.flag("deleted")))
            });
            match record {
                Ok((record, deleted)) => {
                    if deleted {
                        page.skips.push(Skip {
                            key: record.meta.key.clone(),
                            reason: "deleted".to_owned(),
                        });
                    }
                    let mut record = Record::from(record);
                    self.keep_raw(&mut record, raw);
                    page.records.push(record);
                }
                Err(defect) => page.rejects.push(convert::reject(
                    RecordKind::ObjectRecord,
                    id_of(raw),
                    defect,
                    raw,
                )),
            }
        }
        streams::go_on(reading, &stamps, listed.total, now, shard, &mut page)?;
        Ok(page)
    }

    fn ground_of<'a>(
        &'a self,
        tenant: &'a deskferry_core::Tenant,
        names: &'a Names,
        definitions: &'a Definitions,
    ) -> Ground<'a> {
        Ground {
            tenant,
            root: self.client.root(),
            names,
            definitions,
        }
    }
}

fn unread(defect: Defect, raw: &Raw) -> Reject {
    convert::reject(RecordKind::ObjectDefinition, id_of(raw), defect, raw)
}

/// No record of a klass can be had.
fn gone(name: &str, error: &Error, cx: &Context) -> Page {
    let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
    page.rejects.push(Reject {
        kind: RecordKind::ObjectRecord,
        id: None,
        path: format!("kobject_{name}"),
        reason: format!("the klass {name} is gone, and its records with it: {error}"),
        raw: String::new(),
    });
    page
}
