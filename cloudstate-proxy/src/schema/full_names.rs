//! How much room the full names of a descriptor set take. They are not in it: a few megabytes of short names in a
//! message with a long one would grow to more than any machine has.

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, ServiceDescriptorProto};

use super::SchemaError;

/// The longest full name, in bytes; our choice.
pub(super) const MAX_FULL_NAME: usize = 1024;
/// All full names together, in bytes; our choice: a million of the usual length.
pub(super) const MAX_FULL_NAMES: usize = 64 * 1024 * 1024;

/// Adds up the lengths of full names.
#[derive(Default)]
pub(super) struct FullNames<'a> {
    bytes: usize,
    /// The one that is being looked at.
    file: &'a str,
}

impl<'a> FullNames<'a> {
    /// Adds all that a file describes.
    pub(super) fn add_file(&mut self, file: &'a FileDescriptorProto) -> Result<(), SchemaError> {
        self.file = file.name();
        let package = file.package().len();
        file.message_type.iter().try_for_each(|message| self.add_message(package, message))?;
        file.enum_type.iter().try_for_each(|described| self.add_enum(package, described))?;
        file.service.iter().try_for_each(|service| self.add_service(package, service))?;
        file.extension.iter().try_for_each(|extension| self.add(package, extension.name()))
    }

    /// Recursive, but no deeper than the decoder lets messages be nested.
    fn add_message(&mut self, scope: usize, message: &DescriptorProto) -> Result<(), SchemaError> {
        self.add(scope, message.name())?;
        let scope = inside(scope, message.name());
        message.field.iter().try_for_each(|field| self.add(scope, field.name()))?;
        message.oneof_decl.iter().try_for_each(|oneof| self.add(scope, oneof.name()))?;
        message.extension.iter().try_for_each(|extension| self.add(scope, extension.name()))?;
        message.enum_type.iter().try_for_each(|described| self.add_enum(scope, described))?;
        message.nested_type.iter().try_for_each(|nested| self.add_message(scope, nested))
    }

    fn add_enum(&mut self, scope: usize, described: &EnumDescriptorProto) -> Result<(), SchemaError> {
        self.add(scope, described.name())?;
        let scope = inside(scope, described.name());
        described.value.iter().try_for_each(|value| self.add(scope, value.name()))
    }

    fn add_service(&mut self, scope: usize, service: &ServiceDescriptorProto) -> Result<(), SchemaError> {
        self.add(scope, service.name())?;
        let scope = inside(scope, service.name());
        service.method.iter().try_for_each(|method| self.add(scope, method.name()))
    }

    /// Adds a name in a scope whose full name has `scope` bytes.
    fn add(&mut self, scope: usize, name: &str) -> Result<(), SchemaError> {
        let length = inside(scope, name);
        if length > MAX_FULL_NAME {
            return Err(SchemaError::NameTooLong { file: self.file.to_owned(), name: name.to_owned() });
        }
        self.bytes += length;
        if self.bytes > MAX_FULL_NAMES { Err(SchemaError::TooManyNames) } else { Ok(()) }
    }
}

/// The length of the full name of what is called `name` in a scope whose full name has `scope` bytes.
fn inside(scope: usize, name: &str) -> usize {
    scope + 1 + name.len()
}
