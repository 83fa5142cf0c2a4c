//! Reading back what was written and comparing it field by field.

mod expected;
pub(crate) mod rules;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deskferry_core::error::{ErrorKind, Result};
use deskferry_core::journal::{Effect, Known, Operation};
use deskferry_core::key::RecordId;
use deskferry_core::sink::{Loaded, Verdict};
use deskferry_core::verify::{Checked, Finding};
use serde_json::Value;

use crate::amend;
use crate::bulk::query::stretches;
use crate::client::query::RETRIEVED;
use crate::load::{Run, articles, calls, cases, files, mails, moment, rows};
use crate::mapping::build::is_id_list;
use crate::mapping::{BATCH_MARK, of_one_target};
use crate::probe::Learned;
use expected::Expected;
pub(crate) use expected::{Wanted, of as expected_of};
pub(crate) use rules::{Place, Rule, explain, same};

/// How many mails are read back in one request: each may have two bodies of 128 KiB.
const MAILS_AT_ONCE: usize = 200;
/// How much of a value a finding shows, in characters.
const SHOWN: usize = 200;

/// Compares the rows of a batch's records with what the records say.
pub(crate) async fn batch(run: &Run<'_>, learned: Learned) -> Result<Vec<Checked>> {
    let records = standing(run).await?;
    let wanted = expected::of(run, &records, run.cx.now()).await?;
    let mut checked = Vec::new();
    let mut rows = Vec::new();
    for wanted in wanted {
        match wanted {
            Wanted::Rows(mine) => rows.extend(mine),
            Wanted::Unbuildable(loaded, object, verdict) => {
                let why = format!(
                    "a row that refers to others ({})",
                    verdict.reason().unwrap_or(verdict.column())
                );
                checked.push(different(
                    loaded,
                    object,
                    "Id",
                    why,
                    "what it refers to is gone",
                ));
            }
        }
    }
    let found = Found::read(run, &rows).await?;
    restrict(run, &mut rows).await?;
    for row in &rows {
        let first = checked.len();
        compare(run, learned, row, &found, &mut checked)?;
        let touched_at = touched_at(run, row, &found);
        let mine = checked.iter_mut().skip(first);
        mine.for_each(|one| one.touched_at = touched_at);
    }
    Ok(checked)
}

/// When somebody else changed a row last. One that is gone was removed by somebody, nobody knows when.
fn touched_at(run: &Run<'_>, row: &Expected<'_>, found: &Found) -> Option<DateTime<Utc>> {
    let stands = found.rows.get(run.standing(row.loaded, row.n)?)?;
    let theirs = stands["LastModifiedById"].as_str()? != run.org.me();
    theirs.then(|| moment(&stands["SystemModstamp"])).flatten()
}

/// The records that should stand: those that were made, and files whose bytes another attachment brought. Rows of the
/// org that were only linked are not ours to compare.
async fn standing<'a>(run: &'a Run<'_>) -> Result<Vec<&'a Loaded>> {
    let ids: BTreeSet<RecordId> = run.batch.records.iter().map(|loaded| loaded.id).collect();
    let ids: Vec<RecordId> = ids.into_iter().collect();
    let known: HashMap<RecordId, Known> = ids
        .iter()
        .copied()
        .zip(run.journal().rows(&ids).await?)
        .collect();
    let stands = |loaded: &&Loaded| {
        let verdict = known.get(&loaded.id).and_then(Known::verdict);
        let linked_file = run.prior(loaded, 0).is_some_and(|effect| {
            effect.operation == Operation::Link && effect.object == files::OBJECT
        });
        let made = matches!(verdict, Some(Verdict::Created | Verdict::Updated));
        (made || linked_file) && expected::has_bytes(loaded)
    };
    Ok(run.batch.records.iter().filter(stands).collect())
}

/// Of rows that others made, only what we wrote is compared.
async fn restrict(run: &Run<'_>, rows: &mut [Expected<'_>]) -> Result<()> {
    let found = |row: &&mut Expected<'_>| {
        let prior = run.prior(row.loaded, row.n);
        // A row of ours may have been merged into another by somebody.
        let is_others = |effect: &Effect| match effect.operation {
            Operation::Matched => true,
            Operation::Link => row.object != files::OBJECT,
            _ => false,
        };
        prior.is_some_and(is_others)
    };
    let mut found: Vec<&mut Expected<'_>> = rows.iter_mut().filter(found).collect();
    let changes: Vec<(RecordId, u32)> = found
        .iter()
        .map(|row| (row.loaded.id, row.loaded.row(amend::CHANGE)))
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let images = run.journal().images(&changes).await?;
    for (row, image) in found.iter_mut().zip(images) {
        let written = image.unwrap_or_default().written;
        row.only = Some(written.into_iter().map(|(name, _)| name).collect());
    }
    Ok(())
}

