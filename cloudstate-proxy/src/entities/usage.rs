//! Who was used least recently: that one leaves memory when others need the room.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// What stands for an entity that has something to do.
const BUSY: u64 = u64::MAX;

/// Whether one entity can be spared.
#[derive(Debug)]
pub(crate) struct Usage {
    started: Instant,
    /// Microseconds from `started`, or [`BUSY`].
    idle_since: AtomicU64,
}

impl Usage {
    /// Times are counted from `started`, which is the same for all entities.
    pub(super) fn new(started: Instant) -> Self {
        Self { started, idle_since: AtomicU64::new(BUSY) }
    }

    pub(super) fn set_busy(&self) {
        self.idle_since.store(BUSY, Ordering::Relaxed);
    }

    pub(super) fn set_idle_since(&self, since: Option<Instant>) {
        let micros = |since: Instant| since.saturating_duration_since(self.started).as_micros() as u64;
        self.idle_since.store(since.map_or(BUSY, micros), Ordering::Relaxed);
    }

    /// A smaller number is a longer time; none while there is something to do.
    pub(super) fn idle_since(&self) -> Option<u64> {
        Some(self.idle_since.load(Ordering::Relaxed)).filter(|since| *since != BUSY)
    }

    /// Takes the room of the entity, which is to be asked to leave then; false if it got something to do meanwhile.
    pub(super) fn crowd_out(&self, idle_since: u64) -> bool {
        let ordering = Ordering::Relaxed;
        self.idle_since.compare_exchange(idle_since, BUSY, ordering, ordering).is_ok()
    }
}
