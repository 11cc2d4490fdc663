//! An entity that does what each command says: the protocol's model for conformance tests, with some vices added.

use cloudstate_proto::Any;
use cloudstate_sdk::value::*;

use crate::cart::cloudstate::tck::model::valueentity::request_action::Action;
use crate::cart::cloudstate::tck::model::valueentity::{
    Persisted, Request, RequestAction, Response, Update, value_entity_tck_model, value_entity_two,
};
use crate::proxy::any;

pub(crate) const MODEL: &str = "cloudstate.tck.model.valueentity.ValueEntityTckModel";
pub(crate) const TWO: &str = "cloudstate.tck.model.valueentity.ValueEntityTwo";

#[value_entity(service = value_entity_tck_model, persistence_id = "value-entity-tck-model")]
#[derive(Default)]
pub(crate) struct Model(Persisted);

impl ValueEntity for Model {
    type Error = Failure;
}

impl value_entity_tck_model::Value for Model {
    fn process(&self, request: Request, _: &Context) -> Reply<Self, Response> {
        let (mut change, mut forward, mut calls) = (None, None, Vec::new());
        for action in request.actions.into_iter().filter_map(|action| action.action) {
            match action {
                Action::Update(update) => {
                    change = Some(StateAction::Update(Persisted { value: update.value }));
                }
                Action::Delete(_) => change = Some(StateAction::Delete),
                Action::Forward(to) => forward = Some(two(to.id)),
                Action::Effect(to) => calls.push((two(to.id), to.synchronous)),
                Action::Fail(fail) => {
                    assert_ne!(fail.message, "panic in handler");
                    return Err(match fail.message.strip_prefix("not found: ") {
                        Some(message) => Failure::not_found(message),
                        None => Failure::new(fail.message),
                    });
                }
            }
        }
        let change = Effect::state_action(change);
        let mut effect = match forward {
            Some(call) => change.forward(call),
            None => change.then_reply(Self::response),
        };
        for (call, synchronous) in calls {
            effect =
                if synchronous { effect.synchronous_side_effect(call) } else { effect.side_effect(call) };
        }
        Ok(effect)
    }
}

impl Model {
    fn response(&self) -> Response {
        assert_ne!(self.0.value, "panic in reply");
        // The answer is larger than the value that asks for it.
        let message = if self.0.value == "huge reply" { "x".repeat(2_000_000) } else { self.0.value.clone() };
        Response { message }
    }
}

#[value_entity(
    service = value_entity_two,
    persistence_id = "value-entity-tck-model-two",
    passivate_after = "100ms"
)]
#[derive(Default)]
pub(crate) struct Two(Option<Persisted>);

impl ValueEntity for Two {
    type Error = Failure;
}

impl value_entity_two::Value for Two {
    fn call(&self, _: Request, _: &Context) -> Reply<Self, Response> {
        Ok(Effect::reply(Response::default()))
    }
}

fn two(id: String) -> ServiceCall<Response> {
    value_entity_two::call(Request { id, actions: Vec::new() })
}

/// A request that carries out `actions`.
pub(crate) fn request(actions: impl IntoIterator<Item = Action>) -> Any {
    let action = |action| RequestAction { action: Some(action) };
    any(&Request { id: "id".into(), actions: actions.into_iter().map(action).collect() })
}

pub(crate) fn update(value: &str) -> Action {
    Action::Update(Update { value: value.into() })
}

pub(crate) fn fail(message: &str) -> Action {
    Action::Fail(crate::cart::cloudstate::tck::model::valueentity::Fail { message: message.into() })
}

pub(crate) fn persisted(value: &str) -> Any {
    any(&Persisted { value: value.into() })
}
