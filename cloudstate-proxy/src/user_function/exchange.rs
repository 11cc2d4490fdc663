//! One request and its response on an HTTP/2 connection.
//!
//! Whoever drops the response before its end gives the request up: the stream is reset at once, even if the peer takes
//! nothing any more. That is why we write requests ourselves: the HTTP client below tonic would wait for room first,
//! and learn of nothing meanwhile.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::future::poll_fn;
use h2::{Reason, RecvStream, SendStream, client::ResponseFuture};
use http::Response;
use http_body::{Body as HttpBody, Frame};
use tokio::sync::oneshot;
use tonic::body::Body;

/// What the exchanges of one connection tell about its peer.
#[derive(Default)]
pub(super) struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
    stalled: AtomicBool,
}

impl Traffic {
    /// How many pieces of requests were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many pieces of responses were taken.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Whether a request was given up that the peer did not take. What it holds unread may fill the window that all
    /// streams of the connection share, for as long as the peer likes.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }
}

/// Sends `request` as the peer takes it, and waits for the response headers.
pub(super) async fn exchange(
    request: Body,
    stream: SendStream<Bytes>,
    response: ResponseFuture,
    traffic: Arc<Traffic>,
) -> Result<Response<ResponseBody>, h2::Error> {
    let (answered, over) = oneshot::channel();
    let request = RequestBody { body: request, stream, is_waiting: false, traffic: Arc::clone(&traffic) };
    tokio::spawn(request.carry(over));
    let response = response.await?;
    traffic.received.fetch_add(1, Ordering::Relaxed);
    Ok(response.map(|stream| ResponseBody { stream, has_data: true, answered: Some(answered), traffic }))
}

/// The side that sends.
struct RequestBody {
    body: Body,
    stream: SendStream<Bytes>,
    /// There is something to send, and no room for it.
    is_waiting: bool,
    traffic: Arc<Traffic>,
}

impl RequestBody {
    /// Sends until the exchange is over. A peer that answered before it had everything gets no more; a stream that
    /// was given up, or that breaks off within a message, is reset.
    async fn carry(mut self, mut over: oneshot::Receiver<()>) {
        let is_complete = tokio::select! {
            biased;
            answered = &mut over => answered.is_ok() && !self.is_waiting && self.end().is_ok(),
            sent = self.send() => sent.is_ok() && over.await.is_ok(),
        };
        if !is_complete {
            self.traffic.stalled.fetch_or(self.is_waiting, Ordering::Relaxed);
            self.stream.send_reset(Reason::CANCEL);
        }
    }

    async fn send(&mut self) -> Result<(), Broken> {
        while let Some(frame) = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await {
            if let Ok(data) = frame.map_err(|_| Broken)?.into_data() {
                self.send_data(data).await?;
            }
        }
        self.end()
    }

    fn end(&mut self) -> Result<(), Broken> {
        self.stream.send_data(Bytes::new(), true).map_err(|_| Broken)
    }

    /// Hands over no more than the peer has room for.
    async fn send_data(&mut self, mut data: Bytes) -> Result<(), Broken> {
        while !data.is_empty() {
            self.stream.reserve_capacity(data.len());
            while self.stream.capacity() == 0 {
                self.is_waiting = true;
                let room = poll_fn(|context| self.stream.poll_capacity(context)).await;
                room.ok_or(Broken)?.map_err(|_| Broken)?;
            }
            self.is_waiting = false;
            let piece = data.split_to(data.len().min(self.stream.capacity()));
            self.stream.send_data(piece, false).map_err(|_| Broken)?;
            self.traffic.sent.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The request cannot go on; why, the response tells.
struct Broken;

/// The body of a response. Dropped before its end, it gives up the request.
pub(crate) struct ResponseBody {
    stream: RecvStream,
    has_data: bool,
    /// Told when all was read.
    answered: Option<oneshot::Sender<()>>,
    traffic: Arc<Traffic>,
}

impl ResponseBody {
    /// More data; none when there is no more.
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let data = match ready!(self.stream.poll_data(context)) {
            Some(Ok(data)) => data,
            Some(Err(error)) => return Poll::Ready(unless_ended(error)),
            None => return Poll::Ready(None),
        };
        self.traffic.received.fetch_add(1, Ordering::Relaxed);
        // Fails for streams that are closed, which need no room.
        let _ = self.stream.flow_control().release_capacity(data.len());
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn poll_trailers(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let trailers = match ready!(self.stream.poll_trailers(context)) {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => unless_ended(error),
        };
        if !matches!(trailers, Some(Err(_)))
            && let Some(answered) = self.answered.take()
        {
            let _ = answered.send(());
        }
        Poll::Ready(trailers)
    }
}

/// A reset without an error says that the response is complete and the rest of the request not needed.
fn unless_ended<T>(error: h2::Error) -> Option<Result<T, h2::Error>> {
    (error.reason() != Some(Reason::NO_ERROR)).then_some(Err(error))
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let body = self.get_mut();
        if body.has_data {
            if let Some(data) = ready!(body.poll_data(context)) {
                return Poll::Ready(Some(data));
            }
            body.has_data = false;
        }
        body.poll_trailers(context)
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
