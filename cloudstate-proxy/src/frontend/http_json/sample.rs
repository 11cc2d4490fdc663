//! Requests that a person can try: paths and bodies filled with something plausible.

use std::collections::HashSet;

use super::{
    http_rule::{Binding, BodyRule},
    path_template::{PathTemplate, Segment},
};
use crate::schema::{Field, FieldKind, FieldPath, MessageType};

/// How deep messages in messages are filled; deeper ones stay empty.
const MAX_DEPTH: u32 = 1;
/// A message whose fields are longer than this, in bytes, goes without the rest of them: each of the many routes of a
/// contract has a sample of its own.
const MAX_BYTES: usize = 1024;

/// A path that the binding's template matches.
pub(super) fn path(binding: &Binding) -> String {
    let PathTemplate { segments, variables, verb } = &binding.template;
    let mut path = String::new();
    for (index, segment) in segments.iter().enumerate() {
        path.push('/');
        let variable = variables.iter().position(|variable| variable.segments.contains(&index));
        match (segment, variable) {
            (Segment::Literal(literal), _) => path.push_str(literal),
            (_, Some(variable)) => path.push_str(&path_value(&binding.variables[variable])),
            (_, None) => path.push_str("any"),
        }
    }
    if let Some(verb) = verb {
        path.push(':');
        path.push_str(verb);
    }
    path
}

/// The JSON body that the binding takes, without the fields that its path carries.
pub(super) fn body(binding: &Binding) -> Option<String> {
    match &binding.body {
        BodyRule::Nothing => None,
        BodyRule::Message => Some(message(&binding.input, 0, &binding.variables)),
        BodyRule::Field(_, inner) => Some(message(inner, 0, &[])),
    }
}

fn path_value(path: &FieldPath) -> String {
    let field = path.leaf();
    match field.kind() {
        FieldKind::String => text(&field),
        FieldKind::Bool => "true".to_owned(),
        FieldKind::Bytes => "AQ==".to_owned(),
        _ => "1".to_owned(),
    }
}

/// JSON with the fields in their order.
fn message(message: &MessageType, depth: u32, in_path: &[FieldPath]) -> String {
    if let Some(json) = well_known(message) {
        return json.to_owned();
    }
    let mut oneofs = HashSet::new();
    let mut members = String::new();
    for field in message.fields() {
        let is_in_path = in_path.iter().any(|path| path.leaf() == field);
        let is_second_of_oneof = field.oneof().is_some_and(|oneof| !oneofs.insert(oneof));
        if is_in_path || is_second_of_oneof {
            continue;
        }
        if let Some(value) = field_value(&field, depth) {
            let separator = if members.is_empty() { "" } else { "," };
            members.push_str(&format!("{separator}{}:{value}", quoted(field.json_name())));
        }
        if members.len() > MAX_BYTES {
            break;
        }
    }
    format!("{{{members}}}")
}

/// None for what cannot be guessed.
fn field_value(field: &Field, depth: u32) -> Option<String> {
    if field.is_map() {
        return Some("{}".to_owned());
    }
    let value = match field.kind() {
        FieldKind::Integer { .. } => "1".to_owned(),
        FieldKind::Float { .. } => "1.5".to_owned(),
        FieldKind::Bool => "true".to_owned(),
        FieldKind::String => quoted(&text(field)),
        FieldKind::Bytes => quoted("AQ=="),
        FieldKind::Enum(names) => quoted(names.first()?),
        FieldKind::Message(inner) if inner.full_name() == "google.protobuf.Any" => return None,
        FieldKind::Message(inner) if depth < MAX_DEPTH => message(&inner, depth + 1, &[]),
        FieldKind::Message(inner) => well_known(&inner).unwrap_or("{}").to_owned(),
    };
    Some(if field.is_list() { format!("[{value}]") } else { value })
}

/// Messages whose JSON is not an object of their fields.
fn well_known(message: &MessageType) -> Option<&'static str> {
    let json = match message.full_name().strip_prefix("google.protobuf.")? {
        // What handles any message replies with this one, so it is in the contract.
        "Any" => "{\"@type\":\"type.googleapis.com/google.protobuf.Empty\",\"value\":{}}",
        "Timestamp" => "\"2030-12-31T23:59:59Z\"",
        "Duration" => "\"1.5s\"",
        "FieldMask" => "\"\"",
        "Struct" | "Empty" => "{}",
        "ListValue" => "[]",
        "Value" | "StringValue" => "\"text\"",
        "BytesValue" => "\"AQ==\"",
        "BoolValue" => "true",
        "DoubleValue" | "FloatValue" => "1.5",
        "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value" => "1",
        _ => return None,
    };
    Some(json)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `u1` for an id of a user, else the name of the field.
fn text(field: &Field) -> String {
    let name = field.name();
    let of_what =
        name.strip_suffix("_id").or_else(|| name.strip_suffix("Id")).or_else(|| name.strip_suffix("ID"));
    match of_what.and_then(|of_what| of_what.chars().find(char::is_ascii_alphabetic)) {
        Some(initial) => format!("{}1", initial.to_ascii_lowercase()),
        None if name.eq_ignore_ascii_case("id") => "1".to_owned(),
        None => name.to_owned(),
    }
}
