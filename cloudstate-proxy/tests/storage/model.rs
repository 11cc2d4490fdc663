//! Random work on every store gives what a simple model gives.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::UNIX_EPOCH,
};

use cloudstate_proto::{Any, Metadata};
use cloudstate_proxy::storage::{
    Append, Change, Consumer, DeadLetter, EntityKey, LogEntry, Source, Store, StoreUrl, StoredCrdt,
    StoredEvent, StoredSnapshot, open,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use tempfile::TempDir;

use crate::{metadata, read_after, read_log};

/// The few names in use, so that work meets.
const NAMES: [&str; 4] = ["", "a", "a\0", "ä|"];

#[derive(Clone, Debug)]
enum Operation {
    Append {
        entity: EntityKey,
        ahead: i64,
        events: Vec<Any>,
        snapshot: Option<Any>,
    },
    Write(Vec<Step>),
    Read {
        entity: EntityKey,
        after: u64,
    },
    /// Close, and open again what is durable.
    Reopen,
}

/// A change; where it names something by its place, that is looked up in the store before the write.
#[derive(Clone, Debug)]
enum Step {
    Change(Change),
    /// Everything up to the nth message of a topic.
    Trim(Arc<str>, usize),
    /// The nth dead letter.
    Forget(usize),
}

/// What a store is, without durability.
#[derive(Default)]
struct Model {
    histories: HashMap<EntityKey, (Vec<Any>, Option<StoredSnapshot>)>,
    logs: HashMap<Source, Vec<Entry>>,
    values: HashMap<EntityKey, Any>,
    crdts: HashMap<EntityKey, StoredCrdt>,
    offsets: HashMap<Consumer, u64>,
    dead_letters: Vec<DeadLetter>,
    /// An event or a message was added since somebody looked.
    grew: bool,
}

/// An entry of a log but for its position and time, which are the store's choice.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    subject: Arc<str>,
    sequence: u64,
    payload: Any,
    metadata: Metadata,
}

impl From<LogEntry> for Entry {
    fn from(LogEntry { subject, sequence, payload, metadata, .. }: LogEntry) -> Self {
        Self { subject, sequence, payload, metadata }
    }
}

impl Model {
    fn last(&self, entity: &EntityKey) -> u64 {
        self.histories.get(entity).map_or(0, |(events, _)| events.len() as u64)
    }

