//! What usual lists do not show, and what was merged: named always, taken along by choice.

use std::collections::{BTreeMap, BTreeSet};

use deskferry_core::RecordKind;
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako::{Kayako as Desk, LeastOptions};
use deskferry_rehearsal::world::{Conversation, ConversationState};
use deskferry_source_kayako::Take;

use crate::harness::{bytes, config, desk, options, read_all, source};

fn ids(desk: &Desk, wanted: impl Fn(&Conversation) -> bool) -> BTreeSet<u64> {
    let all = desk.world().conversations();
    all.filter(|case| wanted(case))
        .map(|case| case.id)
        .collect()
}

/// Which conversations are left out, and why, under a choice for each sort.
fn left_out<'a>(
    desk: &Desk,
    trashed: Take,
    suspended: Take,
    merged: Take,
) -> BTreeMap<u64, &'a str> {
    let all = desk.world().conversations();
    let reason = |case: &Conversation| match (case.state, case.merged_into) {
        (ConversationState::Trash, _) if trashed == Take::Skip => Some("trashed"),
        (ConversationState::Suspended, _) if suspended == Take::Skip => Some("suspended"),
        (_, Some(_)) if merged == Take::Skip => Some("merged"),
        _ => None,
    };
    all.filter_map(|case| Some((case.id, reason(&case)?)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_left_out_is_named_with_its_reason_and_the_rest_is_whole() {
    use Take::{Include, Skip};
    for (trashed, suspended, merged) in [
        (Skip, Skip, Include),
        (Include, Skip, Include),
        (Skip, Include, Skip),
        (Include, Include, Skip),
    ] {
        let desk = desk(options(180)).await;
        let choice = format!("{trashed:?} {suspended:?} {merged:?}");
        let config = config(&desk)
            .trashed(trashed)
            .suspended(suspended)
            .merged(merged);
        let source = source(config);
        let reader = read_all(&source).await.unwrap();
        let read = &reader.read;
        let expected = left_out(&desk, trashed, suspended, merged);
        assert!(
            expected.len() >= 3,
            "the world has some of each: {expected:?}"
        );
        assert_eq!(read.left_out(), expected, "{choice}");
        assert_eq!(read.rejects, Vec::new(), "{choice}");
        let taken = ids(&desk, |case| !expected.contains_key(&case.id));
        assert_eq!(
            read.count(RecordKind::Conversation),
            taken.len(),
            "{choice}"
        );
        assert_eq!(read.whole(), taken.len(), "{choice}");
        let posts: usize = desk
            .world()
            .conversations()
            .filter(|case| taken.contains(&case.id))
            .map(|case| case.messages.len())
            .sum();
        assert_eq!(read.count(RecordKind::Message), posts, "{choice}");
        for conversation in read.conversations() {
            let id: u64 = conversation.number.parse().unwrap();
            let case = desk.world().conversation_by_id(id).unwrap();
            let set_aside = case.state != ConversationState::Active;
            let told = conversation.meta.custom.contains_key("state");
            assert_eq!(told, set_aside, "case {id}");
        }

        let mut least = LeastOptions::default();
        least.trashed = trashed == Include;
        least.suspended = suspended == Include;
        least.merged = merged == Include;
        let least = desk.least_requests(least);
        let mut files = 0;
        for file in read.attachments().filter(|file| file.size != Some(0)) {
            bytes(&source, &reader.cx, file).await.unwrap();
            files += 1;
        }
        assert_eq!(files, least.files, "{choice}");
        let (sent, bar) = (desk.requests().total, least.total() + 5);
        assert!(sent <= bar, "{choice}: {sent} of {bar}, {least:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_case_names_the_one_that_took_its_posts() {
    let desk = desk(options(180)).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let mut merges = 0;
    for conversation in reader.read.conversations() {
        let id: u64 = conversation.number.parse().unwrap();
        let case = desk.world().conversation_by_id(id).unwrap();
        let into = conversation
            .merged_into
            .as_ref()
            .map(|key| key.id().to_owned());
        assert_eq!(into, case.merged_into.map(|id| id.to_string()), "case {id}");
        merges += usize::from(into.is_some());
    }
    assert_eq!(merges, 3);
    assert_eq!(desk.requests().count("GET", "activities"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_whose_history_cannot_be_read_is_a_note_and_the_case_is_kept() {
    let desk = desk(options(60)).await;
    let denied = Action::Status {
        code: 403,
        headers: vec![("X-API-Version".into(), "1".into())],
        body: r#"{"status":403,"errors":[{"code":"PERMISSIONS_DENIED","message":"no"}]}"#.into(),
        content_type: None,
    };
    desk.faults().push(Rule::new(denied).path("/activities"));
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let merged = ids(&desk, |case| case.merged_into.is_some());
    for id in merged {
        let kept = reader
            .read
            .conversations()
            .find(|kept| kept.number == id.to_string());
        assert_eq!(kept.unwrap().merged_into, None);
        let told = |note: &String| note.contains(&format!("case {id} was merged"));
        assert!(
            reader.read.notes.iter().any(told),
            "{:?}",
            reader.read.notes
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_leaves_fields_out_is_completed_case_by_case_where_they_are_taken_along() {
    let mut sparse = options(180);
    sparse.sparse_views = true;
    let desk = desk(sparse).await;
    let config = config(&desk).trashed(Take::Include);
    let reader = read_all(&source(config)).await.unwrap();
    let trashed = ids(&desk, |case| case.state == ConversationState::Trash);
    let singles: u64 = desk
        .requests()
        .counts
        .iter()
        .filter(|count| count.route == "/api/v1/cases/{id}")
        .map(|count| count.requests)
        .sum();
    assert_eq!(singles, trashed.len() as u64);
    for id in trashed {
        let case = desk.world().conversation_by_id(id).unwrap();
        let read = reader
            .read
            .conversations()
            .find(|read| read.number == id.to_string());
        let custom = &read.unwrap().meta.custom;
        assert!(custom.len() > case.custom.len(), "case {id}: {custom:?}");
    }
}
