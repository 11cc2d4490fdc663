//! The replies of an action: a stream of the user's.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::TryStreamExt as _;

use super::ActionService;
use crate::command::replies::Source;
use crate::{Effect, Failure, Replies, Reply};

/// Of an action. The replies are a [`Stream`] of `Reply<A, M>`.
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
impl<A: ActionService, M: Send + 'static> Replies<A, M> {
    /// A reply for each message.
    pub fn from_stream(messages: impl Stream<Item = Result<M, Failure>> + Send + 'static) -> Self {
        Self::from_effects(messages.map_ok(Effect::reply))
    }

    /// Each element is a whole effect: a reply or something else, with side effects and metadata.
    pub fn from_effects(effects: impl Stream<Item = Reply<A, M>> + Send + 'static) -> Self {
        Self { source: Source::Elements(Box::pin(effects)) }
    }
}

impl<A: ActionService, M: Send + 'static> Stream for Replies<A, M> {
    type Item = Reply<A, M>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.source {
            Source::Elements(elements) => elements.as_mut().poll_next(context),
            Source::Following(_) => {
                // Only a type that is a CRDT entity, too, could make it.
                self.source = Source::Elements(Box::pin(futures_util::stream::empty()));
                Poll::Ready(Some(Err(Failure::internal(NOTHING_TO_FOLLOW))))
            }
        }
    }
}

const NOTHING_TO_FOLLOW: &str =
    "an action makes its replies with `Replies::from_stream`; only a CRDT entity can be followed";
