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

/// The ids that this org gave last, by their prefix, in place of the recorded ones.
#[derive(Default)]
struct Newest(std::collections::BTreeMap<String, String>);

impl Newest {
    /// Keeps the first id of this prefix in an answer.
    fn note(&mut self, key: &str, prefix: &str, answer: &str) {
        for before in ["\"id\":\"", "<id>"] {
            let marked = format!("{before}{prefix}");
            if let Some(at) = answer.find(&marked) {
                let id = &answer[at + before.len()..][..18];
                self.0.insert(key.to_owned(), id.to_owned());
            }
        }
    }

    fn put(&self, key: &str, prefix: &str, text: &str) -> String {
        let (Some(id), Some(at)) = (self.0.get(key), text.find(&format!("{prefix}000000000")))
        else {
            return text.to_owned();
        };
        let recorded = text[at..]
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .count();
        format!("{}{id}{}", &text[..at], &text[at + recorded..])
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
        options
            .custom_field(key)
            .client("cid", "sec")
            .password("pw")
            .user(NewUser {
                username: "u@example.com".into(),
                ..person("Una User", "una@example.org", true)
            })
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
    let (mut seen, mut newest) = (0, Newest::default());
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
            if !whole {
                continue;
            }
            seen += 1;
            // The two Bulk APIs number their jobs apart.
            let jobs = if path.contains("/async/") {
                "old"
            } else {
                "new"
            };
            let path = &newest.put("751", "751", &newest.put(jobs, "750", path));
            let path = &newest.put("0Af", "0Af", path);
            let body = &newest.put("0Af", "0Af", body);
            let session = format!("sessionId>{TOKEN}<");
            let body = &["tok", "00D000000000001!AQ.fake"]
                .iter()
                .fold(body.clone(), |body, token| {
                    body.replace(&format!("sessionId>{token}<"), &session)
                });
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
            for (name, value) in headers.iter().filter(|(name, _)| {
                ["content-type", "soapaction"].contains(&name.to_lowercase().as_str())
            }) {
                request = request.header(name, value.as_str().unwrap());
            }
            if !path.starts_with("/services/oauth2/token") {
                request = request.bearer_auth(TOKEN);
            }
            if path.starts_with("/services/async") {
                request = request.header("X-SFDC-Session", TOKEN);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let bytes = answer.bytes().await.unwrap();
            let text = String::from_utf8_lossy(&bytes);
            if method == "POST" && (path.ends_with("/job") || path.contains("/jobs/")) {
                newest.note(jobs, "750", &text);
            }
            newest.note("751", "751", &text);
            newest.note("0Af", "0Af", &text);
            let known_refusal = [
                "unsupported_grant_type",
                "invalid_client",
                "invalid_grant",
                "ScratchOrgInfo",
                "PathOnClient",
                "DUPLICATE_VALUE",
                // Whoever recorded them was not known to any org.
                "INVALID_LOGIN",
            ];
            let fine = status < 300
                || ([400, 500].contains(&status)
                    && known_refusal.iter().any(|part| text.contains(part)));
            assert!(fine, "{method} {path} {body}: {status} {text}");
        }
    }
    assert!(seen > 100, "only {seen} requests were found");
}

/// Where this org differs from the recorded one, and why: object (or `*`), field, member (or `*`), reason. Every line must be met.
const EXPLAINED: [(&str, &str, &str, &str); 19] = [
    (
        "Account",
        "RecordTypeId",
        "*",
        "the recorded org has record types; a new one has none, and then the field does not exist",
    ),
    (
        "Account",
        "Primary_Contact__c",
        "*",
        "a custom field of the recorded org",
    ),
    (
        "Account",
        "History__c",
        "*",
        "a custom field of the recorded org",
    ),
    (
        "Account",
        "ns__Description__c",
        "*",
        "a custom field of the recorded org",
    ),
    (
        "Account",
        "ns__LinkedAccount__c",
        "*",
        "a custom field of the recorded org",
    ),
    (
        "*",
        "DandbCompanyId",
        "*",
        "points at an object of the Data.com feature, which is not imitated",
    ),
    (
        "Account",
        "OperatingHoursId",
        "*",
        "points at an object of Field Service, which is not imitated",
    ),
    (
        "Case",
        "AssetId",
        "*",
        "points at Asset, which is not imitated",
    ),
    (
        "Lead",
        "ConvertedOpportunityId",
        "*",
        "points at Opportunity, which is not imitated",
    ),
    (
        "*",
        "IndividualId",
        "*",
        "points at Individual, which is not imitated",
    ),
    (
        "*",
        "JigsawCompanyId",
        "relationshipName",
        "names a relationship without a target, which no client can follow",
    ),
    (
        "*",
        "JigsawContactId",
        "relationshipName",
        "names a relationship without a target, which no client can follow",
    ),
    (
        "Account",
        "ChannelProgramName",
        "*",
        "flags of a field that nobody can filter by, and group by all the same",
    ),
    (
        "Account",
        "ChannelProgramLevelName",
        "*",
        "flags of a field that nobody can filter by, and group by all the same",
    ),
    (
        "Case",
        "Comments",
        "aggregatable",
        "not filterable, so no query can aggregate it",
    ),
    (
        "Case",
        "*",
        "length",
        "picklists were 40 long in the recorded org, and are 255 in those of today",
    ),
    ("Case", "*", "byteLength", "three times the length"),
    (
        "*",
        "*",
        "picklistValues",
        "the values that an org has are its own",
    ),
    (
        "*",
        "*",
        "childRelationships",
        "this org knows fewer objects, and fewer point at a parent",
    ),
];

