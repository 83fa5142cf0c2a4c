//! The object contract (docs/contract.md), row by row: how rows of each object are written, known again, dated, changed and
//! taken back; and the protocol's points, as far as they are the org's.

use super::*;

/// By what a row is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// A unique external id: the second row is refused.
    Key,
    /// A pair of references: the second row is refused.
    Pair,
    /// Nothing: the second row is one more.
    Multiset,
}

/// Which audit fields a new row takes where the org allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audit {
    None,
    /// CreatedDate and CreatedById, by a permission of their own.
    Feed,
    Full,
}

/// What becomes of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undo {
    Delete,
    /// By this code.
    Refused(&'static str),
}

/// One row of the contract. `{case}` and its like stand for ids of rows that are there.
struct Contracted {
    object: &'static str,
    row: &'static str,
    identity: Identity,
    audit: Audit,
    /// Whether the Bulk API takes such a row.
    bulk: bool,
    /// A field that can be changed later, and its new value.
    changes: Option<(&'static str, &'static str)>,
    /// A field that cannot, a new value, and the code that says so.
    frozen: Option<(&'static str, &'static str, &'static str)>,
    undo: Undo,
}

const NOT_WRITABLE: &str = "INVALID_FIELD_FOR_INSERT_UPDATE";

const ROWS: [Contracted; 20] = [
    Contracted {
        object: "Account",
        row: r#"{"Name": "Acme", "Source_Key__c": "{key}"}"#,
        identity: Identity::Key,
        audit: Audit::Full,
        bulk: true,
        changes: Some(("Name", "Acme & Sons")),
        frozen: None,
        undo: Undo::Delete,
    },
    Contracted {
        object: "Contact",
        row: r#"{"LastName": "Lee", "AccountId": "{account}", "Source_Key__c": "{key}"}"#,
        identity: Identity::Key,
        audit: Audit::Full,
        bulk: true,
        changes: Some(("LastName", "Leigh")),
        frozen: Some(("Name", "Whole", NOT_WRITABLE)),
        undo: Undo::Delete,
    },
    Contracted {
        object: "Lead",
        row: r#"{"LastName": "Lee", "Company": "Acme", "Source_Key__c": "{key}"}"#,
        identity: Identity::Key,
        audit: Audit::Full,
        bulk: true,
        changes: Some(("Company", "Acme & Sons")),
        frozen: None,
        undo: Undo::Delete,
    },
    Contracted {
        object: "Case",
        row: r#"{"Subject": "Lamp", "ContactId": "{contact}", "Source_Key__c": "{key}"}"#,
        identity: Identity::Key,
        audit: Audit::Full,
        bulk: true,
        changes: Some(("Status", "Working")),
        frozen: Some(("CaseNumber", "1", NOT_WRITABLE)),
        undo: Undo::Delete,
    },
    Contracted {
        object: "EmailMessage",
        row: r#"{"ParentId": "{case}", "Status": "0", "Subject": "Lamp", "Source_Key__c": "{key}"}"#,
        identity: Identity::Key,
        audit: Audit::Full,
        bulk: true,
        changes: Some(("Status", "1")),
        frozen: Some(("Subject", "Other", "INSUFFICIENT_ACCESS_OR_READONLY")),
        undo: Undo::Delete,
    },
    Contracted {
        object: "EmailMessageRelation",
        row: r#"{"EmailMessageId": "{mail}", "RelationId": "{contact}", "RelationType": "FromAddress"}"#,
        identity: Identity::Multiset,
        audit: Audit::None,
        bulk: true,
        changes: None,
        frozen: Some(("RelationType", "ToAddress", "INVALID_TYPE_FOR_OPERATION")),
        undo: Undo::Delete,
    },
    Contracted {
        object: "CaseComment",
        row: r#"{"ParentId": "{case}", "CommentBody": "Hello", "IsPublished": "true"}"#,
        identity: Identity::Multiset,
        audit: Audit::Full,
        bulk: true,
        changes: Some(("CommentBody", "Hello again")),
        frozen: Some(("ParentId", "{other_case}", NOT_WRITABLE)),
        undo: Undo::Delete,
    },
    Contracted {
        object: "Conversation_Message__c",
        row: r#"{"Case__c": "{case}", "Body__c": "Hello", "Source_Key__c": "{key}"}"#,
        identity: Identity::Key,
        audit: Audit::Full,
        bulk: true,
        changes: Some(("Body__c", "Hello again")),
        frozen: None,
        undo: Undo::Delete,
    },
    Contracted {
        object: "ContentVersion",
        row: r#"{"PathOnClient": "a.txt", "VersionData": "aGVsbG8=", "FirstPublishLocationId": "{case}", "Source_Key__c": "{key}"}"#,
        identity: Identity::Key,
        audit: Audit::Full,
        bulk: false,
        changes: Some(("Title", "Letter")),
        frozen: Some(("FirstPublishLocationId", "{other_case}", NOT_WRITABLE)),
        undo: Undo::Refused("INVALID_TYPE_FOR_OPERATION"),
    },
    Contracted {
        object: "ContentDocumentLink",
        row: r#"{"ContentDocumentId": "{document}", "LinkedEntityId": "{other_case}", "ShareType": "V"}"#,
        identity: Identity::Pair,
        audit: Audit::None,
        bulk: true,
        changes: Some(("Visibility", "AllUsers")),
        frozen: Some(("LinkedEntityId", "{case}", NOT_WRITABLE)),
        undo: Undo::Delete,
    },
    Contracted {
        object: "ContentNote",
        row: r#"{"Title": "Note", "Content": "PHA+SGVsbG88L3A+"}"#,
        identity: Identity::Multiset,
        audit: Audit::Full,
        bulk: false,
        changes: Some(("Title", "Other note")),
        frozen: Some(("FileType", "TEXT", NOT_WRITABLE)),
        undo: Undo::Delete,
    },
    Contracted {
        object: "Task",
        row: r#"{"Subject": "Call", "TaskSubtype": "Call", "Status": "Completed", "CallDurationInSeconds": "61"}"#,
        identity: Identity::Multiset,
        audit: Audit::Full,
        bulk: true,
        changes: Some(("Subject", "Call back")),
        frozen: Some(("TaskSubtype", "Email", NOT_WRITABLE)),
        undo: Undo::Delete,
    },
    Contracted {
        object: "FeedItem",
        row: r#"{"ParentId": "{case}", "Body": "Hello", "Visibility": "InternalUsers"}"#,
        identity: Identity::Multiset,
        audit: Audit::Feed,
        bulk: true,
        changes: Some(("Body", "Hello again")),
        frozen: Some(("ParentId", "{other_case}", NOT_WRITABLE)),
        undo: Undo::Delete,
    },
    Contracted {
        object: "FeedComment",
        row: r#"{"FeedItemId": "{post}", "CommentBody": "Hello"}"#,
        identity: Identity::Multiset,
        audit: Audit::Feed,
        bulk: true,
        changes: Some(("CommentBody", "Hello again")),
        frozen: Some(("FeedItemId", "{post}", NOT_WRITABLE)),
        undo: Undo::Delete,
    },
    Contracted {
        object: "Topic",
        row: r#"{"Name": "Lamps"}"#,
        identity: Identity::Key,
        audit: Audit::None,
        bulk: true,
        changes: Some(("Description", "All about lamps")),
        frozen: None,
        undo: Undo::Delete,
    },
    Contracted {
        object: "TopicAssignment",
        row: r#"{"TopicId": "{topic}", "EntityId": "{case}"}"#,
        identity: Identity::Pair,
        audit: Audit::None,
        bulk: true,
        changes: None,
        frozen: Some(("EntityId", "{other_case}", "INVALID_TYPE_FOR_OPERATION")),
        undo: Undo::Delete,
    },
    Contracted {
        object: "User",
        row: r#"{"Username": "new@example.org", "LastName": "New", "Email": "new@example.org", "Alias": "new",
                 "CommunityNickname": "new", "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
                 "LanguageLocaleKey": "en_US", "ProfileId": "{profile}", "IsActive": "false"}"#,
        identity: Identity::Key,
        audit: Audit::None,
        bulk: true,
        changes: Some(("IsActive", "false")),
        frozen: None,
        undo: Undo::Refused("INVALID_TYPE_FOR_OPERATION"),
    },
    Contracted {
        object: "Group",
        row: r#"{"Name": "Second line", "DeveloperName": "Second_line", "Type": "Queue"}"#,
        identity: Identity::Key,
        audit: Audit::None,
        bulk: true,
        changes: Some(("Name", "Third line")),
        frozen: None,
        undo: Undo::Delete,
    },
    Contracted {
        object: "GroupMember",
        row: r#"{"GroupId": "{queue}", "UserOrGroupId": "{user}"}"#,
        identity: Identity::Pair,
        audit: Audit::None,
        bulk: true,
        changes: None,
        frozen: None,
        undo: Undo::Delete,
    },
    Contracted {
        object: "QueueSobject",
        row: r#"{"QueueId": "{queue}", "SobjectType": "Lead"}"#,
        identity: Identity::Pair,
        audit: Audit::None,
        bulk: true,
        changes: None,
        frozen: None,
        undo: Undo::Delete,
    },
];

