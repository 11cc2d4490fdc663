//! gRPC-Web: the trailers are a last frame, and all of it may be base64.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::{Answer, parts};
use crate::{
    proxy::wire::{self, Status},
    readable,
};

/// Marks the frame of the trailers.
const TRAILERS: u8 = 0x80;

/// The two forms of gRPC-Web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Binary,
    /// Base64, for clients that cannot read bytes.
    Text,
}

impl Variant {
    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Binary => "application/grpc-web+proto",
            Self::Text => "application/grpc-web-text+proto",
        })
    }

    pub(super) fn request(
        self,
        path: &str,
        metadata: &HeaderMap,
        message: &[u8],
    ) -> Result<Request<Full<Bytes>>, String> {
        let body = wire::framed(message);
        let body = match self {
            Self::Binary => body,
            Self::Text => STANDARD.encode(body).into(),
        };
        let mut request = Request::post(path).body(Full::new(body)).map_err(|error| error.to_string())?;
        request.headers_mut().extend(metadata.clone());
        request.headers_mut().insert(header::CONTENT_TYPE, self.content_type());
        request.headers_mut().insert(header::ACCEPT, self.content_type());
        request.headers_mut().insert("x-grpc-web", HeaderValue::from_static("1"));
        Ok(request)
    }
}

pub(super) async fn read(variant: Variant, response: Response<Incoming>, answers: mpsc::Sender<Answer>) {
    let (head, body) = response.into_parts();
    let at_once = Status::from_headers(&head.headers);
    let content_type = head.headers.get(header::CONTENT_TYPE).cloned();
    let status = head.status;
    let _ = answers.send(Answer::Head(status.as_u16(), head.headers)).await;
    if !status.is_success() || content_type != Some(variant.content_type()) {
        let problem =
            format!("the response is no gRPC-Web: HTTP status {status}, content type {content_type:?}");
        let _ = answers.send(Answer::Broken(problem)).await;
        return;
    }
    let mut body = Body { variant, body, undecoded: BytesMut::new(), buffer: BytesMut::new() };
    loop {
        let answer = match body.next().await {
            Ok(Some((TRAILERS, trailers))) => match Status::from_headers(&fields(&trailers)) {
                Some(status) => Answer::End(Some(status)),
                None => Answer::Broken(format!("the trailers have no gRPC status: {trailers:?}")),
            },
            Ok(Some((_, message))) => Answer::Part(message),
            Ok(None) => match at_once.clone() {
                Some(status) => Answer::End(Some(status)),
                None => Answer::Broken("the call ended without trailers".to_owned()),
            },
            Err(problem) => Answer::Broken(problem),
        };
        let goes_on = matches!(answer, Answer::Part(_));
        if answers.send(answer).await.is_err() || !goes_on {
            return;
        }
    }
}

struct Body {
    variant: Variant,
    body: Incoming,
    /// Base64 of which a group of four is not complete yet.
    undecoded: BytesMut,
    buffer: BytesMut,
}

impl Body {
    async fn next(&mut self) -> Result<Option<(u8, Bytes)>, String> {
        loop {
            if let Some(frame) = parts(&mut self.buffer)? {
                return Ok(Some(frame));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| readable::root_cause(&error).to_string())?;
            if let Ok(data) = frame.into_data() {
                self.add(&data)?;
            }
        }
    }

    fn add(&mut self, data: &[u8]) -> Result<(), String> {
        if self.variant == Variant::Binary {
            self.buffer.extend_from_slice(data);
            return Ok(());
        }
        self.undecoded.extend_from_slice(data);
        let whole = self.undecoded.len() / 4 * 4;
        // Padding may stand inside: every chunk is encoded by itself.
        for group in self.undecoded.split_to(whole).chunks(4) {
            let bytes =
                STANDARD.decode(group).map_err(|error| format!("the response is no base64: {error}"))?;
            self.buffer.extend_from_slice(&bytes);
        }
        Ok(())
    }
}

/// `name: value` lines.
fn fields(trailers: &[u8]) -> HeaderMap {
    let text = String::from_utf8_lossy(trailers);
    let lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
    lines
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        })
        .collect()
}
