//! A store that has what it is asked for, and holds answers of one sort back until the test lets them go.

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
    held: Held,
    asked: mpsc::UnboundedSender<HeldAnswer>,
}

/// What is held back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Pages of events that are read.
    Pages,
    /// Word that events are stored.
    Appends,
}

/// An answer that somebody waits for.
pub(crate) struct HeldAnswer(oneshot::Sender<()>);

/// All answers that are held, in the order in which they were asked for.
pub(crate) struct HeldAnswers(mpsc::UnboundedReceiver<HeldAnswer>);

impl HeldStore {
    pub(crate) async fn new(held: Held) -> (Self, HeldAnswers) {
        let (asked, answers) = mpsc::unbounded_channel();
        let inner = storage::open(&StoreUrl::Memory).await.unwrap();
        (Self { inner, held, asked }, HeldAnswers(answers))
    }

    /// `answer`, held back if it is of the sort that is.
    fn hold<T: 'static>(&self, sort: Held, answer: BoxFuture<T>) -> BoxFuture<T> {
        if sort != self.held {
            return answer;
        }
        let (let_go, held) = oneshot::channel();
        let _ = self.asked.send(HeldAnswer(let_go));
        Box::pin(async {
            let _ = held.await;
            answer.await
        })
    }
}

impl HeldAnswer {
    pub(crate) fn let_go(self) {
        // Whoever asked may not wait any longer.
        let _ = self.0.send(());
    }
}

impl HeldAnswers {
    pub(crate) async fn next(&mut self) -> HeldAnswer {
        soon("an answer to be asked for", self.0.recv()).await.unwrap()
    }
}

impl Store for HeldStore {
    fn events(&self, entity: &EntityKey, after: u64) -> BoxFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.hold(Held::Pages, self.inner.events(entity, after))
    }

    fn append(&self, append: Append) -> BoxFuture<Result<u64, StoreError>> {
        self.hold(Held::Appends, self.inner.append(append))
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
