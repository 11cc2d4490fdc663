//! A call of a client, in each of the four shapes of an rpc.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudstate_proto::Metadata;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep_until};
use tonic::{
    Code as GrpcCode, Status, Streaming,
    body::Body,
    codec::{CompressionEncoding, EnabledCompressionEncodings},
    metadata::MetadataMap,
    server::{ClientStreamingService, Grpc, ServerStreamingService, StreamingService, UnaryService},
};

use super::{codec::BytesCodec, refusal};
use crate::{
    code::Code,
    error_code::{ERROR_HEADER, ErrorCode},
    frontend::{Frontend, RequestCalls, begun::begin, metadata},
    routing::{BoxStream, Call, Calls, Failure, Reply, Requests},
    service_catalog::Method,
};

pub(super) async fn serve<B>(frontend: &Frontend, method: &Arc<Method>, request: Request<B>) -> Response<Body>
where
    B: HttpBody + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    let calls = Arc::new(RequestCalls::new(&frontend.router));
    let given = deadline(request.headers());
    // A call with streams may last as long as its client wants.
    let limit = match method.client_streaming || method.server_streaming {
        true => given,
        false => Some(given.unwrap_or(frontend.request_timeout).min(frontend.request_timeout)),
    };
    // One that is too far away to be told is none.
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let made = Made {
        method: Arc::clone(method),
        calls: Arc::clone(&calls),
        metadata: metadata::from_headers(request.headers()),
        deadline,
    };
    let serving = made.serve(grpc(frontend.max_request_size), request);
    let response = match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, serving).await,
        None => Ok(serving.await),
    };
    let mut response = response.unwrap_or_else(|_| overdue().into_http());
    if !calls.were_made() {
        say_resource_exhausted(&mut response);
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

/// A call that is about to be made.
struct Made {
    method: Arc<Method>,
    calls: Arc<RequestCalls>,
    metadata: Metadata,
    deadline: Option<Instant>,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, Status>> + Send>>;
type Messages = BoxStream<Result<Bytes, Status>>;

impl Made {
    async fn serve<B>(self, mut grpc: Grpc<BytesCodec>, request: Request<B>) -> Response<Body>
    where
        B: HttpBody + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        // tonic takes a reset with CANCEL for the end of the requests, which would tell a streamed action that its client
        // has said all that it had to say. As a text it is an error like any other; a status of our own is passed on.
        let request = request.map(|body| {
            body.map_err(|error| match error.into().downcast::<Status>() {
                Ok(status) => *status,
                Err(error) => Status::unknown(error.to_string()),
            })
        });
        match (self.method.client_streaming, self.method.server_streaming) {
            (false, false) => grpc.unary(self, request).await,
            (false, true) => grpc.server_streaming(self, request).await,
            (true, false) => grpc.client_streaming(self, request).await,
            (true, true) => grpc.streaming(self, request).await,
        }
    }

    fn call(&mut self, requests: Requests) -> Call {
        let metadata = std::mem::take(&mut self.metadata);
        Call { method: Arc::clone(&self.method), requests, metadata }
    }

    fn one(&mut self, requests: Requests) -> Answer<Bytes> {
        let call = self.call(requests);
        let reply = self.calls.call(call);
        Box::pin(async move { reply.await.map(response).map_err(status) })
    }

    fn many(&mut self, requests: Requests) -> Answer<Messages> {
        let call = self.call(requests);
        let replies = self.calls.call_streamed(call);
        let deadline = self.deadline;
        Box::pin(async move {
            let mut begun = begin(replies).await.map_err(status)?;
            let metadata = std::mem::take(&mut begun.metadata);
            let messages = begun.messages().map(|message| message.map_err(status)).boxed();
            let messages = match deadline {
                Some(deadline) => until(deadline, messages),
                None => messages,
            };
            Ok(with_headers(tonic::Response::new(messages), metadata))
        })
    }
}

impl UnaryService<Bytes> for Made {
    type Response = Bytes;
    type Future = Answer<Bytes>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        self.one(Requests::One(request.into_inner()))
    }
}

impl ServerStreamingService<Bytes> for Made {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        self.many(Requests::One(request.into_inner()))
    }
}

impl ClientStreamingService<Bytes> for Made {
    type Response = Bytes;
    type Future = Answer<Bytes>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        self.one(requests(request.into_inner()))
    }
}

impl StreamingService<Bytes> for Made {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        self.many(requests(request.into_inner()))
    }
}

/// Read from the connection as fast as they are taken.
fn requests(messages: Streaming<Bytes>) -> Requests {
    Requests::Many(messages.map(|message| message.map_err(broken_off)).boxed())
}

fn broken_off(status: Status) -> Failure {
    let code = match status.code() {
        // tonic's code for a message over the limit; gRPC's own is the other one.
        GrpcCode::OutOfRange => Code::ResourceExhausted,
        code => u32::try_from(code as i32).ok().and_then(Code::from_number).unwrap_or(Code::Cancelled),
    };
    Failure::passed_on(Some(code), status.message())
}

/// Ends `messages` with DEADLINE_EXCEEDED if they last too long.
fn until(deadline: Instant, messages: Messages) -> Messages {
    let overdue_at = Box::pin(sleep_until(deadline));
    stream::unfold(Some((messages, overdue_at)), async |state| {
        let (mut messages, mut overdue_at) = state?;
        tokio::select! {
            biased;
            message = messages.next() => Some((message?, Some((messages, overdue_at)))),
            () = &mut overdue_at => Some((Err(overdue()), None)),
        }
    })
    .boxed()
}

fn overdue() -> Status {
    let text = "the call was not finished before its deadline";
    refusal(GrpcCode::DeadlineExceeded, text.to_owned(), Some(ErrorCode::CallOverdue))
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

fn status(failure: Failure) -> Status {
    let code = failure.code.map_or(GrpcCode::Unknown, |code| GrpcCode::from_i32(code as i32));
    refusal(code, failure.description, failure.error)
}

/// tonic refuses a request over the limit with OUT_OF_RANGE; the code that gRPC has for it is RESOURCE_EXHAUSTED.
fn say_resource_exhausted(refused: &mut Response<Body>) {
    const OUT_OF_RANGE: &[u8] = b"11";
    if let Some(code) = refused.headers_mut().get_mut(Status::GRPC_STATUS)
        && code.as_bytes() == OUT_OF_RANGE
    {
        *code = HeaderValue::from_static("8");
        refused.headers_mut().insert(ERROR_HEADER, ErrorCode::RequestTooLarge.header());
    }
}

/// The time the client gives the call, from `grpc-timeout`.
fn deadline(headers: &HeaderMap) -> Option<Duration> {
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
