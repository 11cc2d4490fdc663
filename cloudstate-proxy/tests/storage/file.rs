//! What can be wrong with a file.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cloudstate_proxy::storage::{Change, Consumer, DeadLetter, EntityKey, OpenError, Source, StoreUrl, open};
use rusqlite::{Connection, types::ValueRef};
use tempfile::TempDir;

use crate::{append, cart, event, message, metadata, open_file, payload, read, read_log};

/// A closed store with some content.
async fn a_store(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("store.db");
    let store = open_file(&path).await;
    for n in 0..50 {
        let mut append = append(&cart(&format!("c{n}")), 0, []);
        append.events = vec![payload(&"x".repeat(500)); 5];
        store.append(append).await.unwrap();
    }
    store.close().await;
    path
}

async fn refusal(path: &Path) -> OpenError {
    match open(&StoreUrl::Sqlite(path.to_owned())).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn folders_are_created_and_a_closed_store_is_one_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a/b/store.db");
    let store = open_file(&path).await;
    store.append(append(&cart("c1"), 0, ["a"])).await.unwrap();
    assert_eq!(
        fs::read_to_string(path.with_extension("db.lock")).unwrap().trim(),
        std::process::id().to_string()
    );
    store.close().await;
    assert_eq!(names_in(&folder.path().join("a/b")), ["store.db", "store.db.lock"]);
    assert_eq!(fs::read_to_string(path.with_extension("db.lock")).unwrap(), "");

    let store = open_file(&path).await;
    assert_eq!(read(&*store, &cart("c1")).await, [event(1, "a")]);
    assert_eq!(store.append(append(&cart("c1"), 1, ["b"])).await.unwrap(), 2);
}

#[tokio::test]
async fn a_dropped_store_lets_go_too() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = open_file(&path).await;
    store.append(append(&cart("c1"), 0, ["a"])).await.unwrap();
    drop(store);
    let deadline = Instant::now() + Duration::from_secs(120);
    let store = loop {
        match open(&StoreUrl::Sqlite(path.clone())).await {
            Ok(store) => break store,
            Err(error) => assert!(error.is_in_use() && Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(read(&*store, &cart("c1")).await, [event(1, "a")]);
}

#[cfg(unix)]
#[tokio::test]
async fn an_open_store_is_refused_under_any_of_its_names() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let _store = open_file(&path).await;
    let other_name = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &other_name).unwrap();
    for path in [path, other_name] {
        let error = refusal(&path).await;
        assert!(error.is_in_use(), "{error}");
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    fs::write(&path, b"").unwrap();
    assert_eq!(open_file(&path).await.append(append(&cart("c1"), 0, ["a"])).await.unwrap(), 1);
}

#[tokio::test]
async fn an_unfinished_creation_is_begun_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    fs::write(folder.path().join("store.db.new"), b"half a store").unwrap();
    fs::write(folder.path().join("store.db.new-journal"), b"half a journal").unwrap();
    let store = open_file(&path).await;
    store.close().await;
    assert_eq!(names_in(folder.path()), ["store.db", "store.db.lock"]);
}

