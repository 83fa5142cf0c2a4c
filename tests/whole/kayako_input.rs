//! What a helpdesk holds that others leave out, and what somebody put into it on purpose.

use std::path::Path;
use std::sync::Arc;

use deskferry::kayako::{Kayako, KayakoConfig, KayakoConfigBuilder, Take};
use deskferry::migration::{Gate, Migration, Workspace, discover};
use deskferry::owners::Undecided;
use deskferry::rehearsal::fault::{Action, Rule};
use deskferry::rehearsal::kayako::{CaseAccess, Content, KayakoOptions};
use deskferry::rehearsal::oracle::{Difference, Oracle, OracleOptions, OrgDump as _};
use deskferry::rehearsal::world::{Conversation, ConversationState, Lists, Role, World, WorldSpec};
use deskferry::report::Report;
use deskferry::{Context, RecordKind};
use serde_json::Value;

use super::scene::{ALL_SCENARIOS, Scene, mapping_text};

fn all_scenarios() -> WorldSpec {
    WorldSpec::new(7, ALL_SCENARIOS)
}

async fn scene(with: impl FnOnce(KayakoOptions) -> KayakoOptions) -> Scene {
    Scene::with(all_scenarios(), with, |options| options).await
}

/// A migration whose source is configured in another way.
fn migration(
    scene: &Scene,
    with: impl FnOnce(KayakoConfigBuilder) -> KayakoConfigBuilder,
) -> Migration {
    let config = KayakoConfig::builder(scene.kayako.url(), "admin@acme.example", "rehearsal")
        .requests_per_minute(600_000)
        .email_headers(true);
    let source = Kayako::new(with(config).build().unwrap()).unwrap();
    let workspace = Workspace::open(&scene.workspace()).unwrap();
    Migration::new(workspace, Arc::new(source), scene.sink())
        .undecided(Undecided::Legacy)
        .gate(Gate {
            share: 0.2,
            always: 10,
        })
}

fn differences(scene: &Scene, with: impl FnOnce(&mut OracleOptions)) -> Vec<Difference> {
    let mut options = OracleOptions::new("acme", scene.org.user_id());
    for key in ["custom.legacy_id", "custom.state"] {
        options.tolerated_keys.insert(key.to_owned());
    }
    with(&mut options);
    Oracle::new(options)
        .compare(scene.kayako.world(), &scene.org)
        .unwrap()
}

fn cases(report: &Report) -> (u64, u64, u64) {
    let line = report.phases.iter().find(|p| p.phase == "cases").unwrap();
    (line.read, line.created, line.skipped)
}

