//! The elements of a set.

use std::collections::BTreeMap;

use super::encoded::Encoded;
use super::{CrdtValue, LookupOf};
use crate::Any;

/// Values in the order of their encoding.
///
/// Values of other types than `T`, which somebody else has added, are left out: the proxy keeps them, and nothing here
/// removes them but a `clear`.
#[derive(Clone, Debug)]
pub(super) struct Elements<T> {
    elements: BTreeMap<Encoded, Element<T>>,
    /// Whether there may be others that are left out.
    has_others: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Element<T> {
    pub(super) value: T,
    /// All encodings under which the proxy has it. Other languages may write a value in another way, and to the proxy
    /// that is another element: to remove the value is to remove them all.
    forms: Vec<Any>,
}

// Not derived: a derive would ask the same of `T`.
impl<T> Default for Elements<T> {
    fn default() -> Self {
        Self { elements: BTreeMap::new(), has_others: false }
    }
}

impl<T: CrdtValue> Elements<T> {
    pub(super) fn contains(&self, value: &(impl LookupOf<T> + ?Sized)) -> bool {
        self.elements.contains_key(&Encoded(value.encoded()))
    }

    pub(super) fn has(&self, key: &Encoded) -> bool {
        self.elements.contains_key(key)
    }

    /// Whether there is nothing else, also nothing that is left out.
    pub(super) fn has_only(&self, key: &Encoded) -> bool {
        self.len() == 1 && self.has(key) && !self.has_others
    }

    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.elements.values().map(|element| &element.value)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Encoded> {
        self.elements.keys()
    }

    /// All encodings of all values.
    pub(super) fn forms(&self) -> Vec<Any> {
        self.elements.values().flat_map(|element| &element.forms).cloned().collect()
    }

    /// Adds what was not there before.
    pub(super) fn insert(&mut self, key: Encoded, value: T) {
        let forms = vec![key.0.clone()];
        self.elements.insert(key, Element { value, forms });
    }

    pub(super) fn put(&mut self, key: Encoded, element: Element<T>) {
        self.elements.insert(key, element);
    }

    pub(super) fn take(&mut self, key: &Encoded) -> Option<Element<T>> {
        self.elements.remove(key)
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = (Encoded, Element<T>)> {
        self.elements.into_iter()
    }

    /// Adds an element as somebody wrote it.
    pub(super) fn insert_form(&mut self, form: Any) {
        let Ok(value) = T::from_any(&form) else {
            self.has_others = true;
            return;
        };
        let element =
            self.elements.entry(Encoded(value.to_any())).or_insert(Element { value, forms: Vec::new() });
        if !element.forms.contains(&form) {
            element.forms.push(form);
        }
    }

    /// Removes an element as somebody wrote it.
    pub(super) fn remove_form(&mut self, form: &Any) {
        let Ok(value) = T::from_any(form) else { return };
        let key = Encoded(value.to_any());
        let Some(element) = self.elements.get_mut(&key) else { return };
        element.forms.retain(|other| other != form);
        if element.forms.is_empty() {
            self.elements.remove(&key);
        }
    }
}

impl<T> PartialEq for Elements<T> {
    fn eq(&self, other: &Self) -> bool {
        self.elements.keys().eq(other.elements.keys())
    }
}
