//! Delivers calls to what answers them.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudstate_proto::{Any, Metadata};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::oneshot;

use super::{
    Background, BoxFuture, BoxStream, Call, Calls, Failure, NoReply, Replies, Reply, Requests, Responder,
    TypedReply,
    count::Count,
    first::first,
    place::Places,
    responder::terminated,
    settlement::{Link, Settled},
    trace::Trace,
};
use crate::{
    actions::{Actions, Invocation, Payloads},
    code::Code,
    entities::{Entities, Envelope},
    error_code::ErrorCode,
    eventing::Publisher,
    service_catalog::{EntityKind, KeyError, Method, ServiceCatalog},
    storage::EntityKey,
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

impl Calls for Router {
    fn call(&self, call: Call) -> BoxFuture<Result<Reply, Failure>> {
        let router = self.clone();
        Box::pin(async move {
            let environment = Arc::clone(router.0.entities.environment());
            let count = Count::begin(environment, Arc::clone(&call.method));
            let reply = router.published_reply(call).await;
            count.end(code(&reply));
            reply
        })
    }

    fn call_streamed(&self, call: Call) -> Replies {
        let method = Arc::clone(&call.method);
        let environment = Arc::clone(self.0.entities.environment());
        let replies = self.published(Arc::clone(&method), self.replies(self.by_client(call)));
        watched(replies, code, move |ended| {
            let cancelled = ended.early.then_some(Code::Cancelled);
            environment.metrics.answered(&method, ended.failure.or(cancelled));
        })
    }
}

/// With which code a call is answered; none is OK.
fn code(reply: &Result<Reply, Failure>) -> Option<Code> {
    reply.as_ref().err().map(|failure| failure.code.unwrap_or(Code::Unknown))
}

impl Router {
    pub(crate) fn new(catalog: Arc<ServiceCatalog>, entities: Arc<Entities>, publisher: Publisher) -> Self {
        let actions = Actions::new(Arc::clone(entities.environment()));
        Self(Arc::new(Inner { catalog, entities, actions, publisher, places: Places::new() }))
    }

    /// Has an action carry out what a consumer of events received: the action gets exactly this payload.
    ///
    /// The replies, of which an rpc without a stream of replies has one, end after the first `Err`.
    pub(crate) fn consume(&self, method: Arc<Method>, payload: Any, metadata: Metadata) -> Replies {
        let link = Link::first(Arc::clone(&method));
        let call = self.begin(Cause::Event, link, Payloads::One(payload), metadata);
        self.published(method, self.replies(call))
    }

    /// The reply to a client's call, published first if the method has a topic.
    async fn published_reply(&self, call: Call) -> Result<Reply, Failure> {
        let method = Arc::clone(&call.method);
        let reply = self.reply(self.by_client(call)).await.map_err(NoReply::into_failure)?;
        self.0.publisher.publish(&method, &reply).await?;
        Ok(reply.into())
    }

    /// Replies for whoever called `method`, each published first if the method has a topic.
    fn published(&self, method: Arc<Method>, replies: BoxStream<Result<TypedReply, NoReply>>) -> Replies {
        if method.publishes().is_none() {
            return for_client(replies);
        }
        let publisher = self.0.publisher.clone();
        let replies = replies.then(move |reply| {
            let (publisher, method) = (publisher.clone(), Arc::clone(&method));
            async move {
                let reply = reply?;
                publisher.publish(&method, &reply).await?;
                Ok(reply)
            }
        });
        for_client(replies.boxed())
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
        let span = self.0.entities.environment().spans.start(cause, &link.method, parent);
        let context = span.context().unwrap_or_else(|| parent.clone());
        if context != said {
            context.write_to(&mut metadata);
        }
        link.context = context;
        Routed { link, payloads, metadata, span }
    }

    /// Carries out a call for a caller that takes one reply.
    pub(super) async fn reply(&self, mut call: Routed) -> Result<TypedReply, NoReply> {
        let mut span = std::mem::take(&mut call.span);
        let reply = self.only_reply(call, &mut span).await;
        span.end(reply.as_ref().err().map(NoReply::failure));
        reply
    }

    async fn only_reply(&self, call: Routed, span: &mut CallSpan) -> Result<TypedReply, NoReply> {
        let method = &call.link.method;
        if method.service.kind.is_entity() && !method.server_streaming {
            return decided(self.deliver(call, span)?).await?.one().await;
        }
        first(self.all_replies(call, span)).await
    }

    /// Carries out a call for a caller that takes any number of replies. An entity has the command when this
    /// returns; an action is called when the first reply is asked for.
    pub(super) fn replies(&self, mut call: Routed) -> BoxStream<Result<TypedReply, NoReply>> {
        let mut span = std::mem::take(&mut call.span);
        let is_one = !call.link.method.server_streaming;
        let replies = self.all_replies(call, &mut span);
        if span.is_recorded() { until_end(span, is_one, replies) } else { replies }
    }

    fn all_replies(&self, call: Routed, span: &mut CallSpan) -> BoxStream<Result<TypedReply, NoReply>> {
        let method = &call.link.method;
        let replies = match method.service.kind {
            EntityKind::Action => self.call_action(call),
            EntityKind::EventSourced | EntityKind::Value | EntityKind::Crdt if method.server_streaming => {
                self.deliver_streamed(call, span)
            }
            EntityKind::EventSourced | EntityKind::Value | EntityKind::Crdt => {
                self.deliver(call, span).map(|settled| many(decided(settled)))
            }
        };
        replies.unwrap_or_else(|failure| only(failure.into()))
    }

    /// Calls an action, and carries out its answers one after the other: the next one is asked for when the effects
    /// and the forward of the one before are done.
    fn call_action(&self, call: Routed) -> Result<BoxStream<Result<TypedReply, NoReply>>, Failure> {
        let Routed { link, payloads, metadata, .. } = call;
        let method = Arc::clone(&link.method);
        if !method.client_streaming && matches!(payloads, Payloads::Many(_)) {
            return Err(one_request_only(&method));
        }
        let answers = self.0.actions.call(Invocation { method, payloads, metadata });
        let router = self.clone();
        let replies =
            answers.flat_map(move |answer| many(router.clone().settle_in_any_case(answer, link.clone())));
        Ok(replies.boxed())
    }

    /// Puts the command of a unary rpc into the mailbox of its entity.
    fn deliver(
        &self,
        call: Routed,
        span: &mut CallSpan,
    ) -> Result<oneshot::Receiver<Result<Settled, NoReply>>, Failure> {
        let Routed { mut link, payloads, .. } = call;
        let (key, payload) = self.address(&link, payloads)?;
        span.set_entity(&key.entity_id);
        link.entity_id = Some(Arc::clone(&key.entity_id));
        let (method, context) = (Arc::clone(&link.method), link.context.clone());
        let (responder, settled) = Responder::unary(self.clone(), link);
        self.0.entities.deliver(key, Envelope { method, payload, context, responder });
        Ok(settled)
    }

    /// Puts a streamed command into the mailbox of its entity.
    fn deliver_streamed(
        &self,
        call: Routed,
        span: &mut CallSpan,
    ) -> Result<BoxStream<Result<TypedReply, NoReply>>, Failure> {
        let Routed { mut link, payloads, .. } = call;
        let (key, payload) = self.address(&link, payloads)?;
        span.set_entity(&key.entity_id);
        link.entity_id = Some(Arc::clone(&key.entity_id));
        let (method, context) = (Arc::clone(&link.method), link.context.clone());
        let (responder, replies) = Responder::streamed(self.clone(), link);
        self.0.entities.deliver(key, Envelope { method, payload, context, responder });
        Ok(replies)
    }

    /// The entity that a command is for.
    fn address(&self, link: &Link, payloads: Payloads) -> Result<(EntityKey, Bytes), Failure> {
        let Payloads::One(payload) = payloads else { return Err(one_request_only(&link.method)) };
        let id = link.method.entity_key.entity_id(&payload.value);
        let id = id.map_err(|error| self.not_addressed(&link.method, &error, &link.trace))?;
        let persistence_id = Arc::clone(&link.method.service.persistence_id);
        Ok((EntityKey { persistence_id, entity_id: id.into() }, payload.value))
    }

    /// A request without a usable key is the client's mistake, or that of the user function that made it.
    fn not_addressed(&self, method: &Method, error: &KeyError, trace: &Trace) -> Failure {
        if trace.is_empty() {
            return Failure::new(ErrorCode::NoEntityKey, error.to_string());
        }
        self.report(format!("{}.{}: {error}{trace}", method.service.name, method.name));
        Failure::new(ErrorCode::TargetWithoutKey, error.to_string())
    }

    pub(super) fn places(&self) -> &Places {
        &self.0.places
    }

    pub(super) fn background(&self) -> &Background {
        &self.0.entities.environment().background
    }

    pub(super) fn catalog(&self) -> &ServiceCatalog {
        &self.0.catalog
    }

    pub(super) fn relay_timeout(&self) -> Duration {
        self.0.entities.environment().relay_timeout
    }

    pub(super) fn report(&self, text: String) {
        self.0.entities.environment().reporter.report(text);
    }
}

/// What an entity decided; it is told with its task, if that ends without a word.
async fn decided(settled: oneshot::Receiver<Result<Settled, NoReply>>) -> Result<Settled, NoReply> {
    settled.await.unwrap_or_else(|_| Err(terminated()))
}

fn many(
    settled: impl Future<Output = Result<Settled, NoReply>> + Send + 'static,
) -> BoxStream<Result<TypedReply, NoReply>> {
    settled.map(|settled| settled.map_or_else(only, Settled::many)).flatten_stream().boxed()
}

/// The same replies; the call, and so its span, ends with the first of them if there `is_one`, which whoever takes it
/// may not ask for another, and otherwise with the last.
fn until_end(
    span: CallSpan,
    is_one: bool,
    replies: BoxStream<Result<TypedReply, NoReply>>,
) -> BoxStream<Result<TypedReply, NoReply>> {
    let replies = stream::unfold(Some((span, replies)), move |state| async move {
        let (span, mut replies) = state?;
        match replies.next().await {
            None => {
                span.end(None);
                None
            }
            Some(Err(failed)) => {
                span.end(Some(failed.failure()));
                Some((Err(failed), None))
            }
            Some(Ok(reply)) if is_one => {
                span.end(None);
                Some((Ok(reply), Some((CallSpan::default(), replies))))
            }
            Some(Ok(reply)) => Some((Ok(reply), Some((span, replies)))),
        }
    });
    replies.boxed()
}

fn only(failed: NoReply) -> BoxStream<Result<TypedReply, NoReply>> {
    stream::iter([Err(failed)]).boxed()
}

/// Ends the replies with the first failure, and cancels what would come after it.
fn for_client(replies: BoxStream<Result<TypedReply, NoReply>>) -> Replies {
    let replies = stream::unfold(Some(replies), |replies| async {
        let mut replies = replies?;
        let reply = replies.next().await?;
        let rest = reply.is_ok().then_some(replies);
        Some((reply.map(Reply::from).map_err(NoReply::into_failure), rest))
    });
    replies.boxed()
}

fn one_request_only(method: &Method) -> Failure {
    let text = format!("{}.{} takes one request message, not a stream", method.service.name, method.name);
    Failure::new(ErrorCode::OneRequestOnly, text)
}
