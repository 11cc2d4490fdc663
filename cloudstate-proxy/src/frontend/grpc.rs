//! gRPC, straight from wire bytes: messages are passed on exactly as they came in.

use std::{pin::Pin, sync::Arc};

use bytes::{Buf, BufMut, Bytes};
use cloudstate_proto::{Metadata, metadata_entry::Value};
use http::{Request, Response};
use hyper::body::Incoming;
use tonic::{
    Code as GrpcCode, Status,
    body::Body,
    codec::{
        BufferSettings, Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings,
        EncodeBuf, Encoder,
    },
    metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue},
    server::{Grpc, UnaryService},
};

use super::Frontend;
use crate::{
    routing::{Call, Calls, Failure, Reply, Router},
    service_catalog::Method,
};

pub(super) async fn serve(frontend: &Frontend, request: Request<Incoming>) -> Response<Body> {
    let Some(method) = frontend.catalog.by_path(request.uri().path()) else {
        let text = format!("{} is not served here", request.uri().path());
        return Status::unimplemented(text).into_http();
    };
    let call = Unary { method: Arc::clone(method), router: frontend.router.clone() };
    let mut gzip = EnabledCompressionEncodings::default();
    gzip.enable(CompressionEncoding::Gzip);
    let mut grpc = Grpc::new(BytesCodec)
        .apply_compression_config(gzip, gzip)
        .apply_max_message_size_config(Some(frontend.max_request_size), None);
    let limit = deadline(request.headers()).unwrap_or(frontend.request_timeout).min(frontend.request_timeout);
    let response = tokio::time::timeout(limit, grpc.unary(call, request)).await;
    response.unwrap_or_else(|_| {
        Status::deadline_exceeded("the call was not finished before its deadline").into_http()
    })
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
struct Unary {
    method: Arc<Method>,
    router: Router,
}

impl UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let call = Call { method: Arc::clone(&self.method), payload: request.into_inner() };
        let reply = self.router.call(call);
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

/// String entries become headers; an entry that is no legal header is left out, and so are binary ones and those
/// that gRPC keeps for itself.
fn add_headers(headers: &mut MetadataMap, metadata: Metadata) {
    for entry in metadata.entries {
        let Some(Value::StringValue(value)) = entry.value else { continue };
        let key = entry.key.to_ascii_lowercase();
        let reserved = key.starts_with("grpc-") || key == "content-type" || key == "te";
        let key = MetadataKey::<Ascii>::from_bytes(key.as_bytes());
        if let (false, Ok(key), Ok(value)) = (reserved, key, MetadataValue::try_from(value)) {
            headers.append(key, value);
        }
    }
}

fn status(failure: Failure) -> Status {
    let code = failure.code.map_or(GrpcCode::Unknown, |code| GrpcCode::from_i32(code as i32));
    Status::new(code, failure.description)
}

/// Passes messages on without looking at them.
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buf.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(1024, 32 * 1024)
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buf.copy_to_bytes(buf.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(1024, 32 * 1024)
    }
}
