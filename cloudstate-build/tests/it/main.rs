//! The crate as a build script uses it: `.proto` files in, Rust and descriptors out.

mod descriptors;
mod errors;
mod options;
mod support;
