//! What the authors of a contract wrote above its messages, fields and rpcs.

use std::collections::HashMap;

use prost_reflect::FileDescriptor;

use super::{Field, MessageType, Schema};

/// How much of a comment is kept, in bytes: it is repeated wherever its field may stand.
const MAX_LENGTH: usize = 4 * 1024;

/// The comments of a descriptor set, if it was compiled with them.
#[derive(Debug, Default)]
pub struct Comments {
    /// By file and by the place in it, as descriptors count places.
    by_place: HashMap<String, HashMap<Vec<i32>, String>>,
}

impl Comments {
    pub(super) fn new(schema: &Schema) -> Self {
        let files = schema.pool.files();
        Self { by_place: files.map(|file| (file.name().to_owned(), comments_of(&file))).collect() }
    }

    /// What stands above a message.
    pub fn of_message(&self, message: &MessageType) -> Option<&str> {
        self.at(&message.descriptor.parent_file(), message.descriptor.path())
    }

    /// What stands above a field.
    pub fn of_field(&self, field: &Field) -> Option<&str> {
        self.at(&field.descriptor.parent_file(), field.descriptor.path())
    }

    /// What stands above an rpc; the service by its full name.
    pub fn of_rpc(&self, schema: &Schema, service: &str, rpc: &str) -> Option<&str> {
        let service = schema.pool.get_service_by_name(service)?;
        let rpc = service.methods().find(|method| method.name() == rpc)?;
        self.at(&service.parent_file(), rpc.path())
    }

    /// What stands above a service, by its full name.
    pub fn of_service(&self, schema: &Schema, service: &str) -> Option<&str> {
        let service = schema.pool.get_service_by_name(service)?;
        self.at(&service.parent_file(), service.path())
    }

    fn at(&self, file: &FileDescriptor, place: &[i32]) -> Option<&str> {
        self.by_place.get(file.name())?.get(place).map(String::as_str)
    }
}

fn comments_of(file: &FileDescriptor) -> HashMap<Vec<i32>, String> {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let locations = info.map_or(&[][..], |info| &info.location);
    let comments = locations.iter().filter_map(|location| {
        let comment = text(location.leading_comments.as_deref()?);
        (!comment.is_empty()).then(|| (location.path.clone(), comment))
    });
    comments.collect()
}

/// Without the blank that follows the slashes.
fn text(comment: &str) -> String {
    let comment = &comment[..comment.floor_char_boundary(MAX_LENGTH)];
    let lines: Vec<&str> = comment.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}
