//! Handing over what a target does not take: documents for people, in the target's folder.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::workspace::{Workspace, make_private, write_whole};
use crate::cells::{MARK, safe};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::{RecordKey, RecordKind};
use crate::model::{AgentStatistics, CustomValue, Record};
use crate::report::{AGENT_STATISTICS, INVENTORY, Inventory};
use crate::sink::Sink;
use crate::stage::Stage;
use crate::transform::{Transform, Transformed};

/// The kinds that become documents where no phase of the sink takes them.
pub(super) const HANDED: [RecordKind; 2] = [RecordKind::InventoryItem, RecordKind::AgentStatistics];

/// How many records are looked at together.
const TOGETHER: usize = 1_000;

/// The columns before those of the figures.
const COLUMNS: [&str; 4] = ["agent", "name", "from", "until"];

/// What people build again in this target, of what was read so far. Asks nobody. Not beside a run.
///
/// # Errors
/// `Storage`.
pub async fn inventory(cx: &Context, workspace: &Workspace, sink: &dyn Sink) -> Result<Inventory> {
    let hands = Hands {
        stage: &Stage::open(&workspace.stage()).await?,
        transforms: &[],
        sink,
    };
    hands.inventory(cx).await
}

/// Makes the page again from the JSON beside it, where there is one.
pub(super) fn write_again(folder: &Path) -> Result<()> {
    let path = folder.join(format!("{INVENTORY}.json"));
    if !path.exists() {
        return Ok(());
    }
    let text = std::fs::read(&path).map_err(|e| failed(e, &path))?;
    let inventory: Inventory =
        serde_json::from_slice(&text).map_err(|e| failed(std::io::Error::other(e), &path))?;
    let page = folder.join(format!("{INVENTORY}.html"));
    write_whole(&page, inventory.html()?.as_bytes())
}

fn failed(error: std::io::Error, path: &Path) -> Error {
    Error::storage("hand over", error).with("file", path.display())
}

/// What was read, on its way to the people of a target.
pub(super) struct Hands<'a> {
    pub(super) stage: &'a Stage,
    pub(super) transforms: &'a [Arc<dyn Transform>],
    pub(super) sink: &'a dyn Sink,
}

impl Hands<'_> {
    /// Writes the documents that have anything in them.
    pub(super) async fn write(&self, cx: &Context, folder: &Path, target: &str) -> Result<()> {
        let inventory = self.inventory(cx).await?;
        if !inventory.is_empty() {
            let inventory = inventory.of_target(target);
            let path = begin(folder, &format!("{INVENTORY}.json"))?;
            write_whole(&path, &inventory.json()?)?;
            write_whole(&path.with_extension("html"), inventory.html()?.as_bytes())?;
        }
        let statistics = self.statistics(cx).await?;
        if !statistics.is_empty() {
            let names = self.names(&statistics).await?;
            let path = begin(folder, AGENT_STATISTICS)?;
            write_whole(&path, &table(&statistics, &names)?)?;
        }
        Ok(())
    }

    async fn inventory(&self, cx: &Context) -> Result<Inventory> {
        let mut items = Vec::new();
        self.each(cx, RecordKind::InventoryItem, |record| {
            if let Record::InventoryItem(item) = record {
                items.push(*item);
            }
        })
        .await?;
        let source = self.stage.index().tenant().await?;
        let source = source.map_or_else(String::new, |tenant| tenant.to_string());
        Ok(Inventory::new(source, cx.now(), items, self.sink))
    }

    async fn statistics(&self, cx: &Context) -> Result<Vec<AgentStatistics>> {
        let mut all = Vec::new();
        self.each(cx, RecordKind::AgentStatistics, |record| {
            if let Record::AgentStatistics(figures) = record {
                all.push(*figures);
            }
        })
        .await?;
        Ok(all)
    }

    /// The records of a kind that the target does not take, as the transforms leave them.
    async fn each(
        &self,
        cx: &Context,
        kind: RecordKind,
        mut take: impl FnMut(Record),
    ) -> Result<()> {
        let phases = self.sink.phases();
        if phases.iter().any(|phase| phase.kinds.contains(&kind)) {
            return Ok(());
        }
        let mut place = None;
        loop {
            let index = self.stage.index();
            let mut rows = index.scan(&[kind], place.as_ref(), TOGETHER).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            place = Some(last.place());
            rows.retain(|row| row.skip.is_none());
            let mut records = self.stage.records(&rows).await?;
            for transform in self.transforms {
                if records.is_empty() {
                    break;
                }
                let verdicts = transform.apply(cx, records).await?;
                records = verdicts.into_iter().flat_map(kept).collect();
            }
            records.into_iter().for_each(&mut take);
        }
    }

    /// What the agents are called, of those who were read.
    async fn names(&self, statistics: &[AgentStatistics]) -> Result<HashMap<RecordKey, String>> {
        let keys: BTreeSet<&RecordKey> = statistics.iter().map(|s| &s.agent).collect();
        let keys: Vec<RecordKey> = keys.into_iter().cloned().collect();
        let mut names = HashMap::new();
        for keys in keys.chunks(TOGETHER) {
            let found = self.stage.index().find(keys).await?;
            let ids: Vec<_> = found.into_iter().flatten().collect();
            let rows = self.stage.index().rows(&ids).await?;
            for record in self.stage.records(&rows).await? {
                if let Record::Agent(agent) = record {
                    names.insert(agent.meta.key.clone(), agent.name.clone());
                }
            }
        }
        Ok(names)
    }
}

