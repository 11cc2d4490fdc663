//! The elements of a set, in the order in which they were added.

use std::collections::HashSet;

use bytes::Bytes;
use cloudstate_proto::Any;
use indexmap::IndexSet;

/// What an element takes in memory and on disk beside its text and its bytes, roughly.
pub(super) const ELEMENT_BYTES: usize = 64;

/// Two elements are the same if their type URLs and their bytes are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Elements {
    members: IndexSet<Any>,
    bytes: usize,
}

impl Elements {
    pub(super) fn add(&mut self, added: Vec<Any>) {
        for element in added {
            if !self.members.contains(&element) {
                self.bytes = self.bytes.saturating_add(weight(&element));
                self.members.insert(detached(element));
            }
        }
    }

    pub(super) fn remove(&mut self, removed: &[Any]) {
        if removed.is_empty() {
            return;
        }
        // One pass, however many are removed: moving up the rest for each would be quadratic.
        let removed: HashSet<&Any> = removed.iter().collect();
        let mut bytes = 0;
        self.members.retain(|element| {
            let keep = !removed.contains(element);
            bytes += if keep { weight(element) } else { 0 };
            keep
        });
        self.bytes = bytes;
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn to_vec(&self) -> Vec<Any> {
        self.members.iter().cloned().collect()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

pub(super) fn weight(element: &Any) -> usize {
    element.type_url.len() + element.value.len() + ELEMENT_BYTES
}

/// A copy that does not keep the whole message in memory from which it was sliced.
pub(super) fn detached(element: Any) -> Any {
    Any { value: Bytes::copy_from_slice(&element.value), ..element }
}
