//! CRDT entities: one value that every node of the proxy's cluster can change at once, and that comes to agree by
//! itself.
//!
//! `use cloudstate_sdk::crdt::*;` brings everything that an entity's file needs.
//!
//! ```
//! use cloudstate_sdk::crdt::*;
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
//! # use com::example::presence::{Online, Visit, presence};
//!
//! // The struct holds one conflict-free replicated data type. This set is who is in a room.
//! #[crdt_entity(service = presence)]
//! #[derive(Default)]
//! pub struct Presence {
//!     users: ORSet<String>,
//! }
//!
//! impl Presence {
//!     fn online(&self) -> Online {
//!         Online { users: self.users.iter().cloned().collect() }
//!     }
//! }
//!
//! impl CrdtEntity for Presence {
//!     type Error = Failure;
//! }
//!
//! // The trait is generated from the service in the `.proto` file.
//! impl presence::Crdt for Presence {
//!     fn enter(&mut self, visit: Visit, _: &Context) -> Reply<Self, Online> {
//!         self.users.insert(visit.user);
//!         Ok(Effect::reply(self.online()))
//!     }
//!
//!     fn leave(&mut self, visit: Visit, _: &Context) -> Reply<Self, Online> {
//!         if !self.users.remove(&visit.user) {
//!             return Err(Failure::not_found(format!("{} is not here", visit.user)));
//!         }
//!         Ok(Effect::reply(self.online()))
//!     }
//!
//!     // rpc Stay(Visit) returns (stream Empty): the user is here for as long as the stream is open.
//!     fn stay(&mut self, visit: Visit, _: &Context) -> StreamReply<Self, ()> {
//!         self.users.insert(visit.user.clone());
//!         Ok(Effect::stream(()).on_cancel(move |room: &mut Self| {
//!             room.users.remove(&visit.user);
//!         }))
//!     }
//!
//!     // rpc Watch(Visit) returns (stream Online): tells of every change, wherever it is made.
//!     fn watch(&mut self, _: Visit, _: &Context) -> StreamReply<Self, Online> {
//!         Ok(Effect::stream(self.online()).on_change(Self::online))
//!     }
//!
//!     fn close(&mut self, _: Visit, _: &Context) -> Reply<Self, ()> {
//!         Ok(Effect::delete().reply(()).write_consistency(WriteConsistency::All))
//!     }
//! }
//!
//! # fn main() {
//! let visit = |user: &str| Visit { user: user.into(), ..Default::default() };
//!
//! // given a room where somebody is,
//! let mut users = ORSet::new();
//! users.insert("ann".to_string());
//! let mut kitchen = testkit::TestKit::<Presence>::new("kitchen").given(users);
//! // when a user comes, and another one on another node,
//! let watch = kitchen.follow(presence::watch(visit("")));
//! let outcome = kitchen.call(presence::enter(visit("bob")));
//! kitchen.changed_elsewhere(|users| users.insert("eve".to_string()));
//! // then both are seen, and the first is told to the other nodes.
//! assert_eq!(outcome.reply().users, ["ann", "bob"]);
//! assert!(outcome.has_changed());
//! let seen = kitchen.messages(&watch);
//! assert_eq!(seen.last().map(|message| message.reply().users.len()), Some(3));
//!
//! // When a stream ends, whoever came with it is gone.
//! let stay = kitchen.follow(presence::stay(visit("ida")));
//! assert!(kitchen.cancel(&stay).has_changed());
//! assert!(!kitchen.state().users.contains("ida"));
//! # }
//! ```
//!
//! # Which type
//!
//! | Type | holds |
//! |---|---|
//! | [`GCounter`], [`PNCounter`] | a number that only grows; one that grows and shrinks |
//! | [`GSet`], [`ORSet`] | a set that only grows; one that elements can be removed from |
//! | [`LWWRegister`] | one value; the last write wins |
//! | [`Flag`] | whether something has happened |
//! | [`ORMap`] | CRDTs by key; with names for common ones: [`PNCounterMap`], [`LWWRegisterMap`], [`ORMultiMap`] |
//! | [`Vote`] | how many nodes agree |
//! | a struct with [`#[derive(Crdt)]`](macro@Crdt) | several of these under names, as one CRDT |
//! | [`AnyCrdt`] | any of these, chosen at run time |
//!
//! The proxy replicates and resolves conflicts. What lives here is the present value, and a record of what a command
//! has changed: it is sent with the command's reply, or taken back when the command fails.
//!
//! By the protocol a CRDT is kept in the memory of the proxy's nodes only, so it is for what may be lost when all of them
//! stop: who is online, what is being typed, counts that are rebuilt. (This project's proxy stores it, too.)
//!
//! # Commands
//!
//! * **Handlers change the CRDT** through its methods, which is why they take `&mut self`. When one returns `Err`, the
//!   change is taken back.
//! * **Fields beside the CRDT** are marked `#[cloudstate(dependency)]`. They are not replicated.
//! * **How far a change must have got** before the caller is answered:
//!   [`write_consistency`](CommandEffect::write_consistency). Without it, to the own node.
//! * **[`Effect::delete`]** removes the entity on all nodes. Its id cannot be used again.
//!
//! # Streams of replies
//!
//! The handler of an rpc with a stream of replies returns [`Replies`]: a first reply, and functions that run later.
//! Requests cannot be streamed.
//!
//! | To | call |
//! |---|---|
//! | tell the caller of every change | [`on_change`](Replies::on_change) |
//! | clean up when the caller goes away | [`on_cancel`](Replies::on_cancel) |
//! | end the stream | return [`StreamMessage::and_end`] from `on_change` |
//! | say nothing at first | [`silent_at_first`](Replies::silent_at_first) |
//!
//! # Failures
//!
//! `Err` refuses the command, takes back what it changed, and the entity goes on. A panic drops the entity here and
//! ends the streams that follow it; the proxy sends its CRDT again for the next command. All cases are in
//! [`docs::failures`](crate::docs::failures).

