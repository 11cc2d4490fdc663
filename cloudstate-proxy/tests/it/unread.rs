//! A user function that does not read what it is sent, and takes no more of a connection than of one of its streams: what
//! it leaves unread stops the whole connection.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use cloudstate_proxy::Proxy;
use tonic::Code;

use crate::{
    action_calls::ActionCall,
    actions::{CALLS, spec},
    client::Client,
    contract::{passivated_after, stored},
    hosted::{host_with, metric, serving, settings},
    stopped_clock::StoppedClock,
    streams::{StreamedCall, halted},
    user_function::{Out, Setup, UserFunction, reply},
};

/// The default of many servers, of a stream and of a connection.
const WINDOW: u32 = 65_535;
const MESSAGE_BYTES: usize = 64 * 1024;
/// More than the windows on the way to the function, and ours toward the client, hold.
const MESSAGES: usize = 100;

fn function() -> UserFunction {
    UserFunction::start(Setup { spec: spec(), window: Some(WINDOW), ..Setup::default() })
}

async fn host(function: &UserFunction, max_connections: usize) -> (Proxy, Client, SocketAddr) {
    let mut settings = settings(function.address);
    settings.max_connections = max_connections;
    let (proxy, client) = host_with(settings).await;
    let address = serving(&proxy).await.listen;
    (proxy, client, address)
}

/// A call with more requests than fit on the way, and how the function holds it, unread.
async fn stuck(function: &mut UserFunction, proxy: SocketAddr, rpc: &str) -> (StreamedCall, ActionCall) {
    let call = StreamedCall::begin(proxy, &format!("{CALLS}/{rpc}")).await;
    let held = function.action_call().await;
    let text = "x".repeat(MESSAGE_BYTES);
    (0..MESSAGES).for_each(|_| call.send("", &text));
    // Whatever the function takes unread has been sent by then.
    assert!(halted(&call.taken, proxy).await < MESSAGES, "the function does not read, but it was sent all");
    (call, held)
}

