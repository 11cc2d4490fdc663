//! gRPC for browsers, which see no trailers: they come as the last frame of the body. Over HTTP/1.1 and HTTP/2, binary
//! and, for what reads responses as text, in base64.

mod base64_groups;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::{Body as HttpBody, Frame};
use tonic::{Status, body::Body};

pub use base64_groups::{Base64Groups, InvalidBase64};

use super::{Frontend, due::BodyError, grpc};
use crate::error_code::ERROR_HEADER;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Binary,
    Text,
}

/// Whether `request` is one of gRPC-Web.
pub(super) fn is_grpc_web<B>(request: &Request<B>) -> bool {
    request.method() == Method::POST && Encoding::of_request(request.headers()).is_some()
}

/// Serves a request of gRPC-Web as one of gRPC.
pub(super) async fn serve<B>(frontend: &Frontend, mut request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    let headers = request.headers_mut();
    let encoding = Encoding::of_request(headers).unwrap_or(Encoding::Binary);
    let answer_in = Encoding::of_response(headers, encoding);
    let grpc_type = HeaderValue::from_static("application/grpc");
    // The length, if it is told, is that of the text.
    headers.remove(CONTENT_LENGTH);
    let asked_with = headers.insert(CONTENT_TYPE, grpc_type);
    let response = match encoding {
        Encoding::Binary => grpc::serve(frontend, request).await,
        Encoding::Text => grpc::serve(frontend, request.map(TextBody::new)).await,
    };
    let content_type = asked_with.filter(|_| answer_in == encoding).unwrap_or_else(|| answer_in.media_type());
    for_browser(response, answer_in, content_type)
}

impl Encoding {
    fn of_request(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is_one_of = |names: [&str; 2]| names.iter().any(|name| media_type.eq_ignore_ascii_case(name));
        if is_one_of(["application/grpc-web", "application/grpc-web+proto"]) {
            Some(Encoding::Binary)
        } else if is_one_of(["application/grpc-web-text", "application/grpc-web-text+proto"]) {
            Some(Encoding::Text)
        } else {
            None
        }
    }

    /// What the client accepts; if it does not care, as it asked.
    fn of_response(headers: &HeaderMap, request: Encoding) -> Self {
        let entries = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut entries = entries.flat_map(|value| value.split(',')).map(str::trim);
        let names = entries.find(|entry| entry.starts_with("application/grpc-web"));
        match names {
            Some(entry) if entry.starts_with("application/grpc-web-text") => Encoding::Text,
            Some(_) => Encoding::Binary,
            None => request,
        }
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Encoding::Binary => "application/grpc-web+proto",
            Encoding::Text => "application/grpc-web-text+proto",
        })
    }
}

/// A request body in base64.
struct TextBody<B> {
    text: B,
    groups: Base64Groups,
    is_over: bool,
}

impl<B> TextBody<B> {
    fn new(text: B) -> Self {
        Self { text, groups: Base64Groups::default(), is_over: false }
    }
}

impl<B> HttpBody for TextBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let next = match ready!(Pin::new(&mut self.text).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => Some(self.groups.decode(&piece).map(Frame::data).map_err(Into::into)),
                Err(trailers) => Some(Ok(Frame::trailers(trailers.into_trailers().unwrap_or_default()))),
            },
            Some(Err(error)) => Some(Err(error.into())),
            None => self.groups.finish().err().map(|error| Err(error.into())),
        };
        self.is_over = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

/// What gRPC says in trailers, or in headers if there is nothing else to say.
const TRAILERS: [HeaderName; 4] =
    [Status::GRPC_STATUS, Status::GRPC_MESSAGE, Status::GRPC_STATUS_DETAILS, ERROR_HEADER];

fn for_browser(response: Response<Body>, encoding: Encoding, content_type: HeaderValue) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    head.headers.insert(CONTENT_TYPE, content_type);
    // A status in the headers would have to be exposed to scripts of other origins; one in the body reaches all.
    let trailers = TRAILERS.into_iter().filter_map(|name| Some((name.clone(), head.headers.remove(name)?)));
    let trailers: HeaderMap = trailers.collect();
    let body = BrowserBody { body, encoding, trailers: Some(trailers), is_over: false };
    Response::from_parts(head, Body::new(body))
}

/// A response body with its trailers in its last frame.
struct BrowserBody {
    body: Body,
    encoding: Encoding,
    /// To be sent at the end; none: sent.
    trailers: Option<HeaderMap>,
    is_over: bool,
}

impl HttpBody for BrowserBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let bytes = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    self.trailers.get_or_insert_default().extend(trailers);
                    return self.poll_end();
                }
            },
            Some(Err(status)) => {
                self.is_over = true;
                return Poll::Ready(Some(Err(status)));
            }
            None => return self.poll_end(),
        };
        Poll::Ready(Some(Ok(self.encoded(bytes))))
    }
}

impl BrowserBody {
    fn poll_end(&mut self) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.is_over = true;
        let trailers = self.trailers.take();
        Poll::Ready(trailers.map(|trailers| Ok(self.encoded(trailers_frame(&trailers)))))
    }

    fn encoded(&self, bytes: Bytes) -> Frame<Bytes> {
        Frame::data(match self.encoding {
            Encoding::Binary => bytes,
            Encoding::Text => BASE64_STANDARD.encode(bytes).into(),
        })
    }
}

/// The frame that holds the trailers as lines of text.
fn trailers_frame(trailers: &HeaderMap) -> Bytes {
    const IS_TRAILERS: u8 = 0x80;
    const HEAD_BYTES: usize = 5;
    let mut frame = BytesMut::zeroed(HEAD_BYTES);
    for (name, value) in trailers {
        frame.put_slice(name.as_str().as_bytes());
        frame.put_slice(b": ");
        frame.put_slice(value.as_bytes());
        frame.put_slice(b"\r\n");
    }
    let length = u32::try_from(frame.len() - HEAD_BYTES).unwrap_or(u32::MAX);
    frame[0] = IS_TRAILERS;
    frame[1..HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
    frame.freeze()
}
