//! gRPC, straight from wire bytes: messages are passed on exactly as they came in.

mod codec;

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use cloudstate_proto::{Metadata, metadata_entry::Value};
use http::{HeaderValue, Request, Response};
use http_body::Body as HttpBody;
use tonic::{
    Code as GrpcCode, Status,
    body::Body,
    codec::{CompressionEncoding, EnabledCompressionEncodings},
    metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue},
    server::{Grpc, UnaryService},
};

use self::codec::BytesCodec;
use super::{Frontend, Reflection, RequestCalls, health};
use crate::{
    routing::{Call, Calls, Failure, Reply},
    service_catalog::Method,
};

/// Serves the rpcs of the contract, and those of the proxy itself.
pub(super) async fn serve<B>(frontend: &Frontend, request: Request<B>) -> Response<Body>
where
    B: HttpBody + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let path = request.uri().path();
    if let Some(method) = frontend.catalog.by_path(path) {
        call(frontend, method, request).await
    } else if Reflection::is_at(path) {
        frontend.reflection.serve(request, frontend.management.stopping.clone()).await
    } else if let Some(rpc) = health::Rpc::at(path) {
        rpc.serve(&frontend.management, request).await
    } else {
        Status::unimplemented(shortened(format!("{path} is not served here"))).into_http()
    }
}

async fn call<B>(frontend: &Frontend, method: &Arc<Method>, request: Request<B>) -> Response<Body>
where
    B: HttpBody + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let calls = RequestCalls::new(&frontend.router);
    let call = Unary { method: Arc::clone(method), calls: &calls };
    let mut gzip = EnabledCompressionEncodings::default();
    gzip.enable(CompressionEncoding::Gzip);
    let mut grpc = Grpc::new(BytesCodec)
        .apply_compression_config(gzip, gzip)
        .apply_max_message_size_config(Some(frontend.max_request_size), None);
    let limit = deadline(request.headers()).unwrap_or(frontend.request_timeout).min(frontend.request_timeout);
    let response = tokio::time::timeout(limit, grpc.unary(call, request)).await;
    let mut response = response.unwrap_or_else(|_| {
        Status::deadline_exceeded("the call was not finished before its deadline").into_http()
    });
    if !calls.were_made() {
        say_resource_exhausted(&mut response);
    }
    response
}

/// tonic refuses a request over the limit with OUT_OF_RANGE; the code that gRPC has for it is RESOURCE_EXHAUSTED.
fn say_resource_exhausted(refused: &mut Response<Body>) {
    const OUT_OF_RANGE: &[u8] = b"11";
    if let Some(code) = refused.headers_mut().get_mut(Status::GRPC_STATUS)
        && code.as_bytes() == OUT_OF_RANGE
    {
        *code = HeaderValue::from_static("8");
    }
}

/// The time the client gives the call, from `grpc-timeout`.
fn deadline(headers: &http::HeaderMap) -> Option<std::time::Duration> {
    use std::time::Duration;
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// One unary call.
struct Unary<'a> {
    method: Arc<Method>,
    calls: &'a RequestCalls,
}

impl UnaryService<Bytes> for Unary<'_> {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let call = Call::new(Arc::clone(&self.method), request.into_inner());
        let reply = self.calls.call(call);
        Box::pin(async move { reply.await.map(response).map_err(status) })
    }
}

/// A reply without payload becomes an empty message: a unary call must have one.
fn response(reply: Reply) -> tonic::Response<Bytes> {
    let mut response = tonic::Response::new(reply.payload.unwrap_or_default());
    if let Some(metadata) = reply.metadata {
        add_headers(response.metadata_mut(), metadata);
    }
    response
}

/// Headers that say how this very response travels.
const OURS: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// String entries become headers; an entry that is no legal header is left out, and so are binary ones and those
/// on which the response depends.
fn add_headers(headers: &mut MetadataMap, metadata: Metadata) {
    for entry in metadata.entries {
        let Some(Value::StringValue(value)) = entry.value else { continue };
        let key = entry.key.to_ascii_lowercase();
        let is_ours = key.starts_with("grpc-") || OURS.contains(&key.as_str());
        let key = MetadataKey::<Ascii>::from_bytes(key.as_bytes());
        if let (false, Ok(key), Ok(value)) = (is_ours, key, MetadataValue::try_from(value)) {
            headers.append(key, value);
        }
    }
}

fn status(failure: Failure) -> Status {
    let code = failure.code.map_or(GrpcCode::Unknown, |code| GrpcCode::from_i32(code as i32));
    Status::new(code, shortened(failure.description))
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
