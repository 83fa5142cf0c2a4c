//! Builds one conversation, message by message, on a clock of its own.

use chrono::{DateTime, Duration, Utc};

use super::dice::Dice;
use super::files::{FileContent, Look};
use super::model::{
    Author, Channel, Conversation, ConversationState, File, InlineImage, Mail, MailAddress,
    Mailbox, Message, MessageKind, NoteOn, Person, Tag,
};
use super::setup::status;
use super::text::{Block, html, plain};
use super::words::{LANGUAGES, Language, TAGS};

/// Ids of messages and files are made from the conversation's, so that each can be found again from its number.
const MESSAGES_PER_CONVERSATION: u64 = 4_096;
const FILES_PER_MESSAGE: u64 = 16;

/// Both renderings of a body, or one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Both,
    HtmlOnly,
    TextOnly,
}

pub(crate) struct Talk<'a> {
    pub(crate) talk: Conversation,
    pub(crate) dice: Dice,
    pub(crate) requester: &'a Person,
    people: &'a [Person],
    mailbox: &'a Mailbox,
    clock: DateTime<Utc>,
    language: &'static Language,
    /// Message-IDs of the mails so far.
    thread: Vec<String>,
}

impl<'a> Talk<'a> {
    pub(crate) fn begin(
        mut dice: Dice,
        id: u64,
        created: DateTime<Utc>,
        channel: Channel,
        requester: &'a Person,
        people: &'a [Person],
        mailbox: &'a Mailbox,
    ) -> Self {
        let language = &LANGUAGES[usize::try_from(id % LANGUAGES.len() as u64).unwrap_or(0)];
        let subject = (*dice.pick(language.subjects)).to_owned();
        let talk = Conversation {
            id,
            subject,
            channel,
            requester: requester.id,
            assignee: None,
            team: None,
            company: None,
            status: status::OPEN,
            priority: None,
            case_type: None,
            tags: Vec::new(),
            rating: None,
            state: ConversationState::Active,
            merged_into: None,
            custom: Vec::new(),
            created,
            updated: created,
            closed: None,
            messages: Vec::new(),
        };
        Self {
            talk,
            dice,
            requester,
            people,
            mailbox,
            clock: created,
            language,
            thread: Vec::new(),
        }
    }

    /// Sets the times that follow from the messages, and hands the conversation over.
    pub(crate) fn end(mut self) -> Conversation {
        let last = self
            .talk
            .messages
            .last()
            .map_or(self.talk.created, |message| message.sent);
        let quiet = Duration::seconds(i64::try_from(self.dice.below(90_000)).unwrap_or(0));
        if matches!(self.talk.status, status::COMPLETED | status::CLOSED) {
            self.talk.closed = Some(last + Duration::seconds(quiet.num_seconds() / 2));
        }
        self.talk.updated = last + quiet;
        self.talk
    }

