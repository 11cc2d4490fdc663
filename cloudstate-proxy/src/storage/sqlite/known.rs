//! What the committer remembers of the file, so that an append to a live entity looks nothing up.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::storage::EntityKey;

const MAX_ENTITIES: usize = 16 * 1024;
const MAX_PAYLOAD_TYPES: usize = 1024;
/// Longer names are looked up each time.
const MAX_NAME_BYTES: usize = 256;

/// A bounded copy of what is in the file, right as long as nobody else writes to it. When it is full it starts again.
#[derive(Default)]
pub(super) struct Known {
    entities: HashMap<EntityKey, Entity>,
    payload_types: HashMap<String, i64>,
    /// What SQLite said when all of the above was read or written.
    data_version: i64,
}

#[derive(Clone, Copy)]
pub(super) struct Entity {
    pub(super) id: i64,
    /// 0 when it has no events.
    pub(super) last_sequence: u64,
}

impl Known {
    /// Forgets everything when another connection, such as a SQLite shell, has written to the file. To be called
    /// with the write lock held, so that nobody can until the commit.
    pub(super) fn forget_if_outdated(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let data_version =
            connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if data_version != self.data_version {
            *self = Self { data_version, ..Self::default() };
        }
        Ok(())
    }

    pub(super) fn entity(&self, key: &EntityKey) -> Option<Entity> {
        self.entities.get(key).copied()
    }

    pub(super) fn remember_entity(&mut self, key: &EntityKey, entity: Entity) {
        if let Some(known) = self.entities.get_mut(key) {
            *known = entity;
        } else if key.persistence_id.len() + key.entity_id.len() <= MAX_NAME_BYTES {
            if self.entities.len() >= MAX_ENTITIES {
                self.entities.clear();
            }
            self.entities.insert(key.clone(), entity);
        }
    }

    pub(super) fn payload_type(&self, type_url: &str) -> Option<i64> {
        self.payload_types.get(type_url).copied()
    }

    pub(super) fn remember_payload_type(&mut self, type_url: &str, id: i64) {
        if type_url.len() <= MAX_NAME_BYTES {
            if self.payload_types.len() >= MAX_PAYLOAD_TYPES {
                self.payload_types.clear();
            }
            self.payload_types.insert(type_url.to_owned(), id);
        }
    }
}
