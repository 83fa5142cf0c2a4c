//! Calls as tasks, figures of agents as rows.

use deskferry_core::key::RecordKind;
use deskferry_core::model::*;
use deskferry_core::sink::{Sink, Verdict};
use deskferry_sink_salesforce::{Mapping, metadata};
use serde_json::{Value, json};

use crate::bench::*;

fn mapping() -> String {
    let text = Mapping::default_text();
    for commented in ["# calls = \"task\"", "# agent_statistics = \"object\""] {
        assert!(text.contains(commented));
    }
    text.replace("# calls = \"task\"", "calls = \"task\"")
        .replace(
            "# agent_statistics = \"object\"",
            "agent_statistics = \"object\"",
        )
}

async fn bench() -> Bench {
    let bench = Bench::mapped(|options| options, &mapping()).await;
    bench.sink.check(&bench.cx).await.unwrap();
    let ben = records([agent(1, "Ben Agent", "ben@example.org")]);
    bench.load("agents", ben).await;
    let ann = records([contact(1, "Ann Lee", "ann@example.org")]);
    bench.load("contacts", ann).await;
    let mut asked = conversation(1);
    asked.requester = Some(key(RecordKind::Contact, 1));
    bench.load("cases", records([asked])).await;
    bench
}

fn call(id: u32) -> Message {
    let mut call = note(id, 1, "We agreed to meet");
    call.direction = Direction::Out;
    call.channel = Named::new(ChannelKind::Voice, "PHONE");
    call.author = Author {
        key: Some(key(RecordKind::Agent, 1)),
        role: AuthorRole::Agent,
        name: "Ben Agent".into(),
    };
    call.call = Some(Call {
        seconds: Some(125),
        disposition: Some("answered".into()),
        from: Some("+47 22 00 00 00".into()),
        to: Some("+47 99 00 00 00".into()),
        recording: Some(format!("https://example.org/recordings/{id}")),
    });
    let mood = CustomValue::Text("cheerful".into());
    call.meta.custom.insert("mood".into(), mood);
    call
}

