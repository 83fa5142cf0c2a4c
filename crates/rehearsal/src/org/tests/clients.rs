//! What other people's clients speak besides REST: SOAP, metadata, the older Bulk API, codes and refresh tokens.

use std::io::Write;

use super::*;

/// A zip with stored files.
fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let at = u32::try_from(out.len()).unwrap();
        let sizes = [packed.len(), content.len()].map(|n| u32::try_from(n).unwrap().to_le_bytes());
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let common = [
            &[20, 0, 0, 0, 8, 0][..],
            &[0; 8],
            &sizes[0],
            &sizes[1],
            &length,
            &[0, 0],
        ]
        .concat();
        out.extend([b"PK\x03\x04".as_slice(), &common, name.as_bytes(), &packed].concat());
        let tail = [&[0; 10][..], &at.to_le_bytes(), name.as_bytes()].concat();
        central.extend([b"PK\x01\x02\x14\x00".as_slice(), &common, &tail].concat());
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let at = u32::try_from(out.len()).unwrap().to_le_bytes();
    let size = u32::try_from(central.len()).unwrap().to_le_bytes();
    [
        out,
        central,
        b"PK\x05\x06\0\0\0\0".to_vec(),
        count.to_vec(),
        count.to_vec(),
        size.to_vec(),
        at.to_vec(),
        vec![0, 0],
    ]
    .concat()
}

const MANIFEST: &str = "<Package xmlns=\"http://soap.sforce.com/2006/04/metadata\"><types><members>Meter__c</members>\
                        <name>CustomObject</name></types><version>66.0</version></Package>";
const METER: &str = "<CustomObject xmlns=\"http://soap.sforce.com/2006/04/metadata\"><label>Meter</label><pluralLabel>Meters</pluralLabel>\
    <nameField><label>No</label><type>AutoNumber</type><displayFormat>M-{0000}</displayFormat></nameField>\
    <fields><fullName>Case__c</fullName><label>Case</label><type>MasterDetail</type><referenceTo>Case</referenceTo>\
    <relationshipName>Meters</relationshipName></fields>\
    <fields><fullName>Key__c</fullName><label>Key</label><type>Text</type><length>40</length><externalId>true</externalId>\
    <unique>true</unique></fields></CustomObject>";
const MIGRATION: &str = "<PermissionSet xmlns=\"http://soap.sforce.com/2006/04/metadata\"><label>M</label><fieldPermissions>\
    <field>Meter__c.Key__c</field><readable>true</readable><editable>true</editable></fieldPermissions></PermissionSet>";

impl Bench {
    /// Deploys a zip by REST; what became of it.
    pub(super) async fn deployed(&self, files: &[(&str, &str)], options: &str) -> Value {
        let mut body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n\
             {{\"deployOptions\": {options}}}\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d.zip\"\r\n\
             Content-Type: application/zip\r\n\r\n"
        )
        .into_bytes();
        body.extend(zipped(files));
        body.extend(b"\r\n--b--\r\n");
        let request = self
            .request("POST", "metadata/deployRequest")
            .header("Content-Type", "multipart/form-data; boundary=b");
        let begun = self.answer(request.body(body)).await;
        assert_eq!(
            (begun.status, &begun.body["deployResult"]["status"]),
            (201, &json!("Pending"))
        );
        let id = begun.body["id"].as_str().unwrap().to_owned();
        self.get(&format!("metadata/deployRequest/{id}?includeDetails=true"))
            .await
            .body["deployResult"]
            .clone()
    }

    pub(super) async fn soap(&self, path: &str, body: &str) -> (u16, String) {
        let envelope = format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Header><SessionHeader>\
             <sessionId>{TOKEN}</sessionId></SessionHeader></e:Header><e:Body>{body}</e:Body></e:Envelope>"
        );
        let request = self
            .client
            .post(format!("{}/services/Soap/{path}", self.org.url()));
        let answer = request
            .header("Content-Type", "text/xml")
            .body(envelope)
            .send()
            .await
            .unwrap();
        (
            answer.status().as_u16(),
            String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap(),
        )
    }

