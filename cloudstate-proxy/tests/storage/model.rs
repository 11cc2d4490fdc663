//! Random work on every store gives what a simple model gives.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use cloudstate_proto::Any;
use cloudstate_proxy::storage::{Append, EntityKey, Store, StoreUrl, StoredEvent, StoredSnapshot, open};
use proptest::{collection::vec, prelude::*, sample::select};
use tempfile::TempDir;

use crate::read_after;

#[derive(Clone, Debug)]
enum Operation {
    Append {
        entity: EntityKey,
        ahead: i64,
        events: Vec<Any>,
        snapshot: Option<Any>,
    },
    Read {
        entity: EntityKey,
        after: u64,
    },
    /// Close, and open again what is durable.
    Reopen,
}

/// What a store is, without durability.
#[derive(Default)]
struct Model(HashMap<EntityKey, (Vec<Any>, Option<StoredSnapshot>)>);

impl Model {
    fn last(&self, entity: &EntityKey) -> u64 {
        self.0.get(entity).map_or(0, |(events, _)| events.len() as u64)
    }

    fn append(&mut self, append: Append) -> Option<u64> {
        if append.expected != self.last(&append.entity) {
            return None;
        }
        let (events, newest) = self.0.entry(append.entity).or_default();
        events.extend(append.events);
        let sequence = events.len() as u64;
        if let Some(payload) = append.snapshot {
            *newest = Some(StoredSnapshot { sequence, payload });
        }
        Some(sequence)
    }

    fn events(&self, entity: &EntityKey, after: u64) -> Vec<StoredEvent> {
        let numbered = |(events, _): &(Vec<Any>, _)| {
            (1..)
                .zip(events.clone())
                .map(|(sequence, payload)| StoredEvent { sequence, payload })
                .filter(|event| event.sequence > after)
                .collect()
        };
        self.0.get(entity).map(numbered).unwrap_or_default()
    }

    fn snapshot(&self, entity: &EntityKey) -> Option<StoredSnapshot> {
        self.0.get(entity).and_then(|(_, snapshot)| snapshot.clone())
    }
}

async fn behaves_like_the_model(url: StoreUrl, operations: Vec<Operation>) {
    let mut model = Model::default();
    let mut store: Arc<dyn Store> = open(&url).await.unwrap();
    for operation in operations {
        match operation {
            Operation::Append { entity, ahead, events, snapshot } => {
                let expected = model.last(&entity).saturating_add_signed(ahead);
                let append = Append { entity, expected, events, snapshot };
                let stored = store.append(append.clone()).await;
                assert!(stored.as_ref().err().is_none_or(|error| error.is_conflict()), "{stored:?}");
                assert_eq!(stored.ok(), model.append(append));
            }
            Operation::Read { entity, after } => {
                assert_eq!(read_after(&*store, &entity, after).await, model.events(&entity, after));
                assert_eq!(store.snapshot(&entity).await.unwrap(), model.snapshot(&entity));
            }
            Operation::Reopen if url == StoreUrl::Memory => {}
            Operation::Reopen => {
                store.close().await;
                store = open(&url).await.unwrap();
            }
        }
    }
    for entity in model.0.keys() {
        assert_eq!(read_after(&*store, entity, 0).await, model.events(entity, 0));
        assert_eq!(store.snapshot(entity).await.unwrap(), model.snapshot(entity));
    }
    store.close().await;
}

fn entity() -> impl Strategy<Value = EntityKey> {
    let id = || select(vec!["", "a", "a\0", "ä|"]);
    (id(), id())
        .prop_map(|(kind, entity)| EntityKey { persistence_id: kind.into(), entity_id: entity.into() })
}

fn payload() -> impl Strategy<Value = Any> {
    (".{0,8}", vec(any::<u8>(), 0..40)).prop_map(|(type_url, value)| Any { type_url, value: value.into() })
}

fn operation() -> impl Strategy<Value = Operation> {
    let append =
        (entity(), select(vec![0, 0, 0, 0, -1, 1]), vec(payload(), 0..4), proptest::option::of(payload()))
            .prop_map(|(entity, ahead, events, snapshot)| Operation::Append {
                entity,
                ahead,
                events,
                snapshot,
            });
    let read = (entity(), 0..6_u64).prop_map(|(entity, after)| Operation::Read { entity, after });
    prop_oneof![8 => append, 4 => read, 1 => Just(Operation::Reopen)]
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
