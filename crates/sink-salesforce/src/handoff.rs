//! What people build in Salesforce instead of configuration that cannot migrate.

use deskferry_core::model::InventoryKind;
use deskferry_core::sink::Counterpart;

/// Words by which a kind has another counterpart than usual, where they are among those of the source's name for it.
type Words = &'static [&'static str];

/// A line of the table: the kind, the words that it asks for (none: any), name, why, and where it is set up.
type Line = (
    InventoryKind,
    Words,
    &'static str,
    &'static str,
    &'static str,
);

/// The first line that fits counts.
const TABLE: [Line; 24] = [
    (
        InventoryKind::Automation,
        &[],
        "record-triggered Flow on Case",
        "Triggers become the entry conditions of a Flow, actions its elements; Flows run in another order and in one transaction, so several small rules are better joined. Answers by mail that go out by themselves are Auto-Response Rules, escalations by time are Escalation Rules. Switch on after the load: a Flow that is active would act on every migrated case.",
        "Setup > Process Automation > Flows",
    ),
    (
        InventoryKind::Schedule,
        &[],
        "scheduled path of a record-triggered Flow, or an Escalation Rule",
        "What happens some time after an event of a case is a scheduled path of its Flow; what happens each night to many cases is a schedule-triggered Flow; handing up cases that wait too long is an Escalation Rule. Switch on after the load.",
        "Setup > Process Automation > Flows; Setup > Case > Escalation Rules",
    ),
    (
        InventoryKind::Sla,
        &[],
        "Entitlement Process with Milestones",
        "Each target becomes a Milestone in minutes of Business Hours. Migrated cases get no entitlement: their milestones would be violated at once and alert people; what the source measured stands in fields of the case. Set it for cases that are open at the change-over, with the source's start in SlaStartDate. An entitlement needs an account.",
        "Setup > Entitlement Management > Entitlement Settings, Milestones, Entitlement Processes",
    ),
    (
        InventoryKind::BusinessHours,
        &[],
        "Business Hours and Holidays",
        "One set per calendar, with its own time zone; milestones and escalations name it. A set cannot be deleted, only made inactive. Days off are Holidays that are attached to it.",
        "Setup > Company Settings > Business Hours, Holidays",
    ),
    (
        InventoryKind::Routing,
        &["segment"],
        "record type of Case, list view or report filter",
        "A segment is a query over conversations: a list view or a report keeps the query, a record type with an Assignment Rule keeps people apart who work on them.",
        "Setup > Object Manager > Case > Record Types; Cases > List Views",
    ),
    (
        InventoryKind::Routing,
        &[],
        "Omni-Channel routing, or Case Assignment Rules",
        "Rules that look at a case once become entries of an Assignment Rule, in their order. Who gets how much and with which skills is a Routing Configuration or an Omni-Channel Flow.",
        "Setup > Omni-Channel > Routing Configurations; Setup > Case > Case Assignment Rules",
    ),
    (
        InventoryKind::Queue,
        &[],
        "Queue with the object Case",
        "A queue without the object Case cannot own cases; its name holds 40 characters. With Omni-Channel it also names a Routing Configuration. Members are users, public groups or roles.",
        "Setup > Users > Queues",
    ),
    (
        InventoryKind::Macro,
        &["whatsapp", "template", "templates"],
        "Messaging Component, or Email Template",
        "Templates that the channel's operator must approve are registered again for the number in Salesforce; others become Email Templates.",
        "Setup > Messaging Components; Setup > Email > Lightning Email Templates",
    ),
    (
        InventoryKind::Macro,
        &["reply", "shortcuts", "email", "messaging"],
        "Quick Text",
        "A prepared answer becomes a Quick Text with the channels where agents may use it; placeholders become merge fields. One that also changes fields is a Macro that inserts the Quick Text.",
        "App Launcher > Quick Text; Setup > Quick Text Settings",
    ),
    (
        InventoryKind::Macro,
        &[],
        "Macro, with Quick Text for its answer",
        "Actions of one case become instructions of a Macro; text alone is better a Quick Text. Macros need their own component in the Service Console.",
        "App Launcher > Macros, Quick Text",
    ),
    (
        InventoryKind::View,
        &[],
        "List View on Case",
        "Conditions become filters that are joined by filter logic, columns the fields that are shown; share it with the queue or group that used it. What a list view cannot ask is a report.",
        "Cases > List View Controls > New",
    ),
    (
        InventoryKind::Channel,
        &["rebuild"],
        "None: custom rebuild",
        "A channel that an app or a program of one's own added: Salesforce has no ready counterpart. Build it on the Bring-Your-Own-Channel of Messaging or on the REST API, and connect it after the load.",
        "Setup > Messaging Settings; Setup > Apps",
    ),
    (
        InventoryKind::Channel,
        &[],
        "Email-to-Case address or Messaging Channel",
        "Addresses become routing addresses of Email-to-Case; WhatsApp, SMS, social networks and chats become Messaging Channels, calls Service Cloud Voice or another telephony. Numbers and pages are registered anew with their operator: plan the change-over per channel, and do not connect before the load is done.",
        "Setup > Email-to-Case; Setup > Messaging Settings; Setup > Voice",
    ),
    (
        InventoryKind::Form,
        &["satisfaction", "survey", "csat"],
        "Salesforce Surveys (Feedback Management)",
        "Questions become a survey that is sent when a case closes; what customers answered so far stands on the migrated cases.",
        "Setup > Survey Settings; App Launcher > Surveys",
    ),
    (
        InventoryKind::Form,
        &[],
        "Web-to-Case form, or page layout with record types",
        "What customers fill in is Web-to-Case or a screen Flow in a site; what agents fill in is a page layout per record type, with Dynamic Forms where fields depend on others.",
        "Setup > Case > Web-to-Case; Setup > Object Manager > Case > Page Layouts",
    ),
    (
        InventoryKind::Validation,
        &[],
        "Validation Rule",
        "The formula says when a value is wrong. Switch it on after the load: old records need not keep the rules of today. A pattern becomes REGEX() in the formula.",
        "Setup > Object Manager > the object > Validation Rules",
    ),
    (
        InventoryKind::Field,
        &[],
        "custom field of another type, made by hand",
        "A tree of choices becomes dependent picklists or one text with its steps; what only some may see is a field without access in profiles and permission sets, or an encrypted one. Then give it a line in the mapping.",
        "Setup > Object Manager > the object > Fields & Relationships",
    ),
    (
        InventoryKind::Report,
        &[],
        "Report and Dashboard",
        "Measures are built anew on cases, with the source's own figures in the custom fields that the mapping fills; numbers that were counted over business hours will not be the same when they are counted again.",
        "App Launcher > Reports, Dashboards",
    ),
    (
        InventoryKind::Webhook,
        &["email", "web"],
        "Apex REST or Platform Event for calls that come in, Flow HTTP Callout for those that go out",
        "Who calls in needs a connected app and a new address; who is called is named by a Named Credential, with its secret set there by hand. Which of both it is stands in the definition.",
        "Setup > Integrations > Platform Events; Setup > Security > Named Credentials",
    ),
    (
        InventoryKind::Webhook,
        &[],
        "HTTP Callout of a Flow, or an Outbound Message",
        "A Flow calls JSON services by a Named Credential, where the secret is set by hand; an Outbound Message sends SOAP and repeats for a day. Receivers see other bodies than before.",
        "Setup > Security > Named Credentials; Setup > Process Automation > Flows",
    ),
    (
        InventoryKind::Ai,
        &[],
        "Agentforce topics and actions, or Einstein Bot intents",
        "Models and their training cannot be taken along. Intents are a good list of topics; conversations that were migrated are the material to test with.",
        "Setup > Agentforce Agents; Setup > Einstein Bots",
    ),
    (
        InventoryKind::App,
        &["block"],
        "component of a help centre site in Experience Cloud",
        "Blocks of a help centre are laid out again in the Experience Builder; articles themselves are in Knowledge.",
        "Setup > Digital Experiences > All Sites",
    ),
    (
        InventoryKind::App,
        &[],
        "package of AppExchange, or a component of the console",
        "Look for the maker's own package for Salesforce; what only showed data beside a case is a Lightning component on its page.",
        "AppExchange; Setup > Apps > Packaging > Installed Packages",
    ),
    (
        InventoryKind::Other,
        &["result", "reason", "disposition"],
        "values of the picklist Case Reason",
        "Reasons for closing become values of a picklist of Case; make it required on close by a Validation Rule after the load.",
        "Setup > Object Manager > Case > Fields & Relationships > Case Reason",
    ),
];

