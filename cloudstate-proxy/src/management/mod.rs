//! `/ready`, `/alive`, `/metrics` and `/dead-letters`, for whoever operates the proxy. Open from the first moment.

mod dead_letters;

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_TYPE, ORIGIN},
};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{net::TcpListener, sync::watch};

use crate::{Status, entities::Entities, eventing::DeadLetters, frontend::Listener};

/// How long the store may take to say that it works.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// Far more than probes and scrapers ask for at once.
const STREAMS_PER_CONNECTION: u32 = 16;
const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the endpoints tell about.
pub(crate) struct Management {
    pub(crate) status: watch::Receiver<Status>,
    /// Why the user function cannot be reached now; none: it can.
    pub(crate) unreachable: watch::Receiver<Option<String>>,
    /// The proxy is asked to stop: what is under way is finished, nothing new should come.
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) entities: Arc<Entities>,
    /// What the consumers of the contract that is served have given up.
    pub(crate) dead_letters: ArcSwapOption<DeadLetters>,
}

/// Serves all endpoints on `listener`.
pub(crate) fn serve(listener: TcpListener, management: Arc<Management>) -> io::Result<Listener> {
    Listener::serve(listener, STREAMS_PER_CONNECTION, move |request| {
        let management = Arc::clone(&management);
        async move {
            let mut response = management.answer(&request).await;
            if request.method() == Method::HEAD {
                // HTTP/2 does not drop it for us.
                *response.body_mut() = Full::default();
            }
            Ok::<_, Infallible>(response)
        }
    })
}

impl Management {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(rest) = request.uri().path().strip_prefix(dead_letters::PATH) {
            return self.dead_letters(request, rest).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is allowed\n");
        }
        match request.uri().path() {
            "/alive" | "/live" => self.alive(),
            "/ready" => self.ready().await,
            "/metrics" => self.metrics(),
            _ => text(StatusCode::NOT_FOUND, "there are /ready, /alive, /metrics and /dead-letters\n"),
        }
    }

    async fn dead_letters(&self, request: &Request<Incoming>, rest: &str) -> Response<Full<Bytes>> {
        // A browser sends requests of other sites here too, those that change something with an origin.
        if request.headers().contains_key(ORIGIN) {
            return text(StatusCode::FORBIDDEN, "not for other sites\n");
        }
        match self.dead_letters.load_full() {
            Some(letters) => {
                dead_letters::answer(&letters, request.method(), rest, request.uri().query()).await
            }
            None => text(StatusCode::SERVICE_UNAVAILABLE, "there is no contract yet\n"),
        }
    }

    pub(crate) fn alive(&self) -> Response<Full<Bytes>> {
        text(StatusCode::OK, "OK\n")
    }

    pub(crate) async fn ready(&self) -> Response<Full<Bytes>> {
        let reasons = self.reasons_not_ready().await;
        if reasons.is_empty() {
            return text(StatusCode::OK, "OK\n");
        }
        text(StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
    }

    /// Why nothing should be sent here now; empty: everything works.
    pub(crate) async fn reasons_not_ready(&self) -> Vec<String> {
        if *self.stopping.borrow() {
            return vec!["the proxy is stopping".to_owned()];
        }
        let mut reasons = Vec::new();
        match &*self.status.borrow() {
            Status::Serving(_) => {}
            Status::Connecting { reason: None } => reasons.push("connecting to the user function".to_owned()),
            Status::Connecting { reason: Some(reason) } => {
                reasons.push(format!("connecting to the user function: {reason}"));
            }
            Status::Rejected { reason } => reasons.push(format!("the contract was rejected: {reason}")),
            Status::Failed { reason } => reasons.push(reason.clone()),
        }
        if let Some(reason) = &*self.unreachable.borrow() {
            reasons.push(format!("the user function is not reachable: {reason}"));
        }
        let check = self.entities.environment().store.check();
        match tokio::time::timeout(CHECK_TIMEOUT, check).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => reasons.push(format!("the store does not work: {error}")),
            Err(_) => reasons.push("the store does not answer".to_owned()),
        }
        reasons
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.entities.environment().metrics.render() {
            Ok(metrics) => response(StatusCode::OK, OPEN_METRICS, metrics),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
        }
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<Full<Bytes>> {
    response(status, TEXT, body)
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<String>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
