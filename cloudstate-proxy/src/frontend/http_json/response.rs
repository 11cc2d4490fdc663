//! From the reply of a call to an HTTP response.

use bytes::Bytes;
use cloudstate_proto::{Metadata, google::api::HttpBody, metadata_entry};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use prost::Message as _;

use super::{http_rule::Binding, refusal::Refusal};
use crate::routing::Reply;

/// The response that carries `reply` to the client.
pub(super) fn from_reply(binding: &Binding, reply: Reply) -> Result<Response<Full<Bytes>>, Refusal> {
    let mut response = match reply.payload {
        None => json_response(Bytes::from_static(b"{}")),
        Some(payload) if is_raw(binding) => raw_response(payload)?,
        Some(payload) => json_response(json(binding, payload)?.into()),
    };
    add_headers(response.headers_mut(), reply.metadata.unwrap_or_default());
    Ok(response)
}

fn is_raw(binding: &Binding) -> bool {
    binding.response_body.is_none() && binding.output.full_name() == "google.api.HttpBody"
}

fn json(binding: &Binding, payload: Bytes) -> Result<Vec<u8>, Refusal> {
    let type_name = binding.output.full_name();
    let message = binding.output.decode(payload).map_err(|error| {
        invalid_reply(format!("The user function's reply does not decode as {type_name}: {error}."))
    })?;
    let json = match &binding.response_body {
        None => message.to_json(),
        Some(field) => message.field_to_json(field),
    };
    json.map_err(|error| {
        invalid_reply(format!("The user function's reply of type {type_name} has no JSON form: {error}."))
    })
}

fn json_response(json: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(json));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `google.api.HttpBody` is the body itself.
fn raw_response(payload: Bytes) -> Result<Response<Full<Bytes>>, Refusal> {
    let body = HttpBody::decode(payload).map_err(|error| {
        invalid_reply(format!("The user function's reply does not decode as google.api.HttpBody: {error}."))
    })?;
    let mut response = Response::new(Full::from(body.data));
    if !body.content_type.is_empty() {
        let content_type = HeaderValue::from_str(&body.content_type).map_err(|_| {
            invalid_reply(format!(
                "The user function's reply has a content type that no header can carry: {:?}.",
                body.content_type
            ))
        })?;
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    Ok(response)
}

fn invalid_reply(sentence: String) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, sentence)
}

/// Textual metadata becomes headers, as far as headers can carry it and the connection does not depend on them.
fn add_headers(headers: &mut HeaderMap, metadata: Metadata) {
    for entry in metadata.entries {
        let Some(metadata_entry::Value::StringValue(value)) = entry.value else { continue };
        let (Ok(name), Ok(value)) = (HeaderName::try_from(entry.key), HeaderValue::try_from(value)) else {
            continue;
        };
        if !is_ours(&name) {
            // Refuses only when there are more headers than any client accepts.
            let _ = headers.try_append(name, value);
        }
    }
}

/// Headers that say how this very response travels.
fn is_ours(name: &HeaderName) -> bool {
    const OURS: [HeaderName; 10] = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
    ];
    OURS.contains(name) || name == "proxy-connection"
}
