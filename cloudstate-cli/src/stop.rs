//! SIGINT and SIGTERM: the first asks for a graceful stop, the second ends the process at once.

use std::{io, process};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Resolves when the process is asked to stop.
pub(crate) struct Stop {
    asked: watch::Receiver<bool>,
}

impl Stop {
    /// Takes over both signals; from here on neither kills the process by itself.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (ask, asked) = watch::channel(false);
        tokio::spawn(async move {
            for _ in 0..2 {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if ask.send_replace(true) {
                    process::exit(1);
                }
            }
        });
        Ok(Self { asked })
    }

    /// Waits for the first signal. May be called again, and cancelled.
    pub(crate) async fn asked(&mut self) {
        // The sender lives as long as the signals do, so the only outcome is that it was asked.
        let _ = self.asked.wait_for(|asked| *asked).await;
    }
}
