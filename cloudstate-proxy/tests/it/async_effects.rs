//! Asynchronous side effects: nobody waits for them, and still they are bounded in number and time, and finished
//! before a stop.

use std::time::Duration;

use cloudstate_proto::{Forward, Metadata, SideEffect, client_action::Action};
use cloudstate_proxy::{Proxy, Settings, error_code::ErrorCode};
use tonic::{Code, Status};

use crate::{
    action_calls::{ActionCall, forwarding, only_effects, replying},
    actions::{CALLS, OTHERS, effect, spec},
    client::{Answer, Client, explained},
    contract::{any, request},
    hosted::{host_with, serving, settings},
    stopped_clock::StoppedClock,
    user_function::{Out, UserFunction, acting, soon},
    waiting::port_closed,
};

/// As many as the proxy has under way at once.
const AT_ONCE: usize = 1024;
const SHORT: Duration = Duration::from_millis(300);

async fn start(change: impl FnOnce(&mut Settings)) -> (UserFunction, Proxy, Client) {
    let function = UserFunction::with_spec(spec());
    let mut settings = settings(function.address);
    change(&mut settings);
    let (proxy, client) = host_with(settings).await;
    (function, proxy, client)
}

/// Calls `test.Calls/Unary`, and takes what the function gets.
async fn outstanding(
    function: &mut UserFunction,
    client: &Client,
) -> (tokio::task::JoinHandle<Answer>, ActionCall) {
    let client = client.clone();
    let answer = tokio::spawn(async move { client.call("test.Calls/Unary", "", "").await });
    (answer, function.action_call().await)
}

/// Has a call with these effects answered.
async fn caused(function: &mut UserFunction, client: &Client, effects: Vec<SideEffect>) {
    let (answer, held) = outstanding(function, client).await;
    let mut response = replying("fine");
    response.side_effects = effects;
    held.respond(response);
    assert_eq!(answer.await.unwrap().reply(), "fine");
}

#[tokio::test]
async fn one_without_an_end_is_cancelled_and_reported() {
    let (mut function, _proxy, client) = start(|settings| settings.relay_timeout = SHORT).await;
    let clock = StoppedClock::new();
    for rpc in ["Out", "Both", "In", "Unary"] {
        caused(&mut function, &client, vec![effect(CALLS, rpc, "", false)]).await;
        let held = function.action_call().await;
        if matches!(rpc, "Out" | "Both") {
            held.reply("to nobody");
        }
        clock.pass(SHORT).await;
        held.cancelled().await;
        let text = format!(
            "test.Calls.{rpc}: an asynchronous side effect was not finished within 0.3 s\n  side-effect of test.Calls.Unary"
        );
        assert_eq!(function.report().await, text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_given_up_is_reported_and_one_that_fails_is_not() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    for status in [Status::data_loss("broken"), Status::resource_exhausted("too much")] {
        caused(&mut function, &client, vec![effect(CALLS, "Unary", "", false)]).await;
        function.action_call().await.fail(status);
    }
    assert_eq!(function.report().await, "test.Calls.Unary: too much\n  side-effect of test.Calls.Unary");
}

/// Those that go on for long are counted until they end.
#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_are_under_way_at_once() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    let (answer, held) = outstanding(&mut function, &client).await;
    let effects = (0..=AT_ONCE).map(|_| effect(CALLS, "Out", "", false));
    held.respond(only_effects(effects.collect()));
    let mut under_way = Vec::new();
    while under_way.len() < AT_ONCE {
        let held = function.action_call().await;
        // An answer is not the end.
        held.reply("to nobody");
        under_way.push(held);
    }
    // Had there been one more, it would have come before this.
    let (other, held) = outstanding(&mut function, &client).await;
    assert_eq!(held.rpc, "handleUnary", "too many are under way");
    held.reply("fine");
    assert_eq!(other.await.unwrap().reply(), "fine");
    assert!(!answer.is_finished(), "the last effect waits");

    under_way.pop();
    assert_eq!(function.action_call().await.rpc, "handleStreamedOut");
    assert_eq!(answer.await.unwrap().code, Code::Ok);
}

/// Each of them causes another while it goes on: if it kept its place meanwhile, none would get one.
#[tokio::test(flavor = "multi_thread")]
async fn effects_of_streamed_effects_all_happen() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    let (answer, held) = outstanding(&mut function, &client).await;
    held.respond(only_effects((0..AT_ONCE).map(|_| effect(CALLS, "Out", "", false)).collect()));
    assert_eq!(answer.await.unwrap().code, Code::Ok);
    let mut outer = Vec::new();
    for _ in 0..AT_ONCE {
        outer.push(function.action_call().await);
    }
    for held in &outer {
        held.respond(only_effects(vec![effect(CALLS, "Unary", "", false)]));
    }
    for _ in 0..AT_ONCE {
        let inner = function.action_call().await;
        assert_eq!(inner.rpc, "handleUnary");
        inner.reply("to nobody");
    }
}

