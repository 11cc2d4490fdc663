//! A call, from the protocol's commands to the handler's arguments, and from what it returns to decisions.

use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use cloudstate_proto as proto;
use cloudstate_proto::action::ActionCommand;
use futures_core::Stream;
use futures_util::stream;

use super::effect::ActionAnswer;
use super::{ActionService, Requests};
use crate::command::reply::Answer;
use crate::command::trace::Trace;
use crate::command::{Replies, SideEffect, StreamReply};
use crate::payload::{self, ProtobufMessage};
use crate::{Any, CommandEffect, Context, Failure, Reply};

/// A call of an rpc, before its handler is known.
///
/// What a generated dispatcher does with it is the business of generated code.
pub struct Call {
    context: Context,
    shape: Shape,
    input: Input,
    is_subscribed: bool,
}

/// Which of the four rpcs of the protocol was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Unary,
    StreamedIn,
    StreamedOut,
    Streamed,
}

/// What the handler gets beside the context.
pub(crate) enum Input {
    One(Option<Any>),
    /// The commands after the first.
    Many(Inbound),
}

/// Commands as they come. An error means that they could not be read, and is the last.
pub(crate) type Inbound = Pin<Box<dyn Stream<Item = Result<ActionCommand, Failure>> + Send>>;

/// What a call is answered with, as it is computed. It does nothing unless it is polled.
pub struct Responses {
    pub(crate) decisions: Pin<Box<dyn Stream<Item = Decision> + Send>>,
    /// Whether events of a log or a topic come to this rpc: an answer acknowledges one, and a failure must not.
    pub(crate) is_subscribed: bool,
}

/// What a handler, or an element of its stream, decided, with its messages encoded.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    pub(crate) side_effects: Vec<SideEffect>,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Reply(proto::Reply),
    Forward(proto::Forward),
    Nothing,
    Failure(Failure),
    /// The event is not handled, and shall not come again.
    Skip(String),
}

impl Call {
    pub(crate) fn new(context: Context, shape: Shape, input: Input) -> Self {
        Self { context, shape, input, is_subscribed: false }
    }

    /// The name of the rpc.
    #[must_use]
    pub fn name(&self) -> &str {
        self.context.command_name()
    }

    /// Marks an rpc to which events come.
    #[must_use]
    pub fn subscribed(mut self) -> Self {
        self.is_subscribed = true;
        self
    }

    /// Calls the handler of a unary rpc.
    pub fn unary<A, C, M, X, F>(self, handler: impl FnOnce(C, Context) -> F) -> Responses
    where
        A: 'static,
        C: ProtobufMessage,
        M: ProtobufMessage,
        X: Into<Failure>,
        F: Future<Output = Reply<A, M, X>> + Send + 'static,
    {
        let is_subscribed = self.is_subscribed;
        match self.one(Shape::Unary) {
            Ok((command, context)) => Responses::later(handler(command, context), is_subscribed),
            Err(refused) => refused,
        }
    }

    /// Calls the handler of an rpc with a stream of requests.
    pub fn streamed_in<A, C, M, X, F>(self, handler: impl FnOnce(Requests<C>, Context) -> F) -> Responses
    where
        A: 'static,
        C: ProtobufMessage,
        M: ProtobufMessage,
        X: Into<Failure>,
        F: Future<Output = Reply<A, M, X>> + Send + 'static,
    {
        let is_subscribed = self.is_subscribed;
        match self.many(Shape::StreamedIn) {
            Ok((commands, context)) => Responses::later(handler(commands, context), is_subscribed),
            Err(refused) => refused,
        }
    }

    /// Calls the handler of an rpc with a stream of replies.
    pub fn streamed_out<A, C, M, X, F>(self, handler: impl FnOnce(C, Context) -> F) -> Responses
    where
        A: ActionService,
        C: ProtobufMessage,
        M: ProtobufMessage,
        X: Into<Failure>,
        F: Future<Output = StreamReply<A, M, X>> + Send + 'static,
    {
        let is_subscribed = self.is_subscribed;
        match self.one(Shape::StreamedOut) {
            Ok((command, context)) => Responses::stream_later(handler(command, context), is_subscribed),
            Err(refused) => refused,
        }
    }

    /// Calls the handler of an rpc with streams of requests and replies.
    pub fn streamed<A, C, M, X, F>(self, handler: impl FnOnce(Requests<C>, Context) -> F) -> Responses
    where
        A: ActionService,
        C: ProtobufMessage,
        M: ProtobufMessage,
        X: Into<Failure>,
        F: Future<Output = StreamReply<A, M, X>> + Send + 'static,
    {
        let is_subscribed = self.is_subscribed;
        match self.many(Shape::Streamed) {
            Ok((commands, context)) => Responses::stream_later(handler(commands, context), is_subscribed),
            Err(refused) => refused,
        }
    }

    /// The service has no such rpc: proxy and user function have different contracts.
    #[must_use]
    pub fn unknown(self, service: &str) -> Responses {
        Responses::protocol_error(format_args!("`{service}` has no command `{}`", self.name()))
    }

    fn one<C: ProtobufMessage>(self, shape: Shape) -> Result<(C, Context), Responses> {
        self.check_shape(shape)?;
        let Input::One(Some(payload)) = self.input else {
            return Err(Responses::protocol_error(format_args!(
                "the command `{}` has no payload",
                self.context.command_name()
            )));
        };
        match payload::decode_input(&payload) {
            Ok(command) => Ok((command, self.context)),
            // What the bytes hold is the client's doing, or an event that must not get lost.
            Err(error) => Err(Responses::refusal(error.into(), self.is_subscribed)),
        }
    }

