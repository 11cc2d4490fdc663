use bytes::Bytes;

/// `google.protobuf.Any` whose value is [`Bytes`]: taken from a decoded message it is a slice of it.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Any {
    /// Names the type of `value`, for example `type.googleapis.com/com.example.ItemAdded`.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The encoded message.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

impl Any {
    /// The name of the type: what follows the last `/` of the type URL, or all of it.
    pub fn type_name(&self) -> &str {
        self.type_url.rsplit('/').next().unwrap_or_default()
    }
}

impl prost::Name for Any {
    const NAME: &'static str = "Any";
    const PACKAGE: &'static str = "google.protobuf";
}
