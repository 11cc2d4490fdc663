//! Where a consumer's entries come from.

use std::{collections::VecDeque, future::Future, pin::Pin, sync::Arc};

use tokio::sync::watch;

use crate::storage::{Change, Consumer, DeadLetter, LogEntry, Store, StoreError};

/// Entries that a consumer takes at once, at most. It stores its offset after each batch, so as many are delivered
/// again after a crash. It begins with one and doubles that, so that it gets on even where crashes follow each other.
pub(crate) const BATCH: usize = 32;

/// What a feed answers with.
pub type FeedFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The entries of one consumer, in order. Whatever is not [`done`](Feed::done) comes again when the feed is made anew.
pub trait Feed: Send {
    /// Waits for entries after those that are done; some, at most 32. Cancel safe.
    fn next(&mut self) -> FeedFuture<'_, Vec<LogEntry>>;

    /// All entries through `position` are done; `given_up` are those of them that were not processed.
    fn done(&mut self, position: u64, given_up: Vec<DeadLetter>) -> FeedFuture<'_, ()>;
}

/// Entries of the store: events of entities, messages of the built-in topics.
pub(super) struct StoreFeed {
    store: Arc<dyn Store>,
    consumer: Consumer,
    grown: watch::Receiver<u64>,
    /// The last entry that was taken; none: not asked yet.
    taken: Option<u64>,
    page: VecDeque<LogEntry>,
    /// How many entries the next batch has, at most.
    batch: usize,
}

impl StoreFeed {
    pub(super) fn new(store: &Arc<dyn Store>, consumer: Consumer) -> Self {
        let grown = store.grown();
        Self { store: Arc::clone(store), consumer, grown, taken: None, page: VecDeque::new(), batch: 1 }
    }

    async fn next_batch(&mut self) -> Result<Vec<LogEntry>, StoreError> {
        loop {
            let taken = match self.taken {
                Some(taken) => taken,
                // A consumer that never was reads from the beginning.
                None => self.store.offset(&self.consumer).await?.unwrap_or(0),
            };
            self.taken = Some(taken);
            if self.page.is_empty() {
                // Before the look, so that what comes after it is seen.
                self.grown.mark_unchanged();
                self.page = self.store.log(&self.consumer.source, taken).await?.into();
            }
            let batch: Vec<_> = self.page.drain(..self.page.len().min(self.batch)).collect();
            if let Some(last) = batch.last() {
                self.taken = Some(last.position);
                self.batch = BATCH.min(2 * self.batch);
                return Ok(batch);
            }
            if self.grown.changed().await.is_err() {
                return Err(StoreError::closed());
            }
        }
    }
}

impl Feed for StoreFeed {
    fn next(&mut self) -> FeedFuture<'_, Vec<LogEntry>> {
        Box::pin(self.next_batch())
    }

    fn done(&mut self, position: u64, given_up: Vec<DeadLetter>) -> FeedFuture<'_, ()> {
        let letters = given_up.into_iter().map(Change::DeadLetter);
        let offset = Change::Offset { consumer: self.consumer.clone(), position };
        let written = self.store.write(letters.chain([offset]).collect());
        Box::pin(written)
    }
}
