//! What ends a stream, and what the proxy is told. Each time the stream completes well, and a new one works.

use cloudstate_proto::valueentity::ValueEntityInit;
use cloudstate_proto::valueentity::value_entity_stream_in::Message;
use cloudstate_proto::{Any, Command, Failure};
use cloudstate_sdk::CloudState;

use super::model::{MODEL, Model, fail, persisted, request, update};
use super::stream::{Stream, command, init};
use crate::proxy::UserFunction;

/// Sends messages on a new stream, and expects them to end it.
async fn fault(messages: Vec<Option<Message>>) -> Failure {
    let function = UserFunction::start(CloudState::new().register::<Model>()).await;
    let mut stream = Stream::open(&function).await;
    for message in messages {
        stream.send(message);
    }
    let failure = stream.fault().await;

    let mut stream = Stream::of_model(&function).await;
    stream.command(1, request([]));
    stream.reply().await;
    failure
}

fn with_command(id: i64, change: impl FnOnce(&mut Command)) -> Option<Message> {
    let Message::Command(mut command) = command(id, request([])) else { unreachable!() };
    change(&mut command);
    Some(Message::Command(command))
}

fn with_init(change: impl FnOnce(&mut ValueEntityInit)) -> Option<Message> {
    let Message::Init(mut init) = init(None) else { unreachable!() };
    change(&mut init);
    Some(Message::Init(init))
}

#[track_caller]
fn assert_fault(failure: &Failure, command_id: i64, description: &str) {
    assert_eq!((failure.command_id, failure.description.as_str()), (command_id, description));
    assert!(!failure.restart);
    assert_eq!(failure.grpc_status_code, 0);
}

#[tokio::test]
async fn the_protocol_is_enforced() {
    let good = || Some(init(None));
    for (messages, id, description) in [
        (vec![None], 0, "Protocol error: the first message must be an init".to_owned()),
        (vec![with_command(1, |_| {})], 0, "Protocol error: the first message must be an init".to_owned()),
        (
            vec![with_init(|init| init.service_name = "x.Y".into())],
            0,
            "Protocol error: `x.Y` is no value entity of this user function".to_owned(),
        ),
        (
            vec![with_init(|init| init.entity_id.clear())],
            0,
            "Protocol error: an init without an entity id".to_owned(),
        ),
        (vec![good(), good()], 0, "Protocol error: a second init on one stream".to_owned()),
        (vec![good(), None], 0, "Protocol error: a message that is neither init nor command".to_owned()),
        (
            vec![good(), with_command(4, |command| command.entity_id = "other".into())],
            4,
            "Protocol error: a command for entity `other` on the stream of `id`".to_owned(),
        ),
        (
            vec![good(), with_command(5, |command| command.payload = None)],
            5,
            "Protocol error: the command `Process` has no payload".to_owned(),
        ),
        (
            vec![good(), with_command(6, |command| command.name = "process".into())],
            6,
            format!("Protocol error: `{MODEL}` has no command `process`"),
        ),
    ] {
        assert_fault(&fault(messages).await, id, &description);
    }
}

#[tokio::test]
async fn a_stored_value_that_cannot_be_read_fails_loudly() {
    let foreign = Any { type_url: "type.googleapis.com/x.Renamed".into(), ..Default::default() };
    assert_fault(
        &fault(vec![Some(init(Some(foreign)))]).await,
        0,
        "cannot restore the value of entity `id`: the type `type.googleapis.com/x.Renamed` is not among the known \
         types: cloudstate.tck.model.valueentity.Persisted",
    );
    let damaged = Any { value: b"\x0a\xff".as_ref().into(), ..persisted("A") };
    let failure = fault(vec![Some(init(Some(damaged)))]).await;
    let expected = "cannot restore the value of entity `id`: cannot decode a payload of type ";
    assert!(failure.description.starts_with(expected), "{}", failure.description);
}

#[tokio::test]
async fn panics_are_contained_and_say_nothing_to_the_proxy() {
    for action in [fail("panic in handler"), update("panic in reply")] {
        let failure = fault(vec![Some(init(None)), Some(command(7, request([action])))]).await;
        assert_eq!(failure.command_id, 7);
        let expected = "unexpected error while handling the command; see error ";
        assert!(failure.description.starts_with(expected), "{}", failure.description);
    }
}

#[tokio::test]
async fn an_absent_state_is_as_good_as_an_absent_value() {
    let function = UserFunction::start(CloudState::new().register::<Model>()).await;
    let mut stream = Stream::open(&function).await;
    stream.send(with_init(|init| init.state = None));
    stream.command(1, request([update("A")]));
    assert!(stream.reply().await.state_action.is_some());
}
