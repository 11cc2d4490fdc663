//! Messages of `google.protobuf` that cannot be a command or a reply by themselves.

use prost_types::FileDescriptorProto;

use crate::{error::Error, places::Places};

/// Those whose Rust types know their names, which a payload needs. `prost_types` has no `prost::Name` for the rest.
const NAMED: &[&str] = &[
    "Any",
    "BoolValue",
    "BytesValue",
    "DoubleValue",
    "Duration",
    "Empty",
    "FloatValue",
    "Int32Value",
    "Int64Value",
    "StringValue",
    "Timestamp",
    "UInt32Value",
    "UInt64Value",
];

/// Checks what the rpcs take and return. Inside a message of the user's own all types are fine.
pub(crate) fn check(files: &[FileDescriptorProto], externs: &[String], places: &Places) -> Result<(), Error> {
    for file in files {
        for (service_index, service) in (0..).zip(&file.service) {
            for (index, method) in (0..).zip(&service.method) {
                for message in [method.input_type(), method.output_type()] {
                    if is_unnamed(message) && !externs.iter().any(|path| path == message) {
                        return Err(Error::UnnamedMessage {
                            place: places.of(file, &[6, service_index, 2, index]),
                            rpc: method.name().to_owned(),
                            message: message.trim_start_matches('.').to_owned(),
                        });
                    }
                }
            }
        }
    }
    Ok(())
}

fn is_unnamed(full_name: &str) -> bool {
    full_name.strip_prefix(".google.protobuf.").is_some_and(|name| !NAMED.contains(&name))
}
