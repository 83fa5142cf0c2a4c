//! Local stand-ins as processes of their own, so that killing a migration leaves them as they were.
//!
//! A stand-in is this very program with the hidden verb `stand-in`. It keeps its state in the workspace, tells its address
//! on its first line of output and ends when its standard input does: a killed migration takes nothing with it but the
//! connection. A later `resume` starts them again from their state.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use deskferry_core::Source;
use deskferry_core::migration::{self, Workspace};
use deskferry_core::owners::Decision;
use deskferry_core::probing::{Did, Probed};
use deskferry_core::{Error, ErrorKind, RecordKey, Result};
use deskferry_rehearsal::oracle::{Oracle, OracleOptions, OrgDump, RemoteOrg};
use deskferry_rehearsal::org::{
    BusinessProcess, CustomField, CustomObject, KnowledgeSettings, NewUser, Org, OrgOptions,
    OrgSettings, RecordType,
};
use deskferry_rehearsal::serve::ServeOptions;
use deskferry_rehearsal::world::{Content, World, WorldSpec};
use futures_core::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::App;
use super::choices::World as Choice;
use super::exit::Done;

/// How a source is rehearsed: a local helpdesk that is filled with a made-up world.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct LocalSource {
    /// Starts the local helpdesk with its state in a folder. What fills it counts at the first start only.
    pub start: fn(PathBuf, Content, ServeOptions) -> Starting,
    /// Makes a source for the local helpdesk at this address.
    pub connect: fn(&str) -> Result<Arc<dyn Source>>,
    /// What the oracle needs to know of the platform; told who owns what nobody owns.
    pub judged: fn(String) -> OracleOptions,
    /// What the made-up world has beside people and conversations: what the platform can show of it.
    pub world: fn(WorldSpec) -> WorldSpec,
    /// The mapping lines of the custom fields that the made-up world has, by object: what a person would add for their own.
    pub lines: &'static [(&'static str, &'static str)],
}

impl fmt::Debug for LocalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSource").finish_non_exhaustive()
    }
}

/// A local helpdesk on its way.
pub type Starting = BoxFuture<'static, io::Result<Running>>;

/// A local helpdesk that answers.
pub struct Running {
    address: String,
    end: BoxFuture<'static, ()>,
}

impl Running {
    /// One at this address, which ends when `end` is awaited.
    pub fn new(address: impl Into<String>, end: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            address: address.into(),
            end: Box::pin(end),
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The app of the local org.
pub(super) const CLIENT_ID: &str = "rehearsal-client";
/// Its secret: it guards nothing.
pub(super) const CLIENT_SECRET: &str = "rehearsal-secret";

/// The lines of the mapping's policy among those of its objects.
pub(super) const POLICY: &str = "policy";

/// How many differences are shown.
const SHOWN: usize = 20;

/// The mapping lines of the world's custom fields under their own keys.
pub(super) const WORLD_LINES: [(&str, &str); 3] = [
    (
        "Account",
        r#"Tier__c = { from = "custom.tier", create = { type = "Text", length = 80 } }"#,
    ),
    (
        "Contact",
        r#"Customer_Since__c = { from = "custom.customer_since", create = { type = "Date" } }
Vip__c = { from = "custom.vip", create = { type = "Checkbox" } }"#,
    ),
    (
        "Case",
        r#"Product_Area__c = { from = "custom.product_area", create = { type = "Text", length = 255 } }
Serial_Number__c = { from = "custom.serial_number", create = { type = "Text", length = 255 } }
Affected_Parts__c = { from = "custom.affected_parts", create = { type = "MultiselectPicklist", values = ["Cable", "Housing", "Motor"] } }
Purchase_Date__c = { from = "custom.purchase_date", create = { type = "Date" } }
Under_Warranty__c = { from = "custom.under_warranty", create = { type = "Checkbox" } }
Repair_Cost__c = { from = "custom.repair_cost", create = { type = "Number", precision = 18, scale = 2 } }"#,
    ),
];

/// The shipped mapping with a line for each custom field of the world that has a place in the org; lines of `policy` stand
/// for what the shipped one says of articles.
pub(super) fn mapping_with(shipped: &str, lines: &[(&str, &str)]) -> String {
    lines
        .iter()
        .fold(shipped.to_owned(), |text, (object, lines)| {
            if *object == POLICY {
                return text.replacen("articles = \"leave\"", lines, 1);
            }
            let table = format!("[{object}.fields]\n");
            text.replacen(&table, &format!("{table}{lines}\n"), 1)
        })
}

/// Record types that a mapping gives, with their processes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Types {
    record_types: Vec<RecordType>,
    business_processes: Vec<BusinessProcess>,
    #[serde(default)]
    given: Given,
}

/// By what conversations get them: what of a conversation, then each word and its type; nothing where the org decides.
type Given = Option<(String, BTreeMap<String, String>)>;

impl Types {
    /// An org that has them, too.
    fn of(self, mut options: OrgOptions) -> OrgOptions {
        for process in self.business_processes {
            options = options.business_process(process);
        }
        for known in self.record_types {
            options = options.record_type(known);
        }
        options
    }

