//! Groups of data categories, as metadata brings them.

use roxmltree::Node;

use super::write::{selections, text};
use super::{CategoryGroup, DataCategory, KnowledgeSettings, SELECTION, VERSION};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::store;
use crate::org::xml;

/// How deep categories may stand in each other, and how many a group may have.
const LEVELS: usize = 5;
const MOST: usize = 100;
/// The most groups of an org, and of these the most that are active.
const GROUPS: (usize, usize) = (5, 3);

impl CategoryGroup {
    /// The group that a file of metadata describes.
    ///
    /// # Errors
    /// A sentence about what the platform would refuse.
    pub(in crate::org) fn of(name: &str, node: Node<'_, '_>) -> Result<Self, String> {
        let mut group = Self {
            name: name.to_owned(),
            label: xml::text(node, "label").unwrap_or(name).to_owned(),
            active: xml::flag(node, "active"),
            categories: Vec::new(),
        };
        take(&mut group, node, None, 1)?;
        let tops = group
            .categories
            .iter()
            .filter(|c| c.parent.is_none())
            .count();
        match group.categories.len() {
            _ if tops != 1 => Err("A data category group has one category at its top".to_owned()),
            n if n > MOST => Err(format!("{n} categories: a group has at most {MOST}")),
            _ => Ok(group),
        }
    }
}

fn take(
    group: &mut CategoryGroup,
    node: Node<'_, '_>,
    parent: Option<&str>,
    level: usize,
) -> Result<(), String> {
    let below = xml::children(node).filter(|part| part.tag_name().name() == "dataCategory");
    for part in below {
        let name = xml::text(part, "name").unwrap_or_default().to_owned();
        if level > LEVELS {
            return Err(format!("{name}: categories stand at most {LEVELS} deep"));
        }
        let known = |c: &DataCategory| c.name.eq_ignore_ascii_case(&name);
        if name.is_empty() || group.categories.iter().any(known) {
            return Err(format!(
                "{name}: a category has a name of its own in its group"
            ));
        }
        group.categories.push(DataCategory {
            label: xml::text(part, "label").unwrap_or(&name).to_owned(),
            parent: parent.map(str::to_owned),
            name: name.clone(),
        });
        take(group, part, Some(&name), level + 1)?;
    }
    Ok(())
}

/// Puts a group in the place of the one of its name: categories that it does not have are lost, with their articles' selections.
/// Answers whether it is new.
pub(in crate::org) fn replace(
    ctx: &Ctx<'_>,
    knowledge: &mut KnowledgeSettings,
    group: &CategoryGroup,
) -> Result<bool, String> {
    let same = |known: &CategoryGroup| known.name.eq_ignore_ascii_case(&group.name);
    let before = knowledge.groups.len();
    knowledge.groups.retain(|known| !same(known));
    let created = knowledge.groups.len() == before;
    knowledge.groups.push(group.clone());
    let active = knowledge.groups.iter().filter(|g| g.active).count();
    if knowledge.groups.len() > GROUPS.0 || active > GROUPS.1 {
        return Err(format!(
            "an org has at most {} data category groups, {} of them active",
            GROUPS.0, GROUPS.1
        ));
    }
    if !created {
        drop_lost(ctx, group).map_err(|e| e.message)?;
    }
    Ok(created)
}

fn drop_lost(ctx: &Ctx<'_>, group: &CategoryGroup) -> Result<(), Refusal> {
    let (versions, object) = (ctx.object(VERSION)?, ctx.object(SELECTION)?);
    for number in store::numbers(ctx.db, versions, (0, i64::MAX), usize::MAX)? {
        for row in selections(ctx, &ctx.id(versions, number))? {
            let of = text(&row, "DataCategoryGroupName").eq_ignore_ascii_case(&group.name);
            let name = text(&row, "DataCategoryName");
            let stays = group
                .categories
                .iter()
                .any(|c| c.name.eq_ignore_ascii_case(name));
            if of && !stays {
                store::delete(ctx.db, object, &row)?;
            }
        }
    }
    Ok(())
}
