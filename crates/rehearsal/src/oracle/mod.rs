//! What an org must hold after a world was moved into it, and where it does not.
//!
//! The oracle knows the [`World`], the default mapping (the project's page on what lands where) and the
//! platform's own habits, and nothing of the connectors. It computes each row, reads the org through an [`OrgDump`], and names
//! every [`Difference`] in both directions: rows that are missing, doubled or too many, and fields that are not as they should
//! be.
//!
//! Where the mapping leaves a choice, it accepts each reading: a `|` inside a tag may have become any one character; names of
//! pictures that have none are free but for their ending; `Source_Url__c` must end in the source's id; a body between the limit
//! in characters and the limit in encoded size may stand whole or as a file.
//!
//! Texts made of HTML are compared without blanks, bullets and rules; HTML as a tree in which pictures are named by what they
//! show; comments after their parts were joined.

mod articles;
mod bodies;
mod calls;
mod cases;
mod comments;
mod dump;
mod figures;
mod files;
mod html;
mod mails;
mod people;
mod platform;
mod seen;
mod threads;
mod want;
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::world::{Conversation, ConversationState, World};

pub use self::dump::{OrgDump, RemoteOrg};
pub use self::figures::Figure;
use self::people::{Contacts, Users};
pub use self::platform::{
    Asapp, AsappServices, Kayako, KayakoClassic, Kustomer, Platform, SeenArticle, SeenCategory,
    SeenText, Standing, Trengo, Urgency, usual_channel, usual_value,
};
use self::seen::Seen;
use self::want::{Row, field, short};
use self::words::piece;

/// Under what conditions the world was moved.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OracleOptions {
    /// What is to know of the platform that was read.
    pub platform: Arc<dyn Platform>,
    /// The tenant's own id, as it stands in keys.
    pub tenant: String,
    /// Whether the org let the migration set audit fields.
    pub audit_fields: bool,
    /// Whether the org is a sandbox, where addresses of users end in `.invalid`.
    pub sandbox: bool,
    /// Id of the user who owns what nobody of the org owns.
    pub legacy_owner: String,
    /// Ids of users or queues who must own what members of staff had, by the member's number at the source, where people
    /// decided that. The active user with the member's address, else the legacy owner, for all others.
    pub owners: BTreeMap<u64, String>,
    /// Whether the org lets inactive users own rows: they then have the closed cases of members who have no open ones.
    pub inactive_owners: bool,
    /// Whether the originals of mails were read, without which their headers are not known.
    pub email_originals: bool,
    /// Whether conversations in the trash were taken along.
    pub trashed: bool,
    /// Whether suspended conversations were taken along.
    pub suspended: bool,
    /// Whether conversations that were merged into another one were taken along.
    pub merged: bool,
    /// Whether the source tells which conversation another one was merged into.
    pub merged_into: bool,
    /// Keys of `Source_Json__c` that may be there although the world knows nothing of them, such as `custom.legacy_id`.
    pub tolerated_keys: BTreeSet<String>,
    /// Where articles were loaded: the org's languages by the world's.
    pub languages: Option<BTreeMap<String, String>>,
    /// Whether messages that are no mails stand as posts on their cases instead of as comments.
    pub posts: bool,
    /// Whether telephone calls stand as tasks.
    pub calls: bool,
    /// Whether people without a company who asked for nothing stand as leads.
    pub leads: bool,
    /// Where cases were given record types: by `type`, `channel` or `segment`, and the id of the type for each word in lower case, `*` for
    /// every other one and for none. By anything else no type is looked at.
    pub record_types: Option<(String, BTreeMap<String, String>)>,
}

impl OracleOptions {
    /// Kayako; audit fields set, no sandbox, originals read, nothing of the trash or of spam, merges told.
    pub fn new(tenant: impl Into<String>, legacy_owner: impl Into<String>) -> Self {
        Self {
            platform: Arc::new(Kayako::default()),
            tenant: tenant.into(),
            audit_fields: true,
            sandbox: false,
            legacy_owner: legacy_owner.into(),
            owners: BTreeMap::new(),
            inactive_owners: false,
            email_originals: true,
            trashed: false,
            suspended: false,
            merged: true,
            merged_into: true,
            tolerated_keys: BTreeSet::new(),
            languages: None,
            posts: false,
            calls: false,
            leads: false,
            record_types: None,
        }
    }
}

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The Salesforce object.
    pub object: String,
    /// Key of the record, or what else names the row.
    pub key: String,
    /// The field; `row` when the row itself is missing, doubled or too many.
    pub field: String,
    /// What must be there, shortened.
    pub expected: String,
    /// What is there, shortened.
    pub found: String,
}

