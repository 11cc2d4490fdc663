//! The CRDTs: how they are encoded, what they send, and that replicas agree.

// A test says what went wrong by failing.
#![allow(clippy::unwrap_used)]

mod contract;
mod deltas;
mod encoding;
mod entity;
// The models of the conformance tests, where they are served from.
#[path = "../../../tests/tck-models/src/crdt.rs"]
mod model;
mod notation;
mod odd_input;
mod product;
mod properties;
mod stream;

use contract::cloudstate;
