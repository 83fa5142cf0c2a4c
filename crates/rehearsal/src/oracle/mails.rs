//! EmailMessages, the people on them, and the mails they answer.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::files::{Files, Shown, add_body, key_of, md5, unavailable};
use super::html::{text, tree};
use super::want::{Row, Sheet, Want, field, short};
use super::words::{clean, collapsed, encoded, letters};
use super::{Findings, Ground, Table, html};
use crate::world::{Conversation, Mail, MailAddress, Message};

/// What a body may hold, in characters once encoded.
const LARGEST_BODY: usize = 131_072;

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
        parents(ground, conversation)
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
            .and_then(|parent| mails.ids.get(&ground.key("message", parent)));
        sheet.set("ReplyToEmailMessageId", Want::id(parent));
        mails
            .relations
            .compare(&id, &key, people(ground, message, mail, &mut sheet), out);
        bodies(ground, conversation, message, &row, &id, mails, &mut sheet);
        files(ground, conversation, message, &id, mails.files, &mut sheet);
        sheet.compare(
            "EmailMessage",
            &key,
            &row,
            &ground.options.tolerated_keys,
            out,
        );
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
    let takes_it = address.is_ascii()
        && super::words::email(&address.chars().take(60).collect::<String>()).is_some()
        || super::words::email(&address).is_some();
    let wanted = address.to_lowercase();
    let same = Want::test(address.clone(), move |found| found.to_lowercase() == wanted);
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
        if name.is_empty() {
            Want::Nothing.or(Want::Text(own))
        } else {
            Want::Text(name)
        },
    );
}

/// How sure it is that a body is too long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    No,
    /// Too long only by the most cautious way of counting.
    Perhaps,
    Yes,
}

fn over(body: &str) -> Over {
    // Every way of counting makes five of an ampersand.
    let least = body.chars().count() + 4 * body.matches('&').count();
    match () {
        () if least > LARGEST_BODY && !body.contains('<')
            || body.chars().count() > LARGEST_BODY =>
        {
            Over::Yes
        }
        () if encoded(body) > LARGEST_BODY => Over::Perhaps,
        () => Over::No,
    }
}

fn bodies(
    ground: &Ground<'_>,
    conversation: &Conversation,
    message: &Message,
    row: &Row,
    id: &str,
    mails: &mut Mails<'_>,
    sheet: &mut Sheet,
) {
    let html_body = message
        .html
        .as_deref()
        .filter(|body| !clean(body).is_empty());
    let text_body = message
        .text
        .as_deref()
        .filter(|body| !clean(body).is_empty());
    let html_over = html_body.map_or(Over::No, over);
    let text_over = text_body.map_or(Over::No, over);
    let stands_whole = match html_body {
        Some(_) => !field(row, "HtmlBody").is_empty(),
        None => text_body.is_some_and(|body| clean(body) == field(row, "TextBody")),
    };
    let is_file = html_over == Over::Yes
        || text_over == Over::Yes
        || ((html_over == Over::Perhaps || text_over == Over::Perhaps) && !stands_whole);
    if !is_file {
        sheet.set(
            "HtmlBody",
            html_body.map_or(Want::Nothing, |body| {
                same_tree(conversation, message, body, row, mails.shown)
            }),
        );
        sheet.set(
            "TextBody",
            match (text_body, html_body) {
                (Some(body), _) => Want::Text(clean(body)),
                (None, Some(body)) => derived(body),
                (None, None) => Want::Nothing,
            },
        );
        return;
    }
    let (ending, body) = html_body.map_or(("txt", text_body.unwrap_or("")), |body| ("html", body));
    let key = add_body(
        ground,
        conversation,
        mails.files,
        message.id,
        ending,
        body,
        message.sent,
    );
    if let Some(kept) = mails.files.get_mut(&key) {
        kept.on.insert(id.to_owned());
    }
    sheet.set("HtmlBody", Want::Nothing);
    sheet.set(
        "TextBody",
        beginning(
            &format!("message-{}.{ending}", message.id),
            &text_body.map_or_else(|| html::text(body, true), clean),
        ),
    );
}

