//! Streamed commands of CRDT entities: elements, cancellations, votes, slow clients.

use std::time::Duration;

use cloudstate_proto::{
    ClientAction, Forward, SideEffect,
    client_action::Action,
    crdt::{CrdtDelta, CrdtReply, CrdtStreamedMessage, VoteDelta, crdt_delta::Delta},
};
use cloudstate_proxy::{Proxy, Settings, error_code::ErrorCode, storage::StoreUrl};
use tonic::Code;

use crate::{
    client::{Client, explained},
    contract::{OTHERS, any, request},
    crdt_function::{CrdtStream, SETS, acting, counted, deleted, reply, says, spec, updated, voted},
    hosted::{host, host_with, serving, settings},
    stopped_clock::StoppedClock,
    streams::StreamedCall,
    user_function::{UserFunction, failure},
};

fn function() -> UserFunction {
    UserFunction::with_spec(spec())
}

/// Calls `test.Sets/Watch`.
async fn watch(proxy: &Proxy, id: &str) -> StreamedCall {
    StreamedCall::begin(serving(proxy).await.listen, "test.Sets/Watch").await.ask(id, "")
}

/// Calls `test.Sets/Do`, which the function answers with this text.
async fn act(client: &Client, stream: &mut CrdtStream, id: &str, text: &str) {
    let (client, id) = (client.clone(), id.to_owned());
    let call = tokio::spawn(async move { client.call("test.Sets/Do", &id, "").await });
    stream.answer(text, None).await;
    assert_eq!(call.await.unwrap().reply(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn elements_follow_the_first_reply_until_the_end() {
    let mut function = function();
    let (proxy, client) = host(&function).await;
    let mut call = watch(&proxy, "e1").await;
    let (mut stream, _) = function.crdt_activation().await;
    let id = stream.open("first").await;
    assert_eq!(call.reply().await, "first");
    for text in ["second", "third"] {
        stream.element(id, text);
        assert_eq!(call.reply().await, text);
    }
    let client_action = Some(says("last"));
    let end = CrdtStreamedMessage { command_id: id, client_action, end_stream: true, ..Default::default() };
    stream.streamed(end);
    assert_eq!(call.reply().await, "last");
    assert_eq!(call.end().await, (Code::Ok, String::new()));
    // It was the function that ended it: nothing is cancelled, and the stream is as it was.
    stream.element(id, "late");
    let report = function.report().await;
    assert!(report.starts_with("Received streamed message for unknown command id: 1"), "{report}");
    act(&client, &mut stream, "e1", "next").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_not_streamed_is_the_only_element() {
    let mut function = function();
    let (proxy, client) = host(&function).await;
    let mut call = watch(&proxy, "e1").await;
    let (mut stream, _) = function.crdt_activation().await;
    let command = stream.answer("only", None).await;
    assert!(command.streamed);
    assert_eq!(call.reply().await, "only");
    assert_eq!(call.end().await, (Code::Ok, String::new()));
    act(&client, &mut stream, "e1", "next").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_the_clients_stream_only() {
    let mut function = function();
    let (proxy, client) = host(&function).await;
    let mut call = watch(&proxy, "e1").await;
    let (mut stream, _) = function.crdt_activation().await;
    let id = stream.open("first").await;
    assert_eq!(call.reply().await, "first");
    let client_action = Some(acting(Action::Failure(failure(id, "no more"))));
    stream.streamed(CrdtStreamedMessage { command_id: id, client_action, ..Default::default() });
    assert_eq!(call.end().await, (Code::Unknown, "no more".to_owned()));
    act(&client, &mut stream, "e1", "next").await;
}

/// Two clients come and go; the vote says whether anybody is there.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_tracked_with_a_vote() {
    let mut function = function();
    let (proxy, client) = host(&function).await;
    let mut monitor = watch(&proxy, "e1").await;
    let (mut stream, init) = function.crdt_activation().await;
    assert_eq!(init.delta, None);
    assert_eq!(stream.open("false, 0 of 1").await, 1);
    assert_eq!(monitor.reply().await, "false, 0 of 1");

    // The second has an empty first reply, which brings its vote.
    let connected = watch(&proxy, "e1").await;
    assert_eq!(stream.command().await.id, 2);
    let state_action = voted(true);
    stream.reply(CrdtReply { command_id: 2, state_action, streamed: true, ..CrdtReply::default() });
    stream.element(1, "true, 1 of 1");
    assert_eq!(monitor.reply().await, "true, 1 of 1");

    // It goes.
    drop(connected);
    let cancelled = stream.stream_cancelled().await;
    assert_eq!((cancelled.id, &*cancelled.entity_id), (2, "e1"));
    stream.cancelled(2, voted(false), vec![]);
    stream.element(1, "false, 0 of 1");
    assert_eq!(monitor.reply().await, "false, 0 of 1");
    drop(monitor);
    assert_eq!(stream.stream_cancelled().await.id, 1);
    stream.cancelled(1, None, vec![]);

    // No deltas anywhere: the next message is the command.
    let call = {
        let client = client.clone();
        tokio::spawn(async move { client.call("test.Sets/Do", "e1", "").await })
    };
    assert_eq!(stream.answer("deleted", deleted()).await.id, 3);
    assert_eq!(call.await.unwrap().reply(), "deleted");
    stream.half_closed().await;
}

/// A vote is state like any other: another start of the proxy goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_vote_is_kept_until_the_function_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut function = function();
    let store = StoreUrl::Sqlite(folder.path().join("store.db"));
    let settings = Settings { store, ..settings(function.address) };
    let (proxy, client) = host_with(settings.clone()).await;
    let mut call = watch(&proxy, "e1").await;
    let (mut stream, _) = function.crdt_activation().await;
    stream.command().await;
    stream.reply(CrdtReply { state_action: voted(true), streamed: true, ..reply(1, "voted") });
    assert_eq!(call.reply().await, "voted");

    // The client's stream is completed by the stop, without a cancellation.
    let stopping = tokio::spawn(proxy.shutdown());
    assert_eq!(call.end().await, (Code::Ok, String::new()));
    stream.half_closed().await;
    drop((stream, client));
    stopping.await.unwrap();

    let (proxy, _client) = host_with(settings).await;
    let call = watch(&proxy, "e1").await;
    let (stream, init) = function.crdt_activation().await;
    let vote = VoteDelta { self_vote: true, votes_for: 1, total_voters: 1 };
    assert_eq!(init.delta, Some(CrdtDelta { delta: Some(Delta::Vote(vote)) }));
    drop((stream, call));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_first_reply_is_told_once_after_it() {
    let mut function = function();
    let (proxy, client) = host(&function).await;
    let call = watch(&proxy, "e1").await;
    let (mut stream, _) = function.crdt_activation().await;
    let id = stream.command().await.id;
    drop(call);
    // A command behind the departure shows that nothing was said about it yet.
    act(&client, &mut stream, "e1", "meanwhile").await;
    stream.reply(CrdtReply { streamed: true, ..reply(id, "to nobody") });
    assert_eq!(stream.stream_cancelled().await.id, id);
    stream.cancelled(id, None, vec![]);
    act(&client, &mut stream, "e1", "afterwards").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_side_effects_of_a_cancellation_are_carried_out() {
    let mut function = function();
    let (proxy, _client) = host(&function).await;
    let mut call = watch(&proxy, "e1").await;
    let (mut stream, _) = function.crdt_activation().await;
    let id = stream.open("first").await;
    assert_eq!(call.reply().await, "first");
    drop(call);
    assert_eq!(stream.stream_cancelled().await.id, id);
    let effect = SideEffect {
        service_name: OTHERS.to_owned(),
        command_name: "Do".to_owned(),
        payload: Some(any("Request", &request("e2", ""))),
        synchronous: false,
        metadata: None,
    };
    stream.cancelled(id, updated(counted(1)), vec![effect]);
    let (mut other, init) = function.crdt_activation().await;
    assert_eq!((&*init.service_name, &*init.entity_id), (OTHERS, "e2"));
    other.answer("", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_ends_open_streams() {
    let mut function = function();
    let (proxy, _client) = host(&function).await;
    let mut call = watch(&proxy, "e1").await;
    let (mut stream, _) = function.crdt_activation().await;
    stream.open("first").await;
    assert_eq!(call.reply().await, "first");
    stream.reply(reply(9, ""));
    assert_eq!(call.end().await, (Code::Unavailable, "Entity terminating".to_owned()));
    stream.given_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_prevent_passivation() {
    let mut function = function();
    let passivation_timeout = Duration::from_millis(20).into();
    let (proxy, client) = host_with(Settings { passivation_timeout, ..settings(function.address) }).await;
    let mut call = watch(&proxy, "watched").await;
    let (mut watched, _) = function.crdt_activation().await;
    let id = watched.open("first").await;
    assert_eq!(call.reply().await, "first");
    // Another entity, with the same timeout, comes and goes meanwhile.
    let other = {
        let client = client.clone();
        tokio::spawn(async move { client.call("test.Sets/Do", "other", "").await })
    };
    let (mut stream, _) = function.crdt_activation().await;
    stream.answer("", None).await;
    other.await.unwrap().reply();
    stream.half_closed().await;
    drop(stream);
    assert!(watched.is_quiet(), "passivated with an open stream");
    watched.element(id, "still here");
    assert_eq!(call.reply().await, "still here");
    // A cancellation that is never answered does not keep it for ever.
    drop(call);
    watched.stream_cancelled().await;
    watched.cancelled(id, None, vec![]);
    watched.half_closed().await;
}

#[tokio::test]
async fn a_cancellation_without_an_answer_does_not_keep_the_entity() {
    let mut function = function();
    let (proxy, _client) = host_with(Settings {
        passivation_timeout: Duration::from_millis(20).into(),
        relay_timeout: Duration::from_millis(200),
        ..settings(function.address)
    })
    .await;
    let clock = StoppedClock::new();
    let mut call = watch(&proxy, "e1").await;
    let (mut stream, _) = function.crdt_activation().await;
    stream.open("first").await;
    assert_eq!(call.reply().await, "first");
    drop(call);
    stream.stream_cancelled().await;
    drop(clock);
    stream.half_closed().await;
}

/// The slow client is cut off, the others hear everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_harms_nobody() {
    let mut function = function();
    let (proxy, client) = host(&function).await;
    let mut slow = watch(&proxy, "e1").await;
    let (mut stream, _) = function.crdt_activation().await;
    let slow_id = stream.open("first").await;
    assert_eq!(slow.reply().await, "first");
    let mut quick = watch(&proxy, "e1").await;
    let quick_id = stream.open("first").await;
    assert_eq!(quick.reply().await, "first");

    let long = "x".repeat(16 * 1024);
    for at in 0..2_000 {
        stream.element(slow_id, &long);
        stream.element(quick_id, &at.to_string());
        assert_eq!(quick.reply().await, at.to_string());
    }
    assert_eq!(stream.stream_cancelled().await.id, slow_id);
    stream.cancelled(slow_id, None, vec![]);
    act(&client, &mut stream, "e1", "alive").await;
    let cut_off = loop {
        if let Err(status) = slow.next().await {
            break status;
        }
    };
    assert_eq!(cut_off.code(), Code::ResourceExhausted, "{cut_off}");
}

/// Forty elements of 1 MiB are far fewer than may wait; 1,024 and more small ones are far fewer bytes. All of them are
/// more than the client takes unread. (Still smaller ones would offend its HTTP/2 library.)
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_slow_client_is_bounded_in_bytes_and_in_number() {
    for (bytes, elements) in [(1024 * 1024, 40), (300, 30_000)] {
        let mut function = function();
        let (proxy, client) = host(&function).await;
        let mut slow = watch(&proxy, "e1").await;
        let (mut stream, _) = function.crdt_activation().await;
        let id = stream.open("first").await;
        assert_eq!(slow.reply().await, "first");
        let text = "x".repeat(bytes);
        (0..elements).for_each(|_| stream.element(id, &text));
        assert_eq!(stream.stream_cancelled().await.id, id);
        stream.cancelled(id, None, vec![]);
        act(&client, &mut stream, "e1", "alive").await;
        let mut replies = 0;
        let cut_off = loop {
            match slow.next().await {
                Ok(Some(_)) => replies += 1,
                Ok(None) => panic!("ended as if that were all"),
                Err(status) => break status,
            }
        };
        let text = "the client takes its replies too slowly: too many were waiting";
        let text = explained("test.Sets/Watch, entity \"e1\"", ErrorCode::ClientTooSlow, text);
        assert_eq!((cut_off.code(), cut_off.message()), (Code::ResourceExhausted, &*text));
        assert!(replies < elements, "all of them came");
    }
}

fn forward_to(service: &str, command: &str, id: &str) -> ClientAction {
    acting(Action::Forward(Forward {
        service_name: service.to_owned(),
        command_name: command.to_owned(),
        payload: Some(any("Request", &request(id, ""))),
        metadata: None,
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_to_a_streamed_command_brings_all_replies_to_a_stream_and_one_to_a_unary_call() {
    let mut function = function();
    let (proxy, client) = host(&function).await;
    let mut call = watch(&proxy, "e1").await;
    let (mut source, _) = function.crdt_activation().await;
    let id = source.command().await.id;
    let client_action = Some(forward_to(SETS, "Watch", "e2"));
    source.reply(CrdtReply { command_id: id, client_action, streamed: true, ..CrdtReply::default() });
    let (mut target, init) = function.crdt_activation().await;
    assert_eq!(init.entity_id, "e2");
    let target_id = target.open("first").await;
    target.element(target_id, "second");
    assert_eq!((call.reply().await, call.reply().await), ("first".to_owned(), "second".to_owned()));
    // The source's own elements come when the target has no more to say.
    source.element(id, "own");
    target.streamed(CrdtStreamedMessage {
        command_id: target_id,
        client_action: Some(says("third")),
        end_stream: true,
        ..Default::default()
    });
    assert_eq!((call.reply().await, call.reply().await), ("third".to_owned(), "own".to_owned()));
    drop(call);
    assert_eq!(source.stream_cancelled().await.id, id);
    source.cancelled(id, None, vec![]);

    let calling = client.clone();
    let answer = tokio::spawn(async move { calling.call("test.Sets/Do", "e1", "").await });
    let command_id = source.command().await.id;
    let client_action = Some(forward_to(SETS, "Watch", "e2"));
    source.reply(CrdtReply { command_id, client_action, ..CrdtReply::default() });
    let target_id = target.open("the one").await;
    assert_eq!(answer.await.unwrap().reply(), "the one");
    // Nobody takes more.
    assert_eq!(target.stream_cancelled().await.id, target_id);
    target.cancelled(target_id, None, vec![]);
    act(&client, &mut target, "e2", "alive").await;
}

/// (whether the effect is synchronous, what becomes of its cause)
const EFFECTS: [(bool, Code); 2] = [(true, Code::DeadlineExceeded), (false, Code::Ok)];

#[tokio::test]
async fn an_effect_on_a_streamed_command_goes_to_its_end_and_is_cut_off_if_it_has_none() {
    let mut function = function();
    let relay_timeout = Duration::from_secs(2);
    let (_proxy, client) = host_with(Settings { relay_timeout, ..settings(function.address) }).await;
    let clock = StoppedClock::new();
    let mut entities: Option<(CrdtStream, CrdtStream)> = None;
    for (synchronous, code) in EFFECTS {
        for ends in [true, false] {
            let calling = client.clone();
            let answer = tokio::spawn(async move { calling.call("test.Sets/Do", "e1", "").await });
            let effect = SideEffect {
                service_name: SETS.to_owned(),
                command_name: "Watch".to_owned(),
                payload: Some(any("Request", &request("e2", ""))),
                synchronous,
                metadata: None,
            };
            let (mut source, target) = match entities.take() {
                Some((source, target)) => (source, Some(target)),
                None => (function.crdt_activation().await.0, None),
            };
            let id = source.command().await.id;
            source.reply(CrdtReply { side_effects: vec![effect], ..reply(id, "caused") });
            let mut target = match target {
                Some(target) => target,
                None => function.crdt_activation().await.0,
            };
            let id = target.open("to nobody").await;
            if ends {
                target.element(id, "to nobody");
                let end = CrdtStreamedMessage { command_id: id, end_stream: true, ..Default::default() };
                target.streamed(end);
                assert_eq!(answer.await.unwrap().reply(), "caused");
            } else {
                clock.pass(relay_timeout).await;
                assert_eq!(target.stream_cancelled().await.id, id);
                target.cancelled(id, None, vec![]);
                assert_eq!(answer.await.unwrap().code, code);
            }
            entities = Some((source, target));
        }
    }
    let text = "test.Sets.Watch: an asynchronous side effect was not finished within 2 s\n  side-effect of test.Sets.Do";
    assert_eq!(function.report().await, text);
}
