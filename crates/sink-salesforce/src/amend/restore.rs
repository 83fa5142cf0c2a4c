//! Giving rows of others back what they said before we changed them.

use std::collections::{BTreeSet, HashMap};

use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::journal::Image;
use deskferry_core::undo::{RestoreBatch, Undone};
use serde_json::Value;

use super::{CHANGED, row};
use crate::Salesforce;
use crate::client::query::RETRIEVED;
use crate::mapping::build::Fields;
use crate::mapping::lasting;
use crate::schema::Object;
use crate::verify::same;

/// What is to be given back, and whether all of it can be.
#[derive(Debug, Default, PartialEq)]
struct Back {
    values: Fields,
    whole: bool,
}

impl Salesforce {
    /// One answer per row, in order.
    pub(crate) async fn give_back(
        &self,
        cx: &Context,
        batch: &RestoreBatch,
    ) -> Result<Vec<Undone>> {
        let org = self.org(cx).await?;
        let described = org.object(&batch.object)?;
        let ids: Vec<String> = batch.rows.iter().map(|(id, _)| id.clone()).collect();
        let names = batch.rows.iter().flat_map(|(_, image)| image.before.keys());
        let names: BTreeSet<&str> = names.map(String::as_str).chain(["Id"]).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let standing = self
            .api()
            .retrieve(cx, &batch.object, &ids, &names, RETRIEVED)
            .await?;
        let mut answers = Vec::with_capacity(ids.len());
        let (mut rows, mut which) = (Vec::new(), Vec::new());
        for (n, ((id, image), stands)) in batch.rows.iter().zip(standing).enumerate() {
            let Some(stands) = stands else {
                answers.push(Undone::Gone);
                continue;
            };
            let back = back(image, &stands, described, batch.force);
            if !back.values.is_empty() {
                rows.push(row(id, &back.values));
                which.push(n);
            }
            answers.push(if back.whole {
                Undone::Restored
            } else {
                Undone::Held(CHANGED.to_owned())
            });
        }
        if batch.trial {
            return Ok(answers);
        }
        let refused = self
            .api()
            .put(cx, lasting(&batch.object), rows, true)
            .await?;
        let refused: HashMap<usize, _> = which.into_iter().zip(refused).collect();
        for (n, refusal) in refused {
            if let Some(refusal) = refusal {
                answers[n] = Undone::Failed {
                    code: refusal.code,
                    message: refusal.message,
                };
            }
        }
        Ok(answers)
    }
}

/// What a row gets back: what it said before, where it still says what we wrote.
fn back(image: &Image, stands: &Value, described: &Object, force: bool) -> Back {
    let mut back = Back {
        whole: true,
        ..Back::default()
    };
    for (name, before) in &image.before {
        let now = stands.get(name).unwrap_or(&Value::Null);
        let Some(field) = described.field(name) else {
            continue;
        };
        if same(before, now, field) {
            continue;
        }
        let ours = image
            .written
            .get(name)
            .is_some_and(|written| same(written, now, field));
        if ours || force {
            back.values.insert(name.clone(), before.clone());
        } else {
            back.whole = false;
        }
    }
    back
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    #[test]
    fn what_somebody_changed_since_stays_and_the_rest_is_given_back() {
        let mut schema = Schema::new();
        let fields = ["Phone", "Title", "Fax"].map(|name| json!({"name": name, "type": "string"}));
        schema
            .add_describe(&json!({"name": "Contact", "fields": fields}))
            .unwrap();
        let described = schema.object("Contact").unwrap();
        let image: Image = serde_json::from_value(json!({
            "before": {"Phone": null, "Title": "Clerk", "Fax": "1"},
            "written": {"Phone": "22", "Title": "Director", "Fax": "2"},
        }))
        .unwrap();
        let stands = json!({"Phone": "22", "Title": "Partner", "Fax": "1"});
        let given = |values: Value, whole: bool| Back {
            values: serde_json::from_value(values).unwrap(),
            whole,
        };
        assert_eq!(
            back(&image, &stands, described, false),
            given(json!({"Phone": null}), false)
        );
        assert_eq!(
            back(&image, &stands, described, true),
            given(json!({"Phone": null, "Title": "Clerk"}), true),
            "by force"
        );
    }
}
