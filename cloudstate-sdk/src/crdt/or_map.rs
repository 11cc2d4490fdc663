use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use cloudstate_proto::crdt::{OrMapDelta, OrMapEntryDelta, crdt_delta};

use super::delta::Kind;
use super::encoded::Encoded;
use super::{Crdt, CrdtError, CrdtValue, Delta, LookupOf};
use crate::Any;

/// A map from keys to CRDTs, which merge when several change them at the same time.
///
/// ```
/// use cloudstate_sdk::crdt::{ORMap, ORSet};
///
/// let mut rooms = ORMap::<String, ORSet<String>>::new();
/// rooms.get_or_default("kitchen".to_string()).insert("ada".to_string());
/// assert_eq!(rooms.get("kitchen").map(ORSet::len), Some(1));
/// assert!(rooms.remove("kitchen"));
/// ```
///
/// Change values through their methods: putting another CRDT in their place through [`get_mut`](Self::get_mut) is not
/// noticed. To replace one, remove its key and create it again.
///
/// A map with values of several types is an `ORMap<K, AnyCrdt>`. Entries whose keys are of other types than `K`, which
/// somebody else has added, are not seen, and only removed by [`clear`](Self::clear).
#[derive(Clone, Debug)]
pub struct ORMap<K, V> {
    entries: Entries<K, V>,
    changes: Changes<K, V>,
    known: bool,
}

type Entries<K, V> = BTreeMap<Encoded, Entry<K, V>>;

#[derive(Clone, Debug)]
struct Entry<K, V> {
    key: K,
    /// The key as the proxy has it: other languages may encode it in another way.
    form: Any,
    value: V,
}

/// What the proxy has not got.
#[derive(Clone, Debug)]
struct Changes<K, V> {
    /// The entries that a clear has removed. What follows is about the cleared map.
    cleared: Option<Entries<K, V>>,
    /// Without those that were created here. A key may be removed, and then created anew.
    removed: Entries<K, V>,
    /// Created here, and still there.
    added: BTreeSet<Encoded>,
    /// Older entries that may have changed: there is no need to look at all others.
    touched: BTreeSet<Encoded>,
}

impl<K, V> Default for ORMap<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), changes: Changes::default(), known: false }
    }
}

impl<K, V> Default for Changes<K, V> {
    fn default() -> Self {
        Self { cleared: None, removed: BTreeMap::new(), added: BTreeSet::new(), touched: BTreeSet::new() }
    }
}

