//! An entity that does what each command says: the protocol's model for conformance tests, with some vices added.

use cloudstate_proto::Any;
use cloudstate_sdk::event_sourced::*;

use crate::cart::cloudstate::tck::model::request_action::Action;
use crate::cart::cloudstate::tck::model::{
    Persisted, Request, Response, event_sourced_tck_model, event_sourced_two,
};
use crate::proxy::any;

pub(crate) const MODEL: &str = "cloudstate.tck.model.EventSourcedTckModel";
pub(crate) const TWO: &str = "cloudstate.tck.model.EventSourcedTwo";

#[event_sourced_entity(
    service = event_sourced_tck_model,
    persistence_id = "event-sourced-tck-model",
    snapshot_every = 5
)]
#[derive(Default)]
pub(crate) struct Model {
    text: String,
}

impl EventSourcedEntity for Model {
    type Event = Persisted;
    type Error = Failure;

    fn apply(&mut self, event: Persisted) {
        assert_ne!(event.value, "panic in apply");
        self.text.push_str(&event.value);
    }
}

impl event_sourced_tck_model::EventSourced for Model {
    fn process(&self, request: Request, _: &Context) -> Reply<Self, Response> {
        let (mut events, mut forward, mut calls) = (Vec::new(), None, Vec::new());
        for action in request.actions.into_iter().filter_map(|action| action.action) {
            match action {
                Action::Emit(emit) => events.push(Persisted { value: emit.value }),
                Action::Forward(to) => forward = Some(two(to.id)),
                Action::Effect(to) => calls.push((two(to.id), to.synchronous)),
                Action::Fail(fail) => {
                    assert_ne!(fail.message, "panic in handler");
                    return Err(failure(fail.message));
                }
            }
        }
        let events = Effect::persist_all(events);
        let mut effect = match forward {
            Some(call) => events.forward(call),
            None => events.then_reply(Self::response),
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
        assert_ne!(self.text, "panic in reply");
        // The answer is larger than the event that asks for it.
        let message = if self.text == "huge reply" { "x".repeat(2_000_000) } else { self.text.clone() };
        Response { message }
    }
}

impl Snapshot for Model {
    type Message = Persisted;

    fn snapshot(&self) -> Persisted {
        assert!(!self.text.ends_with("panic in snapshot"));
        let value =
            if self.text.ends_with("huge snapshot") { "x".repeat(2_000_000) } else { self.text.clone() };
        Persisted { value }
    }

    fn restore(&mut self, saved: Persisted) {
        assert_ne!(saved.value, "panic in restore");
        self.text = saved.value;
    }
}

#[event_sourced_entity(service = event_sourced_two, persistence_id = "two", passivate_after = "100ms")]
#[derive(Default)]
pub(crate) struct Two;

impl EventSourcedEntity for Two {
    type Event = Persisted;
    type Error = Failure;

    fn apply(&mut self, _: Persisted) {}
}

impl event_sourced_two::EventSourced for Two {
    fn call(&self, _: Request, _: &Context) -> Reply<Self, Response> {
        Ok(Effect::reply(Response::default()))
    }
}

fn two(id: String) -> ServiceCall<Response> {
    event_sourced_two::call(Request { id, actions: Vec::new() })
}

fn failure(message: String) -> Failure {
    match message.strip_prefix("not found: ") {
        Some(message) => Failure::not_found(message),
        None => Failure::new(message),
    }
}

/// A request that carries out `actions`.
pub(crate) fn request(id: &str, actions: impl IntoIterator<Item = Action>) -> Any {
    let action = |action| crate::cart::cloudstate::tck::model::RequestAction { action: Some(action) };
    any(&Request { id: id.into(), actions: actions.into_iter().map(action).collect() })
}

pub(crate) fn emit(value: &str) -> Action {
    Action::Emit(crate::cart::cloudstate::tck::model::Emit { value: value.into() })
}

pub(crate) fn fail(message: &str) -> Action {
    Action::Fail(crate::cart::cloudstate::tck::model::Fail { message: message.into() })
}

pub(crate) fn persisted(value: &str) -> Any {
    any(&Persisted { value: value.into() })
}