/// An entity, a call without streams and one of each kind of stream.
async fn assert_others_are_served(function: &mut UserFunction, proxy: SocketAddr, client: &Client, id: &str) {
    let act = tokio::spawn({
        let (client, id) = (client.clone(), id.to_owned());
        async move { client.call("test.Others/Do", &id, &"x".repeat(MESSAGE_BYTES)).await }
    });
    let (mut stream, _) = function.activation().await;
    stream.answer("entity").await;
    assert_eq!(act.await.unwrap().reply(), "entity");

    let unary = tokio::spawn({
        let client = client.clone();
        async move { client.call("test.Calls/Unary", "", &"x".repeat(MESSAGE_BYTES)).await }
    });
    let mut held = function.action_call().await;
    held.command().await;
    held.reply("unary");
    assert_eq!(unary.await.unwrap().reply(), "unary");

    for rpc in ["In", "Both", "Out"] {
        let call = StreamedCall::begin(proxy, &format!("{CALLS}/{rpc}")).await;
        let mut call = call.ask("", &"x".repeat(MESSAGE_BYTES));
        let mut held = function.action_call().await;
        held.read_to_the_end().await;
        held.reply(rpc);
        drop(held);
        assert_eq!(call.reply().await, rpc);
        assert_eq!(call.end().await.0, Code::Ok, "{rpc}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_does_not_read_harms_no_entity_and_no_other_call() {
    let mut function = function();
    let (_proxy, client, address) = host(&function, 1024).await;
    let mut stuck_calls = Vec::new();
    for rpc in ["In", "Both", "In", "Both"] {
        stuck_calls.push(stuck(&mut function, address, rpc).await);
    }
    assert_others_are_served(&mut function, address, &client, "e1").await;
    // Nor is what is stuck lost.
    for (mut call, mut held) in stuck_calls {
        call.half_close();
        held.read_to_the_end().await;
        held.reply("all there");
        drop(held);
        assert_eq!(call.reply().await, "all there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_does_not_read_learns_at_once_that_its_call_is_given_up() {
    let mut function = function();
    // One connection for streams of requests, so that what is left of the one before is in the way.
    let (_proxy, client, address) = host(&function, 1).await;
    let mut kept = Vec::new();
    for (rpc, id) in [("In", "e1"), ("Both", "e2")] {
        let (mut call, held) = stuck(&mut function, address, rpc).await;
        if rpc == "Both" {
            held.reply("begun");
            assert_eq!(call.reply().await, "begun");
        }
        call.hang_up();
        held.cancelled().await;
        // It keeps what it has not read, and with it the room on its connection.
        kept.push(held);
        assert_others_are_served(&mut function, address, &client, id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_with_streams_of_requests_share_connections_when_there_are_too_many() {
    let mut function = function();
    let (_proxy, _client, address) = host(&function, 8).await;
    let mut calls = Vec::new();
    for _ in 0..6 {
        let call = StreamedCall::begin(address, &format!("{CALLS}/Both")).await;
        calls.push((call, function.action_call().await));
    }
    let connections: HashSet<_> = calls.iter().map(|(_, held)| held.connection).collect();
    assert_eq!(connections.len(), 2, "a quarter of what entities may have");
    for (number, (call, held)) in calls.iter_mut().enumerate() {
        call.send("", &number.to_string());
        held.command().await;
        held.command().await;
        held.reply(&number.to_string());
        assert_eq!(call.reply().await, number.to_string());
    }
}

#[tokio::test]
async fn a_call_that_finds_no_place_for_its_stream_of_requests_waits_for_one_in_vain_or_not() {
    let setup =
        Setup { spec: spec(), window: Some(WINDOW), max_concurrent_streams: Some(1), ..Setup::default() };
    let mut function = UserFunction::start(setup);
    let mut settings = settings(function.address);
    settings.max_connections = 4;
    settings.relay_timeout = Duration::from_secs(1);
    let (proxy, client) = host_with(settings).await;
    let address = serving(&proxy).await.listen;

    let clock = StoppedClock::new();
    let (call, held) = stuck(&mut function, address, "In").await;
    drop(clock);
    let mut waiting = StreamedCall::begin(address, &format!("{CALLS}/In")).await;
    let (code, text) = waiting.end().await;
    assert_eq!(code, Code::ResourceExhausted, "{text}");
    assert!(text.contains("all connections to the user function are in use"), "{text}");

    let _clock = StoppedClock::new();
    let act = tokio::spawn(async move { client.call("test.Others/Do", "e1", "").await });
    function.activation().await.0.answer("unharmed").await;
    assert_eq!(act.await.unwrap().reply(), "unharmed");

    let mut waiting = StreamedCall::begin(address, &format!("{CALLS}/In")).await;
    call.hang_up();
    let next = function.action_call().await;
    next.reply("a place");
    assert_eq!(waiting.reply().await, "a place");
    held.cancelled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_for_streams_of_requests_are_used_again() {
    let mut function = function();
    let (_proxy, _client, address) = host(&function, 1024).await;
    let mut connections = HashSet::new();
    for _ in 0..20 {
        let mut call = StreamedCall::begin(address, &format!("{CALLS}/In")).await.ask("", "");
        let mut held = function.action_call().await;
        held.read_to_the_end().await;
        held.reply("fine");
        assert_eq!(call.reply().await, "fine");
        assert_eq!(call.end().await.0, Code::Ok);
        connections.insert(held.connection);
        // Given up, with nothing left unread.
        let call = StreamedCall::begin(address, &format!("{CALLS}/Both")).await;
        let mut held = function.action_call().await;
        held.command().await;
        drop(call);
        held.cancelled().await;
        connections.insert(held.connection);
    }
    // The next call may come a moment before the last one has left its place.
    assert!(connections.len() < 6, "{connections:?}");
}

/// Its history is more than its connection takes unread.
#[tokio::test]
async fn an_entity_that_does_not_read_its_history_is_left_with_its_connection() {
    let setup = Setup { spec: passivated_after(50), window: Some(WINDOW), ..Setup::default() };
    let mut function = UserFunction::start(setup);
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_secs(1);
    let relay_timeout = settings.relay_timeout;
    let (proxy, client) = host_with(settings).await;
    let client = Arc::new(client);
    let act = |id: &'static str| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.act(id, "").await })
    };

    let clock = StoppedClock::new();
    let first = act("e1");
    let (mut stream, _) = function.activation().await;
    let command = stream.command().await;
    let mut long = reply(command.id, "stored");
    long.events = (0..4).map(|_| stored(&"x".repeat(MESSAGE_BYTES))).collect();
    stream.send(Out::Reply(long));
    assert_eq!(first.await.unwrap().reply(), "stored");
    let connection = stream.connection;
    drop(clock);
    stream.half_closed().await;
    drop(stream);
    metric(&proxy, r#"eventsourced_passivated_entities_total{entity_name="test.things"}"#, 1).await;

    let clock = StoppedClock::new();
    let second = act("e1");
    let unread = function.stream().await;
    assert_eq!(unread.connection, connection);
    clock.pass(relay_timeout).await;
    assert_eq!(second.await.unwrap().code, Code::DeadlineExceeded);
    unread.given_up().await;

    let other = act("e2");
    let (mut stream, _) = function.activation().await;
    assert_ne!(stream.connection, connection);
    stream.answer("unharmed").await;
    assert_eq!(other.await.unwrap().reply(), "unharmed");
}

/// Answers that are guessed: the function reads no command.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_answers_without_reading_is_not_heard_for_ever() {
    let mut function = UserFunction::start(Setup { window: Some(WINDOW), ..Setup::default() });
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_secs(1);
    let (proxy, client) = host_with(settings).await;
    let text = "x".repeat(4_096);
    let mut unread = None;
    let mut answered = 0;
    loop {
        let call = tokio::spawn({
            let (client, text) = (client.clone(), text.clone());
            async move { client.act("e1", &text).await }
        });
        if unread.is_none() {
            unread = Some(function.stream().await);
        }
        let received = r#"eventsourced_received_commands_total{entity_name="test.things"}"#;
        metric(&proxy, received, answered + 1).await;
        unread.as_ref().unwrap().reply(i64::try_from(answered + 1).unwrap(), "guessed");
        let answer = call.await.unwrap();
        if answer.code != Code::Ok {
            assert_eq!(answer.code, Code::DeadlineExceeded);
            break;
        }
        answered += 1;
        assert!(answered < 2_000, "the proxy keeps whatever is not read");
    }
    assert!(answered > 1_000, "a page of a history must be heard");
}
