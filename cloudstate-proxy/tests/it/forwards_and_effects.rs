//! Answers by another entity, and calls beside the answer.

use std::sync::{Arc, Mutex};

use cloudstate_proto::{
    Forward, Metadata, MetadataEntry, Reply as WireReply, SideEffect, client_action::Action,
    metadata_entry::Value,
};
use prost::Message as _;
use tonic::Code;

use crate::{
    client::explained,
    contract::{OTHERS, Reply, Request, THINGS, any, request, spec_of},
    hosted::host,
    user_function::{Out, UserFunction, With, acting, refusal, reply, soon},
};
use cloudstate_proxy::error_code::ErrorCode;

fn forward(service: &str, command: &str, id: &str) -> Action {
    Action::Forward(Forward {
        service_name: service.to_owned(),
        command_name: command.to_owned(),
        payload: Some(any("Request", &request(id, "forwarded"))),
        metadata: Some(metadata("x-forward", "of the forward")),
    })
}

fn effect(service: &str, command: &str, id: &str, synchronous: bool) -> SideEffect {
    SideEffect {
        service_name: service.to_owned(),
        command_name: command.to_owned(),
        payload: Some(any("Request", &request(id, "effect"))),
        synchronous,
        metadata: Some(metadata("x-effect", "of the effect")),
    }
}

fn metadata(key: &str, value: &str) -> Metadata {
    let value = Some(Value::StringValue(value.to_owned()));
    Metadata { entries: vec![MetadataEntry { key: key.to_owned(), value }] }
}

/// A reply with response headers.
fn with_metadata(text: &str, metadata: Metadata) -> Action {
    let payload = Some(any("Reply", &Reply { text: text.to_owned() }));
    Action::Reply(WireReply { payload, metadata: Some(metadata) })
}

