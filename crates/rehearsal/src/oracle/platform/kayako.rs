use std::borrow::Cow;

use super::super::figures::Figure;
use super::{Platform, SeenArticle, SeenCategory, help};
use crate::world::{
    Beside, Conversation, CustomValue, FORMS, FieldDefinition, FieldKind, FieldOwner, FieldValue,
    Knowledge, Lists, SECOND_BRAND, StandingNote, notes_on_company, notes_on_person,
};

/// Numbers of what stands beside cases and people, as custom fields of the world that it is not.
const FORM: u64 = 900_001;
const BRAND: u64 = 900_002;
const WORKED: u64 = 900_003;
const ON_PERSON: u64 = 900_004;
const ON_COMPANY: u64 = 900_005;

/// Kayako: the world was made after its likeness, so nothing differs.
#[derive(Clone, Debug, Default)]
pub struct Kayako {
    /// The number that a world with things beside was made from, and the instance's name.
    beside: Option<(u64, String)>,
}

impl Kayako {
    /// A Kayako of this name whose forms, brands, words of ratings, booked times and notes on people are read too, in a world
    /// that was made from this number.
    #[must_use]
    pub fn with_beside(seed: u64, instance: &str) -> Self {
        Self {
            beside: Some((seed, instance.to_owned())),
        }
    }
}

impl Platform for Kayako {
    fn name(&self) -> &'static str {
        "kayako"
    }

    fn lists<'a>(&self, lists: &'a Lists) -> Cow<'a, Lists> {
        let Some((seed, _)) = &self.beside else {
            return Cow::Borrowed(lists);
        };
        let mut lists = lists.clone();
        for (id, owner, key, kind) in [
            (FORM, FieldOwner::Conversation, "form", FieldKind::Text),
            (BRAND, FieldOwner::Conversation, "brand", FieldKind::Text),
            (
                WORKED,
                FieldOwner::Conversation,
                "seconds_worked",
                FieldKind::Numeric,
            ),
            (ON_PERSON, FieldOwner::Person, "notes", FieldKind::Text),
            (ON_COMPANY, FieldOwner::Company, "notes", FieldKind::Text),
        ] {
            lists.fields.push(FieldDefinition {
                id,
                owner,
                key: key.to_owned(),
                title: key.to_owned(),
                kind,
                options: Vec::new(),
            });
        }
        let agents = lists.people.clone();
        let by = |note: &StandingNote| {
            let agent = agents.iter().find(|agent| agent.id == note.by);
            agent.map_or("", |agent| agent.name.as_str())
        };
        let told = |notes: Vec<StandingNote>| {
            let lines = notes.iter().map(|note| {
                format!(
                    "{}, {}: {}",
                    note.at.format("%Y-%m-%d %H:%M UTC"),
                    by(note),
                    note.text
                )
            });
            lines.collect::<Vec<_>>().join("\n\n")
        };
        for person in &mut lists.people {
            add(
                &mut person.custom,
                ON_PERSON,
                told(notes_on_person(*seed, person.id)),
            );
        }
        for company in &mut lists.companies {
            add(
                &mut company.custom,
                ON_COMPANY,
                told(notes_on_company(*seed, company.id)),
            );
        }
        Cow::Owned(lists)
    }

    fn conversation(&self, _: &Lists, mut conversation: Conversation) -> Conversation {
        let Some((seed, instance)) = &self.beside else {
            return conversation;
        };
        let beside = Beside::of(*seed, &conversation);
        let form = FORMS.iter().find(|(id, _)| Some(*id) == beside.form);
        add(
            &mut conversation.custom,
            FORM,
            form.map_or("", |(_, name)| *name),
        );
        let (second, name) = SECOND_BRAND;
        let brand = if beside.brand == second {
            name
        } else {
            instance
        };
        add(&mut conversation.custom, BRAND, brand);
        if beside.worked() > 0 {
            conversation.custom.push(CustomValue {
                field: WORKED,
                value: FieldValue::Number(beside.worked().to_string()),
            });
        }
        conversation
    }

    fn figures(&self, conversation: &Conversation) -> Vec<(&'static str, Figure)> {
        let Some((seed, _)) = &self.beside else {
            return Vec::new();
        };
        let mut figures = Vec::new();
        let beside = Beside::of(*seed, conversation);
        if conversation.rating.is_some() {
            figures.push(("CSAT_Date__c", Figure::Time(beside.rated)));
        }
        if beside.said.is_some() {
            figures.push(("CSAT_Comment__c", Figure::Told));
        }
        figures
    }

    fn has_line(&self, field: &FieldDefinition) -> bool {
        field.id < FORM
    }

    fn articles(&self, knowledge: &Knowledge) -> Vec<SeenArticle> {
        help::kayako(knowledge)
    }

    fn categories(&self, knowledge: &Knowledge) -> Vec<SeenCategory> {
        help::kayako_categories(knowledge)
    }

    fn article_link(&self, number: &str) -> String {
        format!("/article/{number}")
    }
}

/// One more value; an empty text is none.
fn add(custom: &mut Vec<CustomValue>, field: u64, text: impl Into<String>) {
    let text = text.into();
    if !text.is_empty() {
        custom.push(CustomValue {
            field,
            value: FieldValue::Text(text),
        });
    }
}
