//! Write Cloudstate user functions in Rust: a `.proto` contract, an annotated struct, and no more.
//!
//! A *user function* is a gRPC server that holds your business logic. A *proxy* stands before it: it takes requests
//! of clients, over gRPC or HTTP and JSON, brings each to the one live entity that it is for, stores what the entity
//! wants stored, and answers. Your code has no database, no locks and no network; it decides.
//!
//! There are four kinds of services:
//!
//! | Kind | Its state | Page |
//! |---|---|---|
//! | event sourced entity | what has happened to it; stored for ever | [`event_sourced`] |
//! | value entity | one message, stored in place of the one before | [`value`] |
//! | CRDT entity | a value that many nodes change at once; in memory | [`crdt`] |
//! | action | none; asynchronous, with streams, and a subscriber of events | [`action`] |
//!
//! All four work behind any proxy of the protocol 0.2 that offers the kind; this project's own proxy offers all.
//!
//! # From nothing to a running service
//!
//! **1. The dependencies.** No `protoc` is needed. From a checkout of the repository they are given by path;
//! `docs/new-service.md` there is a whole service, with an image.
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
//!
//! package com.example.shoppingcart;
//!
//! import "google/protobuf/empty.proto";
//! import "cloudstate/entity_key.proto";
//! import "google/api/annotations.proto";
//!
//! message AddLineItem {
//!   string user_id = 1 [(.cloudstate.entity_key) = true];
//!   string product_id = 2;
//!   string name = 3;
//!   int32 quantity = 4;
//! }
//!
//! message RemoveLineItem {
//!   string user_id = 1 [(.cloudstate.entity_key) = true];
//!   string product_id = 2;
//! }
//!
//! message GetShoppingCart {
//!   string user_id = 1 [(.cloudstate.entity_key) = true];
//! }
//!
//! message LineItem {
//!   string product_id = 1;
//!   string name = 2;
//!   int32 quantity = 3;
//! }
//!
//! message Cart {
//!   repeated LineItem items = 1;
//! }
//!
//! // One cart per user.
//! service ShoppingCart {
//!   // Puts items into the cart.
//!   rpc AddItem(AddLineItem) returns (google.protobuf.Empty) {
//!     option (google.api.http) = { post: "/cart/{user_id}/items/add" body: "*" };
//!   }
//!
//!   // Takes a product out of the cart.
//!   rpc RemoveItem(RemoveLineItem) returns (google.protobuf.Empty) {
//!     option (google.api.http).post = "/cart/{user_id}/items/{product_id}/remove";
//!   }
//!
//!   // What is in the cart.
//!   rpc GetCart(GetShoppingCart) returns (Cart) {
//!     option (google.api.http) = { get: "/carts/{user_id}" };
//!   }
//! }
//! ```
//!
//! Beside it, in `proto/persistence/domain.proto`, what is stored: two events, and a snapshot.
//!
//! ```proto
//! syntax = "proto3";
//!
//! package com.example.shoppingcart.persistence;
//!
//! message LineItem {
//!   string product_id = 1;
//!   string name = 2;
//!   int32 quantity = 3;
//! }
//!
//! message ItemAdded {
//!   LineItem item = 1;
//! }
//!
//! message ItemRemoved {
//!   string product_id = 1;
//! }
//!
//! message Cart {
//!   repeated LineItem items = 1;
//! }
//! ```
//!
//! **3. `build.rs`.**
//!
//! ```no_run
//! fn main() -> std::io::Result<()> {
//!     cloudstate_build::compile_protos(&["proto/shoppingcart.proto", "proto/persistence/domain.proto"], &["proto"])
//! }
//! ```
//!
//! **4. The entity**, in `src/main.rs`. `cloudstate_sdk::include_protos!();` brings in what was generated: the messages,
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
//! **5. `main`**, in the same file, serves every entity that is annotated.
//!
//! ```no_run
//! #[tokio::main]
//! async fn main() -> Result<(), cloudstate_sdk::Error> {
//!     cloudstate_sdk::serve().await
//! }
//! ```
//!
//! `cargo run` now waits for a proxy on 127.0.0.1:8080, or on what `HOST` and `PORT` say. (Entities in a library, be it
//! the `src/lib.rs` beside it, are linked when `main.rs` names it: `use my_crate as _;`.)
//!
//! **6. Run it** with a proxy. `cloudstate`, of the crate `cloudstate-cli`, is one. In the folder of your crate
//!
//! ```text
//! cloudstate dev
//! ```
//!
//! builds, starts both, restarts yours when a source changes, and prints a `curl` line for each route:
//!
//! ```text
//! curl localhost:9000/cart/u1/items/add -H 'content-type: application/json' -d '{"productId":"p1","quantity":2}'
//! curl localhost:9000/carts/u1
//! ```
//!
//! **7. Test it**, without a proxy, a server or a runtime: given what has happened, when a command comes, then this
//! happens.
//!
//! ```
//! # use cloudstate_sdk::event_sourced::*;
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/cart.rs"));
//! use cloudstate_sdk::event_sourced::testkit::TestKit;
//!
//! // #[test]
//! fn an_item_can_be_removed() {
//!     let tea = domain::LineItem { product_id: "tea".into(), name: "Tea".into(), quantity: 2 };
//!     let mut cart = TestKit::<Cart>::new("u1").given([domain::ItemAdded { item: Some(tea) }]);
//!
//!     let command = api::RemoveLineItem { user_id: "u1".into(), product_id: "tea".into() };
//!     let outcome = cart.call(shopping_cart::remove_item(command));
//!
//!     assert_eq!(outcome.events, [CartEvent::Removed(domain::ItemRemoved { product_id: "tea".into() })]);
//! }
//! # fn main() { an_item_can_be_removed() }
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
//! * **Tests need no server.** Each kind has a test kit, which plays the proxy: for
//!   [event sourced](event_sourced::testkit::TestKit), [value](value::testkit::TestKit) and
//!   [CRDT](crdt::testkit::TestKit) entities, and for [actions](action::testkit::TestKit).
//! * **Mistakes are found early**: those of wiring by the compiler, those of the contract at start, each with its
//!   file, service and rpc.
//! * **No magic**: [`docs::by_hand`] shows all that the attributes add.
//!
//! # Where to go on
//!
//! | To | see |
//! |---|---|
//! | write event sourced entities | [`event_sourced`] |
//! | write value entities | [`value`] |
//! | write CRDT entities, or a struct of CRDTs | [`crdt`] |
//! | write services without state, streams, subscribers of events | [`action`] |
//! | store or read plain texts and numbers, or JSON | [`Primitive`], and `Json` with the feature `json` |
//! | register entities explicitly, inject dependencies, choose address and limits | [`CloudState`] |
//! | forward to other rpcs, or call them beside a reply | [`Effect`], [`ServiceCall`] |
//! | refuse with a status code or with an own error type | [`Failure`] |
//! | know what callers see when something fails | [`docs::failures`] |
//! | change what is stored, without losing what was | [`docs::evolving_events`] |
//! | do without the attributes | [`docs::by_hand`] |

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
    CloudEvent, Code, CommandEffect, CommandError, Context, Deletable, Deletion, Effect, EventAttributes,
    Failure, Metadata, MetadataValue, NotACloudEvent, RawEffect, Replies, Reply, ServiceCall, SideEffect,
    StreamCall, StreamReply,
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
        include!(concat!(
            env!(
                "OUT_DIR",
                "`include_protos!` brings in what the build script makes, and this package has none: add a `build.rs` \
                 that calls `cloudstate_build::compile_protos`, beside its `Cargo.toml`"
            ),
            "/cloudstate.rs"
        ));
    };
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
