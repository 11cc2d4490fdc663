//! The event sourced models.

use cloudstate_sdk::SideEffect;
use cloudstate_sdk::event_sourced::*;

use crate::cloudstate::tck::model::request_action::Action;
use crate::cloudstate::tck::model::{
    Persisted, Request, Response, event_sourced_configured, event_sourced_tck_model, event_sourced_two,
};

/// Its state is the text of all its events.
#[event_sourced_entity(
    service = event_sourced_tck_model,
    persistence_id = "event-sourced-tck-model",
    snapshot_every = 5
)]
#[derive(Default)]
struct EventSourcedTckModel {
    text: String,
}

impl EventSourcedEntity for EventSourcedTckModel {
    type Event = Persisted;
    type Error = Failure;

    fn apply(&mut self, event: Persisted) {
        self.text.push_str(&event.value);
    }
}

impl event_sourced_tck_model::EventSourced for EventSourcedTckModel {
    fn process(&self, request: Request, _: &Context) -> Reply<Self, Response> {
        let (mut events, mut forward, mut effects) = (Vec::new(), None, Vec::new());
        for action in request.actions.into_iter().filter_map(|action| action.action) {
            match action {
                Action::Emit(emit) => events.push(Persisted { value: emit.value }),
                Action::Forward(to) => forward = Some(two(to.id)),
                Action::Effect(to) if to.synchronous => effects.push(SideEffect::synchronous(two(to.id))),
                Action::Effect(to) => effects.push(SideEffect::asynchronous(two(to.id))),
                Action::Fail(fail) => return Err(Failure::new(fail.message)),
            }
        }
        let events = Effect::persist_all(events);
        let effect = match forward {
            Some(call) => events.forward(call),
            None => events.then_reply(|now: &Self| Response { message: now.text.clone() }),
        };
        Ok(effect.side_effects(effects))
    }
}

impl Snapshot for EventSourcedTckModel {
    type Message = Persisted;

    fn snapshot(&self) -> Persisted {
        Persisted { value: self.text.clone() }
    }

    fn restore(&mut self, saved: Persisted) {
        self.text = saved.value;
    }
}

fn two(id: String) -> ServiceCall<Response> {
    event_sourced_two::call(Request { id, actions: Vec::new() })
}

/// Where forwards and side effects go.
#[event_sourced_entity(service = event_sourced_two, persistence_id = "event-sourced-two")]
#[derive(Default)]
struct EventSourcedTwo;

impl EventSourcedEntity for EventSourcedTwo {
    type Event = Persisted;
    type Error = Failure;

    fn apply(&mut self, _: Persisted) {}
}

impl event_sourced_two::EventSourced for EventSourcedTwo {
    fn call(&self, _: Request, _: &Context) -> Reply<Self, Response> {
        Ok(Effect::reply(Response::default()))
    }
}

/// Has all options.
#[event_sourced_entity(
    service = event_sourced_configured,
    persistence_id = "event-sourced-configured",
    passivate_after = "100ms"
)]
#[derive(Default)]
struct EventSourcedConfigured;

impl EventSourcedEntity for EventSourcedConfigured {
    type Event = Persisted;
    type Error = Failure;

    fn apply(&mut self, _: Persisted) {}
}

impl event_sourced_configured::EventSourced for EventSourcedConfigured {
    fn call(&self, _: Request, _: &Context) -> Reply<Self, Response> {
        Ok(Effect::reply(Response::default()))
    }
}
