//! gRPC on HTTP/2 by hand: messages in frames, and how calls end. The kit must be able to see and to say what a
//! well-mannered library would hide.

use std::{error::Error, fmt};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body as _, Incoming};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::readable;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// What one side of a call sends, as long as its [`Writer`] says something.
pub(crate) type Outgoing = StreamBody<ReceiverStream<Result<Frame<Bytes>, BoxError>>>;

/// More than any scenario sends while nobody reads.
const UNREAD_FRAMES: usize = 256;

/// A compression flag and a length.
const PREFIX: usize = 5;

/// Outside of these bytes, `grpc-message` is encoded.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%').add(b' ');

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: u16,
    pub(crate) message: String,
}

impl Status {
    pub(crate) const OK: u16 = 0;

    pub(crate) fn ok() -> Self {
        Self { code: Self::OK, message: String::new() }
    }

    pub(crate) fn trailers(&self) -> HeaderMap {
        let mut trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from(self.code))]);
        let message = utf8_percent_encode(&self.message, MESSAGE).to_string();
        if let Ok(message) = HeaderValue::from_str(&message)
            && !message.is_empty()
        {
            trailers.insert(GRPC_MESSAGE, message);
        }
        trailers
    }

    /// From trailers, or from headers if there is nothing else.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let code = headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()?;
        let message = headers.get(GRPC_MESSAGE).map_or_else(String::new, |message| {
            percent_decode_str(&String::from_utf8_lossy(message.as_bytes())).decode_utf8_lossy().into_owned()
        });
        Some(Self { code, message })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gRPC status {}: {:?}", name_of(self.code), self.message)
    }
}

pub(crate) const GRPC_STATUS: http::HeaderName = http::HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: http::HeaderName = http::HeaderName::from_static("grpc-message");

const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The number of `google.rpc.Code`.
pub(crate) fn code(name: &str) -> Option<u16> {
    CODES.iter().position(|code| *code == name).and_then(|code| u16::try_from(code).ok())
}

fn name_of(code: u16) -> String {
    CODES.get(usize::from(code)).map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

/// The messages of one direction of a call, one after the other.
pub(crate) struct Reader {
    body: Incoming,
    buffer: BytesMut,
}

/// What one side of a call says next.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Message(Bytes),
    /// Nothing more will be said: a half-close, or the end of the call with its trailers.
    End(HeaderMap),
    /// The call was abandoned, or the connection broke, or this is no gRPC.
    Broken(String),
}

impl Reader {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, buffer: BytesMut::new() }
    }

    /// The next message; may be abandoned and asked again.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            match take_message(&mut self.buffer) {
                Ok(Some((_, message))) => return Heard::Message(message),
                Ok(None) => {}
                Err(problem) => return Heard::Broken(problem),
            }
            match self.body.frame().await {
                // hyper takes some resets for an end.
                None if !self.body.is_end_stream() => return Heard::Broken("reset".to_owned()),
                None if self.buffer.is_empty() => return Heard::End(HeaderMap::new()),
                None => return Heard::Broken("the call ended in the middle of a message".to_owned()),
                Some(Err(error)) => return Heard::Broken(readable::root_cause(&error).to_string()),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.buffer.extend_from_slice(&data),
                    Err(other) => return Heard::End(other.into_trailers().unwrap_or_default()),
                },
            }
        }
    }
}

/// Takes a whole message off the beginning, with its flags.
pub(crate) fn take_message(buffer: &mut BytesMut) -> Result<Option<(u8, Bytes)>, String> {
    let Some(mut prefix) = buffer.get(..PREFIX) else { return Ok(None) };
    let flags = prefix.get_u8();
    let length = prefix.get_u32() as usize;
    if flags & 1 == 1 {
        return Err("a message is compressed, which nobody has asked for".to_owned());
    }
    if buffer.len() < PREFIX + length {
        return Ok(None);
    }
    buffer.advance(PREFIX);
    Ok(Some((flags, buffer.split_to(length).freeze())))
}

/// The message with what stands before it on the wire.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    // No message of a scenario comes near 4 GiB.
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}

/// One direction of a call. Dropped, it half-closes.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Result<Frame<Bytes>, BoxError>>);

/// A body, and what writes it.
pub(crate) fn outgoing() -> (Writer, Outgoing) {
    let (sender, frames) = mpsc::channel(UNREAD_FRAMES);
    (Writer(sender), StreamBody::new(ReceiverStream::new(frames)))
}

/// The other side has gone.
#[derive(Debug)]
pub(crate) struct Gone;

impl Writer {
    pub(crate) async fn message(&self, message: &[u8]) -> Result<(), Gone> {
        self.frame(Frame::data(framed(message))).await
    }

    /// Ends a response.
    pub(crate) async fn end(self, status: &Status) -> Result<(), Gone> {
        self.frame(Frame::trailers(status.trailers())).await
    }

    pub(crate) async fn frame(&self, frame: Frame<Bytes>) -> Result<(), Gone> {
        self.0.send(Ok(frame)).await.map_err(|_| Gone)
    }

    /// Returns when nobody reads any more.
    pub(crate) async fn gone(&self) {
        self.0.closed().await;
    }

    /// Abandons the call, as a client that goes away.
    pub(crate) async fn cancel(self) {
        let reason: BoxError = Box::new(h2::Error::from(h2::Reason::CANCEL));
        let _ = self.0.send(Err(reason)).await;
    }
}
