//! Delivers calls to what answers them.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudstate_proto::{Any, Metadata};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    BoxFuture, BoxStream, Call, Calls, Failure, NoReply, Replies, Reply, Requests, Responder,
    first::first,
    responder::terminated,
    settlement::{Link, Settled},
    trace::Trace,
};
use crate::{
    code::Code,
    entities::{Entities, Envelope},
    service_catalog::{EntityKind, KeyError, Method, ServiceCatalog},
    storage::EntityKey,
};

/// Asynchronous side effects that are under way at once; more wait.
const MAX_ASYNC_EFFECTS: usize = 1024;

/// Routes calls to entities and actions, and carries out what they decide.
#[derive(Clone)]
pub(crate) struct Router(Arc<Inner>);

struct Inner {
    catalog: Arc<ServiceCatalog>,
    entities: Arc<Entities>,
    async_effects: Arc<Semaphore>,
}

/// A call on its way: a client's, or one that another call led to.
pub(super) struct Routed {
    pub(super) link: Link,
    pub(super) payloads: Payloads,
    /// Reaches actions only.
    pub(super) metadata: Metadata,
}

/// The request messages of a call, with their types.
pub(super) enum Payloads {
    One(Any),
    Many(BoxStream<Result<Any, Failure>>),
}

impl Calls for Router {
    fn call(&self, call: Call) -> BoxFuture<Result<Reply, Failure>> {
        let router = self.clone();
        Box::pin(async move { router.reply(Routed::by_client(call)).await.map_err(NoReply::into_failure) })
    }

    fn call_streamed(&self, call: Call) -> Replies {
        let replies = self.replies(Routed::by_client(call));
        until_failure(replies).map(|reply| reply.map_err(NoReply::into_failure)).boxed()
    }
}

impl Router {
    pub(crate) fn new(catalog: Arc<ServiceCatalog>, entities: Arc<Entities>) -> Self {
        let async_effects = Arc::new(Semaphore::new(MAX_ASYNC_EFFECTS));
        Self(Arc::new(Inner { catalog, entities, async_effects }))
    }

    /// Carries out a call for a caller that takes one reply.
    pub(super) async fn reply(&self, call: Routed) -> Result<Reply, NoReply> {
        let method = &call.link.method;
        if method.server_streaming {
            return first(self.replies(call)).await;
        }
        match method.service.kind {
            EntityKind::Action => Err(actions_to_come().into()),
            EntityKind::EventSourced | EntityKind::Value | EntityKind::Crdt => {
                decided(self.deliver(call, None)?).await?.one().await
            }
        }
    }

    /// Carries out a call for a caller that takes any number of replies. An entity has the command when this
    /// returns; an action is called when the first reply is asked for.
    pub(super) fn replies(&self, call: Routed) -> BoxStream<Result<Reply, NoReply>> {
        let method = &call.link.method;
        let replies = match method.service.kind {
            EntityKind::Action => Err(actions_to_come()),
            EntityKind::EventSourced | EntityKind::Value | EntityKind::Crdt if method.server_streaming => {
                self.deliver_streamed(call)
            }
            EntityKind::EventSourced | EntityKind::Value | EntityKind::Crdt => {
                self.deliver(call, None).map(|settled| many(decided(settled)))
            }
        };
        replies.unwrap_or_else(|failure| only(failure.into()))
    }

    /// Puts the command of a unary rpc into the mailbox of its entity; `permit` is given back when the entity has
    /// decided.
    pub(super) fn deliver(
        &self,
        call: Routed,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<oneshot::Receiver<Result<Settled, NoReply>>, Failure> {
        let Routed { link, payloads, .. } = call;
        let (key, payload) = self.address(&link, payloads)?;
        let method = Arc::clone(&link.method);
        let (responder, settled) = Responder::unary(self.clone(), link, permit);
        self.0.entities.deliver(key, Envelope { method, payload, responder });
        Ok(settled)
    }

    /// Puts a streamed command into the mailbox of its entity.
    fn deliver_streamed(&self, call: Routed) -> Result<BoxStream<Result<Reply, NoReply>>, Failure> {
        let Routed { link, payloads, .. } = call;
        let (key, payload) = self.address(&link, payloads)?;
        let method = Arc::clone(&link.method);
        let (responder, replies) = Responder::streamed(self.clone(), link);
        self.0.entities.deliver(key, Envelope { method, payload, responder });
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
            return Failure::new(Code::InvalidArgument, error.to_string());
        }
        self.report(format!("{}.{}: {error}{trace}", method.service.name, method.name));
        Failure::new(Code::Internal, error.to_string())
    }

    /// Waits until fewer than [`MAX_ASYNC_EFFECTS`] are under way. It is held while an entity has the command and
    /// not while further effects are carried out, which need permits themselves.
    pub(super) async fn async_effect_permit(&self) -> Option<OwnedSemaphorePermit> {
        // Closing the semaphore is nobody's business, so a permit always comes.
        Arc::clone(&self.0.async_effects).acquire_owned().await.ok()
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

impl Routed {
    fn by_client(call: Call) -> Self {
        let Call { method, requests, metadata } = call;
        let type_url = method.input_type_url.clone();
        let payloads = match requests {
            Requests::One(value) => Payloads::One(Any { type_url, value }),
            Requests::Many(requests) => Payloads::Many(
                requests.map(move |value| Ok(Any { type_url: type_url.clone(), value: value? })).boxed(),
            ),
        };
        let link = Link { origin: Arc::clone(&method), method, trace: Trace::default() };
        Self { link, payloads, metadata }
    }
}

/// What an entity decided; it is told with its task, if that ends without a word.
async fn decided(settled: oneshot::Receiver<Result<Settled, NoReply>>) -> Result<Settled, NoReply> {
    settled.await.unwrap_or_else(|_| Err(terminated()))
}

fn many(
    settled: impl Future<Output = Result<Settled, NoReply>> + Send + 'static,
) -> BoxStream<Result<Reply, NoReply>> {
    settled.map(|settled| settled.map_or_else(only, Settled::many)).flatten_stream().boxed()
}

fn only(failed: NoReply) -> BoxStream<Result<Reply, NoReply>> {
    stream::iter([Err(failed)]).boxed()
}

/// Ends the replies with the first failure, and cancels what would come after it.
fn until_failure(replies: BoxStream<Result<Reply, NoReply>>) -> BoxStream<Result<Reply, NoReply>> {
    let replies = stream::unfold(Some(replies), |replies| async {
        let mut replies = replies?;
        let reply = replies.next().await?;
        let rest = reply.is_ok().then_some(replies);
        Some((reply, rest))
    });
    replies.boxed()
}

fn one_request_only(method: &Method) -> Failure {
    let text = format!("{}.{} takes one request message, not a stream", method.service.name, method.name);
    Failure::new(Code::Unimplemented, text)
}

fn actions_to_come() -> Failure {
    Failure::new(Code::Unimplemented, "actions are not hosted yet")
}
