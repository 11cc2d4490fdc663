//! What a client is told when its request is not carried out, or its reply cannot be shown.

use std::sync::Arc;

use http::{HeaderValue, Response, StatusCode, header};

use super::ResponseBody;
use crate::{
    error_code::{ERROR_HEADER, ErrorCode},
    routing::{Broken, Failure},
    service_catalog::Method,
    telemetry::{FailedCalls, trace_context::TraceContext},
};

/// A status and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    failure: Failure,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: ErrorCode, sentence: impl Into<String>) -> Self {
        Self { status, failure: Failure::new(error, sentence) }
    }

    pub(super) fn bad_request(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, sentence)
    }

    /// The same with a sentence that says what it is about; logs it, unless it came with such a sentence from where it
    /// was logged.
    pub(super) fn about(
        self,
        method: &Arc<Method>,
        entity_id: Option<String>,
        failed_calls: &FailedCalls,
    ) -> Self {
        if self.failure.is_complete() {
            return self;
        }
        let entity_id = entity_id.map(Arc::from);
        let context = TraceContext::default();
        let call = Broken { failure: self.failure, method: Arc::clone(method), entity_id, context };
        failed_calls.log(&call);
        Self { failure: call.into_failure(), ..self }
    }

    pub(super) fn into_response(self) -> Response<ResponseBody> {
        let Failure { description, error, .. } = self.failure.explained(None);
        let mut response = Response::new(ResponseBody::from(description));
        *response.status_mut() = self.status;
        let text = HeaderValue::from_static("text/plain; charset=UTF-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        if let Some(error) = error {
            response.headers_mut().insert(ERROR_HEADER, error.header());
        }
        response
    }
}

/// Toward clients what the user function refused is its description and nothing else, as the reference proxy has it.
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = failure.code.and_then(|code| StatusCode::from_u16(code.http_status()).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, failure }
    }
}

/// The value of the `allow` header for a path that has routes of these methods.
pub(super) fn allow(methods: &[http::Method]) -> HeaderValue {
    let mut allowed: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
    if methods.contains(&http::Method::GET) {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    HeaderValue::from_str(&allowed.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}
