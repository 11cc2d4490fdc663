//! Streamed commands: callers that stay and follow the entity.

use std::fmt;

use cloudstate_proto as proto;
use cloudstate_proto::client_action::Action;

use super::{CrdtEntity, WriteConsistency};
use crate::command::dispatch;
use crate::command::{CommandEffect, CommandError, Effect, RawEffect, ServiceCall, SideEffect};
use crate::payload::{self, ProtobufMessage};
use crate::{Any, Failure};

/// What the handler of an rpc with a stream of replies returns.
///
/// The third parameter is the entity's own error type, if it has one.
pub type StreamReply<E, M, X = Failure> = Result<StreamEffect<E, M>, X>;

/// What an accepted streamed command does: first what every command does, then it follows the entity.
///
/// Made by [`Effect::stream`] and [`CommandEffect::streamed`]. Without `on_change` and
/// `on_cancel` the first reply is the only one. A caller that cannot take a stream gets the first reply, and nothing is
/// followed.
#[must_use = "an effect does nothing until the handler returns it"]
pub struct StreamEffect<E, M> {
    first: CommandEffect<E, M>,
    /// Whether the first reply is left out.
    silent: bool,
    on_change: Option<OnChange<E, M>>,
    on_cancel: Option<OnCancel<E>>,
}

type OnChange<E, M> = Box<dyn FnMut(&E) -> StreamMessage<M> + Send>;

impl Effect {
    /// Answers with `message`, and goes on with [`on_change`](StreamEffect::on_change) and
    /// [`on_cancel`](StreamEffect::on_cancel).
    pub fn stream<E: CrdtEntity, M>(message: M) -> StreamEffect<E, M> {
        Self::reply(message).streamed()
    }
}

impl<E: CrdtEntity, M> CommandEffect<E, M> {
    /// Makes this the first of several replies.
    pub fn streamed(self) -> StreamEffect<E, M> {
        StreamEffect { first: self, silent: false, on_change: None, on_cancel: None }
    }
}

impl<E: CrdtEntity, M> StreamEffect<E, M> {
    /// Says nothing at first. Side effects and changes of this command are made all the same.
    pub fn silent_at_first(mut self) -> Self {
        self.silent = true;
        self
    }

    /// After each change of the entity the caller gets what `message` returns: `Some` message, or `None`, or a
    /// [`StreamMessage`]. Changes are those by other commands, on other nodes, and when another caller goes away. A
    /// closure has to name its parameter's type: `|now: &Self| ..`.
    pub fn on_change<R: Into<StreamMessage<M>>>(
        mut self,
        mut message: impl FnMut(&E) -> R + Send + 'static,
    ) -> Self {
        self.on_change = Some(Box::new(move |entity| message(entity).into()));
        self
    }

    /// When the caller goes away, `clean_up` may change the entity. It returns nothing, or a [`Cancelled`]. It does not
    /// run when a message has ended the stream, or the entity was deleted.
    pub fn on_cancel<R: Into<Cancelled>>(
        mut self,
        clean_up: impl FnOnce(&mut E) -> R + Send + 'static,
    ) -> Self {
        self.on_cancel = Some(Box::new(move |entity| clean_up(entity).into()));
        self
    }
}

impl<E, M> fmt::Debug for StreamEffect<E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEffect").field("first", &self.first).finish_non_exhaustive()
    }
}

/// What a caller that follows an entity gets after a change.
///
/// ```
/// # use cloudstate_sdk::crdt::StreamMessage;
/// let last = StreamMessage::reply("bye".to_string()).and_end();
/// let nothing = StreamMessage::from(None::<String>);
/// ```
#[derive(Debug)]
#[must_use = "a message must be returned to be sent"]
pub struct StreamMessage<M> {
    answer: Option<Answer<M>>,
    side_effects: Vec<SideEffect>,
    end: bool,
}

#[derive(Debug)]
enum Answer<M> {
    Reply(M),
    Forward(ServiceCall<M>),
    Failure(Failure),
}

impl<M> StreamMessage<M> {
    /// A reply.
    pub fn reply(message: M) -> Self {
        Self::new(Some(Answer::Reply(message)))
    }

    /// Lets another rpc of this user function answer.
    pub fn forward(call: ServiceCall<M>) -> Self {
        Self::new(Some(Answer::Forward(call)))
    }

    /// A failure, which ends the stream.
    pub fn failure(failure: impl Into<Failure>) -> Self {
        Self::new(Some(Answer::Failure(failure.into()))).and_end()
    }

    /// Nothing for the caller.
    pub fn none() -> Self {
        Self::new(None)
    }

    /// Also makes `call`, without waiting for it.
    pub fn side_effect<R>(mut self, call: ServiceCall<R>) -> Self {
        self.side_effects.push(SideEffect::asynchronous(call));
        self
    }

    /// Also makes `call`, and waits for it before the next side effect.
    pub fn synchronous_side_effect<R>(mut self, call: ServiceCall<R>) -> Self {
        self.side_effects.push(SideEffect::synchronous(call));
        self
    }

