//! The models that are value entities.

use cloudstate_sdk::SideEffect;
use cloudstate_sdk::value::*;

use crate::cloudstate::tck::model::valueentity::request_action::Action;
use crate::cloudstate::tck::model::valueentity::{
    Persisted, Request, Response, value_entity_configured, value_entity_tck_model, value_entity_two,
};

/// Its state is a text.
#[value_entity(service = value_entity_tck_model, persistence_id = "value-entity-tck-model")]
#[derive(Default)]
struct ValueEntityTckModel(Persisted);

impl ValueEntity for ValueEntityTckModel {
    type Error = Failure;
}

impl value_entity_tck_model::Value for ValueEntityTckModel {
    fn process(&self, request: Request, _: &Context) -> Reply<Self, Response> {
        let (mut state, mut forward, mut effects) = (None, None, Vec::new());
        for action in request.actions.into_iter().filter_map(|action| action.action) {
            match action {
                Action::Update(new) => state = Some(StateAction::Update(Persisted { value: new.value })),
                Action::Delete(_) => state = Some(StateAction::Delete),
                Action::Forward(to) => forward = Some(two(to.id)),
                Action::Effect(to) if to.synchronous => effects.push(SideEffect::synchronous(two(to.id))),
                Action::Effect(to) => effects.push(SideEffect::asynchronous(two(to.id))),
                Action::Fail(fail) => return Err(Failure::new(fail.message)),
            }
        }
        let state = Effect::state_action(state);
        let effect = match forward {
            Some(call) => state.forward(call),
            None => state.then_reply(|now: &Self| Response { message: now.0.value.clone() }),
        };
        Ok(effect.side_effects(effects))
    }
}

fn two(id: String) -> ServiceCall<Response> {
    value_entity_two::call(Request { id, actions: Vec::new() })
}

/// Where forwards and side effects go.
#[value_entity(service = value_entity_two, persistence_id = "value-entity-tck-model-two")]
#[derive(Default)]
struct ValueEntityTwo(Persisted);

impl ValueEntity for ValueEntityTwo {
    type Error = Failure;
}

impl value_entity_two::Value for ValueEntityTwo {
    fn call(&self, _: Request, _: &Context) -> Reply<Self, Response> {
        Ok(Effect::reply(Response::default()))
    }
}

/// Has all options.
#[value_entity(
    service = value_entity_configured,
    persistence_id = "value-entity-configured",
    passivate_after = "100ms"
)]
#[derive(Default)]
struct ValueEntityConfigured(Persisted);

impl ValueEntity for ValueEntityConfigured {
    type Error = Failure;
}

impl value_entity_configured::Value for ValueEntityConfigured {
    fn call(&self, _: Request, _: &Context) -> Reply<Self, Response> {
        Ok(Effect::reply(Response::default()))
    }
}
