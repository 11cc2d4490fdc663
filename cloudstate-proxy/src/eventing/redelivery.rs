//! How often, and after which pauses, an entry is delivered again.

use std::time::Duration;

/// What happens to an entry that could not be processed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redelivery {
    /// How often an entry is tried before it becomes a dead letter.
    pub(crate) attempts: u32,
    /// The pause before the second attempt; it doubles with each.
    pub(crate) pause_min: Duration,
    /// The longest pause.
    pub(crate) pause_max: Duration,
}

impl Redelivery {
    pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(100);

    /// Without end.
    pub(super) fn pauses(self) -> Pauses {
        Pauses { next: self.pause_min, longest: self.pause_max }
    }

    /// Those while there is nobody to deliver to: whoever comes back should not wait for us.
    pub(super) fn absences() -> Pauses {
        Pauses { next: Duration::from_millis(10), longest: Duration::from_secs(1) }
    }
}

pub(super) struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause.saturating_mul(2);
        pause
    }
}
