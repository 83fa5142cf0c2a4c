//! The scenes of the scenarios: what is said, by whom, with which files.

use chrono::NaiveDate;

use super::files::{FileContent, Look};
use super::generate::Cast;
use super::model::{Author, CustomValue, FieldValue, MailAddress, MessageKind, NoteOn, Rating};
use super::people::staff;
use super::setup::{self, status};
use super::talk::{Form, Talk, shown};
use super::text::Block;

/// Text beyond what a mail body may hold in the target.
const OVERLONG: usize = 135_000;

pub(super) fn agent(talk: &mut Talk<'_>) -> Author {
    let id = talk
        .talk
        .assignee
        .filter(|id| staff::ACTIVE.contains(id))
        .unwrap_or(staff::ACTIVE[2]);
    Author::Person(id)
}

pub(super) fn requester(talk: &Talk<'_>) -> Author {
    Author::Person(talk.talk.requester)
}

/// Question and answer, so many times.
pub(super) fn mails(talk: &mut Talk<'_>, turns: u64) {
    for turn in 0..turns {
        let form = *talk
            .dice
            .pick(&[Form::Both, Form::Both, Form::HtmlOnly, Form::TextOnly]);
        let blocks = talk.paragraphs(1 + turn % 3);
        talk.mail_in(0, &blocks, form);
        if talk.dice.one_in(4) {
            talk.made_file(Some("report.pdf"), "application/pdf", Look::Binary, 2_000);
        }
        let author = agent(talk);
        let mut answer = talk.paragraphs(1);
        answer.push(Block::Quote(blocks));
        talk.mail_out(author, &answer, Form::Both);
    }
}

pub(super) fn picture_by_address(talk: &mut Talk<'_>) {
    let image = talk.image();
    let mut first = talk.paragraphs(1);
    first.push(shown(&image));
    talk.mail_in(0, &first, Form::Both);
    talk.show(std::slice::from_ref(&image));
    let author = agent(talk);
    let second = talk.image();
    let mut answer = talk.paragraphs(1);
    answer.push(shown(&second));
    answer.push(shown(&second));
    answer.push(Block::Quote(first));
    talk.mail_out(author, &answer, Form::HtmlOnly);
    talk.show(&[second, image]);
}

pub(super) fn picture_by_content_id(talk: &mut Talk<'_>) {
    let mut blocks = talk.paragraphs(1);
    blocks.push(Block::Picture("cid:part1.photo@people.example".to_owned()));
    talk.mail_in(0, &blocks, Form::Both);
    talk.made_file(Some("photo.png"), "image/png", Look::Png, 4_000)
        .content_id = Some("part1.photo@people.example".to_owned());
    talk.made_file(Some("beside.png"), "image/png", Look::Png, 3_000);
    mails(talk, 1);
}

pub(super) fn many_recipients(talk: &mut Talk<'_>, cast: &Cast<'_>) {
    let third = cast.usual_customer(&mut talk.dice);
    let stranger = |local: &str| MailAddress {
        name: Some("Stranger, A.".to_owned()),
        address: format!("{local}@elsewhere.example"),
    };
    let known = MailAddress {
        name: Some(third.name.clone()),
        address: third.emails.first().cloned().unwrap_or_default(),
    };
    let colleague = cast.person(staff::ACTIVE[1]);
    let colleague = MailAddress {
        name: None,
        address: colleague
            .emails
            .first()
            .cloned()
            .unwrap_or_default()
            .to_uppercase(),
    };
    let blocks = talk.paragraphs(1);
    if let Some(mail) = &mut talk.mail_in(0, &blocks, Form::Both).mail {
        mail.to = vec![stranger("to1"), colleague];
        mail.cc = vec![known.clone(), stranger("cc1"), stranger("cc2")];
    }
    let blocks = talk.paragraphs(1);
    talk.mail_from(third, &blocks);
    let author = agent(talk);
    let blocks = talk.paragraphs(1);
    if let Some(mail) = &mut talk.mail_out(author, &blocks, Form::Both).mail {
        mail.cc = vec![known];
        mail.bcc = vec![stranger("bcc1")];
    }
}

