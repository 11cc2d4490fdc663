//! The CRDTs: how they are encoded, what they send, and that replicas agree.

// A test says what went wrong by failing.
#![allow(clippy::unwrap_used)]

mod deltas;
mod encoding;
mod notation;
mod odd_input;
mod properties;
