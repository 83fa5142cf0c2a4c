//! Custom objects: classes that people of a helpdesk defined themselves, and their records. Only where the world was asked for
//! them ([`WorldSpec::objects`](super::WorldSpec::objects)).

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::World;
use super::dice::Dice;
use super::people::epoch;

/// What a relation of a custom object leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectTarget {
    /// A customer.
    Customer,
    /// A company.
    Company,
    /// A conversation.
    Conversation,
    /// A record of a class, by its number.
    Class(u64),
}

/// A relation of a custom object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRelation {
    /// Stable name, without any suffix that a platform adds.
    pub key: &'static str,
    /// Title people see.
    pub title: &'static str,
    /// What it leads to.
    pub to: ObjectTarget,
    /// Whether a record may have several.
    pub many: bool,
}

/// What a field of a custom object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFieldKind {
    /// Text.
    Text,
    /// One of several words.
    Choice(&'static [&'static str]),
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// A moment.
    Moment,
}

/// A field of a custom object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectField {
    /// Stable name, without any suffix that a platform adds.
    pub key: &'static str,
    /// Title people see.
    pub title: &'static str,
    /// What it holds.
    pub kind: ObjectFieldKind,
}

/// A custom object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectClass {
    /// Number, from 1.
    pub id: u64,
    /// Stable name.
    pub name: &'static str,
    /// Title people see.
    pub title: &'static str,
    /// Whether it is still in use; records of one that is not remain.
    pub active: bool,
    /// Fields.
    pub fields: Vec<ObjectField>,
    /// Relations.
    pub relations: Vec<ObjectRelation>,
}

