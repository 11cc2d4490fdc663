//! Message types at run time, for JSON: the only place that names the descriptor library.
//!
//! Everything else speaks of [`MessageType`], [`Field`], [`FieldPath`] and [`Message`], so that another library can
//! stand behind them.

mod comments;
mod descriptor_set;
mod file_index;
mod full_names;
mod json;
mod parts;
mod text;

use std::fmt;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage,
    Value,
};

pub use comments::Comments;
pub use descriptor_set::SchemaError;
pub use file_index::FileIndex;
pub use json::{InvalidJson, Unprintable};
pub(crate) use parts::check_parts;
pub use text::InvalidText;

/// How deep a [`FieldPath`] may reach into messages: as deep as protobuf decoders accept.
const MAX_PATH_LENGTH: usize = 100;

/// The message types of a descriptor set.
#[derive(Clone)]
pub struct Schema {
    pool: DescriptorPool,
}

/// A message type. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageType {
    descriptor: MessageDescriptor,
}

/// A field of a message type. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    descriptor: FieldDescriptor,
}

/// What a field holds (each element, if it is repeated).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A whole number.
    Integer {
        /// 32 or 64.
        bits: u8,
        /// Whether it can be negative.
        signed: bool,
    },
    /// `float` or `double`.
    Float {
        /// 32 or 64.
        bits: u8,
    },
    /// `bool`
    Bool,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// An enum, with the names of its values.
    Enum(Vec<String>),
    /// A message.
    Message(MessageType),
}

/// A field of a message or, through its message fields, of a message within: `address.city`.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldPath {
    parents: Vec<FieldDescriptor>,
    leaf: FieldDescriptor,
}

/// Why a name leads to no field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownField {
    /// A message has no field of this name.
    #[error("{message} has no field `{name:.100}`")]
    NoSuchField {
        /// The full name of the message type.
        message: String,
        /// The name, or the part of it between dots.
        name: String,
    },
    /// Something stands before a dot that is no singular message.
    #[error("`{name}` is not a single message, so it has no field of its own to name after a dot")]
    NotAMessage {
        /// The part of the name before the dot.
        name: String,
    },
    /// More dots than messages may be deep.
    #[error("the name reaches more than {MAX_PATH_LENGTH} messages deep")]
    TooDeep,
}

/// A message, being built or read.
#[derive(Clone)]
pub struct Message {
    value: DynamicMessage,
}

impl Schema {
    /// Reads an encoded `google.protobuf.FileDescriptorSet`. Files may come in any order and repeatedly, the last of
    /// a name wins.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the descriptor set, in words for the developer who made it. No bytes, however
    /// hostile, do more than that.
    pub fn new(descriptor_set: &[u8]) -> Result<Self, SchemaError> {
        descriptor_set::load(descriptor_set).map(|pool| Self { pool })
    }

    /// The message type of this full name, without a leading dot.
    pub fn message_type(&self, full_name: &str) -> Option<MessageType> {
        let descriptor = self.pool.get_message_by_name(full_name)?;
        Some(MessageType { descriptor })
    }

    /// What the authors of the contract wrote above its parts.
    pub fn comments(&self) -> Comments {
        Comments::new(self)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({} files, {} messages)", self.pool.files().len(), self.pool.all_messages().len())
    }
}

impl MessageType {
    /// The full name, for example `com.example.Cart`.
    pub fn full_name(&self) -> &str {
        self.descriptor.full_name()
    }

