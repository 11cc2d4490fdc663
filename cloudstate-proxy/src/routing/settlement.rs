//! Carrying out what a user function decided: side effects in order, then the reply or the forward.

mod side_effects;

use std::sync::Arc;

use cloudstate_proto::{Any, Forward, client_action::Action};
use futures_util::{StreamExt, stream};

use super::{
    Broken, Failure, NoReply, Router, TypedReplies, TypedReply,
    first::first,
    place::Place,
    reply_headers::{MAX_HEADER_BYTES, fit},
    router::Routed,
    trace::{MAX_HOPS, Trace},
};
use crate::{
    actions::Payloads,
    code::Code,
    entities::Answer,
    error_code::ErrorCode,
    service_catalog::Method,
    telemetry::{spans::Cause, trace_context::TraceContext},
};

/// The place of a call in the chain that a client began.
#[derive(Clone)]
pub(super) struct Link {
    /// What is called.
    pub(super) method: Arc<Method>,
    /// What the client called: its reply type is the one the client expects.
    pub(super) origin: Arc<Method>,
    /// What came before.
    pub(super) trace: Trace,
    /// Where the call stands in the trace that the client began.
    pub(super) context: TraceContext,
    /// Held by an asynchronous side effect, and by what it is forwarded to.
    pub(super) place: Option<Arc<Place>>,
    /// The entity that is called, once it is known.
    pub(super) entity_id: Option<Arc<str>>,
}

impl Link {
    /// A call that no other one led to.
    pub(super) fn first(method: Arc<Method>) -> Self {
        Self {
            origin: Arc::clone(&method),
            method,
            trace: Trace::default(),
            context: TraceContext::default(),
            place: None,
            entity_id: None,
        }
    }

    /// The call could not be carried out.
    pub(super) fn broken(&self, failure: Failure) -> NoReply {
        let Self { method, entity_id, context, .. } = self.clone();
        NoReply::Broken(Box::new(Broken { failure, method, entity_id, context }))
    }
}

/// What became of an answer.
pub(super) enum Settled {
    /// The reply itself.
    Reply(TypedReply),
    /// The replies of the target it was forwarded to, which has been called.
    Forwarded(TypedReplies),
}

impl Settled {
    /// For a caller that takes one reply.
    pub(super) async fn one(self) -> Result<TypedReply, NoReply> {
        match self {
            Settled::Reply(reply) => Ok(reply),
            Settled::Forwarded(replies) => first(replies).await,
        }
    }

    /// For a caller that takes any number of replies.
    pub(super) fn many(self) -> TypedReplies {
        match self {
            Settled::Reply(reply) => stream::iter([Ok(reply)]).boxed(),
            Settled::Forwarded(replies) => replies,
        }
    }
}

impl Router {
    /// Carries out `answer`.
    pub(super) async fn settle(&self, answer: Answer, cause: &Link) -> Result<Settled, NoReply> {
        match answer {
            Answer::Decided { action, side_effects } => {
                if !side_effects.is_empty() {
                    self.side_effects(side_effects, cause).await?;
                }
                self.conclude(action, cause)
            }
            Answer::Failed(failure) => Err(cause.broken(failure)),
        }
    }

    /// The same for an answer that the caller reads itself: its side effects are carried out also when the caller goes
    /// away meanwhile.
    pub(super) async fn settle_in_any_case(self, answer: Answer, cause: Link) -> Result<Settled, NoReply> {
        match answer {
            Answer::Decided { action, side_effects } if side_effects.is_empty() => {
                self.conclude(action, &cause)
            }
            Answer::Failed(failure) => Err(cause.broken(failure)),
            with_effects => {
                let background = self.background().clone();
                let link = cause.clone();
                let settling = background.spawn(async move { self.settle(with_effects, &link).await });
                settling.await.unwrap_or_else(|error| {
                    let text = format!("the side effects broke off: {error}");
                    Err(cause.broken(Failure::new(ErrorCode::ProxyFault, text)))
                })
            }
        }
    }

