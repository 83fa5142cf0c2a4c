//! A world of real mails: read from a folder, threaded, and given the frame of a helpdesk.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use mail_parser::{Address, MessageParser, MimeHeaders, PartType};

use super::Lists;
use super::files::FileContent;
use super::model::{
    Author, Channel, Conversation, ConversationState, File, Mail, MailAddress, Message,
    MessageKind, Person, Role,
};
use super::people::FIRST_CUSTOMER;
use super::setup::status;

/// A mail as far as its file alone tells.
struct Letter {
    from: MailAddress,
    sent: DateTime<Utc>,
    subject: Option<String>,
    html: Option<String>,
    text: Option<String>,
    to: Vec<MailAddress>,
    cc: Vec<MailAddress>,
    bcc: Vec<MailAddress>,
    headers: String,
    message_id: Option<String>,
    in_reply_to: Vec<String>,
    references: Vec<String>,
    files: Vec<File>,
}

pub(super) fn read(folder: &Path) -> io::Result<Lists> {
    let mut paths = Vec::new();
    list(folder, &mut paths)?;
    paths.sort();
    let mut letters = Vec::with_capacity(paths.len());
    for path in paths {
        let raw = fs::read(&path)?;
        letters.push(letter(&raw, letters.len()));
    }
    if letters.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("no mail found in {}", folder.display()),
        ));
    }
    Ok(arrange(letters))
}

fn list(folder: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            list(&path, into)?;
        } else if looks_like_mail(&path) {
            into.push(path);
        }
    }
    Ok(())
}

fn looks_like_mail(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .and_then(|name| name.to_str())
        .is_none_or(|name| name.starts_with('.'));
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    !hidden && ending.is_none_or(|ending| matches!(ending.as_str(), "eml" | "txt" | "msg"))
}

fn letter(raw: &[u8], place: usize) -> Letter {
    let headers = header_block(raw);
    // The parser's own checks panic on some broken nesting; such a mail is taken as plain text, like one without headers.
    let parsed = std::panic::catch_unwind(|| MessageParser::default().parse(raw));
    let parsed = parsed.ok().flatten();
    let ids = |name: &str| {
        header(&headers, name)
            .map(|value| bracketed(&value))
            .unwrap_or_default()
    };
    let mut letter = Letter {
        from: MailAddress {
            name: None,
            address: String::new(),
        },
        sent: believable(None, place),
        subject: None,
        html: None,
        text: None,
        to: Vec::new(),
        cc: Vec::new(),
        bcc: Vec::new(),
        message_id: header(&headers, "message-id").and_then(|value| one_id(&value)),
        in_reply_to: ids("in-reply-to"),
        references: ids("references"),
        headers,
        files: Vec::new(),
    };
    let Some(mail) = parsed else {
        letter.text = Some(unix_lines(&String::from_utf8_lossy(raw)));
        return letter;
    };
    if let Some(from) = mail.from().and_then(Address::first) {
        letter.from = address(from);
    }
    letter.sent = believable(mail.date().map(mail_parser::DateTime::to_timestamp), place);
    letter.subject = mail.subject().map(str::to_owned);
    letter.to = mail.to().map(addresses).unwrap_or_default();
    letter.cc = mail.cc().map(addresses).unwrap_or_default();
    letter.bcc = mail.bcc().map(addresses).unwrap_or_default();
    let html = mail.html_bodies().filter_map(|part| match &part.body {
        PartType::Html(html) => Some(unix_lines(html)),
        _ => None,
    });
    letter.html = joined(html.collect());
    let text = mail.text_bodies().filter_map(|part| match &part.body {
        PartType::Text(text) => Some(unix_lines(text)),
        _ => None,
    });
    letter.text = joined(text.collect());
    letter.files = mail
        .attachments()
        .map(|part| File {
            id: 0,
            name: part
                .attachment_name()
                .map(str::to_owned)
                .filter(|name| !name.is_empty()),
            media_type: media_type(part),
            content: FileContent::Given(Bytes::copy_from_slice(part.contents())),
            content_id: part
                .content_id()
                .map(|id| id.trim_matches(['<', '>']).to_owned())
                .filter(|id| !id.is_empty()),
            claimed_size: None,
            lost: false,
        })
        .collect();
    letter
}

