//! How much one request may bring: ids, type URLs and payloads come from outside.

use cloudstate_proto::Any;

use super::{Append, EntityKey, StoreError, StoredEvent};

/// The longest persistence id or entity id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 4 * 1024;
/// The longest type URL of a payload, in bytes of UTF-8.
pub const MAX_TYPE_URL_BYTES: usize = 4 * 1024;
/// The most that the events and the snapshot of one command may take, in bytes.
pub const MAX_APPEND_BYTES: usize = 64 * 1024 * 1024;

/// Of these many bytes an event is counted beyond its payload, so that a million empty events are not free.
const EVENT_OVERHEAD_BYTES: usize = 64;

const PAGE_EVENTS: usize = 1_000;
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
        for payload in self.payloads() {
            at_most(MAX_TYPE_URL_BYTES, "the type URL of a payload", payload.type_url.len())?;
        }
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

/// Collects the events of one page; a page takes at least one, however large.
#[derive(Default)]
pub(super) struct Page {
    events: Vec<StoredEvent>,
    bytes: usize,
}

impl Page {
    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= PAGE_EVENTS || self.bytes >= PAGE_BYTES
    }

    pub(super) fn push(&mut self, event: StoredEvent) {
        self.bytes = self.bytes.saturating_add(weight(&event.payload));
        self.events.push(event);
    }

    pub(super) fn into_events(self) -> Vec<StoredEvent> {
        self.events
    }
}

fn weight(payload: &Any) -> usize {
    payload.type_url.len() + payload.value.len() + EVENT_OVERHEAD_BYTES
}

fn at_most(limit: usize, what: &'static str, bytes: usize) -> Result<(), StoreError> {
    if bytes <= limit { Ok(()) } else { Err(StoreError::too_large(what, bytes, limit)) }
}
