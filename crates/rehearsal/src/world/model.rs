//! What a world is made of. Nothing here belongs to one platform: a helpdesk is a rendering of these values.
//!
//! Ids are plain numbers, stable for a given world. Times are UTC with whole seconds.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::files::FileContent;

/// A postal address of a company.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostalAddress {
    /// First street line.
    pub street1: String,
    /// Second street line, often empty.
    pub street2: String,
    /// City.
    pub city: String,
    /// State or region, often empty.
    pub state: String,
    /// Postal code.
    pub postal_code: String,
    /// Country, as people wrote it.
    pub country: String,
    /// Whether the helpdesk marks it as the main one.
    pub primary: bool,
}

/// A company that people belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Company {
    /// Number, unique among companies.
    pub id: u64,
    /// Name; not unique.
    pub name: String,
    /// Mail domains, main one first.
    pub domains: Vec<String>,
    /// Web addresses, main one first.
    pub websites: Vec<String>,
    /// Phone numbers.
    pub phones: Vec<String>,
    /// Postal addresses.
    pub addresses: Vec<PostalAddress>,
    /// Values of custom fields.
    pub custom: Vec<CustomValue>,
    /// Time of creation.
    pub created: DateTime<Utc>,
    /// Time of the last change.
    pub updated: DateTime<Utc>,
}

/// What a person may do in the helpdesk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The account's owner.
    Owner,
    /// May change the configuration.
    Admin,
    /// Answers customers.
    Agent,
    /// Reads, and writes notes.
    Collaborator,
    /// A customer.
    Customer,
}

impl Role {
    /// Everybody but customers.
    pub fn is_staff(self) -> bool {
        self != Self::Customer
    }
}

/// An address by which a person is known on Twitter or Facebook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle {
    /// The name the network shows in addresses.
    pub screen_name: String,
    /// The network's id of the account: digits, but a text.
    pub network_id: String,
}

/// Somebody who writes: a customer or a member of staff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// Number, unique among people; staff and customers share the range.
    pub id: u64,
    /// Full name as one text; may be empty.
    pub name: String,
    /// Role; decides whether this is staff.
    pub role: Role,
    /// False for those who left.
    pub enabled: bool,
    /// Job title.
    pub title: Option<String>,
    /// Mail addresses, primary first.
    pub emails: Vec<String>,
    /// Phone numbers.
    pub phones: Vec<String>,
    /// Twitter accounts.
    pub twitter: Vec<Handle>,
    /// Facebook accounts.
    pub facebook: Vec<Handle>,
    /// Company, by id.
    pub company: Option<u64>,
    /// Teams, by id; staff only.
    pub teams: Vec<u64>,
    /// Values of custom fields.
    pub custom: Vec<CustomValue>,
    /// Time of creation.
    pub created: DateTime<Utc>,
    /// Time of the last change.
    pub updated: DateTime<Utc>,
}

/// A group of staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Number, unique among teams.
    pub id: u64,
    /// Name.
    pub name: String,
}

/// A mail address that the helpdesk reads and writes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Number, unique among mailboxes.
    pub id: u64,
    /// The address.
    pub address: String,
}

/// What a status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusKind {
    /// Not looked at yet.
    New,
    /// Being worked on.
    Open,
    /// Waits for somebody.
    Pending,
    /// Solved, may come back.
    Completed,
    /// Over for good.
    Closed,
    /// Made by the customer; its meaning is its label.
    Custom,
}

/// A status of conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Number, unique among statuses.
    pub id: u64,
    /// Label people see.
    pub label: String,
    /// Meaning.
    pub kind: StatusKind,
    /// Whether it was deleted; old conversations still carry it.
    pub deleted: bool,
}

/// A priority. The usual ones have the levels 1 low, 2 normal, 3 high, 4 urgent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priority {
    /// Number, unique among priorities.
    pub id: u64,
    /// Label people see.
    pub label: String,
    /// Higher is more urgent.
    pub level: i64,
}

