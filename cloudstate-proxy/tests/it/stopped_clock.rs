//! Time that passes only when the test says so: what has a time limit does not run into it because the machine is slow.

use std::{sync::mpsc, time::Duration};

use tokio::{task::spawn_blocking, time};

use crate::waiting::PATIENCE;

/// Timers go by whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// The clock of the proxy and its clients, which stands still; that of the user function goes on. Dropped, it goes on as
/// well. Needs a test that runs on one thread.
///
/// Short times will do, since nothing happens but what the test waits for. Long ones would pass for silence of the other
/// side of a connection.
pub(crate) struct StoppedClock {
    /// Dropped, it ends the wait of a thread.
    _kept_from_running: mpsc::Sender<()>,
}

impl StoppedClock {
    pub(crate) fn new() -> Self {
        time::pause();
        // A runtime that has nothing to do would let the time pass until it has, but not while such a task runs. When
        // the test waits in vain, it must, so that the wait comes to an end.
        let (kept_from_running, end) = mpsc::channel();
        spawn_blocking(move || end.recv_timeout(PATIENCE));
        Self { _kept_from_running: kept_from_running }
    }

    /// Lets so much time pass, and what was to happen then.
    pub(crate) async fn pass(&self, duration: Duration) {
        time::advance(duration + TICK).await;
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        time::resume();
    }
}
