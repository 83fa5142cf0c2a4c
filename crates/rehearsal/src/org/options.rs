//! What an org is like: its custom fields, users, permissions and credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::automation::{Automation, AutomationKind};
use super::entitlements::EntitlementProcess;
use super::grants::Grant;
use super::knowledge::KnowledgeSettings;
use super::limits::Limit;
use super::picture::Picture;
use super::record_types::{self, BusinessProcess, RecordType};

/// How an org is started. Everything but addresses, custom fields and the key of assertions is kept in the state folder, and what is kept
/// there wins over what is given when the folder is opened again.
#[derive(Clone, Debug)]
pub struct OrgOptions {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) tls_port: Option<u16>,
    pub(crate) tls_names: Vec<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) settings: OrgSettings,
}

impl OrgOptions {
    /// An org whose state lives in `folder` (made if absent), on a free port.
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self {
            folder: folder.as_ref().to_owned(),
            port: 0,
            tls_port: None,
            tls_names: Vec::new(),
            public_url: None,
            settings: OrgSettings::default(),
        }
    }

    /// The port on 127.0.0.1; 0 takes a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// A second listener with TLS on this port (0 takes a free one), its certificate also valid for `names`.
    #[must_use]
    pub fn tls(mut self, port: u16, names: impl IntoIterator<Item = String>) -> Self {
        self.tls_port = Some(port);
        self.tls_names = names.into_iter().collect();
        self
    }

    /// The address that absolute URLs in answers begin with, without a slash at the end; the plain listener's when
    /// not given.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into().trim_end_matches('/').to_owned());
        self
    }

    /// All settings at once.
    #[must_use]
    pub fn settings(mut self, settings: OrgSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Whether the user may set audit fields on insert.
    #[must_use]
    pub fn audit_fields(mut self, allowed: bool) -> Self {
        self.settings.audit_fields = allowed;
        self
    }

    /// Whether the org is a sandbox: users' addresses then end in `.invalid`.
    #[must_use]
    pub fn is_sandbox(mut self, sandbox: bool) -> Self {
        self.settings.is_sandbox = sandbox;
        self
    }

    /// Whether amounts have a currency.
    #[must_use]
    pub fn multi_currency(mut self, on: bool) -> Self {
        self.settings.multi_currency = on;
        self
    }

    /// Whether states and countries are picklists.
    #[must_use]
    pub fn state_country_picklists(mut self, on: bool) -> Self {
        self.settings.state_country_picklists = on;
        self
    }

    /// Whether accounts can be people; the org then begins with two record types of Account, as the platform's do.
    #[must_use]
    pub fn person_accounts(mut self, on: bool) -> Self {
        self.settings.person_accounts = on;
        let of_feature = record_types::of_person_accounts();
        self.settings.record_types.retain(|known| {
            !of_feature
                .iter()
                .any(|own| own.is(&known.object, &known.name))
        });
        if on {
            self.settings.record_types.splice(0..0, of_feature);
        }
        self
    }

    /// One more record type.
    #[must_use]
    pub fn record_type(mut self, record_type: RecordType) -> Self {
        self.settings.record_types.push(record_type);
        self
    }

    /// One more business process.
    #[must_use]
    pub fn business_process(mut self, process: BusinessProcess) -> Self {
        self.settings.business_processes.push(process);
        self
    }

    /// Whether the org has Entitlement Management.
    #[must_use]
    pub fn entitlements(mut self, on: bool) -> Self {
        self.settings.entitlements = on;
        self
    }

    /// Whether rows may be given to inactive users.
    #[must_use]
    pub fn inactive_owners(mut self, allowed: bool) -> Self {
        self.settings.inactive_owners = allowed;
        self
    }

    /// Whether the user may set who wrote a post, and when.
    #[must_use]
    pub fn feed_system_fields(mut self, allowed: bool) -> Self {
        self.settings.feed_system_fields = allowed;
        self
    }

    /// Whether a mail that goes out with a case behind it makes a task of its own.
    #[must_use]
    pub fn email_tasks(mut self, on: bool) -> Self {
        self.settings.email_tasks = on;
        self
    }

    /// Whether fields that are deployed stay hidden until a permission set that shows them is deployed and assigned.
    #[must_use]
    pub fn field_security(mut self, strict: bool) -> Self {
        self.settings.field_security = strict;
        self
    }

    /// One more custom object; its fields beside the name are custom fields.
    #[must_use]
    pub fn custom_object(mut self, object: CustomObject) -> Self {
        self.settings.custom_objects.push(object);
        self
    }

    /// More custom objects.
    #[must_use]
    pub fn custom_objects(mut self, objects: impl IntoIterator<Item = CustomObject>) -> Self {
        self.settings.custom_objects.extend(objects);
        self
    }

    /// One more custom field.
    #[must_use]
    pub fn custom_field(mut self, field: CustomField) -> Self {
        self.settings.custom_fields.push(field);
        self
    }

    /// More custom fields.
    #[must_use]
    pub fn custom_fields(mut self, fields: impl IntoIterator<Item = CustomField>) -> Self {
        self.settings.custom_fields.extend(fields);
        self
    }

    /// One more value of a standard picklist.
    #[must_use]
    pub fn picklist_value(mut self, object: &str, field: &str, value: &str, closed: bool) -> Self {
        let (object, field, value) = (object.to_owned(), field.to_owned(), value.to_owned());
        self.settings.picklist_values.push(PicklistValue {
            object,
            field,
            value,
            closed,
        });
        self
    }

    /// One more duplicate rule.
    #[must_use]
    pub fn duplicate_rule(mut self, rule: DuplicateRule) -> Self {
        self.settings.duplicate_rules.push(rule);
        self
    }

    /// One more user.
    #[must_use]
    pub fn user(mut self, user: NewUser) -> Self {
        self.settings.users.push(user);
        self
    }

    /// One more queue, by its developer name, that may own rows of these objects.
    #[must_use]
    pub fn queue(mut self, developer_name: &str, objects: &[&str]) -> Self {
        self.settings.queues.push(NewQueue {
            developer_name: developer_name.to_owned(),
            objects: objects.iter().map(|object| (*object).to_owned()).collect(),
        });
        self
    }

    /// Client id and secret of the app that may ask for a token.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.settings.client_id = id.into();
        self.settings.client_secret = Hidden(secret.into());
        self
    }

    /// A token that is valid from the start.
    #[must_use]
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.settings.access_token = Some(Hidden(token.into()));
        self
    }

    /// The password of every active user, for the grants that take one.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.settings.password = Some(Hidden(password.into()));
        self
    }

    /// A refresh token that is valid from the start.
    #[must_use]
    pub fn refresh_token(mut self, token: impl Into<String>) -> Self {
        self.settings.refresh_token = Some(Hidden(token.into()));
        self
    }

    /// Whether each use of a refresh token brings another one, and a second use revokes all of them.
    #[must_use]
    pub fn rotate_refresh_tokens(mut self, on: bool) -> Self {
        self.settings.rotate_refresh_tokens = on;
        self
    }

    /// After how many calls a token that was asked for expires; never when not given.
    #[must_use]
    pub fn session_calls(mut self, calls: u64) -> Self {
        self.settings.session_calls = Some(calls);
        self
    }

    /// Something that runs by itself when rows are written; the org declares it and does not run it.
    #[must_use]
    pub fn automation(mut self, kind: AutomationKind, object: &str, name: &str) -> Self {
        let (object, name) = (object.to_owned(), name.to_owned());
        self.settings.automations.push(Automation {
            kind,
            object,
            name,
            active: true,
        });
        self
    }

    /// One more validation rule. It refuses rows of which its formula is true, where that can be evaluated.
    #[must_use]
    pub fn validation_rule(mut self, rule: ValidationRule) -> Self {
        self.settings.validation_rules.push(rule);
        self
    }

    /// Lets assertions pass that are signed with RS256 and the private half of this key: PEM of a public key, or of the
    /// certificate that was uploaded to the app.
    #[must_use]
    pub fn jwt_public_key(mut self, pem: impl Into<String>) -> Self {
        self.settings.jwt_public_key = Some(pem.into());
        self
    }

    /// The audiences that assertions may name, instead of the login host and the org's own address.
    #[must_use]
    pub fn jwt_audiences(mut self, urls: impl IntoIterator<Item = String>) -> Self {
        self.settings.jwt_audiences = Some(urls.into_iter().collect());
        self
    }

    /// The login names of those who may use the app by assertion; everybody when not given.
    #[must_use]
    pub fn approved_users(mut self, usernames: impl IntoIterator<Item = String>) -> Self {
        self.settings.approved_users = Some(usernames.into_iter().collect());
        self
    }

    /// One of the numbers that `limits` answers, such as `DataStorageMB`, and what is left of it.
    #[must_use]
    pub fn limit(mut self, name: &str, max: u64, remaining: u64) -> Self {
        let limit = Limit { max, remaining };
        self.settings.limits.insert(name.to_owned(), limit);
        self
    }

    /// API calls per day; beyond it every call is refused.
    #[must_use]
    pub fn daily_api_requests(mut self, calls: u64) -> Self {
        self.settings.daily_api_requests = calls;
        self
    }

    /// How many seconds a bulk job and its results stay after its end; a week when not given.
    #[must_use]
    pub fn bulk_job_seconds(mut self, seconds: i64) -> Self {
        self.settings.bulk_job_seconds = seconds;
        self
    }

    /// Whether the user may delete rows past the recycle bin.
    #[must_use]
    pub fn bulk_hard_delete(mut self, allowed: bool) -> Self {
        self.settings.bulk_hard_delete = allowed;
        self
    }

    /// Turns Knowledge on.
    #[must_use]
    pub fn knowledge(mut self, knowledge: KnowledgeSettings) -> Self {
        self.settings.knowledge = Some(knowledge);
        self
    }

    /// Changes values in one way that the platform does not document, so that a verification can be seen to notice.
    #[must_use]
    pub fn extra_normalisation(mut self, on: bool) -> Self {
        self.settings.extra_normalisation = on;
        self
    }
}

