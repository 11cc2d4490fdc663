//! What waits to be committed, and whoever waits for that.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::counts::Counts;
use crate::storage::{Append, Change, Counters, MAX_APPEND_BYTES, StoreError};

/// Whoever stores beyond these waits.
pub(super) const QUEUED_WORK: usize = 1_024;
/// The same in bytes; the largest append or write still fits.
pub(super) const QUEUED_BYTES: usize = MAX_APPEND_BYTES;

/// The committer's door.
pub(crate) struct CommitQueue {
    sender: mpsc::Sender<Request>,
    /// In bytes.
    room: Arc<Semaphore>,
    counts: Arc<Counts>,
}

/// What the committer is asked for.
pub(super) enum Request {
    Store(Pending),
    Check(Answer<()>),
    /// Finish what came before this, refuse what comes after.
    Close,
}

pub(super) struct Pending {
    pub(super) work: Work,
    pub(super) answer: Answer<Stored>,
    _room: OwnedSemaphorePermit,
}

pub(super) enum Work {
    Append(Append),
    Write(Vec<Change>),
}

/// Of an append the sequence of the entity's last event, of a write 0.
pub(super) type Stored = u64;

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

impl CommitQueue {
    /// The door, and what comes in through it.
    pub(super) fn new(counts: Arc<Counts>) -> (Arc<Self>, mpsc::Receiver<Request>) {
        let (sender, requests) = mpsc::channel(QUEUED_WORK);
        let room = Arc::new(Semaphore::new(QUEUED_BYTES));
        (Arc::new(Self { sender, room, counts }), requests)
    }

    pub(crate) async fn append(self: Arc<Self>, append: Append) -> Result<u64, StoreError> {
        self.store(Work::Append(append)).await
    }

    pub(crate) async fn write(self: Arc<Self>, changes: Vec<Change>) -> Result<(), StoreError> {
        self.store(Work::Write(changes)).await.map(|_| ())
    }

    /// Waits for room in the queue, then for the commit.
    async fn store(self: Arc<Self>, work: Work) -> Result<Stored, StoreError> {
        let bytes = u32::try_from(work.bytes().min(QUEUED_BYTES)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        let _room = room.map_err(|_| StoreError::closed())?;
        self.ask(|answer| Request::Store(Pending { work, answer, _room })).await
    }

    pub(crate) async fn check(self: Arc<Self>) -> Result<(), StoreError> {
        self.ask(Request::Check).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.sender.send(request(answer)).await.map_err(|_| StoreError::closed())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }

    pub(crate) async fn close(self: Arc<Self>) {
        // An error means that it is closed already.
        let _ = self.sender.send(Request::Close).await;
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counts.read(self.sender.max_capacity() - self.sender.capacity())
    }
}

impl Work {
    fn bytes(&self) -> usize {
        match self {
            Work::Append(append) => append.bytes(),
            Work::Write(changes) => Change::bytes_of(changes),
        }
    }
}
