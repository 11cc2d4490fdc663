//! Actions: four shapes of one call, each passed on as it comes.

use std::time::Duration;

use cloudstate_proto::{Any, EntitySpec, Metadata, SideEffect, action::ActionCommand, entity_type};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::{
    action_calls::{ActionCall, failing, forwarding, only_effects, replying},
    client::{Answer, Client, explained},
    contract::{any, request, spec_of},
    hosted::{host, host_with, ready, settings},
    stopped_clock::StoppedClock,
    user_function::{Setup, UserFunction, reply},
};
use cloudstate_proxy::error_code::ErrorCode;

pub(crate) const CALLS: &str = "test.Calls";
pub(crate) const OTHERS: &str = "test.Others";

/// An action of all four shapes, and one entity.
const CONTRACT: &str = r#"
    syntax = "proto3";
    package test;
    import "cloudstate/entity_key.proto";
    message Request { string id = 1 [(.cloudstate.entity_key) = true]; string text = 2; }
    message Reply { string text = 1; }
    service Calls {
        rpc Unary(Request) returns (Reply);
        rpc In(stream Request) returns (Reply);
        rpc Out(Request) returns (stream Reply);
        rpc Both(stream Request) returns (stream Reply);
    }
    service Others { rpc Do(Request) returns (Reply); }
"#;

/// The action and the entity.
pub(crate) fn spec() -> EntitySpec {
    let mut spec = spec_of(CONTRACT, &[CALLS, OTHERS]);
    spec.entities[0].entity_type = entity_type::ACTION.to_owned();
    spec
}

/// What a request of a client becomes.
pub(crate) fn payload(text: &str) -> Option<Any> {
    Some(any("Request", &request("", text)))
}

/// The first command of a call of `test.Calls`. Its metadata is what the client's library says of itself.
pub(crate) fn addressed(rpc: &str, payload: Option<Any>) -> ActionCommand {
    ActionCommand { service_name: CALLS.to_owned(), name: rpc.to_owned(), payload, metadata: None }
}

pub(crate) fn stripped(command: Option<ActionCommand>) -> ActionCommand {
    ActionCommand { metadata: None, ..command.expect("a command") }
}

pub(crate) fn effect(service: &str, command: &str, id: &str, synchronous: bool) -> SideEffect {
    SideEffect {
        service_name: service.to_owned(),
        command_name: command.to_owned(),
        payload: Some(any("Request", &request(id, "effect"))),
        synchronous,
        metadata: None,
    }
}

/// Begins a call of `test.Calls/Unary`.
fn call(client: &Client, text: &'static str) -> JoinHandle<Answer> {
    let client = client.clone();
    tokio::spawn(async move { client.call("test.Calls/Unary", "", text).await })
}

