//! The public interface, used as users and proxies do.

// A test says what went wrong by failing.
#![allow(clippy::unwrap_used)]

mod cart;
mod generated_code;
mod life_cycle;
mod proxy;
mod testkit;
