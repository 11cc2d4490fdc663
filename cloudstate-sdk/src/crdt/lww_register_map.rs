use super::{CrdtValue, LWWRegister, LookupOf, ORMap};

/// A value for each key; of two writes at the same time the later wins.
///
/// ```
/// use cloudstate_sdk::crdt::LWWRegisterMap;
///
/// let mut settings = LWWRegisterMap::<String, bool>::new();
/// settings.set("sound".to_string(), true);
/// assert_eq!(settings.value("sound"), Some(&true));
/// ```
pub type LWWRegisterMap<K, V> = ORMap<K, LWWRegister<V>>;

impl<K: CrdtValue, V: CrdtValue> ORMap<K, LWWRegister<V>> {
    /// The value of `key`.
    pub fn value(&self, key: &(impl LookupOf<K> + ?Sized)) -> Option<&V> {
        self.get(key).map(LWWRegister::get)
    }

    /// Writes the value of `key`.
    pub fn set(&mut self, key: K, value: V) {
        match self.get_mut(&key) {
            Some(register) => register.set(value),
            None => {
                self.get_or_insert_with(key, || LWWRegister::new(value));
            }
        }
    }
}