    /// All fields, by ascending number.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        self.descriptor.fields().map(|descriptor| Field { descriptor })
    }

    /// The field of this name as written in the `.proto`, or of this JSON name.
    pub fn field(&self, name: &str) -> Option<Field> {
        find_field(&self.descriptor, name).map(|descriptor| Field { descriptor })
    }

    /// The field that a dotted name leads to; each part is a name as in [`MessageType::field`].
    ///
    /// # Errors
    ///
    /// A part that names no field, or has fields asked of it and none to offer.
    pub fn field_path(&self, dotted: &str) -> Result<FieldPath, UnknownField> {
        let mut parents = Vec::new();
        let mut message = self.descriptor.clone();
        let mut names = dotted.split('.').peekable();
        loop {
            let name = names.next().unwrap_or_default();
            let field = find_field(&message, name).ok_or_else(|| UnknownField::NoSuchField {
                message: message.full_name().to_owned(),
                name: name.to_owned(),
            })?;
            if names.peek().is_none() {
                return Ok(FieldPath { parents, leaf: field });
            }
            if parents.len() == MAX_PATH_LENGTH {
                return Err(UnknownField::TooDeep);
            }
            message = match field.kind() {
                Kind::Message(inner) if !field.is_list() && !field.is_map() => inner,
                _ => return Err(UnknownField::NotAMessage { name: name.to_owned() }),
            };
            parents.push(field);
        }
    }

    /// Whether a path or a query can carry it: a wrapper, a time, a duration or a field mask.
    pub fn has_text_form(&self) -> bool {
        text::has_text_form(&self.descriptor)
    }

    /// A message without any field set.
    pub fn empty(&self) -> Message {
        Message { value: DynamicMessage::new(self.descriptor.clone()) }
    }

    /// Reads the binary encoding.
    ///
    /// # Errors
    ///
    /// The bytes are no such message.
    pub fn decode(&self, bytes: Bytes) -> Result<Message, prost::DecodeError> {
        DynamicMessage::decode(self.descriptor.clone(), bytes).map(|value| Message { value })
    }

    /// Reads the proto3 JSON mapping; field names may be those of the `.proto` or their lowerCamel form.
    ///
    /// # Errors
    ///
    /// Malformed JSON, unknown fields, values of the wrong type: where and what.
    pub fn from_json(&self, json: &[u8]) -> Result<Message, InvalidJson> {
        json::parse(&self.descriptor, json).map(|value| Message { value })
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageType({})", self.full_name())
    }
}

impl Field {
    /// The name as written in the `.proto`.
    pub fn name(&self) -> &str {
        self.descriptor.name()
    }

    /// The name in JSON.
    pub fn json_name(&self) -> &str {
        self.descriptor.json_name()
    }

    /// Whether it is a list (maps are not).
    pub fn is_list(&self) -> bool {
        self.descriptor.is_list()
    }

    /// Whether it is a map.
    pub fn is_map(&self) -> bool {
        self.descriptor.is_map()
    }

    /// The name of the oneof it is a member of; an `optional` field is a member of none.
    pub fn oneof(&self) -> Option<String> {
        let oneof = self.descriptor.containing_oneof().filter(|oneof| !oneof.is_synthetic())?;
        Some(oneof.name().to_owned())
    }

    /// What it holds.
    pub fn kind(&self) -> FieldKind {
        match self.descriptor.kind() {
            Kind::Double => FieldKind::Float { bits: 64 },
            Kind::Float => FieldKind::Float { bits: 32 },
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => FieldKind::Integer { bits: 32, signed: true },
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => FieldKind::Integer { bits: 64, signed: true },
            Kind::Uint32 | Kind::Fixed32 => FieldKind::Integer { bits: 32, signed: false },
            Kind::Uint64 | Kind::Fixed64 => FieldKind::Integer { bits: 64, signed: false },
            Kind::Bool => FieldKind::Bool,
            Kind::String => FieldKind::String,
            Kind::Bytes => FieldKind::Bytes,
            Kind::Enum(descriptor) => FieldKind::Enum(names_of(&descriptor)),
            Kind::Message(descriptor) => FieldKind::Message(MessageType { descriptor }),
        }
    }

    /// The full name of the message or the enum that it holds.
    pub fn type_name(&self) -> Option<String> {
        match self.descriptor.kind() {
            Kind::Enum(descriptor) => Some(descriptor.full_name().to_owned()),
            Kind::Message(descriptor) => Some(descriptor.full_name().to_owned()),
            _ => None,
        }
    }

