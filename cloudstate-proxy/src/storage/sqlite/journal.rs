//! Events and snapshots of event sourced entities.

use cloudstate_proto::Any;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    column::{from_column, payload, to_bound, to_column},
    known::Entity,
    writing::Writing,
};
use crate::storage::{
    Append, EntityKey, StoreError, StoredEvent, StoredSnapshot,
    limits::{page, weight},
};

const EVENTS: &str = "
    SELECT sequence, type_url, payload
    FROM event
    LEFT JOIN payload_type ON payload_type.id = event.payload_type
    WHERE entity = (SELECT id FROM entity WHERE persistence_id = ?1 AND entity_id = ?2) AND sequence > ?3
    ORDER BY sequence";

const SNAPSHOT: &str = "
    SELECT sequence, type_url, payload
    FROM snapshot
    LEFT JOIN payload_type ON payload_type.id = snapshot.payload_type
    WHERE entity = (SELECT id FROM entity WHERE persistence_id = ?1 AND entity_id = ?2)";

impl Writing<'_> {
    /// The inner error is this append's alone. It is found before anything is written for it, so a refused append
    /// needs no rollback and its neighbours in the transaction go on.
    pub(super) fn append(&mut self, append: &Append) -> rusqlite::Result<Result<u64, StoreError>> {
        let found = self.find_entity(&append.entity)?;
        let stored = found.map_or(0, |entity| entity.last_sequence);
        if append.expected != stored {
            return Ok(Err(StoreError::conflict(&append.entity, append.expected, stored)));
        }
        let Entity { id, .. } = match found {
            Some(entity) => entity,
            None => self.insert_entity(&append.entity)?,
        };
        let last_sequence = self.insert_events(append, id)?;
        if let Some(snapshot) = &append.snapshot {
            self.replace_snapshot(id, last_sequence, snapshot)?;
        }
        self.known.entities.remember(&append.entity, Entity { id, last_sequence });
        Ok(Ok(last_sequence))
    }

    fn insert_events(&mut self, append: &Append, entity: i64) -> rusqlite::Result<u64> {
        let mut last_sequence = append.expected;
        let mut positions = None;
        for event in &append.events {
            last_sequence += 1;
            let position = self.insert_event(entity, last_sequence, event)?;
            let (first, _) = positions.unwrap_or((position, position));
            positions = Some((first, position));
        }
        if let Some((first, last)) = positions {
            self.note_blocks(&append.entity.persistence_id, first, last)?;
            self.grew = true;
        }
        Ok(last_sequence)
    }

    fn insert_event(&mut self, entity: i64, sequence: u64, event: &Any) -> rusqlite::Result<i64> {
        let payload_type = self.payload_type(&event.type_url)?;
        self.transaction
            .prepare_cached(
                "INSERT INTO event (entity, sequence, stored_at, payload_type, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .insert(params![entity, to_column(sequence)?, self.now, payload_type, &*event.value])
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
}

/// One page of the events after `after`.
pub(super) fn events(
    connection: &Connection,
    entity: &EntityKey,
    after: u64,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut statement = connection.prepare_cached(EVENTS)?;
    let names = params![&*entity.persistence_id, &*entity.entity_id, to_bound(after)];
    let mut previous = after;
    let events = statement.query_and_then(names, |row| {
        let sequence = from_column(row.get(0)?)?;
        if sequence != previous + 1 {
            let gap = format!("after event {previous} of entity {entity} comes event {sequence}");
            return Err(StoreError::corrupt(gap));
        }
        previous = sequence;
        Ok(StoredEvent { sequence, payload: payload(row, 1)? })
    })?;
    page(events, |event| weight(&event.payload))
}

/// The newest snapshot, which is the only one kept.
pub(super) fn snapshot(
    connection: &Connection,
    entity: &EntityKey,
) -> Result<Option<StoredSnapshot>, StoreError> {
    let snapshot = connection
        .prepare_cached(SNAPSHOT)?
        .query_row(params![&*entity.persistence_id, &*entity.entity_id], |row| {
            Ok(StoredSnapshot { sequence: from_column(row.get(0)?)?, payload: payload(row, 1)? })
        })
        .optional()?;
    Ok(snapshot)
}
