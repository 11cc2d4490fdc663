//! How much one request may bring: ids, type URLs and payloads come from outside.

use cloudstate_proto::{Any, Metadata};
use prost::Message;

use super::{Append, Change, Consumer, DeadLetter, EntityKey, LogEntry, Source, StoreError};

/// The longest name, in bytes of UTF-8: of a persistence id, an entity id, a topic, a subject, a consumer group.
pub const MAX_ID_BYTES: usize = 4 * 1024;
/// The longest type URL of a payload, in bytes of UTF-8.
pub const MAX_TYPE_URL_BYTES: usize = 4 * 1024;
/// The most that one append or one write may take, in bytes.
pub const MAX_APPEND_BYTES: usize = 64 * 1024 * 1024;
/// The longest text of an error that is kept with a dead letter, in bytes of UTF-8.
pub const MAX_ERROR_BYTES: usize = 16 * 1024;
/// The most messages that one [`Change::TrimTopic`] removes.
pub const MAX_TRIMMED_MESSAGES: u32 = 1_000;
/// The last position there can be. No store lives to see it.
pub const MAX_POSITION: u64 = i64::MAX as u64;

/// Of these many bytes each payload or change is counted beyond what it holds, so that a million empty ones are not
/// free.
const OVERHEAD_BYTES: usize = 64;

const PAGE_ENTRIES: usize = 1_000;
const PAGE_BYTES: usize = 1024 * 1024;

impl EntityKey {
    pub(super) fn check_limits(&self) -> Result<(), StoreError> {
        at_most(MAX_ID_BYTES, "the persistence id", self.persistence_id.len())?;
        at_most(MAX_ID_BYTES, "the entity id", self.entity_id.len())
    }
}

impl Append {
    pub(super) fn check_limits(&self) -> Result<(), StoreError> {
        self.entity.check_limits()?;
        self.payloads().try_for_each(check_type_url)?;
        at_most(MAX_APPEND_BYTES, "what one command stores", self.bytes())
    }

    /// What this append weighs in memory and on disk, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.payloads().map(weight).fold(0, usize::saturating_add)
    }

    fn payloads(&self) -> impl Iterator<Item = &Any> {
        self.events.iter().chain(&self.snapshot)
    }
}

impl Source {
    pub(super) fn check_limits(&self) -> Result<(), StoreError> {
        let what = match self {
            Self::EventLog(_) => "the persistence id",
            Self::Topic(_) => "the name of the topic",
        };
        at_most(MAX_ID_BYTES, what, self.name().len())
    }
}

impl Consumer {
    pub(super) fn check_limits(&self) -> Result<(), StoreError> {
        at_most(MAX_ID_BYTES, "the name of the consumer group", self.group.len())?;
        self.source.check_limits()
    }
}

impl Change {
    /// Of all changes of one write.
    pub(super) fn check_limits_of(changes: &[Self]) -> Result<(), StoreError> {
        changes.iter().try_for_each(Self::check_limits)?;
        at_most(MAX_APPEND_BYTES, "what one write stores", Self::bytes_of(changes))
    }

    /// What these changes weigh in memory and on disk, roughly.
    pub(super) fn bytes_of(changes: &[Self]) -> usize {
        changes.iter().map(Self::bytes).fold(0, usize::saturating_add)
    }

    fn check_limits(&self) -> Result<(), StoreError> {
        match self {
            Self::Value { entity, state } | Self::Crdt { entity, state } => {
                entity.check_limits()?;
                state.iter().try_for_each(check_type_url)
            }
            Self::Message { topic, subject, payload, .. } => {
                at_most(MAX_ID_BYTES, "the name of the topic", topic.len())?;
                at_most(MAX_ID_BYTES, "the subject of a message", subject.len())?;
                check_type_url(payload)
            }
            Self::TrimTopic { topic, .. } => at_most(MAX_ID_BYTES, "the name of the topic", topic.len()),
            Self::Offset { consumer, position } => {
                consumer.check_limits()?;
                check_position(*position)
            }
            Self::DeadLetter(letter) => letter.check_limits(),
            Self::ForgetDeadLetter { .. } => Ok(()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Value { state, .. } | Self::Crdt { state, .. } => {
                state.as_ref().map_or(OVERHEAD_BYTES, weight)
            }
            Self::Message { payload, metadata, .. } => {
                weight(payload).saturating_add(weight_of_metadata(metadata))
            }
            Self::DeadLetter(letter) => letter.bytes(),
            Self::TrimTopic { .. } | Self::Offset { .. } | Self::ForgetDeadLetter { .. } => OVERHEAD_BYTES,
        }
    }
}

impl DeadLetter {
    fn check_limits(&self) -> Result<(), StoreError> {
        self.consumer.check_limits()?;
        at_most(MAX_ID_BYTES, "the subject of an entry", self.entry.subject.len())?;
        check_type_url(&self.entry.payload)?;
        check_position(self.entry.position)?;
        check_position(self.entry.sequence)
    }

    /// As much of the error as is kept.
    pub(super) fn kept_error(&self) -> &str {
        &self.error[..self.error.floor_char_boundary(MAX_ERROR_BYTES)]
    }

    pub(super) fn bytes(&self) -> usize {
        self.entry.bytes().saturating_add(self.kept_error().len())
    }
}

impl LogEntry {
    pub(super) fn bytes(&self) -> usize {
        weight(&self.payload).saturating_add(weight_of_metadata(&self.metadata))
    }
}

/// What of `entries` one page holds: at least one, however large. No more of them are asked for.
pub(super) fn page<T, E>(
    entries: impl Iterator<Item = Result<T, E>>,
    bytes: impl Fn(&T) -> usize,
) -> Result<Vec<T>, E> {
    let mut page = Vec::new();
    let mut taken: usize = 0;
    for entry in entries {
        let entry = entry?;
        taken = taken.saturating_add(bytes(&entry));
        page.push(entry);
        if page.len() >= PAGE_ENTRIES || taken >= PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

pub(super) fn weight(payload: &Any) -> usize {
    payload.type_url.len().saturating_add(payload.value.len()).saturating_add(OVERHEAD_BYTES)
}

fn weight_of_metadata(metadata: &Metadata) -> usize {
    metadata.encoded_len().saturating_add(metadata.entries.len().saturating_mul(OVERHEAD_BYTES))
}

fn check_type_url(payload: &Any) -> Result<(), StoreError> {
    at_most(MAX_TYPE_URL_BYTES, "the type URL of a payload", payload.type_url.len())
}

fn check_position(position: u64) -> Result<(), StoreError> {
    if position <= MAX_POSITION { Ok(()) } else { Err(StoreError::beyond_positions(position)) }
}

fn at_most(limit: usize, what: &'static str, bytes: usize) -> Result<(), StoreError> {
    if bytes <= limit { Ok(()) } else { Err(StoreError::too_large(what, bytes, limit)) }
}
