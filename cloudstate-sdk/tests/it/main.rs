//! The public interface, used as users and proxies do.

// A test says what went wrong by failing.
#![allow(clippy::unwrap_used)]

mod cart;
mod faults;
mod life_cycle;
mod model;
mod proxy;
mod refusals;
mod scenarios;
mod testkit;