impl Difference {
    pub(crate) fn new(object: &str, key: &str, field: &str, expected: &str, found: &str) -> Self {
        Self {
            object: object.to_owned(),
            key: key.to_owned(),
            field: field.to_owned(),
            expected: shortened(expected),
            found: shortened(found),
        }
    }
}

impl OracleOptions {
    /// The same for another platform than Kayako.
    #[must_use]
    pub fn platform(mut self, platform: impl Platform + 'static) -> Self {
        self.platform = Arc::new(platform);
        self
    }

    /// The key of one of the world's things, by kind (`account`, `contact`, `agent`, `conversation`, `message`).
    #[must_use]
    pub fn key(&self, kind: &str, id: u64) -> String {
        self.key_by(kind, &self.platform.id(kind, id))
    }

    fn key_by(&self, kind: &str, id: &str) -> String {
        let (platform, tenant) = (self.platform.name(), piece(&self.tenant));
        format!("{platform}:{tenant}:{kind}:{}", piece(id))
    }

    fn tolerates(&self, object: &str, key: &str) -> bool {
        self.tolerated_keys.contains(key) || self.platform.tolerates(object, key)
    }

    /// Whether a conversation was to be taken along.
    fn takes(&self, conversation: &Conversation) -> bool {
        let state = match conversation.state {
            ConversationState::Active => true,
            ConversationState::Trash => self.trashed,
            ConversationState::Suspended => self.suspended,
        };
        state && (self.merged || conversation.merged_into.is_none())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}: expected {}, found {}",
            self.object, self.key, self.field, self.expected, self.found
        )
    }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    all: Vec<Difference>,
}

impl Findings {
    fn add(&mut self, difference: Difference) {
        self.all.push(difference);
    }

    fn missing(&mut self, object: &str, key: &str) {
        self.add(Difference::new(object, key, "row", "a row", "none"));
    }

    fn extra(&mut self, object: &str, key: &str) {
        self.add(Difference::new(object, key, "row", "none", "a row"));
    }
}

/// The rows of an object by key; each is taken out when it was expected, so that the rest is too many.
struct Table {
    object: &'static str,
    keyed: HashMap<String, Row>,
    /// Rows that the migration did not make, or that carry no key.
    loose: Vec<Row>,
}

impl Table {
    fn load(
        dump: &dyn OrgDump,
        object: &'static str,
        marks: &mut BTreeSet<String>,
        out: &mut Findings,
    ) -> io::Result<Self> {
        let (mut keyed, mut loose) = (HashMap::new(), Vec::new());
        for row in rows(dump, object)? {
            let key = field(&row, "Source_Key__c").to_owned();
            if key.is_empty() {
                loose.push(row);
                continue;
            }
            marks.insert(field(&row, "Migration_Batch__c").to_owned());
            if keyed.insert(key.clone(), row).is_some() {
                out.add(Difference::new(object, &key, "row", "one row", "several"));
            }
        }
        Ok(Self {
            object,
            keyed,
            loose,
        })
    }

    fn ids(&self) -> HashMap<String, String> {
        self.keyed
            .iter()
            .map(|(key, row)| (key.clone(), field(row, "Id").to_owned()))
            .collect()
    }

    /// The row of a key, which is reported if it is not there.
    fn take(&mut self, key: &str, out: &mut Findings) -> Option<Row> {
        let row = self.keyed.remove(key);
        if row.is_none() {
            out.missing(self.object, key);
        }
        row
    }

    fn rest_is_extra(self, out: &mut Findings) {
        let mut keys: Vec<_> = self.keyed.into_keys().collect();
        keys.sort();
        for key in keys {
            out.extra(self.object, &key);
        }
    }
}

fn rows(dump: &dyn OrgDump, object: &str) -> io::Result<Vec<Row>> {
    let rows = dump.rows(object)?.into_iter();
    Ok(rows
        .filter_map(|row| match row {
            serde_json::Value::Object(row) => Some(row),
            _ => None,
        })
        .collect())
}

/// What all parts of a comparison need.
struct Ground<'a> {
    world: &'a Seen<'a>,
    options: &'a OracleOptions,
    users: Users,
    /// Account by company; `None` for one that is held.
    accounts: HashMap<u64, Option<String>>,
    contacts: Contacts,
    cases: HashMap<String, String>,
    /// Members of staff who have cases that are not over; only asked for where it matters.
    busy: BTreeSet<u64>,
}

impl Ground<'_> {
    /// The key of one of the world's things.
    fn key(&self, kind: &str, id: u64) -> String {
        self.options.key(kind, id)
    }

    /// The key of something by the platform's own id.
    fn key_by(&self, kind: &str, id: &str) -> String {
        self.options.key_by(kind, id)
    }

    fn id(&self, kind: &str, id: u64) -> String {
        self.options.platform.id(kind, id)
    }
}