    /// The next message comes this many seconds later; 0 puts it into the same second.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.clock += Duration::seconds(seconds);
    }

    pub(crate) fn sentence(&mut self) -> String {
        (*self.dice.pick(self.language.sentences)).to_owned()
    }

    pub(crate) fn paragraphs(&mut self, count: u64) -> Vec<Block> {
        (0..count)
            .map(|_| {
                let two = format!("{} {}", self.sentence(), self.sentence());
                Block::Para(two)
            })
            .collect()
    }

    pub(crate) fn tag(&mut self, index: u64) {
        let name = TAGS[usize::try_from(index % TAGS.len() as u64).unwrap_or(0)];
        let tag = Tag {
            id: 1 + index % TAGS.len() as u64,
            name: name.to_owned(),
        };
        if !self.talk.tags.contains(&tag) {
            self.talk.tags.push(tag);
        }
    }

    fn person(&self, id: u64) -> Option<&'a Person> {
        self.people.iter().find(|person| person.id == id)
    }

    /// Adds a message and returns it for what is special about it.
    pub(crate) fn say(
        &mut self,
        kind: MessageKind,
        author: Author,
        incoming: bool,
        blocks: &[Block],
        form: Form,
    ) -> &mut Message {
        let id = self.talk.id * MESSAGES_PER_CONVERSATION + self.talk.messages.len() as u64 + 1;
        let by_requester = incoming && author == Author::Person(self.talk.requester);
        self.talk.messages.push(Message {
            id,
            kind,
            author,
            incoming,
            by_requester,
            subject: None,
            html: (form != Form::TextOnly).then(|| html(blocks)),
            text: (form != Form::HtmlOnly).then(|| plain(blocks)),
            mail: None,
            files: Vec::new(),
            images: Vec::new(),
            sent: self.clock,
        });
        let step = 1 + i64::try_from(self.dice.below(20_000)).unwrap_or(0);
        self.clock += Duration::seconds(step);
        self.last()
    }

    pub(crate) fn last(&mut self) -> &mut Message {
        let last = self.talk.messages.len().saturating_sub(1);
        &mut self.talk.messages[last]
    }

    /// A mail from the requester, by its address number.
    pub(crate) fn mail_in(&mut self, address: usize, blocks: &[Block], form: Form) -> &mut Message {
        let from = MailAddress {
            name: Some(self.requester.name.clone()).filter(|name| !name.is_empty()),
            address: self
                .requester
                .emails
                .get(address)
                .cloned()
                .unwrap_or_else(|| "nobody@people.example".to_owned()),
        };
        self.mail(
            Author::Person(self.requester.id),
            true,
            from,
            Vec::new(),
            blocks,
            form,
        )
    }

    /// A mail from somebody who is not the requester.
    pub(crate) fn mail_from(&mut self, author: &Person, blocks: &[Block]) -> &mut Message {
        let from = MailAddress {
            name: Some(author.name.clone()),
            address: author.emails.first().cloned().unwrap_or_default(),
        };
        self.mail(
            Author::Person(author.id),
            true,
            from,
            Vec::new(),
            blocks,
            Form::Both,
        )
    }

    /// An answer from the mailbox to the requester's first address.
    pub(crate) fn mail_out(
        &mut self,
        author: Author,
        blocks: &[Block],
        form: Form,
    ) -> &mut Message {
        let name = match author {
            Author::Person(id) => self.person(id).map(|person| person.name.clone()),
            _ => None,
        };
        let from = MailAddress {
            name,
            address: self.mailbox.address.clone(),
        };
        let to = self.requester.emails.first().map(|address| MailAddress {
            name: Some(self.requester.name.clone()).filter(|n| !n.is_empty()),
            address: address.clone(),
        });
        self.mail(author, false, from, to.into_iter().collect(), blocks, form)
    }

    fn mail(
        &mut self,
        author: Author,
        incoming: bool,
        from: MailAddress,
        to: Vec<MailAddress>,
        blocks: &[Block],
        form: Form,
    ) -> &mut Message {
        let subject = if self.thread.is_empty() {
            self.talk.subject.clone()
        } else {
            format!("Re: {}", self.talk.subject)
        };
        let message_id = format!(
            "{:x}.{}@{}",
            self.dice.next(),
            self.talk.id,
            if incoming {
                "mail.people.example"
            } else {
                "acme.example"
            }
        );
        let in_reply_to: Vec<String> = self.thread.last().cloned().into_iter().collect();
        let references = self.thread.clone();
        self.thread.push(message_id.clone());
        let mailbox = self.mailbox.id;
        let mailbox_address = self.mailbox.address.clone();
        let message = self.say(MessageKind::Mail, author, incoming, blocks, form);
        message.subject = Some(subject);
        let mut mail = Mail {
            mailbox,
            from,
            to,
            cc: Vec::new(),
            bcc: Vec::new(),
            headers: None,
            message_id: Some(message_id),
            in_reply_to,
            references,
        };
        mail.headers = Some(headers(
            &mail,
            message.subject.as_deref().unwrap_or(""),
            &mailbox_address,
            incoming,
            message.sent,
        ));
        message.mail = Some(mail);
        message
    }

    /// Puts a file on the last message.
    pub(crate) fn file(
        &mut self,
        name: Option<&str>,
        media_type: &str,
        content: FileContent,
    ) -> &mut File {
        let message = self.last();
        let id = message.id * FILES_PER_MESSAGE + message.files.len() as u64 + 1;
        message.files.push(File {
            id,
            name: name.map(str::to_owned),
            media_type: media_type.to_owned(),
            content,
            content_id: None,
            claimed_size: None,
            lost: false,
        });
        let last = message.files.len() - 1;
        &mut message.files[last]
    }

    /// A file of its own content, seeded by the conversation and its place.
    pub(crate) fn made_file(
        &mut self,
        name: Option<&str>,
        media_type: &str,
        look: Look,
        size: u64,
    ) -> &mut File {
        let seed = self.dice.next();
        self.file(name, media_type, FileContent::Made { seed, look, size })
    }

    /// A picture that only HTML names; put it on a message with [`Talk::show`].
    pub(crate) fn image(&mut self) -> InlineImage {
        let size = 200 + self.dice.below(3_000);
        let seed = self.dice.next();
        InlineImage {
            token: format!("t{}_{:016x}", self.talk.id, self.dice.next()),
            media_type: "image/png".to_owned(),
            content: FileContent::Made {
                seed,
                look: Look::Png,
                size,
            },
            lost: false,
        }
    }

    /// Lets the last message show pictures whose blocks are in its HTML.
    pub(crate) fn show(&mut self, images: &[InlineImage]) {
        self.last().images = images.to_vec();
    }

    pub(crate) fn note(&mut self, author: Author, blocks: &[Block], form: Form) -> &mut Message {
        self.say(
            MessageKind::Note {
                on: NoteOn::Conversation,
                pinned: false,
            },
            author,
            false,
            blocks,
            form,
        )
    }
}