impl<K: CrdtValue, V: Crdt> ORMap<K, V> {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`.
    pub fn get(&self, key: &(impl LookupOf<K> + ?Sized)) -> Option<&V> {
        self.entries.get(&Encoded(key.encoded())).map(|entry| &entry.value)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &(impl LookupOf<K> + ?Sized)) -> Option<&mut V> {
        self.touch(&Encoded(key.encoded()))
    }

    /// The value of `key`, to be changed. If there is none, one is created.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    /// The value of `key`, to be changed. If there is none, `create` makes one.
    pub fn get_or_insert_with(&mut self, key: K, create: impl FnOnce() -> V) -> &mut V {
        let encoded = Encoded(key.to_any());
        if !self.entries.contains_key(&encoded) {
            self.changes.added.insert(encoded.clone());
        } else if !self.changes.added.contains(&encoded) {
            self.changes.touched.insert(encoded.clone());
        }
        let form = encoded.0.clone();
        let entry = self.entries.entry(encoded).or_insert_with(|| Entry { key, form, value: create() });
        &mut entry.value
    }

    /// Removes `key` and its value. False if it was not there.
    pub fn remove(&mut self, key: &(impl LookupOf<K> + ?Sized)) -> bool {
        let key = Encoded(key.encoded());
        let Some(mut entry) = self.entries.remove(&key) else { return false };
        if !self.changes.added.remove(&key) {
            self.changes.touched.remove(&key);
            entry.value.roll_back();
            self.changes.removed.insert(key, entry);
        }
        true
    }

    /// Removes all entries, also those that others add at the same time.
    pub fn clear(&mut self) {
        self.take_back();
        let entries = mem::take(&mut self.entries);
        self.changes.cleared.get_or_insert(entries);
    }

    /// Whether `key` has a value.
    pub fn contains_key(&self, key: &(impl LookupOf<K> + ?Sized)) -> bool {
        self.get(key).is_some()
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in the order of their encoded keys: texts alphabetically, others in an order that is the same
    /// everywhere.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.values().map(|entry| (&entry.key, &entry.value))
    }

    /// The keys, in the order of [`iter`](Self::iter).
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in the order of [`iter`](Self::iter).
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn touch(&mut self, key: &Encoded) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        if !self.changes.added.contains(key) {
            self.changes.touched.insert(key.clone());
        }
        Some(&mut entry.value)
    }

    /// To what it was when last sent or cleared.
    fn take_back(&mut self) {
        while let Some(key) = self.changes.added.pop_first() {
            self.entries.remove(&key);
        }
        while let Some(key) = self.changes.touched.pop_first() {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.value.roll_back();
            }
        }
        self.entries.append(&mut self.changes.removed);
    }

    fn touched(&self) -> impl Iterator<Item = &Entry<K, V>> {
        self.changes.touched.iter().filter_map(|key| self.entries.get(key))
    }

    fn added(&self) -> impl Iterator<Item = &Entry<K, V>> {
        self.changes.added.iter().filter_map(|key| self.entries.get(key))
    }

    fn insert_from(&mut self, entry: OrMapEntryDelta) -> Result<(), CrdtError> {
        let (form, delta) = parts(entry)?;
        let Ok(key) = K::from_any(&form) else { return Ok(()) };
        let value = V::from_state(delta).map_err(|error| error.in_entry(&form))?;
        self.entries.insert(Encoded(key.to_any()), Entry { key, form, value });
        Ok(())
    }

    fn update_from(&mut self, entry: OrMapEntryDelta) -> Result<(), CrdtError> {
        let (form, delta) = parts(entry)?;
        let Some(key) = self.find(&form) else { return Ok(()) };
        let Some(entry) = self.entries.get_mut(&key) else { return Ok(()) };
        entry.value.apply(delta).map_err(|error| error.in_entry(&form))
    }

    /// The entry that the proxy has under exactly this key.
    fn find(&self, form: &Any) -> Option<Encoded> {
        let key = Encoded(K::from_any(form).ok()?.to_any());
        self.entries.get(&key).filter(|entry| entry.form == *form)?;
        Some(key)
    }
}

impl<K: CrdtValue, V: Crdt> Crdt for ORMap<K, V> {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        let mut map = Self::new();
        map.apply(state)?;
        Ok(map)
    }

    fn state(&self) -> Delta {
        delta(OrMapDelta { added: self.entries.values().map(added).collect(), ..Default::default() })
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        let crdt_delta::Delta::Ormap(OrMapDelta { cleared, removed, updated, added }) = delta.0 else {
            return Err(delta.is_not_for("ORMap"));
        };
        if cleared {
            self.entries.clear();
        }
        for key in removed.iter().filter_map(|form| self.find(form)).collect::<Vec<_>>() {
            self.entries.remove(&key);
        }
        // In this order: of a key in both, the added value is the newer.
        updated.into_iter().try_for_each(|entry| self.update_from(entry))?;
        added.into_iter().try_for_each(|entry| self.insert_from(entry))?;
        self.known = true;
        Ok(())
    }

    fn unsent(&self) -> Option<Delta> {
        let Changes { cleared, removed, .. } = &self.changes;
        self.has_changed().then(|| {
            delta(OrMapDelta {
                cleared: cleared.is_some(),
                removed: removed.values().map(|entry| entry.form.clone()).collect(),
                updated: self.touched().filter_map(updated).collect(),
                added: self.added().map(added).collect(),
            })
        })
    }

    fn has_changed(&self) -> bool {
        let Changes { cleared, removed, added, .. } = &self.changes;
        cleared.is_some()
            || !removed.is_empty()
            || !added.is_empty()
            || self.touched().any(|entry| entry.value.has_changed())
    }

    fn mark_sent(&mut self) {
        let Changes { added, touched, .. } = mem::take(&mut self.changes);
        for key in added.into_iter().chain(touched) {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.value.mark_sent();
            }
        }
        self.known = true;
    }

    fn roll_back(&mut self) {
        self.take_back();
        if let Some(entries) = self.changes.cleared.take() {
            self.entries = entries;
        }
    }

    fn is_known(&self) -> bool {
        self.known
    }
}

/// By entries, whatever is unsent.
impl<K, V: PartialEq> PartialEq for ORMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let mine = self.entries.iter().map(|(key, entry)| (key, &entry.value));
        mine.eq(other.entries.iter().map(|(key, entry)| (key, &entry.value)))
    }
}

/// A new entry tells its whole value, even an empty one: it says which type the value has.
fn added<K, V: Crdt>(entry: &Entry<K, V>) -> OrMapEntryDelta {
    entry_delta(&entry.form, entry.value.state())
}

fn updated<K, V: Crdt>(entry: &Entry<K, V>) -> Option<OrMapEntryDelta> {
    entry.value.unsent().map(|delta| entry_delta(&entry.form, delta))
}

fn entry_delta(key: &Any, delta: Delta) -> OrMapEntryDelta {
    OrMapEntryDelta { key: Some(key.clone()), delta: Some(delta.into_proto()) }
}

fn parts(entry: OrMapEntryDelta) -> Result<(Any, Delta), CrdtError> {
    let key = entry.key.ok_or_else(|| CrdtError::new(Kind::NoKey))?;
    let delta = Delta::from_proto(entry.delta).map_err(|error| error.in_entry(&key))?;
    Ok((key, delta))
}

fn delta(delta: OrMapDelta) -> Delta {
    Delta(crdt_delta::Delta::Ormap(delta))
}
