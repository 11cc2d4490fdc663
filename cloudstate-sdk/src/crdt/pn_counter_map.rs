use super::{CrdtValue, LookupOf, ORMap, PNCounter};

/// A counter for each key.
///
/// ```
/// use cloudstate_sdk::crdt::PNCounterMap;
///
/// let mut stock = PNCounterMap::<String>::new();
/// stock.increment("tea".to_string(), 3);
/// stock.decrement("tea".to_string(), 1);
/// assert_eq!(stock.value("tea"), 2);
/// assert_eq!(stock.value("milk"), 0);
/// ```
pub type PNCounterMap<K> = ORMap<K, PNCounter>;

impl<K: CrdtValue> ORMap<K, PNCounter> {
    /// The value of the counter of `key`; 0 if there is none.
    pub fn value(&self, key: &(impl LookupOf<K> + ?Sized)) -> i64 {
        self.get(key).map_or(0, PNCounter::value)
    }

    /// Adds `by` to the counter of `key`.
    pub fn increment(&mut self, key: K, by: i64) {
        self.get_or_default(key).increment(by);
    }

    /// Subtracts `by` from the counter of `key`.
    pub fn decrement(&mut self, key: K, by: i64) {
        self.get_or_default(key).decrement(by);
    }
}