    fn append(&mut self, append: Append) -> Option<u64> {
        let Append { entity, expected, events, snapshot } = append;
        if expected != self.last(&entity) {
            return None;
        }
        let log = self.logs.entry(Source::EventLog(Arc::clone(&entity.persistence_id))).or_default();
        for (sequence, payload) in (expected + 1..).zip(events.clone()) {
            let subject = Arc::clone(&entity.entity_id);
            log.push(Entry { subject, sequence, payload, metadata: Metadata::default() });
        }
        self.grew |= !events.is_empty();
        let (history, newest) = self.histories.entry(entity).or_default();
        history.extend(events);
        let sequence = history.len() as u64;
        if let Some(payload) = snapshot {
            *newest = Some(StoredSnapshot { sequence, payload });
        }
        Some(sequence)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Trim(topic, nth) => {
                let log = self.logs.entry(Source::Topic(topic)).or_default();
                log.drain(..log.len().min(nth + 1));
            }
            Step::Forget(nth) => {
                if nth < self.dead_letters.len() {
                    self.dead_letters.remove(nth);
                }
            }
            Step::Change(Change::Value { entity, state: Some(state) }) => {
                self.values.insert(entity, state);
            }
            Step::Change(Change::Value { entity, state: None }) => {
                self.values.remove(&entity);
            }
            Step::Change(Change::Crdt { entity, state }) => {
                self.crdts.insert(entity, state.map_or(StoredCrdt::Deleted, StoredCrdt::State));
            }
            Step::Change(Change::Message { topic, subject, payload, metadata }) => {
                let entry = Entry { subject, sequence: 0, payload, metadata };
                self.logs.entry(Source::Topic(topic)).or_default().push(entry);
                self.grew = true;
            }
            Step::Change(Change::Offset { consumer, position }) => {
                self.offsets.insert(consumer, position);
            }
            Step::Change(Change::DeadLetter(letter)) => self.dead_letters.push(letter),
            Step::Change(other) => panic!("{other:?} is a step of its own"),
        }
    }

    fn events(&self, entity: &EntityKey, after: u64) -> Vec<StoredEvent> {
        let numbered = |(events, _): &(Vec<Any>, _)| {
            (1..)
                .zip(events.clone())
                .map(|(sequence, payload)| StoredEvent { sequence, payload })
                .filter(|event| event.sequence > after)
                .collect()
        };
        self.histories.get(entity).map(numbered).unwrap_or_default()
    }

    fn snapshot(&self, entity: &EntityKey) -> Option<StoredSnapshot> {
        self.histories.get(entity).and_then(|(_, snapshot)| snapshot.clone())
    }

    async fn is_what_is_kept_of(&self, store: &dyn Store, entity: &EntityKey, after: u64) {
        assert_eq!(read_after(store, entity, after).await, self.events(entity, after));
        assert_eq!(store.snapshot(entity).await.unwrap(), self.snapshot(entity));
        assert_eq!(store.value(entity).await.unwrap(), self.values.get(entity).cloned());
        assert_eq!(store.crdt(entity).await.unwrap(), self.crdts.get(entity).cloned());
    }

    async fn is_all_of(&self, store: &dyn Store) {
        for entity in self.histories.keys().chain(self.values.keys()).chain(self.crdts.keys()) {
            self.is_what_is_kept_of(store, entity, 0).await;
        }
        for name in NAMES {
            for source in [Source::EventLog(name.into()), Source::Topic(name.into())] {
                let entries = read_log(store, &source, 0).await;
                assert!(entries.is_sorted_by(|one, next| one.position < next.position), "{source}");
                let entries: Vec<Entry> = entries.into_iter().map(Entry::from).collect();
                assert_eq!(entries, self.logs.get(&source).cloned().unwrap_or_default(), "{source}");
            }
        }
        for (consumer, position) in &self.offsets {
            assert_eq!(store.offset(consumer).await.unwrap(), Some(*position), "{consumer}");
        }
        let letters = store.dead_letters(0).await.unwrap();
        assert!(letters.iter().map(|stored| &stored.letter).eq(&self.dead_letters));
    }
}

/// With the positions and ids that `store` gave. Each is looked up but once: a write sees what was before it.
async fn resolve(store: &dyn Store, steps: &[Step]) -> Vec<Change> {
    let letters = store.dead_letters(0).await.unwrap();
    let mut topics = BTreeMap::new();
    let mut changes = Vec::new();
    for step in steps {
        changes.push(match step {
            Step::Change(change) => change.clone(),
            Step::Trim(topic, nth) => {
                let messages = match topics.get(topic) {
                    Some(messages) => messages,
                    None => {
                        let messages = read_log(store, &Source::Topic(Arc::clone(topic)), 0).await;
                        topics.entry(Arc::clone(topic)).or_insert(messages)
                    }
                };
                let through = messages.get(*nth).or(messages.last()).map_or(0, |entry| entry.position);
                Change::TrimTopic { topic: Arc::clone(topic), through }
            }
            Step::Forget(nth) => {
                Change::ForgetDeadLetter { id: letters.get(*nth).map_or(u64::MAX, |stored| stored.id) }
            }
        });
    }
    changes
}

