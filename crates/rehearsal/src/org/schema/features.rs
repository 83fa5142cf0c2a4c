//! What an org's features add to its objects: currencies, and picklists of states and countries.

use super::{Object, table};
use crate::org::options::OrgSettings;
use crate::org::record_types::RecordType;

/// Fields that can point at a record of any object, custom ones too.
const ANY_RECORD: [(&str, &str); 5] = [
    ("ContentDocumentLink", "LinkedEntityId"),
    ("ContentVersion", "FirstPublishLocationId"),
    ("FeedItem", "ParentId"),
    ("Task", "WhatId"),
    ("TopicAssignment", "EntityId"),
];
const RECORD_TYPE: &str =
    "RecordTypeId | reference 18 | CUnp | label=Record Type ID | to=RecordType | rel=RecordType";
/// What an account that is a person has of its contact: the account's name of it, and the contact's.
pub(crate) const OF_PERSON: [(&str, &str); 35] = [
    ("Salutation", "Salutation"),
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("PersonEmail", "Email"),
    ("PersonMobilePhone", "MobilePhone"),
    ("PersonHomePhone", "HomePhone"),
    ("PersonOtherPhone", "OtherPhone"),
    ("PersonAssistantPhone", "AssistantPhone"),
    ("PersonAssistantName", "AssistantName"),
    ("PersonTitle", "Title"),
    ("PersonDepartment", "Department"),
    ("PersonLeadSource", "LeadSource"),
    ("PersonBirthdate", "Birthdate"),
    ("PersonEmailBouncedReason", "EmailBouncedReason"),
    ("PersonEmailBouncedDate", "EmailBouncedDate"),
    ("PersonMailingStreet", "MailingStreet"),
    ("PersonMailingCity", "MailingCity"),
    ("PersonMailingState", "MailingState"),
    ("PersonMailingPostalCode", "MailingPostalCode"),
    ("PersonMailingCountry", "MailingCountry"),
    ("PersonMailingLatitude", "MailingLatitude"),
    ("PersonMailingLongitude", "MailingLongitude"),
    ("PersonMailingGeocodeAccuracy", "MailingGeocodeAccuracy"),
    ("PersonMailingAddress", "MailingAddress"),
    ("PersonOtherStreet", "OtherStreet"),
    ("PersonOtherCity", "OtherCity"),
    ("PersonOtherState", "OtherState"),
    ("PersonOtherPostalCode", "OtherPostalCode"),
    ("PersonOtherCountry", "OtherCountry"),
    ("PersonOtherLatitude", "OtherLatitude"),
    ("PersonOtherLongitude", "OtherLongitude"),
    ("PersonOtherGeocodeAccuracy", "OtherGeocodeAccuracy"),
    ("PersonOtherAddress", "OtherAddress"),
    ("PersonMailingStateCode", "MailingStateCode"),
    ("PersonMailingCountryCode", "MailingCountryCode"),
];

/// Objects whose amounts have a currency, beside the custom ones.
const WITH_CURRENCY: [&str; 5] = ["Account", "Contact", "Lead", "Case", "Task"];
const CURRENCY: &str = "CurrencyIsoCode | picklist 3 | CUdnpR | label=Currency ISO Code | default=USD | \
                        values=USD:U.S. Dollar;EUR:Euro;GBP:British Pound;CHF:Swiss Franc";
/// Rights that there are with Knowledge alone.
const KNOWLEDGE: [&str; 3] = ["EditKnowledge", "PublishArticles", "ViewDraftArticles"];
/// Addresses by object; a name before `State` and `Country`.
const ADDRESSES: [(&str, &[&str]); 3] = [
    ("Account", &["Billing", "Shipping"]),
    ("Contact", &["Mailing", "Other"]),
    ("Lead", &[""]),
];
/// A few of the countries that an org begins with, and the states of those that have some.
const COUNTRIES: &str = "AT:Austria;AU:Australia;BE:Belgium;BR:Brazil;CA:Canada;CH:Switzerland;DE:Germany;DK:Denmark;ES:Spain;FR:France;\
    GB:United Kingdom;IE:Ireland;IN:India;IT:Italy;JP:Japan;MX:Mexico;NL:Netherlands;NO:Norway;NZ:New Zealand;PL:Poland;PT:Portugal;\
    SE:Sweden;SG:Singapore;US:United States";