pub(super) fn help_centre(talk: &mut Talk<'_>) {
    let who = requester(talk);
    let mut blocks = talk.paragraphs(1);
    blocks.push(Block::Table(vec![
        vec!["Part".into(), "Price".into()],
        vec!["Motor".into(), "12.50".into()],
    ]));
    talk.say(MessageKind::HelpCentre, who, true, &blocks, Form::Both);
    talk.made_file(Some("screen shot.png"), "image/png", Look::Png, 9_000);
    let author = agent(talk);
    let mut answer = talk.paragraphs(1);
    answer.push(Block::Link {
        text: "our guide".into(),
        url: "https://help.acme.example/guide?a=1&b=2".into(),
    });
    answer.push(Block::List(vec!["Unplug it".into(), "Wait & see".into()]));
    talk.say(
        MessageKind::HelpCentre,
        author,
        false,
        &answer,
        Form::HtmlOnly,
    );
}

pub(super) fn chat(talk: &mut Talk<'_>) {
    let who = requester(talk);
    let author = agent(talk);
    for line in 0..8 {
        let text = vec![Block::Para(format!("{} {line}", talk.sentence()))];
        let sent_by_customer = line % 3 != 2;
        let before = talk.talk.messages.last().map(|message| message.sent);
        let from = if sent_by_customer { who } else { author };
        let message = talk.say(
            MessageKind::Chat,
            from,
            sent_by_customer,
            &text,
            Form::TextOnly,
        );
        // Lines 3 to 5 come within one second.
        if let (3..=5, Some(before)) = (line, before) {
            message.sent = before;
        }
    }
    talk.made_file(Some("chat.txt"), "text/plain", Look::Text, 300);
}

pub(super) fn notes(talk: &mut Talk<'_>) {
    mails(talk, 1);
    let author = agent(talk);
    let mut blocks = talk.paragraphs(1);
    blocks.push(Block::Link {
        text: "Ticket at the maker".into(),
        url: "https://maker.example/t/17?x=1&y=%20z".into(),
    });
    blocks.push(Block::List(vec!["first".into(), "second & last".into()]));
    talk.note(author, &blocks, Form::HtmlOnly);
    let blocks = talk.paragraphs(2);
    let pinned = talk.note(author, &blocks, Form::TextOnly);
    pinned.kind = MessageKind::Note {
        on: NoteOn::Conversation,
        pinned: true,
    };
    let blocks = talk.paragraphs(1);
    talk.note(author, &blocks, Form::Both);
    talk.made_file(Some("inside.csv"), "text/csv", Look::Text, 500);
    talk.made_file(
        Some("photo of plate.jpg"),
        "image/jpeg",
        Look::Binary,
        1_500,
    );
}

pub(super) fn note_with_picture(talk: &mut Talk<'_>) {
    let image = talk.image();
    let mut blocks = talk.paragraphs(1);
    blocks.push(shown(&image));
    let author = agent(talk);
    talk.note(author, &blocks, Form::HtmlOnly);
    talk.show(&[image]);
}

pub(super) fn tweets(talk: &mut Talk<'_>) {
    let who = requester(talk);
    let author = agent(talk);
    let text = vec![Block::Para(format!("@acme {}", talk.sentence()))];
    talk.say(MessageKind::Tweet, who, true, &text, Form::TextOnly);
    let text = talk.paragraphs(1);
    talk.say(MessageKind::Tweet, author, false, &text, Form::TextOnly);
}

pub(super) fn facebook(talk: &mut Talk<'_>) {
    let who = requester(talk);
    let author = agent(talk);
    let text = talk.paragraphs(1);
    talk.say(MessageKind::Facebook, who, true, &text, Form::TextOnly);
    let text = talk.paragraphs(1);
    talk.say(MessageKind::Facebook, author, false, &text, Form::TextOnly);
}

