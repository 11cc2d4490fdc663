//! Events and messages reach the methods that consume them: in order, at least once, and not for ever.

use std::time::Duration;

use cloudstate_proto::{
    Any, EntitySpec, MetadataEntry, Reply as WireReply,
    action::{ActionCommand, action_response},
    entity_type,
    metadata_entry::Value,
};
use cloudstate_proxy::{Proxy, Settings, storage::StoreUrl};
use http::Method;
use prost::Message;
use tonic::{Code, Status};

use crate::{
    action_calls::{ActionCall, failing, replying, responding},
    client::Client,
    contract::{Reply, any, request, spec_of, stored},
    hosted::{host_with, metric, settings},
    user_function::{Stream, UserFunction, reply},
    waiting::found,
};

const THINGS: &str = "test.Things";
const WATCHER: &str = "test.Watcher";

/// An entity with a journal, an action that consumes it and publishes, and one that consumes what is published.
const CONTRACT: &str = r#"
    syntax = "proto3";
    package test;
    import "cloudstate/entity_key.proto";
    import "cloudstate/eventing.proto";
    import "google/protobuf/any.proto";
    message Request { string id = 1 [(.cloudstate.entity_key) = true]; string text = 2; }
    message Reply { string text = 1; }
    service Things { rpc Do(Request) returns (Reply); }
    service Watcher {
        rpc Typed(Request) returns (Reply) { option (.cloudstate.eventing) = { in: { event_log: "test.things" } }; }
        rpc Streamed(Reply) returns (stream Reply) {
            option (.cloudstate.eventing) = { in: { event_log: "test.things" } };
        }
    }
    service Untyped {
        rpc All(google.protobuf.Any) returns (Reply) {
            option (.cloudstate.eventing) = { in: { consumer_group: "all", event_log: "test.others" } };
        }
    }
    service Others { rpc Do(Request) returns (Reply); }
    service Publisher { rpc Publish(Request) returns (Reply) { option (.cloudstate.eventing).out = { topic: "news" }; } }
    service Anything { rpc Publish(Request) returns (Reply) { option (.cloudstate.eventing).out = { topic: "anything" }; } }
    service Collector {
        rpc Collect(google.protobuf.Any) returns (Reply) {
            option (.cloudstate.eventing) = { in: { topic: "anything" } };
        }
    }
    service Reader { rpc Read(Reply) returns (Reply) { option (.cloudstate.eventing) = { in: { topic: "news" } }; } }
"#;

pub(crate) fn spec() -> EntitySpec {
    let actions =
        [WATCHER, "test.Untyped", "test.Publisher", "test.Reader", "test.Anything", "test.Collector"];
    let mut spec = spec_of(CONTRACT, &[&[THINGS, "test.Others"], &actions[..]].concat());
    for entity in &mut spec.entities {
        if actions.contains(&entity.service_name.as_str()) {
            entity.entity_type = entity_type::ACTION.to_owned();
        }
    }
    spec
}

/// A proxy that tries three times, at once.
async fn start(change: impl FnOnce(&mut Settings)) -> (UserFunction, Proxy, Client) {
    let function = UserFunction::with_spec(spec());
    let mut settings = settings(function.address);
    settings.delivery_attempts = 3;
    settings.delivery_backoff_max = Duration::from_millis(1);
    change(&mut settings);
    let (proxy, client) = host_with(settings).await;
    (function, proxy, client)
}

/// Has the entity `id` of `service` store `events`; its stream stays open.
async fn store(
    function: &mut UserFunction,
    client: &Client,
    service: &str,
    id: &str,
    events: &[Any],
) -> Stream {
    let calling = client.clone();
    let (rpc, id) = (format!("{service}/Do"), id.to_owned());
    let answer = tokio::spawn(async move { calling.call(&rpc, &id, "").await });
    let (mut stream, _) = function.activation().await;
    let command = stream.command().await;
    let mut stored = reply(command.id, "stored");
    stored.events = events.to_vec();
    stream.send(cloudstate_proto::eventsourced::event_sourced_stream_out::Message::Reply(stored));
    assert_eq!(answer.await.unwrap().reply(), "stored");
    stream
}

fn event(text: &str) -> Any {
    any("Request", &request("", text))
}

