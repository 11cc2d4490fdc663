use super::Metadata;

const SPEC_VERSION: &str = "ce-specversion";
const ID: &str = "ce-id";
const SOURCE: &str = "ce-source";
const TYPE: &str = "ce-type";
const SUBJECT: &str = "ce-subject";
const TIME: &str = "ce-time";
const DATA_SCHEMA: &str = "ce-dataschema";
/// The one attribute without the prefix.
const CONTENT_TYPE: &str = "Content-Type";
const PREFIX: &str = "ce-";

/// [`Metadata`] seen as the attributes of a [CloudEvent](https://cloudevents.io): what comes with an event of a log
/// or a topic.
///
/// [`Metadata::cloud_event`] takes what is there. `CloudEvent::try_from(&metadata)` insists on the attributes that every
/// CloudEvent has.
///
/// ```
/// use cloudstate_sdk::{CloudEvent, Metadata};
///
/// let metadata = Metadata::from_iter([("ce-subject", "cart-1"), ("ce-source", "shopping-cart")]);
/// assert_eq!(metadata.cloud_event().subject(), Some("cart-1"));
///
/// let missing = CloudEvent::try_from(&metadata).unwrap_err();
/// assert_eq!(missing.to_string(), "not a CloudEvent: `ce-specversion` is not 1.0");
/// ```
///
/// | Attribute | From an event log | From a topic |
/// |---|---|---|
/// | `id` | the place of the event in the log | as the broker has it |
/// | `source` | the persistence id | as the broker has it |
/// | `type` | the type URL | as the broker has it |
/// | `subject` | the entity id | as the broker has it |
///
/// Events come at least once; `source` and `id` together tell whether one has come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudEvent<'a> {
    metadata: &'a Metadata,
}

/// Metadata lacks what every CloudEvent has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CloudEvent: {0}")]
pub struct NotACloudEvent(&'static str);

impl<'a> CloudEvent<'a> {
    /// Which event of its source this is.
    pub fn id(&self) -> Option<&'a str> {
        self.metadata.get(ID)
    }

    /// Where it happened.
    pub fn source(&self) -> Option<&'a str> {
        self.metadata.get(SOURCE)
    }

    /// What has happened: the attribute `type`.
    pub fn event_type(&self) -> Option<&'a str> {
        self.metadata.get(TYPE)
    }

    /// To what it happened.
    pub fn subject(&self) -> Option<&'a str> {
        self.metadata.get(SUBJECT)
    }

    /// When it happened, by RFC 3339.
    pub fn time(&self) -> Option<&'a str> {
        self.metadata.get(TIME)
    }

    /// The media type of the payload.
    pub fn content_type(&self) -> Option<&'a str> {
        self.metadata.get(CONTENT_TYPE)
    }

    /// Where the schema of the payload is, as a URI.
    pub fn data_schema(&self) -> Option<&'a str> {
        self.metadata.get(DATA_SCHEMA)
    }

    /// An attribute of another name, in lower case and without prefix.
    pub fn extension(&self, name: &str) -> Option<&'a str> {
        self.metadata.get(&format!("{PREFIX}{name}"))
    }
}

impl Metadata {
    /// The attributes of an event, as far as they are there.
    pub fn cloud_event(&self) -> CloudEvent<'_> {
        CloudEvent { metadata: self }
    }

    /// Whether all attributes are there that every CloudEvent has.
    pub fn is_cloud_event(&self) -> bool {
        CloudEvent::try_from(self).is_ok()
    }
}

impl<'a> TryFrom<&'a Metadata> for CloudEvent<'a> {
    type Error = NotACloudEvent;

    fn try_from(metadata: &'a Metadata) -> Result<Self, NotACloudEvent> {
        let event = metadata.cloud_event();
        let problem = if metadata.get(SPEC_VERSION) != Some("1.0") {
            "`ce-specversion` is not 1.0"
        } else if event.id().is_none_or(str::is_empty) {
            "`ce-id` is missing or empty"
        } else if event.source().is_none() {
            "`ce-source` is missing"
        } else if event.event_type().is_none() {
            "`ce-type` is missing"
        } else {
            return Ok(event);
        };
        Err(NotACloudEvent(problem))
    }
}

