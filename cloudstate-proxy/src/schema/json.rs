//! The proto3 JSON mapping, in and out.

use std::{borrow::Cow, io};

use base64::{display::Base64Display, prelude::BASE64_STANDARD};
use bytes::Bytes;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_path_to_error::Segment;

use super::text::wrapped_field;

/// How deep messages may be nested. Decoders have such a limit themselves, but it begins anew in each
/// `google.protobuf.Any`.
const MAX_DEPTH: u32 = 100;
/// How long the JSON of a message may be, in bytes; our choice. Defaults are printed, so that a message of two bytes may
/// have thousands.
const MAX_PRINTED: usize = 64 * 1024 * 1024;

/// Why JSON is no message of the expected type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidJson {
    reason: String,
}

/// Why a message has no JSON form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unprintable {
    reason: String,
}

pub(super) fn parse(descriptor: &MessageDescriptor, json: &[u8]) -> Result<DynamicMessage, InvalidJson> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let message = DynamicMessage::deserialize(descriptor.clone(), &mut deserializer)
        .map_err(|error| InvalidJson { reason: format!("{}{error}", place_of_error(descriptor, json)) })?;
    match deserializer.end() {
        Ok(()) => Ok(message),
        Err(error) => {
            Err(InvalidJson { reason: format!("a request has one message, and after it come {error}") })
        }
    }
}

/// Reads once more, which only errors pay for, to learn at which field the error is.
fn place_of_error(descriptor: &MessageDescriptor, json: &[u8]) -> String {
    let mut track = serde_path_to_error::Track::new();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let result = DynamicMessage::deserialize(descriptor.clone(), tracked);
    let path = track.path();
    let is_known = path.iter().len() > 0 && !path.iter().any(|segment| matches!(segment, Segment::Unknown));
    if result.is_err() && is_known { format!("at `{path}`: ") } else { String::new() }
}

pub(super) fn print(message: &DynamicMessage) -> Result<Vec<u8>, Unprintable> {
    print_value(&MessageJson { message, depth: 0 })
}

pub(super) fn print_field(message: &DynamicMessage, field: &FieldDescriptor) -> Result<Vec<u8>, Unprintable> {
    if field.supports_presence() && !message.has_field(field) {
        return Ok(b"null".to_vec());
    }
    let value = message.get_field(field);
    print_value(&ValueJson { value: &value, kind: &field.kind(), depth: 0 })
}

fn print_value(value: &impl Serialize) -> Result<Vec<u8>, Unprintable> {
    // Room for most replies.
    let mut printed = Printed(Vec::with_capacity(128));
    serde_json::to_writer(&mut printed, value).map_err(|error| Unprintable { reason: error.to_string() })?;
    Ok(printed.0)
}

/// No more than [`MAX_PRINTED`].
struct Printed(Vec<u8>);

impl io::Write for Printed {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.0.len() + more.len() > MAX_PRINTED {
            return Err(io::Error::other(format!("it takes more than {MAX_PRINTED} bytes")));
        }
        self.0.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A message as JSON, inside `depth` others.
struct MessageJson<'a> {
    message: &'a DynamicMessage,
    depth: u32,
}

struct ValueJson<'a> {
    value: &'a Value,
    kind: &'a Kind,
    depth: u32,
}

impl Serialize for MessageJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.depth > MAX_DEPTH {
            return Err(S::Error::custom(format_args!("its messages are nested more than {MAX_DEPTH} deep")));
        }
        let descriptor = self.message.descriptor();
        let name = descriptor.full_name();
        if name == "google.protobuf.Any" {
            return self.serialize_any(serializer);
        }
        if let Some(field) = wrapped_field(name, &descriptor) {
            let value = self.message.get_field(&field);
            return ValueJson { value: &value, kind: &field.kind(), depth: self.depth }.serialize(serializer);
        }
        if has_own_json(name) {
            return self.message.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        self.serialize_fields(&mut map)?;
        map.end()
    }
}

