//! The last step of articles: links between them are rewritten while they are drafts, then each is published as its source
//! says. Nothing here needs the ledger: what was done shows in the org, and is not done again.

use std::collections::HashMap;

use deskferry_core::error::Result;
use deskferry_core::model::{ArticleState, Named};
use deskferry_core::sink::{Outcome, Verdict};
use serde_json::{Value, json};

use super::links::{Addresses, Link, linked, may_come};
use super::{OBJECT, Place, Standing, body, status};
use crate::load::Run;
use crate::mapping::build::Fields;
use crate::mapping::html::replace_links;

/// How many versions one action names, and how many bodies are read back at once.
const AT_ONCE: usize = 100;
/// How often a step is tried whose answer was lost.
const TRIES: usize = 3;

/// An article whose drafts are whole.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    place: Place,
    texts: Vec<WaitingText>,
}

#[derive(Debug, Clone)]
struct WaitingText {
    id: String,
    language: String,
    /// Where it is to stand.
    wanted: &'static str,
    links: Vec<Link>,
}

impl Waiting {
    pub(super) fn of(run: &Run<'_>, standing: &Standing<'_>) -> Self {
        let plan = &standing.plan;
        let main: &Named<ArticleState> = &plan.texts[0].text.state;
        let texts = plan.texts.iter().zip(&standing.versions);
        let texts = texts.filter_map(|(text, id)| {
            let how = run.mapping.articles()?;
            Some(WaitingText {
                id: id.clone()?,
                language: text.language.clone(),
                wanted: status(main, &text.text.state),
                links: linked(how, plan.article, text.text),
            })
        });
        Self {
            place: (standing.loaded.id, standing.loaded.part),
            texts: texts.collect(),
        }
    }

    fn links(&self) -> impl Iterator<Item = &Link> {
        self.texts.iter().flat_map(|text| &text.links)
    }
}

/// Parts those that link to nothing which is still to come from those that do.
pub(super) async fn ready(
    run: &Run<'_>,
    waiting: Vec<Waiting>,
) -> Result<(Vec<Waiting>, Vec<Waiting>)> {
    let keys = waiting.iter().flat_map(Waiting::links).map(|(_, key)| key);
    let known = run.look(keys).await?;
    let comes = |one: &Waiting| one.links().any(|(_, key)| may_come(known.get(key)));
    let (later, ready) = waiting.into_iter().partition(comes);
    Ok((ready, later))
}

/// Publishes articles whose drafts are whole.
pub(crate) async fn publish(run: &Run<'_>, articles: Vec<Waiting>) -> Result<Vec<Outcome>> {
    if articles.is_empty() {
        return Ok(Vec::new());
    }
    let mut missed: HashMap<String, String> = HashMap::new();
    let found = statuses(run, &articles).await?;
    rewrite(run, &articles, &found, &mut missed).await?;
    let shown = |text: &&WaitingText| text.wanted != "Draft" && !missed.contains_key(&text.id);
    let of = |main: bool, wanted: &str| -> Vec<String> {
        let texts = articles.iter().flat_map(move |article| {
            let split = article.texts.len().min(1);
            if main {
                &article.texts[..split]
            } else {
                &article.texts[split..]
            }
        });
        let texts = texts
            .filter(shown)
            .filter(|text| wanted.is_empty() || text.wanted == wanted);
        texts.map(|text| text.id.clone()).collect()
    };
    let steps = [
        (
            PUBLISH,
            of(true, ""),
            "Draft",
            json!({"pubAction": "PUBLISH_ARTICLE"}),
        ),
        (
            PUBLISH,
            of(false, ""),
            "Draft",
            json!({"pubAction": "PUBLISH_TRANSLATION"}),
        ),
        // Translations before their main text, which would take them along.
        (ARCHIVE, of(false, "Archived"), "Online", json!({})),
        (ARCHIVE, of(true, "Archived"), "Online", json!({})),
    ];
    for (action, ids, from, input) in steps {
        step(run, action, ids, from, input, &mut missed).await?;
    }
    let verdict = |article: &Waiting| {
        let said = article.texts.iter().find_map(|text| missed.get(&text.id));
        said.map_or(Verdict::Created, |said| {
            Verdict::failed("NOT_PUBLISHED", said.clone())
        })
    };
    Ok(articles
        .iter()
        .map(|article| Outcome {
            record: article.place.0,
            part: article.place.1,
            verdict: verdict(article),
        })
        .collect())
}

const PUBLISH: &str = "publishKnowledgeArticles";
const ARCHIVE: &str = "archiveKnowledgeArticles";

/// Where versions stand.
async fn statuses(run: &Run<'_>, articles: &[Waiting]) -> Result<HashMap<String, String>> {
    let texts = articles.iter().flat_map(|article| &article.texts);
    let ids: Vec<String> = texts.map(|text| text.id.clone()).collect();
    standing(run, &ids).await
}

