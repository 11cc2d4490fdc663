//! What a person with a terminal sees: real processes on free ports, real clients, real kills.

#![allow(clippy::unwrap_used, reason = "in a test, a surprise is a failure")]

mod bad_input;
mod client;
mod collector;
mod dev;
mod durability;
mod life_cycle;
mod management;
mod round_trip;
mod site;
mod traces;
