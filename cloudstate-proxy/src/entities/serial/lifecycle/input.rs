//! What a lifecycle takes.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    entities::{Token, serial::kind::SerialKind, stream::End},
    routing::Failure,
    service_catalog::Method,
    telemetry::trace_context::TraceContext,
};

/// What happens to an entity.
#[derive(Clone, Debug)]
pub(crate) enum Input<K: SerialKind> {
    /// A command arrived.
    Command(Incoming),
    /// The answer to [`Output::Load`](super::Output::Load).
    Loaded(K::Loaded),
    /// The store could not be read.
    LoadFailed(String),
    /// The answer to [`Output::Store`](super::Output::Store): the new position, or why nothing was stored.
    Stored(Result<K::Position, Failure>),
    /// The user function wrote to the stream.
    FromFunction(K::Out),
    /// The user function's side of the stream ended.
    StreamEnded(End),
    /// The command with this token has waited as long as it may. If all the while there was no user function: why.
    TimedOut { token: Token, unreachable: Option<String> },
    /// Nothing happened for the passivation time, or others need the room.
    IdleTimeout,
    /// The user function did not end a half-closed stream in time.
    CloseTimedOut,
    /// The proxy stops: finish the commands that are here and close.
    Drain,
}

/// A command on its way to the entity.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) token: Token,
    pub(crate) method: Arc<Method>,
    pub(crate) payload: Bytes,
    pub(crate) context: TraceContext,
    /// How often it was sent to a process that went away.
    pub(crate) resends: u8,
}
