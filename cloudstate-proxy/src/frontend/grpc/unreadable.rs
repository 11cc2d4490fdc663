//! Requests of which the gRPC library can make no message: too large, cut off, compressed as nobody knows.
//!
//! It has statuses of its own for them, which are explained here like all others.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use tonic::{Code as GrpcCode, Status, body::Body};

use super::status;
use crate::{
    error_code::{ERROR_HEADER, ErrorCode},
    frontend::{
        due::{BodyError, Stalled},
        grpc_web::InvalidBase64,
    },
    routing::{Failure, Subject},
};

/// `request` as tonic is to read it. A reset with CANCEL would be to tonic the end of the requests, which would tell a
/// streamed action that its client has said all that it had to say; as a status it is an error like any other.
pub(in crate::frontend) fn readable<B>(
    request: Request<B>,
) -> Request<impl HttpBody<Data = Bytes, Error = Status> + Send + 'static>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    request.map(|body| body.map_err(|error| broken(&error.into())))
}

fn broken(error: &BodyError) -> Status {
    let code = if error.is::<Stalled>() {
        GrpcCode::DeadlineExceeded
    } else if error.is::<InvalidBase64>() {
        GrpcCode::Internal
    } else {
        GrpcCode::Unknown
    };
    Status::new(code, error.to_string())
}

/// What `status` means, which is that of tonic or of [`readable`].
pub(in crate::frontend) fn failure(status: &Status) -> Failure {
    let error = match status.code() {
        // As it came, or decompressed.
        GrpcCode::OutOfRange | GrpcCode::ResourceExhausted => ErrorCode::RequestTooLarge,
        GrpcCode::Unimplemented => ErrorCode::UnknownCompression,
        GrpcCode::DeadlineExceeded => ErrorCode::RequestStalled,
        GrpcCode::Unknown => ErrorCode::ClientGone,
        _ => ErrorCode::MalformedRequest,
    };
    Failure::new(error, status.message())
}

/// Explains the response to a request that came to no call, if it is no explanation already.
pub(in crate::frontend) fn explain(response: &mut Response<Body>, subject: Subject<'_>) {
    let headers = response.headers();
    let refused = Some(headers).filter(|headers| !headers.contains_key(ERROR_HEADER));
    let refused = refused.and_then(Status::from_header_map).filter(|status| status.code() != GrpcCode::Ok);
    if let Some(refused) = refused {
        let failure = failure(&refused).explained(Some(subject));
        tracing::debug!(error = failure.error.map(ErrorCode::as_str), "a request was refused: {failure}");
        // Status and message replace those that are there; what else was said stays. Both fit into headers.
        let _ = status(failure).add_header(response.headers_mut());
    }
}