/// The rows of an object with these ids, as far as they are compared.
pub(crate) async fn rows_of(
    run: &Run<'_>,
    object: &'static str,
    ids: Vec<String>,
) -> Result<HashMap<String, Value>> {
    let ids: BTreeSet<String> = ids.into_iter().collect();
    let found = Found::of(run, BTreeMap::from([(object, ids)])).await?;
    Ok(found.rows)
}

/// What stands in the org, as far as it is compared.
struct Found {
    rows: HashMap<String, Value>,
    lists: HashMap<String, HashMap<&'static str, BTreeSet<String>>>,
}

/// What hangs on an article.
const BESIDE: [&str; 2] = [articles::FILES, articles::CATEGORIES];

impl Found {
    async fn read(run: &Run<'_>, expected: &[Expected<'_>]) -> Result<Self> {
        let mut by_object: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        for row in expected {
            if let Some(id) = run.standing(row.loaded, row.n) {
                by_object
                    .entry(row.object)
                    .or_default()
                    .insert(id.to_owned());
            }
        }
        Self::of(run, by_object).await
    }

    async fn of(
        run: &Run<'_>,
        by_object: BTreeMap<&'static str, BTreeSet<String>>,
    ) -> Result<Self> {
        let mut found = Self {
            rows: HashMap::new(),
            lists: HashMap::new(),
        };
        for (object, ids) in by_object {
            let ids: Vec<String> = ids.into_iter().collect();
            let names = readable(run, object)?;
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if object == calls::OBJECT {
                found.read_archived(run, &ids, &names).await?;
                continue;
            }
            found.read_by_job(run, object, &ids, &names).await?;
            let missing: Vec<String> = ids
                .iter()
                .filter(|id| !found.rows.contains_key(*id))
                .cloned()
                .collect();
            let rows = run
                .api
                .retrieve(run.cx, object, &missing, &names, at_once(object))
                .await?;
            for (id, row) in missing.into_iter().zip(rows) {
                found.rows.extend(row.map(|row| (id, row)));
            }
            if object == mails::OBJECT {
                found.read_lists(run, &ids).await?;
            }
            if object == articles::OBJECT {
                found.read_beside(run, &ids).await?;
            }
        }
        Ok(found)
    }

    /// Reads rows by a query job where there are enough for one. What it does not tell is asked by id afterwards: an org that
    /// takes no such job, or counts ids in another way, costs time and nothing else.
    async fn read_by_job(
        &mut self,
        run: &Run<'_>,
        object: &'static str,
        ids: &[String],
        names: &[&str],
    ) -> Result<()> {
        let from = run.api.config().bulk_from;
        let stretches = stretches(ids);
        // Articles are only shown by their ids one by one.
        let one_by_one = object == articles::OBJECT;
        if from == 0 || ids.len() < from || stretches.is_empty() || one_by_one {
            return Ok(());
        }
        let places: Vec<String> = stretches
            .iter()
            .map(|(first, last)| format!("(Id >= '{first}' AND Id <= '{last}')"))
            .collect();
        let soql = format!(
            "SELECT {} FROM {object} WHERE {}",
            names.join(", "),
            places.join(" OR ")
        );
        let mut take = |row: Value| {
            let id = row["Id"].as_str().unwrap_or_default();
            if let Ok(n) = ids.binary_search_by(|known| known.as_str().cmp(id)) {
                self.rows.insert(ids[n].clone(), row);
            }
        };
        let described = run.org.object(object)?;
        let read = run.api.query_by_job(run.cx, described, &soql, &mut take);
        match read.await {
            Err(error) if of_the_job_alone(error.kind()) => {
                tracing::warn!(object, %error, "reading by id what a query job did not tell");
                Ok(())
            }
            read => read,
        }
    }

    /// Tasks that the platform archived show in `queryAll` alone, which shows deleted ones, too.
    async fn read_archived(&mut self, run: &Run<'_>, ids: &[String], names: &[&str]) -> Result<()> {
        let select = format!(
            "SELECT {} FROM {} WHERE IsDeleted = false AND Id IN",
            names.join(", "),
            calls::OBJECT
        );
        let rows = run.api.query_all_in(run.cx, &select, ids).await?;
        let known = |row: Value| Some((row["Id"].as_str()?.to_owned(), row));
        self.rows.extend(rows.into_iter().filter_map(known));
        Ok(())
    }

    /// The people and documents of mails stand in rows of their own.
    async fn read_lists(&mut self, run: &Run<'_>, mails: &[String]) -> Result<()> {
        let select = "SELECT EmailMessageId, RelationId, RelationType FROM EmailMessageRelation WHERE EmailMessageId IN";
        for row in run.api.query_in(run.cx, select, mails).await? {
            let list = match row["RelationType"].as_str() {
                Some("ToAddress") => "ToIds",
                Some("CcAddress") => "CcIds",
                Some("BccAddress") => "BccIds",
                _ => continue,
            };
            self.add(&row["EmailMessageId"], list, &row["RelationId"]);
        }
        let select = "SELECT LinkedEntityId, ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId IN";
        for row in run.api.query_in(run.cx, select, mails).await? {
            self.add(
                &row["LinkedEntityId"],
                "ContentDocumentIds",
                &row["ContentDocumentId"],
            );
        }
        Ok(())
    }

    /// Files and categories of articles stand in rows of their own, too.
    async fn read_beside(&mut self, run: &Run<'_>, ids: &[String]) -> Result<()> {
        let select = "SELECT LinkedEntityId, ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId IN";
        for row in run.api.query_in(run.cx, select, ids).await? {
            self.add(
                &row["LinkedEntityId"],
                articles::FILES,
                &row["ContentDocumentId"],
            );
        }
        let select = "SELECT ParentId, DataCategoryGroupName, DataCategoryName FROM Knowledge__DataCategorySelection WHERE \
                      ParentId IN";
        for row in run.api.query_in(run.cx, select, ids).await? {
            let text = |name: &str| row[name].as_str().unwrap_or_default();
            let name = format!(
                "{}.{}",
                text("DataCategoryGroupName"),
                text("DataCategoryName")
            );
            self.add(&row["ParentId"], articles::CATEGORIES, &name.into());
        }
        Ok(())
    }

    fn add(&mut self, mail: &Value, list: &'static str, id: &Value) {
        if let (Some(mail), Some(id)) = (mail.as_str(), id.as_str()) {
            let lists = self.lists.entry(mail.to_owned()).or_default();
            lists.entry(list).or_default().insert(id.to_owned());
        }
    }

    fn list(&self, mail: &str, name: &str) -> BTreeSet<String> {
        self.lists
            .get(mail)
            .and_then(|lists| lists.get(name))
            .cloned()
            .unwrap_or_default()
    }
}