impl MessageJson<'_> {
    fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for field in self.message.descriptor().fields() {
            if field.supports_presence() && !self.message.has_field(&field) {
                continue;
            }
            let value = self.message.get_field(&field);
            let value = ValueJson { value: &value, kind: &field.kind(), depth: self.depth };
            map.serialize_entry(field.json_name(), &value)?;
        }
        for (extension, value) in self.message.extensions() {
            let value = ValueJson { value, kind: &extension.kind(), depth: self.depth };
            map.serialize_entry(extension.json_name(), &value)?;
        }
        Ok(())
    }

    /// `{"@type": …}` with the fields of the message inside, or with its JSON as `value` if that is no object of
    /// fields.
    fn serialize_any<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (type_url, bytes) = self.type_url_and_bytes().map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(None)?;
        if type_url.is_empty() && bytes.is_empty() {
            return map.end();
        }
        let inner = self.decode(&type_url, bytes).map_err(S::Error::custom)?;
        let inner_json = MessageJson { message: &inner, depth: self.depth + 1 };
        map.serialize_entry("@type", &type_url)?;
        if is_object_of_fields(&inner.descriptor()) {
            inner_json.serialize_fields(&mut map)?;
        } else {
            map.serialize_entry("value", &inner_json)?;
        }
        map.end()
    }

    fn type_url_and_bytes(&self) -> Result<(String, Bytes), &'static str> {
        let type_url = self.message.get_field_by_name("type_url");
        let value = self.message.get_field_by_name("value");
        match (type_url.as_deref(), value.as_deref()) {
            (Some(Value::String(type_url)), Some(Value::Bytes(value))) => {
                Ok((type_url.clone(), value.clone()))
            }
            _ => Err("the descriptor set has its own idea of google.protobuf.Any"),
        }
    }

    fn decode(&self, type_url: &str, bytes: Bytes) -> Result<DynamicMessage, String> {
        let name = type_url.rsplit('/').next().unwrap_or_default();
        let descriptor =
            self.message.descriptor().parent_pool().get_message_by_name(name).ok_or_else(|| {
                format!("a google.protobuf.Any holds `{type_url}`, which is not in the descriptor set")
            })?;
        DynamicMessage::decode(descriptor, bytes)
            .map_err(|error| format!("a google.protobuf.Any does not decode as `{type_url}`: {error}"))
    }
}

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.kind) {
            (Value::Message(message), _) => {
                MessageJson { message, depth: self.depth + 1 }.serialize(serializer)
            }
            (Value::List(values), kind) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&ValueJson { value, kind, depth: self.depth })?;
                }
                list.end()
            }
            (Value::Map(entries), Kind::Message(entry)) => {
                // Maps have no order; a fixed one makes equal replies equal bytes.
                let mut entries: Vec<(&MapKey, &Value)> = entries.iter().collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                let kind = entry.map_entry_value_field().kind();
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(
                        &key_text(key),
                        &ValueJson { value, kind: &kind, depth: self.depth },
                    )?;
                }
                map.end()
            }
            (Value::EnumNumber(number), Kind::Enum(descriptor)) => {
                if descriptor.full_name() == "google.protobuf.NullValue" {
                    return serializer.serialize_unit();
                }
                match descriptor.get_value(*number) {
                    Some(value) => serializer.serialize_str(value.name()),
                    None => serializer.serialize_i32(*number),
                }
            }
            (Value::Bool(value), _) => serializer.serialize_bool(*value),
            (Value::I32(value), _) => serializer.serialize_i32(*value),
            (Value::U32(value), _) => serializer.serialize_u32(*value),
            (Value::I64(value), _) => serializer.collect_str(value),
            (Value::U64(value), _) => serializer.collect_str(value),
            (Value::F32(value), _) if value.is_finite() => serializer.serialize_f32(*value),
            (Value::F64(value), _) if value.is_finite() => serializer.serialize_f64(*value),
            (Value::F32(value), _) => serializer.serialize_str(not_finite(f64::from(*value))),
            (Value::F64(value), _) => serializer.serialize_str(not_finite(*value)),
            (Value::String(value), _) => serializer.serialize_str(value),
            (Value::Bytes(value), _) => serializer.collect_str(&Base64Display::new(value, &BASE64_STANDARD)),
            (value, kind) => Err(S::Error::custom(format_args!("{value:?} is not of type {kind:?}"))),
        }
    }
}

/// The well-known types whose JSON the library knows best.
fn has_own_json(name: &str) -> bool {
    matches!(
        name,
        "google.protobuf.Duration"
            | "google.protobuf.Empty"
            | "google.protobuf.FieldMask"
            | "google.protobuf.ListValue"
            | "google.protobuf.Struct"
            | "google.protobuf.Timestamp"
            | "google.protobuf.Value"
    )
}

fn is_object_of_fields(descriptor: &MessageDescriptor) -> bool {
    let name = descriptor.full_name();
    name != "google.protobuf.Any" && !has_own_json(name) && wrapped_field(name, descriptor).is_none()
}

fn key_text(key: &MapKey) -> Cow<'_, str> {
    match key {
        MapKey::Bool(key) => key.to_string().into(),
        MapKey::I32(key) => key.to_string().into(),
        MapKey::I64(key) => key.to_string().into(),
        MapKey::U32(key) => key.to_string().into(),
        MapKey::U64(key) => key.to_string().into(),
        MapKey::String(key) => key.into(),
    }
}

fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
