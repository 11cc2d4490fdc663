//! What a client reads: all at once, or piece by piece.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::routing::BoxStream;

/// The body of a response.
pub struct ResponseBody(Kind);

enum Kind {
    /// None: it was read.
    Whole(Option<Bytes>),
    Pieces(BoxStream<Result<Bytes, BrokenOff>>),
}

/// A stream of replies failed after the headers were sent, so that the client can only be told by the connection or
/// the HTTP/2 stream breaking off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream of replies broke off: {0}")]
pub struct BrokenOff(pub(super) String);

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Whole(whole) => f.debug_tuple("Whole").field(whole).finish(),
            Kind::Pieces(_) => f.write_str("Pieces"),
        }
    }
}

impl ResponseBody {
    pub(super) fn pieces(pieces: BoxStream<Result<Bytes, BrokenOff>>) -> Self {
        Self(Kind::Pieces(pieces))
    }
}

impl Default for ResponseBody {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl<T: Into<Bytes>> From<T> for ResponseBody {
    fn from(whole: T) -> Self {
        let whole = whole.into();
        Self(Kind::Whole((!whole.is_empty()).then_some(whole)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut self.0 {
            Kind::Whole(whole) => Poll::Ready(whole.take().map(|whole| Ok(Frame::data(whole)))),
            Kind::Pieces(pieces) => {
                pieces.as_mut().poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(whole) => SizeHint::with_exact(whole.as_ref().map_or(0, |whole| whole.len() as u64)),
            Kind::Pieces(_) => SizeHint::default(),
        }
    }
}