fn metadata(command: &ActionCommand) -> Vec<(String, String)> {
    let value = |entry: &MetadataEntry| match &entry.value {
        Some(Value::StringValue(value)) => value.clone(),
        other => panic!("{other:?}"),
    };
    let entries = &command.metadata.as_ref().expect("metadata").entries;
    entries.iter().map(|entry| (entry.key.clone(), value(entry))).collect()
}

/// The next delivery, answered; its command.
async fn delivered(function: &mut UserFunction) -> ActionCommand {
    let mut call = function.action_call().await;
    let command = call.command().await;
    call.reply("seen");
    command
}

fn text_of(command: &ActionCommand) -> String {
    let payload = command.payload.as_ref().expect("a payload");
    crate::contract::Request::decode(payload.value.clone()).unwrap().text
}

/// The dead letters as the management port lists them.
async fn dead_letters(proxy: &Proxy) -> Vec<serde_json::Value> {
    let page = operator(proxy).await.get("/dead-letters").await;
    assert_eq!(page.status, 200, "{}", page.text());
    let listed: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    listed["deadLetters"].as_array().expect("a list").clone()
}

async fn one_dead_letter(proxy: &Proxy) -> serde_json::Value {
    found("a dead letter", async || dead_letters(proxy).await.pop()).await
}

