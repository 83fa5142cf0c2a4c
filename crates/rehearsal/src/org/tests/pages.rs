//! The pages for people.

use super::*;

impl Bench {
    async fn page(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(self.org.url() + path).send().await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap(),
        )
    }
}

#[tokio::test]
async fn a_person_finds_a_case_its_timeline_and_its_files() {
    let bench = Bench::new().await;
    let case = bench
        .add(
            "Case",
            json!({"Subject": "Broken <b>lamp</b>", "Source_Key__c": "k"}),
        )
        .await;
    let mail = json!({
        "ParentId": case, "Subject": "Hello", "HtmlBody": "<p>It is <script>alert(1)</script>broken</p>", "Status": "3",
        "FromAddress": "kim@example.org", "ToAddress": "help@example.org", "MessageDate": "2024-01-02T03:04:05Z",
    });
    bench.add("EmailMessage", mail).await;
    bench
        .add(
            "CaseComment",
            json!({"ParentId": case, "CommentBody": "a note & more"}),
        )
        .await;
    let file = bench
        .upload(
            json!({"PathOnClient": "photo.png", "FirstPublishLocationId": case}),
            b"png".to_vec(),
            true,
        )
        .await;
    let (status, first) = bench.page("/").await;
    assert_eq!(status, 200);
    assert!(
        first.contains("does not imitate")
            && first.contains("/rehearsal/records/Case\">Case</a><td>1</tr>")
    );
    assert!(
        first.contains("POST /services/data/v66.0/composite/sobjects"),
        "the last requests are shown"
    );
    let (_, list) = bench.page("/rehearsal/records/Case").await;
    assert!(list.contains(&format!("/rehearsal/record/{case}")));
    assert!(list.contains("Broken &lt;b&gt;lamp&lt;/b&gt;") && !list.contains("<b>lamp"));
    let (_, shown) = bench.page(&format!("/rehearsal/record/{case}")).await;
    for part in [
        "Hello",
        "2024-01-02 03:04:05",
        "kim@example.org",
        "a note &amp; more",
        "internal",
        "photo.png</a> (3 bytes)",
    ] {
        assert!(shown.contains(part), "{part} is not shown");
    }
    assert!(shown.contains("iframe sandbox=\"\"") && !shown.contains("<script>"));
    let version = id(&file);
    assert_eq!(
        bench.page(&format!("/rehearsal/blob/{version}")).await,
        (200, "png".to_owned())
    );
    assert_eq!(bench.page("/rehearsal/records/Nothing__c").await.0, 404);
    assert_eq!(
        bench.page("/rehearsal/record/500000000000000AAA").await.0,
        404
    );
}

#[tokio::test]
async fn a_long_list_has_more_pages() {
    let bench = Bench::new().await;
    for part in 0..3 {
        let rows: Vec<Value> = (0..40)
            .map(|n| json!({"LastName": format!("N{part}-{n}")}))
            .collect();
        bench.insert("Contact", &rows).await;
    }
    let (mut path, mut seen) = (Some("/rehearsal/records/Contact".to_owned()), 0);
    while let Some(at) = path {
        let (_, page) = bench.page(&at).await;
        seen += page.matches("<tr><td><a href").count();
        let more = page.split_once("/rehearsal/records/Contact?after=");
        path = more.map(|(_, rest)| {
            format!(
                "/rehearsal/records/Contact?after={}",
                rest.split('"').next().unwrap()
            )
        });
    }
    assert_eq!(seen, 120);
}
