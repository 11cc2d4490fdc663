use cloudstate_proto as proto;
use prost::bytes::Bytes;

/// Keys and values that travel beside a payload: an ordered multimap.
///
/// Keys compare without regard to ASCII case, and are sent as they were written. A key may have several
/// values, each a text or bytes; the accessors of one form do not see values of the other.
///
/// ```
/// use cloudstate_sdk::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.append("X-Tag", "new");
/// metadata.append("x-tag", "sale");
/// assert_eq!(metadata.get("x-tag"), Some("new"));
/// assert_eq!(metadata.get_all("x-tag").collect::<Vec<_>>(), ["new", "sale"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Vec<(String, MetadataValue)>,
}

/// One value in [`Metadata`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataValue {
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
}

impl Metadata {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first text under `key`.
    pub fn get<'a>(&'a self, key: &str) -> Option<&'a str> {
        self.entries.iter().filter(|(k, _)| k.eq_ignore_ascii_case(key)).find_map(|(_, value)| as_text(value))
    }

    /// All texts under `key`, in order.
    pub fn get_all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(key).filter_map(as_text)
    }

    /// The first bytes value under `key`.
    pub fn get_bytes<'a>(&'a self, key: &str) -> Option<&'a [u8]> {
        self.entries
            .iter()
            .filter(|(k, _)| k.eq_ignore_ascii_case(key))
            .find_map(|(_, value)| as_bytes(value))
    }

    /// All bytes values under `key`, in order.
    pub fn get_all_bytes<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.values(key).filter_map(as_bytes)
    }

    /// Whether there is a value of either form under `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.values(key).next().is_some()
    }

    /// The keys as first written, each once.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let first =
            |index: usize, key: &str| !self.entries[..index].iter().any(|(k, _)| k.eq_ignore_ascii_case(key));
        self.entries
            .iter()
            .enumerate()
            .filter(move |(index, (key, _))| first(*index, key))
            .map(|(_, (key, _))| key.as_str())
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &MetadataValue)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Replaces all values of `key` by one.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<MetadataValue>) {
        let key = key.into();
        self.remove(&key);
        self.append(key, value);
    }

    /// Adds a value after the others.
    pub fn append(&mut self, key: impl Into<String>, value: impl Into<MetadataValue>) {
        self.entries.push((key.into(), value.into()));
    }

    /// Removes all values of `key`.
    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|(k, _)| !k.eq_ignore_ascii_case(key));
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a MetadataValue> {
        self.entries.iter().filter(move |(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// The field that holds it must be absent when there are no entries: an empty one is another message.
    pub(crate) fn into_proto(self) -> Option<proto::Metadata> {
        use proto::metadata_entry::Value;
        let entry = |(key, value)| {
            let value = match value {
                MetadataValue::Text(text) => Value::StringValue(text),
                MetadataValue::Bytes(bytes) => Value::BytesValue(bytes),
            };
            proto::MetadataEntry { key, value: Some(value) }
        };
        let entries: Vec<_> = self.entries.into_iter().map(entry).collect();
        (!entries.is_empty()).then_some(proto::Metadata { entries })
    }

    /// Entries without a value are dropped.
    pub(crate) fn from_proto(metadata: Option<proto::Metadata>) -> Self {
        use proto::metadata_entry::Value;
        let entry = |entry: proto::MetadataEntry| {
            let value = match entry.value? {
                Value::StringValue(text) => MetadataValue::Text(text),
                Value::BytesValue(bytes) => MetadataValue::Bytes(bytes),
            };
            Some((entry.key, value))
        };
        let entries = metadata.map(|metadata| metadata.entries).unwrap_or_default();
        Self { entries: entries.into_iter().filter_map(entry).collect() }
    }
}

impl<K: Into<String>, V: Into<MetadataValue>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut metadata = Self::new();
        metadata.extend(entries);
        metadata
    }
}

/// Appends.
impl<K: Into<String>, V: Into<MetadataValue>> Extend<(K, V)> for Metadata {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        self.entries.extend(entries.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

impl IntoIterator for Metadata {
    type Item = (String, MetadataValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

fn as_text(value: &MetadataValue) -> Option<&str> {
    match value {
        MetadataValue::Text(text) => Some(text),
        MetadataValue::Bytes(_) => None,
    }
}

fn as_bytes(value: &MetadataValue) -> Option<&[u8]> {
    match value {
        MetadataValue::Bytes(bytes) => Some(bytes),
        MetadataValue::Text(_) => None,
    }
}

impl From<String> for MetadataValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for MetadataValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<u8>> for MetadataValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&[u8]> for MetadataValue {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(bytes))
    }
}

impl From<Bytes> for MetadataValue {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        let mut metadata = Metadata::new();
        metadata.append("Content-Type", "text/plain");
        metadata.append("trace", vec![1, 2]);
        metadata.append("TRACE", "text");
        metadata.append("content-type", "application/json");
        metadata
    }

    #[test]
    fn keys_ignore_case_and_appear_once() {
        assert_eq!(sample().keys().collect::<Vec<_>>(), ["Content-Type", "trace"]);
        assert!(sample().contains("CONTENT-TYPE"));
        assert!(!sample().contains("content"));
    }

    #[test]
    fn texts_and_bytes_do_not_see_each_other() {
        assert_eq!(sample().get("trace"), Some("text"));
        assert_eq!(sample().get_bytes("trace"), Some(&[1, 2][..]));
        assert_eq!(sample().get_bytes("content-type"), None);
    }

    #[test]
    fn insert_replaces_all_values() {
        let mut metadata = sample();
        metadata.insert("CONTENT-type", "x");
        assert_eq!(metadata.get_all("content-type").collect::<Vec<_>>(), ["x"]);
        metadata.remove("content-type");
        metadata.remove("trace");
        assert!(metadata.is_empty());
    }

    #[test]
    fn nothing_is_an_absent_field_and_entries_survive_the_wire() {
        assert_eq!(Metadata::new().into_proto(), None);
        assert_eq!(Metadata::from_proto(sample().into_proto()), sample());
    }
}
