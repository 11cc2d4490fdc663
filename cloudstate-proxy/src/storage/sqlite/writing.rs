//! What the committer does to the tables, and the numbers that stand there in place of names.

use rusqlite::{OptionalExtension, Params, Transaction, params};

use super::{
    column::from_column,
    known::{Entity, Known},
};
use crate::storage::{Change, EntityKey};

/// The tables, within one transaction.
pub(super) struct Writing<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) known: &'a mut Known,
    /// Milliseconds since 1970, UTC.
    pub(super) now: i64,
    /// An event or a message was added.
    pub(super) grew: bool,
}

impl Writing<'_> {
    /// Cannot fail alone: what is wrong with a change was found before it came here, the rest is the file's fault.
    pub(super) fn write(&mut self, changes: &[Change]) -> rusqlite::Result<()> {
        changes.iter().try_for_each(|change| match change {
            Change::Value { entity, state: Some(state) } => self.set_value(entity, state),
            Change::Value { entity, state: None } => self.remove_value(entity),
            Change::Crdt { entity, state } => self.set_crdt(entity, state.as_ref()),
            Change::Message { topic, subject, payload, metadata } => {
                self.add_message(topic, subject, payload, metadata)
            }
            Change::TrimTopic { topic, through } => self.trim_topic(topic, *through),
            Change::Offset { consumer, position } => self.set_offset(consumer, *position),
            Change::DeadLetter(letter) => self.add_dead_letter(letter),
            Change::ForgetDeadLetter { id } => self.forget_dead_letter(*id),
        })
    }

    pub(super) fn find_entity(&self, key: &EntityKey) -> rusqlite::Result<Option<Entity>> {
        if let Some(entity) = self.known.entities.get(key) {
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

    pub(super) fn insert_entity(&self, key: &EntityKey) -> rusqlite::Result<Entity> {
        let id = self
            .transaction
            .prepare_cached("INSERT INTO entity (persistence_id, entity_id) VALUES (?1, ?2)")?
            .insert(params![&*key.persistence_id, &*key.entity_id])?;
        Ok(Entity { id, last_sequence: 0 })
    }

    /// The number of an entity whose state is about to be set.
    pub(super) fn entity(&mut self, key: &EntityKey) -> rusqlite::Result<i64> {
        let entity = match self.find_entity(key)? {
            Some(entity) => entity,
            None => self.insert_entity(key)?,
        };
        self.known.entities.remember(key, entity);
        Ok(entity.id)
    }

    pub(super) fn payload_type(&mut self, type_url: &String) -> rusqlite::Result<i64> {
        if let Some(id) = self.known.payload_types.get(type_url) {
            return Ok(id);
        }
        let id = self.find_or_insert(
            "SELECT id FROM payload_type WHERE type_url = ?1",
            "INSERT INTO payload_type (type_url) VALUES (?1)",
            [type_url],
        )?;
        self.known.payload_types.remember(type_url, id);
        Ok(id)
    }

    pub(super) fn find_or_insert(
        &self,
        find: &str,
        insert: &str,
        names: impl Params + Copy,
    ) -> rusqlite::Result<i64> {
        let found = self.transaction.prepare_cached(find)?.query_row(names, |row| row.get(0)).optional()?;
        match found {
            Some(id) => Ok(id),
            None => self.transaction.prepare_cached(insert)?.insert(names),
        }
    }
}
