//! A store that has what it is asked for, and holds pages of events back until the test lets them go.

use std::sync::Arc;

use cloudstate_proto::Any;
use cloudstate_proxy::storage::{
    self, Append, BoxFuture, Change, Consumer, Counters, EntityKey, LogEntry, Source, Store, StoreError,
    StoreUrl, StoredCrdt, StoredDeadLetter, StoredEvent, StoredSnapshot,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::user_function::soon;

pub(crate) struct HeldStore {
    inner: Arc<dyn Store>,
    asked: mpsc::UnboundedSender<HeldPage>,
}

/// A page that somebody asked for.
pub(crate) struct HeldPage(oneshot::Sender<()>);

/// All pages that are asked for, in that order.
pub(crate) struct Pages(mpsc::UnboundedReceiver<HeldPage>);

impl HeldStore {
    pub(crate) async fn new() -> (Self, Pages) {
        let (asked, pages) = mpsc::unbounded_channel();
        let inner = storage::open(&StoreUrl::Memory).await.unwrap();
        (Self { inner, asked }, Pages(pages))
    }
}

impl HeldPage {
    pub(crate) fn let_go(self) {
        // Whoever asked may not wait any longer.
        let _ = self.0.send(());
    }
}

impl Pages {
    pub(crate) async fn next(&mut self) -> HeldPage {
        soon("a page to be asked for", self.0.recv()).await.unwrap()
    }
}

impl Store for HeldStore {
    fn events(&self, entity: &EntityKey, after: u64) -> BoxFuture<Result<Vec<StoredEvent>, StoreError>> {
        let page = self.inner.events(entity, after);
        let (let_go, held) = oneshot::channel();
        let _ = self.asked.send(HeldPage(let_go));
        Box::pin(async {
            let _ = held.await;
            page.await
        })
    }

    fn append(&self, append: Append) -> BoxFuture<Result<u64, StoreError>> {
        self.inner.append(append)
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<Result<(), StoreError>> {
        self.inner.write(changes)
    }

    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredSnapshot>, StoreError>> {
        self.inner.snapshot(entity)
    }

    fn value(&self, entity: &EntityKey) -> BoxFuture<Result<Option<Any>, StoreError>> {
        self.inner.value(entity)
    }

    fn crdt(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredCrdt>, StoreError>> {
        self.inner.crdt(entity)
    }

    fn log(&self, source: &Source, after: u64) -> BoxFuture<Result<Vec<LogEntry>, StoreError>> {
        self.inner.log(source, after)
    }

    fn grown(&self) -> watch::Receiver<u64> {
        self.inner.grown()
    }

    fn offset(&self, consumer: &Consumer) -> BoxFuture<Result<Option<u64>, StoreError>> {
        self.inner.offset(consumer)
    }

    fn dead_letters(&self, after: u64) -> BoxFuture<Result<Vec<StoredDeadLetter>, StoreError>> {
        self.inner.dead_letters(after)
    }

    fn dead_letter_count(&self) -> BoxFuture<Result<u64, StoreError>> {
        self.inner.dead_letter_count()
    }

    fn check(&self) -> BoxFuture<Result<(), StoreError>> {
        self.inner.check()
    }

    fn close(&self) -> BoxFuture<()> {
        self.inner.close()
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }
}