/// Starts a call of `test.Things/Do` to `id` and takes its command.
macro_rules! outstanding {
    ($function:ident, $client:ident, $id:expr) => {{
        let client = $client.clone();
        let call = tokio::spawn(async move { client.act($id, "").await });
        let (mut stream, _) = $function.activation().await;
        stream.command().await;
        (call, stream)
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_is_answered_by_its_target() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    source.send(Out::Reply(acting(1, forward(OTHERS, "Do", "e2")).with_events(["kept"])));

    let (mut target, init) = function.activation().await;
    assert_eq!((&*init.service_name, &*init.entity_id), (OTHERS, "e2"));
    let command = target.command().await;
    assert_eq!((command.id, &*command.name), (1, "Do"));
    assert_eq!(command.payload, Some(any("Request", &request("e2", "forwarded"))));
    assert_eq!(command.metadata, None, "entities get no metadata");
    target.send(Out::Reply(acting(1, with_metadata("from the target", metadata("x-target", "yes")))));

    let answer = call.await.unwrap();
    assert_eq!(answer.reply(), "from the target");
    assert_eq!(answer.headers.get("x-target").unwrap(), "yes");
    assert_eq!(answer.headers.get("x-forward"), None);
    assert!(function.reports.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_to_the_same_entity_does_not_block_it() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, mut stream) = outstanding!(function, client, "e1");
    stream.send(Out::Reply(acting(1, forward(THINGS, "Get", "e1"))));
    assert_eq!(&*stream.answer("from itself").await.name, "Get");
    assert_eq!(call.await.unwrap().reply(), "from itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failure_of_a_target_is_the_failure_of_the_call() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    source.send(Out::Reply(acting(1, forward(THINGS, "Do", "e2"))));
    let (mut target, _) = function.activation().await;
    target.command().await;
    target.send(Out::Reply(refusal(1, "the target says no")));
    assert_eq!(call.await.unwrap().failure(), (Code::Unknown, "the target says no"));
}

/// What the client called decides which type it expects, not what answered in the end.
#[tokio::test(flavor = "multi_thread")]
async fn the_reply_of_a_target_is_held_against_the_method_that_was_called() {
    let contract = r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        message Request { string id = 1 [(.cloudstate.entity_key) = true]; }
        message Reply { string text = 1; }
        message OtherReply { string text = 1; }
        service Things { rpc Do(Request) returns (Reply); }
        service Others { rpc Do(Request) returns (OtherReply); }
    "#;
    let mut function = UserFunction::with_spec(spec_of(contract, &[THINGS, OTHERS]));
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    source.send(Out::Reply(acting(1, forward(OTHERS, "Do", "e2"))));
    let (mut target, _) = function.activation().await;
    target.command().await;
    let payload = Some(any("OtherReply", &Reply { text: "served all the same".to_owned() }));
    target.send(Out::Reply(acting(1, Action::Reply(WireReply { payload, metadata: None }))));
    assert_eq!(call.await.unwrap().reply(), "served all the same");
    assert_eq!(
        function.report().await,
        "Warning: test.Things.Do: Expected reply type_url to be [type.googleapis.com/test.Reply] \
         but was [type.googleapis.com/test.OtherReply]."
    );
}

/// What its developer has mixed up is served as far as it can be, as with replies.
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_another_type_than_the_target_takes_is_reported() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    let Action::Forward(mut mistaken) = forward(OTHERS, "Do", "e2") else { unreachable!() };
    mistaken.payload = Some(any("Reply", &request("e2", "forwarded")));
    source.send(Out::Reply(acting(1, Action::Forward(mistaken))));
    let (mut target, init) = function.activation().await;
    assert_eq!(init.entity_id, "e2");
    target.answer("served all the same").await;
    assert_eq!(call.await.unwrap().reply(), "served all the same");
    assert_eq!(
        function.report().await,
        "Warning: test.Others.Do: Expected payload type_url to be [type.googleapis.com/test.Request] \
         but was [type.googleapis.com/test.Reply].\n  forwarded from test.Things.Do"
    );
}

/// (service, command) of a target that is not there, and what both sides read.
const UNKNOWN: [(&str, &str, &str); 3] = [
    ("test.Nothing", "Do", "Service [test.Nothing] unknown"),
    (THINGS, "Nothing", "Service [test.Things] does not have a command named: [Nothing]"),
    (THINGS, "do", "Service [test.Things] does not have a command named: [do]"),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_target_of_a_forward_is_reported_and_fails_the_call() {
    for (service, command, text) in UNKNOWN {
        let mut function = UserFunction::new();
        let (_proxy, client) = host(&function).await;
        let (call, source) = outstanding!(function, client, "e1");
        source.send(Out::Reply(acting(1, forward(service, command, "e2"))));
        let told = explained("test.Things/Do, entity \"e1\"", ErrorCode::UnknownTarget, text);
        assert_eq!(call.await.unwrap().failure(), (Code::Internal, &*told));
        assert_eq!(function.report().await, format!("{text}\n  forwarded from test.Things.Do"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_target_of_an_effect_fails_the_call_only_if_it_is_synchronous() {
    for synchronous in [true, false] {
        let (service, command, text) = UNKNOWN[0];
        let mut function = UserFunction::new();
        let (_proxy, client) = host(&function).await;
        let (call, source) = outstanding!(function, client, "e1");
        let effects = vec![effect(service, command, "e2", synchronous)];
        source.send(Out::Reply(reply(1, "fine").with_effects(effects)));
        let answer = call.await.unwrap();
        if synchronous {
            let told = explained("test.Things/Do, entity \"e1\"", ErrorCode::UnknownTarget, text);
            assert_eq!(answer.failure(), (Code::Internal, &*told));
        } else {
            assert_eq!(answer.reply(), "fine");
        }
        assert_eq!(function.report().await, format!("{text}\n  side-effect of test.Things.Do"));
    }
}

/// The client did nothing wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_a_key_is_reported() {
    let text = "the entity key `id` is empty";
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    source.send(Out::Reply(acting(1, forward(OTHERS, "Do", ""))));
    let told = explained("test.Others/Do", ErrorCode::TargetWithoutKey, text);
    assert_eq!(call.await.unwrap().failure(), (Code::Internal, &*told));
    assert_eq!(function.report().await, format!("test.Others.Do: {text}\n  forwarded from test.Things.Do"));

    let (call, source) = outstanding!(function, client, "e2");
    let without_payload = SideEffect { payload: None, ..effect(OTHERS, "Do", "", false) };
    source.send(Out::Reply(reply(1, "fine").with_effects(vec![without_payload])));
    assert_eq!(call.await.unwrap().reply(), "fine");
    assert_eq!(function.report().await, format!("test.Others.Do: {text}\n  side-effect of test.Things.Do"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_names_every_hop() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    source.send(Out::Reply(acting(1, forward(OTHERS, "Do", "e2"))));
    let (mut target, _) = function.activation().await;
    target.command().await;
    let effects = vec![effect("test.Nothing", "Do", "e3", false)];
    target.send(Out::Reply(reply(1, "fine").with_effects(effects)));
    assert_eq!(call.await.unwrap().reply(), "fine");
    assert_eq!(
        function.report().await,
        "Service [test.Nothing] unknown\n  side-effect of test.Others.Do\n  forwarded from test.Things.Do"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn synchronous_effects_come_before_the_answer_and_one_after_the_other() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    let effects = vec![effect(OTHERS, "Do", "first", true), effect(OTHERS, "Do", "second", true)];
    source.send(Out::Reply(reply(1, "fine").with_effects(effects)));

    let (mut first, init) = function.activation().await;
    assert_eq!(init.entity_id, "first");
    let command = first.command().await;
    assert_eq!(command.payload, Some(any("Request", &request("first", "effect"))));
    assert_eq!(command.metadata, None);
    assert!(function.streams.try_recv().is_err(), "the second effect did not wait for the first");
    assert!(!call.is_finished(), "the answer did not wait for the effect");
    // What the target answers, even with a failure, is nobody's business.
    first.send(Out::Reply(refusal(1, "no")));

    let (mut second, init) = function.activation().await;
    assert_eq!(init.entity_id, "second");
    second.command().await;
    assert!(!call.is_finished(), "the answer did not wait for the effect");
    second.reply(1, "dropped");
    assert_eq!(call.await.unwrap().reply(), "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_effect_that_breaks_fails_the_call() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    source.send(Out::Reply(reply(1, "fine").with_effects(vec![effect(OTHERS, "Do", "e2", true)])));
    let (mut target, _) = function.activation().await;
    target.command().await;
    drop(target);
    assert_eq!(call.await.unwrap().failure(), (Code::Unavailable, "Unexpected entity termination"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_effect_delays_nothing() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    source.send(Out::Reply(reply(1, "fine").with_effects(vec![effect(OTHERS, "Do", "e2", false)])));
    assert_eq!(call.await.unwrap().reply(), "fine");
    let (mut target, init) = function.activation().await;
    assert_eq!((&*init.service_name, &*init.entity_id), (OTHERS, "e2"));
    target.command().await;
}

/// An effect on the entity that caused it.
#[tokio::test(flavor = "multi_thread")]
async fn an_effect_on_itself_does_not_block_the_entity() {
    for synchronous in [true, false] {
        let mut function = UserFunction::new();
        let (_proxy, client) = host(&function).await;
        let (call, mut stream) = outstanding!(function, client, "e1");
        stream.send(Out::Reply(reply(1, "fine").with_effects(vec![effect(
            THINGS,
            "Get",
            "e1",
            synchronous,
        )])));
        assert_eq!(&*stream.answer("").await.name, "Get");
        assert_eq!(call.await.unwrap().reply(), "fine");
    }
}

/// Asynchronous effects on one entity arrive in the order of the list.
#[tokio::test(flavor = "multi_thread")]
async fn asynchronous_effects_start_in_order() {
    const EFFECTS: usize = 50;
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    let numbered = |number: usize| SideEffect {
        payload: Some(any("Request", &request("target", &number.to_string()))),
        ..effect(OTHERS, "Do", "target", false)
    };
    source.send(Out::Reply(reply(1, "fine").with_effects((0..EFFECTS).map(numbered).collect())));
    assert_eq!(call.await.unwrap().reply(), "fine");
    let (mut target, _) = function.activation().await;
    for number in 0..EFFECTS {
        let command = target.answer("").await;
        assert_eq!(text_of(command), number.to_string());
    }
}

fn text_of(command: cloudstate_proto::Command) -> String {
    Request::decode(command.payload.unwrap().value).unwrap().text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_command_has_its_effects_too() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let (call, source) = outstanding!(function, client, "e1");
    source.send(Out::Reply(refusal(1, "no").with_effects(vec![effect(OTHERS, "Do", "e2", true)])));
    let (mut target, _) = function.activation().await;
    target.answer("").await;
    assert_eq!(call.await.unwrap().failure(), (Code::Unknown, "no"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_forwards_ends_with_a_sentence() {
    let mut function = UserFunction::new();
    let handled = Arc::new(Mutex::new(0));
    let handled_too = Arc::clone(&handled);
    function.serve(move |_, command| {
        *handled_too.lock().unwrap() += 1;
        acting(command.id, forward(THINGS, "Do", "e1"))
    });
    let (_proxy, client) = host(&function).await;
    let answer = client.act("e1", "").await;
    let text = "more than 32 forwards and side effects followed one call";
    let text = explained("test.Things/Do, entity \"e1\"", ErrorCode::TooManyHops, text);
    assert_eq!(answer.failure(), (Code::FailedPrecondition, &*text));
    assert_eq!(*handled.lock().unwrap(), 33);
    let report = function.report().await;
    assert!(report.starts_with("more than 32 forwards and side effects followed one call"), "{report}");
}

/// Otherwise nobody would ever learn of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_asynchronous_effects_is_reported() {
    let mut function = UserFunction::new();
    function
        .serve(|_, command| reply(command.id, "fine").with_effects(vec![effect(THINGS, "Do", "e1", false)]));
    let (_proxy, client) = host(&function).await;
    assert_eq!(client.act("e1", "").await.reply(), "fine");
    let report = function.report().await;
    assert!(report.starts_with("more than 32 forwards and side effects followed one call"), "{report}");
}

/// Effects of effects, more of them at once than the proxy carries out at a time.
#[tokio::test(flavor = "multi_thread")]
async fn many_effects_of_effects_all_happen() {
    const CALLS: usize = 60;
    const EFFECTS: usize = 40;
    let mut function = UserFunction::new();
    let (leaves, mut reached) = tokio::sync::mpsc::unbounded_channel();
    function.serve(move |entity, command| {
        let next = |number| effect(OTHERS, "Do", &format!("{}/{number}", entity.id), false);
        let effects = match entity.id.matches('/').count() {
            0 => (0..EFFECTS).map(next).collect(),
            1 => vec![next(0)],
            _ => {
                let _ = leaves.send(entity.id.clone());
                Vec::new()
            }
        };
        reply(command.id, "").with_effects(effects)
    });
    let (_proxy, client) = host(&function).await;
    let calls = (0..CALLS).map(|call| {
        let client = client.clone();
        async move { client.act(&call.to_string(), "").await.reply() }
    });
    futures_util::future::join_all(calls).await;
    let mut found = std::collections::HashSet::new();
    while found.len() < CALLS * EFFECTS {
        assert!(found.insert(soon("all effects", reached.recv()).await.unwrap()), "an effect happened twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reply_metadata_becomes_headers() {
    let mut function = UserFunction::new();
    function.serve(|_, command| {
        let mut sent = metadata("X-Many", "one");
        for (key, value) in [
            ("x-many", "two"),
            ("not a header", "x"),
            ("x-bad-value", "line\nbreak"),
            ("grpc-status", "5"),
            ("content-type", "text/html"),
            ("content-length", "1"),
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("", "x"),
        ] {
            sent.entries.extend(metadata(key, value).entries);
        }
        let bytes = Some(Value::BytesValue(vec![1, 2].into()));
        sent.entries.push(MetadataEntry { key: "x-bytes-bin".to_owned(), value: bytes });
        sent.entries.push(MetadataEntry { key: "x-nothing".to_owned(), value: None });
        acting(command.id, with_metadata("fine", sent))
    });
    let (_proxy, client) = host(&function).await;
    let answer = client.act("e1", "").await;
    assert_eq!(answer.reply(), "fine");
    let page = client.get("/things/e1").await;
    assert_eq!(page.text(), r#"{"text":"fine"}"#);
    for (headers, content_type) in
        [(&answer.headers, "application/grpc"), (&page.headers, "application/json")]
    {
        let many: Vec<_> = headers.get_all("x-many").iter().collect();
        assert_eq!(many, ["one", "two"]);
        let types: Vec<_> = headers.get_all("content-type").iter().collect();
        assert_eq!(types, [content_type]);
        for name in ["x-bad-value", "x-nothing", "transfer-encoding", "connection"] {
            assert_eq!(headers.get(name), None, "{name}");
        }
    }
}