    async fn old_bulk(&self, method: &str, path: &str, kind: &str, body: &str) -> (u16, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(
            method,
            format!("{}/services/async/60.0/{path}", self.org.url()),
        );
        let request = request
            .header("X-SFDC-Session", TOKEN)
            .header("Content-Type", kind);
        let answer = request.body(body.to_owned()).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert!(!kind.contains(';'), "compared whole by a client: {kind}");
        (
            answer.status().as_u16(),
            String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap(),
        )
    }
}

pub(super) fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.split_once(before)
        .and_then(|(_, rest)| rest.split_once(after))
        .map_or("", |(inner, _)| inner)
}

#[tokio::test]
async fn a_deployed_object_is_written_queried_and_goes_with_its_master() {
    let bench = Bench::new().await;
    let broken = METER.replace("<length>40</length>", "");
    let refused = bench
        .deployed(
            &[
                ("package.xml", MANIFEST),
                ("objects/Meter__c.object", &broken),
            ],
            "{}",
        )
        .await;
    assert_eq!(
        (&refused["status"], &refused["success"]),
        (&json!("Failed"), &json!(false))
    );
    assert_eq!(
        refused["details"]["componentFailures"][0]["fullName"],
        "Meter__c.Key__c"
    );
    assert_eq!(bench.get("sobjects/Meter__c/describe").await.status, 404);
    let files = [
        ("package.xml", MANIFEST),
        ("objects/Meter__c.object", METER),
    ];
    let checked = bench.deployed(&files, "{\"checkOnly\": true}").await;
    assert_eq!(
        (&checked["status"], &checked["checkOnly"]),
        (&json!("Succeeded"), &json!(true))
    );
    assert_eq!(bench.get("sobjects/Meter__c/describe").await.status, 404);
    assert_eq!(bench.deployed(&files, "{}").await["status"], "Succeeded");
    let case = bench.add("Case", json!({"Subject": "a"})).await;
    let meter = bench
        .add("Meter__c", json!({"Case__c": case, "Key__c": "k"}))
        .await;
    assert_eq!(bench.value("Meter__c", &meter, "Name").await, "M-0001");
    let down = bench
        .rows("SELECT Id, (SELECT Key__c FROM Meters__r) FROM Case WHERE Subject = 'a'")
        .await;
    assert_eq!(down[0]["Meters__r"]["records"][0]["Key__c"], "k");
    assert_eq!(
        bench.refused("Meter__c", json!({"Key__c": "x"})).await.0,
        "REQUIRED_FIELD_MISSING"
    );
    assert_eq!(
        bench
            .send("DELETE", &format!("sobjects/Case/{case}"), json!(null))
            .await
            .status,
        204
    );
    assert_eq!(
        bench
            .get(&format!("sobjects/Meter__c/{meter}"))
            .await
            .status,
        404
    );
    // What was deployed is there again after a restart.
    let folder = bench.folder;
    bench.org.stop().await;
    let org = Org::start(OrgOptions::new(folder.path())).await.unwrap();
    assert_eq!(org.dump("Meter__c").unwrap(), Vec::<Value>::new());
    org.stop().await;
}

