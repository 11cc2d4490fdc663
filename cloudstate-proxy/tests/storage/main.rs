//! Stores: one suite for every store, and what only a file can suffer.

#![allow(clippy::unwrap_used, reason = "a helper of a test that cannot go on panics")]

mod conformance;
mod crash;
mod file;
mod model;
mod url;

use std::sync::Arc;

use cloudstate_proto::{Any, Metadata, MetadataEntry, metadata_entry::Value};
use cloudstate_proxy::storage::{
    Append, Change, EntityKey, LogEntry, Source, Store, StoreUrl, StoredEvent, open,
};

/// An entity of one kind.
fn cart(entity_id: &str) -> EntityKey {
    EntityKey { persistence_id: "shopping-cart".into(), entity_id: entity_id.into() }
}

fn payload(text: &str) -> Any {
    Any { type_url: "example.com/Text".to_owned(), value: text.to_owned().into() }
}

fn append<const N: usize>(entity: &EntityKey, expected: u64, events: [&str; N]) -> Append {
    Append { entity: entity.clone(), expected, events: events.map(payload).into(), snapshot: None }
}

fn event(sequence: u64, text: &str) -> StoredEvent {
    StoredEvent { sequence, payload: payload(text) }
}

async fn open_file(path: &std::path::Path) -> Arc<dyn Store> {
    open(&StoreUrl::Sqlite(path.to_owned())).await.unwrap()
}

/// All events after `after`, page by page.
async fn read_after(store: &dyn Store, entity: &EntityKey, after: u64) -> Vec<StoredEvent> {
    let mut events = Vec::new();
    let mut last = after;
    loop {
        let page = store.events(entity, last).await.unwrap();
        let Some(newest) = page.last() else { return events };
        last = newest.sequence;
        events.extend(page);
    }
}

async fn read(store: &dyn Store, entity: &EntityKey) -> Vec<StoredEvent> {
    read_after(store, entity, 0).await
}

fn message(topic: &str, subject: &str, text: &str, metadata: Metadata) -> Change {
    Change::Message { topic: topic.into(), subject: subject.into(), payload: payload(text), metadata }
}

fn metadata(entries: &[(&str, &str)]) -> Metadata {
    let entry = |(key, value): &(&str, &str)| MetadataEntry {
        key: (*key).to_owned(),
        value: Some(Value::StringValue((*value).to_owned())),
    };
    Metadata { entries: entries.iter().map(entry).collect() }
}

/// All that `source` holds after `after`, page by page.
async fn read_log(store: &dyn Store, source: &Source, after: u64) -> Vec<LogEntry> {
    let mut entries = Vec::new();
    let mut last = after;
    loop {
        let page = store.log(source, last).await.unwrap();
        let Some(newest) = page.last() else { return entries };
        last = newest.position;
        entries.extend(page);
    }
}