/// The settings of an org, kept in its state folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrgSettings {
    /// The org's name.
    pub name: String,
    /// Whether `Organization.IsSandbox` is true. Addresses of [`users`](Self::users) then end in `.invalid`.
    pub is_sandbox: bool,
    /// "Set Audit Fields upon Record Creation": audit fields, and a Case's ClosedDate, can be set on insert.
    pub audit_fields: bool,
    /// "Update Records with Inactive Owners".
    pub inactive_owners: bool,
    /// "Update Email Messages": relations and file links can be added to a mail that is not a draft.
    pub update_email_messages: bool,
    /// "Query All Files": ContentDocumentLink can be queried without naming documents or entities.
    pub query_all_files: bool,
    /// "Don't allow HTML uploads as attachments or document records".
    pub refuse_html_uploads: bool,
    /// Doubled blanks inside a Subject become one: a change that no documentation explains.
    pub extra_normalisation: bool,
    /// Whether amounts have a currency: records then have `CurrencyIsoCode`.
    pub multi_currency: bool,
    /// Whether states and countries are picklists: addresses then have codes, and take no others.
    pub state_country_picklists: bool,
    /// Whether accounts can be people.
    pub person_accounts: bool,
    /// Record types, in the order of their ids. They are never taken away, only made inactive.
    pub record_types: Vec<RecordType>,
    /// Business processes, in the order of their ids.
    pub business_processes: Vec<BusinessProcess>,
    /// "Insert System Field Values for Chatter Feeds": who wrote a post or a comment on one, and when.
    pub feed_system_fields: bool,
    /// Enhanced Email: a mail that goes out with a case behind it makes a task of its own.
    pub email_tasks: bool,
    /// Objects beside the standard ones.
    pub custom_objects: Vec<CustomObject>,
    /// Whether fields that are deployed stay hidden until a permission set that shows them is deployed and assigned to the user,
    /// as the platform does it. Off by default: a person who tries the org would find no field.
    pub field_security: bool,
    /// What deployed permission sets show to those they are assigned to.
    pub grants: Vec<Grant>,
    /// Fields beside the standard ones.
    pub custom_fields: Vec<CustomField>,
    /// Values beside those a new org has.
    pub picklist_values: Vec<PicklistValue>,
    /// People beside the integration user.
    pub users: Vec<NewUser>,
    /// Queues.
    pub queues: Vec<NewQueue>,
    /// Rules that look for the same person or company before a row is saved. None by default.
    pub duplicate_rules: Vec<DuplicateRule>,
    /// The consumer key of the one app that is installed.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Hidden,
    /// The password of every active user; the password grant is refused when not given.
    pub password: Option<Hidden>,
    /// A token that is valid from the start.
    pub access_token: Option<Hidden>,
    /// A refresh token that is valid from the start.
    pub refresh_token: Option<Hidden>,
    /// Whether each use of a refresh token brings another one, and a second use revokes all of them.
    pub rotate_refresh_tokens: bool,
    /// Calls after which a session ends.
    pub session_calls: Option<u64>,
    /// API calls per day; beyond it every call is refused. Counted from the start of the process.
    pub daily_api_requests: u64,
    /// What runs by itself when rows are written: declared to clients, never run.
    pub automations: Vec<Automation>,
    /// Rules that refuse rows. Those whose formulas ask for more than the row are declared to clients, and judge nothing.
    pub validation_rules: Vec<ValidationRule>,
    /// The objects of another org that this one looks like.
    pub picture: Option<Picture>,
    /// PEM of the public key, or of the certificate, that proves assertions; the JWT bearer grant is refused when not
    /// given.
    pub jwt_public_key: Option<String>,
    /// The audiences of assertions; the login host and the org's own address when not given.
    pub jwt_audiences: Option<Vec<String>>,
    /// Login names of those who may use the app by assertion; everybody when not given.
    pub approved_users: Option<Vec<String>>,
    /// Other limits by name, where they are not the usual ones. What bulk jobs use up is counted from the start of the
    /// process.
    pub limits: BTreeMap<String, Limit>,
    /// How many seconds a bulk job and its results stay after its end.
    pub bulk_job_seconds: i64,
    /// "Bulk API Hard Delete".
    pub bulk_hard_delete: bool,
    /// Entitlement Management: entitlements, their processes and milestones.
    pub entitlements: bool,
    /// Entitlement processes, in the order of their ids. They are never taken away, only made inactive.
    pub entitlement_processes: Vec<EntitlementProcess>,
    /// Fields and record types that nobody sees by the profile alone, such as `Case.Source_Key__c`: they were deployed into
    /// an org with [`field_security`](Self::field_security).
    pub secured: Vec<String>,
    /// Knowledge, where it is on.
    pub knowledge: Option<KnowledgeSettings>,
}

