//! From a request to an answer.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use sha2::{Digest, Sha256};

use super::desk::Place;
use super::render::Ink;
use super::{ClassicOptions, Shared};
use crate::fault::Action;
use crate::serve::RouteLabel;
use crate::world::Conversation;

/// How many rows a list has if nobody says how many.
const USUAL: usize = 1_000;

pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let path = head.uri.path().to_owned();
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes())
            .into_owned()
            .collect();
    let (label, mut response) = match path.as_str() {
        "/api/index.php" => {
            let call = query.get("e").cloned().unwrap_or_default();
            let response = match admitted(&shared.options, &query) {
                Err(why) => (StatusCode::UNAUTHORIZED, why).into_response(),
                Ok(()) => reply(&shared, &call),
            };
            (label(&call), response)
        }
        path => match path.strip_prefix("/rehearsal/") {
            Some(rest) => ("/rehearsal".to_owned(), hook(&shared, &head.method, rest)),
            None => (
                "-".to_owned(),
                (StatusCode::NOT_FOUND, "<html><body>404</body></html>").into_response(),
            ),
        },
    };
    if let Some((off, behind)) = shared.options.clock_off {
        let off = chrono::Duration::from_std(off).unwrap_or_default();
        let now = if behind {
            Utc::now() - off
        } else {
            Utc::now() + off
        };
        let told = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(told) = HeaderValue::from_str(&told) {
            response.headers_mut().insert(header::DATE, told);
        }
    }
    response.extensions_mut().insert(RouteLabel(label));
    response
}

/// The call with its numbers taken out.
fn label(call: &str) -> String {
    let pieces = call.split('/').map(|piece| {
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-');
        match !piece.is_empty() && piece.chars().all(is_number) {
            true => "{n}",
            false => piece,
        }
    });
    pieces.collect::<Vec<_>>().join("/")
}

/// Whether key and signature are good.
fn admitted(options: &ClassicOptions, query: &HashMap<String, String>) -> Result<(), String> {
    let told = |name: &str| query.get(name).map_or("", String::as_str);
    if told("apikey") != options.api_key {
        return Err("Invalid API Key".to_owned());
    }
    let salt = told("salt");
    let signature = STANDARD.encode(hmac(options.secret_key.as_bytes(), salt.as_bytes()));
    if salt.is_empty() || told("signature") != signature || options.clock_off.is_some() {
        return Err("Invalid Signature".to_owned());
    }
    Ok(())
}

/// RFC 2104 over SHA-256.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut block = [0_u8; BLOCK];
    let short = match key.len() > BLOCK {
        true => Sha256::digest(key).to_vec(),
        false => key.to_vec(),
    };
    block[..short.len()].copy_from_slice(&short);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new()
        .chain_update(padded(0x5C))
        .chain_update(inner)
        .finalize();
    outer.to_vec()
}

/// Why nothing is answered.
enum Denied {
    NotFound,
    Forbidden(String),
    Wrong(String),
}

fn reply(shared: &Shared, call: &str) -> Response {
    match rendered(shared, call) {
        Ok(body) => xml(shared, call, body),
        Err(Denied::NotFound) => (StatusCode::NOT_FOUND, "Not Found").into_response(),
        Err(Denied::Forbidden(why)) => (StatusCode::FORBIDDEN, why).into_response(),
        Err(Denied::Wrong(why)) => (StatusCode::BAD_REQUEST, why).into_response(),
    }
}

fn xml(shared: &Shared, call: &str, body: String) -> Response {
    let mut body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
    for rule in shared.faults.rules() {
        let Action::Named { name } = rule.action else {
            continue;
        };
        if let Some(tag) = name.strip_prefix("tear:") {
            let closing = format!("</{tag}>");
            if body.contains(&closing) && shared.faults.take(&name, call) {
                body = body.replacen(&closing, "", 1);
            }
        } else if let Some(tag) = name.strip_prefix("drop:") {
            let (opening, closing) = (format!("<{tag}>"), format!("</{tag}>"));
            if let (Some(begin), Some(end)) = (body.find(&opening), body.find(&closing))
                && shared.faults.take(&name, call)
            {
                body.replace_range(begin..end + closing.len(), "");
            }
        }
    }
    if shared.options.warnings {
        body = format!(
            "<br />\n<b>Warning</b>:  mktime() expects parameter 2 to be long in <b>/srv/desk/__swift/library/Date.php</b> on line <b>12</b><br />\n{body}"
        );
    }
    let kind = [(header::CONTENT_TYPE, "text/xml; charset=UTF-8")];
    (kind, body).into_response()
}

