//! `grpc.health.v1`: whether the proxy, or one of its services, can be used now.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::sync::watch;
use tonic::{
    Status as GrpcStatus,
    body::Body,
    server::{Grpc, ServerStreamingService, UnaryService},
};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus};
use tonic_prost::ProstCodec;

use super::{
    due::BodyError,
    grpc::{self, unreadable},
    reflection,
};
use crate::{
    Status,
    error_code::ErrorCode,
    management::Management,
    routing::{Failure, Subject},
};

const SERVICE: &str = "grpc.health.v1.Health";
/// More than any name of a service needs.
const MAX_REQUEST_SIZE: usize = 64 * 1024;
/// A watched service is looked at this often, beside whenever something is known to have changed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// An rpc of the service.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rpc {
    Check,
    Watch,
    List,
}

impl Rpc {
    /// The rpc that gRPC calls by `path`.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path.strip_prefix('/')?.strip_prefix(SERVICE)? {
            "/Check" => Some(Rpc::Check),
            "/Watch" => Some(Rpc::Watch),
            "/List" => Some(Rpc::List),
            _ => None,
        }
    }

    pub(super) async fn serve<B>(self, management: &Arc<Management>, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        let health = Health(Arc::clone(management));
        let request = unreadable::readable(request);
        let mut response = match self {
            Rpc::Check => server().unary(Check(health), request).await,
            Rpc::Watch => server().server_streaming(Watch(health), request).await,
            Rpc::List => server().unary(List(health), request).await,
        };
        unreadable::explain(&mut response, self.subject());
        response
    }

    fn subject(self) -> Subject<'static> {
        let method = match self {
            Rpc::Check => "Check",
            Rpc::Watch => "Watch",
            Rpc::List => "List",
        };
        Subject { service: SERVICE, method, entity_id: None }
    }
}

fn server<Encode, Decode>() -> Grpc<ProstCodec<Encode, Decode>>
where
    Encode: prost::Message + Send + 'static,
    Decode: prost::Message + Default + Send + 'static,
{
    Grpc::new(ProstCodec::default()).max_decoding_message_size(MAX_REQUEST_SIZE)
}

/// The request of `List`, which the library has not got yet.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct HealthListRequest {}

/// The reply of `List`.
#[derive(Clone, PartialEq, prost::Message)]
struct HealthListResponse {
    #[prost(map = "string, message", tag = "1")]
    statuses: HashMap<String, HealthCheckResponse>,
}

/// What is known of the services' health.
#[derive(Clone)]
struct Health(Arc<Management>);

impl Health {
    /// None for a service that is not served.
    async fn of(&self, service: &str) -> Option<ServingStatus> {
        if !self.services().iter().any(|known| known == service) {
            return None;
        }
        Some(self.overall().await)
    }

    /// All services share one user function, one store and one fate.
    async fn overall(&self) -> ServingStatus {
        match self.0.reasons_not_ready().await.is_empty() {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        }
    }

    /// The empty name stands for the proxy as a whole.
    fn services(&self) -> Vec<String> {
        let mut services: Vec<String> =
            ["", SERVICE, reflection::V1, reflection::V1_ALPHA].map(str::to_owned).into();
        if let Status::Serving(serving) = &*self.0.status.borrow() {
            services.extend(serving.services.iter().cloned());
        }
        services
    }
}

fn failed(rpc: Rpc, error: ErrorCode, text: impl Into<String>) -> GrpcStatus {
    grpc::status(Failure::new(error, text).explained(Some(rpc.subject())))
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status as i32 }
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, GrpcStatus>> + Send>>;

struct Check(Health);

impl UnaryService<HealthCheckRequest> for Check {
    type Response = HealthCheckResponse;
    type Future = Answer<HealthCheckResponse>;

    fn call(&mut self, request: tonic::Request<HealthCheckRequest>) -> Self::Future {
        let health = self.0.clone();
        let service = request.into_inner().service;
        Box::pin(async move {
            match health.of(&service).await {
                Some(status) => Ok(tonic::Response::new(response(status))),
                None => {
                    let text = format!("there is no service {service:.200}");
                    Err(failed(Rpc::Check, ErrorCode::UnknownService, text))
                }
            }
        })
    }
}

struct List(Health);

impl UnaryService<HealthListRequest> for List {
    type Response = HealthListResponse;
    type Future = Answer<HealthListResponse>;

    fn call(&mut self, _: tonic::Request<HealthListRequest>) -> Self::Future {
        let health = self.0.clone();
        Box::pin(async move {
            let status = response(health.overall().await);
            let statuses = health.services().into_iter().map(|service| (service, status)).collect();
            Ok(tonic::Response::new(HealthListResponse { statuses }))
        })
    }
}

struct Watch(Health);

type Changes = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, GrpcStatus>> + Send>>;

impl ServerStreamingService<HealthCheckRequest> for Watch {
    type Response = HealthCheckResponse;
    type ResponseStream = Changes;
    type Future = std::future::Ready<Result<tonic::Response<Changes>, GrpcStatus>>;

    fn call(&mut self, request: tonic::Request<HealthCheckRequest>) -> Self::Future {
        let watcher = Watcher::new(self.0.clone(), request.into_inner().service);
        let changes = stream::unfold(watcher, Watcher::next);
        std::future::ready(Ok(tonic::Response::new(Box::pin(changes))))
    }
}

/// One client that wants to hear of changes.
struct Watcher {
    health: Health,
    service: String,
    /// What the client knows.
    told: Option<ServingStatus>,
    status: watch::Receiver<Status>,
    unreachable: watch::Receiver<Option<String>>,
    stopping: watch::Receiver<bool>,
    is_over: bool,
}

impl Watcher {
    fn new(health: Health, service: String) -> Self {
        let Management { status, unreachable, stopping, .. } = &*health.0;
        let (status, unreachable, stopping) = (status.clone(), unreachable.clone(), stopping.clone());
        Self { health, service, told: None, status, unreachable, stopping, is_over: false }
    }

    /// The next status that differs from the one before.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, GrpcStatus>, Self)> {
        if self.is_over {
            return None;
        }
        let mut is_stopping = false;
        loop {
            is_stopping |= *self.stopping.borrow_and_update();
            let now = self.now().await;
            if self.told != Some(now) {
                self.told = Some(now);
                return Some((Ok(response(now)), self));
            }
            if is_stopping {
                self.is_over = true;
                return Some((Err(failed(Rpc::Watch, ErrorCode::Stopping, "the proxy is stopping")), self));
            }
            // Whoever tells of changes is the first to go.
            is_stopping = self.changed().await.is_err();
        }
    }

    /// A service that is not known may become known with the next contract.
    async fn now(&self) -> ServingStatus {
        if !matches!(*self.status.borrow(), Status::Serving(_)) {
            return ServingStatus::NotServing;
        }
        self.health.of(&self.service).await.unwrap_or(ServingStatus::ServiceUnknown)
    }

    /// Waits until the status may be another one; an error means that nothing will change any more.
    async fn changed(&mut self) -> Result<(), watch::error::RecvError> {
        tokio::select! {
            changed = self.status.changed() => changed,
            changed = self.unreachable.changed() => changed,
            changed = self.stopping.changed() => changed,
            () = tokio::time::sleep(LOOK_AGAIN) => Ok(()),
        }
    }
}
