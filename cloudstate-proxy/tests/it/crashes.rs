//! A user function that breaks the protocol: everybody who waits learns of it, the next command starts afresh.

use std::sync::Arc;

use cloudstate_proto::eventsourced::EventSourcedReply;
use cloudstate_proxy::Proxy;
use tonic::{Code, Status};

use crate::{
    client::Client,
    held_store::{Held, HeldStore},
    hosted::{host, metric, serving, settings},
    user_function::{Out, Stream, UserFunction, With, failure, reply},
};

/// What the function does while command 1 is outstanding.
type Misbehaviour = fn(Stream) -> Option<Stream>;

/// What it does, what the outstanding caller gets, whether it leaves the stream to be closed by the proxy.
const CRASHES: [(&str, Misbehaviour, Code, &str); 9] = [
    ("a wrong command id", |s| then(s, Out::Reply(reply(2, ""))), Code::Internal, "Unexpected entity reply"),
    ("no command id", |s| then(s, Out::Reply(reply(0, ""))), Code::Internal, "Unexpected entity reply"),
    (
        "an empty reply to another command",
        |s| {
            then(
                s,
                Out::Reply(
                    EventSourcedReply { command_id: 7, ..EventSourcedReply::default() }.with_events(["lost"]),
                ),
            )
        },
        Code::Internal,
        "Unexpected entity reply",
    ),
    (
        "a failure of no command",
        |s| then(s, Out::Failure(failure(0, "hidden"))),
        Code::Unknown,
        "Unexpected entity failure",
    ),
    (
        "a failure of another command",
        |s| then(s, Out::Failure(failure(5, "hidden"))),
        Code::Unknown,
        "Unexpected entity failure",
    ),
    (
        "a failure of this command",
        |s| then(s, Out::Failure(failure(1, "I fell over"))),
        Code::Unknown,
        "I fell over",
    ),
    (
        "an empty message",
        |stream| {
            stream.send_nothing();
            Some(stream)
        },
        Code::Internal,
        "Unexpected entity message",
    ),
    (
        "the end of the stream",
        |stream| {
            drop(stream);
            None
        },
        Code::Unavailable,
        "Unexpected entity termination",
    ),
    (
        "an error",
        |stream| {
            stream.fail(Status::aborted("gone"));
            None
        },
        Code::Unavailable,
        "Unexpected entity termination",
    ),
];

fn then(stream: Stream, message: Out) -> Option<Stream> {
    stream.send(message);
    Some(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_fails_who_waits_and_the_next_command_starts_afresh() {
    for (what, misbehave, code, text) in CRASHES {
        let mut function = UserFunction::new();
        let (proxy, client) = host(&function).await;
        let act = |id: &'static str| {
            let client = client.clone();
            tokio::spawn(async move { client.act(id, "").await })
        };
        let unharmed = act("e2");
        let (mut other, _) = function.activation().await;
        other.command().await;
        let outstanding = act("e1");
        let (mut stream, _) = function.activation().await;
        stream.command().await;
        let queued = act("e1");
        metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 3).await;

        let stream = misbehave(stream);
        assert_eq!(outstanding.await.unwrap().failure(), (code, text), "{what}");
        assert_eq!(queued.await.unwrap().failure(), (Code::Unavailable, "Entity terminated"), "{what}");
        let report = function.report().await;
        assert!(report.starts_with("Unexpected entity "), "{what}: {report}");
        assert!(report.contains("(service test.Things, entity e1)"), "{what}: {report}");
        if let Some(mut stream) = stream {
            stream.half_closed().await;
        }

        let again = act("e1");
        let (mut stream, init) = function.activation().await;
        assert_eq!(init.entity_id, "e1");
        assert_eq!(stream.answer("fine").await.id, 1);
        assert_eq!(again.await.unwrap().reply(), "fine", "{what}");
        other.reply(1, "unharmed");
        assert_eq!(unharmed.await.unwrap().reply(), "unharmed", "{what}");
        assert!(function.reports.try_recv().is_err(), "{what}: reported twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_nobody_waits_for_is_a_crash_too() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let act = || {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    let call = act();
    let (mut stream, _) = function.activation().await;
    stream.answer("fine").await;
    call.await.unwrap().reply();
    stream.send(Out::Reply(reply(1, "").with_events(["from nowhere"])));
    let report = function.report().await;
    assert!(report.starts_with("Unexpected entity reply: a reply to command 1"), "{report}");
    stream.half_closed().await;
    drop(stream);

    let call = act();
    let (mut stream, _) = function.activation().await;
    assert_eq!(stream.answer("fine again").await.id, 1);
    assert_eq!(call.await.unwrap().reply(), "fine again");
}

/// For example because the function does not know the service, or cannot read an event.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_init_fails_the_commands_that_caused_it() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let call = tokio::spawn(async move { client.act("e1", "").await });
    let stream = function.stream().await;
    stream.send(Out::Failure(failure(0, "service unknown to the function")));
    assert_eq!(call.await.unwrap().failure(), (Code::Unknown, "Unexpected entity failure"));
    let report = function.report().await;
    assert!(report.contains("service unknown to the function"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_stream_may_end() {
    let mut function = UserFunction::new();
    let (proxy, client) = host(&function).await;
    let act = || {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    for ended in 1..=3 {
        let call = act();
        let (mut stream, _) = function.activation().await;
        stream.answer("fine").await;
        assert_eq!(call.await.unwrap().reply(), "fine");
        drop(stream);
        metric(&proxy, r#"eventsourced_passivated_entities_total{entity_name="test.things"}"#, ended).await;
    }
    metric(&proxy, r#"eventsourced_failed_entities_total{entity_name="test.things"}"#, 0).await;
    assert!(function.reports.try_recv().is_err());
}

/// Why a stream ended takes a moment to find out; nothing may be sent to it meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_end_while_what_it_replied_is_stored() {
    let (store, mut appends) = HeldStore::new(Held::Appends).await;
    let mut function = UserFunction::new();
    let proxy = Proxy::start_with_store(settings(function.address), Arc::new(store)).await.unwrap();
    let client = Client::connect(serving(&proxy).await.listen).await;
    for (already_stored, text) in ["first", "second", "third"].into_iter().enumerate() {
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.act("e1", text).await }
        });
        let (mut stream, _) = function.activation().await;
        for _ in 0..already_stored {
            stream.event().await;
        }
        let command = stream.command().await;
        stream.send(Out::Reply(reply(command.id, text).with_events(["stored"])));
        let append = appends.next().await;
        stream.complete().await;
        append.let_go();
        assert_eq!(call.await.unwrap().reply(), text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_fails_its_entity_only() {
    let mut function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.max_inbound_message_size = 64 * 1024;
    let (_proxy, client) = crate::hosted::host_with(settings).await;
    function.serve(|entity, command| {
        let size = if entity.id == "large" { 70_000 } else { 60_000 };
        reply(command.id, &"x".repeat(size))
    });
    let (large, small) = tokio::join!(client.act("large", ""), client.act("small", ""));
    assert_eq!(large.failure(), (Code::Unavailable, "Unexpected entity termination"));
    assert_eq!(small.reply().len(), 60_000);
    let report = function.report().await;
    assert!(report.contains("too large") && report.contains("large"), "{report}");
    assert_eq!(client.act("small", "").await.reply().len(), 60_000);
}
