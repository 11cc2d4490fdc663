//! Event sourced entities: what happened is stored, the state follows from it.
//!
//! `use cloudstate_sdk::event_sourced::*;` brings everything that an entity's file needs.
//!
//! ```
//! use cloudstate_sdk::event_sourced::*;
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
//! # use com::example::shoppingcart::{self as api, persistence as domain, shopping_cart};
//!
//! // One message a variant.
//! #[derive(Event, Clone, Debug, PartialEq)]
//! pub enum CartEvent {
//!     Added(domain::ItemAdded),
//!     Removed(domain::ItemRemoved),
//! }
//!
//! // The struct is the state.
//! #[event_sourced_entity(service = shopping_cart, persistence_id = "shopping-cart")]
//! #[derive(Default)]
//! pub struct Cart {
//!     items: Vec<domain::LineItem>,
//! }
//!
//! impl EventSourcedEntity for Cart {
//!     type Event = CartEvent;
//!     type Error = Failure;
//!
//!     fn apply(&mut self, event: CartEvent) {
//!         match event {
//!             CartEvent::Added(added) => self.items.extend(added.item),
//!             CartEvent::Removed(removed) => self.items.retain(|item| item.product_id != removed.product_id),
//!         }
//!     }
//! }
//!
//! // The trait is generated from the service in the `.proto` file.
//! impl shopping_cart::EventSourced for Cart {
//!     fn add_item(&self, command: api::AddLineItem, _: &Context) -> Reply<Self, ()> {
//!         if command.quantity <= 0 {
//!             return Err(Failure::invalid_argument("the quantity must be positive"));
//!         }
//!         let api::AddLineItem { product_id, name, quantity, .. } = command;
//!         let item = Some(domain::LineItem { product_id, name, quantity });
//!         Ok(Effect::persist(domain::ItemAdded { item }).reply(()))
//!     }
//!     // one function per rpc
//! #   fn remove_item(&self, command: api::RemoveLineItem, _: &Context) -> Reply<Self, ()> {
//! #       Ok(Effect::persist(domain::ItemRemoved { product_id: command.product_id }).reply(()))
//! #   }
//! #   fn get_cart(&self, _: api::GetShoppingCart, _: &Context) -> Reply<Self, api::Cart> {
//! #       Ok(Effect::reply(api::Cart::default()))
//! #   }
//! }
//! # fn main() {}
//! ```

pub(crate) mod conversation;
mod entity;
pub(crate) mod event;
pub(crate) mod instance;
mod kind;
mod persist;
mod snapshot;

pub use crate::command::{Code, CommandEffect, Context, Effect, Failure, Metadata, Reply, ServiceCall};

pub use crate::{Any, DecodeError};
pub use cloudstate_derive::{Event, event_sourced_entity};
pub use entity::{EventSourcedEntity, Handler};
pub use event::Event;
pub use kind::Kind;
pub use persist::Persist;
pub use snapshot::{Snapshot, Snapshots};

pub(crate) use persist::PendingEvents;

pub mod testkit {
    //! Runs an entity in a unit test, without network or runtime.
    pub use crate::testkit::event_sourced::{Outcome, TestKit};
}
