//! CRDT entities, durable on one node.
//!
//! A CRDT entity takes its commands concurrently, and clients may listen to it. The state is stored whole with every
//! change, or with several that came together: what a change costs grows with the state. That is good for counters,
//! flags, registers and sets of some thousands of elements; the largest state is what the store takes at once.

mod clients;
mod data;
mod lifecycle;
#[cfg(test)]
mod lifecycle_tests;
mod replica;
mod sent;
#[cfg(test)]
mod simulation;
mod task;

pub(super) use task::run;

use super::{Answer, Token};

/// What callers are told when the entity crashes; the reference proxy's text.
const TERMINATING: &str = "Entity terminating";
