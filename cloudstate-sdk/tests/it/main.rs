//! The public interface, used as users and proxies do.

// A test says what went wrong by failing.
#![allow(clippy::unwrap_used)]

mod action_call;
mod action_events;
mod action_faults;
mod action_flow;
mod action_model;
mod action_random;
mod action_registration;
mod action_scenarios;
mod action_testkit;
mod bad_bytes;
mod cart;
mod discovery;
mod event_types;
mod faults;
mod life_cycle;
mod model;
mod proxy;
mod refusals;
mod registration;
mod scenarios;
mod shutdown;
mod testkit;
mod trace_context;
mod value;
