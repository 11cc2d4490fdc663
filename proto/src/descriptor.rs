//! The part of `google/protobuf/descriptor.proto` that discovery needs, with the custom options of
//! Cloudstate and `google.api` as ordinary fields.
//!
//! These types are for reading. The bytes of a descriptor set must never be written back from them (or from
//! `prost_types`): whatever they do not know would be lost.

use crate::{Eventing, google::api::HttpRule};

/// `google.protobuf.FileDescriptorSet`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FileDescriptorSet {
    /// The files, in any order.
    #[prost(message, repeated, tag = "1")]
    pub file: Vec<FileDescriptorProto>,
}

/// `google.protobuf.FileDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FileDescriptorProto {
    /// The path by which other files import this one.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Empty for the unnamed package.
    #[prost(string, tag = "2")]
    pub package: String,
    /// The paths of imported files.
    #[prost(string, repeated, tag = "3")]
    pub dependency: Vec<String>,
    /// Top-level messages.
    #[prost(message, repeated, tag = "4")]
    pub message_type: Vec<DescriptorProto>,
    /// Top-level enums.
    #[prost(message, repeated, tag = "5")]
    pub enum_type: Vec<EnumDescriptorProto>,
    /// Services.
    #[prost(message, repeated, tag = "6")]
    pub service: Vec<ServiceDescriptorProto>,
    /// Absent (which means `proto2`), `proto2`, `proto3` or `editions`.
    #[prost(string, optional, tag = "12")]
    pub syntax: Option<String>,
}

/// `google.protobuf.DescriptorProto`: a message type.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DescriptorProto {
    /// Without package.
    #[prost(string, tag = "1")]
    pub name: String,
    /// In the order of declaration.
    #[prost(message, repeated, tag = "2")]
    pub field: Vec<FieldDescriptorProto>,
    /// Messages declared inside this one.
    #[prost(message, repeated, tag = "3")]
    pub nested_type: Vec<DescriptorProto>,
    /// Enums declared inside this message.
    #[prost(message, repeated, tag = "4")]
    pub enum_type: Vec<EnumDescriptorProto>,
}

/// `google.protobuf.EnumDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EnumDescriptorProto {
    /// Without package.
    #[prost(string, tag = "1")]
    pub name: String,
    /// In the order of declaration.
    #[prost(message, repeated, tag = "2")]
    pub value: Vec<EnumValueDescriptorProto>,
}

/// `google.protobuf.EnumValueDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EnumValueDescriptorProto {
    /// The value's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The value's number.
    #[prost(int32, tag = "2")]
    pub number: i32,
}

/// `google.protobuf.FieldDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FieldDescriptorProto {
    /// As written in the file.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The field number.
    #[prost(int32, tag = "3")]
    pub number: i32,
    /// Optional, required or repeated.
    #[prost(enumeration = "Label", tag = "4")]
    pub label: i32,
    /// The type.
    #[prost(enumeration = "Type", tag = "5")]
    pub r#type: i32,
    /// For messages and enums: the full name with a leading dot.
    #[prost(string, tag = "6")]
    pub type_name: String,
    /// Options.
    #[prost(message, optional, tag = "8")]
    pub options: Option<FieldOptions>,
}

impl FieldDescriptorProto {
    /// Whether the field is (part of) the entity key, by the current option or the legacy one.
    pub fn is_entity_key(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.entity_key || options.legacy_entity_key)
    }
}

/// `google.protobuf.FieldDescriptorProto.Label`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum Label {
    Optional = 1,
    Required = 2,
    Repeated = 3,
}

/// `google.protobuf.FieldDescriptorProto.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum Type {
    Double = 1,
    Float = 2,
    Int64 = 3,
    Uint64 = 4,
    Int32 = 5,
    Fixed64 = 6,
    Fixed32 = 7,
    Bool = 8,
    String = 9,
    Group = 10,
    Message = 11,
    Bytes = 12,
    Uint32 = 13,
    Enum = 14,
    Sfixed32 = 15,
    Sfixed64 = 16,
    Sint32 = 17,
    Sint64 = 18,
}

/// `google.protobuf.FieldOptions`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct FieldOptions {
    /// `(.cloudstate.entity_key)`.
    #[prost(bool, tag = "1080")]
    pub entity_key: bool,
    /// `(.cloudstate.legacy_entity_key)`.
    #[prost(bool, tag = "50002")]
    pub legacy_entity_key: bool,
}

/// `google.protobuf.ServiceDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ServiceDescriptorProto {
    /// Without package.
    #[prost(string, tag = "1")]
    pub name: String,
    /// In the order of declaration.
    #[prost(message, repeated, tag = "2")]
    pub method: Vec<MethodDescriptorProto>,
}

/// `google.protobuf.MethodDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MethodDescriptorProto {
    /// The rpc's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Full name with a leading dot.
    #[prost(string, tag = "2")]
    pub input_type: String,
    /// Full name with a leading dot.
    #[prost(string, tag = "3")]
    pub output_type: String,
    /// Options.
    #[prost(message, optional, tag = "4")]
    pub options: Option<MethodOptions>,
    /// The client sends a stream.
    #[prost(bool, tag = "5")]
    pub client_streaming: bool,
    /// The server sends a stream.
    #[prost(bool, tag = "6")]
    pub server_streaming: bool,
}

/// `google.protobuf.MethodOptions`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MethodOptions {
    /// `(.cloudstate.eventing)`.
    #[prost(message, optional, tag = "1081")]
    pub eventing: Option<Eventing>,
    /// `(google.api.http)`.
    #[prost(message, optional, tag = "72295728")]
    pub http: Option<HttpRule>,
}
