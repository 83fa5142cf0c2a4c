//! The parts that make records of what was collected.

use std::collections::HashSet;
use std::sync::Arc;

use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page, Reject, Shard, Skip};
use deskferry_core::{Context, RecordKind, Result};
use serde::{Deserialize, Serialize};

use super::{Asapp, Tables, blocking, cursor, place, reconcile, told, watermark};
use crate::client::Configuration;
use crate::convert::{self, Lookup};
use crate::inventory;
use crate::reduce::{Group, Origin, Start, buckets, scan};
use crate::tables::{Of, tag};
use crate::wire::Row;

/// Rows of one page.
const ROWS: usize = 4_000;
/// Owners of one page.
const OWNERS: usize = 500;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    /// The key of the last owner, in hex.
    after: String,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// A piece of a reduced file.
struct Taken {
    groups: Vec<Group>,
    next: Next,
}

impl Asapp {
    async fn take(&self, shard: &Shard, after: Option<&Cursor>, start: Start) -> Result<Taken> {
        let generation = told(shard, "generation").unwrap_or(1);
        let at: Place = place(after);
        let start = start.after(&unhex(&at.after));
        let file = self.reduced(generation)?;
        let enough = |groups: &[Group]| {
            groups.len() >= OWNERS
                || groups.iter().map(|group| group.rows.len()).sum::<usize>() >= ROWS
        };
        let (mut groups, end) = blocking(move || scan(&file, &start, enough)).await?;
        let next = match groups.last() {
            Some(last) if !end => Next::More(cursor(&Place {
                after: hex(&last.key),
            })?),
            _ => Next::End(watermark(generation)),
        };
        if let Some(since) = told(shard, "since") {
            let changed =
                |group: &Group| group.rows.iter().any(|row| row.origin.generation > since);
            groups.retain(changed);
        }
        Ok(Taken { groups, next })
    }

    /// What conversions look into: dictionaries, the customer's tables, decisions.
    async fn tables(&self, generation: u32) -> Result<Arc<Tables>> {
        let mut held = self.tables.lock().await;
        if let Some((_, tables)) = held.as_ref().filter(|(of, _)| *of == generation) {
            return Ok(Arc::clone(tables));
        }
        let file = self.reduced(generation)?;
        let (groups, _) =
            blocking(move || scan(&file, &Start::all(Of::Dictionary), |_| false)).await?;
        let (customers, agents, recordings) = self.sides()?;
        let told = Configuration::kept(self.config.work())?.unwrap_or_default();
        let lookup = Lookup::new(&groups, told.fields());
        let definitions = self.segment_definitions(&told)?;
        let of_intents = groups.iter().flat_map(|group| group.of(tag::INTENT));
        let intents: Vec<Row> = of_intents
            .filter_map(|row| Row::parse(&row.line).ok())
            .collect();
        let mut inventory = inventory::items(&self.tenant(), &lookup, &intents, &definitions);
        inventory.extend(inventory::told(&self.tenant(), &told));
        inventory.extend(inventory::reports(
            &self.tenant(),
            &self.manifest()?.shapes(),
        ));
        let tables = Arc::new(Tables {
            tenant: self.tenant(),
            inventory,
            segments: self.segments(&definitions)?,
            lookup,
            customers,
            agents,
            recordings,
            decisions: reconcile::read(&self.reconcile_folder())?,
        });
        *held = Some((generation, Arc::clone(&tables)));
        Ok(tables)
    }

    pub(super) async fn dictionaries_page(&self, shard: &Shard) -> Result<Page> {
        let generation = told(shard, "generation").unwrap_or(1);
        let tables = self.tables(generation).await?;
        let definitions = tables.lookup.definitions(&tables.tenant).map(Record::from);
        let teams = tables.lookup.teams(&tables.tenant).map(Record::from);
        let items = tables.inventory.iter().cloned().map(Record::from);
        let mut records: Vec<Record> = definitions.chain(teams).chain(items).collect();
        records.retain(|record| shard.yields.contains(&record.kind()));
        Ok(Page::new(records, Next::End(watermark(generation))))
    }

