//! Event sourced entities.

mod lifecycle;
#[cfg(test)]
mod lifecycle_tests;

pub(crate) use lifecycle::{Incoming, Input, Lifecycle, Observation, Output, Token};
