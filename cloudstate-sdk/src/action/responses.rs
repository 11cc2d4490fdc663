//! From decisions to the messages of the protocol: limits, status codes, and which failures close a call.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use cloudstate_proto as proto;
use cloudstate_proto::action::{ActionResponse, action_response::Response};
use futures_core::Stream;
use prost::Message as _;
use tracing::Span;

use super::call::{Decision, Outcome, Responses};
use crate::Failure;
use crate::command::SideEffect;
use crate::command::trace::Trace;
use crate::conversation::Terms;
use crate::fault::contain;

/// A call in progress. An `Err` closes it with that status, and is the last element.
///
/// Polling it runs the user's code, and dropping it drops that, so a call has no task of its own, and a caller that
/// takes nothing makes it wait.
pub(crate) struct Running {
    /// Absent once the call is over.
    responses: Option<Responses>,
    terms: Terms,
    trace: Trace,
    /// What the log lines of the handler belong to.
    span: Span,
}

impl Running {
    /// The handler is found and called by `start`, for a command that is called so.
    pub(crate) fn start(
        terms: Terms,
        trace: Trace,
        command: &str,
        start: impl FnOnce() -> Responses,
    ) -> Self {
        let span = trace.span("", command);
        let responses = span.in_scope(|| {
            contain(0, DOING, start).unwrap_or_else(|fault| {
                fault.log();
                Responses::closed(Failure::internal(fault.description()))
            })
        });
        Self { responses: Some(responses), terms, trace, span }
    }

    /// The one response of a call without a stream of replies.
    pub(crate) async fn only(mut self) -> Result<ActionResponse, Failure> {
        let first = std::future::poll_fn(|context| Pin::new(&mut self).poll_next(context)).await;
        first.unwrap_or_else(|| Ok(ActionResponse::default()))
    }
}

const DOING: &str = "handling the call";

impl Stream for Running {
    type Item = Result<ActionResponse, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { responses: open, terms, trace, span } = &mut *self;
        let Some(responses) = open else { return Poll::Ready(None) };
        let is_subscribed = responses.is_subscribed;
        let _span = span.enter();
        let next = match contain(0, DOING, || responses.decisions.as_mut().poll_next(context)) {
            Ok(poll) => ready!(poll).map(|decision| response(decision.traced(trace), is_subscribed, *terms)),
            Err(fault) => {
                fault.log();
                Some(Err(Failure::internal(fault.description())))
            }
        };
        if !matches!(next, Some(Ok(_))) {
            *open = None;
        }
        Poll::Ready(next)
    }
}

/// `Err` closes the call. On an rpc to which events come that is what every failure does: the reference proxy takes a
/// failure response for an acknowledgement, and the event would be lost.
pub(crate) fn response(
    decision: Decision,
    is_subscribed: bool,
    terms: Terms,
) -> Result<ActionResponse, Failure> {
    let Decision { outcome, side_effects } = decision;
    let response = match outcome {
        Outcome::Reply(reply) => Some(Response::Reply(reply)),
        Outcome::Forward(forward) => Some(Response::Forward(forward)),
        Outcome::Nothing => None,
        Outcome::Failure(failure) if is_subscribed => return Err(failure),
        Outcome::Failure(failure) => Some(failed(failure, terms)),
        Outcome::Skip(reason) => {
            tracing::warn!("an event is skipped: {reason}");
            Some(failed(Failure::new(reason), terms))
        }
    };
    let side_effects = side_effects.into_iter().map(SideEffect::into_proto).collect();
    let response = ActionResponse { response, side_effects };
    match check_size(&response, terms.max_reply_size) {
        Ok(()) => Ok(response),
        Err(too_large) if is_subscribed => Err(too_large),
        Err(too_large) => {
            Ok(ActionResponse { response: Some(failed(too_large, terms)), ..Default::default() })
        }
    }
}

pub(crate) fn failed(failure: Failure, terms: Terms) -> Response {
    let grpc_status_code = terms.status_code(failure.code);
    Response::Failure(proto::Failure { description: failure.message, grpc_status_code, ..Default::default() })
}

fn check_size(response: &ActionResponse, limit: usize) -> Result<(), Failure> {
    let size = response.encoded_len();
    if size <= limit {
        return Ok(());
    }
    Err(Failure::resource_exhausted(format!(
        "the reply and its side effects would take {size} bytes, more than the {limit} that a proxy accepts"
    )))
}
