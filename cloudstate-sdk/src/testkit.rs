//! Running entities in unit tests.

pub(crate) mod action;
mod answer;
mod caller;
pub(crate) mod crdt;
pub(crate) mod event_sourced;
pub(crate) mod value;

pub use answer::Answer;