/// The entity's answer is not all.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_entity_forwards_is_carried_out() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    caused(&mut function, &client, vec![effect(OTHERS, "Do", "e1", false)]).await;
    let (mut entity, _) = function.activation().await;
    let command = entity.command().await;
    let forward = Forward {
        service_name: CALLS.to_owned(),
        command_name: "Unary".to_owned(),
        payload: Some(any("Request", &request("", "forwarded"))),
        metadata: None,
    };
    entity.send(Out::Reply(acting(command.id, Action::Forward(forward))));
    let mut target = function.action_call().await;
    assert_eq!(target.command().await.payload, Some(any("Request", &request("", "forwarded"))));
    target.reply("to nobody");
}

/// A client may take its time to send requests; the proxy, which sends one, need not.
#[tokio::test]
async fn an_action_with_a_stream_of_requests_must_answer_a_forward_and_an_effect_in_time() {
    let (mut function, _proxy, client) = start(|settings| settings.relay_timeout = SHORT).await;
    let clock = StoppedClock::new();
    let forward = forwarding(CALLS, "In", any("Request", &request("", "")), Metadata::default());
    for response in [forward, only_effects(vec![effect(CALLS, "In", "", true)])] {
        let (answer, held) = outstanding(&mut function, &client).await;
        held.respond(response);
        let target = function.action_call().await;
        assert_eq!(target.rpc, "handleStreamedIn");
        clock.pass(2 * SHORT).await;
        let text = "the action did not answer within 0.3 s";
        let text = explained("test.Calls/In", ErrorCode::NoAnswer, text);
        assert_eq!(answer.await.unwrap().failure(), (Code::DeadlineExceeded, &*text));
        target.cancelled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_those_that_are_under_way() {
    let (mut function, proxy, client) = start(|_| {}).await;
    let listen = serving(&proxy).await.listen;
    caused(&mut function, &client, vec![effect(CALLS, "Unary", "", false)]).await;
    let held = function.action_call().await;

    let stopping = tokio::spawn(proxy.shutdown());
    port_closed(listen).await;
    assert!(!stopping.is_finished() && !held.is_cancelled(), "the effect was not waited for");
    // Whatever it needs is still there.
    held.respond(only_effects(vec![effect(OTHERS, "Do", "e1", true), effect(CALLS, "Out", "", false)]));
    let (mut entity, _) = function.activation().await;
    let command = entity.command().await;
    assert!(!stopping.is_finished(), "the effect of the effect was not waited for");
    entity.reply(command.id, "to nobody");
    let last = function.action_call().await;
    assert!(!stopping.is_finished(), "the last effect was not waited for");
    drop(last);
    entity.half_closed().await;
    drop(entity);
    soon("the stop", stopping).await.unwrap();
    assert!(function.reports.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_ever() {
    let (mut function, proxy, client) = start(|settings| settings.graceful_termination_timeout = SHORT).await;
    caused(&mut function, &client, vec![effect(CALLS, "Out", "", false)]).await;
    let _held = function.action_call().await;
    soon("the stop", proxy.shutdown()).await;
}
