//! Time that passes only when the test says so: what has a time limit does not run into it because the machine is slow.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread::panicking,
    time::Duration,
};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time,
};

use crate::waiting::PATIENCE;

/// Timers go by whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// The clock of the proxy and its clients, which stands still; that of the user function goes on. Dropped, it goes on as
/// well. Needs a test that runs on one thread.
///
/// Short times will do, since nothing happens but what the test waits for. Long ones would pass for silence of the other
/// side of a connection.
pub(crate) struct StoppedClock {
    /// Dropped, it lets the keeper go.
    _kept: mpsc::Sender<()>,
    /// A runtime that has nothing to do would let the time pass until it has, but not while there is such a task. It
    /// loses its patience when the test waits in vain, so that the wait comes to an end.
    keeper: JoinHandle<Result<(), RecvTimeoutError>>,
}

impl StoppedClock {
    pub(crate) fn new() -> Self {
        time::pause();
        let (_kept, until) = mpsc::channel();
        let keeper = spawn_blocking(move || until.recv_timeout(PATIENCE));
        Self { _kept, keeper }
    }

    /// Lets so much time pass, and what was to happen then.
    pub(crate) async fn pass(&self, duration: Duration) {
        time::advance(duration + TICK).await;
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        let stood_still = !self.keeper.is_finished();
        assert!(stood_still || panicking(), "waited in vain for something, and so the clock went on");
        time::resume();
    }
}
