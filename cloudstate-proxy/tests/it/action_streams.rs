//! Actions with streams of requests or replies.

use std::{net::SocketAddr, time::Duration};

use cloudstate_proto::{EntitySpec, Metadata, action::ActionCommand};
use cloudstate_proxy::{Proxy, error_code::ErrorCode};
use tonic::{Code, Status};

use crate::{
    action_calls::{ActionCall, failing, forwarding, only_effects, replying},
    actions::{CALLS, OTHERS, addressed, effect, payload, spec, stripped},
    client::{Client, explained},
    contract::{any, request},
    hosted::{host_with, serving, settings},
    stopped_clock::StoppedClock,
    streams::{StreamedCall, halted},
    user_function::UserFunction,
};

/// (rpc, the protocol's rpc, whether it takes a stream of requests, whether it gives a stream of replies)
const SHAPES: [(&str, &str, bool, bool); 4] = [
    ("Unary", "handleUnary", false, false),
    ("In", "handleStreamedIn", true, false),
    ("Out", "handleStreamedOut", false, true),
    ("Both", "handleStreamed", true, true),
];

/// A proxy in front of `function`, and its address.
async fn hosting(function: &UserFunction) -> (Proxy, SocketAddr) {
    hosting_with(function, |_| {}).await
}

async fn hosting_with(
    function: &UserFunction,
    change: impl FnOnce(&mut cloudstate_proxy::Settings),
) -> (Proxy, SocketAddr) {
    let mut settings = settings(function.address);
    change(&mut settings);
    let (proxy, _client) = host_with(settings).await;
    let address = serving(&proxy).await.listen;
    (proxy, address)
}

/// A call of `test.Calls`, and how the function holds it. What is sent first is sent.
async fn begin(
    function: &mut UserFunction,
    proxy: SocketAddr,
    rpc: &str,
    takes_stream: bool,
) -> (StreamedCall, ActionCall) {
    let call = StreamedCall::begin(proxy, &format!("{CALLS}/{rpc}")).await;
    let call = if takes_stream { call } else { call.ask("", "asked") };
    (call, function.action_call().await)
}

/// Both directions open, with nothing sent by the client yet.
async fn begin_both(function: &mut UserFunction, proxy: SocketAddr) -> (StreamedCall, ActionCall) {
    let (call, mut held) = begin(function, proxy, "Both", true).await;
    assert_eq!(stripped(held.next().await), addressed("Both", None));
    (call, held)
}

