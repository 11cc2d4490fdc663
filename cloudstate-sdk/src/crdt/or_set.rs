use std::collections::BTreeSet;
use std::mem;

use cloudstate_proto::crdt::{OrSetDelta, crdt_delta};

use super::elements::Elements;
use super::encoded::Encoded;
use super::{Crdt, CrdtError, CrdtValue, Delta, LookupOf};

/// A set that elements can be added to and removed from. When one is added and removed at the same time, it stays.
///
/// ```
/// use cloudstate_sdk::crdt::ORSet;
///
/// let mut online = ORSet::<String>::new();
/// online.insert("ada".to_string());
/// online.insert("bob".to_string());
/// assert!(online.remove("ada"));
/// assert_eq!(online.iter().collect::<Vec<_>>(), ["bob"]);
/// ```
///
/// Elements of other types than `T`, which somebody else has added, are not seen, and only removed by
/// [`clear`](Self::clear).
#[derive(Clone, Debug)]
pub struct ORSet<T> {
    elements: Elements<T>,
    changes: Changes<T>,
    known: bool,
}

/// What the proxy has not got. An element is in one of the two sets at most.
#[derive(Clone, Debug)]
struct Changes<T> {
    /// The elements that a clear has removed. What follows is about the cleared set.
    cleared: Option<Elements<T>>,
    removed: Elements<T>,
    added: BTreeSet<Encoded>,
}

impl<T> Default for ORSet<T> {
    fn default() -> Self {
        Self { elements: Elements::default(), changes: Changes::default(), known: false }
    }
}

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Self { cleared: None, removed: Elements::default(), added: BTreeSet::new() }
    }
}

impl<T: CrdtValue> ORSet<T> {
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
        match self.changes.removed.take(&key) {
            // As if it had never been away, in the form in which others know it.
            Some(element) => self.elements.put(key, element),
            None => {
                self.changes.added.insert(key.clone());
                self.elements.insert(key, value);
            }
        }
        true
    }

    /// Removes `value`. False if it was not there. To remove the only element is to [`clear`](Self::clear) the set, unless
    /// the same command has added it.
    pub fn remove(&mut self, value: &(impl LookupOf<T> + ?Sized)) -> bool {
        self.remove_key(Encoded(value.encoded()))
    }

    /// Removes the elements that `keep` is false for. When the last goes, the set is [cleared](Self::clear).
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let others = self.elements.keys().zip(self.elements.values()).filter(|(_, value)| !keep(value));
        let keys: Vec<Encoded> = others.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.remove_key(key);
        }
    }

    /// Removes all elements, also those that others add at the same time.
    pub fn clear(&mut self) {
        self.take_back();
        let elements = mem::take(&mut self.elements);
        self.changes.cleared.get_or_insert(elements);
    }

    fn remove_key(&mut self, key: Encoded) -> bool {
        if self.changes.added.remove(&key) {
            self.elements.take(&key);
        } else if self.elements.has_only(&key) {
            // What the other languages send, too.
            self.clear();
        } else {
            let Some(element) = self.elements.take(&key) else { return false };
            self.changes.removed.put(key, element);
        }
        true
    }

    /// To what it was when last sent or cleared.
    fn take_back(&mut self) {
        while let Some(key) = self.changes.added.pop_first() {
            self.elements.take(&key);
        }
        for (key, element) in mem::take(&mut self.changes.removed).into_entries() {
            self.elements.put(key, element);
        }
    }
}

impl<T: CrdtValue> Extend<T> for ORSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        for value in values {
            self.insert(value);
        }
    }
}

impl<T: CrdtValue> Crdt for ORSet<T> {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        let mut set = Self::new();
        set.apply(state)?;
        Ok(set)
    }

    fn state(&self) -> Delta {
        delta(OrSetDelta { added: self.elements.forms(), ..Default::default() })
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        let crdt_delta::Delta::Orset(OrSetDelta { cleared, removed, added }) = delta.0 else {
            return Err(delta.is_not_for("ORSet"));
        };
        if cleared {
            self.elements = Elements::default();
        }
        removed.iter().for_each(|form| self.elements.remove_form(form));
        added.into_iter().for_each(|form| self.elements.insert_form(form));
        self.known = true;
        Ok(())
    }

    fn unsent(&self) -> Option<Delta> {
        let Changes { cleared, removed, added } = &self.changes;
        self.has_changed().then(|| {
            delta(OrSetDelta {
                cleared: cleared.is_some(),
                removed: removed.forms(),
                added: added.iter().map(|key| key.0.clone()).collect(),
            })
        })
    }

    fn has_changed(&self) -> bool {
        let Changes { cleared, removed, added } = &self.changes;
        cleared.is_some() || removed.len() > 0 || !added.is_empty()
    }

    fn mark_sent(&mut self) {
        self.changes = Changes::default();
        self.known = true;
    }

    fn roll_back(&mut self) {
        self.take_back();
        if let Some(elements) = self.changes.cleared.take() {
            self.elements = elements;
        }
    }

    fn is_known(&self) -> bool {
        self.known
    }
}

/// By elements, whatever is unsent.
impl<T> PartialEq for ORSet<T> {
    fn eq(&self, other: &Self) -> bool {
        self.elements == other.elements
    }
}

fn delta(delta: OrSetDelta) -> Delta {
    Delta(crdt_delta::Delta::Orset(delta))
}
