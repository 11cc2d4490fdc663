//! What a lifecycle takes.

use cloudstate_proto::{Any, crdt::CrdtStreamOut};

use crate::{
    entities::{Token, crdt::data::Millis, stream::End},
    storage::StoredCrdt,
    telemetry::trace_context::TraceContext,
};

/// What happens to an entity.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A command arrived.
    Command(Incoming),
    /// The answer to [`Output::Load`](super::Output::Load).
    Loaded(Result<Option<StoredCrdt>, String>),
    /// The answer to [`Output::Write`](super::Output::Write).
    Written(Result<(), String>),
    /// The user function wrote to the stream at this time.
    FromFunction(CrdtStreamOut, Millis),
    /// The user function's side of the stream ended.
    StreamEnded(End),
    /// The answer to [`Output::OpenStream`](super::Output::OpenStream).
    Opened,
    /// The client of a streamed command went away.
    ClientGone(Token),
    /// The command with this token has waited as long as it may, or its cancellation has. If all the while there was no
    /// user function: why.
    TimedOut { token: Token, unreachable: Option<String> },
    /// Nothing happened for the passivation time.
    IdleTimeout,
    /// The user function did not end a half-closed stream in time.
    CloseTimedOut,
    /// The proxy is about to stop: clients are told nothing more than they asked for.
    CompleteStreams,
    /// The proxy stops: finish the commands that are here and close.
    Drain,
}

/// A command on its way to the entity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Incoming {
    pub(crate) token: Token,
    pub(crate) name: String,
    pub(crate) payload: Any,
    /// Its method is server-streaming.
    pub(crate) streamed: bool,
    pub(crate) context: TraceContext,
}
