//! Conversations with the model entity, as text: `>` is sent, `<` is what must come back, all of it.

use cloudstate_proto::client_action::Action;
use cloudstate_proto::eventsourced::EventSourcedReply;
use cloudstate_proto::{Any, SideEffect};
use cloudstate_sdk::CloudState;
use prost::Message;

use crate::cart::cloudstate::tck::model::request_action::Action as RequestAction;
use crate::cart::cloudstate::tck::model::{Effect, Forward, Persisted, Request};
use crate::model::{MODEL, Model, TWO, Two, emit, fail, persisted, request};
use crate::proxy::{Entity, UserFunction, action, refusal, reply_message};

#[tokio::test]
async fn every_scenario_goes_as_written() {
    let function = UserFunction::start(CloudState::new().register::<Model>().register::<Two>()).await;
    for scenario in include_str!("scenarios.txt").split("\n\n") {
        let (title, lines) = scenario.split_once('\n').unwrap();
        play(&function, title, lines).await;
    }
}

async fn play(function: &UserFunction, title: &str, lines: &str) {
    let mut client = function.entities().await;
    let mut entity = Entity::open(&mut client).await;
    for line in lines.lines() {
        if line == "-- end, new stream" {
            entity.half_close();
            entity.expect_end().await;
            entity = Entity::open(&mut client).await;
        } else if let Some(expected) = line.strip_prefix("< ") {
            assert_eq!(render(&entity.reply().await), expected, "in: {title}");
        } else {
            send(&mut entity, line.strip_prefix("> ").unwrap());
        }
    }
    entity.half_close();
    entity.expect_end().await;
}

fn send(entity: &mut Entity, line: &str) {
    if line == "init" {
        entity.init(MODEL, "id", None);
    } else if let Some(snapshot) = line.strip_prefix("init snapshot") {
        let (sequence, value) = numbered(snapshot);
        entity.init(MODEL, "id", Some((sequence, value)));
    } else if let Some(event) = line.strip_prefix("event") {
        let (sequence, payload) = numbered(event);
        entity.event(sequence, payload);
    } else {
        let (id, actions) = line.split_once(' ').unwrap();
        let actions = actions.trim_matches(['[', ']']).split(", ").filter(|action| !action.is_empty());
        entity.command(id.parse().unwrap(), "Process", request("id", actions.map(read_action)));
    }
}

/// `(5, "ABC")`
fn numbered(text: &str) -> (i64, Any) {
    let (sequence, value) = text.trim_matches(['(', ')']).split_once(", ").unwrap();
    (sequence.parse().unwrap(), persisted(value.trim_matches('"')))
}

fn read_action(text: &str) -> RequestAction {
    let (verb, argument) = text.split_once(' ').unwrap();
    let id = argument.to_owned();
    match verb {
        "emit" => emit(argument),
        "fail" => fail(argument),
        "fwd" => RequestAction::Forward(Forward { id }),
        "fx" => RequestAction::Effect(Effect { id, synchronous: false }),
        "fx!" => RequestAction::Effect(Effect { id, synchronous: true }),
        other => panic!("no such action: {other}"),
    }
}

fn render(reply: &EventSourcedReply) -> String {
    let mut line = format!("{} ", reply.command_id);
    match action(reply) {
        Action::Reply(_) => {
            let response: crate::cart::cloudstate::tck::model::Response = reply_message(reply);
            line += &format!("reply {:?}", response.message);
        }
        Action::Forward(forward) => {
            assert_eq!((forward.service_name.as_str(), forward.command_name.as_str()), (TWO, "Call"));
            assert_eq!(forward.metadata, None);
            line += &format!("forward {}", target(forward.payload.as_ref()));
        }
        Action::Failure(_) => {
            let failure = refusal(reply);
            assert!(!failure.restart);
            line += &format!("fail {:?}", failure.description);
        }
    }
    if !reply.events.is_empty() {
        line += &format!("; events[{}]", reply.events.iter().map(value).collect::<Vec<_>>().join(", "));
    }
    if let Some(snapshot) = &reply.snapshot {
        line += &format!("; snapshot {:?}", value(snapshot));
    }
    if !reply.side_effects.is_empty() {
        line += &format!("; fx[{}]", reply.side_effects.iter().map(effect).collect::<Vec<_>>().join(", "));
    }
    line
}

fn effect(effect: &SideEffect) -> String {
    assert_eq!((effect.service_name.as_str(), effect.command_name.as_str()), (TWO, "Call"));
    assert_eq!(effect.metadata, None);
    format!("{}{}", if effect.synchronous { "!" } else { "" }, target(effect.payload.as_ref()))
}

fn target(payload: Option<&Any>) -> String {
    let payload = payload.unwrap();
    assert_eq!(payload.type_url, "type.googleapis.com/cloudstate.tck.model.Request");
    let request = Request::decode(payload.value.clone()).unwrap();
    assert!(request.actions.is_empty());
    request.id
}

fn value(stored: &Any) -> String {
    assert_eq!(stored.type_url, "type.googleapis.com/cloudstate.tck.model.Persisted");
    Persisted::decode(stored.value.clone()).unwrap().value
}
