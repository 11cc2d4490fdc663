//! An idle entity leaves: the proxy half-closes its stream, the user function ends it.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    contract::{passivated_after, stored},
    hosted::{host, host_with, metric, settings},
    user_function::{Out, UserFunction, With, reply, soon},
};

/// By the contract, and by the proxy's own setting when the contract has none.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_entity_is_half_closed_and_comes_back() {
    for millis in [Some(20), None] {
        let spec = millis.map_or_else(crate::contract::spec, passivated_after);
        let mut function = UserFunction::with_spec(spec);
        let mut settings = settings(function.address);
        if millis.is_none() {
            settings.passivation_timeout = Duration::from_millis(20).into();
        }
        let (proxy, client) = host_with(settings).await;
        let act = || {
            let client = client.clone();
            tokio::spawn(async move { client.act("e1", "").await })
        };
        let call = act();
        let (mut stream, _) = function.activation().await;
        stream.command().await;
        stream.send(Out::Reply(reply(1, "").with_events(["a"])));
        call.await.unwrap().reply();
        stream.half_closed().await;
        drop(stream);
        metric(&proxy, r#"eventsourced_passivated_entities_total{entity_name="test.things"}"#, 1).await;

        let call = act();
        let (mut stream, _) = function.activation().await;
        assert_eq!(stream.event().await.payload, Some(stored("a")));
        stream.answer("back").await;
        assert_eq!(call.await.unwrap().reply(), "back");
        assert!(function.reports.try_recv().is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_flight_keeps_the_entity() {
    let mut function = UserFunction::with_spec(passivated_after(10));
    let (proxy, client) = host(&function).await;
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.act("slow", "").await })
    };
    let (mut slow, _) = function.activation().await;
    slow.command().await;
    // Another entity lives and goes meanwhile, twice the time that this one may be idle.
    for passivated in 1..=2 {
        let client = client.clone();
        let call = tokio::spawn(async move { client.act("quick", "").await });
        let (mut quick, _) = function.activation().await;
        quick.answer("").await;
        call.await.unwrap().reply();
        quick.half_closed().await;
        drop(quick);
        let line = r#"eventsourced_passivated_entities_total{entity_name="test.things"}"#;
        metric(&proxy, line, passivated).await;
    }
    assert!(slow.is_quiet(), "the entity was closed with a command in flight");
    slow.reply(1, "at last");
    assert_eq!(waiting.await.unwrap().reply(), "at last");
    slow.half_closed().await;
}

/// The longest time that the protocol can say, and times that are none.
#[tokio::test(flavor = "multi_thread")]
async fn odd_times_do_no_harm() {
    for millis in [i64::MAX, 0, -1, i64::MIN] {
        let mut function = UserFunction::with_spec(passivated_after(millis));
        let (_proxy, client) = host(&function).await;
        function.serve(|_, command| reply(command.id, &command.id.to_string()));
        assert_eq!(client.act("e1", "").await.reply(), "1");
        assert_eq!(client.act("e1", "").await.reply(), "2", "the entity stays for the default time");
    }
}

/// Commands that arrive while the stream closes wait for the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_meets_the_closing_waits_for_the_next_stream() {
    let mut function = UserFunction::with_spec(passivated_after(1));
    let (proxy, client) = host(&function).await;
    let act = || {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    let call = act();
    let (mut stream, _) = function.activation().await;
    stream.answer("").await;
    call.await.unwrap().reply();
    stream.half_closed().await;
    let call = act();
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 2).await;
    assert!(function.streams.try_recv().is_err(), "two streams of one entity");
    drop(stream);
    let (mut stream, _) = function.activation().await;
    assert_eq!(stream.answer("next").await.id, 1);
    assert_eq!(call.await.unwrap().reply(), "next");
}

/// Calls that come about as often as the entity leaves meet it in every state.
#[tokio::test(flavor = "multi_thread")]
async fn no_command_is_lost_between_two_activations() {
    const CLIENTS: u64 = 4;
    const CALLS: u64 = 100;
    let mut function = UserFunction::with_spec(passivated_after(1));
    function.serve(|entity, command| reply(command.id, &entity.history.len().to_string()).with_events(["e"]));
    let (proxy, client) = host(&function).await;
    let clients = (0..CLIENTS).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            for call in 0..CALLS {
                client.act("e1", "").await.reply();
                // Around the passivation time, so that commands meet every moment of it.
                let pause = (number * 7 + call * 13) % 40;
                tokio::time::sleep(Duration::from_micros(100 * pause)).await;
            }
        })
    });
    for done in soon("an answer to every call", join_all(clients)).await {
        done.unwrap();
    }
    assert_eq!(client.act("e1", "").await.reply(), (CLIENTS * CALLS).to_string());
    metric(&proxy, r#"eventsourced_failed_entities_total{entity_name="test.things"}"#, 0).await;
}

/// Takes as long as the proxy waits for the end of a half-closed stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_never_ends_its_side_is_given_up() {
    let mut function = UserFunction::with_spec(passivated_after(1));
    let (_proxy, client) = host(&function).await;
    let act = || {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    let call = act();
    let (mut stubborn, _) = function.activation().await;
    stubborn.answer("").await;
    call.await.unwrap().reply();
    stubborn.half_closed().await;

    let call = act();
    let (mut stream, _) = function.activation().await;
    stream.answer("all the same").await;
    assert_eq!(call.await.unwrap().reply(), "all the same");
    stubborn.given_up().await;
}
