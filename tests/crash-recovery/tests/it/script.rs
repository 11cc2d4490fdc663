//! A fixed piece of work for a store, and what must hold of what it leaves, however far it came.
//!
//! Histories grow in one pattern, so each shows by itself whether it is whole: from a length that is a multiple of three
//! by one event, else by two events and a snapshot in one append.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use cloudstate_proto::Any;
use cloudstate_proxy::storage::{Append, EntityKey, Store, StoreError, StoreUrl, open};
use futures_util::future::join_all;
use rusqlite::Connection;

use crate::disk::recorder::Recorder;

const ENTITIES: [&str; 4] = ["a", "b", "c", "d"];

enum Act {
    /// One append to each of these entities, at the same time.
    Append(&'static [&'static str]),
    /// Somebody with a SQLite shell folds the log into the file; it starts over.
    Checkpoint,
    Reopen,
}

const SCRIPT: &[Act] = &[
    Act::Append(&["a"]),
    Act::Append(&["a"]),
    Act::Append(&["a", "b", "c", "d"]),
    Act::Checkpoint,
    Act::Append(&["b"]),
    Act::Append(&["b", "c"]),
    Act::Reopen,
    Act::Append(&["a", "d"]),
    Act::Append(&["d"]),
];

/// Does the work, and does each part again that fails.
pub(crate) struct Script<'a> {
    path: PathBuf,
    disk: &'a Recorder,
    store: Option<Arc<dyn Store>>,
    /// The length of a history, where it is known.
    lengths: BTreeMap<&'static str, u64>,
    repair_after: u64,
    failures: u64,
}

impl<'a> Script<'a> {
    pub(crate) fn new(path: PathBuf, disk: &'a Recorder) -> Self {
        Self { path, disk, store: None, lengths: BTreeMap::new(), repair_after: 3, failures: 0 }
    }

    pub(crate) async fn run(&mut self) {
        for act in SCRIPT {
            match act {
                Act::Append(entities) => self.append(entities).await,
                Act::Checkpoint => self.checkpoint(),
                Act::Reopen => self.close().await,
            }
        }
        self.close().await;
    }

    /// Only the first part: a new store with one event.
    pub(crate) async fn create(&mut self) {
        self.append(&["a"]).await;
        self.close().await;
    }

    async fn append(&mut self, entities: &'static [&'static str]) {
        let mut waiting = entities.to_vec();
        while !waiting.is_empty() {
            let failed_before = self.disk.failed();
            let Some(store) = self.store().await else { continue };
            let mut appends = Vec::new();
            for &entity in &waiting {
                let Some(length) = self.length(&*store, entity).await else { break };
                appends.push((entity, store.append(next(entity, length))));
            }
            let (names, appends): (Vec<_>, Vec<_>) = appends.into_iter().unzip();
            for (entity, appended) in names.into_iter().zip(join_all(appends).await) {
                match appended {
                    Ok(length) => {
                        self.disk.promise(entity, length);
                        self.lengths.insert(entity, length);
                        waiting.retain(|other| *other != entity);
                    }
                    Err(error) => {
                        self.lengths.remove(entity);
                        self.note(&error, failed_before);
                    }
                }
            }
        }
    }

    /// Opens the store if it is not.
    async fn store(&mut self) -> Option<Arc<dyn Store>> {
        if self.store.is_none() {
            let failed_before = self.disk.failed();
            match open(&StoreUrl::Sqlite(self.path.clone())).await {
                Ok(store) => self.store = Some(store),
                Err(error) => {
                    let is_honest = !error.is_corrupt() && !error.is_foreign() && !error.is_newer();
                    assert!(is_honest, "a failing disk is no damage: {error}");
                    self.fail(&error.to_string(), failed_before);
                }
            }
        }
        self.store.clone()
    }

    async fn length(&mut self, store: &dyn Store, entity: &'static str) -> Option<u64> {
        if let Some(length) = self.lengths.get(entity) {
            return Some(*length);
        }
        let failed_before = self.disk.failed();
        match read(store, entity).await {
            Ok(history) => {
                self.lengths.insert(entity, history.length);
                Some(history.length)
            }
            Err(error) => {
                self.note(&error, failed_before);
                None
            }
        }
    }

    fn note(&mut self, error: &StoreError, failed_before: u64) {
        assert!(error.is_unavailable(), "a failing disk is neither a conflict nor damage: {error:?}");
        self.fail(&error.to_string(), failed_before);
    }

    /// Nothing fails unless the disk does. After a few failures the disk is repaired.
    fn fail(&mut self, error: &str, failed_before: u64) {
        assert!(self.disk.failed() > failed_before, "the disk works, and yet: {error}");
        self.failures += 1;
        if self.failures == self.repair_after {
            self.disk.repair();
        }
    }

    fn checkpoint(&self) {
        // Who checkpoints is not under test; the file is.
        let _ = Connection::open(&self.path)
            .and_then(|shell| shell.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())));
    }

    async fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }
}

