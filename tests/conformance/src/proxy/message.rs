//! Messages of any type: what is sent, or what is expected.

use bytes::Bytes;

use crate::readable;

/// Makes equal what may differ; nothing if these are no bytes of that type.
type Normal = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// An encoded message.
pub(crate) struct Message {
    /// The full name of its type.
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    normal: Normal,
}

impl Message {
    /// Expected up to what `forgive` makes equal.
    pub(crate) fn of<M: prost::Message + prost::Name + Default + 'static>(
        message: &M,
        forgive: fn(&mut M),
    ) -> Self {
        Self {
            name: M::full_name(),
            bytes: message.encode_to_vec().into(),
            normal: Box::new(move |bytes| {
                let mut message = M::decode(bytes).ok()?;
                forgive(&mut message);
                Some(message.encode_to_vec())
            }),
        }
    }

    /// Expected byte for byte.
    pub(crate) fn exactly(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self { name: name.into(), bytes: bytes.into(), normal: Box::new(|bytes| Some(bytes.to_vec())) }
    }

    /// Whether the received message is this one, and holds nothing that is unknown.
    pub(crate) fn accepts(&self, received: &[u8]) -> bool {
        let equal = match ((self.normal)(&self.bytes), (self.normal)(received)) {
            (Some(expected), Some(received)) => expected == received,
            _ => false,
        };
        equal && !readable::has_unknown_fields(&self.name, received)
    }

    /// The message for people, and the one that came instead. Payloads are shown decoded, unless that hides the
    /// difference.
    pub(crate) fn compared(&self, received: &[u8]) -> (String, String) {
        let show = |bytes: &[u8], expand| {
            readable::encoded(&self.name, bytes, expand)
                .unwrap_or_else(|| format!("{:?}", Bytes::copy_from_slice(bytes)))
        };
        let pair = |expand| (show(&self.bytes, expand), show(received, expand));
        let decoded = pair(true);
        if decoded.0 == decoded.1 { pair(false) } else { decoded }
    }

    pub(crate) fn show(&self) -> String {
        self.compared(&self.bytes).0
    }
}
