use chrono::{DateTime, Duration, Utc};

use crate::report::{
    Beat, DifferenceReport, Example, FieldReport, PhaseReport, Pulse, ReasonReport, RejectReport,
    Report, Used,
};

const HOSTILE: &str =
    "<script>alert(1)</script>\"'><img src=https://evil.example/x onerror=alert(2)>{{ 7*7 }}";

fn hostile() -> Report {
    let at: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let text = || HOSTILE.to_owned();
    let mut phase = PhaseReport {
        phase: text(),
        kind: text(),
        read: 10,
        rejected: 1,
        state: "closed".into(),
        opened_at: Some(at),
        closed_at: Some(at + Duration::seconds(90)),
        ..PhaseReport::default()
    };
    phase.add("created", 7);
    phase.add("held", 2);
    phase.add("failed", 1);
    let mut pulse = Pulse::default();
    pulse.push(Beat {
        at,
        ms: 1000,
        used: vec![Used {
            platform: text(),
            requests: 12,
            throttled: 1,
            waited_ms: 400,
        }],
    });
    let reason = |outcome: &str| ReasonReport {
        phase: text(),
        outcome: outcome.into(),
        reason: text(),
        count: 2,
        examples: vec![Example {
            key: text(),
            message: text(),
        }],
    };
    Report {
        changed: Vec::new(),
        gone: Vec::new(),
        format: 1,
        source: text(),
        target: text(),
        target_id: text(),
        mark: text(),
        made_at: at,
        complete: true,
        phases: vec![phase],
        owners: Vec::new(),
        reasons: vec![reason("failed"), reason("held"), reason("skipped")],
        rejects: vec![RejectReport {
            kind: text(),
            id: Some(text()),
            path: text(),
            reason: text(),
        }],
        notes: vec![text()],
        meter: Vec::new(),
        usage: Vec::new(),
        pulse,
        outlook: None,
        verify: vec![FieldReport {
            object: text(),
            field: text(),
            compared: 3,
            equal: 2,
            explained: 0,
            different: 1,
            touched: 0,
        }],
        differences: vec![DifferenceReport {
            key: text(),
            object: text(),
            field: text(),
            expected: text(),
            found: text(),
        }],
    }
}

#[test]
fn text_from_outside_never_becomes_markup() {
    let page = hostile().html().unwrap();
    for markup in ["<script", "<img", "onerror=alert(2)>{"] {
        assert!(!page.contains(markup), "{markup} is in the page");
    }
    let escaped = "&lt;script&gt;alert(1)";
    assert!(page.matches(escaped).count() > 20, "it is shown as text");
    assert!(
        page.contains("{{ 7*7 }}") && !page.contains("49</"),
        "it is no template"
    );
}

#[test]
fn the_page_forbids_scripts_and_fetches_nothing() {
    let mut report = hostile();
    report.notes = vec!["a note".into()];
    let page = report.html().unwrap().replace("https:&#x2f;", "");
    assert!(page.contains(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ));
    let policy = page.find("Content-Security-Policy").unwrap();
    assert!(
        policy < page.find("<style").unwrap(),
        "the policy comes first"
    );
    for fetching in ["url(", "@import", "<link", "<iframe", "<object", "href="] {
        assert!(!page.contains(fetching), "{fetching} is in the page");
    }
}

#[test]
fn the_verdict_names_the_worst() {
    let mut report = hostile();
    assert!(
        report
            .html()
            .unwrap()
            .contains("<strong>Differences</strong>")
    );
    report.verify[0].different = 0;
    assert!(report.html().unwrap().contains("Complete, with exceptions"));
    report.phases[0].held = 0;
    report.phases[0].failed = 0;
    assert!(report.html().unwrap().contains("Complete and verified"));
    report.complete = false;
    assert!(
        report
            .html()
            .unwrap()
            .contains("<strong>Not complete</strong>")
    );
}

#[test]
fn what_is_held_names_who_releases_it_and_the_file() {
    let mut report = hostile();
    report.reasons[1].reason = "owner-undecided".into();
    let waits = report.waits();
    assert_eq!(waits[0].reason, "owner-undecided", "held comes first");
    assert_eq!(waits[0].file, Some("reconcile/agents.csv"));
    assert_eq!(waits.len(), 2, "what is skipped waits for nobody");
    let owner = |n: u64| crate::report::OwnerWait {
        agent: format!("desk:acme:agent:{n}"),
        name: if n == 1 {
            String::new()
        } else {
            format!("Agent {n}")
        },
        open_cases: n,
    };
    report.owners = (1..=7).rev().map(owner).collect();
    let advice = &report.waits()[0].advice;
    assert!(
        advice.starts_with("28 open cases wait, of Agent 7 (7), Agent 6 (6), "),
        "{advice}"
    );
    assert!(advice.contains("2 more. Decide"), "{advice}");
    report.owners.drain(..6);
    let advice = &report.waits()[0].advice;
    assert!(
        advice.starts_with("1 open cases wait, of desk:acme:agent:1 (1). "),
        "{advice}"
    );
    assert!(
        report
            .html()
            .unwrap()
            .contains("<code>reconcile&#x2f;agents.csv</code>")
    );
}

#[test]
fn a_part_that_is_not_empty_can_be_seen() {
    let bar = super::charts::bar(&[("created", 1_000_000), ("failed", 1)], 1_000_001);
    assert_eq!(bar.len(), 2);
    let width = |n: usize| bar[n].width.parse::<f64>().unwrap();
    assert!(width(1) >= 5.0, "{}", bar[1].width);
    assert!(width(0) + width(1) <= 1000.1);
}
