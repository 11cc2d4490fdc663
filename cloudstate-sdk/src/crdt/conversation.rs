//! The messages of a CRDT entity's stream.

use cloudstate_proto as proto;
use cloudstate_proto::crdt::{
    CrdtInit, CrdtStreamIn, CrdtStreamOut, crdt_stream_in, crdt_stream_out::Message,
};

use super::instance::Instance;
use super::{CrdtEntity, Handler, Kind};
use crate::conversation::{Host, Live, Protocol, Terms};
use crate::fault::Fault;
use crate::registration::Create;

impl Protocol for Kind {
    const TITLE: &'static str = "CRDT";
    type In = CrdtStreamIn;
    type Init = CrdtInit;
    /// Never empty: the answer, and what the followers get because of it.
    type Reply = Vec<Message>;
    type Out = Vec<CrdtStreamOut>;

    fn into_init(message: CrdtStreamIn) -> Option<CrdtInit> {
        match message.message {
            Some(crdt_stream_in::Message::Init(init)) => Some(init),
            _ => None,
        }
    }

    /// A proxy may open a stream for an entity that is deleted, only to say so.
    fn is_farewell(message: &CrdtStreamIn) -> bool {
        matches!(message.message, Some(crdt_stream_in::Message::Delete(_)))
    }

    fn service_name(init: &CrdtInit) -> &str {
        &init.service_name
    }

    fn reply(reply: Vec<Message>) -> Vec<CrdtStreamOut> {
        reply.into_iter().map(|message| CrdtStreamOut { message: Some(message) }).collect()
    }

    fn failure(failure: proto::Failure) -> Vec<CrdtStreamOut> {
        vec![CrdtStreamOut { message: Some(Message::Failure(failure)) }]
    }
}

impl<E: CrdtEntity + Handler + Send + 'static> Host<Kind> for Create<E> {
    fn start(&self, init: CrdtInit, terms: Terms) -> Result<Box<dyn Live<Kind>>, Fault> {
        Ok(Box::new(Instance::start(init, &**self, terms)?))
    }
}

impl<E: CrdtEntity + Handler + Send> Live<Kind> for Instance<E> {
    fn step(&mut self, message: CrdtStreamIn) -> Result<Option<Vec<Message>>, Fault> {
        let mut out = Vec::new();
        Instance::step(self, message.message, &mut out)?;
        Ok((!out.is_empty()).then_some(out))
    }
}
