//! Servers that stumble, keys that end in mid-read, rows that are broken and what is gone when it is asked for.

use std::collections::BTreeSet;

use chrono::Utc;
use deskferry_core::source::Scope;
use deskferry_core::{Context, ErrorKind, RecordKind, Source as _};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kustomer::{Content, Context as Of, Kustomer as Desk};
use deskferry_rehearsal::world::WorldSpec;
use deskferry_source_kustomer::KustomerConfig;

use crate::harness::{Reader, bytes, config, desk, options, read_all, source};

/// What a read without any trouble brings.
async fn calm(conversations: u64) -> Reader {
    let desk = desk(options(conversations)).await;
    read_all(&source(config(&desk))).await.unwrap()
}

#[tokio::test]
async fn refusals_server_errors_and_cut_answers_are_waited_out() {
    let desk = desk(options(40)).await;
    let busy = |after: Option<&str>| Action::Status {
        code: 429,
        headers: after
            .map(|seconds| ("Retry-After".to_owned(), seconds.to_owned()))
            .into_iter()
            .collect(),
        body: r#"{"errors":[{"code":"rate_limited","message":"Too many requests","meta":{}}]}"#
            .to_owned(),
        content_type: None,
    };
    let some = |action: Action, path: &str| Rule::new(action).path(path).times(1);
    desk.faults().set(vec![
        some(busy(Some("59")), "/messages").skip(3),
        some(busy(None), "customers/search"),
        some(Action::Html { code: 502 }, "/postmark/"),
        some(Action::status(500), "archive/search").skip(1),
        some(Action::status(503), "/v1/teams"),
        some(Action::CutBody { after_bytes: 50 }, "/messages").skip(9),
        some(Action::CutBefore, "/v1/tags"),
    ]);
    let source = source(config(&desk));
    let mut reader = Reader::new();
    let before = reader.cx.now();
    reader.begin(&source, &Scope::default()).await.unwrap();
    reader.finish(&source).await.unwrap();
    assert!((reader.cx.now() - before).num_seconds() >= 59);
    let calm = calm(40).await;
    assert_eq!(reader.rejects.len(), calm.rejects.len());
    assert_eq!(reader.records.len(), calm.records.len());
    assert_eq!(reader.complete, calm.complete);
}

#[tokio::test]
async fn a_key_that_ends_in_mid_read_stops_it_and_a_new_one_goes_on() {
    let desk = desk(options(40)).await;
    let ended = Rule::new(Action::Status {
        code: 401,
        headers: Vec::new(),
        body: r#"{"errors":[{"status":401,"code":"unauthorized","title":"Expired token"}]}"#
            .to_owned(),
        content_type: None,
    });
    desk.faults().push(ended.path("/messages").skip(10));
    let first = source(config(&desk));
    let mut reader = Reader::new();
    reader.begin(&first, &Scope::default()).await.unwrap();
    let error = reader.finish(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.advice().unwrap().contains("make a new key"));
    desk.faults().clear();
    reader.finish(&source(config(&desk))).await.unwrap();
    let calm = calm(40).await;
    assert_eq!(reader.records.len(), calm.records.len());
    assert_eq!(reader.complete, calm.complete);
}

#[tokio::test]
async fn an_org_that_does_not_answer_is_named_with_what_to_check() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let config = KustomerConfig::builder(format!("http://{closed}"), "rehearsal-key");
    let retry = deskferry_core::http::RetryPolicy::never();
    let source =
        deskferry_source_kustomer::Kustomer::with_retry(config.build().unwrap(), retry).unwrap();
    let error = source.check(&Context::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}

/// The ids of the conversations that a read brings, in the order of keys.
fn ids(reader: &Reader) -> Vec<String> {
    let all = reader.conversations();
    all.map(|one| one.meta.key.id().to_owned()).collect()
}

