//! The tables of the index, and the numbers of kinds.

use crate::db::Schema;
use crate::key::RecordKind;

/// The tables are documented in `docs/workspace.md`; people may open and query the file.
pub(super) const SCHEMA: Schema = Schema {
    name: "the stage's index",
    application_id: 0x4446_5331,
    versions: &["
        CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE segments(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, file TEXT NOT NULL, end INTEGER NOT NULL);
        CREATE TABLE shards(
            n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, spec TEXT NOT NULL,
            cursor TEXT, watermark TEXT, pages INTEGER NOT NULL DEFAULT 0);
        CREATE INDEX shards_open ON shards(n) WHERE watermark IS NULL;
        CREATE TABLE records(
            id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name INTEGER NOT NULL, source_id TEXT NOT NULL,
            segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, line INTEGER NOT NULL,
            bytes INTEGER NOT NULL, hash BLOB NOT NULL, revision INTEGER,
            grp INTEGER NOT NULL, at INTEGER NOT NULL, sequence INTEGER NOT NULL,
            parent INTEGER NOT NULL, alias INTEGER NOT NULL, after1 INTEGER NOT NULL, after2 INTEGER NOT NULL,
            skip TEXT, read_at INTEGER NOT NULL);
        CREATE INDEX records_name ON records(name);
        CREATE INDEX records_group ON records(grp) WHERE grp <> 0;
        CREATE INDEX records_order ON records(kind, at, sequence, source_id, id) WHERE grp = 0;
        CREATE INDEX records_parent ON records(kind) WHERE parent <> 0 AND grp = 0;
        CREATE TABLE files(
            record INTEGER PRIMARY KEY, grp INTEGER NOT NULL, state INTEGER NOT NULL, detail TEXT);
        CREATE INDEX files_open ON files(grp) WHERE state = 0;
        CREATE TABLE complete(grp INTEGER PRIMARY KEY);
        CREATE TABLE ready(n INTEGER PRIMARY KEY AUTOINCREMENT, grp INTEGER NOT NULL UNIQUE);
        CREATE TABLE rejects(
            n INTEGER PRIMARY KEY, shard TEXT NOT NULL, kind INTEGER NOT NULL, source_id TEXT,
            path TEXT NOT NULL, reason TEXT NOT NULL, raw TEXT NOT NULL, mark INTEGER NOT NULL UNIQUE);
        CREATE TABLE notes(n INTEGER PRIMARY KEY, shard TEXT NOT NULL, text TEXT NOT NULL, UNIQUE(shard, text));
        CREATE VIEW record_keys AS
            SELECT id, (SELECT value FROM meta WHERE name = 'platform') || ':' ||
                   (SELECT value FROM meta WHERE name = 'tenant') || ':' ||
                   CASE kind WHEN 1 THEN 'field-definition' WHEN 2 THEN 'team' WHEN 3 THEN 'agent' WHEN 4 THEN 'tag'
                             WHEN 5 THEN 'account' WHEN 6 THEN 'contact' WHEN 7 THEN 'conversation'
                             WHEN 8 THEN 'attachment' WHEN 9 THEN 'message' END || ':' || source_id AS key
            FROM records;
    ", "
        INSERT OR IGNORE INTO meta(name, value) VALUES('word', lower(hex(randomblob(16))));
    ", "
        CREATE TABLE changes(record INTEGER PRIMARY KEY);
        DROP VIEW record_keys;
        CREATE VIEW record_keys AS
            SELECT id, (SELECT value FROM meta WHERE name = 'platform') || ':' ||
                   (SELECT value FROM meta WHERE name = 'tenant') || ':' ||
                   CASE kind WHEN 1 THEN 'field-definition' WHEN 2 THEN 'team' WHEN 3 THEN 'agent' WHEN 4 THEN 'tag'
                             WHEN 5 THEN 'account' WHEN 6 THEN 'contact' WHEN 7 THEN 'conversation'
                             WHEN 8 THEN 'attachment' WHEN 9 THEN 'message' WHEN 10 THEN 'category'
                             WHEN 11 THEN 'article' WHEN 12 THEN 'object-definition' WHEN 13 THEN 'object-record'
                             WHEN 14 THEN 'agent-statistics' WHEN 15 THEN 'inventory-item' END || ':' || source_id AS key
            FROM records;
    "],
};

/// The number by which files of ours name a kind; never reused.
pub(super) fn kind_number(kind: RecordKind) -> i64 {
    match kind {
        RecordKind::FieldDefinition => 1,
        RecordKind::Team => 2,
        RecordKind::Agent => 3,
        RecordKind::Tag => 4,
        RecordKind::Account => 5,
        RecordKind::Contact => 6,
        RecordKind::Conversation => 7,
        RecordKind::Attachment => 8,
        RecordKind::Message => 9,
        RecordKind::Category => 10,
        RecordKind::Article => 11,
        RecordKind::ObjectDefinition => 12,
        RecordKind::ObjectRecord => 13,
        RecordKind::AgentStatistics => 14,
        RecordKind::InventoryItem => 15,
    }
}

/// The kind of that number.
pub(super) fn kind_of_number(number: i64) -> Option<RecordKind> {
    RecordKind::ALL
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
}