mod any_crdt;
mod conversation;
mod data_type;
mod delta;
mod elements;
mod encoded;
mod entity;
mod flag;
mod followers;
mod g_counter;
mod g_set;
pub(crate) mod instance;
mod kind;
mod lww_register;
mod lww_register_map;
mod or_map;
mod or_multi_map;
mod or_set;
mod pn_counter;
mod pn_counter_map;
pub(crate) mod product;
mod streamed;
mod value;
mod vote;
mod write;

pub use crate::Any;
pub use crate::command::{
    Code, CommandEffect, Context, Effect, Failure, Metadata, Replies, Reply, ServiceCall, StreamReply,
};
pub use any_crdt::AnyCrdt;
/// Makes a struct of CRDTs one CRDT: a *product*. It can be what a [`crdt_entity`] replicates, or a value in an
/// [`ORMap`].
///
/// It travels as an [`ORMap`] from the names of its fields to their values, so every proxy understands it, and other
/// languages read and write it as the map that it is. Only fields that have changed are sent.
///
/// | On a field | means |
/// |---|---|
/// | `#[crdt(key = "members")]` | its key in the map, if that is not its name: it was renamed |
///
/// On the struct, `#[crdt(crate = "::my_sdk")]` tells where a renamed SDK is found. The struct also derives `Clone`,
/// `Debug` and `Default`. A field that nobody has changed yet has the value that `Default` gives it, on each node.
///
/// ```
/// use cloudstate_sdk::crdt::*;
///
/// #[derive(Crdt, Clone, Debug, Default)]
/// struct Room {
///     members: ORSet<String>,
///     topic: LWWRegister<String>,
///     #[crdt(key = "closed")]
///     is_closed: Flag,
/// }
///
/// let mut room = Room::default();
/// room.topic.set("tea".to_string());
///
/// // Another node gets the one field that has changed.
/// let mut elsewhere = Room::default();
/// elsewhere.members.insert("ada".to_string());
/// elsewhere.mark_sent();
/// elsewhere.apply(room.take_delta().unwrap()).unwrap();
/// assert_eq!(elsewhere.topic.get(), "tea");
/// assert!(elsewhere.members.contains("ada"));
/// ```
#[doc(inline)]
pub use cloudstate_derive::Crdt;
/// Declares a struct a CRDT entity. One of its fields is the CRDT; the struct stays as it is written.
///
/// | Option | means |
/// |---|---|
/// | `service = presence` | the module that `cloudstate-build` generated for the gRPC service. Required |
/// | `passivate_after = "30s"` | how long an entity may be idle before the proxy drops it from the user function's memory (`ms`, `s`, `m`, `h`). Without it the proxy decides |
/// | `crate = "::my_sdk"` | where a renamed SDK is found |
///
/// The CRDT is the one field without `#[cloudstate(dependency)]`.
///
/// A struct with `Default` is found by [`serve`](crate::serve); one without is registered with
/// [`register_with`](crate::CloudState::register_with): for example one with an [`AnyCrdt`], whose type the entity id
/// decides. So is a generic one.
#[doc(inline)]
pub use cloudstate_derive::crdt_entity;
pub use data_type::Crdt;
pub use delta::{CrdtError, Delta};
pub use entity::{CrdtEntity, Handler};
pub use flag::Flag;
pub use g_counter::GCounter;
pub use g_set::GSet;
pub use kind::Kind;
pub use lww_register::{Clock, LWWRegister};
pub use lww_register_map::LWWRegisterMap;
pub use or_map::ORMap;
pub use or_multi_map::ORMultiMap;
pub use or_set::ORSet;
pub use pn_counter::PNCounter;
pub use pn_counter_map::PNCounterMap;

pub use streamed::{Cancelled, StreamMessage};
pub use value::{CrdtValue, LookupOf};
pub use vote::Vote;
pub use write::WriteConsistency;

pub mod testkit {
    //! Runs an entity in a unit test, without network or runtime.
    pub use crate::testkit::Answer;
    pub use crate::testkit::crdt::{Cancellation, Follower, Message, Outcome, TestKit};
}

pub(crate) use streamed::Following;
#[doc(hidden)]
pub use streamed::{RawReply, call, call_streamed};