    /// Carries out the action of an answer whose side effects are done.
    pub(super) fn conclude(&self, action: Option<Action>, cause: &Link) -> Result<Settled, NoReply> {
        match action {
            Some(Action::Forward(forward)) => Ok(Settled::Forwarded(self.forward(forward, cause)?)),
            Some(Action::Reply(reply)) => Ok(Settled::Reply(self.checked(reply, &cause.origin))),
            Some(Action::Failure(failure)) => Err(NoReply::Refused(Failure::passed_on(
                Code::from_number(failure.grpc_status_code),
                failure.description,
            ))),
            None => Ok(Settled::Reply(TypedReply::default())),
        }
    }

    fn forward(&self, forward: Forward, cause: &Link) -> Result<TypedReplies, NoReply> {
        let trace = self.follow(cause, "forwarded from")?;
        let method = self.target(&forward.service_name, &forward.command_name, cause, &trace)?;
        let payload = self.payload_for(&method, forward.payload, &trace);
        let Link { origin, context, place, .. } = cause.clone();
        let link = Link { method, origin, trace, context, place, entity_id: None };
        Ok(self.replies(self.begin(Cause::Forward, link, payload, forward.metadata.unwrap_or_default())))
    }

    /// One hop more, unless there were too many: a circle, which its developer must hear of.
    fn follow(&self, cause: &Link, how: &str) -> Result<Trace, NoReply> {
        cause.trace.extended(how, &cause.method).ok_or_else(|| {
            let text = format!("more than {MAX_HOPS} forwards and side effects followed one call");
            self.report(format!("{text}{}", cause.trace));
            cause.broken(Failure::new(ErrorCode::TooManyHops, text))
        })
    }

    fn target(
        &self,
        service: &str,
        command: &str,
        cause: &Link,
        trace: &Trace,
    ) -> Result<Arc<Method>, NoReply> {
        let catalog = self.catalog();
        if let Some(method) = catalog.find(service, command) {
            return Ok(Arc::clone(method));
        }
        let text = if catalog.has_service(service) {
            format!("Service [{service}] does not have a command named: [{command}]")
        } else {
            format!("Service [{service}] unknown")
        };
        self.report(format!("{text}{trace}"));
        Err(cause.broken(Failure::new(ErrorCode::UnknownTarget, text)))
    }

    /// The payload as it is; one that is absent becomes an empty message, because libraries insist on one. One of
    /// another type than the target takes is passed on too, and its developer hears of it.
    fn payload_for(&self, target: &Method, payload: Option<Any>, trace: &Trace) -> Payloads {
        let expected = &target.input_type_url;
        let empty = || Any { type_url: expected.clone(), value: Default::default() };
        let payload = payload.unwrap_or_else(empty);
        if payload.type_url != *expected && target.input_type != "google.protobuf.Any" {
            self.report(format!(
                "Warning: {}.{}: Expected payload type_url to be [{expected}] but was [{}].{trace}",
                target.service.name, target.name, payload.type_url
            ));
        }
        Payloads::One(payload)
    }

    /// Tells the developer what is wrong with a reply, and leaves out what cannot be passed on.
    fn checked(&self, mut reply: TypedReply, origin: &Method) -> TypedReply {
        if let Some(payload) = &reply.payload
            && payload.type_url != origin.output_type_url
        {
            self.report(format!(
                "Warning: {}.{}: Expected reply type_url to be [{}] but was [{}].",
                origin.service.name, origin.name, origin.output_type_url, payload.type_url
            ));
        }
        if reply.metadata.as_mut().is_some_and(|metadata| !fit(metadata)) {
            self.report(format!(
                "Warning: {}.{}: The reply has more metadata than the {MAX_HEADER_BYTES} bytes that response headers may take; the rest is left out.",
                origin.service.name, origin.name
            ));
        }
        reply
    }
}
