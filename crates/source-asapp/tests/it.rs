//! Whole reads of deliveries that the stand-in wrote, and of ones by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use deskferry_core::source::{Page, Scope};
use deskferry_core::{Context, ErrorKind, Record, RecordKind, Result, Source as _, SourceExt as _};
use deskferry_rehearsal::asapp::{AsappOptions, CLAIMED_TWICE, Exports, WITHOUT_METADATA, write};
use deskferry_rehearsal::world::{World, WorldSpec};
use deskferry_source_asapp::{Asapp, AsappConfig, AsappConfigBuilder};
use futures::TryStreamExt as _;

/// Everything that a read yields.
#[derive(Debug, Default)]
struct Read {
    records: BTreeMap<String, Record>,
    skips: BTreeMap<String, String>,
    rejects: Vec<String>,
    notes: Vec<String>,
}

impl Read {
    fn take(&mut self, page: Page) {
        self.records.extend(
            page.records
                .into_iter()
                .map(|record| (record.key().to_string(), record)),
        );
        self.skips.extend(
            page.skips
                .into_iter()
                .map(|skip| (skip.key.to_string(), skip.reason)),
        );
        self.rejects.extend(
            page.rejects
                .into_iter()
                .map(|reject| format!("{} {}", reject.path, reject.reason)),
        );
        self.notes.extend(page.notes);
    }

    fn count(&self, kind: RecordKind) -> usize {
        self.records
            .values()
            .filter(|record| record.kind() == kind)
            .count()
    }
}

async fn read(config: AsappConfigBuilder) -> Result<Read> {
    let source = Arc::new(Asapp::new(config.build()?)?);
    let cx = Context::new();
    let mut todo = source.shards(&cx, &Scope::default()).await?;
    let mut read = Read::default();
    while let Some(shard) = todo.pop() {
        let mut pages = source.pages(&cx, shard, None);
        while let Some(mut page) = pages.try_next().await? {
            todo.append(&mut page.spawn);
            read.take(page);
        }
    }
    Ok(read)
}

fn config(folder: &Path) -> AsappConfigBuilder {
    let exports = Exports::at(folder);
    AsappConfig::builder("acme", exports.tree)
        .customers(exports.customers)
        .agents(exports.agents)
        .work(folder.join("work"))
}

fn deliver(folder: &Path, hostile: bool) -> World {
    let world = World::generate(WorldSpec::new(5, 30));
    let mut options = AsappOptions::default();
    options.hostile = hostile;
    write(folder, &world, &options).unwrap();
    world
}

#[tokio::test]
async fn a_delivery_is_read_to_its_last_statement() {
    let folder = tempfile::tempdir().unwrap();
    let world = deliver(folder.path(), false);
    let read = read(config(folder.path())).await.unwrap();
    assert_eq!(read.count(RecordKind::Conversation) as u64, world.len());
    assert!(read.count(RecordKind::Message) > 60 && read.count(RecordKind::Contact) >= 60);
    assert_eq!((read.skips.len(), read.rejects.len()), (0, 0));
    for record in read.records.values() {
        if let Record::Conversation(found) = record {
            assert_ne!(
                found.channel.raw, "unfinished",
                "a partition in progress was believed"
            );
            let device = &found.meta.custom["device_type"];
            assert_ne!(
                device.to_json(),
                "watch",
                "an older statement that came late was believed"
            );
        }
    }
    assert!(
        read.notes.iter().any(|note| note.contains("_SUCCESS")),
        "{:?}",
        read.notes
    );
    assert!(
        read.notes
            .iter()
            .any(|note| note.contains("knowledge_base")),
        "{:?}",
        read.notes
    );
}

