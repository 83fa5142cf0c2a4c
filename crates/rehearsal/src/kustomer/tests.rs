use serde_json::{Value, json};

use super::*;
use crate::world::WorldSpec;

async fn desk(make: impl FnOnce(&mut KustomerOptions)) -> Kustomer {
    let mut options = KustomerOptions {
        content: Content::Made(WorldSpec::new(1, 60)),
        ..KustomerOptions::default()
    };
    make(&mut options);
    Kustomer::start(options).await.unwrap()
}

async fn get(desk: &Kustomer, path: &str) -> (u16, Value) {
    let client = reqwest::Client::new();
    let request = client
        .get(format!("{}{path}", desk.url()))
        .bearer_auth("rehearsal-key");
    let answer = request.send().await.unwrap();
    (
        answer.status().as_u16(),
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null),
    )
}

async fn search(desk: &Kustomer, path: &str, body: Value) -> (u16, Value) {
    let client = reqwest::Client::new();
    let request = client
        .post(format!("{}/v1/customers/{path}", desk.url()))
        .bearer_auth("rehearsal-key")
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    (
        answer.status().as_u16(),
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null),
    )
}

fn ascending(context: &str) -> Value {
    json!({"queryContext": context, "and": [], "sort": [{format!("{context}_updated_at"): "asc"}]})
}

#[tokio::test]
async fn the_two_indexes_share_what_there_is_by_age() {
    let desk = desk(|_| {}).await;
    for context in ["customer", "company", "conversation", "message"] {
        let (_, young) = search(&desk, "search?pageSize=1", ascending(context)).await;
        let (_, old) = search(&desk, "archive/search?pageSize=1", ascending(context)).await;
        let total = |answer: &Value| answer["meta"]["total"].as_u64().unwrap();
        let mut whole = ascending(context);
        whole["includeDeleted"] = true.into();
        let there = desk.count(Context::from_name(context).unwrap());
        let hidden = there - total(&young) - total(&old);
        assert!(hidden <= 5, "{context}: {hidden} of {there}");
        if context == "conversation" {
            assert!(total(&young) > 10 && total(&old) > 10);
        }
    }
    let (status, _) = search(&desk, "archive/search", ascending("note")).await;
    assert_eq!(status, 400, "the archive knows no notes");
}

#[tokio::test]
async fn a_search_shows_its_rows_in_order_and_none_beyond_its_cap() {
    let desk = desk(|options| options.most_hits = 40).await;
    let (_, page) = search(
        &desk,
        "archive/search?pageSize=20&page=2",
        ascending("customer"),
    )
    .await;
    let times: Vec<&str> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["attributes"]["updatedAt"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted() && times.len() == 20, "{times:?}");
    assert!(
        page["links"]["next"].as_str().unwrap().contains("page=3"),
        "the cap is not told"
    );
    let (status, answer) = search(
        &desk,
        "archive/search?pageSize=20&page=3",
        ascending("customer"),
    )
    .await;
    assert_eq!(
        (status, &answer["errors"][0]["code"]),
        (400, &json!("badparam"))
    );
    let (status, _) = search(
        &desk,
        "search",
        json!({"queryContext": "customer", "limit": 3}),
    )
    .await;
    assert_eq!(status, 400, "an unknown key is refused");
}

#[tokio::test]
async fn links_to_bytes_refuse_credentials_and_die() {
    let desk = desk(|_| {}).await;
    let (message, file) = desk
        .world()
        .conversations()
        .flat_map(|c| c.messages.clone())
        .find_map(|m| m.files.first().map(|f| (m.id, f.id)))
        .unwrap();
    let path = format!(
        "/v1/messages/{}/attachments/{}",
        ids::id(Of::Message, message),
        ids::id(Of::Attachment, file)
    );
    let (_, answer) = get(&desk, &path).await;
    let link = answer["data"]["links"]["related"]
        .as_str()
        .unwrap()
        .to_owned();
    let size = answer["data"]["attributes"]["contentLength"]
        .as_u64()
        .unwrap();
    let plain = reqwest::get(&link).await.unwrap();
    assert_eq!(plain.bytes().await.unwrap().len() as u64, size);
    let dressed = reqwest::Client::new()
        .get(&link)
        .bearer_auth("rehearsal-key");
    assert_eq!(dressed.send().await.unwrap().status(), 400);
    desk.expire_links();
    assert_eq!(reqwest::get(&link).await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_key_reads_what_its_roles_allow() {
    let desk = desk(|options| options.roles = vec!["org.permission.user.read".to_owned()]).await;
    assert_eq!(get(&desk, "/v1/users").await.0, 200);
    assert_eq!(get(&desk, "/v1/metadata/customer").await.0, 403);
    assert_eq!(search(&desk, "search", ascending("customer")).await.0, 403);
    let roles = get(&desk, "/v1/auth/tokens/current").await.1;
    assert_eq!(
        roles["data"]["attributes"]["roles"],
        json!(["org.permission.user.read"])
    );
}

#[tokio::test]
async fn both_limits_are_told_and_kept() {
    let limit = RateLimit {
        requests: 5,
        searches: 2,
        window: Duration::from_secs(60),
    };
    let desk = desk(|options| options.rate_limit = Some(limit)).await;
    let client = reqwest::Client::new();
    let ask = |search: bool| {
        let request = match search {
            true => client
                .post(format!("{}/v1/customers/search", desk.url()))
                .body(ascending("customer").to_string()),
            false => client.get(format!("{}/v1/teams", desk.url())),
        };
        request.bearer_auth("rehearsal-key").send()
    };
    let mut seen = Vec::new();
    for search in [true, true, true, false, false, false, false] {
        let answer = ask(search).await.unwrap();
        let left = answer.headers()["x-ratelimit-remaining"].to_str().unwrap();
        seen.push((answer.status().as_u16(), left.parse::<u32>().unwrap()));
    }
    let expected = [
        (200, 4),
        (200, 3),
        (429, 3),
        (200, 2),
        (200, 1),
        (200, 0),
        (429, 0),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_deleted_conversation_is_gone_but_for_a_search_that_asks_for_it() {
    let desk = desk(|_| {}).await;
    let at = KustomerOptions::default().now;
    desk.delete(3, at).unwrap();
    let id = ids::id(Of::Conversation, 3);
    assert_eq!(get(&desk, &format!("/v1/conversations/{id}")).await.0, 404);
    let found = |answer: &Value| {
        let rows = answer["data"].as_array().unwrap().clone();
        rows.iter().any(|row| row["id"] == json!(id))
    };
    let mut asked = ascending("conversation");
    assert!(!found(
        &search(&desk, "search?pageSize=500", asked.clone()).await.1
    ));
    asked["includeDeleted"] = true.into();
    assert!(found(&search(&desk, "search?pageSize=500", asked).await.1));
}