/// Whether an error says that this job does not do, rather than that nothing will.
fn of_the_job_alone(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unavailable
            | ErrorKind::Decode
            | ErrorKind::Protocol
            | ErrorKind::Refused
            | ErrorKind::NotFound
            | ErrorKind::Forbidden
            | ErrorKind::Unsupported
    )
}

/// How many rows are read in one request: those with long texts in fewer, so that an answer stays within memory.
fn at_once(object: &str) -> usize {
    if [mails::OBJECT, rows::OBJECT].contains(&object) {
        MAILS_AT_ONCE
    } else {
        RETRIEVED
    }
}

/// The fields of an object that are read back: every one that the mapping can set, and what explains differences.
fn readable(run: &Run<'_>, object: &str) -> Result<BTreeSet<String>> {
    let described = run.org.object(object)?;
    let lines = run
        .lines(object)?
        .lines
        .iter()
        .map(|line| line.field.as_str());
    let beside = ["Id", "SystemModstamp", "LastModifiedById"]
        .into_iter()
        .chain((object == files::OBJECT).then_some("Checksum"))
        .chain((object == articles::OBJECT).then_some("PublishStatus"));
    let beside = beside.chain((object == files::OBJECT).then_some("ContentSize"));
    let beside = beside.chain(by_policy(run, object));
    let wanted = lines
        .chain(beside)
        .filter(|name| described.field(name).is_some() && !is_id_list(name));
    Ok(wanted.map(str::to_owned).collect())
}

