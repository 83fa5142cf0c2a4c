//! Custom objects of the source, each as an object of its own.

use deskferry_core::key::{RecordKey, RecordKind};
use deskferry_core::model::*;
use deskferry_core::sink::{Sink, Verdict};
use deskferry_sink_salesforce::{Mapping, mapping::objects_text, metadata};
use serde_json::{Value, json};

use crate::bench::*;

fn definition(id: &str, relations: Vec<RelationDefinition>) -> ObjectDefinition {
    ObjectDefinition {
        meta: Meta::new(key(RecordKind::ObjectDefinition, id)),
        name: id.into(),
        title: id.into(),
        plural: None,
        relations,
        active: true,
    }
}

fn relation(field: &str, kind: RelationKind, to: RecordKind, object: &str) -> RelationDefinition {
    RelationDefinition {
        field: field.into(),
        title: field.into(),
        kind,
        to,
        object: (!object.is_empty()).then(|| key(RecordKind::ObjectDefinition, object)),
    }
}

fn field(name: &str, holds: FieldType, options: &[&str]) -> FieldDefinition {
    FieldDefinition {
        meta: Meta::new(key(RecordKind::FieldDefinition, name)),
        of: RecordKind::ObjectRecord,
        object: Some(key(RecordKind::ObjectDefinition, "order")),
        field: name.into(),
        title: name.into(),
        holds,
        raw_type: String::new(),
        options: options.iter().map(|o| (*o).to_owned()).collect(),
        active: true,
    }
}

fn definitions() -> Vec<ObjectDefinition> {
    use RecordKind::{Contact, Conversation, ObjectRecord};
    let order = vec![
        relation("buyer", RelationKind::Owned, Contact, ""),
        relation("ticket", RelationKind::Lookup, Conversation, ""),
        relation("previous", RelationKind::Lookup, ObjectRecord, "order"),
        relation("products", RelationKind::Many, ObjectRecord, "product"),
    ];
    vec![
        definition("order", order),
        definition("product", Vec::new()),
    ]
}

async fn bench() -> Bench {
    let fields = [
        field("total", FieldType::Number, &[]),
        field("paid", FieldType::Bool, &[]),
        field("colour", FieldType::Choice, &["Red", "Blue"]),
    ];
    let text = Mapping::default_text().to_owned() + &objects_text(&definitions(), &fields);
    let bench = Bench::mapped(|options| options, &text).await;
    bench.sink.check(&bench.cx).await.unwrap();
    let ann = records([contact(1, "Ann Lee", "ann@example.org")]);
    bench.load("contacts", ann).await;
    bench.load("cases", records([conversation(1)])).await;
    bench
}

fn record(object: &str, id: &str, to: &[(&str, RecordKey)]) -> ObjectRecord {
    let mut meta = Meta::new(key(RecordKind::ObjectRecord, id));
    meta.created_at = Some(at("2021-03-04T05:06:07Z"));
    ObjectRecord {
        meta,
        object: key(RecordKind::ObjectDefinition, object),
        name: format!("The {id}"),
        relations: to
            .iter()
            .map(|(field, to)| Relation {
                field: (*field).to_owned(),
                to: to.clone(),
            })
            .collect(),
    }
}

/// An order of Ann's.
fn order(id: &str, to: &[(&str, &str)]) -> ObjectRecord {
    let mut all = vec![("buyer", key(RecordKind::Contact, 1))];
    all.extend(
        to.iter()
            .map(|(field, to)| (*field, key(RecordKind::ObjectRecord, to))),
    );
    record("order", id, &all)
}

fn by_key<'a>(rows: &'a [Value], id: &str) -> &'a Value {
    let key = key(RecordKind::ObjectRecord, id).to_string();
    let found = rows.iter().find(|row| row["Source_Key__c"] == key.as_str());
    found.unwrap_or_else(|| panic!("no row {id}: {rows:#?}"))
}

#[tokio::test]
async fn the_package_makes_every_object_and_field_that_the_mapping_needs() {
    let policy = ("chat = \"case-comment\"", "chat = \"conversation-message\"");
    let shipped = Mapping::default_text().replace(policy.0, policy.1);
    let text = shipped + &objects_text(&definitions(), &[field("paid", FieldType::Bool, &[])]);
    let mut bench = Bench::new().await;
    bench.remapped(&text);
    assert!(bench.sink.check(&bench.cx).await.is_err());
    let package = metadata::package(&Mapping::parse(&text).unwrap());
    let result = bench.deploy(metadata::zip(&package)).await;
    assert_eq!(result["status"], "Succeeded", "{result:#}");
    bench.remapped(&text);
    bench.sink.check(&bench.cx).await.unwrap();
    let mut product = record("product", "p1", &[]);
    product.name = "Lamp".into();
    assert_eq!(
        bench.load("objects", records([product])).await,
        [Verdict::Created]
    );
    assert_eq!(bench.only("Product__c")["Name"], "Lamp");
}

