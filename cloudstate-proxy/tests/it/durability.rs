//! What a client was told is on disk, and comes back.

use cloudstate_proxy::storage::StoreUrl;
use rusqlite::{Connection, OpenFlags};
use tonic::Code;

use crate::{
    contract::passivated_after,
    hosted::{host_with, metric, settings},
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

/// Somebody took an event out of the store: a history with a gap is not replayed, and nobody else suffers.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_history_fails_its_entity_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut function = UserFunction::with_spec(passivated_after(1));
    function.serve(|entity, command| {
        reply(command.id, &entity.history.len().to_string()).with_events(["one", "two"])
    });
    let mut settings = settings(function.address);
    settings.store = StoreUrl::Sqlite(path.clone());
    let (proxy, client) = host_with(settings).await;
    for (passivated, id) in [(1, "damaged"), (2, "whole")] {
        assert_eq!(client.act(id, "").await.reply(), "0");
        let line = r#"eventsourced_passivated_entities_total{entity_name="test.things"}"#;
        metric(&proxy, line, passivated).await;
    }
    let damage = "DELETE FROM event WHERE sequence = 1
                  AND entity = (SELECT id FROM entity WHERE entity_id = 'damaged')";
    assert_eq!(Connection::open(&path).unwrap().execute(damage, []).unwrap(), 1);

    let answer = client.act("damaged", "").await;
    assert_eq!(answer.code, Code::Unavailable, "{}", answer.text);
    assert!(answer.text.contains("Error recovering event log: "), "{}", answer.text);
    assert!(answer.text.starts_with("test.Things/Do, entity \"damaged\": "), "{}", answer.text);
    assert_eq!(client.act("whole", "").await.reply(), "2");
}

/// Somebody else wrote to the entity: the command fails, the entity is read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_fails_its_command_and_the_entity_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut function = UserFunction::new();
    function.serve(|entity, command| reply(command.id, &entity.history.join(",")).with_events(["ours"]));
    let mut settings = settings(function.address);
    settings.store = StoreUrl::Sqlite(path.clone());
    let (_proxy, client) = host_with(settings).await;
    client.act("e1", "").await.reply();
    let intrusion = "INSERT INTO event (entity, sequence, stored_at, payload_type, payload)
                     SELECT entity, 2, stored_at, payload_type, CAST('theirs' AS BLOB) FROM event";
    assert_eq!(Connection::open(&path).unwrap().execute(intrusion, []).unwrap(), 1);

    let answer = client.act("e1", "").await;
    assert_ne!(answer.code, Code::Ok);
    let text = "test.Things/Do, entity \"e1\": the events of this command could not be stored: ";
    assert!(answer.text.starts_with(text), "{}", answer.text);
    assert_eq!(client.act("e1", "").await.reply(), "ours,theirs");
}

/// More than a store accepts; see `storage::MAX_TYPE_URL_BYTES`.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_stored_fails_its_command_and_is_reported() {
    let mut function = UserFunction::new();
    function.serve(|entity, command| {
        let mut reply = reply(command.id, &entity.history.join(",")).with_events(["event"]);
        if command.name == "Get" {
            reply.events[0].type_url = "x".repeat(5_000);
        }
        reply
    });
    let (_proxy, client) = host_with(settings(function.address)).await;
    client.act("e1", "").await.reply();
    let answer = client.call("test.Things/Get", "e1", "").await;
    assert_eq!(answer.code, Code::Internal, "{}", answer.text);
    assert!(answer.text.contains("type URL"), "{}", answer.text);
    let report = function.report().await;
    assert!(report.contains("type URL") && report.contains("entity e1"), "{report}");
    assert_eq!(client.act("e1", "").await.reply(), "event");
}