pub(crate) async fn standing(run: &Run<'_>, ids: &[String]) -> Result<HashMap<String, String>> {
    let select = "SELECT Id, PublishStatus FROM Knowledge__kav WHERE Id IN";
    let rows = run.api.query_in(run.cx, select, ids).await?;
    let one = |row: &Value| {
        Some((
            row["Id"].as_str()?.to_owned(),
            row["PublishStatus"].as_str()?.to_owned(),
        ))
    };
    Ok(rows.iter().filter_map(one).collect())
}

/// Takes versions that stand in one status a step on.
async fn step(
    run: &Run<'_>,
    action: &'static str,
    mut open: Vec<String>,
    from: &str,
    input: Value,
    missed: &mut HashMap<String, String>,
) -> Result<()> {
    for attempt in 0..TRIES {
        if open.is_empty() {
            return Ok(());
        }
        let found = standing(run, &open).await?;
        open.retain(|id| found.get(id).is_some_and(|status| status == from));
        let mut lost = Vec::new();
        for ids in open.chunks(AT_ONCE) {
            let mut input = input.clone();
            input["articleVersionIdList"] = json!(ids);
            let Some(answers) = run.api.act(run.cx, action, &[input]).await? else {
                lost.extend(ids.iter().cloned());
                continue;
            };
            for id in ids {
                if let Some(said) = said_of(&answers, id) {
                    missed.insert(id.clone(), said);
                }
            }
        }
        if lost.is_empty() || attempt + 1 == TRIES {
            let unknown = || "the answer was lost; run `resume`".to_owned();
            missed.extend(lost.into_iter().map(|id| (id, unknown())));
            return Ok(());
        }
        open = lost;
    }
    Ok(())
}

/// What an action says against a version; nothing where it did it. What is not answered was not done.
fn said_of(answers: &[Value], id: &str) -> Option<String> {
    let short = id.get(..15).unwrap_or(id);
    let mut told = answers
        .iter()
        .filter_map(|answer| answer["outputValues"].as_object());
    let told = told.find_map(|values| values.get(short).or_else(|| values.get(id)));
    match told.and_then(Value::as_str) {
        Some("Success") => None,
        Some(said) => Some(said.to_owned()),
        None => {
            let said = answers
                .iter()
                .find_map(|answer| answer["errors"][0]["message"].as_str());
            Some(
                said.unwrap_or("the org did not say what became of it")
                    .to_owned(),
            )
        }
    }
}

/// Gives the links of drafts their new addresses.
async fn rewrite(
    run: &Run<'_>,
    articles: &[Waiting],
    found: &HashMap<String, String>,
    missed: &mut HashMap<String, String>,
) -> Result<()> {
    let (Some(how), Some(body)) = (run.mapping.articles(), body(run.lines(OBJECT)?)) else {
        return Ok(());
    };
    let addresses = Addresses::of(run, articles.iter().flat_map(Waiting::links)).await?;
    let is_draft = |text: &&WaitingText| found.get(&text.id).is_some_and(|s| s == "Draft");
    let texts = articles
        .iter()
        .flat_map(|article| &article.texts)
        .filter(is_draft);
    let changed: Vec<(&WaitingText, HashMap<&str, String>)> = texts
        .map(|text| {
            (
                text,
                addresses.of_text(how, &text.links, &text.language, None),
            )
        })
        .filter(|(_, addresses)| !addresses.is_empty())
        .collect();
    for some in changed.chunks(AT_ONCE) {
        let ids: Vec<String> = some.iter().map(|(text, _)| text.id.clone()).collect();
        let stands = run
            .api
            .retrieve(run.cx, OBJECT, &ids, &["Id", body], AT_ONCE)
            .await?;
        let mut rows = Vec::new();
        for ((text, addresses), row) in some.iter().zip(stands) {
            let html = row
                .as_ref()
                .and_then(|row| row[body].as_str())
                .unwrap_or_default();
            if let Some(html) = replace_links(html, addresses) {
                let mut row = Fields::new();
                row.insert("Id".into(), text.id.clone().into());
                row.insert(body.to_owned(), html.into());
                rows.push(row);
            }
        }
        let ids: Vec<String> = rows
            .iter()
            .map(|row| row["Id"].as_str().unwrap_or_default().to_owned())
            .collect();
        let answers = run.api.put(run.cx, OBJECT, rows, true).await?;
        for (id, answer) in ids.into_iter().zip(answers) {
            if let Some(refusal) = answer {
                missed.insert(id, format!("its links: {}", refusal.message));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_action_does_not_say_was_done_was_not() {
        let id = "ka0000000000001AAA";
        for (answer, said) in [
            (
                json!([{"outputValues": {"ka0000000000001": "Success"}, "errors": null}]),
                None,
            ),
            (
                json!([{"outputValues": {"ka0000000000001AAA": "Success"}}]),
                None,
            ),
            (
                json!([{"outputValues": {"ka0000000000001": "No"}}]),
                Some("No"),
            ),
            (
                json!([{"outputValues": null, "errors": [{"message": "bad input"}]}]),
                Some("bad input"),
            ),
            (json!([]), Some("the org did not say what became of it")),
        ] {
            let answers = answer.as_array().unwrap();
            assert_eq!(said_of(answers, id).as_deref(), said, "{answer}");
        }
    }
}
