//! The kit against a small user function written by hand: right, and wrong in many ways.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod command_line;
mod faults;
mod kit;
#[path = "../../src/model.rs"]
mod model;
mod service;
