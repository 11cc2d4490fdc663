//! What was committed, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::queue::{Pending, Stored, Work};
use crate::storage::{Counters, StoreError};

#[derive(Default)]
pub(super) struct Counts {
    commits: AtomicU64,
    failed_commits: AtomicU64,
    appends: AtomicU64,
    events: AtomicU64,
    conflicts: AtomicU64,
    writes: AtomicU64,
}

impl Counts {
    pub(super) fn committed(&self, batch: &[Pending], stored: &[Result<Stored, StoreError>]) {
        let (mut appends, mut events, mut conflicts, mut writes) = (0, 0, 0, 0);
        for (pending, stored) in batch.iter().zip(stored) {
            match &pending.work {
                Work::Append(_) if stored.is_err() => conflicts += 1,
                Work::Append(append) => {
                    appends += 1;
                    events += append.events.len() as u64;
                }
                Work::Write(_) => writes += 1,
            }
        }
        self.commits.fetch_add(u64::from(appends + writes > 0), Relaxed);
        self.appends.fetch_add(appends, Relaxed);
        self.events.fetch_add(events, Relaxed);
        self.conflicts.fetch_add(conflicts, Relaxed);
        self.writes.fetch_add(writes, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed_commits.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self, queued: usize) -> Counters {
        Counters {
            commits: self.commits.load(Relaxed),
            failed_commits: self.failed_commits.load(Relaxed),
            appends: self.appends.load(Relaxed),
            events: self.events.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            writes: self.writes.load(Relaxed),
            queued,
        }
    }
}
