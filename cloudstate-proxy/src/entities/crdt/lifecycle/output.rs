//! What a lifecycle asks for.

use cloudstate_proto::{Any, crdt::CrdtStreamIn};

use crate::entities::{Answer, Token, observer::Observation};

/// What the shell must do, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// Read the state.
    Load,
    /// Open a stream to the user function.
    OpenStream,
    /// Write to the stream.
    Send(CrdtStreamIn),
    /// End our side of the stream; the user function then ends its own.
    HalfClose,
    /// Abandon the stream.
    Reset,
    /// Make this the state; none leaves the tombstone. At most one is under way.
    Write(Option<Any>),
    /// Give a caller its last answer.
    Answer(Token, Answer),
    /// Give the caller of a streamed command one answer of several.
    Element(Token, Answer),
    /// The cancellation of this command was sent: its time begins.
    AwaitCancelled(Token),
    /// Tell the developer of the user function.
    Report(String),
    /// Something worth counting.
    Observed(Observation),
    /// The entity is dormant and nobody waits for it: forget it.
    Stop,
}
