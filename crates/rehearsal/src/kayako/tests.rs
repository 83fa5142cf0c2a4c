use std::collections::{BTreeMap, BTreeSet};

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::*;
use crate::fault::{Action, Rule};
use crate::world::{ConversationState, MessageKind};

fn small() -> KayakoOptions {
    KayakoOptions {
        content: Content::Made(WorldSpec::new(1, 120)),
        ..KayakoOptions::default()
    }
}

async fn start(options: KayakoOptions) -> Kayako {
    Kayako::start(options).await.unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn get(kayako: &Kayako, path: &str) -> RequestBuilder {
    client().get(format!("{}{path}", kayako.url()))
}

async fn json(response: Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

async fn read(kayako: &Kayako, path: &str) -> Value {
    let response = get(kayako, &format!("/api/v1/{path}"))
        .basic_auth("admin@acme.example", Some("rehearsal"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{path}");
    json(response).await
}

async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = json(response).await;
    (
        status,
        body["errors"][0]["code"].as_str().unwrap_or("").to_owned(),
    )
}

fn with_basic(request: RequestBuilder) -> RequestBuilder {
    request.basic_auth("admin@acme.example", Some("rehearsal"))
}

#[tokio::test]
async fn without_credentials_it_tells_that_it_is_kayako_cloud() {
    let kayako = start(small()).await;
    let response = get(&kayako, "/api/v1/teams").send().await.unwrap();
    assert_eq!(response.headers()["x-api-version"], "1");
    assert!(
        response.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Basic realm=")
    );
    assert!(
        response.headers()["date-iso"]
            .to_str()
            .unwrap()
            .ends_with("+00:00")
    );
    assert_eq!(code(response).await, (401, "AUTHORIZATION_REQUIRED".into()));
}

#[tokio::test]
async fn an_unknown_instance_answers_490_in_html() {
    let kayako = start(KayakoOptions {
        exists: false,
        ..small()
    })
    .await;
    let response = get(&kayako, "/api/v1/teams").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 490);
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    assert!(response.headers().get("x-api-version").is_none());
}

#[tokio::test]
async fn a_login_opens_a_session_that_is_used_in_its_place() {
    let kayako = start(KayakoOptions {
        session_calls: Some(2),
        ..small()
    })
    .await;
    let login = with_basic(get(&kayako, "/api/v1/session.json"))
        .send()
        .await
        .unwrap();
    assert!(login.headers().contains_key("x-csrf-token"));
    let login = json(login).await;
    assert_eq!(login["data"]["instance_name"], "acme");
    let session = login["session_id"].as_str().unwrap().to_owned();
    let ask = || get(&kayako, "/api/v1/me").header("X-Session-ID", session.clone());

    let both = with_basic(ask()).send().await.unwrap();
    assert_eq!(code(both).await, (454, "SESSION_LOADING_FAILED".into()));
    for _ in 0..2 {
        let answer = json(ask().send().await.unwrap()).await;
        assert!(answer.get("session_id").is_none());
    }
    assert_eq!(
        code(ask().send().await.unwrap()).await,
        (454, "SESSION_LOADING_FAILED".into())
    );
    let differ = get(&kayako, "/api/v1/me?_session_id=other")
        .header("X-Session-ID", session.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(code(differ).await, (400, "PARAMETERS_INCONSISTENT".into()));

    let opted_out = with_basic(get(&kayako, "/api/v1/session"))
        .header("X-CSRF", "false")
        .send()
        .await
        .unwrap();
    assert!(!opted_out.headers().contains_key("x-csrf-token"));
}

#[tokio::test]
async fn a_session_that_was_logged_out_is_stale() {
    let kayako = start(KayakoOptions {
        stale_session: StaleSession::Status401,
        ..small()
    })
    .await;
    let session = read(&kayako, "session").await["session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let url = format!("{}/api/v1/session", kayako.url());
    let gone = client()
        .delete(url)
        .header("X-Session-ID", &session)
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 200);
    let after = get(&kayako, "/api/v1/me")
        .header("X-Session-ID", session)
        .send()
        .await
        .unwrap();
    assert_eq!(code(after).await, (401, "AUTHORIZATION_REQUIRED".into()));
}

#[tokio::test]
async fn wrong_passwords_lock_the_account() {
    let kayako = start(small()).await;
    let wrong = || {
        get(&kayako, "/api/v1/me")
            .basic_auth("admin@acme.example", Some("wrong"))
            .send()
    };
    for attempt in 1..=10 {
        let body = json(wrong().await.unwrap()).await;
        assert_eq!(body["errors"][0]["code"], "AUTHENTICATION_FAILED");
        assert!(
            body["notifications"][0]["message"]
                .as_str()
                .unwrap()
                .contains(&format!("{attempt}/10"))
        );
    }
    let locked = with_basic(get(&kayako, "/api/v1/me")).send().await.unwrap();
    assert_eq!(locked.headers()["retry-after"], "600");
    assert_eq!(code(locked).await, (429, "AUTHENTICATION_LOCKED".into()));
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_accepted() {
    let kayako = start(KayakoOptions {
        otp: Some("123456".into()),
        ..small()
    })
    .await;
    let first = with_basic(get(&kayako, "/api/v1/session"))
        .send()
        .await
        .unwrap();
    assert_eq!(first.status(), 403);
    let first = json(first).await;
    assert_eq!(first["errors"][0]["code"], "OTP_EXPECTED");
    let with = |otp: &str| {
        let token = first["auth_token"].as_str().unwrap();
        with_basic(get(&kayako, "/api/v1/session"))
            .header("X-Token", token)
            .header("X-OTP", otp)
            .send()
    };
    assert_eq!(with("123456").await.unwrap().status(), 200);
    assert_eq!(with("000000").await.unwrap().status(), 403);
}

#[tokio::test]
async fn an_expired_password_needs_a_person() {
    let kayako = start(KayakoOptions {
        password_expired: true,
        ..small()
    })
    .await;
    let answer = with_basic(get(&kayako, "/api/v1/session"))
        .send()
        .await
        .unwrap();
    assert_eq!(code(answer).await, (403, "CREDENTIAL_EXPIRED".into()));
}

#[tokio::test]
async fn lists_have_ten_rows_unless_asked_and_a_hundred_at_most() {
    let kayako = start(small()).await;
    let cases = [
        ("users", 10, 10),
        ("users?limit=3", 3, 3),
        ("users?limit=100", 70, 100),
        ("users?limit=1000", 70, 100),
        ("users?limit=50&offset=50", 20, 50),
        ("users?offset=999", 0, 10),
        ("cases?limit=100", 100, 100),
        ("teams.json", 4, 10),
    ];
    for (path, rows, limit) in cases {
        let page = read(&kayako, path).await;
        assert_eq!(page["data"].as_array().unwrap().len(), rows, "{path}");
        assert_eq!(page["limit"], limit, "{path}");
    }
    for path in [
        "users?limit=x",
        "users?limit=0",
        "cases?offset=-1",
        "cases?ids=a",
        "cases/1/posts?after_id=5",
    ] {
        let refused = with_basic(get(&kayako, &format!("/api/v1/{path}")))
            .send()
            .await
            .unwrap();
        assert_eq!(code(refused).await, (400, "FIELD_INVALID".into()), "{path}");
    }
    for path in [
        "users/99999",
        "cases/99999",
        "cases/99999/posts",
        "nothing",
        "cases/posts/1/email_original",
    ] {
        let missing = with_basic(get(&kayako, &format!("/api/v1/{path}")))
            .send()
            .await
            .unwrap();
        assert_eq!(
            code(missing).await,
            (404, "RESOURCE_NOT_FOUND".into()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn next_addresses_lead_through_the_whole_list_once() {
    let kayako = start(small()).await;
    for (path, total) in [
        ("cases?limit=7&fields=%2Btags", 116),
        ("users?limit=33", 70),
        ("organizations?limit=5", 12),
    ] {
        let mut seen = BTreeSet::new();
        let mut next = format!("{}/api/v1/{path}", kayako.url());
        loop {
            let answer = with_basic(client().get(&next)).send().await.unwrap();
            let link = answer
                .headers()
                .get("link")
                .map(|link| link.to_str().unwrap().to_owned());
            let page = json(answer).await;
            assert_eq!(page["total_count"], total, "{path}");
            for row in page["data"].as_array().unwrap() {
                assert!(seen.insert(row["id"].as_u64().unwrap()), "{path}: twice");
            }
            let Some(url) = page["next_url"].as_str() else {
                break;
            };
            assert_eq!(link, Some(format!("<{url}>; rel=\"next\"")));
            next = url.to_owned();
        }
        assert_eq!(seen.len(), total, "{path}");
    }
}

#[tokio::test]
async fn cases_come_last_changed_first_and_hidden_ones_not_at_all() {
    let kayako = start(small()).await;
    let first = read(&kayako, "cases?limit=100").await;
    let rows = first["data"].as_array().unwrap().clone();
    let second = read(&kayako, "cases?limit=100&offset=100").await;
    let all: Vec<_> = rows
        .iter()
        .chain(second["data"].as_array().unwrap())
        .collect();
    let times: Vec<_> = all
        .iter()
        .map(|case| case["updated_at"].as_str().unwrap())
        .collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]));
    let hidden: Vec<_> = kayako
        .world()
        .conversations()
        .filter(|c| c.state != ConversationState::Active)
        .map(|c| c.id)
        .collect();
    assert_eq!(hidden.len(), 4);
    assert!(
        all.iter()
            .all(|case| !hidden.contains(&case["id"].as_u64().unwrap()))
    );
    let by_id = read(&kayako, "cases?ids=3,5,33,999&limit=100").await;
    assert_eq!(by_id["total_count"], 2);
    let closed = read(
        &kayako,
        "cases?status=CLOSED,CUSTOM&include=case_status&limit=100",
    )
    .await;
    let kinds: BTreeSet<_> = closed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["status"]["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["CLOSED".to_owned(), "CUSTOM".to_owned()])
    );
}

#[tokio::test]
async fn a_changed_case_moves_to_the_top_and_a_vanished_one_is_gone() {
    let kayako = start(small()).await;
    kayako.touch(5).unwrap();
    assert_eq!(read(&kayako, "cases?limit=1").await["data"][0]["id"], 5);
    kayako.vanish(5).unwrap();
    assert_ne!(read(&kayako, "cases?limit=1").await["data"][0]["id"], 5);
    let gone = with_basic(get(&kayako, "/api/v1/cases/5/posts"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_new_post_is_shown_and_survives_a_restart_on_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let options = || KayakoOptions {
        folder: Some(folder.path().to_owned()),
        ..small()
    };
    let kayako = start(options()).await;
    let mut message = kayako.world().conversation_by_id(1).unwrap().messages[0].clone();
    message.id = 999_999_999;
    message.sent += chrono::Duration::days(2_000);
    kayako.add_post(1, message).unwrap();
    kayako.stop().await;
    let mut other = options();
    other.content = Content::Made(WorldSpec::new(99, 60));
    let kayako = start(other).await;
    assert_eq!(
        kayako.world().len(),
        120,
        "the folder decides what is served"
    );
    assert_eq!(read(&kayako, "cases?limit=1").await["data"][0]["id"], 1);
    assert_eq!(
        read(&kayako, "cases/1/posts").await["data"][0]["id"],
        999_999_999
    );
    let original = read(&kayako, "cases/posts/999999999/email_original").await;
    assert_eq!(original["data"]["id"], 999_999_999);
}

#[tokio::test]
async fn references_are_bare_unless_included_and_unknown_names_are_ignored() {
    let kayako = start(small()).await;
    let bare = read(&kayako, "cases/19?include=identify_phone,nonsense").await["data"].clone();
    for (pointer, keys) in [
        ("/requester", 2),
        ("/status", 2),
        ("/source_channel", 2),
        ("/custom_fields/0/field", 2),
    ] {
        let object = bare.pointer(pointer).unwrap().as_object().unwrap();
        assert_eq!(object.len(), keys, "{pointer}");
        assert!(object.contains_key("resource_type"));
    }
    assert!(
        bare["source_channel"].get("uuid").is_some() && bare["source_channel"].get("id").is_none()
    );
    assert!(bare.get("tags").is_none(), "tags are opt-in");
    let whole = read(
        &kayako,
        "cases/19?include=user,role,case_status,channel,case_field,field_option,locale_field",
    )
    .await["data"]
        .clone();
    assert_eq!(whole["requester"]["role"]["type"], "CUSTOMER");
    assert_eq!(whole["source_channel"]["type"], "MAIL");
    let values = &whole["custom_fields"][0]["field"]["options"][0]["values"];
    assert_eq!(
        values[1],
        serde_json::json!({
            "id": values[1]["id"], "locale": "en-us", "translation": "Grinder", "resource_type": "locale_field",
            "created_at": "2020-01-01T00:00:00+00:00", "updated_at": "2020-01-01T00:00:00+00:00",
        })
    );
    let tagged = read(&kayako, "cases/31?fields=%2Btags&include=tag").await["data"]["tags"].clone();
    assert!(
        tagged
            .as_array()
            .unwrap()
            .iter()
            .any(|tag| tag["name"] == "a|b")
    );
    assert!(
        read(&kayako, "cases/31?fields=+tags").await["data"]
            .get("tags")
            .is_none(),
        "a bare plus is a blank"
    );
    let only = read(&kayako, "cases/31?fields=subject").await["data"].clone();
    assert_eq!(
        only.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["id", "resource_type", "subject"]
    );
}

#[tokio::test]
async fn custom_values_are_texts_and_those_of_deleted_fields_remain() {
    let kayako = start(small()).await;
    let values = |case: Value| -> BTreeMap<u64, String> {
        let rows = case["data"]["custom_fields"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| {
                (
                    row["field"]["id"].as_u64().unwrap(),
                    row["value"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    };
    let set = values(read(&kayako, "cases/19").await);
    assert_eq!(set[&13], "113,111");
    assert_eq!(set[&14], "2020-02-29T00:00:00+00:00");
    assert_eq!(set[&16], "1234.567");
    assert!(["yes", "no"].contains(&set[&15].as_str()));
    let deleted = values(read(&kayako, "cases/20").await);
    assert_eq!(
        (
            deleted[&77].as_str(),
            deleted[&11].as_str(),
            deleted[&12].as_str()
        ),
        ("from an older time", "999", "")
    );
    let fields = read(&kayako, "cases/fields?limit=2").await;
    assert!(fields.get("limit").is_none(), "field lists know no pages");
    let rows = fields["data"].as_array().unwrap();
    assert_eq!(
        rows.iter()
            .filter(|field| field["is_system"] == true)
            .count(),
        7
    );
    assert!(rows.iter().all(|field| field["id"] != 77));
}

#[tokio::test]
async fn posts_are_walked_by_their_ids_newest_first() {
    let kayako = start(small()).await;
    let total = kayako
        .world()
        .conversation_by_id(29)
        .unwrap()
        .messages
        .len();
    let mut next = format!("{}/api/v1/cases/29/posts?limit=100", kayako.url());
    let mut pages = Vec::new();
    loop {
        let page = json(with_basic(client().get(&next)).send().await.unwrap()).await;
        assert!(page.get("offset").is_none() && page["total_count"] == total);
        pages.push(page["data"].as_array().unwrap().clone());
        let Some(url) = page["next_url"].as_str() else {
            break;
        };
        next = url.to_owned();
    }
    assert_eq!(
        pages.iter().map(Vec::len).collect::<Vec<_>>(),
        [100, 100, 5]
    );
    let order: Vec<_> = pages
        .concat()
        .iter()
        .map(|post| {
            (
                post["created_at"].as_str().unwrap().to_owned(),
                post["id"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(order.windows(2).all(|pair| pair[0] > pair[1]));
    let oldest = read(&kayako, "cases/29/posts?limit=100&before_id=0").await;
    assert_eq!(
        oldest["data"].as_array().unwrap().last().unwrap()["id"],
        order.last().unwrap().1
    );
    let newer = read(
        &kayako,
        &format!("cases/29/posts?limit=2&before_id={}", order[4].1),
    )
    .await;
    assert_eq!(newer["data"][1]["id"], order[3].1);
}

#[tokio::test]
async fn every_kind_of_original_is_shown_as_the_reference_has_it() {
    let kayako = start(small()).await;
    let include = "mailbox,message_recipient,channel,attachment,case_message,note,chat_message,user_minimal,identity_email,facebook_message,twitter_tweet";
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    let mut metadata = BTreeSet::new();
    for case in kayako
        .world()
        .conversations()
        .filter(|case| case.state == ConversationState::Active)
    {
        let posts = read(
            &kayako,
            &format!("cases/{}/posts?limit=100&include={include}", case.id),
        )
        .await;
        for post in posts["data"].as_array().unwrap() {
            metadata.insert(if post["metadata"].is_array() {
                "list"
            } else {
                "object"
            });
            let kind = post["original"]["resource_type"]
                .as_str()
                .unwrap()
                .to_owned();
            if kind == "case_message" && post["original"]["mailbox"].is_null() {
                seen.insert("help centre".into(), post.clone());
            } else if kind == "case_message"
                && post["original"]["recipients"].as_array().unwrap().len() == 3
            {
                seen.insert("copies".into(), post.clone());
            }
            seen.insert(kind, post.clone());
        }
    }
    assert_eq!(seen["help centre"]["source_channel"]["type"], "HELPCENTER");
    let copies = &seen["copies"]["original"];
    assert!(
        copies["recipients"]
            .as_array()
            .unwrap()
            .iter()
            .any(|to| to["type"] == "BCC" && to["identity"]["email"] == "bcc1@elsewhere.example")
    );
    assert!(
        copies["mailbox"]["address"]
            .as_str()
            .unwrap()
            .ends_with("@acme.example")
    );
    assert!(
        seen["chat_message"]["original"]["text"].is_string()
            && seen["chat_message"]["original"].get("updated_at").is_none()
    );
    assert!(seen["twitter_tweet"]["original"]["id"].is_string());
    assert!(seen["facebook_message"]["original"]["contents"].is_string());
    assert!(seen["whatsapp_message"]["contents"].is_string());
    assert!(seen["note"]["source_channel"]["type"] == "NOTE");
    assert_eq!(metadata, BTreeSet::from(["list", "object"]));
}

#[tokio::test]
async fn notes_on_people_and_companies_say_where_they_stand() {
    let kayako = start(small()).await;
    let posts = read(&kayako, "cases/14/posts?limit=100&include=note").await;
    let urls: Vec<_> = posts["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|post| post["original"]["resource_url"].as_str())
        .map(str::to_owned)
        .collect();
    for path in ["/api/v1/users/", "/api/v1/organizations/"] {
        assert!(
            urls.iter()
                .any(|url| url.contains(path) && url.contains("/notes/")),
            "{path} in {urls:?}"
        );
    }
}

#[tokio::test]
async fn the_original_of_a_mail_shows_its_headers_escaped_for_html() {
    let kayako = start(small()).await;
    let case = kayako.world().conversation_by_id(1).unwrap().into_owned();
    let mail = case
        .messages
        .iter()
        .rev()
        .find(|message| message.mail.is_some())
        .unwrap();
    let original = read(&kayako, &format!("cases/posts/{}/email_original", mail.id)).await;
    let source = original["data"]["source_content"].as_str().unwrap();
    let sent = mail.mail.as_ref().unwrap();
    assert!(
        source.contains(&format!(
            "&lt;{}&gt;<br />",
            sent.message_id.as_ref().unwrap()
        )),
        "{source}"
    );
    assert!(source.contains("X-Note: a &lt; b &amp; &quot;c&quot;") && !source.contains('\n'));
}

#[tokio::test]
async fn files_need_the_session_and_arrive_whole_without_a_length() {
    let kayako = start(small()).await;
    let world = kayako.world();
    let session = read(&kayako, "session").await["session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut seen = 0;
    for id in [21, 22, 7, 6] {
        let posts = read(
            &kayako,
            &format!("cases/{id}/posts?limit=100&include=attachment"),
        )
        .await;
        for row in posts["data"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|post| post["attachments"].as_array().unwrap().clone())
        {
            let url = row["url_download"].as_str().unwrap();
            assert_eq!(client().get(url).send().await.unwrap().status(), 401);
            let answer = client()
                .get(url)
                .header("X-Session-ID", &session)
                .send()
                .await
                .unwrap();
            assert_eq!(
                answer.headers()["content-type"],
                row["type"].as_str().unwrap()
            );
            assert!(answer.headers().get("content-length").is_none() || row["size"] == 0);
            let bytes = answer.bytes().await.unwrap();
            let size = row["size"]
                .as_u64()
                .unwrap_or_else(|| row["size"].as_str().unwrap().parse().unwrap());
            assert_eq!(bytes.len() as u64, size);
            let case = world.conversation_by_id(id).unwrap().into_owned();
            let file = case
                .messages
                .iter()
                .flat_map(|message| &message.files)
                .find(|file| row["id"] == file.id)
                .unwrap();
            assert_eq!(bytes, file.content.bytes());
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen} files");
}

#[tokio::test]
async fn pictures_in_html_are_shown_to_everybody() {
    let kayako = start(small()).await;
    let posts = read(&kayako, "cases/2/posts?include=case_message").await;
    let html = posts["data"][1]["original"]["body_html"].as_str().unwrap();
    let url = html
        .split("src=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        url.starts_with(&format!("{}/media/url/", kayako.url())),
        "{url}"
    );
    let answer = client().get(url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert!(answer.bytes().await.unwrap().starts_with(b"\x89PNG"));
    assert_eq!(
        get(&kayako, "/media/url/none")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test]
async fn a_hostile_helpdesk_loses_files_and_lies_about_sizes() {
    let options = KayakoOptions {
        content: Content::Made(WorldSpec::new(1, 60).hostile()),
        ..KayakoOptions::default()
    };
    let kayako = start(options).await;
    let attachment = async |case: u64, name: &str| {
        let posts = read(
            &kayako,
            &format!("cases/{case}/posts?limit=100&include=attachment"),
        )
        .await;
        let all: Vec<Value> = posts["data"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|post| post["attachments"].as_array().unwrap().clone())
            .collect();
        all.into_iter().find(|row| row["name"] == name).unwrap()
    };
    let lost = attachment(52, "lost.pdf").await;
    assert_eq!(
        with_basic(client().get(lost["url_download"].as_str().unwrap()))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    let lied = attachment(54, "shorter than said.bin").await;
    let bytes = with_basic(client().get(lied["url_download"].as_str().unwrap()))
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_ne!(
        lied["size"].to_string().trim_matches('"'),
        bytes.len().to_string()
    );
    assert_eq!(
        read(&kayako, "cases/55?include=case_status").await["data"]["status"]["type"],
        "LIMBO"
    );
}

#[tokio::test]
async fn an_account_below_administrator_sees_less() {
    let kayako = start(KayakoOptions {
        role: Role::Agent,
        ..small()
    })
    .await;
    assert_eq!(
        read(&kayako, "me?include=role").await["data"]["role"]["type"],
        "AGENT"
    );
    let settings = with_basic(get(&kayako, "/api/v1/settings"))
        .send()
        .await
        .unwrap();
    assert_eq!(code(settings).await, (403, "PERMISSIONS_DENIED".into()));
    let seen = read(&kayako, "cases?limit=100").await;
    let total = seen["total_count"].as_u64().unwrap();
    assert!(total > 0 && total < 60, "{total}");
    assert!(
        seen["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|case| case["assigned_agent"]["id"] == 3)
    );
}

#[tokio::test]
async fn the_rate_limit_refuses_with_and_without_saying_when_to_come_back() {
    for retry_after in [true, false] {
        let limit = RateLimit {
            requests: 2,
            window: Duration::from_secs(3_600),
            retry_after,
        };
        let kayako = start(KayakoOptions {
            rate_limit: Some(limit),
            ..small()
        })
        .await;
        read(&kayako, "me").await;
        read(&kayako, "me").await;
        let refused = with_basic(get(&kayako, "/api/v1/me")).send().await.unwrap();
        assert_eq!(refused.headers().contains_key("retry-after"), retry_after);
        assert_eq!(code(refused).await, (429, "RATE_LIMIT_REACHED".into()));
    }
}

#[tokio::test]
async fn named_faults_repeat_pages_and_change_items() {
    let kayako = start(small()).await;
    kayako.faults().set(vec![
        Rule::new(Action::named("repeat-page"))
            .path("cases?offset=10")
            .times(1),
        Rule::new(Action::named("null:/requester"))
            .path("case:12;")
            .times(1),
        Rule::new(Action::named("set:/status/type=LIMBO"))
            .path("case:12;")
            .times(1),
    ]);
    let ids = async |path: &str| {
        read(&kayako, path).await["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("cases?offset=0").await, ids("cases?offset=10").await);
    assert_ne!(ids("cases?offset=0").await, ids("cases?offset=10").await);
    let changed = read(&kayako, "cases/12?include=case_status").await;
    assert!(changed["data"]["requester"].is_null() && changed["data"]["status"]["type"] == "LIMBO");
    assert!(read(&kayako, "cases/12").await["data"]["requester"].is_object());
}

#[tokio::test]
async fn the_least_requests_are_those_of_a_reader_who_wastes_none() {
    let kayako = start(small()).await;
    let least = kayako.least_requests(LeastOptions::default());
    let world = kayako.world();
    assert_eq!(least.setup, 4);
    // Teams, three field lists, organizations, users, two pages of cases, the views, and a page of each that hides some.
    assert_eq!(least.lists, 1 + 3 + 1 + 1 + 2 + 3);
    // Ten lists and four of names; categories, sections, the count of articles and a page of them.
    assert_eq!((least.inventory, least.help_centre), (14, 4));
    let merged = world
        .conversations()
        .filter(|case| case.merged_into.is_some());
    assert_eq!(least.merges, merged.count() as u64);
    let active: Vec<_> = world
        .conversations()
        .filter(|case| case.state == ConversationState::Active)
        .collect();
    assert_eq!(
        least.posts,
        active.len() as u64 + 2,
        "one case has three pages"
    );
    let mails = active
        .iter()
        .flat_map(|case| &case.messages)
        .filter(|message| message.kind == MessageKind::Mail)
        .count();
    assert_eq!(least.email_originals, mails as u64);
    assert!(least.files > 30);
    let fewer = LeastOptions {
        email_originals: false,
        files: false,
        ..LeastOptions::default()
    };
    assert_eq!(
        kayako.least_requests(fewer).total(),
        4 + least.lists + least.inventory + least.help_centre + least.merges + least.posts
    );
    let more = LeastOptions {
        trashed: true,
        suspended: true,
        ..LeastOptions::default()
    };
    let hidden = world
        .conversations()
        .filter(|case| case.state != ConversationState::Active)
        .count() as u64;
    assert_eq!(kayako.least_requests(more).posts, least.posts + hidden);
    let without_merged = LeastOptions {
        merged: false,
        ..LeastOptions::default()
    };
    let without_merged = kayako.least_requests(without_merged);
    assert_eq!(without_merged.merges, 0);
    assert_eq!(without_merged.posts, least.posts - least.merges);
}

#[tokio::test]
async fn what_was_set_aside_is_shown_by_its_own_view_to_administrators_alone() {
    let kayako = start(small()).await;
    let views = read(&kayako, "views?limit=100").await;
    for (kind, state) in [
        ("TRASH", ConversationState::Trash),
        ("SUSPENDED", ConversationState::Suspended),
    ] {
        let all = views["data"].as_array().unwrap();
        let view = all.iter().find(|view| view["type"] == kind).unwrap();
        let shown = read(&kayako, &format!("views/{}/cases?limit=100", view["id"])).await;
        let world = kayako.world();
        let wanted = world
            .conversations()
            .filter(|case| case.state == state)
            .count();
        assert_eq!(shown["total_count"], wanted);
        let rows = shown["data"].as_array().unwrap();
        assert!(
            rows.iter()
                .all(|row| row["state"] == kind && row["custom_fields"].is_array())
        );
        let id = &rows[0]["id"];
        assert_eq!(
            read(&kayako, &format!("cases/{id}")).await["data"]["state"],
            kind
        );
    }
    let lowly = start(KayakoOptions {
        role: Role::Agent,
        ..small()
    })
    .await;
    let views = read(&lowly, "views").await;
    let kinds: Vec<_> = views["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|view| view["type"].clone())
        .collect();
    assert_eq!(kinds, ["INBOX", "CUSTOM"]);
    let refused = with_basic(get(&lowly, "/api/v1/views/15/cases"))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 404);
}

#[tokio::test]
async fn the_history_of_both_cases_names_a_merge_and_no_case_does() {
    let kayako = start(small()).await;
    let merged = kayako
        .world()
        .conversations()
        .find(|case| case.merged_into.is_some())
        .unwrap()
        .into_owned();
    let primary = merged.merged_into.unwrap();
    for case in [merged.id, primary] {
        let history = read(&kayako, &format!("cases/{case}/activities?limit=100")).await;
        let rows = history["data"].as_array().unwrap();
        let merge = rows
            .iter()
            .find(|row| row["activity"] == "merge_case")
            .unwrap();
        for id in [merged.id, primary] {
            let named = ["object", "target"]
                .iter()
                .filter(|member| merge[**member]["original"]["id"] == id);
            assert_eq!(named.count(), 1, "{merge}");
        }
        assert_eq!(rows.last().unwrap()["verb"], "CREATE");
    }
    let text = read(&kayako, &format!("cases/{}", merged.id))
        .await
        .to_string();
    assert!(!text.contains(&format!("cases/{primary}\"")), "{text}");
}