    fn many<C: ProtobufMessage>(self, shape: Shape) -> Result<(Requests<C>, Context), Responses> {
        self.check_shape(shape)?;
        match self.input {
            Input::Many(inbound) => Ok((Requests::new(inbound), self.context)),
            // The shape tells that there are many, so nobody gets here.
            Input::One(_) => Err(Responses::protocol_error("a stream of requests was expected")),
        }
    }

    fn check_shape(&self, declared: Shape) -> Result<(), Responses> {
        if self.shape == declared {
            return Ok(());
        }
        let (name, called) = (self.name(), self.shape);
        Err(Responses::protocol_error(format_args!("`{name}` is {declared}, and was called as {called}")))
    }
}

impl Responses {
    /// Somebody broke the protocol. The call ends well, with a failure.
    pub(crate) fn protocol_error(what: impl fmt::Display) -> Self {
        let fault = crate::fault::Fault::protocol(0, what);
        fault.log();
        Self::refusal(Failure::new(fault.description()), false)
    }

    /// No handler ran to its end.
    pub(crate) fn closed(failure: Failure) -> Self {
        Self::refusal(failure, true)
    }

    fn refusal(failure: Failure, is_subscribed: bool) -> Self {
        Self { decisions: Box::pin(stream::iter([Decision::failure(failure)])), is_subscribed }
    }

    fn later<A, M, X, F>(reply: F, is_subscribed: bool) -> Self
    where
        A: 'static,
        M: ProtobufMessage,
        X: Into<Failure>,
        F: Future<Output = Reply<A, M, X>> + Send + 'static,
    {
        let decision = async move { Decision::of(reply.await) };
        Self { decisions: Box::pin(stream::once(decision)), is_subscribed }
    }

    fn stream_later<A, M, X, F>(replies: F, is_subscribed: bool) -> Self
    where
        A: ActionService,
        M: ProtobufMessage,
        X: Into<Failure>,
        F: Future<Output = StreamReply<A, M, X>> + Send + 'static,
    {
        Self { decisions: Box::pin(Streamed::Handling(Box::pin(replies))), is_subscribed }
    }
}

/// The decisions of an rpc with a stream of replies, as its handler `F` returns it.
enum Streamed<F, A, M> {
    Handling(Pin<Box<F>>),
    Replying(Replies<A, M>),
    Over,
}

/// By hand, because it is polled for every element, and a chain of combinators moves each from one to the next.
impl<F, A, M, X> Stream for Streamed<F, A, M>
where
    F: Future<Output = StreamReply<A, M, X>>,
    A: ActionService,
    M: ProtobufMessage,
    X: Into<Failure>,
{
    type Item = Decision;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Decision>> {
        loop {
            match &mut *self {
                Self::Handling(handler) => match ready!(handler.as_mut().poll(context)) {
                    Ok(replies) => *self = Self::Replying(replies),
                    Err(error) => {
                        *self = Self::Over;
                        return Poll::Ready(Some(Decision::failure(error.into())));
                    }
                },
                Self::Replying(replies) => {
                    return Pin::new(replies).poll_next(context).map(|reply| reply.map(Decision::of));
                }
                Self::Over => return Poll::Ready(None),
            }
        }
    }
}

impl Decision {
    /// Has what was decided go on with a trace.
    pub(super) fn traced(mut self, trace: &Trace) -> Self {
        trace.lead_to_all(&mut self.side_effects);
        if let Outcome::Forward(forward) = &mut self.outcome {
            trace.lead_to_forward(forward);
        }
        self
    }

    fn failure(failure: Failure) -> Self {
        Self { outcome: Outcome::Failure(failure), side_effects: Vec::new() }
    }

    pub(crate) fn of<A, M: ProtobufMessage, X: Into<Failure>>(reply: Reply<A, M, X>) -> Self {
        match reply {
            Ok(effect) => Self::of_effect(effect),
            Err(error) => Self::failure(error.into()),
        }
    }

    fn of_effect<A, M: ProtobufMessage>(effect: CommandEffect<A, M>) -> Self {
        let CommandEffect { answer, side_effects, reply_metadata, .. } = effect;
        let outcome = match answer {
            Answer::Reply(message) => Outcome::Reply(proto::Reply {
                payload: Some(payload::encode(&message)),
                metadata: reply_metadata.into_proto(),
            }),
            Answer::Forward(call) => Outcome::Forward(call.into_forward()),
            Answer::OfAction(ActionAnswer::Nothing) => Outcome::Nothing,
            Answer::OfAction(ActionAnswer::Failure(failure)) => Outcome::Failure(failure),
            Answer::OfAction(ActionAnswer::Skip(reason)) => Outcome::Skip(reason),
            // An effect with a change of state, which the builders make for entities only.
            _ => Outcome::Failure(Failure::internal("an action has no state that an effect could change")),
        };
        Self { outcome, side_effects }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unary => "unary",
            Self::StreamedIn => "streamed in",
            Self::StreamedOut => "streamed out",
            Self::Streamed => "streamed in both directions",
        })
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("context", &self.context)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Responses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses").field("is_subscribed", &self.is_subscribed).finish_non_exhaustive()
    }
}