impl Default for OrgSettings {
    fn default() -> Self {
        Self {
            name: "Rehearsal".into(),
            is_sandbox: false,
            audit_fields: true,
            inactive_owners: false,
            update_email_messages: false,
            query_all_files: false,
            refuse_html_uploads: false,
            extra_normalisation: false,
            multi_currency: false,
            state_country_picklists: false,
            person_accounts: false,
            record_types: Vec::new(),
            business_processes: Vec::new(),
            feed_system_fields: false,
            email_tasks: false,
            custom_objects: Vec::new(),
            field_security: false,
            grants: Vec::new(),
            custom_fields: Vec::new(),
            picklist_values: Vec::new(),
            users: Vec::new(),
            queues: Vec::new(),
            duplicate_rules: Vec::new(),
            client_id: "rehearsal-client".into(),
            client_secret: Hidden("rehearsal-secret".into()),
            password: None,
            access_token: None,
            refresh_token: None,
            rotate_refresh_tokens: false,
            session_calls: None,
            daily_api_requests: 5_000_000,
            automations: Vec::new(),
            validation_rules: Vec::new(),
            picture: None,
            jwt_public_key: None,
            jwt_audiences: None,
            approved_users: None,
            limits: BTreeMap::new(),
            bulk_job_seconds: 7 * 86_400,
            bulk_hard_delete: false,
            entitlements: false,
            entitlement_processes: Vec::new(),
            secured: Vec::new(),
            knowledge: None,
        }
    }
}

