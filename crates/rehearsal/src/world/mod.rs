//! The world that a rehearsal moves: people, companies, conversations, messages and files.
//!
//! A [`World`] belongs to no platform. It comes from a number ([`World::generate`]: the same [`WorldSpec`] gives the same
//! world on every machine, and conversations are made when they are asked for, so that a million of them need no memory),
//! from a folder of real mails ([`World::from_mail_dir`]), or from lists written by hand ([`World::given`]).
//!
//! ```
//! use deskferry_rehearsal::world::{World, WorldSpec};
//!
//! let world = World::generate(WorldSpec::new(7, 60));
//! assert_eq!(world.len(), 60);
//! let first = world.conversation(0).expect("there are 60");
//! assert_eq!(first.id, 1);
//! assert_eq!(world.conversation_by_id(1), Some(first));
//! ```

mod beside;
mod channels;
mod content;
mod dice;
mod files;
mod generate;
mod knowledge;
mod library;
mod mail_dir;
mod model;
mod objects;
mod people;
mod scenario;
mod scenes;
mod setup;
mod tags;
mod talk;
mod text;
mod words;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::beside::{
    Beside, FORMS, PastEvent, SECOND_BRAND, SpentTime, StandingNote, notes_on_company,
    notes_on_person,
};
pub use self::content::Content;
pub use self::files::{FileContent, Look};
use self::generate::Cast;
pub use self::knowledge::{
    ArticleText, HelpCentre, Knowledge, KnowledgeArticle, KnowledgeCategory, Readers, TextState,
};
pub use self::model::{
    Author, CaseType, Channel, Company, Conversation, ConversationState, CustomValue,
    FieldDefinition, FieldKind, FieldOption, FieldOwner, FieldValue, File, Handle, InlineImage,
    Mail, MailAddress, Mailbox, Message, MessageKind, NoteOn, Person, PostalAddress, Priority,
    Rating, Role, Status, StatusKind, Tag, Team,
};
pub(crate) use self::objects::CLASSES;
pub use self::objects::{
    ObjectClass, ObjectField, ObjectFieldKind, ObjectRecord, ObjectRelation, ObjectTarget,
};

/// Ids of messages of a generated conversation begin at its own id times this.
const MESSAGES_PER_CONVERSATION: u64 = 4_096;

/// What a generated world is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorldSpec {
    /// The number that decides everything.
    pub seed: u64,
    /// How many conversations. Every scenario is played in each 60; those that cost room once in each 300.
    pub conversations: u64,
    /// Adds what must not happen but does: lost files, a wrong size, a status and an assignee that no list knows.
    #[serde(default)]
    pub hostile: bool,
    /// Adds a help centre.
    #[serde(default)]
    pub knowledge: bool,
    /// Adds custom objects with their records.
    #[serde(default)]
    pub objects: bool,
    /// Adds text messages, calls and further networks.
    #[serde(default)]
    pub channels: bool,
    /// Files keep their kinds and numbers, and are small: for worlds of many conversations on little room.
    #[serde(default)]
    pub light: bool,
    /// Makes the help centre one of so many articles in five languages, where it is more than the usual few.
    #[serde(default)]
    pub articles: u64,
    /// Adds what stands beside conversations and people: forms, brands, words of ratings, booked times, histories, notes.
    #[serde(default)]
    pub beside: bool,
}

impl WorldSpec {
    /// A world of so many conversations in which everything is as it should be.
    pub fn new(seed: u64, conversations: u64) -> Self {
        Self {
            seed,
            conversations,
            hostile: false,
            knowledge: false,
            objects: false,
            channels: false,
            light: false,
            articles: 0,
            beside: false,
        }
    }

    /// The same with a help centre.
    #[must_use]
    pub fn knowledge(mut self) -> Self {
        self.knowledge = true;
        self
    }

    /// The same with a help centre of so many articles in five languages.
    #[must_use]
    pub fn articles(mut self, articles: u64) -> Self {
        self.articles = articles;
        self.knowledge()
    }

    /// The same with what stands beside conversations and people.
    #[must_use]
    pub fn beside(mut self) -> Self {
        self.beside = true;
        self
    }

    /// The same with custom objects.
    #[must_use]
    pub fn with_objects(mut self) -> Self {
        self.objects = true;
        self
    }

    /// The same with text messages, calls and further networks.
    #[must_use]
    pub fn with_channels(mut self) -> Self {
        self.channels = true;
        self
    }

    /// The same with small files.
    #[must_use]
    pub fn light(mut self) -> Self {
        self.light = true;
        self
    }

    /// The same with broken things in it.
    #[must_use]
    pub fn hostile(mut self) -> Self {
        self.hostile = true;
        self
    }
}

