//! How many requests a read costs, against a formula that the connector does not know.

use async_trait::async_trait;
use deskferry::rehearsal::kayako::LeastOptions;
use deskferry::transform::Transformed;
use deskferry::{Context, Record, Result, Transform};

use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_migration_is_exact_and_reads_with_the_fewest_requests() {
    let scene = Scene::new().await;
    let report = scene.run().await.unwrap();
    assert!(report.complete, "{}", report.summary());
    scene.assert_exact();
    let verified = scene.verify().await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());

    let least = scene.kayako.least_requests(LeastOptions::default()).total();
    let sent: u64 = report
        .meter
        .iter()
        .filter(|row| row.platform == "kayako")
        .map(|row| row.requests)
        .sum();
    let allowed = least + (least / 50).max(5);
    assert!(
        sent <= allowed,
        "{sent} requests were sent, the least is {least}"
    );
    assert_eq!(report.meter.iter().map(|row| row.throttled).sum::<u64>(), 0);

    // What the report tells people is what the formula says, and what was really sent.
    let used = |platform: &str| {
        report
            .usage
            .iter()
            .find(|u| u.platform == platform)
            .unwrap()
    };
    assert_eq!(used("kayako").least, Some(least));
    assert_eq!(used("kayako").requests, sent);
    let org = used("salesforce");
    let below = org
        .least
        .is_some_and(|least| least > 0 && least <= org.requests);
    assert!(below, "{org:?}");
    let told = format!("{sent} requests, 1.0");
    assert!(report.summary().contains(&told), "{}", report.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_help_centre_is_read_with_the_fewest_requests_and_disturbs_nothing() {
    let scene = Scene::with(
        deskferry::rehearsal::world::WorldSpec::new(9, 12).knowledge(),
        |options| options,
        |options| options,
    )
    .await;
    let report = scene.run().await.unwrap();
    assert!(report.complete, "{}", report.summary());
    scene.assert_exact();
    let least = scene.kayako.least_requests(LeastOptions::default()).total();
    let mut usage = report.usage.iter();
    let used = usage.find(|used| used.platform == "kayako").unwrap();
    assert!(
        used.requests <= least + (least / 50).max(5),
        "{used:?}, the least is {least}"
    );
    for kind in ["category", "article", "inventory-item"] {
        assert!(report.summary().contains(kind), "{}", report.summary());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_audit_rights_the_dates_stand_in_fields_of_their_own() {
    let scene = Scene::with(
        deskferry::rehearsal::world::WorldSpec::new(9, 30),
        |options| options,
        |options| options.audit_fields(false),
    )
    .await;
    let report = scene.run().await.unwrap();
    assert!(report.complete, "{}", report.summary());
    scene.assert_exact();
    let verified = scene.verify().await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
}

/// Doubles the first blank of each subject.
struct Doubled;

#[async_trait]
impl Transform for Doubled {
    async fn apply(&self, _cx: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        Ok(batch
            .into_iter()
            .map(|record| match record {
                Record::Conversation(mut c) => {
                    c.subject = c.subject.replacen(' ', "  ", 1);
                    Transformed::Keep(Record::Conversation(c))
                }
                other => Transformed::Keep(other),
            })
            .collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_reports_a_change_that_no_rule_explains() {
    let scene = Scene::with(
        deskferry::rehearsal::world::WorldSpec::new(9, 12),
        |options| options,
        |options| options.extra_normalisation(true),
    )
    .await;
    let cx = Context::new();
    scene.migration().transform(Doubled).run(&cx).await.unwrap();
    let verified = scene
        .migration()
        .transform(Doubled)
        .verify(&cx)
        .await
        .unwrap();
    let found: Vec<_> = verified
        .differences
        .iter()
        .map(|d| (d.object.as_str(), d.field.as_str()))
        .collect();
    assert!(
        !found.is_empty() && found.iter().all(|f| *f == ("Case", "Subject")),
        "{found:?}"
    );
}