/// A request that follows the first command.
fn element(text: &str) -> ActionCommand {
    ActionCommand { payload: payload(text), metadata: Some(Metadata::default()), ..ActionCommand::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_is_passed_on_in_both_directions_and_completed_in_both() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    for (rpc, protocol, takes_stream, gives_stream) in SHAPES {
        let (mut call, mut held) = begin(&mut function, proxy, rpc, takes_stream).await;
        assert_eq!(held.rpc, protocol);
        if takes_stream {
            // Before the client has sent anything.
            assert_eq!(stripped(held.next().await), addressed(rpc, None), "{rpc}");
            for text in ["first", "", "third"] {
                assert!(held.is_quiet(), "{rpc}");
                call.send("", text);
                assert_eq!(held.command().await, element(text), "{rpc}");
            }
            call.half_close();
        } else {
            assert_eq!(stripped(held.next().await), addressed(rpc, payload("asked")), "{rpc}");
        }
        assert_eq!(held.next().await, None, "{rpc}: half-closed");
        let replies = if gives_stream { &["a", "", "c"][..] } else { &["a"] };
        for text in replies {
            held.reply(text);
            if gives_stream {
                assert_eq!(call.reply().await, *text, "{rpc}: as soon as it is there");
            }
        }
        drop(held);
        if !gives_stream {
            assert_eq!(call.reply().await, "a", "{rpc}");
        }
        assert_eq!(call.end().await, (Code::Ok, String::new()), "{rpc}");
    }
    assert!(function.reports.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_the_client_come_with_the_first_command_only() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    for (rpc, _, takes_stream, _) in SHAPES {
        let headers = [("x-hello", "world")];
        let mut call = StreamedCall::begin_with(proxy, &format!("{CALLS}/{rpc}"), &headers).await;
        call.send("", "asked");
        call.half_close();
        let mut held = function.action_call().await;
        let metadata = held.command().await.metadata.unwrap();
        let found = metadata.entries.iter().filter(|entry| entry.key == "x-hello").count();
        assert_eq!(found, 1, "{rpc}: {metadata:?}");
        if takes_stream {
            assert_eq!(held.command().await.metadata, Some(Metadata::default()), "{rpc}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_cancels_the_call_in_every_shape() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    for (rpc, _, takes_stream, _) in SHAPES {
        let (call, held) = begin(&mut function, proxy, rpc, takes_stream).await;
        drop(call);
        held.cancelled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_completes_early_ends_the_call() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    let (mut call, held) = begin_both(&mut function, proxy).await;
    drop(held);
    assert_eq!(call.end().await, (Code::Ok, String::new()));
    call.requests_refused().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_the_call_and_the_stream_of_requests() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    for takes_stream in [true, false] {
        let rpc = if takes_stream { "Both" } else { "Out" };
        let (mut call, held) = begin(&mut function, proxy, rpc, takes_stream).await;
        held.reply("fine");
        assert_eq!(call.reply().await, "fine");
        held.respond(failing("expected failure", 0));
        held.reply("too late");
        assert_eq!(call.end().await, (Code::Unknown, "expected failure".to_owned()));
        held.cancelled().await;
        if takes_stream {
            call.requests_refused().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_stream_that_breaks_is_the_clients() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    for (rpc, _, takes_stream, gives_stream) in SHAPES {
        let (mut call, held) = begin(&mut function, proxy, rpc, takes_stream).await;
        if gives_stream {
            held.reply("fine");
            assert_eq!(call.reply().await, "fine");
        }
        held.fail(Status::out_of_range("no more"));
        assert_eq!(call.end().await, (Code::OutOfRange, "no more".to_owned()), "{rpc}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_dies_ends_its_calls() {
    for (rpc, _, takes_stream, gives_stream) in SHAPES {
        let mut function = UserFunction::with_spec(spec());
        let (_proxy, proxy) = hosting(&function).await;
        let (mut call, held) = begin(&mut function, proxy, rpc, takes_stream).await;
        if gives_stream {
            held.reply("fine");
            assert_eq!(call.reply().await, "fine");
        }
        function.kill();
        let gone = "the user function went away before it answered";
        let gone = explained(&format!("test.Calls/{rpc}"), ErrorCode::UserFunctionGone, gone);
        assert_eq!(call.end().await, (Code::Unavailable, gone), "{rpc}");
    }
}

/// An rpc with one reply has one.
#[tokio::test]
async fn an_open_stream_has_no_time_limit() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) =
        hosting_with(&function, |settings| settings.relay_timeout = Duration::from_secs(1)).await;
    let clock = StoppedClock::new();
    let (mut both, both_held) = begin_both(&mut function, proxy).await;
    let (mut requests, requests_held) = begin(&mut function, proxy, "In", true).await;
    let client = Client::connect(proxy).await;
    let unary = tokio::spawn(async move { client.call("test.Calls/Unary", "", "").await });
    let _unary_held = function.action_call().await;
    clock.pass(Duration::from_millis(1_100)).await;
    // By the time that this one ran out, so would those.
    assert_eq!(unary.await.unwrap().code, Code::DeadlineExceeded);
    both_held.reply("still here");
    assert_eq!(both.reply().await, "still here");
    requests_held.reply("still here");
    assert_eq!(requests.reply().await, "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_waits_for_the_effects_and_the_forward_of_the_one_before() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    let (mut call, held) = begin_both(&mut function, proxy).await;
    held.respond(only_effects(vec![effect(OTHERS, "Do", "e1", true)]));
    held.respond(forwarding(OTHERS, "Do", any("Request", &request("e2", "")), Metadata::default()));
    held.respond(only_effects(vec![effect(OTHERS, "Do", "e3", false)]));
    held.reply("last");

    for id in ["e1", "e2"] {
        let (mut stream, init) = function.activation().await;
        assert_eq!(init.entity_id, id);
        stream.command().await;
        assert!(function.streams.try_recv().is_err(), "{id} was not waited for");
        stream.reply(1, id);
    }
    assert_eq!(call.reply().await, "e2", "an effect replies to nobody");
    assert_eq!(call.reply().await, "last");
    assert_eq!(function.activation().await.1.entity_id, "e3");
    drop(held);
    assert_eq!(call.end().await.0, Code::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_streams_gets_all_replies_of_a_streamed_target() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    let (mut call, held) = begin_both(&mut function, proxy).await;
    held.respond(forwarding(CALLS, "Out", any("Request", &request("", "to out")), Metadata::default()));
    held.respond(forwarding(CALLS, "Both", any("Request", &request("", "to both")), Metadata::default()));
    held.reply("own");

    let mut out = function.action_call().await;
    assert_eq!(stripped(out.next().await), addressed("Out", payload("to out")));
    out.reply("1");
    out.reply("2");
    assert_eq!((call.reply().await, call.reply().await), ("1".to_owned(), "2".to_owned()));
    assert!(function.action_calls.try_recv().is_err(), "the first forward is not done");
    drop(out);

    let mut both = function.action_call().await;
    assert_eq!(stripped(both.next().await), addressed("Both", None));
    assert_eq!(both.command().await, element("to both"));
    assert_eq!(both.next().await, None, "half-closed");
    both.reply("3");
    drop(both);
    assert_eq!((call.reply().await, call.reply().await), ("3".to_owned(), "own".to_owned()));

    // What fails in the end fails the call.
    held.respond(forwarding(CALLS, "Out", any("Request", &request("", "")), Metadata::default()));
    function.action_call().await.respond(failing("of the target", 0));
    assert_eq!(call.end().await, (Code::Unknown, "of the target".to_owned()));
    held.cancelled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_one_reply_gets_the_first_of_a_streamed_target() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    let client = Client::connect(proxy).await;
    let answer = tokio::spawn(async move { client.call("test.Calls/Unary", "", "").await });
    let held = function.action_call().await;
    held.respond(forwarding(CALLS, "Out", any("Request", &request("", "")), Metadata::default()));
    let out = function.action_call().await;
    out.respond(only_effects(Vec::new()));
    out.reply("first");
    out.reply("second");
    assert_eq!(answer.await.unwrap().reply(), "first");
    out.cancelled().await;
}

#[tokio::test]
async fn a_synchronous_effect_takes_a_streamed_target_to_its_end() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) =
        hosting_with(&function, |settings| settings.relay_timeout = Duration::from_secs(2)).await;
    let clock = StoppedClock::new();
    let (mut call, held) = begin_both(&mut function, proxy).await;
    held.respond(only_effects(vec![effect(CALLS, "Out", "", true)]));
    held.reply("after the effect");
    let out = function.action_call().await;
    out.reply("dropped");
    out.reply("dropped as well");
    drop(out);
    assert_eq!(call.reply().await, "after the effect");

    // One without an end is cut off.
    held.respond(only_effects(vec![effect(CALLS, "Out", "", true)]));
    let out = function.action_call().await;
    clock.pass(Duration::from_secs(2)).await;
    let text = "a synchronous side effect was not finished within 2 s";
    assert_eq!(
        call.end().await,
        (Code::DeadlineExceeded, explained("test.Calls/Out", ErrorCode::SideEffectOverdue, text))
    );
    out.cancelled().await;
}

const MESSAGES: usize = 1000;
const MESSAGE_BYTES: usize = 64 * 1024;
/// What all buffers between the two ends may hold, those of both ends included.
const IN_FLIGHT_BYTES: usize = 16 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_the_action_and_nobody_else() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    // Several, so that they would fill a window that they share.
    let mut stuck = Vec::new();
    for _ in 0..8 {
        let (mut call, held) = begin(&mut function, proxy, "Out", false).await;
        let text = "x".repeat(MESSAGE_BYTES);
        (0..MESSAGES).for_each(|_| held.reply(&text));
        call.open().await.unwrap();
        stuck.push((call, held));
    }
    for (_, held) in &stuck {
        let taken = halted(&held.taken, proxy).await;
        assert!(taken * MESSAGE_BYTES < IN_FLIGHT_BYTES, "{taken} messages were read ahead");
    }

    let (mut other, held) = begin(&mut function, proxy, "Out", false).await;
    held.reply("unharmed");
    assert_eq!(other.reply().await, "unharmed");

    let (mut call, held) = stuck.pop().unwrap();
    for _ in 0..MESSAGES {
        assert_eq!(call.reply().await.len(), MESSAGE_BYTES);
    }
    drop(held);
    assert_eq!(call.end().await.0, Code::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_does_not_read_holds_up_the_client() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, proxy) = hosting(&function).await;
    let (mut call, mut held) = begin(&mut function, proxy, "In", true).await;
    let text = "x".repeat(MESSAGE_BYTES);
    (0..MESSAGES).for_each(|_| call.send("", &text));
    call.half_close();
    let taken = halted(&call.taken, proxy).await;
    assert!(taken * MESSAGE_BYTES < IN_FLIGHT_BYTES, "{taken} messages were read ahead");

    assert_eq!(held.command().await.payload, None);
    let mut received = 0;
    while held.next().await.is_some() {
        received += 1;
    }
    assert_eq!(received, MESSAGES);
    held.reply("all there");
    assert_eq!(call.reply().await, "all there");
}

/// Protocol 0.1: every message says what is called, and there is none without a request.
#[tokio::test(flavor = "multi_thread")]
async fn a_stateless_function_is_told_what_is_called_with_every_request() {
    let mut spec: EntitySpec = spec();
    spec.entities[0].entity_type = "cloudstate.function.StatelessFunction".to_owned();
    let mut function = UserFunction::with_spec(spec);
    let (_proxy, proxy) = hosting(&function).await;
    for (rpc, protocol, takes_stream, gives_stream) in SHAPES {
        let (mut call, mut held) = begin(&mut function, proxy, rpc, takes_stream).await;
        assert_eq!((held.rpc, held.is_stateless_function), (protocol, true));
        if takes_stream {
            for text in ["first", "second"] {
                assert!(held.is_quiet(), "{rpc}");
                call.send("", text);
                assert_eq!(held.command().await, addressed(rpc, payload(text)), "{rpc}");
            }
            call.half_close();
        } else {
            assert_eq!(held.command().await, addressed(rpc, payload("asked")), "{rpc}");
        }
        assert_eq!(held.next().await, None, "{rpc}");
        held.respond(replying("a"));
        if gives_stream {
            held.respond(replying("b"));
        }
        drop(held);
        assert_eq!(call.reply().await, "a", "{rpc}");
        if gives_stream {
            assert_eq!(call.reply().await, "b", "{rpc}");
        }
        assert_eq!(call.end().await.0, Code::Ok, "{rpc}");
    }
}
