//! From a payload to a handler and back: what generated dispatchers call.

use cloudstate_proto as proto;
use cloudstate_proto::client_action::Action;

use super::{CommandEffect, Failure, Reply, SideEffect, reply::Answer, reply::Change, trace::Trace};
use crate::{Any, crdt::WriteConsistency, payload, payload::ProtobufMessage};

/// What a handler decided, with its messages encoded.
pub struct RawEffect<E> {
    pub(crate) change: Change<E>,
    pub(crate) answer: RawAnswer<E>,
    pub(crate) side_effects: Vec<SideEffect>,
    pub(crate) write_consistency: WriteConsistency,
}

impl<E> RawEffect<E> {
    /// Has what the command leads to go on with its trace.
    pub(crate) fn traced(mut self, trace: &Trace) -> Self {
        trace.lead_to_all(&mut self.side_effects);
        if let RawAnswer::Now(action) = &mut self.answer {
            trace.lead_to(action);
        }
        self
    }
}

pub(crate) enum RawAnswer<E> {
    Now(Action),
    AfterChange(Box<dyn FnOnce(&E) -> Action + Send>),
}

/// Why a command has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// It was refused; its caller is told.
    Failure(Failure),
    /// The service has no such command: proxy and user function have different contracts.
    Unknown {
        /// The full name of the service.
        service: &'static str,
        /// The command that it does not have.
        command: String,
    },
}

impl CommandError {
    /// The service has no such command.
    pub fn unknown(service: &'static str, command: &str) -> Self {
        Self::Unknown { service, command: command.into() }
    }
}

const ONLY_ACTIONS: &str = "only an action may answer with nothing, skip, or fail with side effects";

/// Decodes the payload, runs the handler and encodes its answer.
///
/// # Errors
/// When the payload is no `C`, and when the handler returns an error.
pub fn call<E, C, M, X>(
    payload: &Any,
    handler: impl FnOnce(C) -> Reply<E, M, X>,
) -> Result<RawEffect<E>, CommandError>
where
    E: 'static,
    C: ProtobufMessage,
    M: ProtobufMessage,
    X: Into<Failure>,
{
    // What the bytes hold is the client's doing, so the client is told, and the entity lives on.
    let command = payload::decode(payload).map_err(|error| CommandError::Failure(error.into()))?;
    let mut effect = handler(command).map_err(|error| CommandError::Failure(error.into()))?;
    let metadata = std::mem::take(&mut effect.reply_metadata);
    let reply = |message: &M| {
        Action::Reply(proto::Reply {
            payload: Some(payload::encode(message)),
            metadata: metadata.into_proto(),
        })
    };
    let answer = match effect.answer {
        Answer::Reply(message) => RawAnswer::Now(reply(&message)),
        Answer::ReplyAfter(message) => {
            RawAnswer::AfterChange(Box::new(move |entity| reply(&message(entity))))
        }
        Answer::Forward(call) => RawAnswer::Now(Action::Forward(call.into_forward())),
        Answer::OfAction(_) => return Err(CommandError::Failure(Failure::internal(ONLY_ACTIONS))),
    };
    let CommandEffect { change, side_effects, write_consistency, .. } = effect;
    Ok(RawEffect { change, answer, side_effects, write_consistency })
}