#[tokio::test]
async fn a_call_becomes_a_task_that_holds_all_of_it() {
    let bench = bench().await;
    let mut long = call(2);
    let signed = format!("https://example.org/{}", "x".repeat(300));
    if let Some(call) = &mut long.call {
        call.recording = Some(signed.clone());
    }
    let mut words = note(3, 1, "What was said");
    words.channel = Named::new(ChannelKind::Voice, "PHONE");
    let messages = records([call(1), long, words]);
    assert_eq!(
        bench.load("messages", messages.clone()).await,
        vec![Verdict::Created; 3]
    );
    let tasks = bench.dump("Task");
    assert_eq!(tasks.len(), 2, "{tasks:#?}");
    let case = bench.only("Case")["Id"].clone();
    let contact = bench.only("Contact")["Id"].clone();
    for (field, value) in [
        ("WhatId", case),
        ("WhoId", contact),
        ("Subject", json!("Call")),
        ("TaskSubtype", json!("Call")),
        ("Status", json!("Completed")),
        ("ActivityDate", json!("2021-03-04")),
        ("CallType", json!("Outbound")),
        ("CallDisposition", json!("answered")),
        (
            "Call_Recording__c",
            json!("https://example.org/recordings/1"),
        ),
        ("Call_Time__c", json!("2021-03-04T05:06:07.000+0000")),
        ("CreatedDate", json!("2021-03-04T05:06:07.000+0000")),
        ("Source_Key__c", json!("kayako:acme:message:1")),
        ("Migration_Batch__c", json!("mark-0")),
        (
            "Description",
            json!(
                "We agreed to meet\nBy: Ben Agent\nFrom: +47 22 00 00 00\nTo: +47 99 00 00 00\n\
                 Recording: https://example.org/recordings/1\nmood: cheerful"
            ),
        ),
    ] {
        assert_eq!(tasks[0][field], value, "{field}");
    }
    assert_eq!(tasks[0]["CallDurationInSeconds"].as_f64(), Some(125.0));
    let ben = bench.dump("User");
    let ben = ben.iter().find(|user| user["Email"] == "ben@example.org");
    assert_eq!(tasks[0]["OwnerId"], ben.unwrap()["Id"]);
    assert_eq!(tasks[1].get("Call_Recording__c"), None, "no cut address");
    let described = tasks[1]["Description"].as_str().unwrap();
    assert!(described.contains(&signed), "{described}");
    // What was said in the call is no call.
    assert!(
        bench.only("CaseComment")["CommentBody"]
            .as_str()
            .unwrap()
            .ends_with("What was said")
    );
    assert_eq!(bench.differences("messages", messages).await, [""; 0]);
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_found_among_archived_tasks() {
    let mut bench = bench().await;
    let messages = records([call(1), call(2)]);
    bench.journal.die_after_sending(true);
    assert!(bench.try_load("messages", messages.clone()).await.is_err());
    bench.journal.die_after_sending(false);
    bench.remapped(&mapping());
    assert_eq!(
        bench.load("messages", messages.clone()).await,
        vec![Verdict::Created; 2]
    );
    assert_eq!(bench.dump("Task").len(), 2);
    // Somebody else changes a task: it is seen although it is archived.
    let id = bench.dump("Task")[0]["Id"].as_str().unwrap().to_owned();
    let other = json!({"CallDisposition": "busy"});
    bench.change("Task", &id, other).await;
    let differences = bench.differences("messages", messages).await;
    assert_eq!(
        differences,
        ["Task.CallDisposition: \"answered\" became \"busy\""]
    );
}

#[tokio::test]
async fn figures_of_agents_become_rows_beside_their_user() {
    let bench = bench().await;
    let figures = |id: u32, agent: u32| {
        let mut meta = Meta::new(key(RecordKind::AgentStatistics, id));
        for (name, value) in [
            ("assignments", "12"),
            ("average_handle_seconds", "90.25"),
            ("solved", "11"),
        ] {
            let value = CustomValue::Number(value.into());
            meta.custom.insert(name.into(), value);
        }
        AgentStatistics {
            meta,
            agent: key(RecordKind::Agent, agent),
            from: Some(at("2021-03-01T00:00:00Z")),
            until: Some(at("2021-03-31T23:59:59Z")),
        }
    };
    let all = records([figures(1, 1), figures(2, 9)]);
    assert_eq!(
        bench.load("statistics", all.clone()).await,
        vec![Verdict::Created; 2]
    );
    let rows = bench.dump("Agent_Stats__c");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["Agent_Name__c"], "Ben Agent");
    assert!(rows[0]["Agent__c"].is_string());
    assert_eq!(rows[0]["Assignments__c"].as_f64(), Some(12.0));
    assert_eq!(rows[0]["Average_Handle_Seconds__c"].as_f64(), Some(90.25));
    assert_eq!(rows[0]["Period_End__c"], "2021-03-31T23:59:59.000+0000");
    assert_eq!(rows[0]["Source_Json__c"], "{\"custom.solved\":11}");
    assert_eq!(rows[1].get("Agent__c"), None);
    assert_eq!(rows[1]["Agent_Name__c"], "kayako:acme:agent:9");
    assert_eq!(bench.differences("statistics", all).await, [""; 0]);
}

#[tokio::test]
async fn the_package_defines_fields_of_tasks_where_activities_have_them() {
    let mut bench = Bench::new().await;
    bench.remapped(&mapping());
    assert!(bench.sink.check(&bench.cx).await.is_err());
    let package = metadata::package(&Mapping::parse(&mapping()).unwrap());
    let paths: Vec<&str> = package.iter().map(|file| file.path.as_str()).collect();
    assert!(paths.contains(&"objects/Activity.object"), "{paths:?}");
    assert!(paths.contains(&"objects/Agent_Stats__c.object"));
    assert!(!paths.contains(&"objects/Task.object"));
    let result = bench.deploy(metadata::zip(&package)).await;
    assert_eq!(result["status"], "Succeeded", "{result:#}");
    bench.remapped(&mapping());
    bench.sink.check(&bench.cx).await.unwrap();
    assert_eq!(bench.dump("Task"), [Value::Null; 0]);
}
