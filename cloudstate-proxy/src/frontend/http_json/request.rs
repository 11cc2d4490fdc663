//! From an HTTP request to the bytes of the request message.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt::Display,
    pin::{Pin, pin},
};

use bytes::{Bytes, BytesMut};
use cloudstate_proto::google::api::HttpBody;
use http::{HeaderMap, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use prost::Message as _;

use super::{
    http_rule::{Binding, BodyRule},
    is_http_body,
    refusal::Refusal,
};
use crate::{
    error_code::ErrorCode,
    frontend::due::{BodyError, Stalled},
    schema::{InvalidJson, Message, MessageType},
};

/// The encoded request message.
pub(super) async fn payload<B>(
    binding: &Binding,
    uri: &Uri,
    headers: &HeaderMap,
    body: B,
    max_request_size: usize,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BodyError>,
{
    let mut message = match &binding.body {
        BodyRule::Nothing => binding.input.empty(),
        BodyRule::Message if is_http_body(&binding.input) => {
            raw(&binding.input, headers, read(headers, body, max_request_size).await?)?
        }
        BodyRule::Field(field, inner) if is_http_body(inner) => {
            let mut message = binding.input.empty();
            let body = read(headers, body, max_request_size).await?;
            message.set_message(field, raw(inner, headers, body)?);
            message
        }
        _ => {
            check_content_type(headers)?;
            from_body(binding, &read(headers, body, max_request_size).await?)?
        }
    };
    if binding.body != BodyRule::Message {
        set_from_query(&mut message, binding, uri.query().unwrap_or_default())?;
    }
    set_from_path(&mut message, binding, uri.path())?;
    Ok(message.encode())
}

/// Browsers send forms and plain text across origins without asking; JSON they ask for. So a request that could be
/// a form must not pass for JSON.
fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    for value in headers.get_all(header::CONTENT_TYPE) {
        let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        if !media_type.trim_ascii().eq_ignore_ascii_case(b"application/json") {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorCode::UnsupportedMediaType,
                format!(
                    "The header `content-type: {:.100}` is not accepted here.",
                    String::from_utf8_lossy(value.as_bytes())
                ),
            ));
        }
    }
    Ok(())
}

/// What is read and thrown away of a body that is too large. Most clients look for an answer only when they have
/// sent their request; one that sends even more than this is cut off and sees a broken connection.
const DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// Reads a body, but not more of it than is allowed.
async fn read<B>(headers: &HeaderMap, body: B, max_size: usize) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BodyError>,
{
    let too_large = || {
        let sentence =
            format!("The request body is larger than {max_size} bytes, the most that is accepted.");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::RequestTooLarge, sentence)
    };
    let mut body = pin!(body);
    let declared = body.size_hint().lower();
    if declared > max_size as u64 {
        // A client that asked before it sends is answered before it sends, and so is one that cannot be waited for.
        if !headers.contains_key(header::EXPECT) && declared <= DISCARDED_BYTES as u64 {
            discard(body).await;
        }
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > max_size {
            discard(body).await;
            return Err(too_large());
        }
        // Most bodies come in one piece, which then need not be copied.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn broken(error: &BodyError) -> Refusal {
    match error.downcast_ref() {
        Some(stalled @ Stalled) => {
            Refusal::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::RequestStalled, stalled.to_string())
        }
        None => Refusal::bad_request("The request body broke off before its end."),
    }
}

async fn discard<B: Body<Data = Bytes>>(mut body: Pin<&mut B>) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await {
        discarded += frame.data_ref().map_or(0, Bytes::len);
        if discarded > DISCARDED_BYTES {
            return;
        }
    }
}

fn from_body(binding: &Binding, body: &[u8]) -> Result<Message, Refusal> {
    match &binding.body {
        _ if body.is_empty() => Ok(binding.input.empty()),
        BodyRule::Field(field, inner) => {
            let mut message = binding.input.empty();
            message.set_message(field, inner.from_json(body).map_err(invalid_json)?);
            Ok(message)
        }
        _ => binding.input.from_json(body).map_err(invalid_json),
    }
}

/// The body itself, with its content type.
fn raw(http_body: &MessageType, headers: &HeaderMap, data: Bytes) -> Result<Message, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let content_type = String::from_utf8_lossy(content_type).into_owned();
    let body = HttpBody { content_type, data, ..HttpBody::default() };
    // Fails only if the contract has an idea of its own of google.api.HttpBody.
    http_body.decode(body.encode_to_vec().into()).map_err(|error| {
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::InvalidRequest,
            format!("The request has no place for a body: {error}."),
        )
    })
}

fn invalid_json(error: InvalidJson) -> Refusal {
    Refusal::bad_request(format!("The request body is not the JSON that is expected: {error}."))
}

fn set_from_query(message: &mut Message, binding: &Binding, query: &str) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = decode_form(name).unwrap_or(name.into());
        let about = |reason: &dyn Display| {
            Refusal::bad_request(format!("The query parameter `{name:.100}` {reason}."))
        };
        let value = decode_form(value).ok_or_else(|| about(&"is not valid UTF-8"))?;
        let path =
            binding.input.field_path(&name).map_err(|error| about(&format_args!("is unknown: {error}")))?;
        if binding.body.decides(&path) {
            return Err(about(&"belongs into the request body"));
        }
        let set = if path.leaf().is_list() {
            message.push_text(&path, &value)
        } else if seen.insert(path.to_string()) {
            message.set_text(&path, &value)
        } else {
            return Err(about(&"is given more than once, but takes one value"));
        };
        set.map_err(|error| about(&error))?;
    }
    Ok(())
}

fn set_from_path(message: &mut Message, binding: &Binding, path: &str) -> Result<(), Refusal> {
    let captures = binding.template.captures(path);
    for (field, captured) in binding.variables.iter().zip(captures) {
        let text = percent_decode_str(captured)
            .decode_utf8()
            .map_err(|_| Refusal::bad_request(format!("The path has no valid UTF-8 for `{field}`.")))?;
        message.set_text(field, &text).map_err(|error| {
            Refusal::bad_request(format!("The path has no valid value for `{field}`, which {error}."))
        })?;
    }
    Ok(())
}

/// Decodes as forms are encoded: a `+` is a blank. None: not UTF-8.
fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let text = text.replace('+', " ");
        return Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned().into());
    }
    percent_decode_str(text).decode_utf8().ok()
}
