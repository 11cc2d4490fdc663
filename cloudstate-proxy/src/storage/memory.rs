//! The store that forgets: for tests and for trying things out. It grows with what is stored.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    future::ready,
    ops::{Bound, RangeBounds},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use cloudstate_proto::{Any, Metadata};
use tokio::sync::watch;

use super::{
    Append, BoxFuture, Change, Consumer, Counters, EntityKey, LogEntry, MAX_TRIMMED_MESSAGES, Source, Store,
    StoreError, StoredCrdt, StoredDeadLetter, StoredEvent, StoredSnapshot,
    limits::{self, weight},
};

pub(super) struct MemoryStore {
    state: Mutex<State>,
    grown: watch::Receiver<u64>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        let (sender, grown) = watch::channel(0);
        Self { state: Mutex::new(State { growth: Some(sender), ..State::default() }), grown }
    }
}

impl Store for MemoryStore {
    fn append(&self, append: Append) -> BoxFuture<Result<u64, StoreError>> {
        let appended = append.check_limits().and_then(|()| self.open()?.append(append));
        Box::pin(ready(appended))
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<Result<(), StoreError>> {
        let written = Change::check_limits_of(&changes)
            .and_then(|()| self.open().map(|mut state| state.write(changes)));
        Box::pin(ready(written))
    }

    fn snapshot(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredSnapshot>, StoreError>> {
        self.read(entity.check_limits(), |state| state.histories.get(entity)?.snapshot.clone())
    }

    fn events(&self, entity: &EntityKey, after: u64) -> BoxFuture<Result<Vec<StoredEvent>, StoreError>> {
        self.read(entity.check_limits(), |state| {
            state.histories.get(entity).map(|history| history.page(after)).unwrap_or_default()
        })
    }

    fn value(&self, entity: &EntityKey) -> BoxFuture<Result<Option<Any>, StoreError>> {
        self.read(entity.check_limits(), |state| state.values.get(entity).cloned())
    }

    fn crdt(&self, entity: &EntityKey) -> BoxFuture<Result<Option<StoredCrdt>, StoreError>> {
        self.read(entity.check_limits(), |state| state.crdts.get(entity).cloned())
    }

    fn log(&self, source: &Source, after: u64) -> BoxFuture<Result<Vec<LogEntry>, StoreError>> {
        self.read(source.check_limits(), |state| state.log(source, after))
    }

    fn grown(&self) -> watch::Receiver<u64> {
        self.grown.clone()
    }

    fn offset(&self, consumer: &Consumer) -> BoxFuture<Result<Option<u64>, StoreError>> {
        self.read(consumer.check_limits(), |state| state.offsets.get(consumer).copied())
    }

    fn dead_letters(&self, after: u64) -> BoxFuture<Result<Vec<StoredDeadLetter>, StoreError>> {
        self.read(Ok(()), |state| state.dead_letters(after))
    }

    fn dead_letter_count(&self) -> BoxFuture<Result<u64, StoreError>> {
        self.read(Ok(()), |state| state.dead_letters.len() as u64)
    }

    fn check(&self) -> BoxFuture<Result<(), StoreError>> {
        self.read(Ok(()), |_| ())
    }

    fn close(&self) -> BoxFuture<()> {
        self.state().growth = None;
        Box::pin(ready(()))
    }

    fn counters(&self) -> Counters {
        self.state().counters
    }
}

impl MemoryStore {
    fn read<T: Send + 'static>(
        &self,
        limits: Result<(), StoreError>,
        read: impl FnOnce(&State) -> T,
    ) -> BoxFuture<Result<T, StoreError>> {
        let found = limits.and_then(|()| Ok(read(&*self.open()?)));
        Box::pin(ready(found))
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        if state.growth.is_none() { Err(StoreError::closed()) } else { Ok(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    histories: HashMap<EntityKey, History>,
    /// By persistence id, ascending by position.
    event_logs: HashMap<Arc<str>, Vec<LoggedEvent>>,
    last_event: u64,
    values: HashMap<EntityKey, Any>,
    crdts: HashMap<EntityKey, StoredCrdt>,
    /// By topic and position.
    topics: HashMap<Arc<str>, BTreeMap<u64, LogEntry>>,
    last_message: u64,
    offsets: HashMap<Consumer, u64>,
    dead_letters: BTreeMap<u64, StoredDeadLetter>,
    last_dead_letter: u64,
    counters: Counters,
    /// `None` when the store is closed.
    growth: Option<watch::Sender<u64>>,
}

/// Where to find an event of a log; its payload is in the history of its entity.
struct LoggedEvent {
    position: u64,
    entity_id: Arc<str>,
    sequence: u64,
    stored_at: SystemTime,
}

impl State {
    fn append(&mut self, append: Append) -> Result<u64, StoreError> {
        let Append { entity, expected, events, snapshot } = append;
        let stored = self.histories.get(&entity).map_or(0, History::last_sequence);
        if expected != stored {
            self.counters.conflicts += 1;
            return Err(StoreError::conflict(&entity, expected, stored));
        }
        let count = events.len() as u64;
        self.counters.commits += 1;
        self.counters.appends += 1;
        self.counters.events += count;
        self.log_events(&entity, stored + 1..=stored + count);
        let sequence = self.histories.entry(entity).or_default().append(events, snapshot);
        if count > 0 {
            self.grow();
        }
        Ok(sequence)
    }

    fn log_events(&mut self, entity: &EntityKey, sequences: impl Iterator<Item = u64>) {
        let log = self.event_logs.entry(Arc::clone(&entity.persistence_id)).or_default();
        let stored_at = SystemTime::now();
        for sequence in sequences {
            self.last_event += 1;
            let entity_id = Arc::clone(&entity.entity_id);
            log.push(LoggedEvent { position: self.last_event, entity_id, sequence, stored_at });
        }
    }

    fn write(&mut self, changes: Vec<Change>) {
        let messages = self.last_message;
        self.counters.commits += 1;
        self.counters.writes += 1;
        changes.into_iter().for_each(|change| self.make(change));
        if self.last_message > messages {
            self.grow();
        }
    }

    fn make(&mut self, change: Change) {
        match change {
            Change::Value { entity, state: Some(state) } => {
                self.values.insert(entity, state);
            }
            Change::Value { entity, state: None } => {
                self.values.remove(&entity);
            }
            Change::Crdt { entity, state } => {
                self.crdts.insert(entity, state.map_or(StoredCrdt::Deleted, StoredCrdt::State));
            }
            Change::Message { topic, subject, payload, metadata } => {
                self.last_message += 1;
                let position = self.last_message;
                let stored_at = SystemTime::now();
                let entry = LogEntry { position, subject, sequence: 0, stored_at, payload, metadata };
                self.topics.entry(topic).or_default().insert(position, entry);
            }
            Change::TrimTopic { topic, through } => {
                if let Some(messages) = self.topics.get_mut(&topic) {
                    for _ in 0..MAX_TRIMMED_MESSAGES {
                        let Some(oldest) = messages.first_entry().filter(|it| *it.key() <= through) else {
                            break;
                        };
                        oldest.remove();
                    }
                }
            }
            Change::Offset { consumer, position } => {
                self.offsets.insert(consumer, position);
            }
            Change::DeadLetter(mut letter) => {
                letter.error.truncate(letter.kept_error().len());
                self.last_dead_letter += 1;
                let id = self.last_dead_letter;
                self.dead_letters.insert(id, StoredDeadLetter { id, stored_at: SystemTime::now(), letter });
            }
            Change::ForgetDeadLetter { id } => {
                self.dead_letters.remove(&id);
            }
        }
    }

    fn grow(&self) {
        if let Some(growth) = &self.growth {
            growth.send_modify(|number| *number += 1);
        }
    }

    fn log(&self, source: &Source, after: u64) -> Vec<LogEntry> {
        match source {
            Source::EventLog(persistence_id) => {
                let log = self.event_logs.get(persistence_id).map_or(&[][..], Vec::as_slice);
                let read = log.partition_point(|event| event.position <= after);
                page(
                    log[read..].iter().filter_map(|event| self.entry(persistence_id, event)),
                    LogEntry::bytes,
                )
            }
            Source::Topic(topic) => {
                let messages = self.topics.get(topic).into_iter().flat_map(|it| it.range(following(after)));
                page(messages.map(|(_, entry)| entry.clone()), LogEntry::bytes)
            }
        }
    }

    fn entry(&self, persistence_id: &Arc<str>, event: &LoggedEvent) -> Option<LogEntry> {
        let entity_id = Arc::clone(&event.entity_id);
        let history =
            self.histories.get(&EntityKey { persistence_id: Arc::clone(persistence_id), entity_id })?;
        Some(LogEntry {
            position: event.position,
            subject: Arc::clone(&event.entity_id),
            sequence: event.sequence,
            stored_at: event.stored_at,
            payload: history.event(event.sequence)?.clone(),
            metadata: Metadata::default(),
        })
    }

    fn dead_letters(&self, after: u64) -> Vec<StoredDeadLetter> {
        let letters = self.dead_letters.range(following(after)).map(|(_, letter)| letter.clone());
        page(letters, |stored| stored.letter.bytes())
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
        let read = usize::try_from(after).unwrap_or(usize::MAX);
        let events = (1..).zip(&self.events).skip(read);
        page(events.map(|(sequence, payload)| StoredEvent { sequence, payload: payload.clone() }), |event| {
            weight(&event.payload)
        })
    }

    fn event(&self, sequence: u64) -> Option<&Any> {
        self.events.get(usize::try_from(sequence).ok()?.checked_sub(1)?)
    }

    fn last_sequence(&self) -> u64 {
        self.events.len() as u64
    }
}

fn following(after: u64) -> impl RangeBounds<u64> {
    (Bound::Excluded(after), Bound::Unbounded)
}

fn page<T>(entries: impl Iterator<Item = T>, bytes: impl Fn(&T) -> usize) -> Vec<T> {
    let Ok(page) = limits::page(entries.map(Ok::<_, Infallible>), bytes);
    page
}
