//! Whole migrations in a process of their own, the platforms in this one.

use deskferry::rehearsal::kayako::Content;
use deskferry::rehearsal::world::{
    Author, Channel, Conversation, ConversationState, File, FileContent, Look, Mail, MailAddress,
    Message, MessageKind, Role, World, WorldSpec,
};

use super::Settings;
use super::child::Moved;
use super::scene::{Scene, answer, runtime};
use super::table::{Table, fine, whole};

pub(crate) fn run(settings: &Settings) {
    let most = settings.number("conversations", 3_000);
    let articles = settings.number("articles", 0);
    let moved = [300, most].map(|conversations| {
        let spec = WorldSpec::new(1, conversations);
        let content = Content::Made(match articles {
            0 => spec,
            articles => spec.light().articles(articles * conversations / most),
        });
        (conversations, runtime().block_on(migrate(content)))
    });
    let mut table = Table::new(
        "run: Kayako to Salesforce on loopback, the migrating process alone",
        &[
            "conversations",
            "records",
            "records/s",
            "CPU µs a record",
            "requests a record",
            "peak MiB",
            "verify: records/s",
            "CPU µs a record",
            "peak MiB",
            "differences",
        ],
    );
    for (conversations, (moved, differences)) in &moved {
        let records = moved.records as f64;
        let each = |seconds: Option<f64>| whole(seconds.unwrap_or(f64::NAN) * 1e6 / records);
        table.row(&[
            whole(*conversations as f64),
            whole(records),
            whole(records / moved.wall),
            each(moved.processor),
            format!("{:.3}", moved.requests as f64 / records),
            whole(moved.peak.unwrap_or(f64::NAN)),
            whole(records / moved.verify_wall),
            each(moved.verify_processor),
            whole(moved.verify_peak.unwrap_or(f64::NAN)),
            differences.to_string(),
        ]);
    }
    table.print();
    let [(_, (small, _)), (_, (large, _))] = &moved;
    let ratio = |figure: fn(&Moved) -> Option<f64>| {
        let each = |moved: &Moved| figure(moved).unwrap_or(f64::NAN) / moved.records as f64;
        fine(each(large) / each(small))
    };
    println!(
        "  large : small, a record: CPU {}, requests {}",
        ratio(|moved| moved.processor),
        ratio(|moved| Some(moved.requests as f64))
    );
}

async fn migrate(content: Content) -> (Moved, u64) {
    let scene = Scene::of(content).await;
    let moved: Moved = answer(scene.start("run-and-verify")).await;
    let differences = scene.differences().len() as u64 + moved.different;
    (moved, differences)
}

pub(crate) fn memory(settings: &Settings) {
    let (files, megabytes) = (
        settings.number("files", 64),
        settings.number("megabytes", 5),
    );
    let mut table = Table::new(
        "memory: mails with large files, the migrating process alone",
        &[
            "files",
            "MB each",
            "records",
            "s",
            "peak MiB",
            "differences",
        ],
    );
    for (files, megabytes) in [(0, 0), (files, megabytes)] {
        let lists = large_files(files.max(64), files, megabytes * 1_000_000);
        let (moved, differences) = runtime().block_on(migrate(Content::Given(Box::new(lists))));
        table.row(&[
            files.to_string(),
            megabytes.to_string(),
            whole(moved.records as f64),
            fine(moved.wall),
            whole(moved.peak.unwrap_or(f64::NAN)),
            differences.to_string(),
        ]);
    }
    table.print();
}

/// So many conversations of one mail; the first `files` of them have a file of so many bytes.
fn large_files(conversations: u64, files: u64, bytes: u64) -> deskferry::rehearsal::world::Lists {
    let made = World::generate(WorldSpec::new(1, 300));
    let customer = made
        .lists()
        .people
        .iter()
        .filter(|person| person.role == Role::Customer && person.emails.len() == 1)
        .nth(20)
        .expect("customers")
        .clone();
    let mut lists = made.lists().clone();
    let mailbox = lists.mailboxes[0].clone();
    let status = lists.statuses[0].id;
    let conversation = |n: u64| {
        let sent = customer.created + chrono::Duration::hours(i64::try_from(n).unwrap_or(0));
        let file = (n <= files).then(|| File {
            id: n,
            name: Some(format!("recording-{n}.bin")),
            media_type: "application/octet-stream".into(),
            content: FileContent::Made {
                seed: n,
                look: Look::Binary,
                size: bytes,
            },
            content_id: None,
            claimed_size: None,
            lost: false,
        });
        let message = Message {
            id: n,
            kind: MessageKind::Mail,
            author: Author::Person(customer.id),
            incoming: true,
            by_requester: true,
            subject: Some(format!("Recording {n}")),
            html: None,
            text: Some("Please find the recording attached.".into()),
            mail: Some(Mail {
                mailbox: mailbox.id,
                from: MailAddress {
                    name: None,
                    address: customer.emails[0].clone(),
                },
                to: Vec::new(),
                cc: Vec::new(),
                bcc: Vec::new(),
                headers: None,
                message_id: None,
                in_reply_to: Vec::new(),
                references: Vec::new(),
            }),
            files: file.into_iter().collect(),
            images: Vec::new(),
            sent,
        };
        Conversation {
            id: n,
            subject: format!("Recording {n}"),
            channel: Channel::Mail,
            requester: customer.id,
            assignee: None,
            team: None,
            company: None,
            status,
            priority: None,
            case_type: None,
            tags: Vec::new(),
            rating: None,
            state: ConversationState::Active,
            merged_into: None,
            custom: Vec::new(),
            created: sent,
            updated: sent,
            closed: None,
            messages: vec![message],
        }
    };
    lists.conversations = (1..=conversations).map(conversation).collect();
    lists
}
