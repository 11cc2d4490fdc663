//! Write Cloudstate user functions in Rust.

extern crate self as cloudstate_sdk;

mod command;
mod discovery;
pub mod docs;
mod entity;
mod error;
pub mod event_sourced;
mod fault;
mod logging;
#[doc(hidden)]
pub mod macro_support;
mod payload;
mod registration;
mod service;
mod shutdown;
mod testkit;
mod transport;

pub use cloudstate_proto::Any;
pub use command::{
    Code, CommandEffect, CommandError, Context, Effect, Failure, Metadata, MetadataValue, RawEffect, Reply,
    ServiceCall, SideEffect,
};
pub use entity::{Entity, EntityKind, Service};
pub use error::Error;
pub use payload::{DecodeError, ProtobufMessage};
pub use prost;
pub use prost_types;
pub use service::{CloudState, Server, serve};

pub mod google {
    //! Messages of `google.api` that a contract may use, such as `HttpBody`.
    pub use cloudstate_proto::google::api;
}

/// Brings in what `cloudstate-build` generated from the `.proto` files: a module tree that follows their packages.
#[macro_export]
macro_rules! include_protos {
    () => {
        include!(concat!(env!("OUT_DIR"), "/cloudstate.rs"));
    };
}
