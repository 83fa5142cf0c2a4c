use std::collections::HashMap;
use std::io;

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::files::md5;
use super::*;
use crate::org::{Org, OrgOptions};
use crate::world::{
    Author, Channel, CustomValue, FieldValue, File, FileContent, InlineImage, Lists, Mail,
    MailAddress, Message, MessageKind, NoteOn, Person, PostalAddress, Role, Tag, WorldSpec,
};

const LEGACY: &str = "005000000000009AAA";
const AGNES: &str = "005000000000001AAA";
const ACCOUNT: &str = "001000000000001AAA";
const ADA: &str = "003000000000001AAA";
const CASE: &str = "500000000000001AAA";
const MAIL_IN: &str = "02s000000000001AAA";
const MAIL_OUT: &str = "02s000000000002AAA";

#[derive(Clone, Default)]
struct Rows {
    rows: HashMap<&'static str, Vec<Value>>,
    blobs: HashMap<String, Vec<u8>>,
}

impl OrgDump for Rows {
    fn rows(&self, object: &str) -> io::Result<Vec<Value>> {
        Ok(self.rows.get(object).cloned().unwrap_or_default())
    }

    fn blob(&self, version: &str) -> io::Result<Vec<u8>> {
        self.blobs
            .get(version)
            .cloned()
            .ok_or_else(|| io::Error::other("no such file"))
    }
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_600_000_000, 0).unwrap() + Duration::minutes(minute)
}

