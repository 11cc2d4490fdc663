//! Calls of actions: each is one call of the user function, in one of four shapes.
//!
//! Nothing is kept between calls, and nothing is buffered on the way: commands are made as the user function takes
//! them, answers are read as they are taken, so that HTTP/2 slows down whoever is faster. Dropping the answers
//! cancels the call.

mod call;
mod commands;
mod path;

use std::sync::Arc;

use cloudstate_proto::{Any, Metadata, client_action::Action};
use tokio::time::Instant;

use crate::{
    code::Code,
    entities::{Answer, Environment},
    routing::{BoxStream, Failure},
    service_catalog::Method,
    telemetry::watched::watched,
};

/// Calls actions.
#[derive(Clone)]
pub(crate) struct Actions(Arc<Environment>);

/// One call of an action.
pub(crate) struct Invocation {
    pub(crate) method: Arc<Method>,
    pub(crate) payloads: Payloads,
    /// Goes with the first command only.
    pub(crate) metadata: Metadata,
}

/// The request messages of a call, with their types.
pub(crate) enum Payloads {
    One(Any),
    /// An `Err` is the last item: the call is to be given up.
    Many(BoxStream<Result<Any, Failure>>),
}

impl Actions {
    pub(crate) fn new(environment: Arc<Environment>) -> Self {
        Self(environment)
    }

    /// Calls an action, once the first answer is asked for. An rpc without a stream of replies has exactly one answer;
    /// any other ends with the first [`Answer::Failed`]. A call that cannot be sent waits for the user function, and
    /// one that is unary for its answer, no longer than the relay timeout.
    pub(crate) fn call(&self, invocation: Invocation) -> BoxStream<Answer> {
        let metrics = self.0.metrics.action(&invocation.method.service.name);
        metrics.command_received();
        let began = Instant::now();
        let answers = call::answers(Arc::clone(&self.0), invocation);
        watched(answers, failure, move |ended| {
            metrics.command_completed(began.elapsed(), ended.failure.is_some());
        })
    }
}

/// The code of an answer that is a failure, whoever found it.
fn failure(answer: &Answer) -> Option<Code> {
    let number = match answer {
        Answer::Failed(failure) => return Some(failure.code.unwrap_or(Code::Unknown)),
        Answer::Decided { action: Some(Action::Failure(failure)), .. } => failure.grpc_status_code,
        Answer::Decided { .. } => return None,
    };
    Some(Code::from_number(number).unwrap_or(Code::Unknown))
}