/// The block in which a picture appears.
pub(crate) fn shown(image: &InlineImage) -> Block {
    Block::Picture(format!("media:{}", image.token))
}

/// A header block as mail servers write it: folded, encoded words, line feeds.
fn headers(
    mail: &Mail,
    subject: &str,
    mailbox: &str,
    incoming: bool,
    sent: DateTime<Utc>,
) -> String {
    let mut lines = vec![
        format!(
            "Received: from mx.people.example (mx.people.example [192.0.2.7])\n\tby mx.acme.example with ESMTPS; {}",
            sent.to_rfc2822()
        ),
        format!("From: {}", header_address(&mail.from)),
        format!(
            "To: {}",
            if incoming {
                mailbox.to_owned()
            } else {
                mail.to.first().map_or_else(String::new, header_address)
            }
        ),
        format!("Subject: {}", encoded_word(subject)),
        format!("Date: {}", sent.to_rfc2822()),
    ];
    if let Some(id) = &mail.message_id {
        lines.push(format!(
            "{}: <{id}>",
            if incoming { "Message-ID" } else { "Message-Id" }
        ));
    }
    if let Some(id) = mail.in_reply_to.first() {
        lines.push(format!("In-Reply-To: <{id}>"));
    }
    if !mail.references.is_empty() {
        let ids: Vec<String> = mail.references.iter().map(|id| format!("<{id}>")).collect();
        lines.push(format!("References: {}", ids.join("\n ")));
    }
    lines.push("X-Note: a < b & \"c\" > d".to_owned());
    lines.join("\n")
}

fn header_address(address: &MailAddress) -> String {
    match &address.name {
        Some(name) => format!("{} <{}>", encoded_word(name), address.address),
        None => address.address.clone(),
    }
}

fn encoded_word(text: &str) -> String {
    use base64::Engine;
    if text.is_ascii() && !text.contains([',', '"']) {
        return text.to_owned();
    }
    format!(
        "=?UTF-8?B?{}?=",
        base64::engine::general_purpose::STANDARD.encode(text)
    )
}

impl Talk<'_> {
    /// Writes the header block of the last mail anew, after its thread or people were changed by hand.
    pub(crate) fn refresh_headers(&mut self) {
        let mailbox = self.mailbox.address.clone();
        let message = self.last();
        let (subject, incoming, sent) = (
            message.subject.clone().unwrap_or_default(),
            message.incoming,
            message.sent,
        );
        if let Some(mail) = &mut message.mail {
            mail.headers = Some(headers(mail, &subject, &mailbox, incoming, sent));
        }
    }
}
