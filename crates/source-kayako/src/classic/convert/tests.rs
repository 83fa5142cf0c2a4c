//! The vendor's own examples, and answers that were recorded by other people, which are no part of this project: the variable
//! `DESKFERRY_OUTSIDE_DATA` names the folder that holds `kayako-classic/`.

use std::path::PathBuf;

use deskferry_core::model::{AuthorRole, ChannelKind, CustomValue, Direction, StatusState};
use deskferry_core::{RecordKind, Tenant};

use super::*;
use crate::Dates;
use crate::classic::xml::{Document, Row};

fn tenant() -> Tenant {
    Tenant::new("kayako-classic", "acme")
}

fn parsed(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap()
}

/// A recorded answer; nothing where there are none.
#[expect(clippy::print_stderr, reason = "says why nothing was tested")]
fn outside(name: &str) -> Option<Document> {
    let Some(folder) = std::env::var_os("DESKFERRY_OUTSIDE_DATA") else {
        eprintln!("skipped: DESKFERRY_OUTSIDE_DATA is not set");
        return None;
    };
    let path = PathBuf::from(folder).join("kayako-classic").join(name);
    Some(Document::parse(&std::fs::read(path).unwrap()).unwrap())
}

fn desk() -> Desk {
    let mut desk = Desk::default();
    let staff = parsed(
        "<staff><id>4</id><fullname>Agnes</fullname><email>Agnes@example.org</email></staff>",
    );
    desk.learn_staff(staff.root()).unwrap();
    for status in [
        "<ticketstatus><id>1</id><title>Open</title><markasresolved>0</markasresolved></ticketstatus>",
        "<ticketstatus><id>3</id><title>Shipped</title><markasresolved>1</markasresolved></ticketstatus>",
    ] {
        desk.learn_status(parsed(status).root()).unwrap();
    }
    desk
}

fn posts(ticket: &str) -> Vec<(Direction, AuthorRole, ChannelKind)> {
    let document = parsed(ticket);
    let (tenant, desk) = (tenant(), desk());
    let place = Place {
        tenant: &tenant,
        desk: &desk,
        ticket: document.root(),
        id: 1,
        files: &[],
    };
    let rows = document.root().each("post");
    rows.map(|row| {
        let (message, _) = post(&place, row, None).unwrap();
        (message.direction, message.author.role, message.channel.is)
    })
    .collect()
}

#[test]
fn who_wrote_a_post_and_how_it_travelled_decide_what_it_becomes() {
    use AuthorRole::{Agent, Customer, System};
    use ChannelKind::{Email, Internal, Web};
    use Direction::{In, Out};
    let ticket = |inside: &str| {
        format!(
            "<ticket id=\"1\"><creationmode>3</creationmode><post><id>1</id><dateline>1297842417</dateline>{inside}</post></ticket>"
        )
    };
    for (inside, becomes) in [
        (
            "<creator>1</creator><staffid>4</staffid><emailto>a@example.org</emailto>",
            (Out, Agent, Email),
        ),
        (
            "<creator>1</creator><staffid>4</staffid>",
            (Out, Agent, Web),
        ),
        (
            "<creator>1</creator><staffid>0</staffid>",
            (Out, System, Web),
        ),
        (
            "<creator>2</creator><isemailed>1</isemailed>",
            (In, Customer, Email),
        ),
        (
            "<creator>3</creator><isemailed>1</isemailed>",
            (In, Customer, Email),
        ),
        ("<creator>5</creator>", (In, Customer, Web)),
        (
            "<creator>1</creator><staffid>4</staffid><isprivate>1</isprivate><emailto>a@example.org</emailto>",
            (Direction::Internal, Agent, Internal),
        ),
    ] {
        assert_eq!(posts(&ticket(inside)), [becomes], "{inside}");
    }
}

#[test]
fn a_status_is_over_by_its_mark_and_not_by_its_word() {
    let desk = desk();
    for (id, is, raw) in [
        (Some(1), StatusState::Open, "Open"),
        (Some(3), StatusState::Closed, "Shipped"),
        (Some(9), StatusState::Other, "9"),
        (None, StatusState::Other, ""),
    ] {
        let status = desk.status(id);
        assert_eq!((status.is, status.raw.as_str()), (is, raw));
    }
}

