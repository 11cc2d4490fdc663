//! The CRDTs: how they are encoded, what they send, and that replicas agree.

// A test says what went wrong by failing.
#![allow(clippy::unwrap_used)]

mod contract;
mod deltas;
mod encoding;
mod entity;
mod model;
mod notation;
mod odd_input;
mod product;
mod properties;
mod stream;
