//! The files of descriptor sets exactly as they were sent, found by what is in them: what server reflection shows.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
};

use super::descriptor_set::RawSet;

/// Finds the files of descriptor sets by name, by a symbol they define, or by an extension they declare.
#[derive(Debug, Default)]
pub struct FileIndex {
    by_name: HashMap<String, Bytes>,
    /// Full names, without a leading dot.
    by_symbol: HashMap<String, Bytes>,
    /// By the full name of the extended message and the field's number.
    by_extension: BTreeMap<(String, i32), Bytes>,
}

impl FileIndex {
    /// Of two files with one name, or two definitions of one symbol, that in the earlier set counts; within a set
    /// the last file of a name does. What does not decode is left out.
    pub fn new<'a>(descriptor_sets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut index = Self::default();
        for set in descriptor_sets {
            let files = RawSet::decode(set).unwrap_or_default().file;
            for bytes in files.into_iter().rev() {
                if let Ok(file) = FileDescriptorProto::decode(bytes.clone()) {
                    index.add(&file, &bytes);
                }
            }
        }
        index
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> Option<&Bytes> {
        self.by_name.get(name)
    }

    /// The file that defines a message, field, oneof, enum, enum value, extension, service or rpc.
    pub fn file_with_symbol(&self, full_name: &str) -> Option<&Bytes> {
        self.by_symbol.get(full_name)
    }

    /// The file that declares the extension of `message` with this number.
    pub fn file_with_extension(&self, message: &str, number: i32) -> Option<&Bytes> {
        self.by_extension.get(&(message.to_owned(), number))
    }

    /// The numbers of all extensions of `message`, ascending.
    pub fn extension_numbers(&self, message: &str) -> Vec<i32> {
        let all = (message.to_owned(), i32::MIN)..=(message.to_owned(), i32::MAX);
        self.by_extension.range(all).map(|((_, number), _)| *number).collect()
    }

    fn add(&mut self, file: &FileDescriptorProto, bytes: &Bytes) {
        if self.by_name.contains_key(file.name()) {
            return;
        }
        self.by_name.insert(file.name().to_owned(), bytes.clone());
        let package = file.package();
        file.message_type.iter().for_each(|message| self.add_message(package, message, bytes));
        file.enum_type.iter().for_each(|described| self.add_enum(package, described, bytes));
        file.extension.iter().for_each(|extension| self.add_extension(package, extension, bytes));
        file.service.iter().for_each(|service| self.add_service(package, service, bytes));
    }

    /// Recursive, but no deeper than the decoder lets messages be nested.
    fn add_message(&mut self, scope: &str, message: &DescriptorProto, file: &Bytes) {
        let name = self.add_symbol(scope, message.name(), file);
        message.field.iter().for_each(|field| {
            self.add_symbol(&name, field.name(), file);
        });
        message.oneof_decl.iter().for_each(|oneof| {
            self.add_symbol(&name, oneof.name(), file);
        });
        message.nested_type.iter().for_each(|nested| self.add_message(&name, nested, file));
        message.enum_type.iter().for_each(|described| self.add_enum(&name, described, file));
        message.extension.iter().for_each(|extension| self.add_extension(&name, extension, file));
    }

    /// The values of an enum stand beside it, as in C.
    fn add_enum(&mut self, scope: &str, described: &EnumDescriptorProto, file: &Bytes) {
        self.add_symbol(scope, described.name(), file);
        described.value.iter().for_each(|value| {
            self.add_symbol(scope, value.name(), file);
        });
    }

    fn add_extension(&mut self, scope: &str, extension: &FieldDescriptorProto, file: &Bytes) {
        self.add_symbol(scope, extension.name(), file);
        let extended = extension.extendee().trim_start_matches('.').to_owned();
        self.by_extension.entry((extended, extension.number())).or_insert_with(|| file.clone());
    }

    fn add_service(&mut self, scope: &str, service: &ServiceDescriptorProto, file: &Bytes) {
        let name = self.add_symbol(scope, service.name(), file);
        service.method.iter().for_each(|method| {
            self.add_symbol(&name, method.name(), file);
        });
    }

    fn add_symbol(&mut self, scope: &str, name: &str, file: &Bytes) -> String {
        let full_name = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
        self.by_symbol.entry(full_name.clone()).or_insert_with(|| file.clone());
        full_name
    }
}
