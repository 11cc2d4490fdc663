//! States of value entities and CRDTs.

use cloudstate_proto::Any;
use rusqlite::{Connection, OptionalExtension, params};

use super::{column::payload, writing::Writing};
use crate::storage::{EntityKey, StoreError, StoredCrdt};

const VALUE: &str = "
    SELECT type_url, payload
    FROM value
    LEFT JOIN payload_type ON payload_type.id = value.payload_type
    WHERE entity = (SELECT id FROM entity WHERE persistence_id = ?1 AND entity_id = ?2)";

const CRDT: &str = "
    SELECT crdt.payload_type IS NULL, type_url, payload
    FROM crdt
    LEFT JOIN payload_type ON payload_type.id = crdt.payload_type
    WHERE entity = (SELECT id FROM entity WHERE persistence_id = ?1 AND entity_id = ?2)";

impl Writing<'_> {
    pub(super) fn set_value(&mut self, entity: &EntityKey, state: &Any) -> rusqlite::Result<()> {
        let entity = self.entity(entity)?;
        let payload_type = self.payload_type(&state.type_url)?;
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO value (entity, stored_at, payload_type, payload) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![entity, self.now, payload_type, &*state.value])?;
        Ok(())
    }

    pub(super) fn remove_value(&mut self, entity: &EntityKey) -> rusqlite::Result<()> {
        if let Some(entity) = self.find_entity(entity)? {
            self.transaction.prepare_cached("DELETE FROM value WHERE entity = ?1")?.execute([entity.id])?;
        }
        Ok(())
    }

    /// Without a state the row stays and says that the entity was deleted.
    pub(super) fn set_crdt(&mut self, entity: &EntityKey, state: Option<&Any>) -> rusqlite::Result<()> {
        let entity = self.entity(entity)?;
        let payload_type = state.map(|state| self.payload_type(&state.type_url)).transpose()?;
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO crdt (entity, stored_at, payload_type, payload) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![entity, self.now, payload_type, state.map(|state| &*state.value)])?;
        Ok(())
    }
}

pub(super) fn value(connection: &Connection, entity: &EntityKey) -> Result<Option<Any>, StoreError> {
    let state = connection
        .prepare_cached(VALUE)?
        .query_row(params![&*entity.persistence_id, &*entity.entity_id], |row| payload(row, 0))
        .optional()?;
    Ok(state)
}

pub(super) fn crdt(connection: &Connection, entity: &EntityKey) -> Result<Option<StoredCrdt>, StoreError> {
    let stored = connection
        .prepare_cached(CRDT)?
        .query_row(params![&*entity.persistence_id, &*entity.entity_id], |row| {
            if row.get(0)? { Ok(StoredCrdt::Deleted) } else { payload(row, 1).map(StoredCrdt::State) }
        })
        .optional()?;
    Ok(stored)
}