pub(super) fn unknown_channel(talk: &mut Talk<'_>) {
    let who = requester(talk);
    let author = agent(talk);
    let kind = || MessageKind::Other {
        channel: "WHATSAPP".to_owned(),
        original: "whatsapp_message".to_owned(),
    };
    let text = talk.paragraphs(1);
    talk.say(kind(), who, true, &text, Form::TextOnly);
    let text = talk.paragraphs(1);
    talk.say(kind(), author, false, &text, Form::TextOnly);
}

pub(super) fn merged_stub(talk: &mut Talk<'_>, index: u64) {
    talk.talk.merged_into = Some(index);
    talk.talk.status = status::CLOSED;
}

pub(super) fn phone_call(talk: &mut Talk<'_>) {
    let author = agent(talk);
    let blocks = talk.paragraphs(1);
    talk.note(author, &blocks, Form::TextOnly);
}

pub(super) fn asked_by_staff(talk: &mut Talk<'_>) {
    let who = requester(talk);
    let blocks = talk.paragraphs(1);
    talk.note(who, &blocks, Form::Both);
    let blocks = talk.paragraphs(1);
    talk.mail_in(0, &blocks, Form::Both);
    let author = agent(talk);
    let blocks = talk.paragraphs(1);
    talk.mail_out(author, &blocks, Form::Both);
}

pub(super) fn notes_elsewhere(talk: &mut Talk<'_>) {
    mails(talk, 1);
    let author = agent(talk);
    let person = talk.talk.requester;
    let company = talk.requester.company.unwrap_or(1);
    for on in [NoteOn::Person(person), NoteOn::Company(company)] {
        let blocks = talk.paragraphs(1);
        talk.note(author, &blocks, Form::TextOnly).kind = MessageKind::Note { on, pinned: false };
    }
}

pub(super) fn automation(talk: &mut Talk<'_>) {
    let blocks = talk.paragraphs(1);
    talk.mail_in(0, &blocks, Form::Both);
    talk.wait(-1);
    let blocks = vec![Block::Para("We got your mail and will answer soon.".into())];
    talk.mail_out(Author::Trigger(3), &blocks, Form::Both);
    let blocks = vec![Block::Para("No answer for three days.".into())];
    talk.note(Author::Monitor(2), &blocks, Form::TextOnly);
    talk.note(
        Author::Nobody,
        &[Block::Para("Chat was handed over.".into())],
        Form::TextOnly,
    );
}

pub(super) fn custom_values(talk: &mut Talk<'_>) {
    let day = NaiveDate::from_ymd_opt(2020, 2, 29).unwrap_or_default();
    let flag = talk.dice.one_in(2);
    let set = [
        (
            setup::PRODUCT_AREA,
            FieldValue::Choice(101 + talk.dice.below(3)),
        ),
        (
            setup::SERIAL_NUMBER,
            FieldValue::Text("  SN-00<17>&\"x\"  ".to_owned()),
        ),
        (setup::AFFECTED_PARTS, FieldValue::Choices(vec![113, 111])),
        (setup::PURCHASE_DATE, FieldValue::Day(day)),
        (setup::UNDER_WARRANTY, FieldValue::Flag(flag)),
        (
            setup::REPAIR_COST,
            FieldValue::Number("1234.567".to_owned()),
        ),
        (
            setup::INTERNAL_REMARK,
            FieldValue::Text("two\nlines & \"quotes\" — ünïcode 🔧".to_owned()),
        ),
        (setup::MENU, FieldValue::Choice(123)),
        (setup::VISITS, FieldValue::Number("3".to_owned())),
    ];
    talk.talk.custom = set
        .into_iter()
        .map(|(field, value)| CustomValue { field, value })
        .collect();
    mails(talk, 1);
}