fn explanation(object: &str, field: &str, member: &str) -> Option<usize> {
    let fits = |pattern: &str, text: &str| pattern == "*" || pattern == text;
    EXPLAINED.iter().position(|(of, name, what, _)| {
        fits(of, object)
            && fits(name, field)
            && (fits(what, member) && (*what != "*" || *name != "*"))
    })
}

/// Every difference between two descriptions: field and member, what was recorded, what this org says.
fn differences(recorded: &Value, own: &Value) -> Vec<(String, String, Value, Value)> {
    const OF_THE_OBJECT: [&str; 6] = [
        "fields",
        "childRelationships",
        "recordTypeInfos",
        "actionOverrides",
        "urls",
        "supportedScopes",
    ];
    let mut found = Vec::new();
    let absent = json!("(absent)");
    for (member, value) in recorded.as_object().unwrap() {
        let ours = own.get(member).unwrap_or(&absent);
        let compared = !OF_THE_OBJECT.contains(&member.as_str());
        if *ours == absent || (compared && ours != value) {
            found.push((String::new(), member.clone(), value.clone(), ours.clone()));
        }
    }
    let own_fields = own["fields"].as_array().unwrap();
    for field in recorded["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        let Some(ours) = own_fields.iter().find(|own| own["name"] == name) else {
            found.push((
                name.to_owned(),
                "*".into(),
                field["type"].clone(),
                absent.clone(),
            ));
            continue;
        };
        for (member, value) in field.as_object().unwrap() {
            let ours = ours.get(member).unwrap_or(&absent);
            if ours != value {
                found.push((name.to_owned(), member.clone(), value.clone(), ours.clone()));
            }
        }
    }
    found
}

#[tokio::test]
async fn a_describe_differs_from_a_recorded_one_only_where_it_is_explained() {
    let Some(folder) = data("describe") else {
        return;
    };
    // The recorded org had its audit fields off.
    let folder_of_org = TempDir::new().unwrap();
    let options = OrgOptions::new(folder_of_org.path())
        .access_token(TOKEN)
        .audit_fields(false);
    let org = Org::start(options).await.unwrap();
    let (mut met, mut unexplained) = (BTreeSet::new(), Vec::new());
    let mut table = String::new();
    for object in ["Account", "Contact", "Lead", "Case"] {
        let recorded = std::fs::read_to_string(folder.join(format!("{object}.json"))).unwrap();
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        let address = format!(
            "{}/services/data/v60.0/sobjects/{object}/describe",
            org.url()
        );
        let asked = reqwest::Client::new()
            .get(address)
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap();
        let own: Value = serde_json::from_slice(&asked.bytes().await.unwrap()).unwrap();
        for (field, member, was, is) in differences(&recorded, &own) {
            let why = explanation(object, &field, &member);
            let reason = why.map_or("NOT EXPLAINED", |at| EXPLAINED[at].3);
            let shown = |value: &Value| value.to_string().chars().take(24).collect::<String>();
            table += &format!(
                "{object:8} {field:26} {member:20} {:25} {:25} {reason}\n",
                shown(&was),
                shown(&is)
            );
            match why {
                Some(at) => {
                    met.insert(at);
                }
                None => unexplained.push(format!("{object}.{field}: {member}: {was} {is}")),
            }
        }
    }
    org.stop().await;
    #[allow(clippy::print_stderr, reason = "the table is for people")]
    {
        eprintln!("{table}");
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    let idle: Vec<_> = (0..EXPLAINED.len() - 1)
        .filter(|at| !met.contains(at))
        .map(|at| EXPLAINED[at])
        .collect();
    assert!(idle.is_empty(), "explained, but no difference: {idle:?}");
}
