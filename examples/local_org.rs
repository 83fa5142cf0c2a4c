//! Starts a local Salesforce org and prints how to reach it, so that any client can be pointed at it. Ctrl-C ends it.
//!
//! ```text
//! cargo run --example local_org -- [STATE-FOLDER] [PORT] [options]
//! ```
//!
//! `--help` lists the options; docs/local-org.md says what the org imitates and how clients are pointed at it.
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::path::{Path, PathBuf};

use deskferry::rehearsal::org::{CustomField, JwtKey, Org, OrgOptions};
use deskferry::salesforce::Mapping;

const HELP: &str = "\
cargo run --example local_org -- [STATE-FOLDER] [PORT] [options]

  --port N               port of the plain listener (a free one when not given)
  --tls-port N           a second listener with TLS on this port (0: a free one)
  --tls-name NAME        a further host name of its certificate (repeatable)
  --public-url URL       what absolute URLs in answers begin with
  --no-audit-fields      the user may not set audit fields
  --multi-currency       records have a currency
  --state-country        states and countries are picklists
  --person-accounts      accounts can be people
  --field-security       deployed fields stay hidden until a permission set shows them
  --bare                 without the custom fields of the shipped mapping
  --username NAME        a further user (the integration user is always there)
  --password TEXT        the password of every user (default: rehearsal)
  --client-id ID, --client-secret TEXT
  --token TOKEN          an access token that is valid from the start
  --refresh-token TOKEN  a refresh token that is valid from the start
  --open FILE            begins with an org that was saved, if the state folder is empty
  --save FILE            saves the org when it ends
  --env FILE             writes the lines that start with `export` into this file, too";

#[derive(Default)]
struct Given {
    folder: Option<PathBuf>,
    port: u16,
    tls_port: Option<u16>,
    tls_names: Vec<String>,
    public_url: Option<String>,
    no_audit_fields: bool,
    multi_currency: bool,
    state_country: bool,
    person_accounts: bool,
    field_security: bool,
    bare: bool,
    username: Option<String>,
    password: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    token: Option<String>,
    refresh_token: Option<String>,
    env: Option<PathBuf>,
    open: Option<PathBuf>,
    save: Option<PathBuf>,
}

fn given() -> Result<Option<Given>, Box<dyn std::error::Error>> {
    let mut given = Given::default();
    let mut args = std::env::args().skip(1);
    let mut free = Vec::new();
    while let Some(arg) = args.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => {
                (name.to_owned(), Some(value.to_owned()))
            }
            _ => (arg.clone(), None),
        };
        let mut value = || {
            let next = inline.clone().or_else(|| args.next());
            next.ok_or_else(|| format!("{name} needs a value"))
        };
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--port" => given.port = value()?.parse()?,
            "--tls-port" => given.tls_port = Some(value()?.parse()?),
            "--tls-name" => given.tls_names.push(value()?),
            "--public-url" => given.public_url = Some(value()?),
            "--no-audit-fields" => given.no_audit_fields = true,
            "--multi-currency" => given.multi_currency = true,
            "--state-country" => given.state_country = true,
            "--person-accounts" => given.person_accounts = true,
            "--field-security" => given.field_security = true,
            "--bare" => given.bare = true,
            "--username" => given.username = Some(value()?),
            "--password" => given.password = Some(value()?),
            "--client-id" => given.client_id = Some(value()?),
            "--client-secret" => given.client_secret = Some(value()?),
            "--token" => given.token = Some(value()?),
            "--refresh-token" => given.refresh_token = Some(value()?),
            "--open" => given.open = Some(value()?.into()),
            "--save" => given.save = Some(value()?.into()),
            "--env" => given.env = Some(value()?.into()),
            other if other.starts_with("--") => {
                return Err(format!("unknown option {other}\n\n{HELP}").into());
            }
            other => free.push(other.to_owned()),
        }
    }
    let mut free = free.into_iter();
    given.folder = free.next().map(PathBuf::from);
    if let Some(port) = free.next() {
        given.port = port.parse()?;
    }
    Ok(Some(given))
}

/// The key with which clients sign assertions: made once, kept beside the state.
fn jwt_key(folder: &Path) -> Result<(PathBuf, String), Box<dyn std::error::Error>> {
    let (private, public) = (folder.join("jwt-key.pem"), folder.join("jwt-public.pem"));
    if !private.exists() || !public.exists() {
        let key = JwtKey::generate()?;
        std::fs::write(&private, &key.private_pem)?;
        std::fs::write(&public, &key.public_pem)?;
    }
    Ok((private, std::fs::read_to_string(public)?))
}