pub(super) fn deleted_fields(talk: &mut Talk<'_>) {
    talk.talk.custom = vec![
        CustomValue {
            field: setup::DELETED_FIELD,
            value: FieldValue::Text("from an older time".to_owned()),
        },
        CustomValue {
            field: setup::PRODUCT_AREA,
            value: FieldValue::Choice(setup::DELETED_OPTION),
        },
    ];
    mails(talk, 1);
}

pub(super) fn odd_files(talk: &mut Talk<'_>) {
    let blocks = talk.paragraphs(1);
    talk.mail_in(0, &blocks, Form::Both);
    talk.made_file(Some("empty.txt"), "text/plain", Look::Text, 0);
    talk.made_file(None, "image/png", Look::Png, 800);
    talk.made_file(Some("twice.txt"), "text/plain", Look::Text, 120);
    talk.made_file(Some("twice.txt"), "text/plain", Look::Text, 121);
    talk.made_file(
        Some("..\\..\\C:\\temp\\evil?.exe"),
        "application/octet-stream",
        Look::Binary,
        64,
    );
    talk.made_file(Some("/etc/pass|wd"), "text/plain", Look::Text, 64);
    talk.made_file(
        Some("Größe 見積もり 👩‍🔧.pdf"),
        "application/pdf",
        Look::Binary,
        64,
    );
    let author = agent(talk);
    let blocks = talk.paragraphs(1);
    talk.note(author, &blocks, Form::TextOnly);
    talk.made_file(
        Some("nothing.bin"),
        "application/octet-stream",
        Look::Binary,
        0,
    );
    talk.made_file(
        Some("something.bin"),
        "application/octet-stream",
        Look::Binary,
        10,
    );
}

/// The file is the same in this conversation and the next, and twice in the first one.
pub(super) fn same_file(talk: &mut Talk<'_>, shared: u64, twice: bool) {
    let manual = FileContent::Made {
        seed: shared,
        look: Look::Binary,
        size: 50_000,
    };
    let blocks = talk.paragraphs(1);
    talk.mail_in(0, &blocks, Form::Both);
    talk.file(Some("manual.pdf"), "application/pdf", manual.clone());
    talk.made_file(Some("payload.json"), "application/json", Look::Json, 200);
    let author = agent(talk);
    let blocks = talk.paragraphs(1);
    talk.mail_out(author, &blocks, Form::Both);
    if twice {
        talk.file(Some("manual again.pdf"), "application/pdf", manual);
    }
}

pub(super) fn overlong_html(talk: &mut Talk<'_>) {
    let mut blocks = Vec::new();
    let mut size = 0;
    while size < OVERLONG {
        let text = format!("{} {}", talk.sentence(), talk.sentence()).repeat(8);
        size += text.chars().count();
        blocks.push(Block::Para(text));
    }
    talk.mail_in(0, &blocks, Form::Both);
    mails(talk, 1);
}

/// Few enough characters, too many once each `&` counts five.
pub(super) fn overlong_by_encoding(talk: &mut Talk<'_>) {
    let text = "this & that && ".repeat(4_000);
    talk.mail_in(
        0,
        &[Block::Para(text.repeat(2).trim().to_owned())],
        Form::TextOnly,
    );
    mails(talk, 1);
}

pub(super) fn long_note(talk: &mut Talk<'_>, ampersands: bool) {
    mails(talk, 1);
    let author = agent(talk);
    let blocks = if ampersands {
        vec![Block::Para(
            "Q&A & R&D <tag> \"x\" 'y' && more. "
                .repeat(60)
                .trim()
                .to_owned(),
        )]
    } else {
        let mut all = talk.paragraphs(24);
        all.push(Block::Para("👨‍👩‍👧‍👦".repeat(400)));
        all.push(Block::Para("แ".repeat(1_500)));
        all
    };
    talk.note(author, &blocks, Form::TextOnly);
    talk.made_file(Some("with the long note.txt"), "text/plain", Look::Text, 40);
    let who = requester(talk);
    let blocks = talk.paragraphs(12);
    talk.say(MessageKind::HelpCentre, who, true, &blocks, Form::HtmlOnly);
}