#[tokio::test]
async fn a_foreign_file_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("foreign.db");
    let garbage: Vec<u8> = (0..9_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for content in [b"x".as_slice(), b"SQLite format 4\0 and so on", b"SQLite formula", &garbage, &[0; 4096]]
    {
        fs::write(&path, content).unwrap();
        let error = refusal(&path).await;
        assert!(error.is_foreign(), "{error}");
        assert!(error.to_string().contains("foreign.db is not a Cloudstate store"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
        assert_eq!(names_in(folder.path()), ["foreign.db"]);
    }
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE event (id INTEGER); INSERT INTO event VALUES (1)").unwrap();
    drop(other);
    let content = fs::read(&path).unwrap();
    let error = refusal(&path).await;
    assert!(error.is_foreign() && error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), content);
    assert_eq!(names_in(folder.path()), ["other.db"]);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_is_refused_and_left_alone() {
    use std::os::unix::{fs::symlink, net::UnixListener};

    let folder = TempDir::new().unwrap();
    let at = |name| folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    symlink(at("folder"), at("link")).unwrap();
    let _listener = UnixListener::bind(at("socket")).unwrap();
    let names = names_in(folder.path());
    for (name, why) in [
        ("folder", "it is a folder"),
        ("folder/..", "it is a folder"),
        ("link", "it is a folder"),
        ("dangling", "it is a link that leads nowhere"),
        ("socket", "it is no regular file"),
    ] {
        let error = refusal(&at(name)).await;
        assert!(error.is_foreign() && error.to_string().contains(why), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(names_in(folder.path()), names);
    }
}

#[tokio::test]
async fn a_newer_store_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = a_store(&folder).await;
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();

    // While the newer program's change is still in the write-ahead log, and when it is in the file.
    let check = async || {
        let content = fs::read(&path).unwrap();
        let error = refusal(&path).await;
        assert!(error.is_newer(), "{error}");
        assert!(error.to_string().contains("store.db has format version 99"), "{error}");
        assert!(error.to_string().contains("use the newer program"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
    };
    check().await;
    drop(newer);
    check().await;
}

#[tokio::test]
async fn a_truncated_store_is_refused_as_damaged() {
    let folder = TempDir::new().unwrap();
    let path = a_store(&folder).await;
    let whole = fs::read(&path).unwrap();
    for length in [20, 99, 100, 4096, 8192, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = refusal(&path).await;
        assert!(error.is_corrupt(), "{length}: {error}");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), whole[..length]);
    }
    fs::write(&path, whole).unwrap();
    assert_eq!(read(&*open_file(&path).await, &cart("c1")).await.len(), 5);
}

#[tokio::test]
async fn a_log_without_its_store_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let log = folder.path().join("store.db-wal");
    fs::write(&log, b"acknowledged events").unwrap();
    let error = refusal(&path).await;
    assert!(
        error.is_corrupt() && error.to_string().contains(log.file_name().unwrap().to_str().unwrap()),
        "{error}"
    );
    assert!(!path.exists());
    assert_eq!(fs::read(&log).unwrap(), b"acknowledged events");
}

/// Damage inside the file is found by whoever reads it; nothing panics and the rest goes on.
#[tokio::test]
async fn damaged_pages_fail_what_is_read_from_them() {
    let folder = TempDir::new().unwrap();
    let path = a_store(&folder).await;
    let mut content = fs::read(&path).unwrap();
    let page = 4096;
    // The newer half: events alone.
    for start in (content.len() / 2 / page * page..content.len()).step_by(page) {
        content[start..start + 64].fill(0xa5);
    }
    fs::write(&path, content).unwrap();

    let store = open_file(&path).await;
    let mut damaged = 0;
    for n in 0..50 {
        match store.events(&cart(&format!("c{n}")), 0).await {
            Ok(_) => {}
            Err(error) => {
                assert!(error.is_corrupt(), "{error}");
                assert!(error.to_string().contains("restore the store from a backup"), "{error}");
                damaged += 1;
            }
        }
    }
    assert!(damaged > 0);
    let error = store.check().await.unwrap_err();
    assert!(error.is_corrupt(), "a damaged store is not ready: {error}");
}

/// A table that somebody dropped is missed before anybody is served.
#[tokio::test]
async fn a_store_without_one_of_its_tables_is_refused() {
    for table in ["event_block", "value", "crdt", "message", "consumer", "dead_letter"] {
        let folder = TempDir::new().unwrap();
        let path = a_store(&folder).await;
        let shell = Connection::open(&path).unwrap();
        shell.execute_batch(&format!("PRAGMA foreign_keys = OFF; DROP TABLE {table}")).unwrap();
        drop(shell);
        let error = refusal(&path).await;
        assert!(
            error.is_corrupt() && error.to_string().contains(&format!("its table {table} is missing")),
            "{error}"
        );
    }
}

/// A store as the first release wrote it, with its own SQL, keeps all it has and gains the rest.
#[tokio::test]
async fn a_store_of_format_1_is_brought_up_to_date() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../src/storage/sqlite/schema/0001_journal.sql")).unwrap();
    old.execute_batch(
        "INSERT INTO entity VALUES (1, 'shopping-cart', 'c1'), (2, 'order', 'o1'), (3, 'rare', 'r1');
         INSERT INTO payload_type VALUES (1, 'example.com/Text');
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
         INSERT INTO event SELECT n, 1 + n % 2, (n + 1) / 2, 1600000000000 + n, 1, CAST(n AS BLOB) FROM n;
         INSERT INTO event VALUES (1001, 3, 1, 1600000000000, 1, x'61');
         INSERT INTO snapshot VALUES (1, 400, 1600000000000, 1, x'62');
         PRAGMA application_id = 1129534292; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;",
    )
    .unwrap();
    drop(old);

    for _ in 0..2 {
        let store = open_file(&path).await;
        let events = read(&*store, &cart("c1")).await;
        assert!(events.len() == 500 && events[0].payload == payload("2"));
        assert_eq!(store.snapshot(&cart("c1")).await.unwrap().unwrap().sequence, 400);
        let logged = read_log(&*store, &Source::EventLog("shopping-cart".into()), 0).await;
        assert!(logged.iter().map(|entry| &entry.payload).eq(events.iter().map(|event| &event.payload)));
        assert!(logged.iter().map(|entry| entry.position).eq((1..=500).map(|n| n * 2)));
        assert_eq!(logged[0].stored_at, UNIX_EPOCH + Duration::from_millis(1_600_000_000_002));
        let rare = read_log(&*store, &Source::EventLog("rare".into()), 0).await;
        assert_eq!(rare.iter().map(|entry| entry.position).collect::<Vec<_>>(), [1001]);
        assert_eq!(store.value(&cart("c1")).await.unwrap(), None);
        store.close().await;
    }
    let store = open_file(&path).await;
    assert_eq!(store.append(append(&cart("c1"), 500, ["new"])).await.unwrap(), 501);
    store.write(vec![Change::Value { entity: cart("c1"), state: Some(payload("v")) }]).await.unwrap();
    let newest = read_log(&*store, &Source::EventLog("shopping-cart".into()), 1000).await;
    assert_eq!(newest.iter().map(|entry| entry.position).collect::<Vec<_>>(), [1002]);

    let shell = Connection::open(&path).unwrap();
    assert_eq!(rows(&shell, "PRAGMA integrity_check"), ["ok"]);
    let documented = "SELECT DISTINCT persistence_id, position / 256 FROM journal ORDER BY 1, 2";
    assert_eq!(rows(&shell, "SELECT * FROM event_block ORDER BY 1, 2"), rows(&shell, documented));
}