    /// Those that an org does not have yet.
    fn beside(mut self, settings: &OrgSettings) -> Self {
        let same = |one: &RecordType, other: &RecordType| {
            one.object == other.object && one.name.eq_ignore_ascii_case(&other.name)
        };
        let known = &settings.record_types;
        self.record_types
            .retain(|t| !known.iter().any(|k| same(k, t)));
        self
    }
}

/// What a stand-in is told when it is started.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    Helpdesk(Content),
    Org {
        #[serde(default)]
        objects: Vec<CustomObject>,
        fields: Vec<CustomField>,
        users: Vec<NewUser>,
        #[serde(default)]
        knowledge: Option<KnowledgeSettings>,
        #[serde(default)]
        types: Types,
        port: u16,
    },
    /// An org that looks like the one whose answers are in a folder.
    Mirror {
        picture: PathBuf,
        objects: Vec<CustomObject>,
        fields: Vec<CustomField>,
        #[serde(default)]
        types: Types,
        #[serde(default)]
        seen: Seen,
    },
}

/// What a probe saw the other org do, where that decides how this one behaves.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    inactive_owners: Option<bool>,
    relations_later: Option<bool>,
    single_blanks: bool,
}

impl Seen {
    fn of(probed: &Probed) -> Self {
        let did = |point: &str| {
            let mut found = probed.of(point).map(|found| found.did);
            found.find(|did| *did != Did::Untried)
        };
        Self {
            inactive_owners: did("inactive-owner").map(|did| did == Did::Kept),
            relations_later: did("relation-later").map(|did| did == Did::Kept),
            single_blanks: did("blanks-inside") == Some(Did::Changed),
        }
    }

    fn told(self, settings: &mut OrgSettings) {
        settings.inactive_owners = self.inactive_owners.unwrap_or(settings.inactive_owners);
        settings.update_email_messages = self
            .relations_later
            .unwrap_or(settings.update_email_messages);
        settings.extra_normalisation |= self.single_blanks;
    }
}

/// What a stand-in tells on its first line.
#[derive(Debug, Serialize, Deserialize)]
struct Address {
    url: String,
    #[serde(default)]
    user: String,
}

/// The stand-ins of a run; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Local {
    helpdesk: Option<StandIn>,
    org: Option<StandIn>,
    content: Content,
    judged: fn(String) -> OracleOptions,
    /// Whether the mapping loads articles.
    articles: bool,
    /// By what conversations get record types, and which.
    given: Given,
}

/// A local org that looks like another one; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Mirror(StandIn);

impl Mirror {
    pub(super) fn url(&self) -> &str {
        &self.0.address.url
    }
}

#[derive(Debug)]
struct StandIn {
    address: Address,
    _process: Child,
}

