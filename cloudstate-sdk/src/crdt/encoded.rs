//! Encoded values as keys of ordered collections.

use std::cmp::Ordering;

use crate::Any;

/// A value's encoding. Texts and byte strings sort by their content, other values by type and bytes: an order that is
/// the same for everybody, whatever the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encoded(pub(super) Any);

impl Encoded {
    /// Without the tag and length that stand before a text.
    fn content(&self) -> &[u8] {
        let bytes: &[u8] = &self.0.value;
        match (self.0.type_url.as_str(), bytes) {
            ("p.cloudstate.io/string" | "p.cloudstate.io/bytes", [0x0a, length @ ..]) => {
                let last = length.iter().position(|byte| byte & 0x80 == 0);
                last.and_then(|last| length.get(last + 1..)).unwrap_or(bytes)
            }
            _ => bytes,
        }
    }
}

impl Ord for Encoded {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_type = self.0.type_url.cmp(&other.0.type_url);
        let by_content = by_type.then_with(|| self.content().cmp(other.content()));
        by_content.then_with(|| self.0.value.cmp(&other.0.value))
    }
}

impl PartialOrd for Encoded {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
