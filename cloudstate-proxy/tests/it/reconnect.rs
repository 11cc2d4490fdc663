//! A user function that goes away and comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tonic::Code;

use crate::{
    address::Address,
    hosted::{host, host_with, metric, ready, settings},
    user_function::{Out, Setup, UserFunction, With, reply, soon},
    waiting::until,
};

fn counting(address: Option<Address>) -> UserFunction {
    let mut function = UserFunction::start(Setup { address, ..Setup::default() });
    function.serve(|entity, command| {
        let text = entity.history.len().to_string();
        reply(command.id, &text).with_events(["e"])
    });
    function
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_wait_meanwhile() {
    let function = counting(None);
    let (proxy, client) = host(&function).await;
    assert_eq!(client.act("e1", "").await.reply(), "0");
    let address = function.kill();
    let text = ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;
    assert!(text.contains("the user function is not reachable"), "{text}");

    let calls = ["e1", "e2"].map(|id| {
        let client = client.clone();
        tokio::spawn(async move { client.act(id, "").await })
    });
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 3).await;
    let _function = counting(Some(address));
    let [first, second] = calls;
    assert_eq!(first.await.unwrap().reply(), "1");
    assert_eq!(second.await.unwrap().reply(), "0");
    ready(&proxy, "the function to be back", |status, _| status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_vain_learns_why() {
    let function = counting(None);
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_millis(300);
    let (proxy, client) = host_with(settings).await;
    let _address = function.kill();
    ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;
    for id in ["e1", "e2"] {
        let answer = client.act(id, "").await;
        assert_eq!(answer.code, Code::Unavailable, "{}", answer.text);
        assert!(answer.text.contains("the user function is not reachable"), "{}", answer.text);
    }
    assert_eq!(client.get("/things/e1").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_in_flight_go_to_the_next_process() {
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
    let mut next = UserFunction::start(Setup { address: Some(address), ..Setup::default() });
    let (mut stream, _) = next.activation().await;
    assert_eq!(stream.answer("first").await.id, 1);
    assert_eq!(stream.answer("second").await.id, 2);
    assert_eq!(outstanding.await.unwrap().reply(), "first");
    assert_eq!(queued.await.unwrap().reply(), "second");
    assert!(next.reports.try_recv().is_err());
    metric(&proxy, r#"eventsourced_failed_entities_total{entity_name="test.things"}"#, 0).await;
}

/// It may be the command itself that no process survives.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_sent_four_times_at_most() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let call = tokio::spawn(async move { client.act("e1", "").await });
    for _time in 0..4 {
        let (mut stream, _) = function.activation().await;
        stream.command().await;
        let address = function.kill();
        function = UserFunction::start(Setup { address: Some(address), ..Setup::default() });
    }
    assert_eq!(call.await.unwrap().failure(), (Code::Unavailable, "Unexpected entity termination"));
    assert!(function.streams.try_recv().is_err(), "sent once more");
}

/// Processes come and go under load, killed or asked to stop; nobody notices.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_replaced_under_load_without_a_failed_command() {
    const ENTITIES: usize = 20;
    const CALLS: usize = 40;
    const REPLACEMENTS: usize = 4;
    let mut function = counting(None);
    let (_proxy, client) = host(&function).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let clients = (0..ENTITIES).map(|entity| {
        let (client, answered) = (client.clone(), Arc::clone(&answered));
        tokio::spawn(async move {
            for call in 0..CALLS {
                // Each command adds one event, and is answered with the number of those before it.
                let reply = client.act(&format!("e{entity}"), "").await.reply();
                assert_eq!(reply, call.to_string(), "entity e{entity}");
                answered.fetch_add(1, Ordering::Relaxed);
                // So that the entities are not all at the same step.
                tokio::time::sleep(Duration::from_millis(1 + (entity as u64 * 7 + call as u64) % 20)).await;
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    for replacement in 0..REPLACEMENTS {
        let enough = (replacement + 1) * ENTITIES * CALLS / (REPLACEMENTS + 2);
        until("some more answers", async || answered.load(Ordering::Relaxed) >= enough).await;
        function = if replacement % 2 == 0 {
            counting(Some(function.kill()))
        } else {
            // The old one finishes what it can until the new one is there.
            let address = function.retire().await;
            counting(Some(address))
        };
    }
    for client in soon("all answers", join_all(clients)).await {
        client.unwrap();
    }
}

/// As in a rolling update: the old one keeps its entities to the end, new ones go to its successor.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_retires_finishes_and_its_successor_gets_the_rest() {
    let mut old = UserFunction::new();
    let (proxy, client) = host(&old).await;
    let act = |id: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.act(id, "").await })
    };
    let outstanding = act("old");
    let (mut stream, _) = old.activation().await;
    stream.command().await;
    let _new = counting(Some(old.retire().await));

    for id in ["a", "b", "c"] {
        assert_eq!(act(id).await.unwrap().reply(), "0", "{id}");
    }
    stream.send(Out::Reply(reply(1, "finished").with_events(["e"])));
    assert_eq!(outstanding.await.unwrap().reply(), "finished");
    drop(stream);
    metric(&proxy, r#"eventsourced_passivated_entities_total{entity_name="test.things"}"#, 1).await;
    assert_eq!(act("old").await.unwrap().reply(), "1");
}

/// A host that is gone answers nothing at all, so an attempt to reach it takes longer than anybody waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_host_costs_nobody_more_than_the_time_of_the_command() {
    const ENTITIES: usize = 8;
    let function = counting(None);
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_millis(500);
    let (proxy, client) = host_with(settings).await;
    let address = function.kill();
    ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;
    let _silent = silence(&address).await;
    let calls = (0..ENTITIES).map(|entity| {
        let client = client.clone();
        async move { client.act(&format!("e{entity}"), "").await }
    });
    // One after the other they would take 40 seconds.
    let answers = tokio::time::timeout(Duration::from_secs(30), join_all(calls)).await.unwrap();
    for answer in answers {
        assert_eq!(answer.code, Code::Unavailable, "{}", answer.text);
        assert!(answer.text.contains("not reachable"), "{}", answer.text);
    }
}

/// Takes an address and lets connection attempts starve: nobody accepts, and the queue is full.
async fn silence(address: &Address) -> (TcpListener, Vec<TcpStream>) {
    let listener = address.socket().listen(1).unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(address.at)).await {
        queued.push(connected.unwrap());
    }
    (listener, queued)
}

/// Something that accepts connections and closes them, as a load balancer without a backend does, must not make
/// the proxy spin.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_closes_every_connection_is_tried_with_pauses() {
    let function = counting(None);
    let mut settings = settings(function.address);
    (settings.backoff_min, settings.backoff_max) = (Duration::from_millis(100), Duration::from_millis(100));
    let (proxy, _client) = host_with(settings).await;
    let address = function.kill();
    ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;
    let listener = address.socket().listen(1024).unwrap();
    let started = Instant::now();
    const CONNECTIONS: u32 = 10;
    for _ in 0..CONNECTIONS {
        drop(soon("a connection", listener.accept()).await.unwrap());
    }
    assert!(started.elapsed() >= Duration::from_millis(100) * (CONNECTIONS - 2));
}
