//! Outcomes made durable, and keys looked up.

use std::sync::Arc;

use chrono::Utc;
use deskferry::core::journal::{Effect, EffectState, Intent, Journal, Operation};
use deskferry::core::ledger::{Final, Ledger, LedgerJournal, SqliteLedger};
use deskferry::core::stage::SqliteIndex;
use deskferry::core::stage::index::{Address, Index, NewPage, NewRow};
use deskferry::model::Facts;
use deskferry::sink::Verdict;
use deskferry::source::{Cursor, Next, Shard};
use deskferry::{RecordId, RecordKey, RecordKind};

use super::Settings;
use super::mass::tenant;
use super::stage::folder_bytes;
use super::table::{Dice, Spent, Table, Watch, whole};

const BATCH: usize = 1_000;

pub(crate) fn figure(settings: &Settings) {
    let rows = settings.number("rows", 1_000_000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure(rows));
}

async fn measure(rows: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let index: Arc<dyn Index> =
        Arc::new(SqliteIndex::open(&folder.path().join("index.sqlite")).expect("an index"));
    let mut table = Table::new(
        &format!(
            "ledger: {} records with keys in random order, batches of {BATCH}",
            whole(rows as f64)
        ),
        &["step", "records/s by the clock", "records/s on one core"],
    );
    let row = |table: &mut Table, name: &str, count: u64, spent: Spent| {
        let rate = |seconds: f64| whole(count as f64 / seconds);
        table.row(&[name.to_owned(), rate(spent.wall), rate(spent.processor)]);
    };

    let mut dice = Dice::new(2);
    let sources = dice.shuffled(rows);
    let watch = Watch::start();
    fill_index(index.as_ref(), &sources).await;
    row(&mut table, "index: rows appended", rows, watch.spent());

    let in_order: Vec<i64> = (1..=rows.cast_signed()).collect();
    let shuffled = dice.shuffled(rows);
    let mut last = None;
    for (ids, order) in [
        (in_order, "loaded in the order of reading"),
        (shuffled, "loaded in an order of its own"),
    ] {
        let path = folder
            .path()
            .join(format!("{}.sqlite", &order[order.len() - 3..]));
        let ledger = Arc::new(SqliteLedger::open(&path).expect("a ledger"));
        for (name, spent) in load(ledger.as_ref(), &ids).await {
            row(&mut table, &format!("{name}, {order}"), rows, spent);
        }
        last = Some(ledger);
    }

    let looked = rows.min(200_000);
    let keys: Vec<RecordKey> = (0..looked)
        .map(|_| tenant().key(RecordKind::Message, dice.below(rows) + 1))
        .collect();
    let watch = Watch::start();
    for keys in keys.chunks(BATCH) {
        let found = index.find(keys).await.expect("an answer");
        assert!(found.iter().all(Option::is_some), "every key was read");
    }
    row(&mut table, "look-ups by key: id", looked, watch.spent());

    let ledger: Arc<dyn Ledger> = last.expect("two ledgers were filled");
    let journal = LedgerJournal::new(ledger, index, "mark-0");
    let watch = Watch::start();
    for keys in keys.chunks(BATCH) {
        let known = journal.look(keys).await.expect("an answer");
        assert!(
            known
                .iter()
                .all(|known| known.id_of("EmailMessage").is_some()),
            "every record stands"
        );
    }
    row(
        &mut table,
        "look-ups by key: id, outcome and effects",
        looked,
        watch.spent(),
    );
    table.print();
    let bytes = folder_bytes(folder.path()) as f64 / rows as f64;
    println!(
        "  bytes a record: {} of an index and two ledgers",
        whole(bytes)
    );
}

async fn fill_index(index: &dyn Index, sources: &[i64]) {
    index.set_tenant(&tenant()).await.expect("a tenant");
    let shard = Shard::new("all", [RecordKind::Message]);
    index
        .add_shards(std::slice::from_ref(&shard))
        .await
        .expect("a shard");
    for sources in sources.chunks(BATCH) {
        let page = NewPage {
            shard: shard.id.clone(),
            rows: sources.iter().map(|id| index_row(*id)).collect(),
            skips: Vec::new(),
            rejects: Vec::new(),
            complete: Vec::new(),
            spawn: Vec::new(),
            notes: Vec::new(),
            next: Next::More(Cursor {
                version: 1,
                place: serde_json::json!({ "after": sources[0] }),
            }),
            read_at: Utc::now(),
        };
        index
            .append(Vec::new(), vec![page])
            .await
            .expect("a durable page");
    }
}

fn index_row(id: i64) -> NewRow {
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&id.to_le_bytes());
    NewRow {
        key: tenant().key(RecordKind::Message, id),
        kind: RecordKind::Message,
        address: Address {
            segment: 1,
            offset: id.cast_unsigned() * 300,
            length: 60_000,
            line: 7,
        },
        bytes: 1_500,
        hash,
        revision: Some(1_700_000_000_000),
        facts: Facts {
            group: Some(tenant().key(RecordKind::Conversation, id / 6)),
            at: 1_700_000_000_000 + id,
            sequence: id,
            alias: Some(format!("<{id}@example.org>")),
            ..Facts::default()
        },
    }
}

/// What the load of a batch does to a ledger: intents, effects, outcomes.
async fn load(ledger: &dyn Ledger, ids: &[i64]) -> Vec<(&'static str, Spent)> {
    let watch = Watch::start();
    for (n, ids) in ids.chunks(BATCH).enumerate() {
        let intents = ids.iter().map(|id| intent(*id, n)).collect();
        ledger.intend(intents).await.expect("durable intents");
    }
    let intended = watch.spent();
    let watch = Watch::start();
    for ids in ids.chunks(BATCH) {
        let effects = ids.iter().map(|id| effect(*id)).collect();
        ledger.settle(effects).await.expect("durable effects");
    }
    let settled = watch.spent();
    let watch = Watch::start();
    for ids in ids.chunks(BATCH) {
        let outcomes = ids
            .iter()
            .map(|id| Final {
                record: RecordId(*id),
                verdict: Verdict::Created,
                version: Some(1),
            })
            .collect();
        ledger
            .finish("messages", chrono::Utc::now(), outcomes)
            .await
            .expect("final outcomes");
    }
    vec![
        ("intents", intended),
        ("effects", settled),
        ("outcomes", watch.spent()),
    ]
}

fn intent(id: i64, batch: usize) -> Intent {
    Intent {
        record: RecordId(id),
        row: 0,
        object: "EmailMessage".into(),
        operation: Operation::Insert,
        request: format!("request-{batch}"),
        sent_at: Utc::now(),
        hash: [7; 16],
        image: None,
    }
}

fn effect(id: i64) -> Effect {
    Effect {
        record: RecordId(id),
        row: 0,
        object: "EmailMessage".into(),
        operation: Operation::Insert,
        state: EffectState::Confirmed {
            id: format!("02sxx{id:010}AAA"),
        },
        hash: [7; 16],
    }
}
