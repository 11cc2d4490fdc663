//! How long nothing has happened to an entity, and how long that may last.

use std::time::Duration;

use tokio::time::Instant;

use super::alarm::after;

#[derive(Debug)]
pub(super) struct Idleness {
    since: Instant,
    passivate_after: Duration,
}

impl Idleness {
    pub(super) fn new(passivate_after: Duration) -> Self {
        Self { since: Instant::now(), passivate_after }
    }

    pub(super) fn set_passivate_after(&mut self, passivate_after: Duration) {
        self.passivate_after = passivate_after;
    }

    /// Something happened.
    pub(super) fn begin_anew(&mut self) {
        self.since = Instant::now();
    }

    /// When something happened last.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// When an entity that is idle should passivate.
    pub(super) fn deadline(&self) -> Instant {
        after(self.since, self.passivate_after)
    }
}
