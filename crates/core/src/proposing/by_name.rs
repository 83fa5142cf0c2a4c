//! Proposals by names, words, types, values and earlier maps.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{
    AskedField, Place, Proposal, Proposed, Proposer, Question, ValueProposal, fits, words,
};
use crate::context::Context;
use crate::error::Result;
use crate::key::RecordKind;
use crate::mapped::{NewField, Offer, UnknownValue};
use crate::model::FieldType;

/// The most options that become a list.
const LIST: usize = 100;

/// How many letters the name of a field may have before its `__c`.
const NAME: usize = 40;

/// Below this nothing is proposed as the same.
const LEAST: u8 = 55;

/// The proposer that asks nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByName;

#[async_trait]
impl Proposer for ByName {
    fn name(&self) -> &'static str {
        "names, words, types, values and earlier maps"
    }

    fn is_elsewhere(&self) -> bool {
        false
    }

    async fn propose(&self, _cx: &Context, question: &Question) -> Result<Proposed> {
        let mut fields: Vec<Proposal> = Vec::new();
        let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
        // The best likeness of all first: two fields may be like one of the target.
        let mut likes: Vec<(Like<'_>, &AskedField)> = Vec::new();
        for field in &question.fields {
            likes.extend(alike(field, question).into_iter().map(|like| (like, field)));
        }
        likes.sort_by_key(|(like, _)| std::cmp::Reverse(like.confidence));
        let mut done: BTreeSet<(RecordKind, &str)> = BTreeSet::new();
        for (like, field) in likes {
            let place = (like.offer.object.clone(), like.offer.field.to_lowercase());
            let name = (field.of, field.field.as_str());
            if done.contains(&name) || taken.contains(&place) {
                continue;
            }
            done.insert(name);
            taken.insert(place);
            fields.push(Proposal {
                of: field.of,
                field: field.field.clone(),
                object: like.offer.object.clone(),
                place: Place::Field(like.offer.field.clone()),
                confidence: like.confidence,
                reason: like.reason,
            });
        }
        for field in &question.fields {
            if !done.contains(&(field.of, field.field.as_str())) {
                fields.extend(made(field, question, &mut taken));
            }
        }
        let values = question.values.iter().filter_map(value).collect();
        Ok(Proposed { fields, values })
    }
}

struct Like<'a> {
    offer: &'a Offer,
    confidence: u8,
    reason: String,
}

/// The free fields of the target that are like this one.
fn alike<'a>(field: &AskedField, question: &'a Question) -> Vec<Like<'a>> {
    let offers = question.offers.iter();
    let free = offers.filter(|o| o.of == field.of && !o.taken && fits(field, o));
    free.filter_map(|offer| {
        let earlier = question.earlier.iter().any(|line| {
            line.object == offer.object
                && line.field.eq_ignore_ascii_case(&offer.field)
                && line.from.strip_prefix("custom.") == Some(&field.field)
        });
        if earlier {
            let reason = "a map that was confirmed earlier has this line".to_owned();
            return Some(Like {
                offer,
                confidence: 98,
                reason,
            });
        }
        let (likeness, mut reason) = by_name(field, offer)?;
        let (weight, said) = by_values(field, offer)?;
        if !said.is_empty() {
            reason = format!("{reason}; {said}");
        }
        let confidence = likeness.saturating_add_signed(weight).min(97);
        (confidence >= LEAST).then_some(Like {
            offer,
            confidence,
            reason,
        })
    })
    .collect()
}

/// How like the names are, 0 to 100, and why.
fn by_name(field: &AskedField, offer: &Offer) -> Option<(u8, String)> {
    let own = [field.title.as_str(), field.field.as_str()];
    let stem = offer.field.strip_suffix("__c").unwrap_or(&offer.field);
    let theirs = [offer.label.as_str(), stem];
    let mut best: Option<(u8, String)> = None;
    for own in own.into_iter().filter(|name| !name.is_empty()) {
        for theirs in theirs.into_iter().filter(|name| !name.is_empty()) {
            let found = likeness(own, theirs);
            if found.as_ref().map(|f| f.0) > best.as_ref().map(|b| b.0) {
                best = found;
            }
        }
    }
    best
}

