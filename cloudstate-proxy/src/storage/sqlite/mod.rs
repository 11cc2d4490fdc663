//! The embedded store: one SQLite file.
//!
//! One thread writes ([`committer`]), a few threads read ([`reader`]), each with a connection of its own. What they write
//! and read stands in [`journal`], [`state`], [`log`] and [`consumer`]. The file is ours alone while it is open
//! ([`lock`]); what it looks like stands in [`schema`].

mod column;
mod committer;
mod consumer;
mod damage;
mod fault;
mod journal;
mod known;
mod lock;
mod log;
mod place;
mod reader;
mod schema;
mod state;
mod writing;

use std::{
    future::ready,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use cloudstate_proto::Any;
use rusqlite::Connection;
use tokio::{sync::watch, task::spawn_blocking};

use self::{
    committer::{CommitQueue, Committer},
    damage::Damage,
    lock::Lock,
    place::Place,
    reader::ReadQueue,
};
use super::{
    Append, BoxFuture, Change, Consumer, Counters, EntityKey, LogEntry, OpenError, Source, Store, StoreError,
    StoredCrdt, StoredDeadLetter, StoredEvent, StoredSnapshot, error::Refusal,
};

const READERS: usize = 2;

pub(super) struct SqliteStore {
    commits: Arc<CommitQueue>,
    reads: ReadQueue,
    grown: watch::Receiver<u64>,
    /// Its sender is dropped when the file is closed and the lock released.
    ended: watch::Receiver<()>,
}

impl SqliteStore {
    pub(super) async fn open(path: &Path) -> Result<Self, OpenError> {
        let path = path.to_owned();
        let opened = spawn_blocking(move || Files::open(&path).and_then(Self::start)).await;
        // A panic in there is ours, and nothing has been promised to anybody yet.
        opened
            .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
            .map_err(OpenError::from)
    }

    fn start(files: Files) -> Result<Self, Refusal> {
        let Files { path, lock, writer, readers } = files;
        let no_thread = |source| Refusal::failed(&path, "start a thread for it", source);

        let damage = Arc::new(Damage::default());
        let (reads, reader_threads) = reader::start(readers, Arc::clone(&damage)).map_err(no_thread)?;
        let (growth, grown) = watch::channel(0);
        let (commits, committer) = Committer::new(writer, Place::of(&path)?, growth, damage);
        let (end, ended) = watch::channel(());
        let close_reads = reads.clone();
        thread::Builder::new()
            .name("store-committer".to_owned())
            .spawn(move || {
                let writer = committer.run();
                // The last connection to close folds the write-ahead log into the file: that must be the writer's.
                close_reads.close();
                for thread in reader_threads {
                    let _ = thread.join();
                }
                drop(writer);
                drop(lock);
                drop(end);
            })
            .map_err(no_thread)?;
        Ok(Self { commits, reads, grown, ended })
    }
}

impl Store for SqliteStore {
    fn append(&self, append: Append) -> BoxFuture<Result<u64, StoreError>> {
        let commits = Arc::clone(&self.commits);
        Box::pin(async move {
            append.check_limits()?;
            commits.append(append).await
        })
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<Result<(), StoreError>> {
        let commits = Arc::clone(&self.commits);
        Box::pin(async move {
            Change::check_limits_of(&changes)?;
            commits.write(changes).await
        })
    }

    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredSnapshot>, StoreError>> {
        self.read(entity, EntityKey::check_limits, journal::snapshot)
    }

    fn events(&self, entity: &EntityKey, after: u64) -> BoxFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.read(entity, EntityKey::check_limits, move |connection, entity| {
            journal::events(connection, entity, after)
        })
    }

    fn value(&self, entity: &EntityKey) -> BoxFuture<Result<Option<Any>, StoreError>> {
        self.read(entity, EntityKey::check_limits, state::value)
    }

    fn crdt(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredCrdt>, StoreError>> {
        self.read(entity, EntityKey::check_limits, state::crdt)
    }

    fn log(&self, source: &Source, after: u64) -> BoxFuture<Result<Vec<LogEntry>, StoreError>> {
        self.read(source, Source::check_limits, move |connection, source| log::log(connection, source, after))
    }

    fn grown(&self) -> watch::Receiver<u64> {
        self.grown.clone()
    }

    fn offset(&self, consumer: &Consumer) -> BoxFuture<Result<Option<u64>, StoreError>> {
        self.read(consumer, Consumer::check_limits, consumer::offset)
    }

    fn dead_letters(&self, after: u64) -> BoxFuture<Result<Vec<StoredDeadLetter>, StoreError>> {
        self.read(&after, |_| Ok(()), |connection, &after| consumer::dead_letters(connection, after))
    }

    fn dead_letter_count(&self) -> BoxFuture<Result<u64, StoreError>> {
        self.read(&(), |()| Ok(()), |connection, ()| consumer::dead_letter_count(connection))
    }

    fn check(&self) -> BoxFuture<Result<(), StoreError>> {
        let commits = Arc::clone(&self.commits);
        Box::pin(async move { commits.check().await })
    }

    fn close(&self) -> BoxFuture<()> {
        let commits = Arc::clone(&self.commits);
        let mut ended = self.ended.clone();
        Box::pin(async move {
            commits.close().await;
            while ended.changed().await.is_ok() {}
        })
    }

    fn counters(&self) -> Counters {
        self.commits.counters()
    }
}

impl SqliteStore {
    /// Reads what `name` names once its limits are checked.
    fn read<N: Clone + Send + 'static, T: Send + 'static>(
        &self,
        name: &N,
        check_limits: impl FnOnce(&N) -> Result<(), StoreError>,
        read: impl FnOnce(&Connection, &N) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<Result<T, StoreError>> {
        if let Err(error) = check_limits(name) {
            return Box::pin(ready(Err(error)));
        }
        let reads = self.reads.clone();
        let name = name.clone();
        Box::pin(async move { reads.read(move |connection| read(connection, &name)).await })
    }
}

/// A store that is ours: locked, of our format version, its connections open.
struct Files {
    path: PathBuf,
    lock: Lock,
    writer: Connection,
    readers: Vec<Connection>,
}

impl Files {
    fn open(path: &Path) -> Result<Self, Refusal> {
        let path = schema::locate(path)?;
        // Before the lock: beside the file of another program not even a lock file appears.
        schema::refuse_foreign(&path)?;
        let lock = Lock::take(&path)?;
        schema::create_if_missing(&path)?;
        // Readers first: they cannot change a file that turns out to be none of ours.
        let readers = (0..READERS).map(|_| schema::open_reader(&path)).collect::<Result<Vec<_>, _>>()?;
        let writer = schema::open_writer(&path)?;
        Ok(Self { path, lock, writer, readers })
    }
}