fn count(scene: &Scene, wanted: impl Fn(&Conversation) -> bool) -> u64 {
    let all = scene.kayako.world().conversations();
    all.filter(|case| wanted(case)).count() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn trash_and_spam_are_left_out_by_name_and_taken_along_when_that_is_asked_for() {
    let left_out = scene(|options| options).await;
    let report = left_out.run().await.unwrap();
    let aside = count(&left_out, |case| case.state != ConversationState::Active);
    assert!(aside >= 2, "the world has some");
    assert_eq!(
        cases(&report),
        (ALL_SCENARIOS, ALL_SCENARIOS - aside, aside)
    );
    for reason in ["trashed", "suspended"] {
        let found = report.reasons.iter().find(|r| r.reason == reason).unwrap();
        assert!(!found.examples.is_empty(), "{reason}: {found:?}");
    }
    left_out.assert_exact();

    let taken = scene(|options| options).await;
    let everything = migration(&taken, |config| {
        config.trashed(Take::Include).suspended(Take::Include)
    });
    let report = everything.run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    assert_eq!(cases(&report), (ALL_SCENARIOS, ALL_SCENARIOS, 0));
    let found = differences(&taken, |options| {
        options.trashed = true;
        options.suspended = true;
    });
    assert!(found.is_empty(), "{found:#?}");
    let verified = everything.verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_case_hangs_on_the_one_that_took_its_posts_or_is_left_out_by_name() {
    let taken = scene(|options| options).await;
    taken.run().await.unwrap();
    taken.assert_exact();
    let hanging = taken.org.rows("Case").unwrap();
    let hanging = hanging
        .iter()
        .filter(|row| row["ParentId"].is_string())
        .count() as u64;
    let merged = count(&taken, |case| case.merged_into.is_some());
    assert!(merged > 0);
    assert_eq!(hanging, merged);

    let left_out = scene(|options| options).await;
    let report = migration(&left_out, |config| config.merged(Take::Skip))
        .run(&Context::new())
        .await
        .unwrap();
    assert!(
        report.reasons.iter().any(|r| r.reason == "merged"),
        "{}",
        report.summary()
    );
    let found = differences(&left_out, |options| options.merged = false);
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_of_ones_own_are_named_before_the_load_and_land_where_the_mapping_says() {
    let scene = scene(|options| options).await;
    migration(&scene, |config| config)
        .run(&Context::new())
        .await
        .unwrap();
    scene.assert_exact();
    let found = discover(
        &Context::new(),
        &Workspace::open(&scene.workspace()).unwrap(),
    )
    .await
    .unwrap();
    let own = ["Waiting for parts", "Escalated to maker"];
    for status in own {
        let told = found
            .oddities
            .iter()
            .find(|(what, _)| what.contains(&format!("the status `{status}`")));
        let (_, oddity) = told.unwrap_or_else(|| panic!("{status}: {:?}", found.oddities));
        assert_eq!(oddity.count, found.statuses[status]);
    }
    for usual in ["New", "Open", "Pending", "Completed", "Closed"] {
        assert!(
            !found
                .oddities
                .keys()
                .any(|what| what.contains(&format!("`{usual}`")))
        );
    }

    // What hangs on conversations is looked at as well.
    assert!(found.file_bytes > 0 && !found.largest_files.is_empty());
    assert!(found.oddities.contains_key("files of unknown size"));

    let mapped = self::scene(|options| options).await;
    let text = mapping_text().replace(
        "other = \"Working\"",
        "other = \"Working\", \"label:Waiting for parts\" = \"Escalated\"",
    );
    assert!(text.contains("label:Waiting"));
    std::fs::write(mapped.workspace().join("mapping.toml"), text).unwrap();
    let mapping = deskferry::salesforce::Mapping::parse(
        &std::fs::read_to_string(mapped.workspace().join("mapping.toml")).unwrap(),
    )
    .unwrap();
    let settings = mapped.org.settings();
    let config = deskferry::salesforce::SalesforceConfig::builder(mapped.org.url())
        .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
        .build()
        .unwrap();
    let sink = deskferry::salesforce::Salesforce::new(config, mapping).unwrap();
    let report = Migration::new(
        Workspace::open(&mapped.workspace()).unwrap(),
        mapped.source(),
        Arc::new(sink),
    )
    .undecided(Undecided::Legacy)
    .run(&Context::new())
    .await
    .unwrap();
    assert!(report.complete, "{}", report.summary());
    let world = mapped.kayako.world();
    let waiting = count(&mapped, |case| {
        world
            .status(case.status)
            .is_some_and(|status| status.label == own[0])
    });
    let found = differences(&mapped, |_| {});
    assert!(waiting > 0);
    assert_eq!(found.len() as u64, waiting, "{found:#?}");
    for difference in found {
        assert_eq!(
            (difference.field.as_str(), difference.found.as_str()),
            ("Status", "\"Escalated\"")
        );
    }
    // Priorities and types of one's own keep their words beside what they mean.
    let rows = mapped.org.rows("Case").unwrap();
    for (field, word) in [
        ("Source_Priority__c", "Doomsday"),
        ("Source_Type__c", "Praise"),
    ] {
        assert!(rows.iter().any(|row| row[field] == word), "{field} {word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_sees_too_little_is_told_of_before_and_after_and_no_hole_is_silent() {
    for (role, access) in [
        (Role::Agent, None),
        (Role::Agent, Some(CaseAccess::Teams)),
        (Role::Collaborator, None),
    ] {
        let scene = scene(|mut options| {
            options.role = role;
            options.case_access = access;
            options
        })
        .await;
        let report = scene.run().await.unwrap();
        let notes = &report.notes;
        for says in [
            "the account's role is",
            "the account sees only",
            "are in no list",
            "no view of the trash",
        ] {
            assert!(
                notes.iter().any(|note| note.contains(says)),
                "{role:?}: {says}: {notes:?}"
            );
        }
        let (read, created, _) = cases(&report);
        assert!(
            read < ALL_SCENARIOS && read == created,
            "{}",
            report.summary()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_that_are_refused_leave_a_case_and_a_line_in_the_report() {
    let scene = scene(|options| options).await;
    let case = scene.kayako.world().conversation(4).unwrap().id;
    let denied = Action::Status {
        code: 403,
        headers: vec![("X-API-Version".into(), "1".into())],
        body: r#"{"status":403,"errors":[{"code":"PERMISSIONS_DENIED","message":"no"}]}"#.into(),
        content_type: None,
    };
    scene.break_kayako(&format!("/cases/{case}/posts"), 0, 9, denied);
    let report = scene.run().await.unwrap();
    assert!(
        report
            .rejects
            .iter()
            .any(|r| r.reason.starts_with("forbidden")),
        "{:?}",
        report.rejects
    );
    let (read, created, skipped) = cases(&report);
    assert_eq!(created + skipped, read);
}

/// A world in which one mail carries a file for each of these names.
fn with_files_named(names: &[Option<&str>]) -> Content {
    let world = World::generate(WorldSpec::new(3, 12));
    let mut lists: Lists = world.lists().clone();
    lists.conversations = world
        .conversations()
        .map(std::borrow::Cow::into_owned)
        .collect();
    let pattern = World::generate(all_scenarios())
        .conversations()
        .flat_map(|case| case.messages.clone())
        .flat_map(|message| message.files)
        .find(|file| file.content.len() == 64)
        .unwrap();
    let mail = lists.conversations[0].messages.first_mut().unwrap();
    for (n, name) in names.iter().enumerate() {
        let mut file = pattern.clone();
        file.id = 70_000 + n as u64;
        file.name = name.map(str::to_owned);
        file.content = deskferry::rehearsal::world::FileContent::Given(
            format!("file {n}").into_bytes().into(),
        );
        mail.files.push(file);
    }
    Content::Given(Box::new(lists))
}

/// Every file below a folder, by its path from there.
fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            } else {
                found.push(
                    entry
                        .path()
                        .strip_prefix(folder)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                );
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_path_parts_is_a_harmless_title_and_never_a_path() {
    let long = format!("{}.pdf", "x".repeat(300));
    let names = [
        Some("../../../../../../tmp/deskferry-escaped"),
        Some("../../etc/passwd"),
        Some("/etc/shadow"),
        Some("C:\\Windows\\system32\\x.dll"),
        Some("..\\..\\x"),
        Some("a\u{0}b.txt"),
        Some("line\r\nbreak.txt"),
        Some("invoice\u{202e}fdp.exe"),
        Some("\u{2066}\u{200f}"),
        Some(".."),
        Some("."),
        Some("   "),
        Some(""),
        None,
        Some(long.as_str()),
        Some("%2e%2e%2fencoded"),
        Some("<script>alert(1)</script>.html"),
    ];
    let scene = Scene::with(
        WorldSpec::new(3, 12),
        |mut options| {
            options.content = with_files_named(&names);
            options
        },
        |options| options,
    )
    .await;
    let report = scene.run().await.unwrap();
    assert!(report.complete, "{}", report.summary());
    scene.assert_exact();
    let verified = scene.verify().await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());

    let rows = scene.org.rows("ContentVersion").unwrap();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    assert!(rows.len() >= names.len());
    for row in &rows {
        for field in ["Title", "PathOnClient"] {
            let title = text(row, field);
            let is_harmless =
                |c: char| !c.is_control() && !"/\\:*?\"<>|\u{202e}\u{2066}\u{200f}".contains(c);
            assert!(title.chars().all(is_harmless), "{field} {title:?}");
            assert!(
                title.chars().any(char::is_alphanumeric),
                "{field} {title:?}"
            );
            assert!(
                title.chars().count() <= if field == "Title" { 255 } else { 500 },
                "{title}"
            );
        }
    }
    // On the disk bytes have the name of their content, whatever they were called.
    let files = below(&scene.workspace());
    let staged: Vec<_> = files
        .iter()
        .filter(|path| path.contains("/files/"))
        .collect();
    assert!(staged.len() >= names.len(), "{files:?}");
    for path in staged {
        let name = path.rsplit('/').next().unwrap();
        assert!(
            name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit()),
            "{path}"
        );
    }
    assert!(!Path::new("/tmp/deskferry-escaped").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_link_leads_into_the_local_network_is_named_and_nobody_there_is_asked() {
    let victim = scene(|options| options).await;
    let scene = Scene::with(all_scenarios(), |options| options, |options| options).await;
    let all = scene.kayako.world().conversations();
    let post = all
        .filter(|case| case.state == ConversationState::Active)
        .flat_map(|case| case.messages.clone())
        .find(|post| {
            post.mail.is_some() && post.files.len() == 1 && !post.files[0].content.is_empty()
        })
        .unwrap();
    let address = format!("{}/backup.zip", victim.kayako.url());
    for pointer in [
        "/attachments/0/url_download",
        "/original/attachments/0/url_download",
    ] {
        let lead = Action::named(format!("set:{pointer}={address}"));
        scene
            .kayako
            .faults()
            .push(Rule::new(lead).path(format!("post:{};", post.id)));
    }
    let report = scene.run().await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let refused = report
        .reasons
        .iter()
        .find(|r| r.reason == "UNAVAILABLE")
        .unwrap();
    assert_eq!(refused.count, 1, "{refused:?}");
    let message = &refused.examples[0].message;
    assert!(
        message.contains("no public address") && message.contains("allow private hosts"),
        "{message}"
    );
    assert_eq!(victim.kayako.requests().total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_had_today_come_with_resume_tomorrow_and_wrong_sizes_are_told_of() {
    let scene = Scene::with(
        all_scenarios().hostile(),
        |options| options,
        |options| options,
    )
    .await;
    let downloads = || Rule::new(Action::status(503)).path("/download");
    scene.kayako.faults().push(downloads().skip(5));
    let patient = |config: KayakoConfigBuilder| {
        let source = Kayako::with_retry(
            config.build().unwrap(),
            super::scene::patient().max_attempts(2),
        );
        let workspace = Workspace::open(&scene.workspace()).unwrap();
        Migration::new(workspace, Arc::new(source.unwrap()), scene.sink())
            .undecided(Undecided::Legacy)
            .gate(Gate {
                share: 1.0,
                always: 1_000,
            })
    };
    let config = || {
        KayakoConfig::builder(scene.kayako.url(), "admin@acme.example", "rehearsal")
            .requests_per_minute(600_000)
            .email_headers(true)
    };
    let today = patient(config()).run(&Context::new()).await.unwrap();
    let failed = |report: &Report| {
        let found = report.reasons.iter().find(|r| r.reason == "UNAVAILABLE");
        found.map_or(0, |found| found.count)
    };
    assert!(today.complete && failed(&today) > 10, "{}", today.summary());

    scene.kayako.faults().set(Vec::new());
    let tomorrow = patient(config()).resume(&Context::new()).await.unwrap();
    let lost: usize = scene
        .kayako
        .world()
        .conversations()
        .filter(|case| case.state == ConversationState::Active)
        .flat_map(|case| case.messages.clone())
        .map(|message| {
            message.files.iter().filter(|file| file.lost).count()
                + message.images.iter().filter(|image| image.lost).count()
        })
        .sum();
    assert_eq!(failed(&tomorrow), lost as u64, "{}", tomorrow.summary());
    let told = tomorrow
        .notes
        .iter()
        .filter(|note| note.contains("500 bytes came, the source says 501"));
    assert_eq!(told.count(), 1, "{:?}", tomorrow.notes);
    let found = discover(
        &Context::new(),
        &Workspace::open(&scene.workspace()).unwrap(),
    )
    .await
    .unwrap();
    assert!(
        found
            .kinds
            .iter()
            .any(|kind| kind.kind == RecordKind::Attachment)
    );
}
