//! Records of custom objects. One that points at a record that is still to come waits for it; a circle is broken at its
//! youngest edge, whose key is kept beside the row.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::journal::Known;
use deskferry_core::key::{RecordId, RecordKey, RecordKind};
use deskferry_core::model::{ObjectRecord, Record, Relation};
use deskferry_core::sink::{Batch, Loaded, Outcome, Verdict};
use md5::{Digest, Md5};

use super::{
    Collections, Identity, Landed, Lookup, Needed, Outgoing, Run, agents, needed, outcome, strange,
    verdict,
};
use crate::mapping::ObjectMapping;
use crate::mapping::build::{self, Fields, Leftovers, payload_hash};
use crate::mapping::facts::{Common, ObjectFacts, PairFacts};

/// What stands for the object of a record whose own cannot be told.
pub(crate) const KIND: &str = "custom object";
/// The most pairs of one record: rows of a record are numbered up to 255.
const MOST_PAIRS: usize = 250;

/// Of how many lookups it is tried whether they were cut.
const MOST_CUTS: usize = 6;

/// The relations of a record that are not kept, by name.
pub(crate) type Cut = BTreeSet<String>;

pub(crate) fn object_record(loaded: &Loaded) -> Result<&ObjectRecord> {
    match &loaded.record {
        Record::ObjectRecord(record) => Ok(record),
        _ => Err(strange(loaded, "objects")),
    }
}

/// Definitions have no rows: the mapping says what their records become.
pub(crate) fn definition(run: &Run<'_>, key: &RecordKey) -> Verdict {
    let reason = match run.mapping.object_of(key.id()) {
        Some(_) => "in-the-mapping",
        None => "not-mapped",
    };
    Verdict::Skipped(reason.into())
}

/// One thing that a record points at, and the line that takes it.
struct Edge<'a> {
    relation: &'a Relation,
    /// The objects whose rows it may be.
    objects: &'a [String],
    /// Whether the row cannot be without it.
    must: bool,
}

/// The lookups of a record: one for each relation that a line takes, the first where there are several.
fn lookups<'a>(
    run: &'a Run<'_>,
    mapping: &'a ObjectMapping,
    record: &'a ObjectRecord,
) -> Result<Vec<Edge<'a>>> {
    let object = run.org.object(mapping.object)?;
    let mut edges = Vec::new();
    for line in &mapping.lines {
        let Some(name) = line.from.strip_prefix("relation.") else {
            continue;
        };
        let relation = record.relations.iter().find(|known| known.field == name);
        if let (Some(relation), Some(field)) = (relation, object.field(&line.field)) {
            edges.push(Edge {
                relation,
                objects: &field.reference_to,
                must: field.required,
            });
        }
    }
    Ok(edges)
}

/// The relations of a record that are many on both sides, with the objects of their pairs.
fn pairs<'a>(
    run: &'a Run<'_>,
    record: &'a ObjectRecord,
) -> impl Iterator<Item = (&'a Relation, &'a ObjectMapping)> {
    record.relations.iter().filter_map(|relation| {
        let mapping = run.mapping.pairs_of(record.object.id(), &relation.field)?;
        Some((relation, mapping))
    })
}

/// The row that a relation leads to, if one of these objects has it.
fn leads_to(known: &Known, to: &RecordKey, objects: &[String]) -> Needed {
    if to.record_kind() == Some(RecordKind::Agent) {
        return agents::identity(known).map_or(Needed::None, |id| Needed::Stands(id.to_owned()));
    }
    let standing = objects.iter().find_map(|object| known.id_of(object));
    match (standing, objects.first()) {
        (Some(id), _) => Needed::Stands(id.to_owned()),
        (None, Some(object)) => needed(known, object),
        (None, None) => Needed::None,
    }
}

