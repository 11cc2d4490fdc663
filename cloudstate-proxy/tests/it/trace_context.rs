//! W3C trace context: a client's goes with its call, as it is, to whatever the call leads to. Nobody collects spans here.

use cloudstate_proto::{EntitySpec, Metadata, MetadataEntry, entity_type, metadata_entry::Value};
use cloudstate_proxy::Proxy;
use http::Method;
use tokio::task::JoinHandle;

use crate::{
    action_calls::{ActionCall, forwarding, only_effects},
    actions::effect,
    client::{Answer, Client, frame},
    contract::{any, request, spec_of},
    hosted::host,
    user_function::{Out, Setup, Stream, UserFunction, With, reply},
};

const CALLS: &str = "test.Calls";
const THINGS: &str = "test.Things";

const CONTRACT: &str = r#"
    syntax = "proto3";
    package test;
    import "cloudstate/entity_key.proto";
    import "cloudstate/eventing.proto";
    import "google/protobuf/any.proto";
    message Request { string id = 1 [(.cloudstate.entity_key) = true]; string text = 2; }
    message Reply { string text = 1; }
    service Calls { rpc Unary(Request) returns (Reply); }
    service Things { rpc Do(Request) returns (Reply); }
    service Watcher {
        rpc Watch(google.protobuf.Any) returns (Reply) {
            option (.cloudstate.eventing) = { in: { consumer_group: "all", event_log: "test.things" } };
        }
    }
"#;

fn spec() -> EntitySpec {
    let mut spec = spec_of(CONTRACT, &[CALLS, THINGS, "test.Watcher"]);
    for action in [0, 2] {
        spec.entities[action].entity_type = entity_type::ACTION.to_owned();
    }
    spec
}

/// A user function that answers so to the extensions header.
async fn start(extensions: Option<&'static str>) -> (UserFunction, Proxy, Client) {
    let function = UserFunction::start(Setup { spec: spec(), extensions, ..Setup::default() });
    let (proxy, client) = host(&function).await;
    (function, proxy, client)
}

const AGREED: Option<&str> = Some("trace-context");

/// Of a version to come, with flags that nobody knows yet.
const PARENT: (&str, &str) = ("traceparent", "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more");
const STATE: (&str, &str) = ("tracestate", "vendor=1,other=2");
const OWN: (&str, &str) = ("traceparent", "00-11111111111111111111111111111111-2222222222222222-01");

fn metadata(entries: &[(&str, &str)]) -> Metadata {
    let entry = |(key, value): &(&str, &str)| MetadataEntry {
        key: (*key).to_owned(),
        value: Some(Value::StringValue((*value).to_owned())),
    };
    Metadata { entries: entries.iter().map(entry).collect() }
}

/// The trace context in metadata.
fn traced(metadata: Option<Metadata>) -> Metadata {
    let mut metadata = metadata.unwrap_or_default();
    metadata.entries.retain(|entry| entry.key.starts_with("trace"));
    metadata
}

fn call(client: &Client, rpc: &'static str, headers: &'static [(&str, &str)]) -> JoinHandle<Answer> {
    let client = client.clone();
    tokio::spawn(async move { client.grpc_with(rpc, &frame(&request("e1", "")), headers).await })
}

/// A call of the action by a client with [`PARENT`] and [`STATE`].
async fn traced_call(function: &mut UserFunction, client: &Client) -> (JoinHandle<Answer>, ActionCall) {
    let answer = call(client, "test.Calls/Unary", &[PARENT, STATE]);
    let mut held = function.action_call().await;
    assert_eq!(traced(held.command().await.metadata), metadata(&[PARENT, STATE]));
    (answer, held)
}

