//! Leads, users that are made, and the shares of those who own what nobody owned.

use std::collections::BTreeMap;

use deskferry_core::journal::Journal;
use deskferry_core::key::RecordKind;
use deskferry_core::model::*;
use deskferry_core::owners::Decision;
use deskferry_core::sink::{Sink, Verdict};
use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig};
use serde_json::{Value, json};

use crate::bench::*;

fn with_leads(conditions: &str) -> String {
    let shipped = "# leads = \"no-company\"";
    assert!(Mapping::default_text().contains(shipped));
    Mapping::default_text().replace(shipped, &format!("leads = {conditions}\n#"))
}

fn matched() -> Verdict {
    Verdict::Unchanged("matched".into())
}

#[tokio::test]
async fn who_asked_for_nothing_and_has_no_company_becomes_a_lead_by_choice() {
    let text = with_leads("[\"no-company\", \"type:prospect\"]");
    let mut bench = Bench::mapped(|options| options, &text).await;
    bench.sink.check(&bench.cx).await.unwrap();
    let there = json!({"LastName": "There", "Company": "Theirs", "Email": "lee@example.org"});
    bench.there_before("Lead", there).await;
    let known = json!({"LastName": "Known", "Email": "kim@example.org"});
    bench.there_before("Contact", known).await;
    let acme = records([account(1, "Acme", "example.org")]);
    bench.load("accounts", acme).await;
    let mut asked = conversation(1);
    asked.requester = Some(key(RecordKind::Contact, 1));
    bench.register(&records([asked.clone()]));
    let mut prospect = contact(3, "Per Olsen", "per@example.org");
    prospect.kind = Some("Prospect".into());
    prospect.accounts = vec![key(RecordKind::Account, 1)];
    prospect.tags = vec!["cold".into()];
    let mut colleague = contact(4, "Eva Moe", "eva@example.org");
    colleague.accounts = vec![key(RecordKind::Account, 1)];
    let people = records([
        contact(1, "Ann Lee", "ann@example.org"),
        contact(2, "Bob Ray", "bob@example.org"),
        prospect,
        colleague,
        contact(5, "Robert Ray", "bob@example.org"),
        contact(6, "Lee There", "lee@example.org"),
        contact(7, "Kim Known", "kim@example.org"),
    ]);
    let mut verdicts: Vec<Verdict> = bench.load("contacts", people.clone()).await;
    verdicts.sort_by_key(|verdict| format!("{verdict:?}"));
    let same = Verdict::Unchanged("same-email".into());
    let mut expected = vec![Verdict::Created; 4];
    expected.extend([matched(), matched(), same]);
    assert_eq!(verdicts, expected);
    let names = |object: &str| -> Vec<String> {
        let rows = bench.dump(object);
        let named = rows.iter().map(|row| row["LastName"].as_str().unwrap());
        named.map(str::to_owned).collect()
    };
    assert_eq!(names("Contact"), ["Known", "Lee", "Moe"]);
    assert_eq!(names("Lead"), ["There", "Ray", "Olsen"]);
    let leads = bench.dump("Lead");
    for (row, field, value) in [
        (1, "FirstName", json!("Bob")),
        (1, "Company", json!("[not provided]")),
        (1, "Email", json!("bob@example.org")),
        (1, "Status", json!("Open - Not Contacted")),
        (1, "Source_Key__c", json!("kayako:acme:contact:2")),
        (1, "CreatedDate", json!("2021-03-04T05:06:07.000+0000")),
        (2, "Company", json!("Acme")),
        (2, "Customer_Type__c", json!("Prospect")),
        (2, "Source_Tags__c", json!("|cold|")),
        (2, "Migration_Batch__c", json!("mark-0")),
    ] {
        assert_eq!(leads[row][field], value, "{row} {field}");
    }
    assert_eq!(bench.differences("contacts", people.clone()).await, [""; 0]);
    // Once more, by another process: nobody changes what they are, nobody is there twice.
    let mut late = conversation(2);
    late.requester = Some(key(RecordKind::Contact, 2));
    bench.register(&records([late.clone()]));
    bench.remapped(&text);
    bench.load("contacts", people).await;
    assert_eq!(bench.dump("Lead").len(), 3);
    assert_eq!(bench.dump("Contact").len(), 3);
    let kim = records([contact(7, "Kim Known", "kim@example.org")]);
    let kim = bench.journal.memory.register(kim)[0].0;
    let known = bench.journal.effects(&[kim]).await.unwrap();
    assert_eq!(known[0].object, "Contact", "she is a contact there");
    // A case of the lead, which came later, names them.
    let made = bench.load("cases", records([asked, late])).await;
    assert_eq!(made, vec![Verdict::Created; 2]);
    let cases = bench.dump("Case");
    assert!(cases[0]["ContactId"].is_string());
    assert_eq!(cases[1].get("ContactId"), None);
    assert_eq!(cases[1]["SuppliedName"], "Bob Ray");
    assert_eq!(cases[1]["SuppliedEmail"], "bob@example.org");
}