#[tokio::test]
async fn broken_lines_are_kept_with_their_place_and_doubtful_issues_wait_for_a_decision() {
    let folder = tempfile::tempdir().unwrap();
    deliver(folder.path(), true);
    let first = read(config(folder.path())).await.unwrap();
    assert_eq!(first.rejects.len(), 4, "{:?}", first.rejects);
    assert!(
        first
            .rejects
            .iter()
            .all(|reject| reject.contains("utterances.jsonl")),
        "{:?}",
        first.rejects
    );
    let reason = |id: u64| {
        first
            .skips
            .get(&format!("asapp:acme:conversation:{id}"))
            .map(String::as_str)
    };
    assert_eq!(reason(WITHOUT_METADATA), Some("no-metadata"));
    assert_eq!(reason(CLAIMED_TWICE), Some("two-claim-one-id"));
    let drift = first.notes.iter().find(|note| note.contains("sender_type"));
    assert!(
        drift.is_some_and(|note| note.contains("text and object")),
        "{:?}",
        first.notes
    );

    // Somebody decides; whoever reads again keeps the decision.
    let list = folder.path().join("work/reconcile/conversations.csv");
    let text = fs::read_to_string(&list).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&WITHOUT_METADATA.to_string()))
        .unwrap();
    fs::write(&list, text.replace(line, &format!("{line}take"))).unwrap();
    let second = read(config(folder.path())).await.unwrap();
    let left: Vec<_> = second
        .skips
        .keys()
        .filter(|key| key.contains(&WITHOUT_METADATA.to_string()))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(second.skips.len(), 1);
    assert!(fs::read_to_string(&list).unwrap().contains("take"));
}

#[tokio::test]
async fn a_read_that_was_dropped_anywhere_goes_on_with_the_next_file() {
    let folder = tempfile::tempdir().unwrap();
    deliver(folder.path(), false);
    let whole = read(config(folder.path()).work(folder.path().join("whole")))
        .await
        .unwrap();
    let cx = Context::new();
    let mut read = Read::default();
    let (mut todo, mut after) = (None, None);
    // A new process for each page: nothing is remembered but the cursor and the work folder.
    loop {
        let source = Asapp::new(config(folder.path()).build().unwrap()).unwrap();
        let shards = match &mut todo {
            Some(shards) => shards,
            None => todo.insert(source.shards(&cx, &Scope::default()).await.unwrap()),
        };
        let Some(shard) = shards.last().cloned() else {
            break;
        };
        // Tries are dropped at ever later awaits.
        for polls in [1, 2, 5, 20, 60] {
            let mut page = Box::pin(source.page(&cx, &shard, after.clone()));
            for _ in 0..polls {
                if futures::poll!(page.as_mut()).is_ready() {
                    break;
                }
                // What blocks gets its turn.
                tokio::task::spawn_blocking(|| ()).await.unwrap();
            }
        }
        let mut page = source.page(&cx, &shard, after.clone()).await.unwrap();
        after = match &page.next {
            deskferry_core::source::Next::More(cursor) => Some(cursor.clone()),
            deskferry_core::source::Next::End(_) => {
                shards.pop();
                None
            }
        };
        shards.append(&mut page.spawn);
        read.take(page);
    }
    assert_eq!(read.records, whole.records);
}