/// A field that the mapping fills without a line for it.
pub(crate) fn by_policy(run: &Run<'_>, object: &str) -> Option<&'static str> {
    (object == cases::OBJECT && run.mapping.record_types().is_some()).then_some("RecordTypeId")
}

fn compare(
    run: &Run<'_>,
    learned: Learned,
    expected: &Expected<'_>,
    found: &Found,
    checked: &mut Vec<Checked>,
) -> Result<()> {
    let Expected { loaded, object, .. } = expected;
    let Some(id) = run.standing(loaded, expected.n) else {
        checked.push(different(
            loaded,
            object,
            "Id",
            format!("row {} of the record", expected.n),
            "never confirmed",
        ));
        return Ok(());
    };
    let Some(row) = found.rows.get(id) else {
        checked.push(different(
            loaded,
            object,
            "Id",
            id.to_owned(),
            "no such row",
        ));
        return Ok(());
    };
    if let Some((md5, size)) = &expected.bytes {
        let sum = row["Checksum"]
            .as_str()
            .is_some_and(|sum| sum.eq_ignore_ascii_case(md5));
        checked.push(finding(
            expected,
            "Checksum",
            equal_or(sum, md5, &row["Checksum"]),
        ));
        checked.push(finding(
            expected,
            "ContentSize",
            equal_or(
                row["ContentSize"].as_u64() == Some(*size),
                size,
                &row["ContentSize"],
            ),
        ));
    }
    if expected.fields.is_empty() {
        return Ok(());
    }
    let described = run.org.object(object)?;
    let lines = run.lines(object)?.lines.iter();
    let names = lines.map(|line| line.field.as_str());
    let compared = |name: &&str| {
        expected
            .only
            .as_ref()
            .is_none_or(|only| only.contains(*name))
    };
    for name in names.chain(by_policy(run, object)).filter(compared) {
        let sent = expected.fields.get(name).unwrap_or(&Value::Null);
        if is_id_list(name) {
            checked.push(finding(
                expected,
                name,
                same_list(sent, &found.list(id, name)),
            ));
            continue;
        }
        // What the org does not let us set is not ours to compare.
        let Some(field) = described.field(name).filter(|field| field.createable) else {
            continue;
        };
        let stands = row.get(&field.name).unwrap_or(&Value::Null);
        let result = if same(sent, stands, field) || is_an_earlier_pass(name, sent, stands) {
            Finding::Equal
        } else {
            let place = Place {
                object,
                field,
                row,
                me: run.org.me(),
            };
            let amended = run.prior(loaded, amend::CHANGE).is_some();
            let seen = || match (sent.as_str(), stands.as_str()) {
                (Some(sent), Some(stands)) if learned.explains(sent, stands) => Some(Rule::Probed),
                _ => None,
            };
            let explained = explain(sent, stands, place);
            match explained
                .or_else(|| rules::amended(amended, field))
                .or_else(seen)
            {
                Some(rule) => Finding::Explained {
                    rule: rule.name().to_owned(),
                },
                None => Finding::Different {
                    expected: shown(sent),
                    found: shown(stands),
                },
            }
        };
        checked.push(finding(expected, name, result));
    }
    if *object == articles::OBJECT {
        of_article(expected, id, row, found, checked);
    }
    Ok(())
}

/// Where a text stands, and what hangs on the main one.
fn of_article(
    expected: &Expected<'_>,
    id: &str,
    row: &Value,
    found: &Found,
    checked: &mut Vec<Checked>,
) {
    let (name, stands) = ("PublishStatus", &row["PublishStatus"]);
    let wanted = &expected.fields[name];
    let status = equal_or(
        wanted == stands,
        wanted.as_str().unwrap_or_default(),
        stands,
    );
    checked.push(finding(expected, name, status));
    for name in BESIDE {
        if let Some(wanted) = expected.fields.get(name) {
            let wanted: BTreeSet<String> = texts(wanted).map(str::to_owned).collect();
            let stands = found.list(id, name);
            let joined =
                |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(";");
            let found = Value::from(joined(&stands));
            checked.push(finding(
                expected,
                name,
                equal_or(wanted == stands, joined(&wanted), &found),
            ));
        }
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// A row keeps the mark of the pass that made it.
fn is_an_earlier_pass(field: &str, sent: &Value, stands: &Value) -> bool {
    match (sent.as_str(), stands.as_str()) {
        (Some(sent), Some(stands)) => field == BATCH_MARK && of_one_target(sent, stands),
        _ => false,
    }
}

fn same_list(sent: &Value, stands: &BTreeSet<String>) -> Finding {
    let short = |id: &str| id.get(..15).unwrap_or(id).to_owned();
    let sent: BTreeSet<String> = sent
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(short)
        .collect();
    let stands: BTreeSet<String> = stands.iter().map(|id| short(id)).collect();
    if sent == stands {
        return Finding::Equal;
    }
    let text =
        |ids: BTreeSet<String>| shown(&Value::from(ids.into_iter().collect::<Vec<_>>().join(";")));
    Finding::Different {
        expected: text(sent),
        found: text(stands),
    }
}

fn equal_or(equal: bool, expected: impl ToString, found: &Value) -> Finding {
    if equal {
        Finding::Equal
    } else {
        Finding::Different {
            expected: expected.to_string(),
            found: shown(found),
        }
    }
}

fn finding(expected: &Expected<'_>, field: &str, finding: Finding) -> Checked {
    Checked {
        record: expected.loaded.id,
        key: expected.loaded.record.key().clone(),
        object: expected.object,
        field: field.to_owned(),
        finding,
        touched_at: None,
    }
}

fn different(
    loaded: &Loaded,
    object: &'static str,
    field: &str,
    expected: String,
    found: &str,
) -> Checked {
    let finding = Finding::Different {
        expected,
        found: found.to_owned(),
    };
    Checked {
        record: loaded.id,
        key: loaded.record.key().clone(),
        object,
        field: field.to_owned(),
        finding,
        touched_at: None,
    }
}

fn shown(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
