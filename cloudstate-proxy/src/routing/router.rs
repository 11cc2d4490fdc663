//! What clients and consumers of events call: their calls are counted, published and told of here. Carrying them out is
//! the business of [`delivery`] and, for what the user function decides, of [`settlement`](super::settlement).

mod delivery;
mod ending;

use std::{sync::Arc, time::Duration};

use cloudstate_proto::{Any, Metadata};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use self::ending::{until_deadline, until_failure};
use super::{
    Background, Call, Failure, NoReply, Replies, Reply, Requests, TypedReplies, TypedReply, count::Count,
    no_reply::Asked, place::Places, settlement::Link,
};
use crate::{
    actions::{Actions, Payloads},
    code::Code,
    entities::{Entities, Environment},
    error_code::ErrorCode,
    eventing::Publisher,
    service_catalog::{Method, ServiceCatalog},
    telemetry::{
        spans::{CallSpan, Cause},
        trace_context::TraceContext,
        watched::watched,
    },
};

/// Routes calls to entities and actions, and carries out what they decide.
#[derive(Clone)]
pub(crate) struct Router(Arc<Inner>);

struct Inner {
    catalog: Arc<ServiceCatalog>,
    entities: Arc<Entities>,
    actions: Actions,
    publisher: Publisher,
    places: Places,
}

/// A call on its way: a client's, or one that another call led to.
pub(super) struct Routed {
    pub(super) link: Link,
    pub(super) payloads: Payloads,
    /// Reaches actions only.
    pub(super) metadata: Metadata,
    /// Ends with the call.
    pub(super) span: CallSpan,
}

impl Router {
    pub(crate) fn new(catalog: Arc<ServiceCatalog>, entities: Arc<Entities>, publisher: Publisher) -> Self {
        let actions = Actions::new(Arc::clone(entities.environment()));
        Self(Arc::new(Inner { catalog, entities, actions, publisher, places: Places::new() }))
    }

    /// Carries out a client's call of an rpc that has no stream of replies; the call fails at its deadline. Dropping the
    /// future cancels the call of an action; of a command to an entity it gives up the wait only.
    pub(crate) async fn call(&self, call: Call, deadline: Option<Instant>) -> Result<Reply, Failure> {
        let count = Count::begin(Arc::clone(self.environment()), Arc::clone(&call.method));
        let asked = Asked::of(&call);
        let reply = self.published_reply(call, &asked);
        let reply = match deadline {
            Some(deadline) => {
                timeout_at(deadline, reply).await.unwrap_or_else(|_| Err(asked.broken(overdue())))
            }
            None => reply.await,
        };
        let reply = reply.map(Reply::from).map_err(|no_reply| self.for_client(no_reply));
        count.end(code(&reply));
        reply
    }

    /// Carries out a client's call of any rpc; the replies fail at their deadline. They are made as they are taken;
    /// dropping them cancels the call.
    pub(crate) fn call_streamed(&self, call: Call, deadline: Option<Instant>) -> Replies {
        let count = Count::begin(Arc::clone(self.environment()), Arc::clone(&call.method));
        let asked = Asked::of(&call);
        let mut replies = self.published(asked.clone(), self.by_client(call));
        if let Some(deadline) = deadline {
            replies = until_deadline(deadline, asked, replies);
        }
        let router = self.clone();
        let replies = until_failure(replies, move |no_reply| router.for_client(no_reply));
        watched(replies, code, move |ended| {
            let cancelled = ended.early.then_some(Code::Cancelled);
            count.end(ended.failure.or(cancelled));
        })
    }

    /// Has an action carry out what a consumer of events received: the action gets exactly this payload.
    ///
    /// The replies, of which an rpc without a stream of replies has one, end after the first `Err`.
    pub(crate) fn consume(&self, method: Arc<Method>, payload: Any, metadata: Metadata) -> Replies {
        let asked =
            Asked { method: Arc::clone(&method), request: None, context: TraceContext::of(&metadata) };
        let call = self.begin(Cause::Event, Link::first(method), Payloads::One(payload), metadata);
        until_failure(self.published(asked, call), NoReply::into_failure)
    }

    /// The reply to a client's call, published first if the method has a topic.
    async fn published_reply(&self, call: Call, asked: &Asked) -> Result<TypedReply, NoReply> {
        let call = self.by_client(call);
        let context = call.link.context.clone();
        let reply = self.reply(call).await?;
        let published = self.0.publisher.publish(&asked.method, &reply, &context).await;
        published.map_err(|failure| asked.broken(failure))?;
        Ok(reply)
    }

    /// The replies to a call, each published first if its method has a topic.
    fn published(&self, asked: Asked, call: Routed) -> TypedReplies {
        let context = call.link.context.clone();
        let replies = self.replies(call);
        if asked.method.publishes().is_none() {
            return replies;
        }
        let publisher = self.0.publisher.clone();
        let replies = replies.then(move |reply| {
            let (publisher, asked, context) = (publisher.clone(), asked.clone(), context.clone());
            async move {
                let reply = reply?;
                let published = publisher.publish(&asked.method, &reply, &context).await;
                published.map_err(|failure| asked.broken(failure))?;
                Ok(reply)
            }
        });
        replies.boxed()
    }

    /// What a client is told. The log hears of it here: whatever the call led to, this is its end.
    fn for_client(&self, no_reply: NoReply) -> Failure {
        if let NoReply::Broken(broken) = &no_reply {
            self.environment().failed_calls.log(broken);
        }
        no_reply.into_failure()
    }

    fn by_client(&self, call: Call) -> Routed {
        let Call { method, requests, metadata } = call;
        let type_url = method.input_type_url.clone();
        let payloads = match requests {
            Requests::One(value) => Payloads::One(Any { type_url, value }),
            Requests::Many(requests) => Payloads::Many(
                requests.map(move |value| Ok(Any { type_url: type_url.clone(), value: value? })).boxed(),
            ),
        };
        self.begin(Cause::Client, Link::first(method), payloads, metadata)
    }

    /// A call at its place in its trace, which is what `metadata` says or else where the call before it stands. If there
    /// is a collector of traces, the call has a span of its own there, and `metadata` names that instead.
    pub(super) fn begin(
        &self,
        cause: Cause,
        mut link: Link,
        payloads: Payloads,
        mut metadata: Metadata,
    ) -> Routed {
        let said = TraceContext::of(&metadata);
        let parent = if said.is_none() { &link.context } else { &said };
        let span = self.environment().spans.start(cause, &link.method, parent);
        let context = span.context().unwrap_or_else(|| parent.clone());
        if context != said {
            context.write_to(&mut metadata);
        }
        link.context = context;
        Routed { link, payloads, metadata, span }
    }

    pub(super) fn places(&self) -> &Places {
        &self.0.places
    }

    pub(super) fn background(&self) -> &Background {
        &self.environment().background
    }

    pub(super) fn catalog(&self) -> &ServiceCatalog {
        &self.0.catalog
    }

    pub(super) fn relay_timeout(&self) -> Duration {
        self.environment().relay_timeout
    }

    pub(super) fn report(&self, text: String) {
        self.environment().reporter.report(text);
    }

    fn environment(&self) -> &Arc<Environment> {
        self.0.entities.environment()
    }
}

/// With which code a call is answered; none is OK.
fn code(reply: &Result<Reply, Failure>) -> Option<Code> {
    reply.as_ref().err().map(|failure| failure.code.unwrap_or(Code::Unknown))
}

fn overdue() -> Failure {
    Failure::new(ErrorCode::CallOverdue, "the call was not finished before its deadline")
}
