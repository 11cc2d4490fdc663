//! Wakes the task of an entity when some time runs out.

use std::{pin::Pin, time::Duration};

use tokio::time::{Instant, Sleep, sleep_until};

/// It rings without need after so long, rather than never.
const FAR: Duration = Duration::from_secs(3600);

/// A timer that seldom has to be set anew: it may ring too early, and is set again then.
#[derive(Debug)]
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep_until(Instant::now() + FAR)))
    }

    /// Makes it ring at `deadline`, or earlier.
    pub(super) fn set(&mut self, deadline: Option<Instant>) {
        let deadline = deadline.unwrap_or_else(|| Instant::now() + FAR);
        if self.0.is_elapsed() || deadline < self.0.deadline() {
            self.0.as_mut().reset(deadline);
        }
    }

    /// Resolves when it rings. Can be dropped and called again.
    pub(super) async fn rings(&mut self) {
        self.0.as_mut().await;
    }
}

/// A time that no clock can show is just far away.
pub(super) fn after(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait).unwrap_or(start + 24 * 365 * FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_rings_at_the_earliest_deadline_it_was_set_to() {
        let start = Instant::now();
        let mut alarm = Alarm::new();
        for millis in [50, 20, 30] {
            alarm.set(Some(start + Duration::from_millis(millis)));
        }
        assert_eq!(alarm.0.deadline(), start + Duration::from_millis(20));
        alarm.rings().await;
        alarm.set(Some(start + Duration::from_millis(30)));
        assert_eq!(alarm.0.deadline(), start + Duration::from_millis(30));
        alarm.rings().await;
        assert!(start.elapsed() >= Duration::from_millis(30));
    }

    /// However long nothing has happened: a client may just listen for days.
    #[tokio::test]
    async fn without_a_deadline_it_does_not_ring_again_soon() {
        let mut alarm = Alarm::new();
        alarm.set(Some(Instant::now()));
        alarm.rings().await;
        alarm.set(None);
        assert!(alarm.0.deadline() > Instant::now() + FAR / 2);
    }

    #[test]
    fn a_wait_without_end_is_a_long_one() {
        let start = Instant::now();
        assert!(after(start, Duration::MAX) > start + 1000 * FAR);
        assert_eq!(after(start, Duration::from_secs(1)), start + Duration::from_secs(1));
    }
}
