use super::*;
use crate::fault::{Action, Rule};
use crate::world::WorldSpec;

async fn desk(change: impl FnOnce(&mut ClassicOptions)) -> Classic {
    let mut options = ClassicOptions {
        content: Content::Made(WorldSpec::new(5, 60).knowledge()),
        ..ClassicOptions::default()
    };
    change(&mut options);
    Classic::start(options).await.unwrap()
}

/// What a call is answered; signed with this secret.
async fn asked(desk: &Classic, secret: &str, call: &str) -> (u16, String) {
    use base64::Engine as _;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, b"a-salt");
    let signature = base64::engine::general_purpose::STANDARD.encode(signature);
    let mut url = url::Url::parse(&format!("{}/api/index.php", desk.url())).unwrap();
    url.query_pairs_mut()
        .append_pair("e", call)
        .append_pair("apikey", "rehearsal-key")
        .append_pair("salt", "a-salt")
        .append_pair("signature", &signature);
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn ask(desk: &Classic, call: &str) -> (u16, String) {
    asked(desk, "rehearsal-secret", call).await
}

#[tokio::test]
async fn every_answer_is_xml_and_only_the_signed_get_one() {
    let desk = desk(|_| {}).await;
    let (status, said) = asked(&desk, "another", "/Base/Staff").await;
    assert_eq!((status, said.as_str()), (401, "Invalid Signature"));
    for call in [
        "/Core/TestAPI",
        "/Base/Department",
        "/Base/Staff",
        "/Base/StaffGroup",
        "/Base/UserGroup",
        "/Base/UserOrganization",
        "/Base/User/Filter/1/10",
        "/Base/CustomField",
        "/Base/CustomField/ListOptions/11",
        "/Tickets/TicketStatus",
        "/Tickets/TicketPriority",
        "/Tickets/TicketType",
        "/Tickets/Ticket/ListAll/1,2,3,4/-1/-1/-1/100/0/ticketid/ASC",
        "/Tickets/Ticket/1/",
        "/Tickets/TicketCustomField/1",
        "/Tickets/TicketAttachment/ListAll/1",
        "/Knowledgebase/Category",
        "/Knowledgebase/Article",
        "/Knowledgebase/Attachment/ListAll/1",
        "/Knowledgebase/Attachment/1/101",
    ] {
        let (status, body) = ask(&desk, call).await;
        assert_eq!(status, 200, "{call}: {body}");
        // Controls that XML does not know are the real one's oddity.
        let clean: String = body
            .chars()
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
            .collect();
        roxmltree::Document::parse(&clean).unwrap_or_else(|why| panic!("{call}: {why}"));
    }
    assert_eq!(ask(&desk, "/Tickets/Ticket/4711/").await.0, 404);
    desk.stop().await;
}

#[tokio::test]
async fn a_hidden_department_refuses_the_list_that_names_it() {
    let desk = desk(|options| options.hidden_departments = vec![2]).await;
    let list = |departments: &str| format!("/Tickets/Ticket/ListAll/{departments}/-1/-1/-1/100/0");
    assert_eq!(ask(&desk, &list("1,2")).await.0, 403);
    assert_eq!(ask(&desk, &list("1")).await.0, 200);
    assert_eq!(ask(&desk, &list("")).await.0, 400);
    desk.stop().await;
}

#[tokio::test]
async fn what_happens_after_the_start_moves_a_ticket_and_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || desk(|options| options.folder = Some(folder.path().join("desk")));
    let before = start().await;
    before.touch(3).unwrap();
    before.delete(4).unwrap();
    before.stop().await;
    let after = start().await;
    let call = "/Tickets/Ticket/ListAll/1,2,3,4/-1/-1/-1/1/0/lastactivity/DESC";
    assert!(ask(&after, call).await.1.contains("<ticket id=\"3\""));
    assert_eq!(ask(&after, "/Tickets/Ticket/4/").await.0, 404);
    after
        .faults()
        .push(Rule::new(Action::named("tear:subject")).path("/Tickets/Ticket/3/"));
    assert!(
        !ask(&after, "/Tickets/Ticket/3/")
            .await
            .1
            .contains("</subject>")
    );
    after.stop().await;
}
