//! Where everything durable is kept: the journal and snapshots of event sourced entities, the states of value
//! entities and CRDTs, the messages of topics, and how far each consumer of events and messages has come.
//!
//! The proxy knows the [`Store`] trait alone. [`open`] gives the store a [`StoreUrl`] names: `sqlite:PATH`, durable,
//! one file that any SQLite shell can read (`docs/storage-format.md` describes it), or `memory`. All stores pass one
//! suite, `tests/storage/conformance.rs`.
//!
//! The rules every store keeps:
//! - the events of an entity are numbered 1, 2, 3, … without a gap;
//! - an [`append`](Store::append) or a [`write`](Store::write) is stored as a whole or not at all, and is durable
//!   before its future resolves;
//! - an append made against an old sequence is refused, so two writers never both believe they won;
//! - a snapshot never outruns its events;
//! - whoever has read a [`log`](Store::log) up to a position never finds something new at or before it.

mod change;
mod entity;
mod error;
mod limits;
mod log;
mod memory;
mod sqlite;
mod url;

use std::{future::Future, pin::Pin, sync::Arc};

use cloudstate_proto::Any;
use tokio::sync::watch;

pub use change::{Change, DeadLetter, StoredDeadLetter};
pub use entity::{Append, EntityKey, StoredCrdt, StoredEvent, StoredSnapshot};
pub use error::{OpenError, StoreError};
pub use limits::{
    MAX_APPEND_BYTES, MAX_ERROR_BYTES, MAX_ID_BYTES, MAX_POSITION, MAX_TRIMMED_MESSAGES, MAX_TYPE_URL_BYTES,
};
pub use log::{Consumer, LogEntry, Source};
pub use url::{StoreUrl, StoreUrlError};

/// What a [`Store`] answers with: a future that borrows nothing.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Everything durable.
///
/// What is asked with a future that is dropped before it resolves may or may not have taken effect.
///
/// ```
/// use cloudstate_proxy::storage::{Append, EntityKey, Source, StoreUrl, open};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = open(&StoreUrl::Memory).await?;
/// let cart = EntityKey { persistence_id: "shopping-cart".into(), entity_id: "u1".into() };
/// let events = vec![cloudstate_proto::Any::default()];
/// store.append(Append { entity: cart, expected: 0, events, snapshot: None }).await?;
///
/// let page = store.log(&Source::EventLog("shopping-cart".into()), 0).await?;
/// assert_eq!((&*page[0].subject, page[0].sequence), ("u1", 1));
/// # Ok(())
/// # }
/// ```
pub trait Store: Send + Sync + 'static {
    /// Stores the events and the snapshot of one command; resolves, when they are durable, to the sequence of the
    /// entity's last event.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](StoreError::is_conflict) and [`is_too_large`](StoreError::is_too_large) fail this append alone
    /// and leave nothing of it behind. After any other error the caller reads the entity again before it goes on.
    fn append(&self, append: Append) -> BoxFuture<Result<u64, StoreError>>;

    /// Makes all changes, in this order, or none; resolves when they are durable. Appends and writes share commits.
    ///
    /// # Errors
    ///
    /// [`is_too_large`](StoreError::is_too_large) fails this write alone and leaves nothing of it behind. After any
    /// other error the caller reads what it wanted to change before it goes on.
    fn write(&self, changes: Vec<Change>) -> BoxFuture<Result<(), StoreError>>;

    /// The newest snapshot of an event sourced entity.
    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredSnapshot>, StoreError>>;

    /// One page of the events that follow sequence `after`: ascending, without a gap, bounded in count and bytes.
    /// An empty page is the end.
    fn events(&self, entity: &EntityKey, after: u64) -> BoxFuture<Result<Vec<StoredEvent>, StoreError>>;

    /// The state of a value entity; `None` when it has none.
    fn value(&self, entity: &EntityKey) -> BoxFuture<Result<Option<Any>, StoreError>>;

    /// The state of a CRDT, or that it was deleted; `None` when it never had a state.
    fn crdt(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredCrdt>, StoreError>>;

    /// One page of what `source` holds after position `after`: ascending by position, bounded in count and bytes. An
    /// empty page is the end for now; [`grown`](Self::grown) tells when to look again.
    fn log(&self, source: &Source, after: u64) -> BoxFuture<Result<Vec<LogEntry>, StoreError>>;

    /// Changes after each commit that added events or messages, when they can be read; the number itself means
    /// nothing. Its sender ends when the store has closed.
    fn grown(&self) -> watch::Receiver<u64>;

    /// The position that was last stored for a consumer, with [`Change::Offset`]; `None` when there was none.
    fn offset(&self, consumer: &Consumer) -> BoxFuture<Result<Option<u64>, StoreError>>;

    /// One page of the dead letters of all consumers whose ids follow `after`: ascending by id, bounded in count and
    /// bytes. An empty page is the end.
    fn dead_letters(&self, after: u64) -> BoxFuture<Result<Vec<StoredDeadLetter>, StoreError>>;

    /// How many dead letters there are.
    fn dead_letter_count(&self) -> BoxFuture<Result<u64, StoreError>>;

    /// Whether the store can be used now; the error says why not. After a failed write this tries one, so a store
    /// whose disk has room again becomes ready without any traffic. Takes as long as an append does.
    ///
    /// # Errors
    ///
    /// [`is_full`](StoreError::is_full) already while there is a little room, so that somebody can act in time.
    fn check(&self) -> BoxFuture<Result<(), StoreError>>;

    /// Finishes what was accepted and lets go of the store, so that another process may open it. Whatever is asked
    /// afterwards fails with [`is_closed`](StoreError::is_closed).
    fn close(&self) -> BoxFuture<()>;

    /// What the store has done since it was opened; cheap.
    fn counters(&self) -> Counters;
}

/// Counts since a store was opened, for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times something was made durable. Less than appends and writes, since one commit takes all that wait.
    pub commits: u64,
    /// Commits that failed, and with them all their appends and writes.
    pub failed_commits: u64,
    /// Appends stored.
    pub appends: u64,
    /// Events stored.
    pub events: u64,
    /// Appends refused because of their sequence.
    pub conflicts: u64,
    /// Writes stored.
    pub writes: u64,
    /// Appends and writes waiting now.
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