    /// What the values of a map are.
    pub fn map_value(&self) -> Option<Field> {
        match self.descriptor.kind() {
            Kind::Message(entry) if self.is_map() => {
                Some(Field { descriptor: entry.map_entry_value_field() })
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({})", self.descriptor.full_name())
    }
}

impl FieldPath {
    /// The field at its end.
    pub fn leaf(&self) -> Field {
        Field { descriptor: self.leaf.clone() }
    }

    /// The field at its start.
    pub fn first(&self) -> Field {
        Field { descriptor: self.parents.first().unwrap_or(&self.leaf).clone() }
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldPath({self})")
    }
}

/// The names as written in the `.proto`, with dots.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parents.iter().try_for_each(|parent| write!(f, "{}.", parent.name()))?;
        f.write_str(self.leaf.name())
    }
}

impl Message {
    /// Sets the field at `path` from text, creating the messages on the way. A list is set to this one element.
    ///
    /// # Errors
    ///
    /// The text is no value of the field's type, or the field is of a type that text cannot express.
    pub fn set_text(&mut self, path: &FieldPath, text: &str) -> Result<(), InvalidText> {
        let value = text::parse(&path.leaf, text)?;
        let value = if path.leaf.is_list() { Value::List(vec![value]) } else { value };
        if let Some(parent) = self.parent_of_leaf(path) {
            parent.set_field(&path.leaf, value);
        }
        Ok(())
    }

    /// Adds an element to the list at `path` from text, creating the messages on the way.
    ///
    /// # Errors
    ///
    /// As [`Message::set_text`]; also if the field is no list.
    pub fn push_text(&mut self, path: &FieldPath, text: &str) -> Result<(), InvalidText> {
        if !path.leaf.is_list() {
            return Err(InvalidText::not_a_list());
        }
        let value = text::parse(&path.leaf, text)?;
        if let Some(list) =
            self.parent_of_leaf(path).and_then(|parent| parent.get_field_mut(&path.leaf).as_list_mut())
        {
            list.push(value);
        }
        Ok(())
    }

    /// Sets a singular message field of this message.
    pub fn set_message(&mut self, field: &Field, message: Message) {
        self.value.set_field(&field.descriptor, Value::Message(message.value));
    }

    /// The binary encoding.
    pub fn encode(&self) -> Bytes {
        self.value.encode_to_vec().into()
    }

    /// The proto3 JSON mapping, compact: lowerCamel names, defaults printed, fields by ascending number.
    ///
    /// # Errors
    ///
    /// Values that JSON cannot express, such as an `Any` of an unknown type.
    pub fn to_json(&self) -> Result<Vec<u8>, Unprintable> {
        json::print(&self.value)
    }

    /// The JSON of one field of this message; `null` for a message that is not set.
    ///
    /// # Errors
    ///
    /// As [`Message::to_json`].
    pub fn field_to_json(&self, field: &Field) -> Result<Vec<u8>, Unprintable> {
        json::print_field(&self.value, &field.descriptor)
    }

    /// The message that holds the leaf of `path`. Always found, since every parent is a singular message.
    fn parent_of_leaf(&mut self, path: &FieldPath) -> Option<&mut DynamicMessage> {
        path.parents
            .iter()
            .try_fold(&mut self.value, |message, parent| message.get_field_mut(parent).as_message_mut())
    }
}

/// The JSON; the library's own form follows descriptors, which go round in circles.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.value.descriptor().full_name().to_owned();
        match self.to_json() {
            Ok(json) => write!(f, "{name} {}", String::from_utf8_lossy(&json)),
            Err(error) => write!(f, "{name} ({error})"),
        }
    }
}

fn find_field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
}

fn names_of(descriptor: &EnumDescriptor) -> Vec<String> {
    descriptor.values().map(|value| value.name().to_owned()).collect()
}
