use std::{task, thread};

use cloudstate_proto::{Any, Metadata};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    super::{log, schema},
    queue::QUEUED_BYTES,
    *,
};
use crate::storage::{Append, BoxFuture, Change, Counters, EntityKey, Source};

/// Appends are queued before the committer runs, so what shares a commit is known.
struct Scene {
    folder: TempDir,
    queue: Arc<CommitQueue>,
    committer: Committer,
    appends: Vec<BoxFuture<Result<u64, StoreError>>>,
    grown: watch::Receiver<u64>,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        schema::create_if_missing(&path).unwrap();
        let place = Place::of(&path).unwrap();
        let (growth, grown) = watch::channel(0);
        let writer = schema::open_writer(&path).unwrap();
        let (queue, committer) = Committer::new(writer, place, growth, Arc::default());
        Self { folder, queue, committer, appends: Vec::new(), grown }
    }

    fn queue(&mut self, append: Append) {
        self.wait_for(self.queue.clone().append(append));
    }

    fn queue_write(&mut self, changes: Vec<Change>) {
        let write = self.queue.clone().write(changes);
        self.wait_for(async { write.await.map(|()| 0) });
    }

    fn wait_for(&mut self, stored: impl Future<Output = Result<u64, StoreError>> + Send + 'static) {
        // Without tokio's budget, which would make one task that polls this much wait.
        let mut append: BoxFuture<_> = Box::pin(tokio::task::unconstrained(stored));
        let polled = append.as_mut().poll(&mut task::Context::from_waker(task::Waker::noop()));
        assert!(polled.is_pending(), "nobody commits yet");
        self.appends.push(append);
    }

    /// Lets the committer work until all is done.
    async fn run(self) -> (Vec<Result<u64, StoreError>>, Counters) {
        let Self { folder: _folder, queue, committer, appends, .. } = self;
        let thread = thread::spawn(move || committer.run());
        let mut results = Vec::new();
        for append in appends {
            results.push(append.await);
        }
        let counters = queue.counters();
        queue.close().await;
        thread.join().unwrap();
        (results, counters)
    }
}

fn append(entity: &str, expected: u64, bytes: usize) -> Append {
    Append {
        entity: EntityKey { persistence_id: "cart".into(), entity_id: entity.into() },
        expected,
        events: vec![Any { type_url: "t".to_owned(), value: vec![7; bytes].into() }],
        snapshot: None,
    }
}

#[tokio::test]
async fn all_that_waits_shares_one_commit_and_a_conflict_fails_alone() {
    let mut scene = Scene::new();
    for n in 0..100 {
        scene.queue(append(&format!("c{n}"), if n == 50 { 1 } else { 0 }, 10));
    }
    // The second of one entity finds what the first wrote.
    scene.queue(append("c7", 1, 10));
    assert_eq!(scene.queue.counters().queued, 101);

    let (results, counters) = scene.run().await;
    for (n, result) in results.into_iter().enumerate() {
        match n {
            50 => assert!(result.unwrap_err().is_conflict()),
            100 => assert_eq!(result.unwrap(), 2),
            _ => assert_eq!(result.unwrap(), 1),
        }
    }
    let expected = Counters { commits: 1, appends: 100, events: 100, conflicts: 1, ..Counters::default() };
    assert_eq!(counters, expected);
}

#[tokio::test]
async fn writes_take_their_place_among_appends() {
    let mut scene = Scene::new();
    let grown = scene.grown.clone();
    let message = |text: &'static str| Change::Message {
        topic: "t".into(),
        subject: "".into(),
        payload: Any { type_url: "t".to_owned(), value: text.into() },
        metadata: Metadata::default(),
    };
    scene.queue_write(vec![message("1"), message("2")]);
    scene.queue(append("c1", 1, 10));
    scene.queue(append("c1", 0, 10));
    scene.queue_write(vec![message("3"), Change::TrimTopic { topic: "t".into(), through: 1 }]);
    scene.queue(append("c1", 1, 10));
    let path = scene.folder.path().join("store.db");
    let reader = schema::open_reader(&path).unwrap();

    let Scene { folder: _folder, queue, committer, appends, .. } = scene;
    let thread = thread::spawn(move || committer.run());
    let mut results = Vec::new();
    for append in appends {
        results.push(append.await);
    }
    assert!(results.remove(1).unwrap_err().is_conflict());
    assert_eq!(results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 0, 2]);
    let expected =
        Counters { commits: 1, appends: 2, events: 2, conflicts: 1, writes: 2, ..Counters::default() };
    assert_eq!(queue.counters(), expected);
    assert_eq!(*grown.borrow(), 1, "once for all");
    let left = log::log(&reader, &Source::Topic("t".into()), 0).unwrap();
    assert_eq!(left.iter().map(|entry| &*entry.payload.value).collect::<Vec<_>>(), [b"2", b"3"]);
    queue.close().await;
    thread.join().unwrap();
}

