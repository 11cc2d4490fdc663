//! What a lifecycle asks for.

use crate::entities::{Answer, Token, observer::Observation, serial::kind::SerialKind};

/// What the shell must do, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output<K: SerialKind> {
    /// Open a stream to the user function.
    OpenStream,
    /// Read from the store, once everything sent so far is on its way.
    Load(K::Load),
    /// Write to the stream.
    Send(K::In),
    /// End our side of the stream; the user function then ends its own.
    HalfClose,
    /// Abandon the stream.
    Reset,
    /// Make the changes of a command durable.
    Store { position: K::Position, changes: K::Changes },
    /// Answer a caller.
    Answer(Token, Answer),
    /// Tell the developer of the user function.
    Report(String),
    /// Something worth counting.
    Observed(Observation),
    /// The entity is dormant and nobody waits for it: forget it.
    Stop,
}