/// An org in which every row of the contract can be written, and the ids that rows name.
struct World {
    bench: Bench,
    ids: Vec<(&'static str, String)>,
    /// So that each row has a key of its own.
    keys: std::cell::Cell<u32>,
}

fn options_of_the_contract(mut options: OrgOptions, audit: bool) -> OrgOptions {
    options.settings.update_email_messages = true;
    let case = CustomField {
        reference_to: Some("Case".into()),
        relationship_name: Some("Messages".into()),
        ..CustomField::new("Conversation_Message__c", "Case__c", FieldType::Lookup)
    };
    let body = CustomField {
        length: Some(1_000),
        ..CustomField::new(
            "Conversation_Message__c",
            "Body__c",
            FieldType::LongTextArea,
        )
    };
    options
        .audit_fields(audit)
        .feed_system_fields(audit)
        .custom_object(CustomObject::numbered(
            "Conversation_Message__c",
            "M-{0000}",
        ))
        .custom_fields([
            case,
            body,
            CustomField::source_key("Conversation_Message__c"),
            CustomField::source_key("Lead"),
            CustomField::text("Case", "Migration_Batch__c", 40),
        ])
}

impl World {
    async fn new(audit: bool) -> Self {
        let bench = Bench::with(|options| options_of_the_contract(options, audit)).await;
        let account = bench.add("Account", json!({"Name": "Parent"})).await;
        let contact = bench
            .add("Contact", json!({"LastName": "P", "AccountId": account}))
            .await;
        let case = bench.add("Case", json!({"Subject": "Parent"})).await;
        let other_case = bench.add("Case", json!({"Subject": "Other"})).await;
        let mail = bench
            .add(
                "EmailMessage",
                json!({"ParentId": case, "Status": "3", "Subject": "Parent"}),
            )
            .await;
        let file = json!({"PathOnClient": "p.txt", "FirstPublishLocationId": case});
        let file = id(&bench.upload(file, b"parent".to_vec(), true).await);
        let document = bench
            .value("ContentVersion", &file, "ContentDocumentId")
            .await;
        let post = bench
            .add("FeedItem", json!({"ParentId": case, "Body": "Parent"}))
            .await;
        let topic = bench.add("Topic", json!({"Name": "Parent"})).await;
        let queue = bench
            .add(
                "Group",
                json!({"Name": "P", "DeveloperName": "P", "Type": "Queue"}),
            )
            .await;
        let profile = bench.rows("SELECT Id FROM Profile").await[0]["Id"].clone();
        let user = bench.user("Ann Agent").await;
        let text = |value: Value| value.as_str().unwrap().to_owned();
        let ids = vec![
            ("{account}", account),
            ("{contact}", contact),
            ("{case}", case),
            ("{other_case}", other_case),
            ("{mail}", mail),
            ("{document}", text(document)),
            ("{post}", post),
            ("{topic}", topic),
            ("{queue}", queue),
            ("{profile}", text(profile)),
            ("{user}", user),
        ];
        Self {
            bench,
            ids,
            keys: std::cell::Cell::new(0),
        }
    }