/// The metadata of the next command of an entity, which is answered.
async fn answered(stream: &mut Stream) -> Option<Metadata> {
    stream.answer("done").await.metadata
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reaches_an_action_as_it_is() {
    let (mut function, _proxy, client) = start(None).await;
    let (answer, held) = traced_call(&mut function, &client).await;
    held.reply("grpc");
    assert_eq!(answer.await.unwrap().reply(), "grpc");

    let over_http = client.clone();
    let page =
        tokio::spawn(
            async move { over_http.http(Method::POST, "/test.Calls/Unary", &[PARENT], b"{}").await },
        );
    let mut held = function.action_call().await;
    assert_eq!(traced(held.command().await.metadata), metadata(&[PARENT]));
    held.reply("http");
    assert_eq!(page.await.unwrap().text(), r#"{"text":"http"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reaches_an_entity_if_that_was_agreed() {
    let cases: [(_, &'static [_], _); 5] = [
        (AGREED, &[PARENT, STATE, ("x-other", "1")], Some(metadata(&[PARENT, STATE]))),
        (AGREED, &[("x-other", "1")], None),
        (Some("status-code"), &[PARENT], None),
        (Some("status-code, trace-context"), &[PARENT], Some(metadata(&[PARENT]))),
        (None, &[PARENT], None),
    ];
    for (extensions, headers, expected) in cases {
        let (mut function, _proxy, client) = start(extensions).await;
        let answer = call(&client, "test.Things/Do", headers);
        let (mut stream, _) = function.activation().await;
        assert_eq!(answered(&mut stream).await, expected, "{extensions:?} {headers:?}");
        assert_eq!(answer.await.unwrap().reply(), "done");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_goes_on_with_it_unless_it_has_one_of_its_own() {
    for (said, expected) in [
        (&[][..], &[PARENT, STATE][..]),
        (&[("x-other", "1")], &[PARENT, STATE]),
        (&[OWN], &[OWN]),
        (&[OWN, STATE], &[OWN, STATE]),
    ] {
        let (mut function, _proxy, client) = start(AGREED).await;
        // An action, then an entity.
        let (answer, held) = traced_call(&mut function, &client).await;
        held.respond(forwarding(CALLS, "Unary", any("Request", &request("e1", "")), metadata(said)));
        let mut target = function.action_call().await;
        assert_eq!(traced(target.command().await.metadata), metadata(expected), "{said:?}");
        target.respond(forwarding(THINGS, "Do", any("Request", &request("e1", "")), Metadata::default()));
        let (mut stream, _) = function.activation().await;
        assert_eq!(answered(&mut stream).await, Some(metadata(expected)), "{said:?}");
        assert_eq!(answer.await.unwrap().reply(), "done");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_of_a_call_without_one_is_as_the_function_made_it() {
    let (mut function, _proxy, client) = start(None).await;
    let answer = call(&client, "test.Calls/Unary", &[]);
    let held = function.action_call().await;
    let said = metadata(&[("x-other", "1")]);
    held.respond(forwarding(CALLS, "Unary", any("Request", &request("e1", "")), said.clone()));
    let mut target = function.action_call().await;
    assert_eq!(target.command().await.metadata, Some(said));
    target.reply("done");
    assert_eq!(answer.await.unwrap().reply(), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn side_effects_go_on_with_it() {
    for synchronous in [true, false] {
        let (mut function, _proxy, client) = start(AGREED).await;
        let (answer, held) = traced_call(&mut function, &client).await;
        held.respond(only_effects(vec![
            effect(CALLS, "Unary", "", synchronous),
            effect(THINGS, "Do", "e1", synchronous),
        ]));
        let mut target = function.action_call().await;
        assert_eq!(traced(target.command().await.metadata), metadata(&[PARENT, STATE]));
        target.reply("dropped");
        let (mut stream, _) = function.activation().await;
        assert_eq!(answered(&mut stream).await, Some(metadata(&[PARENT, STATE])));
        assert_eq!(answer.await.unwrap().reply(), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_not_of_the_trace_that_it_was_stored_in() {
    let (mut function, _proxy, client) = start(AGREED).await;
    let answer = call(&client, "test.Things/Do", &[PARENT]);
    let (mut stream, _) = function.activation().await;
    let command = stream.command().await;
    assert_eq!(command.metadata, Some(metadata(&[PARENT])));
    stream.send(Out::Reply(reply(command.id, "stored").with_events(["happened"])));
    assert_eq!(answer.await.unwrap().reply(), "stored");
    let mut consumed = function.action_call().await;
    let command = consumed.command().await;
    assert_eq!(traced(command.metadata), Metadata::default());
    consumed.reply("seen");
}
