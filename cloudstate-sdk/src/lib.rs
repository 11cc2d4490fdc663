//! Write Cloudstate user functions in Rust: a `.proto` contract, an annotated struct, and no more.
//!
//! A *user function* is a gRPC server that holds your business logic. A *proxy* stands before it: it takes requests
//! of clients, over gRPC or HTTP and JSON, brings each to the one live entity that it is for, stores what the entity
//! wants stored, and answers. Your code has no database, no locks and no network; it decides.
//!
//! # From nothing to a running service
//!
//! **1. The dependencies.** No `protoc` is needed.
//!
//! ```toml
//! [dependencies]
//! cloudstate-sdk = "0.1"
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//!
//! [build-dependencies]
//! cloudstate-build = "0.1"
//! ```
//!
//! **2. The contract**, `proto/shoppingcart.proto`: what clients can ask. Each request says which entity it is for.
//!
//! ```proto
//! syntax = "proto3";
//! package com.example.shoppingcart;
//!
//! import "google/protobuf/empty.proto";
//! import "google/api/annotations.proto";
//! import "cloudstate/entity_key.proto";
//!
//! message AddLineItem {
//!   string user_id = 1 [(.cloudstate.entity_key) = true];
//!   string product_id = 2;
//!   string name = 3;
//!   int32 quantity = 4;
//! }
//! // ...
//!
//! service ShoppingCart {
//!   rpc AddItem(AddLineItem) returns (google.protobuf.Empty) {
//!     option (google.api.http) = { post: "/cart/{user_id}/items/add" body: "*" };
//!   }
//!   // ...
//! }
//! ```
//!
//! Beside it, in `proto/persistence/domain.proto`, the messages that are stored: `ItemAdded`, `ItemRemoved` and `Cart`.
//!
//! **3. `build.rs`.**
//!
//! ```no_run
//! fn main() -> std::io::Result<()> {
//!     cloudstate_build::compile_protos(&["proto/shoppingcart.proto", "proto/persistence/domain.proto"], &["proto"])
//! }
//! ```
//!
//! **4. The entity.** In your crate `cloudstate_sdk::include_protos!();` brings in what was generated: the messages,
//! and for each service a module with a trait. Its functions are the rpcs.
//!
//! ```
//! use std::collections::BTreeMap;
//! use cloudstate_sdk::event_sourced::*;
//!
//! // cloudstate_sdk::include_protos!();
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
//! use com::example::shoppingcart::{self as api, persistence as domain, shopping_cart};
//!
//! /// What can happen to a cart: one stored message a variant.
//! #[derive(Event, Clone, Debug, PartialEq)]
//! pub enum CartEvent {
//!     Added(domain::ItemAdded),
//!     Removed(domain::ItemRemoved),
//! }
//!
//! /// The state of one cart.
//! #[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart", snapshot_every = 100)]
//! #[derive(Default)]
//! pub struct Cart {
//!     items: BTreeMap<String, domain::LineItem>,
//! }
//!
//! impl EventSourcedEntity for Cart {
//!     type Event = CartEvent;
//!     type Error = Failure;
//!
//!     fn apply(&mut self, event: CartEvent) {
//!         match event {
//!             CartEvent::Added(added) => {
//!                 let new = added.item.unwrap_or_default();
//!                 let line = self.items.entry(new.product_id.clone()).or_default();
//!                 *line = domain::LineItem { quantity: line.quantity + new.quantity, ..new };
//!             }
//!             CartEvent::Removed(removed) => {
//!                 self.items.remove(&removed.product_id);
//!             }
//!         }
//!     }
//! }
//!
//! impl shopping_cart::EventSourced for Cart {
//!     fn add_item(&self, command: api::AddLineItem, _: &Context) -> Reply<Self, ()> {
//!         if command.quantity <= 0 {
//!             return Err(Failure::invalid_argument("the quantity must be positive"));
//!         }
//!         let api::AddLineItem { product_id, name, quantity, .. } = command;
//!         let item = Some(domain::LineItem { product_id, name, quantity });
//!         Ok(Effect::persist(domain::ItemAdded { item }).reply(()))
//!     }
//!
//!     fn remove_item(&self, command: api::RemoveLineItem, _: &Context) -> Reply<Self, ()> {
//!         self.items.get(&command.product_id).ok_or_else(|| Failure::not_found("no such item in the cart"))?;
//!         Ok(Effect::persist(domain::ItemRemoved { product_id: command.product_id }).reply(()))
//!     }
//!
//!     fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart> {
//!         let line = |item: &domain::LineItem| api::LineItem {
//!             product_id: item.product_id.clone(),
//!             name: item.name.clone(),
//!             quantity: item.quantity,
//!         };
//!         Ok(Effect::reply(api::Cart { items: self.items.values().map(line).collect() }))
//!     }
//! }
//!
//! /// Stored now and then, so that loading a cart need not replay every event.
//! impl Snapshot for Cart {
//!     type Message = domain::Cart;
//!
//!     fn snapshot(&self) -> domain::Cart {
//!         domain::Cart { items: self.items.values().cloned().collect() }
//!     }
//!
//!     fn restore(&mut self, saved: domain::Cart) {
//!         self.items = saved.items.into_iter().map(|item| (item.product_id.clone(), item)).collect();
//!     }
//! }
//! # fn main() {
//! # use cloudstate_sdk::event_sourced::testkit::TestKit;
//! # let mut cart = TestKit::<Cart>::new("c1");
//! # assert_eq!(cart.call(shopping_cart::get_cart(api::GetShoppingCart::default())).reply().items, []);
//! # }
//! ```
//!
//! **5. `main.rs`** serves every entity that is annotated.
//!
//! ```no_run
//! #[tokio::main]
//! async fn main() -> Result<(), cloudstate_sdk::Error> {
//!     cloudstate_sdk::serve().await
//! }
//! ```
//!
//! **6. Run it** with a proxy: `cloudstate dev shopping-cart` builds, starts both, and prints a `curl` line for each
//! route:
//!
//! ```text
//! curl localhost:9000/cart/u1/items/add -H 'content-type: application/json' -d '{"productId":"p1","quantity":2}'
//! ```
//!
//! # Ideas
//!
//! * **Commands decide, events change.** A handler reads the state and returns an [`Effect`]: what is stored, who else
//!   is called, and what the caller gets. Nothing happens before it has returned, so a command that fails has changed
//!   nothing. Only `apply` changes the state, now and whenever the entity is loaded again.
//! * **One entity, one command at a time.** There is nothing to lock. Handlers are synchronous and should be quick;
//!   other entities go on meanwhile.
//! * **Two ways to fail.** `Err` refuses a command: its caller gets the [`Failure`], entity and stream go on. A panic
//!   is a fault: the caller gets a fixed sentence, the log the text, and the entity is loaded anew from what is
//!   stored. (This needs `panic = "unwind"`, which is Rust's default.)
//! * **Tests need no server**: see [`TestKit`](event_sourced::testkit::TestKit).
//! * **No magic**: [`docs::by_hand`] shows all that the attribute adds.
//!
//! # Where to go on
//!
//! | To | see |
//! |---|---|
//! | write event sourced entities | [`event_sourced`] |
//! | write value entities | [`value`] |
//! | write services without state, streams, subscribers of events | [`action`] |
//! | store or read plain texts and numbers, or JSON | [`Primitive`], and `Json` with the feature `json` |
//! | register entities explicitly, inject dependencies, choose address and limits | [`CloudState`] |
//! | forward to other rpcs, or call them beside a reply | [`Effect`], [`ServiceCall`] |
//! | refuse with a status code or with an own error type | [`Failure`] |
//!
//! CRDTs will follow.

// So that what our macros write also compiles in our own tests.
extern crate self as cloudstate_sdk;

pub mod action;
mod command;
mod conversation;
pub mod crdt;
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
pub mod value;

pub use cloudstate_proto::Any;
pub use command::{
    CloudEvent, Code, CommandEffect, CommandError, Context, Effect, EventAttributes, Failure, Metadata,
    MetadataValue, NotACloudEvent, RawEffect, Replies, Reply, ServiceCall, SideEffect, StreamCall,
    StreamReply,
};
pub use entity::{Entity, EntityKind, Service};
pub use error::Error;
pub use payload::{DecodeError, Primitive, PrimitiveType, ProtobufMessage};
#[cfg(feature = "json")]
pub use payload::{Json, JsonType};
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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
