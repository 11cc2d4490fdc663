//! Turns the `.proto` contract of a Cloudstate service into Rust for `cloudstate-sdk`, from a build script and
//! without `protoc`.
//!
//! ```no_run
//! // build.rs
//! fn main() -> std::io::Result<()> {
//!     cloudstate_build::compile_protos(&["proto/shoppingcart.proto"], &["proto"])
//! }
//! ```
//!
//! In the crate, `cloudstate_sdk::include_protos!();` brings in a module for each protobuf package, nested as the
//! package names are: the package `com.example.shoppingcart` becomes `com::example::shoppingcart`. It also works
//! inside a module: `mod pb { cloudstate_sdk::include_protos!(); }`.
//!
//! Such a module holds a struct for each message, and for each `service` a module named after it, such as
//! `shopping_cart`:
//!
//! | Item | What it is |
//! |---|---|
//! | `shopping_cart::EventSourced` | the trait an event sourced entity implements: one function per rpc, with the comments of the `.proto` |
//! | `shopping_cart::Value`, `Crdt`, `Action` | the same for a value entity, a CRDT entity and an action; a service is implemented as one of them |
//! | `shopping_cart::add_item(..)` and so on | a typed call per rpc, for forwards, side effects and tests |
//! | `shopping_cart::Service` | names the service, for the attribute on the entity |
//!
//! Imports of `cloudstate/*.proto`, `google/api/{annotations,http,httpbody}.proto` and `google/protobuf/*.proto`
//! need no files: they are bundled. A file of that name below an include folder is preferred to the bundled one.
//!
//! Contracts are written in `proto3` or `proto2`; protobuf editions are refused.

mod builder;
mod bundled_protos;
mod compiler;
mod doc_comments;
mod error;
mod generate;
mod include_file;
mod name_clashes;
mod places;
mod service_model;
mod unnamed_messages;

use std::{io, path::Path};

pub use builder::Builder;

/// Compiles `protos`, and whatever they import, into `OUT_DIR`, with the default options.
///
/// The paths are relative to the folder of the crate's `Cargo.toml`. Each file must lie below one of `includes`:
/// its path from there is the name by which others import it. Cargo is told to run the build script again when
/// one of the files read changes.
///
/// # Errors
///
/// See [`Builder::compile_protos`].
pub fn compile_protos(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> io::Result<()> {
    configure().compile_protos(protos, includes)
}

/// Options for those who need more than [`compile_protos`].
///
/// ```no_run
/// fn main() -> std::io::Result<()> {
///     cloudstate_build::configure()
///         .btree_map(["."])
///         .type_attribute("com.example.Address", "#[derive(serde::Serialize)]")
///         .compile_protos(&["proto/orders.proto"], &["proto"])
/// }
/// ```
pub fn configure() -> Builder {
    Builder::new()
}
