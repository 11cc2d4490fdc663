use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use cloudstate_proto as proto;
use cloudstate_proto::action::{ActionResponse, action_response::Response};
use cloudstate_proto::client_action::Action;

use super::Answer;
use super::caller::TERMS;
use crate::action::call::{Call, Decision, Input, Shape};
use crate::action::host::Host as _;
use crate::action::responses::{Running, failed, response};
use crate::action::{ActionService, Handler, StreamExt as _};
use crate::payload::ProtobufMessage;
use crate::{Context, Entity, Failure, Metadata, Reply, Service, ServiceCall, StreamReply};

/// Calls the unary rpcs of an action as a proxy would, without network.
///
/// Requests and replies go through their encoded form, and handlers are found by the name of their rpc, so a test meets
/// what happens in production. Handlers of streamed rpcs are called directly, with
/// [`Requests::from_messages`](crate::action::Requests::from_messages); [`Outcome`] reads what they return.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/sums.rs"));
/// use cloudstate_sdk::action::testkit::{Outcome, TestKit};
///
/// # #[tokio::main]
/// # async fn main() {
/// let sums = TestKit::new(Sums);
/// assert_eq!(sums.call(sums::square(Number { value: 3 })).await.reply().value, 9);
/// assert_eq!(sums.call(sums::square(Number { value: i64::MAX })).await.failure().code, Code::InvalidArgument);
///
/// let numbers = Requests::from_messages([Number { value: 1 }, Number { value: 2 }]);
/// let sums = Outcome::all(sums::Action::running(&Sums, numbers, &Context::default()).await).await;
/// assert_eq!(sums.iter().map(|sum| sum.reply().value).collect::<Vec<_>>(), [1, 3]);
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

    /// Sends metadata with the calls that follow.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Calls an rpc, and returns what its handler did.
    ///
    /// # Panics
    /// When the call is for another service than that of the action.
    pub async fn call<R: ProtobufMessage>(&self, call: ServiceCall<R>) -> Outcome<R> {
        assert_eq!(
            call.service(),
            A::Service::NAME,
            "the call is for another service than that of the action"
        );
        let context =
            Context::default().with_command_name(call.command()).with_metadata(self.metadata.clone());
        let call = Call::new(context, Shape::Unary, Input::One(Some(call.payload().clone())));
        let action = Arc::clone(&self.action);
        Outcome::read(Running::start(TERMS, || action.hosted().handle(call)).only().await)
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
