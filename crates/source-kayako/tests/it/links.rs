//! Links that lead away: nobody else gets credentials, and nobody makes us ask machines of the local network.

use deskferry_core::ErrorKind;
use deskferry_core::model::Attachment;
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako::Kayako as Desk;
use deskferry_rehearsal::world::MessageKind;

use crate::harness::{bytes, config, desk, options, read_all, source};

/// A post with one file, and the file's number.
fn post_with_a_file(desk: &Desk) -> (u64, u64) {
    let all = desk.world().conversations();
    all.flat_map(|case| case.messages.clone())
        .find(|post| {
            post.kind == MessageKind::Mail
                && post.files.len() == 1
                && !post.files[0].content.is_empty()
        })
        .map(|post| (post.id, post.files[0].id))
        .unwrap()
}

/// Lets the file's address be this one.
fn lead(desk: &Desk, post: u64, address: &str) {
    for pointer in [
        "/attachments/0/url_download",
        "/original/attachments/0/url_download",
    ] {
        let name = format!("set:{pointer}={address}");
        desk.faults()
            .push(Rule::new(Action::named(name)).path(format!("post:{post};")));
    }
}

fn file<'a>(
    mut files: impl Iterator<Item = &'a Attachment>,
    (post, file): (u64, u64),
) -> &'a Attachment {
    let id = format!("{post}-{file}");
    files.find(|file| file.meta.key.id() == id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_files_stay_on_the_configured_host_whatever_host_their_links_name() {
    let mut elsewhere = options(120);
    elsewhere.public_url = Some("http://169.254.169.254".to_owned());
    let desk = desk(elsewhere).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    assert_eq!(reader.read.rejects, Vec::new());
    let chosen = file(reader.read.attachments(), post_with_a_file(&desk));
    let got = bytes(&source, &reader.cx, chosen).await.unwrap();
    assert_eq!(Some(got.len() as u64), chosen.size);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_at_a_private_address_is_not_asked_for_unless_that_is_allowed() {
    let victim = desk(options(5)).await;
    let port = victim.url().rsplit(':').next().unwrap().to_owned();
    for address in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.7/backup.zip".to_owned(),
        format!("http://[::1]:{port}/backup.zip"),
        format!("http://127.0.0.1:{port}/backup.zip"),
        format!("http://localhost:{port}/backup.zip"),
    ] {
        let desk = desk(options(60)).await;
        let wanted = post_with_a_file(&desk);
        lead(&desk, wanted.0, &address);
        let source = source(config(&desk));
        let reader = read_all(&source).await.unwrap();
        let chosen = file(reader.read.attachments(), wanted);
        let error = bytes(&source, &reader.cx, chosen).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{address}: {error}");
        assert!(error.to_string().contains("no public address"), "{error}");
        assert_eq!(
            error.record(),
            Some(&chosen.meta.key),
            "{address}: the error names the file"
        );
    }
    assert_eq!(victim.requests().total, 0);

    let desk = desk(options(60)).await;
    let wanted = post_with_a_file(&desk);
    lead(
        &desk,
        wanted.0,
        &format!("http://127.0.0.1:{port}/backup.zip"),
    );
    let source = source(config(&desk).allow_private_hosts(true));
    let reader = read_all(&source).await.unwrap();
    let chosen = file(reader.read.attachments(), wanted);
    let error = bytes(&source, &reader.cx, chosen).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let asked = victim.requests();
    assert_eq!(asked.total, 1, "it was asked, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_redirected_to_a_private_address_is_refused() {
    let desk = desk(options(60)).await;
    let wanted = post_with_a_file(&desk);
    let away = Action::Status {
        code: 302,
        headers: vec![("Location".into(), "http://10.1.1.1/internal".into())],
        body: String::new(),
        content_type: None,
    };
    desk.faults()
        .push(Rule::new(away).path(format!("attachments/{}/download", wanted.1)));
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    let chosen = file(reader.read.attachments(), wanted);
    let error = bytes(&source, &reader.cx, chosen).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}