#[tokio::test]
async fn a_gap_in_a_history_is_damage() {
    let folder = TempDir::new().unwrap();
    let path = a_store(&folder).await;
    let shell = Connection::open(&path).unwrap();
    shell.execute("DELETE FROM event WHERE sequence = 3", []).unwrap();
    drop(shell);
    let error = open_file(&path).await.events(&cart("c7"), 0).await.unwrap_err();
    assert!(error.is_corrupt(), "{error}");
    assert!(error.to_string().contains("after event 2 of entity \"c7\""), "{error}");
}

/// What the schema lets in but our rules do not: each is damage to whoever reads it, and makes the store unready.
#[tokio::test]
async fn what_breaks_the_rules_is_damage() {
    let consumer = Consumer { group: "g".into(), source: Source::Topic("t".into()) };
    for (broken, what) in [
        ("DELETE FROM entity", "event log"),
        ("DELETE FROM payload_type", "value"),
        ("DELETE FROM payload_type", "crdt"),
        ("DELETE FROM payload_type", "topic"),
        ("UPDATE message SET metadata = x'ff'", "topic"),
        ("UPDATE message SET stored_at = -1", "topic"),
        ("UPDATE message SET subject = CAST(x'ff' AS TEXT)", "topic"),
        ("UPDATE dead_letter SET attempts = 1 << 40", "dead letters"),
        ("UPDATE dead_letter SET metadata = x'0a'", "dead letters"),
        ("DELETE FROM consumer", "dead letters"),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        let store = open_file(&path).await;
        store.append(append(&cart("c1"), 0, ["a"])).await.unwrap();
        store.write(vec![message("t", "s", "a", metadata(&[]))]).await.unwrap();
        let entry = store.log(&consumer.source, 0).await.unwrap().remove(0);
        let letter = DeadLetter { consumer: consumer.clone(), entry, attempts: 1, error: String::new() };
        let changes = vec![
            Change::Value { entity: cart("c1"), state: Some(payload("v")) },
            Change::Crdt { entity: cart("c1"), state: Some(payload("c")) },
            Change::DeadLetter(letter),
        ];
        store.write(changes).await.unwrap();
        store.check().await.unwrap();

        let shell = Connection::open(&path).unwrap();
        shell.execute_batch(&format!("PRAGMA foreign_keys = OFF; {broken}")).unwrap();
        let error = match what {
            "event log" => store.log(&Source::EventLog("shopping-cart".into()), 0).await.unwrap_err(),
            "topic" => store.log(&consumer.source, 0).await.unwrap_err(),
            "value" => store.value(&cart("c1")).await.unwrap_err(),
            "crdt" => store.crdt(&cart("c1")).await.unwrap_err(),
            _ => store.dead_letters(0).await.unwrap_err(),
        };
        assert!(error.is_corrupt(), "{broken}: {error}");
        assert!(store.check().await.unwrap_err().is_corrupt(), "{broken}");
    }
}

