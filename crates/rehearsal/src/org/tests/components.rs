//! Components of metadata that people see and rows do not feel: taken, judged, read, listed, retrieved, deleted.

use base64::Engine as _;

use super::clients::between;
use super::*;

const MANIFEST: &str =
    "<Package xmlns=\"http://soap.sforce.com/2006/04/metadata\"><version>66.0</version></Package>";
const LAYOUT: &str = "<Layout xmlns=\"http://soap.sforce.com/2006/04/metadata\"><layoutSections><label>Source</label><layoutColumns>\
    <layoutItems><behavior>Readonly</behavior><field>Source_Key__c</field></layoutItems></layoutColumns></layoutSections></Layout>";
const OBJECT: &str = "<CustomObject xmlns=\"http://soap.sforce.com/2006/04/metadata\"><listViews><fullName>Migrated</fullName>\
    <columns>CASES.CASE_NUMBER</columns><columns>Source_Key__c</columns><filterScope>Everything</filterScope><label>Migrated &amp; kept</label>\
    </listViews></CustomObject>";
const TAB: &str = "<CustomTab xmlns=\"http://soap.sforce.com/2006/04/metadata\"><customObject>true</customObject>\
    <motif>Custom20: Airplane</motif></CustomTab>";

#[tokio::test]
async fn layouts_list_views_and_tabs_are_kept_if_what_they_name_is_there() {
    let meter = CustomObject::numbered("Meter__c", "M-{0}");
    let bench = Bench::with(|options| options.custom_object(meter)).await;
    for (path, content, problem) in [
        (
            "layouts/Case-Case Layout.layout",
            LAYOUT.replace("Source_Key__c", "Other__c"),
            "no CustomField named Case.Other__c found",
        ),
        (
            "layouts/Nothing-Nothing Layout.layout",
            LAYOUT.to_owned(),
            "no CustomObject named Nothing found",
        ),
        (
            "objects/Case.object",
            OBJECT.replace("Source_Key__c", "Other__c"),
            "no CustomField named Case.Other__c found",
        ),
        (
            "objects/Case.object",
            OBJECT.replace("<filterScope>Everything</filterScope>", ""),
            "Required field is missing: filterScope",
        ),
        (
            "tabs/Other__c.tab",
            TAB.to_owned(),
            "no CustomObject named Other__c found",
        ),
        (
            "tabs/Meter__c.tab",
            TAB.replace("<motif>Custom20: Airplane</motif>", ""),
            "Required field is missing: motif",
        ),
    ] {
        let files = [("package.xml", MANIFEST), (path, content.as_str())];
        let refused = bench.deployed(&files, "{}").await;
        let why = &refused["details"]["componentFailures"][0]["problem"];
        assert!(
            why.as_str().unwrap_or_default().contains(problem),
            "{path}: {refused}"
        );
    }
    let files = [
        ("package.xml", MANIFEST),
        ("layouts/Case-Case Layout.layout", LAYOUT),
        ("objects/Case.object", OBJECT),
        ("tabs/Meter__c.tab", TAB),
    ];
    let read = async |kind: &str, name: &str| {
        let body = format!(
            "<readMetadata><type>{kind}</type><fullNames>{name}</fullNames></readMetadata>"
        );
        bench.soap("m/60.0", &body).await.1
    };
    let before = read("Layout", "Case-Case Layout").await;
    assert!(before.contains("<field>Subject</field>") && !before.contains("Source_Key__c"));
    let checked = bench.deployed(&files, r#"{"checkOnly": true}"#).await;
    assert_eq!(checked["status"], "Succeeded", "{checked}");
    assert_eq!(read("Layout", "Case-Case Layout").await, before);
    for created in [true, false] {
        let done = bench.deployed(&files, "{}").await;
        let rows = done["details"]["componentSuccesses"].as_array().unwrap();
        let of = |kind: &str| {
            let row = rows.iter().find(|row| row["componentType"] == kind);
            row.map(|row| (row["created"].clone(), row["problem"].clone()))
        };
        for kind in ["ListView", "CustomTab"] {
            assert_eq!(of(kind), Some((json!(created), json!(null))), "{done}");
        }
        assert_eq!(
            of("Layout"),
            Some((json!(false), json!(null))),
            "it was there from the start"
        );
    }
    assert!(
        read("Layout", "Case-Case Layout")
            .await
            .contains("<field>Source_Key__c</field>")
    );
    let view = read("ListView", "Case.Migrated").await;
    assert!(
        view.contains("<label>Migrated &amp; kept</label>"),
        "{view}"
    );
    let list = "<listMetadata><queries><type>CustomTab</type></queries></listMetadata>";
    let (_, listed) = bench.soap("m/60.0", list).await;
    assert_eq!(
        between(&listed, "<fileName>", "</fileName>"),
        "tabs/Meter__c.tab"
    );
    let gone =
        "<deleteMetadata><type>CustomTab</type><fullNames>Meter__c</fullNames></deleteMetadata>";
    for success in ["true", "false"] {
        let (_, gone) = bench.soap("m/60.0", gone).await;
        assert_eq!(between(&gone, "<success>", "</success>"), success, "{gone}");
    }
}

#[tokio::test]
async fn what_was_retrieved_can_be_deployed_into_another_org() {
    let bench = Bench::new().await;
    let status = "<StandardValueSet xmlns=\"http://soap.sforce.com/2006/04/metadata\"><sorted>false</sorted><standardValue>\
        <fullName>Waiting</fullName><default>false</default><label>Waiting</label><closed>false</closed></standardValue></StandardValueSet>";
    let files = [
        ("package.xml", MANIFEST),
        ("layouts/Case-Case Layout.layout", LAYOUT),
        ("objects/Case.object", OBJECT),
        ("standardValueSets/CaseStatus.standardValueSet", status),
    ];
    assert_eq!(bench.deployed(&files, "{}").await["status"], "Succeeded");
    let request = "<retrieve><request><apiVersion>60.0</apiVersion><singlePackage>true</singlePackage><unpackaged>\
        <types><members>*</members><name>ListView</name></types>\
        <types><members>Case.Source_Key__c</members><members>Case.Score__c</members><name>CustomField</name></types>\
        <types><members>Case-Case Layout</members><members>Case-No Layout</members><name>Layout</name></types>\
        <types><members>CaseStatus</members><name>StandardValueSet</name></types>\
        <version>60.0</version></unpackaged></request></retrieve>";
    let (status, begun) = bench.soap("m/60.0", request).await;
    assert_eq!(status, 200, "{begun}");
    let id = between(&begun, "<id>", "</id>");
    // Clients of before version 31 wait by this first.
    let wait = format!("<checkStatus><asyncProcessId>{id}</asyncProcessId></checkStatus>");
    let (_, waited) = bench.soap("m/60.0", &wait).await;
    assert_eq!(
        between(&waited, "<state>", "</state>"),
        "Completed",
        "{waited}"
    );
    let ask = |zip: bool| {
        format!(
            "<checkRetrieveStatus><asyncProcessId>{id}</asyncProcessId><includeZip>{zip}</includeZip></checkRetrieveStatus>"
        )
    };
    let (_, without) = bench.soap("m/60.0", &ask(false)).await;
    assert!(
        without.contains("<done>true</done>") && !without.contains("<zipFile>"),
        "{without}"
    );
    let (_, done) = bench.soap("m/60.0", &ask(true)).await;
    assert!(
        done.contains("Entity of type 'Layout' named 'Case-No Layout' cannot be found"),
        "{done}"
    );
    let zip = between(&done, "<zipFile>", "</zipFile>");
    let other = Bench::with(|mut options| {
        options.settings.custom_fields.clear();
        options
    })
    .await;
    let deploy = format!(
        "<deploy><ZipFile>{zip}</ZipFile><DeployOptions><rollbackOnError>true</rollbackOnError></DeployOptions></deploy>"
    );
    let (_, begun) = other.soap("m/60.0", &deploy).await;
    let id = between(&begun, "<id>", "</id>");
    let result = other
        .get(&format!("metadata/deployRequest/{id}?includeDetails=true"))
        .await;
    assert_eq!(
        result.body["deployResult"]["status"], "Succeeded",
        "{}",
        result.body
    );
    let row = json!({"Source_Key__c": "k", "Score__c": 1.5, "Status": "Waiting"});
    other.add("Case", row.clone()).await;
    assert_eq!(
        other.refused("Case", row).await.0,
        "DUPLICATE_VALUE",
        "the key is unique there, too"
    );
    let ask =
        "<readMetadata><type>ListView</type><fullNames>Case.Migrated</fullNames></readMetadata>";
    assert!(
        other
            .soap("m/60.0", ask)
            .await
            .1
            .contains("Migrated &amp; kept")
    );
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(zip)
        .unwrap();
    assert!(bytes.starts_with(b"PK"));
}
