//! Posts as messages with their files.

use std::collections::HashMap;

use deskferry_core::model::{AuthorRole, ChannelKind, Direction};
use deskferry_core::{RecordKind, Tenant};
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::*;
use super::{key, tenant};
use crate::wire::tests::{POSTS, intruder, pointers, rows};
use crate::wire::{Post, decode};

fn people() -> HashMap<u64, Person> {
    HashMap::from([(91, Person::Contact), (5, Person::Agent)])
}

fn place(tenant: &Tenant) -> Place<'_> {
    Place {
        tenant,
        root: "https://acme.example",
        case: 4711,
        merged: false,
    }
}

fn post(id: u64) -> Post {
    rows(POSTS)
        .iter()
        .map(|row| decode::<Post>(row).unwrap())
        .find(|post| post.id == id)
        .unwrap()
}

fn converted(id: u64) -> Converted {
    message(&place(&tenant()), &post(id), &people(), None).unwrap()
}

#[test]
fn every_type_of_original_gives_its_words_its_channel_and_its_direction() {
    use {AuthorRole as Role, ChannelKind as Ch, Direction as Dir};
    let cases = [
        (301, Ch::Email, Dir::In, Role::Customer, "Ada Berg", "Help"),
        (
            302,
            Ch::Chat,
            Dir::In,
            Role::Customer,
            "Ada Berg",
            "Any news?",
        ),
        (
            303,
            Ch::Internal,
            Dir::Internal,
            Role::Agent,
            "",
            "Check serial number",
        ),
        (304, Ch::Email, Dir::Out, Role::System, "Help", "We got it"),
        (
            305,
            Ch::Facebook,
            Dir::Out,
            Role::Agent,
            "",
            "From the wall",
        ),
        (
            306,
            Ch::Twitter,
            Dir::In,
            Role::Customer,
            "",
            "Direct words",
        ),
        (
            307,
            Ch::Twitter,
            Dir::In,
            Role::Customer,
            "Ada Berg",
            "@acme still noisy",
        ),
        (
            308,
            Ch::Internal,
            Dir::Internal,
            Role::Agent,
            "",
            "On the person",
        ),
        (
            309,
            Ch::Internal,
            Dir::Internal,
            Role::System,
            "Monitor 2",
            "<@https://acme.example/users/5|Ann> updated the case",
        ),
        (310, Ch::Chat, Dir::In, Role::Customer, "", "From behind"),
        (
            311,
            Ch::Voice,
            Dir::Internal,
            Role::System,
            "",
            "call ended",
        ),
    ];
    for (id, channel, direction, role, name, text) in cases {
        let found = converted(id).message;
        assert_eq!(
            (found.channel.is, found.direction, found.author.role),
            (channel, direction, role),
            "{id}"
        );
        assert_eq!(
            (found.author.name.as_str(), found.body.text.as_deref()),
            (name, Some(text)),
            "{id}"
        );
        assert_eq!(found.email.is_some(), channel == Ch::Email, "{id}");
        assert_eq!(
            found.conversation,
            key("kayako:acme:conversation:4711"),
            "{id}"
        );
    }
}