/// The same page, pictures named by what they show.
fn same_tree(
    conversation: &Conversation,
    message: &Message,
    body: &str,
    row: &Row,
    shown: &Shown,
) -> Want {
    let wanted = tree(&clean(body), &|address| {
        pictured(conversation, message, address)
    });
    let found = tree(field(row, "HtmlBody"), &|address| shown.address(address));
    if wanted == found {
        return Want::Something;
    }
    // The first place at which they part says more than two whole pages.
    let parts = wanted
        .char_indices()
        .zip(found.chars())
        .find(|((_, a), b)| a != b)
        .map_or(wanted.len().min(found.len()), |((at, _), _)| at);
    let around = |text: &str| {
        text.chars()
            .skip(wanted[..parts].chars().count().saturating_sub(60))
            .take(160)
            .collect::<String>()
    };
    Want::test(
        format!(
            "the same tree; they part at …{}… where there is …{}…",
            around(&wanted),
            around(&found)
        ),
        |_| false,
    )
}

/// What an address in a body of the world shows.
fn pictured(conversation: &Conversation, message: &Message, address: &str) -> String {
    if let Some(token) = address.strip_prefix("media:") {
        let all = conversation
            .messages
            .iter()
            .flat_map(|message| &message.images);
        let image = all
            .into_iter()
            .find(|image| image.token == token && !image.lost);
        return image.map_or_else(
            || address.to_owned(),
            |image| format!("shows {}", md5(&image.content.bytes())),
        );
    }
    let scheme = address
        .get(..4)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("cid:"));
    let id = scheme.then(|| {
        percent_encoding::percent_decode_str(&address[4..])
            .decode_utf8_lossy()
            .into_owned()
    });
    let named = |file: &&crate::world::File| {
        file.content_id.is_some() && file.content_id == id && unavailable(file).is_none()
    };
    match message.files.iter().find(named) {
        Some(file) => format!("shows {}", md5(&file.content.bytes())),
        None => address.to_owned(),
    }
}

/// The text that the platform takes out of the HTML by itself.
fn derived(body: &str) -> Want {
    let wanted = letters(&text(&clean(body), false));
    Want::test(format!("the text of the HTML: {wanted}"), move |found| {
        let found = letters(found);
        found == wanted || (found.chars().count() > 100_000 && wanted.starts_with(&found))
    })
}

/// The beginning of a text, as much as fits, and a last line that names the file with the rest.
fn beginning(file: &str, whole: &str) -> Want {
    /// Even if each character costs six, so many fit.
    const AT_LEAST: usize = LARGEST_BODY / 6 - 1_000;
    let (file, whole) = (file.to_owned(), letters(whole));
    Want::test(
        format!("a text that ends in a line with {file}: {whole}"),
        move |found| {
            let (text, last) = found.rsplit_once('\n').unwrap_or(("", found));
            let text = letters(text);
            let fits = text.chars().count() >= whole.chars().count().min(letters_in(AT_LEAST));
            last.contains(&file) && whole.starts_with(&text) && fits
        },
    )
}

/// A cautious share of letters in so many characters.
fn letters_in(characters: usize) -> usize {
    characters / 3
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

/// The mail that each mail answers. Circles are broken at the youngest mail.
fn parents(ground: &Ground<'_>, conversation: &Conversation) -> HashMap<u64, u64> {
    let mut by_id: HashMap<&str, u64> = HashMap::new();
    let mut mails: Vec<&Message> = conversation
        .messages
        .iter()
        .filter(|message| message.mail.is_some())
        .collect();
    mails.sort_by_key(|message| (message.sent, ground.key("message", message.id)));
    for message in &mails {
        if let Some(id) = message
            .mail
            .as_ref()
            .and_then(|mail| mail.message_id.as_deref())
        {
            by_id.entry(id).or_insert(message.id);
        }
    }
    let mut parents = HashMap::new();
    for message in &mails {
        let Some(mail) = &message.mail else { continue };
        let named = |id: Option<&String>| {
            id.and_then(|id| by_id.get(id.as_str()))
                .copied()
                .filter(|parent| *parent != message.id)
        };
        if let Some(parent) =
            named(mail.in_reply_to.first()).or_else(|| named(mail.references.last()))
        {
            parents.insert(message.id, parent);
        }
    }
    for message in mails.iter().rev() {
        let mut seen = HashSet::from([message.id]);
        let mut at = message.id;
        while let Some(parent) = parents.get(&at).copied() {
            if parent == message.id {
                parents.remove(&message.id);
                break;
            }
            if !seen.insert(parent) {
                break;
            }
            at = parent;
        }
    }
    parents
}
