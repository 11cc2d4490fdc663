//! Calls of the model action, as text: `>` is sent, `<` is what must come back, all of it and in this order.

use cloudstate_proto::action::{ActionResponse, action_response};
use cloudstate_proto::{Any, SideEffect};
use cloudstate_sdk::CloudState;
use prost::Message;

use crate::action_call::ActionCall;
use crate::action_model::{ActionModel, ActionTwo, MODEL, TWO};
use crate::cart::cloudstate::tck::model::action::{
    Fail, Forward, OtherRequest, ProcessGroup, ProcessStep, Reply, Request, Response,
    SideEffect as EffectStep, process_step::Step,
};
use crate::proxy::{UserFunction, any};

#[tokio::test]
async fn every_scenario_goes_as_written() {
    let actions = CloudState::new().register_action(ActionModel).register_action(ActionTwo);
    let function = UserFunction::start(actions).await;
    let scenarios: Vec<_> = include_str!("actions.txt").split("\n\n").collect();
    assert_eq!(scenarios.len(), 33);
    for scenario in scenarios {
        let (title, lines) = scenario.split_once('\n').unwrap();
        play(&function, title, lines).await;
    }
}

async fn play(function: &UserFunction, title: &str, lines: &str) {
    let mut call: Option<ActionCall> = None;
    for line in lines.lines() {
        if let Some(rpc) = line.strip_prefix("> open ") {
            call = Some(function.open_action(&format!("handle{rpc}"), MODEL, &format!("Process{rpc}")).await);
        } else if line == "> half-close" {
            call.as_mut().unwrap().half_close();
        } else if line == "< end" {
            call.as_mut().unwrap().expect_end().await;
        } else if let Some(expected) = line.strip_prefix("< ") {
            let response = call.as_mut().unwrap().response().await;
            assert_eq!(render(&response), expected, "in: {title}");
        } else {
            let sent = line.strip_prefix("> ").unwrap();
            let (rpc, groups) = sent.split_once('{').unwrap();
            let request = any(&request(groups.strip_suffix('}').unwrap()));
            if rpc.is_empty() {
                call.as_mut().unwrap().send(request);
            } else {
                let name = format!("Process{rpc}");
                call = Some(function.call_action(&format!("handle{rpc}"), MODEL, &name, request).await);
            }
        }
    }
}

/// `[reply one, fx a] [fail two]`
fn request(groups: &str) -> Request {
    let steps = |group: &str| group.split(", ").filter(|step| !step.is_empty()).map(step).collect();
    let inner = groups.strip_prefix('[').unwrap().strip_suffix(']').unwrap();
    Request { groups: inner.split("] [").map(|group| ProcessGroup { steps: steps(group) }).collect() }
}

fn step(text: &str) -> ProcessStep {
    let (verb, argument) = text.split_once(' ').unwrap();
    let (id, message) = (argument.to_owned(), argument.to_owned());
    let step = match verb {
        "reply" => Step::Reply(Reply { message }),
        "fail" => Step::Fail(Fail { message }),
        "fwd" => Step::Forward(Forward { id }),
        "fx" => Step::Effect(EffectStep { id, synchronous: false }),
        "fx!" => Step::Effect(EffectStep { id, synchronous: true }),
        other => panic!("no such step: {other}"),
    };
    ProcessStep { step: Some(step) }
}

fn render(response: &ActionResponse) -> String {
    use action_response::Response::{Failure, Forward, Reply};
    let mut line = match &response.response {
        Some(Reply(reply)) => {
            assert_eq!(reply.metadata, None);
            format!("reply {:?}", message::<Response>(reply.payload.as_ref()).message)
        }
        Some(Forward(forward)) => {
            assert_eq!((forward.service_name.as_str(), forward.command_name.as_str()), (TWO, "Call"));
            assert_eq!(forward.metadata, None);
            format!("forward {}", message::<OtherRequest>(forward.payload.as_ref()).id)
        }
        Some(Failure(failure)) => {
            assert_eq!((failure.command_id, failure.restart, failure.grpc_status_code), (0, false, 0));
            format!("fail {:?}", failure.description)
        }
        None => "none".into(),
    };
    if !response.side_effects.is_empty() {
        let effects: Vec<_> = response.side_effects.iter().map(effect).collect();
        line += &format!("; fx[{}]", effects.join(", "));
    }
    line
}

fn effect(effect: &SideEffect) -> String {
    assert_eq!((effect.service_name.as_str(), effect.command_name.as_str()), (TWO, "Call"));
    assert_eq!(effect.metadata, None);
    let id = message::<OtherRequest>(effect.payload.as_ref()).id;
    format!("{}{id}", if effect.synchronous { "!" } else { "" })
}

fn message<M: Message + prost::Name + Default>(payload: Option<&Any>) -> M {
    let payload = payload.unwrap();
    assert_eq!(payload.type_url, M::type_url());
    M::decode(payload.value.clone()).unwrap()
}
