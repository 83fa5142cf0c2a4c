//! SOAP: the login of older clients, and the Metadata API. An envelope in, an envelope out; no network here.

mod meta;

use roxmltree::Node;
use serde_json::{Value, json};

use super::auth;
use super::engine::{Ctx, Engine, INTEGRATION_USER};
use super::error::Refusal;
use super::store;
use super::values::date_time_text;
use super::write;
use super::xml::{child, children, element, escaped, text, texts};

/// `login()` is gone from this version on (Salesforce transport reference, section 1).
const WITHOUT_LOGIN: u32 = 65;

/// Which of the SOAP APIs an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// `/services/Soap/u/…`
    Partner,
    /// `/services/Soap/c/…`
    Enterprise,
    /// `/services/Soap/m/…`
    Metadata,
}

impl Api {
    /// The API and version of what follows `/services/Soap/`.
    pub(crate) fn of(path: &str) -> Option<(Self, u32)> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let api = match parts.next()? {
            "u" => Self::Partner,
            "c" => Self::Enterprise,
            "m" => Self::Metadata,
            _ => return None,
        };
        let version = parts.next()?.trim_start_matches('v');
        let version = version.split('.').next()?.parse().ok()?;
        Some((api, version))
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::Partner => "urn:partner.soap.sforce.com",
            Self::Enterprise => "urn:enterprise.soap.sforce.com",
            Self::Metadata => "http://soap.sforce.com/2006/04/metadata",
        }
    }
}

/// One call: where it went, and what the transport told of the session.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) api: Api,
    pub(crate) version: u32,
    pub(crate) body: String,
    /// The token of the header, where one was sent.
    pub(crate) bearer: Option<String>,
    pub(crate) base: String,
}

/// A status and an envelope.
pub(crate) fn answer(engine: &Engine, call: &Call) -> (u16, String) {
    match answered(engine, call) {
        Ok((operation, inner)) => {
            let inner = format!(
                "<{operation}Response xmlns=\"{}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">{inner}</{operation}Response>",
                call.api.namespace()
            );
            (200, envelope(&inner))
        }
        Err(refusal) => (500, envelope(&fault(call.api, &refusal))),
    }
}

fn envelope(inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <soapenv:Body>{inner}</soapenv:Body></soapenv:Envelope>"
    )
}

fn fault(api: Api, refusal: &Refusal) -> String {
    let (code, message) = (refusal.code, escaped(&refusal.message));
    let detail = match api {
        Api::Metadata => String::new(),
        _ if code == "INVALID_LOGIN" => format!(
            "<detail><sf:LoginFault xmlns:sf=\"urn:fault.partner.soap.sforce.com\"><sf:exceptionCode>{code}</sf:exceptionCode>\
             <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail>"
        ),
        _ => String::new(),
    };
    format!(
        "<soapenv:Fault><faultcode xmlns:sf=\"urn:fault.partner.soap.sforce.com\">sf:{code}</faultcode>\
         <faultstring>{code}: {message}</faultstring>{detail}</soapenv:Fault>"
    )
}

fn answered(engine: &Engine, call: &Call) -> Result<(String, String), Refusal> {
    let document = roxmltree::Document::parse(&call.body).map_err(|e| {
        Refusal::new(
            "INVALID_SOAP_REQUEST",
            format!("the envelope cannot be read: {e}"),
        )
    })?;
    let root = document.root_element();
    let operation = child(root, "Body")
        .and_then(|body| children(body).next())
        .ok_or_else(|| Refusal::new("INVALID_SOAP_REQUEST", "the envelope has no operation"))?;
    let name = operation.tag_name().name().to_owned();
    if name == "login" {
        let inner = engine.transaction(INTEGRATION_USER, call.version, |ctx| {
            login(ctx, call, operation)
        })?;
        return Ok((name, inner));
    }
    let session = child(root, "Header")
        .and_then(|header| child(header, "SessionHeader"))
        .and_then(|header| text(header, "sessionId"));
    let token = session.or(call.bearer.as_deref()).unwrap_or_default();
    let user = engine
        .sessions
        .user(token, false)
        .ok_or_else(auth::expired)?;
    engine.count_call();
    let inner = engine.transaction(user, call.version, |ctx| match call.api {
        Api::Metadata => meta::perform(ctx, &name, operation),
        _ => perform(ctx, call, token, operation),
    })?;
    Ok((name, inner))
}

fn login(ctx: &Ctx<'_>, call: &Call, operation: Node<'_, '_>) -> Result<String, Refusal> {
    if call.version >= WITHOUT_LOGIN {
        let message = "SOAP API login() is not available in this version";
        return Err(Refusal::new("UNSUPPORTED_API_VERSION", message));
    }
    let (name, password) = (
        text(operation, "username").unwrap_or_default(),
        text(operation, "password").unwrap_or_default(),
    );
    let user = auth::by_password(ctx, name, password)?.ok_or_else(|| {
        let message = "Invalid username, password, security token; or user locked out.";
        Refusal::new("INVALID_LOGIN", message)
    })?;
    let session = ctx.engine.sessions.issue(ctx, user)?;
    let org = ctx.engine.org_id();
    let short = &org[..15];
    let api = if call.api == Api::Enterprise {
        "c"
    } else {
        "u"
    };
    let version = call.version;
    let mut info = user_info(ctx, user)?;
    info["sessionSecondsValid"] = json!(7_200);
    Ok(element(
        "result",
        &json!({
            "metadataServerUrl": format!("{}/services/Soap/m/{version}.0/{short}", call.base),
            "passwordExpired": false, "sandbox": ctx.settings().is_sandbox,
            "serverUrl": format!("{}/services/Soap/{api}/{version}.0/{short}", call.base),
            "sessionId": session, "userId": ctx.engine.user_id(user), "userInfo": info,
        }),
    ))
}

