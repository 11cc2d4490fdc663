//! What a proxy promises, seen from outside: real sockets, and a user function that follows the test's script.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod action_calls;
mod client;
mod contract;
mod crdt_function;
mod entity_stream;
mod event_sourced_function;
mod held_store;
mod hosted;
mod streams;
mod user_function;
mod value_function;
mod values;
mod waiting;

mod action_streams;
mod actions;
mod async_effects;
mod crashes;
mod crdt;
mod crdt_0_1;
mod crdt_streams;
mod crowded;
mod discovery;
mod durability;
mod entity_life;
mod error_codes;
mod eventing;
mod failures;
mod forwards_and_effects;
mod grpc;
mod grpc_web;
mod hang_up;
mod health;
mod http;
mod isolation;
mod management;
mod openapi;
mod overload;
mod passivation;
mod payloads;
mod random_actions;
mod random_functions;
mod reconnect;
mod rediscovery;
mod reflection;
mod rejections;
mod shutdown;
mod spans;
mod stale_page;
mod status_codes;
mod streaming;
mod trace_context;
mod unread;
