//! A picture of an org: its answers, one file each, from which a local org can be made. Only reads, and goes on where it stopped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::report::Allowance;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{PICTURED, Question, VALIDATION_RULES, hidden, rights};
use crate::client::Api;
use crate::mapping::Mapping;
use crate::preflight;
use crate::sink::Salesforce;

const FORMAT: u32 = 1;
/// Rules whose formulas are asked for, one request each.
const MOST_RULES: usize = 200;
/// Objects that are described: those of the mapping, and those that they refer to.
const MOST_OBJECTS: usize = 150;
/// Objects that every load looks at.
const ALWAYS: [&str; 4] = ["User", "Group", "ContentDocument", "ContentDocumentLink"];

/// What was pulled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pulled {
    /// The org's id.
    pub org: String,
    /// Its name.
    pub name: String,
    /// When the first of its answers was taken.
    pub begun_at: DateTime<Utc>,
    /// Answers that were asked for now.
    pub asked: usize,
    /// Answers that were there from an earlier pull.
    pub kept: usize,
    /// What the org did not tell, and why.
    pub untold: Vec<String>,
    /// What is left of the org's allowances, asked anew each time.
    pub allowances: Vec<Allowance>,
}

/// `picture.json`.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    org: String,
    name: String,
    begun_at: DateTime<Utc>,
    untold: Vec<String>,
}

