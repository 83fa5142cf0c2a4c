//! What happens in which conversation: scenarios in a fixed order, so that every few dozen conversations show everything.

use chrono::Duration;

use super::dice::Dice;
use super::files::Look;
use super::generate::Cast;
use super::model::{Author, Channel, Conversation, ConversationState};
use super::people::{customer, epoch, staff};
use super::scenes::*;
use super::setup::status;
use super::talk::{Form, Talk, shown};
use super::text::Block;

/// How many conversations until the scenarios begin again.
pub(crate) const ROUND: u64 = 60;
/// Scenarios that cost time or room are played once in so many conversations.
const HEAVY_ROUND: u64 = 300;

/// The conversation at `index`, from 0.
pub(crate) fn conversation(cast: &Cast<'_>, index: u64) -> Conversation {
    let mut dice = Dice::new(cast.seed, "conversation", index);
    let id = index + 1;
    // Two years, however many conversations there are.
    let step = 2 * 365 * 86_400 / cast.conversations.max(1);
    let created = epoch()
        + Duration::seconds(i64::try_from(index * step + dice.below(step.max(1))).unwrap_or(0));
    let scenario = index % ROUND;
    let heavy = index % HEAVY_ROUND < ROUND;
    let place = match scenario {
        11 => Some(customer::NO_EMAIL),
        7 => Some(customer::TWITTER_ONLY),
        8 => Some(customer::FACEBOOK_ONLY),
        36 => Some(customer::NOTHING),
        39 => Some(customer::TWIN_A),
        40 => Some(customer::TWIN_B),
        41 => Some(customer::MANY_EMAILS),
        42 => Some(customer::LAST_FIRST),
        43 => Some(customer::ONE_TOKEN),
        44 => Some(customer::LONG_NAME),
        45 => Some(customer::LONG_ADDRESS),
        46 => Some(customer::UNICODE_ADDRESS),
        47 => Some(customer::NAMELESS),
        48 => Some(customer::CAPITALS),
        _ => None,
    };
    let requester = match (scenario, place) {
        (12, _) => cast.person(staff::REQUESTER),
        (_, Some(place)) => cast.customer(place),
        _ => cast.usual_customer(&mut dice),
    };
    let channel = match scenario {
        4 | 38 => Channel::HelpCentre,
        5 | 36 => Channel::Messenger,
        7 => Channel::Twitter,
        8 => Channel::Facebook,
        9 => Channel::Other("WHATSAPP".to_owned()),
        11 => Channel::Other("VOICE".to_owned()),
        12 => Channel::Note,
        _ => Channel::Mail,
    };
    let mailbox = cast.mailbox(index);
    let mut talk = Talk::begin(dice, id, created, channel, requester, cast.people, mailbox);
    usual_frame(&mut talk);
    play(&mut talk, cast, scenario, index, heavy);
    if cast.hostile {
        spoil(&mut talk, scenario);
    }
    talk.end()
}

/// Assignee, status, priority, type, tags: spread evenly; scenarios overwrite what they care about.
fn usual_frame(talk: &mut Talk<'_>) {
    let dice = &mut talk.dice;
    let assignee = (!dice.one_in(5)).then(|| *dice.pick(&staff::ACTIVE));
    let team = (!dice.one_in(4)).then(|| 1 + dice.below(4));
    let state = *dice.pick(&[
        status::NEW,
        status::OPEN,
        status::PENDING,
        status::COMPLETED,
        status::CLOSED,
        status::CLOSED,
    ]);
    let priority = (!dice.one_in(3)).then(|| 1 + dice.below(4));
    let case_type = (!dice.one_in(3)).then(|| 1 + dice.below(4));
    let tags = dice.below(3);
    let first_tag = dice.below(9);
    talk.talk.assignee = assignee;
    talk.talk.team = team;
    talk.talk.status = state;
    talk.talk.priority = priority;
    talk.talk.case_type = case_type;
    for n in 0..tags {
        talk.tag(first_tag + n);
    }
}

