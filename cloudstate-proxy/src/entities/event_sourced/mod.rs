//! Event sourced entities.

mod lifecycle;
#[cfg(test)]
mod lifecycle_tests;

pub(crate) use lifecycle::{Answer, Incoming, Input, Lifecycle, Observation, Output, Token};
