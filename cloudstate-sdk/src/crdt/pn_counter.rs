use cloudstate_proto::crdt::{PnCounterDelta, crdt_delta};

use super::{Crdt, CrdtError, Delta};

/// A counter that grows and shrinks.
///
/// Beyond the range of an `i64` it wraps around, for everybody alike.
///
/// ```
/// use cloudstate_sdk::crdt::PNCounter;
///
/// let mut stock = PNCounter::new();
/// stock.increment(5);
/// stock.decrement(7);
/// assert_eq!(stock.value(), -2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct PNCounter {
    value: i64,
    /// The part of the value that the proxy has not got.
    unsent: i64,
    known: bool,
}

impl PNCounter {
    /// At 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sum of all changes.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.value
    }

    /// Adds `by`, which may be negative.
    pub fn increment(&mut self, by: i64) {
        self.value = self.value.wrapping_add(by);
        self.unsent = self.unsent.wrapping_add(by);
    }

    /// Subtracts `by`, which may be negative.
    pub fn decrement(&mut self, by: i64) {
        self.increment(by.wrapping_neg());
    }
}

impl Crdt for PNCounter {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        let mut counter = Self::new();
        counter.apply(state)?;
        Ok(counter)
    }

    fn state(&self) -> Delta {
        delta(self.value)
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        let crdt_delta::Delta::Pncounter(PnCounterDelta { change }) = delta.0 else {
            return Err(delta.is_not_for("PNCounter"));
        };
        self.value = self.value.wrapping_add(change);
        self.known = true;
        Ok(())
    }

    fn unsent(&self) -> Option<Delta> {
        self.has_changed().then(|| delta(self.unsent))
    }

    fn has_changed(&self) -> bool {
        self.unsent != 0
    }

    fn mark_sent(&mut self) {
        self.unsent = 0;
        self.known = true;
    }

    fn roll_back(&mut self) {
        self.value = self.value.wrapping_sub(self.unsent);
        self.unsent = 0;
    }

    fn is_known(&self) -> bool {
        self.known
    }
}

/// By value, whatever is unsent.
impl PartialEq for PNCounter {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

fn delta(change: i64) -> Delta {
    Delta(crdt_delta::Delta::Pncounter(PnCounterDelta { change }))
}