impl Default for WorldSpec {
    /// 300 conversations, each feature at least once, some 20 MB of files.
    fn default() -> Self {
        Self::new(1, 300)
    }
}

/// Lists of which a world is made by hand. [`Default`] has the usual configuration (statuses, priorities, types, custom
/// fields, teams, mailboxes, staff) and nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lists {
    /// Companies by id, ascending.
    pub companies: Vec<Company>,
    /// Staff and customers by id, ascending.
    pub people: Vec<Person>,
    /// Teams.
    pub teams: Vec<Team>,
    /// Mailboxes; at least one.
    pub mailboxes: Vec<Mailbox>,
    /// Statuses, deleted ones too.
    pub statuses: Vec<Status>,
    /// Priorities.
    pub priorities: Vec<Priority>,
    /// Types of conversations.
    pub case_types: Vec<CaseType>,
    /// Custom fields of all owners; deleted ones are missing.
    pub fields: Vec<FieldDefinition>,
    /// Conversations by id, ascending.
    pub conversations: Vec<Conversation>,
    /// Help centres.
    #[serde(default)]
    pub knowledge: Knowledge,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            companies: Vec::new(),
            people: people::people(0, 0, 0),
            teams: people::teams(),
            mailboxes: people::mailboxes(),
            statuses: setup::statuses(),
            priorities: setup::priorities(),
            case_types: setup::case_types(),
            fields: setup::fields(),
            conversations: Vec::new(),
            knowledge: Knowledge::default(),
        }
    }
}

/// A user whom the target org should have for this world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestedUser {
    /// Mail address.
    pub email: String,
    /// Full name.
    pub name: String,
    /// Whether the user may log in.
    pub active: bool,
}

/// Everything that there is to move.
#[derive(Clone, Debug)]
pub struct World {
    /// Generated worlds keep `conversations` empty.
    lists: Lists,
    spec: Option<WorldSpec>,
    by_message: HashMap<u64, usize>,
    by_token: HashMap<String, usize>,
}

impl World {
    /// Makes a world from a number.
    pub fn generate(spec: WorldSpec) -> Self {
        let companies = (spec.conversations / 20).clamp(12, 20_000);
        let customers = (spec.conversations / 3).clamp(60, 100_000);
        let lists = Lists {
            companies: people::companies(spec.seed, companies),
            people: people::people(spec.seed, customers, companies),
            knowledge: match spec.knowledge {
                true => {
                    let mut made = knowledge::made(spec.seed);
                    let more = spec.articles.saturating_sub(made.articles.len() as u64);
                    library::stock(spec.seed, more, &mut made);
                    made
                }
                false => Knowledge::default(),
            },
            ..Lists::default()
        };
        Self {
            lists,
            spec: Some(spec),
            by_message: HashMap::new(),
            by_token: HashMap::new(),
        }
    }

    /// A world of given lists.
    pub fn given(lists: Lists) -> Self {
        let mut by_message = HashMap::new();
        let mut by_token = HashMap::new();
        for (place, conversation) in lists.conversations.iter().enumerate() {
            for message in &conversation.messages {
                by_message.insert(message.id, place);
                by_token.extend(
                    message
                        .images
                        .iter()
                        .map(|image| (image.token.clone(), place)),
                );
            }
        }
        Self {
            lists,
            spec: None,
            by_message,
            by_token,
        }
    }

    /// Reads a folder of RFC 822 messages (files without an ending, or `.eml`, `.txt`, `.msg`; sub-folders too) and threads
    /// them into conversations by Message-ID, In-Reply-To and References.
    ///
    /// All mails go to one mailbox. The sender of a conversation's oldest mail is its requester, a mail is outgoing only when
    /// the mailbox itself sent it. A mail without a believable date gets one in 2002. Bodies keep their control characters; line
    /// ends become line feeds.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read, or no file is a mail.
    pub fn from_mail_dir(path: &Path) -> std::io::Result<Self> {
        mail_dir::read(path).map(Self::given)
    }

    /// What the world was generated from, if it was.
    pub fn spec(&self) -> Option<&WorldSpec> {
        self.spec.as_ref()
    }

    /// The lists; those of a generated world hold no conversations.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// How many conversations there are, hidden ones too.
    pub fn len(&self) -> u64 {
        self.spec
            .as_ref()
            .map_or(self.lists.conversations.len() as u64, |spec| {
                spec.conversations
            })
    }