#[test]
fn a_ticket_of_the_vendor_is_read_in_all_its_parts() {
    let Some(document) = outside("example_xml_ticket.xml") else {
        return;
    };
    let rows = document.rows("ticket");
    let row: Row<'_> = rows[0];
    let (tenant, desk) = (tenant(), desk());
    let made = conversation(&tenant, &desk, row, Ends::default(), Default::default()).unwrap();
    assert_eq!(made.number, "OLJ-171-16930");
    assert_eq!(made.tags, ["test", "tag", "client"]);
    assert_eq!(made.status.raw, "Shipped");
    assert_eq!(made.closed_at, made.meta.updated_at);
    assert_eq!(
        made.meta.custom["seconds_worked"],
        CustomValue::Number("1800".to_owned())
    );
    assert_eq!(made.meta.custom["isescalated"], CustomValue::Bool(true));
    let place = Place {
        tenant: &tenant,
        desk: &desk,
        ticket: row,
        id: 2,
        files: &[],
    };
    let notes: Vec<_> = row
        .each("note")
        .map(|row| note(&place, row).unwrap())
        .collect();
    let keys: Vec<(&str, Option<&str>)> = notes
        .iter()
        .map(|(message, skip)| (message.meta.key.id(), *skip))
        .collect();
    assert_eq!(
        keys,
        [
            ("note-1", None),
            ("user-note-1", Some("note-on-person")),
            ("organization-note-1", Some("note-on-company")),
            ("time-1", Some("time-tracking")),
        ]
    );
    let posts = row.child("posts").unwrap();
    let (message, _) = post(&place, posts.child("post").unwrap(), None).unwrap();
    assert_eq!(message.body.text.as_deref(), Some("I am just testing"));
}

#[test]
fn custom_values_of_the_vendor_are_read_by_their_type() {
    let Some(document) = outside("example_xml_ticketcustomfields.xml") else {
        return;
    };
    let definitions = Definitions::new(Dates::Auto);
    let groups = document.rows("group");
    let values = definitions.values(&groups);
    let text = |text: &str| CustomValue::Text(text.to_owned());
    assert_eq!(values["ab32ds122"], text("Test Plaintext Field"));
    assert_eq!(
        values["fd923nds2"],
        CustomValue::Choice("Product > Fusion".to_owned())
    );
    assert_eq!(
        values["mcz923nxa"],
        CustomValue::Choices(vec!["Value1".to_owned(), "Value2".to_owned()])
    );
    let day = chrono::NaiveDate::from_ymd_opt(2011, 5, 24).unwrap();
    assert_eq!(values["z13nc8923"], CustomValue::Date(day));
    assert_eq!(values["mds923nx92"], text("report.txt"));
    assert_eq!(field_files(2, &groups).len(), 1, "the file is named");
}

#[test]
fn lists_of_the_vendor_are_read_whether_they_hold_one_row_or_many() {
    for (name, row, count) in [
        ("example_xml_department.xml", "department", 1),
        ("example_xml_departments.xml", "department", 2),
        ("example_xml_ticketstatus.xml", "ticketstatus", 1),
        ("example_xml_ticketstatuses.xml", "ticketstatus", 2),
        ("example_xml_ticketpriorities.xml", "ticketpriority", 2),
        ("example_xml_tickettypes.xml", "tickettype", 2),
        ("example_xml_attachments2.xml", "attachment", 2),
        ("example_xml_posts.xml", "post", 2),
        ("example_xml_notes.xml", "note", 1),
        ("example_xml_tickets.xml", "ticket", 1),
        ("example_xml_basicticket2.xml", "ticket", 1),
    ] {
        let Some(document) = outside(name) else {
            return;
        };
        let rows = document.rows(row);
        assert_eq!(rows.len(), count, "{name}");
        for row in rows {
            row.id(&["id"]).unwrap();
        }
    }
    let Some(document) = outside("example_xml_attachment.xml") else {
        return;
    };
    let file = File::read(document.root()).unwrap();
    let record = file.record(&tenant(), 2, false);
    assert_eq!(record.size, Some(2_147_483_648), "beyond 31 bits");
    assert_eq!(record.meta.key.record_kind(), Some(RecordKind::Attachment));
}
