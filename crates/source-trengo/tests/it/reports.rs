//! Figures beside the cases, names of rules, and answers of surveys.

use deskferry_core::model::{CustomValue, InventoryKind, Satisfaction};
use deskferry_core::{Record, RecordKind};
use deskferry_rehearsal::trengo::LeastOptions;
use deskferry_source_trengo::Take;

use crate::harness::{Reader, asked, config, desk, options, read_all, source};

fn number(value: &CustomValue) -> u64 {
    match value {
        CustomValue::Number(text) => text.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_agents_and_of_the_workspace_are_read_month_by_month() {
    let desk = desk(options(60)).await;
    // As far back as the world goes.
    let reader = read_all(&source(config(&desk).report_months(240)))
        .await
        .unwrap();
    let (mut assigned, mut metrics) = (0, 0);
    for record in reader.read.records.values() {
        match record {
            Record::AgentStatistics(figures) => {
                assert!(figures.from < figures.until);
                assigned += number(&figures.meta.custom["assigned_tickets"]);
            }
            Record::InventoryItem(item)
                if item.kind.is == InventoryKind::Report && !item.definition.is_null() =>
            {
                metrics += 1;
                if item.name == "created tickets" {
                    let months = item.definition["by_month"].as_object().unwrap();
                    let created: u64 = months.values().filter_map(|n| n.as_u64()).sum();
                    assert_eq!(
                        created,
                        reader.read.count(RecordKind::Conversation) as u64
                            + reader.read.left_out().len() as u64
                    );
                }
            }
            _ => {}
        }
    }
    let held = reader
        .read
        .conversations()
        .filter(|one| one.assignee.is_some());
    assert_eq!(assigned, held.count() as u64);
    assert_eq!(metrics, 7);
    let none = read_all(&source(config(&desk).report_months(0))).await;
    assert_eq!(none.unwrap().read.count(RecordKind::AgentStatistics), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_tickets_are_a_table_beside_the_cases_for_no_request_more() {
    let desk = desk(options(120)).await;
    let source = source(config(&desk).ticket_figures(Take::Include));
    let reader = read_all(&source).await.unwrap();
    let all: Vec<_> = reader
        .read
        .records
        .values()
        .filter_map(|record| match record {
            Record::ObjectRecord(figures) => Some(figures),
            _ => None,
        })
        .collect();
    assert_eq!(all.len(), reader.read.complete.len());
    for figures in &all {
        let case = &figures.relations[0].to;
        assert!(reader.read.records.contains_key(case), "{case}");
        assert!(reader.read.records.contains_key(&figures.object));
    }
    let replied = all
        .iter()
        .filter(|one| one.meta.custom.contains_key("first_reply_time"));
    assert!(replied.count() > 10);
    let columns: Vec<&str> = reader
        .read
        .records
        .values()
        .filter_map(|record| match record {
            Record::FieldDefinition(field) if field.of == RecordKind::ObjectRecord => {
                Some(field.field.as_str())
            }
            _ => None,
        })
        .collect();
    assert!(columns.contains(&"total_resolution_time"), "{columns:?}");
    let least = desk.least_requests(LeastOptions::default());
    assert_eq!(asked(&desk, "/reporting/details"), least.completeness);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_known_by_the_audits_that_name_them() {
    let desk = desk(options(120)).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let items = |kind: InventoryKind| -> Vec<String> {
        let items = reader
            .read
            .records
            .values()
            .filter_map(|record| match record {
                Record::InventoryItem(item) if item.kind.is == kind => Some(item),
                _ => None,
            });
        let lines = |item: &deskferry_core::model::InventoryItem| {
            let parts = item.parts.iter().flat_map(|part| &part.lines);
            format!(
                "{}: {}",
                item.name,
                parts.cloned().collect::<Vec<_>>().join("; ")
            )
        };
        items.map(|item| lines(item)).collect()
    };
    let mut rules = items(InventoryKind::Automation);
    // What no interface shows has a line of its own.
    rules.retain(|rule| !rule.contains("write them down by hand"));
    assert!(
        rules
            .iter()
            .any(|rule| rule.starts_with("Triage 1: seen at TICKET_LABELED; Label ")),
        "{rules:?}"
    );
    assert!(rules.len() <= 3, "each once: {rules:?}");
    // Numbers of channels and of members have their names beside them.
    let routing = items(InventoryKind::Routing);
    assert!(
        routing
            .iter()
            .any(|team| team.contains("channels: help (1)")),
        "{routing:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_surveys_come_from_the_table_that_people_export() {
    let desk = desk(options(120)).await;
    let table = std::env::temp_dir().join(format!("deskferry-survey-{}.csv", std::process::id()));
    std::fs::write(&table, format!("{}999999,,4,,\r\n,,3,,\r\n", desk.survey())).unwrap();
    let reader = read_all(&source(config(&desk).satisfaction(&table))).await;
    std::fs::remove_file(&table).unwrap();
    let reader = reader.unwrap();
    let told = |part: &str| reader.read.notes.iter().any(|note| note.contains(part));
    assert!(
        told("no ticket or no score, and were left out: 1"),
        "{:?}",
        reader.read.notes
    );
    assert!(told("tickets that were not read, and were left out: 1"));
    let mut rated = 0;
    for read in reader.read.conversations() {
        let id = read.number.parse().unwrap();
        let talk = desk.world().conversation_by_id(id).unwrap();
        let Some(Satisfaction { raw, score, at, .. }) = &read.satisfaction else {
            continue;
        };
        rated += 1;
        assert!(
            talk.rating.is_some() && at.is_some() && score.as_ref() == Some(raw),
            "{id}"
        );
    }
    assert_eq!(rated + 3, desk.survey().lines().count() + 2);
    let lost = source(config(&desk).satisfaction("no/such/file.csv"));
    assert!(lost_file(&lost).await.contains("no/such/file.csv"));
}

async fn lost_file(source: &deskferry_source_trengo::Trengo) -> String {
    use deskferry_core::source::Source as _;
    let error = source.check(&Reader::new().cx).await.unwrap_err();
    format!("{error:?}")
}
