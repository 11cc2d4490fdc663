//! The calls of the protocol, all in one shape: messages go in, messages come out.

use std::fmt::Debug;

use cloudstate_proto::{
    action::{ActionCommand, ActionResponse, action_protocol_client::ActionProtocolClient},
    crdt::{CrdtStreamIn, CrdtStreamOut, crdt_client::CrdtClient},
    eventsourced::{EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_client::EventSourcedClient},
    valueentity::{ValueEntityStreamIn, ValueEntityStreamOut, value_entity_client::ValueEntityClient},
};
use futures_util::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    future::Future,
    stream::{self, BoxStream},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status, Streaming, transport::Channel};

/// What a call answers, until it ends.
pub(crate) type Answers<M> = BoxStream<'static, Result<M, Status>>;

/// One of the protocol's services, as the proxy calls it.
pub(crate) trait Protocol: 'static {
    /// What there is to say at the beginning of a call, before any message.
    type Call: Clone + Send + Sync;
    type In: prost::Message + Clone + 'static;
    type Out: prost::Message + prost::Name + Clone + Debug + PartialEq + 'static;

    /// Begins a call. Nothing is sent before the answers are polled for the first time.
    fn call(channel: Channel, call: Self::Call, messages: ReceiverStream<Self::In>) -> Answers<Self::Out>;
}

/// Many services send the head of a response with its first message only, which may be long after the call began;
/// so the head is awaited as a part of the first message.
fn answers<M: Send + 'static>(
    call: impl Future<Output = Result<Response<Streaming<M>>, Status>> + Send + 'static,
) -> Answers<M> {
    stream::once(call.map(|response| response.map(Response::into_inner))).try_flatten().boxed()
}

fn single_answer<M: Send + 'static>(
    call: impl Future<Output = Result<Response<M>, Status>> + Send + 'static,
) -> Answers<M> {
    stream::once(call.map(|response| response.map(Response::into_inner))).boxed()
}

pub(crate) enum EventSourced {}

impl Protocol for EventSourced {
    type Call = ();
    type In = EventSourcedStreamIn;
    type Out = EventSourcedStreamOut;

    fn call(channel: Channel, (): (), messages: ReceiverStream<Self::In>) -> Answers<Self::Out> {
        answers(async move { EventSourcedClient::new(channel).handle(messages).await })
    }
}

pub(crate) enum ValueEntity {}

impl Protocol for ValueEntity {
    type Call = ();
    type In = ValueEntityStreamIn;
    type Out = ValueEntityStreamOut;

    fn call(channel: Channel, (): (), messages: ReceiverStream<Self::In>) -> Answers<Self::Out> {
        answers(async move { ValueEntityClient::new(channel).handle(messages).await })
    }
}

pub(crate) enum Crdt {}

impl Protocol for Crdt {
    type Call = ();
    type In = CrdtStreamIn;
    type Out = CrdtStreamOut;

    fn call(channel: Channel, (): (), messages: ReceiverStream<Self::In>) -> Answers<Self::Out> {
        answers(async move { CrdtClient::new(channel).handle(messages).await })
    }
}

pub(crate) enum Action {}

/// The four calls of the action protocol, with the only or the first command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ActionCall {
    Unary(ActionCommand),
    StreamedIn(ActionCommand),
    StreamedOut(ActionCommand),
    Streamed(ActionCommand),
}

impl Protocol for Action {
    type Call = ActionCall;
    type In = ActionCommand;
    type Out = ActionResponse;

    fn call(channel: Channel, call: ActionCall, messages: ReceiverStream<Self::In>) -> Answers<Self::Out> {
        let mut client = ActionProtocolClient::new(channel);
        match call {
            ActionCall::Unary(command) => single_answer(async move { client.handle_unary(command).await }),
            ActionCall::StreamedIn(head) => {
                let messages = stream::iter([head]).chain(messages);
                single_answer(async move { client.handle_streamed_in(messages).await })
            }
            ActionCall::StreamedOut(command) => {
                answers(async move { client.handle_streamed_out(command).await })
            }
            ActionCall::Streamed(head) => {
                let messages = stream::iter([head]).chain(messages);
                answers(async move { client.handle_streamed(messages).await })
            }
        }
    }
}
