use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use cloudstate_proto::crdt::crdt_server::Crdt;
use cloudstate_proto::crdt::{CrdtStreamIn, CrdtStreamOut};
use futures_core::Stream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::entity_streams::{EntityStreams, Replies};
use crate::crdt::Kind;

#[async_trait]
impl Crdt for EntityStreams<Kind> {
    type handleStream = Messages;

    async fn handle(&self, request: Request<Streaming<CrdtStreamIn>>) -> Result<Response<Messages>, Status> {
        Ok(self.open(request).map(|replies| Messages { replies, waiting: VecDeque::new() }))
    }
}

/// One by one, what a message from the proxy leads to. The next is read when all are sent.
pub(super) struct Messages {
    replies: Replies<Kind>,
    waiting: VecDeque<CrdtStreamOut>,
}

impl Stream for Messages {
    type Item = Result<CrdtStreamOut, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Poll::Ready(Some(Ok(message)));
            }
            match ready!(Pin::new(&mut self.replies).poll_next(context)) {
                Some(Ok(messages)) => self.waiting = messages.into(),
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => return Poll::Ready(None),
            }
        }
    }
}