    fn id(&self, name: &str) -> &str {
        let found = self.ids.iter().find(|(known, _)| *known == name);
        &found.unwrap().1
    }

    fn filled(&self, text: &str) -> String {
        let text = self
            .ids
            .iter()
            .fold(text.to_owned(), |text, (name, id)| text.replace(name, id));
        text.replace("{key}", &format!("acme:row:{}", self.keys.get()))
    }

    fn row(&self, contracted: &Contracted) -> Value {
        serde_json::from_str(&self.filled(contracted.row)).unwrap()
    }

    /// A row with a key that no other row has.
    fn next(&self, contracted: &Contracted) -> Value {
        self.keys.set(self.keys.get() + 1);
        self.row(contracted)
    }

    async fn code(&self, method: &str, object: &str, id: &str, body: Value) -> String {
        let place = format!("sobjects/{object}/{id}");
        let answer = self.bench.send(method, &place, body).await;
        if answer.status < 300 {
            "taken".to_owned()
        } else {
            answer.code().to_owned()
        }
    }
}

#[tokio::test]
async fn a_row_is_known_again_as_the_contract_says() {
    let world = World::new(true).await;
    for contracted in &ROWS {
        let row = world.next(contracted);
        let object = contracted.object;
        let first = world.bench.add(object, row.clone()).await;
        let second = world
            .bench
            .insert(object, std::slice::from_ref(&row))
            .await
            .remove(0);
        let code = second["errors"][0]["statusCode"].as_str();
        match contracted.identity {
            Identity::Multiset => assert_eq!(second["success"], true, "{object}: {second}"),
            Identity::Pair => assert_eq!(code, Some("DUPLICATE_VALUE"), "{object}"),
            Identity::Key if object == "User" => assert_eq!(code, Some("DUPLICATE_USERNAME")),
            Identity::Key if object == "Group" => {
                assert_eq!(code, Some("DUPLICATE_DEVELOPER_NAME"))
            }
            Identity::Key => {
                assert_eq!(code, Some("DUPLICATE_VALUE"), "{object}");
                let message = second["errors"][0]["message"].as_str().unwrap();
                assert!(message.ends_with(&first[..15]), "{object}: {message}");
            }
        }
        if row.get("Source_Key__c").is_some() {
            let key = row["Source_Key__c"].as_str().unwrap();
            let place = format!(
                "sobjects/{object}/Source_Key__c/{}",
                key.replace(':', "%3A")
            );
            assert_eq!(world.bench.get(&place).await.body["Id"], first, "{object}");
            let mut other = row.clone();
            other["Source_Key__c"] = json!(key.to_uppercase());
            world.bench.add(object, other).await;
        }
    }
}

#[tokio::test]
async fn audit_fields_are_taken_at_insert_and_nowhere_else() {
    let (with, without) = (World::new(true).await, World::new(false).await);
    let ann = with.id("{user}").to_owned();
    let date = "2021-03-04T05:06:07.000+0000";
    for contracted in &ROWS {
        let object = contracted.object;
        let mut row = with.next(contracted);
        let describe = with.bench.get(&format!("sobjects/{object}/describe")).await;
        let createable = |name: &str| {
            let fields = describe.body["fields"].as_array().unwrap();
            let field = fields.iter().find(|field| field["name"] == name);
            field.is_some_and(|field| field["createable"] == true)
        };
        assert_eq!(
            createable("CreatedDate"),
            contracted.audit != Audit::None,
            "{object}"
        );
        assert_eq!(
            createable("LastModifiedById"),
            contracted.audit == Audit::Full,
            "{object}"
        );
        row["CreatedDate"] = json!(date);
        if contracted.audit == Audit::None {
            let code = with.bench.refused(object, row).await.0;
            assert!(
                [NOT_WRITABLE, "INVALID_FIELD"].contains(&code.as_str()),
                "{object}: {code}"
            );
            continue;
        }
        row["CreatedById"] = json!(ann);
        if contracted.audit == Audit::Full {
            row["LastModifiedDate"] = json!(date);
            row["LastModifiedById"] = json!(ann);
        }
        let id = with.bench.add(object, row.clone()).await;
        let all = with.bench.org.dump(object).unwrap();
        let kept = all.iter().find(|row| row["Id"] == id).unwrap();
        for name in [
            "CreatedDate",
            "CreatedById",
            "LastModifiedDate",
            "LastModifiedById",
        ] {
            if row.get(name).is_some() {
                assert_eq!(kept[name], row[name], "{object}.{name}");
            }
        }
        let late = with
            .code("PATCH", object, &id, json!({"CreatedDate": date}))
            .await;
        assert_eq!(late, NOT_WRITABLE, "{object}: a later change");
        let mut row = without.next(contracted);
        row["CreatedDate"] = json!(date);
        assert_eq!(
            without.bench.refused(object, row).await.0,
            NOT_WRITABLE,
            "{object}"
        );
        if contracted.identity == Identity::Key && contracted.audit == Audit::Full {
            for key in ["acme:upsert:new", "acme:upsert:old"] {
                if key.ends_with("old") {
                    let mut row = with.next(contracted);
                    row["Source_Key__c"] = json!(key);
                    with.bench.add(object, row).await;
                }
                let mut row = with.next(contracted);
                row.as_object_mut().unwrap().remove("Source_Key__c");
                row["CreatedDate"] = json!(date);
                let place = format!("Source_Key__c/{}", key.replace(':', "%3A"));
                let code = with.code("PATCH", object, &place, row).await;
                assert_eq!(code, NOT_WRITABLE, "{object} {key}");
            }
        }
    }
}

#[tokio::test]
async fn a_row_is_changed_and_taken_back_as_the_contract_says() {
    let world = World::new(true).await;
    for contracted in &ROWS {
        let object = contracted.object;
        let row = world.bench.add(object, world.next(contracted)).await;
        if let Some((field, value)) = contracted.changes {
            let body = json!({field: world.filled(value)});
            assert_eq!(
                world.code("PATCH", object, &row, body).await,
                "taken",
                "{object}.{field}"
            );
            let kept = world.bench.value(object, &row, field).await;
            assert_eq!(
                kept.as_str()
                    .map_or_else(|| kept.to_string(), str::to_owned),
                value,
                "{object}"
            );
        }
        if let Some((field, value, code)) = contracted.frozen {
            let body = json!({field: world.filled(value)});
            assert_eq!(
                world.code("PATCH", object, &row, body).await,
                code,
                "{object}.{field}"
            );
        }
        let mine = |rows: Vec<Value>| rows.iter().any(|known| known["Id"] == row);
        let deleted = world.code("DELETE", object, &row, Value::Null).await;
        let is_there = mine(world.bench.org.dump(object).unwrap());
        match contracted.undo {
            Undo::Delete => assert!(deleted == "taken" && !is_there, "{object}: {deleted}"),
            Undo::Refused(code) => assert!(deleted == code && is_there, "{object}: {deleted}"),
        }
        if contracted.undo == Undo::Delete {
            let again = world.code("DELETE", object, &row, Value::Null).await;
            assert_eq!(again, "ENTITY_IS_DELETED", "{object}: gone is gone");
        }
    }
}

#[tokio::test]
async fn the_bulk_api_takes_what_the_contract_says() {
    let world = World::new(true).await;
    for contracted in &ROWS {
        let object = contracted.object;
        let row = world.next(contracted);
        let job = json!({"object": object, "operation": "insert", "lineEnding": "LF"});
        if !contracted.bulk {
            let made = world.bench.send("POST", "jobs/ingest", job).await;
            assert_eq!(
                (made.status, made.code()),
                (400, "INVALIDENTITY"),
                "{object}"
            );
            continue;
        }
        let row = row.as_object().unwrap();
        let names: Vec<&str> = row.keys().map(String::as_str).collect();
        let values: Vec<&str> = row.values().map(|value| value.as_str().unwrap()).collect();
        let csv = format!("{}\n{}\n", names.join(","), values.join(","));
        let (job, info) = world.bench.done(job, &csv).await;
        let failed = world
            .bench
            .text(&format!("jobs/ingest/{job}/failedResults"))
            .await;
        assert_eq!(
            (
                &info["numberRecordsProcessed"],
                &info["numberRecordsFailed"]
            ),
            (&json!(1), &json!(0)),
            "{object}: {failed}"
        );
    }
    let lists = json!({"object": "EmailMessage", "operation": "insert", "lineEnding": "LF"});
    let csv = format!(
        "ParentId,Status,ToIds\n{},3,{}\n",
        world.id("{case}"),
        world.id("{contact}")
    );
    let (_, info) = world.bench.done(lists, &csv).await;
    assert_eq!(info["state"], "Failed", "lists of ids exist in JSON only");
}

#[tokio::test]
async fn a_lost_answer_is_found_by_its_key_and_by_its_batch_mark() {
    let world = World::new(true).await;
    let bench = &world.bench;
    let row = json!({"Subject": "Lost", "Source_Key__c": "acme:case:7", "Migration_Batch__c": "t1:first"});
    bench
        .org
        .faults()
        .set(vec![Rule::new(Action::CutAfterAct).method("POST").times(1)]);
    let mut typed = row.clone();
    typed["attributes"] = json!({"type": "Case"});
    let lost = bench
        .request("POST", "composite/sobjects")
        .body(json!({"records": [typed]}).to_string());
    assert!(lost.send().await.is_err());
    let (code, message) = bench.refused("Case", row).await;
    assert_eq!(code, "DUPLICATE_VALUE");
    let place = "sobjects/Case/Source_Key__c/acme%3Acase%3A7?fields=Id,Migration_Batch__c";
    let ours = bench.get(place).await.body;
    assert!(message.ends_with(&ours["Id"].as_str().unwrap()[..15]));
    assert_eq!(ours["Migration_Batch__c"], "t1:first");
}

#[tokio::test]
async fn a_lost_job_is_attached_again_and_the_rows_of_one_that_is_gone_are_found() {
    let world = World::new(true).await;
    let bench = &world.bench;
    let (job, _) = bench
        .done(
            json!({"object": "Case", "operation": "insert", "lineEnding": "LF"}),
            "Source_Key__c,Subject\nacme:case:1,One\nacme:case:2,Two\n",
        )
        .await;
    let again = bench.get(&format!("jobs/ingest/{job}")).await;
    assert_eq!(again.body["state"], "JobComplete");
    bench
        .send("DELETE", &format!("jobs/ingest/{job}"), Value::Null)
        .await;
    assert_eq!(bench.get(&format!("jobs/ingest/{job}")).await.status, 404);
    let found = bench
        .rows("SELECT Source_Key__c FROM Case WHERE Source_Key__c IN ('acme:case:1', 'acme:case:2', 'acme:case:3')")
        .await;
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn rows_without_a_key_are_counted_by_parent_after_a_lost_answer() {
    let world = World::new(true).await;
    let bench = &world.bench;
    let comment = |text: &str| {
        json!({"attributes": {"type": "CaseComment"}, "ParentId": world.id("{case}"), "CommentBody": text,
               "CreatedDate": "2021-03-04T05:06:07Z", "LastModifiedDate": "2021-03-04T05:06:07Z", "CreatedById": world.id("{user}")})
    };
    bench
        .org
        .faults()
        .set(vec![Rule::new(Action::CutAfterAct).method("POST").times(1)]);
    let body = json!({"records": [comment("yes"), comment("yes"), comment("no")]});
    let lost = bench
        .request("POST", "composite/sobjects")
        .body(body.to_string());
    assert!(lost.send().await.is_err());
    let found = bench
        .rows(&format!(
            "SELECT CommentBody, CreatedDate, CreatedById FROM CaseComment WHERE ParentId = '{}' ORDER BY Id",
            world.id("{case}")
        ))
        .await;
    let texts: Vec<_> = found.iter().map(|row| row["CommentBody"].clone()).collect();
    assert_eq!(
        texts,
        ["yes", "yes", "no"],
        "equal rows are each there, in the order of the call"
    );
    assert!(
        found
            .iter()
            .all(|row| row["CreatedById"] == world.id("{user}"))
    );
}

#[tokio::test]
async fn a_child_comes_after_its_parent_and_a_second_write_takes_its_date_of_change() {
    let world = World::new(true).await;
    let bench = &world.bench;
    let orphan =
        json!({"Parent": {"Source_Key__c": "acme:case:later"}, "Source_Key__c": "acme:case:child"});
    assert_eq!(
        bench.refused("Case", orphan.clone()).await.0,
        "INVALID_FIELD"
    );
    let date = "2021-03-04T05:06:07.000+0000";
    let parent =
        json!({"Source_Key__c": "acme:case:later", "CreatedDate": date, "LastModifiedDate": date});
    let parent = bench.add("Case", parent).await;
    let child = bench.add("Case", orphan).await;
    assert_eq!(bench.value("Case", &child, "ParentId").await, parent);
    assert_eq!(bench.value("Case", &parent, "LastModifiedDate").await, date);
    assert_eq!(
        world
            .code("PATCH", "Case", &parent, json!({"ParentId": null}))
            .await,
        "taken"
    );
    assert_ne!(bench.value("Case", &parent, "LastModifiedDate").await, date);
    assert_eq!(bench.value("Case", &parent, "CreatedDate").await, date);
}

#[tokio::test]
async fn what_stood_there_before_is_read_changed_and_put_back() {
    let world = World::new(true).await;
    let bench = &world.bench;
    for (object, field) in [
        ("Account", "Phone"),
        ("Contact", "Phone"),
        ("Case", "Priority"),
    ] {
        let name = format!("{{{}}}", object.to_lowercase());
        let id = world.id(&name);
        let before = bench.value(object, id, field).await;
        assert_eq!(
            world
                .code("PATCH", object, id, json!({field: "High"}))
                .await,
            "taken"
        );
        assert_eq!(
            world
                .code("PATCH", object, id, json!({field: before}))
                .await,
            "taken"
        );
        assert_eq!(
            bench.value(object, id, field).await,
            before,
            "{object}.{field}"
        );
    }
}

/// What the platform changes by itself: rule, object, row, field, what is kept.
type Change = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const CHANGES: [Change; 24] = [
    (
        "trimmed",
        "Case",
        r#"{"Subject": "  Lamp \n"}"#,
        "Subject",
        r#""Lamp""#,
    ),
    (
        "trimmed",
        "CaseComment",
        r#"{"ParentId": "{case}", "CommentBody": " Hello "}"#,
        "CommentBody",
        r#""Hello""#,
    ),
    ("empty", "Case", r#"{"Subject": ""}"#, "Subject", "null"),
    (
        "empty",
        "Case",
        r#"{"Description": " \n "}"#,
        "Description",
        "null",
    ),
    (
        "lower-cased",
        "Contact",
        r#"{"LastName": "Lee", "Email": "Ann.Lee@Example.ORG"}"#,
        "Email",
        r#""ann.lee@example.org""#,
    ),
    (
        "lower-cased",
        "Lead",
        r#"{"LastName": "Lee", "Company": "A", "Email": "A@B.ORG"}"#,
        "Email",
        r#""a@b.org""#,
    ),
    (
        "seconds",
        "Case",
        r#"{"Answered__c": "2021-03-04T06:06:07.987+01:00"}"#,
        "Answered__c",
        r#""2021-03-04T05:06:07.000+0000""#,
    ),
    (
        "scaled",
        "Case",
        r#"{"Score__c": "12.345"}"#,
        "Score__c",
        "12.35",
    ),
    (
        "reordered",
        "Case",
        r#"{"Tags__c": "blue;red;blue"}"#,
        "Tags__c",
        r#""red;blue""#,
    ),
    (
        "sanitised",
        "Case",
        r#"{"Notes__c": "<p onclick=\"x()\">a<script>b</script></p>"}"#,
        "Notes__c",
        r#""<p>a</p>""#,
    ),
    (
        "text-from-html",
        "EmailMessage",
        r#"{"ParentId": "{case}", "Status": "3", "HtmlBody": "<p>one</p><p>two</p>"}"#,
        "TextBody",
        r#""one\ntwo""#,
    ),
    (
        "compound",
        "Contact",
        r#"{"FirstName": "Ann", "LastName": "Lee"}"#,
        "Name",
        r#""Ann Lee""#,
    ),
    (
        "compound",
        "Lead",
        r#"{"LastName": "Lee", "Company": "Acme"}"#,
        "Name",
        r#""Lee""#,
    ),
    (
        "account-from-contact",
        "Case",
        r#"{"ContactId": "{contact}"}"#,
        "AccountId",
        r#""{account}""#,
    ),
    ("default", "Case", "{}", "Status", r#""New""#),
    ("default", "Case", "{}", "Priority", r#""Medium""#),
    ("default", "Case", "{}", "Vip__c", "false"),
    (
        "default",
        "Task",
        r#"{"Subject": "Call"}"#,
        "Status",
        r#""Not Started""#,
    ),
    (
        "stamped",
        "Case",
        r#"{"Status": "New"}"#,
        "ClosedDate",
        "null",
    ),
    (
        "task dates",
        "Task",
        r#"{"Subject": "x", "CreatedDate": "2021-03-04T05:06:07Z", "LastModifiedDate": "2021-03-04T05:06:07Z"}"#,
        "LastModifiedDate",
        r#""2021-03-04T05:06:07.000+0000""#,
    ),
    (
        "derived",
        "Case",
        r#"{"Status": "Closed"}"#,
        "IsClosed",
        "true",
    ),
    (
        "derived",
        "EmailMessage",
        r#"{"ParentId": "{case}", "Status": "3", "Subject": "Lamp"}"#,
        "Name",
        r#""Lamp""#,
    ),
    (
        "picklist",
        "Case",
        r#"{"Priority": "high"}"#,
        "Priority",
        r#""High""#,
    ),
    (
        "ids",
        "Case",
        r#"{"ContactId": "{short contact}"}"#,
        "ContactId",
        r#""{contact}""#,
    ),
];

#[tokio::test]
async fn each_change_that_the_platform_makes_is_made_and_no_other() {
    for extra in [false, true] {
        let mut world = World::new(true).await;
        if extra {
            let bench = Bench::with(|options| {
                options_of_the_contract(options, true).extra_normalisation(true)
            })
            .await;
            let account = bench.add("Account", json!({"Name": "A"})).await;
            let contact = bench
                .add("Contact", json!({"LastName": "P", "AccountId": account}))
                .await;
            let case = bench.add("Case", json!({})).await;
            world.bench = bench;
            world.ids = vec![
                ("{account}", account),
                ("{contact}", contact),
                ("{case}", case),
            ];
        }
        let short = world.id("{contact}")[..15].to_owned();
        world.ids.insert(0, ("{short contact}", short));
        for (rule, object, row, field, kept) in CHANGES {
            let row: Value = serde_json::from_str(&world.filled(row)).unwrap();
            let made = world.bench.add(object, row).await;
            let kept: Value = serde_json::from_str(&world.filled(kept)).unwrap();
            let is = world.bench.value(object, &made, field).await;
            assert_eq!(
                is, kept,
                "{rule}: {object}.{field}, one more change: {extra}"
            );
        }
        let doubled = world.bench.add("Case", json!({"Subject": "a  b"})).await;
        let kept = if extra { "a b" } else { "a  b" };
        assert_eq!(world.bench.value("Case", &doubled, "Subject").await, kept);
        let tied = json!({"Subject": "x", "WhatId": world.id("{case}"), "CreatedDate": "2021-03-04T05:06:07Z",
                          "LastModifiedDate": "2021-03-04T05:06:07Z"});
        let tied = world.bench.add("Task", tied).await;
        let date = world.bench.value("Task", &tied, "LastModifiedDate").await;
        assert_ne!(
            date, "2021-03-04T05:06:07.000+0000",
            "who touches a record loses the date"
        );
        let closed = world.bench.add("Case", json!({"Status": "Closed"})).await;
        assert_ne!(
            world.bench.value("Case", &closed, "ClosedDate").await,
            Value::Null,
            "stamped"
        );
    }
}

/// `docs/normalisations.md` names no rule that is not performed here; a packaged crate has no docs beside it.
#[test]
fn every_documented_change_is_performed() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/normalisations.md");
    let Ok(page) = std::fs::read_to_string(page) else {
        return;
    };
    let rules = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    for rule in rules {
        // The sink's own doing, what a later update leaves as it was, and what one org alone was seen to do.
        if !["clamped", "amended", "probed"].contains(&rule) {
            assert!(
                CHANGES.iter().any(|(known, ..)| *known == rule),
                "{rule} has no case"
            );
        }
    }
}

#[tokio::test]
async fn an_image_inside_rich_text_gets_an_address_of_its_own() {
    let world = World::new(true).await;
    let html = "<p>see <img alt=\"x\" src=\"data:image/png;base64,aGVsbG8=\"></p>";
    let case = world.bench.add("Case", json!({"Notes__c": html})).await;
    let kept = world.bench.value("Case", &case, "Notes__c").await;
    let kept = kept.as_str().unwrap().replace("&amp;", "&");
    let at = kept.find("/servlet/rtaImage?eid=").expect("an address");
    let address = kept[at..].split('"').next().unwrap();
    assert!(address.contains(&case), "{address}");
    let image = world
        .bench
        .client
        .get(format!("{}{address}", world.bench.org.url()));
    let image = image.send().await.unwrap();
    assert_eq!(image.headers()["content-type"], "image/png");
    assert_eq!(image.bytes().await.unwrap(), "hello");
}

#[tokio::test]
async fn a_note_is_a_document_with_a_text_that_was_cleaned() {
    let world = World::new(true).await;
    let encoded = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let text = "<p>Ah\noy <b>ž</b> &amp; &#39;you&#39;<script>x</script></p>";
    let note = json!({"Title": "Note", "Content": encoded(text)});
    let note = world.bench.add("ContentNote", note).await;
    let row = world
        .bench
        .get(&format!("sobjects/ContentNote/{note}"))
        .await
        .body;
    assert_eq!(row["FileType"], "SNOTE");
    let content = world
        .bench
        .request("GET", &format!("sobjects/ContentNote/{note}/Content"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        content.text().await.unwrap(),
        "<p>Ahoy <b>ž</b> &amp; &#39;you&#39;</p>"
    );
    let versions =
        format!("SELECT Id, FileType FROM ContentVersion WHERE ContentDocumentId = '{note}'");
    assert_eq!(world.bench.rows(&versions).await[0]["FileType"], "SNOTE");
    let change = json!({"Content": encoded("<p>more</p>")});
    assert_eq!(
        world.code("PATCH", "ContentNote", &note, change).await,
        "taken"
    );
    assert_eq!(world.bench.rows(&versions).await.len(), 2);
    let bad = json!({"Title": "N", "Content": encoded("a & b")});
    assert_eq!(
        world.bench.refused("ContentNote", bad).await.0,
        "FIELD_INTEGRITY_EXCEPTION"
    );
    let link =
        json!({"ContentDocumentId": note, "LinkedEntityId": world.id("{case}"), "ShareType": "V"});
    world.bench.add("ContentDocumentLink", link).await;
    assert_eq!(
        world
            .code("DELETE", "ContentNote", &note, Value::Null)
            .await,
        "taken"
    );
    assert!(world.bench.rows(&versions).await.is_empty());
    assert!(world.bench.org.dump("ContentNote").unwrap().is_empty());
}

#[tokio::test]
async fn an_old_task_is_archived_and_seen_by_query_all_only() {
    let world = World::new(true).await;
    let old = json!({"Subject": "Old", "Status": "Completed", "CreatedDate": "2021-03-04T05:06:07Z", "LastModifiedDate": "2021-03-04T05:06:07Z"});
    let mut open = old.clone();
    open["Status"] = json!("In Progress");
    let old = world.bench.add("Task", old).await;
    world.bench.add("Task", open).await;
    let soql = encoded("SELECT Id, IsArchived FROM Task");
    let seen = world.bench.get(&format!("query?q={soql}")).await.body;
    assert_eq!(seen["totalSize"], 1);
    let all = world.bench.get(&format!("queryAll?q={soql}")).await.body;
    let archived: Vec<_> = all["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["IsArchived"].clone())
        .collect();
    assert_eq!(archived, [json!(true), json!(false)]);
    assert_eq!(
        world
            .code("PATCH", "Task", &old, json!({"Subject": "Older"}))
            .await,
        "taken"
    );
    assert_eq!(
        world.code("DELETE", "Task", &old, Value::Null).await,
        "taken"
    );
}

#[tokio::test]
async fn a_mail_that_goes_out_makes_a_task_where_enhanced_email_does() {
    for on in [false, true] {
        let bench = Bench::with(|options| options.email_tasks(on)).await;
        let case = bench.add("Case", json!({})).await;
        let sent = bench
            .add(
                "EmailMessage",
                json!({"ParentId": case, "Status": "3", "Subject": "Lamp"}),
            )
            .await;
        bench
            .add(
                "EmailMessage",
                json!({"ParentId": case, "Status": "1", "Incoming": true}),
            )
            .await;
        let tasks = bench.org.dump("Task").unwrap();
        assert_eq!(tasks.len(), usize::from(on));
        if let [task] = tasks.as_slice() {
            assert_eq!(
                (&task["WhatId"], &task["TaskSubtype"]),
                (&json!(case), &json!("Email"))
            );
            assert_eq!(
                bench.value("EmailMessage", &sent, "ActivityId").await,
                task["Id"]
            );
        }
    }
}

#[tokio::test]
async fn files_posts_topics_and_tasks_hang_on_custom_records_too() {
    let world = World::new(true).await;
    let message = json!({"Case__c": world.id("{case}"), "Body__c": "x"});
    let message = world.bench.add("Conversation_Message__c", message).await;
    let link = json!({"ContentDocumentId": world.id("{document}"), "LinkedEntityId": message, "ShareType": "V"});
    world.bench.add("ContentDocumentLink", link).await;
    world
        .bench
        .add("FeedItem", json!({"ParentId": message, "Body": "x"}))
        .await;
    let topic = json!({"TopicId": world.id("{topic}"), "EntityId": message});
    world.bench.add("TopicAssignment", topic).await;
    world
        .bench
        .add("Task", json!({"WhatId": message, "Subject": "x"}))
        .await;
    let count = |object: &str| world.bench.org.dump(object).unwrap().len();
    let before = (
        count("ContentDocumentLink"),
        count("FeedItem"),
        count("TopicAssignment"),
    );
    assert_eq!(
        world
            .code("DELETE", "Conversation_Message__c", &message, Value::Null)
            .await,
        "taken"
    );
    let after = (
        count("ContentDocumentLink"),
        count("FeedItem"),
        count("TopicAssignment"),
    );
    assert_eq!(after, (before.0 - 1, before.1 - 1, before.2 - 1));
}
