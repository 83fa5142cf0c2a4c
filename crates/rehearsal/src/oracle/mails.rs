//! EmailMessages, the people on them, and the mails they answer.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::files::{Files, Shown, key_of, unavailable};
use super::want::{Row, Sheet, Want, field, short};
use super::words::{clean, collapsed, fits};
use super::{Findings, Ground, Table, bodies, threads};
use crate::world::{Conversation, Mail, MailAddress, Message};

/// Where mails are looked up and what they add to.
pub(super) struct Mails<'a> {
    pub(super) case: Option<&'a str>,
    pub(super) rows: &'a mut Table,
    pub(super) ids: &'a HashMap<String, String>,
    pub(super) relations: &'a mut Relations,
    pub(super) shown: &'a Shown,
    pub(super) files: &'a mut Files,
}

/// People on mails, by mail.
pub(super) struct Relations {
    by_mail: HashMap<String, Vec<(String, String)>>,
    ours: BTreeSet<String>,
}

impl Relations {
    pub(super) fn load(rows: Vec<Row>) -> Self {
        let mut by_mail: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for row in rows {
            let relation = (
                field(&row, "RelationType").to_owned(),
                short(field(&row, "RelationId")).to_owned(),
            );
            by_mail
                .entry(short(field(&row, "EmailMessageId")).to_owned())
                .or_default()
                .push(relation);
        }
        Self {
            by_mail,
            ours: BTreeSet::new(),
        }
    }

    fn compare(
        &mut self,
        mail: &str,
        key: &str,
        wanted: BTreeSet<(String, String)>,
        out: &mut Findings,
    ) {
        let mail = short(mail).to_owned();
        let found = self.by_mail.entry(mail.clone()).or_default();
        for relation in wanted {
            match found.iter().position(|found| *found == relation) {
                Some(place) => {
                    found.swap_remove(place);
                }
                None => out.missing(
                    "EmailMessageRelation",
                    &format!("{key} {} {}", relation.0, relation.1),
                ),
            }
        }
        self.ours.insert(mail);
    }

    pub(super) fn rest_is_extra(self, out: &mut Findings) {
        for mail in self.ours {
            for (kind, person) in self.by_mail.get(&mail).into_iter().flatten() {
                out.extra("EmailMessageRelation", &format!("{mail} {kind} {person}"));
            }
        }
    }
}

/// Compares the mails of a conversation.
pub(super) fn compare(
    ground: &Ground<'_>,
    conversation: &Conversation,
    mails: &mut Mails<'_>,
    out: &mut Findings,
) {
    let parents = if ground.options.email_originals {
        threads::parents(ground, conversation)
    } else {
        HashMap::new()
    };
    for message in &conversation.messages {
        let Some(mail) = &message.mail else { continue };
        let key = ground.key("message", message.id);
        let Some(row) = mails.rows.take(&key, out) else {
            continue;
        };
        let id = field(&row, "Id").to_owned();
        let mut sheet = Sheet::default();
        frame(ground, conversation, message, mail, &key, &mut sheet);
        sheet.set(
            "ParentId",
            mails
                .case
                .map_or(Want::Anything, |case| Want::Id(case.to_owned())),
        );
        sheet.set(
            "RelatedToId",
            mails
                .case
                .map_or(Want::Anything, |case| Want::Id(case.to_owned())),
        );
        let parent = parents
            .get(&message.id)
            .and_then(|parent| mails.ids.get(&ground.key("message", *parent)));
        sheet.set("ReplyToEmailMessageId", Want::id(parent));
        mails
            .relations
            .compare(&id, &key, people(ground, message, mail, &mut sheet), out);
        bodies::compare(ground, conversation, message, &row, &id, mails, &mut sheet);
        files(ground, conversation, message, &id, mails.files, &mut sheet);
        sheet.compare("EmailMessage", &key, &row, ground.options, out);
    }
}

fn frame(
    ground: &Ground<'_>,
    conversation: &Conversation,
    message: &Message,
    mail: &Mail,
    key: &str,
    sheet: &mut Sheet,
) {
    super::people::frame(sheet, ground.options, key, message.sent, message.sent);
    sheet.set("Incoming", Want::Bool(message.incoming));
    sheet.set(
        "Status",
        Want::Text(if message.incoming { "1" } else { "3" }.to_owned()),
    );
    sheet.set("MessageDate", Want::Time(message.sent));
    let subject = collapsed(message.subject.as_deref().unwrap_or(&conversation.subject));
    let wanted = subject.clone();
    let short_enough = subject.chars().count() <= 3_000;
    sheet.set(
        "Subject",
        Want::test(format!("{subject:?}"), move |found| {
            let found = collapsed(found);
            found == wanted || (!short_enough && wanted.starts_with(&found))
        }),
    );
    if !ground.options.email_originals {
        return;
    }
    headers(mail, sheet);
}