fn joined(parts: Vec<String>) -> Option<String> {
    (!parts.is_empty()).then(|| parts.join("\n"))
}

fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn media_type(part: &mail_parser::MessagePart<'_>) -> String {
    match part.content_type() {
        Some(kind) => match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase(),
            None => "application/octet-stream".to_owned(),
        },
        None => "application/octet-stream".to_owned(),
    }
}

fn address(from: &mail_parser::Addr<'_>) -> MailAddress {
    MailAddress {
        name: from
            .name()
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        address: from.address().unwrap_or_default().trim().to_owned(),
    }
}

fn addresses(all: &Address<'_>) -> Vec<MailAddress> {
    all.iter()
        .map(address)
        .filter(|one| !one.address.is_empty())
        .collect()
}

/// Everything before the first empty line, with line feeds.
fn header_block(raw: &[u8]) -> String {
    let text = unix_lines(&String::from_utf8_lossy(raw));
    let end = text.find("\n\n").unwrap_or(text.len());
    text[..end].to_owned()
}

/// The first header of this name, unfolded.
fn header(block: &str, name: &str) -> Option<String> {
    let mut lines = block.lines().skip_while(|line| {
        line.split_once(':')
            .is_none_or(|(found, _)| !found.trim_end().eq_ignore_ascii_case(name))
    });
    let mut value = lines.next()?.split_once(':')?.1.to_owned();
    for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push(' ');
        value.push_str(line.trim());
    }
    Some(value.trim().to_owned())
}

/// All `<…>` without blanks inside.
fn bracketed(value: &str) -> Vec<String> {
    let pieces = value
        .split('<')
        .skip(1)
        .filter_map(|piece| piece.split_once('>').map(|(id, _)| id.trim()));
    pieces
        .filter(|id| !id.is_empty() && !id.contains(char::is_whitespace))
        .map(str::to_owned)
        .collect()
}

/// A Message-ID, with or without its brackets.
fn one_id(value: &str) -> Option<String> {
    bracketed(value).into_iter().next().or_else(|| {
        let bare = value.trim();
        (!bare.is_empty() && !bare.contains(char::is_whitespace)).then(|| bare.to_owned())
    })
}

/// Mails lie about their date. What no helpdesk can have received gets a date by its place in the folder.
fn believable(seconds: Option<i64>, place: usize) -> DateTime<Utc> {
    let day = |year| {
        NaiveDate::from_ymd_opt(year, 1, 1)
            .and_then(|day| day.and_hms_opt(0, 0, 0))
            .map(|at| at.and_utc())
            .unwrap_or_default()
    };
    let claimed = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    match claimed {
        Some(at) if at >= day(1995) && at < day(2025) => at,
        _ => day(2002) + Duration::minutes(i64::try_from(place).unwrap_or(0)),
    }
}

fn arrange(letters: Vec<Letter>) -> Lists {
    let mut lists = Lists::default();
    lists.mailboxes.truncate(1);
    let mailbox = lists.mailboxes[0].clone();
    let mut people = Directory::default();
    let mut threads = threads(&letters);
    let mut letters: Vec<Option<Letter>> = letters.into_iter().map(Some).collect();
    for thread in &mut threads {
        thread.sort_by_key(|place| (letters[*place].as_ref().map(|letter| letter.sent), *place));
    }
    threads.sort_by_key(|thread| {
        (
            letters[thread[0]].as_ref().map(|letter| letter.sent),
            thread[0],
        )
    });
    let (mut message_id, mut file_id) = (0, 0);
    for (thread, id) in threads.into_iter().zip(1..) {
        let mut messages: Vec<Message> = Vec::with_capacity(thread.len());
        for place in thread {
            let Some(letter) = letters[place].take() else {
                continue;
            };
            let author = people.id_of(&letter.from, letter.sent);
            message_id += 1;
            let outgoing = letter.from.address.eq_ignore_ascii_case(&mailbox.address);
            let requester = messages
                .first()
                .map_or(author, |first| author_id(first.author));
            let mut message = message(letter, message_id, mailbox.id, author, !outgoing);
            message.by_requester = !outgoing && author == requester;
            for file in &mut message.files {
                file_id += 1;
                file.id = file_id;
            }
            messages.push(message);
        }
        lists.conversations.push(conversation(id, messages));
    }
    lists.people.extend(people.people);
    lists
}

