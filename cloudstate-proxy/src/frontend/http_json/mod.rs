//! HTTP/JSON by `google.api.http`: every rpc as a plain HTTP request.
//!
//! [`HttpJson`] is made of the rules of a service catalogue, which it validates. For a request, `route_table` finds
//! the rule, `request` builds the request message from path, query and body, the call is carried out behind
//! [`Calls`], and `response` or `streamed_response` shows what it replied. Whatever goes wrong is a `Refusal`: a status
//! and a sentence.

mod http_rule;
mod openapi;
mod path_template;
mod refusal;
mod request;
mod response;
mod response_body;
mod route_table;
mod sample;
mod streamed_response;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;

pub use http_rule::InvalidHttpRule;
pub use response_body::{BrokenOff, ResponseBody};

use super::{due::BodyError, metadata};
use crate::{
    error_code::ErrorCode,
    routing::{Call, Calls, Requests},
    schema::MessageType,
    service_catalog::ServiceCatalog,
    telemetry::FailedCalls,
};
use http_rule::Binding;
use refusal::Refusal;
use route_table::{Found, RouteTable, Verb};

/// Serves the rpcs of a user function as HTTP with JSON.
#[derive(Debug)]
pub struct HttpJson {
    bindings: Vec<Binding>,
    table: RouteTable,
    routes: Vec<Route>,
    warnings: Vec<String>,
    failed_calls: FailedCalls,
}

/// One HTTP route, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `POST`, for example, or `*` for any.
    pub verb: String,
    /// The path template, for example `/cart/{user_id}/items/add`.
    pub template: String,
    /// The rpc behind it, for example `com.example.shoppingcart.ShoppingCart/AddItem`.
    pub rpc: String,
    /// A path that fits the template, for example `/cart/u1/items/add`.
    pub sample_path: String,
    /// JSON with the fields that the body carries; none if the route takes no body.
    pub sample_body: Option<String>,
}

impl HttpJson {
    /// Validates all rules and builds the route table. An rpc without a rule gets the route
    /// `POST /<package.Service>/<Rpc>` with the whole message as its body.
    ///
    /// # Errors
    ///
    /// The first rule that cannot be served: service, rpc, rule and what is wrong with it.
    pub fn new(catalog: &Arc<ServiceCatalog>) -> Result<Self, InvalidHttpRule> {
        let mut bindings = Vec::new();
        for method in catalog.methods() {
            bindings.extend(http_rule::bindings_of(method, catalog.schema())?);
        }
        let mut table = RouteTable::default();
        let routes: Vec<Route> = bindings.iter().map(Route::of).collect();
        let mut warnings = Vec::new();
        for (index, binding) in bindings.iter().enumerate() {
            if let Some(replaced) = table.insert(binding.verb.clone(), &binding.template, index) {
                warnings.push(routes[index].replaces(&routes[replaced]));
            }
        }
        Ok(Self { bindings, table, routes, warnings, failed_calls: FailedCalls::default() })
    }

    /// All routes, in the order of declaration.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// What is served but should be mended.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether the path belongs to a route, be it with another method.
    pub fn has_route(&self, method: &Method, path: &str) -> bool {
        self.table.find(method, path) != Found::Nothing
    }

    /// Serves one request. The replies of a streaming rpc are made as the response's body is read, and end with it. A
    /// body of more than `max_request_size` bytes is refused as soon as it is seen to be larger.
    pub async fn serve<B>(
        &self,
        request: Request<B>,
        calls: &dyn Calls,
        max_request_size: usize,
    ) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BodyError>,
    {
        let is_head = request.method() == Method::HEAD;
        let response = match self.table.find(request.method(), request.uri().path()) {
            Found::Route(index) => {
                let binding = &self.bindings[index];
                self.serve_route(binding, request, calls, max_request_size).await
            }
            Found::OtherMethods(methods) => other_methods(request.method(), &methods),
            Found::Nothing => {
                let sentence = format!("There is no route for {:.200}.", request.uri().path());
                Refusal::new(StatusCode::NOT_FOUND, ErrorCode::NotServed, sentence).into_response()
            }
        };
        if is_head { without_body(response) } else { response }
    }

    async fn serve_route<B>(
        &self,
        binding: &Binding,
        request: Request<B>,
        calls: &dyn Calls,
        max_request_size: usize,
    ) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BodyError>,
    {
        let (head, body) = request.into_parts();
        let payload = request::payload(binding, &head.uri, &head.headers, body, max_request_size).await;
        let payload = match payload {
            Ok(payload) => payload,
            Err(refusal) => return self.refuse(refusal, binding, None),
        };
        let response = carry_out(binding, &head.headers, payload.clone(), calls).await;
        response.unwrap_or_else(|refusal| self.refuse(refusal, binding, Some(&payload)))
    }

    /// What is answered instead of a reply, and, unless routing has done that, logged.
    fn refuse(
        &self,
        refusal: Refusal,
        Binding { method, .. }: &Binding,
        payload: Option<&Bytes>,
    ) -> Response<ResponseBody> {
        let entity_id = payload.and_then(|payload| method.entity_id(payload));
        refusal.about(method, entity_id, &self.failed_calls).into_response()
    }
}

impl Route {
    fn of(binding: &Binding) -> Self {
        Self {
            verb: match &binding.verb {
                Verb::One(method) => method.to_string(),
                Verb::Any => "*".to_owned(),
            },
            template: binding.path.clone(),
            rpc: format!("{}/{}", binding.method.service.name, binding.method.name),
            sample_path: sample::path(binding),
            sample_body: sample::body(binding),
        }
    }

    fn replaces(&self, replaced: &Route) -> String {
        format!(
            "The route `{} {}` of {} is never used: the later `{} {}` of {} matches the same requests",
            replaced.verb, replaced.template, replaced.rpc, self.verb, self.template, self.rpc
        )
    }
}

async fn carry_out(
    binding: &Binding,
    headers: &HeaderMap,
    request: Bytes,
    calls: &dyn Calls,
) -> Result<Response<ResponseBody>, Refusal> {
    let requests = match binding.method.client_streaming {
        // A stream of one.
        true => Requests::Many(stream::iter([Ok(request)]).boxed()),
        false => Requests::One(request),
    };
    let metadata = metadata::of_call(&binding.method, headers);
    let call = Call { method: Arc::clone(&binding.method), requests, metadata };
    match binding.method.server_streaming {
        true => streamed_response::from_replies(binding, headers, calls.call_streamed(call)).await,
        false => response::from_reply(binding, calls.call(call).await?),
    }
}

/// Bytes with a content type: an HTTP body that is not JSON.
fn is_http_body(message: &MessageType) -> bool {
    message.full_name() == "google.api.HttpBody"
}

/// The path is known, but not with this method.
fn other_methods(method: &Method, known: &[Method]) -> Response<ResponseBody> {
    let allow = refusal::allow(known);
    let mut response = if method == Method::OPTIONS {
        let mut response = Response::new(ResponseBody::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        let sentence =
            format!("{method} is not possible here, only {}.", String::from_utf8_lossy(allow.as_bytes()));
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::NotServed, sentence).into_response()
    };
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

/// What HEAD is answered: the headers of the full response.
fn without_body(response: Response<ResponseBody>) -> Response<ResponseBody> {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(head, ResponseBody::default())
}