#[tokio::test]
async fn a_broken_row_is_rejected_alone_and_unknown_words_and_nulls_cost_nothing() {
    let desk = desk(options(40)).await;
    let whole = calm(40).await;
    let ids = ids(&whole);
    let change = |what: &str, id: &str| Rule::new(Action::named(what)).path(id.to_owned());
    // Of other conversations than those that are changed themselves.
    let mut said = ids[5..].iter().filter_map(|conversation| {
        let mut all = whole.messages();
        let found = all.find(|one| one.conversation.id() == *conversation)?;
        Some(found.meta.key.id().to_owned())
    });
    let (message, odd) = (said.next().unwrap(), said.next().unwrap());
    desk.faults().set(vec![
        change("set:/attributes/updatedAt=soon", &ids[0]),
        change("set:/attributes/status=unheard_of", &ids[1]),
        change("null:/attributes/priority", &ids[2]),
        change("null:/relationships", &ids[3]),
        change("null:/attributes/channels", &ids[4]),
        change("set:/attributes/createdAt=soon", &message),
        change("set:/attributes/channel=pigeon", &odd),
    ]);
    let read = read_all(&source(config(&desk))).await.unwrap();
    let bad: BTreeSet<_> = read
        .rejects
        .iter()
        .map(|reject| (reject.kind, reject.path.as_str(), reject.id.as_deref()))
        .collect();
    let conversation = (RecordKind::Conversation, "attributes.updatedAt");
    assert!(
        bad.contains(&(conversation.0, conversation.1, Some(ids[0].as_str()))),
        "{bad:?}"
    );
    assert!(
        bad.contains(&(
            RecordKind::Message,
            "attributes.createdAt",
            Some(message.as_str())
        )),
        "{bad:?}"
    );
    for reject in &read.rejects {
        assert!(!reject.reason.is_empty() && !reject.raw.is_empty());
    }
    let found = |id: &str| {
        let mut all = read.conversations();
        all.find(|one| one.meta.key.id() == id).unwrap()
    };
    assert_eq!(found(&ids[1]).status.raw, "unheard_of");
    assert_eq!(found(&ids[2]).priority, None);
    assert_eq!(found(&ids[3]).requester, None);
    let pigeon = read.messages().find(|one| one.meta.key.id() == odd);
    assert_eq!(pigeon.unwrap().channel.raw, "pigeon");
    assert_eq!(
        read.count(RecordKind::Conversation),
        whole.count(RecordKind::Conversation) - 1
    );
}

/// Reads until the conversations are listed, and no further.
async fn listed(desk: &Desk) -> (Reader, deskferry_source_kustomer::Kustomer) {
    let source = source(config(desk));
    let mut reader = Reader::new();
    reader.begin(&source, &Scope::default()).await.unwrap();
    while !reader.ends.contains_key("conversations") {
        assert!(reader.step(&source).await.unwrap());
    }
    (reader, source)
}

#[tokio::test]
async fn a_conversation_that_is_gone_between_search_and_read_is_named_and_the_rest_arrives() {
    let desk = desk(options(40)).await;
    let (mut reader, source) = listed(&desk).await;
    assert_eq!(reader.messages().count(), 0, "they come last");
    let calm = calm(40).await;
    let said = |conversation: &str| {
        let all = calm.messages();
        all.filter(|one| one.conversation.id() == conversation)
            .count()
    };
    // The numbers of a world in the order of its ids.
    let number = 7;
    let gone = ids(&calm)[number - 1].clone();
    assert!(said(&gone) > 0);
    let at = Utc::now();
    desk.delete(number as u64, at).unwrap();
    reader.finish(&source).await.unwrap();
    let named = reader
        .rejects
        .iter()
        .filter(|reject| reject.reason.contains(&gone));
    assert!(named.count() > 0, "{:?}", reader.rejects);
    assert_eq!(
        reader.messages().count(),
        calm.messages().count() - said(&gone)
    );
    assert_eq!(
        desk.count(Of::Conversation),
        calm.count(RecordKind::Conversation) as u64
    );
}

#[tokio::test]
async fn a_file_whose_bytes_are_lost_is_told_from_one_whose_link_has_died() {
    let mut options = options(60);
    options.content = Content::Made(WorldSpec::new(11, 60).hostile());
    let desk = desk(options).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    let lost = reader.attachments().find(|file| file.name == "lost.pdf");
    let error = bytes(&source, &reader.cx, lost.unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let whole = reader.attachments().find(|file| file.size == Some(2_000));
    let before = desk.requests().count("GET", "/attachments/");
    desk.faults()
        .push(Rule::new(Action::status(403)).path("/bucket/").times(1));
    let came = bytes(&source, &reader.cx, whole.unwrap()).await.unwrap();
    assert_eq!(came.len(), 2_000);
    assert_eq!(desk.requests().count("GET", "/attachments/"), before + 2);
}
