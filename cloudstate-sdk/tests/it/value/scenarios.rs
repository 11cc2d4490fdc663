//! Conversations with the model entity, as text: `>` is sent, `<` is what must come back, all of it.

use cloudstate_proto::client_action::Action;
use cloudstate_proto::valueentity::ValueEntityReply;
use cloudstate_proto::valueentity::value_entity_action::Action as StateAction;
use cloudstate_proto::{Any, SideEffect};
use cloudstate_sdk::CloudState;
use prost::Message;

use super::model::{Model, TWO, Two, fail, persisted, request, update};
use super::stream::{Stream, action, init, refusal};
use crate::cart::cloudstate::tck::model::valueentity::request_action::Action as RequestAction;
use crate::cart::cloudstate::tck::model::valueentity::{
    Delete, Effect, Forward, Persisted, Request, Response,
};
use crate::proxy::UserFunction;

#[tokio::test]
async fn every_scenario_goes_as_written() {
    let function = UserFunction::start(CloudState::new().register::<Model>().register::<Two>()).await;
    for scenario in include_str!("scenarios.txt").split("\n\n") {
        let (title, lines) = scenario.split_once('\n').unwrap();
        play(&function, title, lines).await;
    }
}

async fn play(function: &UserFunction, title: &str, lines: &str) {
    let mut stream = Stream::open(function).await;
    for line in lines.lines() {
        if line == "-- end, new stream" {
            stream.half_close();
            stream.expect_end().await;
            stream = Stream::open(function).await;
        } else if let Some(expected) = line.strip_prefix("< ") {
            assert_eq!(render(&stream.reply().await), expected, "in: {title}");
        } else {
            send(&mut stream, line.strip_prefix("> ").unwrap());
        }
    }
    stream.half_close();
    stream.expect_end().await;
}

fn send(stream: &mut Stream, line: &str) {
    if line == "init" {
        stream.send(Some(init(None)));
    } else if let Some(state) = line.strip_prefix("init state ") {
        stream.send(Some(init(Some(persisted(state.trim_matches('"'))))));
    } else {
        let (id, actions) = line.split_once(' ').unwrap();
        let actions = actions.trim_matches(['[', ']']).split(", ").filter(|action| !action.is_empty());
        stream.command(id.parse().unwrap(), request(actions.map(read_action)));
    }
}

fn read_action(text: &str) -> RequestAction {
    let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
    let id = argument.to_owned();
    match verb {
        "update" => update(argument),
        "delete" => RequestAction::Delete(Delete {}),
        "fail" => fail(argument),
        "fwd" => RequestAction::Forward(Forward { id }),
        "fx" => RequestAction::Effect(Effect { id, synchronous: false }),
        "fx!" => RequestAction::Effect(Effect { id, synchronous: true }),
        other => panic!("no such action: {other}"),
    }
}

fn render(reply: &ValueEntityReply) -> String {
    let mut line = format!("{} ", reply.command_id);
    match action(reply) {
        Action::Reply(reply) => {
            assert_eq!(reply.metadata, None);
            let response: Response = read(reply.payload.as_ref().unwrap(), "Response");
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
    match reply.state_action.as_ref().map(|state| state.action.as_ref().unwrap()) {
        None => {}
        Some(StateAction::Update(update)) => {
            let value: Persisted = read(update.value.as_ref().unwrap(), "Persisted");
            line += &format!("; update {:?}", value.value);
        }
        Some(StateAction::Delete(_)) => line += "; delete",
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
    let request: Request = read(payload.unwrap(), "Request");
    assert!(request.actions.is_empty());
    request.id
}

fn read<M: Message + Default>(any: &Any, name: &str) -> M {
    let package = "type.googleapis.com/cloudstate.tck.model.valueentity.";
    assert_eq!(any.type_url, format!("{package}{name}"));
    M::decode(any.value.clone()).unwrap()
}
