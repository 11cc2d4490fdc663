//! Bodies of requests, which may be answered before they were read.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// How long what a client still sends after its answer is read and thrown away, and how long of that it may be silent.
const LINGER: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(1);

/// The body of a request.
///
/// Over HTTP/1.1 a browser reads the answer when it has sent the whole request. To close the connection before that
/// would reset it, and the answer, for example that the request is too large, would be lost. So what nobody has read
/// of the body is read on when it is dropped, for a while.
pub(super) struct RequestBody {
    /// None: read to its end.
    incoming: Option<Incoming>,
    lingers: bool,
}

impl RequestBody {
    pub(super) fn of(request: Request<Incoming>) -> Request<Self> {
        // HTTP/2 ends a stream without harming the connection.
        let lingers = request.version() < Version::HTTP_2;
        request.map(|incoming| Self { incoming: Some(incoming), lingers })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = Pin::new(incoming).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.incoming = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(mut incoming) = self.incoming.take() else { return };
        if self.lingers && !incoming.is_end_stream() {
            tokio::spawn(tokio::time::timeout(LINGER, async move {
                while let Ok(Some(Ok(_))) = tokio::time::timeout(SILENCE, incoming.frame()).await {}
            }));
        }
    }
}
