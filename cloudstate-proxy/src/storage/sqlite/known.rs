//! What the committer remembers of the file, so that storing for a live entity looks nothing up.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, sync::Arc};

use rusqlite::Connection;

use crate::storage::{Consumer, EntityKey};

const MAX_ENTITIES: usize = 16 * 1024;
const MAX_OTHERS: usize = 1024;
/// Longer names are looked up each time.
const MAX_NAME_BYTES: usize = 256;

/// A bounded copy of what is in the file, right as long as nobody else writes to it.
pub(super) struct Known {
    pub(super) entities: Names<EntityKey, Entity>,
    pub(super) payload_types: Names<String, i64>,
    pub(super) topics: Names<Arc<str>, i64>,
    pub(super) consumers: Names<Consumer, i64>,
    /// The newest block of the journal with events of a persistence id.
    pub(super) newest_blocks: Names<Arc<str>, i64>,
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
    pub(super) fn nothing() -> Self {
        Self {
            entities: Names::at_most(MAX_ENTITIES),
            payload_types: Names::at_most(MAX_OTHERS),
            topics: Names::at_most(MAX_OTHERS),
            consumers: Names::at_most(MAX_OTHERS),
            newest_blocks: Names::at_most(MAX_OTHERS),
            data_version: 0,
        }
    }

    /// Forgets everything when another connection, such as a SQLite shell, has written to the file. To be called
    /// with the write lock held, so that nobody can until the commit.
    pub(super) fn forget_if_outdated(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let data_version =
            connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if data_version != self.data_version {
            *self = Self { data_version, ..Self::nothing() };
        }
        Ok(())
    }
}

/// What is known by a name. When it is full it starts again.
pub(super) struct Names<K, V> {
    known: HashMap<K, V>,
    limit: usize,
}

impl<K: Name, V: Copy> Names<K, V> {
    fn at_most(limit: usize) -> Self {
        Self { known: HashMap::new(), limit }
    }

    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.known.get(name).copied()
    }

    pub(super) fn remember(&mut self, name: &K, value: V) {
        if let Some(known) = self.known.get_mut(name) {
            *known = value;
        } else if name.bytes() <= MAX_NAME_BYTES {
            if self.known.len() >= self.limit {
                self.known.clear();
            }
            self.known.insert(name.clone(), value);
        }
    }
}

pub(super) trait Name: Clone + Eq + Hash {
    fn bytes(&self) -> usize;
}

impl Name for EntityKey {
    fn bytes(&self) -> usize {
        self.persistence_id.len() + self.entity_id.len()
    }
}

impl Name for Consumer {
    fn bytes(&self) -> usize {
        self.group.len() + self.source.name().len()
    }
}

impl Name for Arc<str> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Name for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}
