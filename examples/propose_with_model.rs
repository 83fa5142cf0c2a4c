//! The program with a language model that proposes lines for the mapping, behind any address that speaks the common
//! chat-completions protocol. Off unless `MODEL_URL` is set. It sees names, types and shapes, and no contents of records unless
//! the configuration says `proposer_sees = "values"`; what it answers is checked, and nothing counts until a person took it over.
//!
//! ```text
//! MODEL_URL=http://127.0.0.1:8000/v1/ MODEL=any MODEL_KEY=… cargo run --example propose_with_model -- plan --workspace DIR
//! ```

use std::process::ExitCode;

use async_trait::async_trait;
use deskferry::cli::{self, App};
use deskferry::core::http::{Client, Request, SecretString};
use deskferry::core::proposing::{ByName, Proposed, Proposer, Question};
use deskferry::{Context, Error, Result};
use serde_json::{Value, json};

const ASK: &str = "You map custom fields of a helpdesk to fields of a target. Answer with one JSON object only: \
{\"fields\": [{\"of\", \"field\", \"object\", \"place\": {\"field\": NAME} or {\"new\": {\"name\", \"label\", \"holds\", \
\"values\"}} or \"kept\", \"confidence\": 0 to 100, \"reason\"}], \"values\": [{\"object\", \"field\", \"meaning\", \
\"becomes\", \"confidence\", \"reason\"}]}. Use names of the question only; a new name ends in __c.";

struct Model {
    client: Client,
    name: String,
    key: SecretString,
}

#[async_trait]
impl Proposer for Model {
    fn name(&self) -> &str {
        &self.name
    }

    // `is_elsewhere` stays true: then the question has no values of records in it.

    async fn propose(&self, cx: &Context, question: &Question) -> Result<Proposed> {
        const DOING: &str = "ask the model";
        let asked = serde_json::to_string(question);
        let asked = asked.map_err(|e| Error::bug(DOING, e.to_string()))?;
        let body = json!({"model": self.name, "temperature": 0, "messages": [
            {"role": "system", "content": ASK}, {"role": "user", "content": asked}]});
        let request = Request::post("completions", "chat/completions").json(&body);
        let request = request.secret_header("authorization", self.key.clone());
        let answer: Value = self.client.send(cx, request).await?.json(DOING)?;
        let said = &answer["choices"][0]["message"]["content"];
        let said = said.as_str().unwrap_or_default();
        // Models like to put fences around it.
        let (from, to) = (said.find('{'), said.rfind('}'));
        let json = said.get(from.unwrap_or(0)..to.map_or(0, |n| n + 1));
        serde_json::from_str(json.unwrap_or_default())
            .map_err(|e| Error::decode(DOING, "$.choices[0]", e))
    }
}

fn main() -> ExitCode {
    let app = App::new(cli::kayako(), cli::salesforce());
    let told = |name: &str| std::env::var(name).unwrap_or_default();
    if told("MODEL_URL").is_empty() {
        return app.proposer(ByName).main();
    }
    match Client::builder("model", &told("MODEL_URL")).build() {
        Ok(client) => app
            .proposer(Model {
                client,
                name: told("MODEL"),
                key: SecretString::new(format!("Bearer {}", told("MODEL_KEY"))),
            })
            .main(),
        Err(error) => {
            tracing::error!(%error, "no model");
            ExitCode::from(2)
        }
    }
}
