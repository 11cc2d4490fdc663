//! The event sourced models whose events others subscribe to.

use cloudstate_sdk::DecodeError;
use cloudstate_sdk::event_sourced::*;
use cloudstate_sdk::prost::Message;

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

/// A JSON object with the property `message`.
struct JsonMessage(serde_json::Value);

impl Event for JsonMessage {
    fn encode(&self) -> Any {
        let json = self.0.to_string().into_bytes();
        Any { type_url: "json.cloudstate.io/JsonEvent".into(), value: json.encode_to_vec().into() }
    }

    fn decode(stored: &Any) -> Result<Self, DecodeError> {
        let malformed = |cause: &dyn std::fmt::Display| DecodeError::malformed(stored, cause);
        let json = <Vec<u8> as Message>::decode(stored.value.clone()).map_err(|cause| malformed(&cause))?;
        serde_json::from_slice(&json).map(Self).map_err(|cause| malformed(&cause))
    }
}

impl EventSourcedEntity for EventSourcedEntityTwo {
    type Event = JsonMessage;
    type Error = Failure;

    fn apply(&mut self, _: JsonMessage) {}
}

impl event_sourced_entity_two::EventSourced for EventSourcedEntityTwo {
    fn emit_json_event(&self, request: JsonEvent, _: &Context) -> Reply<Self, ()> {
        let event = JsonMessage(serde_json::json!({ "message": request.message }));
        Ok(Effect::persist(event).reply(()))
    }
}