fn author_id(author: Author) -> u64 {
    match author {
        Author::Person(id) => id,
        _ => 0,
    }
}

fn message(letter: Letter, id: u64, mailbox: u64, author: u64, incoming: bool) -> Message {
    Message {
        id,
        kind: MessageKind::Mail,
        author: Author::Person(author),
        incoming,
        by_requester: false,
        subject: letter.subject,
        html: letter.html,
        text: letter.text,
        mail: Some(Mail {
            mailbox,
            from: letter.from,
            to: letter.to,
            cc: letter.cc,
            bcc: letter.bcc,
            headers: Some(letter.headers),
            message_id: letter.message_id,
            in_reply_to: letter.in_reply_to,
            references: letter.references,
        }),
        files: letter.files,
        images: Vec::new(),
        sent: letter.sent,
    }
}

fn conversation(id: u64, messages: Vec<Message>) -> Conversation {
    let created = messages
        .first()
        .map(|message| message.sent)
        .unwrap_or_default();
    let updated = messages
        .last()
        .map(|message| message.sent)
        .unwrap_or_default();
    Conversation {
        id,
        subject: messages
            .first()
            .and_then(|message| message.subject.clone())
            .unwrap_or_default(),
        channel: Channel::Mail,
        requester: messages
            .first()
            .map(|message| author_id(message.author))
            .unwrap_or_default(),
        assignee: (id.is_multiple_of(3)).then_some(1 + id % 5),
        team: Some(1 + id % 4),
        company: None,
        status: if id.is_multiple_of(4) {
            status::OPEN
        } else {
            status::CLOSED
        },
        priority: None,
        case_type: None,
        tags: Vec::new(),
        rating: None,
        state: ConversationState::Active,
        merged_into: None,
        custom: Vec::new(),
        created,
        updated,
        closed: (!id.is_multiple_of(4)).then_some(updated),
        messages,
    }
}

/// Senders by address, case ignored; those without one by name.
#[derive(Default)]
struct Directory {
    people: Vec<Person>,
    known: HashMap<String, u64>,
}

impl Directory {
    fn id_of(&mut self, from: &MailAddress, seen: DateTime<Utc>) -> u64 {
        let name = from.name.clone().unwrap_or_default();
        let by = if from.address.is_empty() {
            format!(" {name}")
        } else {
            from.address.to_lowercase()
        };
        if let Some(id) = self.known.get(&by) {
            return *id;
        }
        let id = FIRST_CUSTOMER + self.people.len() as u64;
        self.known.insert(by, id);
        self.people.push(Person {
            id,
            name,
            role: Role::Customer,
            enabled: true,
            title: None,
            emails: if from.address.is_empty() {
                Vec::new()
            } else {
                vec![from.address.clone()]
            },
            phones: Vec::new(),
            twitter: Vec::new(),
            facebook: Vec::new(),
            company: None,
            teams: Vec::new(),
            custom: Vec::new(),
            created: seen,
            updated: seen,
        });
        id
    }
}

/// Mails that name each other, directly or over a third one that may be missing, as lists of places.
fn threads(letters: &[Letter]) -> Vec<Vec<usize>> {
    let mut leader: Vec<usize> = (0..letters.len()).collect();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (place, letter) in letters.iter().enumerate() {
        for id in letter
            .message_id
            .iter()
            .chain(&letter.in_reply_to)
            .chain(&letter.references)
        {
            match by_id.get(id.as_str()) {
                Some(other) => {
                    let (a, b) = (lead(&mut leader, place), lead(&mut leader, *other));
                    leader[a.max(b)] = a.min(b);
                }
                None => {
                    by_id.insert(id, place);
                }
            }
        }
    }
    let mut threads: HashMap<usize, Vec<usize>> = HashMap::new();
    for place in 0..letters.len() {
        threads
            .entry(lead(&mut leader, place))
            .or_default()
            .push(place);
    }
    let mut threads: Vec<_> = threads.into_values().collect();
    threads.sort_by_key(|thread| thread[0]);
    threads
}

fn lead(leader: &mut [usize], mut place: usize) -> usize {
    while leader[place] != place {
        leader[place] = leader[leader[place]];
        place = leader[place];
    }
    place
}
