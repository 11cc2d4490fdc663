//! What the proxy itself shows on the port for clients, where no route claims the path.

use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;

use bytes::Bytes;

use super::text;
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
            _ => None,
        }
    }

    pub(super) async fn show(self, management: &Management) -> Response<Full<Bytes>> {
        match self {
            Page::NetworkProbe(value) if value == "queue" => text(StatusCode::OK, value),
            Page::NetworkProbe(value) => {
                text(StatusCode::BAD_REQUEST, format!("unexpected probe header value: {value:.200}"))
            }
            Page::Alive => management.alive(),
            Page::Ready => management.ready().await,
        }
    }
}

fn network_probe(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(NETWORK_PROBE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