fn kept(verdict: Transformed) -> Vec<Record> {
    match verdict {
        Transformed::Keep(record) => vec![record],
        Transformed::Split(records) => records,
        Transformed::Skip(_) => Vec::new(),
    }
}

/// A file of the target's folder, in a folder that is there.
fn begin(folder: &Path, file: &str) -> Result<std::path::PathBuf> {
    let path = folder.join(file);
    let parent = path.parent().unwrap_or(folder);
    make_private(parent).map_err(|e| failed(e, parent))?;
    Ok(path)
}

/// A table for spreadsheets, a line per agent and span of time, a column per figure.
fn table(statistics: &[AgentStatistics], names: &HashMap<RecordKey, String>) -> Result<Vec<u8>> {
    let broken = |e: csv::Error| Error::bug("write what agents did", e.to_string());
    let figures = statistics.iter().flat_map(|s| s.meta.custom.keys());
    let figures: BTreeSet<&String> = figures.collect();
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(MARK.to_vec());
    let header = COLUMNS.iter().map(|name| (*name).to_owned());
    writer
        .write_record(header.chain(figures.iter().map(|name| safe(name))))
        .map_err(broken)?;
    for line in statistics {
        let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
            at.map_or_else(String::new, |at| {
                at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            })
        };
        let cells = [
            line.agent.to_string(),
            names.get(&line.agent).map_or_else(String::new, |n| safe(n)),
            time(line.from),
            time(line.until),
        ];
        let values = figures.iter().map(|name| cell(line.meta.custom.get(*name)));
        writer
            .write_record(cells.into_iter().chain(values))
            .map_err(broken)?;
    }
    writer
        .into_inner()
        .map_err(|e| Error::bug("write what agents did", e.to_string()))
}

fn cell(value: Option<&CustomValue>) -> String {
    let Some(value) = value else {
        return String::new();
    };
    match value {
        // A number is none of a formula's beginnings, even below zero.
        CustomValue::Number(text) if text.parse::<f64>().is_ok() => text.trim().to_owned(),
        value => match value.to_json() {
            serde_json::Value::String(text) => safe(&text),
            other => safe(&other.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Tenant;
    use crate::model::Meta;

    #[test]
    fn what_agents_did_is_a_table_in_which_nothing_is_a_formula() {
        let tenant = Tenant::new("desk", "acme");
        let agent = tenant.key(RecordKind::Agent, 1);
        let line = |n: u64, custom: &[(&str, CustomValue)]| AgentStatistics {
            meta: Meta {
                custom: custom
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect(),
                ..Meta::new(tenant.key(RecordKind::AgentStatistics, n))
            },
            agent: agent.clone(),
            from: chrono::DateTime::from_timestamp(1_700_000_000, 0),
            until: None,
        };
        let statistics = [
            line(1, &[("calls", CustomValue::Number("-2.5".into()))]),
            line(
                2,
                &[
                    ("=1+1", CustomValue::Text("=1+1".into())),
                    ("calls", CustomValue::Number("=cmd()".into())),
                ],
            ),
        ];
        let names = HashMap::from([(agent, "@SUM(A1)".to_owned())]);
        let bytes = table(&statistics, &names).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            "\u{feff}agent,name,from,until,'=1+1,calls\r\n\
             desk:acme:agent:1,'@SUM(A1),2023-11-14T22:13:20Z,,,-2.5\r\n\
             desk:acme:agent:1,'@SUM(A1),2023-11-14T22:13:20Z,,'=1+1,'=cmd()\r\n"
        );
    }
}
