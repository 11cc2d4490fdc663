//! Between HTTP headers and the metadata of the protocol.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use cloudstate_proto::{Metadata, MetadataEntry, metadata_entry::Value};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{service_catalog::Method, telemetry::trace_context::is_of_trace_context};

/// What the name of a header ends with whose value is bytes, in base64.
const BINARY: &str = "-bin";
/// Binary headers are written without padding and read with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a client's headers say to whoever carries out a call of `method`: to an entity they tell the trace alone.
pub(super) fn of_call(method: &Method, headers: &HeaderMap) -> Metadata {
    if method.service.kind.is_entity() {
        from_headers(headers, |name| is_of_trace_context(name.as_str()))
    } else {
        from_headers(headers, |name| !is_of_the_way(name))
    }
}

/// A header that is neither text nor binary is left out.
fn from_headers(headers: &HeaderMap, is_wanted: impl Fn(&HeaderName) -> bool) -> Metadata {
    let mut entries = Vec::new();
    for (name, value) in headers {
        if !is_wanted(name) {
            continue;
        }
        let Ok(text) = std::str::from_utf8(value.as_bytes()) else { continue };
        let mut add = |value| {
            let value = Some(value);
            entries.push(MetadataEntry { key: name.as_str().to_owned(), value });
        };
        if name.as_str().ends_with(BINARY) {
            // One header may carry several values.
            let values = text.split(',').filter_map(|value| BASE64.decode(value.trim()).ok());
            values.for_each(|value| add(Value::BytesValue(value.into())));
        } else {
            add(Value::StringValue(text.to_owned()));
        }
    }
    Metadata { entries }
}

/// Adds the metadata of a reply, as far as headers can carry it and the response does not depend on them.
pub(super) fn add_to(headers: &mut HeaderMap, metadata: Metadata) {
    for MetadataEntry { key, value } in metadata.entries {
        let Ok(name) = HeaderName::try_from(key) else { continue };
        if is_of_the_way(&name) {
            continue;
        }
        let value = value.and_then(|value| header_value(&name, value));
        if let Some(value) = value {
            // Refuses only when there are more headers than any client accepts.
            let _ = headers.try_append(name, value);
        }
    }
}

fn header_value(name: &HeaderName, value: Value) -> Option<HeaderValue> {
    let is_binary = name.as_str().ends_with(BINARY);
    match value {
        // Whoever writes text under such a name has encoded it already.
        Value::StringValue(text) if is_binary => BASE64.decode(&text).ok().and_then(encoded),
        Value::StringValue(text) => HeaderValue::try_from(text).ok(),
        Value::BytesValue(bytes) if is_binary => encoded(bytes),
        Value::BytesValue(_) => None,
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(Bytes::from(BASE64.encode(bytes))).ok()
}

/// Headers that say how this very message travels, and not what it is about.
fn is_of_the_way(name: &HeaderName) -> bool {
    const OF_THE_WAY: [HeaderName; 10] = [
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
    OF_THE_WAY.contains(name) || name == "proxy-connection" || name.as_str().starts_with("grpc-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    fn text(key: &str, value: &str) -> MetadataEntry {
        MetadataEntry { key: key.to_owned(), value: Some(Value::StringValue(value.to_owned())) }
    }

    fn bytes(key: &str, value: &'static [u8]) -> MetadataEntry {
        MetadataEntry { key: key.to_owned(), value: Some(Value::BytesValue(Bytes::from_static(value))) }
    }

    #[test]
    fn headers_become_metadata_but_for_those_of_the_connection() {
        let headers = headers(&[
            ("content-type", "application/grpc"),
            ("content-length", "7"),
            ("te", "trailers"),
            ("connection", "close"),
            ("grpc-timeout", "1S"),
            ("grpc-accept-encoding", "gzip"),
            ("user-agent", "test"),
            ("authorization", "Bearer x"),
            ("ce-id", "1"),
            ("x-many", "a"),
            ("x-many", "b"),
            ("x-text", "grüße"),
            ("x-raw-bin", "AQI"),
            ("x-padded-bin", "AQI=,AwQ="),
            ("x-broken-bin", "!"),
        ]);
        let mut entries = from_headers(&headers, |name| !is_of_the_way(name)).entries;
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let expected = [
            text("authorization", "Bearer x"),
            text("ce-id", "1"),
            text("user-agent", "test"),
            text("x-many", "a"),
            text("x-many", "b"),
            bytes("x-padded-bin", &[1, 2]),
            bytes("x-padded-bin", &[3, 4]),
            bytes("x-raw-bin", &[1, 2]),
            text("x-text", "grüße"),
        ];
        assert_eq!(entries, expected);
    }

    #[test]
    fn metadata_becomes_headers_as_far_as_it_can() {
        let entries = vec![
            text("X-Kept", "1"),
            text("x-kept", "2"),
            text("grpc-status", "0"),
            text("Content-Type", "text/html"),
            text("no header", ""),
            text("x-line-break", "a\nb"),
            bytes("x-raw-bin", &[1, 2]),
            text("x-text-bin", "AQI="),
            text("x-text-no-base64-bin", "!"),
            bytes("x-bytes-without-the-name", &[1]),
        ];
        let mut found = HeaderMap::new();
        add_to(&mut found, Metadata { entries });
        let expected = [("x-kept", "1"), ("x-kept", "2"), ("x-raw-bin", "AQI"), ("x-text-bin", "AQI")];
        assert_eq!(found, headers(&expected));
    }
}
