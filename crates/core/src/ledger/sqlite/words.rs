//! Words that stand once in the ledger.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use crate::db::DbError;

/// The words of one transaction, remembered: a batch has thousands of rows and a handful of words. They do not outlive
/// it, since a word that was rolled back has no id.
pub(super) struct Words<'c> {
    c: &'c Connection,
    find: CachedStatement<'c>,
    get: CachedStatement<'c>,
    ids: HashMap<String, i64>,
    words: HashMap<i64, String>,
}

impl<'c> Words<'c> {
    pub(super) fn new(c: &'c Connection) -> Result<Self, DbError> {
        Ok(Self {
            c,
            find: c.prepare_cached("SELECT id FROM words WHERE word = ?1")?,
            get: c.prepare_cached("SELECT word FROM words WHERE id = ?1")?,
            ids: HashMap::new(),
            words: HashMap::new(),
        })
    }

    /// The id of a word, which is made if need be.
    pub(super) fn id(&mut self, word: &str) -> Result<i64, DbError> {
        if let Some(id) = self.ids.get(word) {
            return Ok(*id);
        }
        let found = self.find.query_row([word], |r| r.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                self.c
                    .prepare_cached("INSERT INTO words(word) VALUES(?1)")?
                    .execute([word])?;
                self.c.last_insert_rowid()
            }
        };
        self.ids.insert(word.to_owned(), id);
        Ok(id)
    }

    /// The word of an id.
    pub(super) fn word(&mut self, id: i64) -> Result<String, DbError> {
        if let Some(word) = self.words.get(&id) {
            return Ok(word.clone());
        }
        let word: String = self.get.query_row([id], |r| r.get(0))?;
        self.words.insert(id, word.clone());
        Ok(word)
    }
}

/// The id of one word.
pub(super) fn word(c: &Connection, word: &str) -> Result<i64, DbError> {
    Words::new(c)?.id(word)
}
