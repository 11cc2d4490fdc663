use std::mem;

use cloudstate_proto::crdt::{CrdtClock, LwwRegisterDelta, crdt_delta};

use super::delta::Kind;
use super::{Crdt, CrdtError, CrdtValue, Delta};

/// One value; of two writes at the same time the later wins.
///
/// ```
/// use cloudstate_sdk::crdt::LWWRegister;
///
/// let mut topic = LWWRegister::new("welcome".to_string());
/// topic.set("tea".to_string());
/// assert_eq!(topic.get(), "tea");
/// ```
///
/// A register always has a value, so it is created with one, and sends it with the first reply.
#[derive(Clone, Debug)]
pub struct LWWRegister<T> {
    value: T,
    unsent: Unsent<T>,
    known: bool,
}

#[derive(Clone, Debug)]
enum Unsent<T> {
    Nothing,
    /// The value that it was created with.
    Created,
    /// The last of any number of writes.
    Written {
        clock: Clock,
        before: T,
        was_created: bool,
    },
}

/// What decides which of several writes wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The proxy's clock: the last write wins.
    #[default]
    Default,
    /// The proxy's clock, backwards: the first write wins.
    Reverse,
    /// This number: the write with the largest wins.
    Custom(i64),
    /// This number, or one more than that of the write before if that is larger.
    CustomAutoIncrement(i64),
}

impl<T: CrdtValue> LWWRegister<T> {
    /// With its first value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value, unsent: Unsent::Created, known: false }
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.value
    }

    /// Writes `value`. Writing an equal value is a write too: it may win over somebody else's.
    pub fn set(&mut self, value: T) {
        self.set_with(value, Clock::Default);
    }

    /// Writes `value` under another clock than the proxy's. It counts for this write alone.
    pub fn set_with(&mut self, value: T, clock: Clock) {
        let last = mem::replace(&mut self.value, value);
        self.unsent = match mem::replace(&mut self.unsent, Unsent::Nothing) {
            Unsent::Nothing => Unsent::Written { clock, before: last, was_created: false },
            Unsent::Created => Unsent::Written { clock, before: last, was_created: true },
            Unsent::Written { before, was_created, .. } => Unsent::Written { clock, before, was_created },
        };
    }
}

impl<T: CrdtValue + Default> Default for LWWRegister<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: CrdtValue> Crdt for LWWRegister<T> {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        Ok(Self { value: read(state)?, unsent: Unsent::Nothing, known: true })
    }

    fn state(&self) -> Delta {
        let clock = match self.unsent {
            Unsent::Written { clock, .. } => clock,
            Unsent::Nothing | Unsent::Created => Clock::Default,
        };
        let (clock, custom_clock_value) = match clock {
            Clock::Default => (CrdtClock::Default, 0),
            Clock::Reverse => (CrdtClock::Reverse, 0),
            Clock::Custom(value) => (CrdtClock::Custom, value),
            Clock::CustomAutoIncrement(value) => (CrdtClock::CustomAutoIncrement, value),
        };
        Delta(crdt_delta::Delta::Lwwregister(LwwRegisterDelta {
            value: Some(self.value.to_any()),
            clock: clock.into(),
            custom_clock_value,
        }))
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        *self = Self::from_state(delta)?;
        Ok(())
    }

    fn unsent(&self) -> Option<Delta> {
        (!matches!(self.unsent, Unsent::Nothing)).then(|| self.state())
    }

    fn has_changed(&self) -> bool {
        matches!(self.unsent, Unsent::Written { .. })
    }

    fn mark_sent(&mut self) {
        self.unsent = Unsent::Nothing;
        self.known = true;
    }

    fn roll_back(&mut self) {
        self.unsent = match mem::replace(&mut self.unsent, Unsent::Nothing) {
            Unsent::Written { before, was_created, .. } => {
                self.value = before;
                if was_created { Unsent::Created } else { Unsent::Nothing }
            }
            unchanged => unchanged,
        };
    }

    fn is_known(&self) -> bool {
        self.known
    }
}

fn read<T: CrdtValue>(delta: Delta) -> Result<T, CrdtError> {
    let crdt_delta::Delta::Lwwregister(register) = delta.0 else {
        return Err(delta.is_not_for("LWWRegister"));
    };
    let value = register.value.ok_or_else(|| CrdtError::new(Kind::NoValue))?;
    T::from_any(&value).map_err(|error| CrdtError::new(Kind::UnreadableValue(error)))
}

/// By value, whatever is unsent.
impl<T: PartialEq> PartialEq for LWWRegister<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
