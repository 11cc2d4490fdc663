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
pub(super) struct Elements<T>(BTreeMap<Encoded, Element<T>>);

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
        Self(BTreeMap::new())
    }
}

impl<T: CrdtValue> Elements<T> {
    pub(super) fn contains(&self, value: &(impl LookupOf<T> + ?Sized)) -> bool {
        self.0.contains_key(&Encoded(value.encoded()))
    }

    pub(super) fn has(&self, key: &Encoded) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values().map(|element| &element.value)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Encoded> {
        self.0.keys()
    }

    /// All encodings of all values.
    pub(super) fn forms(&self) -> Vec<Any> {
        self.0.values().flat_map(|element| &element.forms).cloned().collect()
    }

    /// Adds what was not there before.
    pub(super) fn insert(&mut self, key: Encoded, value: T) {
        let forms = vec![key.0.clone()];
        self.0.insert(key, Element { value, forms });
    }

    pub(super) fn put(&mut self, key: Encoded, element: Element<T>) {
        self.0.insert(key, element);
    }

    pub(super) fn take(&mut self, key: &Encoded) -> Option<Element<T>> {
        self.0.remove(key)
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = (Encoded, Element<T>)> {
        self.0.into_iter()
    }

    /// Adds an element as somebody wrote it.
    pub(super) fn insert_form(&mut self, form: Any) {
        let Ok(value) = T::from_any(&form) else { return };
        let element = self.0.entry(Encoded(value.to_any())).or_insert(Element { value, forms: Vec::new() });
        if !element.forms.contains(&form) {
            element.forms.push(form);
        }
    }

    /// Removes an element as somebody wrote it.
    pub(super) fn remove_form(&mut self, form: &Any) {
        let Ok(value) = T::from_any(form) else { return };
        let key = Encoded(value.to_any());
        let Some(element) = self.0.get_mut(&key) else { return };
        element.forms.retain(|other| other != form);
        if element.forms.is_empty() {
            self.0.remove(&key);
        }
    }
}

impl<T> PartialEq for Elements<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.keys().eq(other.0.keys())
    }
}
