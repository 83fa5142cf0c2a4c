//! The org without its network: schema, rows, sessions, and what every request shares.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use chrono::{DateTime, SubsecRound, Utc};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::auth::{self, Sessions};
use super::bulk::Bulk;
use super::error::Refusal;
use super::ids::Ids;
use super::options::{OrgOptions, OrgSettings};
use super::random;
use super::schema::{Object, Schema};
use super::store::{self, Db, Fields, Row};
use super::values::date_time_text;
use crate::fault::Faults;

pub(crate) const DATABASE: &str = "org.sqlite";
const FORMAT: &str = "2";
/// The format whose indices held texts; they are made anew when it is opened.
const OLDER: &str = "1";
/// The first user: the one that a migration runs as.
pub(crate) const INTEGRATION_USER: i64 = 1;
/// The second: who owns what assignment rules take away.
pub(crate) const DEFAULT_CASE_OWNER: i64 = 2;
/// The one row of Organization.
const ORGANIZATION: i64 = 1;

/// Everything of a running org but its network.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) settings: OrgSettings,
    /// Replaced as a whole when metadata is deployed.
    shape: RwLock<Arc<Shape>>,
    pub(crate) ids: Ids,
    pub(crate) faults: Faults,
    pub(crate) sessions: Sessions,
    pub(crate) api_calls: AtomicU64,
    pub(crate) bulk: Bulk,
    folder: PathBuf,
    db: Mutex<Db>,
    /// Held as long as the org runs, so that no second one opens the folder.
    _lock: Option<File>,
}

/// What the org's objects are at the moment.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) schema: Schema,
    /// The settings with what was deployed since.
    pub(crate) settings: OrgSettings,
    /// When the schema took this shape, to the second.
    pub(crate) since: DateTime<Utc>,
}

/// One request's view of the org.
pub(crate) struct Ctx<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) shape: &'a Shape,
    /// The shape that holds once this transaction is kept.
    next: RefCell<Option<Shape>>,
    pub(crate) db: &'a Db,
    pub(crate) user: i64,
    pub(crate) now: DateTime<Utc>,
    pub(crate) version: u32,
    /// How many children of a record a query shows before it says where the others are.
    pub(crate) children: Cell<usize>,
}

impl Engine {
    /// Opens the state folder, or makes a new org in it.
    pub(crate) fn open(options: &OrgOptions, faults: Faults) -> Result<Self, String> {
        let folder = options.folder.clone();
        let place =
            |what: &str, e: &dyn std::fmt::Display| format!("{what} {}: {e}", folder.display());
        for part in ["blobs", "uploads", "jobs"] {
            fs::create_dir_all(folder.join(part))
                .map_err(|e| place("cannot make the state folder", &e))?;
        }
        let lock = File::create(folder.join("lock"))
            .map_err(|e| place("cannot lock the state folder", &e))?;
        lock.try_lock()
            .map_err(|e| place("an org is already running on the state folder", &e))?;
        // What a client or a kill left half-uploaded belongs to no row.
        for half in fs::read_dir(folder.join("uploads"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let _next_time = fs::remove_file(half.path());
        }
        let db = store::open(&folder.join(DATABASE))
            .map_err(|e| place("cannot open the database in", &e))?;
        Self::with(
            db,
            folder.clone(),
            options.settings.clone(),
            faults,
            Some(lock),
        )
        .map_err(|e| place("cannot open the org in", &e))
    }

    /// Opens the state folder of an org that does not run, to read it.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let place =
            |e: &dyn std::fmt::Display| format!("cannot read the org in {}: {e}", folder.display());
        // A database that was left by a killed process has its newest rows in the journal beside it, which SQLite can
        // take in only by a connection that may write.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db =
            Connection::open_with_flags(folder.join(DATABASE), flags).map_err(|e| place(&e))?;
        Self::with(
            Db::new(db),
            folder.to_owned(),
            OrgSettings::default(),
            Faults::default(),
            None,
        )
        .map_err(|e| place(&e))
    }