fn rendered(shared: &Shared, call: &str) -> Result<String, Denied> {
    let desk = &shared.desk;
    let ink = Ink {
        desk,
        days: shared.options.days,
    };
    let pieces: Vec<&str> = call.split('/').filter(|piece| !piece.is_empty()).collect();
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| Denied::Wrong(format!("{text} is no number")))
    };
    let ticket = |text: &str| -> Result<Conversation, Denied> {
        let ticket = desk.ticket(number(text)?).ok_or(Denied::NotFound)?;
        match shared
            .options
            .hidden_departments
            .contains(&ticket.team.unwrap_or(0))
        {
            true => Err(Denied::NotFound),
            false => Ok(ticket),
        }
    };
    Ok(match pieces[..] {
        ["Core", "TestAPI"] => "<test>GET</test>".to_owned(),
        ["Base", "Department"] => ink.departments(),
        ["Base", "Staff"] => ink.staff(),
        ["Base", "StaffGroup"] => ink.staff_groups(),
        ["Base", "UserGroup"] => ink.user_groups(),
        ["Base", "UserOrganization"] => ink.organizations(),
        ["Base", "User", "Filter"] => ink.users(1, USUAL),
        ["Base", "User", "Filter", from] => ink.users(number(from)?, USUAL),
        ["Base", "User", "Filter", from, most] => {
            let most = usize::try_from(number(most)?).unwrap_or(USUAL).min(USUAL);
            ink.users(number(from)?, most)
        }
        ["Base", "CustomField"] => ink.fields(),
        ["Base", "CustomField", "ListOptions", id] => {
            ink.options(number(id)?).ok_or(Denied::NotFound)?
        }
        ["Tickets", "TicketStatus"] => ink.statuses(),
        ["Tickets", "TicketPriority"] => ink.priorities(),
        ["Tickets", "TicketType"] => ink.types(),
        ["Tickets", "Ticket", "ListAll", ref rest @ ..] => list(shared, &ink, rest)?,
        ["Tickets", "Ticket", id] => ink.one_ticket(&ticket(id)?),
        ["Tickets", "TicketCustomField", id] => ink.values(&ticket(id)?),
        ["Tickets", "TicketAttachment", "ListAll", id] => ink.files(&ticket(id)?),
        ["Tickets", "TicketAttachment", id, file] => ink
            .file(&ticket(id)?, number(file)?)
            .ok_or(Denied::NotFound)?,
        ["Knowledgebase", "Category"] => ink.categories(),
        ["Knowledgebase", "Article"] => ink.articles(),
        ["Knowledgebase", "Attachment", "ListAll", id] => {
            ink.article_files(number(id)?).ok_or(Denied::NotFound)?
        }
        ["Knowledgebase", "Attachment", id, file] => ink
            .article_file(number(id)?, number(file)?)
            .ok_or(Denied::NotFound)?,
        _ => return Err(Denied::NotFound),
    })
}

/// `{departments}/{statuses}/{owners}/{users}/{count}/{start}/{field}/{order}`.
fn list(shared: &Shared, ink: &Ink<'_>, rest: &[&str]) -> Result<String, Denied> {
    let piece = |place: usize| rest.get(place).copied().unwrap_or("-1");
    let mut departments = Vec::new();
    for one in piece(0).split(',') {
        let id: u64 = one
            .parse()
            .map_err(|_| Denied::Wrong("departments are needed".to_owned()))?;
        if shared.options.hidden_departments.contains(&id) {
            return Err(Denied::Forbidden(format!(
                "No permission for department {id}"
            )));
        }
        departments.push(id);
    }
    let mut places: Vec<Place> = shared.desk.places();
    places.retain(|place| departments.contains(&place.department));
    if piece(6) == "lastactivity" && !shared.options.ignores_order {
        places.sort_by_key(|place| (place.active, place.id));
        if piece(7) == "DESC" {
            places.reverse();
        }
    }
    let count = piece(4).parse().unwrap_or(USUAL);
    let start: u64 = piece(5).parse().unwrap_or(0);
    let shown: Vec<Place> = match shared.options.start_is_number {
        true => places
            .into_iter()
            .filter(|place| place.id >= start)
            .take(count)
            .collect(),
        false => places
            .into_iter()
            .skip(usize::try_from(start).unwrap_or(usize::MAX))
            .take(count)
            .collect(),
    };
    let tickets = shown
        .iter()
        .filter_map(|place| shared.desk.ticket(place.id));
    Ok(ink.tickets(&tickets.collect::<Vec<_>>()))
}

/// `POST /rehearsal/touch/{id}` and `/delete/{id}`, for a helpdesk in a process of its own.
fn hook(shared: &Shared, method: &Method, rest: &str) -> Response {
    let (word, id) = rest.split_once('/').unwrap_or((rest, ""));
    let (&Method::POST, Ok(id)) = (method, id.parse()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let done = match word {
        "touch" => shared.desk.touch(id, Utc::now()),
        "delete" => shared.desk.delete(id),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(super::hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        // Test case 6: a key longer than a block.
        assert_eq!(
            hex(super::hmac(
                &[0xAA; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
