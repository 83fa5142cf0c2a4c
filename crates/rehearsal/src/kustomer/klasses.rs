//! Custom objects: klasses, their attributes, their records (Kustomer reference, sections 3.9 and 3.10).

use serde_json::{Map, Value, json};

use super::desk::{Desk, Entry};
use super::ids::{Of, id};
use super::render::{millis, org, relation};
use crate::world::{ObjectClass, ObjectFieldKind, ObjectRecord, ObjectTarget};

/// Whether a klass is in use.
pub(super) fn status(class: &ObjectClass) -> &'static str {
    if class.active {
        "enabled"
    } else {
        "existing_only"
    }
}

pub(super) fn klass(class: &ObjectClass) -> Value {
    let number = id(Of::Klass, class.id);
    json!({
        "type": "klass", "id": number, "links": {"self": format!("/v1/klasses/{number}")},
        "attributes": {
            "name": class.name, "displayName": class.title, "icon": "cart", "color": "#3366cc", "mixins": ["editable", "creatable"],
            "status": status(class), "createdAt": "2020-01-01T00:00:00.000Z", "updatedAt": "2020-01-01T00:00:00.000Z",
        },
        "relationships": {"org": org(), "kobjects": {"links": {"self": format!("/v1/klasses/{}s", class.name)}}},
    })
}

fn suffix(kind: ObjectFieldKind) -> &'static str {
    match kind {
        ObjectFieldKind::Text | ObjectFieldKind::Choice(_) => "Str",
        ObjectFieldKind::Number => "Num",
        ObjectFieldKind::Flag => "Bool",
        ObjectFieldKind::Moment => "At",
    }
}

pub(super) fn properties(class: &ObjectClass) -> Value {
    let mut all = Map::new();
    for field in &class.fields {
        let kind = match field.kind {
            ObjectFieldKind::Number => "number",
            ObjectFieldKind::Flag => "boolean",
            _ => "string",
        };
        let mut property = json!({"type": kind, "displayName": field.title});
        if let ObjectFieldKind::Choice(words) = field.kind {
            property["enumeration"] = json!(words);
        }
        all.insert(format!("{}{}", field.key, suffix(field.kind)), property);
    }
    for relation in &class.relations {
        let target = match relation.to {
            ObjectTarget::Customer => "customer".to_owned(),
            ObjectTarget::Company => "company".to_owned(),
            ObjectTarget::Conversation => "conversation".to_owned(),
            ObjectTarget::Class(number) => format!("kobject.{}", name(number)),
        };
        all.insert(
            format!("{}Id", relation.key),
            json!({"type": "string", "displayName": relation.title, "target": target, "multi": relation.many}),
        );
    }
    Value::Object(all)
}

fn name(class: u64) -> &'static str {
    let place = usize::try_from(class).unwrap_or(1).saturating_sub(1);
    crate::world::CLASSES
        .get(place)
        .copied()
        .unwrap_or("unknown")
}

pub(super) fn record(desk: &Desk, row: &ObjectRecord, entry: &Entry) -> Value {
    let classes = desk.world.object_classes();
    let class = classes.iter().find(|class| class.id == row.class);
    let mut custom = Map::new();
    for (key, value) in &row.values {
        let field = class.and_then(|class| class.fields.iter().find(|field| field.key == *key));
        custom.insert(
            format!("{key}{}", field.map_or("Str", |field| suffix(field.kind))),
            value.clone(),
        );
    }
    for (key, ids) in &row.links {
        let relation = class.and_then(|class| class.relations.iter().find(|one| one.key == *key));
        let Some(relation) = relation else { continue };
        let of = match relation.to {
            ObjectTarget::Customer => Of::Customer,
            ObjectTarget::Company => Of::Company,
            ObjectTarget::Conversation => Of::Conversation,
            ObjectTarget::Class(_) => Of::Object,
        };
        let mut ids = ids.iter().map(|number| id(of, *number));
        let value = match relation.many {
            true => json!(ids.collect::<Vec<_>>()),
            false => json!(ids.next()),
        };
        custom.insert(format!("{key}Id"), value);
    }
    let name = name(row.class);
    let number = id(Of::Object, row.id);
    // The one relation that has `link` where all others have `links`.
    let mut relations = json!({
        "org": org(), "klass": {"link": format!("/v1/klasses/{}", id(Of::Klass, row.class)), "data": {"type": "klass", "id": name}},
    });
    if let Some(customer) = row.customer {
        relations["customer"] = relation("customer", &id(Of::Customer, customer));
    }
    if let Some(company) = row.company {
        relations["company"] = relation("company", &id(Of::Company, company));
    }
    json!({
        "type": format!("kobject.{name}"), "id": number, "relationships": relations, "links": {"self": format!("/v1/klasses/{name}s/{number}")},
        "attributes": {
            "title": row.title, "custom": custom, "data": row.data, "images": [], "tags": [], "rev": entry.rev,
            "createdAt": millis(entry.created), "updatedAt": millis(entry.updated), "klassDisplayName": class.map(|class| class.title),
        },
    })
}
