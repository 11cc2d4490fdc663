//! A process that is killed while it stores.
//!
//! The test starts its own binary again as the victim; [`victim`] does nothing unless it is started so.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use cloudstate_proto::{Any, Metadata};
use cloudstate_proxy::storage::{
    Append, Change, Consumer, EntityKey, Source, Store, StoreUrl, StoredCrdt, open,
};
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::{append, cart, message, open_file, payload, read, read_log};

const STORE: &str = "CLOUDSTATE_TEST_STORE";
const ENTITIES: u64 = 40;
const WRITERS: u64 = 10;
const EVENTS_PER_APPEND: u64 = 3;

/// The test binary again, as that one test, with `path` as its store. It talks on stderr, for stdout is libtest's.
fn start(test: &str, path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(STORE, path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Every acknowledged append and write is there, none twice, none in part, and the next process starts at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let mut acknowledged = HashMap::new();

    for acknowledgements in [1, 150, 900] {
        let mut victim = start("crash::victim", &path);
        let mut said = BufReader::new(victim.stderr.take().unwrap());
        let mut note = |line: &str| {
            let (entity, sequence) =
                line.split_once(' ').unwrap_or_else(|| panic!("the victim said: {line}"));
            acknowledged.insert(entity.to_owned(), sequence.parse::<u64>().unwrap());
        };
        for _ in 0..acknowledgements {
            note(&next_line(&mut said).expect("the victim ended by itself"));
        }
        victim.kill().unwrap();
        // What it said before it died counts.
        while let Some(line) = next_line(&mut said) {
            note(&line);
        }
        victim.wait().unwrap();

        let store = open_file(&path).await;
        let (carts, writers): (Vec<_>, Vec<_>) =
            acknowledged.iter_mut().partition(|(name, _)| name.starts_with('c'));
        // The next victim goes on from what is there now, and may be killed before it acknowledges more of it.
        for (writer, number) in writers {
            *number = assert_written(&*store, writer, *number).await;
        }
        let mut logged = 0;
        for (entity, acknowledged) in carts {
            let entity = cart(entity);
            let events = read(&*store, &entity).await;
            let stored = events.len() as u64;
            assert!(stored >= *acknowledged, "{entity}: {stored} of {acknowledged}");
            *acknowledged = stored;
            assert_eq!(stored % EVENTS_PER_APPEND, 0, "{entity}: part of an append");
            for (sequence, event) in (1..).zip(&events) {
                assert_eq!(event.sequence, sequence);
                assert_eq!(event.payload, payload(&sequence.to_string()), "{entity}");
            }
            let snapshot = store.snapshot(&entity).await.unwrap().expect("every append has a snapshot");
            assert_eq!(snapshot.sequence, stored);
            logged += events.len();
        }
        // Those that were killed before their first acknowledgement are in the log as well.
        let log = read_log(&*store, &Source::EventLog(cart("").persistence_id), 0).await;
        assert!(log.len() >= logged && log.iter().map(|it| it.position).eq(1..=log.len() as u64));
        store.close().await;
    }
    assert_eq!(acknowledged.len() as u64, ENTITIES + WRITERS);
}

/// The next line; none at the end, even if half a line stands there.
fn next_line(said: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    line.strip_suffix('\n').map(str::to_owned)
}

/// A writer's writes are there as a whole up to the last one acknowledged, or one more. Returns how many.
async fn assert_written(store: &dyn Store, writer: &str, acknowledged: u64) -> u64 {
    let entity = entity_of(writer);
    let offset = store.offset(&consumer_of(writer)).await.unwrap().expect("a write was acknowledged");
    assert!((acknowledged..=acknowledged + 1).contains(&offset), "{writer}: {offset} of {acknowledged}");
    let text = offset.to_string();
    assert_eq!(store.value(&entity).await.unwrap(), Some(payload(&text)), "{writer}");
    assert_eq!(store.crdt(&entity).await.unwrap(), Some(StoredCrdt::State(payload(&text))), "{writer}");
    let messages = read_log(store, &Source::Topic(writer.into()), 0).await;
    let numbers = messages.into_iter().map(|message| message.payload);
    assert!(
        numbers.eq((1..=offset).map(|number| payload(&number.to_string()))),
        "{writer}: one message each"
    );
    offset
}

/// Stores for many at once, for ever, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(path) = env::var_os(STORE) else { return };
    let store = open_file(Path::new(&path)).await;
    let appends = join_all((0..ENTITIES).map(|n| append_for_ever(&*store, n)));
    let writes = join_all((0..WRITERS).map(|n| write_for_ever(&*store, n)));
    tokio::join!(appends, writes);
}

async fn append_for_ever(store: &dyn Store, n: u64) {
    let entity = cart(&format!("c{n}"));
    let mut last = read(store, &entity).await.len() as u64;
    loop {
        last = store.append(numbered(&entity, last)).await.unwrap();
        eprintln!("c{n} {last}");
    }
}

/// Each write counts one up in every way a write can.
async fn write_for_ever(store: &dyn Store, n: u64) {
    let writer = format!("w{n}");
    let (entity, consumer) = (entity_of(&writer), consumer_of(&writer));
    let mut number = store.offset(&consumer).await.unwrap().unwrap_or(0);
    loop {
        number += 1;
        let text = number.to_string();
        let changes = vec![
            Change::Value { entity: entity.clone(), state: Some(payload(&text)) },
            message(&writer, "", &text, Metadata::default()),
            Change::Offset { consumer: consumer.clone(), position: number },
            Change::Crdt { entity: entity.clone(), state: Some(payload(&text)) },
        ];
        store.write(changes).await.unwrap();
        eprintln!("{writer} {number}");
    }
}

fn entity_of(writer: &str) -> EntityKey {
    EntityKey { persistence_id: "written".into(), entity_id: writer.into() }
}

fn consumer_of(writer: &str) -> Consumer {
    Consumer { group: writer.into(), source: Source::Topic("numbers".into()) }
}

/// Events that carry their own sequence, and a snapshot.
fn numbered(entity: &EntityKey, expected: u64) -> Append {
    let events: Vec<Any> = (1..=EVENTS_PER_APPEND).map(|n| payload(&(expected + n).to_string())).collect();
    Append { entity: entity.clone(), expected, events, snapshot: Some(payload("state")) }
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_whom_to_stop() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = open_file(&path).await;
    store.append(append(&cart("c1"), 0, ["a"])).await.unwrap();

    let second = start("crash::latecomer", &path).wait_with_output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    let path = path.canonicalize().unwrap();
    assert!(said.contains(&format!("is in use by process {}", std::process::id())), "{said}");
    assert!(said.contains(path.to_str().unwrap()), "{said}");

    store.append(append(&cart("c1"), 1, ["b"])).await.unwrap();
    store.close().await;
    assert_eq!(read(&*open_file(&path).await, &cart("c1")).await.len(), 2);
}

/// Tries to open a store that another process holds.
#[tokio::test]
async fn latecomer() {
    let Some(path) = env::var_os(STORE) else { return };
    match open(&StoreUrl::Sqlite(path.into())).await {
        Ok(_) => eprintln!("opened"),
        Err(error) => eprintln!("{} {error}", error.is_in_use()),
    }
}
