//! Which pages of other origins may call from a browser.

use std::{convert::Infallible, time::Duration};

use crate::error_code::ERROR_HEADER;
use http::{HeaderName, HeaderValue, Request, Response, header::ORIGIN};
use tonic::{Status, body::Body};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, Any, CorsLayer};

/// How long a browser may remember that it may call: as long as the browsers themselves allow.
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);
/// What scripts may read of a response. The last one is for the user function's own headers.
const EXPOSED: [HeaderName; 5] = [
    Status::GRPC_STATUS,
    Status::GRPC_MESSAGE,
    Status::GRPC_STATUS_DETAILS,
    ERROR_HEADER,
    HeaderName::from_static("*"),
];

/// Cross-origin resource sharing; without any origin browsers keep other origins out.
#[derive(Clone, Debug)]
pub(crate) struct Cors(Option<CorsLayer>);

impl Cors {
    /// `origins` such as `https://app.example.com`; `*` is any.
    pub(crate) fn new(origins: &[HeaderValue]) -> Self {
        if origins.is_empty() {
            return Self(None);
        }
        let allowed = match origins.iter().any(|origin| origin == "*") {
            true => AllowOrigin::from(Any),
            false => AllowOrigin::list(origins.iter().cloned()),
        };
        let layer = CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(AllowMethods::mirror_request())
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(EXPOSED)
            .max_age(MAX_AGE);
        Self(Some(layer))
    }

    /// Answers what a browser asks before it calls, and lets everything else be served by `serve`.
    pub(crate) async fn serve<B, F>(
        &self,
        request: Request<B>,
        serve: impl FnMut(Request<B>) -> F,
    ) -> Result<Response<Body>, Infallible>
    where
        F: Future<Output = Result<Response<Body>, Infallible>>,
    {
        let mut serve = service_fn(serve);
        match &self.0 {
            Some(layer) if request.headers().contains_key(ORIGIN) => {
                layer.layer(serve).oneshot(request).await
            }
            _ => tower_service::Service::call(&mut serve, request).await,
        }
    }
}
