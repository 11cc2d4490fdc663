//! Messages as JSON schemas, by the proto3 JSON mapping.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use crate::schema::{Comments, Field, FieldKind, MessageType};

/// The schemas that a document refers to; a message is described once, however often it occurs.
pub(super) struct Schemas<'a> {
    comments: &'a Comments,
    named: BTreeSet<String>,
    to_describe: VecDeque<Named>,
}

/// Has a schema of its own.
enum Named {
    Message(MessageType),
    Enum { name: String, values: Vec<String> },
}

impl<'a> Schemas<'a> {
    pub(super) fn new(comments: &'a Comments) -> Self {
        Self { comments, named: BTreeSet::new(), to_describe: VecDeque::new() }
    }

    /// All that was referred to, directly or not.
    pub(super) fn describe_all(mut self) -> Map<String, Value> {
        let mut described = Map::new();
        while let Some(named) = self.to_describe.pop_front() {
            let (name, schema) = match named {
                Named::Message(message) => (message.full_name().to_owned(), self.object(&message)),
                Named::Enum { name, values } => (name, json!({ "type": "string", "enum": values })),
            };
            described.insert(name, schema);
        }
        described
    }

    pub(super) fn message(&mut self, message: &MessageType) -> Value {
        match well_known(message) {
            Some(schema) => schema,
            None => self.reference(message.full_name(), || Named::Message(message.clone())),
        }
    }

    /// The field's value: a list of them, if it is repeated.
    pub(super) fn field(&mut self, field: &Field) -> Value {
        if let Some(value) = field.map_value() {
            return json!({ "type": "object", "additionalProperties": self.element(&value) });
        }
        let element = self.element(field);
        if field.is_list() { json!({ "type": "array", "items": element }) } else { element }
    }

    /// The field's value, or one of them.
    pub(super) fn element(&mut self, field: &Field) -> Value {
        match field.kind() {
            FieldKind::Integer { bits: 64, signed } => {
                json!({ "type": "string", "format": if signed { "int64" } else { "uint64" } })
            }
            FieldKind::Integer { signed: true, .. } => json!({ "type": "integer", "format": "int32" }),
            FieldKind::Integer { .. } => json!({ "type": "integer", "format": "uint32", "minimum": 0 }),
            FieldKind::Float { bits: 32 } => json!({ "type": "number", "format": "float" }),
            FieldKind::Float { .. } => json!({ "type": "number", "format": "double" }),
            FieldKind::Bool => json!({ "type": "boolean" }),
            FieldKind::String => json!({ "type": "string" }),
            FieldKind::Bytes => json!({ "type": "string", "format": "byte" }),
            FieldKind::Enum(values) => match field.type_name() {
                Some(name) if name != "google.protobuf.NullValue" => {
                    self.reference(&name.clone(), || Named::Enum { name, values })
                }
                _ => json!({ "nullable": true }),
            },
            FieldKind::Message(message) => self.message(&message),
        }
    }

    fn reference(&mut self, name: &str, named: impl FnOnce() -> Named) -> Value {
        if self.named.insert(name.to_owned()) {
            self.to_describe.push_back(named());
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    fn object(&mut self, message: &MessageType) -> Value {
        let mut properties = Map::new();
        for field in message.fields() {
            let mut schema = self.field(&field);
            if let Some(comment) = self.comments.of_field(&field) {
                schema = described(schema, comment);
            }
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        let comment = self.comments.of_message(message).map(str::to_owned);
        let sentences: Vec<String> = comment.into_iter().chain(oneofs(message)).collect();
        if !sentences.is_empty() {
            schema["description"] = sentences.join("\n\n").into();
        }
        schema
    }
}

/// Beside a reference a description would not be read.
fn described(schema: Value, comment: &str) -> Value {
    if schema.get("$ref").is_some() {
        return json!({ "allOf": [schema], "description": comment });
    }
    let mut schema = schema;
    schema["description"] = comment.into();
    schema
}

/// A sentence for each oneof of the message.
fn oneofs(message: &MessageType) -> Vec<String> {
    let mut members: Vec<(String, Vec<String>)> = Vec::new();
    for field in message.fields() {
        let Some(oneof) = field.oneof() else { continue };
        let name = format!("`{}`", field.json_name());
        match members.iter_mut().find(|(known, _)| *known == oneof) {
            Some((_, names)) => names.push(name),
            None => members.push((oneof, vec![name])),
        }
    }
    let sentence =
        |(oneof, names): (String, Vec<String>)| format!("At most one of {} ({oneof}).", names.join(", "));
    members.into_iter().map(sentence).collect()
}

/// Messages whose JSON is not an object of their fields.
fn well_known(message: &MessageType) -> Option<Value> {
    let schema = match message.full_name().strip_prefix("google.protobuf.")? {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" => json!({ "type": "string", "example": "1.5s", "description": "Seconds." }),
        "FieldMask" => json!({ "type": "string", "description": "Field names, joined by commas." }),
        "Struct" => json!({ "type": "object", "additionalProperties": true }),
        "Empty" => json!({ "type": "object" }),
        "ListValue" => json!({ "type": "array", "items": {} }),
        "Value" => json!({ "nullable": true }),
        "StringValue" => json!({ "type": "string", "nullable": true }),
        "BytesValue" => json!({ "type": "string", "format": "byte", "nullable": true }),
        "BoolValue" => json!({ "type": "boolean", "nullable": true }),
        "FloatValue" => json!({ "type": "number", "format": "float", "nullable": true }),
        "DoubleValue" => json!({ "type": "number", "format": "double", "nullable": true }),
        "Int32Value" => json!({ "type": "integer", "format": "int32", "nullable": true }),
        "UInt32Value" => json!({ "type": "integer", "format": "uint32", "minimum": 0, "nullable": true }),
        "Int64Value" => json!({ "type": "string", "format": "int64", "nullable": true }),
        "UInt64Value" => json!({ "type": "string", "format": "uint64", "nullable": true }),
        "Any" => json!({
            "type": "object",
            "properties": { "@type": { "type": "string", "description": "What the other fields are." } },
            "additionalProperties": true,
        }),
        _ => return None,
    };
    Some(schema)
}
