//! A platform's JSON to the durable stage.

use chrono::Utc;
use deskferry::core::stage::Stage;
use deskferry::source::{Cursor, Next, Page, Shard, Watermark};
use deskferry::{Record, RecordKind};

use super::Settings;
use super::mass::{self, PER_CONVERSATION};
use super::table::{Dice, Spent, Table, Watch, fine, whole};

const PAGE: u64 = 100;
const SHARDS: u64 = 8;

pub(crate) fn figure(settings: &Settings) {
    let records = settings.number("records", 100_000);
    let mut dice = Dice::new(1);
    let wire: Vec<String> = (0..records).map(|id| mass::wire(&mut dice, id)).collect();
    let wire_bytes: usize = wire.iter().map(String::len).sum();

    let watch = Watch::start();
    let mut lines = 0;
    for json in &wire {
        lines += Record::from(mass::convert(json))
            .to_line()
            .expect("a record is JSON")
            .len();
    }
    let decoding = watch.spent();

    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let watch = Watch::start();
    runtime.block_on(fill(folder.path(), wire));
    let staging = watch.spent();

    let segments = folder_bytes(&folder.path().join("segments"));
    let index = folder_bytes(folder.path()) - segments;
    let mut table = Table::new(
        &format!(
            "stage: {} mails, pages of {PAGE} from {SHARDS} shards",
            whole(records as f64)
        ),
        &["step", "records/s on one core", "records/s by the clock"],
    );
    let row = |table: &mut Table, name: &str, spent: Spent| {
        let rate = |seconds: f64| whole(records as f64 / seconds);
        table.row(&[name.to_owned(), rate(spent.processor), rate(spent.wall)]);
    };
    row(
        &mut table,
        "decode, convert, write as a line (alone)",
        decoding,
    );
    row(
        &mut table,
        "the same, compressed, synced and indexed",
        staging,
    );
    table.print();
    let each = |bytes: u64| whole(bytes as f64 / records as f64);
    println!(
        "  bytes a record: {} on the wire, {} as a line, {} in its segment (1 : {}), {} in the index",
        each(wire_bytes as u64),
        each(lines as u64),
        each(segments),
        fine(lines as f64 / segments as f64),
        each(index),
    );
}

async fn fill(folder: &std::path::Path, wire: Vec<String>) {
    let stage = Stage::open(folder).await.expect("a stage");
    stage
        .index()
        .set_tenant(&mass::tenant())
        .await
        .expect("a tenant");
    let share = (wire.len() as u64 / SHARDS / PAGE).max(1) * PAGE;
    let mut rest = wire;
    let mut writers = Vec::new();
    for n in 0..SHARDS {
        let keep = if n + 1 == SHARDS {
            0
        } else {
            rest.len()
                .saturating_sub(usize::try_from(share).unwrap_or(0))
        };
        let mine = rest.split_off(keep);
        let stage = stage.clone();
        writers.push(tokio::spawn(
            async move { fill_shard(&stage, n, mine).await },
        ));
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
}

async fn fill_shard(stage: &Stage, n: u64, wire: Vec<String>) {
    let shard = Shard::new(format!("part-{n}"), [RecordKind::Message]);
    stage
        .index()
        .add_shards(std::slice::from_ref(&shard))
        .await
        .expect("a shard");
    let pages = wire.chunks(usize::try_from(PAGE).unwrap_or(1));
    let last = pages.len();
    for (at, json) in pages.enumerate() {
        let messages: Vec<_> = json.iter().map(|json| mass::convert(json)).collect();
        let mut complete: Vec<_> = messages
            .iter()
            .filter(|m| m.sequence.cast_unsigned() % PER_CONVERSATION == PER_CONVERSATION - 1)
            .map(|m| m.conversation.clone())
            .collect();
        complete.dedup();
        let place = serde_json::json!({ "page": at + 1 });
        let next = if at + 1 == last {
            Next::End(Watermark { version: 1, place })
        } else {
            Next::More(Cursor { version: 1, place })
        };
        let mut page = Page::new(messages.into_iter().map(Record::from).collect(), next);
        page.complete = complete;
        stage
            .append(&shard, page, Utc::now())
            .await
            .expect("a durable page");
    }
}

/// The bytes of all files below a folder.
pub(crate) fn folder_bytes(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => folder_bytes(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}
