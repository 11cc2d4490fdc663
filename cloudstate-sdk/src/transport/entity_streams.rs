use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::extensions::Agreements;
use crate::conversation::{Conversation, Hosts, Protocol, Step, Terms};
use crate::shutdown::{Shutdown, ShutdownWatch};

/// Opens a conversation per stream. For every kind that has a stream per entity.
pub(super) struct EntityStreams<P: Protocol> {
    hosts: Arc<Hosts<P>>,
    max_reply_size: usize,
    agreements: Arc<Agreements>,
    shutdown: Shutdown,
}

impl<P: Protocol> EntityStreams<P> {
    pub(super) fn new(
        hosts: Hosts<P>,
        max_reply_size: usize,
        agreements: &Arc<Agreements>,
        shutdown: &Shutdown,
    ) -> Self {
        let (hosts, agreements, shutdown) = (Arc::new(hosts), Arc::clone(agreements), shutdown.clone());
        Self { hosts, max_reply_size, agreements, shutdown }
    }

    // Nothing is awaited: the response headers leave before the first message has come. Some peers wait for them.
    pub(super) fn open(&self, request: Request<Streaming<P::In>>) -> Response<Replies<P>> {
        let peer = request.remote_addr().map(|address| address.ip());
        let terms = Terms {
            max_reply_size: self.max_reply_size,
            status_codes: self.agreements.status_codes(peer, request.metadata()),
        };
        Response::new(Replies {
            inbound: Some(request.into_inner()),
            conversation: Conversation::new(Arc::clone(&self.hosts), terms),
            shutdown: self.shutdown.watch(),
        })
    }
}

/// The response stream is the whole life of an entity: polling it reads the request stream and steps the
/// conversation. So an entity costs no task and no channel, and a slow reader slows only itself.
pub(super) struct Replies<P: Protocol> {
    /// Absent once the stream is over.
    inbound: Option<Streaming<P::In>>,
    conversation: Conversation<P>,
    shutdown: ShutdownWatch,
}

impl<P: Protocol> Stream for Replies<P> {
    type Item = Result<P::Out, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.poll_step(context)) {
                Some(Step::Silent) => {}
                Some(Step::Answer(message)) => return Poll::Ready(Some(Ok(message))),
                Some(Step::End(message)) => {
                    self.inbound = None;
                    return Poll::Ready(Some(Ok(message)));
                }
                None => {
                    self.inbound = None;
                    return Poll::Ready(None);
                }
            }
        }
    }
}

impl<P: Protocol> Replies<P> {
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Option<Step<P::Out>>> {
        let Some(inbound) = &mut self.inbound else { return Poll::Ready(None) };
        match Pin::new(inbound).poll_next(context) {
            Poll::Ready(Some(Ok(message))) => Poll::Ready(Some(self.conversation.step(message))),
            Poll::Ready(Some(Err(status))) => Poll::Ready(self.broken(&status)),
            // The proxy half-closed: the entity is passivated.
            Poll::Ready(None) => Poll::Ready(None),
            // Nothing is in progress between two messages, so here a shutdown may end the stream.
            Poll::Pending => self.shutdown.poll(context).map(|()| None),
        }
    }

    /// A message that cannot be read is the peer's mistake, and the peer is told. Otherwise the peer is gone.
    fn broken(&mut self, status: &Status) -> Option<Step<P::Out>> {
        use tonic::Code::{Internal, OutOfRange, ResourceExhausted, Unimplemented};
        // What the transport itself reports, such as a reset, has a source.
        let of_message = std::error::Error::source(status).is_none();
        if of_message && matches!(status.code(), Internal | OutOfRange | ResourceExhausted | Unimplemented) {
            return Some(self.conversation.unreadable(status.message()));
        }
        tracing::debug!("stream reset: {}", status.message());
        None
    }
}