/// What is known of everything that these records point at.
pub(crate) async fn around(run: &Run<'_>) -> Result<Lookup> {
    let records = run.batch.records.iter().map(object_record);
    let records: Vec<&ObjectRecord> = records.collect::<Result<_>>()?;
    let to = records.iter().flat_map(|record| &record.relations);
    run.look(to.map(|relation| &relation.to)).await
}

/// The fields of a record's own row, or why it has none.
pub(crate) fn fields(
    run: &Run<'_>,
    around: &Lookup,
    loaded: &Loaded,
    cut: &Cut,
    now: DateTime<Utc>,
) -> Result<Result<(&'static str, Fields), Verdict>> {
    let record = object_record(loaded)?;
    let Some(mapping) = run.mapping.object_of(record.object.id()) else {
        return Ok(Err(Verdict::Skipped("not-mapped".into())));
    };
    let mut links = BTreeMap::new();
    for edge in lookups(run, mapping, record)? {
        let to = &edge.relation.to;
        if cut.contains(&edge.relation.field) || *to == record.meta.key {
            continue;
        }
        match leads_to(around.get(to), to, edge.objects) {
            Needed::Stands(id) => _ = links.insert(edge.relation.field.clone(), id),
            Needed::Waits(verdict) => return Ok(Err(verdict)),
            Needed::None if edge.must => {
                let said = format!("{to}, without which it cannot be, has no row");
                return Ok(Err(Verdict::failed("NO_MASTER", said)));
            }
            Needed::None => {}
        }
    }
    let key = record.meta.key.row(loaded.part);
    let facts = ObjectFacts {
        common: Common {
            meta: &record.meta,
            key: &key,
            mark: run.journal().mark(),
        },
        record,
        links: &links,
    };
    let left = left_over(run, record, &links);
    let object = run.org.object(mapping.object)?;
    let row = build::row(mapping, object, &facts, left, now);
    Ok(Ok((mapping.object, row)))
}

/// The keys of what it points at and no field shows.
fn left_over(run: &Run<'_>, record: &ObjectRecord, links: &BTreeMap<String, String>) -> Leftovers {
    let mut shown: BTreeSet<&str> = BTreeSet::new();
    let mut left: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for relation in &record.relations {
        let field = relation.field.as_str();
        let paired = run.mapping.pairs_of(record.object.id(), field).is_some();
        if paired || (links.contains_key(field) && shown.insert(field)) {
            continue;
        }
        let name = format!("relation.{field}");
        left.entry(name).or_default().push(relation.to.as_str());
    }
    let one = |(name, keys): (String, Vec<&str>)| (name, serde_json::Value::from(keys));
    left.into_iter().map(one).collect()
}

