//! Delivers calls to what answers them.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudstate_proto::{Any, Metadata};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    Background, BoxStream, Call, Failure, NoReply, Replies, Reply, Requests, Responder, TypedReply,
    count::Count,
    first::first,
    no_reply::Asked,
    place::Places,
    responder::terminated,
    settlement::{Link, Settled},
    trace::Trace,
};
use crate::{
    actions::{Actions, Invocation, Payloads},
    code::Code,
    entities::{Entities, Envelope, Environment},
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

/// With which code a call is answered; none is OK.
fn code(reply: &Result<Reply, Failure>) -> Option<Code> {
    reply.as_ref().err().map(|failure| failure.code.unwrap_or(Code::Unknown))
}

/// A command that has found its entity.
struct Addressed {
    key: EntityKey,
    link: Link,
    payload: Bytes,
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
        let asked = Asked::of(&call);
        let (environment, method) = (Arc::clone(self.environment()), Arc::clone(&call.method));
        let mut replies = self.published(asked.clone(), self.by_client(call));
        if let Some(deadline) = deadline {
            replies = until(deadline, asked, replies);
        }
        let router = self.clone();
        let replies = until_failure(replies, move |no_reply| router.for_client(no_reply));
        watched(replies, code, move |ended| {
            let cancelled = ended.early.then_some(Code::Cancelled);
            environment.metrics.answered(&method, ended.failure.or(cancelled));
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
    fn published(&self, asked: Asked, call: Routed) -> BoxStream<Result<TypedReply, NoReply>> {
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
            return self.deliver(call, span)?.await?.one().await;
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
                self.deliver(call, span).map(many)
            }
        };
        replies.unwrap_or_else(only)
    }

    /// Calls an action, and carries out its answers one after the other: the next one is asked for when the effects
    /// and the forward of the one before are done.
    fn call_action(&self, call: Routed) -> Result<BoxStream<Result<TypedReply, NoReply>>, NoReply> {
        let Routed { link, payloads, metadata, .. } = call;
        let method = Arc::clone(&link.method);
        if !method.client_streaming && matches!(payloads, Payloads::Many(_)) {
            return Err(link.broken(one_request_only()));
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
    ) -> Result<impl Future<Output = Result<Settled, NoReply>> + Send + use<>, NoReply> {
        let Addressed { key, link, payload } = self.address(call, span)?;
        let (method, context) = (Arc::clone(&link.method), link.context.clone());
        let (responder, settled) = Responder::unary(self.clone(), link.clone());
        self.0.entities.deliver(key, Envelope { method, payload, context, responder });
        // Without a word when the task of the entity does.
        Ok(async move { settled.await.unwrap_or_else(|_| Err(link.broken(terminated()))) })
    }

    /// Puts a streamed command into the mailbox of its entity.
    fn deliver_streamed(
        &self,
        call: Routed,
        span: &mut CallSpan,
    ) -> Result<BoxStream<Result<TypedReply, NoReply>>, NoReply> {
        let Addressed { key, link, payload } = self.address(call, span)?;
        let (method, context) = (Arc::clone(&link.method), link.context.clone());
        let (responder, replies) = Responder::streamed(self.clone(), link);
        self.0.entities.deliver(key, Envelope { method, payload, context, responder });
        Ok(replies)
    }

    /// Finds out which entity a command is for.
    fn address(&self, call: Routed, span: &mut CallSpan) -> Result<Addressed, NoReply> {
        let Routed { mut link, payloads, .. } = call;
        let Payloads::One(Any { value: payload, .. }) = payloads else {
            return Err(link.broken(one_request_only()));
        };
        let id = link.method.entity_key.entity_id(&payload);
        let id = id.map_err(|error| link.broken(self.not_addressed(&link.method, &error, &link.trace)))?;
        span.set_entity(&id);
        let entity_id: Arc<str> = id.into();
        link.entity_id = Some(Arc::clone(&entity_id));
        let persistence_id = Arc::clone(&link.method.service.persistence_id);
        Ok(Addressed { key: EntityKey { persistence_id, entity_id }, link, payload })
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

/// Ends the replies with the first failure, of which whoever calls is told by `tell`, and cancels what would come after
/// it.
fn until_failure(
    replies: BoxStream<Result<TypedReply, NoReply>>,
    tell: impl Fn(NoReply) -> Failure + Send + 'static,
) -> Replies {
    let replies = stream::unfold(Some((replies, tell)), |state| async {
        let (mut replies, tell) = state?;
        match replies.next().await? {
            Ok(reply) => Some((Ok(reply.into()), Some((replies, tell)))),
            Err(no_reply) => Some((Err(tell(no_reply)), None)),
        }
    });
    replies.boxed()
}

/// Fails the replies if they last too long.
fn until(
    deadline: Instant,
    asked: Asked,
    replies: BoxStream<Result<TypedReply, NoReply>>,
) -> BoxStream<Result<TypedReply, NoReply>> {
    let overdue_at = Box::pin(sleep_until(deadline));
    let replies = stream::unfold((replies, overdue_at), move |(mut replies, mut overdue_at)| {
        let asked = asked.clone();
        async move {
            let reply = tokio::select! {
                biased;
                reply = replies.next() => reply?,
                () = &mut overdue_at => Err(asked.broken(overdue())),
            };
            Some((reply, (replies, overdue_at)))
        }
    });
    replies.boxed()
}

fn overdue() -> Failure {
    Failure::new(ErrorCode::CallOverdue, "the call was not finished before its deadline")
}

fn one_request_only() -> Failure {
    Failure::new(ErrorCode::OneRequestOnly, "the rpc takes one request message, not a stream")
}