impl Salesforce {
    /// Pulls a picture of the org into a folder: what its objects are like (those of the mapping and what they refer to), record
    /// types, values, users and queues, rules as far as they can be read, limits. Only reads, one file per answer; what is there from
    /// an earlier call is not asked again. No file holds a secret; the users' names and addresses are in `query/User.json`.
    ///
    /// # Errors
    /// `Mismatch` when the folder is another org's picture; `Storage`; and whatever ends a request, but for what the org hides.
    pub async fn pull(&self, cx: &Context, folder: &Path) -> Result<Pulled> {
        let api = self.api();
        let (id, name) = who(cx, api).await?;
        let mut picture = Picture::open(folder, id, name, cx.now())?;
        let objects: BTreeSet<String> = self.mapping().objects().map(str::to_owned).collect();
        picture.describe_all(cx, api, self.mapping()).await?;
        for question in &PICTURED {
            picture.question(cx, api, question).await?;
        }
        picture.rights(cx, api).await?;
        picture.formulas(cx, api, &objects).await?;
        let limits = preflight::limits(cx, api).await;
        let allowances = match limits {
            Ok(limits) => {
                picture.keep("limits.json", &limits)?;
                preflight::allowances_of(&limits)
            }
            Err(error) if hidden(&error) => {
                picture.untold(format!("limits: {error}"));
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        picture.end(allowances)
    }
}

/// Org and name.
async fn who(cx: &Context, api: &Api) -> Result<(String, String)> {
    api.check_version(cx).await?;
    let identity = crate::org::identity(cx, api).await?;
    let rows = api.query(cx, "SELECT Id, Name FROM Organization").await?;
    let name = rows.first().and_then(|row| row["Name"].as_str());
    Ok((identity.org, name.unwrap_or("unnamed org").to_owned()))
}

struct Picture {
    folder: PathBuf,
    about: About,
    asked: usize,
    kept: usize,
}

impl Picture {
    fn open(folder: &Path, org: String, name: String, now: DateTime<Utc>) -> Result<Self> {
        let path = folder.join("picture.json");
        let mut about = About {
            format: FORMAT,
            org,
            name,
            begun_at: now,
            untold: Vec::new(),
        };
        if path.exists() {
            let bytes = std::fs::read(&path).map_err(|e| failed(e, &path))?;
            let was: About = serde_json::from_slice(&bytes).map_err(|e| {
                Error::new(
                    ErrorKind::Mismatch,
                    "read the picture of an org",
                    e.to_string(),
                )
                .with("file", path.display())
            })?;
            if was.format != FORMAT || was.org != about.org {
                return Err(Error::new(
                    ErrorKind::Mismatch,
                    "pull a picture of the org",
                    format!(
                        "the folder holds one of {} ({}), format {}",
                        was.name, was.org, was.format
                    ),
                )
                .with("folder", folder.display())
                .advise("Take it away, or use another workspace"));
            }
            about.begun_at = was.begun_at;
        }
        let picture = Self {
            folder: folder.to_owned(),
            about,
            asked: 0,
            kept: 0,
        };
        // Before the first answer: whose they are is known from the start.
        picture.note()?;
        Ok(picture)
    }

    fn note(&self) -> Result<()> {
        let about = serde_json::to_value(&self.about)
            .map_err(|e| Error::bug("write the picture of an org", e.to_string()))?;
        self.keep("picture.json", &about)
    }

    fn untold(&mut self, what: String) {
        self.about.untold.push(what);
    }

    /// Writes a file as a whole or not at all.
    fn keep(&self, name: &str, answer: &Value) -> Result<()> {
        let path = self.folder.join(name);
        let text = serde_json::to_vec(answer)
            .map_err(|e| Error::bug("write the picture of an org", e.to_string()))?;
        let parent = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(parent).map_err(|e| failed(e, parent))?;
        let half = path.with_extension("new");
        std::fs::write(&half, text)
            .and_then(|()| std::fs::rename(&half, &path))
            .map_err(|e| failed(e, &path))
    }

    /// An answer of an earlier pull.
    fn known(&mut self, name: &str) -> Result<Option<Value>> {
        let path = self.folder.join(name);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).map_err(|e| failed(e, &path))?;
        let answer = serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(
                ErrorKind::Mismatch,
                "read the picture of an org",
                e.to_string(),
            )
            .with("file", path.display())
            .advise("Take the file away: it is asked for again")
        })?;
        self.kept += 1;
        Ok(Some(answer))
    }

    fn take(&mut self, name: &str, answer: &Value) -> Result<()> {
        self.asked += 1;
        self.keep(name, answer)
    }

    /// The mapping's objects, then those that they refer to.
    async fn describe_all(&mut self, cx: &Context, api: &Api, mapping: &Mapping) -> Result<()> {
        let own: BTreeSet<String> = mapping.objects().chain(ALWAYS).map(str::to_owned).collect();
        let mut parents = BTreeSet::new();
        for object in &own {
            let describe = self.described(cx, api, object).await?;
            parents.extend(refers_to(&describe));
        }
        let room = MOST_OBJECTS.saturating_sub(own.len());
        let parents: Vec<&String> = parents.difference(&own).collect();
        for parent in parents.iter().take(room) {
            self.described(cx, api, parent).await?;
        }
        if let Some(more) = parents.len().checked_sub(room).filter(|more| *more > 0) {
            self.untold(format!(
                "{more} objects that others refer to were not described"
            ));
        }
        Ok(())
    }

    /// What an object is like; null where the org has none of that name.
    async fn described(&mut self, cx: &Context, api: &Api, object: &str) -> Result<Value> {
        let file = format!("describe/{object}.json");
        if let Some(known) = self.known(&file)? {
            return Ok(known);
        }
        let describe = api.describe(cx, object).await?.unwrap_or_default();
        self.take(&file, &describe)?;
        Ok(describe)
    }

    async fn question(&mut self, cx: &Context, api: &Api, question: &Question) -> Result<()> {
        let file = format!("query/{}.json", question.of);
        if self.known(&file)?.is_some() {
            return Ok(());
        }
        match super::ask(cx, api, question).await {
            Ok(rows) => self.take(&file, &json!({"soql": question.soql, "records": rows})),
            Err(error) if hidden(&error) => {
                self.untold(format!("{}: {error}", question.what));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn rights(&mut self, cx: &Context, api: &Api) -> Result<()> {
        const FILE: &str = "query/PermissionSet.json";
        if self.known(FILE)?.is_some() {
            return Ok(());
        }
        let me = crate::org::identity(cx, api).await?.user;
        match rights(cx, api, &me).await {
            Ok(rows) => self.take(FILE, &json!({"records": rows})),
            Err(error) if hidden(&error) => {
                self.untold(format!("our rights: {error}"));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The formulas of the rules that see rows of ours: the org tells one per request.
    async fn formulas(
        &mut self,
        cx: &Context,
        api: &Api,
        objects: &BTreeSet<String>,
    ) -> Result<()> {
        let Some(listed) = self.known(&format!("query/{}.json", VALIDATION_RULES.of))? else {
            return Ok(());
        };
        self.kept -= 1;
        let rules = listed["records"].as_array().cloned().unwrap_or_default();
        let ours = rules.iter().filter(|rule| {
            let of = rule["EntityDefinition"]["QualifiedApiName"].as_str();
            of.is_some_and(|of| objects.contains(of))
        });
        for (n, rule) in ours.enumerate() {
            let Some(id) = rule["Id"].as_str() else {
                continue;
            };
            let file = format!("rules/{id}.json");
            if self.known(&file)?.is_some() {
                continue;
            }
            let whole = if n < MOST_RULES {
                self.formula(cx, api, id).await?
            } else {
                None
            };
            self.take(&file, whole.as_ref().unwrap_or(rule))?;
        }
        Ok(())
    }

    async fn formula(&mut self, cx: &Context, api: &Api, id: &str) -> Result<Option<Value>> {
        let soql = format!(
            "SELECT Id, ValidationName, Active, ErrorMessage, EntityDefinition.QualifiedApiName, Metadata FROM ValidationRule WHERE Id = {}",
            crate::client::query::literal(id)
        );
        match super::tooling(cx, api, &soql).await {
            Ok(rows) => Ok(rows.into_iter().next()),
            Err(error) if hidden(&error) => {
                self.untold(format!("the formula of rule {id}: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn end(self, allowances: Vec<Allowance>) -> Result<Pulled> {
        self.note()?;
        Ok(Pulled {
            org: self.about.org,
            name: self.about.name,
            begun_at: self.about.begun_at,
            asked: self.asked,
            kept: self.kept,
            untold: self.about.untold,
            allowances,
        })
    }
}

/// The objects that fields of an object can point at on insert.
fn refers_to(describe: &Value) -> Vec<String> {
    let fields = describe["fields"].as_array().into_iter().flatten();
    fields
        .filter(|field| field["createable"] == true)
        .filter_map(|field| field["referenceTo"].as_array())
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

fn failed(error: std::io::Error, path: &Path) -> Error {
    Error::storage("write the picture of an org", error).with("file", path.display())
}
