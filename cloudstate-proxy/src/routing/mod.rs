//! From a method to whatever answers it: the one live entity, or an action; forwards and side effects.
//!
//! [`Calls`] is what frontends see. Behind it the router delivers calls, a `Responder` takes an entity's answer
//! back, and `settlement` carries out what the user function decided: side effects first, then the reply or the
//! forward. A call that fails on the way is a `Broken` one, which knows what it was about; its client is told so, and the
//! log, where the router hands the failure over.

mod background;
mod count;
mod failure;
mod first;
mod no_reply;
mod place;
mod reply_headers;
mod responder;
mod router;
mod settlement;
#[cfg(test)]
mod settlement_tests;
mod trace;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use cloudstate_proto::{Metadata, Reply as TypedReply};
use futures_util::Stream;

pub(crate) use background::Background;
pub use failure::Failure;
pub(crate) use failure::Subject;
pub(crate) use no_reply::Broken;
pub(crate) use responder::Responder;
pub(crate) use router::Router;

use crate::service_catalog::Method;
use no_reply::NoReply;

/// A call of a client.
#[derive(Debug)]
pub struct Call {
    /// What is called.
    pub method: Arc<Method>,
    /// The request messages.
    pub requests: Requests,
    /// The headers of the client's request; they reach actions only.
    pub metadata: Metadata,
}

/// The encoded request messages of a call, exactly as they came in.
pub enum Requests {
    /// The one request of an rpc that takes one.
    One(Bytes),
    /// The requests of an rpc with a stream of them. An `Err` is its last item: the client went away or broke its
    /// stream.
    Many(BoxStream<Result<Bytes, Failure>>),
}

/// The answer to a call, or one of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The encoded reply message; none when the user function answered without one. Among several replies such a
    /// one releases the response headers and is no message.
    pub payload: Option<Bytes>,
    /// What becomes response headers; those of the first reply count.
    pub metadata: Option<Metadata>,
}

/// A future that owns what it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A stream that owns what it needs.
pub type BoxStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

/// The replies to a call; they end after the first `Err`.
pub type Replies = BoxStream<Result<Reply, Failure>>;

/// The same before a client is told of them.
type TypedReplies = BoxStream<Result<TypedReply, NoReply>>;

/// Carries out calls: what a frontend sees of everything behind it.
pub trait Calls: Send + Sync + 'static {
    /// Carries out `call` for a caller that takes one reply: the rpc has no stream of replies. Dropping the future
    /// cancels the call of an action; of a command to an entity it gives up the wait only.
    fn call(&self, call: Call) -> BoxFuture<Result<Reply, Failure>>;

    /// Carries out `call` for a caller that takes any number of replies. They are made as they are taken; dropping
    /// them cancels the call.
    fn call_streamed(&self, call: Call) -> Replies;
}

impl Call {
    /// A call with one request and no metadata.
    pub fn new(method: Arc<Method>, request: impl Into<Bytes>) -> Self {
        Self { method, requests: Requests::One(request.into()), metadata: Metadata::default() }
    }
}

/// A reply as the user function gave it; clients know the type of its payload.
impl From<TypedReply> for Reply {
    fn from(TypedReply { payload, metadata }: TypedReply) -> Self {
        Self { payload: payload.map(|payload| payload.value), metadata }
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Requests::One(request) => f.debug_tuple("One").field(request).finish(),
            Requests::Many(_) => f.write_str("Many"),
        }
    }
}
