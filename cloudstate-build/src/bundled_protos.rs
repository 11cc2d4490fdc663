//! The files that contracts import and nobody should have to copy.

use cloudstate_proto::sources::FRONTEND;
use protox::{
    Error,
    file::{File, FileResolver},
};

/// Messages of the bundled files that a contract may use in its own messages and rpcs, and where the SDK has them.
pub(crate) const MESSAGES_IN_SDK: &[(&str, &str)] = &[
    (".google.protobuf.Any", "::cloudstate_sdk::Any"),
    (".google.api.Http", "::cloudstate_sdk::google::api::Http"),
    (".google.api.HttpRule", "::cloudstate_sdk::google::api::HttpRule"),
    (".google.api.CustomHttpPattern", "::cloudstate_sdk::google::api::CustomHttpPattern"),
    (".google.api.HttpBody", "::cloudstate_sdk::google::api::HttpBody"),
];

/// Whether this import path is one of `cloudstate/*.proto`, which are all options: no Rust is generated for them.
pub(crate) fn is_option_file(name: &str) -> bool {
    name.starts_with("cloudstate/") && FRONTEND.iter().any(|(bundled, _)| *bundled == name)
}

/// Serves the option files from memory.
#[derive(Debug)]
pub(crate) struct BundledProtos;

impl FileResolver for BundledProtos {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match FRONTEND.iter().find(|(bundled, _)| *bundled == name) {
            Some((name, text)) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}
