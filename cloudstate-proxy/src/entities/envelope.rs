//! What goes to an entity, and what comes back.

use std::sync::Arc;

use bytes::Bytes;
use cloudstate_proto::{SideEffect, client_action::Action};

use crate::{
    error_code::ErrorCode,
    routing::{Failure, Responder},
    service_catalog::Method,
    telemetry::trace_context::TraceContext,
};

/// A command and whoever waits for its answer.
pub(crate) struct Envelope {
    /// Of the contract as it was when the call came in.
    pub(crate) method: Arc<Method>,
    /// The encoded request message.
    pub(crate) payload: Bytes,
    pub(crate) context: TraceContext,
    pub(crate) responder: Responder,
}

impl Envelope {
    pub(crate) fn fail(self, failure: Failure) {
        self.responder.answer(Answer::Failed(failure));
    }
}

/// What a caller gets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// What the user function decided, to be carried out now that what it changed is durable.
    Decided { action: Option<Action>, side_effects: Vec<SideEffect> },
    /// There is no decision.
    Failed(Failure),
}

impl Answer {
    /// Whether the caller sees an error.
    pub(super) fn is_failure(&self) -> bool {
        match self {
            Answer::Decided { action, .. } => matches!(action, Some(Action::Failure(_))),
            Answer::Failed(_) => true,
        }
    }

    /// For a command that has waited as long as it may; `unreachable` says why nobody could answer it.
    pub(super) fn overdue(unreachable: Option<String>) -> Self {
        match unreachable {
            Some(reason) => Answer::failed(ErrorCode::UserFunctionAway, reason),
            None => Answer::failed(ErrorCode::NoAnswer, "the command was not answered in time"),
        }
    }

    pub(crate) fn failed(error: ErrorCode, text: impl Into<String>) -> Self {
        Answer::Failed(Failure::new(error, text))
    }
}
