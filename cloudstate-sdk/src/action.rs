//! Actions: services without state. Their handlers are asynchronous, and requests and replies may be streams.
//!
//! `use cloudstate_sdk::action::*;` brings everything that an action's file needs.
//!
//! ```
//! use cloudstate_sdk::action::*;
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
//! # use com::example::sums::{Count, Number, sums};
//!
//! // The struct is what all calls share: a client of a database, a configuration, or nothing.
//! #[action(service = sums)]
//! #[derive(Default)]
//! pub struct Sums;
//!
//! impl ActionService for Sums {
//!     type Error = Failure;
//! }
//!
//! // The trait is generated from the service in the `.proto` file.
//! impl sums::Action for Sums {
//!     // rpc Square(Number) returns (Number)
//!     async fn square(&self, number: Number, _: &Context) -> Reply<Self, Number> {
//!         let square = number.value.checked_mul(number.value);
//!         let value = square.ok_or_else(|| Failure::invalid_argument("the number is too large"))?;
//!         Ok(Number { value }.into())
//!     }
//!
//!     // rpc Sum(stream Number) returns (Number)
//!     async fn sum(&self, mut numbers: Requests<Number>, _: &Context) -> Reply<Self, Number> {
//!         let mut value = 0;
//!         while let Some(number) = numbers.try_next().await? {
//!             value += number.value;
//!         }
//!         Ok(Number { value }.into())
//!     }
//!
//!     // rpc CountTo(Count) returns (stream Number)
//!     async fn count_to(&self, count: Count, _: &Context) -> StreamReply<Self, Number> {
//!         Ok(Replies::from_stream(stream::iter(1..=count.to).map(|value| Ok(Number { value }))))
//!     }
//!
//!     // rpc Running(stream Number) returns (stream Number)
//!     async fn running(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number> {
//!         let mut value = 0;
//!         Ok(Replies::from_stream(numbers.map_ok(move |number| {
//!             value += number.value;
//!             Number { value }
//!         })))
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! // given an action,
//! let kit = testkit::TestKit::new(Sums);
//! // when it is called,
//! let outcome = kit.call(sums::square(Number { value: 3 })).await;
//! // then it replies.
//! assert_eq!(outcome.reply().value, 9);
//!
//! // A streamed call has requests that the test makes, and replies that come as they are asked for.
//! let numbers = Requests::from_messages([1, 2, 3].map(|value| Number { value }));
//! let running = kit.stream(sums::running(numbers));
//! let sums: Vec<_> = running.map(|sum| sum.reply().value).collect().await;
//! assert_eq!(sums, [1, 3, 6]);
//! # }
//! ```
//!
//! # Calls
//!
//! * **Any number at a time**, so handlers take `&self`. What calls share must be `Sync`.
//! * **Nothing runs ahead.** A stream is computed as its caller reads it, and requests are read as the handler asks for
//!   them: a slow side slows the other down, and no queue grows.
//! * **Callers may go away.** Then the handler is dropped where it waits. Work that must go on has to be spawned.
//! * **Metadata** of the call, such as the headers of the client's request, is in the [`Context`]; a reply can
//!   [have its own](CommandEffect::with_reply_metadata), which become headers of the response.
//!
//! # What a handler can answer
//!
//! | To | return |
//! |---|---|
//! | reply | `Ok(message.into())`, or `Ok(Effect::reply(message))` |
//! | let another rpc answer | `Ok(Effect::forward(call))` |
//! | answer with nothing | `Ok(Effect::none())` |
//! | fail | `Err(failure)` or `?` |
//! | fail, and call others all the same | `Ok(Effect::failure(failure).side_effect(call))` |
//! | pass over an event | `Ok(Effect::skip(reason))` |
//!
//! Each may have side effects. The elements of a stream of replies can be all this, too:
//! [`Replies::from_effects`]. A failure is one element of such a stream, and does not end it here, though most proxies
//! end the call with the first.
//!
//! A panic closes the call with the gRPC status INTERNAL and an error id; what it says is in the log only. How the
//! kinds differ in this is in [`docs::failures`](crate::docs::failures).
//!
//! # Events
//!
//! The events of an event sourced entity, or the messages of a topic, can come to an rpc:
//!
//! ```proto
//! service Numbers {
//!   rpc OnNumber(Number) returns (google.protobuf.Empty) {
//!     option (.cloudstate.eventing).in = { event_log: "numbers" }; // the persistence id of the entity
//!   }
//!   rpc OnOther(google.protobuf.Any) returns (google.protobuf.Empty) {
//!     option (.cloudstate.eventing).in = { event_log: "numbers" }; // events that no other rpc takes
//!   }
//! }
//! ```
//!
//! ```
//! use cloudstate_sdk::action::*;
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
//! use cloudstate_sdk::Primitive;
//! # use com::example::sums::{Number, numbers};
//!
//! #[action(service = numbers)]
//! #[derive(Default)]
//! pub struct Numbers;
//!
//! // What comes as an `Any` is best read as an enum.
//! #[derive(Event)]
//! pub enum Other {
//!     Name(Primitive<String>),
//!     #[event(other)]
//!     Unknown(Any),
//! }
//!
//! impl ActionService for Numbers {
//!     type Error = Failure;
//! }
//!
//! impl numbers::Action for Numbers {
//!     async fn on_number(&self, number: Number, context: &Context) -> Reply<Self, ()> {
//!         let entity = context.metadata().cloud_event().subject().unwrap_or_default();
//!         store(entity, number).await.map_err(|error| Failure::unavailable(error.to_string()))?;
//!         Ok(().into())
//!     }
//!
//!     async fn on_other(&self, event: Any, _: &Context) -> Reply<Self, ()> {
//!         match Other::try_from(event)? {
//!             Other::Name(Primitive(name)) => tracing::info!("a new name: {name}"),
//!             Other::Unknown(event) => return Ok(Effect::skip(format!("{} is of no interest", event.type_url))),
//!         }
//!         Ok(().into())
//!     }
//! #   async fn on_numbers(&self, numbers: Requests<Number>, _: &Context) -> StreamReply<Self, Number> {
//! #       Ok(Replies::from_stream(numbers))
//! #   }
//! }
//! # async fn store(_: &str, _: Number) -> std::io::Result<()> { Ok(()) }
//! # #[tokio::main]
//! # async fn main() {
//! # let kit = testkit::TestKit::new(Numbers);
//! # assert!(!kit.call(numbers::on_other(Any::default())).await.closes_call);
//! # }
//! ```
//!
//! Events come at least once, those of one source one after the other. Of each other answer but an `Err` the proxy
//! remembers that the event was handled:
//!
//! | Answer | The event |
//! |---|---|
//! | a reply, a forward, nothing | is done with |
//! | [`Effect::skip`] | is done with; the reason is logged |
//! | `Err`, [`Effect::failure`], a panic | comes again, until it succeeds; the others of its source wait |
//!
//! So on an rpc with a source of events a failure closes the call with a gRPC status, its code and text: the original
//! proxy takes a failure that is sent as a response for an acknowledgement, and the event would be lost. Side effects
//! of a failure are not made there. An rpc whose replies are published (`eventing.out`) has to reply: the original proxy
//! repeats an event after any other answer.

pub(crate) mod call;
mod effect;
pub(crate) mod host;
mod kind;
mod replies;
mod requests;
mod requests_call;
pub(crate) mod responses;
mod service;

pub use crate::command::{
    Code, CommandEffect, Context, Effect, Failure, Metadata, Replies, Reply, ServiceCall, StreamCall,
    StreamReply,
};
pub use crate::{Any, DecodeError};
pub use call::{Call, Responses};
#[doc(no_inline)]
pub use cloudstate_derive::Event;
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
pub use requests_call::{DuplexCall, RequestsCall};
pub use service::{ActionService, Handler};

pub mod testkit {
    //! Calls an action in a unit test, without network.
    pub use crate::testkit::Answer;
    pub use crate::testkit::action::{ManyReplies, OneReply, Outcome, Outcomes, TestKit};
}

pub(crate) use effect::ActionAnswer;
pub(crate) use kind::component;