/// What there is in Salesforce for a kind of configuration, by the source's word for it where that tells more.
pub(crate) fn counterpart(kind: InventoryKind, raw: &str) -> Option<Counterpart> {
    let raw = raw.to_lowercase();
    let said = || raw.split(|c: char| !c.is_alphanumeric());
    TABLE
        .iter()
        .find(|(of, words, ..)| {
            *of == kind && (words.is_empty() || said().any(|word| words.contains(&word)))
        })
        .map(|(_, _, name, why, place)| Counterpart::new(*name, *why, *place))
}

/// What is left to an org's administrator after a load, in the order in which it is done: what no load does by itself, with the
/// reason and where it is clicked.
#[must_use]
pub fn clicks() -> Vec<Counterpart> {
    CLICKS
        .into_iter()
        .map(|(name, why, place)| Counterpart::new(name, why, place))
        .collect()
}

const CLICKS: [(&str, &str, &str); 10] = [
    (
        "Switch on again what was switched off for the load",
        "Flows, triggers, validation, duplicate, assignment, auto-response and escalation rules that were made inactive act on new records only from then on.",
        "Setup > Flows; Object Manager > Case > Validation Rules; Setup > Duplicate Rules, Case Assignment Rules, Case Auto-Response Rules, Escalation Rules",
    ),
    (
        "Set e-mail deliverability back to \"All email\"",
        "It was on \"System email only\" for the load, so that nobody was written to; agents' answers do not leave until it is back.",
        "Setup > Email > Deliverability",
    ),
    (
        "Take the rights of the load from the migration user",
        "\"Set Audit Fields upon Record Creation\" and \"Update Records with Inactive Owners\" are for the load; remove the permission set when no delta comes any more, and revoke the app's tokens.",
        "Setup > Permission Sets > Deskferry Migration > Manage Assignments; Setup > Connected Apps OAuth Usage",
    ),
    (
        "Put the fields of the load on the Case page",
        "Original dates, the source's number, status and address are in fields of their own, which no page layout shows by itself.",
        "Setup > Object Manager > Case > Page Layouts, Lightning Record Pages",
    ),
    (
        "Show the Emails related list beside the feed",
        "The Case feed shows the day of the load for migrated mails; the list shows when they were sent.",
        "Setup > Object Manager > Case > Page Layouts > Related Lists",
    ),
    (
        "Members and addresses of queues",
        "Queues own cases without anybody in them; who works there, and who gets a mail, is decided by people.",
        "Setup > Users > Queues",
    ),
    (
        "Connect the channels",
        "Addresses, numbers and pages go to the org only now, so that nothing was answered twice.",
        "Setup > Email-to-Case; Setup > Messaging Settings; Setup > Voice",
    ),
    (
        "Entitlements for cases that are open",
        "Migrated cases have none; see the guide to agreements on times.",
        "Setup > Entitlement Management",
    ),
    (
        "Build the configuration again",
        "Rules, macros, views and forms do not move as records; inventory.html has each with its counterpart.",
        "see inventory.html",
    ),
    (
        "Decide what is held",
        "held-and-failed.csv names each record with its reason; what a person decides is loaded by `resume`.",
        "reconcile/ in the workspace's folder of this target",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_counterparts_and_words_of_the_source_choose_among_them() {
        use InventoryKind as K;
        for (kind, raw, wanted) in [
            (K::Automation, "trigger", "Flow"),
            (K::Schedule, "monitor", "Escalation"),
            (K::Sla, "slas", "Entitlement Process"),
            (K::BusinessHours, "schedules", "Business Hours"),
            (K::Routing, "queue-rules", "Omni-Channel"),
            (K::Routing, "segment", "record type"),
            (K::Queue, "queues", "Queue"),
            (K::Macro, "quick-reply", "Quick Text"),
            (K::Macro, "Shortcuts", "Quick Text"),
            (K::Macro, "MESSAGING", "Quick Text"),
            (K::Macro, "whatsapp-template", "Messaging Component"),
            (K::Macro, "macro", "Macro"),
            (K::View, "searches", "List View"),
            (K::Channel, "outboundAccounts", "Email-to-Case"),
            (K::Channel, "rebuild acme-kiosk", "None: custom rebuild"),
            (K::Channel, "whatsapp", "Messaging Channel"),
            (K::Form, "satisfaction", "Surveys"),
            (K::Form, "form", "Web-to-Case"),
            (K::Validation, "validation", "Validation Rule"),
            (K::Field, "attribute", "custom field"),
            (K::Report, "report", "Report"),
            (K::Webhook, "webhook", "HTTP Callout of a Flow"),
            (K::Webhook, "INBOUND", "HTTP Callout of a Flow"),
            (K::Webhook, "email", "Apex REST"),
            (K::Ai, "intent", "Agentforce"),
            (K::App, "block", "Experience Cloud"),
            (K::App, "app", "AppExchange"),
            (K::Other, "ticket-result", "Case Reason"),
        ] {
            let found = counterpart(kind, raw).map(|found| found.name);
            assert!(
                found.as_ref().is_some_and(|name| name.contains(wanted)),
                "{kind:?} {raw}: {found:?}"
            );
        }
        assert_eq!(counterpart(K::Other, "brands"), None);
    }

    #[test]
    fn no_line_stands_behind_one_that_takes_all() {
        for (n, (kind, ..)) in TABLE.iter().enumerate() {
            let mut before = TABLE[..n].iter();
            assert!(
                !before.any(|(of, words, ..)| of == kind && words.is_empty()),
                "line {n}"
            );
        }
    }
}
