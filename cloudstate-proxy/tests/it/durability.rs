//! What a client was told is on disk, and comes back.

use cloudstate_proxy::storage::StoreUrl;
use rusqlite::{Connection, OpenFlags};

use crate::{
    hosted::{host_with, settings},
    user_function::{UserFunction, With, reply},
};

/// Counts the events with a connection of its own, at the moment in which the client has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_reply_comes_when_the_events_are_durable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut function = UserFunction::new();
    function.serve(|_, command| reply(command.id, "").with_events(["one", "two"]));
    let mut settings = settings(function.address);
    settings.store = StoreUrl::Sqlite(path.clone());
    let (proxy, client) = host_with(settings).await;
    let reader = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let events = || -> i64 {
        let count = "SELECT count(*) FROM journal WHERE persistence_id = 'test.things' AND entity_id = 'e1'";
        reader.query_row(count, [], |row| row.get(0)).unwrap()
    };
    for calls in 1..=5 {
        client.act("e1", "").await.reply();
        assert_eq!(events(), 2 * calls);
    }
    proxy.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_starts_again_finds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut function = UserFunction::new();
    function.serve(|entity, command| {
        let event = format!("event {}", entity.history.len());
        let reply = reply(command.id, &entity.history.join(","));
        let with_snapshot = entity.history.len() == 2;
        let reply = reply.with_events([&*event]);
        if with_snapshot { reply.with_snapshot("three events") } else { reply }
    });
    let mut settings = settings(function.address);
    settings.store = StoreUrl::Sqlite(folder.path().join("store.db"));
    let expected = ["", "event 0", "event 0,event 1", "three events", "three events,event 1"];
    for expected in expected {
        let (proxy, client) = host_with(settings.clone()).await;
        assert_eq!(client.act("e1", "").await.reply(), expected);
        drop(client);
        proxy.shutdown().await;
    }
}
