//! What is kept of an entity: its history or its state.

use std::{fmt, sync::Arc};

use cloudstate_proto::Any;

/// Names one entity in the store. An event sourced entity, a value entity and a CRDT of the same name do not meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntityKey {
    /// Names the kind of entity, `EntitySpec.persistence_id`; at most [`MAX_ID_BYTES`](super::MAX_ID_BYTES).
    pub persistence_id: Arc<str>,
    /// Names the entity within its kind, any text; at most [`MAX_ID_BYTES`](super::MAX_ID_BYTES).
    pub entity_id: Arc<str>,
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {:?}", self.entity_id, self.persistence_id)
    }
}

/// What one command of an event sourced entity stores, atomically.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// Whose events these are.
    pub entity: EntityKey,
    /// The sequence of the last event already stored, 0 for none. Another one in the store is a conflict.
    pub expected: u64,
    /// Stored in this order at `expected + 1`, `expected + 2`, ….
    pub events: Vec<Any>,
    /// The state after all of `events`, stored at the sequence of the last one, or at `expected` without events.
    /// It takes the place of the snapshot before it.
    pub snapshot: Option<Any>,
}

/// One event as it comes back from the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its place in the entity's history; the first is 1.
    pub sequence: u64,
    /// As it was appended.
    pub payload: Any,
}

/// The state of an entity at one point of its history.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSnapshot {
    /// The last event it covers, 0 for none.
    pub sequence: u64,
    /// As it was appended.
    pub payload: Any,
}

/// What is kept of a CRDT.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredCrdt {
    /// The whole state: a `cloudstate.crdt.CrdtDelta` that leads there from nothing.
    State(Any),
    /// It was deleted. This stays, so that an entity that is deleted is never taken for a new one.
    Deleted,
}
