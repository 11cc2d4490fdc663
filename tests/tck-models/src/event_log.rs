//! The event sourced models whose events others subscribe to.

use cloudstate_sdk::event_sourced::*;
use cloudstate_sdk::{Json, JsonType};

use crate::cloudstate::tck::model::eventlogeventing::emit_event_request::Event as ToEmit;
use crate::cloudstate::tck::model::eventlogeventing::{
    EmitEventRequest, EventOne, EventTwo, JsonEvent, event_sourced_entity_one, event_sourced_entity_two,
};

/// Emits what it is given.
#[event_sourced_entity(service = event_sourced_entity_one, persistence_id = "eventlogeventing-one")]
#[derive(Default)]
struct EventSourcedEntityOne;

#[derive(Event)]
enum Emitted {
    One(EventOne),
    Two(EventTwo),
}

impl EventSourcedEntity for EventSourcedEntityOne {
    type Event = Emitted;
    type Error = Failure;

    fn apply(&mut self, _: Emitted) {}
}

impl event_sourced_entity_one::EventSourced for EventSourcedEntityOne {
    fn emit_event(&self, request: EmitEventRequest, _: &Context) -> Reply<Self, ()> {
        let event = match request.event {
            Some(ToEmit::EventOne(event)) => Emitted::One(event),
            Some(ToEmit::EventTwo(event)) => Emitted::Two(event),
            None => return Err(Failure::invalid_argument("there is no event to emit")),
        };
        Ok(Effect::persist(event).reply(()))
    }
}

/// Emits JSON.
#[event_sourced_entity(service = event_sourced_entity_two, persistence_id = "eventlogeventing-two")]
#[derive(Default)]
struct EventSourcedEntityTwo;

/// The event as JSON.
#[derive(serde::Deserialize, serde::Serialize)]
pub(crate) struct JsonMessage {
    #[serde(default)]
    pub(crate) message: String,
}

impl JsonType for JsonMessage {
    const NAME: &'static str = "JsonEvent";
}

impl EventSourcedEntity for EventSourcedEntityTwo {
    type Event = Json<JsonMessage>;
    type Error = Failure;

    fn apply(&mut self, _: Json<JsonMessage>) {}
}

impl event_sourced_entity_two::EventSourced for EventSourcedEntityTwo {
    fn emit_json_event(&self, request: JsonEvent, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::persist(Json(JsonMessage { message: request.message })).reply(()))
    }
}
