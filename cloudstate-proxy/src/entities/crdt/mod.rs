//! CRDT entities, durable on one node.

mod data;
mod lifecycle;
#[cfg(test)]
mod lifecycle_tests;
mod replica;
mod sent;
#[cfg(test)]
mod simulation;

pub(crate) use lifecycle::{End, Incoming, Input, Lifecycle, Limits, Observation, Output};

pub(crate) use super::event_sourced::{Answer, Token};

/// What callers are told when the entity crashes; the reference proxy's text.
const TERMINATING: &str = "Entity terminating";