/// A text that is not shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A user of the org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUser {
    /// The address, as in production.
    pub email: String,
    /// The login name, in the form of an address.
    pub username: String,
    /// First and last name.
    pub name: String,
    /// Whether the user can log in and own records.
    #[serde(default = "yes")]
    pub active: bool,
    /// `Standard` for people.
    #[serde(default = "standard")]
    pub user_type: String,
}

/// A queue of the org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewQueue {
    /// Its name for programs.
    pub developer_name: String,
    /// API names of the objects whose rows it may own.
    pub objects: Vec<String>,
}

fn yes() -> bool {
    true
}

fn standard() -> String {
    "Standard".into()
}

/// A rule that finds a row of the same object with an equal value. (The platform's own rules match loosely; an exact
/// match is what they surely find.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateRule {
    /// API name of the rule.
    pub name: String,
    /// API name of the object: Account, Contact or Lead.
    pub object: String,
    /// API name of the field whose values are compared; it must be an external id or usable for upserts.
    pub field: String,
    /// Whether it refuses the row even if the client asks to save it; else it only alerts.
    pub block: bool,
}

/// A rule that refuses rows, in the words of the Metadata API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationRule {
    /// API name of the rule.
    pub name: String,
    /// API name of the object.
    pub object: String,
    /// `errorConditionFormula`: a row of which it is true is refused.
    pub formula: String,
    /// `errorMessage`.
    pub message: String,
    /// `errorDisplayField`: the field that the refusal names.
    pub field: Option<String>,
    /// Whether it judges rows.
    pub active: bool,
}

