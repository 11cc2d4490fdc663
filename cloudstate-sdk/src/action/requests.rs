use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use cloudstate_proto::action::ActionCommand;
use futures_core::Stream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::call::Inbound;
use crate::payload::{self, ProtobufMessage};
use crate::{Failure, Metadata};

/// The requests of a streamed call, in order, as a [`Stream`] of `Result<M, Failure>`.
///
/// Reading is what lets the caller send more: a handler that reads slowly slows its caller down. An `Err` is a request
/// that could not be read. The stream ends when the caller has sent everything.
///
/// ```
/// use cloudstate_sdk::action::*;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Failure> {
/// let mut names = Requests::from_messages(["a".to_owned(), "b".to_owned()]);
/// let mut all = String::new();
/// while let Some(name) = names.try_next().await? {
///     all += &name;
/// }
/// assert_eq!(all, "ab");
/// # Ok(())
/// # }
/// ```
pub struct Requests<M> {
    inbound: Inbound,
    message: PhantomData<fn() -> M>,
}

impl<M: ProtobufMessage> Requests<M> {
    pub(crate) fn new(inbound: Inbound) -> Self {
        Self { inbound, message: PhantomData }
    }

    /// For tests that call a handler directly.
    pub fn from_messages(messages: impl IntoIterator<Item = M>) -> Self {
        let commands: Vec<_> = messages.into_iter().map(|message| Ok(command(&message))).collect();
        Self::new(Box::pin(stream::iter(commands)))
    }

    /// For tests that decide when a request comes.
    pub fn from_stream(messages: impl Stream<Item = Result<M, Failure>> + Send + 'static) -> Self {
        Self::new(Box::pin(messages.map_ok(|message| command(&message))))
    }

    pub(super) fn into_inbound(self) -> Inbound {
        self.inbound
    }

    /// Each request with its own metadata. What was sent with the call as a whole is in the
    /// [`Context`](crate::Context); a request of a client has none of its own, one that stems from an event has that of
    /// the event.
    pub fn with_metadata(
        self,
    ) -> impl Stream<Item = Result<(M, Metadata), Failure>> + Send + Unpin + 'static {
        self.inbound.map(|command| {
            let ActionCommand { payload, metadata, .. } = command?;
            Ok((decode(payload)?, Metadata::from_proto(metadata)))
        })
    }
}

impl<M: ProtobufMessage> Stream for Requests<M> {
    type Item = Result<M, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let command = ready!(self.inbound.as_mut().poll_next(context));
        Poll::Ready(command.map(|command| decode(command?.payload)))
    }
}

fn command<M: ProtobufMessage>(message: &M) -> ActionCommand {
    ActionCommand { payload: Some(payload::encode(message)), ..Default::default() }
}

fn decode<M: ProtobufMessage>(payload: Option<crate::Any>) -> Result<M, Failure> {
    let payload =
        payload.ok_or_else(|| Failure::invalid_argument("a request of the stream has no payload"))?;
    Ok(payload::decode_input(&payload)?)
}

impl<M> fmt::Debug for Requests<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}
