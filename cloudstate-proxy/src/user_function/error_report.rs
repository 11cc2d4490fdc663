//! Telling the developer of the user function what is wrong with it.

use std::time::Duration;

use cloudstate_proto::{UserFunctionError, entity_discovery_client::EntityDiscoveryClient};
use tokio::sync::mpsc;

use super::{Connection, Dial};

/// Reports that may wait to be sent; more are only logged.
const PENDING_REPORTS: usize = 64;
/// How long one report may take.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends reports in the background: a report never delays a request, and its own failure is only logged.
#[derive(Clone)]
pub(crate) struct ErrorReporter {
    reports: mpsc::Sender<String>,
}

impl ErrorReporter {
    /// Starts the background task; it ends when all clones are dropped.
    pub(crate) fn start(dial: Dial) -> Self {
        let (reports, mut pending) = mpsc::channel::<String>(PENDING_REPORTS);
        tokio::spawn(async move {
            while let Some(message) = pending.recv().await {
                let sent = tokio::time::timeout(REPORT_TIMEOUT, async {
                    let connection = dial.connect().await?;
                    send(connection, message).await
                });
                match sent.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%error, "reportError failed"),
                    Err(_) => tracing::debug!("reportError was not answered"),
                }
            }
        });
        Self { reports }
    }

    /// One whose reports a test takes.
    #[cfg(test)]
    pub(crate) fn heard() -> (Self, mpsc::Receiver<String>) {
        let (reports, pending) = mpsc::channel(PENDING_REPORTS);
        (Self { reports }, pending)
    }

    /// Logs `message` and tells the user function.
    pub(crate) fn report(&self, message: String) {
        tracing::warn!(target: "cloudstate::user_function", "{message}");
        self.tell(message);
    }

    /// Tells the user function what is already logged.
    pub(crate) fn tell(&self, message: String) {
        // A full queue means that the same is being said over and over.
        let _ = self.reports.try_send(message);
    }
}

async fn send(connection: Connection, message: String) -> std::io::Result<()> {
    let mut client = EntityDiscoveryClient::with_origin(connection.clone(), connection.origin());
    let report = client.report_error(UserFunctionError { message });
    report.await.map(drop).map_err(std::io::Error::other)
}
