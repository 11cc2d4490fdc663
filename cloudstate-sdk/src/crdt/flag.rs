use cloudstate_proto::crdt::{FlagDelta, crdt_delta};

use super::{Crdt, CrdtError, Delta};

/// A switch that can be turned on, and then stays on.
///
/// ```
/// use cloudstate_sdk::crdt::Flag;
///
/// let mut closed = Flag::new();
/// assert!(!closed.is_enabled());
/// closed.enable();
/// assert!(closed.is_enabled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Flag {
    enabled: bool,
    /// Whether it was enabled when it was last sent.
    sent: bool,
    known: bool,
}

impl Flag {
    /// Off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Turns it on.
    pub fn enable(&mut self) {
        self.enabled = true;
    }
}

impl Crdt for Flag {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        let mut flag = Self::new();
        flag.apply(state)?;
        Ok(flag)
    }

    fn state(&self) -> Delta {
        delta(self.enabled)
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        let crdt_delta::Delta::Flag(FlagDelta { value }) = delta.0 else {
            return Err(delta.is_not_for("Flag"));
        };
        self.enabled |= value;
        self.sent |= value;
        self.known = true;
        Ok(())
    }

    fn unsent(&self) -> Option<Delta> {
        self.has_changed().then(|| delta(true))
    }

    fn has_changed(&self) -> bool {
        self.enabled && !self.sent
    }

    fn mark_sent(&mut self) {
        self.sent = self.enabled;
        self.known = true;
    }

    fn roll_back(&mut self) {
        self.enabled = self.sent;
    }

    fn is_known(&self) -> bool {
        self.known
    }
}

/// By value, whatever is unsent.
impl PartialEq for Flag {
    fn eq(&self, other: &Self) -> bool {
        self.enabled == other.enabled
    }
}

fn delta(value: bool) -> Delta {
    Delta(crdt_delta::Delta::Flag(FlagDelta { value }))
}
