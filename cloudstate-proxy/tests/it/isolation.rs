//! Many entities at once: never mixed, and never more streams on a connection than a server allows.

use std::collections::HashMap;

use cloudstate_proto::eventsourced::event_sourced_stream_in::Message as In;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use prost::Message as _;

use crate::{
    client::Client,
    contract::Request,
    hosted::{host, host_with, metric, serving, settings},
    user_function::{Setup, UserFunction, With, reply},
};

/// Each entity answers with its own id and the number of its own events.
#[tokio::test(flavor = "multi_thread")]
async fn interleaved_entities_are_never_mixed() {
    const ENTITIES: usize = 50;
    const ROUNDS: usize = 20;
    let mut function = UserFunction::new();
    function.serve(|entity, command| {
        let request = Request::decode(command.payload.unwrap().value).unwrap();
        assert_eq!((&request.id, &command.entity_id), (&entity.id, &entity.id));
        assert!(entity.history.iter().all(|event| event.starts_with(&format!("{} ", entity.id))));
        let text = format!("{} {}", entity.id, entity.history.len());
        reply(command.id, &text).with_events([&*text])
    });
    let (_proxy, client) = host(&function).await;
    let rounds = (0..ENTITIES).map(|entity| {
        let client = client.clone();
        async move {
            for round in 0..ROUNDS {
                let id = format!("entity-{entity}");
                assert_eq!(client.act(&id, "").await.reply(), format!("{id} {round}"));
            }
        }
    });
    join_all(rounds).await;
}

/// The same id in two services is two entities.
#[tokio::test(flavor = "multi_thread")]
async fn services_have_entities_of_their_own() {
    let mut function = UserFunction::new();
    function.serve(|entity, command| {
        let text = entity.history.len().to_string();
        reply(command.id, &text).with_events(["e"])
    });
    let (_proxy, client) = host(&function).await;
    assert_eq!(client.call("test.Things/Do", "e1", "").await.reply(), "0");
    assert_eq!(client.call("test.Things/Get", "e1", "").await.reply(), "1");
    assert_eq!(client.call("test.Others/Do", "e1", "").await.reply(), "0");
}

/// A server may allow as few as 100 streams a connection. All entities are held open at once, each with a command
/// outstanding, so a proxy that waited for a free stream would never get here.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_entities_fit_a_server_with_a_hundred_streams_a_connection() {
    hold_open(1_000, 100).await;
}

/// One that allows less says so, and gets less.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_ten_streams_a_connection_gets_ten() {
    hold_open(205, 10).await;
}

async fn hold_open(entities: usize, streams_a_connection: u32) {
    let setup = Setup { max_concurrent_streams: Some(streams_a_connection), ..Setup::default() };
    let mut function = UserFunction::start(setup);
    let (proxy, _) = host(&function).await;
    let listen = serving(&proxy).await.listen;
    // The proxy itself takes 256 calls a connection.
    let mut clients = Vec::new();
    for _ in 0..entities / 200 {
        clients.push(Client::connect(listen).await);
    }
    let mut calls: FuturesUnordered<_> = (0..entities)
        .map(|entity| {
            let client = clients[entity % clients.len()].clone();
            tokio::spawn(async move { (entity, client.act(&format!("e{entity}"), "").await.reply()) })
        })
        .collect();

    let mut streams = Vec::new();
    let mut on_connection = HashMap::new();
    for _ in 0..entities {
        let (mut stream, init) = function.activation().await;
        stream.command().await;
        *on_connection.entry(stream.connection).or_insert(0) += 1;
        streams.push((stream, init.entity_id));
    }
    let most = streams_a_connection as usize;
    assert!(on_connection.values().all(|streams| *streams <= most), "{on_connection:?}");
    assert_eq!(on_connection.len(), entities.div_ceil(most), "{on_connection:?}");

    for (stream, entity_id) in &streams {
        stream.reply(1, entity_id);
    }
    while let Some(call) = calls.next().await {
        let (entity, reply) = call.unwrap();
        assert_eq!(reply, format!("e{entity}"));
    }
    assert!(streams.iter_mut().all(|(stream, _)| stream.is_quiet()));
}

/// Beyond the last connection entities wait for one that leaves.
#[tokio::test(flavor = "multi_thread")]
async fn who_finds_all_connections_full_waits_for_a_place() {
    let setup = Setup { max_concurrent_streams: Some(1), ..Setup::default() };
    let mut function = UserFunction::start(setup);
    let mut settings = settings(function.address);
    settings.max_connections = 2;
    let (proxy, client) = host_with(settings).await;
    let act = |id: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.act(id, "").await })
    };
    let first = act("e1");
    let (mut stream, _) = function.activation().await;
    stream.answer("first").await;
    assert_eq!(first.await.unwrap().reply(), "first");
    let second = act("e2");
    let (mut other, _) = function.activation().await;
    other.command().await;
    let third = act("e3");
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 3).await;
    assert!(function.streams.try_recv().is_err(), "more connections than allowed");
    // The first one leaves its place.
    drop(stream);
    let (mut stream, init) = function.activation().await;
    assert_eq!(init.entity_id, "e3");
    stream.answer("third").await;
    assert_eq!(third.await.unwrap().reply(), "third");
    other.reply(1, "second");
    assert_eq!(second.await.unwrap().reply(), "second");
}

/// A stream that ended leaves its place to another one.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let mut connections = std::collections::HashSet::new();
    for entity in 0..250 {
        let client = client.clone();
        let call = tokio::spawn(async move { client.act(&format!("e{entity}"), "").await });
        let mut stream = function.stream().await;
        assert!(matches!(stream.next().await, Some(In::Init(_))));
        stream.answer("").await;
        call.await.unwrap().reply();
        connections.insert(stream.connection);
    }
    assert!(connections.len() <= 2, "{connections:?}");
}
