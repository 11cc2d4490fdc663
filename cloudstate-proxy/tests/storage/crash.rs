//! A process that is killed while it appends.
//!
//! The test starts its own binary again as the victim; [`victim`] does nothing unless it is started so.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use cloudstate_proto::Any;
use cloudstate_proxy::storage::{Append, EntityKey, Store, StoreUrl, open};
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::{append, cart, open_file, payload, read};

const STORE: &str = "CLOUDSTATE_TEST_STORE";
const ENTITIES: u64 = 40;
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

/// Every acknowledged append is there, none twice, none in part, and the next process starts at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_appends_survive_a_kill() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let mut acknowledged = HashMap::new();

    for acknowledgements in [1, 150, 900] {
        let mut victim = start("crash::victim", &path);
        let mut lines = BufReader::new(victim.stderr.take().unwrap()).lines();
        let mut note = |line: String| {
            let (entity, sequence) =
                line.split_once(' ').unwrap_or_else(|| panic!("the victim said: {line}"));
            acknowledged.insert(entity.to_owned(), sequence.parse::<u64>().unwrap());
        };
        for _ in 0..acknowledgements {
            note(lines.next().expect("the victim ended by itself").unwrap());
        }
        victim.kill().unwrap();
        // What it said before it died counts, but for half a line.
        let mut rest: Vec<String> = lines.map_while(Result::ok).collect();
        rest.pop();
        rest.into_iter().for_each(&mut note);
        victim.wait().unwrap();

        let store = open_file(&path).await;
        for (entity, &sequence) in &acknowledged {
            let entity = cart(entity);
            let events = read(&*store, &entity).await;
            assert!(events.len() as u64 >= sequence, "{entity}: {} of {sequence}", events.len());
            assert_eq!(events.len() as u64 % EVENTS_PER_APPEND, 0, "{entity}: part of an append");
            for (sequence, event) in (1..).zip(&events) {
                assert_eq!(event.sequence, sequence);
                assert_eq!(event.payload, payload(&sequence.to_string()), "{entity}");
            }
            let snapshot = store.snapshot(&entity).await.unwrap().expect("every append has a snapshot");
            assert_eq!(snapshot.sequence, events.len() as u64);
        }
        store.close().await;
    }
    assert_eq!(acknowledged.len() as u64, ENTITIES);
}

/// Appends to many entities at once, for ever, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(path) = env::var_os(STORE) else { return };
    let store = open_file(Path::new(&path)).await;
    join_all((0..ENTITIES).map(|n| append_for_ever(&*store, n))).await;
}

async fn append_for_ever(store: &dyn Store, n: u64) {
    let entity = cart(&format!("c{n}"));
    let mut last = read(store, &entity).await.len() as u64;
    loop {
        last = store.append(numbered(&entity, last)).await.unwrap();
        eprintln!("c{n} {last}");
    }
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