    fn with(
        db: Db,
        folder: PathBuf,
        given: OrgSettings,
        faults: Faults,
        lock: Option<File>,
    ) -> Result<Self, String> {
        let text = |e: rusqlite::Error| e.to_string();
        let known = store::meta(&db, "format").map_err(text)?;
        let readable = |format: &&str| *format != FORMAT && *format != OLDER;
        if let Some(other) = known.as_deref().filter(readable) {
            return Err(format!(
                "its state has format {other}, this program knows {FORMAT}"
            ));
        }
        let is_new = known.is_none();
        let settings = if is_new { given } else { reopened(&db, given)? };
        if let Some(pem) = &settings.jwt_public_key {
            auth::jwt::public_key(pem)?;
        }
        let schema = Schema::build(&settings)?;
        let pod = match store::meta(&db, "pod").map_err(text)? {
            Some(pod) => pod,
            None => Ids::pod_of(random::number()),
        };
        let tx = db.unchecked_transaction().map_err(text)?;
        let kept = serde_json::to_string(&settings).map_err(|e| e.to_string())?;
        let now = Utc::now().trunc_subsecs(0);
        let mut since = now;
        let changed = store::meta(&tx, "settings")
            .map_err(text)?
            .is_none_or(|before| before != kept);
        // Also where nothing changed: a newer program may bring objects that the folder does not have yet.
        store::prepare(&tx, &schema).map_err(text)?;
        store::set_meta(&tx, "format", FORMAT).map_err(text)?;
        if changed {
            for (key, value) in [
                ("pod", &pod),
                ("settings", &kept),
                ("schema-since", &now.to_rfc3339()),
            ] {
                store::set_meta(&tx, key, value).map_err(text)?;
            }
        } else if let Some(kept) = store::meta(&tx, "schema-since").map_err(text)? {
            since = kept.parse().unwrap_or(now);
        }
        let sessions = Sessions::load(&tx, &settings).map_err(text)?;
        tx.commit().map_err(text)?;
        let shape = Shape {
            schema,
            settings: settings.clone(),
            since,
        };
        let engine = Self {
            shape: RwLock::new(Arc::new(shape)),
            ids: Ids::new(&pod),
            faults,
            sessions,
            api_calls: AtomicU64::new(0),
            bulk: Bulk::default(),
            folder,
            db: Mutex::new(db),
            _lock: lock,
            settings,
        };
        if is_new {
            engine
                .transaction(INTEGRATION_USER, 0, super::founding::found)
                .map_err(|e| e.message)?;
        }
        Ok(engine)
    }