impl Local {
    /// Starts what is wanted, from the state in the workspace where there is one.
    pub(super) async fn start(
        app: &App,
        choice: &Choice,
        folder: &Path,
        helpdesk: bool,
        org: bool,
    ) -> Result<Self> {
        let content = content(app, choice, folder)?;
        let folder = folder.join("rehearsal");
        let helpdesk = match helpdesk {
            true => Some(
                StandIn::start(app.source.name, &folder, &Told::Helpdesk(content.clone())).await?,
            ),
            false => None,
        };
        let fields = match org {
            true => fields(app, &folder)?,
            false => Vec::new(),
        };
        let articles = fields.iter().any(|field| field.object == "Knowledge__kav");
        let given = match org {
            true => types(app, &folder)?.given,
            false => Given::default(),
        };
        let org = match org {
            true => {
                let told = Told::Org {
                    objects: objects(app, &folder)?,
                    knowledge: match articles {
                        true => Some(knowledge(app, &content)?),
                        false => None,
                    },
                    fields,
                    users: users(&content)?,
                    types: types(app, &folder)?,
                    port: 0,
                };
                Some(StandIn::start("org", &folder, &told).await?)
            }
            false => None,
        };
        Ok(Self {
            helpdesk,
            org,
            content,
            judged: app.source.local.judged,
            articles,
            given,
        })
    }

    /// An org in a folder of the rehearsal's that looks like the one of this picture, with what the mapping's package installs.
    pub(super) async fn mirror(
        app: &App,
        rehearsal: &Path,
        picture: &Path,
        probed: Option<&Probed>,
    ) -> Result<Mirror> {
        let told = Told::Mirror {
            picture: picture.to_owned(),
            objects: objects(app, rehearsal)?,
            fields: fields(app, rehearsal)?,
            types: types(app, rehearsal)?,
            seen: probed.map(Seen::of).unwrap_or_default(),
        };
        StandIn::start("mirror", rehearsal, &told).await.map(Mirror)
    }

    pub(super) fn helpdesk_url(&self) -> Option<&str> {
        self.helpdesk.as_ref().map(|s| s.address.url.as_str())
    }

    pub(super) fn org_url(&self) -> Option<&str> {
        self.org.as_ref().map(|s| s.address.url.as_str())
    }

    /// Whether both ends are local.
    pub(super) fn is_all(&self) -> bool {
        self.helpdesk.is_some() && self.org.is_some()
    }

    /// When both ends are local, the oracle says whether the org holds what the world says, computed without the connectors.
    pub(super) async fn judge(&self, done: Done, workspace: &Path) -> Result<Done> {
        let (Some(_), Some(org)) = (&self.helpdesk, &self.org) else {
            return Ok(done);
        };
        let (content, url) = (self.content.clone(), org.address.url.clone());
        let mut options = (self.judged)(org.address.user.clone());
        if self.articles {
            options = options.knowledge();
        }
        let decisions = decisions(workspace)?;
        let given = self.given.clone();
        let differences = tokio::task::spawn_blocking(move || {
            let world = world(&content)?;
            let org = RemoteOrg::new(&url).map_err(|e| local_failed(&e))?;
            let options = with_owners(options, &world, &org, &decisions)?;
            let options = with_record_types(options, &org, given)?;
            let oracle = Oracle::new(options);
            oracle.compare(&world, &org).map_err(|e| local_failed(&e))
        })
        .await
        .map_err(|e| Error::bug("ask the oracle", e.to_string()))??;
        Ok(say(&differences, done))
    }
}

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
fn say(differences: &[deskferry_rehearsal::oracle::Difference], done: Done) -> Done {
    println!(
        "oracle: {} differences between the org and what the world says",
        differences.len()
    );
    for difference in differences.iter().take(SHOWN) {
        println!("  {difference}");
    }
    if differences.is_empty() {
        done
    } else {
        Done::Differs
    }
}

