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
//!
//! # fn main() {
//! let socks = domain::LineItem { product_id: "socks".into(), name: "Socks".into(), quantity: 2 };
//!
//! // given what has happened,
//! let mut cart = testkit::TestKit::<Cart>::new("c1").given([domain::ItemAdded { item: Some(socks) }]);
//! // when a command comes,
//! let remove = api::RemoveLineItem { product_id: "socks".into(), ..Default::default() };
//! let outcome = cart.call(shopping_cart::remove_item(remove));
//! // then this happens.
//! assert_eq!(outcome.events, [CartEvent::Removed(domain::ItemRemoved { product_id: "socks".into() })]);
//! assert!(cart.state().items.is_empty());
//!
//! // A command that is refused stores nothing.
//! let refused = cart.call(shopping_cart::add_item(api::AddLineItem::default()));
//! assert_eq!(refused.failure().code, Code::InvalidArgument);
//! assert_eq!(refused.events, []);
//! # }
//! ```
//!
//! # Commands and events
//!
//! * **A handler decides, `apply` changes.** Handlers take `&self` and return an [`Effect`]; events are applied, and
//!   stored, when it was `Ok`. They are stored together or not at all, and before the caller is answered.
//! * **`apply` runs again** whenever the entity is loaded. It depends on the state and the event only: no clock, no
//!   random number, no call. Such things are found out by the handler and written into the event.
//! * **Several events**: [`Effect::persist_all`]. **A reply that shows the state after them**:
//!   [`then_reply(Self::view)`](Persist::then_reply).
//! * **Loading takes as long as there are events.** With `snapshot_every = 100` and `impl` [`Snapshot`] it takes about
//!   as long as 100. `TestKit::restarted_from_snapshot` tests that nothing is lost.
//!
//! # What is stored stays
//!
//! Events are read for as long as the entity lives, by every later version of the program: see
//! [`docs::evolving_events`](crate::docs::evolving_events). A stored event that cannot be read fails the entity loudly.
//! What else can fail, and what callers see then, is in [`docs::failures`](crate::docs::failures).

mod conversation;
mod entity;
pub(crate) mod event;
pub(crate) mod instance;
mod kind;
mod persist;
mod snapshot;

pub use crate::command::{Code, CommandEffect, Context, Effect, Failure, Metadata, Reply, ServiceCall};

pub use crate::{Any, DecodeError};
/// Makes an enum the [`Event`](trait@Event) of an entity, or what a subscriber gets. Each variant holds one protobuf
/// message, one `Json` or one [`Primitive`](crate::Primitive).
///
/// It adds a `From` for each of them, so that `Effect::persist(ItemAdded { .. })` needs no mention of the enum, and a
/// `TryFrom<Any>`.
///
/// # Changing what is stored
///
/// Events are stored under the full name of their message, and must be readable for ever. A stored event that no
/// variant knows fails the entity loudly.
///
/// | On a variant | means |
/// |---|---|
/// | `#[event(alias = "old.package.ItemAdded")]` | events stored under this name are read as this message: it was renamed or moved. May be repeated |
/// | `#[event(upcast_from = OldItemAdded)]` | events stored as this message are converted with `From`: it was replaced. May be repeated |
///
/// | `#[event(other)]` | for subscribers: the variant holds the [`Any`] of an event that no other variant knows. The enum is then no `Event`: an entity must not pass over one of its own |
///
/// On the enum, `#[event(crate = "::my_sdk")]` tells where a renamed SDK is found.
///
/// ```
/// use cloudstate_sdk::event_sourced::*;
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
/// # use com::example::shoppingcart::persistence as domain;
///
/// #[derive(Event)]
/// pub enum CartEvent {
///     #[event(alias = "com.example.cart.ItemAdded", upcast_from = domain::LineItem)]
///     Added(domain::ItemAdded),
///     Removed(domain::ItemRemoved),
/// }
///
/// // Long ago, the bare item was stored.
/// impl From<domain::LineItem> for domain::ItemAdded {
///     fn from(item: domain::LineItem) -> Self {
///         Self { item: Some(item) }
///     }
/// }
///
/// # fn main() {
/// let stored = domain::LineItem { product_id: "socks".into(), ..Default::default() }.encode();
/// assert!(matches!(CartEvent::decode(&stored), Ok(CartEvent::Added(_))));
/// # }
/// ```
#[doc(inline)]
pub use cloudstate_derive::Event;
/// Declares a struct an event sourced entity. The struct is the state of one entity, and stays as it is written;
/// [`docs::by_hand`](crate::docs::by_hand) shows what is added.
///
/// | Option | means |
/// |---|---|
/// | `service = shopping_cart` | the module that `cloudstate-build` generated for the gRPC service. Required |
/// | `persistence_id = "shopping-cart"` | names where the data is stored, so it must never change. Required |
/// | `snapshot_every = 100` | a snapshot is stored whenever the number of an event is a multiple of it; needs `impl Snapshot`. Without it there are none. 100 is a good choice |
/// | `passivate_after = "30s"` | how long an entity may be idle before the proxy drops it from memory (`ms`, `s`, `m`, `h`). Without it the proxy decides |
/// | `crate = "::my_sdk"` | where a renamed SDK is found |
///
/// A struct with `Default` is found by [`serve`](crate::serve); one without, for example because it holds a client
/// of something, is registered with [`register_with`](crate::CloudState::register_with). So is a generic one.
#[doc(inline)]
pub use cloudstate_derive::event_sourced_entity;
pub use entity::{EventSourcedEntity, Handler};
pub use event::Event;
pub use kind::Kind;
pub use persist::{EventOf, Persist};
pub use snapshot::{Snapshot, Snapshots};

pub(crate) use persist::PendingEvents;

pub mod testkit {
    //! Runs an entity in a unit test, without network or runtime.
    pub use crate::testkit::Answer;
    pub use crate::testkit::event_sourced::{Outcome, TestKit};
}
