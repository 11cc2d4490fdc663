//! Effects that replace the value, or decide late what becomes of it.

use super::{Handler, StateMessage};
use crate::Any;
use crate::command::reply::{Answer, Change};
use crate::command::{CommandEffect, Effect, ServiceCall};

impl Effect {
    /// Stores a value in place of the present one. Go on with [`reply`](StateChange::reply),
    /// [`then_reply`](StateChange::then_reply) or [`forward`](StateChange::forward).
    pub fn update<M>(value: M) -> StateChange<M> {
        Self::state_action(StateAction::Update(value))
    }

    /// Changes the value as `action` says; `None` leaves it. For handlers that decide late.
    pub fn state_action<M>(action: impl Into<Option<StateAction<M>>>) -> StateChange<M> {
        StateChange { action: action.into() }
    }
}

/// What happens to the stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateAction<M> {
    /// It is replaced.
    Update(M),
    /// It is removed.
    Delete,
}

/// A change of the value that will be stored, still without an answer for the caller.
#[must_use = "an effect needs an answer: `.reply(..)`, `.then_reply(..)` or `.forward(..)`"]
#[derive(Clone, Debug)]
pub struct StateChange<M> {
    action: Option<StateAction<M>>,
}

impl<M: 'static> StateChange<M> {
    /// Answers with `message`.
    pub fn reply<E, R>(self, message: R) -> CommandEffect<E, R>
    where
        E: Handler,
        M: StateOf<E>,
    {
        self.answer(Answer::Reply(message))
    }

    /// Answers with what the entity says after the change: `.then_reply(Self::view)`, where `view` is a method of the
    /// entity. A closure has to name its parameter's type: `|now: &Self| ..`.
    pub fn then_reply<E, R>(self, message: impl FnOnce(&E) -> R + Send + 'static) -> CommandEffect<E, R>
    where
        E: Handler,
        M: StateOf<E>,
    {
        self.answer(Answer::ReplyAfter(Box::new(message)))
    }

    /// Lets another rpc of this user function answer the caller, once the change is stored.
    pub fn forward<E, R>(self, call: ServiceCall<R>) -> CommandEffect<E, R>
    where
        E: Handler,
        M: StateOf<E>,
    {
        self.answer(Answer::Forward(call))
    }

    fn answer<E, R>(self, answer: Answer<E, R>) -> CommandEffect<E, R>
    where
        E: Handler,
        M: StateOf<E>,
    {
        let change = match self.action {
            None => Change::None,
            Some(StateAction::Update(value)) => Change::Update(Box::new(Some(value.into_state()))),
            Some(StateAction::Delete) => Change::Delete,
        };
        CommandEffect::new(change, answer)
    }
}

/// What the entity `E` stores.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what `{E}` stores",
    label = "`{E}` stores another message",
    note = "a value entity stores the message of its one field that is no `#[cloudstate(dependency)]`",
    note = "an event sourced entity stores events: `Effect::persist(event)`"
)]
pub trait StateOf<E: Handler> {
    #[doc(hidden)]
    fn into_state(self) -> E::State;
}

#[diagnostic::do_not_recommend]
impl<E: Handler<State = M>, M> StateOf<E> for M {
    fn into_state(self) -> M {
        self
    }
}

/// A new value of the entity `E` that waits to be encoded and then put in its place.
///
/// An effect is written before its entity is known, and the same type serves every kind, hence the trait object.
pub(crate) trait PendingUpdate<E>: Send {
    /// Present until it is put in its place.
    fn encode(&self) -> Option<Any>;
    /// Swapping again takes it back.
    fn swap_with(&mut self, entity: &mut E);
}

impl<E: Handler> PendingUpdate<E> for Option<E::State> {
    fn encode(&self) -> Option<Any> {
        self.as_ref().map(StateMessage::encode)
    }

    fn swap_with(&mut self, entity: &mut E) {
        entity.state().swap_with(self);
    }
}