fn world(content: &Content) -> Result<World> {
    content.world().map_err(|e| local_failed(&e))
}

/// What people decided of agents, over all targets of a workspace that rehearses: it has one.
fn decisions(workspace: &Path) -> Result<BTreeMap<RecordKey, Decision>> {
    let mut decisions = BTreeMap::new();
    for target in Workspace::look(workspace)?.targets()? {
        decisions.extend(migration::decided_by_people(&target)?);
    }
    Ok(decisions)
}

/// The oracle is told the ids that the org gave to the types.
fn with_record_types(
    mut options: OracleOptions,
    org: &RemoteOrg,
    given: Given,
) -> Result<OracleOptions> {
    let Some((by, words)) = given else {
        return Ok(options);
    };
    let rows = org.rows("RecordType").map_err(|e| local_failed(&e))?;
    let id_of = |name: &str| {
        let mut rows = rows.iter();
        let row = rows.find(|row| row["DeveloperName"].as_str() == Some(name))?;
        row["Id"].as_str().map(str::to_owned)
    };
    let ids = words.into_iter();
    let ids = ids.filter_map(|(word, name)| Some((word, id_of(&name)?)));
    options.record_types = Some((by, ids.collect()));
    Ok(options)
}

/// The oracle knows what rules decide. What people decided it is told, by the ids that the org itself gives.
fn with_owners(
    mut options: OracleOptions,
    world: &World,
    org: &RemoteOrg,
    decisions: &BTreeMap<RecordKey, Decision>,
) -> Result<OracleOptions> {
    if decisions.is_empty() {
        return Ok(options);
    }
    let rows = |object: &str| org.rows(object).map_err(|e| local_failed(&e));
    let (users, groups) = (rows("User")?, rows("Group")?);
    let id_of = |rows: &[Value], fields: &[&str], name: &str| {
        let is = |row: &&Value| {
            let mut values = fields.iter().filter_map(|field| row[*field].as_str());
            values.any(|value| value.eq_ignore_ascii_case(name))
        };
        rows.iter()
            .find(is)
            .and_then(|row| row["Id"].as_str())
            .map(str::to_owned)
    };
    let agents: BTreeMap<String, u64> = world
        .lists()
        .people
        .iter()
        .map(|person| (options.key("agent", person.id), person.id))
        .collect();
    for (agent, decision) in decisions {
        let owner = match decision {
            Decision::User(name) => {
                let names = ["Id", "Username", "Email", "FederationIdentifier"];
                id_of(&users, &names, name)
            }
            Decision::Queue(name) => id_of(&groups, &["DeveloperName"], name),
            Decision::CreateInactive => {
                let people = &world.lists().people;
                let member = agents.get(agent.as_str());
                let member = people.iter().find(|person| Some(&person.id) == member);
                let address = member.and_then(|member| member.emails.first());
                address.and_then(|address| id_of(&users, &["Email"], address))
            }
            _ => Some(options.legacy_owner.clone()),
        };
        if let (Some(member), Some(owner)) = (agents.get(agent.as_str()), owner) {
            options.owners.insert(*member, owner);
        }
    }
    Ok(options)
}

fn local_failed(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Storage, "rehearse", error.to_string())
}

/// What the helpdesk is filled with: what the first run of the workspace said.
fn content(app: &App, choice: &Choice, folder: &Path) -> Result<Content> {
    let path = folder.join("rehearsal").join("content.json");
    if path.exists() {
        let text =
            std::fs::read(&path).map_err(|e| Error::storage("read the rehearsal's content", e))?;
        return serde_json::from_slice(&text).map_err(|e| {
            Error::new(
                ErrorKind::Mismatch,
                "read the rehearsal's content",
                e.to_string(),
            )
        });
    }
    let content = match &choice.mail_dir {
        Some(path) => Content::MailDir(absolute(path)?),
        None => Content::Made((app.source.local.world)(WorldSpec::new(
            choice.seed,
            choice.conversations,
        ))),
    };
    let io = |e| Error::storage("keep the rehearsal's content", e);
    std::fs::create_dir_all(folder.join("rehearsal")).map_err(io)?;
    let text = serde_json::to_vec(&content)
        .map_err(|e| Error::bug("keep the rehearsal's content", e.to_string()))?;
    std::fs::write(&path, text).map_err(io)?;
    Ok(content)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|e| {
        Error::new(ErrorKind::Config, "read the mails", e.to_string())
            .with("folder", path.display())
    })
}