#[tokio::test]
async fn whoever_appends_to_a_full_queue_waits() {
    let mut scene = Scene::new();
    for n in 0..QUEUED_WORK + 200 {
        scene.queue(append(&format!("c{n}"), 0, 1));
    }
    assert_eq!(scene.queue.counters().queued, QUEUED_WORK);
    let (results, counters) = scene.run().await;
    assert!(results.iter().all(Result::is_ok));
    assert!(counters.commits >= 2 && counters.appends as usize == QUEUED_WORK + 200, "{counters:?}");
}

#[tokio::test]
async fn the_queue_is_bounded_in_bytes_too() {
    let mut scene = Scene::new();
    for n in 0..5 {
        scene.queue(append(&format!("c{n}"), 0, QUEUED_BYTES / 3));
    }
    assert_eq!(scene.queue.counters().queued, 2);
    let (results, _) = scene.run().await;
    assert!(results.iter().all(Result::is_ok));
}

/// A file that may not grow stands for a full disk. A table of ballast makes room when it is dropped.
#[tokio::test]
async fn a_full_disk_fails_what_does_not_fit_until_there_is_room() {
    let scene = Scene::new();
    let Scene { folder, queue, committer, .. } = scene;
    let writer = &committer.connection;
    writer.execute_batch("CREATE TABLE ballast AS SELECT zeroblob(1000000) AS weight").unwrap();
    let pages: i64 = writer.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    writer.pragma_update_and_check(None, "max_page_count", pages + 4, |row| row.get::<_, i64>(0)).unwrap();
    let thread = thread::spawn(move || committer.run());
    let store = |entity: &str, expected, bytes| queue.clone().append(append(entity, expected, bytes));

    assert_eq!(store("c1", 0, 100).await.unwrap(), 1);
    let error = store("c2", 0, 100_000).await.unwrap_err();
    assert!(error.is_full() && error.is_unavailable(), "{error}");
    assert!(error.to_string().contains("no room left"), "{error}");
    assert_eq!(store("c1", 1, 100).await.unwrap(), 2, "what fits still goes in");
    assert!(store("c2", 0, 100_000).await.unwrap_err().is_full());
    queue.clone().check().await.unwrap();
    let value = |id: &str, bytes| Change::Value {
        entity: EntityKey { persistence_id: "value".into(), entity_id: id.into() },
        state: Some(Any { type_url: "v".to_owned(), value: vec![7; bytes].into() }),
    };
    let write = queue.clone().write(vec![value("small", 10), value("large", 100_000)]);
    assert!(write.await.unwrap_err().is_full());
    queue.clone().write(vec![value("other", 10), value("small", 10)]).await.unwrap();

    let shell = Connection::open(folder.path().join("store.db")).unwrap();
    let values: String = shell
        .query_row("SELECT group_concat(entity_id || type_url) FROM value_entities", [], |row| row.get(0))
        .unwrap();
    assert_eq!(values, "otherv,smallv", "by their own names: what the failed write numbered is forgotten");
    shell.execute_batch("DROP TABLE ballast").unwrap();
    assert_eq!(store("c2", 0, 100_000).await.unwrap(), 1);
    let stored: String = shell
        .query_row("SELECT group_concat(entity_id || sequence) FROM journal", [], |row| row.get(0))
        .unwrap();
    assert_eq!(stored, "c11,c12,c21", "what failed left nothing behind");
    let counters = queue.counters();
    assert_eq!((counters.failed_commits, counters.appends, counters.writes), (3, 3, 1));
    queue.close().await;
    thread.join().unwrap();
}
