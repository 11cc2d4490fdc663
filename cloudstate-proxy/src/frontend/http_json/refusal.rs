//! What a client is told when its request is not carried out, or its reply cannot be shown.

use http::{HeaderValue, Method, Response, StatusCode, header};

use super::ResponseBody;
use crate::{
    error_code::{ERROR_HEADER, ErrorCode},
    routing::Failure,
};

/// A status and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) sentence: String,
    /// What the proxy itself found.
    pub(super) error: Option<ErrorCode>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: ErrorCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into(), error: Some(error) }
    }

    pub(super) fn bad_request(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, sentence)
    }

    pub(super) fn into_response(self) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::from(self.sentence));
        *response.status_mut() = self.status;
        let text = HeaderValue::from_static("text/plain; charset=UTF-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        if let Some(error) = self.error {
            response.headers_mut().insert(ERROR_HEADER, error.header());
        }
        response
    }
}

/// Toward clients a failure is its description and nothing else, as the reference proxy has it.
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = failure.code.and_then(|code| StatusCode::from_u16(code.http_status()).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, sentence: failure.description, error: failure.error }
    }
}

/// The value of the `allow` header for a path that has routes of these methods.
pub(super) fn allow(methods: &[Method]) -> HeaderValue {
    let mut allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if methods.contains(&Method::GET) {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    HeaderValue::from_str(&allowed.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}