fn fields(app: &App, rehearsal: &Path) -> Result<Vec<CustomField>> {
    let mapping = rehearsal.with_file_name("mapping.toml");
    serde_json::from_value((app.sink.fields)(&mapping)?)
        .map_err(|e| Error::bug("give the local org its fields", e.to_string()))
}

fn objects(app: &App, rehearsal: &Path) -> Result<Vec<CustomObject>> {
    let mapping = rehearsal.with_file_name("mapping.toml");
    serde_json::from_value((app.sink.objects)(&mapping)?)
        .map_err(|e| Error::bug("give the local org its objects", e.to_string()))
}

fn types(app: &App, rehearsal: &Path) -> Result<Types> {
    let mapping = rehearsal.with_file_name("mapping.toml");
    serde_json::from_value((app.sink.record_types)(&mapping)?)
        .map_err(|e| Error::bug("give the local org its record types", e.to_string()))
}

/// Knowledge with the categories of the world: what an administrator makes of the package.
fn knowledge(app: &App, content: &Content) -> Result<KnowledgeSettings> {
    let judged = (app.source.local.judged)(String::new());
    let group = judged.categories(&world(content)?);
    Ok(KnowledgeSettings::new(["en_US", "nl_NL", "de"]).group(group))
}

/// Those of the helpdesk's agents whom the org knows.
fn users(content: &Content) -> Result<Vec<NewUser>> {
    let users = world(content)?.suggested_users();
    Ok(users
        .into_iter()
        .map(|user| NewUser {
            username: format!("{}.rehearsal", user.email),
            email: user.email,
            name: user.name,
            active: user.active,
            user_type: "Standard".to_owned(),
        })
        .collect())
}

impl StandIn {
    async fn start(which: &str, folder: &Path, told: &Told) -> Result<Self> {
        let failed = |what: String| {
            Error::new(ErrorKind::Unavailable, "start a local stand-in", what).with("which", which)
        };
        let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
        let told = serde_json::to_string(told)
            .map_err(|e| Error::bug("start a local stand-in", e.to_string()))?;
        let mut process = Command::new(program)
            .args(["stand-in", which])
            .arg(folder.join(which))
            .arg(told)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The fault points are the migration's, not the stand-ins'.
            .env_remove("DESKFERRY_KILL_AT")
            .env_remove("DESKFERRY_FAIL_AT")
            // Nor what the migration was told.
            .env_remove("DESKFERRY_CONFIG")
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let output = process
            .stdout
            .take()
            .ok_or_else(|| failed("it has no output".into()))?;
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .await
            .map_err(|e| failed(e.to_string()))?;
        let address = serde_json::from_str(&line)
            .map_err(|_| failed("it ended without an address".into()))?;
        Ok(Self {
            address,
            _process: process,
        })
    }
}

