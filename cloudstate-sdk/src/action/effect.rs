//! Effects that only actions have.

use super::ActionService;
use crate::Failure;
use crate::command::reply::{Answer, Change};
use crate::command::{CommandEffect, Effect};

/// An answer that entities cannot give.
pub(crate) enum ActionAnswer {
    Nothing,
    Failure(Failure),
    /// Why the event is not handled.
    Skip(String),
}

impl Effect {
    /// Answers with nothing. In a stream the caller does not notice; a caller that waits for a reply gets an error
    /// from the proxy. Side effects are made.
    pub fn none<A: ActionService, M>() -> CommandEffect<A, M> {
        CommandEffect::new(Change::None, Answer::OfAction(ActionAnswer::Nothing))
    }

    /// Fails. Unlike `Err` it may have side effects: those of an action are made even if it fails.
    pub fn failure<A: ActionService, M>(failure: impl Into<Failure>) -> CommandEffect<A, M> {
        CommandEffect::new(Change::None, Answer::OfAction(ActionAnswer::Failure(failure.into())))
    }

    /// Passes over an event that this subscriber does not handle: it is acknowledged, and does not come again. The
    /// reason is logged. A failure, in contrast, makes it come again; see [`action`](crate::action#events).
    pub fn skip<A: ActionService, M>(reason: impl Into<String>) -> CommandEffect<A, M> {
        CommandEffect::new(Change::None, Answer::OfAction(ActionAnswer::Skip(reason.into())))
    }
}