/// The row of a pair: its number within the record, its object, its fields.
pub(crate) type Pair = (u32, &'static str, Fields);

/// The rows of a record's pairs, numbered from 1, or why they have to wait. `own` is the record's own row.
pub(crate) fn pair_rows(
    run: &Run<'_>,
    around: &Lookup,
    loaded: &Loaded,
    own: &str,
    now: DateTime<Utc>,
) -> Result<Result<Vec<Pair>, Verdict>> {
    let record = object_record(loaded)?;
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    for (relation, mapping) in pairs(run, record) {
        if !seen.insert((mapping.object, &relation.to)) {
            continue;
        }
        if seen.len() > MOST_PAIRS {
            let said = format!("it has more than {MOST_PAIRS} pairs with others");
            return Ok(Err(Verdict::failed("TOO_MANY_PAIRS", said)));
        }
        let object = run.org.object(mapping.object)?;
        let line = mapping.lines.iter().find(|line| line.from == "other");
        let objects = line
            .and_then(|line| object.field(&line.field))
            .map_or(&[][..], |field| field.reference_to.as_slice());
        let other = if relation.to == record.meta.key {
            Needed::Stands(own.to_owned())
        } else {
            leads_to(around.get(&relation.to), &relation.to, objects)
        };
        let other = match other {
            Needed::Stands(id) => id,
            Needed::Waits(verdict) => return Ok(Err(verdict)),
            Needed::None => continue,
        };
        let key = pair_key(record, relation);
        let facts = PairFacts {
            common: Common {
                meta: &record.meta,
                key: &key,
                mark: run.journal().mark(),
            },
            record: own,
            other: &other,
        };
        let fields = build::row(mapping, object, &facts, Leftovers::new(), now);
        // Bounded above.
        let n = u32::try_from(rows.len()).unwrap_or(0) + 1;
        rows.push((n, mapping.object, fields));
    }
    Ok(Ok(rows))
}

/// The key of a pair: the same whatever its place among the record's pairs.
fn pair_key(record: &ObjectRecord, relation: &Relation) -> String {
    let key = record.meta.key.as_str();
    let tenant: Vec<&str> = key.splitn(3, ':').take(2).collect();
    let mut hash = Md5::new();
    for part in [key, &relation.field, relation.to.as_str()] {
        hash.update(part);
        hash.update([0]);
    }
    let hash: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    format!("{}:relation:{hash}", tenant.join(":"))
}

/// Whether a record of a custom object has no row yet and may still get one.
fn may_come(known: &Known) -> bool {
    matches!(known, Known::Pending { effects, .. } if effects.iter().all(|e| e.id().is_none()))
}

/// The lookups of a record that wait for records of custom objects, and whether its row cannot be without them.
fn awaited<'a>(
    run: &'a Run<'_>,
    around: &Lookup,
    loaded: &'a Loaded,
    cut: &Cut,
) -> Result<Vec<(&'a Relation, bool)>> {
    let record = object_record(loaded)?;
    let mapping = run.mapping.object_of(record.object.id());
    let (Some(mapping), None) = (mapping, run.standing(loaded, 0)) else {
        return Ok(Vec::new());
    };
    let edges = lookups(run, mapping, record)?.into_iter();
    let edges = edges
        .filter(|edge| !cut.contains(&edge.relation.field))
        .filter(|edge| comes(around, record, edge.relation))
        .map(|edge| (edge.relation, edge.must));
    Ok(edges.collect())
}

/// Whether what a relation leads to may still come.
fn comes(around: &Lookup, record: &ObjectRecord, relation: &Relation) -> bool {
    relation.to.record_kind() == Some(RecordKind::ObjectRecord)
        && relation.to != record.meta.key
        && may_come(around.get(&relation.to))
}

/// What one wave did.
struct Wave {
    outcomes: Vec<Outcome>,
    waiting: Vec<Loaded>,
    /// Whether a row came to stand or a record got its outcome.
    progress: bool,
}

/// Writes a batch as far as nothing of it waits. Answers outcomes, and the records that wait for others.
pub(crate) async fn write(run: &Run<'_>) -> Result<(Vec<Outcome>, Vec<Loaded>)> {
    let mut outcomes = Vec::new();
    let mut open = run.batch.records.clone();
    loop {
        let wave = wave(run, open, &HashMap::new()).await?;
        outcomes.extend(wave.outcomes);
        open = wave.waiting;
        if open.is_empty() || !wave.progress {
            return Ok((outcomes, open));
        }
    }
}

/// Writes the records that waited, now that no others come.
pub(crate) async fn finish(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    let mut open = run.batch.records.clone();
    let mut cuts: HashMap<RecordId, Cut> = HashMap::new();
    loop {
        let wave = wave(run, open, &cuts).await?;
        outcomes.extend(wave.outcomes);
        open = wave.waiting;
        if open.is_empty() {
            return Ok(outcomes);
        }
        if wave.progress {
            continue;
        }
        let Some((record, field)) = youngest_edge(run, &open, &cuts).await? else {
            let held = |loaded| outcome(loaded, Verdict::Held("parent-pending".into()));
            outcomes.extend(open.iter().map(held));
            return Ok(outcomes);
        };
        cuts.entry(record).or_default().insert(field);
    }
}

