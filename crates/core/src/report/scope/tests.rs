use super::*;
use crate::key::{RecordKind, Tenant};
use crate::preflight::Feature;
use crate::report::{About, FieldFound, FileFound, KindFound};

fn found() -> Discovery {
    let key = Tenant::new("desk", "acme").key(RecordKind::Attachment, "1<b>");
    Discovery {
        source: "desk:acme<script>".into(),
        complete: true,
        kinds: vec![KindFound {
            kind: RecordKind::Conversation,
            read: 41,
            rejected: 2,
        }],
        channels: [("email".into(), 40), ("chat".into(), 1)].into(),
        years: [
            (2024, [("email".into(), 30)].into()),
            (2025, [("email".into(), 10), ("chat".into(), 1)].into()),
        ]
        .into(),
        fields: vec![FieldFound {
            of: RecordKind::Conversation,
            field: "area".into(),
            title: "<img src=x onerror=alert(1)>".into(),
            holds: "text".into(),
            used: 7,
            shapes: ["aa-99".to_owned()].into(),
        }],
        largest_files: vec![FileFound {
            key,
            bytes: 3_000_000,
        }],
        inventory: [("trigger".into(), 3)].into(),
        uncovered: [(
            "messages".into(),
            vec!["before 2019".into(), "May 2020".into()],
        )]
        .into(),
        features: vec![Feature {
            name: "Knowledge & co".into(),
            of: vec![RecordKind::Conversation],
            there: Some(false),
            lost: "articles stay behind".into(),
            switch: "a switch".into(),
        }],
        notes: vec!["Nothing covers 2019 & before".into()],
        about: Some(About {
            product: Some("Desk 7".into()),
            warnings: vec!["the role sees no reports".into()],
            ..About::default()
        }),
        ..Discovery::default()
    }
}

#[test]
fn the_page_shows_what_was_counted_by_year_and_channel() {
    let page = found().html().unwrap();
    for shown in [
        "Desk 7",
        "the role sees no reports",
        "2 rows could not be read",
        "<td>2024</td><td class=\"n\"></td><td class=\"n\">30</td><td class=\"n\">30</td>",
        "<td>2025</td><td class=\"n\">1</td><td class=\"n\">10</td><td class=\"n\">11</td>",
        "aa-99",
        "<td>Knowledge &amp; co</td><td class=\"n\">41</td><td>missing</td><td class=\"text\">articles stay behind</td>",
        "3.0 MB",
        "<td class=\"text\">trigger</td><td class=\"n\">3</td>",
        "<td>messages</td><td class=\"text\">before 2019; May 2020</td>",
        "Nothing covers 2019 &amp; before",
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
}

#[test]
fn what_a_source_says_never_becomes_markup() {
    let page = found().html().unwrap();
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("1<b>"));
    assert!(page.contains("default-src 'none'"));
}