const STATES: &str = "AZ:Arizona;CA:California;CO:Colorado;FL:Florida;GA:Georgia;IL:Illinois;MA:Massachusetts;MI:Michigan;\
    NJ:New Jersey;NY:New York;OH:Ohio;OR:Oregon;PA:Pennsylvania;TX:Texas;VA:Virginia;WA:Washington;BC:British Columbia;ON:Ontario;QC:Quebec;\
    NSW:New South Wales;VIC:Victoria;QLD:Queensland";

/// Adds the fields of every feature that is on.
pub(super) fn add(objects: &mut [Object], settings: &OrgSettings) -> Result<(), String> {
    any_record(objects);
    for object in objects {
        let mut lines = Vec::new();
        let typed = |known: &RecordType| known.object.eq_ignore_ascii_case(&object.name);
        if settings.record_types.iter().any(typed) {
            lines.push(RECORD_TYPE.to_owned());
        }
        if settings.person_accounts && matches!(object.name.as_str(), "Account" | "Contact") {
            lines.push("IsPersonAccount | boolean | dp | label=Is Person Account".to_owned());
        }
        if settings.feed_system_fields && matches!(object.name.as_str(), "FeedItem" | "FeedComment")
        {
            for name in ["CreatedDate", "CreatedById"] {
                if let Some(position) = object.position(name) {
                    object.fields[position].createable = true;
                }
            }
        }
        if settings.multi_currency
            && (object.custom || WITH_CURRENCY.contains(&object.name.as_str()))
        {
            lines.push(CURRENCY.to_owned());
        }
        if settings.knowledge.is_some() && object.name == "PermissionSet" {
            let right = |name: &&str| format!("Permissions{name} | boolean | dp");
            lines.extend(KNOWLEDGE.iter().map(right));
        }
        let addresses = ADDRESSES.iter().find(|(name, _)| *name == object.name);
        if let (true, Some((_, addresses))) = (settings.state_country_picklists, addresses) {
            for address in *addresses {
                for (part, values) in [("State", STATES), ("Country", COUNTRIES)] {
                    lines.push(format!(
                        "{address}{part}Code | picklist 10 | CUnR | label={address} {part} Code | in={address}Address | values={values}"
                    ));
                }
            }
        }
        for line in lines {
            object
                .add(table::field(&line))
                .map_err(|name| format!("{} has a field {name} already", object.name))?;
        }
    }
    Ok(())
}

/// Lets every custom object have files, posts, topics and tasks.
fn any_record(objects: &mut [Object]) {
    let customs: Vec<String> = objects
        .iter()
        .filter(|object| object.custom)
        .map(|object| object.name.clone())
        .collect();
    for (object, field) in ANY_RECORD {
        let of = objects.iter_mut().find(|known| known.name == object);
        if let Some(field) =
            of.and_then(|of| of.fields.iter_mut().find(|known| known.name == field))
        {
            field.reference_to.extend(customs.iter().cloned());
        }
    }
}

/// Gives Account the fields of people: those of Contact under names of their own, custom ones with `__pc` behind them.
pub(super) fn people(objects: &mut [Object]) -> Result<(), String> {
    let own = |objects: &[Object], name: &str| objects.iter().position(|o| o.name == name);
    let (Some(account), Some(contact)) = (own(objects, "Account"), own(objects, "Contact")) else {
        return Ok(());
    };
    let mut added = Vec::new();
    for field in &objects[contact].fields {
        let name = match OF_PERSON.iter().find(|(_, of)| *of == field.name) {
            Some((name, _)) => (*name).to_owned(),
            None if field.custom => format!("{}__pc", field.name.trim_end_matches("__c")),
            None => continue,
        };
        let mut field = field.clone();
        field.relationship = field.relationship.map(|name| name.replace("__r", "__pr"));
        field.compound = match field.compound.as_deref() {
            None | Some("Name") => field.compound,
            Some(compound) => Some(format!("Person{compound}")),
        };
        // A business has none of them.
        field.nillable |= field.name == "LastName";
        (field.unique, field.external_id, field.id_lookup) = (false, false, false);
        field.name = name;
        added.push(field);
    }
    added.push(table::field(
        "PersonContactId | reference 18 | np | label=Contact ID | to=Contact | rel=PersonContact",
    ));
    let account = &mut objects[account];
    if let Some(name) = account.position("Name") {
        account.fields[name].nillable = true;
    }
    for field in added {
        account
            .add(field)
            .map_err(|name| format!("Account has a field {name} already"))?;
    }
    Ok(())
}
