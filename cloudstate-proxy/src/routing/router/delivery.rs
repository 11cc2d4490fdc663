//! From a call to what answers it, and back.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use cloudstate_proto::Any;
use futures_util::{FutureExt, StreamExt};

use super::{CallSpan, Routed, Router, ending::until_end};
use crate::{
    actions::{Invocation, Payloads},
    entities::Envelope,
    error_code::ErrorCode,
    routing::{
        Failure, NoReply, Responder, TypedReplies, TypedReply,
        first::first,
        responder::terminated,
        settlement::{Link, Settled},
        trace::Trace,
    },
    service_catalog::{EntityKind, KeyError, Method},
    storage::EntityKey,
};

/// A command that has found its entity.
struct Addressed {
    key: EntityKey,
    link: Link,
    payload: Bytes,
}

impl Router {
    /// Carries out a call for a caller that takes one reply.
    pub(in crate::routing) async fn reply(&self, mut call: Routed) -> Result<TypedReply, NoReply> {
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
    pub(in crate::routing) fn replies(&self, mut call: Routed) -> TypedReplies {
        let mut span = std::mem::take(&mut call.span);
        let is_one = !call.link.method.server_streaming;
        let replies = self.all_replies(call, &mut span);
        if span.is_recorded() { until_end(span, is_one, replies) } else { replies }
    }

    fn all_replies(&self, call: Routed, span: &mut CallSpan) -> TypedReplies {
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
        replies.unwrap_or_else(NoReply::alone)
    }

    /// Calls an action, and carries out its answers one after the other: the next one is asked for when the effects
    /// and the forward of the one before are done.
    fn call_action(&self, call: Routed) -> Result<TypedReplies, NoReply> {
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
        // The task of the entity may end without a word.
        Ok(async move { settled.await.unwrap_or_else(|_| Err(link.broken(terminated()))) })
    }

    /// Puts a streamed command into the mailbox of its entity.
    fn deliver_streamed(&self, call: Routed, span: &mut CallSpan) -> Result<TypedReplies, NoReply> {
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
}

fn many(settled: impl Future<Output = Result<Settled, NoReply>> + Send + 'static) -> TypedReplies {
    settled.map(|settled| settled.map_or_else(NoReply::alone, Settled::many)).flatten_stream().boxed()
}

fn one_request_only() -> Failure {
    Failure::new(ErrorCode::OneRequestOnly, "the rpc takes one request message, not a stream")
}
