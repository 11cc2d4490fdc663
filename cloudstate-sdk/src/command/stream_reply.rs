use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::TryStreamExt as _;

use super::{Effect, Reply};
use crate::Failure;

/// What the handler of an rpc with a stream of replies returns: the stream, or an error in its place.
///
/// The third parameter is the own error type, if there is one.
pub type StreamReply<E, M, X = Failure> = Result<Replies<E, M>, X>;

/// The replies of a streamed call of `E`, each with an `M`.
///
/// Nothing is computed before the caller is ready for it. When the caller goes away, the stream is dropped.
///
/// An element that is an `Err` is a failure for the caller. It does not end the stream here, though most proxies
/// end the call with the first one.
///
/// ```
/// use cloudstate_sdk::action::*;
///
/// struct Names;
/// impl ActionService for Names {
///     type Error = Failure;
/// }
///
/// # #[tokio::main]
/// # async fn main() {
/// let replies = Replies::<Names, String>::from_stream(stream::iter(["a", "b"]).map(|name| Ok(name.to_owned())));
/// assert_eq!(replies.count().await, 2);
/// # }
/// ```
#[must_use = "a stream of replies does nothing until the handler returns it"]
pub struct Replies<E, M> {
    effects: Pin<Box<dyn Stream<Item = Reply<E, M>> + Send>>,
}

impl<E: 'static, M: Send + 'static> Replies<E, M> {
    /// A reply for each message.
    pub fn from_stream(messages: impl Stream<Item = Result<M, Failure>> + Send + 'static) -> Self {
        Self::from_effects(messages.map_ok(Effect::reply))
    }

    /// Each element is a whole effect: a reply or something else, with side effects and metadata.
    pub fn from_effects(effects: impl Stream<Item = Reply<E, M>> + Send + 'static) -> Self {
        Self { effects: Box::pin(effects) }
    }
}

impl<E, M> Stream for Replies<E, M> {
    type Item = Reply<E, M>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.effects.as_mut().poll_next(context)
    }
}

impl<E, M> fmt::Debug for Replies<E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").finish_non_exhaustive()
    }
}
