use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use cloudstate_proto as proto;
use cloudstate_proto::action::{ActionResponse, action_response::Response};
use cloudstate_proto::client_action::Action;
use futures_core::Stream;

use super::Answer;
use super::caller::TERMS;
use crate::action::call::{Call, Decision, Input, Shape};
use crate::action::host::Host as _;
use crate::action::responses::{Running, failed, response};
use crate::action::{ActionService, DuplexCall, Handler, RequestsCall, StreamExt as _};
use crate::command::trace::Trace;
use crate::payload::ProtobufMessage;
use crate::{Context, Entity, Failure, Metadata, Reply, Service, ServiceCall, StreamCall, StreamReply};

/// Calls the rpcs of an action as a proxy would, without network.
///
/// Requests and replies go through their encoded form, and handlers are found by the name of their rpc, so a test meets
/// what happens in production. It decides when requests come, when replies are asked for, and when the caller goes away.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/sums.rs"));
/// use cloudstate_sdk::action::testkit::TestKit;
///
/// # #[tokio::main]
/// # async fn main() {
/// let kit = TestKit::new(Sums);
/// assert_eq!(kit.call(sums::square(Number { value: 3 })).await.reply().value, 9);
/// assert_eq!(kit.call(sums::square(Number { value: i64::MAX })).await.failure().code, Code::InvalidArgument);
///
/// let numbers = Requests::from_messages([Number { value: 1 }, Number { value: 2 }]);
/// assert_eq!(kit.call(sums::sum(numbers)).await.reply().value, 3);
///
/// let mut replies = kit.stream(sums::count_to(Count { to: 3 }));
/// assert_eq!(replies.next().await.unwrap().reply().value, 1);
/// // The caller goes away: what is left of the handler's stream is dropped.
/// drop(replies);
/// # }
/// ```
pub struct TestKit<A> {
    action: Arc<A>,
    metadata: Metadata,
}

impl<A: ActionService + Handler + Entity> TestKit<A> {
    /// For an action with its dependencies.
    pub fn new(action: A) -> Self {
        Self { action: Arc::new(action), metadata: Metadata::new() }
    }

    /// Sends metadata with the calls that follow: headers of a client's request, or what comes with an event, such as
    /// the id of its entity: `EventAttributes::new().with_subject("cart-1").into()`.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Calls an rpc with one reply, and returns what its handler did. The caller goes away when the future is dropped.
    ///
    /// # Panics
    /// When the call is for another service than that of the action.
    pub async fn call<C: OneReply>(&self, call: C) -> Outcome<C::Reply> {
        Outcome::read(self.start(call.into_parts()).only().await)
    }

    /// Calls an rpc with a stream of replies. The caller goes away when the outcomes are dropped.
    ///
    /// # Panics
    /// When the call is for another service than that of the action.
    pub fn stream<C: ManyReplies>(&self, call: C) -> Outcomes<C::Reply> {
        Outcomes { running: self.start(call.into_parts()), reply: PhantomData }
    }

    fn start(&self, parts: Parts) -> Running {
        let Parts { service, command, shape, input } = parts;
        assert_eq!(service, A::Service::NAME, "the call is for another service than that of the action");
        let trace = Trace::of(&self.metadata);
        let context =
            Context::default().with_command_name(command.as_str()).with_metadata(self.metadata.clone());
        let call = Call::new(context, shape, input);
        let action = Arc::clone(&self.action);
        Running::start(TERMS, trace, &command, || action.hosted().handle(call))
    }
}

/// A call with one reply: what the generated functions make of such rpcs.
pub trait OneReply: IntoParts {
    /// What is replied.
    type Reply: ProtobufMessage;
}

/// A call with a stream of replies: what the generated functions make of such rpcs.
pub trait ManyReplies: IntoParts {
    /// What is replied.
    type Reply: ProtobufMessage;
}

impl<R: ProtobufMessage> OneReply for ServiceCall<R> {
    type Reply = R;
}

impl<R: ProtobufMessage> OneReply for RequestsCall<R> {
    type Reply = R;
}

impl<R: ProtobufMessage> ManyReplies for StreamCall<R> {
    type Reply = R;
}