pub(super) fn empty_bodies(talk: &mut Talk<'_>) {
    talk.mail_in(0, &[], Form::Both);
    let author = agent(talk);
    talk.mail_out(author, &[], Form::TextOnly);
    let who = requester(talk);
    talk.say(MessageKind::Chat, who, true, &[], Form::TextOnly);
    talk.note(author, &[], Form::TextOnly);
    talk.made_file(Some("only a file.txt"), "text/plain", Look::Text, 77);
}

pub(super) fn many_posts(talk: &mut Talk<'_>) {
    let who = requester(talk);
    let author = agent(talk);
    for line in 0..205 {
        let text = vec![Block::Para(format!("{} #{line}", talk.sentence()))];
        let from_customer = line % 2 == 0;
        talk.say(
            MessageKind::Chat,
            if from_customer { who } else { author },
            from_customer,
            &text,
            Form::TextOnly,
        );
        let back = i64::try_from(talk.dice.below(2)).unwrap_or(0);
        talk.wait(-back);
    }
    // The clock only ever goes forward.
    let mut last = talk.talk.created;
    for message in &mut talk.talk.messages {
        message.sent = message.sent.max(last);
        last = message.sent;
    }
}

pub(super) fn big_files(talk: &mut Talk<'_>) {
    let blocks = talk.paragraphs(1);
    talk.mail_in(0, &blocks, Form::Both);
    talk.made_file(Some("video.mp4"), "video/mp4", Look::Binary, 4_500_000);
    talk.made_file(Some("log.txt"), "text/plain", Look::Text, 1_500_000);
    let author = agent(talk);
    let blocks = talk.paragraphs(1);
    talk.mail_out(author, &blocks, Form::Both);
    talk.made_file(Some("scan.png"), "image/png", Look::Png, 900_000);
}

pub(super) fn rated(talk: &mut Talk<'_>, good: bool) {
    talk.talk.rating = Some(if good { Rating::Good } else { Rating::Bad });
    for index in if good { 0..5 } else { 4..9 } {
        talk.tag(index);
    }
    mails(talk, 2);
}

/// References to mails that never came, a mail that answers itself, an answer that names only References, and one in the
/// same second as its parent.
pub(super) fn odd_threads(talk: &mut Talk<'_>) {
    mails(talk, 1);
    let first = talk
        .talk
        .messages
        .first()
        .and_then(|message| message.mail.as_ref())
        .and_then(|mail| mail.message_id.clone());
    let blocks = talk.paragraphs(1);
    if let Some(mail) = &mut talk.mail_in(0, &blocks, Form::Both).mail {
        mail.in_reply_to = Vec::new();
        mail.references = vec![
            "never.came@people.example".to_owned(),
            first.unwrap_or_default(),
        ];
    }
    talk.refresh_headers();
    let blocks = talk.paragraphs(1);
    if let Some(mail) = &mut talk.mail_in(0, &blocks, Form::Both).mail {
        mail.in_reply_to = vec!["never.came.either@people.example".to_owned()];
        mail.references = Vec::new();
    }
    talk.refresh_headers();
    let parent = talk.last().sent;
    let blocks = talk.paragraphs(1);
    let author = agent(talk);
    talk.mail_out(author, &blocks, Form::Both).sent = parent;
    talk.refresh_headers();
}

/// The last mail came without its original: nobody knows its ids.
pub(super) fn forget_ids(talk: &mut Talk<'_>) {
    if let Some(mail) = &mut talk.last().mail {
        mail.message_id = None;
        mail.in_reply_to.clear();
        mail.references.clear();
    }
}