#[test]
fn a_mail_names_the_mailbox_among_those_it_was_sent_to_or_from() {
    let mail = converted(301).message;
    let email = mail.email.unwrap();
    let addresses = |list: &[deskferry_core::model::EmailAddress]| {
        list.iter()
            .map(|one| one.address.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(email.from.unwrap().address, "ada@example.org");
    assert_eq!(
        addresses(&email.to),
        ["HELP@acme.example", "second@example.org"]
    );
    assert_eq!(addresses(&email.cc), ["bo@example.org"]);
    assert_eq!(mail.subject.as_deref(), Some("Grinder is noisy"));

    let reply = converted(304).message.email.unwrap();
    let from = reply.from.unwrap();
    assert_eq!(
        (from.address.as_str(), from.name.as_str()),
        ("help@acme.example", "Help")
    );
    assert_eq!(
        (addresses(&reply.to), addresses(&reply.bcc)),
        (
            vec!["ada@example.org".to_owned()],
            vec!["log@example.org".to_owned()]
        )
    );
}

#[test]
fn an_image_is_one_file_of_its_conversation_in_every_spelling_of_its_address() {
    let found = converted(301);
    let image = key("kayako:acme:attachment:4711-media-TOKEN1");
    assert_eq!(
        found
            .attachments
            .iter()
            .map(|file| file.meta.key.clone())
            .collect::<Vec<_>>(),
        [key("kayako:acme:attachment:301-7"), image.clone()]
    );
    let shown: Vec<_> = found
        .message
        .files
        .iter()
        .filter(|file| file.key == image)
        .map(|file| file.shown_as.as_deref())
        .collect();
    assert_eq!(
        shown,
        [
            Some("https://acme.example/media/url/TOKEN1"),
            Some("/base/media/url/TOKEN1")
        ]
    );
    assert!(found.attachments[1].inline && !found.attachments[0].inline);
    assert_eq!(
        locate(&found.attachments[1].locator),
        Some(Located::Media("/media/url/TOKEN1".into()))
    );
}

#[test]
fn an_attachment_that_the_text_shows_is_inline_and_a_broken_one_is_rejected_alone() {
    let found = converted(304);
    assert_eq!(found.attachments.len(), 1);
    let logo = &found.attachments[0];
    assert_eq!(
        (logo.inline, logo.size, logo.name.as_str()),
        (true, Some(90), "logo.png")
    );
    assert_eq!(
        found.message.files[0].shown_as.as_deref(),
        Some("cid:Logo%40acme")
    );
    assert_eq!(found.rejects.len(), 1);
    assert_eq!(
        (found.rejects[0].kind, found.rejects[0].path.as_str()),
        (RecordKind::Attachment, "id")
    );
}

#[test]
fn a_note_on_a_person_is_named_and_left_out_with_its_files() {
    let note = converted(308);
    assert_eq!(note.skip, Some("note-on-person"));
    assert!(note.attachments.is_empty() && note.message.files.is_empty());
    assert_eq!(converted(303).skip, None);
}

#[test]
fn a_user_who_is_gone_is_named_by_number_and_their_side_is_guessed_by_the_way_they_wrote() {
    let gone = HashMap::from([(91, Person::Unknown), (5, Person::Unknown)]);
    let convert = |id| {
        message(&place(&tenant()), &post(id), &gone, None)
            .unwrap()
            .message
    };
    let tweet = convert(306);
    assert_eq!(
        (
            tweet.direction,
            tweet.author.key,
            tweet.author.name.as_str()
        ),
        (Direction::In, None, "Unknown user 91")
    );
    let note = convert(303);
    assert_eq!(
        (note.direction, note.author.role, note.author.name.as_str()),
        (Direction::Internal, AuthorRole::Agent, "Unknown user 5")
    );
}

#[test]
fn an_agent_who_asks_is_still_an_agent_and_their_words_come_in() {
    let agents = HashMap::from([(91, Person::Agent)]);
    let found = message(&place(&tenant()), &post(301), &agents, None)
        .unwrap()
        .message;
    assert_eq!(
        (found.direction, found.author.role),
        (Direction::In, AuthorRole::Agent)
    );
    assert_eq!(found.author.key, Some(key("kayako:acme:agent:91")));
}

#[test]
fn a_post_of_a_merged_case_never_replaces_that_of_the_case_that_goes_on() {
    let tenant = tenant();
    let merged = Place {
        merged: true,
        ..place(&tenant)
    };
    let secondary = message(&merged, &post(301), &people(), None)
        .unwrap()
        .message
        .meta
        .revision;
    assert!(secondary < converted(301).message.meta.revision);
}

#[test]
fn a_post_without_a_time_is_refused_with_its_place() {
    let mut timeless = post(305);
    timeless.created_at = None;
    assert_eq!(
        message(&place(&tenant()), &timeless, &people(), None)
            .unwrap_err()
            .path,
        "created_at"
    );
}

proptest! {
    #[test]
    fn a_damaged_post_becomes_a_message_or_is_refused_and_never_panics(
        row in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in intruder(),
    ) {
        let posts = rows(POSTS);
        let mut value: Value = serde_json::from_str(posts[row.index(posts.len())].get()).unwrap();
        let places = pointers(&value);
        *value.pointer_mut(&places[at.index(places.len())]).unwrap() = with;
        let raw = RawValue::from_string(value.to_string()).unwrap();
        if let Ok(post) = decode::<Post>(&raw) {
            let _ = users_of(&post);
            let _ = wants_original(&post);
            let _ = message(&place(&tenant()), &post, &people(), Some(Threading::of("Message-ID: &lt;a@b&gt;")));
        }
    }
}
