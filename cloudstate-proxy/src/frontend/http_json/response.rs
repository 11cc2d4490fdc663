//! From the reply of a call to an HTTP response.

use bytes::Bytes;
use cloudstate_proto::google::api::HttpBody;
use http::{HeaderValue, Response, StatusCode, header};
use prost::Message as _;

use super::{ResponseBody, http_rule::Binding, is_http_body, refusal::Refusal};
use crate::{
    error_code::ErrorCode,
    frontend::metadata,
    routing::Reply,
    schema::{Field, MessageType},
};

/// The response that carries `reply` to the client.
pub(super) fn from_reply(binding: &Binding, reply: Reply) -> Result<Response<ResponseBody>, Refusal> {
    let shown = Shown::of(binding);
    let mut response = match reply.payload {
        None => json_response("{}"),
        Some(payload) if shown == Shown::Raw => raw_response(payload)?,
        Some(payload) => json_response(shown.chunk(payload).map_err(invalid_reply)?),
    };
    metadata::add_to(response.headers_mut(), reply.metadata.unwrap_or_default());
    Ok(response)
}

/// What of a reply is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Its JSON.
    Json(MessageType),
    /// The JSON of one field.
    FieldJson(MessageType, Field),
    /// It is a `google.api.HttpBody`, which is the body itself.
    Raw,
}

impl Shown {
    pub(super) fn of(binding: &Binding) -> Self {
        let output = binding.output.clone();
        match &binding.response_body {
            Some(field) => Shown::FieldJson(output, field.clone()),
            None if is_http_body(&output) => Shown::Raw,
            None => Shown::Json(output),
        }
    }

    /// What the client gets of one message.
    ///
    /// # Errors
    ///
    /// The message cannot be shown: a sentence.
    pub(super) fn chunk(&self, payload: Bytes) -> Result<Bytes, String> {
        let (message, json) = match self {
            Shown::Raw => return decode_raw(payload).map(|body| body.data),
            Shown::Json(output) => {
                let message = decode(output, payload)?;
                (output, message.to_json())
            }
            Shown::FieldJson(output, field) => {
                let message = decode(output, payload)?;
                (output, message.field_to_json(field))
            }
        };
        json.map(Bytes::from).map_err(|error| {
            format!("The user function's reply of type {} has no JSON form: {error}.", message.full_name())
        })
    }
}

fn decode(output: &MessageType, payload: Bytes) -> Result<crate::schema::Message, String> {
    let name = output.full_name();
    output
        .decode(payload)
        .map_err(|error| format!("The user function's reply does not decode as {name}: {error}."))
}

pub(super) fn decode_raw(payload: Bytes) -> Result<HttpBody, String> {
    HttpBody::decode(payload).map_err(|error| {
        format!("The user function's reply does not decode as google.api.HttpBody: {error}.")
    })
}

fn json_response(json: impl Into<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(json.into().into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn raw_response(payload: Bytes) -> Result<Response<ResponseBody>, Refusal> {
    let body = decode_raw(payload).map_err(invalid_reply)?;
    let mut response = Response::new(body.data.into());
    if !body.content_type.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type(&body.content_type)?);
    }
    Ok(response)
}

pub(super) fn content_type(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| {
        invalid_reply(format!(
            "The user function's reply has a content type that no header can carry: {text:?}."
        ))
    })
}

fn invalid_reply(sentence: String) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::UnreadableReply, sentence)
}
