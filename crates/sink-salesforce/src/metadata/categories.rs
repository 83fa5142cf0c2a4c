//! The group of data categories in which articles stand.

use std::collections::BTreeMap;

use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::key::RecordKey;
use deskferry_core::model::Category;

use super::PackageFile;
use super::xml::Xml;
use crate::mapping::{Mapping, category_name};

/// The one category in which all others stand.
const ROOT: &str = "All";
/// How many categories a group may have, and how deep they may stand in each other (Salesforce objects, section 6).
const MOST: usize = 100;
const LEVELS: usize = 5;
/// What articles are called where groups are given to them.
const USED_BY: &str = "KnowledgeArticleVersion";

/// The file of the group that a mapping puts articles into; nothing where it puts them into none, or there are no categories. The
/// whole group stands in it: categories of the same group in the org that it does not name are lost when it is deployed.
///
/// # Errors
/// `Config` when the categories are more, or stand deeper in each other, than a group can hold.
pub(super) fn group(
    mapping: &Mapping,
    categories: &[Category],
) -> Result<Option<(String, PackageFile)>> {
    let group = mapping.articles().and_then(|how| how.group.clone());
    let Some(group) = group.filter(|_| !categories.is_empty()) else {
        return Ok(None);
    };
    if categories.len() >= MOST {
        return Err(refused(format!(
            "{} categories: a group of data categories has at most {MOST}, one of which holds the others",
            categories.len()
        )));
    }
    let known: BTreeMap<&RecordKey, &Category> =
        categories.iter().map(|c| (&c.meta.key, c)).collect();
    let mut below: BTreeMap<Option<&RecordKey>, Vec<&Category>> = BTreeMap::new();
    for category in categories {
        // What stands in nothing that was read stands at the top.
        let parent = category
            .parent
            .as_ref()
            .filter(|key| known.contains_key(key));
        below.entry(parent).or_default().push(category);
    }
    for places in below.values_mut() {
        places.sort_by_key(|category| category.position);
    }
    let mut xml = Xml::new("DataCategoryGroup");
    xml.value(1, "active", true);
    xml.line(1, "<dataCategory>");
    let mut written = 0;
    for category in below.get(&None).into_iter().flatten() {
        written += write(&mut xml, category, &below, 2)?;
    }
    if written < categories.len() {
        return Err(refused(
            "categories stand in each other in a circle".to_owned(),
        ));
    }
    xml.value(2, "label", ROOT);
    xml.value(2, "name", ROOT);
    xml.line(1, "</dataCategory>");
    xml.value(1, "label", group.replace('_', " "));
    xml.line(1, "<objectUsage>");
    xml.value(2, "object", USED_BY);
    xml.line(1, "</objectUsage>");
    let file = PackageFile {
        path: format!("datacategorygroups/{group}.datacategorygroup"),
        content: xml.end("DataCategoryGroup"),
    };
    Ok(Some((group, file)))
}

/// Writes a category with what stands in it. Answers how many.
fn write(
    xml: &mut Xml,
    category: &Category,
    below: &BTreeMap<Option<&RecordKey>, Vec<&Category>>,
    level: usize,
) -> Result<usize> {
    if level > LEVELS {
        let said = format!(
            "{} stands deeper than the {LEVELS} levels of a group of data categories",
            category.name
        );
        return Err(refused(said));
    }
    let name = category_name(&category.meta.key);
    let label = if category.name.trim().is_empty() {
        &name
    } else {
        &category.name
    };
    xml.line(level, "<dataCategory>");
    let mut written = 1;
    for child in below.get(&Some(&category.meta.key)).into_iter().flatten() {
        written += write(xml, child, below, level + 1)?;
    }
    xml.value(
        level + 1,
        "label",
        label.chars().take(80).collect::<String>(),
    );
    xml.value(level + 1, "name", &name);
    xml.line(level, "</dataCategory>");
    Ok(written)
}

fn refused(said: String) -> Error {
    Error::new(
        ErrorKind::Config,
        "describe the categories of articles",
        said,
    )
    .advise(
        "Set article_categories to \"leave\" in the mapping's policy, or make the group by hand",
    )
}
