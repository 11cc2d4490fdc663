//! The protocols whose entities live on a stream each.

use cloudstate_proto::{
    ClientAction, Command, Failure,
    client_action::Action,
    crdt::{CrdtStreamIn, CrdtStreamOut, crdt_stream_in, crdt_stream_out},
    eventsourced::{
        EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_stream_in, event_sourced_stream_out,
    },
    valueentity::{
        ValueEntityStreamIn, ValueEntityStreamOut, value_entity_stream_in, value_entity_stream_out,
    },
};
use http::uri::PathAndQuery;
use prost::Message;
use tonic::codec::Codec;

use super::codec::{CrdtCodec, SmallBufferCodec};
use crate::service_catalog::CrdtProtocol;

/// Names the rpc and the messages of one kind of entity.
pub(crate) trait EntityProtocol: Send + 'static {
    /// What the proxy writes.
    type In: Message + Send + 'static;
    /// What the user function writes.
    type Out: Message + Default + Send + 'static;

    type Codec: Codec<Encode = Self::In, Decode = Self::Out> + Send + 'static;

    const PATH: PathAndQuery;

    /// How the messages are written and read.
    fn codec(crdts: CrdtProtocol) -> Self::Codec;

    /// The command in a message of ours, if it is one.
    fn command_in(message: &mut Self::In) -> Option<&mut Command>;

    /// The failure in a message, if there is one.
    fn failure(message: &mut Self::Out) -> Option<&mut Failure>;
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EventSourced;

impl EntityProtocol for EventSourced {
    type In = EventSourcedStreamIn;
    type Out = EventSourcedStreamOut;
    type Codec = SmallBufferCodec<Self::In, Self::Out>;

    const PATH: PathAndQuery = PathAndQuery::from_static("/cloudstate.eventsourced.EventSourced/handle");

    fn codec(_: CrdtProtocol) -> Self::Codec {
        SmallBufferCodec::default()
    }

    fn command_in(message: &mut Self::In) -> Option<&mut Command> {
        match message.message.as_mut()? {
            event_sourced_stream_in::Message::Command(command) => Some(command),
            _ => None,
        }
    }

    fn failure(message: &mut Self::Out) -> Option<&mut Failure> {
        match message.message.as_mut()? {
            event_sourced_stream_out::Message::Reply(reply) => in_action(&mut reply.client_action),
            event_sourced_stream_out::Message::Failure(failure) => Some(failure),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value;

impl EntityProtocol for Value {
    type In = ValueEntityStreamIn;
    type Out = ValueEntityStreamOut;
    type Codec = SmallBufferCodec<Self::In, Self::Out>;

    const PATH: PathAndQuery = PathAndQuery::from_static("/cloudstate.valueentity.ValueEntity/handle");

    fn codec(_: CrdtProtocol) -> Self::Codec {
        SmallBufferCodec::default()
    }

    fn command_in(message: &mut Self::In) -> Option<&mut Command> {
        match message.message.as_mut()? {
            value_entity_stream_in::Message::Command(command) => Some(command),
            _ => None,
        }
    }

    fn failure(message: &mut Self::Out) -> Option<&mut Failure> {
        match message.message.as_mut()? {
            value_entity_stream_out::Message::Reply(reply) => in_action(&mut reply.client_action),
            value_entity_stream_out::Message::Failure(failure) => Some(failure),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Crdt;

impl EntityProtocol for Crdt {
    type In = CrdtStreamIn;
    type Out = CrdtStreamOut;
    type Codec = CrdtCodec;

    const PATH: PathAndQuery = PathAndQuery::from_static("/cloudstate.crdt.Crdt/handle");

    fn codec(crdts: CrdtProtocol) -> Self::Codec {
        CrdtCodec(crdts)
    }

    fn command_in(message: &mut Self::In) -> Option<&mut Command> {
        match message.message.as_mut()? {
            crdt_stream_in::Message::Command(command) => Some(command),
            _ => None,
        }
    }

    fn failure(message: &mut Self::Out) -> Option<&mut Failure> {
        match message.message.as_mut()? {
            crdt_stream_out::Message::Reply(reply) => in_action(&mut reply.client_action),
            crdt_stream_out::Message::StreamedMessage(message) => in_action(&mut message.client_action),
            crdt_stream_out::Message::StreamCancelledResponse(_) => None,
            crdt_stream_out::Message::Failure(failure) => Some(failure),
        }
    }
}

fn in_action(action: &mut Option<ClientAction>) -> Option<&mut Failure> {
    match action.as_mut()?.action.as_mut()? {
        Action::Failure(failure) => Some(failure),
        _ => None,
    }
}
