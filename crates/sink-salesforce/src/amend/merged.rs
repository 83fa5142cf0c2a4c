//! Rows of ours that people of the org merged into others: they stand in the recycle bin, and name the row that took them in.

use std::collections::HashMap;

use deskferry_core::amend::Merged;
use deskferry_core::context::Context;
use deskferry_core::error::Result;

use crate::Salesforce;
use crate::client::query::literal;
use crate::load::{accounts, cases, contacts};
use crate::mapping::BATCH_MARK;

/// How often a row that took others in may have been taken in itself.
const MOST: usize = 8;
/// Ids that are asked for together.
const TOGETHER: usize = 200;

impl Salesforce {
    pub(crate) async fn merged_rows(&self, cx: &Context, marks: &[String]) -> Result<Vec<Merged>> {
        let org = self.org(cx).await?;
        let mut merged = Vec::new();
        for object in [accounts::OBJECT, contacts::OBJECT, cases::OBJECT] {
            let described = org.object(object)?;
            let fields = ["MasterRecordId", BATCH_MARK];
            if fields.iter().any(|name| described.field(name).is_none()) {
                continue;
            }
            let marks: Vec<String> = marks.iter().map(|mark| literal(mark)).collect();
            let ours = format!("{BATCH_MARK} IN ({})", marks.join(","));
            let found = self.masters(cx, object, &ours).await?;
            let mut masters = found.clone();
            let mut open: Vec<String> = found.values().cloned().collect();
            for _ in 0..MOST {
                open.retain(|id| !masters.contains_key(id));
                if open.is_empty() {
                    break;
                }
                let mut more = HashMap::new();
                for ids in open.chunks(TOGETHER) {
                    let ids: Vec<String> = ids.iter().map(|id| literal(id)).collect();
                    let these = format!("Id IN ({})", ids.join(","));
                    more.extend(self.masters(cx, object, &these).await?);
                }
                open = more.values().cloned().collect();
                masters.extend(more);
            }
            merged.extend(found.keys().map(|id| Merged {
                id: id.clone(),
                into: last(&masters, id),
            }));
        }
        Ok(merged)
    }

    /// The rows that took others in, by those.
    async fn masters(
        &self,
        cx: &Context,
        object: &str,
        which: &str,
    ) -> Result<HashMap<String, String>> {
        let soql = format!(
            "SELECT Id, MasterRecordId FROM {object} WHERE IsDeleted = true AND MasterRecordId != null AND {which}"
        );
        let rows = self.api().query_all(cx, &soql).await?;
        let pair = |row: &serde_json::Value| {
            let text = |name: &str| row[name].as_str().map(str::to_owned);
            Some((text("Id")?, text("MasterRecordId")?))
        };
        Ok(rows.iter().filter_map(pair).collect())
    }
}

/// The row at the end of all merges; a circle is left where it was entered.
fn last(masters: &HashMap<String, String>, id: &str) -> String {
    let mut at = id;
    for _ in 0..=MOST {
        match masters.get(at) {
            Some(next) => at = next,
            None => break,
        }
    }
    at.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_are_followed_to_their_end() {
        let masters = [("a", "b"), ("b", "c"), ("x", "y"), ("y", "x")];
        let masters = masters.map(|(id, into)| (id.to_owned(), into.to_owned()));
        let masters: HashMap<String, String> = masters.into();
        assert_eq!(last(&masters, "a"), "c");
        assert_eq!(last(&masters, "c"), "c");
        assert!(["x", "y"].contains(&last(&masters, "x").as_str()));
    }
}
