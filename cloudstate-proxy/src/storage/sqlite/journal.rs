//! What an append does to the tables.

use cloudstate_proto::Any;
use rusqlite::{OptionalExtension, Transaction, params};

use super::{
    from_column,
    known::{Entity, Known},
    to_column,
};
use crate::storage::{Append, EntityKey, StoreError};

/// The tables, within one transaction.
pub(super) struct Journal<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) known: &'a mut Known,
    /// Milliseconds since 1970, UTC.
    pub(super) now: i64,
}

impl Journal<'_> {
    /// The inner error is this append's alone. It is found before anything is written for it, so a refused append
    /// needs no rollback and its neighbours in the transaction go on.
    pub(super) fn append(&mut self, append: &Append) -> rusqlite::Result<Result<u64, StoreError>> {
        let found = self.find(&append.entity)?;
        let stored = found.map_or(0, |entity| entity.last_sequence);
        if append.expected != stored {
            return Ok(Err(StoreError::conflict(&append.entity, append.expected, stored)));
        }
        let id = match found {
            Some(entity) => entity.id,
            None => self.insert_entity(&append.entity)?,
        };
        let mut last_sequence = stored;
        for event in &append.events {
            last_sequence += 1;
            self.insert_event(id, last_sequence, event)?;
        }
        if let Some(snapshot) = &append.snapshot {
            self.replace_snapshot(id, last_sequence, snapshot)?;
        }
        self.known.remember_entity(&append.entity, Entity { id, last_sequence });
        Ok(Ok(last_sequence))
    }

    fn find(&self, key: &EntityKey) -> rusqlite::Result<Option<Entity>> {
        if let Some(entity) = self.known.entity(key) {
            return Ok(Some(entity));
        }
        self.transaction
            .prepare_cached(
                "SELECT id, (SELECT max(sequence) FROM event WHERE entity = entity.id)
                 FROM entity WHERE persistence_id = ?1 AND entity_id = ?2",
            )?
            .query_row(params![&*key.persistence_id, &*key.entity_id], |row| {
                let last_sequence = row.get::<_, Option<i64>>(1)?.unwrap_or(0);
                Ok(Entity { id: row.get(0)?, last_sequence: from_column(last_sequence)? })
            })
            .optional()
    }

    fn insert_entity(&self, key: &EntityKey) -> rusqlite::Result<i64> {
        self.transaction
            .prepare_cached("INSERT INTO entity (persistence_id, entity_id) VALUES (?1, ?2)")?
            .insert(params![&*key.persistence_id, &*key.entity_id])
    }

    fn insert_event(&mut self, entity: i64, sequence: u64, event: &Any) -> rusqlite::Result<()> {
        let payload_type = self.payload_type(&event.type_url)?;
        self.transaction
            .prepare_cached(
                "INSERT INTO event (entity, sequence, stored_at, payload_type, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![entity, to_column(sequence)?, self.now, payload_type, &*event.value])?;
        Ok(())
    }

    fn replace_snapshot(&mut self, entity: i64, sequence: u64, snapshot: &Any) -> rusqlite::Result<()> {
        let payload_type = self.payload_type(&snapshot.type_url)?;
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO snapshot (entity, sequence, stored_at, payload_type, payload)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![entity, to_column(sequence)?, self.now, payload_type, &*snapshot.value])?;
        Ok(())
    }

    fn payload_type(&mut self, type_url: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.known.payload_type(type_url) {
            return Ok(id);
        }
        let found = self
            .transaction
            .prepare_cached("SELECT id FROM payload_type WHERE type_url = ?1")?
            .query_row([type_url], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => self
                .transaction
                .prepare_cached("INSERT INTO payload_type (type_url) VALUES (?1)")?
                .insert([type_url])?,
        };
        self.known.remember_payload_type(type_url, id);
        Ok(id)
    }
}
