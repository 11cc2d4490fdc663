use super::{CrdtValue, LookupOf, ORMap, ORSet};

/// A set of values for each key.
///
/// ```
/// use cloudstate_sdk::crdt::ORMultiMap;
///
/// let mut tags = ORMultiMap::<String, String>::new();
/// tags.insert("tea".to_string(), "hot".to_string());
/// tags.insert("tea".to_string(), "green".to_string());
/// tags.remove_value("tea", "hot");
/// assert_eq!(tags.values_of("tea").collect::<Vec<_>>(), ["green"]);
/// ```
pub type ORMultiMap<K, V> = ORMap<K, ORSet<V>>;

impl<K: CrdtValue, V: CrdtValue> ORMap<K, ORSet<V>> {
    /// The values of `key`, in the order of their encoding.
    pub fn values_of(&self, key: &(impl LookupOf<K> + ?Sized)) -> impl Iterator<Item = &V> {
        self.get(key).into_iter().flat_map(ORSet::iter)
    }

    /// Adds `value` to those of `key`. False if it was there already.
    pub fn insert(&mut self, key: K, value: V) -> bool {
        self.get_or_default(key).insert(value)
    }

    /// Removes `value` from those of `key`, which stays even when it has no values left. False if it was not there.
    pub fn remove_value(
        &mut self,
        key: &(impl LookupOf<K> + ?Sized),
        value: &(impl LookupOf<V> + ?Sized),
    ) -> bool {
        self.get_mut(key).is_some_and(|values| values.remove(value))
    }
}