impl ValidationRule {
    /// An active rule that names no field.
    pub fn new(object: &str, name: &str, formula: &str, message: &str) -> Self {
        Self {
            name: name.to_owned(),
            object: object.to_owned(),
            formula: formula.to_owned(),
            message: message.to_owned(),
            field: None,
            active: true,
        }
    }
}

/// One more value of a standard picklist, such as a Case's Status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PicklistValue {
    /// API name of the object.
    pub object: String,
    /// API name of the field.
    pub field: String,
    /// The value.
    pub value: String,
    /// For a status: whether it means closed.
    #[serde(default)]
    pub closed: bool,
}

/// A custom object, described in the words of the Metadata API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomObject {
    /// API name, ending in `__c`.
    pub name: String,
    /// What people see; the name without its suffix when empty.
    #[serde(default)]
    pub label: String,
    /// The plural of it; the label when empty.
    #[serde(default)]
    pub plural_label: String,
    /// How the records' names are numbered, such as `M-{0000000}`; they are texts that clients send when not given.
    #[serde(default)]
    pub auto_number: Option<String>,
    /// Whether it was deleted since; its key prefix is not given to another object.
    #[serde(default)]
    pub deleted: bool,
}

impl CustomObject {
    /// An object whose records are named by a text.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: String::new(),
            plural_label: String::new(),
            auto_number: None,
            deleted: false,
        }
    }

    /// An object whose records are numbered in this format, such as `M-{0000000}`.
    pub fn numbered(name: &str, format: &str) -> Self {
        Self {
            auto_number: Some(format.to_owned()),
            ..Self::new(name)
        }
    }
}

