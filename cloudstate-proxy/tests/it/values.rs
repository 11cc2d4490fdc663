//! Value entities: the whole state is given at activation, and stored before the reply.

use std::time::Duration;

use cloudstate_proto::{
    client_action::Action,
    valueentity::{ValueEntityAction, ValueEntityInit, ValueEntityInitState},
};
use cloudstate_proxy::{Proxy, Settings, storage::StoreUrl};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::{
    client::{Answer, Client},
    contract::{THINGS, any, request, stored},
    hosted::{host, host_with, metric, settings},
    user_function::{Setup, UserFunction, failure},
    value_function::{Out, ValueStream, acting, deleted, reply, spec, updated, updated_to},
};

fn function() -> UserFunction {
    UserFunction::with_spec(spec())
}

fn act(client: &Client, id: &str) -> JoinHandle<Answer> {
    let (client, id) = (client.clone(), id.to_owned());
    tokio::spawn(async move { client.act(&id, "").await })
}

async fn reply_to(call: JoinHandle<Answer>) -> String {
    call.await.unwrap().reply()
}

fn init(state: Option<&str>) -> ValueEntityInit {
    ValueEntityInit {
        service_name: THINGS.to_owned(),
        entity_id: "e1".to_owned(),
        state: Some(ValueEntityInitState { value: state.map(stored) }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_lives_through_updates_and_deletes() {
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let call = act(&client, "e1");
    let mut stream = function.value_stream().await;
    assert_eq!(stream.init().await, init(None));
    let command = stream.answer("", None).await;
    assert_eq!((command.id, &*command.name, &*command.entity_id), (1, "Do", "e1"));
    assert_eq!(command.payload, Some(any("Request", &request("e1", ""))));
    assert_eq!((command.streamed, command.metadata), (false, None));
    assert_eq!(reply_to(call).await, "");
    let changes = [updated(stored("one")), None, deleted(), None, deleted(), updated(stored("two"))];
    for (id, change) in (2..).zip(changes) {
        let call = act(&client, "e1");
        assert_eq!(stream.answer("fine", change).await.id, id);
        assert_eq!(reply_to(call).await, "fine");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_entity_is_half_closed_after_the_time_of_its_kind() {
    let mut function = function();
    let mut settings = settings(function.address);
    settings.passivation_timeout.value = Duration::from_millis(20);
    let (_proxy, client) = host_with(settings).await;
    let call = act(&client, "e1");
    let mut stream = function.value_stream().await;
    stream.init().await;
    stream.answer("fine", None).await;
    assert_eq!(reply_to(call).await, "fine");
    stream.half_closed().await;
}

/// Changes the state of `e1` by a proxy of its own, then tells what the next proxy's user function is given.
async fn kept(change: Option<ValueEntityAction>) -> ValueEntityInit {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreUrl::Sqlite(folder.path().join("store.db"));
    let (_function, proxy, ..) = activated(&store, change).await;
    proxy.shutdown().await;
    let (_function, proxy, init, _stream) = activated(&store, None).await;
    drop(proxy);
    init
}

async fn activated(
    store: &StoreUrl,
    change: Option<ValueEntityAction>,
) -> (UserFunction, Proxy, ValueEntityInit, ValueStream) {
    let mut function = function();
    let settings = Settings { store: store.clone(), ..settings(function.address) };
    let (proxy, client) = host_with(settings).await;
    let call = act(&client, "e1");
    let mut stream = function.value_stream().await;
    let init = stream.init().await;
    stream.answer("", change).await;
    reply_to(call).await;
    (function, proxy, init, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_outlives_the_proxy() {
    assert_eq!(kept(updated(stored("one"))).await, init(Some("one")));
    assert_eq!(kept(deleted()).await, init(None));
}

/// A failed command keeps nothing: if it has changes, the function is told the state that is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_changes_nothing() {
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let call = act(&client, "e1");
    let mut stream = function.value_stream().await;
    stream.init().await;
    stream.answer("", updated(stored("one"))).await;
    reply_to(call).await;

    for restart in [false, true] {
        let call = act(&client, "e1");
        let command = stream.command().await;
        let failed = cloudstate_proto::Failure { restart, ..failure(command.id, "no") };
        stream.send(Out::Reply(acting(command.id, Action::Failure(failed), None)));
        assert_eq!(call.await.unwrap().failure(), (Code::Unknown, "no"));
    }
    let call = act(&client, "e1");
    let command = stream.command().await;
    assert_eq!(command.id, 4, "a failure alone keeps the stream");
    let failed = Action::Failure(failure(command.id, "no"));
    stream.send(Out::Reply(acting(command.id, failed, updated(stored("two")))));
    assert_eq!(call.await.unwrap().failure(), (Code::Unknown, "no"));
    stream.half_closed().await;
    drop(stream);
    assert_eq!(function.value_stream().await.init().await, init(Some("one")));
}

type Misbehaviour = fn(ValueStream);

const FAILURE: &str = "Unexpected Value entity failure";

/// What the function does while command 1 is outstanding, and what the caller is told.
const VIOLATIONS: [(&str, Misbehaviour, Code, &str); 8] = [
    (
        "a wrong command id",
        |stream| stream.send(Out::Reply(reply(2, "", None))),
        Code::Internal,
        "Unexpected Value entity reply",
    ),
    ("an empty message", |stream| stream.send_nothing(), Code::Internal, FAILURE),
    (
        "an update without a value",
        |stream| stream.send(Out::Reply(reply(1, "", updated_to(None)))),
        Code::Internal,
        FAILURE,
    ),
    (
        "a state action without an action",
        |stream| stream.send(Out::Reply(reply(1, "", Some(ValueEntityAction { action: None })))),
        Code::Internal,
        FAILURE,
    ),
    (
        "a failure of no command",
        |stream| stream.send(Out::Failure(failure(0, "hidden"))),
        Code::Unknown,
        FAILURE,
    ),
    (
        "a failure of this command",
        |stream| stream.send(Out::Failure(failure(1, "I fell over"))),
        Code::Unknown,
        "I fell over",
    ),
    ("the end of the stream", drop, Code::Unavailable, "Unexpected Value entity termination"),
    (
        "an error",
        |stream| stream.fail(Status::aborted("gone")),
        Code::Unavailable,
        "Unexpected Value entity termination",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_fails_who_waits_and_the_next_command_starts_afresh() {
    for (what, misbehave, code, text) in VIOLATIONS {
        let mut function = function();
        let (proxy, client) = host(&function).await;
        let outstanding = act(&client, "e1");
        let mut stream = function.value_stream().await;
        stream.init().await;
        stream.command().await;
        let queued = act(&client, "e1");
        metric(&proxy, r#"valueentity_received_commands_total{entity_name="test.things"}"#, 2).await;
        misbehave(stream);
        assert_eq!(outstanding.await.unwrap().failure(), (code, text), "{what}");
        let queued = queued.await.unwrap();
        assert_eq!(queued.failure(), (Code::Unavailable, "Value entity terminated"), "{what}");
        let report = function.report().await;
        assert!(report.starts_with("Unexpected Value entity "), "{what}: {report}");
        assert!(report.contains("(service test.Things, entity e1)"), "{what}: {report}");

        let again = act(&client, "e1");
        let mut stream = function.value_stream().await;
        assert_eq!(stream.init().await, init(None), "{what}");
        assert_eq!(stream.answer("fine", None).await.id, 1, "{what}");
        assert_eq!(reply_to(again).await, "fine", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_flight_goes_to_the_next_process() {
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let call = act(&client, "e1");
    let mut stream = function.value_stream().await;
    stream.init().await;
    stream.command().await;
    let address = Some(function.kill());
    let mut next = UserFunction::start(Setup { spec: spec(), address, ..Setup::default() });
    let mut stream = next.value_stream().await;
    stream.init().await;
    assert_eq!(stream.answer("fine", None).await.id, 1);
    assert_eq!(reply_to(call).await, "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_states() {
    let mut function = function();
    let (proxy, client) = host(&function).await;
    let call = act(&client, "e1");
    let mut stream = function.value_stream().await;
    stream.init().await;
    stream.answer("", updated(stored("12345"))).await;
    reply_to(call).await;
    for (name, value) in [("activated_entities", 1), ("persisted_states", 1), ("persisted_state_bytes", 5)] {
        metric(&proxy, &format!(r#"valueentity_{name}_total{{entity_name="test.things"}}"#), value).await;
    }
    let call = r#"requests_total{service="test.Things",method="Do",code="OK"}"#;
    metric(&proxy, call, 1).await;
}
