//! Running entities in unit tests: each kit plays the proxy of one kind, with the same instance that serves real ones.

pub(crate) mod action;
mod answer;
mod caller;
pub(crate) mod crdt;
pub(crate) mod event_sourced;
pub(crate) mod value;

pub use answer::Answer;
