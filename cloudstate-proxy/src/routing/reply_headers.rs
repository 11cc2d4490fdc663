//! What of a reply's metadata fits into response headers.

use cloudstate_proto::{Metadata, metadata_entry::Value};

/// What reply metadata may take as response headers. Clients accept 8 KiB of headers or more; several break off the
/// whole connection, with all its calls, when one response has too many.
pub(super) const MAX_HEADER_BYTES: usize = 6 * 1024;
/// What HTTP/2 counts for a header beside its name and value.
const HEADER_OVERHEAD_BYTES: usize = 32;

/// Leaves out what does not fit; returns whether all did.
pub(super) fn fit(metadata: &mut Metadata) -> bool {
    let mut bytes = 0;
    let fitting = metadata.entries.iter().take_while(|entry| {
        let value = match &entry.value {
            Some(Value::StringValue(text)) => text.len(),
            // As base64.
            Some(Value::BytesValue(value)) => value.len().div_ceil(3) * 4,
            None => 0,
        };
        bytes += entry.key.len() + value + HEADER_OVERHEAD_BYTES;
        bytes <= MAX_HEADER_BYTES
    });
    let fitting = fitting.count();
    let all = fitting == metadata.entries.len();
    metadata.entries.truncate(fitting);
    all
}