fn likeness(own: &str, theirs: &str) -> Option<(u8, String)> {
    let (a, b) = (words::fold(own), words::fold(theirs));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    if a == b {
        return Some((88, format!("both are called {theirs}")));
    }
    if words::field(&a).is_some_and(|meaning| words::field(&b) == Some(meaning)) {
        return Some((80, format!("{own} and {theirs} mean the same")));
    }
    let (a, b): (BTreeSet<_>, BTreeSet<_>) = (
        words::parts(own).into_iter().map(concept).collect(),
        words::parts(theirs).into_iter().map(concept).collect(),
    );
    let shared = a.intersection(&b).count();
    let all = a.union(&b).count();
    // Half of the words and more.
    if shared * 2 < all || shared == 0 {
        return None;
    }
    let share = (shared * 40 / all) as u8;
    Some((35 + share, format!("{own} and {theirs} share words")))
}

/// A word by its meaning, where it has one in the table.
fn concept(word: String) -> String {
    words::field(&word).map_or(word, |n| format!("#{n}"))
}

/// What types and values say to a likeness; nothing where they say that it cannot be.
fn by_values(field: &AskedField, offer: &Offer) -> Option<(i8, String)> {
    let lists = matches!(offer.holds, FieldType::Choice | FieldType::Choices);
    let seen: BTreeSet<&str> = field
        .options
        .iter()
        .chain(&field.samples)
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
        .collect();
    if lists && !seen.is_empty() {
        let known: BTreeSet<String> = offer.values.iter().map(|v| words::fold(v)).collect();
        let fit = seen
            .iter()
            .filter(|v| known.contains(&words::fold(v)))
            .count();
        let (fit, all) = (fit as i32, seen.len() as i32);
        if fit * 2 < all {
            return None;
        }
        let said = format!("{fit} of {all} values are in its list");
        return Some((if fit == all { 9 } else { -10 }, said));
    }
    let long = field
        .samples
        .iter()
        .filter(|s| s.chars().count() > offer.length);
    let long = if offer.length == 0 { 0 } else { long.count() };
    if long > 0 {
        return Some((
            -12,
            format!("{long} sampled values are longer than its {}", offer.length),
        ));
    }
    let same = field.holds == Some(offer.holds);
    Some(if same {
        (6, "of the same type".into())
    } else {
        (0, String::new())
    })
}

/// A field of its own, since the target has none like it.
fn made(
    field: &AskedField,
    question: &Question,
    taken: &mut BTreeSet<(String, String)>,
) -> Option<Proposal> {
    let here = || question.offers.iter().filter(|o| o.of == field.of);
    let object = here().next()?.object.clone();
    let of = |place, confidence, reason: String| Proposal {
        of: field.of,
        field: field.field.clone(),
        object: object.clone(),
        place,
        confidence,
        reason,
    };
    if field.holds == Some(FieldType::File) {
        let said = "files are attachments, not values".to_owned();
        return Some(of(Place::Kept, 70, said));
    }
    let mut name = api_name(field)?;
    let there = |name: &str| here().any(|o| o.field.eq_ignore_ascii_case(name));
    if there(&name) {
        name = format!("Source_{}", cut(&name, NAME - 7 + 3));
    }
    if there(&name) || !taken.insert((object.clone(), name.to_lowercase())) {
        let said = "the target has fields of that name already".to_owned();
        return Some(of(Place::Kept, 50, said));
    }
    let (holds, values) = kind(field);
    let label = match field.title.trim() {
        "" => name.trim_end_matches("__c").replace('_', " "),
        title => title.chars().take(40).collect(),
    };
    let field_made = NewField {
        label,
        holds,
        values,
    };
    let reason = format!(
        "the target has no field like it; {} records use it",
        field.used
    );
    let place = Place::New {
        name,
        field: field_made,
    };
    Some(of(place, 60, reason))
}

fn kind(field: &AskedField) -> (FieldType, Vec<String>) {
    let listed = || {
        let mut options = field.options.clone();
        options.dedup();
        options
    };
    let fits_a_list = !field.options.is_empty()
        && field.options.len() <= LIST
        && field
            .options
            .iter()
            .all(|o| o.chars().count() <= 255 && !o.contains(';'));
    match field.holds {
        Some(kind @ (FieldType::Choice | FieldType::Choices)) if fits_a_list => (kind, listed()),
        Some(FieldType::Choice) => (FieldType::Text, Vec::new()),
        Some(FieldType::Choices | FieldType::Other) => (FieldType::LongText, Vec::new()),
        Some(kind) => (kind, Vec::new()),
        None => (FieldType::LongText, Vec::new()),
    }
}