    /// Runs `work` in one transaction: all of it is kept, or, after an error, nothing.
    pub(crate) fn transaction<T>(
        &self,
        user: i64,
        version: u32,
        work: impl FnOnce(&Ctx<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let db = self.db();
        db.begin();
        let tx = db.unchecked_transaction()?;
        let shape = self.shape();
        let ctx = Ctx {
            engine: self,
            shape: &shape,
            next: RefCell::new(None),
            db: &db,
            user,
            now: Utc::now().trunc_subsecs(0),
            version,
            children: Cell::new(2_000),
        };
        let done = work(&ctx)?;
        let next = ctx.next.take();
        db.settle()?;
        tx.commit()?;
        db.keep();
        if let Some(next) = next {
            *self.shape.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        }
        Ok(done)
    }

    pub(crate) fn shape(&self) -> Arc<Shape> {
        Arc::clone(&self.shape.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn db(&self) -> MutexGuard<'_, Db> {
        // A panic inside a transaction has rolled it back.
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings what is in memory of the indices into the database, if it is much.
    pub(crate) fn flush(&self, in_any_case: bool) -> Result<(), Refusal> {
        let db = self.db();
        db.begin();
        if in_any_case || store::is_full(&db) {
            store::flush(&db, &self.shape().schema)?;
        }
        Ok(())
    }

    /// Writes the whole state into one file; nothing is written meanwhile.
    pub(crate) fn save(&self, file: &Path) -> Result<(), String> {
        self.flush(true).map_err(|e| e.message)?;
        let db = self.db();
        let copy = self.upload();
        let place = copy.display().to_string();
        let copied = db.execute("VACUUM INTO ?1", [&place]);
        let packed = copied.map_err(|e| e.to_string()).and_then(|_| {
            super::saved::pack(&copy, &self.folder.join("blobs"), file).map_err(|e| e.to_string())
        });
        let _not_there = fs::remove_file(copy);
        packed
    }

    pub(crate) fn org_id(&self) -> String {
        self.ids.id("00D", ORGANIZATION)
    }

    pub(crate) fn user_id(&self, number: i64) -> String {
        self.ids.id("005", number)
    }

    /// Where the bytes of a file lie.
    pub(crate) fn blob(&self, version: i64) -> PathBuf {
        self.folder
            .join("blobs")
            .join(format!("{:03}", version / 1_000))
            .join(version.to_string())
    }

    /// Where a file of a bulk job lies.
    pub(crate) fn job_file(&self, job: i64, name: &str) -> PathBuf {
        self.folder.join("jobs").join(format!("{job}-{name}"))
    }

    /// A name nobody uses for bytes on their way in.
    pub(crate) fn upload(&self) -> PathBuf {
        self.folder.join("uploads").join(random::text(32))
    }

    /// `api-usage=n/max`, counting this call.
    pub(crate) fn count_call(&self) -> (u64, u64) {
        (
            self.api_calls.fetch_add(1, Ordering::Relaxed) + 1,
            self.settings.daily_api_requests,
        )
    }

    /// Up to `limit` rows after a number, as they are dumped: every stored value and the id, deleted rows left out.
    /// The last number read comes with them; none when the end is reached.
    pub(crate) fn dump(
        &self,
        object: &str,
        after: i64,
        limit: usize,
    ) -> Result<(Vec<Value>, Option<i64>), Refusal> {
        let shape = self.shape();
        let object = shape.schema.object(object).ok_or_else(Refusal::not_found)?;
        let rows = store::page(&self.db(), object, after, limit)?;
        let last = if rows.len() < limit {
            None
        } else {
            rows.last().map(|row| row.number)
        };
        let shown = rows.into_iter().filter(|row| !row.deleted).map(|row| {
            let mut fields = row.fields;
            fields.insert("Id".into(), json!(self.ids.id(&object.prefix, row.number)));
            Value::Object(fields)
        });
        Ok((shown.collect(), last))
    }

    /// An image of a rich-text field: its media type and bytes.
    pub(crate) fn image(&self, number: i64) -> Result<Option<(String, Vec<u8>)>, Refusal> {
        Ok(store::image(&self.db(), number)?)
    }

    /// How many rows each object holds, empty ones left out.
    pub(crate) fn counts(&self) -> Result<Vec<(String, i64)>, Refusal> {
        let db = self.db();
        let mut counts = Vec::new();
        for object in &self.shape().schema.objects {
            let count = store::count(&db, object)?;
            if count > 0 {
                counts.push((object.name.clone(), count));
            }
        }
        Ok(counts)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Else it is made out of the rows when the folder is opened again, which takes longer.
        if let Err(refusal) = self.flush(true) {
            tracing::warn!(
                reason = refusal.message,
                "indices are made anew when the org starts again"
            );
        }
    }
}

impl<'a> Ctx<'a> {
    pub(crate) fn schema(&self) -> &'a Schema {
        &self.shape.schema
    }

    /// Gives the org other objects and fields, as soon as this transaction is kept.
    ///
    /// # Errors
    /// A sentence about what the platform would refuse.
    pub(crate) fn reshape(&self, settings: OrgSettings) -> Result<(), String> {
        let text = |e: rusqlite::Error| e.to_string();
        let schema = Schema::build(&settings)?;
        store::prepare(self.db, &schema).map_err(text)?;
        let kept = serde_json::to_string(&settings).map_err(|e| e.to_string())?;
        store::set_meta(self.db, "settings", &kept).map_err(text)?;
        store::set_meta(self.db, "schema-since", &self.now.to_rfc3339()).map_err(text)?;
        let since = self.now;
        self.next.replace(Some(Shape {
            schema,
            settings,
            since,
        }));
        Ok(())
    }

    /// The same transaction in an org of another shape.
    pub(crate) fn with<'b>(&self, shape: &'b Shape) -> Ctx<'b>
    where
        'a: 'b,
    {
        Ctx {
            engine: self.engine,
            shape,
            next: RefCell::new(None),
            db: self.db,
            user: self.user,
            now: self.now,
            version: self.version,
            children: Cell::new(self.children.get()),
        }
    }

    /// The settings as they will be once this transaction is kept.
    pub(crate) fn next_settings(&self) -> OrgSettings {
        let next = self.next.borrow();
        let next = next.as_ref().map(|next| next.settings.clone());
        next.unwrap_or_else(|| self.shape.settings.clone())
    }

    pub(crate) fn settings(&self) -> &'a OrgSettings {
        &self.engine.settings
    }

