//! Texts in other languages: the org makes drafts of them when the main text is submitted for translation; these get their
//! own words.

use std::collections::HashMap;

use deskferry_core::error::Result;
use deskferry_core::journal::{EffectState, Operation};
use serde_json::{Value, json};

use super::{OBJECT, Standing, Text};
use crate::client::error::Refusal;
use crate::load::Run;
use crate::mapping::build::Fields;
use crate::schema::FieldKind;

/// Versions in other languages by article and language, with their status.
type Versions = HashMap<(String, String), (String, String)>;

/// Makes the texts in other languages of articles whose main text stands.
pub(super) async fn make(run: &Run<'_>, standing: &mut [Standing<'_>]) -> Result<()> {
    let lacking = |article: &Standing<'_>| article.versions.iter().any(Option::is_none);
    let articles: Vec<String> = standing
        .iter()
        .filter(|article| lacking(article))
        .map(|article| article.article.clone())
        .collect();
    if articles.is_empty() {
        return Ok(());
    }
    let mut known = versions(run, &articles).await?;
    let said = submit(run, standing, &known).await?;
    if said.is_some() {
        known = versions(run, &articles).await?;
    }
    let said = said.flatten();
    write_words(run, standing, &known, said).await
}

async fn versions(run: &Run<'_>, articles: &[String]) -> Result<Versions> {
    let select = "SELECT Id, KnowledgeArticleId, Language, PublishStatus FROM Knowledge__kav WHERE IsMasterLanguage = false AND \
                  PublishStatus IN ('Draft', 'Online') AND KnowledgeArticleId IN";
    let rows = run.api.query_in(run.cx, select, articles).await?;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let one = |row: &Value| {
        let place = (text(row, "KnowledgeArticleId"), text(row, "Language"));
        (place, (text(row, "Id"), text(row, "PublishStatus")))
    };
    Ok(rows.iter().map(one).collect())
}

/// Submits what has no version yet. Answers nothing where nothing lacks, else the first thing that was said against it.
async fn submit(
    run: &Run<'_>,
    standing: &[Standing<'_>],
    known: &Versions,
) -> Result<Option<Option<String>>> {
    let mut inputs = Vec::new();
    for article in standing {
        for text in &article.plan.texts[1..] {
            let place = (article.article.clone(), text.language.clone());
            let stands = article.versions[text.n as usize].is_some();
            if !stands && !known.contains_key(&place) {
                inputs.push(json!({
                    "articleId": article.article, "language": text.language, "assigneeId": run.org.me(),
                }));
            }
        }
    }
    if inputs.is_empty() {
        return Ok(None);
    }
    let answers = run
        .api
        .act(run.cx, "submitKnowledgeArticleForTranslation", &inputs)
        .await?;
    let said = answers.iter().flatten().find_map(|answer| {
        let error = answer["errors"].as_array()?.first()?;
        error["message"].as_str().map(str::to_owned)
    });
    Ok(Some(said))
}

/// Gives drafts their own words, and settles them.
async fn write_words(
    run: &Run<'_>,
    standing: &mut [Standing<'_>],
    known: &Versions,
    said: Option<String>,
) -> Result<()> {
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    for (at, article) in standing.iter_mut().enumerate() {
        for n in 1..article.plan.texts.len() {
            if article.versions[n].is_some() {
                continue;
            }
            let text = &article.plan.texts[n];
            let place = (article.article.clone(), text.language.clone());
            match known.get(&place) {
                Some((id, status)) if status == "Draft" => {
                    rows.push(words(run, text, id)?);
                    places.push((at, n, id.clone()));
                }
                // Its words were written before it was published.
                Some((id, _)) => article.versions[n] = Some(id.clone()),
                None => {
                    let language = text.language.clone();
                    article.refuse(refused(said.clone(), &language));
                }
            }
        }
    }
    let answers = run.api.put(run.cx, OBJECT, rows, true).await?;
    let mut effects = Vec::new();
    for ((at, n, id), answer) in places.into_iter().zip(answers) {
        let article = &mut standing[at];
        match answer {
            Some(refusal) => article.refuse(refusal),
            None => {
                let text = &article.plan.texts[n];
                let row = run.outgoing(article.loaded, text.n, OBJECT, text.fields.clone());
                let state = EffectState::Confirmed { id: id.clone() };
                effects.push(row.effect(Operation::Insert, state));
                article.versions[n] = Some(id);
            }
        }
    }
    run.settle(effects).await
}

fn refused(said: Option<String>, language: &str) -> Refusal {
    let why = said.unwrap_or_else(|| "the org made no draft".to_owned());
    Refusal {
        code: "TRANSLATION_REFUSED".into(),
        message: format!("its text in {language}: {why}"),
        fields: Vec::new(),
    }
}

/// The row that makes a draft say its own words: what the main text alone has is taken away.
fn words(run: &Run<'_>, text: &Text<'_>, id: &str) -> Result<Fields> {
    let object = run.org.object(OBJECT)?;
    let mut row = Fields::new();
    for line in &run.lines(OBJECT)?.lines {
        let Some(field) = object.field(&line.field).filter(|field| field.updateable) else {
            continue;
        };
        let value = match text.fields.get(&line.field) {
            Some(value) => value.clone(),
            None if field.holds == FieldKind::Checkbox => Value::Bool(false),
            None => Value::Null,
        };
        row.insert(line.field.clone(), value);
    }
    row.insert("Id".into(), id.into());
    Ok(row)
}