    /// Whether there is no conversation.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The conversation at a place from 0, in the order of ids.
    pub fn conversation(&self, place: u64) -> Option<Cow<'_, Conversation>> {
        match &self.spec {
            None => self
                .lists
                .conversations
                .get(usize::try_from(place).ok()?)
                .map(Cow::Borrowed),
            Some(spec) if place < spec.conversations => {
                let mut conversation = scenario::conversation(&self.cast(spec), place);
                if spec.light {
                    files::lighten(&mut conversation);
                }
                Some(Cow::Owned(match spec.channels {
                    true => channels::spread(conversation),
                    false => conversation,
                }))
            }
            Some(_) => None,
        }
    }

    /// The conversation with this id.
    pub fn conversation_by_id(&self, id: u64) -> Option<Cow<'_, Conversation>> {
        if self.spec.is_some() {
            return self.conversation(id.checked_sub(1)?);
        }
        let place = self
            .lists
            .conversations
            .binary_search_by_key(&id, |conversation| conversation.id)
            .ok()?;
        self.conversation(place as u64)
    }

    /// The conversation that holds this message.
    pub fn conversation_of_message(&self, message: u64) -> Option<Cow<'_, Conversation>> {
        if self.spec.is_some() {
            return self.conversation_by_id(message / MESSAGES_PER_CONVERSATION);
        }
        self.conversation(*self.by_message.get(&message)? as u64)
    }

    /// The picture with this token.
    pub fn image(&self, token: &str) -> Option<InlineImage> {
        if let Some(image) = self.lists.knowledge.image(token) {
            return Some(image.clone());
        }
        let conversation = if self.spec.is_some() {
            let id = token.strip_prefix('t')?.split_once('_')?.0.parse().ok()?;
            self.conversation_by_id(id)?
        } else {
            self.conversation(*self.by_token.get(token)? as u64)?
        };
        let images = conversation
            .messages
            .iter()
            .flat_map(|message| &message.images);
        images
            .into_iter()
            .find(|image| image.token == token)
            .cloned()
    }

    /// All conversations in the order of ids, hidden ones too.
    pub fn conversations(&self) -> impl Iterator<Item = Cow<'_, Conversation>> {
        (0..self.len()).filter_map(|place| self.conversation(place))
    }

    /// A person by id.
    pub fn person(&self, id: u64) -> Option<&Person> {
        find(&self.lists.people, id, |person| person.id)
    }

    /// A company by id.
    pub fn company(&self, id: u64) -> Option<&Company> {
        find(&self.lists.companies, id, |company| company.id)
    }

    /// A team by id.
    pub fn team(&self, id: u64) -> Option<&Team> {
        find(&self.lists.teams, id, |team| team.id)
    }

    /// A mailbox by id.
    pub fn mailbox(&self, id: u64) -> Option<&Mailbox> {
        find(&self.lists.mailboxes, id, |mailbox| mailbox.id)
    }

    /// A status by id.
    pub fn status(&self, id: u64) -> Option<&Status> {
        find(&self.lists.statuses, id, |status| status.id)
    }

    /// A priority by id.
    pub fn priority(&self, id: u64) -> Option<&Priority> {
        find(&self.lists.priorities, id, |priority| priority.id)
    }

    /// A type of conversations by id.
    pub fn case_type(&self, id: u64) -> Option<&CaseType> {
        find(&self.lists.case_types, id, |case_type| case_type.id)
    }

    /// A custom field by id.
    pub fn field(&self, id: u64) -> Option<&FieldDefinition> {
        find(&self.lists.fields, id, |field| field.id)
    }

    /// Users that the target org should have, so that staff of every kind is met: matched and active, matched and inactive,
    /// and not matched at all (whoever is not in this list).
    pub fn suggested_users(&self) -> Vec<SuggestedUser> {
        let without = [people::staff::WITHOUT_USER, people::staff::LEFT[1]];
        let staff = self
            .lists
            .people
            .iter()
            .filter(|person| person.role.is_staff() && !without.contains(&person.id));
        staff
            .filter_map(|person| {
                let email = person.emails.first()?.clone();
                Some(SuggestedUser {
                    email,
                    name: person.name.clone(),
                    active: person.enabled,
                })
            })
            .collect()
    }

    fn cast<'a>(&'a self, spec: &WorldSpec) -> Cast<'a> {
        Cast {
            seed: spec.seed,
            conversations: spec.conversations,
            hostile: spec.hostile,
            people: &self.lists.people,
            companies: &self.lists.companies,
            mailboxes: &self.lists.mailboxes,
        }
    }
}

fn find<T>(sorted: &[T], id: u64, id_of: impl Fn(&T) -> u64) -> Option<&T> {
    sorted
        .binary_search_by_key(&id, id_of)
        .ok()
        .map(|place| &sorted[place])
}

#[cfg(test)]
mod tests;
