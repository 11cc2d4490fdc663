//! Subscribers: a failure must not be taken for an acknowledgement.

use cloudstate_proto::action::{ActionCommand, action_response};
use cloudstate_proto::{Any, Metadata, MetadataEntry, metadata_entry::Value};
use cloudstate_sdk::CloudState;
use cloudstate_sdk::action::*;
use tonic::{Code as Status, Request};

use crate::action_call::action_command;
use crate::cart::com::example::sums::{Number, numbers, sums};
use crate::proxy::{UserFunction, any};

const NUMBERS: &str = "com.example.sums.Numbers";

#[action(service = numbers)]
#[derive(Default)]
struct Subscriber;

impl ActionService for Subscriber {
    type Error = Failure;
}

impl numbers::Action for Subscriber {
    async fn on_number(&self, number: Number, context: &Context) -> Reply<Self, ()> {
        let call = sums::square(number);
        match number.value {
            0 => Ok(Effect::skip("zero is not worth the trouble").side_effect(call)),
            1 => Err(Failure::unavailable("the database sleeps")),
            2 => Ok(Effect::failure(Failure::new("no")).side_effect(call)),
            3 => panic!("a secret"),
            4 => Ok(Effect::none().side_effect(call)),
            _ => {
                assert_eq!(context.metadata().get("ce-subject"), Some("entity-1"));
                Ok(().into())
            }
        }
    }

    async fn on_numbers(&self, numbers: Requests<Number>, context: &Context) -> StreamReply<Self, Number> {
        assert!(context.metadata().is_empty());
        Ok(Replies::from_stream(numbers.with_metadata().map(|event| {
            let (number, metadata) = event?;
            let subject = metadata.get("ce-subject").ok_or_else(|| Failure::aborted("an event of nobody"))?;
            Ok(Number { value: number.value + subject.len() as i64 })
        })))
    }

    async fn on_other(&self, event: Any, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::skip(event.type_url))
    }
}

async fn subscriber() -> UserFunction {
    UserFunction::start(CloudState::new().register_action(Subscriber)).await
}

fn event(name: &str, payload: Any, subject: &str) -> ActionCommand {
    let subject = MetadataEntry { key: "ce-subject".into(), value: Some(Value::StringValue(subject.into())) };
    let metadata = Some(Metadata { entries: vec![subject] });
    let names = if name.is_empty() { ActionCommand::default() } else { action_command(NUMBERS, name) };
    ActionCommand { payload: Some(payload), metadata, ..names }
}

#[tokio::test]
async fn an_event_that_was_not_handled_closes_the_call() {
    let function = subscriber().await;
    let stranger = Any { type_url: "t/com.example.Stranger".into(), ..Default::default() };
    for (payload, code, text) in [
        (any(&Number { value: 1 }), Status::Unavailable, "the database sleeps"),
        (any(&Number { value: 2 }), Status::Unknown, "no"),
        (any(&Number { value: 3 }), Status::Internal, "unexpected error while handling the call"),
        (stranger, Status::InvalidArgument, "the type `t/com.example.Stranger` is not among the known types"),
    ] {
        let command = Request::new(event("OnNumber", payload, "entity-1"));
        let status = function.call_action_with("handleUnary", command).await.status().await;
        assert_eq!(status.code(), code);
        assert!(status.message().starts_with(text), "{}", status.message());
    }
    let mut call = function.open_action("handleStreamed", NUMBERS, "OnNumbers").await;
    call.send(any(&Number { value: 1 }));
    let status = call.status().await;
    assert_eq!((status.code(), status.message()), (Status::Aborted, "an event of nobody"));
}

#[tokio::test]
async fn an_event_is_acknowledged_by_any_answer_and_by_a_skip() {
    let function = subscriber().await;
    for (value, failure, side_effects) in
        [(0, Some("zero is not worth the trouble"), 1), (4, None, 1), (5, None, 0)]
    {
        let command = Request::new(event("OnNumber", any(&Number { value }), "entity-1"));
        let response = function.call_action_with("handleUnary", command).await.response().await;
        assert_eq!(response.side_effects.len(), side_effects);
        match (response.response, failure) {
            (Some(action_response::Response::Failure(sent)), Some(text)) => {
                assert_eq!(sent.description, text)
            }
            (Some(action_response::Response::Reply(_)) | None, None) => {}
            (other, _) => panic!("{value}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn each_event_of_a_stream_has_its_own_metadata() {
    let function = subscriber().await;
    let mut call = function.open_action("handleStreamed", NUMBERS, "OnNumbers").await;
    for subject in ["a", "abc"] {
        call.send_command(event("", any(&Number { value: 10 }), subject));
    }
    assert_eq!(call.reply::<Number>().await.value, 11);
    assert_eq!(call.reply::<Number>().await.value, 13);
}

#[tokio::test]
async fn a_handler_of_any_event_gets_the_event_itself() {
    let function = subscriber().await;
    let json = Any { type_url: "json.cloudstate.io/Thing".into(), value: b"\x0a\x02{}"[..].into() };
    // As a client of the rpc sends it, and as an event comes.
    for payload in [any(&json), json] {
        let mut call = function.call_action("handleUnary", NUMBERS, "OnOther", payload).await;
        assert_eq!(call.failure().await.description, "json.cloudstate.io/Thing");
    }
}
