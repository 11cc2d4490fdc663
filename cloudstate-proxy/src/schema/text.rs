//! Field values from the text of a path or a query.

use std::{fmt::Display, str::FromStr};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde::de::{IntoDeserializer, value::StrDeserializer};

/// Why text does not make a value of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidText {
    reason: String,
}

impl InvalidText {
    pub(super) fn not_a_list() -> Self {
        Self { reason: "is given more than once, but takes a single value".to_owned() }
    }

    fn expected(what: impl Display, text: &str) -> Self {
        Self { reason: format!("takes {what}, not {}", quote(text)) }
    }
}

/// The value of the field, or of one element if it is a list.
pub(super) fn parse(field: &FieldDescriptor, text: &str) -> Result<Value, InvalidText> {
    if field.is_map() {
        return Err(InvalidText { reason: "is a map, which only a JSON body can carry".to_owned() });
    }
    parse_kind(&field.kind(), text)
}

fn parse_kind(kind: &Kind, text: &str) -> Result<Value, InvalidText> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => parse_bool(text).map(Value::Bool),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            number(text, "a whole number of 32 bits").map(Value::I32)
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            number(text, "a whole number of 64 bits").map(Value::I64)
        }
        Kind::Uint32 | Kind::Fixed32 => number(text, "a whole number from 0 of 32 bits").map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => number(text, "a whole number from 0 of 64 bits").map(Value::U64),
        Kind::Float => float(text, f32::is_infinite).map(Value::F32),
        Kind::Double => float(text, f64::is_infinite).map(Value::F64),
        Kind::Bytes => parse_base64(text).map(Value::Bytes),
        Kind::Enum(descriptor) => parse_enum(descriptor, text).map(Value::EnumNumber),
        Kind::Message(descriptor) => parse_message(descriptor, text).map(Value::Message),
    }
}

fn parse_bool(text: &str) -> Result<bool, InvalidText> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(InvalidText::expected("true or false", text))
    }
}

fn number<T: FromStr>(text: &str, what: &str) -> Result<T, InvalidText> {
    text.parse().map_err(|_| InvalidText::expected(what, text))
}

/// Numbers that overflow to infinity are refused; infinity that is asked for by name is not.
fn float<T: FromStr + Copy>(text: &str, is_infinite: fn(T) -> bool) -> Result<T, InvalidText> {
    let value: T = number(text, "a number")?;
    if is_infinite(value) && text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(InvalidText::expected("a number that fits its type", text));
    }
    Ok(value)
}

fn parse_enum(descriptor: &EnumDescriptor, text: &str) -> Result<i32, InvalidText> {
    if let Some(value) = descriptor.get_value_by_name(text) {
        return Ok(value.number());
    }
    text.parse().map_err(|_| {
        let names: Vec<String> = descriptor.values().map(|value| value.name().to_owned()).collect();
        InvalidText::expected(format_args!("one of {} or a number", names.join(", ")), text)
    })
}

/// The standard alphabet or the one for URLs, padded or not.
fn parse_base64(text: &str) -> Result<Bytes, InvalidText> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .map(Bytes::from)
        .map_err(|_| InvalidText::expected("base64", text))
}

/// Whether [`parse`] can make such a message.
pub(super) fn has_text_form(descriptor: &MessageDescriptor) -> bool {
    let name = descriptor.full_name();
    let is_string = ["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"];
    is_string.contains(&name) || wrapped_field(name, descriptor).is_some()
}

/// The well-known types whose JSON is a scalar; no other message can be written as text.
fn parse_message(descriptor: &MessageDescriptor, text: &str) -> Result<DynamicMessage, InvalidText> {
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => from_json_string(descriptor, text)
            .map_err(|_| InvalidText::expected("a time such as 2030-12-31T23:59:59Z", text)),
        "google.protobuf.Duration" => from_json_string(descriptor, text)
            .map_err(|_| InvalidText::expected("a duration in seconds such as 1.5s", text)),
        "google.protobuf.FieldMask" => from_json_string(descriptor, text)
            .map_err(|_| InvalidText::expected("lowerCamel field names joined by commas", text)),
        name => match wrapped_field(name, descriptor) {
            Some(field) => {
                let mut wrapper = DynamicMessage::new(descriptor.clone());
                wrapper.set_field(&field, parse_kind(&field.kind(), text)?);
                Ok(wrapper)
            }
            None => Err(InvalidText {
                reason: format!("is a message ({name}): name one of its fields after a dot, or send JSON"),
            }),
        },
    }
}

/// The `value` of a wrapper such as `google.protobuf.StringValue`.
pub(super) fn wrapped_field(name: &str, descriptor: &MessageDescriptor) -> Option<FieldDescriptor> {
    let wrapper = name.strip_prefix("google.protobuf.")?;
    let is_wrapper = matches!(
        wrapper,
        "BoolValue"
            | "BytesValue"
            | "DoubleValue"
            | "FloatValue"
            | "Int32Value"
            | "Int64Value"
            | "StringValue"
            | "UInt32Value"
            | "UInt64Value"
    );
    // A descriptor set may bring its own idea of these files.
    let field = descriptor.get_field_by_name("value").filter(|_| is_wrapper)?;
    let is_scalar = !field.is_list() && !matches!(field.kind(), Kind::Message(_) | Kind::Enum(_));
    is_scalar.then_some(field)
}

fn from_json_string(
    descriptor: &MessageDescriptor,
    text: &str,
) -> Result<DynamicMessage, serde::de::value::Error> {
    let text: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    DynamicMessage::deserialize(descriptor.clone(), text)
}

/// The text in quotes, shortened to what a person can read.
fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
