//! The org against data of other people: what real clients sent, and what a real org described. The data are not part
//! of this project; the variable `DESKFERRY_OUTSIDE_DATA` names the folder that holds `salesforce/`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;

/// None, and a line that says so, when there are no data.
fn data(part: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("DESKFERRY_OUTSIDE_DATA")
        .filter(|folder| !folder.is_empty())
        .map(|folder| PathBuf::from(folder).join("salesforce").join(part));
    if folder.is_none() {
        #[allow(clippy::print_stderr, reason = "a test that did not run must say so")]
        {
            eprintln!("skipped: DESKFERRY_OUTSIDE_DATA is not set");
        }
    }
    folder
}

/// Which of the recorded requests this org answers so far.
fn is_served(path: &str) -> bool {
    let rest = path
        .split_once("/services/data")
        .map_or("", |(_, rest)| rest);
    let elsewhere = ["/composite/tree", "/metadata/"]
        .iter()
        .any(|part| rest.contains(part));
    (path.starts_with("/services/data")
        || path.starts_with("/services/oauth2")
        || path.starts_with("/id/"))
        && !elsewhere
}

/// The path with the id of the job that was made last in place of the recorded one.
fn own_job(path: &str, job: &str) -> String {
    match path.find("/750") {
        Some(at) => format!("{}{job}{}", &path[..=at], &path[at + 19..]),
        None => path.to_owned(),
    }
}

#[tokio::test]
async fn what_real_clients_sent_is_understood() {
    let Some(folder) = data("client-requests") else {
        return;
    };
    let bench = Bench::with(|options| {
        let key = CustomField {
            external_id: true,
            unique: true,
            ..CustomField::text("Case", "Ext_Id__c", 80)
        };
        options.custom_field(key).client("cid", "sec")
    })
    .await;
    let case = bench.add("Case", json!({"Ext_Id__c": "C1"})).await;
    let file = id(&bench
        .upload(json!({"PathOnClient": "a.txt"}), b"x".to_vec(), true)
        .await);
    let document = bench
        .value("ContentVersion", &file, "ContentDocumentId")
        .await
        .as_str()
        .unwrap()
        .to_owned();
    let own = |text: &str| {
        let known = [
            ("005", bench.org.user_id()),
            ("00D", bench.org.org_id()),
            ("500", case.clone()),
            ("068", file.clone()),
            ("069", document.clone()),
        ];
        known.iter().fold(
            text.replace("oauth_token=tok", &format!("oauth_token={TOKEN}")),
            |text, (prefix, id)| {
                (0..30).fold(text, |text, n| {
                    text.replace(&format!("{prefix}{n:012}AAA"), id)
                })
            },
        )
    };
    let (mut seen, mut newest_job) = (0, String::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let recorded = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in recorded.lines() {
            let sent: Value = serde_json::from_str(line).unwrap();
            let (method, path, body) = (
                sent["method"].as_str().unwrap(),
                sent["path"].as_str().unwrap(),
                sent["body"].as_str().unwrap_or_default(),
            );
            // Long bodies were cut when they were recorded.
            let whole = sent["length"]
                .as_u64()
                .is_none_or(|length| length <= body.len() as u64);
            if !is_served(path) || !whole {
                continue;
            }
            seen += 1;
            let path = &own_job(path, &newest_job);
            if path.contains("Results") || path.contains("/results") {
                let (job, _) = path.rsplit_once('/').unwrap();
                bench.ended(job.rsplit_once("/jobs/").unwrap().1).await;
            }
            let url = bench.org.url() + &own(path);
            let mut request = bench
                .client
                .request(reqwest::Method::from_bytes(method.as_bytes()).unwrap(), url)
                .body(own(body));
            let headers = sent["headers"].as_object().unwrap();
            for (name, value) in headers
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            {
                request = request.header(name, value.as_str().unwrap());
            }
            if !path.starts_with("/services/oauth2/token") {
                request = request.bearer_auth(TOKEN);
            }
            let answer = bench.answer(request).await;
            if method == "POST" && path.contains("/jobs/") && answer.status == 200 {
                newest_job = id(&answer);
            }
            let text = answer.body.to_string();
            let known_refusal = [
                "unsupported_grant_type",
                "invalid_client",
                "invalid_grant",
                "ScratchOrgInfo",
                "PathOnClient",
                "DUPLICATE_VALUE",
            ];
            let fine = answer.status < 300
                || (answer.status == 400 && known_refusal.iter().any(|part| text.contains(part)));
            assert!(fine, "{method} {path} {body}: {} {text}", answer.status);
        }
    }
    assert!(seen > 30, "only {seen} requests were found");
}

#[tokio::test]
async fn a_describe_has_the_members_and_flags_of_a_recorded_one() {
    let Some(folder) = data("describe") else {
        return;
    };
    let bench = Bench::new().await;
    for object in ["Account", "Contact", "Lead", "Case"] {
        let recorded: Value = serde_json::from_str(
            &std::fs::read_to_string(folder.join(format!("{object}.json"))).unwrap(),
        )
        .unwrap();
        let own = bench.get(&format!("sobjects/{object}/describe")).await.body;
        let missing = |recorded: &Value, own: &Value| -> BTreeSet<String> {
            let names = |value: &Value| {
                value
                    .as_object()
                    .unwrap()
                    .keys()
                    .cloned()
                    .collect::<BTreeSet<_>>()
            };
            names(recorded).difference(&names(own)).cloned().collect()
        };
        assert_eq!(missing(&recorded, &own), BTreeSet::new(), "{object}");
        for field in recorded["fields"].as_array().unwrap() {
            let name = field["name"].as_str().unwrap();
            let Some(ours) = own["fields"]
                .as_array()
                .unwrap()
                .iter()
                .find(|own| own["name"] == name)
            else {
                continue;
            };
            assert_eq!(missing(field, ours), BTreeSet::new(), "{object}.{name}");
            for member in [
                "type",
                "nillable",
                "updateable",
                "defaultedOnCreate",
                "filterable",
                "sortable",
                "referenceTo",
                "relationshipName",
                "idLookup",
                "precision",
                "scale",
                "digits",
                "soapType",
                "permissionable",
                "nameField",
                "compoundFieldName",
                "restrictedPicklist",
                "label",
            ] {
                assert_eq!(field[member], ours[member], "{object}.{name}: {member}");
            }
        }
    }
}