impl<R: ProtobufMessage> ManyReplies for DuplexCall<R> {
    type Reply = R;
}

mod parts {
    //! What a call consists of is nobody's business.
    use crate::action::call::{Input, Shape};

    #[allow(missing_debug_implementations)]
    pub struct Parts {
        pub(super) service: String,
        pub(super) command: String,
        pub(super) shape: Shape,
        pub(super) input: Input,
    }

    pub trait IntoParts {
        fn into_parts(self) -> Parts;
    }
}

use parts::{IntoParts, Parts};

impl Parts {
    fn of_one<R>(call: &ServiceCall<R>, shape: Shape) -> Self {
        let (service, command) = (call.service().to_owned(), call.command().to_owned());
        Self { service, command, shape, input: Input::One(Some(call.payload().clone())) }
    }

    fn of_many<R>(call: RequestsCall<R>, shape: Shape) -> Self {
        let (service, command) = (call.service.to_owned(), call.command.to_owned());
        Self { service, command, shape, input: Input::Many(call.requests) }
    }
}

impl<R> IntoParts for ServiceCall<R> {
    fn into_parts(self) -> Parts {
        Parts::of_one(&self, Shape::Unary)
    }
}

impl<R> IntoParts for StreamCall<R> {
    fn into_parts(self) -> Parts {
        Parts::of_one(&self.call, Shape::StreamedOut)
    }
}

impl<R> IntoParts for RequestsCall<R> {
    fn into_parts(self) -> Parts {
        Parts::of_many(self, Shape::StreamedIn)
    }
}

impl<R> IntoParts for DuplexCall<R> {
    fn into_parts(self) -> Parts {
        Parts::of_many(self.0, Shape::Streamed)
    }
}

/// The answers of a streamed call, as a [`Stream`]: each is computed when it is asked for. An answer that
/// [closes the call](Outcome::closes_call) is the last.
pub struct Outcomes<R> {
    running: Running,
    reply: PhantomData<fn() -> R>,
}

impl<R: ProtobufMessage> Stream for Outcomes<R> {
    type Item = Outcome<R>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Outcome<R>>> {
        Pin::new(&mut self.running).poll_next(context).map(|next| next.map(Outcome::read))
    }
}

impl<R> fmt::Debug for Outcomes<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes").finish_non_exhaustive()
    }
}

/// What one answer of an action consists of. It has all that [`Answer`] has.
#[derive(Debug)]
pub struct Outcome<R> {
    /// The call ends with a gRPC status. An event source takes that for "not handled": the event comes again.
    pub closes_call: bool,
    answer: Answer<R>,
}

impl<R: ProtobufMessage> Outcome<R> {
    /// Reads what a handler returned.
    pub fn of<A: ActionService, X: Into<Failure>>(reply: Reply<A, R, X>) -> Self {
        Self::decided(Decision::of(reply))
    }

    /// Reads what the handler of an rpc with a stream of replies returned, to its end.
    pub async fn all<A: ActionService, X: Into<Failure>>(replies: StreamReply<A, R, X>) -> Vec<Self> {
        match replies {
            Ok(replies) => replies.map(Self::of).collect().await,
            Err(error) => vec![Self::of::<A, X>(Err(error))],
        }
    }

    fn decided(decision: Decision) -> Self {
        Self::read(response(decision, false, TERMS))
    }

    fn read(response: Result<ActionResponse, Failure>) -> Self {
        let closes_call = response.is_err();
        let ActionResponse { response, side_effects } = response.unwrap_or_else(|failure| ActionResponse {
            response: Some(failed(failure, TERMS)),
            side_effects: Vec::new(),
        });
        let action = response.map(|response| match response {
            Response::Reply(reply) => Action::Reply(reply),
            Response::Forward(forward) => Action::Forward(forward),
            Response::Failure(failure) => Action::Failure(failure),
        });
        Self { closes_call, answer: Answer::read(Some(proto::ClientAction { action }), side_effects) }
    }
}

impl<R> Deref for Outcome<R> {
    type Target = Answer<R>;

    fn deref(&self) -> &Answer<R> {
        &self.answer
    }
}

impl<A> fmt::Debug for TestKit<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKit").finish_non_exhaustive()
    }
}
