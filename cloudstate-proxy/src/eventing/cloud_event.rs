//! The metadata that makes an entry a CloudEvent, as the reference proxy writes it.

use cloudstate_proto::{Any, Metadata, MetadataEntry, metadata_entry::Value};
use prost_types::Timestamp;

use crate::storage::{LogEntry, Source};

const SPEC_VERSION: &str = "1.0";
/// The content type of an `Any` that is passed on as it is.
const ANY: &str = "application/vnd.cloudstate.protobuf.any";

const ID: &str = "ce-id";
const SOURCE: &str = "ce-source";
const SPECVERSION: &str = "ce-specversion";
const TYPE: &str = "ce-type";
const SUBJECT: &str = "ce-subject";
const TIME: &str = "ce-time";
const CONTENT_TYPE: &str = "Content-Type";

/// What the action is told about `entry` of `source`.
pub(super) fn of_entry(source: &Source, entry: &LogEntry) -> Metadata {
    match source {
        Source::EventLog(persistence_id) => of_event(persistence_id, entry),
        Source::Topic(topic) => of_message(topic, entry),
    }
}

fn of_event(persistence_id: &str, entry: &LogEntry) -> Metadata {
    let entries = [
        (ID, entry.position.to_string()),
        (SOURCE, persistence_id.to_owned()),
        (SPECVERSION, SPEC_VERSION.to_owned()),
        (TYPE, entry.payload.type_url.clone()),
        (CONTENT_TYPE, ANY.to_owned()),
        (SUBJECT, entry.subject.to_string()),
    ];
    Metadata { entries: entries.map(|(key, value)| text(key, value)).into() }
}

/// What the publisher said, and what every message has beside it.
fn of_message(topic: &str, entry: &LogEntry) -> Metadata {
    let mut metadata = entry.metadata.clone();
    // Two topics may hold messages of one publisher: their positions alone would not tell them apart.
    default(&mut metadata, ID, || format!("{topic}:{}", entry.position));
    default(&mut metadata, SOURCE, || topic.to_owned());
    default(&mut metadata, SPECVERSION, || SPEC_VERSION.to_owned());
    default(&mut metadata, TYPE, || type_name(&entry.payload).to_owned());
    default(&mut metadata, CONTENT_TYPE, || content_type(&entry.payload).to_owned());
    default(&mut metadata, TIME, || Timestamp::from(entry.stored_at).to_string());
    metadata
}

/// The metadata of a reply that is published: what the user function said of it wins.
pub(super) fn of_reply(service: &str, payload: &Any, said: Option<Metadata>) -> Metadata {
    let mut metadata = said.unwrap_or_default();
    default(&mut metadata, SOURCE, || service.to_owned());
    default(&mut metadata, SPECVERSION, || SPEC_VERSION.to_owned());
    default(&mut metadata, TYPE, || type_name(payload).to_owned());
    default(&mut metadata, CONTENT_TYPE, || content_type(payload).to_owned());
    metadata
}

/// What a message is about, if it says so.
pub(super) fn subject(metadata: &Metadata) -> Option<&str> {
    find(metadata, SUBJECT)
}

fn default(metadata: &mut Metadata, key: &str, value: impl FnOnce() -> String) {
    if find(metadata, key).is_none() {
        metadata.entries.push(text(key, value()));
    }
}

/// Keys are compared as HTTP headers are.
fn find<'a>(metadata: &'a Metadata, key: &str) -> Option<&'a str> {
    metadata.entries.iter().find_map(|entry| match &entry.value {
        Some(Value::StringValue(value)) if entry.key.eq_ignore_ascii_case(key) => Some(value.as_str()),
        _ => None,
    })
}

fn type_name(payload: &Any) -> &str {
    payload.type_url.split_once('/').map_or(&*payload.type_url, |(_, name)| name)
}

fn content_type(payload: &Any) -> &'static str {
    match payload.type_url.split_once('/') {
        Some(("json.cloudstate.io", _)) => "application/json",
        Some(("p.cloudstate.io", "string")) => "text/plain; charset=utf-8",
        Some(("p.cloudstate.io", _)) => "application/octet-stream",
        _ => "application/protobuf",
    }
}

fn text(key: &str, value: String) -> MetadataEntry {
    MetadataEntry { key: key.to_owned(), value: Some(Value::StringValue(value)) }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn entry(type_url: &str, metadata: Metadata) -> LogEntry {
        LogEntry {
            position: 7,
            subject: "cart-1".into(),
            sequence: 3,
            stored_at: UNIX_EPOCH + Duration::from_millis(1_500),
            payload: Any { type_url: type_url.to_owned(), value: Default::default() },
            metadata,
        }
    }

    fn pairs(metadata: &Metadata) -> Vec<(&str, &str)> {
        let value = |entry: &MetadataEntry| entry.key.clone();
        metadata
            .entries
            .iter()
            .map(|entry| (entry.key.as_str(), find(metadata, &value(entry)).unwrap()))
            .collect()
    }

    #[test]
    fn an_event_names_its_log_its_type_and_its_entity() {
        let metadata = of_entry(
            &Source::EventLog("carts".into()),
            &entry("type.googleapis.com/a.B", Metadata::default()),
        );
        let expected = [
            ("ce-id", "7"),
            ("ce-source", "carts"),
            ("ce-specversion", "1.0"),
            ("ce-type", "type.googleapis.com/a.B"),
            ("Content-Type", "application/vnd.cloudstate.protobuf.any"),
            ("ce-subject", "cart-1"),
        ];
        assert_eq!(pairs(&metadata), expected);
    }

    #[test]
    fn what_a_publisher_says_of_a_message_wins() {
        let said =
            Metadata { entries: vec![text("CE-Type", "mine".to_owned()), text("ce-id", "42".to_owned())] };
        let published =
            of_reply("a.Service", &entry("json.cloudstate.io/T", Metadata::default()).payload, Some(said));
        let metadata = of_entry(&Source::Topic("orders".into()), &entry("json.cloudstate.io/T", published));
        let expected = [
            ("CE-Type", "mine"),
            ("ce-id", "42"),
            ("ce-source", "a.Service"),
            ("ce-specversion", "1.0"),
            ("Content-Type", "application/json"),
            ("ce-time", "1970-01-01T00:00:01.500Z"),
        ];
        assert_eq!(pairs(&metadata), expected);
    }

    #[test]
    fn the_content_type_is_that_of_the_payload() {
        for (type_url, expected) in [
            ("type.googleapis.com/a.B", "application/protobuf"),
            ("p.cloudstate.io/string", "text/plain; charset=utf-8"),
            ("p.cloudstate.io/bytes", "application/octet-stream"),
            ("json.cloudstate.io/T", "application/json"),
        ] {
            let payload = entry(type_url, Metadata::default()).payload;
            assert_eq!(find(&of_reply("s", &payload, None), CONTENT_TYPE), Some(expected), "{type_url}");
        }
    }
}
