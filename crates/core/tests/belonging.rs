//! Stage and ledgers of a workspace belong together: over another stage a ledger's numbers are other records.

mod support;

use std::path::Path;
use std::sync::Arc;

use deskferry_core::migration::{self, Migration, Silent, Workspace};
use deskferry_core::stage::index::Index;
use deskferry_core::stage::{SqliteIndex, Stage};
use deskferry_core::{Context, Error, ErrorKind};
use support::{Lists, Maps, Org, sample};
use tempfile::TempDir;

/// A workspace, and the org that it was loaded into.
struct Loaded {
    folder: TempDir,
    org: Arc<Org>,
}

impl Loaded {
    async fn new() -> Self {
        let loaded = Self {
            folder: tempfile::tempdir().unwrap(),
            org: Arc::new(Org::default()),
        };
        loaded.migration().run(&Context::new()).await.unwrap();
        loaded
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn source(&self) -> Arc<Lists> {
        Arc::new(sample())
    }

    fn migration(&self) -> Migration {
        let workspace = Workspace::open(self.folder.path()).unwrap();
        let sink = Arc::new(Maps::new("00D1", &self.org));
        Migration::new(workspace, self.source(), sink)
    }

    /// What every verb says of it.
    async fn refusals(&self) -> Vec<(&'static str, Error)> {
        let cx = Context::new();
        let mut said = Vec::new();
        for verb in ["run", "resume", "verify"] {
            let migration = self.migration();
            let answer = match verb {
                "run" => migration.run(&cx).await,
                "resume" => migration.resume(&cx).await,
                _ => migration.verify(&cx).await,
            };
            said.push((verb, answer.expect_err(verb)));
        }
        let status = migration::status(self.folder.path()).await;
        said.push(("status", status.expect_err("status")));
        let report = migration::write_reports(self.folder.path()).await;
        said.push(("report", report.expect_err("report")));
        let workspace = Workspace::open(self.folder.path()).unwrap();
        let read = migration::extract(&cx, &workspace, self.source(), Arc::new(Silent)).await;
        said.push(("discover", read.expect_err("discover")));
        said
    }

    async fn is_refused(&self, words: &str) {
        let rows = self.org.rows.lock().unwrap().len();
        for (verb, error) in self.refusals().await {
            assert_eq!(error.kind(), ErrorKind::Mismatch, "{verb}: {error}");
            assert!(error.to_string().contains(words), "{verb}: {error}");
            let advice = error.advice().unwrap_or_default();
            assert!(advice.contains("Put back the stage"), "{verb}: {error:?}");
        }
        assert_eq!(self.org.rows.lock().unwrap().len(), rows);
    }
}

fn replace(folder: &Path, by: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    copy(by, folder);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

#[tokio::test]
async fn a_stage_that_was_swapped_for_another_one_of_the_same_tenant_is_refused() {
    let (one, other) = (Loaded::new().await, Loaded::new().await);
    replace(&one.path("stage"), &other.path("stage"));
    one.is_refused("speaks of another stage").await;
}

#[tokio::test]
async fn a_stage_that_is_gone_under_a_ledger_is_not_begun_anew() {
    let loaded = Loaded::new().await;
    std::fs::remove_dir_all(loaded.path("stage")).unwrap();
    loaded.is_refused("the stage is gone").await;
    assert!(!loaded.path("stage/index.sqlite").exists());
}

#[tokio::test]
async fn an_older_copy_of_the_stage_is_refused_when_the_ledger_knows_more() {
    let early = tempfile::tempdir().unwrap();
    let stage = Stage::open(early.path()).await.unwrap();
    stage.index().set_tenant(&support::tenant()).await.unwrap();
    drop(stage);
    let loaded = Loaded::new().await;
    let word = SqliteIndex::open(&loaded.path("stage/index.sqlite"))
        .unwrap()
        .word()
        .await
        .unwrap();
    replace(&loaded.path("stage"), early.path());
    rusqlite::Connection::open(loaded.path("stage/index.sqlite"))
        .unwrap()
        .execute("UPDATE meta SET value = ?1 WHERE name = 'word'", [word])
        .unwrap();
    loaded.is_refused("the ledger knows a record").await;
}

#[tokio::test]
async fn a_lost_ledger_is_not_begun_anew_while_the_folder_tells_of_a_load() {
    let proofs = ["report.json", "report.html"];
    for kept in proofs {
        let loaded = Loaded::new().await;
        let target = loaded.path("targets/Org-00D1");
        for entry in std::fs::read_dir(&target).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() != kept {
                std::fs::remove_file(path).unwrap();
            }
        }
        let rows = loaded.org.rows.lock().unwrap().len();
        let cx = Context::new();
        for verb in ["run", "resume"] {
            let migration = loaded.migration();
            let answer = match verb {
                "run" => migration.run(&cx).await,
                _ => migration.resume(&cx).await,
            };
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
            assert!(
                error.to_string().contains("ledger of that load is gone"),
                "{error}"
            );
            let advice = error.advice().unwrap_or_default();
            assert!(advice.contains("Restore ledger.sqlite"), "{advice}");
        }
        // An empty database in its place is no ledger either.
        std::fs::write(target.join("ledger.sqlite"), b"").unwrap();
        let error = loaded.migration().run(&cx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
        assert_eq!(loaded.org.rows.lock().unwrap().len(), rows);
    }
}

#[tokio::test]
async fn a_copied_workspace_goes_on() {
    let loaded = Loaded::new().await;
    let copied = Loaded {
        folder: tempfile::tempdir().unwrap(),
        org: Arc::clone(&loaded.org),
    };
    copy(loaded.folder.path(), copied.folder.path());
    let report = copied.migration().resume(&Context::new()).await.unwrap();
    assert!(report.complete);
    assert!(migration::status(copied.folder.path()).await.unwrap()[0].complete);
}
