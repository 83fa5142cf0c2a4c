use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::world::{ConversationState, WorldSpec};

fn options(conversations: u64) -> TrengoOptions {
    TrengoOptions {
        content: Content::Made(WorldSpec::new(5, conversations)),
        ..TrengoOptions::default()
    }
}

async fn ask(trengo: &Trengo, path: &str) -> reqwest::Response {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let request = client
        .get(format!("{}/api/v2/{path}", trengo.url()))
        .bearer_auth(TOKEN)
        .header("Accept", "application/json");
    request.send().await.unwrap()
}

async fn get(trengo: &Trengo, path: &str) -> Value {
    let answer = ask(trengo, path).await;
    assert_eq!(answer.status(), 200, "{path}");
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

fn ids(page: &Value) -> Vec<u64> {
    let rows = page["data"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn lists_have_two_envelopes_or_none_and_end_in_an_empty_page() {
    let trengo = Trengo::start(options(60)).await.unwrap();
    let tickets = get(&trengo, "tickets").await;
    assert_eq!(ids(&tickets).len(), 25);
    assert!(tickets["meta"].get("total").is_none() && tickets["links"]["last"].is_null());
    // Links name the older host.
    assert!(
        tickets["links"]["next"]
            .as_str()
            .unwrap()
            .starts_with("https://app.trengo.eu/")
    );
    let users = get(&trengo, "users").await;
    assert_eq!(
        (
            users["meta"]["last_page"].as_u64(),
            users["meta"]["total"].as_u64()
        ),
        (Some(1), Some(10))
    );
    assert!(get(&trengo, "contact_groups").await.is_array());
    let beyond = get(&trengo, "tickets?page=99").await;
    assert_eq!(ids(&beyond), Vec::<u64>::new());
    assert!(
        get(&trengo, "tickets/1").await.get("data").is_none(),
        "bare"
    );
    trengo.stop().await;
}

#[tokio::test]
async fn messages_come_newest_first_and_twenty_at_a_time() {
    let trengo = Trengo::start(options(300)).await.unwrap();
    let many = trengo
        .world()
        .conversations()
        .max_by_key(|talk| talk.messages.len())
        .unwrap();
    let (id, count) = (many.id, many.messages.len());
    let first = get(&trengo, &format!("tickets/{id}/messages")).await;
    assert_eq!(ids(&first).len(), 20);
    let newest = many.messages.iter().map(|message| message.id).max();
    assert_eq!(ids(&first).first().copied(), newest);
    let last = count.div_ceil(20);
    let oldest = get(&trengo, &format!("tickets/{id}/messages?page={last}")).await;
    assert_eq!(
        ids(&oldest).last().copied(),
        many.messages.iter().map(|m| m.id).min()
    );
    assert!(oldest["links"]["next"].is_null());
    trengo.stop().await;
}

#[tokio::test]
async fn a_filter_that_nobody_knows_changes_nothing_and_spam_shows_only_by_name() {
    let trengo = Trengo::start(options(60)).await.unwrap();
    let all = get(&trengo, "tickets").await;
    assert_eq!(ids(&get(&trengo, "tickets?channel_id=2").await), ids(&all));
    let of_one = get(&trengo, "tickets?channels%5B%5D=2").await;
    let rows = of_one["data"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["channel"]["id"] == 2));
    let spam = ids(&get(&trengo, "tickets?status=INVALID").await);
    let suspended = trengo.world().conversations();
    let suspended = suspended.filter(|talk| talk.state == ConversationState::Suspended);
    assert_eq!(spam.len(), suspended.count());
    let mut listed = Vec::new();
    for page in 1..=3 {
        listed.extend(ids(&get(&trengo, &format!("tickets?page={page}")).await));
    }
    assert!(spam.iter().all(|id| !listed.contains(id)));
    let now = chrono::Utc::now().format("%Y-%m-%d");
    assert!(
        ids(&get(&trengo, &format!("tickets?updated_at_gt={now}%2000:00:00")).await).is_empty()
    );
    trengo.touch(3).unwrap();
    let changed = ids(&get(&trengo, &format!("tickets?updated_at_gt={now}%2000:00:00")).await);
    assert_eq!(changed, [3]);
    assert_eq!(ids(&get(&trengo, "tickets").await)[0], 3);
    assert_eq!(ask(&trengo, "tickets?status=PENDING").await.status(), 422);
    trengo.stop().await;
}

#[tokio::test]
async fn times_are_what_the_clock_on_the_wall_shows() {
    let trengo = Trengo::start(options(60)).await.unwrap();
    let ticket = get(&trengo, "tickets/1").await;
    let talk = trengo.world().conversation_by_id(1).unwrap();
    assert_eq!(ticket["created_at"], clock::written(talk.created));
    assert_ne!(
        ticket["created_at"],
        talk.created.format("%Y-%m-%d %H:%M:%S").to_string()
    );
    trengo.stop().await;
}

#[tokio::test]
async fn the_limit_is_told_with_every_answer_and_refusals_say_when_to_come_back() {
    for html in [false, true] {
        let mut options = options(5);
        options.rate_limit = Some(RateLimit {
            requests: 2,
            window: Duration::from_secs(60),
            retry_after: !html,
            html,
        });
        let trengo = Trengo::start(options).await.unwrap();
        let first = ask(&trengo, "users").await;
        assert_eq!(first.headers()["x-ratelimit-limit"], "2");
        assert_eq!(first.headers()["x-ratelimit-remaining"], "1");
        assert!(first.headers().get("x-ratelimit-reset").is_none());
        ask(&trengo, "users").await;
        let refused = ask(&trengo, "users").await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers().contains_key("retry-after"), !html);
        let reset: i64 = refused.headers()["x-ratelimit-reset"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(reset > chrono::Utc::now().timestamp());
        assert_eq!(refused.text().await.unwrap().contains("<html>"), html);
        trengo.stop().await;
    }
}

#[tokio::test]
async fn wrong_tokens_wrong_heads_and_wrong_ways_are_refused_as_the_framework_does() {
    let trengo = Trengo::start(options(5)).await.unwrap();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let url = format!("{}/api/v2/users", trengo.url());
    let with = |token: &str, accept: &str| {
        client
            .get(&url)
            .bearer_auth(token)
            .header("Accept", accept)
            .send()
    };
    assert_eq!(
        with("wrong", "application/json").await.unwrap().status(),
        401
    );
    assert_eq!(with(TOKEN, "text/html").await.unwrap().status(), 302);
    let notes = ask(&trengo, "tickets/1/notes").await;
    assert_eq!(notes.status(), 405);
    assert!(notes.text().await.unwrap().contains("<html>"));
    trengo.replace_token("other");
    assert_eq!(with(TOKEN, "application/json").await.unwrap().status(), 401);
    assert_eq!(
        with("other", "application/json").await.unwrap().status(),
        200
    );
    trengo.stop().await;
}

#[tokio::test]
async fn a_merged_ticket_is_gone_and_the_other_one_has_its_messages_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(12);
    options.folder = Some(folder.path().to_owned());
    let trengo = Trengo::start(options.clone()).await.unwrap();
    let moved: Vec<u64> = {
        let talk = trengo.world().conversation_by_id(1).unwrap();
        talk.messages.iter().map(|message| message.id).collect()
    };
    trengo.merge(1, 4).unwrap();
    trengo.stop().await;
    let trengo = Trengo::start(options).await.unwrap();
    assert_eq!(ask(&trengo, "tickets/1").await.status(), 404);
    assert_eq!(ask(&trengo, "tickets/1/messages").await.status(), 404);
    let survivor = ids(&get(&trengo, "tickets/4/messages").await);
    assert!(moved.iter().all(|id| survivor.contains(id)));
    let reported = get(&trengo, "reporting/details/ticket?start_after_ticket_id=0").await;
    let rows = reported["data"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["ticket_id"] != 1));
    trengo.stop().await;
}

#[tokio::test]
async fn a_long_mail_is_shortened_in_the_list_and_whole_alone() {
    let trengo = Trengo::start(options(12)).await.unwrap();
    let talk = trengo.world().conversation_by_id(1).unwrap();
    let answer = talk
        .messages
        .iter()
        .find(|message| held::is_collapsed(message))
        .unwrap();
    let list = get(&trengo, "tickets/1/messages").await;
    let row = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == answer.id)
        .unwrap();
    assert_eq!(row["email_message"]["collapsed"], true);
    let whole = get(&trengo, &format!("tickets/1/email_messages/{}", answer.id)).await;
    let html = whole["html"].as_str().unwrap();
    assert!(html.len() > row["message"].as_str().unwrap().len());
    assert!(whole["text"].is_string());
    trengo.stop().await;
}