/// A name for a field that is made; nothing where neither key nor title has a Latin letter.
fn api_name(field: &AskedField) -> Option<String> {
    [&field.field, &field.title].into_iter().find_map(|text| {
        let words = words::parts(text);
        let plain = words
            .iter()
            .map(|word| {
                word.chars()
                    .filter(char::is_ascii_alphanumeric)
                    .collect::<String>()
            })
            .filter(|word| !word.is_empty())
            .map(|word| {
                let (first, rest) = word.split_at(1);
                first.to_ascii_uppercase() + rest
            });
        let joined = plain.collect::<Vec<_>>().join("_");
        let joined: &str = joined.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        let joined = cut(joined, NAME).trim_end_matches('_');
        (!joined.is_empty()).then(|| format!("{joined}__c"))
    })
}

fn cut(text: &str, most: usize) -> &str {
    text.get(..most).unwrap_or(text)
}

/// The value of the list that means what the mapping's value, or else the source's word, means.
fn value(asked: &UnknownValue) -> Option<ValueProposal> {
    let word = asked
        .meaning
        .strip_prefix("label:")
        .unwrap_or(&asked.meaning);
    let of = |becomes: &str, confidence, reason: String| {
        Some(ValueProposal {
            object: asked.object.clone(),
            field: asked.field.clone(),
            meaning: asked.meaning.clone(),
            becomes: becomes.to_owned(),
            confidence,
            reason,
        })
    };
    for (name, sure) in [(word, 84_u8), (asked.becomes.as_str(), 86)] {
        let folded = words::fold(name);
        if let Some(same) = asked.offered.iter().find(|o| words::fold(o) == folded) {
            return of(same, sure + 8, format!("the list has {same}"));
        }
    }
    for (name, sure) in [(asked.becomes.as_str(), 80_u8), (word, 75)] {
        let Some(meaning) = words::value(&words::fold(name)) else {
            continue;
        };
        let found = asked
            .offered
            .iter()
            .find(|o| words::value(&words::fold(o)) == Some(meaning));
        if let Some(found) = found {
            return of(found, sure, format!("{name} and {found} mean the same"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapped::MappedLine;

    fn offer(field: &str, label: &str, holds: FieldType) -> Offer {
        Offer {
            of: RecordKind::Conversation,
            object: "Case".into(),
            field: field.into(),
            label: label.into(),
            holds,
            length: 80,
            values: Vec::new(),
            required: false,
            custom: field.ends_with("__c"),
            taken: false,
        }
    }

    fn asked(field: &str, title: &str, holds: FieldType) -> AskedField {
        AskedField {
            of: RecordKind::Conversation,
            field: field.into(),
            title: title.into(),
            holds: Some(holds),
            options: Vec::new(),
            used: 7,
            shapes: BTreeSet::new(),
            samples: Vec::new(),
        }
    }

    async fn propose(question: &Question) -> Proposed {
        let proposed = ByName.propose(&Context::new(), question).await.unwrap();
        let (checked, left_out) = proposed.checked(question);
        assert_eq!(left_out, 0, "{question:?}");
        checked
    }

    fn places(proposed: &Proposed) -> Vec<(&str, Option<&str>)> {
        let mut places: Vec<_> = proposed
            .fields
            .iter()
            .map(|p| (p.field.as_str(), p.place.field()))
            .collect();
        places.sort_unstable();
        places
    }

    #[tokio::test]
    async fn fields_find_theirs_by_name_by_words_of_other_languages_and_by_values() {
        let mut colour = offer("Colour__c", "Colour", FieldType::Choice);
        colour.values = vec!["Red".into(), "Blue".into()];
        let mut size = offer("Size__c", "Size", FieldType::Choice);
        size.values = vec!["S".into(), "M".into()];
        let mut wrong_size = asked("size", "Size", FieldType::Choice);
        wrong_size.options = vec!["12 cm".into(), "14 cm".into()];
        let mut right_colour = asked("colour", "Colour", FieldType::Choice);
        right_colour.samples = vec!["red".into()];
        let question = Question {
            fields: vec![
                asked("f_17", "Seriennummer", FieldType::Text),
                asked("warranty", "", FieldType::Bool),
                right_colour,
                wrong_size,
                asked("f_18", "製品", FieldType::Text),
                asked("purchase_day", "Kaufdatum", FieldType::Date),
            ],
            offers: vec![
                offer("SerialNo__c", "Serial Number", FieldType::Text),
                offer("Garantie__c", "Garantie", FieldType::Bool),
                offer("Purchase_Date__c", "Purchase Date", FieldType::DateTime),
                colour,
                size,
            ],
            ..Question::default()
        };
        let proposed = propose(&question).await;
        assert_eq!(
            places(&proposed),
            [
                ("colour", Some("Colour__c")),
                ("f_17", Some("SerialNo__c")),
                ("f_18", Some("F_18__c")),
                ("purchase_day", Some("Purchase_Day__c")),
                ("size", Some("Source_Size__c")),
                ("warranty", Some("Garantie__c")),
            ]
        );
        for one in &proposed.fields {
            assert!(!one.reason.is_empty() && one.confidence > 0);
        }
        let by = |name: &str| proposed.fields.iter().find(|p| p.field == name).unwrap();
        assert!(by("colour").confidence > by("f_17").confidence);
        assert!(by("f_17").confidence > by("f_18").confidence);
    }

    #[tokio::test]
    async fn an_earlier_map_comes_first_and_no_field_is_given_twice() {
        let question = Question {
            fields: vec![
                asked("reason", "Reason", FieldType::Text),
                asked("x", "Anything", FieldType::Text),
            ],
            offers: vec![offer("Reason", "Reason", FieldType::Text)],
            earlier: vec![MappedLine {
                object: "Case".into(),
                field: "Reason".into(),
                from: "custom.x".into(),
            }],
            ..Question::default()
        };
        let proposed = propose(&question).await;
        assert_eq!(
            places(&proposed),
            [("reason", Some("Reason__c")), ("x", Some("Reason"))]
        );
    }

    #[tokio::test]
    async fn values_are_found_in_lists_of_another_language() {
        let value = |meaning: &str, becomes: &str| UnknownValue {
            object: "Case".into(),
            field: "Status".into(),
            meaning: meaning.into(),
            becomes: becomes.into(),
            offered: ["Neu", "In Bearbeitung", "Wartend", "Geschlossen"]
                .map(Into::into)
                .into(),
        };
        let question = Question {
            values: vec![
                value("new", "New"),
                value("open", "Working"),
                value("label:Wartend", "Working"),
                value("resolved", "Closed"),
                value("other", "Fancy"),
            ],
            ..Question::default()
        };
        let proposed = propose(&question).await;
        let found: Vec<_> = proposed
            .values
            .iter()
            .map(|v| (v.meaning.as_str(), v.becomes.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("new", "Neu"),
                ("open", "In Bearbeitung"),
                ("label:Wartend", "Wartend"),
                ("resolved", "Geschlossen"),
            ]
        );
    }

    #[test]
    fn what_a_proposer_makes_up_is_left_out() {
        let question = Question {
            fields: vec![
                asked("a", "A", FieldType::Text),
                asked("n", "N", FieldType::Text),
            ],
            offers: vec![
                offer("There", "There", FieldType::Text),
                offer("Count__c", "Count", FieldType::Number),
            ],
            ..Question::default()
        };
        let to = |field: &str, place: Place| Proposal {
            of: RecordKind::Conversation,
            field: field.into(),
            object: "Case".into(),
            place,
            confidence: 250,
            reason: String::new(),
        };
        let new = |name: &str| Place::New {
            name: name.into(),
            field: NewField {
                label: String::new(),
                holds: FieldType::Text,
                values: Vec::new(),
            },
        };
        let proposed = Proposed {
            fields: vec![
                to("a", Place::Field("There".into())),
                to("a", Place::Field("There".into())),
                to("n", Place::Field("Count__c".into())),
                to("n", Place::Field("Nowhere".into())),
                to("n", new("no name; DROP")),
                to("unasked", new("Fine__c")),
            ],
            values: Vec::new(),
        };
        let (checked, left_out) = proposed.checked(&question);
        assert_eq!((checked.fields.len(), left_out), (1, 5));
        assert_eq!(checked.fields[0].confidence, 100);
    }
}
