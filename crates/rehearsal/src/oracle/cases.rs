//! Cases.

use std::collections::BTreeSet;

use super::people::{custom, frame, source_url};
use super::seen::Seen;
use super::want::{Sheet, Want, field};
use super::words::{clean, one_line};
use super::{Findings, Ground, Platform, Table};
use crate::world::{Channel, Conversation, ConversationState};

/// Compares the Case of a conversation; answers its id.
pub(super) fn compare(
    ground: &Ground<'_>,
    conversation: &Conversation,
    table: &mut Table,
    out: &mut Findings,
) -> Option<String> {
    let key = ground.key("conversation", conversation.id);
    let row = table.take(&key, out)?;
    let id = field(&row, "Id").to_owned();
    sheet(ground, conversation, &key).compare("Case", &key, &row, ground.options, out);
    Some(id)
}

fn sheet(ground: &Ground<'_>, conversation: &Conversation, key: &str) -> Sheet {
    let world = ground.world;
    let mut sheet = Sheet::default();
    frame(
        &mut sheet,
        ground.options,
        key,
        conversation.created,
        conversation.updated,
    );
    sheet.text("Subject", &one_line(&conversation.subject), 255);
    status(ground, conversation, &mut sheet);
    priority(ground, conversation, &mut sheet);
    channel(world.platform, &conversation.channel, &mut sheet);
    people(ground, conversation, &mut sheet);
    let into = conversation
        .merged_into
        .filter(|_| ground.options.merged_into);
    let parent = into.and_then(|parent| ground.cases.get(&ground.key("conversation", parent)));
    sheet.set("ParentId", Want::id(parent));
    sheet.text("Source_Number__c", &world.platform.number(conversation), 80);
    let case_type = conversation.case_type.and_then(|id| world.case_type(id));
    sheet.text(
        "Source_Type__c",
        case_type.map_or("", |case_type| case_type.label.as_str()),
        255,
    );
    if let Some((by, ids)) = &ground.options.record_types {
        let word = match by.as_str() {
            "type" => Some(case_type.map_or(String::new(), |case_type| case_type.label.clone())),
            "channel" => Some(world.platform.channel(&conversation.channel)),
            "segment" => Some(world.platform.segment(conversation).to_owned()),
            // The world has none.
            _ => None,
        };
        if let Some(word) = word {
            let id = ids.get(&word.trim().to_lowercase()).or(ids.get("*"));
            sheet.set("RecordTypeId", Want::id(id));
        }
    }
    let team = conversation.team.and_then(|id| world.team(id));
    sheet.text(
        "Source_Team__c",
        team.map_or("", |team| team.name.as_str()),
        255,
    );
    sheet.set("Source_Tags__c", tags(conversation));
    let rating = conversation
        .rating
        .map(|rating| world.platform.rating(rating));
    sheet.text("Source_Satisfaction__c", &rating.unwrap_or_default(), 80);
    sheet.text(
        "Source_Segment__c",
        world.platform.segment(conversation),
        255,
    );
    super::figures::figures(ground, conversation, &mut sheet);
    sheet.set("Original_Created_Date__c", Want::Time(conversation.created));
    sheet.set(
        "Original_Closed_Date__c",
        conversation.closed.map_or(Want::Nothing, Want::Time),
    );
    sheet.set("Last_Activity_Date__c", Want::Time(conversation.updated));
    sheet.set(
        "Source_Url__c",
        source_url(world.platform, &ground.id("conversation", conversation.id)),
    );
    custom(world, &mut sheet, &conversation.custom);
    sheet
}

fn status(ground: &Ground<'_>, conversation: &Conversation, sheet: &mut Sheet) {
    let status = ground.world.status(conversation.status);
    let standing = ground.world.platform.status(status);
    let closed = standing.closed;
    sheet.set("Status", Want::Text(standing.value.to_owned()));
    sheet.text("Source_Status__c", &standing.raw, 255);
    sheet.set(
        "ClosedDate",
        match conversation.closed {
            Some(at) if closed && ground.options.audit_fields => Want::Time(at),
            // The platform stamps it.
            _ if closed => Want::Something,
            _ => Want::Nothing,
        },
    );
}

