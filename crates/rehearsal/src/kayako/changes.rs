//! What happens to people, companies, articles and custom fields after the world was made.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::knowledge;
use crate::world::{Company, FieldDefinition, FieldOwner, KnowledgeArticle, Person};

/// Something that can be deleted and renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Thing {
    /// A person, by number.
    Person(u64),
    /// A company, by number.
    Company(u64),
    /// An article, by number.
    Article(u64),
}

/// What became of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Fates {
    erased: BTreeSet<Thing>,
    /// Pairs, since keys of JSON are texts.
    #[serde(with = "pairs")]
    renamed: BTreeMap<Thing, (String, DateTime<Utc>)>,
    fields: Vec<FieldDefinition>,
}

mod pairs {
    use std::collections::BTreeMap;

    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Thing;

    type Names = BTreeMap<Thing, (String, DateTime<Utc>)>;

    pub(super) fn serialize<S: Serializer>(names: &Names, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(names)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Names, D::Error> {
        let pairs = Vec::<(Thing, (String, DateTime<Utc>))>::deserialize(d)?;
        Ok(pairs.into_iter().collect())
    }
}

impl Fates {
    fn of<'a, T: Clone>(
        &self,
        all: impl Iterator<Item = &'a T>,
        thing: impl Fn(&T) -> Thing,
        rename: impl Fn(&mut T, &str, DateTime<Utc>),
    ) -> Vec<Cow<'a, T>> {
        if self.erased.is_empty() && self.renamed.is_empty() {
            return all.map(Cow::Borrowed).collect();
        }
        let there = all.filter(|one| !self.erased.contains(&thing(one)));
        there
            .map(|one| match self.renamed.get(&thing(one)) {
                Some((name, at)) => {
                    let mut renamed = one.clone();
                    rename(&mut renamed, name, *at);
                    Cow::Owned(renamed)
                }
                None => Cow::Borrowed(one),
            })
            .collect()
    }
}

impl Desk {
    /// People in the order of their numbers, backwards.
    pub(super) fn people(&self) -> Vec<Cow<'_, Person>> {
        self.with_fates(|fates| {
            let all = self.world.lists().people.iter().rev();
            fates.of(
                all,
                |one| Thing::Person(one.id),
                |one, name, at| {
                    name.clone_into(&mut one.name);
                    one.updated = at;
                },
            )
        })
    }

    /// Companies in the order of their numbers, backwards.
    pub(super) fn companies(&self) -> Vec<Cow<'_, Company>> {
        self.with_fates(|fates| {
            let all = self.world.lists().companies.iter().rev();
            fates.of(
                all,
                |one| Thing::Company(one.id),
                |one, name, at| {
                    name.clone_into(&mut one.name);
                    one.updated = at;
                },
            )
        })
    }

    pub(super) fn articles(&self) -> Vec<Cow<'_, KnowledgeArticle>> {
        self.with_fates(|fates| {
            let all = knowledge::articles(&self.world).iter();
            fates.of(
                all,
                |one| Thing::Article(one.id),
                |one, name, at| {
                    if let Some(first) = one.texts.first_mut() {
                        name.clone_into(&mut first.title);
                    }
                    one.updated = at;
                },
            )
        })
    }

    /// Custom fields of an owner, with those that were made later.
    pub(super) fn fields(&self, owner: FieldOwner) -> Vec<FieldDefinition> {
        self.with_fates(|fates| {
            let all = self.world.lists().fields.iter().chain(&fates.fields);
            all.filter(|field| field.owner == owner).cloned().collect()
        })
    }

    pub(super) fn erase(&self, thing: Thing) -> io::Result<()> {
        self.change_fates(|fates| _ = fates.erased.insert(thing))
    }

    pub(super) fn restore(&self, thing: Thing) -> io::Result<()> {
        self.change_fates(|fates| _ = fates.erased.remove(&thing))
    }

    pub(super) fn rename(&self, thing: Thing, name: &str) -> io::Result<()> {
        let renamed = (name.to_owned(), Utc::now().trunc_subsecs(0));
        self.change_fates(|fates| _ = fates.renamed.insert(thing, renamed))
    }

    pub(super) fn add_field(&self, field: FieldDefinition) -> io::Result<()> {
        self.change_fates(|fates| fates.fields.push(field))
    }
}
