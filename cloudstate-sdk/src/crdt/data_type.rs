use std::fmt;

use super::{CrdtError, Delta};

/// What all CRDTs have in common: they take the changes of others, and know which of their own are not sent yet.
///
/// Command handlers use the methods of each type. This trait is for the runtime and for tests; the proxy holds the
/// replicated value, so nothing here resolves conflicts.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a CRDT",
    label = "expected a CRDT",
    note = "use GCounter, PNCounter, GSet, ORSet, LWWRegister, Flag, ORMap, Vote or AnyCrdt, or a struct of them with `#[derive(Crdt)]`"
)]
pub trait Crdt: Clone + fmt::Debug + Send + 'static {
    /// The CRDT that an empty one becomes by `state`. Nothing is unsent.
    ///
    /// # Errors
    /// When `state` is of another type, or cannot be read.
    fn from_state(state: Delta) -> Result<Self, CrdtError>;

    /// The change from an empty CRDT to this one.
    fn state(&self) -> Delta;

    /// Takes a change that was made elsewhere. It comes between two commands, when nothing is unsent but the value
    /// that a register was created with; that is given up.
    ///
    /// # Errors
    /// When `delta` is of another type, or cannot be read. The value is then undefined.
    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError>;

    /// What has changed here and is not sent yet, as little as possible. `None` when there is nothing to send.
    fn unsent(&self) -> Option<Delta>;

    /// Whether it was changed here since it was created or last sent.
    fn has_changed(&self) -> bool;

    /// From now on nothing is unsent.
    fn mark_sent(&mut self);

    /// Takes back what has changed here and is not sent yet.
    fn roll_back(&mut self);

    /// Whether the proxy has it: something was sent or came from there.
    fn is_known(&self) -> bool;

    /// What is unsent; afterwards nothing is.
    fn take_delta(&mut self) -> Option<Delta> {
        let delta = self.unsent();
        self.mark_sent();
        delta
    }
}
