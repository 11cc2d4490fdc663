//! The messages of a value entity's stream.

use std::sync::Arc;

use cloudstate_proto as proto;
use cloudstate_proto::valueentity::{
    ValueEntityInit, ValueEntityReply, ValueEntityStreamIn, ValueEntityStreamOut, value_entity_stream_in,
    value_entity_stream_out,
};

use super::instance::Instance;
use super::{Handler, Kind, ValueEntity};
use crate::conversation::{Host, Live, Protocol, Terms};
use crate::fault::Fault;
use crate::registration::Create;

impl Protocol for Kind {
    const TITLE: &'static str = "value";
    type In = ValueEntityStreamIn;
    type Init = ValueEntityInit;
    type Reply = ValueEntityReply;
    type Out = ValueEntityStreamOut;

    fn into_init(message: ValueEntityStreamIn) -> Option<ValueEntityInit> {
        match message.message {
            Some(value_entity_stream_in::Message::Init(init)) => Some(init),
            _ => None,
        }
    }

    fn service_name(init: &ValueEntityInit) -> &str {
        &init.service_name
    }

    fn reply(reply: ValueEntityReply) -> ValueEntityStreamOut {
        ValueEntityStreamOut { message: Some(value_entity_stream_out::Message::Reply(reply)) }
    }

    fn failure(failure: proto::Failure) -> ValueEntityStreamOut {
        ValueEntityStreamOut { message: Some(value_entity_stream_out::Message::Failure(failure)) }
    }
}

impl<E: ValueEntity + Handler + Send + 'static> Host<Kind> for Create<E> {
    fn start(&self, init: ValueEntityInit, terms: Terms) -> Result<Box<dyn Live<Kind>>, Fault> {
        Ok(Box::new(Instance::start(init, Arc::clone(self), terms)?))
    }
}

impl<E: ValueEntity + Handler + Send> Live<Kind> for Instance<E> {
    fn step(&mut self, message: ValueEntityStreamIn) -> Result<Option<ValueEntityReply>, Fault> {
        Instance::step(self, message.message).map(Some)
    }
}

#[cfg(test)]
mod tests;