    /// Takes a shape back that was only tried.
    pub(crate) fn forget_next(&self) {
        self.next.replace(None);
    }

    /// An object that clients may know.
    pub(crate) fn object(&self, name: &str) -> Result<&'a Object, Refusal> {
        let known = self.schema().object(name);
        known.ok_or_else(|| {
            Refusal::new(
                "INVALID_TYPE",
                format!("sObject type '{name}' is not supported."),
            )
            .with_status(404)
        })
    }

    pub(crate) fn id(&self, object: &Object, number: i64) -> String {
        self.engine.ids.id(&object.prefix, number)
    }

    /// The object and number behind an id of this org.
    pub(crate) fn locate(&self, id: &str) -> Option<(&'a Object, i64)> {
        let (prefix, number) = self.engine.ids.parse(id)?;
        Some((self.schema().by_prefix(prefix)?, number))
    }

    /// The live row behind an id, with its object.
    pub(crate) fn row(&self, id: &str) -> Result<Option<(&'a Object, Row)>, Refusal> {
        let Some((object, number)) = self.locate(id) else {
            return Ok(None);
        };
        Ok(store::get(self.db, object, number)?
            .filter(|row| !row.deleted)
            .map(|row| (object, row)))
    }

    /// Rows of `object` whose indexed field points at `id`.
    pub(crate) fn pointing(
        &self,
        object: &str,
        field: &str,
        id: &str,
    ) -> Result<Vec<i64>, Refusal> {
        let Some(object) = self.schema().object(object) else {
            return Ok(Vec::new());
        };
        let Some(field) = object.fields.iter().find(|f| f.name == field) else {
            return Ok(Vec::new());
        };
        store::find(self.db, object, field, id.get(..15).unwrap_or(id))
    }

    /// Writes a row with its system fields, without any rule: what the platform itself does.
    pub(crate) fn put(&self, object: &Object, mut fields: Fields) -> Result<i64, Refusal> {
        let number = store::next_number(self.db, object)?;
        self.stamp(object, &mut fields);
        store::insert(self.db, object, number, &fields)?;
        Ok(number)
    }

    /// Fills the system fields that are not there yet.
    pub(crate) fn stamp(&self, object: &Object, fields: &mut Fields) {
        let now = json!(date_time_text(self.now));
        let user = json!(self.engine.user_id(self.user));
        let has = |name: &str| object.has(name);
        if has("CreatedDate") {
            fields.entry("CreatedDate").or_insert_with(|| now.clone());
            fields.entry("CreatedById").or_insert_with(|| user.clone());
        }
        if has("LastModifiedDate") {
            fields
                .entry("LastModifiedDate")
                .or_insert_with(|| now.clone());
            fields.entry("LastModifiedById").or_insert(user);
        }
        fields.insert("SystemModstamp".into(), now);
    }
}

/// The settings of the folder, with the custom fields that are new.
fn reopened(db: &Connection, given: OrgSettings) -> Result<OrgSettings, String> {
    let kept = store::meta(db, "settings").map_err(|e| e.to_string())?;
    let kept = kept.ok_or("its settings are missing")?;
    let mut settings: OrgSettings =
        serde_json::from_str(&kept).map_err(|e| format!("its settings are unreadable: {e}"))?;
    for object in given.custom_objects {
        let same =
            |known: &&super::options::CustomObject| known.name.eq_ignore_ascii_case(&object.name);
        if settings.custom_objects.iter().find(same).is_none() {
            settings.custom_objects.push(object);
        }
    }
    for field in given.custom_fields {
        let same = |known: &&super::options::CustomField| {
            known.object.eq_ignore_ascii_case(&field.object)
                && known.name.eq_ignore_ascii_case(&field.name)
        };
        if settings.custom_fields.iter().find(same).is_none() {
            settings.custom_fields.push(field);
        }
    }
    settings.knowledge = settings.knowledge.or(given.knowledge);
    settings.jwt_public_key = given.jwt_public_key.or(settings.jwt_public_key);
    Ok(settings)
}