/// A call and how the function holds it, with its command taken.
async fn outstanding(function: &mut UserFunction, client: &Client) -> (JoinHandle<Answer>, ActionCall) {
    let answer = call(client, "");
    let mut held = function.action_call().await;
    held.command().await;
    (answer, held)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unary_call_is_one_command_and_one_response() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let answer = call(&client, "hello");
    let mut held = function.action_call().await;
    assert_eq!((held.rpc, held.is_stateless_function), ("handleUnary", false));
    let command = held.next().await;
    assert!(command.as_ref().is_some_and(|command| command.metadata.is_some()));
    assert_eq!(stripped(command), addressed("Unary", payload("hello")));
    assert_eq!(held.next().await, None);
    held.reply("fine");
    assert_eq!(answer.await.unwrap().reply(), "fine");
    assert!(function.reports.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_do_not_wait_for_each_other() {
    const CALLS_AT_ONCE: usize = 250;
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let answers: Vec<_> = (0..CALLS_AT_ONCE).map(|_| call(&client, "")).collect();
    let mut held = Vec::new();
    for _ in 0..CALLS_AT_ONCE {
        held.push(function.action_call().await);
    }
    for call in held.into_iter().rev() {
        call.reply("fine");
    }
    for answer in answers {
        assert_eq!(answer.await.unwrap().reply(), "fine");
    }
}

/// (what the function answers to the extensions header, what it then reads of them, the number in field 4, the code)
const CODES: [(Option<&str>, Option<&str>, u32, Code); 3] = [
    (Some("status-code"), Some("status-code"), 5, Code::NotFound),
    (Some("status-code"), Some("status-code"), 0, Code::Unknown),
    (None, None, 5, Code::Unknown),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_the_clients_with_its_code_if_that_was_agreed() {
    for (extensions, told, number, code) in CODES {
        let mut function = UserFunction::start(Setup { spec: spec(), extensions, ..Setup::default() });
        let (_proxy, client) = host(&function).await;
        let (answer, held) = outstanding(&mut function, &client).await;
        assert_eq!(held.extensions.as_deref(), told);
        held.respond(failing("expected failure", number));
        assert_eq!(answer.await.unwrap().failure(), (code, "expected failure"));
        let page = client.http(http::Method::POST, "/test.Calls/Unary", &[], b"{}");
        let (page, ()) =
            tokio::join!(page, async { function.action_call().await.respond(failing("boom", 0)) });
        assert_eq!((page.status.as_u16(), page.text()), (500, "boom"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_call_that_breaks_is_the_clients() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    for status in [Status::permission_denied("not you"), Status::unavailable("later"), Status::cancelled("")]
    {
        let (answer, held) = outstanding(&mut function, &client).await;
        let expected = (status.code(), status.message().to_owned());
        held.fail(status);
        let answer = answer.await.unwrap();
        assert_eq!((answer.code, answer.text), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_flight_fails_with_the_function_and_one_that_waits_is_sent_to_the_next() {
    let mut function = UserFunction::with_spec(spec());
    let (proxy, client) = host(&function).await;
    let (in_flight, _held) = outstanding(&mut function, &client).await;
    let address = Some(function.kill());
    let gone = "the user function went away before it answered";
    let gone = explained("test.Calls/Unary", ErrorCode::UserFunctionGone, gone);
    assert_eq!(in_flight.await.unwrap().failure(), (Code::Unavailable, &*gone));
    ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;

    let waiting = call(&client, "later");
    let mut function = UserFunction::start(Setup { spec: spec(), address, ..Setup::default() });
    let mut held = function.action_call().await;
    assert_eq!(held.command().await.payload, payload("later"));
    held.reply("here");
    assert_eq!(waiting.await.unwrap().reply(), "here");
}

#[tokio::test]
async fn nobody_waits_longer_than_the_relay_timeout() {
    let mut function = UserFunction::with_spec(spec());
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_millis(300);
    let (proxy, client) = host_with(settings).await;
    let clock = StoppedClock::new();
    let (answer, held) = outstanding(&mut function, &client).await;
    clock.pass(2 * Duration::from_millis(300)).await;
    let text = "the action did not answer within 0.3 s";
    let text = explained("test.Calls/Unary", ErrorCode::NoAnswer, text);
    assert_eq!(answer.await.unwrap().failure(), (Code::DeadlineExceeded, &*text));
    held.cancelled().await;

    drop(clock);
    function.kill();
    ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;
    let answer = call(&client, "").await.unwrap();
    assert_eq!(answer.code, Code::Unavailable);
    assert!(answer.text.contains("the user function is not reachable"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_cancels_the_call() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let (answer, held) = outstanding(&mut function, &client).await;
    answer.abort();
    held.cancelled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_goes_to_an_entity_and_to_an_action() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let (answer, held) = outstanding(&mut function, &client).await;
    let to_entity = any("Request", &request("e1", "forwarded"));
    held.respond(forwarding(OTHERS, "Do", to_entity, Metadata::default()));
    let (mut target, init) = function.activation().await;
    assert_eq!((&*init.service_name, &*init.entity_id), (OTHERS, "e1"));
    target.answer("of the entity").await;
    assert_eq!(answer.await.unwrap().reply(), "of the entity");

    let (answer, held) = outstanding(&mut function, &client).await;
    // A payload stays what it is, whatever it is.
    let foreign = Any { type_url: "json.cloudstate.io/whatever".to_owned(), value: "{}".into() };
    held.respond(forwarding(CALLS, "Unary", foreign.clone(), contract_metadata("x-once", "once")));
    let mut target = function.action_call().await;
    let command = target.command().await;
    let metadata = Some(contract_metadata("x-once", "once"));
    assert_eq!(command, ActionCommand { metadata, ..addressed("Unary", Some(foreign)) });
    target.reply("of the action");
    assert_eq!(answer.await.unwrap().reply(), "of the action");
}

fn contract_metadata(key: &str, value: &str) -> Metadata {
    let value = cloudstate_proto::metadata_entry::Value::StringValue(value.to_owned());
    Metadata { entries: vec![cloudstate_proto::MetadataEntry { key: key.to_owned(), value: Some(value) }] }
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_come_with_a_reply_with_nothing_and_with_a_failure() {
    for response in [replying("fine"), failing("no", 0), only_effects(Vec::new())] {
        let mut function = UserFunction::with_spec(spec());
        let (_proxy, client) = host(&function).await;
        let (answer, held) = outstanding(&mut function, &client).await;
        let mut with_effects = response.clone();
        with_effects.side_effects = vec![effect(OTHERS, "Do", "e1", true), effect(CALLS, "Unary", "", true)];
        held.respond(with_effects);

        let (mut entity, _) = function.activation().await;
        let command = entity.command().await;
        assert!(function.action_calls.try_recv().is_err(), "the second effect did not wait for the first");
        entity.send(crate::user_function::Out::Reply(reply(command.id, "dropped")));
        let target = function.action_call().await;
        assert!(!answer.is_finished(), "the answer did not wait for its effects");
        // What an effect replies is nobody's business.
        target.respond(failing("nobody's business", 0));

        let answer = answer.await.unwrap();
        match response.response {
            Some(cloudstate_proto::action::action_response::Response::Failure(_)) => {
                assert_eq!(answer.failure(), (Code::Unknown, "no"));
            }
            Some(_) => assert_eq!(answer.reply(), "fine"),
            None => assert_eq!(answer.message.as_deref(), Some(&b""[..])),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_effect_on_an_action_delays_nothing() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let (answer, held) = outstanding(&mut function, &client).await;
    let mut response = replying("fine");
    response.side_effects = vec![effect(CALLS, "Unary", "", false)];
    held.respond(response);
    assert_eq!(answer.await.unwrap().reply(), "fine");
    let mut target = function.action_call().await;
    assert_eq!(
        target.command().await,
        ActionCommand {
            metadata: Some(Metadata::default()),
            ..addressed("Unary", Some(any("Request", &request("", "effect"))))
        }
    );
    assert!(!target.is_cancelled());
}

/// A synchronous effect that cannot be carried out fails the call; its status is the call's.
#[tokio::test(flavor = "multi_thread")]
async fn a_synchronous_effect_that_breaks_fails_the_call() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let (answer, held) = outstanding(&mut function, &client).await;
    let mut response = replying("fine");
    response.side_effects = vec![effect(CALLS, "Unary", "", true)];
    held.respond(response);
    function.action_call().await.fail(Status::data_loss("broken"));
    assert_eq!(answer.await.unwrap().failure(), (Code::DataLoss, "broken"));
}

/// Effects of a response are carried out, whether or not anybody waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn effects_outlive_the_client() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let (answer, held) = outstanding(&mut function, &client).await;
    let mut response = replying("fine");
    response.side_effects = vec![effect(CALLS, "Unary", "", true), effect(OTHERS, "Do", "e1", true)];
    held.respond(response);
    let first = function.action_call().await;
    answer.abort();
    first.reply("");
    function.activation().await.0.answer("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_actions_ends_with_a_sentence() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let answer = call(&client, "");
    for _ in 0..=32 {
        let circle = forwarding(CALLS, "Unary", any("Request", &request("", "")), Metadata::default());
        function.action_call().await.respond(circle);
    }
    let text = "more than 32 forwards and side effects followed one call";
    let told = explained("test.Calls/Unary", ErrorCode::TooManyHops, text);
    assert_eq!(answer.await.unwrap().failure(), (Code::FailedPrecondition, &*told));
    assert!(function.report().await.starts_with(text));
}

/// What protocol 0.1 called an action.
#[tokio::test(flavor = "multi_thread")]
async fn a_stateless_function_is_an_action() {
    let mut spec = spec();
    spec.entities[0].entity_type = "cloudstate.function.StatelessFunction".to_owned();
    let mut function = UserFunction::with_spec(spec);
    let (_proxy, client) = host(&function).await;
    let answer = call(&client, "hello");
    let mut held = function.action_call().await;
    assert_eq!((held.rpc, held.is_stateless_function), ("handleUnary", true));
    assert_eq!(held.command().await, addressed("Unary", payload("hello")), "it knows no metadata");
    held.reply("fine");
    assert_eq!(answer.await.unwrap().reply(), "fine");
}