/// The text that people read in HTML, for platforms that keep nothing else of some messages.
pub(crate) fn plain_text(html: &str) -> String {
    let text = words::clean(&html::text(html, true));
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// Holds an org against a world.
#[derive(Clone, Debug)]
pub struct Oracle {
    options: OracleOptions,
}

impl Oracle {
    /// An oracle for these conditions.
    pub fn new(options: OracleOptions) -> Self {
        Self { options }
    }

    /// Every difference between what the org must hold and what it holds; none after a migration that did its work. Rows without
    /// a key that hang on nothing of the migration's are taken as having been there before.
    ///
    /// # Errors
    /// When the org cannot be read.
    pub fn compare(&self, world: &World, dump: &dyn OrgDump) -> io::Result<Vec<Difference>> {
        let world = &Seen::new(world, self.options.platform.as_ref());
        let (mut out, mut marks) = (Findings::default(), BTreeSet::new());
        let mut table = |object| Table::load(dump, object, &mut marks, &mut out);
        let (accounts, contacts, mut cases) =
            (table("Account")?, table("Contact")?, table("Case")?);
        let (mut mails, mut versions) = (table("EmailMessage")?, table("ContentVersion")?);
        let (leads, mut calls) = (table("Lead")?, table("Task")?);
        let users = Users::load(world, &self.options, rows(dump, "User")?);
        let ids = cases.ids();
        let accounts = people::accounts(world, &self.options, accounts, &mut out);
        let contacts = (contacts, leads);
        let contacts = people::contacts(world, &self.options, &accounts, contacts, &mut out);
        let ground = Ground {
            world,
            options: &self.options,
            users,
            accounts,
            contacts,
            cases: ids,
            busy: match self.options.inactive_owners {
                true => cases::busy(world),
                false => BTreeSet::new(),
            },
        };
        let mut links = files::Links::load(rows(dump, "ContentDocumentLink")?);
        let mut relations = mails::Relations::load(rows(dump, "EmailMessageRelation")?);
        let mut comments = match self.options.posts {
            true => comments::Comments::of_posts(rows(dump, "FeedItem")?),
            false => comments::Comments::load(rows(dump, "CaseComment")?),
        };
        let shown = files::Shown::of(&versions);
        let mail_ids = mails.ids();
        for conversation in world
            .conversations()
            .filter(|conversation| self.options.takes(conversation))
        {
            let conversation = &conversation;
            let case = cases::compare(&ground, conversation, &mut cases, &mut out);
            let mut kept = files::expected(&ground, conversation);
            mails::compare(
                &ground,
                conversation,
                &mut mails::Mails {
                    case: case.as_deref(),
                    rows: &mut mails,
                    ids: &mail_ids,
                    relations: &mut relations,
                    shown: &shown,
                    files: &mut kept,
                },
                &mut out,
            );
            files::compare(
                &ground,
                kept,
                case.as_deref(),
                &mut versions,
                &mut links,
                dump,
                &mut out,
            );
            if let Some(case) = &case {
                comments::compare(&ground, conversation, case, &mut comments, &mut out);
                calls::compare(&ground, conversation, case, &mut calls, &mut out);
            }
        }
        articles::compare(
            &ground,
            dump,
            &shown,
            &mut versions,
            &mut links,
            &mut marks,
            &mut out,
        )?;
        let migrated: BTreeSet<&str> = ground.cases.values().map(|id| short(id)).collect();
        for (table, parent) in [(&mails, "ParentId"), (&versions, "FirstPublishLocationId")] {
            for row in table
                .loose
                .iter()
                .filter(|row| migrated.contains(short(field(row, parent))))
            {
                out.extra(table.object, field(row, "Id"));
            }
        }
        for table in [cases, mails, versions, calls] {
            table.rest_is_extra(&mut out);
        }
        links.rest_is_extra(&mut out);
        relations.rest_is_extra(&mut out);
        comments.rest_is_extra(&migrated, &mut out);
        if !of_one_load(&marks) {
            out.add(Difference::new(
                "all objects",
                "all rows",
                "Migration_Batch__c",
                "one word on all rows, with the number of the pass",
                &format!("{marks:?}"),
            ));
        }
        Ok(out.all)
    }
}

/// Whether these marks are those of one load: one word, and the numbers of its passes.
fn of_one_load(marks: &BTreeSet<String>) -> bool {
    let words: BTreeSet<Option<&str>> = marks.iter().map(|mark| word_of(mark)).collect();
    words.len() <= 1 && !words.contains(&None)
}

fn word_of(mark: &str) -> Option<&str> {
    let (word, pass) = mark.rsplit_once('-')?;
    (!word.is_empty() && pass.parse::<u32>().is_ok()).then_some(word)
}

#[cfg(test)]
mod tests;