/// Serves a stand-in until standard input ends.
#[expect(
    clippy::print_stdout,
    reason = "the address is told to whoever started this"
)]
pub(super) async fn serve(app: &App, which: &str, folder: &Path, told: &str) -> Result<Done> {
    let failed = |what: String| {
        Error::new(ErrorKind::Unavailable, "serve a local stand-in", what)
            .with("which", which.to_owned())
    };
    let told: Told = serde_json::from_str(told).map_err(|e| failed(e.to_string()))?;
    std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
    match told {
        Told::Helpdesk(content) => {
            let desk = start_again(app, folder, content)
                .await
                .map_err(|e| failed(e.to_string()))?;
            println!("{}", serde_json::json!({ "url": desk.address }));
            until_the_input_ends().await;
            desk.end.await;
        }
        Told::Org {
            objects,
            fields,
            users,
            knowledge,
            types,
            port,
        } => {
            let options = org_options(folder, objects, fields, users).port(port);
            let mut options = types.of(options);
            if let Some(knowledge) = knowledge {
                options = options.knowledge(knowledge);
            }
            let org = Org::start(options)
                .await
                .map_err(|e| failed(e.to_string()))?;
            println!(
                "{}",
                serde_json::json!({ "url": org.url(), "user": org.user_id() })
            );
            until_the_input_ends().await;
            org.stop().await;
        }
        Told::Mirror {
            picture,
            objects,
            fields,
            types,
            seen,
        } => {
            let (mut settings, _) =
                OrgSettings::pictured(picture).map_err(|e| failed(e.to_string()))?;
            seen.told(&mut settings);
            let types = types.beside(&settings);
            let options = OrgOptions::new(folder)
                .settings(settings)
                .client(CLIENT_ID, CLIENT_SECRET)
                .custom_objects(objects)
                .custom_fields(fields);
            let org = Org::start(types.of(options))
                .await
                .map_err(|e| failed(e.to_string()))?;
            println!("{}", serde_json::json!({ "url": org.url() }));
            until_the_input_ends().await;
            org.stop().await;
        }
    }
    Ok(Done::Well)
}

/// Starts the helpdesk where it was the last time: records name its address, and a helpdesk that moves seems to change them.
async fn start_again(app: &App, folder: &Path, content: Content) -> io::Result<Running> {
    let place = folder.join("port");
    let kept = std::fs::read_to_string(&place).unwrap_or_default();
    let port = kept.trim().parse().unwrap_or(0);
    let start = |port: u16| {
        let mut serve = ServeOptions::default();
        serve.port = port;
        (app.source.local.start)(folder.to_owned(), content.clone(), serve)
    };
    let desk = match start(port).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => start(0).await?,
        desk => desk?,
    };
    if let Some((_, port)) = desk.address.rsplit_once(':') {
        std::fs::write(place, port.trim_end_matches('/'))?;
    }
    Ok(desk)
}

fn org_options(
    folder: &Path,
    objects: Vec<CustomObject>,
    fields: Vec<CustomField>,
    users: Vec<NewUser>,
) -> OrgOptions {
    let options = OrgOptions::new(folder)
        .audit_fields(true)
        .client(CLIENT_ID, CLIENT_SECRET)
        .custom_objects(objects)
        .custom_fields(fields);
    users.into_iter().fold(options, OrgOptions::user)
}

async fn until_the_input_ends() {
    let mut nothing = [0; 64];
    while tokio::io::stdin()
        .read(&mut nothing)
        .await
        .is_ok_and(|n| n > 0)
    {}
}

#[cfg(test)]
mod tests {
    use deskferry_core::probing::Point;

    use super::*;

    #[test]
    fn a_mirror_behaves_as_the_probe_saw_the_org_behave() {
        let point = |point: &str, did| Point {
            point: point.into(),
            of: "Case".into(),
            did,
            sent: String::new(),
            found: String::new(),
        };
        let probed = Probed {
            format: 1,
            target: "00D".into(),
            name: "org".into(),
            at: chrono::DateTime::UNIX_EPOCH,
            points: vec![
                point("inactive-owner", Did::Kept),
                point("relation-later", Did::Untried),
                point("blanks-inside", Did::Changed),
            ],
            left: Vec::new(),
        };
        let mut settings = OrgSettings {
            update_email_messages: true,
            ..OrgSettings::default()
        };
        Seen::of(&probed).told(&mut settings);
        assert!(settings.inactive_owners && settings.extra_normalisation);
        assert!(settings.update_email_messages, "nobody tried it");
    }
}
