//! The messages of an event sourced entity's stream.

use cloudstate_proto as proto;
use cloudstate_proto::eventsourced::{
    EventSourcedInit, EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
    event_sourced_stream_in, event_sourced_stream_out,
};

use super::instance::Instance;
use super::{EventSourcedEntity, Handler, Kind};
use crate::conversation::{Host, Live, Protocol, Terms};
use crate::fault::Fault;
use crate::registration::Create;

impl Protocol for Kind {
    const TITLE: &'static str = "event sourced";
    type In = EventSourcedStreamIn;
    type Init = EventSourcedInit;
    type Reply = EventSourcedReply;
    type Out = EventSourcedStreamOut;

    fn into_init(message: EventSourcedStreamIn) -> Option<EventSourcedInit> {
        match message.message {
            Some(event_sourced_stream_in::Message::Init(init)) => Some(init),
            _ => None,
        }
    }

    fn service_name(init: &EventSourcedInit) -> &str {
        &init.service_name
    }

    fn reply(reply: EventSourcedReply) -> EventSourcedStreamOut {
        EventSourcedStreamOut { message: Some(event_sourced_stream_out::Message::Reply(reply)) }
    }

    fn failure(failure: proto::Failure) -> EventSourcedStreamOut {
        EventSourcedStreamOut { message: Some(event_sourced_stream_out::Message::Failure(failure)) }
    }
}

impl<E: EventSourcedEntity + Handler + Send + 'static> Host<Kind> for Create<E> {
    fn start(&self, init: EventSourcedInit, terms: Terms) -> Result<Box<dyn Live<Kind>>, Fault> {
        Ok(Box::new(Instance::start(init, &**self, terms)?))
    }
}

impl<E: EventSourcedEntity + Handler + Send> Live<Kind> for Instance<E> {
    fn step(&mut self, message: EventSourcedStreamIn) -> Result<Option<EventSourcedReply>, Fault> {
        Instance::step(self, message.message)
    }
}

#[cfg(test)]
mod tests;
