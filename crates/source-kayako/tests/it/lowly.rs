//! Accounts that see too little, and rows that nobody shows: reported, never silent.

use deskferry_core::source::Source as _;
use deskferry_core::{ErrorKind, RecordKind, Tenant};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako::{CaseAccess, KayakoOptions};
use deskferry_rehearsal::world::Role;

use crate::harness::{Reader, config, desk, options, read_all, source};

fn with(role: Role, access: Option<CaseAccess>) -> KayakoOptions {
    let mut options = options(60);
    options.role = role;
    options.case_access = access;
    options
}

fn denied() -> Action {
    Action::Status {
        code: 403,
        headers: vec![("X-API-Version".into(), "1".into())],
        body: r#"{"status":403,"errors":[{"code":"PERMISSIONS_DENIED","message":"no"}]}"#.into(),
        content_type: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_does_not_see_is_said_before_the_read() {
    for (role, access, says) in [
        (Role::Owner, None, vec![]),
        (Role::Admin, None, vec![]),
        (Role::Admin, Some(CaseAccess::Teams), vec!["its own teams"]),
        (Role::Agent, None, vec!["role is AGENT", "assigned to it"]),
        (
            Role::Agent,
            Some(CaseAccess::Teams),
            vec!["role is AGENT", "its own teams"],
        ),
        (Role::Agent, Some(CaseAccess::All), vec!["role is AGENT"]),
        (
            Role::Collaborator,
            None,
            vec!["role is COLLABORATOR", "assigned to it"],
        ),
        (
            Role::Customer,
            None,
            vec!["role is CUSTOMER", "assigned to it"],
        ),
    ] {
        let desk = desk(with(role, access)).await;
        let ready = source(config(&desk))
            .check(&Reader::new().cx)
            .await
            .unwrap();
        assert_eq!(
            ready.warnings.len(),
            says.len(),
            "{role:?} {access:?}: {:?}",
            ready.warnings
        );
        for (warning, says) in ready.warnings.iter().zip(says) {
            assert!(
                warning.contains(says) && warning.contains("administrator"),
                "{warning}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_view_is_noticed_by_the_numbers_that_no_list_shows() {
    for (role, access) in [
        (Role::Agent, None),
        (Role::Agent, Some(CaseAccess::Teams)),
        (Role::Collaborator, None),
        (Role::Admin, Some(CaseAccess::Own)),
    ] {
        let desk = desk(with(role, access)).await;
        let reader = read_all(&source(config(&desk))).await.unwrap();
        let read = reader.read.count(RecordKind::Conversation) + reader.read.left_out().len();
        let highest: usize = reader
            .read
            .conversations()
            .map(|case| case.number.parse().unwrap())
            .max()
            .unwrap();
        assert!(read < 40 && read > 0, "{role:?} {access:?}: {read}");
        let holes = format!("{} of these numbers are in no list", highest - read);
        let notes = &reader.read.notes;
        assert!(
            notes.iter().any(|note| note.contains(&holes)),
            "{holes}: {notes:?}"
        );
        let views = notes
            .iter()
            .filter(|note| note.contains("sees no view of the"))
            .count();
        assert_eq!(views, if role == Role::Admin { 0 } else { 2 }, "{notes:?}");
    }
    let all = desk(with(Role::Admin, None)).await;
    let reader = read_all(&source(config(&all))).await.unwrap();
    assert_eq!(reader.read.notes, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_that_are_refused_are_named_and_the_conversation_stays() {
    let desk = desk(options(60)).await;
    let case = desk.world().conversation(4).unwrap().id;
    desk.faults()
        .push(Rule::new(denied()).path(format!("/cases/{case}/posts")));
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let [reject] = &reader.read.rejects[..] else {
        panic!("{:?}", reader.read.rejects)
    };
    assert_eq!(
        (reject.kind, reject.path.as_str()),
        (RecordKind::Message, "posts")
    );
    assert!(
        reject
            .reason
            .starts_with(&format!("forbidden: case {case} ")),
        "{}",
        reject.reason
    );
    let key = Tenant::new("kayako", "acme").key(RecordKind::Conversation, case);
    assert!(reader.read.records.contains_key(&key) && reader.read.complete.contains(&key));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_read_no_posts_at_all_ends_the_part_instead_of_losing_them_all() {
    let desk = desk(options(60)).await;
    desk.faults().push(Rule::new(denied()).path("/posts"));
    let error = read_all(&source(config(&desk))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.to_string().contains("may not read this"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_companies_that_a_page_left_out_are_found_all_the_same() {
    // Left out once: the second walk shows them. Left out always: they are asked for one by one.
    for times in [1, u64::MAX] {
        let desk = desk(options(120)).await;
        let person = desk.world().lists().people[50].id;
        let company = desk.world().lists().companies[3].id;
        for key in [
            format!("user:{person};"),
            format!("organization:{company};"),
        ] {
            desk.faults()
                .push(Rule::new(Action::named("drop")).path(key).times(times));
        }
        // Without the cases, which would look their requesters up.
        let mut scope = deskferry_core::source::Scope::default();
        scope.kinds = vec![RecordKind::Account, RecordKind::Agent, RecordKind::Contact];
        let source = source(config(&desk));
        let mut reader = Reader::new();
        reader.begin(&source, &scope).await.unwrap();
        reader.finish(&source).await.unwrap();
        let lists = desk.world().lists();
        let people = reader.read.count(RecordKind::Agent) + reader.read.count(RecordKind::Contact);
        assert_eq!(
            people,
            lists.people.len(),
            "{times}: {:?} {:?} {:?}",
            reader.read.notes,
            reader.read.rejects,
            desk.requests().counts
        );
        assert_eq!(
            reader.read.count(RecordKind::Account),
            lists.companies.len(),
            "{times}"
        );
        let singles = desk.requests().count("GET", "/users/{id}")
            + desk.requests().count("GET", "/organizations/{id}");
        assert_eq!(singles, if times == 1 { 0 } else { 2 });
        for list in ["list users", "list organizations"] {
            assert!(
                reader.read.notes.iter().any(|note| note.starts_with(list)),
                "{:?}",
                reader.read.notes
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_be_read_is_a_note_and_no_silent_gap() {
    let desk = desk(options(60)).await;
    let requester = desk.world().conversation(0).unwrap().requester;
    desk.faults()
        .push(Rule::new(Action::named("null:/id")).path(format!("user:{requester};")));
    desk.faults()
        .push(Rule::new(denied()).path(format!("/users/{requester}")));
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let told = format!("may not read user {requester}");
    let notes = &reader.read.notes;
    assert!(notes.iter().any(|note| note.contains(&told)), "{notes:?}");
}
