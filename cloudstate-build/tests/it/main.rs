//! The crate as a build script uses it: `.proto` files in, Rust and descriptors out.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod descriptors;
mod errors;
mod options;
mod snapshots;
mod support;
