//! A user function that goes away and comes back.

use std::net::SocketAddr;

use tonic::Code;

use crate::{
    hosted::{host, host_with, metric, ready, settings},
    user_function::{Setup, UserFunction, With, reply},
};

fn counting(address: Option<SocketAddr>) -> UserFunction {
    let mut function = UserFunction::start(Setup { address, ..Setup::default() });
    function.serve(|entity, command| {
        let text = entity.history.len().to_string();
        reply(command.id, &text).with_events(["e"])
    });
    function
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_fail_meanwhile_and_work_again_afterwards() {
    let function = counting(None);
    let (proxy, client) = host(&function).await;
    assert_eq!(client.act("e1", "").await.reply(), "0");
    let address = function.kill();
    let text = ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;
    assert!(text.contains("the user function is not reachable"), "{text}");

    for id in ["e1", "e2"] {
        let answer = client.act(id, "").await;
        assert_eq!(answer.code, Code::Unavailable, "{}", answer.text);
        assert!(answer.text.contains("not reachable"), "{}", answer.text);
    }
    let page = client.get("/things/e1").await;
    assert_eq!(page.status, 503);

    let _function = counting(Some(address));
    ready(&proxy, "the function to be back", |status, _| status == 200).await;
    assert_eq!(client.act("e1", "").await.reply(), "1");
    assert_eq!(client.act("e2", "").await.reply(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_in_flight_fail_at_once() {
    let mut function = UserFunction::new();
    let (proxy, client) = host(&function).await;
    let act = || {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    let outstanding = act();
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    let queued = act();
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 2).await;
    let address = function.kill();
    assert_eq!(outstanding.await.unwrap().failure(), (Code::Unavailable, "Unexpected entity termination"));
    assert_eq!(queued.await.unwrap().failure(), (Code::Unavailable, "Entity terminated"));

    let _function = counting(Some(address));
    ready(&proxy, "the function to be back", |status, _| status == 200).await;
    assert_eq!(act().await.unwrap().reply(), "0");
}

/// Something that accepts connections and closes them, as a load balancer without a backend does, must not make
/// the proxy spin.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_closes_every_connection_is_tried_with_pauses() {
    let function = counting(None);
    let mut settings = settings(function.address);
    settings.backoff_min = std::time::Duration::from_millis(100);
    let (proxy, _client) = host_with(settings).await;
    let address = function.kill();
    ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let started = std::time::Instant::now();
    const CONNECTIONS: u32 = 10;
    for _ in 0..CONNECTIONS {
        drop(crate::user_function::soon("a connection", listener.accept()).await.unwrap());
    }
    assert!(started.elapsed() >= std::time::Duration::from_millis(100) * (CONNECTIONS - 2));
}