/// A record of a custom object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectRecord {
    /// Number, unique among the records of all classes.
    pub id: u64,
    /// Its class, by number.
    pub class: u64,
    /// What people call it.
    pub title: String,
    /// The customer it belongs to, by id.
    pub customer: Option<u64>,
    /// The company it belongs to, by id.
    pub company: Option<u64>,
    /// Values by the key of their field.
    pub values: Vec<(&'static str, Value)>,
    /// Ids by the key of their relation.
    pub links: Vec<(&'static str, Vec<u64>)>,
    /// What no field describes.
    pub data: Value,
    /// Time of creation.
    pub created: DateTime<Utc>,
    /// Time of the last change.
    pub updated: DateTime<Utc>,
}

/// Records of a class are numbered from its number times this.
const RECORDS_PER_CLASS: u64 = 1_000_000_000;

/// The classes, by number.
pub(crate) const CLASSES: [&str; 3] = ["order", "order-line", "warranty"];

fn class(id: u64) -> ObjectClass {
    let field = |key, title, kind| ObjectField { key, title, kind };
    let relation = |key, title, to, many| ObjectRelation {
        key,
        title,
        to,
        many,
    };
    let (title, active, fields, relations) = match id {
        1 => (
            "Order",
            true,
            vec![
                field("orderNumber", "Order number", ObjectFieldKind::Number),
                field(
                    "state",
                    "State",
                    ObjectFieldKind::Choice(&["placed", "sent", "returned"]),
                ),
                field("placed", "Placed at", ObjectFieldKind::Moment),
                field("gift", "Gift", ObjectFieldKind::Flag),
            ],
            vec![relation("about", "About", ObjectTarget::Conversation, true)],
        ),
        2 => (
            "Order line",
            true,
            vec![
                field("article", "Article", ObjectFieldKind::Text),
                field("price", "Price", ObjectFieldKind::Number),
            ],
            vec![relation("order", "Order", ObjectTarget::Class(1), false)],
        ),
        _ => (
            "Warranty",
            false,
            vec![field("ends", "Ends", ObjectFieldKind::Moment)],
            vec![relation("lines", "Lines", ObjectTarget::Class(2), true)],
        ),
    };
    ObjectClass {
        id,
        name: CLASSES[usize::try_from(id - 1).unwrap_or(0).min(CLASSES.len() - 1)],
        title,
        active,
        fields,
        relations,
    }
}

fn record(world: &World, seed: u64, class: u64, index: u64) -> ObjectRecord {
    let mut dice = Dice::new(
        seed,
        CLASSES[usize::try_from(class - 1).unwrap_or(0)],
        index,
    );
    let created = epoch() + Duration::hours(i64::try_from(dice.below(17_000)).unwrap_or(0));
    let conversations = world.len().max(1);
    let mut record = ObjectRecord {
        id: class * RECORDS_PER_CLASS + index,
        class,
        title: String::new(),
        customer: None,
        company: None,
        values: Vec::new(),
        links: Vec::new(),
        data: Value::Null,
        created,
        updated: created + Duration::minutes(i64::try_from(dice.below(400_000)).unwrap_or(0)),
    };
    let number = 102_701_236_000 + index;
    match class {
        1 => {
            record.title = format!("Order #{number}");
            let customers = world.lists().people.iter().filter(|p| !p.role.is_staff());
            let place = usize::try_from(dice.below(60)).unwrap_or(0);
            record.customer = customers.map(|p| p.id).nth(place);
            record.values = vec![
                ("orderNumber", json!(number)),
                (
                    "state",
                    json!(*dice.pick(&["placed", "sent", "returned", "lost"])),
                ),
                ("placed", json!(created.to_rfc3339())),
                ("gift", json!(dice.one_in(2))),
            ];
            let about = (0..dice.below(3)).map(|n| 1 + (index * 7 + n) % conversations);
            record.links = vec![("about", about.collect())];
            record.data =
                json!({"items": [{"sku": format!("S-{index}"), "count": 1 + dice.below(4)}]});
        }
        2 => {
            record.title = format!("Line {index}");
            record.company = (!world.lists().companies.is_empty()).then_some(1);
            record.values = vec![("article", json!("Grinder & lid")), ("price", json!(12.5))];
            record.links = vec![("order", vec![RECORDS_PER_CLASS + index / 2])];
        }
        _ => {
            record.values = vec![("ends", json!((created + Duration::days(700)).to_rfc3339()))];
            let line = 2 * RECORDS_PER_CLASS + index;
            record.links = vec![("lines", vec![line, line + 1])];
        }
    }
    record
}

impl World {
    /// The custom objects, if the world was asked for them.
    pub fn object_classes(&self) -> Vec<ObjectClass> {
        let wanted = self.spec().is_some_and(|spec| spec.objects);
        (1..=CLASSES.len() as u64)
            .filter(|_| wanted)
            .map(class)
            .collect()
    }

    fn objects_of(&self, class: u64) -> u64 {
        let conversations = self.spec().map_or(0, |spec| spec.conversations);
        match class {
            1 => conversations / 3,
            2 => conversations / 3 * 2,
            _ => conversations / 10,
        }
    }

    /// The records of a class, in the order of their ids.
    pub fn object_records(&self, class: u64) -> impl Iterator<Item = ObjectRecord> {
        let spec = self.spec().filter(|spec| spec.objects);
        let count = spec.map_or(0, |_| self.objects_of(class));
        let seed = spec.map_or(0, |spec| spec.seed);
        (0..count).map(move |index| record(self, seed, class, index))
    }

    /// A record by its number.
    pub fn object_record(&self, id: u64) -> Option<ObjectRecord> {
        let spec = self.spec().filter(|spec| spec.objects)?;
        let (class, index) = (id / RECORDS_PER_CLASS, id % RECORDS_PER_CLASS);
        let known = (1..=CLASSES.len() as u64).contains(&class) && index < self.objects_of(class);
        known.then(|| record(self, spec.seed, class, index))
    }
}

#[cfg(test)]
mod tests {
    use super::super::WorldSpec;
    use super::*;

    #[test]
    fn only_worlds_that_were_asked_for_them_have_custom_objects() {
        assert!(
            World::generate(WorldSpec::new(1, 60))
                .object_classes()
                .is_empty()
        );
        let plain = World::generate(WorldSpec::new(1, 60));
        assert_eq!(plain.object_records(1).count(), 0);
        let world = World::generate(WorldSpec::new(1, 60).with_objects());
        assert_eq!(world.object_classes().len(), 3);
        for class in 1..=3 {
            let all: Vec<_> = world.object_records(class).collect();
            assert!(all.len() >= 6, "{class}");
            for record in all {
                assert_eq!(world.object_record(record.id), Some(record));
            }
        }
        assert_eq!(
            plain.conversation(7),
            world.conversation(7),
            "nothing else changes"
        );
    }
}
