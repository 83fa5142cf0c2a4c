//! Telephone calls that are tasks.

use super::want::{Sheet, Want};
use super::words::{bare, clean, collapsed};
use super::{Findings, Ground, Table, html};
use crate::world::{Author, Conversation, Message, MessageKind};

const OBJECT: &str = "Task";

/// Whether a message is a call, where calls are tasks.
pub(super) fn is_call(ground: &Ground<'_>, message: &Message) -> bool {
    let voice = |channel: &str| channel.eq_ignore_ascii_case("voice");
    ground.options.calls
        && matches!(&message.kind, MessageKind::Other { channel, .. } if voice(channel))
}

/// Compares the calls of a conversation.
pub(super) fn compare(
    ground: &Ground<'_>,
    conversation: &Conversation,
    case: &str,
    table: &mut Table,
    out: &mut Findings,
) {
    let calls = conversation.messages.iter();
    for call in calls.filter(|message| is_call(ground, message)) {
        let key = ground.key("message", call.id);
        if let Some(row) = table.take(&key, out) {
            sheet(ground, conversation, call, case, &key).compare(
                OBJECT,
                &key,
                &row,
                ground.options,
                out,
            );
        }
    }
}

fn sheet(
    ground: &Ground<'_>,
    conversation: &Conversation,
    call: &Message,
    case: &str,
    key: &str,
) -> Sheet {
    let mut sheet = Sheet::default();
    let text = |text: &str| Want::Text(text.to_owned());
    let person = match call.author {
        Author::Person(id) => ground.world.person(id),
        _ => None,
    };
    let staff = person.is_some_and(|person| person.role.is_staff());
    let own = person.filter(|_| !staff).map(|person| person.id);
    let contact = |id| ground.contacts.by_person.get(&id);
    let contact = own
        .and_then(contact)
        .or_else(|| contact(conversation.requester));
    let user = person.and_then(|person| ground.users.active(person.id));
    sheet.set("Source_Key__c", text(key));
    sheet.set("WhatId", Want::Id(case.to_owned()));
    sheet.set("WhoId", Want::id(contact));
    sheet.set(
        "OwnerId",
        user.map_or(Want::Something, |user| Want::Id(user.id.clone())),
    );
    let subject = collapsed(call.subject.as_deref().unwrap_or(""));
    let subject = if subject.is_empty() { "Call" } else { &subject };
    sheet.set("Subject", text(subject));
    sheet.set("TaskSubtype", text("Call"));
    sheet.set("Status", text("Completed"));
    let day = call.sent.format("%Y-%m-%d").to_string();
    sheet.set("ActivityDate", Want::Text(day));
    let way = match call.author {
        Author::Person(_) if staff => text("Outbound"),
        Author::Person(_) => text("Inbound"),
        _ => Want::Something,
    };
    sheet.set("CallType", way);
    let said = match call.text.as_deref().map(clean) {
        Some(said) if !said.trim().is_empty() => said,
        _ => {
            let page = call.html.as_deref().unwrap_or("");
            clean(&html::text(page, true))
        }
    };
    let begins = bare(&said);
    sheet.set(
        "Description",
        Want::test(format!("{said:?} and what else is known"), move |found| {
            bare(found).starts_with(&begins)
        }),
    );
    sheet.set("Call_Time__c", Want::Time(call.sent));
    let made = match ground.options.audit_fields {
        true => Want::Time(call.sent),
        false => Want::Anything,
    };
    sheet.set("CreatedDate", made);
    // The world does not know of these.
    for name in [
        "CallDurationInSeconds",
        "CallDisposition",
        "Call_Recording__c",
    ] {
        sheet.set(name, Want::Anything);
    }
    sheet
}
