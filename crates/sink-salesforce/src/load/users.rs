//! Users that are made for agents who left, where people decided so (Salesforce objects, section 7): inactive from the beginning, so that
//! they take no licence and nobody can log in. The platform never deletes a user.

use std::collections::HashMap;

use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::key::RecordId;
use deskferry_core::model::{Agent, Record};
use deskferry_core::owners::Decision;
use deskferry_core::sink::Loaded;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::agents::SELF;
use super::{Collections, Identity, Landed, Run};
use crate::mapping::build::Fields;
use crate::mapping::people::{name_without_a_name, split_name, typed_email};
use crate::mapping::text;
use crate::org::UserMatch;

const OBJECT: &str = "User";
/// Profiles that allow least, the first that the org has.
const PROFILES: [&str; 2] = ["Minimum Access - Salesforce", "Standard User"];
/// What a user takes over from the one who makes it.
const TAKEN: [&str; 4] = [
    "TimeZoneSidKey",
    "LocaleSidKey",
    "LanguageLocaleKey",
    "EmailEncodingKey",
];

/// Makes the users that decisions of the batch ask for and that are not there. Answers what became of each, by agent.
pub(super) async fn made(run: &Run<'_>) -> Result<HashMap<RecordId, Landed>> {
    let wanted: Vec<(&Loaded, &Agent)> = run
        .batch
        .records
        .iter()
        .filter(|loaded| loaded.owner == Some(Decision::CreateInactive))
        .filter_map(|loaded| match &loaded.record {
            Record::Agent(agent) => Some((loaded, agent.as_ref())),
            _ => None,
        })
        .filter(|(_, agent)| !matches!(run.org.user_of(agent), UserMatch::One { .. }))
        .collect();
    let mut landed = HashMap::new();
    if wanted.is_empty() {
        return Ok(landed);
    }
    let names: Vec<String> = wanted
        .iter()
        .map(|(_, agent)| username(run, agent))
        .collect();
    // Users have no key of ours: whoever has the name was made by us, maybe by a process that died.
    let there = there(run, &names).await?;
    let shared = shared(run).await?;
    let mut rows = Vec::new();
    for ((loaded, agent), name) in wanted.into_iter().zip(names) {
        match there.get(&name.to_lowercase()) {
            Some(id) => {
                let stands = Landed::Stands {
                    id: id.clone(),
                    ours: false,
                };
                landed.insert(loaded.id, stands);
            }
            None => {
                let fields = fields(agent, name, &shared);
                rows.push(run.outgoing(loaded, SELF, OBJECT, fields));
            }
        }
    }
    let ids: Vec<RecordId> = rows.iter().map(|row| row.record).collect();
    let answers = run
        .write(rows, &Collections(run.api), Identity::Username)
        .await?;
    landed.extend(ids.into_iter().zip(answers));
    Ok(landed)
}

/// A name that no user of any org has: it tells the agent and the org.
fn username(run: &Run<'_>, agent: &Agent) -> String {
    let key = agent.meta.key.as_str();
    let plain: String = key
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '.'
            }
        })
        .collect();
    let org = run.org.id.get(..15).unwrap_or(&run.org.id).to_lowercase();
    let hash = hash(key);
    let plain = plain.get(..30).unwrap_or(&plain).trim_matches('.');
    format!("{plain}.{hash}@{org}.invalid").replace("..", ".")
}

fn hash(key: &str) -> String {
    Md5::digest(key)[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

async fn there(run: &Run<'_>, names: &[String]) -> Result<HashMap<String, String>> {
    let select = "SELECT Id, Username FROM User WHERE Username IN";
    let rows = run.api.query_in(run.cx, select, names).await?;
    let pair = |row: &Value| {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Some((text("Username")?.to_lowercase(), text("Id")?))
    };
    Ok(rows.iter().filter_map(pair).collect())
}

/// What all of them share: language and time of the user whom we are, and the profile that allows least.
async fn shared(run: &Run<'_>) -> Result<Fields> {
    let soql = format!(
        "SELECT {} FROM User WHERE Id = '{}'",
        TAKEN.join(", "),
        run.org.me()
    );
    let me = run.api.query(run.cx, &soql).await?;
    let mut fields = Fields::new();
    for name in TAKEN {
        if let Some(value) = me.first().map(|me| &me[name]).filter(|v| v.is_string()) {
            fields.insert(name.into(), value.clone());
        }
    }
    let names = PROFILES.map(str::to_owned);
    let select = "SELECT Id, Name FROM Profile WHERE Name IN";
    let found = run.api.query_in(run.cx, select, &names).await?;
    let profile = PROFILES
        .iter()
        .find_map(|name| found.iter().find(|row| row["Name"] == *name));
    let Some(profile) = profile.and_then(|row| row["Id"].as_str()) else {
        let said = format!("the org has none of the profiles {}", PROFILES.join(", "));
        return Err(Error::new(ErrorKind::Config, "make users", said)
            .advise("Decide something else than `create-inactive`, or let the administrator make such a profile"));
    };
    fields.insert("ProfileId".into(), json!(profile));
    fields.insert("IsActive".into(), json!(false));
    Ok(fields)
}

fn fields(agent: &Agent, username: String, shared: &Fields) -> Fields {
    let email = agent.emails.first().map(|email| email.address.as_str());
    let key = agent.meta.key.as_str();
    let name = split_name(&agent.name)
        .unwrap_or_else(|| name_without_a_name(email, None, agent.meta.key.id()));
    let mut fields = shared.clone();
    let mut set = |field: &str, value: String| {
        if !value.is_empty() {
            fields.insert(field.to_owned(), value.into());
        }
    };
    set("FirstName", text::cut(&name.first, 40).to_owned());
    set("LastName", text::cut(&name.last, 80).to_owned());
    set(
        "Email",
        email
            .and_then(|email| typed_email(email, 128))
            .unwrap_or_else(|| username.clone()),
    );
    set("Alias", hash(key));
    set("CommunityNickname", format!("deskferry.{}", hash(key)));
    set("Username", username);
    fields
}