/// A person with a SQLite shell is a second writer that no lock file stops.
#[tokio::test]
async fn what_a_shell_writes_is_seen_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = open_file(&path).await;
    store.append(append(&cart("c1"), 0, ["a"])).await.unwrap();

    let shell = Connection::open(&path).unwrap();
    shell
        .execute(
            "INSERT INTO event (entity, sequence, stored_at, payload_type, payload)
             SELECT entity, sequence + 1, stored_at, payload_type, CAST('shell' AS BLOB) FROM event",
            [],
        )
        .unwrap();
    let error = store.append(append(&cart("c1"), 1, ["b"])).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert_eq!(store.append(append(&cart("c1"), 2, ["b"])).await.unwrap(), 3);
    assert_eq!(read(&*store, &cart("c1")).await, [event(1, "a"), event(2, "shell"), event(3, "b")]);
}

/// `rm -rf` on a running store: nothing is acknowledged that nobody will find again.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_taken_away_accepts_nothing_until_it_is_back() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let away = folder.path().join("away.db");
    let store = open_file(&path).await;
    store.append(append(&cart("c1"), 0, ["a"])).await.unwrap();

    fs::rename(&path, &away).unwrap();
    for replaced in [false, true] {
        if replaced {
            fs::copy(&away, &path).unwrap();
        }
        for error in
            [store.append(append(&cart("c1"), 1, ["b"])).await.unwrap_err(), store.check().await.unwrap_err()]
        {
            assert!(error.is_unavailable(), "{error}");
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains("store.db was removed or replaced"), "{source}");
        }
    }
    fs::rename(&away, &path).unwrap();
    store.check().await.unwrap();
    assert_eq!(store.append(append(&cart("c1"), 1, ["b"])).await.unwrap(), 2);
    assert_eq!(store.counters().failed_commits, 2);
}

/// What is accepted before a close is finished by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_was_accepted() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = open_file(&path).await;
    let appends = (0..200).map(|n| tokio::spawn(store.append(append(&cart(&format!("c{n}")), 0, ["a"]))));
    let appends: Vec<_> = appends.collect();
    tokio::task::yield_now().await;
    store.close().await;

    let store = open_file(&path).await;
    for (n, append) in appends.into_iter().enumerate() {
        let stored = read(&*store, &cart(&format!("c{n}"))).await;
        match append.await.unwrap() {
            Ok(sequence) => assert_eq!((sequence, stored), (1, vec![event(1, "a")])),
            Err(error) => assert!(error.is_closed() && stored.is_empty(), "{error}"),
        }
    }
}

