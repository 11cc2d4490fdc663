//! Effects that delete an entity.

use super::reply::{Answer, Change};
use super::{CommandEffect, Effect, ServiceCall};
use crate::crdt::{self, CrdtEntity};
use crate::value::{self, ValueEntity};

impl Effect {
    /// Deletes the entity. Go on with [`reply`](Deletion::reply), [`then_reply`](Deletion::then_reply) or
    /// [`forward`](Deletion::forward).
    ///
    /// A value entity is then as if it had never been set. A CRDT entity is gone on all nodes and for good: nobody can
    /// use its id any more, and what else the command has changed is dropped.
    pub fn delete() -> Deletion {
        Deletion(())
    }
}

/// A deletion, still without an answer for the caller.
#[must_use = "an effect needs an answer: `.reply(..)`, `.then_reply(..)` or `.forward(..)`"]
#[derive(Clone, Copy, Debug)]
pub struct Deletion(());

impl Deletion {
    /// Answers with `message`.
    pub fn reply<E: Deletable<K>, M, K>(self, message: M) -> CommandEffect<E, M> {
        CommandEffect::new(Change::Delete, Answer::Reply(message))
    }

    /// Answers with what the entity says after the deletion: `.then_reply(Self::view)`, where `view` is a method of the
    /// entity. A closure has to name its parameter's type: `|now: &Self| ..`.
    pub fn then_reply<E: Deletable<K>, M, K>(
        self,
        message: impl FnOnce(&E) -> M + Send + 'static,
    ) -> CommandEffect<E, M> {
        CommandEffect::new(Change::Delete, Answer::ReplyAfter(Box::new(message)))
    }

    /// Lets another rpc of this user function answer the caller, once the entity is deleted.
    pub fn forward<E: Deletable<K>, M, K>(self, call: ServiceCall<M>) -> CommandEffect<E, M> {
        CommandEffect::new(Change::Delete, Answer::Forward(call))
    }
}

/// An entity that commands can delete: of a kind `K` that knows deletion.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be deleted",
    label = "only value and CRDT entities can be deleted",
    note = "the events of an event sourced entity are kept for ever; one of them may say that it is closed"
)]
pub trait Deletable<K> {}

#[diagnostic::do_not_recommend]
impl<E: ValueEntity> Deletable<value::Kind> for E {}

#[diagnostic::do_not_recommend]
impl<E: CrdtEntity> Deletable<crdt::Kind> for E {}
