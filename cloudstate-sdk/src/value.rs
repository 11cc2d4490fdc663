//! Value entities: one message is stored, and each change replaces it.
//!
//! `use cloudstate_sdk::value::*;` brings everything that an entity's file needs.
//!
//! ```
//! use cloudstate_sdk::value::*;
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
//! # use com::example::profiles::{ForgetProfile, GetProfile, Profile, SetProfile, profiles};
//!
//! // The struct holds the state: one protobuf message.
//! #[value_entity(service = profiles, persistence_id = "profiles")]
//! #[derive(Default)]
//! pub struct Profiles(Profile);
//!
//! impl ValueEntity for Profiles {
//!     type Error = Failure;
//! }
//!
//! // The trait is generated from the service in the `.proto` file.
//! impl profiles::Value for Profiles {
//!     fn set(&self, command: SetProfile, _: &Context) -> Reply<Self, Profile> {
//!         if command.name.is_empty() {
//!             return Err(Failure::invalid_argument("a profile needs a name"));
//!         }
//!         let new = Profile { name: command.name, changes: self.0.changes + 1 };
//!         Ok(Effect::update(new.clone()).reply(new))
//!     }
//!
//!     fn get(&self, _: GetProfile, _: &Context) -> Reply<Self, Profile> {
//!         Ok(Effect::reply(self.0.clone()))
//!     }
//!
//!     fn forget(&self, _: ForgetProfile, _: &Context) -> Reply<Self, ()> {
//!         Ok(Effect::delete().reply(()))
//!     }
//! }
//!
//! # fn main() {
//! // given a value that is stored,
//! let ann = Profile { name: "Ann".into(), changes: 1 };
//! let mut profile = testkit::TestKit::<Profiles>::new("ann").given(ann);
//! // when a command comes,
//! let outcome = profile.call(profiles::set(SetProfile { name: "Anna".into(), ..Default::default() }));
//! // then this is stored in its place.
//! let anna = Profile { name: "Anna".into(), changes: 2 };
//! assert_eq!(outcome.state_action, Some(StateAction::Update(anna.clone())));
//! assert_eq!(profile.restarted().0, anna);
//!
//! // A command that is refused stores nothing.
//! let refused = profile.call(profiles::set(SetProfile::default()));
//! assert_eq!(refused.failure().code, Code::InvalidArgument);
//! assert_eq!(refused.state_action, None);
//! # }
//! ```
//!
//! # What is not stored yet
//!
//! An entity that was never set, or was deleted, is as `Default` or the function given to
//! [`register_with`](crate::CloudState::register_with) makes it. To tell "never set" from "set to the default", make
//! the field an `Option`: `struct Profiles(Option<Profile>)`. It is `None` while nothing is stored.
//!
//! # What else an entity needs
//!
//! Other fields, such as a client or a clock, are marked, so that nobody takes them for state. They are not stored:
//!
//! ```
//! # use cloudstate_sdk::value::*;
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
//! # use com::example::profiles::{ForgetProfile, GetProfile, Profile, SetProfile, profiles};
//! # use std::sync::Arc;
//! # pub trait Names: Send + Sync { fn allows(&self, name: &str) -> bool; }
//! #[value_entity(service = profiles, persistence_id = "profiles")]
//! pub struct Profiles {
//!     profile: Option<Profile>,
//!     #[cloudstate(dependency)]
//!     names: Arc<dyn Names>,
//! }
//! # impl ValueEntity for Profiles { type Error = Failure; }
//! # impl profiles::Value for Profiles {
//! #     fn set(&self, command: SetProfile, _: &Context) -> Reply<Self, Profile> {
//! #         if !self.names.allows(&command.name) { return Err(Failure::invalid_argument("another name, please")); }
//! #         let new = Profile { name: command.name, changes: 1 };
//! #         Ok(Effect::update(new.clone()).reply(new))
//! #     }
//! #     fn get(&self, _: GetProfile, _: &Context) -> Reply<Self, Profile> {
//! #         Ok(Effect::reply(self.profile.clone().unwrap_or_default()))
//! #     }
//! #     fn forget(&self, _: ForgetProfile, _: &Context) -> Reply<Self, ()> { Ok(Effect::delete().reply(())) }
//! # }
//! # fn main() {}
//! ```
//!
//! # Failures and changes of what is stored
//!
//! A handler cannot change the value, it can only ask for it; so a command that fails has changed nothing. One command
//! makes at most one change. The value is stored under the full name of its message: a stored one that cannot be read
//! fails the entity loudly. Fields may be added and removed by protobuf's usual rules, as
//! [`docs::evolving_events`](crate::docs::evolving_events) tells. What callers see when something fails is in
//! [`docs::failures`](crate::docs::failures).

mod change;
mod conversation;
mod entity;
pub(crate) mod instance;
mod kind;

pub use crate::Any;
pub use crate::command::{Code, CommandEffect, Context, Effect, Failure, Metadata, Reply, ServiceCall};
pub use change::{StateAction, StateChange, StateOf};
/// Declares a struct a value entity. One of its fields is the state; the struct stays as it is written;
/// [`docs::by_hand`](crate::docs::by_hand) shows what is added.
///
/// | Option | means |
/// |---|---|
/// | `service = profiles` | the module that `cloudstate-build` generated for the gRPC service. Required |
/// | `persistence_id = "profiles"` | names where the data is stored, so it must never change. Required |
/// | `passivate_after = "30s"` | how long an entity may be idle before the proxy drops it from memory (`ms`, `s`, `m`, `h`). Without it the proxy decides |
/// | `crate = "::my_sdk"` | where a renamed SDK is found |
///
/// The state is the one field without `#[cloudstate(dependency)]`: a protobuf message, a `Json` or a
/// [`Primitive`](crate::Primitive), or an `Option` of one, written out.
///
/// A struct with `Default` is found by [`serve`](crate::serve); one without, for example because it holds a client
/// of something, is registered with [`register_with`](crate::CloudState::register_with). So is a generic one.
#[doc(inline)]
pub use cloudstate_derive::value_entity;
pub use entity::{Handler, StateField, StateMessage, ValueEntity};
pub use kind::Kind;

pub(crate) use change::PendingUpdate;

pub mod testkit {
    //! Runs an entity in a unit test, without network or runtime.
    pub use crate::testkit::Answer;
    pub use crate::testkit::value::{Outcome, TestKit};
}
