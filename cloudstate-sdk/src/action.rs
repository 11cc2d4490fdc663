//! Actions: services without state, whose handlers are asynchronous and may stream.

pub(crate) mod call;
mod effect;
pub(crate) mod host;
mod kind;
mod requests;
pub(crate) mod responses;
mod service;

pub use crate::command::{
    Code, CommandEffect, Context, Effect, Failure, Metadata, Replies, Reply, ServiceCall, StreamReply,
};
pub use crate::{Any, DecodeError};
pub use call::{Call, Responses};
/// Declares a struct an action. The struct holds what all calls share, and stays as it is written.
///
/// | Option | means |
/// |---|---|
/// | `service = sums` | the module that `cloudstate-build` generated for the gRPC service. Required |
/// | `crate = "::my_sdk"` | where a renamed SDK is found |
///
/// A struct with `Default` is found by [`serve`](crate::serve); one without, for example because it holds a client
/// of something, is registered with [`register_action`](crate::CloudState::register_action). So is a generic one.
#[doc(inline)]
pub use cloudstate_derive::action;
pub use futures_core::Stream;
pub use futures_util::{StreamExt, TryStreamExt, stream};
pub use kind::Kind;
pub use requests::Requests;
pub use service::{ActionService, Handler};

pub mod testkit {
    //! Calls an action in a unit test, without network.
    pub use crate::testkit::Answer;
    pub use crate::testkit::action::{Outcome, TestKit};
}

pub(crate) use effect::ActionAnswer;
pub(crate) use kind::component;
