//! `/dead-letters`: what consumers have given up, listed, tried again, or forgotten.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use cloudstate_proto::{MetadataEntry, metadata_entry};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::{response, text};
use crate::{
    eventing::{DeadLetters, ReplayError},
    storage::{Source, StoredDeadLetter},
};

pub(super) const PATH: &str = "/dead-letters";
const JSON: &str = "application/json";
const USAGE: &str =
    "there are GET /dead-letters?after=ID, POST /dead-letters/ID/replay and DELETE /dead-letters/ID\n";

/// Answers a request below [`PATH`]; `rest` is the path after it.
pub(super) async fn answer(
    letters: &DeadLetters,
    method: &Method,
    rest: &str,
    query: Option<&str>,
) -> Response<Full<Bytes>> {
    let segments: Vec<_> = rest.split('/').skip(1).collect();
    match (method, segments.as_slice()) {
        (&Method::GET | &Method::HEAD, []) => match after(query) {
            Some(after) => list(letters, after).await,
            None => text(StatusCode::BAD_REQUEST, "after takes the id of a dead letter\n"),
        },
        (&Method::POST, [id, "replay"]) => match id.parse() {
            Ok(id) => done(letters.replay(id).await),
            Err(_) => text(StatusCode::NOT_FOUND, USAGE),
        },
        (&Method::DELETE, [id]) => match id.parse() {
            Ok(id) => done(letters.forget(id).await),
            Err(_) => text(StatusCode::NOT_FOUND, USAGE),
        },
        _ => text(StatusCode::NOT_FOUND, USAGE),
    }
}

/// The id to list from; none if the query says something else.
fn after(query: Option<&str>) -> Option<u64> {
    match query {
        None | Some("") => Some(0),
        Some(query) => query.strip_prefix("after=")?.parse().ok(),
    }
}

/// A page as JSON; the id of its last letter continues the list.
async fn list(letters: &DeadLetters, after: u64) -> Response<Full<Bytes>> {
    match letters.list(after).await {
        Ok(page) => {
            let page: Vec<_> = page.iter().map(shown).collect();
            response(StatusCode::OK, JSON, json!({ "deadLetters": page }).to_string())
        }
        Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

fn done(result: Result<(), ReplayError>) -> Response<Full<Bytes>> {
    let error = match result {
        Ok(()) => return text(StatusCode::OK, "OK\n"),
        Err(error) => error,
    };
    let status = match error {
        ReplayError::Unknown(_) => StatusCode::NOT_FOUND,
        ReplayError::NoConsumer(_) => StatusCode::CONFLICT,
        ReplayError::Failed(_) => StatusCode::BAD_GATEWAY,
        ReplayError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    text(status, format!("{error}\n"))
}

fn shown(stored: &StoredDeadLetter) -> Value {
    let StoredDeadLetter { id, stored_at, letter } = stored;
    let entry = &letter.entry;
    let source = match &letter.consumer.source {
        Source::EventLog(name) => json!({ "eventLog": &**name }),
        Source::Topic(name) => json!({ "topic": &**name }),
    };
    json!({
        "id": id,
        "givenUpAt": Timestamp::from(*stored_at).to_string(),
        "group": &*letter.consumer.group,
        "source": source,
        "attempts": letter.attempts,
        "error": letter.error,
        "position": entry.position,
        "subject": &*entry.subject,
        "sequence": entry.sequence,
        "storedAt": Timestamp::from(entry.stored_at).to_string(),
        "typeUrl": entry.payload.type_url,
        "payload": STANDARD.encode(&entry.payload.value),
        "metadata": entry.metadata.entries.iter().map(metadata_entry).collect::<Vec<_>>(),
    })
}

fn metadata_entry(entry: &MetadataEntry) -> Value {
    let value = match &entry.value {
        Some(metadata_entry::Value::StringValue(value)) => json!(value),
        Some(metadata_entry::Value::BytesValue(value)) => json!({ "base64": STANDARD.encode(value) }),
        None => Value::Null,
    };
    json!({ "key": entry.key, "value": value })
}
