//! The database with what is known of it in memory. One thread at a time has it.

use std::cell::RefCell;
use std::ops::Deref;

use rusqlite::{Connection, params};

use super::recent::Recent;

/// A connection, and entries of its indices that are not in it yet.
#[derive(Debug)]
pub(crate) struct Db {
    connection: Connection,
    pub(super) recent: RefCell<Recent>,
}

impl Deref for Db {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Db {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            recent: RefCell::default(),
        }
    }

    /// Before a transaction. A panic may have left one of which nothing holds.
    pub(crate) fn begin(&self) {
        self.recent.borrow_mut().forget();
    }

    /// From here to its end the transaction adds rows by the thousand, without a savepoint: entries of indices are gathered.
    pub(crate) fn gather(&self) {
        self.recent.borrow_mut().gathering = true;
    }

    /// Whether a transaction that gathers has seen already that this person may own rows.
    pub(crate) fn may_own(&self, id: &str) -> bool {
        self.recent.borrow().may_own(id)
    }

    /// This person may own rows, as far as this transaction goes.
    pub(crate) fn owns(&self, id: &str) {
        self.recent.borrow_mut().owns(id);
    }

    /// Before the transaction is committed: what was counted in memory is written.
    pub(crate) fn settle(&self) -> rusqlite::Result<()> {
        let counted = self.recent.borrow_mut().counted();
        for (table, rows) in counted {
            counts(self, &table, rows)?;
        }
        Ok(())
    }

    /// The transaction is committed: what it gathered holds.
    pub(crate) fn keep(&self) {
        self.recent.borrow_mut().keep();
    }
}

/// Adds to the number of rows of a table that are not deleted.
pub(super) fn counts(db: &Connection, table: &str, rows: i64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE counts SET live = live + ?2 WHERE name = ?1")?
        .execute(params![table, rows])
        .map(|_| ())
}
