//! What a command handler returns.

use std::fmt;

use super::{Metadata, ServiceCall, SideEffect};
use crate::action::ActionAnswer;
use crate::{
    Failure, crdt::WriteConsistency, event_sourced::PendingEvents, payload::ProtobufMessage,
    value::PendingUpdate,
};

/// What a command handler of the entity `E` returns: an effect that answers with an `M`, or an error that
/// fails the command and changes nothing.
///
/// The third parameter is the entity's own error type, if it has one. Functions that handlers share return the same.
/// A file with many of them may name its kind of reply once:
///
/// ```
/// # struct Account;
/// # enum BankError { NotOpen }
/// # struct Balance;
/// type Reply<M> = cloudstate_sdk::Reply<Account, M, BankError>;
///
/// # impl Account {
/// fn balance(&self) -> Reply<Balance> {
///     Err(BankError::NotOpen)
/// }
/// # }
/// ```
pub type Reply<E, M, X = Failure> = Result<CommandEffect<E, M>, X>;

/// What an accepted command does: change the entity's state, call others, and answer with an `M`.
///
/// Made by [`Effect`]. Nothing of it happens before the handler has returned it.
#[must_use = "an effect does nothing until the handler returns it"]
pub struct CommandEffect<E, M> {
    pub(crate) change: Change<E>,
    pub(crate) answer: Answer<E, M>,
    pub(crate) side_effects: Vec<SideEffect>,
    pub(crate) reply_metadata: Metadata,
    /// Of the change of a CRDT.
    pub(crate) write_consistency: WriteConsistency,
}

/// What happens to the state. A CRDT was changed in place already.
pub(crate) enum Change<E> {
    None,
    Events(Box<dyn PendingEvents<E>>),
    Update(Box<dyn PendingUpdate<E>>),
    Delete,
}

pub(crate) enum Answer<E, M> {
    Reply(M),
    /// Computed from the state after the change.
    ReplyAfter(Box<dyn FnOnce(&E) -> M + Send>),
    Forward(ServiceCall<M>),
    /// Only actions have these.
    OfAction(ActionAnswer),
}

/// Starts an effect: the same for every kind of entity.
///
/// | To | write |
/// |---|---|
/// | answer | `Effect::reply(message)` |
/// | store an event and answer | `Effect::persist(event).reply(message)` |
/// | store an event and answer from the new state | `Effect::persist(event).then_reply(Self::view)` |
/// | store several events | `Effect::persist_all(events).reply(message)` |
/// | replace the value and answer | `Effect::update(value).reply(message)` |
/// | delete the value or the CRDT, and answer | `Effect::delete().reply(message)` |
/// | in a CRDT entity, answer more than once | `Effect::stream(message)` |
/// | let another rpc answer | `Effect::forward(call)` |
/// | in an action, answer with nothing | `Effect::none()` |
/// | in an action, fail and have side effects | `Effect::failure(failure)` |
/// | in an action, pass over an event | `Effect::skip(reason)` |
/// | call another rpc beside it | `.side_effect(call)` on any of these |
/// | call another rpc, and wait until it is done | `.synchronous_side_effect(call)` on any of these |
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    _no_values: std::convert::Infallible,
}

impl Effect {
    /// Answers with `message`.
    pub fn reply<E, M>(message: M) -> CommandEffect<E, M> {
        CommandEffect::new(Change::None, Answer::Reply(message))
    }

    /// Lets another rpc of this user function answer the caller. It must have the same reply type.
    ///
    /// This is no transaction: what the forwarding command has stored, and its [`SideEffect`]s, stay when that rpc refuses.
    /// A call of an rpc with a stream of replies is given as `call.into()`.
    pub fn forward<E, M>(call: ServiceCall<M>) -> CommandEffect<E, M> {
        CommandEffect::new(Change::None, Answer::Forward(call))
    }
}

impl<E, M> CommandEffect<E, M> {
    pub(crate) fn new(change: Change<E>, answer: Answer<E, M>) -> Self {
        Self {
            change,
            answer,
            side_effects: Vec::new(),
            reply_metadata: Metadata::new(),
            write_consistency: WriteConsistency::Local,
        }
    }

    /// Also makes `call`, without waiting for it.
    pub fn side_effect<R>(mut self, call: ServiceCall<R>) -> Self {
        self.side_effects.push(SideEffect::asynchronous(call));
        self
    }

    /// Also makes `call`, and waits for it before the next side effect and the answer.
    pub fn synchronous_side_effect<R>(mut self, call: ServiceCall<R>) -> Self {
        self.side_effects.push(SideEffect::synchronous(call));
        self
    }

    /// Also makes these calls, in order.
    pub fn side_effects(mut self, calls: impl IntoIterator<Item = SideEffect>) -> Self {
        self.side_effects.extend(calls);
        self
    }

    /// Sends metadata with the reply: texts in it become response headers. A forward sends none; give its
    /// target metadata with [`ServiceCall::with_metadata`].
    pub fn with_reply_metadata(mut self, metadata: Metadata) -> Self {
        self.reply_metadata = metadata;
        self
    }
}

/// A bare message is a reply: `Ok(message.into())`.
impl<E, M: ProtobufMessage> From<M> for CommandEffect<E, M> {
    fn from(message: M) -> Self {
        Effect::reply(message)
    }
}

impl<E, M> fmt::Debug for CommandEffect<E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandEffect").field("side_effects", &self.side_effects).finish_non_exhaustive()
    }
}
