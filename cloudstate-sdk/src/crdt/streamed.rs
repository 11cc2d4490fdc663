//! Streamed commands: callers that stay and follow the entity.

use std::fmt;

use cloudstate_proto as proto;
use cloudstate_proto::client_action::Action;

use super::{CrdtEntity, WriteConsistency};
use crate::command::dispatch;
use crate::command::replies::Source;
use crate::command::{
    CommandEffect, CommandError, Effect, RawEffect, Replies, ServiceCall, SideEffect, StreamReply,
};
use crate::payload::{self, ProtobufMessage};
use crate::{Any, Failure};

/// What an accepted streamed command does: first what every command does, then it follows the entity.
pub(crate) struct Following<E, M> {
    first: CommandEffect<E, M>,
    /// Whether the first reply is left out.
    silent: bool,
    on_change: Option<OnChange<E, M>>,
    on_cancel: Option<OnCancel<E>>,
}

type OnChange<E, M> = Box<dyn FnMut(&E) -> StreamMessage<M> + Send>;

impl Effect {
    /// Answers with `message`, and goes on with [`on_change`](Replies::on_change) and
    /// [`on_cancel`](Replies::on_cancel).
    ///
    /// Without them the first reply is the only one. A caller that cannot take a stream gets the first reply, and
    /// nothing is followed.
    pub fn stream<E: CrdtEntity, M>(message: M) -> Replies<E, M> {
        Self::reply(message).streamed()
    }
}

impl<E: CrdtEntity, M> CommandEffect<E, M> {
    /// Makes this the first of several replies, as [`Effect::stream`] does with a message.
    pub fn streamed(self) -> Replies<E, M> {
        let following = Following { first: self, silent: false, on_change: None, on_cancel: None };
        Replies { source: Source::Following(Box::new(following)) }
    }
}

/// Of a CRDT entity.
impl<E: CrdtEntity, M> Replies<E, M> {
    /// Says nothing at first. Side effects and changes of this command are made all the same.
    pub fn silent_at_first(self) -> Self {
        self.following(|following| following.silent = true)
    }

    /// After each change of the entity the caller gets what `message` returns: a message, or an `Option` of one, or a
    /// [`StreamMessage`]: `.on_change(Self::view)`, where `view` is a method of the entity. A closure has to name its
    /// parameter's type: `|now: &Self| ..`. Changes are those by other commands, on other nodes, and when another caller
    /// goes away.
    pub fn on_change<R: Into<StreamMessage<M>>>(
        self,
        mut message: impl FnMut(&E) -> R + Send + 'static,
    ) -> Self {
        self.following(|following| following.on_change = Some(Box::new(move |entity| message(entity).into())))
    }

    /// When the caller goes away, `clean_up` may change the entity. It returns nothing, or a [`Cancelled`]. It does not
    /// run when a message has ended the stream, or the entity was deleted.
    pub fn on_cancel<R: Into<Cancelled>>(self, clean_up: impl FnOnce(&mut E) -> R + Send + 'static) -> Self {
        self.following(|following| {
            following.on_cancel = Some(Box::new(move |entity| clean_up(entity).into()))
        })
    }

    fn following(mut self, change: impl FnOnce(&mut Following<E, M>)) -> Self {
        // What is made of a stream stays one: only a type that is an action, too, could make it, and it is refused.
        if let Source::Following(following) = &mut self.source {
            change(following);
        }
        self
    }
}

impl<E, M> fmt::Debug for Following<E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("first", &self.first).finish_non_exhaustive()
    }
}

/// What a caller that follows an entity gets after a change.
///
/// ```
/// # use cloudstate_sdk::crdt::StreamMessage;
/// let message = StreamMessage::from("news".to_string());
/// let nothing = StreamMessage::from(None::<String>);
/// let last = StreamMessage::reply("bye".to_string()).and_end();
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

/// A reply.
impl<M: ProtobufMessage> From<M> for StreamMessage<M> {
    fn from(message: M) -> Self {
        Self::reply(message)
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
        let replies = handler(command).map_err(Into::into)?;
        let Source::Following(following) = replies.source else { return Err(Failure::internal(NO_STREAMS)) };
        let Following { first, silent, on_change, on_cancel } = *following;
        rest = Some((silent, on_change, on_cancel));
        Ok(first)
    })?;
    let (silent, on_change, on_cancel) = rest.unwrap_or((false, None, None));
    let on_change =
        on_change.map(|mut message| -> RawOnChange<E> { Box::new(move |entity| encode(message(entity))) });
    Ok(RawReply { effect, silent, callbacks: Some(Callbacks { on_change, on_cancel }) })
}

const NO_STREAMS: &str =
    "a CRDT entity begins its replies with `Effect::stream`; only an action has a stream of its own";

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
