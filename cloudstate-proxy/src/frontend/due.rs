//! Bodies of requests that must come in time.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// Any error of a body.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The client did not send all of its request in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request was not sent in time")]
pub(super) struct Stalled;

/// A body that ends with [`Stalled`] if it is not there in time.
pub(super) struct Due<B> {
    body: B,
    /// None: the client need not hurry.
    due: Option<Instant>,
    /// Made when something has to be waited for, which mostly is not so.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Due<B> {
    pub(super) fn new(body: B, due: Option<Instant>) -> Self {
        Self { body, due, timer: None }
    }

    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        let Some(due) = self.due else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        let overdue = timer.as_mut().poll(context).is_ready();
        if overdue {
            // A timer must not be asked again.
            self.due = None;
        }
        overdue
    }
}

impl<B> Body for Due<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending if self.is_overdue(context) => Poll::Ready(Some(Err(Stalled.into()))),
            Poll::Pending => Poll::Pending,
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
