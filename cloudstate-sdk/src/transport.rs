//! The gRPC server: the only code that knows tonic. It moves messages; the modules beside it decide.

mod action;
mod crdt;
mod discovery;
mod entity_streams;
mod event_sourced;
mod extensions;
mod server;
mod value;

pub(crate) use discovery::ErrorListener;
pub(crate) use server::{Limits, Parts, serve};