fn priority(ground: &Ground<'_>, conversation: &Conversation, sheet: &mut Sheet) {
    let priority = conversation
        .priority
        .and_then(|id| ground.world.priority(id));
    let urgency = ground.world.platform.priority(priority);
    let text = |value: &str| Want::Text(value.to_owned());
    sheet.set(
        "Priority",
        match urgency.value {
            Some(value) => text(value),
            // Not sent: the platform puts its default.
            None => text("Medium").or(Want::Nothing),
        },
    );
    sheet.text("Source_Priority__c", &urgency.raw, 255);
}

fn channel(platform: &dyn Platform, channel: &Channel, sheet: &mut Sheet) {
    let name = platform.channel(channel);
    let origin = match name.as_str() {
        "email" => "Email",
        "web" => "Web",
        "voice" => "Phone",
        _ => "",
    };
    sheet.set("Origin", Want::Text(origin.to_owned()));
    sheet.text("Conversation_Channel__c", &name, 80);
}

/// Members of staff who have cases that are not over.
pub(super) fn busy(world: &Seen<'_>) -> BTreeSet<u64> {
    let over = |conversation: &Conversation| {
        let status = world.status(conversation.status);
        world.platform.status(status).closed
    };
    world
        .conversations()
        .filter(|c| c.state == ConversationState::Active && !over(c))
        .filter_map(|c| c.assignee)
        .collect()
}

/// Who has what a member of staff had; nobody in particular for some.
fn owner<'a>(ground: &'a Ground<'_>, member: u64) -> Option<&'a String> {
    let decided = ground.options.owners.get(&member);
    let may_own =
        |active: bool| active || (ground.options.inactive_owners && !ground.busy.contains(&member));
    let user = ground.users.of(member).filter(|user| may_own(user.active));
    decided.or(user.map(|user| &user.id))
}

fn people(ground: &Ground<'_>, conversation: &Conversation, sheet: &mut Sheet) {
    let world = ground.world;
    let owner = conversation.assignee.and_then(|id| owner(ground, id));
    let owner = owner.unwrap_or(&ground.options.legacy_owner);
    sheet.set("OwnerId", Want::Id(owner.clone()));
    match conversation.assignee.map(|id| (id, world.person(id))) {
        None => {}
        Some((_, Some(assignee))) => sheet.text("Original_Owner__c", &assignee.name, 255),
        // Somebody whom the source no longer knows may be named by number.
        Some((id, None)) => {
            let number = ground.id("agent", id);
            sheet.set(
                "Original_Owner__c",
                Want::Nothing.or(Want::test("an unknown user", move |found| {
                    found.contains(&number)
                })),
            );
        }
    }
    let requester = world.person(conversation.requester);
    let contact = ground.contacts.of(conversation.requester);
    let held = ground.contacts.is_held(conversation.requester);
    sheet.set(
        "ContactId",
        if held {
            Want::Anything
        } else {
            Want::id(contact)
        },
    );
    if let Some(staff) = requester.filter(|requester| requester.role.is_staff()) {
        sheet.text("SuppliedName", &staff.name, 80);
        sheet.text(
            "SuppliedEmail",
            &staff
                .emails
                .first()
                .map_or(String::new(), |address| address.to_lowercase()),
            80,
        );
    }
    let company = conversation
        .company
        .or_else(|| requester.and_then(|requester| requester.company));
    sheet.set(
        "AccountId",
        match company.map(|company| ground.accounts.get(&company)) {
            Some(Some(None)) => Want::Anything,
            Some(Some(Some(account))) => Want::Id(account.clone()),
            // The platform takes the Contact's.
            _ if held => Want::Anything,
            _ => Want::id(contact.and_then(|contact| ground.contacts.account(contact))),
        },
    );
}

/// `|one|two|`; what stands for a bar inside a tag is open.
fn tags(conversation: &Conversation) -> Want {
    if conversation.tags.is_empty() {
        return Want::Nothing;
    }
    let names: Vec<String> = conversation
        .tags
        .iter()
        .map(|tag| clean(&tag.name))
        .collect();
    let whole = format!("|{}|", names.join("|"));
    let open: Vec<Option<char>> = {
        let mut open = vec![Some('|')];
        for name in &names {
            open.extend(name.chars().map(|c| Some(c).filter(|c| *c != '|')));
            open.push(Some('|'));
        }
        open
    };
    Want::test(whole, move |found| {
        let found: Vec<char> = found.chars().collect();
        found.len() == open.len()
            && found
                .iter()
                .zip(&open)
                .all(|(found, wanted)| wanted.is_none_or(|wanted| wanted == *found))
    })
}