async fn behaves_like_the_model(url: StoreUrl, operations: Vec<Operation>) {
    let mut model = Model::default();
    let mut store: Arc<dyn Store> = open(&url).await.unwrap();
    let mut grown = store.grown();
    for operation in operations {
        match operation {
            Operation::Append { entity, ahead, events, snapshot } => {
                let expected = model.last(&entity).saturating_add_signed(ahead);
                let append = Append { entity, expected, events, snapshot };
                let stored = store.append(append.clone()).await;
                assert!(stored.as_ref().err().is_none_or(|error| error.is_conflict()), "{stored:?}");
                assert_eq!(stored.ok(), model.append(append));
            }
            Operation::Write(steps) => {
                // What is named by its place stands first, so that the model finds the same as the look-up.
                let (by_place, changes): (Vec<Step>, Vec<Step>) =
                    steps.into_iter().partition(|step| !matches!(step, Step::Change(_)));
                let steps: Vec<Step> = by_place.into_iter().take(1).chain(changes).collect();
                store.write(resolve(&*store, &steps).await).await.unwrap();
                steps.into_iter().for_each(|step| model.step(step));
            }
            Operation::Read { entity, after } => model.is_what_is_kept_of(&*store, &entity, after).await,
            Operation::Reopen if url == StoreUrl::Memory => {}
            Operation::Reopen => {
                store.close().await;
                store = open(&url).await.unwrap();
                grown = store.grown();
            }
        }
        assert_eq!(grown.has_changed().unwrap(), std::mem::take(&mut model.grew));
        grown.mark_unchanged();
    }
    model.is_all_of(&*store).await;
    store.close().await;
}

fn name() -> impl Strategy<Value = Arc<str>> {
    select(NAMES.to_vec()).prop_map(Arc::from)
}

fn entity() -> impl Strategy<Value = EntityKey> {
    (name(), name()).prop_map(|(persistence_id, entity_id)| EntityKey { persistence_id, entity_id })
}

fn payload() -> impl Strategy<Value = Any> {
    (".{0,8}", vec(any::<u8>(), 0..40)).prop_map(|(type_url, value)| Any { type_url, value: value.into() })
}

fn some_metadata() -> impl Strategy<Value = Metadata> {
    vec((".{0,4}", ".{0,4}"), 0..3).prop_map(|entries| {
        let entries: Vec<(&str, &str)> = entries.iter().map(|(key, value)| (&**key, &**value)).collect();
        metadata(&entries)
    })
}

fn consumer() -> impl Strategy<Value = Consumer> {
    (name(), name(), any::<bool>()).prop_map(|(group, source, of_topic)| Consumer {
        group,
        source: if of_topic { Source::Topic(source) } else { Source::EventLog(source) },
    })
}

fn dead_letter() -> impl Strategy<Value = DeadLetter> {
    (consumer(), name(), payload(), some_metadata(), any::<u32>(), ".{0,20}").prop_map(
        |(consumer, subject, payload, metadata, attempts, error)| {
            let entry =
                LogEntry { position: 3, subject, sequence: 2, stored_at: UNIX_EPOCH, payload, metadata };
            DeadLetter { consumer, entry, attempts, error }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let message =
        (name(), name(), payload(), some_metadata()).prop_map(|(topic, subject, payload, metadata)| {
            Change::Message { topic, subject, payload, metadata }
        });
    let change = prop_oneof![
        3 => (entity(), option::of(payload())).prop_map(|(entity, state)| Change::Value { entity, state }),
        3 => (entity(), option::of(payload())).prop_map(|(entity, state)| Change::Crdt { entity, state }),
        3 => message,
        2 => (consumer(), 0..100_u64).prop_map(|(consumer, position)| Change::Offset { consumer, position }),
        2 => dead_letter().prop_map(Change::DeadLetter),
    ];
    prop_oneof![
        8 => change.prop_map(Step::Change),
        1 => (name(), 0..4_usize).prop_map(|(topic, nth)| Step::Trim(topic, nth)),
        1 => (0..4_usize).prop_map(Step::Forget),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let append = (entity(), select(vec![0, 0, 0, 0, -1, 1]), vec(payload(), 0..4), option::of(payload()))
        .prop_map(|(entity, ahead, events, snapshot)| Operation::Append { entity, ahead, events, snapshot });
    let read = (entity(), 0..6_u64).prop_map(|(entity, after)| Operation::Read { entity, after });
    prop_oneof![
        8 => append,
        8 => vec(step(), 0..5).prop_map(Operation::Write),
        4 => read,
        1 => Just(Operation::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_store_behaves_like_the_model(operations in vec(operation(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let folder = TempDir::new().unwrap();
        let path: PathBuf = folder.path().join("store.db");
        for url in [StoreUrl::Memory, StoreUrl::Sqlite(path)] {
            runtime.block_on(behaves_like_the_model(url, operations.clone()));
        }
    }
}
