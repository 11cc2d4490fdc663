//! Running entities in unit tests.

pub(crate) mod event_sourced;