fn play(talk: &mut Talk<'_>, cast: &Cast<'_>, scenario: u64, index: u64, heavy: bool) {
    match scenario {
        1 => picture_by_address(talk),
        2 => picture_by_content_id(talk),
        3 => many_recipients(talk, cast),
        4 => help_centre(talk),
        5 => chat(talk),
        6 => notes(talk),
        7 => tweets(talk),
        8 => facebook(talk),
        9 => unknown_channel(talk),
        10 => merged_stub(talk, index),
        11 => phone_call(talk),
        12 => asked_by_staff(talk),
        13 => notes_elsewhere(talk),
        14 => automation(talk),
        15 => {
            talk.talk.status = status::DELETED;
            talk.talk.priority = Some(5);
            talk.talk.case_type = Some(5);
            mails(talk, 2);
        }
        16 => {
            talk.talk.status = status::WAITING_FOR_PARTS;
            talk.talk.assignee = Some(staff::LEFT[usize::from(index % 120 >= ROUND)]);
            mails(talk, 2);
            let left = Author::Person(staff::LEFT[0]);
            let blocks = talk.paragraphs(1);
            talk.note(left, &blocks, Form::TextOnly);
        }
        17 => {
            talk.talk.assignee = Some(staff::WITHOUT_USER);
            mails(talk, 1);
            let blocks = talk.paragraphs(1);
            talk.note(Author::Person(staff::WITHOUT_USER), &blocks, Form::Both);
            let blocks = talk.paragraphs(1);
            talk.mail_out(Author::Person(staff::WITHOUT_USER), &blocks, Form::Both);
        }
        18 => custom_values(talk),
        19 => deleted_fields(talk),
        20 => odd_files(talk),
        21 => same_file(talk, index, true),
        22 => same_file(talk, index - 1, false),
        23 if heavy => overlong_html(talk),
        24 if heavy => overlong_by_encoding(talk),
        25 => long_note(talk, true),
        26 => long_note(talk, false),
        27 => empty_bodies(talk),
        28 if heavy => many_posts(talk),
        29 if heavy => big_files(talk),
        30 | 31 => rated(talk, scenario == 30),
        32 | 33 => {
            talk.talk.state = if scenario == 32 {
                ConversationState::Trash
            } else {
                ConversationState::Suspended
            };
            mails(talk, 1);
        }
        34 => {
            talk.talk.subject = format!("Line one\r\nline two {}", "👩‍👩‍👧‍👦 sehr lang ".repeat(24));
            mails(talk, 1);
        }
        35 => odd_threads(talk),
        36 => {
            talk.talk.subject = String::new();
            chat(talk);
        }
        37 => {
            talk.talk.company =
                (!cast.companies.is_empty()).then(|| 1 + index % cast.companies.len() as u64);
            mails(talk, 2);
        }
        38 => {
            help_centre(talk);
            note_with_picture(talk);
        }
        41 => {
            mails(talk, 1);
            let blocks = talk.paragraphs(1);
            talk.mail_in(1, &blocks, Form::Both);
        }
        49 => {
            mails(talk, 1);
            talk.last()
                .mail
                .iter_mut()
                .for_each(|mail| mail.headers = None);
            forget_ids(talk);
        }
        50 => {
            mails(talk, 1);
            let blocks = talk.paragraphs(1);
            talk.note(Author::Person(staff::COLLABORATOR), &blocks, Form::HtmlOnly);
        }
        _ => {
            let turns = 1 + talk.dice.below(4);
            mails(talk, turns);
        }
    }
}

/// What a broken helpdesk adds.
fn spoil(talk: &mut Talk<'_>, scenario: u64) {
    match scenario {
        51 => {
            talk.made_file(Some("lost.pdf"), "application/pdf", Look::Binary, 5_000)
                .lost = true;
        }
        52 => {
            let author = agent(talk);
            talk.note(
                author,
                &[Block::Para("See the file.".into())],
                Form::TextOnly,
            );
            talk.made_file(
                Some("gone.bin"),
                "application/octet-stream",
                Look::Binary,
                50,
            )
            .lost = true;
        }
        53 => {
            talk.made_file(
                Some("shorter than said.bin"),
                "application/octet-stream",
                Look::Binary,
                500,
            )
            .claimed_size = Some(501);
        }
        54 => talk.talk.status = status::UNKNOWN,
        55 => talk.talk.assignee = Some(staff::DELETED),
        56 => {
            let image = talk.image();
            talk.last().html = Some(super::text::html(&[shown(&image)]));
            talk.show(&[super::model::InlineImage {
                lost: true,
                ..image
            }]);
        }
        _ => {}
    }
}
