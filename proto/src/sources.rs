//! The `.proto` texts, for compilers that serve imports from memory.

macro_rules! sources {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../", $folder, "/", $name)))),+]
    };
}

/// The protocol between proxy and user function: (import path, text).
pub const PROTOCOL: &[(&str, &str)] = sources!("protocol":
    "cloudstate/action.proto",
    "cloudstate/crdt.proto",
    "cloudstate/entity.proto",
    "cloudstate/event_sourced.proto",
    "cloudstate/value_entity.proto",
);

/// The options users write in their own `.proto` files: (import path, text).
pub const FRONTEND: &[(&str, &str)] = sources!("frontend":
    "cloudstate/entity_key.proto",
    "cloudstate/eventing.proto",
    "cloudstate/legacy_entity_key.proto",
    "google/api/annotations.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
);

/// The model services of the conformance suite: (import path, text).
pub const TCK: &[(&str, &str)] = sources!("tck":
    "cloudstate/tck/model/action.proto",
    "cloudstate/tck/model/crdt.proto",
    "cloudstate/tck/model/eventlogeventing.proto",
    "cloudstate/tck/model/eventsourced.proto",
    "cloudstate/tck/model/valueentity.proto",
);
