//! gRPC, straight from wire bytes: messages are passed on exactly as they came in.

mod call;
mod codec;

use http::{HeaderMap, Request, Response};
use http_body::Body as HttpBody;
use tonic::{Code, Status, body::Body, metadata::MetadataMap};

use super::{Frontend, Reflection, health};
use crate::error_code::{ERROR_HEADER, ErrorCode};

/// Serves the rpcs of the contract, and those of the proxy itself.
pub(super) async fn serve<B>(frontend: &Frontend, request: Request<B>) -> Response<Body>
where
    B: HttpBody + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    let path = request.uri().path();
    if let Some(method) = frontend.catalog.by_path(path) {
        call::serve(frontend, method, request).await
    } else if Reflection::is_at(path) {
        frontend.reflection.serve(request, frontend.management.stopping.clone()).await
    } else if let Some(rpc) = health::Rpc::at(path) {
        rpc.serve(&frontend.management, request).await
    } else {
        let text = format!("{path} is not served here");
        refusal(Code::Unimplemented, text, Some(ErrorCode::NotServed)).into_http()
    }
}

/// The status that says so to a client, with the code of what the proxy itself found.
fn refusal(code: Code, text: String, error: Option<ErrorCode>) -> Status {
    let mut headers = HeaderMap::new();
    if let Some(error) = error {
        headers.insert(ERROR_HEADER, error.header());
    }
    Status::with_metadata(code, shortened(text), MetadataMap::from_headers(headers))
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
