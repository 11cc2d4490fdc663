//! Stopping: what is under way is finished, streams are half-closed, then everything is closed.

use std::time::Duration;

use crate::{
    address::Address,
    hosted::{Readiness, host, host_with, serving, settings},
    user_function::{Out, UserFunction, With, reply, soon},
    waiting::port_closed,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_flight_is_finished_and_streams_are_half_closed() {
    let mut function = UserFunction::new();
    let (proxy, client) = host(&function).await;
    let listen = serving(&proxy).await.listen;
    let act = |id: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.act(id, "").await })
    };
    let idle_call = act("idle");
    let (mut idle, _) = function.activation().await;
    idle.answer("").await;
    idle_call.await.unwrap().reply();
    let call = act("busy");
    let (mut busy, _) = function.activation().await;
    busy.command().await;

    let stopping = tokio::spawn(proxy.shutdown());
    // New connections are refused as soon as the stop has begun.
    port_closed(listen).await;
    assert!(!stopping.is_finished(), "stopped with a command in flight");
    busy.send(Out::Reply(reply(1, "finished").with_events(["kept"])));
    assert_eq!(call.await.unwrap().reply(), "finished");
    busy.half_closed().await;
    idle.half_closed().await;
    assert!(!stopping.is_finished(), "stopped before the streams ended");
    drop((busy, idle));
    soon("the stop", stopping).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_does_not_end_is_given_up() {
    let mut function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.graceful_termination_timeout = Duration::from_millis(100);
    let (proxy, client) = host_with(settings).await;
    let _call = tokio::spawn(async move { client.act("stuck", "").await });
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    soon("the stop", proxy.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_without_a_user_function_stops_at_once() {
    let nobody = Address::new();
    let proxy = cloudstate_proxy::Proxy::start(settings(nobody.at)).await.unwrap();
    soon("the stop", proxy.shutdown()).await;
}

/// So that whoever balances load sends nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_proxy_is_not_ready() {
    let mut function = UserFunction::new();
    let (proxy, client) = host(&function).await;
    let call = tokio::spawn(async move { client.act("busy", "").await });
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    let asking = Readiness::of(&proxy).await;
    let stopping = tokio::spawn(proxy.shutdown());
    let text = asking.until("not ready", |status, _| status == 503).await;
    assert!(text.contains("stopping"), "{text}");
    stream.reply(1, "finished");
    assert_eq!(call.await.unwrap().reply(), "finished");
    drop(stream);
    soon("the stop", stopping).await.unwrap();
}
