//! The proto3 JSON mapping, in and out.

use std::{borrow::Cow, cell::Cell};

use base64::{display::Base64Display, prelude::BASE64_STANDARD};
use bytes::Bytes;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::text::wrapped_field;

/// How many `google.protobuf.Any` may stand inside each other. Each is decoded anew, so that no decoder's own limit
/// protects the stack.
const MAX_NESTED_ANY: u32 = 16;

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
    DynamicMessage::deserialize(descriptor.clone(), &mut deserializer)
        .and_then(|message| deserializer.end().map(|()| message))
        .map_err(|error| InvalidJson { reason: error.to_string() })
}

pub(super) fn print(message: &DynamicMessage) -> Result<Vec<u8>, Unprintable> {
    print_value(&MessageJson { message, nested_any: &Cell::new(0) })
}

pub(super) fn print_field(message: &DynamicMessage, field: &FieldDescriptor) -> Result<Vec<u8>, Unprintable> {
    if field.supports_presence() && !message.has_field(field) {
        return Ok(b"null".to_vec());
    }
    let value = message.get_field(field);
    print_value(&ValueJson { value: &value, kind: &field.kind(), nested_any: &Cell::new(0) })
}

fn print_value(value: &impl Serialize) -> Result<Vec<u8>, Unprintable> {
    serde_json::to_vec(value).map_err(|error| Unprintable { reason: error.to_string() })
}

/// A message as JSON. `nested_any` counts the `Any`s around it.
struct MessageJson<'a> {
    message: &'a DynamicMessage,
    nested_any: &'a Cell<u32>,
}

struct ValueJson<'a> {
    value: &'a Value,
    kind: &'a Kind,
    nested_any: &'a Cell<u32>,
}

impl Serialize for MessageJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let descriptor = self.message.descriptor();
        let name = descriptor.full_name();
        if name == "google.protobuf.Any" {
            return self.serialize_any(serializer);
        }
        if let Some(field) = wrapped_field(name, &descriptor) {
            let value = self.message.get_field(&field);
            return ValueJson { value: &value, kind: &field.kind(), nested_any: self.nested_any }
                .serialize(serializer);
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
            let value = ValueJson { value: &value, kind: &field.kind(), nested_any: self.nested_any };
            map.serialize_entry(field.json_name(), &value)?;
        }
        for (extension, value) in self.message.extensions() {
            let value = ValueJson { value, kind: &extension.kind(), nested_any: self.nested_any };
            map.serialize_entry(extension.json_name(), &value)?;
        }
        Ok(())
    }

    /// `{"@type": …}` with the fields of the message inside, or with its JSON as `value` if that is no object of
    /// fields.
    fn serialize_any<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some((type_url, bytes)) = self.type_url_and_bytes() else {
            return Err(S::Error::custom("google.protobuf.Any is not what it is named"));
        };
        let mut map = serializer.serialize_map(None)?;
        if type_url.is_empty() && bytes.is_empty() {
            return map.end();
        }
        let name = type_url.rsplit('/').next().unwrap_or_default();
        let descriptor =
            self.message.descriptor().parent_pool().get_message_by_name(name).ok_or_else(|| {
                S::Error::custom(format_args!(
                    "a google.protobuf.Any holds `{type_url}`, a type that the descriptors do not describe"
                ))
            })?;
        let inner = DynamicMessage::decode(descriptor, bytes).map_err(S::Error::custom)?;

        let depth = self.nested_any.get();
        if depth == MAX_NESTED_ANY {
            return Err(S::Error::custom(format_args!(
                "more than {MAX_NESTED_ANY} google.protobuf.Any in each other"
            )));
        }
        self.nested_any.set(depth + 1);
        let inner_json = MessageJson { message: &inner, nested_any: self.nested_any };
        map.serialize_entry("@type", &type_url)?;
        if is_object_of_fields(&inner.descriptor()) {
            inner_json.serialize_fields(&mut map)?;
        } else {
            map.serialize_entry("value", &inner_json)?;
        }
        self.nested_any.set(depth);
        map.end()
    }

    fn type_url_and_bytes(&self) -> Option<(String, Bytes)> {
        let type_url = self.message.get_field_by_name("type_url")?.as_str()?.to_owned();
        let bytes = self.message.get_field_by_name("value")?.as_bytes()?.clone();
        Some((type_url, bytes))
    }
}

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.kind) {
            (Value::Message(message), _) => {
                MessageJson { message, nested_any: self.nested_any }.serialize(serializer)
            }
            (Value::List(values), kind) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&ValueJson { value, kind, nested_any: self.nested_any })?;
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
                        &ValueJson { value, kind: &kind, nested_any: self.nested_any },
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
