//! The store that forgets: for tests and for trying things out. It grows with what is appended.

use std::{
    collections::HashMap,
    future::ready,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cloudstate_proto::Any;

use super::{
    Append, BoxFuture, Counters, EntityKey, Store, StoreError, StoredEvent, StoredSnapshot, limits::Page,
};

#[derive(Default)]
pub(super) struct MemoryStore(Mutex<State>);

impl Store for MemoryStore {
    fn append(&self, append: Append) -> BoxFuture<Result<u64, StoreError>> {
        let appended = append.check_limits().and_then(|()| self.open()?.append(append));
        Box::pin(ready(appended))
    }

    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredSnapshot>, StoreError>> {
        Box::pin(ready(self.read(entity, |history| history.snapshot.clone())))
    }

    fn events(&self, entity: &EntityKey, after: u64) -> BoxFuture<Result<Vec<StoredEvent>, StoreError>> {
        Box::pin(ready(self.read(entity, |history| history.page(after))))
    }

    fn check(&self) -> BoxFuture<Result<(), StoreError>> {
        let open = self.open().map(|_| ());
        Box::pin(ready(open))
    }

    fn close(&self) -> BoxFuture<()> {
        self.state().closed = true;
        Box::pin(ready(()))
    }

    fn counters(&self) -> Counters {
        self.state().counters
    }
}

impl MemoryStore {
    fn read<T: Default>(
        &self,
        entity: &EntityKey,
        read: impl FnOnce(&History) -> T,
    ) -> Result<T, StoreError> {
        entity.check_limits()?;
        Ok(self.open()?.histories.get(entity).map(read).unwrap_or_default())
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        if state.closed { Err(StoreError::closed()) } else { Ok(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    histories: HashMap<EntityKey, History>,
    counters: Counters,
    closed: bool,
}

impl State {
    fn append(&mut self, append: Append) -> Result<u64, StoreError> {
        let stored = self.histories.get(&append.entity).map_or(0, History::last_sequence);
        if append.expected != stored {
            self.counters.conflicts += 1;
            return Err(StoreError::conflict(&append.entity, append.expected, stored));
        }
        self.counters.commits += 1;
        self.counters.appends += 1;
        self.counters.events += append.events.len() as u64;
        Ok(self.histories.entry(append.entity).or_default().append(append.events, append.snapshot))
    }
}

#[derive(Default)]
struct History {
    /// The event of sequence `n` is at `n - 1`.
    events: Vec<Any>,
    snapshot: Option<StoredSnapshot>,
}

impl History {
    fn append(&mut self, events: Vec<Any>, snapshot: Option<Any>) -> u64 {
        self.events.extend(events);
        let sequence = self.last_sequence();
        if let Some(payload) = snapshot {
            self.snapshot = Some(StoredSnapshot { sequence, payload });
        }
        sequence
    }

    fn page(&self, after: u64) -> Vec<StoredEvent> {
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        let mut page = Page::default();
        for (sequence, payload) in (1..).zip(&self.events).skip(skipped) {
            if page.is_full() {
                break;
            }
            page.push(StoredEvent { sequence, payload: payload.clone() });
        }
        page.into_events()
    }

    fn last_sequence(&self) -> u64 {
        self.events.len() as u64
    }
}