fn options(given: &Given, folder: &Path) -> Result<OrgOptions, Box<dyn std::error::Error>> {
    let mut options = OrgOptions::new(folder)
        .port(given.port)
        .audit_fields(!given.no_audit_fields)
        .multi_currency(given.multi_currency)
        .state_country_picklists(given.state_country)
        .person_accounts(given.person_accounts)
        .field_security(given.field_security)
        .password(given.password.as_deref().unwrap_or("rehearsal"))
        .access_token(
            given
                .token
                .as_deref()
                .unwrap_or("00Drehearsal000!local.org.token"),
        )
        .refresh_token(
            given
                .refresh_token
                .as_deref()
                .unwrap_or("5Aeprehearsal.refresh.token"),
        );
    if !given.bare {
        // The fields that the shipped mapping needs, as an admin would have made them.
        let fields = Mapping::parse(Mapping::default_text())?.required_fields();
        let fields: Vec<CustomField> = serde_json::from_value(serde_json::to_value(fields)?)?;
        options = options.custom_fields(fields);
    }
    if let Some(port) = given.tls_port {
        options = options.tls(port, given.tls_names.clone());
    }
    if let Some(url) = &given.public_url {
        options = options.public_url(url);
    }
    if let Some(name) = &given.username {
        options = options.user(deskferry::rehearsal::org::NewUser {
            email: name.clone(),
            username: name.clone(),
            name: "Local User".to_owned(),
            active: true,
            user_type: "Standard".to_owned(),
        });
    }
    if given.client_id.is_some() || given.client_secret.is_some() {
        let id = given.client_id.as_deref().unwrap_or("rehearsal-client");
        let secret = given.client_secret.as_deref().unwrap_or("rehearsal-secret");
        options = options.client(id, secret);
    }
    Ok(options)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(given) = given()? else {
        println!("{HELP}");
        return Ok(());
    };
    let folder = given
        .folder
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join("deskferry-local-org"));
    if let Some(file) = &given.open
        && !folder.join("org.sqlite").exists()
    {
        Org::unpack(file, &folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let (private_key, public_key) = jwt_key(&folder)?;
    let org = Org::start(options(&given, &folder)?.jwt_public_key(public_key)).await?;
    let settings = org.settings();
    println!("org       {}", org.org_id());
    println!("address   {}", org.url());
    println!("state     {}", folder.display());
    println!(
        "client    {} / {}",
        settings.client_id, settings.client_secret.0
    );
    let password = settings
        .password
        .as_ref()
        .map_or("-", |password| &password.0);
    println!("user      {} / {password}", org.username());
    let mut lines = vec![
        ("SALESFORCE_URL", org.url()),
        ("SALESFORCE_CLIENT_ID", settings.client_id.clone()),
        ("SALESFORCE_CLIENT_SECRET", settings.client_secret.0.clone()),
        ("SALESFORCE_USERNAME", org.username()),
        ("SALESFORCE_PASSWORD", password.to_owned()),
        ("SALESFORCE_JWT_KEY", private_key.display().to_string()),
    ];
    let token = |token: &Option<deskferry::rehearsal::org::Hidden>| {
        token
            .as_ref()
            .map_or_else(String::new, |token| token.0.clone())
    };
    lines.push(("SALESFORCE_ACCESS_TOKEN", token(&settings.access_token)));
    lines.push(("SALESFORCE_REFRESH_TOKEN", token(&settings.refresh_token)));
    if let (Some(url), Some(ca)) = (org.tls_url(), org.ca_pem()) {
        let file = folder.join("ca.pem");
        std::fs::write(&file, ca)?;
        println!("tls       {url}, its authority in {}", file.display());
        lines.push(("SALESFORCE_TLS_URL", url));
        lines.push(("SALESFORCE_CA", file.display().to_string()));
    }
    println!();
    let exports: String = lines
        .iter()
        .map(|(name, value)| format!("export {name}='{value}'\n"))
        .collect();
    println!("{exports}");
    if let Some(file) = &given.env {
        // In one go, so that whoever waits for the file reads all of it.
        let half = file.with_extension("half");
        std::fs::write(&half, &exports)?;
        std::fs::rename(half, file)?;
    }
    tokio::signal::ctrl_c().await?;
    if let Some(file) = &given.save {
        org.save(file).await?;
    }
    org.stop().await;
    Ok(())
}
