//! Telling every stream that it is time to stop.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::error::{Error, Kind};

/// Set once, by whoever stops the server.
#[derive(Clone, Default)]
pub(crate) struct Shutdown {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    begun: AtomicBool,
    notify: Arc<Notify>,
}

/// One stream's view of it.
pub(crate) struct ShutdownWatch {
    shutdown: Shutdown,
    notified: Pin<Box<OwnedNotified>>,
    /// Whom `notified` will wake. A stream has one task, so asking again on every message would only take a lock.
    registered: Option<Waker>,
}

impl Shutdown {
    pub(crate) fn begin(&self) {
        self.state.begun.store(true, Ordering::SeqCst);
        self.state.notify.notify_waiters();
    }

    pub(crate) fn watch(&self) -> ShutdownWatch {
        let notified = Box::pin(Arc::clone(&self.state.notify).notified_owned());
        ShutdownWatch { shutdown: self.clone(), notified, registered: None }
    }
}

impl ShutdownWatch {
    /// Ready once the shutdown has begun.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.registered.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.registered = Some(context.waker().clone());
            // Ready is also seen below: the flag is set before anybody is notified.
            let _ = self.notified.as_mut().poll(context);
        }
        // After registering, so that a shutdown in between is not missed.
        if self.shutdown.state.begun.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// SIGTERM, which orchestrators send, and SIGINT, which Ctrl-C sends.
///
/// From the moment it exists these signals no longer kill the process.
#[cfg(unix)]
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = signal(SignalKind::terminate()).map_err(Kind::Signals)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(Kind::Signals)?;
        Ok(Self { terminate, interrupt })
    }

    pub(crate) async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

/// Ctrl-C.
#[cfg(windows)]
pub(crate) struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    pub(crate) fn listen() -> Result<Self, Error> {
        Ok(Self(tokio::signal::windows::ctrl_c().map_err(Kind::Signals)?))
    }

    pub(crate) async fn received(mut self) {
        let _ = self.0.recv().await;
    }
}