    /// Ends the stream after this.
    pub fn and_end(mut self) -> Self {
        self.end = true;
        self
    }

    fn new(answer: Option<Answer<M>>) -> Self {
        Self { answer, side_effects: Vec::new(), end: false }
    }
}

/// A reply, or nothing.
impl<M> From<Option<M>> for StreamMessage<M> {
    fn from(message: Option<M>) -> Self {
        message.map_or_else(Self::none, Self::reply)
    }
}

/// What happens beside the change that a cancellation makes.
#[derive(Debug, Default)]
#[must_use = "it must be returned to have an effect"]
pub struct Cancelled {
    pub(super) side_effects: Vec<SideEffect>,
    pub(super) consistency: WriteConsistency,
}

impl Cancelled {
    /// Nothing beside it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also makes `call`, without waiting for it.
    pub fn side_effect<R>(mut self, call: ServiceCall<R>) -> Self {
        self.side_effects.push(SideEffect::asynchronous(call));
        self
    }

    /// Also makes `call`, and waits for it before the next side effect.
    pub fn synchronous_side_effect<R>(mut self, call: ServiceCall<R>) -> Self {
        self.side_effects.push(SideEffect::synchronous(call));
        self
    }

    /// How far the change is to get.
    pub fn write_consistency(mut self, consistency: WriteConsistency) -> Self {
        self.consistency = consistency;
        self
    }
}

impl From<()> for Cancelled {
    fn from((): ()) -> Self {
        Self::new()
    }
}

/// What a handler decided, with its messages encoded.
pub struct RawReply<E> {
    pub(super) effect: RawEffect<E>,
    /// Whether the caller gets no answer yet.
    pub(super) silent: bool,
    /// Absent for an rpc that is not streamed.
    pub(super) callbacks: Option<Callbacks<E>>,
}

type RawOnChange<E> = Box<dyn FnMut(&E) -> RawMessage + Send>;
pub(super) type OnCancel<E> = Box<dyn FnOnce(&mut E) -> Cancelled + Send>;

/// How a caller follows the entity.
pub(super) struct Callbacks<E> {
    pub(super) on_change: Option<RawOnChange<E>>,
    pub(super) on_cancel: Option<OnCancel<E>>,
}

impl<E> Callbacks<E> {
    pub(super) fn is_empty(&self) -> bool {
        self.on_change.is_none() && self.on_cancel.is_none()
    }
}

/// A message for a follower, encoded.
pub(super) struct RawMessage {
    pub(super) answer: Option<Result<Action, Failure>>,
    pub(super) side_effects: Vec<SideEffect>,
    pub(super) end: bool,
}

/// Decodes the payload, runs the handler of a unary rpc and encodes its answer.
///
/// # Errors
/// When the payload is no `C`, and when the handler returns an error.
pub fn call<E, C, M, X>(
    payload: &Any,
    handler: impl FnOnce(C) -> crate::Reply<E, M, X>,
) -> Result<RawReply<E>, CommandError>
where
    E: 'static,
    C: ProtobufMessage,
    M: ProtobufMessage,
    X: Into<Failure>,
{
    Ok(RawReply { effect: dispatch::call(payload, handler)?, silent: false, callbacks: None })
}

/// The same for a streamed rpc.
///
/// # Errors
/// When the payload is no `C`, and when the handler returns an error.
pub fn call_streamed<E, C, M, X>(
    payload: &Any,
    handler: impl FnOnce(C) -> StreamReply<E, M, X>,
) -> Result<RawReply<E>, CommandError>
where
    E: 'static,
    C: ProtobufMessage,
    M: ProtobufMessage,
    X: Into<Failure>,
{
    let mut rest = None;
    let effect = dispatch::call(payload, |command| {
        let StreamEffect { first, silent, on_change, on_cancel } = handler(command)?;
        rest = Some((silent, on_change, on_cancel));
        Ok::<_, X>(first)
    })?;
    let (silent, on_change, on_cancel) = rest.unwrap_or((false, None, None));
    let on_change =
        on_change.map(|mut message| -> RawOnChange<E> { Box::new(move |entity| encode(message(entity))) });
    Ok(RawReply { effect, silent, callbacks: Some(Callbacks { on_change, on_cancel }) })
}

fn encode<M: ProtobufMessage>(message: StreamMessage<M>) -> RawMessage {
    let answer = message.answer.map(|answer| match answer {
        Answer::Reply(message) => Ok(Action::Reply(proto::Reply {
            payload: Some(payload::encode(&message)),
            // A proxy looks at the metadata of the first reply alone.
            metadata: None,
        })),
        Answer::Forward(call) => Ok(Action::Forward(call.into_forward())),
        Answer::Failure(failure) => Err(failure),
    });
    RawMessage { answer, side_effects: message.side_effects, end: message.end }
}

impl RawMessage {
    /// The last message.
    pub(super) fn failure(failure: Failure) -> Self {
        Self { answer: Some(Err(failure)), side_effects: Vec::new(), end: true }
    }
}