#[tokio::test]
async fn where_the_org_is_strict_a_deployed_field_hides_until_a_permission_set_that_shows_it_is_assigned()
 {
    let bench = Bench::with(|options| options.field_security(true)).await;
    let files = [
        ("package.xml", MANIFEST),
        ("objects/Meter__c.object", METER),
    ];
    assert_eq!(bench.deployed(&files, "{}").await["status"], "Succeeded");
    let names = |body: &Value| -> Vec<String> {
        let fields = body["fields"].as_array().unwrap();
        fields
            .iter()
            .map(|f| f["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let before = names(&bench.get("sobjects/Meter__c/describe").await.body);
    // A required field cannot be hidden.
    assert!(before.contains(&"Case__c".to_owned()) && !before.contains(&"Key__c".to_owned()));
    let shown = [
        ("package.xml", "<Package><version>66.0</version></Package>"),
        ("permissionsets/M.permissionset", MIGRATION),
    ];
    assert_eq!(bench.deployed(&shown, "{}").await["status"], "Succeeded");
    let deployed = names(&bench.get("sobjects/Meter__c/describe").await.body);
    assert_eq!(deployed, before, "nobody has the permission set yet");
    bench.assign("M").await;
    let after = names(&bench.get("sobjects/Meter__c/describe").await.body);
    assert!(after.contains(&"Key__c".to_owned()));
    // A second set that shows it, too, is not missed.
    let second = [
        ("package.xml", "<Package><version>66.0</version></Package>"),
        ("permissionsets/N.permissionset", MIGRATION),
    ];
    assert_eq!(bench.deployed(&second, "{}").await["status"], "Succeeded");
    bench.assign("N").await;
    for (set, left) in [("N", &after), ("M", &before)] {
        let soql =
            format!("SELECT Id FROM PermissionSetAssignment WHERE PermissionSet.Name = '{set}'");
        let row = bench.rows(&soql).await[0]["Id"].clone();
        let place = format!("sobjects/PermissionSetAssignment/{}", row.as_str().unwrap());
        assert_eq!(bench.send("DELETE", &place, json!(null)).await.status, 204);
        let now = names(&bench.get("sobjects/Meter__c/describe").await.body);
        assert_eq!(&now, left, "{set} was taken away");
    }
    assert_eq!(
        bench.refused("Meter__c", json!({"Key__c": "x"})).await.0,
        "INVALID_FIELD"
    );
}

impl Bench {
    /// Gives the user a permission set.
    pub(super) async fn assign(&self, name: &str) {
        let soql = format!("SELECT Id FROM PermissionSet WHERE Name = '{name}'");
        let set = self.rows(&soql).await[0]["Id"].clone();
        let row = json!({"PermissionSetId": set, "AssigneeId": self.org.user_id()});
        self.add("PermissionSetAssignment", row).await;
    }
}

#[tokio::test]
async fn soap_logs_in_saves_and_reads_metadata_and_names_its_faults() {
    let bench = Bench::with(|options| options.password("secret")).await;
    let login = |password: &str| {
        let user = bench.org.username();
        format!(
            "<login xmlns=\"urn:partner.soap.sforce.com\"><username>{user}</username><password>{password}</password></login>"
        )
    };
    let (status, answer) = bench.soap("u/60.0", &login("secretTOKEN123")).await;
    assert_eq!(status, 200, "{answer}");
    assert!(between(&answer, "<serverUrl>", "</serverUrl>").starts_with(&bench.org.url()));
    let token = between(&answer, "<sessionId>", "</sessionId>");
    let url = format!("{}/services/data/v60.0/limits", bench.org.url());
    assert_eq!(
        bench
            .client
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    for (path, body, code) in [
        ("u/60.0", login("wrong!"), "INVALID_LOGIN"),
        ("u/66.0", login("secret"), "UNSUPPORTED_API_VERSION"),
        ("u/60.0", "<convertLead/>".to_owned(), "INVALID_OPERATION"),
    ] {
        let (status, answer) = bench.soap(path, &body).await;
        assert_eq!(
            (status, answer.contains(&format!("sf:{code}"))),
            (500, true),
            "{answer}"
        );
    }
    let field = "<upsertMetadata xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><metadata xsi:type=\"CustomField\">\
        <fullName>Case.Extra__c</fullName><label>Extra</label><type>Text</type><length>12</length></metadata></upsertMetadata>";
    for created in ["true", "false"] {
        let (_, answer) = bench.soap("m/60.0", field).await;
        assert_eq!(
            between(&answer, "<created>", "</created>"),
            created,
            "{answer}"
        );
    }
    let (_, read) = bench.soap("m/60.0", "<readMetadata><type>CustomField</type><fullNames>Case.Extra__c</fullNames></readMetadata>").await;
    assert_eq!(between(&read, "<length>", "</length>"), "12");
    let (_, gone) = bench.soap("m/60.0", "<deleteMetadata><type>CustomField</type><fullNames>Case.Extra__c</fullNames></deleteMetadata>").await;
    assert_eq!(between(&gone, "<success>", "</success>"), "true");
    assert_eq!(
        bench.refused("Case", json!({"Extra__c": "x"})).await.0,
        "INVALID_FIELD"
    );
}

#[tokio::test]
async fn the_older_bulk_api_writes_and_queries_in_csv_json_and_xml() {
    let bench = Bench::new().await;
    for (kind, type_, batch, good) in [
        (
            "CSV",
            "text/csv",
            "Source_Key__c,Subject\nc1,\"a, \"\"b\"\"\"\nc2,x\n",
            "\"true\",\"true\"",
        ),
        (
            "JSON",
            "application/json",
            r#"[{"Source_Key__c": "j1", "Subject": "x"}]"#,
            "\"success\":true",
        ),
        (
            "XML",
            "application/xml",
            "<sObjects><sObject><Source_Key__c>x1</Source_Key__c><Subject>x</Subject></sObject></sObjects>",
            "<success>true</success>",
        ),
    ] {
        let job = format!(
            "<jobInfo><operation>upsert</operation><object>Case</object><externalIdFieldName>Source_Key__c</externalIdFieldName><contentType>{kind}</contentType></jobInfo>"
        );
        let (status, answer) = bench.old_bulk("POST", "job", "application/xml", &job).await;
        assert_eq!(status, 201, "{answer}");
        let job = between(&answer, "<id>", "</id>").to_owned();
        let (status, answer) = bench
            .old_bulk("POST", &format!("job/{job}/batch"), type_, batch)
            .await;
        assert_eq!(status, 201, "{answer}");
        let id = match kind {
            "JSON" => between(&answer, "\"id\":\"", "\"").to_owned(),
            _ => between(&answer, "<id>", "</id>").to_owned(),
        };
        let (_, result) = bench
            .old_bulk("GET", &format!("job/{job}/batch/{id}/result"), "", "")
            .await;
        assert!(result.contains(good), "{kind}: {result}");
        let closed = "<jobInfo><state>Closed</state></jobInfo>";
        assert_eq!(
            bench
                .old_bulk("POST", &format!("job/{job}"), "application/xml", closed)
                .await
                .0,
            200
        );
        let (status, late) = bench
            .old_bulk("POST", &format!("job/{job}/batch"), type_, batch)
            .await;
        assert_eq!(
            (status, late.contains("InvalidJobState")),
            (400, true),
            "{late}"
        );
    }
    assert_eq!(
        bench
            .rows("SELECT Id FROM Case WHERE Source_Key__c IN ('c1', 'c2', 'j1', 'x1')")
            .await
            .len(),
        4
    );
}

#[tokio::test]
async fn a_code_is_good_once_and_its_refresh_token_as_often_as_wanted() {
    let bench = Bench::new().await;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let url = bench.org.url();
    let ask = format!(
        "{url}/services/oauth2/authorize?response_type=code&client_id=rehearsal-client&redirect_uri=http%3A%2F%2Flocalhost%2Fback&state=s"
    );
    let answer = client.get(ask).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 302);
    let back = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    let code = back
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let token = async |form: &[(&str, &str)]| -> (u16, Value) {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = client
            .post(format!("{url}/services/oauth2/token"))
            .header("Content-Type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await.unwrap();
        (
            answer.status().as_u16(),
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
        )
    };
    let by_code = [
        ("grant_type", "authorization_code"),
        ("client_id", "rehearsal-client"),
        ("redirect_uri", "http://localhost/back"),
        ("code", &code),
    ];
    let (status, first) = token(&by_code).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(token(&by_code).await.1["error"], "invalid_grant");
    let refresh = first["refresh_token"].as_str().unwrap();
    for _ in 0..2 {
        let (status, again) = token(&[
            ("grant_type", "refresh_token"),
            ("client_id", "rehearsal-client"),
            ("refresh_token", refresh),
        ])
        .await;
        assert_eq!(status, 200, "{again}");
    }
    let (_, unknown) = token(&[
        ("grant_type", "refresh_token"),
        ("client_id", "rehearsal-client"),
        ("refresh_token", "5Aepnone"),
    ])
    .await;
    assert_eq!(unknown["error"], "invalid_grant");
}
