//! What hangs on drafts: the categories that they stand in, their files. Both are known by what they say, so that sending them
//! again changes nothing.

use deskferry_core::error::Result;
use deskferry_core::model::Visibility;
use serde_json::{Value, json};

use super::Standing;
use crate::load::Run;
use crate::mapping::build::Fields;

const SELECTION: &str = "Knowledge__DataCategorySelection";
const LINK: &str = "ContentDocumentLink";

/// Puts articles into their categories.
pub(super) async fn select(run: &Run<'_>, standing: &mut [Standing<'_>]) -> Result<()> {
    let rows = |article: &Standing<'_>| {
        let select = |(group, name): &(String, String)| {
            row(
                json!({"ParentId": article.master, "DataCategoryGroupName": group, "DataCategoryName": name}),
            )
        };
        article.plan.categories.iter().map(select).collect()
    };
    add(run, SELECTION, standing, rows).await
}

/// Hangs files on articles. Who may read the article may read its files.
pub(super) async fn link(run: &Run<'_>, standing: &mut [Standing<'_>]) -> Result<()> {
    let rows = |article: &Standing<'_>| {
        let outside = article.plan.article.visibility.is != Visibility::Internal;
        let visibility = if outside { "AllUsers" } else { "InternalUsers" };
        let link = |document: &String| {
            row(json!({
                "ContentDocumentId": document, "LinkedEntityId": article.master, "ShareType": "V", "Visibility": visibility,
            }))
        };
        article.plan.documents.iter().map(link).collect()
    };
    add(run, LINK, standing, rows).await
}

fn row(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

/// Adds what drafts should have; those that were published had it before.
async fn add(
    run: &Run<'_>,
    object: &'static str,
    standing: &mut [Standing<'_>],
    rows_of: impl Fn(&Standing<'_>) -> Vec<Fields>,
) -> Result<()> {
    let (mut rows, mut owners) = (Vec::new(), Vec::new());
    for (at, article) in standing.iter().enumerate() {
        if !article.draft || article.refused.is_some() {
            continue;
        }
        for row in rows_of(article) {
            rows.push(row);
            owners.push(at);
        }
    }
    let answers = run.api.put(run.cx, object, rows, false).await?;
    for (at, answer) in owners.into_iter().zip(answers) {
        if let Some(refusal) = answer {
            standing[at].refuse(refusal);
        }
    }
    Ok(())
}
