//! What the proxy itself shows on the port for clients, where no route claims the path.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;

use super::{Frontend, text};
use crate::management::Management;

/// The header with which Knative asks whether the port is open.
const NETWORK_PROBE: &str = "k-network-probe";

/// A request that may be for the proxy itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// The value of the probe's header.
    NetworkProbe(String),
    Alive,
    Ready,
    OpenApi,
    Descriptors,
}

impl Page {
    pub(super) fn of<B>(request: &Request<B>) -> Option<Self> {
        if let Some(probe) = network_probe(request.headers()) {
            return Some(Page::NetworkProbe(probe));
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        match request.uri().path() {
            "/alive" | "/live" => Some(Page::Alive),
            "/ready" => Some(Page::Ready),
            "/openapi.json" => Some(Page::OpenApi),
            "/descriptors" => Some(Page::Descriptors),
            _ => None,
        }
    }

    pub(super) async fn show(self, frontend: &Frontend) -> Response<Full<Bytes>> {
        match self {
            Page::NetworkProbe(value) => answer_probe(value),
            Page::Alive => frontend.management.alive(),
            Page::Ready => frontend.management.ready().await,
            Page::OpenApi => file("application/json", frontend.openapi()),
            Page::Descriptors => file("application/x-protobuf", frontend.catalog.descriptors().clone()),
        }
    }

    /// None for what shows a contract.
    pub(super) async fn show_without_contract(
        self,
        management: &Management,
    ) -> Option<Response<Full<Bytes>>> {
        match self {
            Page::NetworkProbe(value) => Some(answer_probe(value)),
            Page::Alive => Some(management.alive()),
            Page::Ready => Some(management.ready().await),
            Page::OpenApi | Page::Descriptors => None,
        }
    }
}

fn answer_probe(value: String) -> Response<Full<Bytes>> {
    match value.as_str() {
        "queue" => text(StatusCode::OK, value),
        _ => text(StatusCode::BAD_REQUEST, format!("unexpected probe header value: {value:.200}")),
    }
}

fn file(content_type: &'static str, bytes: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn network_probe(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(NETWORK_PROBE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
