//! Stopping while entities are live.

use std::time::{Duration, Instant};

use cloudstate_sdk::CloudState;

use crate::model::{MODEL, Model, emit, request};
use crate::proxy::{Entity, PATIENCE, UserFunction, within};

#[tokio::test]
async fn streams_end_well_at_a_command_boundary() {
    let mut function = UserFunction::start(CloudState::new().register::<Model>()).await;
    let mut client = function.entities().await;
    let mut entities = Vec::new();
    for id in ["a", "b", "c"] {
        let mut entity = Entity::open(&mut client).await;
        entity.init(MODEL, id, None);
        entity.command(1, "Process", request(id, [emit("A")]));
        entity.reply().await;
        entities.push(entity);
    }
    function.begin_shutdown();
    for entity in &mut entities {
        entity.expect_end().await;
    }
    within(function.stopped()).await;
}

#[tokio::test]
async fn a_command_that_was_sent_before_is_answered() {
    let mut function = UserFunction::start(CloudState::new().register::<Model>()).await;
    let mut entity = function.entity(MODEL, "id").await;
    for id in 1..=50 {
        entity.command(id, "Process", request("id", [emit("A")]));
    }
    assert_eq!(entity.reply().await.command_id, 1);
    function.begin_shutdown();
    // Whatever is answered is answered in order and whole, and then the stream ends well.
    let mut last = 1;
    while let Some(out) = entity.next().await.unwrap() {
        let Some(cloudstate_proto::eventsourced::event_sourced_stream_out::Message::Reply(reply)) =
            out.message
        else {
            panic!("expected a reply, got {out:?}");
        };
        last += 1;
        assert_eq!((reply.command_id, reply.events.len()), (last, 1));
    }
    within(function.stopped()).await;
}

#[tokio::test]
async fn a_new_stream_is_not_taken_any_more() {
    let mut function = UserFunction::start(CloudState::new().register::<Model>()).await;
    let address = function.address;
    function.begin_shutdown();
    within(function.stopped()).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_dropped_after_the_grace() {
    let grace = Duration::from_millis(200);
    let mut function = UserFunction::start(CloudState::new().register::<Model>().shutdown_grace(grace)).await;
    let mut entity = function.entity(MODEL, "id").await;
    // Replies that nobody reads, larger than the windows of stream and connection.
    entity.command(1, "Process", request("id", [emit(&"x".repeat(1 << 20))]));
    for id in 2..=20 {
        entity.command(id, "Process", request("id", []));
    }
    entity.reply().await;
    let begun = Instant::now();
    function.begin_shutdown();
    within(function.stopped()).await;
    assert!(begun.elapsed() >= grace && begun.elapsed() < PATIENCE);
}
