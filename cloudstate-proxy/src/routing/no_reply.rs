//! Calls without a reply: refused, or broken on the way.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::{Call, Failure, Requests, TypedReplies, failure::Subject};
use crate::{service_catalog::Method, telemetry::trace_context::TraceContext};

/// Why a call has no reply: only the second kind spoils the call whose synchronous side effect it was.
#[derive(Debug)]
pub(super) enum NoReply {
    /// The user function said no.
    Refused(Failure),
    /// The call could not be carried out.
    Broken(Box<Broken>),
}

/// A call that could not be carried out: not always the client's own, but that in the chain which failed.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) failure: Failure,
    pub(crate) method: Arc<Method>,
    /// None for an action, and if the call did not come so far.
    pub(crate) entity_id: Option<Arc<str>>,
    pub(crate) context: TraceContext,
}

impl NoReply {
    pub(super) fn failure(&self) -> &Failure {
        match self {
            NoReply::Refused(failure) => failure,
            NoReply::Broken(broken) => &broken.failure,
        }
    }

    /// For a caller that takes any number of replies.
    pub(super) fn alone(self) -> TypedReplies {
        stream::iter([Err(self)]).boxed()
    }

    /// What whoever called is told.
    pub(super) fn into_failure(self) -> Failure {
        match self {
            NoReply::Refused(failure) => failure,
            NoReply::Broken(broken) => broken.into_failure(),
        }
    }
}

impl Broken {
    /// What whoever called is told.
    pub(crate) fn into_failure(self) -> Failure {
        let Self { failure, method, entity_id, .. } = self;
        failure.explained(Some(Subject {
            service: &method.service.name,
            method: &method.name,
            entity_id: entity_id.as_deref(),
        }))
    }
}

/// What a client asked for, kept in case that its call fails on this side of the user function.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) method: Arc<Method>,
    /// None for a stream of them.
    pub(super) request: Option<Bytes>,
    pub(super) context: TraceContext,
}

impl Asked {
    pub(super) fn of(call: &Call) -> Self {
        let request = match &call.requests {
            Requests::One(request) => Some(request.clone()),
            Requests::Many(_) => None,
        };
        Self { method: Arc::clone(&call.method), request, context: TraceContext::of(&call.metadata) }
    }

    /// The client's call could not be carried out.
    pub(super) fn broken(&self, failure: Failure) -> NoReply {
        let entity_id = self.request.as_ref().and_then(|request| self.method.entity_id(request));
        let entity_id = entity_id.map(Arc::from);
        let (method, context) = (Arc::clone(&self.method), self.context.clone());
        NoReply::Broken(Box::new(Broken { failure, method, entity_id, context }))
    }
}