#[tokio::test]
async fn a_later_read_brings_what_came_since_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    deliver(folder.path(), false);
    let source = Arc::new(Asapp::new(config(folder.path()).build().unwrap()).unwrap());
    let cx = Context::new();
    let mut mark = None;
    for since in [false, true] {
        let mut scope = Scope::default();
        if since {
            let late = folder
                .path()
                .join("exports/utterances/version=1/format=jsonl/dt=2020-01-01/hr=00/mi=00");
            fs::create_dir_all(&late).unwrap();
            let row = r#"{"issue_id":3,"created_ts":"2020-01-01 00:00:00","sender_type":"customer","utterance":"late","event_uuid":"late"}"#;
            fs::write(late.join("utterances.jsonl"), row).unwrap();
            fs::write(late.join("_SUCCESS"), "").unwrap();
            scope.since = mark.take();
        }
        let mut todo = source.shards(&cx, &scope).await.unwrap();
        let mut read = Read::default();
        while let Some(shard) = todo.pop() {
            let mut after = None;
            loop {
                let mut page = source.page(&cx, &shard, after).await.unwrap();
                todo.append(&mut page.spawn);
                let next = page.next.clone();
                read.take(page);
                match next {
                    deskferry_core::source::Next::More(cursor) => after = Some(cursor),
                    deskferry_core::source::Next::End(end) => {
                        mark = Some(end);
                        break;
                    }
                }
            }
        }
        if since {
            assert_eq!(
                read.count(RecordKind::Conversation),
                1,
                "{:?}",
                read.records.keys()
            );
            assert!(read.records.contains_key("asapp:acme:message:late"));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let day = folder
        .path()
        .join("exports/utterances/version=1/format=jsonl/dt=2026-01-01/hr=00/mi=00");
    fs::create_dir_all(&day).unwrap();
    fs::write(day.join("_SUCCESS"), "").unwrap();
    let plain = || {
        AsappConfig::builder("acme", folder.path().join("exports")).work(folder.path().join("work"))
    };

    fs::write(day.join("utterances.jsonl.gz.enc"), "secret").unwrap();
    let error = read(plain()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("encrypted"), "{error}");
    fs::remove_file(day.join("utterances.jsonl.gz.enc")).unwrap();

    fs::write(day.join("utterances.jsonl.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    let error = read(plain()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("utterances.jsonl.gz"), "{error}");

    fs::write(day.join("utterances.jsonl.gz"), "no json\n".repeat(2_000)).unwrap();
    let error = read(plain()).await.unwrap_err();
    assert!(error.to_string().contains("2000 of 2000 lines"), "{error}");

    fs::remove_file(day.join("utterances.jsonl.gz")).unwrap();
    read(plain()).await.unwrap();
    let error = read(
        AsappConfig::builder("other", folder.path().join("exports"))
            .work(folder.path().join("work")),
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    let error = read(
        AsappConfig::builder("acme", folder.path().join("nowhere")).work(folder.path().join("w2")),
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn events_add_what_files_lack_and_an_issue_that_only_they_know_is_not_invented() {
    let folder = tempfile::tempdir().unwrap();
    deliver(folder.path(), false);
    let archive = folder.path().join("archive/2026/02");
    fs::create_dir_all(&archive).unwrap();
    let event = |issue: &str, kind: &str, minute: u32, details: &str| {
        format!(
            r#"{{"api_version":"1.3","name":"com.asapp.event.journey","event_id":"{issue}-{minute}","event_type":"{kind}","meta_data":{{"issue_id":"{issue}","event_time":"2026-02-03T14:{minute:02}:00.000Z"}},"data":{{}},"details":{{{details}}}}}"#
        )
    };
    let lines = [
        event(
            "3",
            "FILE_UPLOAD_DETECTED",
            2,
            r#""uploaded_files_list":[{"file_name":"b.png"}]"#,
        ),
        event(
            "3",
            "TEXT_MESSAGE",
            1,
            r#""uploaded_files_list":[{"file_name":"a.png"}]"#,
        ),
        event(
            "4242",
            "ISSUE_CREATED",
            5,
            r#""issue_start_ts":"2026-02-03T14:05:00.000Z""#,
        ),
        r#"{"name":"com.asapp.event.activity","event_type":"agent_activity_status_updated"}"#
            .to_owned(),
        "broken".to_owned(),
    ];
    fs::write(archive.join("events.ndjson"), lines.join("\n")).unwrap();
    let read = read(config(folder.path()).events(folder.path().join("archive")))
        .await
        .unwrap();
    let Record::Conversation(third) = &read.records["asapp:acme:conversation:3"] else {
        panic!("no conversation")
    };
    assert!(
        third.meta.custom["uploaded_files"]
            .to_json()
            .to_string()
            .contains("b.png"),
        "{:?}",
        third.meta.custom
    );
    assert_eq!(
        read.skips
            .get("asapp:acme:conversation:4242")
            .map(String::as_str),
        Some("only-in-events")
    );
    assert_eq!(read.rejects.len(), 1, "{:?}", read.rejects);
    let list = fs::read_to_string(folder.path().join("work/reconcile/conversations.csv")).unwrap();
    assert!(
        list.contains("4242,only-in-events,real-time events,1,"),
        "{list}"
    );
}

mod exporter {
    use super::*;
    use deskferry_core::model::{CustomValue, Direction};
    use deskferry_rehearsal::asapp::{
        API_ID, API_SECRET, Configured, ExporterOptions, FileExporter, Told,
    };
    use deskferry_rehearsal::fault::{Action, Rule};
    use std::io::Write as _;

    /// Two conversations of AI services over two days; one feed by the hour, the others by the day, one file zipped.
    fn files(folder: &Path) {
        let put = |path: &str, lines: &[String], zip: bool| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = lines.join("\n");
            if zip {
                let mut file = flate2::write::GzEncoder::new(
                    fs::File::create(path).unwrap(),
                    flate2::Compression::fast(),
                );
                file.write_all(text.as_bytes()).unwrap();
                file.finish().unwrap();
            } else {
                fs::write(path, text).unwrap();
            }
        };
        for (day, hour) in [("2026-02-03", "14"), ("2026-02-04", "09")] {
            let each = |row: &dyn Fn(u32) -> String| [1, 2].map(row).to_vec();
            let state = each(&|n| {
                format!(
                    r#"{{"conversation_id":"01HZX{n}","customer_id":"c-{n}","conversation_metadata_lob_id":"line-{n}","last_agent_id":"a-1","dt":"{day}","hr":"{hour}","first_event_ts":"{day} {hour}:00:00","instance_ts":"{day} {hour}:00:00+00:00","company_marker":"acme"}}"#
                )
            });
            put(
                &format!("staging_conversation_state/1/jsonl/{day}/{hour}/00/state.jsonl"),
                &state,
                false,
            );
            let text = each(&|n| {
                format!(
                    r#"{{"conversation_id":"01HZX{n}","message_id":"m-{day}-{n}","utterance":"words of {day}","chat_message_event_ts":"{day} {hour}:00:0{n}"}}"#
                )
            });
            put(
                &format!("utterances/1/jsonl/{day}/utterances.jsonl"),
                &text,
                day.ends_with('3'),
            );
            put(
                &format!("utterances/1/csv/{day}/utterances.csv"),
                &["conversation_id".to_owned()],
                false,
            );
            let sender = each(&|n| {
                format!(
                    r#"{{"conversation_id":"01HZX{n}","message_id":"m-{day}-{n}","sender_type":"SENDER_CUSTOMER","sender_id":"c-{n}"}}"#
                )
            });
            put(
                &format!("staging_utterance_state/1/jsonl/{day}/state.jsonl"),
                &sender,
                false,
            );
            let field = each(&|n| {
                format!(
                    r#"{{"conversation_id":"01HZX{n}","agent_id":"a-1","structured_data_field_id":"q_done","structured_data_field_name":"Done","structured_data_field_value":"Yes","structured_data_ts":"{day} {hour}:00:00"}}"#
                )
            });
            let amount = each(&|n| {
                format!(
                    r#"{{"conversation_id":"01HZX{n}","agent_id":"a-1","structured_data_field_id":"e_amount","structured_data_field_name":"Amount","structured_data_field_value":"{n}.50","structured_data_ts":"{day} {hour}:00:00"}}"#
                )
            });
            put(
                &format!("autosummary_structured_data/1/jsonl/{day}/data.jsonl"),
                &[field, amount].concat(),
                false,
            );
        }
    }

    fn config(exporter: &FileExporter, work: &Path) -> AsappConfigBuilder {
        fs::create_dir_all(work).unwrap();
        AsappConfig::exporter("acme", API_ID, API_SECRET)
            .url(exporter.url())
            .allow(true, true)
            .limits(100, 50_000)
            .work(work)
    }

    #[tokio::test]
    async fn either_spelling_of_values_brings_the_same_conversations() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        for with_keys in [false, true] {
            let mut options = ExporterOptions::new(folder.path());
            options.with_keys = with_keys;
            let exporter = FileExporter::start(options).await.unwrap();
            let work = tempfile::tempdir().unwrap();
            let read = read(config(&exporter, work.path())).await.unwrap();
            assert_eq!(read.count(RecordKind::Conversation), 2, "{with_keys}");
            assert_eq!(
                (
                    read.count(RecordKind::Message),
                    read.count(RecordKind::FieldDefinition)
                ),
                (4, 2),
                "{with_keys}"
            );
            assert!(read.rejects.is_empty() && read.skips.is_empty());
            exporter.stop().await;
        }
    }

    #[tokio::test]
    async fn an_expired_link_and_a_broken_download_are_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let mut options = ExporterOptions::new(folder.path());
        options.expired = 2;
        let exporter = FileExporter::start(options).await.unwrap();
        exporter.file_faults().push(
            Rule::new(Action::CutBody { after_bytes: 10 })
                .path("/bucket")
                .skip(4)
                .times(1),
        );
        let work = tempfile::tempdir().unwrap();
        let read = read(config(&exporter, work.path())).await.unwrap();
        assert_eq!(read.count(RecordKind::Message), 4);
        exporter.stop().await;
    }

    #[tokio::test]
    async fn the_day_ends_with_a_stop_that_is_resumed_on_the_next() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let exporter = FileExporter::start(ExporterOptions::new(folder.path()))
            .await
            .unwrap();
        let work = tempfile::tempdir().unwrap();
        // Our own count ends the day before ASAPP does.
        let error = read(config(&exporter, work.path()).limits(100, 30))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Quota, "{error}");
        let calls = exporter.calls();
        assert!((23..=30).contains(&calls), "{calls}");
        // The next process of the same day does not ask at all, but for what was counted and never sent.
        let error = read(config(&exporter, work.path()).limits(100, 30))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Quota, "{error}");
        assert!(exporter.calls() <= 30, "{}", exporter.calls());
        let read = read(config(&exporter, work.path())).await.unwrap();
        assert_eq!(read.count(RecordKind::Message), 4);
        exporter.stop().await;
    }

    #[tokio::test]
    async fn what_a_read_takes_is_told_before_it_and_is_what_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let exporter = FileExporter::start(ExporterOptions::new(folder.path()))
            .await
            .unwrap();
        let (asking, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let told = |work: &Path, per_day| {
            config(&exporter, work)
                .asks(true, false)
                .limits(50, per_day)
        };
        let source = Asapp::new(told(asking.path(), 50_000).build().unwrap()).unwrap();
        let ready = source.check(&Context::new()).await.unwrap();
        let asked = exporter.calls();
        read(told(work.path(), 50_000)).await.unwrap();
        let took = exporter.calls() - asked;
        let lines = ready.limits.join("\n");
        assert!(
            lines.contains(&format!("about {took} requests")),
            "{took}: {lines}"
        );
        assert!(
            lines.contains("at most 50 requests a second") && lines.contains("fits into today"),
            "{lines}"
        );

        let estimate = source.estimate(&Context::new()).await.unwrap().unwrap();
        assert_eq!(estimate.requests().least, took);
        let text = estimate.text();
        assert!(
            text.contains("50000 a day") && text.contains("exported files"),
            "{text}"
        );

        let source = Asapp::new(told(asking.path(), 30).build().unwrap()).unwrap();
        let error = source.check(&Context::new()).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Quota,
            "the check is counted too: {error}"
        );
        exporter.stop().await;
    }

    #[tokio::test]
    async fn what_is_set_up_comes_from_the_configuration_api_where_it_may_be_asked() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let mut options = ExporterOptions::new(folder.path());
        options.configured = Configured::usual();
        let exporter = FileExporter::start(options).await.unwrap();
        let work = tempfile::tempdir().unwrap();
        let found = read(config(&exporter, work.path()).segment_priority(&["RETURNS"]))
            .await
            .unwrap();
        let pages = exporter.requests();
        let of_fields = pages
            .recent
            .iter()
            .filter(|entry| entry.path.contains("structured-data-fields"));
        assert_eq!(of_fields.count(), 2);
        assert_eq!(found.count(RecordKind::FieldDefinition), 123);
        let Record::FieldDefinition(done) = &found.records["asapp:acme:field-definition:q_done"]
        else {
            panic!("no definition")
        };
        assert_eq!((done.title.as_str(), done.active), ("Was it done?", true));
        let inventory: Vec<_> = found
            .records
            .keys()
            .filter(|key| key.contains(":inventory-item:"))
            .collect();
        for item in [
            "segment-RETURNS",
            "redaction-CREDIT_CARD_NUMBER",
            "vocabulary-v-1",
        ] {
            assert!(
                inventory.iter().any(|key| key.ends_with(item)),
                "{item}: {inventory:?}"
            );
        }
        let Record::Conversation(first) = &found.records["asapp:acme:conversation:01HZX1"] else {
            panic!("no conversation")
        };
        assert_eq!(first.segment.as_deref(), Some("RETURNS"));
        assert_eq!(
            first.meta.custom["e_amount"],
            CustomValue::Number("1.50".to_owned())
        );
        let Record::Conversation(second) = &found.records["asapp:acme:conversation:01HZX2"] else {
            panic!("no conversation")
        };
        assert_eq!(second.segment.as_deref(), Some("GLOBAL"));
        let wrong = read(config(&exporter, work.path()).segment_priority(&["NOWHERE"])).await;
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Config);
        exporter.stop().await;

        // Not enabled for the key: told, and everything else is read.
        let exporter = FileExporter::start(ExporterOptions::new(folder.path()))
            .await
            .unwrap();
        let work = tempfile::tempdir().unwrap();
        let found = read(config(&exporter, work.path())).await.unwrap();
        assert_eq!(found.count(RecordKind::FieldDefinition), 2);
        assert!(
            found
                .notes
                .iter()
                .any(|note| note.contains("segments cannot be read")),
            "{:?}",
            found.notes
        );
        exporter.stop().await;
    }

    /// A third conversation whose text was purged, and a fourth of which nothing is left but its senders.
    fn purged(folder: &Path) -> Told {
        let put = |path: &str, lines: &[String]| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, lines.join("\n")).unwrap();
        };
        let state = [3, 4].map(|n| {
            format!(r#"{{"conversation_id":"01HZX{n}","customer_id":"c-{n}","dt":"2026-01-03","hr":"14","first_event_ts":"2026-01-03 14:00:00"}}"#)
        });
        put(
            "staging_conversation_state/1/jsonl/2026-01-03/14/00/state.jsonl",
            &state,
        );
        let sender = [3, 4].map(|n| {
            format!(r#"{{"conversation_id":"01HZX{n}","message_id":"m-old-{n}","sender_type":"SENDER_AGENT","sender_id":"a-9","private_message_ct":1}}"#)
        });
        put(
            "staging_utterance_state/1/jsonl/2026-01-03/state.jsonl",
            &sender,
        );
        let mut told = Told::default();
        let conversation = serde_json::json!({"id": "01HZX3", "externalId": 77, "metadata": {"shop": "north"},
            "customer": {"externalId": "c-3", "name": "Ann Lee"}, "agent": {"externalId": "a-9", "name": "Bo Ek"}});
        let message = |id: &str, role: &str, text: &str| {
            serde_json::json!({"messageId": id, "text": text, "sender": {"role": role, "externalId": 5},
            "clientTimestamp": "2026-01-03T14:05:00.123456789012Z", "createdTimestamp": "2026-01-03T15:00:00Z"})
        };
        let messages = vec![
            message("m-old-3", "agent", "between us"),
            message("m-new-3", "customer", "hello"),
        ];
        told.add("01HZX3", conversation, messages);
        told
    }

    #[tokio::test]
    async fn texts_that_were_purged_come_from_the_conversation_api() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let mut options = ExporterOptions::new(folder.path());
        options.told = Some(purged(folder.path()));
        let exporter = FileExporter::start(options).await.unwrap();
        let work = tempfile::tempdir().unwrap();
        let found = read(config(&exporter, work.path())).await.unwrap();
        let message = |id: &str| match found.records.get(&format!("asapp:acme:message:{id}")) {
            Some(Record::Message(message)) => Some((
                message.direction,
                message.body.text.clone().unwrap(),
                message.sent_at.to_rfc3339(),
            )),
            _ => None,
        };
        // Who may have seen it is told by the files alone.
        let at = "2026-01-03T14:05:00.123456789+00:00".to_owned();
        assert_eq!(
            message("m-old-3"),
            Some((Direction::Internal, "between us".to_owned(), at.clone()))
        );
        assert_eq!(
            message("m-new-3"),
            Some((Direction::In, "hello".to_owned(), at))
        );
        let conversation = |id: &str| match &found.records[&format!("asapp:acme:conversation:{id}")]
        {
            Record::Conversation(conversation) => conversation.meta.custom.clone(),
            other => panic!("{other:?}"),
        };
        let third = conversation("01HZX3");
        assert!(!third.contains_key("purged_messages"));
        assert_eq!(
            (&third["metadata_shop"], &third["external_conversation_id"]),
            (
                &CustomValue::Text("north".to_owned()),
                &CustomValue::Text("77".to_owned())
            )
        );
        // What is gone there too is told, and no failure.
        assert_eq!(
            conversation("01HZX4")["purged_messages"],
            CustomValue::Number("1".to_owned())
        );
        let name = |key: &str| match &found.records[key] {
            Record::Contact(contact) => contact.name.clone(),
            Record::Agent(agent) => agent.name.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name("asapp:acme:contact:ai-c-3"), "Ann Lee");
        assert_eq!(name("asapp:acme:agent:ai-a-9"), "Bo Ek");
        let about = |exporter: &FileExporter| {
            exporter
                .requests()
                .recent
                .iter()
                .filter(|entry| entry.path.starts_with("/conversation/"))
                .count()
        };
        assert_eq!(
            about(&exporter),
            3,
            "two for the one that is there, one for the one that is not"
        );
        assert!(
            found.notes.iter().any(|note| note.contains(
                "2 conversations lack what it may have: about 4 requests, which fit into today"
            )),
            "{:?}",
            found.notes
        );
        // Another read of the same work folder asks nothing again.
        read(config(&exporter, work.path())).await.unwrap();
        assert_eq!(about(&exporter), 3);
        exporter.stop().await;
    }

    #[tokio::test]
    async fn what_is_not_enabled_is_told_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        purged(folder.path());
        let exporter = FileExporter::start(ExporterOptions::new(folder.path()))
            .await
            .unwrap();
        let work = tempfile::tempdir().unwrap();
        let asked = config(&exporter, work.path()).autosummary("summary");
        let found = read(asked).await.unwrap();
        for name in ["Conversation API", "AutoSummary API"] {
            let told = |note: &&String| note.contains(name) && note.contains("not enabled");
            assert_eq!(
                found.notes.iter().filter(told).count(),
                1,
                "{name}: {:?}",
                found.notes
            );
        }
        assert_eq!(
            (
                found.count(RecordKind::Conversation),
                found.count(RecordKind::Message)
            ),
            (4, 4)
        );
        exporter.stop().await;
    }

    #[tokio::test]
    async fn summaries_are_made_by_choice_for_conversations_that_have_none_and_once() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let day = folder
            .path()
            .join("autosummary_free_text/1/jsonl/2026-02-03");
        fs::create_dir_all(&day).unwrap();
        fs::write(
            day.join("a.jsonl"),
            r#"{"conversation_id":"01HZX1","summary_id":"s","autosummary_free_text":"Was there."}"#,
        )
        .unwrap();
        let tree = folder.path().join("exports");
        let issue = |feed: &str, row: &str| {
            let day = tree.join(format!("{feed}/version=1/format=jsonl/dt=2026-02-03"));
            fs::create_dir_all(&day).unwrap();
            fs::write(day.join("rows.jsonl"), row).unwrap();
            fs::write(day.join("_SUCCESS"), "").unwrap();
        };
        issue(
            "convos_metadata",
            r#"{"issue_id":7,"issue_created_ts":"2026-02-03 14:00:00","conversation_end_ts":"2026-02-03 14:10:00"}"#,
        );
        issue(
            "utterances",
            r#"{"issue_id":7,"created_ts":"2026-02-03 14:00:00","sender_type":"customer","utterance":"pay","event_uuid":"u"}"#,
        );
        let mut options = ExporterOptions::new(folder.path());
        options.summaries = true;
        let exporter = FileExporter::start(options).await.unwrap();
        let silent = tempfile::tempdir().unwrap();
        read(config(&exporter, silent.path())).await.unwrap();
        assert_eq!(exporter.made(), 0, "nobody asked for any");
        let work = tempfile::tempdir().unwrap();
        let asked = || {
            AsappConfig::builder("acme", &tree)
                .file_exporter(API_ID, API_SECRET)
                .url(exporter.url())
                .allow(true, true)
                .autosummary("summary, structured-data, intent")
                .work(work.path())
        };
        let found = read(asked()).await.unwrap();
        // The first has a summary; both have structured data; none has an intent. The issue has nothing.
        assert_eq!(exporter.made(), 1 + 2 + 3);
        let custom = |id: &str| match &found.records[&format!("asapp:acme:conversation:{id}")] {
            Record::Conversation(conversation) => (
                conversation.subject.clone(),
                conversation.meta.custom.clone(),
            ),
            other => panic!("{other:?}"),
        };
        let text = |text: &str| CustomValue::Text(text.to_owned());
        assert_eq!(custom("01HZX1").1["autosummary"], text("Was there."));
        assert_eq!(
            custom("01HZX2").1["autosummary"],
            text("What was said in 01HZX2.")
        );
        let (subject, of_issue) = custom("7");
        assert_eq!(
            (subject.as_str(), &of_issue["autosummary"]),
            ("Pay a bill", &text("What was said in 7."))
        );
        assert_eq!(
            (&of_issue["q_done"], &of_issue["e_amount"]),
            (
                &CustomValue::Choice("Yes".to_owned()),
                &CustomValue::Number("12.5".to_owned())
            )
        );
        read(asked()).await.unwrap();
        assert_eq!(exporter.made(), 6, "each is made once");
        exporter.stop().await;
    }

    #[tokio::test]
    async fn asking_stops_with_the_day_and_goes_on_behind_the_last_answer() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let mut options = ExporterOptions::new(folder.path());
        options.told = Some(purged(folder.path()));
        options.summaries = true;
        let exporter = FileExporter::start(options).await.unwrap();
        let work = tempfile::tempdir().unwrap();
        let asked = || {
            config(&exporter, work.path())
                .conversation_api("all")
                .autosummary("summary")
        };
        let listing = {
            let other = tempfile::tempdir().unwrap();
            read(
                config(&exporter, other.path())
                    .conversation_api("no")
                    .asks(true, false),
            )
            .await
            .unwrap();
            exporter.calls()
        };
        // The files fit into the day, two conversations of four do.
        exporter.allow(listing + 4);
        let error = read(asked().asks(true, false)).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Quota | ErrorKind::RateLimited),
            "{error:?}"
        );
        exporter.allow(1_000);
        let found = read(asked().asks(true, false)).await.unwrap();
        assert_eq!(found.count(RecordKind::Message), 6);
        let recent = exporter.requests().recent;
        let answered = |path: &str| {
            recent
                .iter()
                .filter(|entry| entry.status == 200 && entry.path.contains(path))
                .count()
        };
        assert_eq!(
            answered("/messages"),
            1,
            "what was answered is not asked for again"
        );
        exporter.stop().await;
    }

    #[tokio::test]
    async fn a_revoked_key_ends_the_read_and_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let exporter = FileExporter::start(ExporterOptions::new(folder.path()))
            .await
            .unwrap();
        let work = tempfile::tempdir().unwrap();
        let wrong = AsappConfig::exporter("acme", API_ID, "revoked-secret")
            .url(exporter.url())
            .allow(true, true)
            .work(work.path());
        let error = read(wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains("7a1f0c2e") && !shown.contains("revoked-secret"),
            "{shown}"
        );
        assert_eq!(exporter.calls(), 0, "refused calls are not answered");
        exporter.stop().await;
    }

    #[tokio::test]
    async fn a_key_that_is_revoked_in_the_middle_is_not_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let exporter = FileExporter::start(ExporterOptions::new(folder.path()))
            .await
            .unwrap();
        exporter.faults().push(
            Rule::new(Action::Status {
                code: 401,
                body: String::new(),
                headers: Vec::new(),
                content_type: None,
            })
            .path("/fileexporter")
            .skip(15),
        );
        let work = tempfile::tempdir().unwrap();
        let error = read(config(&exporter, work.path())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        assert!(error.to_string().contains("revoked"), "{error}");
        let refused = exporter
            .requests()
            .recent
            .iter()
            .filter(|entry| entry.status == 401)
            .count();
        // Several chunks of files may be asked for at once; none of them asks twice.
        assert!(refused <= 2, "{refused}");
        exporter.faults().clear();
        assert_eq!(
            read(config(&exporter, work.path()))
                .await
                .unwrap()
                .count(RecordKind::Message),
            4
        );
        exporter.stop().await;
    }
}