/// Attributes of an event that is about to be published: the metadata of a reply of an rpc with `eventing.out`.
///
/// What is left out is filled in by the proxy, so it is fine to set the subject alone.
///
/// ```
/// use cloudstate_sdk::action::*;
/// use cloudstate_sdk::EventAttributes;
///
/// fn publish<A: ActionService>(text: String) -> CommandEffect<A, String> {
///     Effect::reply(text).with_reply_metadata(EventAttributes::new().with_subject("cart-1").into())
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventAttributes {
    metadata: Metadata,
}

impl EventAttributes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which event of its source this is; must not be empty.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        self.with(ID, id)
    }

    /// Where it happened, as a URI reference.
    #[must_use]
    pub fn with_source(self, source: impl Into<String>) -> Self {
        self.with(SOURCE, source)
    }

    /// What has happened: the attribute `type`.
    #[must_use]
    pub fn with_type(self, event_type: impl Into<String>) -> Self {
        self.with(TYPE, event_type)
    }

    /// To what it happened.
    #[must_use]
    pub fn with_subject(self, subject: impl Into<String>) -> Self {
        self.with(SUBJECT, subject)
    }

    /// When it happened, by RFC 3339.
    #[must_use]
    pub fn with_time(self, time: impl Into<String>) -> Self {
        self.with(TIME, time)
    }

    /// The media type of the payload.
    #[must_use]
    pub fn with_content_type(self, media_type: impl Into<String>) -> Self {
        self.with(CONTENT_TYPE, media_type)
    }

    /// Where the schema of the payload is, as a URI.
    #[must_use]
    pub fn with_data_schema(self, uri: impl Into<String>) -> Self {
        self.with(DATA_SCHEMA, uri)
    }

    /// An attribute of another name: lower case letters and digits, without prefix.
    #[must_use]
    pub fn with_extension(self, name: &str, value: impl Into<String>) -> Self {
        self.with(&format!("{PREFIX}{name}"), value)
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.metadata.insert(key, value.into());
        self
    }
}

/// The keys are spelled as proxies look for them. With an id, a source and a type it is a whole CloudEvent.
impl From<EventAttributes> for Metadata {
    fn from(EventAttributes { mut metadata }: EventAttributes) -> Self {
        if [ID, SOURCE, TYPE].into_iter().all(|key| metadata.contains(key)) {
            metadata.insert(SPEC_VERSION, "1.0");
        }
        metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> EventAttributes {
        EventAttributes::new().with_id("7").with_source("carts").with_type("com.example.Added")
    }

    #[test]
    fn what_was_set_is_read_again() {
        let metadata = Metadata::from(
            whole()
                .with_subject("c1")
                .with_time("2020-01-02T03:04:05Z")
                .with_content_type("application/json")
                .with_data_schema("urn:x")
                .with_extension("region", "eu")
                .with_extension("region", "us"),
        );
        let event = CloudEvent::try_from(&metadata).unwrap();
        assert_eq!((event.id(), event.source()), (Some("7"), Some("carts")));
        assert_eq!((event.event_type(), event.subject()), (Some("com.example.Added"), Some("c1")));
        assert_eq!(
            (event.time(), event.content_type()),
            (Some("2020-01-02T03:04:05Z"), Some("application/json"))
        );
        assert_eq!((event.data_schema(), event.extension("region")), (Some("urn:x"), Some("us")));
        assert_eq!(event.extension("other"), None);
        // Proxies compare the keys exactly.
        assert_eq!(
            metadata.keys().collect::<Vec<_>>(),
            [
                "ce-id",
                "ce-source",
                "ce-type",
                "ce-subject",
                "ce-time",
                "Content-Type",
                "ce-dataschema",
                "ce-region",
                "ce-specversion"
            ]
        );
    }

    #[test]
    fn an_event_lacks_nothing() {
        assert!(Metadata::from(whole()).is_cloud_event());
        for (key, value) in [
            ("CE-ID", ""),
            ("ce-specversion", "0.3"),
            ("ce-source", "\0"),
            ("ce-type", "\0"),
            ("ce-id", "\0"),
        ] {
            let mut metadata = Metadata::from(whole());
            metadata.remove(key);
            if value != "\0" {
                metadata.append(key, value);
            }
            let problem = CloudEvent::try_from(&metadata).unwrap_err().to_string();
            assert!(problem.contains(&key.to_lowercase()), "{problem}");
        }
        let subject_only = Metadata::from(EventAttributes::new().with_subject("c1"));
        assert_eq!(subject_only.keys().collect::<Vec<_>>(), ["ce-subject"]);
        assert!(!subject_only.is_cloud_event());
    }
}