fn headers(mail: &Mail, sheet: &mut Sheet) {
    let block = mail.headers.as_deref().unwrap_or("");
    let lines = |text: &str| {
        clean(text)
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let wanted = lines(block);
    if wanted.chars().count() > 32_000 {
        sheet.text("Headers", block, 32_000);
    } else {
        let shown = format!("{wanted:?}");
        sheet.set(
            "Headers",
            Want::test(shown, move |found| lines(found) == wanted),
        );
    }
    let bare = |id: &str| clean(id).trim_matches(['<', '>']).trim().to_owned();
    sheet.set(
        "MessageIdentifier",
        match &mail.message_id {
            Some(id) => {
                let wanted = bare(id);
                Want::test(wanted.clone(), move |found| bare(found) == wanted)
            }
            // A Message-ID that is none may be kept as it stands.
            None => {
                let block = block.to_owned();
                Want::test("nothing", move |found| block.contains(found))
            }
        },
    );
}

/// Sender and recipients: rows of the org by id, the others by address. Answers the relations that the ids make.
fn people(
    ground: &Ground<'_>,
    message: &Message,
    mail: &Mail,
    sheet: &mut Sheet,
) -> BTreeSet<(String, String)> {
    let mut relations = BTreeSet::new();
    sender(ground, message, mail, sheet, &mut relations);
    let mailbox = ground
        .world
        .mailbox(mail.mailbox)
        .filter(|_| message.incoming);
    let mailbox = mailbox.map(|mailbox| MailAddress {
        name: None,
        address: mailbox.address.clone(),
    });
    let to: Vec<&MailAddress> = mailbox.iter().chain(&mail.to).collect();
    let cc: Vec<&MailAddress> = mail.cc.iter().collect();
    let bcc: Vec<&MailAddress> = mail.bcc.iter().collect();
    for (name, all) in [("ToAddress", to), ("CcAddress", cc), ("BccAddress", bcc)] {
        let mut strangers: Vec<String> = Vec::new();
        for one in all {
            let id = ground
                .contacts
                .by_email(&one.address)
                .or_else(|| ground.users.by_email(&one.address).map(|user| &user.id));
            match id {
                Some(id) => {
                    relations.insert((name.to_owned(), short(id).to_owned()));
                }
                None => strangers.push(clean(&one.address)),
            }
        }
        let joined = strangers.join("; ");
        if joined.chars().count() > 4_000 {
            sheet.text(name, &joined, 4_000);
            continue;
        }
        let list = |text: &str| {
            let mut seen = HashSet::new();
            let all = text
                .split(';')
                .map(|one| one.trim().to_owned())
                .filter(|one| !one.is_empty());
            all.filter(|one| seen.insert(one.clone()))
                .collect::<Vec<_>>()
        };
        let wanted = list(&joined);
        sheet.set(name, Want::test(joined, move |found| list(found) == wanted));
    }
    relations
}

fn sender(
    ground: &Ground<'_>,
    message: &Message,
    mail: &Mail,
    sheet: &mut Sheet,
    relations: &mut BTreeSet<(String, String)>,
) {
    let address = clean(&mail.from.address);
    let author = match message.author {
        crate::world::Author::Person(id) => Some(id),
        _ => None,
    };
    let contact = author
        .and_then(|id| ground.contacts.of(id))
        .filter(|id| ground.contacts.by_email(&address) == Some(id));
    let user = author
        .and_then(|id| ground.users.of(id))
        .filter(|user| user.email == address.to_lowercase());
    let id = contact.or(user.map(|user| &user.id));
    sheet.set("FromId", Want::id(id));
    if let Some(id) = id {
        relations.insert(("FromAddress".to_owned(), short(id).to_owned()));
    }
    let takes_it = fits(&address, 1_000);
    let wanted = address.to_lowercase();
    let same = Want::test(address.clone(), move |found| found.to_lowercase() == wanted);
    if !takes_it {
        sheet.perhaps_unfit("FromAddress", &address);
    }
    // A typed field may refuse an address that is none; the headers keep it.
    sheet.set(
        "FromAddress",
        if takes_it {
            same
        } else {
            same.or(Want::Nothing)
        },
    );
    let name = mail.from.name.as_deref().map(clean).unwrap_or_default();
    let own = author
        .and_then(|id| ground.world.person(id))
        .map(|person| clean(&person.name))
        .unwrap_or_default();
    sheet.set(
        "FromName",
        match author {
            _ if !name.is_empty() => Want::Text(name),
            Some(_) => Want::Nothing.or(Want::Text(own)),
            // What an automation is called is the connector's choice.
            None => Want::Anything,
        },
    );
}

/// Links of the mail's files, and the names of those that could not come.
fn files(
    ground: &Ground<'_>,
    conversation: &Conversation,
    message: &Message,
    id: &str,
    kept: &mut Files,
    sheet: &mut Sheet,
) {
    let mut link = |content: &crate::world::FileContent| {
        if let Some(kept) = kept.get_mut(&key_of(ground, conversation, content)) {
            kept.on.insert(id.to_owned());
        }
    };
    for file in &message.files {
        match unavailable(file) {
            None => link(&file.content),
            Some(reason) => sheet.missing_files.push((file.name.clone(), reason)),
        }
    }
    for image in &message.images {
        if image.lost {
            sheet.missing_files.push((None, "unavailable"));
        } else {
            link(&image.content);
        }
    }
}