    pub(super) async fn agents_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let tables = self.tables(told(shard, "generation").unwrap_or(1)).await?;
        let taken = self
            .take(shard, after.as_ref(), Start::all(Of::Agent))
            .await?;
        let ground = tables.ground(&self.config, cx);
        let mut records: Vec<Record> = Vec::new();
        for group in &taken.groups {
            records.push(convert::agent(&ground, group).into());
            records.extend(convert::statistics(&ground, group).map(Record::from));
        }
        records.retain(|record| shard.yields.contains(&record.kind()));
        Ok(Page::new(records, taken.next))
    }

    pub(super) async fn customers_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let tables = self.tables(told(shard, "generation").unwrap_or(1)).await?;
        let taken = self
            .take(shard, after.as_ref(), Start::all(Of::Customer))
            .await?;
        let ground = tables.ground(&self.config, cx);
        let (params, placeholders) = (self.config.params(), self.config.placeholder_accounts());
        let mut records: Vec<Record> = Vec::new();
        let mut seen = HashSet::new();
        for group in &taken.groups {
            let (contact, account) = convert::customer(&ground, &params, placeholders, group);
            records.extend(
                account
                    .filter(|account| seen.insert(account.meta.key.clone()))
                    .map(Record::from),
            );
            records.push(contact.into());
        }
        records.retain(|record| shard.yields.contains(&record.kind()));
        Ok(Page::new(records, taken.next))
    }

    pub(super) async fn conversations_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let generation = told(shard, "generation").unwrap_or(1);
        let tables = self.tables(generation).await?;
        let number = |name| told(shard, name).and_then(|number| u16::try_from(number).ok());
        let range = buckets(number("part").unwrap_or(0), number("parts").unwrap_or(1));
        let taken = self
            .take(shard, after.as_ref(), Start::conversations(range))
            .await?;
        let ground = tables.ground(&self.config, cx);
        let mut page = Page::new(Vec::new(), taken.next);
        let mut refused: Vec<(String, Origin, RecordKind, String, String)> = Vec::new();
        for group in &taken.groups {
            let converted = convert::conversation(&ground, group);
            let key = converted.conversation.meta.key.clone();
            if let Some(doubt) = converted
                .doubt
                .filter(|_| tables.decisions.get(&group.id) != Some(&true))
            {
                let of_messages = converted
                    .messages
                    .iter()
                    .map(|message| message.meta.key.clone());
                let skipped = std::iter::once(key.clone()).chain(of_messages);
                page.skips.extend(skipped.map(|key| Skip {
                    key,
                    reason: doubt.to_owned(),
                }));
            }
            page.records.push(converted.conversation.into());
            page.records
                .extend(converted.messages.into_iter().map(Record::from));
            page.complete.push(key);
            let id = &group.id;
            refused.extend(
                converted
                    .refused
                    .into_iter()
                    .map(|(origin, kind, reason, raw)| (id.clone(), origin, kind, reason, raw)),
            );
        }
        page.records
            .retain(|record| shard.yields.contains(&record.kind()));
        if !refused.is_empty() {
            let files = self
                .manifest()?
                .files(&refused.iter().map(|(_, origin, ..)| origin.file).collect())?;
            page.rejects = refused
                .into_iter()
                .map(|(id, origin, kind, reason, raw)| Reject {
                    kind,
                    id: Some(id),
                    path: match files.get(&origin.file) {
                        Some(file) => format!("{}:{}", file.path, origin.line),
                        None => format!("line {}", origin.line),
                    },
                    reason,
                    raw,
                })
                .collect();
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_cursor() {
        let key = [b'G', 0, 255, b'7', 0];
        assert_eq!(unhex(&hex(&key)), key);
        assert!(unhex("").is_empty());
    }
}
