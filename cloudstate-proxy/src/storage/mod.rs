//! Where the state of entities is kept: a journal of events per entity and its newest snapshot.
//!
//! The proxy knows the [`Store`] trait alone. [`open`] gives the store a [`StoreUrl`] names: `sqlite:PATH`, durable,
//! one file that any SQLite shell can read (`docs/storage-format.md` describes it), or `memory`. All stores pass one
//! suite, `tests/storage/conformance.rs`.
//!
//! The rules every store keeps:
//! - the events of an entity are numbered 1, 2, 3, … without a gap;
//! - an append is stored as a whole or not at all, and is durable before its future resolves;
//! - an append made against an old sequence is refused, so two writers never both believe they won;
//! - a snapshot never outruns its events.

mod error;
mod limits;
mod memory;
mod sqlite;
mod url;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use cloudstate_proto::Any;

pub use error::{OpenError, StoreError};
pub use limits::{MAX_APPEND_BYTES, MAX_ID_BYTES, MAX_TYPE_URL_BYTES};
pub use url::{StoreUrl, StoreUrlError};

/// What a [`Store`] answers with: a future that borrows nothing.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Events and snapshots of entities, durable.
///
/// What is asked with a future that is dropped before it resolves may or may not have taken effect.
pub trait Store: Send + Sync + 'static {
    /// Stores the events and the snapshot of one command; resolves, when they are durable, to the sequence of the
    /// entity's last event.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](StoreError::is_conflict) and [`is_too_large`](StoreError::is_too_large) fail this append alone
    /// and leave nothing of it behind. After any other error the caller reads the entity again before it goes on.
    fn append(&self, append: Append) -> BoxFuture<Result<u64, StoreError>>;

    /// The newest snapshot of an entity.
    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredSnapshot>, StoreError>>;

    /// One page of the events that follow sequence `after`: ascending, without a gap, bounded in count and bytes.
    /// An empty page is the end.
    fn events(&self, entity: &EntityKey, after: u64) -> BoxFuture<Result<Vec<StoredEvent>, StoreError>>;

    /// Whether the store can be used now; the error says why not. After a failed write this tries one, so a store
    /// whose disk has room again becomes ready without any traffic. Takes as long as an append does.
    fn check(&self) -> BoxFuture<Result<(), StoreError>>;

    /// Finishes what was accepted and lets go of the store, so that another process may open it. Whatever is asked
    /// afterwards fails with [`is_closed`](StoreError::is_closed).
    fn close(&self) -> BoxFuture<()>;

    /// What the store has done since it was opened; cheap.
    fn counters(&self) -> Counters;
}

/// Names one entity's stored history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntityKey {
    /// Names the kind of entity, `EntitySpec.persistence_id`; at most [`MAX_ID_BYTES`].
    pub persistence_id: Arc<str>,
    /// Names the entity within its kind, any text; at most [`MAX_ID_BYTES`].
    pub entity_id: Arc<str>,
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {:?}", self.entity_id, self.persistence_id)
    }
}

/// What one command of an entity stores, atomically.
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

/// Counts since a store was opened, for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times something was made durable. Less than appends, since one commit takes all appends that wait.
    pub commits: u64,
    /// Commits that failed, and with them all their appends.
    pub failed_commits: u64,
    /// Appends stored.
    pub appends: u64,
    /// Events stored.
    pub events: u64,
    /// Appends refused because of their sequence.
    pub conflicts: u64,
    /// Appends waiting now.
    pub queued: usize,
}

/// Opens the store that `url` names, with the folders it needs.
///
/// # Errors
///
/// The store is held by another process, is damaged, belongs to a newer version or to another program, or the
/// file system refuses. Nothing has been written to it then; the error says what to do.
pub async fn open(url: &StoreUrl) -> Result<Arc<dyn Store>, OpenError> {
    match url {
        StoreUrl::Memory => Ok(Arc::new(memory::MemoryStore::default())),
        StoreUrl::Sqlite(path) => Ok(Arc::new(sqlite::SqliteStore::open(path).await?)),
    }
}
