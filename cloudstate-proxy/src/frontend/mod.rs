//! What clients reach: gRPC, gRPC-Web and HTTP/JSON on one port, over HTTP/1.1 and HTTP/2 in clear text.

mod begun;
mod cors;
mod due;
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
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::{Status as GrpcStatus, body::Body};

pub(crate) use cors::Cors;
pub(crate) use listener::Listener;
pub(crate) use reflection::Reflection;

use crate::{
    Status,
    error_code::{ERROR_HEADER, ErrorCode},
    frontend::{due::Due, http_json::HttpJson, pages::Page, request_body::RequestBody},
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
        // A time that is too far away to be told is none.
        let due = Instant::now().checked_add(self.request_timeout);
        let request = request.map(|body| Due::new(body, due));
        let calls = RequestCalls { router: self.router.clone(), due };
        let response = self.http_json.serve(request, &calls, self.max_request_size).await;
        Ok(response.map(|body| Body::new(body.map_err(|broken| GrpcStatus::from_error(broken.into())))))
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
    let reason = match &*management.status.borrow() {
        Status::Rejected { reason } => format!("the contract of the user function was rejected: {reason}"),
        _ => "there is no valid contract to serve yet".to_owned(),
    };
    let sentence = format!("{:.200} is not served: {reason}", request.uri().path());
    Ok(refused(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::NoContract, sentence))
}

/// HTTP/2 does not drop the body of an answer to HEAD for us.
fn without_body_for_head(response: Response<Full<Bytes>>, method: &Method) -> Response<Body> {
    response.map(|body| full(if method == Method::HEAD { Full::default() } else { body }))
}

fn full(body: Full<Bytes>) -> Body {
    Body::new(body.map_err(|never| match never {}))
}

/// The call of one request over HTTP, which has to be answered in time; a stream may last.
struct RequestCalls {
    router: Router,
    due: Option<Instant>,
}

impl Calls for RequestCalls {
    fn call(&self, call: Call) -> BoxFuture<Result<Reply, Failure>> {
        let (router, due) = (self.router.clone(), self.due);
        Box::pin(async move { router.call(call, due).await })
    }

    fn call_streamed(&self, call: Call) -> Replies {
        self.router.call_streamed(call, None)
    }
}

/// A sentence for a client.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    response
}

/// What a client is told that the proxy turns away.
fn refused(status: StatusCode, error: ErrorCode, sentence: String) -> Response<Body> {
    let failure = Failure::new(error, sentence).explained(None);
    let mut response = text(status, failure.description).map(full);
    response.headers_mut().insert(ERROR_HEADER, error.header());
    response
}

/// gRPC proper; gRPC-Web has content types of its own.
fn is_grpc<B>(request: &Request<B>) -> bool {
    if request.method() != Method::POST {
        return false;
    }
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let subtype = content_type.and_then(|value| value.strip_prefix("application/grpc"));
    subtype.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}