/// A custom field, described in the words of the Metadata API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// API name of the object.
    pub object: String,
    /// API name, ending in `__c`.
    pub name: String,
    /// What people see; the name without its suffix when empty.
    #[serde(default)]
    pub label: String,
    /// The type.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Characters: 1 to 255 of a Text, 256 to 131,072 of a LongTextArea or Html.
    #[serde(default)]
    pub length: Option<u32>,
    /// Digits of a Number, Currency or Percent on both sides of the point, at most 18.
    #[serde(default)]
    pub precision: Option<u32>,
    /// Digits of those after the point.
    #[serde(default)]
    pub scale: Option<u32>,
    /// Whether rows can be found and upserted by it.
    #[serde(default)]
    pub external_id: bool,
    /// Whether two rows may not share a value.
    #[serde(default)]
    pub unique: bool,
    /// Whether values that differ in case only are different.
    #[serde(default)]
    pub case_sensitive: bool,
    /// Values of a picklist.
    #[serde(default)]
    pub values: Vec<String>,
    /// Whether a picklist refuses other values.
    #[serde(default)]
    pub restricted: bool,
    /// The object a Lookup or MasterDetail points at.
    #[serde(default)]
    pub reference_to: Option<String>,
    /// How the parent calls its rows with this field, such as `Messages`; how queries of children name them, with `__r`
    /// behind it. The object's plural when not given.
    #[serde(default)]
    pub relationship_name: Option<String>,
    /// Whether every row must have a value.
    #[serde(default)]
    pub required: bool,
    /// Whether the user's permissions hide it (field-level security not granted): it is then as good as absent.
    #[serde(default)]
    pub hidden: bool,
}

impl CustomField {
    /// A field with nothing but the necessary.
    pub fn new(object: &str, name: &str, field_type: FieldType) -> Self {
        Self {
            object: object.to_owned(),
            name: name.to_owned(),
            label: String::new(),
            field_type,
            length: None,
            precision: None,
            scale: None,
            external_id: false,
            unique: false,
            case_sensitive: false,
            values: Vec::new(),
            restricted: false,
            reference_to: None,
            relationship_name: None,
            required: false,
            hidden: false,
        }
    }

    /// The unique, case-sensitive external id that every migrated row carries: `Source_Key__c`, Text(255).
    pub fn source_key(object: &str) -> Self {
        Self {
            length: Some(255),
            external_id: true,
            unique: true,
            case_sensitive: true,
            ..Self::new(object, "Source_Key__c", FieldType::Text)
        }
    }

    /// A Text of this many characters.
    pub fn text(object: &str, name: &str, length: u32) -> Self {
        Self {
            length: Some(length),
            ..Self::new(object, name, FieldType::Text)
        }
    }
}

/// The types of custom fields, named as in the Metadata API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldType {
    /// One line, at most 255 characters.
    Text,
    /// Several lines, 255 characters.
    TextArea,
    /// Plain text of up to 131,072 characters.
    LongTextArea,
    /// Rich text.
    Html,
    /// A number.
    Number,
    /// Money.
    Currency,
    /// A share.
    Percent,
    /// True or false.
    Checkbox,
    /// A day.
    Date,
    /// A moment, to the second.
    DateTime,
    /// One of several values.
    Picklist,
    /// Any of several values, joined with `;`.
    MultiselectPicklist,
    /// A mail address.
    Email,
    /// A phone number.
    Phone,
    /// An address in the web.
    Url,
    /// A reference to one object.
    Lookup,
    /// A reference to the one row without which this one cannot be.
    MasterDetail,
}