#[test]
fn conditions_for_leads_are_checked_and_nothing_said_means_nobody() {
    let mapping = |conditions: &str| Mapping::parse(&with_leads(conditions));
    let writes = |mapping: &Mapping| mapping.objects().any(|object| object == "Lead");
    for (conditions, leads) in [
        ("\"never\"", false),
        ("[]", false),
        ("\"no_company\"", true),
    ] {
        assert_eq!(writes(&mapping(conditions).unwrap()), leads, "{conditions}");
    }
    let shipped = Mapping::parse(Mapping::default_text()).unwrap();
    assert_eq!(
        mapping("\"never\"").unwrap().version_hash(),
        shipped.version_hash()
    );
    let error = mapping("[\"colour:red\"]").unwrap_err().to_string();
    assert!(error.contains("`colour:red` is no condition"), "{error}");
}

/// Loads agents for whom this was decided.
async fn decided(bench: &Bench, agents: Vec<Agent>, decision: &Decision) -> Vec<Verdict> {
    let mut batch = bench.batch("agents", records(agents)).await;
    for loaded in &mut batch.records {
        loaded.owner = Some(decision.clone());
    }
    let outcomes = bench.sink.write(&bench.cx, batch).await.unwrap();
    for outcome in &outcomes {
        let verdict = outcome.verdict.clone();
        bench.journal.memory.finish(outcome.record, verdict);
    }
    outcomes.into_iter().map(|o| o.verdict).collect()
}

#[tokio::test]
async fn agents_who_left_get_inactive_users_where_people_decide_so() {
    let mut bench = Bench::with(|options| options.inactive_owners(true), "").await;
    bench.sink.check(&bench.cx).await.unwrap();
    let owners = bench.sink.as_owners().unwrap();
    let may = owners
        .examine(&bench.cx, &[Decision::CreateInactive])
        .await
        .unwrap();
    assert_eq!(may, [None]);
    let left = agent(7, "Liv Left", "liv@example.org");
    let there = agent(1, "Ben Agent", "ben@example.org");
    let agents = vec![left.clone(), there];
    let made = decided(&bench, agents.clone(), &Decision::CreateInactive).await;
    assert_eq!(made, [Verdict::Created, matched()]);
    let liv = |bench: &Bench| {
        let users = bench.dump("User");
        let mut users = users
            .into_iter()
            .filter(|u| u["Email"] == "liv@example.org");
        let liv = users.next().unwrap();
        assert!(users.next().is_none(), "once");
        liv
    };
    let user = liv(&bench);
    assert_eq!(user["IsActive"], false);
    assert_eq!(user["LastName"], "Left");
    let profiles = bench.dump("Profile");
    let profile = profiles.iter().find(|p| p["Id"] == user["ProfileId"]);
    assert_eq!(profile.unwrap()["Name"], "Minimum Access - Salesforce");
    let mut mine = conversation(1);
    mine.assignee = Some(key(RecordKind::Agent, 7));
    let mut batch = bench.batch("cases", records([mine])).await;
    batch.records[0].owner = Some(Decision::CreateInactive);
    bench.sink.write(&bench.cx, batch).await.unwrap();
    assert_eq!(bench.only("Case")["OwnerId"], user["Id"]);
    // Another process, which forgot what it did: the user is there.
    bench.journal = std::sync::Arc::new(TestJournal::new("mark-0"));
    bench.restarted();
    let again = decided(&bench, vec![left], &Decision::CreateInactive).await;
    assert_eq!(again, [matched()]);
    assert_eq!(liv(&bench)["Id"], user["Id"]);
    let bench = Bench::new().await;
    let owners = bench.sink.as_owners().unwrap();
    let why = owners
        .examine(&bench.cx, &[Decision::CreateInactive])
        .await
        .unwrap();
    assert!(
        why[0].as_deref().unwrap().contains("inactive users"),
        "{why:?}"
    );
}

#[tokio::test]
async fn several_who_own_what_nobody_owned_have_a_share_each() {
    let mut bench = Bench::new().await;
    let owner = |legacy: &str| {
        let config = SalesforceConfig::builder(bench.org.url())
            .access_token(TOKEN)
            .legacy_owner(legacy)
            .build()
            .unwrap();
        Salesforce::new(config, Mapping::parse(Mapping::default_text()).unwrap()).unwrap()
    };
    let unknown = owner("ben@example.org.org, nobody").check(&bench.cx).await;
    assert!(unknown.unwrap_err().to_string().contains("`nobody`"));
    bench.sink = owner(&format!("ben@example.org.org, {}", bench.org.user_id()));
    let cases = records((1..=40).map(conversation));
    bench.load("cases", cases.clone()).await;
    let mut shares: BTreeMap<String, usize> = BTreeMap::new();
    for case in bench.dump("Case") {
        let owner = case["OwnerId"].as_str().unwrap().to_owned();
        *shares.entry(owner).or_default() += 1;
    }
    assert_eq!(shares.len(), 2, "{shares:?}");
    assert!(shares.values().all(|share| *share >= 10), "{shares:?}");
    assert_eq!(bench.differences("cases", cases).await, [""; 0]);
    assert!(
        bench
            .dump("Case")
            .iter()
            .all(|case| case["Subject"] != Value::Null)
    );
}
