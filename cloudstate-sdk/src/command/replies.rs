//! What the handler of an rpc with a stream of replies returns.

use std::fmt;
use std::pin::Pin;

use futures_core::Stream;

use super::Reply;
use crate::Failure;
use crate::crdt::Following;

/// What the handler of an rpc with a stream of replies returns: the replies, or an error in their place.
///
/// The third parameter is the own error type, if there is one.
pub type StreamReply<E, M, X = Failure> = Result<Replies<E, M>, X>;

/// The replies of a streamed call of `E`, each with an `M`. They are made when they are due, so the two kinds that
/// have streams make them in different ways:
///
/// | In | begin with | because |
/// |---|---|---|
/// | an action | [`Replies::from_stream`], [`Replies::from_effects`] | each reply is computed when its caller is ready for it |
/// | a CRDT entity | [`Effect::stream`](crate::Effect::stream), [`streamed`](crate::CommandEffect::streamed) | after the first reply, each is computed when the entity changes |
#[must_use = "replies are not sent until the handler returns them"]
pub struct Replies<E, M> {
    pub(crate) source: Source<E, M>,
}

/// Where replies come from. What makes them is bounded by the kind, so a handler gets hold of the right one only.
pub(crate) enum Source<E, M> {
    /// Of an action.
    Elements(Elements<E, M>),
    /// Of a CRDT entity.
    Following(Box<Following<E, M>>),
}

pub(crate) type Elements<E, M> = Pin<Box<dyn Stream<Item = Reply<E, M>> + Send>>;

impl<E, M> fmt::Debug for Replies<E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Elements(_) => f.debug_struct("Replies").finish_non_exhaustive(),
            Source::Following(following) => following.fmt(f),
        }
    }
}
