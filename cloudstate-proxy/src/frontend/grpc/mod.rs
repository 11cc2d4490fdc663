//! gRPC, straight from wire bytes: messages are passed on exactly as they came in.

mod call;
mod codec;
pub(super) mod unreadable;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::CONTENT_TYPE};
use http_body::Body as HttpBody;
use tokio::time::Instant;
use tonic::{Code, Status, body::Body, metadata::MetadataMap};

use super::{
    Frontend, Reflection,
    due::{BodyError, Due},
    health,
};
use crate::{
    error_code::{ERROR_HEADER, ErrorCode},
    routing::Failure,
};

/// Serves the rpcs of the contract, and those of the proxy itself.
pub(super) async fn serve<B>(frontend: &Frontend, request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    if let Some(failure) = unknown_codec(&request) {
        return status(failure).into_http();
    }
    let path = request.uri().path();
    if let Some(method) = frontend.catalog.by_path(path) {
        call::serve(frontend, method, request).await
    } else if Reflection::is_at(path) {
        frontend.reflection.serve(request, frontend.management.stopping.clone()).await
    } else if let Some(rpc) = health::Rpc::at(path) {
        let due = Instant::now().checked_add(frontend.request_timeout);
        rpc.serve(&frontend.management, request.map(|body| Due::new(body, due))).await
    } else {
        let text = format!("{path:.200} is not served here");
        status(Failure::new(ErrorCode::NotServed, text)).into_http()
    }
}

/// Messages are protobuf; in another form they would be taken for what they are not.
fn unknown_codec<B>(request: &Request<B>) -> Option<Failure> {
    let content_type = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let (_, codec) = content_type.split(';').next()?.trim().split_once('+')?;
    let text = || {
        let path = request.uri().path();
        format!("{path:.200} is not served with `content-type: {content_type:.100}`")
    };
    (codec != "proto").then(|| Failure::new(ErrorCode::UnsupportedMediaType, text()))
}

/// The status that tells a client of `failure`, with the code of what the proxy itself found.
pub(super) fn status(failure: Failure) -> Status {
    let Failure { code, description, error, .. } = failure.explained(None);
    let code = code.map_or(Code::Unknown, |code| Code::from_i32(code as i32));
    let mut headers = HeaderMap::new();
    if let Some(error) = error {
        headers.insert(ERROR_HEADER, error.header());
    }
    Status::with_metadata(code, shortened(description), MetadataMap::from_headers(headers))
}

/// What the text of a status may take as a header. Clients accept 8 KiB of headers or more; several break off the
/// whole connection, with all its calls, when one response has too many.
const MAX_STATUS_TEXT_BYTES: usize = 4 * 1024;

/// Cuts a text that does not fit into the header in which it travels, percent-encoded.
fn shortened(mut text: String) -> String {
    let mut bytes = 0;
    let end = text.char_indices().find_map(|(at, char)| {
        bytes += if char == ' ' || char.is_ascii_graphic() && char != '%' { 1 } else { 3 * char.len_utf8() };
        (bytes > MAX_STATUS_TEXT_BYTES).then_some(at)
    });
    if let Some(end) = end {
        text.truncate(end);
        text.push('…');
    }
    text
}
