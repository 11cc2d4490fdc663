//! What HTTP clients see: routes, requests, replies, refusals; and the schema behind them.
#![allow(clippy::unwrap_used)] // a test that cannot go on says where

#[path = "http_json/contracts.rs"]
mod contracts;
#[path = "http_json/openapi.rs"]
mod openapi;
#[path = "http_json/proxy.rs"]
mod proxy;
#[path = "http_json/requests.rs"]
mod requests;
#[path = "http_json/responses.rs"]
mod responses;
#[path = "http_json/rules.rs"]
mod rules;
#[path = "http_json/schema.rs"]
mod schema;
#[path = "http_json/sockets.rs"]
mod sockets;
#[path = "http_json/streams.rs"]
mod streams;