async fn wave(run: &Run<'_>, open: Vec<Loaded>, cuts: &HashMap<RecordId, Cut>) -> Result<Wave> {
    let batch = Batch {
        records: open,
        ..run.batch.clone()
    };
    let run = &Run::open(run.cx, run.api, run.org, run.mapping, &batch).await?;
    let known = around(run).await?;
    let mut wave = Wave {
        outcomes: Vec::new(),
        waiting: Vec::new(),
        progress: false,
    };
    let (mut own, mut rows) = (Vec::new(), Vec::new());
    for loaded in &batch.records {
        let whole = Cut::new();
        let cut = cuts.get(&loaded.id).unwrap_or(&whole);
        if !awaited(run, &known, loaded, cut)?.is_empty() {
            wave.waiting.push(loaded.clone());
            continue;
        }
        match fields(run, &known, loaded, cut, run.cx.now())? {
            Ok((object, fields)) => {
                wave.progress |= run.standing(loaded, 0).is_none();
                own.push(loaded);
                rows.push(run.outgoing(loaded, 0, object, fields));
            }
            Err(verdict) => wave.outcomes.push(outcome(loaded, verdict)),
        }
    }
    let landed = write_rows(run, rows).await?;
    with_pairs(run, own, landed, &mut wave).await?;
    wave.progress |= !wave.outcomes.is_empty();
    Ok(wave)
}

/// Writes the pairs of records whose own rows landed, once both ends of them stand.
async fn with_pairs(
    run: &Run<'_>,
    own: Vec<&Loaded>,
    mut landed: HashMap<(RecordId, u32), Vec<Landed>>,
    wave: &mut Wave,
) -> Result<()> {
    // The other ends may have landed just now.
    let known = around(run).await?;
    let mut rows = Vec::new();
    let mut answered = Vec::new();
    for loaded in own {
        let place = (loaded.id, loaded.part);
        let record = object_record(loaded)?;
        let mine = landed.get(&place).and_then(|rows| rows.first());
        let Some(Landed::Stands { id, .. }) = mine else {
            answered.push(loaded);
            continue;
        };
        if pairs(run, record).any(|(relation, _)| comes(&known, record, relation)) {
            wave.waiting.push(loaded.clone());
            continue;
        }
        match pair_rows(run, &known, loaded, id, run.cx.now())? {
            Ok(mine) => {
                let row = |(n, object, fields)| run.outgoing(loaded, n, object, fields);
                rows.extend(mine.into_iter().map(row));
                answered.push(loaded);
            }
            Err(verdict) => wave.outcomes.push(outcome(loaded, verdict)),
        }
    }
    for (place, rows) in write_rows(run, rows).await? {
        landed.entry(place).or_default().extend(rows);
    }
    let verdicts = answered.into_iter().map(|loaded| {
        let rows = landed.remove(&(loaded.id, loaded.part));
        outcome(loaded, verdict(rows.into_iter().flatten()))
    });
    wave.outcomes.extend(verdicts);
    Ok(())
}

/// Writes rows object by object and gathers what became of them by record and part.
async fn write_rows(
    run: &Run<'_>,
    rows: Vec<Outgoing>,
) -> Result<HashMap<(RecordId, u32), Vec<Landed>>> {
    let mut by_object: BTreeMap<&'static str, Vec<Outgoing>> = BTreeMap::new();
    for row in rows {
        by_object.entry(row.object).or_default().push(row);
    }
    let mut landed: HashMap<(RecordId, u32), Vec<Landed>> = HashMap::new();
    for rows in by_object.into_values() {
        let places: Vec<(RecordId, u32)> =
            rows.iter().map(|row| (row.record, row.row >> 8)).collect();
        let answers = run
            .write(rows, &Collections(run.api), Identity::Key)
            .await?;
        for (place, row) in places.into_iter().zip(answers) {
            landed.entry(place).or_default().push(row);
        }
    }
    Ok(landed)
}

