//! What consumers read: the events of a kind of entity, the messages of a topic.

use std::{fmt, sync::Arc, time::SystemTime};

use cloudstate_proto::{Any, Metadata};

/// A log that consumers read from its beginning to its end, in the order things were stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The events of all entities with this persistence id.
    EventLog(Arc<str>),
    /// The messages of this topic.
    Topic(Arc<str>),
}

impl Source {
    /// The persistence id, or the name of the topic; at most [`MAX_ID_BYTES`](super::MAX_ID_BYTES).
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::EventLog(name) | Self::Topic(name) => name,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventLog(name) => write!(f, "event log {name:?}"),
            Self::Topic(name) => write!(f, "topic {name:?}"),
        }
    }
}

/// Who reads a source. Each has an offset of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumer {
    /// Names the consumer among those of the source; at most [`MAX_ID_BYTES`](super::MAX_ID_BYTES).
    pub group: Arc<str>,
    /// What it reads.
    pub source: Source,
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.group, self.source)
    }
}

/// One event or message.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// Its place in the source, at least 1: greater than that of everything stored in the source before, and never
    /// given again. Positions have gaps, and those of different sources say nothing about each other.
    pub position: u64,
    /// The entity id of an event; what a message is about, empty when it does not say.
    pub subject: Arc<str>,
    /// Of an event, its place in the history of its entity; 0 for a message.
    pub sequence: u64,
    /// When it was stored by the clock of the store, to the millisecond.
    pub stored_at: SystemTime,
    /// As it was stored.
    pub payload: Any,
    /// Of a message, as it was stored; empty for an event.
    pub metadata: Metadata,
}
