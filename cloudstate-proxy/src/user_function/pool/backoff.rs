//! When to try again.

use std::time::Duration;

use tokio::time::Instant;

use super::PoolLimits;

/// The pauses between attempts to connect, as long as they fail or their connections do not last.
pub(super) struct Backoff {
    pause: Duration,
    not_before: Option<Instant>,
    connected: bool,
}

impl Backoff {
    /// The first attempt needs no pause.
    pub(super) fn new(limits: &PoolLimits) -> Self {
        Self { pause: limits.backoff_min, not_before: None, connected: true }
    }

    pub(super) async fn pause(&mut self, limits: &PoolLimits, lost_early: bool) {
        if self.connected && !lost_early {
            self.pause = limits.backoff_min;
            return;
        }
        let until = *self.not_before.get_or_insert_with(|| Instant::now() + self.pause);
        tokio::time::sleep_until(until).await;
        self.not_before = None;
        self.pause = (self.pause * 2).clamp(limits.backoff_min, limits.backoff_max);
    }

    pub(super) fn note(&mut self, connected: bool) {
        self.connected = connected;
    }
}
