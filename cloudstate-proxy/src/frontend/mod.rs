//! What clients reach: gRPC, gRPC-Web and HTTP/JSON on one port, over HTTP/1.1 and HTTP/2 in clear text.

mod begun;
mod cors;
mod grpc;
pub mod grpc_web;
mod health;
pub mod http_json;
mod listener;
mod metadata;
mod pages;
mod reflection;
mod request_body;
mod write_timeout;

use std::{
    convert::Infallible,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tonic::{Status as GrpcStatus, body::Body};

pub(crate) use cors::Cors;
pub(crate) use listener::Listener;
pub(crate) use reflection::Reflection;

use crate::{
    Status,
    error_code::{ERROR_HEADER, ErrorCode},
    frontend::{http_json::HttpJson, pages::Page, request_body::RequestBody},
    management::Management,
    routing::{BoxFuture, Call, Calls, Failure, Replies, Reply, Router},
    service_catalog::ServiceCatalog,
};

/// One contract, ready to be served.
pub(crate) struct Frontend {
    pub(crate) catalog: Arc<ServiceCatalog>,
    pub(crate) http_json: HttpJson,
    /// Made when it is first asked for.
    pub(crate) openapi: OnceLock<Bytes>,
    /// What the OpenAPI document is called, and its version.
    pub(crate) title: (String, String),
    pub(crate) reflection: Arc<Reflection>,
    pub(crate) management: Arc<Management>,
    pub(crate) router: Router,
    pub(crate) max_request_size: usize,
    /// How long a request may take, the sending of its body included.
    pub(crate) request_timeout: Duration,
}

impl Frontend {
    /// Serves one request of a client.
    pub(crate) async fn serve(&self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let request = RequestBody::of(request);
        if is_grpc(&request) {
            return Ok(grpc::serve(self, request).await);
        }
        if grpc_web::is_grpc_web(&request) {
            return Ok(grpc_web::serve(self, request).await);
        }
        if let Some(page) = Page::of(&request)
            && !self.http_json.has_route(request.method(), request.uri().path())
        {
            return Ok(without_body_for_head(page.show(self).await, request.method()));
        }
        let calls = RequestCalls::new(&self.router);
        let serving = self.http_json.serve(request, &calls, self.max_request_size);
        let response = tokio::time::timeout(self.request_timeout, serving).await;
        Ok(match response {
            Ok(response) => {
                response.map(|body| Body::new(body.map_err(|broken| GrpcStatus::from_error(broken.into()))))
            }
            Err(_) if calls.were_made() => {
                refused(StatusCode::GATEWAY_TIMEOUT, ErrorCode::CallOverdue, UNFINISHED)
            }
            Err(_) => refused(StatusCode::REQUEST_TIMEOUT, ErrorCode::RequestStalled, STALLED),
        })
    }

    /// The routes as an OpenAPI document.
    fn openapi(&self) -> Bytes {
        let (title, version) = &self.title;
        let document = || self.http_json.openapi(&self.catalog, title, version).into();
        self.openapi.get_or_init(document).clone()
    }
}

/// What is answered while a changed contract is rejected; gRPC clients read a 503 as UNAVAILABLE.
pub(crate) async fn serve_without_contract(
    management: &Management,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if let Some(shown) = Page::of(&request).map(|page| page.show_without_contract(management))
        && let Some(response) = shown.await
    {
        return Ok(without_body_for_head(response, request.method()));
    }
    let sentence = match &*management.status.borrow() {
        Status::Rejected { reason } => format!("the contract of the user function was rejected: {reason}"),
        _ => "there is no valid contract to serve yet".to_owned(),
    };
    Ok(refused(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::NoContract, sentence))
}

/// HTTP/2 does not drop the body of an answer to HEAD for us.
fn without_body_for_head(response: Response<Full<Bytes>>, method: &Method) -> Response<Body> {
    response.map(|body| full(if method == Method::HEAD { Full::default() } else { body }))
}

fn full(body: Full<Bytes>) -> Body {
    Body::new(body.map_err(|never| match never {}))
}

const STALLED: &str = "the request was not sent in time";
const UNFINISHED: &str = "the call was not finished in time";

/// The calls of one request; knows whether the request was complete, so that it came to a call.
struct RequestCalls {
    router: Router,
    made: AtomicBool,
}

impl RequestCalls {
    fn new(router: &Router) -> Self {
        Self { router: router.clone(), made: AtomicBool::new(false) }
    }

    fn were_made(&self) -> bool {
        self.made.load(Ordering::Relaxed)
    }
}

impl Calls for RequestCalls {
    fn call(&self, call: Call) -> BoxFuture<Result<Reply, Failure>> {
        self.made.store(true, Ordering::Relaxed);
        self.router.call(call)
    }

    fn call_streamed(&self, call: Call) -> Replies {
        self.made.store(true, Ordering::Relaxed);
        self.router.call_streamed(call)
    }
}

/// A sentence for a client.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    response
}

/// A sentence for a client that the proxy turns away, with the code of the reason.
fn refused(status: StatusCode, error: ErrorCode, sentence: impl Into<Bytes>) -> Response<Body> {
    let mut response = text(status, sentence).map(full);
    response.headers_mut().insert(ERROR_HEADER, error.header());
    response
}

/// gRPC proper; gRPC-Web has content types of its own.
fn is_grpc<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let subtype = content_type.and_then(|value| value.strip_prefix("application/grpc"));
    subtype.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}
