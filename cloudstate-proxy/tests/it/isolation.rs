//! Many entities at once: never mixed, and never more streams on a connection than a server allows.

use std::collections::HashMap;

use cloudstate_proto::eventsourced::event_sourced_stream_in::Message as In;
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use prost::Message as _;

use crate::{
    client::Client,
    contract::Request,
    hosted::{host, serving},
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
    const ENTITIES: usize = 1_000;
    let setup = Setup { max_concurrent_streams: Some(100), ..Setup::default() };
    let mut function = UserFunction::start(setup);
    let (proxy, _) = host(&function).await;
    let listen = serving(&proxy).await.listen;
    // The proxy itself takes 256 calls a connection.
    let mut clients = Vec::new();
    for _ in 0..ENTITIES / 200 {
        clients.push(Client::connect(listen).await);
    }
    let mut calls: FuturesUnordered<_> = (0..ENTITIES)
        .map(|entity| {
            let client = clients[entity % clients.len()].clone();
            tokio::spawn(async move { (entity, client.act(&format!("e{entity}"), "").await.reply()) })
        })
        .collect();

    let mut streams = Vec::new();
    let mut on_connection = HashMap::new();
    for _ in 0..ENTITIES {
        let (mut stream, init) = function.activation().await;
        stream.command().await;
        *on_connection.entry(stream.connection).or_insert(0) += 1;
        streams.push((stream, init.entity_id));
    }
    assert!(on_connection.values().all(|streams| *streams <= 100), "{on_connection:?}");
    assert_eq!(on_connection.len(), ENTITIES / 100, "{on_connection:?}");

    for (stream, entity_id) in &streams {
        stream.reply(1, entity_id);
    }
    while let Some(call) = calls.next().await {
        let (entity, reply) = call.unwrap();
        assert_eq!(reply, format!("e{entity}"));
    }
    assert!(streams.iter_mut().all(|(stream, _)| stream.is_quiet()));
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
