//! Writing: one thread, one connection. It takes everything that waits and makes it durable with one commit, so the
//! price of a disk flush is shared by all who wait for it.

use std::{
    error::Error,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tracing::{error, info};

use super::{column::to_time_column, damage::Damage, known::Known, place::Place, writing::Writing};
use crate::storage::{Append, Change, Counters, MAX_APPEND_BYTES, StoreError};

/// Whoever stores beyond these waits.
const QUEUED_WORK: usize = 1_024;
/// The same in bytes; the largest append or write still fits.
const QUEUED_BYTES: usize = MAX_APPEND_BYTES;

pub(super) struct Committer {
    connection: Connection,
    place: Place,
    requests: mpsc::Receiver<Request>,
    known: Known,
    /// The last attempt to store something failed.
    failing: bool,
    damage: Arc<Damage>,
    growth: watch::Sender<u64>,
    counts: Arc<Counts>,
}

enum Request {
    Store(Pending),
    Check(Answer<()>),
    /// Finish what came before this, refuse what comes after.
    Close,
}

struct Pending {
    work: Work,
    answer: Answer<Stored>,
    _room: OwnedSemaphorePermit,
}

enum Work {
    Append(Append),
    Write(Vec<Change>),
}

/// Of an append the sequence of the entity's last event, of a write 0.
type Stored = u64;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

impl Committer {
    /// Tells `growth` after each commit that added events or messages.
    pub(super) fn new(
        connection: Connection,
        place: Place,
        growth: watch::Sender<u64>,
        damage: Arc<Damage>,
    ) -> (Arc<CommitQueue>, Self) {
        let (sender, requests) = mpsc::channel(QUEUED_WORK);
        let counts = Arc::new(Counts::default());
        let room = Arc::new(Semaphore::new(QUEUED_BYTES));
        let queue = Arc::new(CommitQueue { sender, room, counts: Arc::clone(&counts) });
        let known = Known::nothing();
        (queue, Self { connection, place, requests, known, failing: false, damage, growth, counts })
    }

    /// Works until the store is closed or dropped.
    pub(super) fn run(mut self) -> Connection {
        let mut taken = Vec::new();
        while self.requests.blocking_recv_many(&mut taken, QUEUED_WORK) > 0 {
            let mut batch = Vec::with_capacity(taken.len());
            let mut checks = Vec::new();
            for request in taken.drain(..) {
                match request {
                    Request::Store(pending) => batch.push(pending),
                    Request::Check(answer) => checks.push(answer),
                    Request::Close => self.requests.close(),
                }
            }
            self.commit(batch);
            self.check(checks);
        }
        self.connection
    }

    fn commit(&mut self, batch: Vec<Pending>) {
        if batch.is_empty() {
            return;
        }
        match self.store(&batch) {
            Ok((stored, grew)) => {
                self.note_success(&batch, &stored);
                if grew {
                    self.growth.send_modify(|number| *number += 1);
                }
                for (pending, stored) in batch.into_iter().zip(stored) {
                    let _ = pending.answer.send(stored);
                }
            }
            Err(error) => {
                self.note_failure(&error);
                for pending in batch {
                    let _ = pending.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction. The outer error fails the batch, an inner one its append. With them, whether events or messages
    /// were added.
    fn store(&mut self, batch: &[Pending]) -> Result<(Vec<Result<Stored, StoreError>>, bool), StoreError> {
        self.place.check()?;
        // Dropped without a commit it rolls back.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.known.forget_if_outdated(&transaction)?;
        let now = to_time_column(SystemTime::now());
        let mut writing = Writing { transaction: &transaction, known: &mut self.known, now, grew: false };
        let stored = batch
            .iter()
            .map(|pending| match &pending.work {
                Work::Append(append) => writing.append(append),
                Work::Write(changes) => writing.write(changes).map(|()| Ok(0)),
            })
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let grew = writing.grew;
        transaction.commit()?;
        Ok((stored, grew))
    }

    fn note_success(&mut self, batch: &[Pending], stored: &[Result<Stored, StoreError>]) {
        self.counts.committed(batch, stored);
        // Refusing an append needs no disk, so it proves nothing.
        if self.failing && stored.iter().any(Result::is_ok) {
            self.failing = false;
            info!("the store can be written again");
        }
    }

    fn note_failure(&mut self, error: &StoreError) {
        // It may hold what was not committed.
        self.known = Known::nothing();
        self.damage.note(error);
        self.counts.failed_commits.fetch_add(1, Relaxed);
        if !mem::replace(&mut self.failing, true) {
            error!(error = error as &dyn Error, "the store cannot be written");
        }
    }

    fn check(&mut self, checks: Vec<Answer<()>>) {
        if checks.is_empty() {
            return;
        }
        let checked = self.try_to_write();
        for answer in checks {
            let _ = answer.send(checked.clone());
        }
    }

    /// Takes the write lock; after a failure also writes a page and flushes it, for only that shows whether the disk
    /// works again.
    fn try_to_write(&mut self) -> Result<(), StoreError> {
        self.damage.check()?;
        self.place.check()?;
        self.place.check_room()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if self.failing {
            let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            transaction.pragma_update(None, "user_version", version)?;
        }
        Ok(transaction.commit()?)
    }
}

/// The committer's door.
pub(super) struct CommitQueue {
    sender: mpsc::Sender<Request>,
    /// In bytes.
    room: Arc<Semaphore>,
    counts: Arc<Counts>,
}

impl CommitQueue {
    pub(super) async fn append(self: Arc<Self>, append: Append) -> Result<u64, StoreError> {
        let bytes = append.bytes();
        self.store(Work::Append(append), bytes).await
    }

    pub(super) async fn write(self: Arc<Self>, changes: Vec<Change>) -> Result<(), StoreError> {
        let bytes = Change::bytes_of(&changes);
        self.store(Work::Write(changes), bytes).await.map(|_| ())
    }

    /// Waits for room in the queue, then for the commit.
    async fn store(self: Arc<Self>, work: Work, bytes: usize) -> Result<Stored, StoreError> {
        let bytes = u32::try_from(bytes.min(QUEUED_BYTES)).unwrap_or(u32::MAX);
        let _room =
            Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| StoreError::closed())?;
        let (answer, answered) = oneshot::channel();
        let request = Request::Store(Pending { work, answer, _room });
        self.sender.send(request).await.map_err(|_| StoreError::closed())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }

    pub(super) async fn check(self: Arc<Self>) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.sender.send(Request::Check(answer)).await.map_err(|_| StoreError::closed())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }

    pub(super) async fn close(self: Arc<Self>) {
        // An error means that it is closed already.
        let _ = self.sender.send(Request::Close).await;
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            commits: self.counts.commits.load(Relaxed),
            failed_commits: self.counts.failed_commits.load(Relaxed),
            appends: self.counts.appends.load(Relaxed),
            events: self.counts.events.load(Relaxed),
            conflicts: self.counts.conflicts.load(Relaxed),
            writes: self.counts.writes.load(Relaxed),
            queued: self.sender.max_capacity() - self.sender.capacity(),
        }
    }
}

#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    failed_commits: AtomicU64,
    appends: AtomicU64,
    events: AtomicU64,
    conflicts: AtomicU64,
    writes: AtomicU64,
}

impl Counts {
    fn committed(&self, batch: &[Pending], stored: &[Result<Stored, StoreError>]) {
        let (mut appends, mut events, mut conflicts, mut writes) = (0, 0, 0, 0);
        for (pending, stored) in batch.iter().zip(stored) {
            match &pending.work {
                Work::Append(_) if stored.is_err() => conflicts += 1,
                Work::Append(append) => {
                    appends += 1;
                    events += append.events.len() as u64;
                }
                Work::Write(_) => writes += 1,
            }
        }
        self.commits.fetch_add(u64::from(appends + writes > 0), Relaxed);
        self.appends.fetch_add(appends, Relaxed);
        self.events.fetch_add(events, Relaxed);
        self.conflicts.fetch_add(conflicts, Relaxed);
        self.writes.fetch_add(writes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{task, thread};

    use cloudstate_proto::{Any, Metadata};
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::{
        super::{log, schema},
        *,
    };
    use crate::storage::{BoxFuture, EntityKey, Source};

    /// Appends are queued before the committer runs, so what shares a commit is known.
    struct Scene {
        folder: TempDir,
        queue: Arc<CommitQueue>,
        committer: Committer,
        appends: Vec<BoxFuture<Result<u64, StoreError>>>,
        grown: watch::Receiver<u64>,
    }

    impl Scene {
        fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("store.db");
            schema::create_if_missing(&path).unwrap();
            let place = Place::of(&path).unwrap();
            let (growth, grown) = watch::channel(0);
            let writer = schema::open_writer(&path).unwrap();
            let (queue, committer) = Committer::new(writer, place, growth, Arc::default());
            Self { folder, queue, committer, appends: Vec::new(), grown }
        }

        fn queue(&mut self, append: Append) {
            self.wait_for(self.queue.clone().append(append));
        }

        fn queue_write(&mut self, changes: Vec<Change>) {
            let write = self.queue.clone().write(changes);
            self.wait_for(async { write.await.map(|()| 0) });
        }

        fn wait_for(&mut self, stored: impl Future<Output = Result<u64, StoreError>> + Send + 'static) {
            // Without tokio's budget, which would make one task that polls this much wait.
            let mut append: BoxFuture<_> = Box::pin(tokio::task::unconstrained(stored));
            let polled = append.as_mut().poll(&mut task::Context::from_waker(task::Waker::noop()));
            assert!(polled.is_pending(), "nobody commits yet");
            self.appends.push(append);
        }

        /// Lets the committer work until all is done.
        async fn run(self) -> (Vec<Result<u64, StoreError>>, Counters) {
            let Self { folder: _folder, queue, committer, appends, .. } = self;
            let thread = thread::spawn(move || committer.run());
            let mut results = Vec::new();
            for append in appends {
                results.push(append.await);
            }
            let counters = queue.counters();
            queue.close().await;
            thread.join().unwrap();
            (results, counters)
        }
    }

    fn append(entity: &str, expected: u64, bytes: usize) -> Append {
        Append {
            entity: EntityKey { persistence_id: "cart".into(), entity_id: entity.into() },
            expected,
            events: vec![Any { type_url: "t".to_owned(), value: vec![7; bytes].into() }],
            snapshot: None,
        }
    }

    #[tokio::test]
    async fn all_that_waits_shares_one_commit_and_a_conflict_fails_alone() {
        let mut scene = Scene::new();
        for n in 0..100 {
            scene.queue(append(&format!("c{n}"), if n == 50 { 1 } else { 0 }, 10));
        }
        // The second of one entity finds what the first wrote.
        scene.queue(append("c7", 1, 10));
        assert_eq!(scene.queue.counters().queued, 101);

        let (results, counters) = scene.run().await;
        for (n, result) in results.into_iter().enumerate() {
            match n {
                50 => assert!(result.unwrap_err().is_conflict()),
                100 => assert_eq!(result.unwrap(), 2),
                _ => assert_eq!(result.unwrap(), 1),
            }
        }
        let expected =
            Counters { commits: 1, appends: 100, events: 100, conflicts: 1, ..Counters::default() };
        assert_eq!(counters, expected);
    }

    #[tokio::test]
    async fn writes_take_their_place_among_appends() {
        let mut scene = Scene::new();
        let grown = scene.grown.clone();
        let message = |text: &'static str| Change::Message {
            topic: "t".into(),
            subject: "".into(),
            payload: Any { type_url: "t".to_owned(), value: text.into() },
            metadata: Metadata::default(),
        };
        scene.queue_write(vec![message("1"), message("2")]);
        scene.queue(append("c1", 1, 10));
        scene.queue(append("c1", 0, 10));
        scene.queue_write(vec![message("3"), Change::TrimTopic { topic: "t".into(), through: 1 }]);
        scene.queue(append("c1", 1, 10));
        let path = scene.folder.path().join("store.db");
        let reader = schema::open_reader(&path).unwrap();

        let Scene { folder: _folder, queue, committer, appends, .. } = scene;
        let thread = thread::spawn(move || committer.run());
        let mut results = Vec::new();
        for append in appends {
            results.push(append.await);
        }
        assert!(results.remove(1).unwrap_err().is_conflict());
        assert_eq!(results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 0, 2]);
        let expected =
            Counters { commits: 1, appends: 2, events: 2, conflicts: 1, writes: 2, ..Counters::default() };
        assert_eq!(queue.counters(), expected);
        assert_eq!(*grown.borrow(), 1, "once for all");
        let left = log::log(&reader, &Source::Topic("t".into()), 0).unwrap();
        assert_eq!(left.iter().map(|entry| &*entry.payload.value).collect::<Vec<_>>(), [b"2", b"3"]);
        queue.close().await;
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn whoever_appends_to_a_full_queue_waits() {
        let mut scene = Scene::new();
        for n in 0..QUEUED_WORK + 200 {
            scene.queue(append(&format!("c{n}"), 0, 1));
        }
        assert_eq!(scene.queue.counters().queued, QUEUED_WORK);
        let (results, counters) = scene.run().await;
        assert!(results.iter().all(Result::is_ok));
        assert!(counters.commits >= 2 && counters.appends as usize == QUEUED_WORK + 200, "{counters:?}");
    }

    #[tokio::test]
    async fn the_queue_is_bounded_in_bytes_too() {
        let mut scene = Scene::new();
        for n in 0..5 {
            scene.queue(append(&format!("c{n}"), 0, QUEUED_BYTES / 3));
        }
        assert_eq!(scene.queue.counters().queued, 2);
        let (results, _) = scene.run().await;
        assert!(results.iter().all(Result::is_ok));
    }

    /// A file that may not grow stands for a full disk. A table of ballast makes room when it is dropped.
    #[tokio::test]
    async fn a_full_disk_fails_what_does_not_fit_until_there_is_room() {
        let scene = Scene::new();
        let Scene { folder, queue, committer, .. } = scene;
        let writer = &committer.connection;
        writer.execute_batch("CREATE TABLE ballast AS SELECT zeroblob(1000000) AS weight").unwrap();
        let pages: i64 = writer.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        writer
            .pragma_update_and_check(None, "max_page_count", pages + 4, |row| row.get::<_, i64>(0))
            .unwrap();
        let thread = thread::spawn(move || committer.run());
        let store = |entity: &str, expected, bytes| queue.clone().append(append(entity, expected, bytes));

        assert_eq!(store("c1", 0, 100).await.unwrap(), 1);
        let error = store("c2", 0, 100_000).await.unwrap_err();
        assert!(error.is_full() && error.is_unavailable(), "{error}");
        assert!(error.to_string().contains("no room left"), "{error}");
        assert_eq!(store("c1", 1, 100).await.unwrap(), 2, "what fits still goes in");
        assert!(store("c2", 0, 100_000).await.unwrap_err().is_full());
        queue.clone().check().await.unwrap();
        let value = |id: &str, bytes| Change::Value {
            entity: EntityKey { persistence_id: "value".into(), entity_id: id.into() },
            state: Some(Any { type_url: "v".to_owned(), value: vec![7; bytes].into() }),
        };
        let write = queue.clone().write(vec![value("small", 10), value("large", 100_000)]);
        assert!(write.await.unwrap_err().is_full());
        queue.clone().write(vec![value("other", 10), value("small", 10)]).await.unwrap();

        let shell = Connection::open(folder.path().join("store.db")).unwrap();
        let values: String = shell
            .query_row("SELECT group_concat(entity_id || type_url) FROM value_entities", [], |row| row.get(0))
            .unwrap();
        assert_eq!(
            values, "otherv,smallv",
            "by their own names: what the failed write numbered is forgotten"
        );
        shell.execute_batch("DROP TABLE ballast").unwrap();
        assert_eq!(store("c2", 0, 100_000).await.unwrap(), 1);
        let stored: String = shell
            .query_row("SELECT group_concat(entity_id || sequence) FROM journal", [], |row| row.get(0))
            .unwrap();
        assert_eq!(stored, "c11,c12,c21", "what failed left nothing behind");
        let counters = queue.counters();
        assert_eq!((counters.failed_commits, counters.appends, counters.writes), (3, 3, 1));
        queue.close().await;
        thread.join().unwrap();
    }
}
