//! A fixed piece of work for a store, and what must hold of what it leaves, however far it came.
//!
//! Histories grow in one pattern, so each shows by itself whether it is whole: from a length that is a multiple of three
//! by one event, else by two events and a snapshot in one append. The n-th write changes something of every kind, and
//! each shows n.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use cloudstate_proto::{Any, Metadata};
use cloudstate_proxy::storage::{
    Append, BoxFuture, Change, Consumer, DeadLetter, EntityKey, LogEntry, Source, Store, StoreError,
    StoreUrl, StoredCrdt, open,
};
use futures_util::future::join_all;
use rusqlite::Connection;

use crate::disk::recorder::Recorder;

const ENTITIES: [&str; 4] = ["a", "b", "c", "d"];
/// Stands among the entities for what is no history.
const WRITES: &str = "writes";

enum Act {
    /// One append to each of these entities, or one write, at the same time.
    Store(&'static [&'static str]),
    /// Somebody with a SQLite shell folds the log into the file; it starts over.
    Checkpoint,
    Reopen,
}

const SCRIPT: &[Act] = &[
    Act::Store(&["a"]),
    Act::Store(&["a"]),
    Act::Store(&[WRITES]),
    Act::Store(&["a", "b", WRITES, "c", "d"]),
    Act::Checkpoint,
    Act::Store(&["b"]),
    Act::Store(&[WRITES, "b", "c"]),
    Act::Reopen,
    Act::Store(&["a", "d"]),
    Act::Store(&[WRITES]),
    Act::Store(&["d"]),
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
                Act::Store(entities) => self.put(entities).await,
                Act::Checkpoint => self.checkpoint(),
                Act::Reopen => self.close().await,
            }
        }
        self.close().await;
    }

    /// Only the first part: a new store.
    pub(crate) async fn create(&mut self) {
        while self.store().await.is_none() {}
        self.close().await;
    }

    async fn put(&mut self, entities: &'static [&'static str]) {
        let mut waiting = entities.to_vec();
        while !waiting.is_empty() {
            let failed_before = self.disk.failed();
            let Some(store) = self.store().await else { continue };
            let mut appends = Vec::new();
            for &entity in &waiting {
                let Some(length) = self.length(&*store, entity).await else { break };
                appends.push((entity, put(&*store, entity, length)));
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
        match length(store, entity).await {
            Ok(length) => {
                self.lengths.insert(entity, length);
                Some(length)
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

/// What comes next; answers with the new length of the history, or the number of the write.
fn put(store: &dyn Store, entity: &str, length: u64) -> BoxFuture<Result<u64, StoreError>> {
    if entity != WRITES {
        return store.append(next(entity, length));
    }
    let written = store.write(changes(length + 1));
    Box::pin(async move { written.await.map(|()| length + 1) })
}

async fn length(store: &dyn Store, entity: &str) -> Result<u64, StoreError> {
    if entity == WRITES {
        return Ok(store.offset(&consumer()).await?.unwrap_or_default());
    }
    Ok(read(store, entity).await?.length)
}

/// What the n-th write changes. Every third one deletes the value.
fn changes(n: u64) -> Vec<Change> {
    let nothing = Metadata::default();
    let entry = LogEntry {
        position: n,
        subject: "s".into(),
        sequence: 0,
        stored_at: SystemTime::UNIX_EPOCH,
        payload: any("letter", format!("letter {n}")),
        metadata: nothing.clone(),
    };
    vec![
        Change::Value { entity: key("v"), state: value(n) },
        Change::Crdt { entity: key("r"), state: Some(any("crdt", format!("crdt {n} {:5000}", ""))) },
        Change::Message { topic: "t".into(), subject: "s".into(), payload: message(n), metadata: nothing },
        Change::DeadLetter(DeadLetter { consumer: consumer(), entry, attempts: 1, error: "no".to_owned() }),
        Change::Offset { consumer: consumer(), position: n },
    ]
}

fn value(n: u64) -> Option<Any> {
    (!n.is_multiple_of(3)).then(|| any("value", format!("value {n}")))
}

fn message(n: u64) -> Any {
    any("message", format!("message {n}"))
}

fn consumer() -> Consumer {
    Consumer { group: "g".into(), source: Source::Topic("t".into()) }
}

/// All parts of the n-th write are there, and no part of another.
async fn check_writes(store: &dyn Store) -> Result<u64, StoreError> {
    let n = length(store, WRITES).await?;
    assert_eq!(store.value(&key("v")).await?, value(n), "the value of write {n}");
    let crdt = store.crdt(&key("r")).await?;
    let expected = changes(n).into_iter().find_map(|change| match change {
        Change::Crdt { state, .. } if n > 0 => state.map(StoredCrdt::State),
        _ => None,
    });
    assert_eq!(crdt, expected, "the CRDT of write {n}");
    let messages = store.log(&consumer().source, 0).await?;
    let messages: Vec<_> = messages.into_iter().map(|entry| entry.payload).collect();
    assert_eq!(messages, (1..=n).map(message).collect::<Vec<_>>(), "the messages of {n} writes");
    let letters = store.dead_letters(0).await?;
    let letters: Vec<_> = letters.into_iter().map(|stored| stored.letter.entry.position).collect();
    assert_eq!(letters, (1..=n).collect::<Vec<_>>(), "the dead letters of {n} writes");
    Ok(n)
}

/// The event log holds each event of each entity once, in order.
async fn check_log(store: &dyn Store) -> Result<(), StoreError> {
    let mut sequences = BTreeMap::<Arc<str>, u64>::new();
    for entry in store.log(&Source::EventLog("script".into()), 0).await? {
        let sequence = sequences.entry(Arc::clone(&entry.subject)).or_default();
        *sequence += 1;
        assert_eq!(entry.sequence, *sequence, "the log of {}", entry.subject);
        assert_eq!(entry.payload, event(&entry.subject, entry.sequence));
    }
    for entity in ENTITIES {
        let logged = sequences.get(entity).copied().unwrap_or_default();
        assert_eq!(logged, length(store, entity).await?, "the log of {entity}");
    }
    Ok(())
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
    let checked = check_open(&*store, promises).await;
    checked.unwrap_or_else(|error| panic!("{error:?}"));
    store.close().await;
}

async fn check_open(store: &dyn Store, promises: &Promises) -> Result<(), StoreError> {
    let promised = |what| promises.get(what).copied().unwrap_or_default();
    for entity in ENTITIES {
        let length = check_history(entity, &read(store, entity).await?);
        let promised = promised(entity);
        assert!(length >= promised, "{entity}: {promised} events were acknowledged, {length} are there");
    }
    check_log(store).await?;
    let (written, promised) = (check_writes(store).await?, promised(WRITES));
    assert!(written >= promised, "{promised} writes were acknowledged, {written} are there");
    // It goes on.
    for entity in ENTITIES.into_iter().chain([WRITES]) {
        let before = length(store, entity).await?;
        assert!(put(store, entity, before).await? > before);
    }
    check_writes(store).await?;
    Ok(())
}

/// Answers with its length.
fn check_history(entity: &str, history: &History) -> u64 {
    let length = history.length;
    assert_ne!(length % 3, 2, "{entity}: {length} events: part of an append");
    for (sequence, payload) in (1..).zip(&history.events) {
        assert_eq!(*payload, event(entity, sequence), "event {sequence} of {entity}");
    }
    let covered = length - length % 3;
    let expected = (covered > 0).then(|| (covered, state(entity, covered)));
    assert_eq!(history.snapshot, expected, "{entity}: the snapshot at {length} events");
    length
}
