//! What a whole read brings, and with how many requests.

use std::collections::BTreeSet;

use deskferry_core::model::{
    AuthorRole, ChannelKind, CustomValue, Direction, FieldType, StatusState,
};
use deskferry_core::source::{Scope, Source as _};
use deskferry_core::{Context, Record, RecordKind};
use deskferry_rehearsal::trengo::LeastOptions;
use deskferry_rehearsal::world::{Author, ConversationState};
use deskferry_source_trengo::{Profiles, Take};

use crate::harness::{Reader, asked, bytes, config, desk, options, read_all, source};

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_read_brings_every_ticket_and_message_with_the_fewest_requests() {
    let desk = desk(options(120)).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    assert_eq!(reader.read.rejects, Vec::new());
    let world = desk.world();
    let held: Vec<_> = world
        .conversations()
        .filter(|talk| talk.merged_into.is_none() && talk.state != ConversationState::Trash)
        .collect();
    let spam = held
        .iter()
        .filter(|talk| talk.state == ConversationState::Suspended)
        .count();
    assert!(spam > 0 && reader.read.left_out().values().all(|why| *why == "spam"));
    assert_eq!(reader.read.left_out().len(), spam);
    assert_eq!(reader.read.whole(), held.len() - spam);
    let messages: BTreeSet<String> = held
        .iter()
        .filter(|talk| talk.state == ConversationState::Active)
        .flat_map(|talk| &talk.messages)
        .filter(|message| !message.is_elsewhere())
        .map(|message| message.id.to_string())
        .collect();
    let read: BTreeSet<String> = reader
        .read
        .messages()
        .map(|message| message.meta.key.id().to_owned())
        .collect();
    assert_eq!(read, messages);
    for file in reader
        .read
        .attachments()
        .filter(|file| file.size != Some(0))
    {
        bytes(&source, &reader.cx, file).await.unwrap();
    }
    let least = desk.least_requests(LeastOptions::default()).total();
    let sent: u64 = reader
        .cx
        .meter()
        .snapshot()
        .iter()
        .map(|row| row.requests)
        .sum();
    assert!(
        sent <= least + least / 50,
        "{sent} requests were sent, the least is {least}"
    );
    assert!(
        reader
            .read
            .notes
            .iter()
            .any(|note| note.contains("tickets by channel"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_carry_what_their_list_their_own_row_and_their_messages_tell() {
    let desk = desk(options(120)).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let mut reasons = 0;
    for conversation in reader.read.conversations() {
        let id: u64 = conversation.number.parse().unwrap();
        let talk = desk.world().conversation_by_id(id).unwrap();
        if talk.state != ConversationState::Active {
            continue;
        }
        let over = talk.closed.is_some();
        assert_eq!(
            (conversation.status.is, conversation.closed_at.is_some()),
            (
                if over {
                    StatusState::Closed
                } else {
                    StatusState::Open
                },
                over
            ),
            "{id}"
        );
        let said = talk
            .messages
            .iter()
            .filter(|message| !message.is_elsewhere());
        assert_eq!(
            conversation.figures.messages,
            Some(said.count() as u64),
            "{id}"
        );
        let asked = talk.messages.iter().find(|message| message.incoming);
        let answer = asked.and_then(|asked| {
            talk.messages.iter().find(|message| {
                let is_note = matches!(
                    message.kind,
                    deskferry_rehearsal::world::MessageKind::Note { .. }
                );
                !is_note
                    && !message.incoming
                    && matches!(message.author, Author::Person(_))
                    && (message.sent, message.id) > (asked.sent, asked.id)
            })
        });
        assert_eq!(
            conversation.figures.first_response_at,
            answer.map(|message| message.sent),
            "{id}"
        );
        let reason = conversation.meta.custom.contains_key("results");
        assert_eq!(reason, over && talk.case_type.is_some(), "{id}");
        reasons += usize::from(reason);
        let tags: Vec<&str> = talk.tags.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(conversation.tags, tags, "{id}");
    }
    assert!(reasons > 5);
    // Fields that share a title are told apart by their number.
    let both = reader
        .read
        .conversations()
        .find(|conversation| conversation.number == "19")
        .unwrap();
    assert!(both.meta.custom.contains_key("11") && both.meta.custom.contains_key("18"));
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_of_one_profile_are_one_person_and_messages_name_that_person() {
    let desk = desk(options(60)).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let people = desk.world().lists().people.iter();
    let many = people
        .clone()
        .find(|person| person.emails.len() > 1)
        .unwrap();
    let contacts: Vec<_> = reader
        .read
        .records
        .values()
        .filter_map(|record| match record {
            Record::Contact(contact) => Some(contact),
            _ => None,
        })
        .collect();
    let one = contacts
        .iter()
        .find(|contact| contact.meta.key.id() == many.id.to_string())
        .unwrap();
    let addresses: Vec<&str> = one
        .emails
        .iter()
        .map(|email| email.address.as_str())
        .collect();
    assert_eq!(addresses, many.emails);
    let customers = people.filter(|person| !person.role.is_staff()).count();
    // A member of staff who asks is a contact too.
    assert_eq!(contacts.len(), customers + 1);
    let keys: BTreeSet<_> = contacts.iter().map(|contact| &contact.meta.key).collect();
    for message in reader
        .read
        .messages()
        .filter(|m| m.direction == Direction::In)
    {
        assert!(
            keys.contains(message.author.key.as_ref().unwrap()),
            "{}",
            message.meta.key
        );
        assert_eq!(message.author.role, AuthorRole::Customer);
    }
    let from_the_second = reader
        .read
        .messages()
        .filter_map(|message| message.email.as_ref()?.from.as_ref())
        .any(|from| from.address == many.emails[1]);
    assert!(from_the_second, "the second address is used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_profiles_without_their_contacts_brings_the_same_people() {
    let full = desk(options(30)).await;
    let mut sparse = options(30);
    sparse.sparse_profiles = true;
    let sparse = desk(sparse).await;
    let (one, other) = (
        read_all(&source(config(&full))).await.unwrap(),
        read_all(&source(config(&sparse))).await.unwrap(),
    );
    assert_eq!(
        one.read.count(RecordKind::Contact),
        other.read.count(RecordKind::Contact)
    );
    let contacts = |reader: &Reader| -> Vec<String> {
        let contacts = reader.read.records.values();
        contacts
            .filter(|record| record.kind() == RecordKind::Contact)
            .map(|record| String::from_utf8(record.to_line().unwrap()).unwrap())
            .map(|line| line.replace(&full.url(), "").replace(&sparse.url(), ""))
            .collect()
    };
    assert_eq!(contacts(&one), contacts(&other));
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_may_be_companies_or_nothing() {
    let desk = desk(options(30)).await;
    let company = source(config(&desk).profiles(Profiles::Company));
    let reader = read_all(&company).await.unwrap();
    let accounts = reader.read.count(RecordKind::Account);
    assert!(accounts > 0);
    let belonging = reader.read.records.values().filter(|record| match record {
        Record::Contact(contact) => !contact.accounts.is_empty(),
        _ => false,
    });
    assert!(belonging.count() > accounts, "each has several contacts");
    let apart = read_all(&source(config(&desk).profiles(Profiles::Ignore)))
        .await
        .unwrap();
    assert_eq!(apart.read.count(RecordKind::Account), 0);
    assert_eq!(
        apart.read.count(RecordKind::Contact),
        reader.read.count(RecordKind::Contact)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn spam_is_taken_along_by_choice() {
    let desk = desk(options(60)).await;
    let reader = read_all(&source(config(&desk).spam(Take::Include)))
        .await
        .unwrap();
    assert!(reader.read.left_out().is_empty());
    let spam = reader
        .read
        .conversations()
        .find(|conversation| conversation.status.raw == "INVALID")
        .unwrap();
    assert_eq!(spam.status.is, StatusState::Closed);
    assert!(spam.figures.messages > Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_read_in_full_only_where_the_list_shows_them_shortened() {
    let desk = desk(options(60)).await;
    let least = desk.least_requests(LeastOptions::default());
    let reader = read_all(&source(config(&desk))).await.unwrap();
    assert!(least.mails > 0);
    assert_eq!(asked(&desk, "email_messages"), least.mails);
    let mails = reader
        .read
        .messages()
        .filter(|message| message.email.is_some());
    let (mut both, mut one) = (0, 0);
    for mail in mails {
        assert_eq!(mail.channel.is, ChannelKind::Email);
        let email = mail.email.as_ref().unwrap();
        assert!(
            email.from.is_some() && !email.to.is_empty(),
            "{}",
            mail.meta.key
        );
        match mail.body.html.is_some() && mail.body.text.is_some() {
            true => both += 1,
            false => one += 1,
        }
    }
    assert!(both > 0 && one > 0);
    let short = source(config(&desk).full_mail(false));
    read_all(&short).await.unwrap();
    assert_eq!(asked(&desk, "email_messages"), least.mails);
}

#[tokio::test]
async fn the_check_tells_whose_token_it_is_and_what_it_cannot_see() {
    let desk = desk(options(5)).await;
    let ready = source(config(&desk)).check(&Context::new()).await.unwrap();
    assert_eq!(ready.tenant.to_string(), "trengo:4711");
    assert_eq!(ready.account, "Olga Owner");
    assert_eq!(ready.warnings, Vec::<String>::new());
    assert!(ready.server_time.is_some());
}

#[tokio::test]
async fn a_workspace_without_a_number_needs_a_name() {
    let mut options = options(5);
    options.agency = None;
    let desk = desk(options).await;
    let error = source(config(&desk))
        .check(&Context::new())
        .await
        .unwrap_err();
    assert!(
        error.advice().unwrap().contains("TRENGO_WORKSPACE"),
        "{error}"
    );
    let named = source(config(&desk).workspace("acme"));
    let ready = named.check(&Context::new()).await.unwrap();
    assert_eq!(ready.tenant.id, "acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_token_does_not_see_shows_as_a_hole() {
    let mut options = options(60);
    options.hidden_channels = vec![2];
    let desk = desk(options).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let told = reader
        .read
        .notes
        .iter()
        .find(|note| note.contains("tickets by channel"));
    let told = told.unwrap();
    assert!(
        told.contains("help (EMAIL)") && !told.contains("repairs"),
        "{told}"
    );
    let shards = source(config(&desk))
        .shards(&reader.cx, &Scope::default())
        .await
        .unwrap();
    assert_eq!(shards.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_tickets_were_closed_is_a_field_with_all_its_choices() {
    let desk = desk(options(60)).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let mut all = reader.read.records.values();
    let field = all.find_map(|record| match record {
        Record::FieldDefinition(field) if field.field == "results" => Some(field),
        _ => None,
    });
    let field = field.unwrap();
    assert_eq!(field.of, RecordKind::Conversation);
    assert_eq!(field.holds, FieldType::Choices);
    let given =
        reader
            .read
            .conversations()
            .filter_map(|one| match one.meta.custom.get("results") {
                Some(CustomValue::Choices(names)) => Some(names),
                _ => None,
            });
    let given: Vec<&String> = given.flatten().collect();
    assert!(!given.is_empty());
    for name in given {
        assert!(field.options.contains(name), "{name}: {:?}", field.options);
    }
}
