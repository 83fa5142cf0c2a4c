//! Contacts and profiles as Trengo writes them (Trengo reference, sections 3.5 and 3.6).

use serde_json::{Map, Value, json};

use super::desk::Desk;
use super::held::{Way, contacts};
use super::setup::own_fields;
use crate::world::{CustomValue, FieldDefinition, FieldOption, FieldOwner, FieldValue, Person};

/// A value of a custom field, as text: nothing else was ever recorded.
pub(super) fn value_text(field: &FieldDefinition, value: &FieldValue) -> Value {
    let label = |id: u64| {
        let is = |option: &&FieldOption| option.id == id;
        field
            .options
            .iter()
            .find(is)
            .map_or_else(|| id.to_string(), |option| option.label.clone())
    };
    match value {
        FieldValue::Text(text) | FieldValue::Number(text) => json!(text),
        FieldValue::Flag(flag) => json!(if *flag { "1" } else { "0" }),
        FieldValue::Day(day) => json!(day.to_string()),
        FieldValue::Choice(id) => json!(label(*id)),
        FieldValue::Choices(ids) => ids.iter().map(|id| json!(label(*id))).collect(),
    }
}

/// The values of an owner's fields: by number, and by title, where of several with one title the last one stands.
pub(super) fn values(
    desk: &Desk,
    owner: FieldOwner,
    values: &[CustomValue],
) -> (Vec<Value>, Value) {
    let (mut by_id, mut by_title) = (Vec::new(), Map::new());
    for value in values {
        let field = own_fields(desk).find(|field| field.id == value.field && field.owner == owner);
        let Some(field) = field else { continue };
        let text = value_text(field, &value.value);
        by_id.push(
            json!({"custom_field_id": field.id, "field_name": field.title, "value": text.clone()}),
        );
        by_title.insert(field.title.clone(), text);
    }
    let by_title = match by_title.is_empty() {
        true => Value::Null,
        false => Value::Object(by_title),
    };
    (by_id, by_title)
}

/// A contact as it stands inside of other rows.
pub(super) fn nested(desk: &Desk, person: &Person, id: u64, way: &Way) -> Value {
    let name = Some(person.name.as_str()).filter(|name| !name.is_empty());
    let (email, phone, identifier) = match way {
        Way::Mail(address) => (Some(address), None, address.clone()),
        Way::Phone(number) => (None, Some(number), number.clone()),
        Way::Twitter(handle) | Way::Facebook(handle) => (None, None, handle.screen_name.clone()),
        Way::Nothing => (None, None, String::new()),
    };
    let (_, by_title) = values(desk, FieldOwner::Person, &person.custom);
    // What is shown of a number is nonsense at times.
    let formatted = phone.map(|number| format!("++{}", number.trim_start_matches('+')));
    json!({
        "id": id, "name": name, "full_name": name, "email": email, "abbr": "N", "color": "#2196f3", "profile_image": null,
        "is_phone": phone.is_some(), "phone": phone, "formatted_phone": formatted, "avatar": "https://assets.trengo.com/x.png",
        "identifier": identifier, "custom_field_data": by_title, "profile": profile_of(person), "pivot": null,
        "formatted_custom_field_data": [], "display_name": format!("{} ({identifier})", person.name), "is_private": false,
    })
}

/// The profile that ties the contacts of a person together.
fn profile_of(person: &Person) -> Value {
    match is_joined(person) {
        true => json!([{"id": person.id, "name": person.name}]),
        false => json!([]),
    }
}

/// Whether a person has a profile: those with several contacts have.
pub(super) fn is_joined(person: &Person) -> bool {
    contacts(person).len() > 1
}

/// A contact as lists show it.
pub(super) fn contact(desk: &Desk, person: &Person, id: u64, way: &Way) -> Value {
    let mut row = nested(desk, person, id, way);
    let kind = match way {
        Way::Mail(_) => "EMAIL",
        Way::Phone(_) => "WA_BUSINESS",
        Way::Twitter(_) => "TWITTER",
        Way::Facebook(_) => "FACEBOOK",
        Way::Nothing => "CHAT",
    };
    row["channels"] = json!([{"id": 1, "type": kind, "title": kind, "password": "provider-secret-of-the-channel"}]);
    row["custom_field_values"] = json!(values(desk, FieldOwner::Person, &person.custom).0);
    row
}

/// A contact alone, with what lists leave out.
pub(super) fn contact_in_full(desk: &Desk, person: &Person, id: u64, way: &Way) -> Value {
    let mut row = contact(desk, person, id, way);
    row["groups"] = json!([{"id": 1, "name": "Newsletter"}]);
    row["notes"] = json!([{
        "id": id, "contact": {"id": id}, "user": {"id": 1, "full_name": "Olga Owner"}, "body": "Calls on Mondays.",
        "created_at": super::clock::written(person.created),
    }]);
    row
}

/// A profile, with its contacts or without.
pub(super) fn profile(desk: &Desk, person: &Person, with_contacts: bool) -> Value {
    let mut row = json!({
        "id": person.id, "agency_id": 4711, "created_by": 1, "name": person.name, "color": "#2196f3",
        "created_at": super::clock::written(person.created), "updated_at": super::clock::written(person.updated),
        "profile_image": null, "abbr": "N",
    });
    if with_contacts {
        row["contacts"] = contacts(person)
            .iter()
            .map(|(id, way)| contact(desk, person, *id, way))
            .collect();
    }
    row
}