/// A type of conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseType {
    /// Number, unique among types.
    pub id: u64,
    /// Label people see.
    pub label: String,
    /// The helpdesk's own word for it, such as `QUESTION`.
    pub kind: String,
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Number, unique among tags.
    pub id: u64,
    /// Name, verbatim.
    pub name: String,
}

/// What a custom field stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FieldOwner {
    /// Conversations.
    Conversation,
    /// People.
    Person,
    /// Companies.
    Company,
}

/// The type of a custom field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldKind {
    /// One line of text.
    Text,
    /// Many lines of text.
    TextArea,
    /// A whole number.
    Numeric,
    /// A number with a fraction.
    Decimal,
    /// Yes or no.
    YesNo,
    /// One of several options.
    Select,
    /// Several of several options.
    Checkbox,
    /// One option out of a tree; its label is a path.
    CascadingSelect,
    /// A day.
    Date,
}

/// One option of a custom field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldOption {
    /// Number, unique among the options of all fields.
    pub id: u64,
    /// Label in the default language.
    pub label: String,
    /// Label in German, if it was translated.
    pub german: Option<String>,
}

/// The definition of a custom field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDefinition {
    /// Number, unique among fields of all owners.
    pub id: u64,
    /// What it stands on.
    pub owner: FieldOwner,
    /// Stable name.
    pub key: String,
    /// Title people see; not unique.
    pub title: String,
    /// Type.
    pub kind: FieldKind,
    /// Options, where the type has them.
    pub options: Vec<FieldOption>,
}

/// A value of a custom field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FieldValue {
    /// Text, one line or many.
    Text(String),
    /// A number as it was typed, such as `3.5`.
    Number(String),
    /// Yes or no.
    Flag(bool),
    /// A day.
    Day(NaiveDate),
    /// An option by id; it may have been deleted.
    Choice(u64),
    /// Several options by id.
    Choices(Vec<u64>),
}

/// A custom field with its value on one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomValue {
    /// The field's id; the field itself may have been deleted.
    pub field: u64,
    /// The value.
    pub value: FieldValue,
}

/// Where a conversation or a message came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// Mail.
    Mail,
    /// The help centre's web form.
    HelpCentre,
    /// The chat widget.
    Messenger,
    /// Written inside, by staff.
    Note,
    /// Twitter.
    Twitter,
    /// Facebook.
    Facebook,
    /// A channel that the documentation does not name, by its raw name.
    Other(String),
}

/// Whether a conversation is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversationState {
    /// As most are.
    Active,
    /// Held back as spam; lists hide it.
    Suspended,
    /// Thrown away; lists hide it.
    Trash,
}

/// What the customer thought of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rating {
    /// Satisfied.
    Good,
    /// Not satisfied.
    Bad,
}

/// A conversation with all its messages, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The number customers see.
    pub id: u64,
    /// Subject; may be empty.
    pub subject: String,
    /// Where it began.
    pub channel: Channel,
    /// Who asks, by id.
    pub requester: u64,
    /// Who answers, by id; the person may have left, or be gone altogether.
    pub assignee: Option<u64>,
    /// Team, by id.
    pub team: Option<u64>,
    /// Company that the conversation itself names, by id.
    pub company: Option<u64>,
    /// Status, by id.
    pub status: u64,
    /// Priority, by id.
    pub priority: Option<u64>,
    /// Type, by id.
    pub case_type: Option<u64>,
    /// Tags in their order.
    pub tags: Vec<Tag>,
    /// Satisfaction.
    pub rating: Option<Rating>,
    /// Whether lists show it.
    pub state: ConversationState,
    /// The conversation that took over its messages.
    pub merged_into: Option<u64>,
    /// Values of custom fields.
    pub custom: Vec<CustomValue>,
    /// Time of creation.
    pub created: DateTime<Utc>,
    /// Time of the last change.
    pub updated: DateTime<Utc>,
    /// When it was closed; given exactly for completed and closed ones.
    pub closed: Option<DateTime<Utc>>,
    /// Messages, oldest first.
    pub messages: Vec<Message>,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Author {
    /// A person, by id.
    Person(u64),
    /// An automation that reacts to events, by its id.
    Trigger(u64),
    /// An automation that runs by time, by its id.
    Monitor(u64),
    /// Nobody is named.
    Nobody,
}