fn user_info(ctx: &Ctx<'_>, user: i64) -> Result<Value, Refusal> {
    let fields = store::get(ctx.db, ctx.object("User")?, user)?
        .map(|row| row.fields)
        .unwrap_or_default();
    let text = |name: &str| fields.get(name).cloned().unwrap_or_else(|| json!(""));
    Ok(json!({
        "accessibilityMode": false, "chatterExternal": false, "currencySymbol": "$", "orgAttachmentFileSizeLimit": 26_214_400,
        "orgDefaultCurrencyIsoCode": "USD", "orgDefaultCurrencyLocale": "en_US", "orgDisallowHtmlAttachments": false,
        "orgHasPersonAccounts": false, "organizationId": ctx.engine.org_id(),
        "organizationMultiCurrency": false, "organizationName": ctx.settings().name,
        "profileId": text("ProfileId"), "roleId": "", "sessionSecondsValid": 7_200,
        "userDefaultCurrencyIsoCode": "USD", "userEmail": text("Email"), "userFullName": text("Name"),
        "userId": ctx.engine.user_id(user), "userLanguage": "en_US", "userLocale": "en_US", "userName": text("Username"),
        "userTimeZone": "GMT", "userType": "Standard", "userUiSkin": "Theme3",
    }))
}

/// What clients of the partner and enterprise APIs ask besides logging in.
fn perform(
    ctx: &Ctx<'_>,
    call: &Call,
    token: &str,
    operation: Node<'_, '_>,
) -> Result<String, Refusal> {
    let name = operation.tag_name().name();
    match name {
        "getUserInfo" => Ok(element("result", &user_info(ctx, ctx.user)?)),
        "getServerTimestamp" => {
            let now = json!({"timestamp": date_time_text(ctx.now).replace("+0000", "Z")});
            Ok(element("result", &now))
        }
        "merge" => merge(ctx, operation),
        "logout" => ctx
            .engine
            .sessions
            .revoke(ctx, token)
            .map(|_| String::new()),
        _ => {
            let message = format!(
                "the local org does not imitate the operation {name} of {}",
                call.api.namespace()
            );
            Err(Refusal::new("INVALID_OPERATION", message))
        }
    }
}

/// `merge`: one result per request.
fn merge(ctx: &Ctx<'_>, operation: Node<'_, '_>) -> Result<String, Refusal> {
    let requests = children(operation).filter(|part| part.tag_name().name() == "request");
    let mut results = Vec::new();
    for request in requests {
        ctx.db.execute_batch("SAVEPOINT merge")?;
        let merged = one_merge(ctx, request);
        if merged.is_err() {
            ctx.db.execute_batch("ROLLBACK TO merge")?;
        }
        ctx.db.execute_batch("RELEASE merge")?;
        results.push(match merged {
            Ok(merged) => json!({
                "id": merged.master, "mergedRecordIds": merged.others, "success": true,
                "updatedRelatedIds": merged.related,
            }),
            Err(refusal) if refusal.status >= 500 => return Err(refusal),
            Err(refusal) => json!({
                "errors": {"fields": refusal.fields, "message": refusal.message, "statusCode": refusal.code},
                "success": false,
            }),
        });
    }
    Ok(element("result", &Value::Array(results)))
}

fn one_merge(ctx: &Ctx<'_>, request: Node<'_, '_>) -> Result<write::merge::Merged, Refusal> {
    let missing = |what: &str| Refusal::new("MISSING_ARGUMENT", format!("{what} is missing"));
    let master = child(request, "masterRecord").ok_or_else(|| missing("masterRecord"))?;
    // The partner API names the type in an element, the enterprise API in an attribute.
    let typed = master
        .attributes()
        .find(|attribute| attribute.name() == "type");
    let kind = typed.map(|typed| typed.value().rsplit(':').next().unwrap_or_default());
    let kind = text(master, "type").or(kind).unwrap_or_default();
    let id = text(master, "Id").ok_or_else(|| missing("Id"))?;
    let values = children(master)
        .map(|part| (part.tag_name().name(), part.text().unwrap_or_default()))
        .filter(|(name, _)| !matches!(*name, "type" | "Id" | "fieldsToNull"))
        .map(|(name, value)| (name.to_owned(), json!(value)));
    let others: Vec<&str> = texts(request, "recordToMergeIds").collect();
    write::merge::merge(ctx, kind, id, &values.collect(), &others)
}
