//! Entities that take one command at a time: event sourced ones and value entities.

mod clients;
mod event_sourced;
mod kind;
mod lifecycle;
#[cfg(test)]
mod lifecycle_tests;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod simulation;
mod task;
mod value;

pub(super) use task::run;
