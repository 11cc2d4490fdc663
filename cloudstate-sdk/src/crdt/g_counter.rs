use cloudstate_proto::crdt::{GCounterDelta, crdt_delta};

use super::{Crdt, CrdtError, Delta};

/// A counter that only grows.
///
/// ```
/// use cloudstate_sdk::crdt::GCounter;
///
/// let mut visits = GCounter::new();
/// visits.increment(2);
/// assert_eq!(visits.value(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct GCounter {
    value: u64,
    /// The part of the value that the proxy has not got.
    unsent: u64,
    known: bool,
}

/// Proxies calculate with signed numbers.
const LARGEST: u64 = i64::MAX as u64;

impl GCounter {
    /// At 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sum of all increments.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value
    }

    /// Adds `by`. The value stops at `i64::MAX`, which is what a proxy can hold.
    pub fn increment(&mut self, by: u64) {
        let added = by.min(LARGEST.saturating_sub(self.value));
        self.value += added;
        self.unsent += added;
    }
}

impl Crdt for GCounter {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        let mut counter = Self::new();
        counter.apply(state)?;
        Ok(counter)
    }

    fn state(&self) -> Delta {
        delta(self.value)
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        let crdt_delta::Delta::Gcounter(GCounterDelta { increment }) = delta.0 else {
            return Err(delta.is_not_for("GCounter"));
        };
        self.value = self.value.saturating_add(increment);
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
        self.value -= self.unsent;
        self.unsent = 0;
    }

    fn is_known(&self) -> bool {
        self.known
    }
}

/// By value, whatever is unsent.
impl PartialEq for GCounter {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

fn delta(increment: u64) -> Delta {
    Delta(crdt_delta::Delta::Gcounter(GCounterDelta { increment }))
}
