//! A user function that is stuck or too slow: bounded waiting, bounded queues, and nobody else suffers.

use std::time::Duration;

use cloudstate_proto::{Forward, client_action::Action};
use tonic::Code;

use crate::{
    client::{Client, explained},
    contract::{THINGS, any, request},
    hosted::{host_with, metric, settings},
    stopped_clock::StoppedClock,
    user_function::{Out, UserFunction, acting},
};
use cloudstate_proxy::{Proxy, Settings, error_code::ErrorCode};

const RELAY_TIMEOUT: Duration = Duration::from_millis(300);

/// A proxy that waits no longer than that.
async fn impatient(function: &UserFunction) -> (Proxy, Client) {
    host_with(Settings { relay_timeout: RELAY_TIMEOUT, ..settings(function.address) }).await
}

#[tokio::test]
async fn a_stuck_command_times_out_and_nothing_else_does() {
    let mut function = UserFunction::new();
    let (_proxy, client) = impatient(&function).await;
    let act = |id: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.act(id, "").await })
    };
    let clock = StoppedClock::new();
    let stuck = act("stuck");
    let (mut stream, _) = function.activation().await;
    stream.command().await;

    let other = act("other");
    let (mut healthy, _) = function.activation().await;
    healthy.answer("healthy").await;
    assert_eq!(other.await.unwrap().reply(), "healthy");

    clock.pass(RELAY_TIMEOUT).await;
    let timed_out = stuck.await.unwrap();
    assert_eq!(timed_out.failure(), (Code::DeadlineExceeded, &*unanswered("test.Things/Do")));
    stream.given_up().await;

    let call = act("stuck");
    let (mut stream, _) = function.activation().await;
    assert_eq!(stream.answer("recovered").await.id, 1);
    assert_eq!(call.await.unwrap().reply(), "recovered");
    let call = act("other");
    assert_eq!(healthy.answer("still healthy").await.id, 2);
    assert_eq!(call.await.unwrap().reply(), "still healthy");
}

/// What is said of a command of the entity `stuck`.
fn unanswered(rpc: &str) -> String {
    let subject = format!("{rpc}, entity \"stuck\"");
    explained(&subject, ErrorCode::NoAnswer, "the command was not answered in time")
}

#[tokio::test]
async fn over_http_a_timeout_is_504() {
    let mut function = UserFunction::new();
    let (_proxy, client) = impatient(&function).await;
    let clock = StoppedClock::new();
    let page = tokio::spawn(async move { client.get("/things/stuck").await });
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    clock.pass(RELAY_TIMEOUT).await;
    let page = page.await.unwrap();
    assert_eq!((page.status.as_u16(), page.text()), (504, &*unanswered("test.Things/Get")));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_commands_than_may_wait_are_refused() {
    const STASH: u64 = 3;
    const CALLS: u64 = 20;
    let mut function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.stash_size = STASH as usize;
    let (proxy, client) = host_with(settings).await;
    let first = {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    let (mut stream, _) = function.activation().await;
    stream.command().await;

    let calls = (0..CALLS).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    });
    let mut calls: Vec<_> = calls.collect();
    let mut refused = 0;
    // The refused ones are answered while the first is still outstanding.
    while refused < CALLS - STASH {
        let finished;
        (finished, _, calls) = futures_util::future::select_all(calls).await;
        let answer = finished.unwrap();
        assert_eq!(answer.failure().0, Code::ResourceExhausted);
        assert!(answer.text.contains("already waiting for this entity"), "{}", answer.text);
        refused += 1;
    }
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 1 + STASH).await;
    stream.reply(1, "first");
    assert_eq!(first.await.unwrap().reply(), "first");
    for _ in 0..STASH {
        stream.answer("waited").await;
    }
    for call in calls {
        assert_eq!(call.await.unwrap().reply(), "waited");
    }
}

/// Over HTTP the same is 429.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_429_over_http() {
    let mut function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.stash_size = 1;
    let (proxy, client) = host_with(settings).await;
    let act = || {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    let _first = act();
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    let _second = act();
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 2).await;
    let page = client.get("/things/e1").await;
    let text = "1 commands are already waiting for this entity";
    let text = explained("test.Things/Get, entity \"e1\"", ErrorCode::EntityBusy, text);
    assert_eq!((page.status.as_u16(), page.text()), (429, &*text));
}

/// Each command within its time, all of them together beyond that of the request.
#[tokio::test]
async fn a_chain_that_takes_too_long_is_504_and_deadline_exceeded() {
    let mut function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_millis(200);
    let (proxy, client) = host_with(settings).await;
    let overdue = |subject: &str| {
        explained(subject, ErrorCode::CallOverdue, "the call was not finished before its deadline")
    };
    let clock = StoppedClock::new();
    let page = tokio::spawn({
        let client = client.clone();
        async move { client.get("/things/http").await }
    });
    forward_on_and_on(&mut function, &clock).await;
    let page = page.await.unwrap();
    let text = overdue("test.Things/Get, entity \"http\"");
    assert_eq!((page.status.as_u16(), page.text()), (504, &*text));
    let answer = tokio::spawn(async move { client.act("grpc", "").await });
    forward_on_and_on(&mut function, &clock).await;
    let answer = answer.await.unwrap();
    let text = overdue("test.Things/Do, entity \"grpc\"");
    assert_eq!(answer.failure(), (Code::DeadlineExceeded, &*text));
    for method in ["Get", "Do"] {
        let labels = format!(r#"service="test.Things",method="{method}",code="DEADLINE_EXCEEDED""#);
        metric(&proxy, &format!("requests_total{{{labels}}}"), 1).await;
    }
}

/// Works on each of four commands for 120 milliseconds and forwards it. The last one does not come so far.
async fn forward_on_and_on(function: &mut UserFunction, clock: &StoppedClock) {
    let mut streams = Vec::new();
    for hop in 1..=4 {
        let (mut stream, init) = function.activation().await;
        let command = stream.command().await;
        clock.pass(Duration::from_millis(120)).await;
        if hop < 4 {
            let next = forward(&format!("{}-", init.entity_id));
            stream.send(Out::Reply(acting(command.id, Action::Forward(next))));
        }
        streams.push(stream);
    }
}

fn forward(id: &str) -> Forward {
    Forward {
        service_name: THINGS.to_owned(),
        command_name: "Do".to_owned(),
        payload: Some(any("Request", &request(id, ""))),
        metadata: None,
    }
}