/// The edge at which a circle of waiting records is broken: that of the youngest record of it whose row can be without.
async fn youngest_edge(
    run: &Run<'_>,
    open: &[Loaded],
    cuts: &HashMap<RecordId, Cut>,
) -> Result<Option<(RecordId, String)>> {
    let known = around(run).await?;
    let mut edges: BTreeMap<&RecordKey, Vec<(&RecordKey, &str, bool)>> = BTreeMap::new();
    let mut by_key: BTreeMap<&RecordKey, &Loaded> = BTreeMap::new();
    let none = Cut::new();
    for loaded in open {
        let cut = cuts.get(&loaded.id).unwrap_or(&none);
        let awaited = awaited(run, &known, loaded, cut)?.into_iter();
        let awaited = awaited.map(|(r, must)| (&r.to, r.field.as_str(), must));
        edges.insert(loaded.record.key(), awaited.collect());
        by_key.insert(loaded.record.key(), loaded);
    }
    let circle = circle(&edges);
    let age = |key: &RecordKey| (by_key[key].record.meta().created_at, key.clone());
    let youngest = circle
        .into_iter()
        .filter(|(_, _, must)| !must)
        .max_by_key(|(key, _, _)| age(key));
    Ok(youngest.map(|(key, field, _)| (by_key[key].id, field.to_owned())))
}

/// A circle, each of its records with the edge that leads on. Nothing where all wait for records that are not among them.
fn circle<'a>(
    edges: &BTreeMap<&'a RecordKey, Vec<(&'a RecordKey, &'a str, bool)>>,
) -> Vec<(&'a RecordKey, &'a str, bool)> {
    let mut inside: BTreeSet<&RecordKey> = edges.keys().copied().collect();
    loop {
        let leaves = |key: &&RecordKey| !edges[*key].iter().any(|(to, _, _)| inside.contains(to));
        let out: Vec<&RecordKey> = inside.iter().copied().filter(leaves).collect();
        if out.is_empty() {
            break;
        }
        for key in out {
            inside.remove(key);
        }
    }
    let mut path: Vec<(&RecordKey, &str, bool)> = Vec::new();
    let mut next = inside.first().copied();
    while let Some(key) = next {
        if let Some(at) = path.iter().position(|(known, _, _)| *known == key) {
            return path.split_off(at);
        }
        let on = edges[key].iter().find(|(to, _, _)| inside.contains(to));
        let Some((to, field, must)) = on else { break };
        path.push((key, field, *must));
        next = Some(to);
    }
    Vec::new()
}

/// The fields of a record's own row as it was sent: an edge at which a circle was broken is told by the hash of the row.
pub(crate) fn as_sent(
    run: &Run<'_>,
    around: &Lookup,
    loaded: &Loaded,
    now: DateTime<Utc>,
) -> Result<Result<(&'static str, Fields), Verdict>> {
    let whole = fields(run, around, loaded, &Cut::new(), now)?;
    let record = object_record(loaded)?;
    let (Some(sent), Some(mapping)) = (
        run.prior(loaded, 0).map(|effect| effect.hash),
        run.mapping.object_of(record.object.id()),
    ) else {
        return Ok(whole);
    };
    let same = |built: &Result<(&'static str, Fields), Verdict>| matches!(built, Ok((_, fields)) if payload_hash(run.mapping, fields) == sent);
    if same(&whole) {
        return Ok(whole);
    }
    let edges = lookups(run, mapping, record)?;
    let own: Vec<&str> = edges
        .iter()
        .map(|edge| edge.relation)
        .filter(|r| r.to.record_kind() == Some(RecordKind::ObjectRecord))
        .map(|r| r.field.as_str())
        .take(MOST_CUTS)
        .collect();
    for which in 1_usize..1 << own.len() {
        let chosen = own.iter().enumerate().filter(|(n, _)| which >> n & 1 == 1);
        let cut: Cut = chosen.map(|(_, field)| (*field).to_owned()).collect();
        let built = fields(run, around, loaded, &cut, now)?;
        if same(&built) {
            return Ok(built);
        }
    }
    Ok(whole)
}