async fn operator(proxy: &Proxy) -> Client {
    Client::connect(proxy.management_address().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_comes_as_it_was_stored_with_what_makes_it_a_cloud_event() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    let _stream = store(&mut function, &client, THINGS, "a:1", &[event("first")]).await;
    let mut call = function.action_call().await;
    let command = call.command().await;
    assert_eq!((call.rpc, &*command.service_name, &*command.name), ("handleUnary", WATCHER, "Typed"));
    assert_eq!(command.payload, Some(event("first")));
    let expected = [
        ("ce-id", "1"),
        ("ce-source", "test.things"),
        ("ce-specversion", "1.0"),
        ("ce-type", "type.googleapis.com/test.Request"),
        ("Content-Type", "application/vnd.cloudstate.protobuf.any"),
        ("ce-subject", "a:1"),
    ];
    assert_eq!(metadata(&command), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    call.reply("seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_chooses_the_method_and_what_no_method_takes_is_skipped() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    let events = [
        any("Unknown", &request("", "")),
        stored("a primitive"),
        any("Reply", &Reply::default()),
        event("last"),
    ];
    let _stream = store(&mut function, &client, THINGS, "1", &events).await;
    let mut streamed = function.action_call().await;
    assert_eq!((streamed.rpc, &*streamed.command().await.name), ("handleStreamedOut", "Streamed"));
    streamed.reply("one");
    streamed.reply("two");
    drop(streamed);
    assert_eq!(text_of(&delivered(&mut function).await), "last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_takes_any_gets_every_encoding_unwrapped() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    let json = Any { type_url: "json.cloudstate.io/T".to_owned(), value: (&b"\x0a\x02{}"[..]).into() };
    let events = [stored("a primitive"), json, event("a message")];
    let _stream = store(&mut function, &client, "test.Others", "1", &events).await;
    for event in events {
        let command = delivered(&mut function).await;
        assert_eq!((&*command.name, command.payload), ("All", Some(event)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_entity_come_in_order_and_wait_for_each_other() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    let events: Vec<_> = (0..100).map(|number| event(&number.to_string())).collect();
    let _stream = store(&mut function, &client, THINGS, "1", &events).await;
    for number in 0..100 {
        let mut call = function.action_call().await;
        assert_eq!(text_of(&call.command().await), number.to_string());
        assert!(function.action_calls.try_recv().is_err(), "{number} is not answered yet");
        call.reply("seen");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_whose_event_fails_does_not_hold_up_the_others_of_its_batch() {
    let (mut function, _proxy, client) = start(|settings| {
        settings.delivery_attempts = 1_000_000;
        settings.delivery_backoff_max = Duration::from_secs(60);
    })
    .await;
    // The first event is held until both are there, so that they are one batch.
    let _first = store(&mut function, &client, THINGS, "first", &[event("first")]).await;
    let mut held = function.action_call().await;
    let _bad = store(&mut function, &client, THINGS, "bad", &[event("bad")]).await;
    let _good = store(&mut function, &client, THINGS, "good", &[event("good")]).await;
    held.command().await;
    held.reply("seen");
    let mut texts = Vec::new();
    while texts.len() < 2 {
        let mut call = function.action_call().await;
        let text = text_of(&call.command().await);
        if text == "bad" {
            call.respond(failing("no", 0))
        } else {
            call.reply("seen")
        }
        texts.push(text);
    }
    texts.sort();
    assert_eq!(texts, ["bad", "good"]);
}

/// Ways to fail a delivery.
type Refusal = fn(ActionCall);

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_and_again_becomes_a_dead_letter_that_can_be_replayed() {
    let refusals: [(Refusal, &str); 2] = [
        (|call| call.respond(failing("not this one", 0)), "not this one"),
        (|call| call.fail(Status::internal("broken")), "broken"),
    ];
    for (refuse, why) in refusals {
        let (mut function, proxy, client) = start(|_| {}).await;
        let _stream = store(&mut function, &client, THINGS, "1", &[event("bad"), event("next")]).await;
        for _ in 0..3 {
            let mut call = function.action_call().await;
            assert_eq!(text_of(&call.command().await), "bad");
            refuse(call);
        }
        assert_eq!(text_of(&delivered(&mut function).await), "next");

        let counted = "{group=\"test.Watcher\",source=\"test.things\"}";
        metric(&proxy, &format!("eventing_delivered_entries_total{counted}"), 1).await;
        metric(&proxy, &format!("eventing_failed_deliveries_total{counted}"), 3).await;
        metric(&proxy, &format!("eventing_dead_letters_total{counted}"), 1).await;
        metric(&proxy, &format!("eventing_position{counted}"), 2).await;
        metric(&proxy, "eventing_kept_dead_letters", 1).await;
        let letter = one_dead_letter(&proxy).await;
        assert_eq!(
            (&letter["group"], &letter["source"]["eventLog"]),
            (&WATCHER.into(), &"test.things".into())
        );
        assert_eq!((&letter["subject"], &letter["attempts"]), (&"1".into(), &3.into()));
        assert!(letter["error"].as_str().is_some_and(|error| error.contains(why)), "{letter}");

        let operator = operator(&proxy).await;
        let path = format!("/dead-letters/{}", letter["id"]);
        let replaying = tokio::spawn({
            let (operator, path) = (operator.clone(), path.clone());
            async move { operator.http(Method::POST, &format!("{path}/replay"), &[], b"").await }
        });
        let mut call = function.action_call().await;
        assert_eq!(text_of(&call.command().await), "bad");
        refuse(call);
        let page = replaying.await.unwrap();
        assert!(page.status == 502 && page.text().contains(why), "{} {}", page.status, page.text());
        assert_eq!(dead_letters(&proxy).await.len(), 1, "it is still there");

        let replaying = tokio::spawn({
            let (operator, path) = (operator.clone(), path.clone());
            async move { operator.http(Method::POST, &format!("{path}/replay"), &[], b"").await }
        });
        delivered(&mut function).await;
        assert_eq!(replaying.await.unwrap().status, 200);
        assert_eq!(dead_letters(&proxy).await, Vec::<serde_json::Value>::new());
        metric(&proxy, "eventing_kept_dead_letters", 0).await;
        assert_eq!(operator.http(Method::DELETE, &path, &[], b"").await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_can_be_forgotten_and_wrong_requests_are_explained() {
    let (mut function, proxy, client) = start(|settings| settings.delivery_attempts = 1).await;
    let _stream = store(&mut function, &client, THINGS, "1", &[event("bad")]).await;
    function.action_call().await.fail(Status::internal("broken"));
    let letter = one_dead_letter(&proxy).await;
    let operator = operator(&proxy).await;
    for (method, path, status) in [
        (Method::GET, "/dead-letters?after=x".to_owned(), 400),
        (Method::GET, format!("/dead-letters?after={}", letter["id"]), 200),
        (Method::POST, "/dead-letters/999/replay".to_owned(), 404),
        (Method::POST, "/dead-letters/x/replay".to_owned(), 404),
        (Method::PUT, format!("/dead-letters/{}", letter["id"]), 404),
        (Method::DELETE, format!("/dead-letters/{}", letter["id"]), 200),
        (Method::DELETE, format!("/dead-letters/{}", letter["id"]), 404),
    ] {
        let page = operator.http(method.clone(), &path, &[], b"").await;
        assert_eq!(page.status.as_u16(), status, "{method} {path}: {}", page.text());
    }
    assert_eq!(dead_letters(&proxy).await, Vec::<serde_json::Value>::new());
}

/// UNAVAILABLE is no verdict on the event.
#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_can_look_at_an_event_it_is_not_given_up() {
    let (mut function, proxy, client) = start(|_| {}).await;
    let _stream = store(&mut function, &client, THINGS, "1", &[event("patient")]).await;
    for _ in 0..10 {
        function.action_call().await.fail(Status::unavailable("later"));
    }
    assert_eq!(text_of(&delivered(&mut function).await), "patient");
    assert_eq!(dead_letters(&proxy).await, Vec::<serde_json::Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_outlive_the_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("store.db"));
    let (mut function, proxy, client) = start(|settings| settings.store = url.clone()).await;
    let stream = store(&mut function, &client, THINGS, "1", &[event("before")]).await;
    assert_eq!(text_of(&delivered(&mut function).await), "before");
    drop(stream);
    proxy.shutdown().await;

    let mut settings = settings(function.address);
    settings.store = url;
    let (_proxy, client) = host_with(settings).await;
    let calling = client.clone();
    let answer = tokio::spawn(async move { calling.call("test.Things/Do", "1", "").await });
    let (mut stream, _) = function.activation().await;
    stream.event().await;
    let command = stream.command().await;
    let mut stored = reply(command.id, "stored");
    stored.events = vec![event("after")];
    stream.send(cloudstate_proto::eventsourced::event_sourced_stream_out::Message::Reply(stored));
    assert_eq!(answer.await.unwrap().reply(), "stored");
    assert_eq!(text_of(&delivered(&mut function).await), "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_published_and_reaches_the_reader_of_its_topic() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    let calling = client.clone();
    let answer = tokio::spawn(async move { calling.call("test.Publisher/Publish", "", "").await });
    function.action_call().await.respond(replying("extra"));
    assert_eq!(answer.await.unwrap().reply(), "extra");
    let command = delivered(&mut function).await;
    assert_eq!((&*command.service_name, &*command.name), ("test.Reader", "Read"));
    assert_eq!(command.payload, Some(any("Reply", &Reply { text: "extra".to_owned() })));
    let metadata = metadata(&command);
    let value = |key: &str| metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    assert_eq!(value("ce-id"), Some("news:1"));
    assert_eq!(value("ce-source"), Some("test.Publisher"));
    assert_eq!(value("ce-type"), Some("test.Reply"));
    assert_eq!(value("Content-Type"), Some("application/protobuf"));
    assert!(value("ce-time").is_some_and(|time| time.ends_with('Z')), "{metadata:?}");
}

/// (the type of a payload that is not of the declared message, its content type)
const FOREIGN: [(&str, &str); 3] = [
    ("json.cloudstate.io/T", "application/json"),
    ("p.cloudstate.io/string", "text/plain; charset=utf-8"),
    ("type.googleapis.com/test.Request", "application/protobuf"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_published_payload_is_the_one_that_the_function_gave() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    for (type_url, content_type) in FOREIGN {
        let payload = Any { type_url: type_url.to_owned(), value: (&b"\x0a\x02{}"[..]).into() };
        let calling = client.clone();
        let answer = tokio::spawn(async move { calling.call("test.Anything/Publish", "", "").await });
        let given = WireReply { payload: Some(payload.clone()), metadata: None };
        function.action_call().await.respond(responding(action_response::Response::Reply(given)));
        assert_eq!(answer.await.unwrap().message.as_deref(), Some(&payload.value[..]));
        let command = delivered(&mut function).await;
        assert_eq!((&*command.name, &command.payload), ("Collect", &Some(payload)));
        let said = metadata(&command);
        let said = said.iter().find(|(key, _)| key == "Content-Type").map(|(_, value)| value.as_str());
        assert_eq!(said, Some(content_type), "{type_url}");
    }
}

/// A reply whose publication fails would be lost to the topic, so its caller must not take it for published.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_call_publishes_nothing() {
    let (mut function, _proxy, client) = start(|_| {}).await;
    let calling = client.clone();
    let answer = tokio::spawn(async move { calling.call("test.Publisher/Publish", "", "").await });
    function.action_call().await.respond(failing("no news", 0));
    assert_eq!(answer.await.unwrap().code, Code::Unknown);
    let calling = client.clone();
    let answer = tokio::spawn(async move { calling.call("test.Publisher/Publish", "", "").await });
    function.action_call().await.respond(replying("news"));
    assert_eq!(answer.await.unwrap().reply(), "news");
    let command = delivered(&mut function).await;
    assert_eq!(command.payload, Some(any("Reply", &Reply { text: "news".to_owned() })));
}
