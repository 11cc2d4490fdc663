use std::collections::BTreeSet;

use cloudstate_proto::crdt::{GSetDelta, crdt_delta};

use super::elements::Elements;
use super::encoded::Encoded;
use super::{Crdt, CrdtError, CrdtValue, Delta, LookupOf};

/// A set that only grows.
///
/// ```
/// use cloudstate_sdk::crdt::GSet;
///
/// let mut seen = GSet::<String>::new();
/// assert!(seen.insert("tea".to_string()));
/// assert!(!seen.insert("tea".to_string()));
/// assert!(seen.contains("tea"));
/// ```
///
/// Elements of other types than `T`, which somebody else has added, are not seen.
#[derive(Clone, Debug)]
pub struct GSet<T> {
    elements: Elements<T>,
    /// What the proxy has not got.
    unsent: BTreeSet<Encoded>,
    known: bool,
}

impl<T> Default for GSet<T> {
    fn default() -> Self {
        Self { elements: Elements::default(), unsent: BTreeSet::new(), known: false }
    }
}

impl<T: CrdtValue> GSet<T> {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `value` is in it.
    pub fn contains(&self, value: &(impl LookupOf<T> + ?Sized)) -> bool {
        self.elements.contains(value)
    }

    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements, in the order of their encoding: texts alphabetically, others in an order that is the same
    /// everywhere.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.elements.values()
    }

    /// Adds `value`. False if it was there already.
    pub fn insert(&mut self, value: T) -> bool {
        let key = Encoded(value.to_any());
        if self.elements.has(&key) {
            return false;
        }
        self.unsent.insert(key.clone());
        self.elements.insert(key, value);
        true
    }
}

impl<T: CrdtValue> Extend<T> for GSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        for value in values {
            self.insert(value);
        }
    }
}

impl<T: CrdtValue> Crdt for GSet<T> {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        let mut set = Self::new();
        set.apply(state)?;
        Ok(set)
    }

    fn state(&self) -> Delta {
        Delta(crdt_delta::Delta::Gset(GSetDelta { added: self.elements.forms() }))
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        let crdt_delta::Delta::Gset(GSetDelta { added }) = delta.0 else {
            return Err(delta.is_not_for("GSet"));
        };
        added.into_iter().for_each(|form| self.elements.insert_form(form));
        self.known = true;
        Ok(())
    }

    fn unsent(&self) -> Option<Delta> {
        let added = || self.unsent.iter().map(|key| key.0.clone()).collect();
        self.has_changed().then(|| Delta(crdt_delta::Delta::Gset(GSetDelta { added: added() })))
    }

    fn has_changed(&self) -> bool {
        !self.unsent.is_empty()
    }

    fn mark_sent(&mut self) {
        self.unsent.clear();
        self.known = true;
    }

    fn roll_back(&mut self) {
        while let Some(key) = self.unsent.pop_first() {
            self.elements.take(&key);
        }
    }

    fn is_known(&self) -> bool {
        self.known
    }
}

/// By elements, whatever is unsent.
impl<T> PartialEq for GSet<T> {
    fn eq(&self, other: &Self) -> bool {
        self.elements == other.elements
    }
}