fn key(entity: &str) -> EntityKey {
    EntityKey { persistence_id: "script".into(), entity_id: entity.into() }
}

/// What follows a history of this length.
fn next(entity: &str, length: u64) -> Append {
    let events = if length.is_multiple_of(3) { 1 } else { 2 };
    let events = (length + 1..=length + events).map(|sequence| event(entity, sequence)).collect();
    let snapshot = (!length.is_multiple_of(3)).then(|| state(entity, length + 2));
    Append { entity: key(entity), expected: length, events, snapshot }
}

/// Some fill pages.
fn event(entity: &str, sequence: u64) -> Any {
    let padding = if sequence == 4 { 9_000 } else { 100 };
    any("event", format!("{entity} {sequence} {:padding$}", ""))
}

fn state(entity: &str, sequence: u64) -> Any {
    any("state", format!("{entity} after {sequence} {:700}", ""))
}

fn any(type_url: &str, text: String) -> Any {
    Any { type_url: type_url.to_owned(), value: text.into_bytes().into() }
}

struct History {
    length: u64,
    events: Vec<Any>,
    snapshot: Option<(u64, Any)>,
}

async fn read(store: &dyn Store, entity: &str) -> Result<History, StoreError> {
    let entity = key(entity);
    let snapshot = store.snapshot(&entity).await?.map(|snapshot| (snapshot.sequence, snapshot.payload));
    let mut events = Vec::new();
    loop {
        let length = events.len() as u64;
        let page = store.events(&entity, length).await?;
        if page.is_empty() {
            return Ok(History { length, events, snapshot });
        }
        for (sequence, stored) in (length + 1..).zip(page) {
            assert_eq!(stored.sequence, sequence);
            events.push(stored.payload);
        }
    }
}

/// What was promised before a moment: the length of each history.
pub(crate) type Promises = BTreeMap<String, u64>;

/// Opens what is left at `path`, holds it against what was promised, and goes on with it.
pub(crate) async fn check(path: &Path, promises: &Promises) {
    let store = open(&StoreUrl::Sqlite(path.to_owned())).await.unwrap_or_else(|error| panic!("{error:?}"));
    for entity in ENTITIES {
        let history = read(&*store, entity).await.unwrap_or_else(|error| panic!("{error:?}"));
        let length = history.length;
        let promised = promises.get(entity).copied().unwrap_or_default();
        assert!(length >= promised, "{entity}: {promised} events were acknowledged, {length} are there");
        assert_ne!(length % 3, 2, "{entity}: {length} events: part of an append");
        for (sequence, payload) in (1..).zip(&history.events) {
            assert_eq!(*payload, event(entity, sequence), "event {sequence} of {entity}");
        }
        let covered = length - length % 3;
        let expected = (covered > 0).then(|| (covered, state(entity, covered)));
        assert_eq!(history.snapshot, expected, "{entity}: the snapshot at {length} events");
    }
    for entity in ENTITIES {
        let length = read(&*store, entity).await.unwrap().length;
        let append = next(entity, length);
        let grown = length + append.events.len() as u64;
        assert_eq!(store.append(append).await.unwrap(), grown);
    }
    store.close().await;
}
