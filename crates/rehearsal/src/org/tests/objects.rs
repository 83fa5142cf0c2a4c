//! Rules of single objects: cases, mails, comments, files, people, deletion.

use super::*;

#[tokio::test]
async fn a_case_knows_its_state_its_account_and_its_number() {
    let bench = Bench::new().await;
    let account = bench.add("Account", json!({"Name": "Acme"})).await;
    let contact = bench
        .add("Contact", json!({"LastName": "Lee", "AccountId": account}))
        .await;
    let open = bench.add("Case", json!({"ContactId": contact})).await;
    for (field, value) in [
        ("AccountId", json!(account)),
        ("Status", json!("New")),
        ("Priority", json!("Medium")),
        ("IsClosed", json!(false)),
        ("ClosedDate", Value::Null),
        ("CaseNumber", json!("00001001")),
        ("OwnerId", json!(bench.org.user_id())),
    ] {
        assert_eq!(bench.value("Case", &open, field).await, value, "{field}");
    }
    let other = bench.add("Account", json!({"Name": "Other"})).await;
    let both = bench
        .add("Case", json!({"ContactId": contact, "AccountId": other}))
        .await;
    assert_eq!(
        bench.value("Case", &both, "AccountId").await,
        other,
        "what was sent is kept"
    );

    let path = format!("sobjects/Case/{open}");
    let change = |status: &str| bench.send("PATCH", &path, json!({"Status": status}));
    change("solved").await;
    assert_eq!(bench.value("Case", &open, "IsClosed").await, true);
    assert!(bench.value("Case", &open, "ClosedDate").await.is_string());
    change("On hold").await;
    assert_eq!(bench.value("Case", &open, "ClosedDate").await, Value::Null);
    change("Resovled").await;
    assert_eq!(
        bench.value("Case", &open, "IsClosed").await,
        false,
        "an unknown status is taken and open"
    );
    let dated = json!({"ClosedDate": "2021-01-01T00:00:00Z"});
    assert_eq!(
        bench.refused("Case", dated).await.0,
        "FIELD_INTEGRITY_EXCEPTION"
    );
    let values = bench
        .rows("SELECT ApiName FROM CaseStatus WHERE IsClosed = true ORDER BY SortOrder")
        .await;
    assert_eq!(
        values
            .iter()
            .map(|row| row["ApiName"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["Closed", "Solved"]
    );
}

#[tokio::test]
async fn an_assignment_rule_takes_cases_from_whoever_does_not_switch_it_off() {
    let bench = Bench::new().await;
    let url = format!("{}/services/data/v66.0/sobjects/Case", bench.org.url());
    let ann = bench.user("Ann Agent").await;
    let default = bench.user("Default Case Owner").await;
    for (header, owner) in [
        (None, &default),
        (Some("TRUE"), &default),
        (Some("false"), &ann),
    ] {
        let mut request = bench
            .client
            .post(&url)
            .bearer_auth(TOKEN)
            .body(json!({"OwnerId": ann}).to_string());
        if let Some(header) = header {
            request = request.header("Sforce-Auto-Assign", header);
        }
        let case = id(&bench.answer(request).await);
        assert_eq!(
            bench.value("Case", &case, "OwnerId").await,
            *owner,
            "{header:?}"
        );
    }
}

#[tokio::test]
async fn owners_are_active_people_or_queues_of_the_object() {
    let bench = Bench::new().await;
    let gone = bench.user("Gone Agent").await;
    let (code, message) = bench.refused("Case", json!({"OwnerId": gone})).await;
    assert!(
        code == "INACTIVE_OWNER_OR_USER" && message.contains(&gone),
        "{message}"
    );
    bench.add("Case", json!({"CreatedById": gone})).await;
    let queue = bench
        .add(
            "Group",
            json!({"Name": "First line", "DeveloperName": "First_Line", "Type": "Queue"}),
        )
        .await;
    assert_eq!(
        bench.refused("Case", json!({"OwnerId": queue})).await.0,
        "INVALID_CROSS_REFERENCE_KEY"
    );
    bench
        .add(
            "QueueSobject",
            json!({"QueueId": queue, "SobjectType": "Case"}),
        )
        .await;
    let case = bench.add("Case", json!({"OwnerId": queue})).await;
    let rows = bench
        .rows(&format!(
            "SELECT Owner.Name, Owner.Username FROM Case WHERE Id = '{case}'"
        ))
        .await;
    assert_eq!(
        (&rows[0]["Owner"]["Name"], &rows[0]["Owner"]["Username"]),
        (&json!("First line"), &Value::Null)
    );
    assert_eq!(
        bench
            .refused("Account", json!({"Name": "A", "OwnerId": queue}))
            .await
            .0,
        "MALFORMED_ID"
    );
    let path = format!("sobjects/Group/{queue}");
    assert_eq!(
        bench.send("DELETE", &path, Value::Null).await.code(),
        "DELETE_FAILED"
    );
    bench
        .send("DELETE", &format!("sobjects/Case/{case}"), Value::Null)
        .await;
    assert_eq!(bench.send("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(
        bench
            .refused("Group", json!({"Name": "R", "Type": "Role"}))
            .await
            .0,
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    );

    let mut settings = OrgSettings {
        inactive_owners: true,
        ..OrgSettings::default()
    };
    settings.access_token = Some(Hidden(TOKEN.into()));
    settings
        .users
        .push(person("Gone Agent", "gone@example.org", false));
    let lenient = Bench::with(|options| options.settings(settings)).await;
    let gone = lenient.user("Gone Agent").await;
    lenient.add("Case", json!({"OwnerId": gone})).await;
}

#[tokio::test]
async fn a_sandbox_marks_the_addresses_of_its_users() {
    for (sandbox, email) in [
        (false, "ann@example.org"),
        (true, "ann@example.org.invalid"),
    ] {
        let bench = Bench::with(|options| options.is_sandbox(sandbox)).await;
        let rows = bench
            .rows("SELECT Email, IsActive, UserType FROM User WHERE Name = 'Ann Agent'")
            .await;
        assert_eq!(rows[0]["Email"], email);
        let org = bench.rows("SELECT Id, IsSandbox FROM Organization").await;
        assert_eq!(
            (&org[0]["Id"], &org[0]["IsSandbox"]),
            (&json!(bench.org.org_id()), &json!(sandbox))
        );
        let may = bench.rows("SELECT PermissionsCreateAuditFields FROM PermissionSet WHERE Id IN (SELECT PermissionSetId FROM PermissionSetAssignment)").await;
        assert_eq!(may[0]["PermissionsCreateAuditFields"], true);
    }
}

fn mail(case: &str, more: Value) -> Value {
    let mut row = json!({"ParentId": case, "Status": "1", "Incoming": true, "FromAddress": "Ann@Example.org", "Subject": "Lamp"});
    row.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    row
}

#[tokio::test]
async fn a_mail_is_whole_at_its_insert_and_frozen_after_it() {
    let bench = Bench::new().await;
    let case = bench.add("Case", json!({})).await;
    let first = bench
        .add(
            "EmailMessage",
            mail(
                &case,
                json!({"HtmlBody": "<p>one</p><p>two</p>", "Source_Key__c": "m1"}),
            ),
        )
        .await;
    for (field, value) in [
        ("TextBody", json!("one\ntwo")),
        ("HtmlBody", json!("<p>one</p><p>two</p>")),
        ("Name", json!("Lamp")),
        ("FromAddress", json!("Ann@Example.org")),
        ("HasAttachment", json!(false)),
    ] {
        assert_eq!(
            bench.value("EmailMessage", &first, field).await,
            value,
            "{field}"
        );
    }
    let reply = bench
        .add(
            "EmailMessage",
            mail(
                &case,
                json!({"ReplyToEmailMessageId": first, "Status": "0"}),
            ),
        )
        .await;
    let draft = bench
        .add("EmailMessage", mail(&case, json!({"Status": "5"})))
        .await;
    for (more, code) in [
        (
            json!({"Status": "9"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (json!({"Status": null}), "REQUIRED_FIELD_MISSING"),
        (
            json!({"FromAddress": "+31 6 1234"}),
            "INVALID_EMAIL_ADDRESS",
        ),
        (
            json!({"ReplyToEmailMessageId": draft}),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (json!({"ReplyToEmailMessageId": case}), "MALFORMED_ID"),
        (
            json!({"ActivityId": case}),
            "INSUFFICIENT_ACCESS_OR_READONLY",
        ),
        (json!({"ToIds": [case]}), "MALFORMED_ID"),
        (json!({"TextBody": "x".repeat(131_073)}), "STRING_TOO_LONG"),
        (json!({"ParentId": first}), "MALFORMED_ID"),
    ] {
        assert_eq!(
            bench
                .refused("EmailMessage", mail(&case, more.clone()))
                .await
                .0,
            code,
            "{more}"
        );
    }
    let change = async |id: &str, body: Value| {
        bench
            .send("PATCH", &format!("sobjects/EmailMessage/{id}"), body)
            .await
    };
    for (id, body, status) in [
        (&first, json!({"Subject": "other"}), 400),
        (&first, json!({"Status": "3"}), 400),
        (&first, json!({"ToIds": []}), 400),
        (&first, json!({"Source_Key__c": "m1b"}), 204),
        (&first, json!({"IsExternallyVisible": true}), 204),
        (&reply, json!({"Status": "1"}), 204),
        (&reply, json!({"Status": "0"}), 400),
        (&draft, json!({"Subject": "other"}), 204),
    ] {
        let answer = change(id, body.clone()).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(status == 204 || answer.code() == "INSUFFICIENT_ACCESS_OR_READONLY");
    }
}

#[tokio::test]
async fn the_people_and_files_of_a_mail_become_rows_of_their_own() {
    let bench = Bench::new().await;
    let case = bench.add("Case", json!({})).await;
    let ann = bench
        .add(
            "Contact",
            json!({"LastName": "Lee", "Email": "ann@example.org"}),
        )
        .await;
    let agent = bench.user("Ann Agent").await;
    let file = id(&bench
        .upload(
            json!({"PathOnClient": "a.png", "FirstPublishLocationId": case}),
            b"png".to_vec(),
            true,
        )
        .await);
    let document = bench
        .value("ContentVersion", &file, "ContentDocumentId")
        .await;
    let mail = bench
        .add("EmailMessage", mail(&case, json!({"FromId": ann, "ToIds": [agent], "CcIds": [ann], "ContentDocumentIds": [document]})))
        .await;
    let soql = format!(
        "SELECT RelationId, RelationType, RelationAddress, RelationObjectType FROM EmailMessageRelation WHERE EmailMessageId = '{mail}'"
    );
    let relations: Vec<(String, String)> = bench
        .rows(&soql)
        .await
        .iter()
        .map(|row| {
            (
                row["RelationType"].as_str().unwrap().to_owned(),
                row["RelationId"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [
        ("FromAddress", &ann),
        ("ToAddress", &agent),
        ("CcAddress", &ann),
    ]
    .map(|(kind, id)| (kind.to_owned(), id.clone()));
    assert_eq!(relations, expected);
    assert_eq!(
        bench.value("EmailMessage", &mail, "HasAttachment").await,
        true
    );
    let links = bench
        .rows(&format!(
            "SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = {}",
            document.to_string().replace('"', "'")
        ))
        .await;
    assert_eq!(
        links
            .iter()
            .map(|row| row["LinkedEntityId"].as_str().unwrap())
            .collect::<Vec<_>>(),
        [case.as_str(), mail.as_str()]
    );

    let late = json!({"ContentDocumentId": document, "LinkedEntityId": bench.add("EmailMessage", self::mail(&case, json!({}))).await});
    assert_eq!(
        bench.refused("ContentDocumentLink", late).await.0,
        "INSUFFICIENT_ACCESS_OR_READONLY"
    );
    let relation = json!({"EmailMessageId": mail, "RelationId": ann, "RelationType": "ToAddress"});
    assert_eq!(
        bench.refused("EmailMessageRelation", relation).await.0,
        "INSUFFICIENT_ACCESS_OR_READONLY"
    );
    let managed = bench
        .add(
            "EmailMessage",
            self::mail(&case, json!({"IsClientManaged": true})),
        )
        .await;
    bench
        .add(
            "ContentDocumentLink",
            json!({"ContentDocumentId": document, "LinkedEntityId": managed}),
        )
        .await;
}

#[tokio::test]
async fn a_comment_holds_four_thousand_encoded_bytes() {
    let bench = Bench::new().await;
    let case = bench.add("Case", json!({})).await;
    let cases = [
        ("x".repeat(4_000), true),
        ("x".repeat(4_001), false),
        ("&".repeat(800), true),
        ("&".repeat(801), false),
        ("<".repeat(1_000), true),
        ("\"".repeat(667), false),
        ("ไ".repeat(1_334), false),
        ("😀".repeat(1_000), true),
    ];
    for (text, taken) in cases {
        let outcome = bench
            .insert(
                "CaseComment",
                &[json!({"ParentId": case, "CommentBody": text})],
            )
            .await
            .remove(0);
        assert_eq!(
            outcome["success"],
            taken,
            "{} of {:?}",
            text.chars().count(),
            text.chars().next()
        );
        if !taken {
            assert_eq!(outcome["errors"][0]["statusCode"], "STRING_TOO_LONG");
        }
    }
    assert_eq!(
        bench
            .refused("CaseComment", json!({"CommentBody": "x"}))
            .await
            .0,
        "REQUIRED_FIELD_MISSING"
    );
    let helper = bench
        .add("Case", json!({"Comments": "said by the form"}))
        .await;
    let rows = bench
        .rows(&format!(
            "SELECT CommentBody, IsPublished FROM CaseComment WHERE ParentId = '{helper}'"
        ))
        .await;
    assert_eq!(
        (&rows[0]["CommentBody"], &rows[0]["IsPublished"]),
        (&json!("said by the form"), &json!(false))
    );
}

#[tokio::test]
async fn a_file_arrives_whole_in_either_order_and_is_known_by_its_md5() {
    let bench = Bench::new().await;
    let case = bench.add("Case", json!({})).await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for (bytes, first) in [(b"hello".to_vec(), true), (large, false)] {
        let record = json!({"PathOnClient": "r\u{e9}port.PDF", "FirstPublishLocationId": case,
            "CreatedDate": "2021-03-04T05:06:07Z", "LastModifiedDate": "2021-03-04T05:06:07Z"});
        let answer = bench.upload(record, bytes.clone(), first).await;
        assert_eq!(
            (answer.status, &answer.body["success"]),
            (201, &json!(true)),
            "{}",
            answer.body
        );
        let file = id(&answer);
        let md5: String = <md5::Md5 as md5::Digest>::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        for (field, value) in [
            ("Checksum", json!(md5)),
            ("ContentSize", json!(bytes.len())),
            ("Title", json!("r\u{e9}port")),
            ("FileExtension", json!("PDF")),
            ("FileType", json!("PDF")),
            ("IsLatest", json!(true)),
            ("CreatedDate", json!("2021-03-04T05:06:07.000+0000")),
        ] {
            assert_eq!(
                bench.value("ContentVersion", &file, field).await,
                value,
                "{field}"
            );
        }
        let path = format!("sobjects/ContentVersion/{file}/VersionData");
        let download = bench.request("GET", &path).send().await.unwrap();
        assert_eq!(download.content_length(), Some(bytes.len() as u64));
        assert_eq!(download.bytes().await.unwrap(), bytes);
        assert_eq!(bench.org.blob(&file).unwrap(), bytes);
        let direct = reqwest::get(format!("{}/rehearsal/blob/{file}", bench.org.url()))
            .await
            .unwrap();
        assert_eq!(direct.bytes().await.unwrap(), bytes);
    }
    let links = bench.rows(&format!("SELECT Id, ContentDocument.Title FROM ContentDocumentLink WHERE LinkedEntityId = '{case}'")).await;
    assert_eq!(links.len(), 2);
    assert_eq!(
        std::fs::read_dir(bench.folder.path().join("uploads"))
            .unwrap()
            .count(),
        0,
        "nothing half-done is left"
    );
}

#[tokio::test]
async fn files_that_cannot_be_are_refused_and_leave_nothing() {
    let bench = Bench::new().await;
    let cases = [
        (
            json!({"PathOnClient": "empty.txt"}),
            b"".to_vec(),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            json!({"Title": "no path"}),
            b"x".to_vec(),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            json!({"PathOnClient": "a.txt", "FirstPublishLocationId": "nonsense"}),
            b"x".to_vec(),
            "MALFORMED_ID",
        ),
        (
            json!({"PathOnClient": "a.txt", "Title": "x".repeat(256)}),
            b"x".to_vec(),
            "STRING_TOO_LONG",
        ),
    ];
    for (record, bytes, code) in cases {
        let answer = bench.upload(record.clone(), bytes, true).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{record}");
    }
    assert_eq!(
        bench
            .refused("ContentVersion", json!({"PathOnClient": "a.txt"}))
            .await
            .0,
        "REQUIRED_FIELD_MISSING"
    );
    assert!(bench.org.dump("ContentDocument").unwrap().is_empty());
    assert_eq!(
        std::fs::read_dir(bench.folder.path().join("uploads"))
            .unwrap()
            .count(),
        0
    );
    let base64 = bench
        .add(
            "ContentVersion",
            json!({"PathOnClient": "a.txt", "VersionData": "aGVsbG8="}),
        )
        .await;
    assert_eq!(bench.org.blob(&base64).unwrap(), b"hello");
    let broken = json!({"PathOnClient": "a.txt", "VersionData": "***"});
    assert_eq!(
        bench.refused("ContentVersion", broken).await.0,
        "INVALID_BASE64"
    );
}

#[tokio::test]
async fn a_document_has_versions_and_links_and_goes_with_them() {
    let bench = Bench::new().await;
    let case = bench.add("Case", json!({})).await;
    let first = id(&bench
        .upload(json!({"PathOnClient": "a.txt"}), b"one".to_vec(), true)
        .await);
    let document = bench
        .value("ContentVersion", &first, "ContentDocumentId")
        .await
        .as_str()
        .unwrap()
        .to_owned();
    let second = id(&bench
        .upload(
            json!({"PathOnClient": "b.txt", "ContentDocumentId": document}),
            b"two".to_vec(),
            true,
        )
        .await);
    assert_eq!(
        bench.value("ContentVersion", &first, "IsLatest").await,
        false
    );
    assert_eq!(
        bench
            .value("ContentVersion", &second, "VersionNumber")
            .await,
        "2"
    );
    assert_eq!(
        bench
            .value("ContentDocument", &document, "LatestPublishedVersionId")
            .await,
        second
    );
    let link = json!({"ContentDocumentId": document, "LinkedEntityId": case});
    let id = bench.add("ContentDocumentLink", link.clone()).await;
    assert_eq!(
        bench.value("ContentDocumentLink", &id, "Visibility").await,
        "InternalUsers"
    );
    assert_eq!(
        bench.refused("ContentDocumentLink", link).await.0,
        "DUPLICATE_VALUE"
    );
    let shared =
        json!({"ContentDocumentId": document, "LinkedEntityId": case, "Visibility": "SharedUsers"});
    assert_eq!(
        bench.refused("ContentDocumentLink", shared).await.0,
        "FIELD_INTEGRITY_EXCEPTION"
    );
    let version = bench
        .send(
            "DELETE",
            &format!("sobjects/ContentVersion/{first}"),
            Value::Null,
        )
        .await;
    assert_eq!(version.code(), "INVALID_TYPE_FOR_OPERATION");
    assert_eq!(
        bench
            .send(
                "DELETE",
                &format!("sobjects/ContentDocument/{document}"),
                Value::Null
            )
            .await
            .status,
        204
    );
    for object in ["ContentVersion", "ContentDocument", "ContentDocumentLink"] {
        assert!(bench.org.dump(object).unwrap().is_empty(), "{object}");
    }
}

#[tokio::test]
async fn a_deletion_takes_along_what_belongs_to_it_and_stops_before_what_does_not() {
    let bench = Bench::new().await;
    let account = bench.add("Account", json!({"Name": "Acme"})).await;
    let contact = bench
        .add("Contact", json!({"LastName": "Lee", "AccountId": account}))
        .await;
    let parent = bench.add("Case", json!({"ContactId": contact})).await;
    let child = bench
        .add("Case", json!({"ParentId": parent, "Friend__c": contact}))
        .await;
    bench
        .add(
            "CaseComment",
            json!({"ParentId": parent, "CommentBody": "x"}),
        )
        .await;
    let first = bench
        .add("EmailMessage", mail(&parent, json!({"FromId": contact})))
        .await;
    let reply = bench
        .add(
            "EmailMessage",
            mail(&child, json!({"ReplyToEmailMessageId": first})),
        )
        .await;
    bench
        .add("Task", json!({"WhatId": parent, "Subject": "Call"}))
        .await;
    bench
        .upload(
            json!({"PathOnClient": "a.txt", "FirstPublishLocationId": parent}),
            b"x".to_vec(),
            true,
        )
        .await;
    let delete = async |object: &str, id: &str| {
        bench
            .send("DELETE", &format!("sobjects/{object}/{id}"), Value::Null)
            .await
    };

    for (object, id) in [("Contact", &contact), ("Account", &account)] {
        let refused = delete(object, id).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "DELETE_FAILED"),
            "{object}"
        );
    }
    assert_eq!(
        bench.org.dump("Contact").unwrap().len(),
        1,
        "a refused deletion deletes nothing"
    );
    assert_eq!(
        delete("User", &bench.org.user_id()).await.code(),
        "INVALID_TYPE_FOR_OPERATION"
    );

    assert_eq!(delete("Case", &parent).await.status, 204);
    for (object, left) in [
        ("Case", 1),
        ("CaseComment", 0),
        ("EmailMessage", 1),
        ("EmailMessageRelation", 0),
        ("Task", 0),
        ("ContentDocumentLink", 0),
        ("ContentDocument", 1),
        ("ContentVersion", 1),
        ("Contact", 1),
    ] {
        assert_eq!(bench.org.dump(object).unwrap().len(), left, "{object}");
    }
    assert_eq!(bench.value("Case", &child, "ParentId").await, Value::Null);
    assert_eq!(
        bench
            .value("EmailMessage", &reply, "ReplyToEmailMessageId")
            .await,
        Value::Null
    );
    assert_eq!(
        delete("Account", &account).await.status,
        204,
        "its contacts go along"
    );
    assert_eq!(bench.value("Case", &child, "Friend__c").await, Value::Null);
}

#[tokio::test]
async fn users_and_their_permissions_are_setup_rows() {
    let bench = Bench::new().await;
    let profile = bench.rows("SELECT Id FROM Profile").await[0]["Id"].clone();
    let user = json!({"Username": "New@example.org", "LastName": "New", "Email": "new@example.org", "Alias": "new",
        "CommunityNickname": "new", "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US", "ProfileId": profile, "IsActive": true});
    let made = bench.add("User", user.clone()).await;
    assert_eq!(bench.value("User", &made, "Name").await, "New");
    assert_eq!(bench.refused("User", user).await.0, "DUPLICATE_USERNAME");
    let set = bench.rows("SELECT Id FROM PermissionSet").await[0]["Id"].clone();
    let assignment = json!({"AssigneeId": made, "PermissionSetId": set});
    bench
        .add("PermissionSetAssignment", assignment.clone())
        .await;
    let (code, message) = bench.refused("PermissionSetAssignment", assignment).await;
    assert!(code == "DUPLICATE_VALUE" && message.starts_with("Duplicate PermissionSetAssignment"));
}

#[tokio::test]
async fn a_task_touches_its_date_and_knows_when_it_is_done() {
    let bench = Bench::new().await;
    let case = bench.add("Case", json!({})).await;
    let lead = bench
        .add("Lead", json!({"LastName": "Lee", "Company": "Acme"}))
        .await;
    let old = json!({"CreatedDate": "2021-03-04T05:06:07Z", "LastModifiedDate": "2021-03-04T05:06:07Z", "Status": "Completed"});
    let with = |more: Value| {
        let mut row = old.clone();
        row.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        row
    };
    let free = bench.add("Task", with(json!({}))).await;
    assert_eq!(
        bench.value("Task", &free, "LastModifiedDate").await,
        "2021-03-04T05:06:07.000+0000"
    );
    assert_eq!(bench.value("Task", &free, "IsClosed").await, true);
    let tied = bench.add("Task", with(json!({"WhatId": case}))).await;
    assert_ne!(
        bench.value("Task", &tied, "LastModifiedDate").await,
        "2021-03-04T05:06:07.000+0000"
    );
    assert_eq!(
        bench
            .refused("Task", json!({"WhoId": lead, "WhatId": case}))
            .await
            .0,
        "FIELD_INTEGRITY_EXCEPTION"
    );
}

#[tokio::test]
async fn a_duplicate_rule_alerts_or_blocks() {
    let rule = |block: bool| DuplicateRule {
        name: "Same_Email".into(),
        object: "Contact".into(),
        field: "Email".into(),
        block,
    };
    for block in [false, true] {
        let bench = Bench::with(|options| options.duplicate_rule(rule(block))).await;
        let first = bench
            .add(
                "Contact",
                json!({"LastName": "Lee", "Email": "ann@example.org"}),
            )
            .await;
        let twin = json!({"LastName": "Lee", "Email": "Ann@Example.org"});
        assert_eq!(
            bench.refused("Contact", twin.clone()).await.0,
            "DUPLICATES_DETECTED"
        );
        let answer = bench.send("POST", "sobjects/Contact", twin.clone()).await;
        let found = &answer.body[0]["duplicateResut"];
        assert_eq!(
            (
                &found["allowSave"],
                &found["matchResults"][0]["matchRecords"][0]["record"]["Id"]
            ),
            (&json!(!block), &json!(first))
        );
        let saved = bench.request("POST", "sobjects/Contact").header(
            "Sforce-Duplicate-Rule-Header",
            "allowSave=true; runAsCurrentUser=false",
        );
        assert_eq!(
            bench.answer(saved.body(twin.to_string())).await.status,
            if block { 400 } else { 201 }
        );
        let own = bench
            .send(
                "PATCH",
                &format!("sobjects/Contact/{first}"),
                json!({"Email": "ann@example.org"}),
            )
            .await;
        assert_eq!(
            own.status == 204,
            block,
            "its own value is no double, its saved twin's is"
        );
        assert_eq!(
            bench
                .rows("SELECT IsActive FROM DuplicateRule WHERE SobjectType = 'Contact'")
                .await[0]["IsActive"],
            true
        );
    }
}