/// Every query of `docs/storage-format.md`, the rules it states, and its backup, on a store in use.
#[tokio::test]
async fn the_format_is_as_documented() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let store = open_file(&path).await;
    for (entity, expected, text) in [("u1", 0, "a"), ("u2", 0, "b"), ("u1", 1, "c")] {
        let mut append = append(&cart(entity), expected, [text]);
        append.snapshot = Some(payload(&format!("after {text}")));
        store.append(append).await.unwrap();
    }

    let consumer = Consumer { group: "g".into(), source: Source::EventLog("shopping-cart".into()) };
    let entry = store.log(&consumer.source, 0).await.unwrap().remove(0);
    let letter = DeadLetter { consumer: consumer.clone(), entry, attempts: 3, error: "no".to_owned() };
    let value = EntityKey { persistence_id: "carts".into(), entity_id: "u1".into() };
    let presence = |id: &str| EntityKey { persistence_id: "presence".into(), entity_id: id.into() };
    store
        .write(vec![
            Change::Value { entity: value, state: Some(payload("v")) },
            Change::Crdt { entity: presence("p1"), state: Some(payload("p")) },
            Change::Crdt { entity: presence("p2"), state: None },
            message("t", "s", "m", metadata(&[("k", "v")])),
            Change::Offset { consumer, position: 2 },
            Change::DeadLetter(letter),
        ])
        .await
        .unwrap();

    let shell = Connection::open(&path).unwrap();
    let documented: Vec<&str> = include_str!("../../docs/storage-format.md")
        .split("sqlite3 -readonly store.db \"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let answers: Vec<usize> =
        documented.iter().map(|sql| rows(&shell, sql.split(';').next().unwrap()).len()).collect();
    assert_eq!(answers, [2, 1, 2, 0, 0, 1, 2, 1, 1, 1, 0], "rows of each documented query");

    assert_eq!(
        rows(&shell, "SELECT *, CAST(payload AS TEXT) FROM (SELECT * FROM journal ORDER BY position)"),
        [
            "1|shopping-cart|u1|1|TIME|example.com/Text|61|a",
            "2|shopping-cart|u2|1|TIME|example.com/Text|62|b",
            "3|shopping-cart|u1|2|TIME|example.com/Text|63|c"
        ]
    );
    assert_eq!(
        rows(&shell, "SELECT *, CAST(payload AS TEXT) FROM (SELECT * FROM snapshots ORDER BY entity_id)"),
        [
            "shopping-cart|u1|2|TIME|example.com/Text|61667465722063|after c",
            "shopping-cart|u2|1|TIME|example.com/Text|61667465722062|after b"
        ]
    );
    for (view, expected) in [
        ("value_entities", ["carts|u1|TIME|example.com/Text|76"].as_slice()),
        ("crdts", &["presence|p1|TIME|example.com/Text|70", "presence|p2|TIME||"]),
        ("messages", &["1|t|s|TIME|example.com/Text|6d|0a060a016b120176"]),
        ("consumer", &["1|event_log|shopping-cart|g|2|TIME"]),
        ("dead_letters", &["1|event_log|shopping-cart|g|TIME|3|no|1|u1|1|TIME|example.com/Text|61|"]),
        ("event_block", &["shopping-cart|0"]),
    ] {
        assert_eq!(rows(&shell, &format!("SELECT * FROM {view}")), expected, "{view}");
    }
    for (pragma, value) in [
        ("application_id", "1129534292"),
        ("user_version", "2"),
        ("page_size", "4096"),
        ("journal_mode", "wal"),
        ("encoding", "UTF-8"),
        ("integrity_check", "ok"),
    ] {
        assert_eq!(rows(&shell, &format!("PRAGMA {pragma}")), [value], "{pragma}");
    }
    assert_eq!(rows(&shell, "PRAGMA foreign_key_check"), [""; 0]);

    let backup = folder.path().join("backup.db");
    shell.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    let restored = open_file(&backup).await;
    assert_eq!(read(&*restored, &cart("u1")).await, [event(1, "a"), event(2, "c")]);
    assert_eq!(restored.append(append(&cart("u1"), 2, ["d"])).await.unwrap(), 3);
}

/// Each row as text, its columns joined; a time of the last minutes is `TIME`.
fn rows(shell: &Connection, sql: &str) -> Vec<String> {
    let mut statement = shell.prepare(sql).unwrap();
    let columns = statement.column_count();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let text = |value: ValueRef<'_>| match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(time) if (now - 600_000..=now).contains(&time) => "TIME".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let rows = statement.query_map([], |row| {
        let values = (0..columns).map(|column| row.get_ref(column).map(text));
        Ok(values.collect::<Result<Vec<_>, _>>()?.join("|"))
    });
    rows.unwrap().map(Result::unwrap).collect()
}