/// What a note stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoteOn {
    /// The conversation.
    Conversation,
    /// A person; shown in that person's conversations too.
    Person(u64),
    /// A company; shown in its people's conversations too.
    Company(u64),
}

/// The kind of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageKind {
    /// A mail.
    Mail,
    /// Written through the help centre.
    HelpCentre,
    /// An internal note.
    Note {
        /// What it stands on.
        on: NoteOn,
        /// Whether it is pinned.
        pinned: bool,
    },
    /// A line of a chat.
    Chat,
    /// A public tweet.
    Tweet,
    /// A private message on Facebook.
    Facebook,
    /// A kind that the documentation does not name.
    Other {
        /// The raw name of its channel.
        channel: String,
        /// The raw name of its type.
        original: String,
    },
}

/// A name and an address, as a mail carries them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailAddress {
    /// The name beside the address.
    pub name: Option<String>,
    /// The address as it was written.
    pub address: String,
}

/// What only a mail has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The mailbox that received or sent it, by id.
    pub mailbox: u64,
    /// Sender. Of an outgoing mail: the mailbox's address.
    pub from: MailAddress,
    /// Recipients beside the mailbox.
    pub to: Vec<MailAddress>,
    /// Carbon copies.
    pub cc: Vec<MailAddress>,
    /// Blind copies.
    pub bcc: Vec<MailAddress>,
    /// The raw header block with line feeds, where the helpdesk kept the original.
    pub headers: Option<String>,
    /// Message-ID without brackets, as far as the headers name one.
    pub message_id: Option<String>,
    /// Ids of In-Reply-To without brackets.
    pub in_reply_to: Vec<String>,
    /// Ids of References without brackets.
    pub references: Vec<String>,
}

/// A file on a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Number, unique among files of the world.
    pub id: u64,
    /// Name as sent, if there is one.
    pub name: Option<String>,
    /// Media type.
    pub media_type: String,
    /// The bytes.
    pub content: FileContent,
    /// Content id without brackets, for a part that the HTML shows as `cid:…`.
    pub content_id: Option<String>,
    /// A size that the helpdesk claims in place of the true one.
    pub claimed_size: Option<u64>,
    /// Whether the helpdesk lost the bytes.
    pub lost: bool,
}

/// A picture inside HTML that is no file of the message: the HTML shows it as `media:<token>`, and the helpdesk
/// serves it under an address of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InlineImage {
    /// The token in the address: letters, digits, `-` and `_`.
    pub token: String,
    /// Media type.
    pub media_type: String,
    /// The bytes.
    pub content: FileContent,
    /// Whether the helpdesk lost the bytes.
    pub lost: bool,
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Number, unique among messages, growing with time inside one conversation.
    pub id: u64,
    /// Kind.
    pub kind: MessageKind,
    /// Who wrote it.
    pub author: Author,
    /// Whether a customer, or staff in the customer's place, wrote it.
    pub incoming: bool,
    /// Whether the conversation's requester wrote it.
    pub by_requester: bool,
    /// Subject of a mail.
    pub subject: Option<String>,
    /// HTML; pictures appear as `cid:…` or `media:…`.
    pub html: Option<String>,
    /// Text.
    pub text: Option<String>,
    /// What only a mail has.
    pub mail: Option<Mail>,
    /// Files in their order.
    pub files: Vec<File>,
    /// Pictures that only the HTML names, each token once.
    pub images: Vec<InlineImage>,
    /// When it was sent.
    pub sent: DateTime<Utc>,
}

impl Message {
    /// Whether it stands on a person or a company and is only shown in the conversation.
    pub fn is_elsewhere(&self) -> bool {
        matches!(&self.kind, MessageKind::Note { on, .. } if *on != NoteOn::Conversation)
    }
}