#[tokio::test]
async fn a_record_lands_with_its_values_and_what_it_points_at() {
    let bench = bench().await;
    let made = bench.load("values", records(definitions())).await;
    assert_eq!(made, vec![Verdict::Skipped("in-the-mapping".into()); 2]);
    let mut first = order(
        "o1",
        &[("products", "p1"), ("products", "p2"), ("unheard-of", "p1")],
    );
    first.relations.push(Relation {
        field: "ticket".into(),
        to: key(RecordKind::Conversation, 1),
    });
    first.meta.custom = CustomValues::from([
        ("total".into(), CustomValue::Number("12.5".into())),
        ("paid".into(), CustomValue::Bool(true)),
        ("colour".into(), CustomValue::Choice("Green".into())),
        ("extra".into(), CustomValue::Text("kept".into())),
    ]);
    let all = records([
        first,
        record("product", "p1", &[]),
        record("product", "p2", &[]),
    ]);
    assert_eq!(
        bench.load("objects", all.clone()).await,
        vec![Verdict::Created; 3]
    );
    let orders = bench.dump("Order__c");
    let row = by_key(&orders, "o1");
    assert_eq!(row["Name"], "The o1");
    assert_eq!(row["Buyer__c"], bench.only("Contact")["Id"]);
    assert_eq!(row["Ticket__c"], bench.only("Case")["Id"]);
    assert_eq!(row["Total__c"].as_f64(), Some(12.5));
    assert_eq!(row["Paid__c"], json!(true));
    assert_eq!(row["CreatedDate"], "2021-03-04T05:06:07.000+0000");
    assert_eq!(
        row["Source_Json__c"],
        "{\"custom.extra\":\"kept\",\"relation.unheard-of\":[\"kayako:acme:object-record:p1\"],\"unfit.Colour__c\":\"Green\"}"
    );
    let products = bench.dump("Product__c");
    let pairs = bench.dump("Order_Products__c");
    assert_eq!(pairs.len(), 2);
    for product in ["p1", "p2"] {
        let id = &by_key(&products, product)["Id"];
        let pair = pairs.iter().find(|pair| pair["Product__c"] == *id);
        assert_eq!(pair.unwrap()["Order__c"], row["Id"]);
    }
    assert_eq!(bench.differences("objects", all.clone()).await, [""; 0]);
    // Once more, as after a crash: nothing twice.
    bench.load("objects", all).await;
    assert_eq!(bench.dump("Order_Products__c").len(), 2);
    assert_eq!(bench.dump("Order__c").len(), 1);
}

#[tokio::test]
async fn a_record_waits_for_one_that_comes_in_a_later_batch() {
    let bench = bench().await;
    let second = records([order("o2", &[("previous", "o1"), ("products", "p1")])]);
    let others = records([order("o1", &[]), record("product", "p1", &[])]);
    // All of them are read before the phase opens.
    bench.register(&others);
    assert_eq!(bench.load("objects", second.clone()).await, []);
    assert_eq!(bench.dump("Order__c"), [Value::Null; 0]);
    assert_eq!(bench.load("objects", others.clone()).await.len(), 2);
    assert_eq!(bench.flush().await, [Verdict::Created]);
    let orders = bench.dump("Order__c");
    assert_eq!(
        by_key(&orders, "o2")["Previous__c"],
        by_key(&orders, "o1")["Id"]
    );
    assert_eq!(bench.dump("Order_Products__c").len(), 1);
    let all: Vec<Record> = second.into_iter().chain(others).collect();
    assert_eq!(bench.differences("objects", all).await, [""; 0]);
}

#[tokio::test]
async fn a_circle_is_broken_at_its_youngest_edge_which_is_kept_beside_the_row() {
    let bench = bench().await;
    let mut young = order("o1", &[("previous", "o3")]);
    young.meta.created_at = Some(at("2022-01-01T00:00:00Z"));
    let all = records([
        young,
        order("o2", &[("previous", "o1")]),
        order("o3", &[("previous", "o2")]),
        order("o4", &[("previous", "o3")]),
        order("o5", &[("previous", "o5")]),
    ]);
    // The one that points at itself waits for nobody.
    assert_eq!(bench.load("objects", all.clone()).await, [Verdict::Created]);
    assert_eq!(bench.flush().await, vec![Verdict::Created; 4]);
    let orders = bench.dump("Order__c");
    let id = |id: &str| by_key(&orders, id)["Id"].clone();
    for (order, previous) in [("o2", "o1"), ("o3", "o2"), ("o4", "o3")] {
        assert_eq!(
            by_key(&orders, order)["Previous__c"],
            id(previous),
            "{order}"
        );
    }
    for (order, previous) in [("o1", "o3"), ("o5", "o5")] {
        let row = by_key(&orders, order);
        assert_eq!(row.get("Previous__c"), None);
        assert_eq!(
            row["Source_Json__c"],
            format!("{{\"relation.previous\":[\"kayako:acme:object-record:{previous}\"]}}")
        );
    }
    assert_eq!(bench.differences("objects", all).await, [""; 0]);
}

#[tokio::test]
async fn what_no_table_takes_is_skipped_by_name_and_a_detail_without_its_master_fails_by_name() {
    let bench = bench().await;
    let verdicts = bench
        .load(
            "objects",
            records([
                record("invoice", "i1", &[]),
                record("order", "o1", &[("buyer", key(RecordKind::Contact, 77))]),
            ]),
        )
        .await;
    assert_eq!(verdicts[0], Verdict::Skipped("not-mapped".into()));
    let Verdict::Failed { code, .. } = &verdicts[1] else {
        panic!("{verdicts:?}")
    };
    assert_eq!(code, "NO_MASTER");
}
