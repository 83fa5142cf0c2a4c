//! What people set up: read whole, without secrets, and never a reason to end a read.

use std::collections::BTreeMap;

use deskferry_core::model::{InventoryItem, InventoryKind};
use deskferry_core::source::Scope;
use deskferry_core::{Record, RecordKind, Tenant};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::world::{Role, World, WorldSpec};

use crate::harness::{Read, Reader, config, desk, options, source};

async fn inventory(options: deskferry_rehearsal::kayako::KayakoOptions) -> Read {
    let desk = desk(options).await;
    read(&desk).await
}

async fn read(desk: &deskferry_rehearsal::kayako::Kayako) -> Read {
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::InventoryItem];
    let source = source(config(desk));
    let mut reader = Reader::new();
    reader.begin(&source, &scope).await.unwrap();
    reader.finish(&source).await.unwrap();
    reader.read
}

fn items(read: &Read) -> impl Iterator<Item = &InventoryItem> {
    read.records.values().filter_map(|record| match record {
        Record::InventoryItem(item) => Some(item.as_ref()),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_up_is_read_with_its_conditions_and_without_secrets() {
    let read = inventory(options(20)).await;
    assert_eq!(read.rejects, Vec::new());
    assert_eq!(read.notes, Vec::<String>::new());
    let mut kinds: BTreeMap<InventoryKind, usize> = BTreeMap::new();
    for item in items(&read) {
        *kinds.entry(item.kind.is).or_default() += 1;
        assert!(!item.name.is_empty(), "{}", item.meta.key);
    }
    for (kind, wanted) in [
        (InventoryKind::Automation, 3),
        (InventoryKind::Schedule, 1),
        (InventoryKind::Sla, 1),
        (InventoryKind::BusinessHours, 1),
        (InventoryKind::Macro, 1),
        (InventoryKind::View, 4),
        (InventoryKind::Form, 1),
        (InventoryKind::Webhook, 1),
        (InventoryKind::Routing, 4),
        (InventoryKind::Other, 1),
    ] {
        assert_eq!(kinds.get(&kind), Some(&wanted), "{kind:?}: {kinds:?}");
    }
    // Mailboxes, and an account of each of two networks.
    assert!(kinds[&InventoryKind::Channel] > 2, "{kinds:?}");
    assert!(kinds[&InventoryKind::Field] > 0, "{kinds:?}");
    let told = |id: &str, title: &str| {
        let key = Tenant::new("kayako", "acme").key(RecordKind::InventoryItem, id);
        let item = items(&read).find(|item| item.meta.key == key).unwrap();
        let parts = item.parts.iter().filter(|part| part.title == title);
        parts
            .flat_map(|part| part.lines.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told("trigger-1", "conditions"),
        ["cases.subject string_contains order"]
    );
    assert_eq!(told("trigger-1", "actions").len(), 2);
    assert!(told("trigger-1", "actions")[1].starts_with("assignedteam CHANGE 1 ("));
    assert_eq!(
        told("monitor-1", "actions"),
        ["status CHANGE 5 (Closed)"],
        "numbers have names"
    );
    let world = World::generate(WorldSpec::new(11, 20));
    let person = |id: u64| world.person(id).unwrap().name.clone();
    let field = world
        .lists()
        .fields
        .iter()
        .find(|field| field.key == "product_area")
        .unwrap();
    let option = field
        .options
        .iter()
        .find(|option| option.id == 101)
        .unwrap();
    assert_eq!(
        told("trigger-3", "conditions"),
        [
            format!(
                "cases.customfield.product_area ({}) comparison_equalto 101 ({})",
                field.title, option.label
            ),
            format!(
                "cases.assignedagentid comparison_not_equalto 4 ({})",
                person(4)
            ),
        ],
        "custom fields, their options and people have names"
    );
    assert_eq!(
        told("trigger-3", "actions"),
        [format!("assignedagent CHANGE 3 ({})", person(3))]
    );
    assert_eq!(told("sla-1", "targets").len(), 2);
    assert!(told("sla-1", "targets")[0].starts_with("FIRST_REPLY_TIME within 14400 seconds"));
    let all = serde_json::to_string(&items(&read).collect::<Vec<_>>()).unwrap();
    for secret in [
        "secret-of-the-hook",
        "key-of-the-shop",
        "token-of-the-page",
        "token-of-the-account",
        "bearer-of-the-trigger",
    ] {
        assert!(!all.contains(secret), "{secret}");
    }
    assert!(all.contains("https://shop.acme.example/…"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_the_account_may_not_read_are_notes_and_the_others_are_read() {
    let mut lowly = options(20);
    lowly.role = Role::Agent;
    let read = inventory(lowly).await;
    assert_eq!(read.rejects, Vec::new());
    let closed = read
        .notes
        .iter()
        .filter(|note| note.contains("not in the inventory"));
    assert_eq!(closed.count(), 9, "{:?}", read.notes);
    assert!(items(&read).any(|item| item.kind.is == InventoryKind::Macro));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_without_an_id_is_rejected_and_its_neighbours_stay() {
    let desk = desk(options(20)).await;
    desk.faults()
        .push(Rule::new(Action::named("null:/id")).path("trigger:1;"));
    let read = read(&desk).await;
    let [reject] = &read.rejects[..] else {
        panic!("{:?}", read.rejects)
    };
    assert_eq!(
        (reject.kind, reject.path.as_str()),
        (RecordKind::InventoryItem, "id")
    );
    assert!(items(&read).any(|item| item.meta.key.id() == "trigger-2"));
}
