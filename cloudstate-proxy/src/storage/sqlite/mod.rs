//! The embedded store: one SQLite file.
//!
//! One thread writes ([`committer`]), a few threads read ([`reader`]), each with a connection of its own. The file is
//! ours alone while it is open ([`lock`]); what it looks like stands in [`schema`].

mod committer;
mod fault;
mod journal;
mod known;
mod lock;
mod place;
mod reader;
mod schema;

use std::{
    path::{Path, PathBuf},
    thread,
};

use rusqlite::Connection;
use tokio::{sync::watch, task::spawn_blocking};

use self::{
    committer::{CommitQueue, Committer},
    lock::Lock,
    place::Place,
    reader::ReadQueue,
};
use super::{
    Append, BoxFuture, Counters, EntityKey, OpenError, Store, StoreError, StoredEvent, StoredSnapshot,
    error::Refusal,
};

const READERS: usize = 2;

pub(super) struct SqliteStore {
    commits: CommitQueue,
    reads: ReadQueue,
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

        let (reads, reader_threads) = reader::start(readers).map_err(no_thread)?;
        let (commits, committer) = Committer::new(writer, Place::of(&path)?);
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
        Ok(Self { commits, reads, ended })
    }
}

impl Store for SqliteStore {
    fn append(&self, append: Append) -> BoxFuture<Result<u64, StoreError>> {
        let commits = self.commits.clone();
        Box::pin(async move {
            append.check_limits()?;
            commits.append(append).await
        })
    }

    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredSnapshot>, StoreError>> {
        self.read(entity, |connection, entity| reader::snapshot(connection, &entity))
    }

    fn events(&self, entity: &EntityKey, after: u64) -> BoxFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.read(entity, move |connection, entity| reader::events(connection, &entity, after))
    }

    fn check(&self) -> BoxFuture<Result<(), StoreError>> {
        let commits = self.commits.clone();
        Box::pin(async move { commits.check().await })
    }

    fn close(&self) -> BoxFuture<()> {
        let commits = self.commits.clone();
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
    fn read<T: Send + 'static>(
        &self,
        entity: &EntityKey,
        read: impl FnOnce(&Connection, EntityKey) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<Result<T, StoreError>> {
        let reads = self.reads.clone();
        let entity = entity.clone();
        Box::pin(async move {
            entity.check_limits()?;
            reads.read(move |connection| read(connection, entity)).await
        })
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

/// SQLite's integers are signed; a sequence is not.
fn to_column(sequence: u64) -> rusqlite::Result<i64> {
    i64::try_from(sequence).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn from_column(sequence: i64) -> rusqlite::Result<u64> {
    u64::try_from(sequence).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, sequence))
}