fn stamp(minute: i64) -> String {
    at(minute).format("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

fn customer(id: u64, name: &str, minute: i64) -> Person {
    Person {
        id,
        name: name.into(),
        role: Role::Customer,
        enabled: true,
        title: None,
        emails: vec!["Ada@Example.org".into(), "ada2@example.org".into()],
        phones: Vec::new(),
        twitter: Vec::new(),
        facebook: Vec::new(),
        company: Some(1),
        teams: Vec::new(),
        custom: Vec::new(),
        created: at(minute),
        updated: at(minute),
    }
}

fn file(id: u64, name: &str, bytes: &'static [u8]) -> File {
    File {
        id,
        name: Some(name.into()),
        media_type: "image/png".into(),
        content: FileContent::Given(Bytes::from_static(bytes)),
        content_id: None,
        claimed_size: None,
        lost: false,
    }
}

fn message(id: u64, kind: MessageKind, author: u64, incoming: bool, text: &str) -> Message {
    Message {
        id,
        kind,
        author: Author::Person(author),
        incoming,
        by_requester: incoming,
        subject: None,
        html: None,
        text: Some(text.into()),
        mail: None,
        files: Vec::new(),
        images: Vec::new(),
        sent: at(i64::try_from(id).unwrap()),
    }
}

fn mail(from: &str, name: &str, to: &[&str], id: &str, answers: &[&str]) -> Mail {
    let address = |address: &str| MailAddress {
        name: None,
        address: address.into(),
    };
    Mail {
        mailbox: 1,
        from: MailAddress {
            name: Some(name.into()),
            address: from.into(),
        },
        to: to.iter().copied().map(address).collect(),
        cc: vec![address("stranger@example.net")],
        bcc: Vec::new(),
        headers: Some(format!("Message-ID: <{id}>")),
        message_id: Some(id.into()),
        in_reply_to: answers.iter().map(|id| (*id).to_owned()).collect(),
        references: Vec::new(),
    }
}

fn long_text() -> String {
    "alpha ".repeat(900).trim().to_owned()
}

fn world() -> World {
    let companies = vec![crate::world::Company {
        id: 1,
        name: "Borealis".into(),
        domains: vec!["borealis.example".into()],
        websites: Vec::new(),
        phones: Vec::new(),
        addresses: vec![PostalAddress {
            street1: "Main 1".into(),
            city: "Graz".into(),
            ..PostalAddress::default()
        }],
        custom: vec![CustomValue {
            field: 41,
            value: FieldValue::Choice(303),
        }],
        created: at(0),
        updated: at(1),
    }];
    let mut lists = Lists {
        companies,
        ..Lists::default()
    };
    lists.people.extend([
        customer(1_001, "Ada Berg", 0),
        customer(1_002, "Ada Twin", 1),
    ]);
    let mut first = message(11, MessageKind::Mail, 1_001, true, "Hello");
    first.subject = Some("Hi".into());
    first.html = Some("<p>Hello <img src=\"media:tok\"> <img src=\"cid:p@x\"></p>".into());
    first.mail = Some(mail("Ada@Example.org", "Ada Berg", &[], "a@x", &[]));
    first.images = vec![InlineImage {
        token: "tok".into(),
        media_type: "image/png".into(),
        content: FileContent::Given(Bytes::from_static(b"inline")),
        lost: false,
    }];
    first.files = vec![file(1, "p.png", b"part"), file(2, "e.txt", b"")];
    first.files[0].content_id = Some("p@x".into());
    let mut second = message(12, MessageKind::Mail, 3, false, "Answer");
    second.mail = Some(mail(
        "help@acme.example",
        "Agnes Agentsen",
        &["ada@example.org"],
        "b@x",
        &["a@x"],
    ));
    let note = MessageKind::Note {
        on: NoteOn::Conversation,
        pinned: false,
    };
    let mut third = message(13, note, 3, false, "Look & see");
    third.files = vec![
        file(3, "n.txt", b"note file"),
        file(4, "again.png", b"part"),
    ];
    let fourth = message(14, MessageKind::Chat, 1_001, true, &long_text());
    lists.conversations = vec![Conversation {
        id: 1,
        subject: "Hi\nthere".into(),
        channel: Channel::Mail,
        requester: 1_001,
        assignee: Some(3),
        team: Some(1),
        company: None,
        status: 5,
        priority: Some(3),
        case_type: None,
        tags: vec![
            Tag {
                id: 1,
                name: "a".into(),
            },
            Tag {
                id: 2,
                name: "b|c".into(),
            },
        ],
        rating: None,
        state: ConversationState::Active,
        merged_into: None,
        custom: vec![
            CustomValue {
                field: 11,
                value: FieldValue::Choice(101),
            },
            CustomValue {
                field: 17,
                value: FieldValue::Text("remark".into()),
            },
        ],
        created: at(11),
        updated: at(20),
        closed: Some(at(19)),
        messages: vec![first, second, third, fourth],
    }];
    World::given(lists)
}

fn version(number: u32, name: &str, bytes: &[u8], minute: i64) -> (Value, String) {
    let id = format!("06800000000000{number}AAA");
    let row = json!({
        "Id": id, "ContentDocumentId": format!("06900000000000{number}AAA"), "Source_Key__c": format!("kayako:acme:file:1-{}", blake3::hash(bytes).to_hex()),
        "Checksum": md5(bytes), "ContentSize": bytes.len(), "PathOnClient": name, "Title": name.split('.').next(), "FirstPublishLocationId": CASE,
        "ContentModifiedDate": stamp(minute), "CreatedDate": stamp(minute), "Migration_Batch__c": "m1-0", "VersionNumber": "1", "IsLatest": true,
    });
    (row, id)
}

/// What the org holds when everything went well, written by hand.
fn right() -> Rows {
    let mut dump = Rows::default();
    let mut put = |object, rows: Vec<Value>| dump.rows.insert(object, rows);
    put(
        "User",
        vec![
            json!({"Id": AGNES, "Email": "agnes@acme.example", "IsActive": true, "UserType": "Standard"}),
            json!({"Id": LEGACY, "Email": "legacy@acme.example", "IsActive": true, "UserType": "Standard"}),
        ],
    );
    put(
        "Account",
        vec![json!({
            "Id": ACCOUNT, "Source_Key__c": "kayako:acme:account:1", "Migration_Batch__c": "m1-0", "Name": "Borealis", "Website": "borealis.example",
            "BillingStreet": "Main 1", "BillingCity": "Graz", "Domains__c": "borealis.example", "Tier__c": "Gold", "OwnerId": LEGACY,
            "Source_Url__c": "https://acme.kayako.com/api/v1/organizations/1", "CreatedDate": stamp(0), "LastModifiedDate": stamp(1),
        })],
    );
    put(
        "Contact",
        vec![json!({
            "Id": ADA, "Source_Key__c": "kayako:acme:contact:1001", "Migration_Batch__c": "m1-0", "LastName": "Berg", "FirstName": "Ada", "Name": "Ada Berg",
            "Source_Full_Name__c": "Ada Berg", "Email": "ada@example.org", "Source_Email__c": "Ada@Example.org", "Other_Emails__c": "ada2@example.org",
            "AccountId": ACCOUNT, "Source_Url__c": "https://acme.kayako.com/api/v1/users/1001", "CreatedDate": stamp(0), "LastModifiedDate": stamp(0),
        })],
    );
    put(
        "Case",
        vec![json!({
            "Id": CASE, "Source_Key__c": "kayako:acme:conversation:1", "Migration_Batch__c": "m1-0", "Subject": "Hi there", "Status": "Closed", "IsClosed": true,
            "CaseNumber": "00001000", "Priority": "High", "Origin": "Email", "OwnerId": AGNES, "Original_Owner__c": "Agnes Agentsen", "ContactId": ADA,
            "AccountId": ACCOUNT, "ClosedDate": stamp(19), "Conversation_Channel__c": "email", "Source_Number__c": "1", "Source_Status__c": "Closed",
            "Source_Priority__c": "High", "Source_Team__c": "Customer care", "Source_Tags__c": "|a|b/c|", "Original_Created_Date__c": stamp(11),
            "Original_Closed_Date__c": stamp(19), "Last_Activity_Date__c": stamp(20), "Product_Area__c": "Grinder",
            "Source_Json__c": "{\"custom.internal_remark\":\"remark\"}", "Source_Url__c": "https://acme.kayako.com/api/v1/cases/1",
            "CreatedDate": stamp(11), "LastModifiedDate": stamp(20),
        })],
    );
    let files = [
        version(1, "file-tok.png", b"inline", 11),
        version(2, "p.png", b"part", 11),
        version(3, "n.txt", b"note file", 13),
    ];
    dump.blobs = [("inline", 0), ("part", 1), ("note file", 2)]
        .iter()
        .map(|(bytes, n)| (files[*n].1.clone(), bytes.as_bytes().to_vec()))
        .collect();
    let mut put = |object, rows: Vec<Value>| dump.rows.insert(object, rows);
    put(
        "ContentVersion",
        files.iter().map(|(row, _)| row.clone()).collect(),
    );
    let link = |document: u32, entity: &str| json!({"Id": "06A", "ContentDocumentId": format!("06900000000000{document}AAA"), "LinkedEntityId": entity});
    put(
        "ContentDocumentLink",
        vec![
            link(1, CASE),
            link(2, CASE),
            link(3, CASE),
            link(1, MAIL_IN),
            link(2, MAIL_IN),
            link(3, LEGACY),
        ],
    );
    put(
        "EmailMessage",
        vec![
            json!({
                "Id": MAIL_IN, "Source_Key__c": "kayako:acme:message:11", "Migration_Batch__c": "m1-0", "ParentId": CASE, "RelatedToId": CASE, "Incoming": true,
                "Status": "1", "FromAddress": "ada@example.org", "FromName": "Ada Berg", "FromId": ADA, "ToAddress": "help@acme.example",
                "CcAddress": "stranger@example.net", "Subject": "Hi", "TextBody": "Hello", "MessageDate": stamp(11), "CreatedDate": stamp(11),
                "HtmlBody": "<p>Hello <img src='/sfc/servlet.shepherd/version/download/068000000000001AAA'>\n<img src=\"/sfc/servlet.shepherd/version/download/068000000000002AAA\"></p>",
                "LastModifiedDate": stamp(11), "MessageIdentifier": "<a@x>", "Headers": "Message-ID: <a@x>", "Source_Json__c": "{\"files\":[{\"name\":\"e.txt\",\"reason\":\"empty-file\"}]}",
            }),
            json!({
                "Id": MAIL_OUT, "Source_Key__c": "kayako:acme:message:12", "Migration_Batch__c": "m1-0", "ParentId": CASE, "RelatedToId": CASE, "Incoming": false,
                "Status": "3", "FromAddress": "help@acme.example", "FromName": "Agnes Agentsen", "CcAddress": "stranger@example.net", "Subject": "Hi there",
                "TextBody": "Answer", "MessageDate": stamp(12), "CreatedDate": stamp(12), "LastModifiedDate": stamp(12), "MessageIdentifier": "<b@x>",
                "Headers": "Message-ID: <b@x>", "ReplyToEmailMessageId": MAIL_IN, "ToIds": [ADA],
            }),
        ],
    );
    let relation = |mail: &str, kind: &str| json!({"Id": "0CZ", "EmailMessageId": mail, "RelationType": kind, "RelationId": ADA});
    put(
        "EmailMessageRelation",
        vec![
            relation(MAIL_IN, "FromAddress"),
            relation(MAIL_OUT, "ToAddress"),
        ],
    );
    let comment = |id: u32, body: String, published: bool, by: &str, time: String| json!({"Id": format!("00a00000000000{id}AAA"), "ParentId": CASE, "CommentBody": body, "IsPublished": published, "CreatedById": by, "CreatedDate": time, "LastModifiedDate": time});
    let later = (at(14) + Duration::seconds(1))
        .format("%Y-%m-%dT%H:%M:%S.000+0000")
        .to_string();
    let line = format!(
        "Ada Berg (customer), {} UTC:",
        at(14).format("%Y-%m-%d %H:%M")
    );
    put(
        "CaseComment",
        vec![
            comment(
                1,
                "Look & see\n[Files: n.txt; again.png]".into(),
                false,
                AGNES,
                stamp(13),
            ),
            comment(
                2,
                format!("[1/2] {line}\n{}", "alpha ".repeat(600).trim()),
                true,
                LEGACY,
                stamp(14),
            ),
            comment(
                3,
                format!("[2/2] {}", "alpha ".repeat(300).trim()),
                true,
                LEGACY,
                later,
            ),
        ],
    );
    dump
}

fn judge(dump: &Rows) -> Vec<Difference> {
    Oracle::new(OracleOptions::new("acme", LEGACY))
        .compare(&world(), dump)
        .unwrap()
}

#[test]
fn an_org_that_holds_everything_has_no_difference() {
    let found = judge(&right());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_empty_org_lacks_every_record() {
    let found = judge(&Rows::default());
    for object in [
        "Account",
        "Contact",
        "Case",
        "EmailMessage",
        "ContentVersion",
    ] {
        assert!(
            found
                .iter()
                .any(|one| one.object == object && one.field == "row"),
            "{object}"
        );
    }
    let whole = World::generate(WorldSpec::default());
    let found = Oracle::new(OracleOptions::new("acme", LEGACY))
        .compare(&whole, &Rows::default())
        .unwrap();
    let cases = found.iter().filter(|one| one.object == "Case").count();
    assert_eq!(cases, 290, "ten of 300 are hidden");
}

type Planted = (
    &'static str,
    &'static str,
    usize,
    fn(&mut Vec<Value>, usize),
    &'static str,
    &'static str,
);

#[test]
fn each_planted_error_is_found() {
    fn set(rows: &mut [Value], place: usize, field: &str, value: impl Into<Value>) {
        rows[place][field] = value.into();
    }
    fn drop_row(rows: &mut Vec<Value>, place: usize) {
        rows.remove(place);
    }
    fn double(rows: &mut Vec<Value>, place: usize) {
        let mut again = rows[place].clone();
        again["Id"] = "00a000000000099AAA".into();
        rows.push(again);
    }
    fn stranger(rows: &mut Vec<Value>, place: usize) {
        double(rows, place);
        let last = rows.len() - 1;
        rows[last]["Source_Key__c"] = "kayako:acme:x:1".into();
    }
    let planted: &[Planted] = &[
        (
            "a row is missing",
            "EmailMessage",
            1,
            drop_row,
            "EmailMessage",
            "row",
        ),
        ("a row is doubled", "Account", 0, double, "Account", "row"),
        (
            "a row nobody knows",
            "Contact",
            0,
            stranger,
            "Contact",
            "row",
        ),
        ("a Case nobody knows", "Case", 0, stranger, "Case", "row"),
        (
            "a file nobody knows",
            "ContentVersion",
            0,
            stranger,
            "ContentVersion",
            "row",
        ),
        (
            "a text differs",
            "Account",
            0,
            |r, n| set(r, n, "Name", "Boreali"),
            "Account",
            "Name",
        ),
        (
            "a field is lost",
            "Contact",
            0,
            |r, n| set(r, n, "Source_Email__c", Value::Null),
            "Contact",
            "Source_Email__c",
        ),
        (
            "a field that nobody set",
            "Case",
            0,
            |r, n| set(r, n, "Description", "x"),
            "Case",
            "Description",
        ),
        (
            "a wrong owner",
            "Case",
            0,
            |r, n| set(r, n, "OwnerId", LEGACY),
            "Case",
            "OwnerId",
        ),
        (
            "a wrong parent",
            "EmailMessage",
            0,
            |r, n| set(r, n, "ParentId", "500000000000002AAA"),
            "EmailMessage",
            "ParentId",
        ),
        (
            "a time is off by a second",
            "Case",
            0,
            |r, n| set(r, n, "ClosedDate", "2020-09-13T12:45:41.000+0000"),
            "Case",
            "ClosedDate",
        ),
        (
            "creation is the load's",
            "Account",
            0,
            |r, n| set(r, n, "CreatedDate", "2026-01-01T00:00:00.000+0000"),
            "Account",
            "CreatedDate",
        ),
        (
            "a flag is turned",
            "EmailMessage",
            0,
            |r, n| set(r, n, "Incoming", false),
            "EmailMessage",
            "Incoming",
        ),
        (
            "a picklist value",
            "Case",
            0,
            |r, n| set(r, n, "Priority", "Medium"),
            "Case",
            "Priority",
        ),
        (
            "a tag is lost",
            "Case",
            0,
            |r, n| set(r, n, "Source_Tags__c", "|a|"),
            "Case",
            "Source_Tags__c",
        ),
        (
            "leftovers are lost",
            "Case",
            0,
            |r, n| set(r, n, "Source_Json__c", Value::Null),
            "Case",
            "Source_Json__c",
        ),
        (
            "leftovers too many",
            "Case",
            0,
            |r, n| {
                set(
                    r,
                    n,
                    "Source_Json__c",
                    r#"{"custom.internal_remark":"remark","custom.x":1}"#,
                )
            },
            "Case",
            "Source_Json__c",
        ),
        (
            "leftovers with blanks",
            "Case",
            0,
            |r, n| {
                set(
                    r,
                    n,
                    "Source_Json__c",
                    r#"{ "custom.internal_remark":"remark"}"#,
                )
            },
            "Case",
            "Source_Json__c",
        ),
        (
            "an empty file is not named",
            "EmailMessage",
            0,
            |r, n| set(r, n, "Source_Json__c", Value::Null),
            "EmailMessage",
            "Source_Json__c",
        ),
        (
            "another picture is shown",
            "EmailMessage",
            0,
            |r, n| {
                let html = r[n]["HtmlBody"].as_str().unwrap().replacen(
                    "068000000000001",
                    "068000000000002",
                    1,
                );
                set(r, n, "HtmlBody", html);
            },
            "EmailMessage",
            "HtmlBody",
        ),
        (
            "a picture points to the source",
            "EmailMessage",
            0,
            |r, n| {
                set(
                    r,
                    n,
                    "HtmlBody",
                    "<p>Hello <img src='http://h/media/url/tok'></p>",
                )
            },
            "EmailMessage",
            "HtmlBody",
        ),
        (
            "a word of the HTML",
            "EmailMessage",
            0,
            |r, n| {
                let html = r[n]["HtmlBody"].as_str().unwrap().replace("Hello", "Hallo");
                set(r, n, "HtmlBody", html);
            },
            "EmailMessage",
            "HtmlBody",
        ),
        (
            "the text of a mail",
            "EmailMessage",
            1,
            |r, n| set(r, n, "TextBody", "Answer."),
            "EmailMessage",
            "TextBody",
        ),
        (
            "the thread is broken",
            "EmailMessage",
            1,
            |r, n| set(r, n, "ReplyToEmailMessageId", Value::Null),
            "EmailMessage",
            "ReplyToEmailMessageId",
        ),
        (
            "the id of a mail",
            "EmailMessage",
            1,
            |r, n| set(r, n, "MessageIdentifier", "<c@x>"),
            "EmailMessage",
            "MessageIdentifier",
        ),
        (
            "a recipient is lost",
            "EmailMessage",
            1,
            |r, n| set(r, n, "CcAddress", Value::Null),
            "EmailMessage",
            "CcAddress",
        ),
        (
            "a person is not linked",
            "EmailMessageRelation",
            1,
            drop_row,
            "EmailMessageRelation",
            "row",
        ),
        (
            "a person is linked twice",
            "EmailMessageRelation",
            0,
            double,
            "EmailMessageRelation",
            "row",
        ),
        (
            "a file is not linked",
            "ContentDocumentLink",
            3,
            drop_row,
            "ContentDocumentLink",
            "row",
        ),
        (
            "a file is linked elsewhere",
            "ContentDocumentLink",
            2,
            |r, n| set(r, n, "LinkedEntityId", "500000000000007AAA"),
            "ContentDocumentLink",
            "row",
        ),
        (
            "a file's name",
            "ContentVersion",
            1,
            |r, n| set(r, n, "PathOnClient", "q.png"),
            "ContentVersion",
            "PathOnClient",
        ),
        (
            "a file's checksum",
            "ContentVersion",
            2,
            |r, n| set(r, n, "Checksum", "00"),
            "ContentVersion",
            "Checksum",
        ),
        (
            "a comment is missing",
            "CaseComment",
            0,
            drop_row,
            "CaseComment",
            "row",
        ),
        (
            "a comment is doubled",
            "CaseComment",
            0,
            double,
            "CaseComment",
            "row",
        ),
        (
            "a part is missing",
            "CaseComment",
            2,
            drop_row,
            "CaseComment",
            "CommentBody",
        ),
        (
            "a part is doubled",
            "CaseComment",
            2,
            double,
            "CaseComment",
            "row",
        ),
        (
            "an internal note is published",
            "CaseComment",
            0,
            |r, n| set(r, n, "IsPublished", true),
            "CaseComment",
            "IsPublished",
        ),
        (
            "a comment of somebody else",
            "CaseComment",
            0,
            |r, n| set(r, n, "CreatedById", LEGACY),
            "CaseComment",
            "CreatedById",
        ),
        (
            "a comment of another time",
            "CaseComment",
            0,
            |r, n| set(r, n, "CreatedDate", "2020-09-13T12:00:00.000+0000"),
            "CaseComment",
            "CreatedDate",
        ),
        (
            "another text",
            "CaseComment",
            0,
            |r, n| set(r, n, "CommentBody", "Look\n[Files: n.txt; again.png]"),
            "CaseComment",
            "CommentBody",
        ),
        (
            "a file is not named",
            "CaseComment",
            0,
            |r, n| set(r, n, "CommentBody", "Look & see\n[Files: n.txt]"),
            "CaseComment",
            "CommentBody",
        ),
        (
            "the author is not named",
            "CaseComment",
            1,
            |r, n| {
                let body = r[n]["CommentBody"]
                    .as_str()
                    .unwrap()
                    .replace("Ada Berg (customer)", "Ada Berg (agent)");
                set(r, n, "CommentBody", body);
            },
            "CaseComment",
            "CommentBody",
        ),
        (
            "another mark",
            "Contact",
            0,
            |r, n| set(r, n, "Migration_Batch__c", "m2"),
            "all objects",
            "Migration_Batch__c",
        ),
    ];
    for (what, object, place, plant, hit, field) in planted {
        let mut dump = right();
        plant(dump.rows.get_mut(object).unwrap(), *place);
        let found = judge(&dump);
        assert!(
            found
                .iter()
                .any(|one| one.object == *hit && one.field == *field),
            "{what}: {found:#?}"
        );
    }
}

#[test]
fn bytes_that_differ_are_found_behind_a_right_checksum() {
    let mut dump = right();
    dump.blobs
        .insert("068000000000002AAA".into(), b"wrong".to_vec());
    let found = judge(&dump);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (found[0].object.as_str(), found[0].field.as_str()),
        ("ContentVersion", "VersionData")
    );
}

#[test]
fn rows_that_were_there_before_are_linked_and_left_alone() {
    let mut dump = right();
    let old = |id: &str, rest: Value| {
        let mut row = rest;
        row["Id"] = id.into();
        row
    };
    dump.rows.insert(
        "Account",
        vec![old(
            ACCOUNT,
            json!({"Name": "Borealis Inc.", "Website": "https://www.borealis.example/en"}),
        )],
    );
    dump.rows.insert(
        "Contact",
        vec![old(
            ADA,
            json!({"LastName": "B.", "Email": "ada@example.org", "AccountId": ACCOUNT}),
        )],
    );
    let found = judge(&dump);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn without_audit_fields_times_and_authors_are_the_loads() {
    let mut dump = right();
    for rows in dump.rows.values_mut() {
        for row in rows {
            row["CreatedDate"] = "2026-01-01T00:00:00.000+0000".into();
            row["LastModifiedDate"] = "2026-01-01T00:00:00.000+0000".into();
        }
    }
    dump.rows.get_mut("Case").unwrap()[0]["ClosedDate"] = "2026-01-01T00:00:00.000+0000".into();
    // Who wrote a note then stands in its text.
    let note = &mut dump.rows.get_mut("CaseComment").unwrap()[0]["CommentBody"];
    let said = note.as_str().unwrap();
    *note = format!(
        "Agnes Agentsen (agent), {} UTC:\n{said}",
        at(13).format("%Y-%m-%d %H:%M")
    )
    .into();
    let mut options = OracleOptions::new("acme", LEGACY);
    options.audit_fields = false;
    let found = Oracle::new(options).compare(&world(), &dump).unwrap();
    assert!(found.is_empty(), "{found:#?}");
    assert!(!judge(&dump).is_empty());
}

#[tokio::test]
async fn an_org_elsewhere_is_read_as_one_in_the_same_process() {
    let folder = tempfile::tempdir().unwrap();
    let org = Org::start(OrgOptions::new(folder.path())).await.unwrap();
    let remote = RemoteOrg::new(&org.url()).unwrap();
    let rows = tokio::task::spawn_blocking(move || remote.rows("User"))
        .await
        .unwrap()
        .unwrap();
    assert!(!rows.is_empty());
    assert_eq!(rows, OrgDump::rows(&org, "User").unwrap());
    let remote = RemoteOrg::new(&org.url()).unwrap();
    assert!(
        tokio::task::spawn_blocking(move || remote.blob("068000000000001AAA"))
            .await
            .unwrap()
            .is_err()
    );
    assert!(RemoteOrg::new("https://example.org").is_err());
}

#[test]
fn a_difference_is_short_and_names_all() {
    let long = Difference::new("Case", "k", "Subject", &"ä".repeat(1_000), "b");
    let text = long.to_string();
    assert!(
        text.starts_with("Case k Subject: expected ä")
            && text.len() < 800
            && text.ends_with("found b")
    );
}

/// The second mail with a body that no field takes, and the org as it must then be.
fn with_an_overlong_body(file_key: &str) -> (World, Rows) {
    let body = "word ".repeat(30_000);
    let mut lists = world().lists().clone();
    lists.conversations[0].messages[1].text = Some(body.clone());
    let mut dump = right();
    let (mut row, id) = version(4, "message-12.txt", body.as_bytes(), 12);
    if !file_key.is_empty() {
        row["Source_Key__c"] = file_key.into();
    }
    dump.blobs.insert(id, body.clone().into_bytes());
    dump.rows.get_mut("ContentVersion").unwrap().push(row);
    for entity in [CASE, MAIL_OUT] {
        let link = json!({"ContentDocumentId": "069000000000004AAA", "LinkedEntityId": entity});
        dump.rows.get_mut("ContentDocumentLink").unwrap().push(link);
    }
    let text = format!(
        "{}\n[The whole text: message-12.txt]",
        body[..130_000].trim()
    );
    dump.rows.get_mut("EmailMessage").unwrap()[1]["TextBody"] = text.into();
    (World::given(lists), dump)
}

#[test]
fn a_body_beyond_the_limit_is_a_file_and_its_beginning_names_it() {
    let oracle = Oracle::new(OracleOptions::new("acme", LEGACY));
    for key in ["", "kayako:acme:message:12"] {
        let (world, dump) = with_an_overlong_body(key);
        let found = oracle.compare(&world, &dump).unwrap();
        assert!(found.is_empty(), "{key}: {found:#?}");
    }
    let (world, mut dump) = with_an_overlong_body("");
    let mails = dump.rows.get_mut("EmailMessage").unwrap();
    let cut = mails[1]["TextBody"]
        .as_str()
        .unwrap()
        .replace("message-12.txt", "a file");
    mails[1]["TextBody"] = cut.into();
    let found = oracle.compare(&world, &dump).unwrap();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].field, "TextBody");
}

#[test]
fn an_address_that_its_field_refuses_may_stand_beside_it() {
    let mut lists = world().lists().clone();
    let odd = "jörg@example.org";
    lists.conversations[0].messages[0]
        .mail
        .as_mut()
        .unwrap()
        .from
        .address = odd.into();
    let world = World::given(lists);
    let judge = |json: &str| {
        let mut dump = right();
        dump.rows.get_mut("EmailMessageRelation").unwrap().remove(0);
        let mail = &mut dump.rows.get_mut("EmailMessage").unwrap()[0];
        mail["FromAddress"] = Value::Null;
        mail["FromId"] = Value::Null;
        mail["Source_Json__c"] = json.into();
        Oracle::new(OracleOptions::new("acme", LEGACY))
            .compare(&world, &dump)
            .unwrap()
    };
    let files = r#""files":[{"name":"e.txt","reason":"empty-file"}]"#;
    let found = judge(&format!("{{{files},\"unfit.FromAddress\":\"{odd}\"}}"));
    assert!(found.is_empty(), "{found:#?}");
    let found = judge(&format!("{{{files},\"unfit.FromAddress\":\"x\"}}"));
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn the_marks_of_one_load_share_a_word() {
    for (marks, expected) in [
        (&[][..], true),
        (&["ab12-0"], true),
        (&["ab12-0", "ab12-1", "ab12-12"], true),
        (&["ab12-0", "cd34-0"], false),
        (&["ab12-0", ""], false),
        (&["ab12"], false),
    ] {
        let marks = marks.iter().map(|mark| (*mark).to_owned()).collect();
        assert_eq!(of_one_load(&marks), expected, "{marks:?}");
    }
}
