//! The Cloudstate protocol, version 0.2: its `.proto` texts, and the messages, clients and servers
//! generated from them. No behaviour lives here.
//!
//! | Module | Protobuf package |
//! |---|---|
//! | the crate root | `cloudstate`: discovery, commands, replies, eventing |
//! | [`eventsourced`] | `cloudstate.eventsourced` |
//! | [`valueentity`] | `cloudstate.valueentity` |
//! | [`crdt`] | `cloudstate.crdt` |
//! | [`action`] | `cloudstate.action` |
//! | [`google::api`] | `google.api`: HTTP rules |
//! | [`descriptor`] | the part of `google/protobuf/descriptor.proto` that discovery needs, with the custom options read |
//! | [`sources`] | the texts themselves |
//!
//! Bytes fields are [`bytes::Bytes`], so that a payload is sliced from the message it came in and never
//! copied.

mod any;
pub mod descriptor;
pub mod sources;

pub use any::Any;

/// The major protocol version this crate speaks.
pub const PROTOCOL_MAJOR_VERSION: i32 = 0;
/// The minor protocol version this crate speaks.
pub const PROTOCOL_MINOR_VERSION: i32 = 2;

/// The entity types of the protocol, as discovery names them.
pub mod entity_type {
    /// Event sourced entities.
    pub const EVENT_SOURCED: &str = "cloudstate.eventsourced.EventSourced";
    /// Value entities.
    pub const VALUE_ENTITY: &str = "cloudstate.valueentity.ValueEntity";
    /// CRDT entities.
    pub const CRDT: &str = "cloudstate.crdt.Crdt";
    /// Actions.
    pub const ACTION: &str = "cloudstate.action.ActionProtocol";
}

/// The gRPC metadata key under which proxy and user function agree on extensions: the proxy sends a comma
/// separated list with `discover`, the user function answers with those of it that it knows.
pub const EXTENSIONS_HEADER: &str = "cloudstate-extensions";
/// The extension that carries [`Failure::grpc_status_code`].
pub const STATUS_CODE_EXTENSION: &str = "status-code";
/// The extension that carries the W3C trace context of a call to entities, as `traceparent` and `tracestate` in
/// [`Command::metadata`].
pub const TRACE_CONTEXT_EXTENSION: &str = "trace-context";

// The package `cloudstate` stands at the root, so that generated paths such as `super::Command` resolve.
mod generated {
    #![allow(missing_docs, nonstandard_style, clippy::all)]
    include!("generated/cloudstate.rs");
}
pub use generated::*;

macro_rules! packages {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {$(
        $(#[$doc])*
        #[allow(missing_docs, nonstandard_style, clippy::all)]
        pub mod $name {
            include!(concat!("generated/", $file, ".rs"));
        }
    )*};
}

packages! {
    /// Package `cloudstate.eventsourced`.
    eventsourced = "cloudstate.eventsourced";
    /// Package `cloudstate.valueentity`.
    valueentity = "cloudstate.valueentity";
    /// Package `cloudstate.crdt`.
    crdt = "cloudstate.crdt";
    /// Package `cloudstate.action`.
    action = "cloudstate.action";
}

/// Packages below `google`.
pub mod google {
    packages! {
        /// Package `google.api`.
        api = "google.api";
    }
}
