//! A call of a client, in each of the four shapes of an rpc.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cloudstate_proto::Metadata;
use futures_util::StreamExt;
use http::{HeaderMap, Request, Response};
use http_body::Body as HttpBody;
use tokio::time::Instant;
use tonic::{
    Status, Streaming,
    body::Body,
    codec::{CompressionEncoding, EnabledCompressionEncodings},
    metadata::MetadataMap,
    server::{ClientStreamingService, Grpc, ServerStreamingService, StreamingService, UnaryService},
};

use super::{codec::BytesCodec, status, unreadable};
use crate::{
    frontend::{
        Frontend,
        begun::begin,
        due::{BodyError, Due},
        metadata,
    },
    routing::{BoxStream, Call, Reply, Requests, Router, Subject},
    service_catalog::Method,
};

pub(super) async fn serve<B>(frontend: &Frontend, method: &Arc<Method>, request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    let given = time_given(request.headers());
    // A call with streams may last as long as its client wants.
    let limit = match method.client_streaming || method.server_streaming {
        true => given,
        false => Some(given.unwrap_or(frontend.request_timeout).min(frontend.request_timeout)),
    };
    // One that is too far away to be told is none.
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let called = Arc::<AtomicBool>::default();
    let to_make = ToMake {
        method: Arc::clone(method),
        router: frontend.router.clone(),
        metadata: metadata::of_call(method, request.headers()),
        deadline,
        called: Arc::clone(&called),
    };
    let mut response = to_make.serve(grpc(frontend.max_request_size), request).await;
    if !called.load(Ordering::Relaxed) {
        let subject = Subject { service: &method.service.name, method: &method.name, entity_id: None };
        unreadable::explain(&mut response, subject);
    }
    response
}

fn grpc(max_request_size: usize) -> Grpc<BytesCodec> {
    let mut gzip = EnabledCompressionEncodings::default();
    gzip.enable(CompressionEncoding::Gzip);
    Grpc::new(BytesCodec)
        .apply_compression_config(gzip, gzip)
        .apply_max_message_size_config(Some(max_request_size), None)
}

/// A call that is to be made when its requests can be read.
struct ToMake {
    method: Arc<Method>,
    router: Router,
    metadata: Metadata,
    deadline: Option<Instant>,
    /// Becomes true when the call is made.
    called: Arc<AtomicBool>,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, Status>> + Send>>;
type Messages = BoxStream<Result<Bytes, Status>>;

impl ToMake {
    async fn serve<B>(self, mut grpc: Grpc<BytesCodec>, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        // A stream of requests is a part of its call, which has a deadline of its own.
        let due = self.deadline.filter(|_| !self.method.client_streaming);
        let request = unreadable::readable(request.map(|body| Due::new(body, due)));
        match (self.method.client_streaming, self.method.server_streaming) {
            (false, false) => grpc.unary(self, request).await,
            (false, true) => grpc.server_streaming(self, request).await,
            (true, false) => grpc.client_streaming(self, request).await,
            (true, true) => grpc.streaming(self, request).await,
        }
    }

    fn call(&mut self, requests: Requests) -> Call {
        self.called.store(true, Ordering::Relaxed);
        let metadata = std::mem::take(&mut self.metadata);
        Call { method: Arc::clone(&self.method), requests, metadata }
    }

    fn one(&mut self, requests: Requests) -> Answer<Bytes> {
        let (call, router, deadline) = (self.call(requests), self.router.clone(), self.deadline);
        Box::pin(async move { router.call(call, deadline).await.map(response).map_err(status) })
    }

    fn many(&mut self, requests: Requests) -> Answer<Messages> {
        let call = self.call(requests);
        let replies = self.router.call_streamed(call, self.deadline);
        Box::pin(async move {
            let mut begun = begin(replies).await.map_err(status)?;
            let metadata = std::mem::take(&mut begun.metadata);
            let messages = begun.messages().map(|message| message.map_err(status)).boxed();
            Ok(with_headers(tonic::Response::new(messages), metadata))
        })
    }
}

impl UnaryService<Bytes> for ToMake {
    type Response = Bytes;
    type Future = Answer<Bytes>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        self.one(Requests::One(request.into_inner()))
    }
}

impl ServerStreamingService<Bytes> for ToMake {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        self.many(Requests::One(request.into_inner()))
    }
}

impl ClientStreamingService<Bytes> for ToMake {
    type Response = Bytes;
    type Future = Answer<Bytes>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        self.one(requests(request.into_inner()))
    }
}

impl StreamingService<Bytes> for ToMake {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        self.many(requests(request.into_inner()))
    }
}

/// Read from the connection as fast as they are taken.
fn requests(messages: Streaming<Bytes>) -> Requests {
    Requests::Many(messages.map(|message| message.map_err(|status| unreadable::failure(&status))).boxed())
}

/// A reply without payload becomes an empty message: a unary call must have one.
fn response(reply: Reply) -> tonic::Response<Bytes> {
    let response = tonic::Response::new(reply.payload.unwrap_or_default());
    with_headers(response, reply.metadata.unwrap_or_default())
}

fn with_headers<T>(mut response: tonic::Response<T>, metadata: Metadata) -> tonic::Response<T> {
    if !metadata.entries.is_empty() {
        let mut headers = HeaderMap::new();
        metadata::add_to(&mut headers, metadata);
        *response.metadata_mut() = MetadataMap::from_headers(headers);
    }
    response
}

/// The time the client gives the call, from `grpc-timeout`.
fn time_given(headers: &HeaderMap) -> Option<Duration> {
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
